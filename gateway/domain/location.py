"""Where an item is: evidence per zone, decayed by time, compared with a margin and a dwell.

Evidence for a zone is a strength-weighted read rate (1/s): each read adds its weight divided by the time constant,
and all of it fades on the zone's own clock, so a zone whose reader is down keeps what it had. There are two of it for
each zone. The fast one halves in the time in which the tag is expected to be read a few times, within the zone's
bounds: it tells what is. The slow one goes back to the last move: it tells what was, cross-reads from the zone next
door included. An item moves when another zone has more of it now AND that is news.
"""

import math
from collections.abc import Collection
from math import exp2

from gateway.domain.params import PresenceParams
from gateway.domain.zones import US_PER_S, LiveZone
from readers.model import NO_RSSI_DBM

# A read at this strength weighs 1; weights follow the amplitude, so 20 dB less weigh a tenth.
REFERENCE_DBM = -60.0
# Beyond these the strength says more about the tag's orientation than about its distance.
STRONGEST_WEIGHT = 8.0
WEAKEST_WEIGHT = 0.05
# Where a device tells no strength it is neither near nor far.
UNKNOWN_WEIGHT = 0.5
# A zone has lost a tag of which it hears less than this share of what it used to hear: fading alone seldom does that.
LOST_SHARE = 1 / 30
# The slow evidence goes back half of the time since the last move.
TWO_S_US = 2 * US_PER_S
FIRST_MEMORY_S = PresenceParams().memory_s
LN2 = math.log(2.0)


def read_weight(rssi_dbm: float) -> float:
    """What one read of this strength counts for."""
    if rssi_dbm == NO_RSSI_DBM:
        return UNKNOWN_WEIGHT
    return min(STRONGEST_WEIGHT, max(WEAKEST_WEIGHT, math.pow(10.0, (rssi_dbm - REFERENCE_DBM) / 20.0)))


# By whole dBm, addressed as WEIGHT_BY_DBM[rssi] for -128..127: a negative index counts from the end.
WEIGHT_BY_DBM = [read_weight(dbm if dbm < 128 else dbm - 256) for dbm in range(256)]


def fast_half_life_s(params: PresenceParams, pace_s: float) -> float:
    """In what time fast evidence for a zone halves, of a tag that is read every `pace_s` seconds."""
    return min(params.evidence_longest_s, max(params.evidence_shortest_s, params.evidence_reads * pace_s))


class Evidence:
    """What speaks for one zone: rates that were right at `tick_us`, when the zone's clock stood at `clock_s`."""

    __slots__ = ("clock_s", "fast", "fast_s", "slow", "tick_us", "zone")

    def __init__(self, zone: LiveZone, pace_s: float) -> None:
        self.zone = zone
        self.fast = 0.0
        self.slow = 0.0
        self.fast_s = fast_half_life_s(zone.params.presence, pace_s)
        self.clock_s = zone.clock_s
        self.tick_us = zone.tick_us

    def slow_s(self, since_us: int, memory_s: float) -> float:
        """In what time `slow` halves now."""
        half_s = (self.zone.tick_us - since_us) / TWO_S_US
        if half_s > memory_s:
            half_s = memory_s
        return half_s if half_s > self.fast_s else self.fast_s

    def now(self, since_us: int, memory_s: float) -> tuple[float, float]:
        """Both at the zone's present clock reading."""
        elapsed_s = self.zone.clock_s - self.clock_s
        if elapsed_s <= 0.0:
            return self.fast, self.slow
        slow_s = self.slow_s(since_us, memory_s)
        return self.fast * exp2(-elapsed_s / self.fast_s), self.slow * exp2(-elapsed_s / slow_s)

    def fade(self, since_us: int, memory_s: float) -> None:
        """Bring both to the present."""
        zone = self.zone
        elapsed_s = zone.clock_s - self.clock_s
        if elapsed_s > 0.0:
            self.fast *= exp2(-elapsed_s / self.fast_s)
            self.slow *= exp2(-elapsed_s / self.slow_s(since_us, memory_s))
        self.clock_s = zone.clock_s
        self.tick_us = zone.tick_us

    def add(self, weight: float, since_us: int, memory_s: float) -> None:
        """Reads of this weight in all came in, now.

        Where one antenna of the zone is down its clock stands still, but the others read on: between their reads
        time counts, or their reads would pile up for as long as the outage lasts.
        """
        zone = self.zone
        elapsed_s = zone.clock_s - self.clock_s if zone.clock.running else (zone.tick_us - self.tick_us) / US_PER_S
        slow_s = self.slow_s(since_us, memory_s)
        if elapsed_s > 0.0:
            self.fast *= exp2(-elapsed_s / self.fast_s)
            self.slow *= exp2(-elapsed_s / slow_s)
        self.fast += weight * LN2 / self.fast_s
        self.slow += weight * LN2 / slow_s
        self.clock_s = zone.clock_s
        self.tick_us = zone.tick_us


class Location:
    """One item's evidence for every zone that has read it, and the rival that may take it over.

    `pace_s` is the mean time between two reads of this item, as learnt; `since_us` is when it last moved, and
    `memory_s` how far back the slow evidence goes at most where it is now.
    """

    __slots__ = ("evidence", "memory_s", "pace_s", "rival", "rival_since_us", "since_us")

    def __init__(self, pace_s: float, now_us: int) -> None:
        self.evidence: list[Evidence] = []
        self.pace_s = pace_s
        self.memory_s = FIRST_MEMORY_S
        self.rival: LiveZone | None = None
        self.rival_since_us = 0
        self.since_us = now_us

    def set_pace(self, pace_s: float) -> None:
        """The item is read this often, as it turns out."""
        self.pace_s = pace_s
        for evidence in self.evidence:
            evidence.fast_s = fast_half_life_s(evidence.zone.params.presence, pace_s)

    def add(self, zone: LiveZone, weight: float) -> None:
        """Reads of this weight in all came from `zone`, now."""
        self.of(zone).add(weight, self.since_us, self.memory_s)

    def of(self, zone: LiveZone) -> Evidence:
        """The evidence for `zone`; a zone that is new here starts with none."""
        for evidence in self.evidence:
            if evidence.zone is zone:
                return evidence
        evidence = Evidence(zone, self.pace_s)
        self.evidence.append(evidence)
        return evidence

    def strongest(self) -> LiveZone | None:
        """The zone with most evidence, None where nothing was read."""
        watched = (evidence for evidence in self.evidence if evidence.zone.antennas)
        best = max(watched, key=lambda evidence: evidence.now(self.since_us, self.memory_s)[1], default=None)
        return best.zone if best is not None else None

    def decide(self, current: LiveZone, now_us: int) -> LiveZone:
        """The zone to count the item in: `current`, or a rival that has beaten it for its dwell."""
        if len(self.evidence) == 1 and self.evidence[0].zone is current:
            return current
        own = self.of(current)
        since_us, memory_s = self.since_us, self.memory_s
        own.fade(since_us, memory_s)
        best = None
        for rival in self.evidence:
            if rival is not own:
                rival.fade(since_us, memory_s)
                if (best is None or rival.fast > best.fast) and _beats(rival, own):
                    best = rival
        if best is None:
            self.rival = None
            return current
        if best.zone is not self.rival:
            self.rival, self.rival_since_us = best.zone, now_us
        if now_us - self.rival_since_us < best.zone.params.presence.move_dwell_s * US_PER_S:
            return current
        return best.zone

    def settle(self, zone: LiveZone, now_us: int) -> None:
        """The item is in `zone` from now on: what was before says nothing about it there."""
        self.rival = None
        self.since_us = now_us
        self.memory_s = zone.params.presence.memory_s
        for evidence in self.evidence:
            evidence.slow = evidence.fast

    def keep(self, zones: Collection[str]) -> None:
        """Only these zones exist from now on."""
        self.evidence = [evidence for evidence in self.evidence if evidence.zone.id in zones]
        if self.rival is not None and self.rival.id not in zones:
            self.rival = None


def _beats(rival: Evidence, own: Evidence) -> bool:
    """Whether an item of the zone of `own` belongs to the rival's now.

    Bodies and fading take reads away, so that own evidence goes down says little: cross-reads that have always been
    there are then all that is left. They must have been more for long, or rise, or own evidence must be all but lost.
    Evidence of a zone that is not fully looked at stands still, so it cannot be outgrown: there, as much of it is
    enough to move, which cross-reads do not reach. A zone without antennas holds nothing any more.
    """
    if not rival.zone.antennas:
        return False
    if not own.zone.clock.running:
        return rival.fast > (own.slow if own.zone.antennas else 0.0)
    params = rival.zone.params.presence
    if rival.fast <= params.move_margin * own.fast or rival.fast * rival.fast_s < params.move_weight * LN2:
        return False
    is_news = rival.fast > params.move_change * rival.slow
    return is_news or rival.slow > own.slow or own.fast < own.slow * LOST_SHARE
