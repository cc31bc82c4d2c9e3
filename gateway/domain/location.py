"""Where an item is: evidence per zone, decayed by time, compared with a margin and a dwell.

Evidence for a zone is a strength-weighted read rate (1/s): each read adds its weight divided by the time constant,
and all of it fades on the zone's own clock, so a zone whose reader is down keeps what it had. How fast it fades
follows the tag: the half-life is the time in which this tag is expected to be read a few times, within the zone's
bounds. A tag that is read often is found again within seconds; one that is read rarely is not moved by one stray
read; at a door everything is fast.
"""

import math
from collections.abc import Collection

from gateway.domain.params import PresenceParams
from gateway.domain.zones import US_PER_S, LiveZone

# A read at this strength weighs 1; weights follow the amplitude, so 20 dB less weigh a tenth.
REFERENCE_DBM = -60.0
# Beyond these the strength says more about the tag's orientation than about its distance.
STRONGEST_WEIGHT = 8.0
WEAKEST_WEIGHT = 0.05
# What a rival needs against a zone that is not looked at: as much as was last read there.
UNWATCHED_MARGIN = 1.0
LN2 = math.log(2.0)


def read_weight(rssi_dbm: float) -> float:
    """What one read of this strength counts for."""
    return min(STRONGEST_WEIGHT, max(WEAKEST_WEIGHT, math.pow(10.0, (rssi_dbm - REFERENCE_DBM) / 20.0)))


# By whole dBm, addressed as WEIGHT_BY_DBM[rssi] for -128..127: a negative index counts from the end.
WEIGHT_BY_DBM = [read_weight(dbm if dbm < 128 else dbm - 256) for dbm in range(256)]


class Evidence:
    """What speaks for one zone: `rate` was right at the tick `tick_us`, when the zone's clock stood at `clock_s`."""

    __slots__ = ("clock_s", "rate", "tick_us", "zone")

    def __init__(self, zone: LiveZone) -> None:
        self.zone = zone
        self.rate = 0.0
        self.clock_s = zone.clock_s
        self.tick_us = zone.tick_us

    def half_life_s(self, pace_s: float) -> float:
        """In what time it halves for a tag that is read every `pace_s` seconds."""
        params = self.zone.params.presence
        wanted_s = params.evidence_reads * pace_s
        if wanted_s < params.evidence_shortest_s:
            return params.evidence_shortest_s
        return min(params.evidence_longest_s, wanted_s)

    def add(self, weight: float, pace_s: float) -> None:
        """Reads of this weight in all came in, now.

        Where one antenna of the zone is down its clock stands still, but the others read on: between their reads
        time counts, or their reads would pile up for as long as the outage lasts.
        """
        zone = self.zone
        elapsed_s = zone.clock_s - self.clock_s if zone.clock.running else (zone.tick_us - self.tick_us) / US_PER_S
        half_life_s = self.half_life_s(pace_s)
        kept = self.rate * math.exp2(-elapsed_s / half_life_s) if elapsed_s > 0.0 else self.rate
        self.rate = kept + weight * LN2 / half_life_s
        self.clock_s, self.tick_us = zone.clock_s, zone.tick_us

    def now(self, pace_s: float) -> float:
        """The rate at the zone's present clock reading."""
        elapsed_s = self.zone.clock_s - self.clock_s
        if elapsed_s <= 0.0:
            return self.rate
        return self.rate * math.exp2(-elapsed_s / self.half_life_s(pace_s))


class Location:
    """One item's evidence for every zone that has read it, and the rival that may take it over.

    `pace_s` is the mean time between two reads of this item, as learnt.
    """

    __slots__ = ("evidence", "pace_s", "rival", "rival_since_us")

    def __init__(self, pace_s: float) -> None:
        self.evidence: list[Evidence] = []
        self.pace_s = pace_s
        self.rival: LiveZone | None = None
        self.rival_since_us = 0

    def add(self, zone: LiveZone, weight: float) -> None:
        """Reads of this weight in all came from `zone`, now."""
        self.of(zone).add(weight, self.pace_s)

    def of(self, zone: LiveZone) -> Evidence:
        """The evidence for `zone`; a zone that is new here starts with none."""
        for evidence in self.evidence:
            if evidence.zone is zone:
                return evidence
        evidence = Evidence(zone)
        self.evidence.append(evidence)
        return evidence

    def strongest(self) -> LiveZone | None:
        """The zone with most evidence, None where nothing was read."""
        best = self._best()
        return best.zone if best is not None else None

    def decide(self, current: LiveZone, now_us: int) -> LiveZone:
        """The zone to count the item in: `current`, or a rival that has held its margin for its dwell."""
        if len(self.evidence) == 1 and self.evidence[0].zone is current:
            return current
        best = self._best()
        if best is None:
            return current
        presence = best.zone.params.presence
        own = self.of(current).now(self.pace_s)
        if best.zone is current or best.now(self.pace_s) <= own * self._margin(current, presence):
            self.rival = None
            return current
        if best.zone is not self.rival:
            self.rival, self.rival_since_us = best.zone, now_us
        if now_us - self.rival_since_us < presence.move_dwell_s * US_PER_S:
            return current
        self.rival = None
        return best.zone

    @staticmethod
    def _margin(current: LiveZone, presence: PresenceParams) -> float:
        """How many times the evidence of `current` a rival needs.

        Evidence of a zone that is not fully looked at stands still, so it cannot be outgrown: there, as much of it is
        enough to move, which cross-reads do not reach. A zone without antennas holds nothing any more.
        """
        if current.clock.running:
            return presence.move_margin
        return UNWATCHED_MARGIN if current.antennas else 0.0

    def keep(self, zones: Collection[str]) -> None:
        """Only these zones exist from now on."""
        self.evidence = [evidence for evidence in self.evidence if evidence.zone.id in zones]
        if self.rival is not None and self.rival.id not in zones:
            self.rival = None

    def _best(self) -> Evidence | None:
        """The strongest evidence of a zone that somebody looks at."""
        pace_s = self.pace_s
        watched = (evidence for evidence in self.evidence if evidence.zone.antennas)
        return max(watched, key=lambda evidence: evidence.now(pace_s), default=None)
