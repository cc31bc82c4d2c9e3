"""Frames that are wrong: every prefix, every byte changed. A counted error and another connection, never more."""

from collections.abc import Iterator
from random import Random

import pytest

from readers.llrp.wire import MAX_FRAME_BYTES
from readers.model import ReadBatch, ReaderNotice, ReaderState
from simulators.field import Sighting
from simulators.llrp.device import Output
from tests.faults.shop import SEED, times
from tests.readers.llrp.frames import split, vectors
from tests.readers.llrp.loopback import Loopback

# Bytes that are looked at between two that are changed; 1 is every byte.
STRIDE = times("FRAME_STRIDE", 47)
EPCS = [bytes.fromhex(f"3074257bf7194e40000{number:05x}") for number in range(3)]


class Shelf:
    """A field of some tags."""

    def sightings(self, antenna: int, start_us: int, end_us: int) -> Iterator[Sighting]:
        for number, epc in enumerate(EPCS):
            at_us = start_us + (end_us - start_us) * number // len(EPCS)
            yield Sighting(epc, 96, -50 - antenna, at_us, 1)


class Recorded(Loopback):
    """Notes what the reader says, or spoils one byte of it (`spoil_at`, counted from the connection's first)."""

    spoil_at: int | None = None
    spoil_by = 0
    stop_at: int | None = None

    def __init__(self) -> None:
        super().__init__(Shelf())
        self.said = bytearray()

    def connect(self) -> None:
        self.said.clear()
        super().connect()

    def _carry(self, output: Output) -> None:
        while output.data:
            start, data = len(self.said), bytearray(output.data)
            self.said += data
            if self.spoil_at is not None and start <= self.spoil_at < start + len(data):
                data[self.spoil_at - start] ^= self.spoil_by
            if self.stop_at is not None:
                data = data[: max(0, self.stop_at - start)]
            self.inject(bytes(data))
            answer, self._pipe.written = bytes(self._pipe.written), bytearray()
            output = self.device.feed(answer, self.clock.utc_us()) if answer and not self._pipe.closed else Output(b"")

    def inject(self, data: bytes) -> None:
        """Bytes to the link, as the socket would bring them."""
        rest = memoryview(data)
        while rest and self._link is not None and not self._pipe.closed:
            room = self._link.get_buffer(-1)
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self._link.buffer_updated(count)
            rest = rest[count:]

    def check(self) -> None:
        """Whatever came: only events that everybody knows, in bounded memory."""
        assert self._link is not None
        assert self._link._frames.pending_bytes <= MAX_FRAME_BYTES
        assert all(isinstance(event, ReadBatch | ReaderNotice | ReaderState) for event in self.events)
        self.events.clear()

    def again(self) -> None:
        """The link has ended: the supervisor makes another one."""
        self.cut()
        self.spoil_at = self.stop_at = None
        self.connect()


@pytest.fixture
async def good() -> bytes:
    """All that a reader says from its first event to some reports."""
    loop = Recorded()
    loop.connect()
    loop.turn(0.5, step_s=0.25)
    assert loop.reading
    assert loop.batches
    return bytes(loop.said)


async def test_every_byte_of_a_connection_changed(good: bytes) -> None:
    rng, ended = Random(SEED), 0
    for at in range(rng.randrange(STRIDE), len(good), STRIDE):
        loop = Recorded()
        loop.spoil_at, loop.spoil_by = at, 1 << rng.randrange(8)
        loop.connect()
        loop.turn(0.5, step_s=0.25)
        ended += loop._pipe.closed
        loop.check()
        loop.again()
        loop.turn(0.5, step_s=0.25)
        assert loop.reading, f"byte {at} changed by {loop.spoil_by:#x} and a reader that never reads again"
        loop.cut()
    assert ended > 0


async def test_every_prefix_of_a_connection(good: bytes) -> None:
    for end in range(0, len(good), STRIDE * 3):
        loop = Recorded()
        loop.stop_at = end
        loop.connect()
        loop.turn(0.5, step_s=0.25)
        loop.check()
        loop.again()
        loop.turn(0.5, step_s=0.25)
        assert loop.reading, f"after {end} bytes"
        loop.cut()


def bad(frames: list[bytes], rng: Random) -> Iterator[bytes]:
    """Every prefix of each frame before a whole one, each byte changed, and lengths that lie."""
    for one in frames:
        for at in range(rng.randrange(STRIDE), len(one), STRIDE):
            yield one[:at] + bytes([one[at] ^ 1 << rng.randrange(8)]) + one[at + 1 :]
            yield one[:at] + bytes([rng.randrange(256)]) + one[at + 1 :]
        for end in range(rng.randrange(STRIDE), len(one), STRIDE * 4):
            yield one[:end] + frames[0]
        for length in (0, 9, 10, 11, len(one) - 1, len(one) + 1, MAX_FRAME_BYTES + 1, 2**32 - 1):
            yield one[:2] + length.to_bytes(4) + one[6:]


async def test_frames_of_other_peoples_readers_broken_in_every_way() -> None:
    """A reader that reads is told all of it; whatever ends a connection, the next one reads."""
    rng = Random(SEED)
    found = {}
    for name in ("dx101_a", "dx101_b"):
        for kind, message_id, body, *_ in split((vectors() / f"{name}.bin").read_bytes()):
            whole = (1 << 10 | kind).to_bytes(2) + (10 + len(body)).to_bytes(4) + message_id.to_bytes(4) + bytes(body)
            found.setdefault((kind, len(body)), whole)
    loop, tried, ended = Recorded(), 0, 0
    loop.connect()
    for data in bad(list(found.values()), rng):
        tried += 1
        loop.inject(data)
        loop.check()
        # A frame that claims to be longer than it is waits for the rest; the keepalive would end that.
        if loop._pipe.closed or loop._link is None or loop._link._frames.pending_bytes:
            ended += 1
            loop.again()
    loop.again()
    loop.turn(0.5, step_s=0.25)
    assert loop.reading
    loop.cut()
    print(f"broken frames: seed {SEED}, {len(found)} shapes, {tried} deliveries, {ended} connections ended, 0 escaped")
    assert tried > 500
    assert ended > 10
