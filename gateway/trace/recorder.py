"""Captures what readers say while they say it: a sink beside the line's own, bounded, that never holds anybody up."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from gateway.domain.zones import US_PER_S
from gateway.trace.capture import CaptureWriter, Sample
from readers.driver import Clock
from readers.model import ReadBatch, ReaderEvent, ReaderNotice, ReaderState

# A kill costs at most this much of a capture; longer blocks would be only a little smaller.
BLOCK_S: Final = 0.5
# Silence is told this often, so that a capture says how long nothing came.
ALIVE_S: Final = 5.0
# What waits for a slow taker: two seconds of a busy gateway, some 8 MB.
MAX_WAITING_READS: Final = 40_000


class Recorder:
    """Put `put` beside the sink of the readers, and take `blocks`."""

    def __init__(self, clock: Clock, about: Mapping[str, Any], states: Iterable[ReaderState]) -> None:
        now_us = clock.monotonic_us()
        self._clock = clock
        self._writer = CaptureWriter(clock.utc_us() - now_us)
        self._writer.session(now_us, about)
        for state in states:
            self._writer.condition(now_us, state)
        self._waiting: deque[tuple[int, ReadBatch | ReaderState | Sample]] = deque()
        self._waiting_reads = 0
        self._dropped = 0
        self._said_us = now_us
        self._closed = asyncio.Event()
        self.reads = 0

    def put(self, event: ReaderEvent) -> None:
        """All but notices is kept; where too much waits, new reads and samples are dropped and counted."""
        if isinstance(event, ReaderNotice):
            return
        reads = _reads_in(event)
        if reads and self._waiting_reads + reads > MAX_WAITING_READS:
            self._dropped += reads
            return
        self._waiting_reads += reads
        self._waiting.append((self._clock.monotonic_us(), event))

    def close(self) -> None:
        """`blocks` ends soon, in order."""
        self._closed.set()

    async def blocks(self) -> AsyncIterator[bytes]:
        """The session block by block, until it is closed."""
        while not self._closed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(BLOCK_S):
                    await self._closed.wait()
            if self._closed.is_set():
                break
            self._write_waiting()
            now_us = self._clock.monotonic_us()
            if now_us - self._said_us >= ALIVE_S * US_PER_S:
                self._writer.alive(now_us)
            if block := self._writer.take():
                self._said_us = now_us
                yield block
        yield self.last()

    def last(self) -> bytes:
        """What still waits, and that this is the end."""
        self._write_waiting()
        self._writer.end(self._clock.monotonic_us())
        return self._writer.take()

    def _write_waiting(self) -> None:
        while self._waiting:
            at_us, event = self._waiting.popleft()
            self._waiting_reads -= _reads_in(event)
            match event:
                case ReadBatch():
                    self.reads += len(event.reads)
                    self._writer.batch(event)
                case ReaderState():
                    self._writer.condition(at_us, event)
                case _:
                    self._writer.samples([event, *self._of_the_same_moment(event)])
        if self._dropped:
            self._writer.dropped(self._clock.monotonic_us(), self._dropped)
            self._dropped = 0

    def _of_the_same_moment(self, first: Sample) -> Iterator[Sample]:
        """What else its reader said at once."""
        while self._waiting:
            event = self._waiting[0][1]
            if not isinstance(event, Sample) or (event.reader, event.at_us) != (first.reader, first.at_us):
                return
            self._waiting.popleft()
            self._waiting_reads -= 1
            yield event


def _reads_in(event: ReadBatch | ReaderState | Sample) -> int:
    """How much room it takes: a value of a shelf as much as a read."""
    return len(event.reads) if isinstance(event, ReadBatch) else int(isinstance(event, Sample))
