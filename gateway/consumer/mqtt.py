# SPDX-License-Identifier: Apache-2.0
"""The one door to paho-mqtt: a connection that lives once, driven by the asyncio loop, every reason code read.

paho runs without a thread of its own: its socket is watched by the loop, its keepalive by a timer. Only the dialling
(name, TCP, TLS), which blocks, happens in a thread that is left to itself when it takes too long.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.consumer.broker import (
    NO_PROPERTIES,
    BrokerRefusedError,
    Closed,
    ConnectionEndedError,
    ConnectOptions,
    Message,
    MessageProperties,
    PacketTooLargeError,
    Reason,
    Session,
    Subscription,
)
from gateway.consumer.dial import dial, unreachable
from gateway.consumer.inbox import Inbox
from gateway.consumer.properties import from_paho, of_connect, size_of, to_paho

# How often paho looks at its keepalive; a lost link is noticed at most this much later than it could be.
MISC_INTERVAL_S = 0.5
# One turn of the loop reads at most this many packets, then others get their turn.
MAX_PACKETS_A_TURN = 64
# What a fixed header, two lengths and the packet identifier add to a PUBLISH at most (MQTT 5, section 3.3).
PUBLISH_OVERHEAD_BYTES = 16
# Without a Receive Maximum in CONNACK (MQTT 5, section 3.2.2.3.3).
DEFAULT_RECEIVE_MAXIMUM = 65_535


class _Client(Client):
    """paho's client on a socket that is connected already: paho itself would block the loop while it dials."""

    def __init__(self, options: ConnectOptions, connected: socket.socket) -> None:
        five = options.version == 5
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            clean_session=None if five else options.clean_start,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self.connected = connected
        # Zero is "no limit": how many may be in flight is decided by those who publish.
        self.max_inflight_messages = 0
        self.max_queued_messages = 0
        if options.username is not None:
            self.username_pw_set(options.username, options.password)
        if options.will is not None:
            will = options.will
            self.will_set(
                will.topic,
                will.payload,
                will.qos,
                will.retain,
                to_paho(will.properties, PacketTypes.WILLMESSAGE) if five else None,
            )

    def _create_socket(self) -> Any:
        return self.connected


class _Outgoing(NamedTuple):
    """A message on its way out."""

    token: int
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties | None


class Connection:
    """One connection to a broker, used once; every call belongs to the loop it was opened in.

    `on_message` and `on_puback(token, reason_code)` are called on the loop, must not block and must not raise. Without
    `on_message` the messages wait in `messages()`; when too many wait, reading stops until some are taken (a peer
    that leaves them for more than two keepalives loses the connection).
    """

    def __init__(
        self,
        options: ConnectOptions,
        *,
        on_message: Callable[[Message], None] | None = None,
        on_puback: Callable[[int, int], None] | None = None,
    ) -> None:
        self._options = options
        self._on_message = on_message
        self._on_puback = on_puback
        self._client: _Client | None = None
        self._used = False
        self._loop = asyncio.get_running_loop()
        self._connack: asyncio.Future[Session] = self._loop.create_future()
        self._closed: asyncio.Future[Closed] = self._loop.create_future()
        self._subacks: dict[int, asyncio.Future[tuple[int, ...]]] = {}
        self._fd = -1
        self._timer: asyncio.TimerHandle | None = None
        self._packets = 0
        self._inbox = Inbox(self._pause, self._resume)
        self._maximum_packet_size: int | None = None
        self._receive_maximum = DEFAULT_RECEIVE_MAXIMUM
        self._last_token = 0
        self._in_flight: dict[int, int] = {}
        self._held: deque[_Outgoing] = deque()

    @property
    def closed(self) -> Closed | None:
        """Why the connection ended, or None while it has not."""
        return self._closed.result() if self._closed.done() else None

    async def wait_closed(self) -> Closed:
        """Waits for the end and says why."""
        return await asyncio.shield(self._closed)

    async def open(self) -> Session:
        """Connects; raises BrokerUnreachableError or BrokerRefusedError, and leaves nothing behind then."""
        if self._used:
            raise RuntimeError("a Connection is used once; make another one")
        self._used = True
        try:
            async with asyncio.timeout(self._options.connect_timeout_s):
                self._start(await dial(self._options))
                return await self._connack
        except (OSError, ValueError) as error:
            raise unreachable(self._options, error) from error
        finally:
            if not self._connack.done() or self._connack.cancelled() or self._connack.exception() is not None:
                self.abort()

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 1,
        *,
        retain: bool = False,
        properties: MessageProperties = NO_PROPERTIES,
    ) -> int:
        """Takes a message for sending and returns a token; its PUBACK comes to `on_puback` with this token.

        Order is kept. More than the broker's Receive Maximum, which everything on this connection shares, wait here.
        Raises ConnectionEndedError, or PacketTooLargeError, which leaves the connection as it was.
        """
        client = self._live()
        packed = to_paho(properties) if self._options.version == 5 else None
        if self._maximum_packet_size is not None:
            size = len(topic.encode()) + len(payload) + PUBLISH_OVERHEAD_BYTES
            size += size_of(properties) if packed is not None else 0
            if size > self._maximum_packet_size:
                raise PacketTooLargeError(size, self._maximum_packet_size, topic)
        self._last_token += 1
        outgoing = _Outgoing(self._last_token, topic, payload, qos, retain, packed)
        if qos > 0 and (self._held or len(self._in_flight) >= self._receive_maximum):
            self._held.append(outgoing)
        else:
            self._send(client, outgoing)
        return outgoing.token

    def _send(self, client: _Client, outgoing: "_Outgoing") -> None:
        info = client.publish(outgoing.topic, outgoing.payload, outgoing.qos, outgoing.retain, outgoing.properties)
        while info.rc is MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            # This packet identifier is still in use (the broker owes a PUBACK): paho counts on, take the next.
            info = client.publish(outgoing.topic, outgoing.payload, outgoing.qos, outgoing.retain, outgoing.properties)
        if outgoing.qos > 0:
            self._in_flight[info.mid] = outgoing.token

    async def subscribe(self, *subscriptions: Subscription) -> tuple[int, ...]:
        """The reason code of each subscription: the granted QoS, or 0x80 and more. Raises ConnectionEndedError."""
        client = self._live()
        filters: Sequence[tuple[str, Any]]
        if self._options.version == 5:
            filters = [
                (each.topic, SubscribeOptions(each.qos, each.no_local, retainHandling=each.retain_handling))
                for each in subscriptions
            ]
        else:
            filters = [(each.topic, each.qos) for each in subscriptions]
        _, mid = client.subscribe(list(filters))
        if mid is None:
            raise ConnectionEndedError(self._lost())
        answer: asyncio.Future[tuple[int, ...]] = self._loop.create_future()
        self._subacks[mid] = answer
        try:
            return await answer
        finally:
            self._subacks.pop(mid, None)

    def messages(self) -> AsyncIterator[Message]:
        """The messages as they come, until the connection has ended and all are taken."""
        return self._inbox.messages()

    async def disconnect(self, timeout_s: float = 2.0) -> Closed:
        """Says good-bye (the broker forgets the will), waits until it is written, and closes in any case."""
        try:
            if self._client is not None and not self._closed.done():
                self._client.disconnect()
                async with asyncio.timeout(timeout_s):
                    await self.wait_closed()
        except TimeoutError:
            pass  # The peer takes nothing any more: abort below is all that is left.
        finally:
            self.abort()
        return self._closed.result()

    def abort(self) -> None:
        """Closes at once, without a word to the broker (which then publishes the will)."""
        self._end(Closed(Reason.SUCCESS, "closed by us", by_broker=False))

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    def _lost(self) -> Closed:
        return self.closed or Closed(Reason.UNSPECIFIED_ERROR, "not connected", by_broker=False)

    def _live(self) -> _Client:
        if self._client is None or self._closed.done() or not self._connack.done():
            raise ConnectionEndedError(self._lost())
        return self._client

    def _start(self, connected: socket.socket) -> None:
        """Puts paho on the connected socket and lets the loop watch it."""
        options = self._options
        client = self._client = _Client(options, connected)
        client.on_connect = self._handle_connect
        client.on_disconnect = self._handle_disconnect
        client.on_message = self._handle_message
        client.on_publish = self._handle_puback
        client.on_subscribe = self._handle_suback
        client.on_socket_register_write = self._handle_want_write
        client.on_socket_unregister_write = self._handle_written
        self._fd = connected.fileno()
        self._loop.add_reader(self._fd, self._read)
        self._timer = self._loop.call_later(MISC_INTERVAL_S, self._misc)
        if options.version == 5:
            client.connect(
                options.address.host,
                options.address.port,
                options.keepalive_s,
                clean_start=options.clean_start,
                properties=of_connect(options),
            )
        else:
            client.connect(options.address.host, options.address.port, options.keepalive_s)

    def _end(self, closed: Closed) -> None:
        """The one way out: nothing stays registered, nobody waits for ever."""
        if self._closed.done():
            return
        self._closed.set_result(closed)
        if self._timer is not None:
            self._timer.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd = -1
        if self._client is not None:
            self._client.connected.close()
        for answer in self._subacks.values():
            if not answer.done():
                answer.set_exception(ConnectionEndedError(closed))
        if not self._connack.done():
            self._connack.set_exception(ConnectionResetError(closed.text))
            # Who aborts before the answer is not waiting for it; the exception counts as seen.
            self._connack.exception()
        self._inbox.close()

    def _misc(self) -> None:
        self._timer = self._loop.call_later(MISC_INTERVAL_S, self._misc)
        if self._client is not None and not self._inbox.paused:
            self._client.loop_misc()

    def _read(self) -> None:
        client = self._client
        if client is None:
            return
        for _ in range(MAX_PACKETS_A_TURN):
            before = self._packets
            client.loop_read()
            if self._closed.done() or self._inbox.paused:
                return
            if self._packets == before and not _pending(client.connected):
                return
        # The loop does not see what TLS has decrypted already: ask for another turn ourselves.
        self._loop.call_soon(self._read)

    def _pause(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)

    def _resume(self) -> None:
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._read)
            self._loop.call_soon(self._read)

    def _write(self) -> None:
        if self._client is not None:
            self._client.loop_write()

    def _handle_want_write(self, _client: Client, _userdata: Any, _socket: Any) -> None:
        if self._fd >= 0:
            self._loop.add_writer(self._fd, self._write)

    def _handle_written(self, _client: Client, _userdata: Any, _socket: Any) -> None:
        if self._fd >= 0:
            self._loop.remove_writer(self._fd)

    def _handle_connect(
        self, _client: Client, _userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if self._connack.done():
            return
        if reason.is_failure:
            self._connack.set_exception(BrokerRefusedError(reason.value, str(reason)))
            return
        granted = vars(properties) if properties is not None else {}
        self._maximum_packet_size = granted.get("MaximumPacketSize")
        self._receive_maximum = granted.get("ReceiveMaximum", DEFAULT_RECEIVE_MAXIMUM)
        self._connack.set_result(
            Session(
                session_present=flags.session_present,
                receive_maximum=self._receive_maximum,
                maximum_packet_size=self._maximum_packet_size,
                topic_alias_maximum=granted.get("TopicAliasMaximum", 0),
                assigned_client_id=granted.get("AssignedClientIdentifier"),
                keepalive_s=granted.get("ServerKeepAlive", self._options.keepalive_s),
            )
        )

    def _handle_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        by_broker = flags.is_disconnect_packet_from_server
        lost = reason.value == Reason.UNSPECIFIED_ERROR and not by_broker
        self._end(Closed(reason.value, "connection lost" if lost else str(reason), by_broker))

    def _handle_message(self, _client: Client, _userdata: Any, arrived: MQTTMessage) -> None:
        self._packets += 1
        try:
            topic = arrived.topic
        except UnicodeDecodeError:
            return  # A broker must not let such a topic through (MQTT 5, section 1.5.4); nobody subscribed to it.
        message = Message(topic, bytes(arrived.payload), arrived.qos, arrived.retain, from_paho(arrived.properties))
        if self._on_message is not None:
            self._on_message(message)
        else:
            self._inbox.put(message)

    def _handle_puback(
        self, _client: Client, _userdata: Any, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._packets += 1
        token = self._in_flight.pop(mid, None)
        if token is None:
            return
        if self._held and self._client is not None:
            self._send(self._client, self._held.popleft())
        if self._on_puback is not None:
            self._on_puback(token, reason.value)

    def _handle_suback(
        self, _client: Client, _userdata: Any, mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        answer = self._subacks.get(mid)
        if answer is not None and not answer.done():
            answer.set_result(tuple(reason.value for reason in reasons))


def _pending(connected: socket.socket) -> bool:
    return isinstance(connected, ssl.SSLSocket) and connected.fileno() >= 0 and connected.pending() > 0
