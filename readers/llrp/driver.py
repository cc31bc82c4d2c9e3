"""The only I/O of this folder: a TCP connection to an LLRP reader, and a timer."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from readers.driver import Clock, ReaderError, Sink
from readers.llrp import faults
from readers.llrp.details import DetailDecoder, TagDetail
from readers.llrp.lobby import Guest, Lobby
from readers.llrp.reports import LAST, ReportDecoder
from readers.llrp.session import Session
from readers.llrp.settings import LlrpSettings
from readers.llrp.states import State
from readers.llrp.transport import dial
from readers.llrp.wire import Frame, FrameBuffer, MessageType
from readers.model import Fault, RawRead, ReadBatch, ReaderCondition, ReaderNotice, ReaderState

if TYPE_CHECKING:
    from readers.llrp.parameters import ReportError

POLITE_CLOSE_S: Final = 1.5
"""For CLOSE_CONNECTION and its answer; the rest of a driver's two seconds is for the socket."""

MAX_UNSENT_BYTES: Final = 64 * 1024
"""We send a hundred bytes a minute: a peer that leaves this much unread has stopped to read."""

TURN_BYTES: Final = 384 * 1024
"""All connections together read so much in a turn of the event loop: some 7,000 reads, a hundredth of a second."""

LEAST_READ_BYTES: Final = 4 * 1024
"""... but each at least this much: below it a read costs more than what it brings."""

CLOCK_WRONG_MS: Final = 5 * 60_000.0
"""No NTP server leaves a clock this far off: nobody has set it."""

RO_ACCESS_REPORT: Final = int(MessageType.RO_ACCESS_REPORT)


class LlrpDriver:
    """One LLRP reader over TCP or TLS; see readers.driver.Driver for the rules.

    Readers that dial in need the `lobby` that they share; without it each run listens for itself.
    """

    def __init__(self, reader: str, settings: LlrpSettings, clock: Clock, lobby: Lobby | None = None) -> None:
        self.reader = reader
        self._lobby = lobby or Lobby(clock)
        self._owns_lobby = lobby is None
        self._settings = settings
        self._clock = clock
        # Of the device, not of a connection: an inventory of ours goes on there while nobody is connected.
        self._left_running = False
        # Who looks deeper, for as long as they look: it is told what vendors add to the reports.
        self.on_details: Callable[[list[TagDetail]], None] | None = None
        self._link: Link | None = None
        self._frees = False
        self._rests = False
        self._lamps: dict[int, bool] = {}

    async def run(self, sink: Sink) -> None:
        """One connection.

        Raises ReaderError with a fault of the kinds of `dial` and `Lobby.meet`, of kind not_llrp, already_connected,
        unsuited (settings that this device cannot follow), rejected, stopped, silent, frame_error or link_lost.
        """
        link = Link(self.reader, self._settings, self._clock, sink, left_running=self._left_running)
        self._link = link
        link.details_sink = lambda: self.on_details
        if self._frees:
            link.free()
        if self._rests:
            link.take_turn(resting=True)
        for port, high in self._lamps.items():
            link.signal(port, high=high)
        sink(link.state(ReaderCondition.CONNECTING))
        try:
            await self._connect(link, sink)
            # Shielded: a cancellation would cancel the future too, which the polite close waits for.
            fault = await asyncio.shield(link.ended)
        except ReaderError as error:
            sink(link.state(ReaderCondition.FAILED, error.fault))
            raise
        except asyncio.CancelledError:
            await link.close_politely()
            sink(link.state(ReaderCondition.STOPPED))
            raise
        finally:
            self._link = None
            link.abort()
            if self._owns_lobby:
                self._lobby.leave(self.reader)
            self._left_running = (link.was_reading or self._left_running) and not link.freed
        sink(link.state(ReaderCondition.FAILED, fault))
        raise ReaderError(fault)

    def rest(self) -> None:
        """Another reader has its turn: do not inventory until `resume`, on this connection and on later ones."""
        self._take_turn(resting=True)

    def resume(self) -> None:
        """It is this reader's turn."""
        self._take_turn(resting=False)

    def free(self) -> None:
        """The reader is no longer ours: when this driver ends, it is left idle for others."""
        self._frees = True
        if self._link is not None:
            self._link.free()

    def signal(self, port: int, *, high: bool) -> None:
        """Switch an output, now or as soon as the reader is connected."""
        self._lamps[port] = high
        if self._link is not None:
            self._link.signal(port, high=high)

    def _take_turn(self, *, resting: bool) -> None:
        self._rests = resting
        if self._link is not None:
            self._link.take_turn(resting=resting)

    async def _connect(self, link: "Link", sink: Sink) -> None:
        if self._settings.listens:
            await self._lobby.meet(
                self.reader,
                self._settings,
                link,
                sink,
                lambda fault: sink(link.state(ReaderCondition.CONNECTING, fault)),
            )
        else:
            await dial(self._settings, link)


class Link(Guest):
    """One connection: bytes from the socket to the sink, and the session's own bytes back.

    `ended` gives the fault it died of, once the socket is closed. It is never used again.
    """

    open = 0
    """How many there are: in a turn of the loop each of them may have something to read."""

    def __init__(
        self, reader: str, settings: LlrpSettings, clock: Clock, sink: Sink, *, left_running: bool = False
    ) -> None:
        self.was_reading = False
        self.details_sink: Callable[[], Callable[[list[TagDetail]], None] | None] = lambda: None
        self._details = DetailDecoder()
        self.address = settings.address
        self.ended: asyncio.Future[Fault] = asyncio.get_running_loop().create_future()
        self._reader = reader
        self._clock = clock
        self._sink = sink
        self._frames = FrameBuffer()
        self._reports = ReportDecoder()
        now_us = clock.monotonic_us()
        self._session = Session(reader, settings, now_us, self.address, left_running=left_running)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._fault: Fault | None = None
        self._said_us: int | None = None

    def state(self, condition: ReaderCondition, fault: Fault | None = None) -> ReaderState:
        """The reader as this connection knows it."""
        self._session.picture.condition = condition
        return self._session.picture.state(clock_offset_ms=self._clock_offset_ms(), fault=fault)

    def take_turn(self, *, resting: bool) -> None:
        """Stop or start the inventory, or remember to once there is one."""
        now_us = self._clock.monotonic_us()
        if resting:
            self._session.rest(now_us)
        else:
            self._session.resume(now_us)
        self._serve_if_open()

    def signal(self, port: int, *, high: bool) -> None:
        """Switch an output, or remember to."""
        self._session.signal(port, self._clock.monotonic_us(), high=high)
        self._serve_if_open()

    def free(self) -> None:
        """Leave the reader idle at the end."""
        self._session.frees = True

    @property
    def freed(self) -> bool:
        """Nothing of ours has been left on it."""
        return self._session.freed

    def _serve_if_open(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._serve_session()

    async def close_politely(self) -> None:
        """Say CLOSE_CONNECTION and wait for its answer, within the driver's two seconds; never raises."""
        if self._transport is None or self._transport.is_closing():
            return
        self._session.close(self._clock.monotonic_us())
        self._serve_session()
        try:
            async with asyncio.timeout(POLITE_CLOSE_S):
                await asyncio.shield(self.ended)
        except TimeoutError:
            self.abort()
            await self.ended

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there; the reader speaks first."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        Link.open += 1
        self._arm()

    def said_at(self, moment_us: int | None) -> None:
        """A reader that dialled in may have waited for us."""
        self._said_us = moment_us

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the socket writes to: this connection's share of a turn of the loop."""
        return self._frames.get_buffer(sizehint)[: max(LEAST_READ_BYTES, TURN_BYTES // max(1, Link.open))]

    def buffer_updated(self, nbytes: int) -> None:
        """Frames have come, or a piece of one."""
        frames = self._frames.buffer_updated(nbytes)
        if frames:
            now_us = self._clock.monotonic_us()
            said_us = self._said_us or now_us
            self._session.heard(now_us)
            control = [frame for frame in frames if frame.kind != RO_ACCESS_REPORT]
            if control:
                # Before the reports: a keepalive must not wait for them.
                for frame in control:
                    self._session.receive(frame, now_us, said_us)
                self._serve_session()
            if len(control) < len(frames):
                self._session.reported(now_us)
                self._deliver(frames, said_us)
        if self._frames.broken is not None:
            self._end(faults.not_understood(self._frames.broken))

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed, by whomever."""
        Link.open -= 1
        self.abort()
        if not self.ended.done():
            fault = self._fault or self._session.fault
            self.ended.set_result(fault or faults.link_lost(exc, self._frames.pending_bytes))

    # Reads

    def _deliver(self, frames: Sequence[Frame], now_us: int) -> None:
        reads: list[RawRead] = []
        error: ReportError | None = None
        errors = 0
        decode = self._reports.decode
        tell_details = self.details_sink()
        for frame in frames:
            if frame.kind == RO_ACCESS_REPORT:
                failed = decode(frame.body, reads)
                if tell_details is not None:
                    tell_details(self._details.decode(frame.body))
                if failed is not None:
                    error = failed
                    errors += 1
        if reads:
            self._hand_over(reads, now_us, None)
        for bits, odd in self._reports.take_odd():
            self._hand_over(odd, now_us, bits)
        if error is not None:
            self._sink(ReaderNotice(self._reader, faults.bad_report(error.text, error.evidence), errors))

    def _hand_over(self, reads: list[RawRead], now_us: int, epc_bits: int | None) -> None:
        clock = self._session.clock
        newest_us = reads[-1][LAST]
        if newest_us:
            jump = clock.observe(newest_us, now_us)
            if jump is not None:
                self._sink(ReaderNotice(self._reader, faults.clock_jump(jump.by_us)))
                self._sink(self.state(self._session.picture.condition))
        else:
            # A reader that sends no stamps: what has just arrived was read just now.
            stamp_us = now_us - clock.offset_us
            reads = [(*read[:3], stamp_us, stamp_us, read[5]) for read in reads]
        self._sink(ReadBatch(self._reader, now_us, clock.offset_us, reads, epc_bits))

    # The session

    def _serve_session(self) -> None:
        """Send and tell what the session wants, then see whether it is over and when it is due again."""
        transport = self._transport
        data = self._session.take_bytes()
        if data and transport is not None and not transport.is_closing():
            transport.write(data)
            unsent = transport.get_write_buffer_size()
            if unsent > MAX_UNSENT_BYTES:
                self._end(faults.unread_output(unsent))
        for event in self._session.take_events():
            if isinstance(event, ReaderState):
                self._tell(self.state(event.condition))
            else:
                self._sink(event)
        if self._session.state is State.CLOSED:
            self._end(self._session.fault)
        else:
            self._arm()

    def _tell(self, state: ReaderState) -> None:
        self._sink(state)
        offset_ms = state.clock_offset_ms
        if state.condition is ReaderCondition.READING and not self.was_reading:
            self.was_reading = True
            if offset_ms is not None and abs(offset_ms) > CLOCK_WRONG_MS:
                self._sink(ReaderNotice(self._reader, faults.clock_wrong(offset_ms)))

    def _arm(self) -> None:
        due_us = self._session.deadline_us
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_us is not None:
            delay_s = max(0, due_us - self._clock.monotonic_us()) / 1e6
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._session.tick(self._clock.monotonic_us())
        self._serve_session()

    def _end(self, fault: Fault | None) -> None:
        """Close the socket; `connection_lost` does the rest. What was written last goes out if the peer reads."""
        self._fault = self._fault or fault
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()

    def _clock_offset_ms(self) -> float | None:
        """How far the reader's clock is ahead of ours; None where it counts from its own start."""
        clock, device = self._session.clock, self._session.picture.device
        if not clock.seeded or not self._session.stamps_are_utc or (device is not None and not device.has_utc_clock):
            return None
        reader_now_us = self._clock.monotonic_us() - clock.offset_us
        return (reader_now_us - self._clock.utc_us()) / 1000
