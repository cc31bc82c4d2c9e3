import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.hostile import NOT_LLRP, HostileWire, Mangler, Wire, hostile_wire
from tests.peer import peer

TEXT = bytes(range(256)) * 8


async def _speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say TEXT, then whatever comes, back."""
    writer.write(TEXT)
    while data := await _reader.read(1000):
        writer.write(data)


@asynccontextmanager
async def _wire(wire: Wire) -> AsyncIterator[HostileWire]:
    async with peer(_speak) as port, hostile_wire(port, wire) as proxy:
        yield proxy


async def _hear(proxy: HostileWire, say: bytes = b"", *, enough: int | None = None) -> tuple[bytes, list[int]]:
    """All that comes until `enough` bytes or the end, and the sizes in which it came."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    writer.write(say)
    heard, sizes = b"", []
    try:
        async with asyncio.timeout(5):
            while enough is None or len(heard) < enough:
                data = await reader.read(65536)
                if not data:
                    break
                heard += data
                sizes.append(len(data))
    except ConnectionError:
        pass
    finally:
        writer.close()
    return heard, sizes


@pytest.mark.parametrize(
    "wire",
    [Wire(), Wire(chunk_bytes=1), Wire(chunk_bytes=7), Wire(chunk_bytes=100, random_chunks=True), Wire(delay_s=0.01)],
    ids=["clean", "bytewise", "chunks", "random", "delay"],
)
async def test_gentle_wires_change_no_byte(wire: Wire) -> None:
    async with _wire(wire) as proxy:
        heard, _ = await _hear(proxy, b"hello", enough=len(TEXT) + 5)
    assert heard == TEXT + b"hello"


async def test_one_byte_at_a_time_arrives_in_pieces() -> None:
    async with _wire(Wire(chunk_bytes=1)) as proxy:
        _, sizes = await _hear(proxy, enough=len(TEXT))
    assert len(sizes) > 100


async def test_a_delay_takes_its_time() -> None:
    loop = asyncio.get_running_loop()
    async with _wire(Wire(delay_s=0.1)) as proxy:
        started = loop.time()
        await _hear(proxy, enough=len(TEXT))
        assert loop.time() - started >= 0.1


async def test_garbage_is_slipped_in() -> None:
    async with _wire(Wire(garbage=b"\xff\xfe", garbage_at=10)) as proxy:
        heard, _ = await _hear(proxy, enough=len(TEXT) + 2)
    assert heard == TEXT[:10] + b"\xff\xfe" + TEXT[10:]


async def test_the_link_is_cut_in_the_middle_and_only_as_often_as_told() -> None:
    async with _wire(Wire(cut_after=100, bad_connections=1)) as proxy:
        heard, _ = await _hear(proxy)
        assert heard == TEXT[:100]
        heard, _ = await _hear(proxy, enough=len(TEXT))
        assert heard == TEXT
        assert proxy.connections == 2


async def test_a_blackhole_swallows_both_ways_and_keeps_the_link() -> None:
    async with _wire(Wire(blackhole_after_s=0.0)) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(b"anyone?")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
        writer.close()
        await writer.wait_closed()


async def test_something_else_on_the_port() -> None:
    async with _wire(Wire(not_llrp=True)) as proxy:
        heard, _ = await _hear(proxy, b"\x04\x01", enough=2 * len(NOT_LLRP))
    assert heard == bytes.fromhex("a55a00098d01850d0a") * 2


async def test_cutting_by_hand() -> None:
    async with _wire(Wire()) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        await reader.readexactly(len(TEXT))
        proxy.cut()
        assert await reader.read() == b""
        writer.close()


@given(
    data=st.binary(max_size=300),
    step=st.integers(1, 60),
    wire=st.builds(
        Wire,
        chunk_bytes=st.none() | st.integers(1, 20),
        random_chunks=st.booleans(),
        garbage=st.binary(max_size=5),
        garbage_at=st.integers(0, 320),
        cut_after=st.none() | st.integers(0, 320),
    ),
)
def test_what_comes_out_is_what_went_in_but_for_the_harm_ordered(data: bytes, step: int, wire: Wire) -> None:
    mangler = Mangler(wire, random.Random(1))
    pieces: list[bytes] = []
    for at in range(0, len(data), step):
        if not mangler.is_cut:
            pieces += mangler.feed(data[at : at + step])
    expected = data if wire.cut_after is None else data[: wire.cut_after]
    if wire.garbage_at < len(expected):
        expected = expected[: wire.garbage_at] + wire.garbage + expected[wire.garbage_at :]
    assert b"".join(pieces) == expected
    assert all(pieces)
    if wire.chunk_bytes:
        assert max(map(len, pieces), default=0) <= wire.chunk_bytes
    assert mangler.is_cut == (wire.cut_after is not None and bool(data) and len(data) >= wire.cut_after)
