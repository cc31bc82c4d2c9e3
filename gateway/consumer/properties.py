# SPDX-License-Identifier: Apache-2.0
"""MQTT 5 properties in paho's form and back: the one other part of the door to paho-mqtt."""

from functools import lru_cache
from typing import cast

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.consumer.broker import NO_PROPERTIES, ConnectOptions, MessageProperties


def _empty(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]  # paho does not annotate this class


def of_connect(options: ConnectOptions) -> Properties:
    """What CONNECT asks for besides (MQTT 5, section 3.1.2.11)."""
    built = _empty(PacketTypes.CONNECT)
    built.SessionExpiryInterval = options.session_expiry_s
    if options.receive_maximum is not None:
        built.ReceiveMaximum = options.receive_maximum
    return built


def size_of(properties: MessageProperties) -> int:
    """At most so many bytes of a PUBLISH: an identifier and a length before each text."""
    texts = (properties.content_type or "", properties.response_topic or "")
    return sum(len(text.encode()) for text in texts) + len(properties.correlation_data or b"") + 3 * 3 + 5


class _Packed:
    """Properties that go out with many messages, packed once: that costs as much as the rest of a message."""

    def __init__(self, properties: Properties) -> None:
        self._bytes: bytes = properties.pack()  # type: ignore[no-untyped-call]  # paho does not annotate it

    def pack(self) -> bytes:
        return self._bytes


@lru_cache(maxsize=64)
def _shared(content_type: str | None, expiry_s: int | None, packet: int) -> Properties | None:
    built = _built(MessageProperties(content_type=content_type, expiry_s=expiry_s), packet)
    # To publish, paho asks of the properties only that they pack; a will it wants to inspect.
    return cast("Properties", _Packed(built)) if built is not None and packet == PacketTypes.PUBLISH else built


def to_paho(wanted: MessageProperties, packet: int = PacketTypes.PUBLISH) -> Properties | None:
    """None where there are none. The ones that recur are built once, for that costs more than the packet."""
    if wanted.response_topic is None and wanted.correlation_data is None:
        return _shared(wanted.content_type, wanted.expiry_s, packet)
    return _built(wanted, packet)


def _built(wanted: MessageProperties, packet: int) -> Properties | None:
    if wanted == NO_PROPERTIES:
        return None
    built = _empty(packet)
    if wanted.content_type is not None:
        built.ContentType = wanted.content_type
    if wanted.response_topic is not None:
        built.ResponseTopic = wanted.response_topic
    if wanted.correlation_data is not None:
        built.CorrelationData = wanted.correlation_data
    if wanted.expiry_s is not None:
        built.MessageExpiryInterval = wanted.expiry_s
    return built


def from_paho(properties: Properties | None) -> MessageProperties:
    """Those of a message that has come, as far as we use them."""
    if properties is None:
        return NO_PROPERTIES
    found = vars(properties)
    return MessageProperties(
        content_type=found.get("ContentType"),
        response_topic=found.get("ResponseTopic"),
        correlation_data=found.get("CorrelationData"),
        expiry_s=found.get("MessageExpiryInterval"),
    )
