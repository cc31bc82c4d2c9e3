import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from simulators.chaos import ChaosProxy, Lane, Way, chaos_proxy
from tests.peer import peer


@asynccontextmanager
async def echo_behind() -> AsyncIterator[tuple[ChaosProxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client on a proxy before a server that says everything back."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4_096):
            writer.write(data)
            await writer.drain()

    async with peer(serve) as port, chaos_proxy(port) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        yield proxy, reader, writer
        await close(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def test_a_calm_one_changes_nothing() -> None:
    async with echo_behind() as (_, reader, writer):
        writer.write(bytes(100_000))
        assert await reader.readexactly(100_000) == bytes(100_000)


async def test_a_reset_is_seen_at_once() -> None:
    async with echo_behind() as (proxy, reader, writer):
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        proxy.reset()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)


@pytest.mark.parametrize("way", list(Way))
async def test_a_muted_link_stays_up_and_says_nothing_more(way: Way) -> None:
    async with echo_behind() as (proxy, reader, writer):
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        proxy.mute(way)
        writer.write(b"lost")
        proxy.calm()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
        fresh_reader, fresh_writer = await asyncio.open_connection(proxy.host, proxy.port)
        fresh_writer.write(b"heard")
        assert await fresh_reader.readexactly(5) == b"heard"
        await close(fresh_writer)


async def test_a_link_is_torn_after_so_many_bytes() -> None:
    async with echo_behind() as (proxy, reader, writer):
        proxy.up = Lane(tear_after=10)
        writer.write(bytes(50))
        got = b""
        try:
            while data := await reader.read(100):
                got += data
        except ConnectionResetError:
            pass
        assert len(got) <= 10


async def test_a_throttle_and_a_delay_take_their_time() -> None:
    async with echo_behind() as (proxy, reader, writer):
        proxy.up = Lane(bytes_per_s=10_000, delay_s=0.05)
        began = asyncio.get_running_loop().time()
        writer.write(bytes(2_000))
        await reader.readexactly(2_000)
        assert asyncio.get_running_loop().time() - began >= 0.25


async def test_a_half_closed_link_ends_for_the_reader_only() -> None:
    async with echo_behind() as (proxy, reader, writer):
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        proxy.half_close()
        assert await reader.read() == b""
        writer.write(b"still taken")
        await writer.drain()


async def test_one_that_refuses_takes_no_connection() -> None:
    async with echo_behind() as (proxy, _, _):
        proxy.refusing = True
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        await close(writer)
