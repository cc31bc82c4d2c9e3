"""Rare mistakes on racks: items that rest for weeks, and what the line says of them; with outages, if wanted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from gateway.domain.params import DEFAULT_PROFILES, PROFILES, Zone, ZoneKind
from gateway.evaluate.tracks import Ints
from gateway.offline import OfflineLine
from simulators.epc import sgtin_96
from simulators.rare import TagRuns, resting_tags
from simulators.recording import load_scenario

US_PER_S = 1_000_000
US_PER_HOUR = 3600 * US_PER_S
US_PER_DAY = 24 * US_PER_HOUR
# Silences that end sooner are not told one by one; the rule takes them for the tag's own pace.
QUIET_S = 5.0
# Reads are handed over this much at a time: a chunk of a large rack takes some 100 MB.
CHUNK_US = 6 * US_PER_HOUR
START_US = 1_767_225_600_000_000
ZONE = "floor"
READER, PORT = "ceiling", 1
ANTENNAS = {(READER, PORT): ZONE}
DBM = -60
# Whoever departs because of an outage does so while it lasts, or soon after.
AFTERMATH_US = US_PER_HOUR
# A new gateway has learnt the silences of a rack in about this time.
EARLY_HOURS = 6


class Outage(StrEnum):
    """What is down."""

    NETWORK = "network"
    ANTENNA = "antenna"
    GATEWAY = "gateway"


class Down(NamedTuple):
    """An outage within a day, in hours from its beginning."""

    what: Outage
    from_hour: float
    to_hour: float


NO_OUTAGES: tuple[Down, ...] = ()
# Each long enough to depart whatever is silent, and far enough from the next to tell them apart.
DAILY_OUTAGES = (
    Down(Outage.NETWORK, 2.0, 6.0),
    Down(Outage.ANTENNA, 10.0, 14.0),
    Down(Outage.GATEWAY, 18.0, 22.0),
)


@dataclass(frozen=True, slots=True)
class Resting:
    """`departures` that the line told of items that never left, `in_outages` of them during or soon after one.

    `early` of them were told in the first `EARLY_HOURS`, of a line that knew nothing yet.
    """

    scenario: str
    item_days: float
    departures: int
    outages: int
    in_outages: int
    early: int = 0


def resting(scenario: str, seed: int, days: float, daily: Sequence[Down] = NO_OUTAGES) -> Resting:
    """The real line over the reads of a rack on which everything stays."""
    runs = list(resting_tags(load_scenario(scenario), seed, days, QUIET_S))
    played = _Played(len(runs))
    outages = [
        (down.what, round((day * 24 + down.from_hour) * US_PER_HOUR), round((day * 24 + down.to_hour) * US_PER_HOUR))
        for day in range(round(days))
        for down in daily
    ]
    at_us = 0
    rng = np.random.default_rng([seed, 6])
    reads = _Reads(runs, rng)
    for what, from_us, to_us in outages:
        played.play(reads, at_us, from_us)
        played.endure(what, from_us, to_us)
        reads.skip(to_us)
        at_us = to_us
    played.play(reads, at_us, round(days * US_PER_DAY))
    told_us = np.array([said.said_us - START_US for said in played.line.transitions if said.zone is None])
    caused = sum(
        int(np.count_nonzero((told_us >= from_us) & (told_us < to_us + AFTERMATH_US))) for _, from_us, to_us in outages
    )
    early = int(np.count_nonzero(told_us < EARLY_HOURS * US_PER_HOUR))
    return Resting(scenario, len(runs) * days, len(told_us), len(outages), caused, early)


class _Played:
    """The line on its way through the weeks."""

    def __init__(self, tags: int) -> None:
        self.epcs = [sgtin_96("0614141", "081234", serial + 1) for serial in range(tags)]
        self.line = _line(START_US)

    def play(self, reads: "_Reads", from_us: int, to_us: int) -> None:
        """Feed all that is read from one moment to the other."""
        epcs = self.epcs
        for until_us in [*range(from_us + CHUNK_US, to_us, CHUNK_US), to_us]:
            at_us, tag = reads.until(until_us)
            moments = (at_us + START_US).tolist()
            self.line.reads(
                (moment, moment, READER, PORT, epcs[number], DBM)
                for moment, number in zip(moments, tag.tolist(), strict=True)
            )
        self.line.advance(START_US + to_us)

    def endure(self, what: Outage, from_us: int, to_us: int) -> None:
        """Nothing is read from one moment to the other; the line knows why."""
        down_us, up_us = START_US + from_us, START_US + to_us
        match what:
            case Outage.NETWORK:
                self.line.link(down_us, READER, connected=False)
                self.line.link(up_us, READER, connected=True)
            case Outage.ANTENNA:
                self.line.antenna(down_us, READER, PORT, up=False)
                self.line.antenna(up_us, READER, PORT, up=True)
            case Outage.GATEWAY:
                self._restart(down_us, up_us)

    def _restart(self, down_us: int, up_us: int) -> None:
        """Another life of the gateway: it knows what the ledger kept, and the stock as it was."""
        old = self.line.inventory
        kept = [old.record(item, down_us, down_us) for item in old]
        pools = [pool.record(zone.id) for zone in old.zones.values() for pool in zone.silences]
        line = _line(up_us)
        line.inventory.restore(kept, up_us, up_us, pools, old.learnt())
        line.stock, line.transitions = self.line.stock, self.line.transitions
        self.line = line


def _line(start_us: int) -> OfflineLine:
    kind = ZoneKind.SALES_FLOOR
    return OfflineLine([Zone(ZONE, kind, PROFILES[DEFAULT_PROFILES[kind]])], ANTENNAS, start_us=start_us)


class _Reads:
    """The reads of all tags in order of time, a piece after the other; within a run they are spread at random."""

    def __init__(self, runs: Sequence[TagRuns], rng: np.random.Generator) -> None:
        self._rng = rng
        self._tag = np.repeat([each.tag for each in runs], [len(each.first_us) for each in runs])
        first_us, last_us, reads = (
            np.concatenate(column)
            for column in zip(*((each.first_us, each.last_us, each.reads) for each in runs), strict=True)
        )
        order = np.argsort(first_us, kind="stable")
        self._tag, self._first_us = self._tag[order], first_us[order]
        self._last_us, self._count = last_us[order], reads[order]
        self._begun = 0
        self._later: tuple[Ints, Ints] = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

    def until(self, to_us: int) -> tuple[Ints, Ints]:
        """(moments, tags) of what was read before `to_us` and not yet given."""
        end = int(np.searchsorted(self._first_us, to_us))
        rows = slice(self._begun, end)
        self._begun = end
        pieces = [self._later, *self._spread(rows)]
        at_us, tag = (np.concatenate(column) for column in zip(*pieces, strict=True))
        order = np.argsort(at_us, kind="stable")
        at_us, tag = at_us[order], tag[order]
        cut = int(np.searchsorted(at_us, to_us))
        self._later = at_us[cut:], tag[cut:]
        return at_us[:cut], tag[:cut]

    def skip(self, to_us: int) -> None:
        """Nobody hears what is read before."""
        self.until(to_us)

    def _spread(self, rows: slice) -> Iterator[tuple[Ints, Ints]]:
        first_us, last_us, count = self._first_us[rows], self._last_us[rows], self._count[rows]
        tag = self._tag[rows]
        yield first_us, tag
        many = count > 1
        yield last_us[many], tag[many]
        between = np.maximum(count - 2, 0)
        row = np.repeat(np.arange(len(tag)), between)
        share = self._rng.random(len(row))
        yield (first_us[row] + share * (last_us - first_us)[row]).astype(np.int64), tag[row]
