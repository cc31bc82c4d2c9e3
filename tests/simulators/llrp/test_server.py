import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Self

import pytest

from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.names import ConnectionStatus, MessageType
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Element, Splitter, Value, element, pack_message, read_message
from simulators.llrp.personality import Flood, Personality
from simulators.llrp.server import ReaderServer, serve_reader
from tests.simulators.llrp.asking import EPCS, events, rospec, status, tags


class Caller:
    """A client on a real socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._splitter = Splitter()
        self._messages: list[Element] = []

    @classmethod
    @asynccontextmanager
    async def connect(cls, server: ReaderServer) -> AsyncIterator[Self]:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def next(self) -> Element | None:
        """The next message, None at the end."""
        async with asyncio.timeout(5):
            while not self._messages:
                try:
                    data = await self.reader.read(65536)
                except ConnectionError:
                    return None
                if not data:
                    return None
                self._messages += [read_message(frame) for frame in self._splitter.feed(data)]
        return self._messages.pop(0)

    async def until(self, kind: MessageType) -> Element:
        while (message := await self.next()) is not None:
            if message.type is kind:
                return message
        pytest.fail(f"the link ended before {kind.name}")

    async def ask(self, kind: MessageType, *children: Element, **fields: Value) -> Element:
        self.writer.write(pack_message(element(kind, *children, **fields), 1))
        return await self.until(MessageType[f"{kind.name}_RESPONSE"])


def _device(personality: Personality | None = None) -> ReaderDevice:
    return ReaderDevice(FixedField({1: EPCS[:3]}), personality)


async def _run(caller: Caller) -> None:
    greeting = await caller.next()
    assert greeting is not None
    assert events([greeting])[0].num("Status") == ConnectionStatus.SUCCESS
    assert status(await caller.ask(MessageType.DELETE_ROSPEC, ROSpecID=0)) == 0
    assert status(await caller.ask(MessageType.ADD_ROSPEC, rospec())) == 0
    assert status(await caller.ask(MessageType.ENABLE_ROSPEC, ROSpecID=1)) == 0


async def test_serves_one_client_after_another() -> None:
    async with serve_reader(_device()) as server:
        for _ in range(3):
            async with Caller.connect(server) as caller:
                await _run(caller)
                assert tags([await caller.until(MessageType.RO_ACCESS_REPORT)])
                assert status(await caller.ask(MessageType.CLOSE_CONNECTION)) == 0
                assert await caller.next() is None
        assert server.connections == 3


async def test_refuses_a_second_client_and_keeps_the_first() -> None:
    async with serve_reader(_device()) as server, Caller.connect(server) as first:
        assert await first.next()
        async with Caller.connect(server) as second:
            refused = await second.next()
            assert refused is not None
            assert events([refused])[0].num("Status") == ConnectionStatus.CLIENT_INITIATED_EXISTS
            assert await second.next() is None
        notice = await first.until(MessageType.READER_EVENT_NOTIFICATION)
        assert events([notice])[0].num("Status") == ConnectionStatus.ANOTHER_ATTEMPTED
        assert status(await first.ask(MessageType.GET_ROSPECS)) == 0


async def test_a_cut_link_ends_for_the_client_and_the_next_one_is_welcome() -> None:
    async with serve_reader(_device()) as server:
        async with Caller.connect(server) as caller:
            await _run(caller)
            server.cut()
            while await caller.next():
                pass
            assert not server.connected
        async with Caller.connect(server) as again:
            await _run(again)


async def test_a_frozen_reader_is_silent_until_thawed() -> None:
    async with serve_reader(_device()) as server, Caller.connect(server) as caller:
        await _run(caller)
        server.freeze()
        sent = server.sent_bytes
        caller.writer.write(pack_message(element(MessageType.GET_ROSPECS), 1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await caller.until(MessageType.GET_ROSPECS_RESPONSE)
        assert server.sent_bytes == sent
        server.thaw()
        await caller.until(MessageType.RO_ACCESS_REPORT)


async def test_time_may_run_faster() -> None:
    async with serve_reader(_device(), clock=WallClock(speed=50)) as server, Caller.connect(server) as caller:
        await _run(caller)
        keepalive = element(P.KeepaliveSpec, KeepaliveTriggerType=1, PeriodicTriggerValue=5000)
        started = time.monotonic()
        await caller.ask(MessageType.SET_READER_CONFIG, keepalive, ResetToFactoryDefault=0)
        await caller.until(MessageType.KEEPALIVE)
        # Five seconds of the reader's time in a tenth of a second.
        assert 0.09 < time.monotonic() - started < 2


async def test_an_antenna_can_be_pulled_while_serving() -> None:
    async with serve_reader(_device()) as server, Caller.connect(server) as caller:
        await _run(caller)
        server.set_antenna(2, connected=False)
        notice = await caller.until(MessageType.READER_EVENT_NOTIFICATION)
        assert events([notice])[0].num("AntennaID") == 2


async def test_stopping_cuts_the_client_and_frees_the_port() -> None:
    async with AsyncExitStack() as stack:
        async with serve_reader(_device()) as server:
            caller = await stack.enter_async_context(Caller.connect(server))
            assert await caller.next()
        assert await caller.next() is None
        with pytest.raises(ConnectionRefusedError):
            await stack.enter_async_context(Caller.connect(server))


@pytest.mark.parametrize("per_message", [1, 20, 100])
async def test_a_flood_keeps_its_rate_and_its_stamps_are_fresh(per_message: int) -> None:
    flood = Flood(reads_per_s=20_000, reports_per_message=per_message, tags=200)
    async with serve_reader(_device(Personality(flood=flood))) as server, Caller.connect(server) as caller:
        await caller.next()
        on = frozenset({"EnableAntennaID", "EnableLastSeenTimestamp"})
        await caller.ask(MessageType.ADD_ROSPEC, rospec(on=on))
        started = time.monotonic()
        await caller.ask(MessageType.ENABLE_ROSPEC, ROSpecID=1)
        seen: list[Element] = []
        while len(seen) < 4000:
            report = await caller.until(MessageType.RO_ACCESS_REPORT)
            assert len(report.every(P.TagReportData)) == per_message
            seen += report.every(P.TagReportData)
        # 4,000 reads at 20,000 a second; a slow machine may fall behind, none may be ahead.
        assert time.monotonic() - started > 0.19
        assert len({tag.one(P.EPC_96).fields["EPC"] for tag in seen}) == 200
        stamps = [tag.one(P.LastSeenTimestampUTC).num("Microseconds") for tag in seen]
        assert stamps == sorted(stamps)
        assert abs(stamps[-1] - server.clock.now_us()) < 5_000_000


async def test_flat_out_waits_for_a_slow_client() -> None:
    flood = Flood(reports_per_message=100)
    async with serve_reader(_device(Personality(flood=flood))) as server, Caller.connect(server) as caller:
        await caller.next()
        await caller.ask(MessageType.ADD_ROSPEC, rospec())
        await caller.ask(MessageType.ENABLE_ROSPEC, ROSpecID=1)
        taken = 0
        async with asyncio.timeout(10):
            while taken < 20_000_000:
                taken += len(await caller.reader.read(1 << 20))
            # Nobody reads now: what is sent levels off at what the buffers hold.
            before = -1
            while server.sent_bytes != before:
                before = server.sent_bytes
                await asyncio.sleep(0.05)
        assert server.sent_bytes - taken < 20_000_000
