"""Plays recordings to an offline line, in the order in which they were received."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from gateway.domain.inventory import TICK_US
from gateway.domain.zones import Antenna
from gateway.offline import OfflineLine
from gateway.trace.capture import Alive, Captured, Condition, Session
from gateway.trace.csvlinks import Link
from gateway.trace.reads import Reads
from readers.model import InputSample, ReadBatch, WeightSample

# Reads that are played between two looks at the progress.
READS_AT_ONCE = 20_000

Pace = Callable[[int, float], None]
"""Called with the recorded time that comes next (microseconds) and the share of the reads that has been played."""


def start_of(reads: Reads, links: Sequence[Link]) -> int:
    """When the recording begins (microseconds); 0 where nothing was recorded."""
    starts = [*reads.received_us[:1], *(link.at_us for link in links[:1])]
    return min(starts, default=0)


def end_of(reads: Reads, links: Sequence[Link]) -> int:
    """When it ends."""
    ends = [*reads.received_us[-1:], *(link.at_us for link in links[-1:])]
    return max(ends, default=0)


def play(
    line: OfflineLine, reads: Reads, links: Sequence[Link], pace: Pace, *, idle_us: int = 0, smooth: bool = False
) -> None:
    """All of it, both in order of time, and `idle_us` of silence behind it.

    `smooth`: `pace` is asked before every tick, else now and then.
    """
    for reader in _late_comers(reads, links):
        line.link(start_of(reads, links), reader, connected=False)
    played = 0
    for link in links:
        until = reads.until(played, link.at_us)
        _play_reads(line, reads, played, until, pace, smooth=smooth)
        played = until
        pace(link.at_us, played / max(1, len(reads)))
        if link.antenna is None:
            line.link(link.at_us, link.reader, connected=link.connected)
        else:
            line.antenna(link.at_us, link.reader, link.antenna, up=link.connected)
    _play_reads(line, reads, played, len(reads), pace, smooth=smooth)
    line.advance(end_of(reads, links) + max(idle_us, TICK_US))


def _play_reads(line: OfflineLine, reads: Reads, start: int, stop: int, pace: Pace, *, smooth: bool) -> None:
    while start < stop:
        at_us = reads.received_us[start]
        pace(at_us, start / len(reads))
        upto = min(stop, reads.until(start, at_us + TICK_US)) if smooth else min(stop, start + READS_AT_ONCE)
        line.reads(reads.between(start, upto))
        start = upto


def _late_comers(reads: Reads, links: Sequence[Link]) -> list[str]:
    """Readers that were not connected at the start: the first that is told of them is that they are now."""
    first: dict[str, Link] = {}
    for link in links:
        if link.antenna is None:
            first.setdefault(link.reader, link)
    late = []
    for reader, link in first.items():
        before = reads.reader[: reads.until(0, link.at_us)]
        known = reader in reads.readers and reads.readers.index(reader) in before
        if link.connected and not known:
            late.append(reader)
    return late


@dataclass(slots=True)
class Played:
    """What a recording held. `samples`: values of scales and inputs; `heard`: (reader, antenna) -> reads; `links`:
    changes of connections.
    """

    start_us: int = 0
    end_us: int = 0
    reads: int = 0
    tags: int = 0
    samples: int = 0
    links: int = 0
    dropped: int = 0
    heard: Counter[Antenna] = field(default_factory=Counter)
    told_of: set[str] = field(default_factory=set)


def content_of(reads: Reads, links: Sequence[Link]) -> Played:
    """What columns of reads, and connections, hold."""
    numbers = Counter(zip(reads.reader, reads.antenna, strict=True))
    heard = Counter({(reads.readers[reader], port): count for (reader, port), count in numbers.items()})
    told_of = {link.reader for link in links}
    start_us, end_us = start_of(reads, links), end_of(reads, links)
    return Played(start_us, end_us, len(reads), len(reads.tags), 0, len(links), 0, heard, told_of)


class CapturePlayer:
    """Plays the entries of a capture to an offline line. Between two sessions nobody listened: all readers are lost."""

    def __init__(self, line: OfflineLine, readers: Collection[str]) -> None:
        self.played = Played(start_us=line.now_us)
        self._line = line
        self._readers = readers
        self._tags: set[bytes] = set()

    def play(self, entry: Captured) -> None:
        """The next entry. What was captured a moment out of order is taken as it comes."""
        line, played = self._line, self.played
        at_us = max(line.now_us, time_of(entry))
        match entry:
            case ReadBatch():
                played.reads += len(entry.reads)
                played.heard.update((entry.reader, read[1]) for read in entry.reads)
                self._tags.update(read[0] for read in entry.reads)
                played.tags = len(self._tags)
                line.batch(entry._replace(received_us=at_us))
            case WeightSample() | InputSample():
                played.samples += 1
                line.sample(replace(entry, at_us=at_us))
            case Condition():
                played.links += 1
                played.told_of.add(entry.state.reader)
                line.state(at_us, entry.state)
            case Session():
                self._lose_all(line.now_us)
                line.advance(at_us)
            case Alive():
                played.dropped += entry.dropped
                line.advance(at_us)
                if entry.ended:
                    self._lose_all(at_us)
        played.end_us = at_us

    def _lose_all(self, at_us: int) -> None:
        for reader in self._readers:
            self._line.link(at_us, reader, connected=False)


def time_of(entry: Captured) -> int:
    """When an entry was captured."""
    return entry.received_us if isinstance(entry, ReadBatch) else entry.at_us
