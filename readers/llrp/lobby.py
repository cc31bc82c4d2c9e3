"""Readers that dial in: one listener for each address that readers are configured with, and a seat for each reader.

Who comes is asked who it is (introduction.py) and led to its seat. There the driver of that reader waits, or the
arrival does, while the driver pauses between two connections. A reader that dials in again has lost its former
connection, whatever that connection itself may know: the newer replaces the older.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from readers.driver import Clock, ReaderError, Sink
from readers.llrp import tls
from readers.llrp import transport_faults as faults
from readers.llrp.introduction import QUESTION_ID, Introduction, address_identity
from readers.llrp.settings import LlrpSettings, TlsSettings
from readers.llrp.wire import Frame, MessageType, pack_frame
from readers.model import Fault, ReaderNotice

log = logging.getLogger(__name__)

INTRODUCTION_S: Final = 10.0
"""A reader speaks within milliseconds of connecting and answers within a second; fifty at once take longer."""

MAX_ARRIVALS: Final = 64
"""Connections on one port whose reader is not known yet: every reader of a store at once. Who comes then is cut."""

MAX_STRANGERS: Final = 32
"""Callers without a seat that are remembered, so that each is told of once in a while and not at every attempt."""

NAMED_STRANGERS: Final = 3
"""So many of them are named to who waits for a reader: the latest are the likeliest, and a text has an end."""

NOTICE_EVERY_S: Final = 600.0
"""A stranger dials in again every few seconds for as long as it is set to; people need to hear of it now and then."""

CLOSE_CONNECTION: Final = pack_frame(Frame(MessageType.CLOSE_CONNECTION, QUESTION_ID, b""))

Address = tuple[str, int]


class Guest(asyncio.BufferedProtocol):
    """Who takes a connection over, and first hears what was said while it was awaited."""

    def said_at(self, moment_us: int | None) -> None:
        """What is heard from now on was said at this moment of the gateway's monotonic clock (None: just now)."""


class Lobby:
    """All listeners of a gateway. A seat, and with the first one its listener, exists from a reader's first `meet`
    to its `leave`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._doors: dict[Address, Door] = {}
        self._opening = asyncio.Lock()

    async def meet(
        self,
        reader: str,
        settings: LlrpSettings,
        protocol: Guest,
        sink: Sink,
        on_overdue: Callable[[Fault], None],
    ) -> None:
        """Wait until `reader` has dialled in, for as long as it takes; its connection is then that of `protocol`.

        After `settings.connect_timeout_s` without it `on_overdue` hears so. Notices about strangers go to `sink`.
        Raises ReaderError with a fault of kind cannot_listen or tls_files.
        """
        seat = await self._seat(reader, settings, sink)
        await seat.meet(protocol, on_overdue)

    def leave(self, reader: str) -> None:
        """The reader is awaited no longer; a listener without seats is closed."""
        for address, door in list(self._doors.items()):
            if reader in door.seats:
                door.seats.pop(reader).close()
                if not door.seats:
                    door.close()
                    del self._doors[address]

    async def _seat(self, reader: str, settings: LlrpSettings, sink: Sink) -> "Seat":
        address = (settings.host, settings.port)
        async with self._opening:
            door = self._doors.get(address)
            if door is None:
                door = Door(address, self._clock)
                await door.open(settings.tls)
                self._doors[address] = door
            seat = door.seats.get(reader)
            if seat is None:
                seat = door.seats[reader] = Seat(door, settings, sink)
            seat.sink = sink
            return seat


class Door:
    """One listener, the seats behind it, and those who have come and are not known yet."""

    def __init__(self, address: Address, clock: Clock) -> None:
        self.address = address
        self.place = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
        self.seats: dict[str, Seat] = {}
        self.strangers: dict[str, int] = {}
        self._clock = clock
        self._arrivals: set[Arrival] = set()
        self._server: asyncio.Server | None = None

    async def open(self, how: TlsSettings | None) -> None:
        """Listen. Raises ReaderError."""
        context = None if how is None else await asyncio.to_thread(tls.listening_context, how, self._distrusted)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Arrival(self),
                *self.address,
                ssl=context,
                ssl_handshake_timeout=None if how is None else tls.HANDSHAKE_S,
                ssl_shutdown_timeout=None if how is None else tls.SHUTDOWN_S,
            )
        except OSError as error:
            raise ReaderError(faults.cannot_listen(self.place, error)) from error

    @property
    def now_us(self) -> int:
        """The gateway's monotonic time."""
        return self._clock.monotonic_us()

    def close(self) -> None:
        """Listen no longer, and part with everybody."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for seat in self.seats.values():
            seat.close()
        for arrival in list(self._arrivals):
            arrival.turn_away()

    def _distrusted(self, reason: str) -> None:
        """A handshake failed; asyncio does not tell with whom."""
        self.refused(f"somebody whose TLS handshake failed ({reason})", faults.handshake_failed(self.place, reason))

    # What arrivals tell

    def entered(self, arrival: "Arrival") -> bool:
        """Somebody is at the door; whether there is room."""
        if self._server is None or len(self._arrivals) >= MAX_ARRIVALS:
            return False
        self._arrivals.add(arrival)
        return True

    def left(self, arrival: "Arrival") -> None:
        """It is led to its seat, or gone."""
        self._arrivals.discard(arrival)

    def seat_of(self, *identities: str | None) -> "Seat | None":
        """Whose name one of these is."""
        return next((seat for seat in self.seats.values() if seat.identity in identities), None)

    def refused(self, who: str, fault: Fault) -> None:
        """Tell of somebody who has no seat: to whoever waits in vain, it may be the one that is meant."""
        now_us = self._clock.monotonic_us()
        told_us = self.strangers.get(who)
        if told_us is not None and now_us - told_us < NOTICE_EVERY_S * 1e6:
            log.debug("%s: %s", fault.kind, fault.text)
            return
        self.strangers.pop(who, None)
        while len(self.strangers) >= MAX_STRANGERS:
            del self.strangers[next(iter(self.strangers))]
        self.strangers[who] = now_us
        log.warning("%s: %s (%s)", fault.kind, fault.text, fault.hint)
        names = sorted(self.seats, key=lambda name: (not self.seats[name].is_waiting, name))
        if names:
            self.seats[names[0]].sink(ReaderNotice(names[0], fault))


class Seat:
    """Where one reader and its driver meet, connection after connection."""

    def __init__(self, door: Door, settings: LlrpSettings, sink: Sink) -> None:
        self.identity = settings.identity
        self.sink = sink
        self._door = door
        self._settings = settings
        self._protocol: Guest | None = None
        self._met: asyncio.Future[None] | None = None
        self._arrival: Arrival | None = None
        self._current: asyncio.Transport | None = None

    @property
    def is_waiting(self) -> bool:
        """A driver is here, and its reader is not."""
        return self._protocol is not None

    async def meet(self, protocol: Guest, on_overdue: Callable[[Fault], None]) -> None:
        """See Lobby.meet."""
        arrival, self._arrival = self._arrival, None
        if arrival is not None and arrival.is_there:
            self._current = arrival.lead_to(protocol)
            return
        self._protocol, self._met = protocol, asyncio.get_running_loop().create_future()
        try:
            try:
                async with asyncio.timeout(self._settings.connect_timeout_s):
                    await asyncio.shield(self._met)
            except TimeoutError:
                if not self._met.done():
                    on_overdue(
                        faults.not_dialled_in(self._settings.address, list(self._door.strangers)[-NAMED_STRANGERS:])
                    )
                await self._met
        finally:
            self._protocol = self._met = None

    def receive(self, arrival: "Arrival") -> None:
        """The reader is here."""
        if self._current is not None and not self._current.is_closing():
            log.info("%s has dialled in again: its former connection ends", self.identity)
            self._current.abort()
        if self._protocol is not None and self._met is not None and not self._met.done():
            protocol, self._protocol = self._protocol, None
            self._met.set_result(None)
            self._current = arrival.lead_to(protocol)
        else:
            self.close()
            self._arrival = arrival
            arrival.wait()

    def close(self) -> None:
        """Nobody waits here any more. A connection that was led on is its driver's to end."""
        if self._arrival is not None:
            self._arrival.turn_away()
            self._arrival = None


class Arrival(asyncio.Protocol):
    """One connection that was accepted, until its reader is known and its driver takes over."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._introduction: Introduction | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._peer = ""
        self._address = ""
        self._identity: str | None = None
        self._heard_us = 0

    @property
    def is_there(self) -> bool:
        """The connection still stands, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    def wait(self) -> None:
        """Until the driver comes; what the reader says meanwhile waits in its socket."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def lead_to(self, protocol: Guest) -> asyncio.Transport:
        """From now on the connection is that of `protocol`, which first hears what has been said so far."""
        transport, introduction = self._transport, self._introduction
        assert transport is not None
        assert introduction is not None
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        # The reader's clock is set by its first words: they may have been waiting here for half a minute.
        protocol.said_at(self._heard_us)
        rest = memoryview(introduction.replay)
        while rest and not transport.is_closing():
            room = memoryview(protocol.get_buffer(-1))
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            protocol.buffer_updated(count)
            rest = rest[count:]
        protocol.said_at(None)
        if not transport.is_closing():
            transport.resume_reading()
        return transport

    def turn_away(self, fault: Fault | None = None) -> None:
        """Close the connection, politely; `fault` is what to tell of it."""
        self._leave()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if fault is not None:
            self._door.refused(self._identity or self._address, fault)
        if self._introduction is not None and not self._introduction.failed:
            transport.write(CLOSE_CONNECTION)
        # Over TLS the end has to be read too: one that waits, and has hung up meanwhile, would stay open.
        transport.resume_reading()
        transport.close()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._door.entered(self):
            transport.abort()
            return
        host = str(transport.get_extra_info("peername")[0])
        self._address = address_identity(host)
        self._peer = self._address.removeprefix("ip:")
        self._introduction = Introduction(asks=self._door.seat_of(self._address) is None)
        self._timer = asyncio.get_running_loop().call_later(INTRODUCTION_S, self._overdue)

    def data_received(self, data: bytes) -> None:
        introduction, transport = self._introduction, self._transport
        if introduction is None or transport is None or transport.is_closing():
            return
        self._heard_us = self._door.now_us
        answer = introduction.receive(data)
        if introduction.failed:
            self.turn_away(faults.strange_caller(self._peer, self._door.place, introduction.failed))
            return
        if answer:
            transport.write(answer)
        if introduction.done:
            self._introduced(introduction.identity)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._leave()

    def _introduced(self, identity: str | None) -> None:
        self._leave()
        self._identity = identity
        seat = self._door.seat_of(identity, self._address)
        if seat is not None:
            seat.receive(self)
            return
        identities = (self._address,) if identity is None else (identity, self._address)
        self.turn_away(faults.unknown_reader(self._peer, identities, self._door.place))

    def _overdue(self) -> None:
        self._timer = None
        reason = f"it did not introduce itself within {INTRODUCTION_S:g} s"
        self.turn_away(faults.strange_caller(self._peer, self._door.place, reason))

    def _leave(self) -> None:
        self._door.left(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
