"""The driver at a simulated reader."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.clock import SystemClock
from readers.driver import ReaderError
from readers.llrp.driver import LlrpDriver
from readers.llrp.settings import LlrpSettings
from readers.model import ReaderCondition
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.personality import Personality
from simulators.llrp.server import ReaderServer, serve_reader
from tests.readers.running import LIMIT_S, Collector, eventually

TAGS = {1: [bytes([0x30, 1, n]) + bytes(9) for n in range(5)], 2: [bytes([0x30, 2, n]) + bytes(9) for n in range(3)]}
SECOND = 1_000_000


def settings(port: int, **more: object) -> LlrpSettings:
    base = {"antennas": (1, 2), "connect_timeout_s": 2.0, "answer_timeout_s": 2.0, "keepalive_s": 0.5}
    return LlrpSettings("127.0.0.1", port=port, **{**base, **more})  # type: ignore[arg-type]  # a test's shorthand


@asynccontextmanager
async def simulated(personality: Personality | None = None) -> AsyncIterator[ReaderServer]:
    clock = WallClock()
    device = ReaderDevice(FixedField(TAGS), personality)
    async with serve_reader(device, clock=clock) as server:
        yield server


async def gone(server: ReaderServer) -> None:
    await eventually(lambda: not server.connected)


async def outcome(port: int, sink: Collector, **more: object) -> ReaderError:
    """How one connection ends by itself."""
    with pytest.raises(ReaderError) as caught:
        async with asyncio.timeout(LIMIT_S):
            await LlrpDriver("r", settings(port, **more), SystemClock()).run(sink)
    assert sink.states[-1].condition is ReaderCondition.FAILED
    assert sink.states[-1].fault == caught.value.fault
    assert caught.value.fault.hint
    return caught.value
