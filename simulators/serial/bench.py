"""Puts a simulated device behind a real pty, under a stable name, with a bad wire if one is wished for."""

import asyncio
import fcntl
import os
import random
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Protocol

from simulators.hostile import CLEAN, Mangler, Wire

# ioctl that hangs a tty up as the kernel does when an adapter is pulled out (asm-generic/ioctls.h); root only.
TIOCVHANGUP = 0x5437
_READ_BYTES = 65536
# Between the pieces of a wire that cuts.
_APART_S = 0.001
# A device that was called late says what it would have said meanwhile, up to so much of it.
_LATE_S = 0.5


class SerialDevice(Protocol):
    """What hangs at the other end of a serial line; it knows nothing of I/O.

    `feed` gets what the host sends, cut anywhere, and gives what the device says, each piece with the seconds from now
    until it says it. A device that speaks by itself sets `wake_s` to the seconds from now after which it wants to be
    called with no bytes; it is asked after each `feed`.
    """

    wake_s: float | None

    def feed(self, data: bytes) -> list[tuple[float, bytes]]: ...


class Unplugged(Enum):
    """How the host loses its port."""

    HUNG_UP = "hung up"  # an adapter that is pulled out; needs root
    CLOSED = "closed"  # the other program of a pty has ended


class SerialBench:
    """A place where devices are plugged in: `path` is its stable name, a symbolic link to whatever pty is there now."""

    def __init__(
        self,
        path: Path,
        wire: Wire = CLEAN,
        seed: int = 1,
        bytes_per_s: float | None = None,
        latency_s: float | None = None,
    ) -> None:
        """`bytes_per_s`: the speed of the line; `latency_s`: the adapter gathers for so long before it hands over."""
        self.path = path
        self.wire = wire
        # What hosts have sent, since the beginning.
        self.received = bytearray()
        self.sent_bytes = 0
        self.device: SerialDevice | None = None
        self._rng = random.Random(seed)
        self._bytes_per_s = bytes_per_s
        self._latency_s = latency_s
        self._ends: tuple[int, int] | None = None
        self._mangler = Mangler(wire, self._rng)
        self._timers: set[asyncio.TimerHandle] = set()
        self._wake: asyncio.TimerHandle | None = None
        self._outbox = bytearray()
        self._free_s = 0.0
        self._wake_s = 0.0
        self._news = asyncio.Event()
        self._last_piece_s = 0.0

    def plug(self, device: SerialDevice) -> None:
        """A device comes, powered on."""
        self.unplug()
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._ends = (master, slave)
        self._mangler = Mangler(self.wire, self._rng)
        self.device = device
        self.path.symlink_to(os.ttyname(slave))
        asyncio.get_running_loop().add_reader(master, self._readable)
        self._feed(b"")

    def unplug(self, how: Unplugged = Unplugged.CLOSED) -> None:
        """The port is gone, and its name with it."""
        if self._ends is None:
            return
        (master, slave), self._ends = self._ends, None
        self.path.unlink()
        loop = asyncio.get_running_loop()
        loop.remove_reader(master)
        loop.remove_writer(master)
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._wake is not None:
            self._wake.cancel()
        self._outbox.clear()
        if how is Unplugged.HUNG_UP:
            fcntl.ioctl(slave, TIOCVHANGUP)
        os.close(slave)
        os.close(master)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until it holds; looked at whenever a host has said something."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def say(self, data: bytes) -> None:
        """The device says something of itself: boot text, noise."""
        self._out(data)

    async def drain(self) -> int:
        """The device falls silent; how many bytes it had said, once all of them have been handed over."""
        self.device = None
        while self._timers or self._outbox:  # noqa: ASYNC110 - timers tell nobody
            await asyncio.sleep(self._latency_s or _APART_S)
        return self.sent_bytes

    def _readable(self) -> None:
        if self._ends is None:
            return
        try:
            data = os.read(self._ends[0], _READ_BYTES)
        except OSError:
            return
        self.received += data
        self._feed(data)
        self._news.set()

    def _feed(self, data: bytes) -> None:
        """Bytes, or time, to the device; what it says comes out when it says it, at the speed of the line."""
        device = self.device
        if device is None or self._ends is None:
            return
        loop = asyncio.get_running_loop()
        # On a line that has a speed, one that speaks by itself keeps its own time, however late this process is: else
        # no line is ever full.
        is_woken = not data and self._bytes_per_s is not None
        now_s = max(self._wake_s, loop.time() - _LATE_S) if is_woken else loop.time()
        for delay_s, said in device.feed(data):
            at_s = max(now_s + delay_s, self._free_s)
            if self._bytes_per_s is not None:
                self._free_s = at_s + len(said) / self._bytes_per_s
            if at_s <= loop.time():
                self._out(said)
            else:
                self._later(at_s, self._out, said)
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if device.wake_s is not None:
            # A device that has more to say than the line can carry waits for it.
            self._wake_s = max(now_s + device.wake_s, self._free_s)
            self._wake = loop.call_at(self._wake_s, self._feed, b"")

    def _later(self, at_s: float, action: Callable[[bytes], None], data: bytes) -> None:
        timer: asyncio.TimerHandle

        def act() -> None:
            self._timers.discard(timer)
            action(data)

        timer = asyncio.get_running_loop().call_at(at_s, act)
        self._timers.add(timer)

    def _out(self, data: bytes) -> None:
        self.sent_bytes += len(data)
        now_s, apart_s = asyncio.get_running_loop().time(), self.wire.delay_s or _APART_S
        for piece in self._mangler.feed(data):
            # In their order, and apart, so that pieces arrive as pieces.
            at_s = self._last_piece_s = max(now_s + self.wire.delay_s, self._last_piece_s + apart_s)
            if at_s <= now_s or (self.wire.chunk_bytes is None and not self.wire.delay_s):
                self._write(piece)
            else:
                self._later(at_s, self._write, piece)
                # A wire in pieces is a slow one: what the device says next waits for it, and no backlog grows.
                self._free_s = max(self._free_s, at_s)
        if self._mangler.is_cut:
            self.unplug()

    def _write(self, data: bytes) -> None:
        gathers = self._latency_s is not None and bool(self._outbox)
        self._outbox += data
        if self._latency_s is None:
            self._flush()
        elif not gathers:
            self._later(asyncio.get_running_loop().time() + self._latency_s, lambda _: self._flush(), b"")

    def _flush(self) -> None:
        if self._ends is None:
            return
        master = self._ends[0]
        with suppress(BlockingIOError):
            written = os.write(master, self._outbox)
            del self._outbox[:written]
        loop = asyncio.get_running_loop()
        if self._outbox:
            loop.add_writer(master, self._flush)
        else:
            loop.remove_writer(master)


@contextmanager
def serial_bench(
    path: Path,
    device: SerialDevice | None = None,
    wire: Wire = CLEAN,
    seed: int = 1,
    bytes_per_s: float | None = None,
    latency_s: float | None = None,
) -> Iterator[SerialBench]:
    """A bench at `path` while the context lasts, within a running event loop."""
    bench = SerialBench(path, wire, seed, bytes_per_s, latency_s)
    if device is not None:
        bench.plug(device)
    try:
        yield bench
    finally:
        bench.unplug()
