"""What tests of drivers share: a sink that can be waited on, a driver at work, and that it leaves nothing behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from readers.driver import Driver, ReaderError
from readers.model import Fault, ReaderEvent
from tests.readers.said import Said

# Whatever is waited for takes milliseconds; on a busy machine, seconds.
LIMIT_S = 60.0
# It is two seconds; a busy machine may take five times as long.
STOP_LIMIT_S = 10.0


class Collector(Said):
    """A sink that can be waited on."""

    def __init__(self) -> None:
        super().__init__()
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
