"""A bad wire: a TCP proxy between a client and a simulator that does to the bytes what networks and fools do."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

# What something that is not an LLRP reader was once seen to answer on the LLRP port.
NOT_LLRP = bytes.fromhex("a55a00098d01850d0a")
_READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Wire:
    """What happens to the bytes that come from the simulator; those of the client pass as they are.

    Offsets count the bytes of one connection; only the first `bad_connections` connections are hurt (None: all).
    """

    # Pieces of this many bytes at most, of random size when `random_chunks`; None leaves them whole.
    chunk_bytes: int | None = None
    random_chunks: bool = False
    # Waited before each piece, both ways.
    delay_s: float = 0.0
    # These bytes are slipped in before the byte at this offset.
    garbage: bytes = b""
    garbage_at: int = 0
    # The link is cut, hard, once this many bytes have passed.
    cut_after: int | None = None
    # From this long after connecting nothing passes any more, either way; the link stays up until an end closes it.
    blackhole_after_s: float | None = None
    # The simulator is never asked; the client gets NOT_LLRP.
    not_llrp: bool = False
    bad_connections: int | None = None


CLEAN = Wire()


class Mangler:
    """What one wire does to one direction of one connection; fed bytes, gives pieces, and knows when it is cut."""

    def __init__(self, wire: Wire, rng: random.Random) -> None:
        self._wire = wire
        self._rng = rng
        self._passed = 0
        self.is_cut = False

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces that come out at the other end."""
        wire, start = self._wire, self._passed
        self._passed += len(data)
        if wire.cut_after is not None and self._passed >= wire.cut_after:
            data = data[: max(0, wire.cut_after - start)]
            self.is_cut = True
        if wire.garbage and start <= wire.garbage_at < start + len(data):
            at = wire.garbage_at - start
            data = data[:at] + wire.garbage + data[at:]
        return self._pieces(data)

    def _pieces(self, data: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        at, limit = 0, self._wire.chunk_bytes or len(data)
        while at < len(data):
            size = self._rng.randint(1, limit) if self._wire.random_chunks else limit
            pieces.append(data[at : at + size])
            at += size
        return pieces


class HostileWire:
    """The running proxy; `wire` may be replaced at any time and holds for connections that come after."""

    def __init__(self, target: tuple[str, int], wire: Wire, seed: int, monotonic: Callable[[], float]) -> None:
        self.wire = wire
        self.host = ""
        self.port = 0
        self.connections = 0
        self._target = target
        self._seed = seed
        self._monotonic = monotonic
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._running = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one."""
        self._listener = await asyncio.start_server(self._serve, host, port)
        self.host, self.port = self._listener.sockets[0].getsockname()[:2]

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        if self._listener:
            self._listener.close()
            self.cut()
            await self._idle.wait()
            await self._listener.wait_closed()

    def cut(self) -> None:
        """Cut every link, hard."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._running += 1
        self._idle.clear()
        limit = self.wire.bad_connections
        wire = self.wire if limit is None or self.connections <= limit else CLEAN
        self._writers.add(writer)
        try:
            # A link that breaks is the very purpose; the other side sees it end.
            with suppress(OSError):
                await (self._answer_nonsense(reader, writer) if wire.not_llrp else self._join(reader, writer, wire))
        finally:
            self._writers.discard(writer)
            writer.transport.abort()
            self._running -= 1
            if self._running == 0:
                self._idle.set()

    async def _answer_nonsense(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(NOT_LLRP)
        while await reader.read(_READ_BYTES):
            writer.write(NOT_LLRP)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: Wire) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers.add(far_writer)
        rng = random.Random(f"{self._seed}/{self.connections}")
        upward = Wire(delay_s=wire.delay_s, blackhole_after_s=wire.blackhole_after_s)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(far_reader, writer, wire, rng))
                group.create_task(self._carry(reader, far_writer, upward, rng))
        finally:
            self._writers.discard(far_writer)
            far_writer.transport.abort()

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, wire: Wire, rng: random.Random
    ) -> None:
        """One direction, until either end is gone; then both links go."""
        mangler = Mangler(wire, rng)
        started_s = self._monotonic()
        with suppress(OSError):
            while data := await source.read(_READ_BYTES):
                if wire.blackhole_after_s is not None and self._monotonic() - started_s >= wire.blackhole_after_s:
                    continue
                for piece in mangler.feed(data):
                    if wire.delay_s:
                        await asyncio.sleep(wire.delay_s)
                    sink.write(piece)
                    await sink.drain()
                    if wire.chunk_bytes and not wire.delay_s:
                        # Give the socket a turn, so that pieces arrive as pieces.
                        await asyncio.sleep(0)
                if mangler.is_cut:
                    break
        sink.close()


@asynccontextmanager
async def hostile_wire(
    target_port: int,
    wire: Wire = CLEAN,
    *,
    target_host: str = "127.0.0.1",
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 1,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[HostileWire]:
    """A bad wire to `target_port` while the context lasts; connect to its `host` and `port` instead."""
    proxy = HostileWire((target_host, target_port), wire, seed, monotonic)
    await proxy.start(host, port)
    try:
        yield proxy
    finally:
        await proxy.stop()
