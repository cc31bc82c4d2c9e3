# SPDX-License-Identifier: Apache-2.0
"""The words for talking about a broker: addresses, messages, reason codes, and what can go wrong. No I/O."""

import ssl
from dataclasses import dataclass
from enum import IntEnum
from typing import cast
from urllib.parse import urlsplit

# The IANA ports of MQTT without and with TLS.
DEFAULT_PORT = 1883
DEFAULT_TLS_PORT = 8883
# From here on a reason code says no (MQTT 5, section 2.4).
FIRST_FAILURE_CODE = 0x80


class Reason(IntEnum):
    """Reason codes that somebody here acts on (MQTT 5, section 2.4)."""

    SUCCESS = 0x00
    NO_MATCHING_SUBSCRIBERS = 0x10
    UNSPECIFIED_ERROR = 0x80
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_NAME_INVALID = 0x90
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    PAYLOAD_FORMAT_INVALID = 0x99


HINTS = {
    Reason.UNSUPPORTED_PROTOCOL_VERSION: "the broker speaks no MQTT 5: choose version 3.1.1",
    Reason.CLIENT_IDENTIFIER_NOT_VALID: "the broker does not accept this client id: look at its rules for them",
    Reason.BAD_USER_NAME_OR_PASSWORD: "check the user name and the password file",
    Reason.NOT_AUTHORIZED: "check the broker's access rules for this user and topic, or the password",
    Reason.SERVER_UNAVAILABLE: "the broker is starting or overloaded: it is tried again",
    Reason.SERVER_BUSY: "the broker is overloaded: it is tried again",
    Reason.BANNED: "the broker has banned this client: ask whoever runs it",
    Reason.SESSION_TAKEN_OVER: "another client uses the same client id: give each its own",
    Reason.TOPIC_NAME_INVALID: "the broker does not accept this topic: check the prefix and its access rules",
    Reason.PACKET_TOO_LARGE: "the broker takes only smaller packets: raise its limit",
    Reason.QUOTA_EXCEEDED: "the broker's quota for this client is used up: it is tried again later",
    Reason.PAYLOAD_FORMAT_INVALID: "the broker checks payloads and does not know this one: exempt this topic",
}


def hint_for(code: int) -> str:
    """What an operator can do about a reason code."""
    return HINTS.get(cast("Reason", code), "look into the broker's log")


class MqttError(Exception):
    """Something went wrong with the broker; `text` says what, `hint` what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(f"{text} ({hint})")
        self.text = text
        self.hint = hint


class BrokerUnreachableError(MqttError):
    """No connection came about: no such name, no answer, no valid certificate. Try again later."""


class BrokerRefusedError(MqttError):
    """The broker answered and said no; trying again helps only when `code` says that it is busy."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"the broker refused the connection: {text} (0x{code:02X})", hint_for(code))
        self.code = code


class ConnectionEndedError(MqttError):
    """The connection is closed; make another one."""

    def __init__(self, closed: "Closed") -> None:
        super().__init__(f"the connection to the broker has ended: {closed.text}", hint_for(closed.code))
        self.closed = closed


class PacketTooLargeError(MqttError):
    """A message is larger than this broker takes; sending it would end the connection."""

    def __init__(self, size: int, limit: int, topic: str) -> None:
        super().__init__(f"{size} bytes for {topic[:64]}, the broker takes {limit}", HINTS[Reason.PACKET_TOO_LARGE])
        self.size = size
        self.limit = limit


class BrokerUrlError(MqttError, ValueError):
    """An address that is no mqtt:// or mqtts:// URL."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens."""

    host: str
    port: int
    tls: bool


def parse_url(url: str) -> BrokerAddress:
    """`mqtt://host[:1883]` or `mqtts://host[:8883]`; raises BrokerUrlError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BrokerUrlError(f"{url[:64]!r}: {error}", "write mqtts://host:8883") from error
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or port == 0:
        raise BrokerUrlError(f"{url[:64]!r} is no broker's address", "write mqtt://host:1883 or mqtts://host:8883")
    if parts.username is not None or parts.password is not None:
        raise BrokerUrlError("a broker's address carries no user or password", "set username and password_file")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise BrokerUrlError(f"{url[:64]!r} goes on after the port", "write mqtt://host:1883 or mqtts://host:8883")
    tls = parts.scheme == "mqtts"
    return BrokerAddress(parts.hostname, port or (DEFAULT_TLS_PORT if tls else DEFAULT_PORT), tls)


@dataclass(frozen=True, slots=True)
class MessageProperties:
    """The properties of a PUBLISH that we use (MQTT 5, section 3.3.2.3)."""

    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    expiry_s: int | None = None


NO_PROPERTIES = MessageProperties()


@dataclass(frozen=True, slots=True)
class Message:
    """An application message, arriving or leaving. `retain` of an arriving one: it was stored before we came."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    properties: MessageProperties = NO_PROPERTIES


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter. `retain_handling`: 0 sends the retained messages, 2 does not (MQTT 5, section 3.8.3.1)."""

    topic: str
    qos: int = 1
    retain_handling: int = 0
    no_local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """How to connect. `version` is 5 or 311; `receive_maximum` and `session_expiry_s` are of MQTT 5 only."""

    address: BrokerAddress
    client_id: str
    version: int = 5
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    will: Message | None = None
    clean_start: bool = True
    session_expiry_s: int = 0
    receive_maximum: int | None = None
    keepalive_s: int = 15
    connect_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Session:
    """What the broker's CONNACK granted (MQTT 5, section 3.2.2.3)."""

    session_present: bool
    receive_maximum: int
    maximum_packet_size: int | None
    topic_alias_maximum: int
    assigned_client_id: str | None
    keepalive_s: int


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a connection ended. `by_broker`: it sent a DISCONNECT with this code; else the code is our word for it."""

    code: int
    text: str
    by_broker: bool
