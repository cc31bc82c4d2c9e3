"""Chafon readers on their lines: one port for all readers of an RS-485 line, and what outlives a connection."""

import asyncio
from typing import Final

from readers.chafon import faults
from readers.chafon.interpreter import Known
from readers.chafon.session import Session
from readers.chafon.settings import ChafonSettings
from readers.chafon.sharing import SharedLine
from readers.driver import Clock, ReaderError, Sink
from readers.model import Fault, ReaderCondition
from readers.port import faults as port_faults
from readers.port.port import Port, open_port
from readers.port.settings import LineFormat, PortSettings

USUAL_FORMAT: Final = LineFormat(baudrate=57_600)
"""What the readers leave the factory with; newer ones with 115200."""


class Lines:
    """The lines that have a reader at work, each by its port; made once for all drivers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[PortSettings, Line] = {}

    def line(self, port: PortSettings) -> "Line":
        """The line of `port`, which others may use already."""
        return self._lines.setdefault(port, Line(port, self._clock))


class Line:
    """One port, open while a reader uses it: bytes to and fro, and a timer."""

    def __init__(self, settings: PortSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._shared = SharedLine()
        self._members: dict[Session, tuple[Sink, asyncio.Future[Fault | None]]] = {}
        self._port: Port | None = None
        self._opening = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None

    async def join(self, session: Session, sink: Sink) -> "asyncio.Future[Fault | None]":
        """Let `session` speak; what is given tells why it ended. Raises ReaderError where the port cannot be opened."""
        async with self._opening:
            if self._port is None:
                self._shared = SharedLine()
                self._port = await open_port(self._settings, USUAL_FORMAT, self._received, self._lost)
        if self._shared.has(session.address):
            raise ReaderError(faults.address_taken(f"at {self._settings.address}, bus_address {session.address},"))
        ended: asyncio.Future[Fault | None] = asyncio.get_running_loop().create_future()
        self._members[session] = (sink, ended)
        self._shared.add(session, self._clock.monotonic_us())
        self._serve()
        return ended

    def leave(self, session: Session) -> None:
        """It speaks no longer; the last one closes the port. Whoever is no member may leave too."""
        self._members.pop(session, None)
        self._shared.remove(session, self._clock.monotonic_us())
        if self._members:
            self._serve()
        else:
            self._close()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._port is not None:
            self._port.close()
            self._port = None

    def _received(self, data: bytes) -> None:
        self._shared.receive(data, self._clock.monotonic_us())
        self._serve()

    def _lost(self, fault: Fault) -> None:
        self._close()
        for _, ended in self._members.values():
            if not ended.done():
                ended.set_result(fault)

    def _tick(self) -> None:
        self._timer = None
        try:
            self._shared.tick(self._clock.monotonic_us())
            self._serve()
        except Exception:
            self._lost(port_faults.defect(self._settings.address))
            raise

    def _serve(self) -> None:
        """Send and tell what is wanted, see who has ended, and when it goes on."""
        if self._port is not None:
            self._port.write(self._shared.take_bytes())
        for session, (sink, ended) in list(self._members.items()):
            for event in session.take_events():
                sink(event)
            if session.is_over and not ended.done():
                ended.set_result(session.fault)
        due_us = self._shared.deadline_us
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_us is not None and self._port is not None:
            delay_s = max(0, due_us - self._clock.monotonic_us()) / 1e6
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)


class ChafonDriver:
    """One Chafon reader; see readers.driver.Driver for the rules.

    Readers of one RS-485 line need the `lines` that they share; without it each opens the port for itself.
    """

    def __init__(self, reader: str, settings: ChafonSettings, clock: Clock, lines: Lines | None = None) -> None:
        self.reader = reader
        self._settings = settings
        self._clock = clock
        self._lines = lines or Lines(clock)
        # Of the reader, not of a connection: another one under its address is not to be taken for it.
        self._known = Known()
        self._session: Session | None = None
        self._rests = False

    async def run(self, sink: Sink) -> None:
        """One connection.

        Raises ReaderError with a fault of `open_port`, or of kind link_lost, timeout, rejected, unsuited or
        another_device.
        """
        session = self._session = Session(self.reader, self._settings, self._known)
        session.rests = self._rests
        line = self._lines.line(self._settings.port)
        sink(session.state(ReaderCondition.CONNECTING))
        try:
            fault = await (await line.join(session, sink))
        except ReaderError as error:
            sink(session.state(ReaderCondition.FAILED, error.fault))
            raise
        except asyncio.CancelledError:
            session.close(self._clock.monotonic_us())
            for event in session.take_events():
                sink(event)
            sink(session.state(ReaderCondition.STOPPED))
            raise
        finally:
            self._session = None
            self._known = session.known
            line.leave(session)
        assert fault is not None, "only a cancellation ends a session without a fault"
        sink(session.state(ReaderCondition.FAILED, fault))
        raise ReaderError(fault)

    def rest(self) -> None:
        """Another reader has its turn: do not inventory until `resume`, on this connection and on later ones."""
        self._take_turn(resting=True)

    def resume(self) -> None:
        """It is this reader's turn."""
        self._take_turn(resting=False)

    def _take_turn(self, *, resting: bool) -> None:
        self._rests = resting
        if self._session is not None:
            self._session.rests = resting
