"""Reports made in advance, for measuring what listens: the stamps are moved forward, nothing else is computed."""

from dataclasses import replace
from itertools import cycle

from simulators.epc import sgtin_96
from simulators.field import Sighting
from simulators.llrp.packer import HEADER
from simulators.llrp.personality import Flood, Personality
from simulators.llrp.reports import Reporter, ReportSpec, report_message

# What one call hands out at most, so that a fast socket cannot hold up the loop.
MAX_BURST_BYTES = 256 * 1024
# A marker that no other field of a report contains; it shows where the stamps are.
_MARK = 0x0123_4567_89AB_CDEF
# All tags are items of one article; their serials count from 0.
_PREFIX, _ITEM = "0614141", "812345"


class FloodSource:
    """An endless, rate-limited stream of RO_ACCESS_REPORTs of the same tags."""

    def __init__(
        self, personality: Personality, rospec_id: int, spec: ReportSpec, *, flood: Flood, started_us: int
    ) -> None:
        self._flood = flood
        self._started_us = started_us
        self.sent_reads = 0
        self._frames = cycle(
            _frames(flood, rospec_id, spec, version=personality.header_version, uptime=personality.clock.uptime)
        )

    @property
    def next_us(self) -> int:
        """When the next message is due."""
        if self._flood.reads_per_s is None:
            return self._started_us
        due_reads = self.sent_reads + self._flood.reports_per_message
        return self._started_us + int(due_reads * 1e6 / self._flood.reads_per_s)

    def due(self, now_us: int, stamp_us: int) -> bytes:
        """The messages due at `now_us`, all their stamps `stamp_us`; at most MAX_BURST_BYTES of them."""
        out: list[bytes] = []
        size = 0
        while size < MAX_BURST_BYTES and self.next_us <= now_us:
            frame, pattern, length = next(self._frames)
            out.append((frame + pattern * stamp_us).to_bytes(length, "big"))
            size += length
            self.sent_reads += self._flood.reports_per_message
        return b"".join(out)


def _frames(
    flood: Flood, rospec_id: int, spec: ReportSpec, *, version: int, uptime: bool
) -> list[tuple[int, int, int]]:
    """Each message as (its bytes as a number with all stamps 0, a number with 1 in every stamp, its length)."""
    reporter = Reporter(rospec_id, replace(spec, n=0), uptime=uptime, omits_unchanged=False)
    bodies: list[bytes] = []
    for first in range(0, max(flood.tags, flood.reports_per_message), flood.reports_per_message):
        for number in range(first, first + flood.reports_per_message):
            epc = sgtin_96(_PREFIX, _ITEM, number)
            reporter.add(Sighting(epc, 96, -50 - number % 20, 0, 1 + number % 50), _MARK, (1, 1, 1 + number % 4))
        bodies.append(b"".join(body for _, body in reporter.flush()))
    return [_split_stamps(report_message(body, 1 + i, version)) for i, body in enumerate(bodies)]


def _split_stamps(message: bytes) -> tuple[int, int, int]:
    mark = _MARK.to_bytes(8, "big")
    at = message.find(mark, HEADER.size)
    pattern = 0
    blank = bytearray(message)
    while at >= 0:
        pattern |= 1 << (len(message) - at - 8) * 8
        blank[at : at + 8] = bytes(8)
        at = message.find(mark, at + 8)
    return int.from_bytes(blank, "big"), pattern, len(message)
