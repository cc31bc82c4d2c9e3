"""A simulated LLRP 1.0.1 reader without I/O: bytes and moments in, bytes out.

All moments are true UTC in microseconds, given by the caller and never going back; what the reader's own clock shows is
its personality's business. One client at a time; ROSpecs and settings outlive connections.
"""

from collections import deque
from typing import NamedTuple

from simulators.field import Field
from simulators.llrp.configuration import Configuration
from simulators.llrp.impinj import temperature
from simulators.llrp.names import (
    CapabilitiesRequest,
    ConfigRequest,
    ConnectionStatus,
    EventType,
    MessageType,
    StatusCode,
)
from simulators.llrp.names import ParameterType as P
from simulators.llrp.operations import Handler, Operations, Outlet
from simulators.llrp.packer import (
    BadFrameError,
    BadMessageError,
    Element,
    Frame,
    Splitter,
    element,
    pack_message,
    read_message,
)
from simulators.llrp.personality import Personality
from simulators.llrp.reports import report_message
from simulators.llrp.status import SUCCESS, refusal

# Impinj's message that switches its extensions on (vendor 25882, Octane LLRP guide): request and answer.
_ENABLE_EXTENSIONS, _EXTENSIONS_ENABLED = 21, 22


class Output(NamedTuple):
    """What to send, and whether to close the link after it."""

    data: bytes
    close: bool = False


class ReaderDevice:
    """One reader: `connect`, then `feed` and `tick`, then `disconnect`; and again."""

    def __init__(self, field: Field, personality: Personality | None = None) -> None:
        self.personality = personality or Personality()
        self.configuration = Configuration(self.personality)
        outlet = Outlet(event=self._event, report=self._report, stream=self._stream)
        self.operations = Operations(self.personality, field, self.configuration, outlet)
        self.connected = False
        self._splitter = Splitter()
        self._out = bytearray()
        self._close = False
        self._holding = False
        self._frozen = False
        self._freeze_us: int | None = None
        self._message_id = 0
        self._keepalive_us: int | None = None
        self._unacknowledged = 0
        # How long the slowest KEEPALIVE_ACK took, from the oldest keepalive that it can answer.
        self.slowest_ack_us = 0
        self._keepalive_sent_us = 0
        self._buffer: deque[tuple[int, bytes]] = deque()
        self._buffered_tags = 0
        self._overflown = False
        self._handlers: dict[MessageType, Handler] = {
            MessageType.GET_READER_CAPABILITIES: self._get_capabilities,
            MessageType.GET_READER_CONFIG: self._get_config,
            MessageType.SET_READER_CONFIG: self._set_config,
            MessageType.CLOSE_CONNECTION: self._close_connection,
            **self.operations.handlers(),
        }

    # --- the link ---------------------------------------------------------------------------------------------------

    def connect(self, now_us: int) -> Output:
        """A client has connected: it is told so, then gets what was kept for it (section 13.1.5)."""
        assert not self.connected, "the caller refuses a second client"
        self.operations.adopt_leftovers(now_us)
        self.connected = self.operations.listened = True
        self._splitter = Splitter()
        self._holding = self.configuration.holds
        self._unacknowledged = 0
        after_us = self.personality.freezes_after_us
        self._freeze_us = None if after_us is None else now_us + after_us
        self._schedule_keepalive(now_us)
        self._send(self._connection_event(ConnectionStatus.SUCCESS, now_us))
        if not self._holding:
            self._release(now_us)
        return self._take()

    def refuse(self, now_us: int) -> tuple[Output, Output]:
        """A second client has connected: what it is told, and what the first one is told (section 13.2.6.11)."""
        greeting = pack_message(
            self._connection_event(ConnectionStatus.CLIENT_INITIATED_EXISTS, now_us),
            self._next_id(),
            self.personality.header_version,
        )
        self._send(self._connection_event(ConnectionStatus.ANOTHER_ATTEMPTED, now_us))
        return Output(b"" if self._frozen else greeting, close=True), self._take()

    def disconnect(self) -> None:
        """The link is gone; ROSpecs go on, and their reports are kept for the next client."""
        self.connected = self.operations.listened = False
        self._keepalive_us = None
        self._out.clear()
        self._close = False

    def freeze(self) -> None:
        """Hang: nothing is answered, nothing is sent, the link stays up."""
        self._frozen = True

    def thaw(self) -> None:
        """Come back as if nothing had been."""
        self._frozen = False
        self._freeze_us = None

    def set_antenna(self, antenna: int, *, connected: bool, now_us: int) -> Output:
        """Plug an antenna in or pull it."""
        self.operations.set_antenna(antenna, connected=connected, now_us=now_us)
        return self._take()

    def complain(self, text: str, now_us: int) -> Output:
        """Something is wrong inside, in the reader's own words."""
        event = element(P.ReaderExceptionEvent, Message=text)
        self._event(EventType.READER_EXCEPTION, event, now_us)
        return self._take()

    def stop_inventory(self, now_us: int) -> Output:
        """Somebody stops it on the reader's own page."""
        self.operations.stop_all(now_us)
        return self._take()

    def reboot(self) -> None:
        """The power was gone: the caller has cut the link."""
        self.disconnect()
        self.operations.forget()
        self.configuration.reset()
        self._buffer.clear()
        self._buffered_tags = 0
        self._overflown = self._holding = False

    def set_input(self, port: int, *, high: bool, now_us: int) -> Output:
        """A door switch or a light barrier changes."""
        self.operations.set_input(port, high=high, now_us=now_us)
        return self._take()

    # --- bytes and time ---------------------------------------------------------------------------------------------

    def feed(self, data: bytes, now_us: int) -> Output:
        """Bytes from the client."""
        if self._hangs(now_us):
            return Output(b"")
        try:
            for received in self._splitter.feed(data):
                self._handle(received, now_us)
                if self._close:
                    break
        except BadFrameError as error:
            status = BadMessageError(StatusCode.M_ParameterError, str(error))
            self._send(element(MessageType.ERROR_MESSAGE, refusal(status)))
            self._close = True
        return self._take()

    def tick(self, now_us: int) -> Output:
        """Let time pass: inventory, triggers, keepalives."""
        if self._hangs(now_us):
            return Output(b"")
        self.operations.adopt_leftovers(now_us)
        self.operations.advance(now_us)
        if self._keepalive_us is not None and now_us >= self._keepalive_us:
            limit = self.personality.unacknowledged_keepalives
            if limit is not None and self._unacknowledged >= limit:
                self._close = True
            else:
                if self._unacknowledged == 0:
                    self._keepalive_sent_us = now_us
                self._send(element(MessageType.KEEPALIVE))
                self._unacknowledged += 1
            self._schedule_keepalive(now_us)
        return self._take()

    @property
    def next_wakeup_us(self) -> int | None:
        """When `tick` has something to do; None: not before the client says something."""
        if self._frozen:
            return None
        moments = (self.operations.next_us, self._keepalive_us)
        return min((moment for moment in moments if moment is not None), default=None)

    def _hangs(self, now_us: int) -> bool:
        if self._freeze_us is not None and now_us >= self._freeze_us:
            self._frozen = True
        return self._frozen

    def _schedule_keepalive(self, now_us: int) -> None:
        period_us = self.configuration.keepalive_us
        self._keepalive_us = now_us + period_us if period_us is not None and self.connected else None

    # --- messages from the client -----------------------------------------------------------------------------------

    def _handle(self, received: Frame, now_us: int) -> None:
        try:
            self._check_version(received)
            request = read_message(received)
            kind = MessageType(received.type)
            self._check_liked(kind)
            if kind in self._handlers:
                answer = self._handlers[kind](request, now_us)
                self._answer(kind, received.id, (SUCCESS, *answer), now_us)
            else:
                self._notice(kind, request, received, now_us)
        except BadMessageError as error:
            self._refuse(received, error)

    def _check_version(self, received: Frame) -> None:
        if received.version not in {1, self.personality.header_version}:
            text = f"version {received.version} is not spoken here"
            raise BadMessageError(StatusCode.M_UnsupportedVersion, text)

    def _check_liked(self, kind: MessageType) -> None:
        if kind in self.personality.refuses:
            raise BadMessageError(StatusCode.P_UnsupportedParameter, f"no {kind.name} here")

    def _notice(self, kind: MessageType, request: Element, received: Frame, now_us: int) -> None:
        """Messages that have no answer of their own."""
        match kind:
            case MessageType.KEEPALIVE_ACK:
                if self._unacknowledged:
                    self.slowest_ack_us = max(self.slowest_ack_us, now_us - self._keepalive_sent_us)
                self._unacknowledged = 0
            case MessageType.ENABLE_EVENTS_AND_REPORTS:
                self._holding = False
                self._release(now_us)
            case MessageType.GET_REPORT:
                self._holding = False
                self._release(now_us)
                bodies = [body for _, body in self.operations.flush()] or [b""]
                for body in bodies:
                    self._out += report_message(body, received.id, self.personality.header_version)
            case MessageType.CUSTOM_MESSAGE if self._enables_extensions(request):
                # The extensions' parameters are then taken and have no effect.
                fields = {"VendorIdentifier": request.num("VendorIdentifier"), "MessageSubtype": _EXTENSIONS_ENABLED}
                data = b"\x01\x1f\x00\x08\x00\x00\x00\x00"  # an LLRPStatus of success
                self._send(element(kind, Data=data, **fields), received.id)
            case _:
                text = f"{kind.name} is nothing to ask a reader"
                raise BadMessageError(StatusCode.M_UnsupportedMessage, text)

    def _enables_extensions(self, request: Element) -> bool:
        vendor = request.num("VendorIdentifier")
        return (
            vendor == self.personality.capabilities.manufacturer and request.num("MessageSubtype") == _ENABLE_EXTENSIONS
        )

    def _refuse(self, received: Frame, error: BadMessageError) -> None:
        """An error goes out in the answer that the request has, else as ERROR_MESSAGE (section 14.1)."""
        names = set(MessageType.__members__)
        known = received.type in set(MessageType)
        name = f"{MessageType(received.type).name}_RESPONSE" if known else ""
        of_message = error.code in {StatusCode.M_UnsupportedVersion, StatusCode.M_UnsupportedMessage}
        kind = MessageType[name] if name in names and not of_message else MessageType.ERROR_MESSAGE
        self._send(element(kind, refusal(error)), received.id)

    def _answer(self, request: MessageType, message_id: int, children: tuple[Element, ...], now_us: int) -> None:
        if self.personality.races_answers:
            event = element(P.ROSpecEvent, EventType=0, ROSpecID=0xFFFF, PreemptingROSpecID=0)
            self._send(self._notification(event, now_us), message_id)
            self._send(element(MessageType.KEEPALIVE), message_id)
            self._out += report_message(b"", message_id, self.personality.header_version)
        self._send(element(MessageType[f"{request.name}_RESPONSE"], *children), message_id)

    def _get_capabilities(self, request: Element, _now_us: int) -> tuple[Element, ...]:
        wanted = request.num("RequestedData")
        if wanted not in set(CapabilitiesRequest):
            raise BadMessageError(StatusCode.A_Invalid, f"no such capabilities: {wanted}", field_num=0)
        return self.personality.capabilities.parameters(CapabilitiesRequest(wanted))

    def _get_config(self, request: Element, _now_us: int) -> tuple[Element, ...]:
        wanted, antenna = request.num("RequestedData"), request.num("AntennaID")
        if antenna > self.personality.capabilities.antennas:
            raise BadMessageError(StatusCode.A_Invalid, f"no antenna {antenna}", field_num=0)
        if wanted not in set(ConfigRequest):
            raise BadMessageError(StatusCode.A_Invalid, f"no such settings: {wanted}", field_num=1)
        connected, rospecs = self.operations.antennas, self.operations.rospec_parameters()
        standard = self.configuration.parameters(ConfigRequest(wanted), antenna, connected, rospecs)
        return standard + temperature(request, self.personality.temperature_c)

    def _set_config(self, request: Element, now_us: int) -> tuple[Element, ...]:
        self.configuration.apply(request)
        self._schedule_keepalive(now_us)
        return ()

    def _close_connection(self, _request: Element, _now_us: int) -> tuple[Element, ...]:
        self._close = True
        return ()

    # --- messages to the client -------------------------------------------------------------------------------------

    def _connection_event(self, status: ConnectionStatus, now_us: int) -> Element:
        return self._notification(element(P.ConnectionAttemptEvent, Status=status), now_us)

    def _notification(self, event: Element, now_us: int) -> Element:
        clock = self.personality.clock
        kind = P.Uptime if clock.uptime else P.UTCTimestamp
        stamp = element(kind, Microseconds=clock.stamp(now_us))
        data = element(P.ReaderEventNotificationData, stamp, event)
        return element(MessageType.READER_EVENT_NOTIFICATION, data)

    def _event(self, kind: EventType, event: Element, now_us: int) -> None:
        """Tell the client of an event if it asked for such; events without a client are not kept."""
        if not self.connected or not self.configuration.wants(kind):
            return
        message = self._notification(event, now_us)
        if self._holding:
            self._buffer.append((0, self._pack(message)))
        else:
            self._send(message)

    def _report(self, tags: int, body: bytes) -> None:
        """Send reports, or keep them while nobody listens."""
        if self.connected and not self._holding:
            self._out += report_message(body, self._next_id(), self.personality.header_version)
            if self.personality.empty_reports:
                self._out += report_message(b"", self._next_id(), self.personality.header_version)
        elif self._buffered_tags + tags <= self.personality.report_buffer_tags:
            message = report_message(body, self._next_id(), self.personality.header_version)
            self._buffer.append((tags, message))
            self._buffered_tags += tags
        else:
            self._overflown = True

    def _stream(self, data: bytes) -> None:
        self._out += data

    def _release(self, now_us: int) -> None:
        """Send what was kept, oldest first, and say so if some of it was lost."""
        for _, message in self._buffer:
            self._out += message
        self._buffer.clear()
        self._buffered_tags = 0
        if self._overflown:
            self._overflown = False
            self._event(EventType.REPORT_BUFFER_FILL_WARNING, element(P.ReportBufferOverflowErrorEvent), now_us)

    def _send(self, message: Element, message_id: int | None = None) -> None:
        self._out += self._pack(message, message_id)

    def _pack(self, message: Element, message_id: int | None = None) -> bytes:
        number = self._next_id() if message_id is None else message_id
        return pack_message(message, number, self.personality.header_version)

    def _next_id(self) -> int:
        self._message_id = self._message_id % 0xFFFF_FFFF + 1
        return self._message_id

    def _take(self) -> Output:
        """What has gathered; nothing leaves a reader that hangs."""
        data = b"" if self._frozen else bytes(self._out)
        close, self._close = self._close, False
        self._out.clear()
        return Output(data, close and not self._frozen)
