"""Plays recorded reads and connections to an offline line, in the order in which they were received."""

from collections.abc import Callable, Sequence

from gateway.domain.inventory import TICK_US
from gateway.offline import OfflineLine
from gateway.trace.csvlinks import Link
from gateway.trace.reads import Reads

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
