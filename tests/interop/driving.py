"""Our driver at work on a reader of somebody else's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.clock import SystemClock
from readers.llrp.driver import LlrpDriver
from tests.readers.llrp.driving import settings
from tests.readers.running import Collector, running


@asynccontextmanager
async def driven(port: int, **more: object) -> AsyncIterator[Collector]:
    """What the driver yields from the reader on `port`; it is stopped at the end, within its two seconds."""
    sink = Collector()
    async with running(LlrpDriver("foreign", settings(port, keepalive_s=1.0, **more), SystemClock()), sink):
        yield sink
