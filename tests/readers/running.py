"""What tests of drivers share: a sink that can be waited on, a driver at work, and that it leaves nothing behind."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from readers.driver import Driver, ReaderError
from readers.model import (
    Fault,
    InputSample,
    ReadBatch,
    ReaderCondition,
    ReaderEvent,
    ReaderNotice,
    ReaderState,
    WeightSample,
)

# Whatever is waited for takes milliseconds; on a busy machine, seconds.
LIMIT_S = 30.0
# It is two seconds; a busy machine may take five times as long.
STOP_LIMIT_S = 10.0


class Collector:
    """A sink that can be waited on."""

    def __init__(self) -> None:
        self.events: list[ReaderEvent] = []
        self._news = asyncio.Event()

    def __call__(self, event: ReaderEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        """Until it holds; it is asked after every event."""
        async with asyncio.timeout(limit_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    @property
    def batches(self) -> list[ReadBatch]:
        return [event for event in self.events if isinstance(event, ReadBatch)]

    @property
    def weights(self) -> list[WeightSample]:
        return [event for event in self.events if isinstance(event, WeightSample)]

    @property
    def inputs(self) -> list[InputSample]:
        return [event for event in self.events if isinstance(event, InputSample)]

    @property
    def states(self) -> list[ReaderState]:
        return [event for event in self.events if isinstance(event, ReaderState)]

    @property
    def notices(self) -> list[ReaderNotice]:
        return [event for event in self.events if isinstance(event, ReaderNotice)]

    @property
    def conditions(self) -> list[ReaderCondition]:
        """As they changed: a reader tells of other things too."""
        return [condition for condition, _ in itertools.groupby(state.condition for state in self.states)]

    def seen(self) -> set[tuple[bytes, int]]:
        """(EPC, antenna) of all reads."""
        return {(read[0], read[1]) for batch in self.batches for read in batch.reads}


@asynccontextmanager
async def running(driver: Driver, sink: Collector) -> AsyncIterator[asyncio.Task[None]]:
    """One connection; cancelled at the end, which must not take it long and leave no task."""
    before = asyncio.all_tasks()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink))
        try:
            yield task
        finally:
            started = time.monotonic()
            task.cancel()
            with suppress(asyncio.CancelledError, ReaderError):
                await task
            assert time.monotonic() - started < STOP_LIMIT_S
    assert not [left for left in asyncio.all_tasks() - before if "readers" in repr(left.get_coro())]


async def ending(driver: Driver, sink: Collector) -> Fault:
    """What a connection that ends by itself dies of."""
    async with asyncio.timeout(LIMIT_S):
        try:
            await driver.run(sink)
        except ReaderError as error:
            return error.fault
    raise AssertionError("a driver ends by an error or not at all")


async def eventually(condition: Callable[[], bool]) -> None:
    """For what only a simulated device knows, and does not announce."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.002)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
