"""A network that misbehaves on demand: a TCP proxy whose links can be delayed, throttled, muted and torn at any moment.

Where `hostile` mangles what one simulator says, this one knows no protocol and does to both directions, while they
run, what networks do: it is for brokers as well as readers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

# Small, so that a throttle is smooth and a cut falls into the middle of a packet.
PIECE_BYTES = 1_400


class Way(StrEnum):
    """A direction: `up` is from the client to what stands behind the proxy."""

    UP = "up"
    DOWN = "down"


@dataclass(slots=True)
class Lane:
    """What happens in one direction, now; change it at any time.

    `muted`: what comes is swallowed and nobody is told, as by a firewall that has forgotten the connection.
    `tear_after` bytes from now the link that says them is reset, in the middle of whatever is said; `tear_each_after`
    does so to every link, counted from its beginning.
    """

    delay_s: float = 0.0
    bytes_per_s: float | None = None
    muted: bool = False
    tear_after: int | None = None
    tear_each_after: int | None = None


@dataclass(eq=False, slots=True)
class Link:
    """The two ends of one connection."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    muted: set[Way] = field(default_factory=set)

    def reset(self) -> None:
        """Both ends get a RST."""
        self.client.transport.abort()
        self.server.transport.abort()


class ChaosProxy:
    """The running proxy; `up` and `down` hold for all links, those there are and those to come."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.up = Lane()
        self.down = Lane()
        self.refusing = False
        self.host = ""
        self.port = 0
        self.connections = 0
        self._target = target
        self._listener: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one."""
        self._listener = await asyncio.start_server(self._serve, host, port)
        self.host, self.port = self._listener.sockets[0].getsockname()[:2]

    async def stop(self) -> None:
        """Reset everything and listen no more."""
        if self._listener is not None:
            self._listener.close()
            self.reset()
            await self._idle.wait()
            await self._listener.wait_closed()

    def calm(self) -> None:
        """A good network from now on; links that were muted stay so, for what they swallowed is gone."""
        self.up, self.down, self.refusing = Lane(), Lane(), False

    def reset(self) -> None:
        """Every link breaks at once."""
        for link in self._links:
            link.reset()

    def mute(self, *ways: Way) -> None:
        """The links there are go silent in these directions for good; nobody is told, new ones work."""
        for link in self._links:
            link.muted.update(ways)

    def half_close(self) -> None:
        """Every client reads an end, but may go on talking."""
        for link in self._links:
            with suppress(OSError):
                link.client.write_eof()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._running += 1
        self._idle.clear()
        try:
            # A link that breaks is the very purpose; both ends see it.
            with suppress(OSError):
                if not self.refusing:
                    await self._join(reader, writer)
        finally:
            writer.transport.abort()
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        link = Link(writer, far_writer)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(reader, far_writer, link, Way.UP))
                group.create_task(self._carry(far_reader, writer, link, Way.DOWN))
        finally:
            self._links.discard(link)
            link.reset()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: Link, way: Way) -> None:
        """One direction, until its source ends or the link breaks."""
        passed = 0
        with suppress(OSError):
            while data := await source.read(PIECE_BYTES):
                lane = self.up if way is Way.UP else self.down
                if lane.muted or way in link.muted:
                    continue
                pause_s = lane.delay_s + (len(data) / lane.bytes_per_s if lane.bytes_per_s else 0.0)
                if pause_s:
                    await asyncio.sleep(pause_s)
                room = _room(lane, passed)
                passed += len(data)
                sink.write(data[:room])
                await sink.drain()
                if room is not None and len(data) > room:
                    lane.tear_after = None
                    link.reset()
                    return
                if lane.tear_after is not None:
                    lane.tear_after -= len(data)
            if way not in link.muted:
                sink.close()


def _room(lane: Lane, passed: int) -> int | None:
    """How many bytes may still pass before the link is torn; None: as many as come."""
    each = None if lane.tear_each_after is None else max(0, lane.tear_each_after - passed)
    limits = [limit for limit in (lane.tear_after, each) if limit is not None]
    return min(limits, default=None)


@asynccontextmanager
async def chaos_proxy(
    target_port: int, *, target_host: str = "127.0.0.1", host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[ChaosProxy]:
    """A network to `target_port` while the context lasts; connect to its `host` and `port` instead."""
    proxy = ChaosProxy((target_host, target_port))
    await proxy.start(host, port)
    try:
        yield proxy
    finally:
        await proxy.stop()
