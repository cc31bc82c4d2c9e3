"""The life of one connection to a serial device: everything that drivers of serial devices have in common.

A kind of device is a `Session`, pure: it is fed bytes and time, and gives bytes and events. Its driver is this:

    class M100Driver:
        async def run(self, sink: Sink) -> None:
            await converse(self._settings.port, FORMAT, M100Session(...), self._clock, sink)

`open_port` (readers.port.port) is for drivers that need more than one session on a line.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, Protocol

from readers.driver import Clock, ReaderError, Sink
from readers.model import Fault, ReaderCondition, ReaderEvent, ReaderState
from readers.port import faults
from readers.port.port import Port, open_port
from readers.port.settings import LineFormat, PortSettings

POLITE_CLOSE_S: Final = 1.5
"""For a goodbye and its answer; the rest of a driver's two seconds is for the port."""


class Session(Protocol):
    """What a device and we say to each other on one connection. Pure; times are the gateway's monotonic `now_us`.

    It is asked for its bytes, its events, its end and its deadline, in this order, after each call of `start`,
    `receive`, `tick` and `close`.
    """

    def start(self, now_us: int) -> None:
        """The port is open."""

    def receive(self, data: bytes, now_us: int) -> None:
        """Bytes have come, cut anywhere."""

    def tick(self, now_us: int) -> None:
        """The deadline may have come: the session looks at the time itself. It is also called early, and in vain."""

    def close(self, now_us: int) -> None:
        """Say goodbye. The session is over (`is_over`) once nothing more is awaited."""

    def take_bytes(self) -> bytes:
        """What is to be sent, once."""

    def take_events(self) -> Sequence[ReaderEvent]:
        """What the gateway has to know, once."""

    def state(self, condition: ReaderCondition, fault: Fault | None = None) -> ReaderState:
        """The device as this session knows it."""

    @property
    def deadline_us(self) -> int | None:
        """When `tick` is due; None: never."""

    @property
    def is_over(self) -> bool:
        """The connection shall be closed, for `fault` or after a goodbye."""

    @property
    def fault(self) -> Fault | None:
        """Why it is over; None after a goodbye."""


async def converse(settings: PortSettings, usual: LineFormat, session: Session, clock: Clock, sink: Sink) -> NoReturn:
    """Run `session` on the port, as readers.driver.Driver.run asks for; `usual` is the device's own line format.

    Raises ReaderError with a fault of `open_port`, of kind link_lost, or the session's own.
    """
    link = _Link(session, clock, sink)
    sink(session.state(ReaderCondition.CONNECTING))
    try:
        link.begin(await open_port(settings, usual, link.received, link.end))
        # Shielded: a cancellation would cancel the future too, which the polite close waits for.
        fault = await asyncio.shield(link.ended)
    except ReaderError as error:
        sink(session.state(ReaderCondition.FAILED, error.fault))
        raise
    except asyncio.CancelledError:
        await link.close_politely()
        sink(session.state(ReaderCondition.STOPPED))
        raise
    finally:
        link.abort()
    sink(session.state(ReaderCondition.FAILED, fault))
    raise ReaderError(fault)


GOODBYE: Final = Fault("stopped", "the connection was closed by us", "")


class _Link:
    """Bytes from the port to the session and back, and its timer."""

    def __init__(self, session: Session, clock: Clock, sink: Sink) -> None:
        self.ended: asyncio.Future[Fault] = asyncio.get_running_loop().create_future()
        self._session = session
        self._clock = clock
        self._sink = sink
        self._port: Port | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed_us = 0

    def begin(self, port: Port) -> None:
        self._port = port
        self._do(self._session.start)

    def received(self, data: bytes) -> None:
        self._do(lambda now_us: self._session.receive(data, now_us))

    async def close_politely(self) -> None:
        """Let the session say goodbye, within the driver's two seconds; never raises."""
        if self._port is None or not self._port.is_open:
            return
        try:
            async with asyncio.timeout(POLITE_CLOSE_S):
                self._do(self._session.close)
                await asyncio.shield(self.ended)
                await self._port.drained()
        except TimeoutError:
            pass

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._port is not None:
            self._port.close()

    def end(self, fault: Fault) -> None:
        """It is over, for whatever reason; the first one counts."""
        if not self.ended.done():
            self.ended.set_result(fault)

    def _do(self, step: Callable[[int], None]) -> None:
        """One step of the session, and what follows from it."""
        session, port = self._session, self._port
        if port is None or self.ended.done():
            return
        try:
            step(self._clock.monotonic_us())
        except Exception:
            self.end(faults.defect(port.address))
            raise
        data = session.take_bytes()
        if data:
            port.write(data)
        for event in session.take_events():
            self._sink(event)
        if session.is_over:
            self.end(session.fault or GOODBYE)
        else:
            self._arm()

    def _arm(self) -> None:
        """A deadline that has moved away keeps its timer: it may tick early, and costs nothing per byte."""
        due_us = self._session.deadline_us
        if due_us is None or (self._timer is not None and due_us >= self._armed_us):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_us = due_us
        delay_s = max(0, due_us - self._clock.monotonic_us()) / 1e6
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._do(self._session.tick)
