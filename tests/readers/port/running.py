"""A serial driver at work, and what it must leave behind: nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from readers.driver import Driver, ReaderError
from readers.model import Fault, ReadBatch
from tests.readers.port.terminal import Collector


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@asynccontextmanager
async def running(driver: Driver, sink: Collector) -> AsyncIterator[asyncio.Task[None]]:
    """One connection; cancelled at the end, which must take it at most two seconds and leave no task."""
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
            assert time.monotonic() - started < 10, "two seconds, and a slow machine's share"
    assert not [left for left in asyncio.all_tasks() - before if "readers" in repr(left.get_coro())]


async def ending(driver: Driver, sink: Collector) -> Fault:
    """What a connection that ends by itself dies of."""
    async with asyncio.timeout(30):
        try:
            await driver.run(sink)
        except ReaderError as error:
            return error.fault
    raise AssertionError("a driver ends by an error or not at all")


def seen(sink: Collector) -> set[tuple[bytes, int]]:
    """(EPC, antenna) of all reads."""
    return {(read[0], read[1]) for batch in sink.events if isinstance(batch, ReadBatch) for read in batch.reads}
