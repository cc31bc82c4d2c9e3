"""Samples straight from the configured ports, for verbs that run without the daemon."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from config.effective import Reader
from gateway.cli.output import ExitCode, fail
from gateway.clock import SystemClock
from gateway.crew import DRIVERS, Shared
from gateway.intake import Sample
from gateway.tasks import beside
from readers.chafon.driver import Lines
from readers.driver import Driver, ReaderError
from readers.llrp.lobby import Lobby
from readers.model import Fault, InputSample, ReaderEvent, WeightSample

# What has not been taken by then is old; who reads takes a few thousand a second.
MAX_WAITING_SAMPLES = 10_000


class Samples:
    """What the drivers say, in the order of arrival."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Sample | tuple[str, Fault]] = asyncio.Queue(MAX_WAITING_SAMPLES)

    def put(self, event: ReaderEvent) -> None:
        """A driver's sink."""
        if isinstance(event, WeightSample | InputSample):
            if self._queue.full():
                self._queue.get_nowait()
            self._queue.put_nowait(event)

    def end(self, reader: str, fault: Fault) -> None:
        """A driver has given up."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait((reader, fault))

    async def next(self) -> Sample:
        """The next sample; ends the verb with 3 where a device is out of reach."""
        event = await self._queue.get()
        if isinstance(event, tuple):
            reader, fault = event
            fail(ExitCode.UNREACHABLE, f"{reader}: {fault.text}", f"{fault.hint}; is the daemon running on this port?")
        return event


@asynccontextmanager
async def listen(readers: Iterable[Reader]) -> AsyncIterator[Samples]:
    """The drivers of `readers` run while the context lasts."""
    samples, clock = Samples(), SystemClock()
    shared = Shared(Lobby(clock), Lines(clock))
    drivers = [DRIVERS[reader.driver](reader, clock, shared) for reader in readers]
    try:
        async with beside(*(_run(driver, samples) for driver in drivers)):
            yield samples
    except BaseExceptionGroup as group:
        raise _only(group) from None


def _only(error: BaseException) -> BaseException:
    """What a verb ended by, without the task groups that it came through."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _run(driver: Driver, samples: Samples) -> None:
    try:
        await driver.run(samples.put)
    except ReaderError as error:
        samples.end(driver.reader, error.fault)
