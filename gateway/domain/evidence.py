"""What speaks for one zone as an item's place: how often and how strongly its antennas read the item.

Evidence is a strength-weighted read rate (1/s): each read adds its weight divided by the time constant, and all of it
fades on the zone's own clock, so a zone whose reader is down keeps what it had. There are two of it for each zone. The
fast one halves in the time in which the tag is expected to be read a few times, within the zone's bounds: it tells what
is. The slow one goes back to the last move: it tells what was, cross-reads from the zone next door included.

Beside them stands how the zone is used to hear the item (looks per second that bring a read, mean dBm), and a
sequential test of whether that has changed (cumulative sums of log likelihood ratios: Page, Biometrika 41, 1954). If an
item is carried from its own zone into another one, the two exchange their parts, as far as can be told beforehand. Each
look at the item speaks for that or against it, in nats; the less, the longer fading makes looks alike (`fading.py`).
"""

import math
from math import exp2, inf, log

from gateway.domain.params import PresenceParams
from gateway.domain.passing import Habit
from gateway.domain.records import HeardRecord
from gateway.domain.zones import LN2, US_PER_S, LiveZone
from readers.model import NO_RSSI_DBM

# A read at this strength weighs 1; weights follow the amplitude, so 20 dB less weigh a tenth.
REFERENCE_DBM = -60.0
# Beyond these the strength says more about the tag's orientation than about its distance.
STRONGEST_WEIGHT = 8.0
WEAKEST_WEIGHT = 0.05
# Where a device tells no strength it is neither near nor far.
UNKNOWN_WEIGHT = 0.5
# From when on the mean strength is known well enough to tell deviations from it.
SETTLED_S = 20.0

# RSSI of a tag that rests scatters by this much.
SIGMA_DB = 4.0
# A zone that has never heard an item would hear it so much weaker than its own zone does ...
NEVER_HEARD_DB = 12.0
# ... and so much more seldom; what is rarer than this share is taken for it.
LEAST_SHARE = 0.05
# An item that was carried is heard at least so much stronger in its new zone, and weaker in its old one.
LEAST_CHANGE_DB = 3.0
# What a single look may say at most, in nats.
MOST_OF_A_LOOK = 2.0
# News from the other zone must be worth so many nats by itself: a body before the shelf only takes reads away.
LEAST_NEWS = 2.0
# Silence of the own zone may be a body before the shelf: it says no more than this, in nats, however long it lasts ...
MOST_OF_ABSENCE = 3.0
# ... and what the own zone goes on hearing speaks so much against a move.
MOST_OF_STAYING = 4.0
# What a zone that never heard the item says its clock showed when it did.
NEVER_S = -1e9
NEVER_US = int(NEVER_S * US_PER_S)
# What has halved more often than this cannot be told from nothing.
MOST_HALVINGS = 1000.0
# Of a zone that has not heard it for as long as its evidence goes back, half a look may be missing.
HALF_A_LOOK = 0.5


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
    """What speaks for one zone: rates that were right at `tick_us`, when the zone's clock stood at `clock_s`.

    `often` looks a second bring a read here, at a mean of `level_dbm`; the last came with `dbm`, when the zone's clock
    stood at `heard_s`: at `heard_us` (monotonic; long ago, if that was in an earlier life). Where the item is not
    counted here, `news` says by how many nats this zone hears more of it than it used to, and `absence` its own zone
    less; `looks` have come since its own zone heard it last. `habit` says the same of a zone that people pass, None of
    others.
    """

    __slots__ = (
        "absence",
        "clock_s",
        "dbm",
        "fast",
        "fast_s",
        "habit",
        "heard_s",
        "heard_us",
        "level_dbm",
        "looks",
        "news",
        "often",
        "slow",
        "tick_us",
        "zone",
    )

    def __init__(self, zone: LiveZone, pace_s: float, level_dbm: float = REFERENCE_DBM) -> None:
        self.zone = zone
        self.fast = 0.0
        self.slow = 0.0
        self.often = 0.0
        self.level_dbm = level_dbm
        self.dbm = level_dbm
        self.heard_s = NEVER_S
        self.heard_us = NEVER_US
        self.looks = 0
        self.news = 0.0
        self.absence = 0.0
        self.fast_s = fast_half_life_s(zone.params.presence, pace_s)
        self.clock_s = zone.clock_s
        self.tick_us = zone.tick_us
        self.habit = None if zone.params.presence.move_nats else Habit(zone.tick_us)

    def now(self, memory_s: float) -> tuple[float, float]:
        """Both at the zone's present clock reading."""
        elapsed_s = self.zone.clock_s - self.clock_s
        if elapsed_s <= 0.0:
            return self.fast, self.slow
        return self.fast * exp2(-elapsed_s / self.fast_s), self.slow * exp2(-elapsed_s / max(memory_s, self.fast_s))

    def fade(self, memory_s: float) -> None:
        """Bring all rates to the present."""
        zone, fast_s = self.zone, self.fast_s
        elapsed_s = zone.clock_s - self.clock_s
        if elapsed_s > 0.0:
            kept = exp2(-elapsed_s / (memory_s if memory_s > fast_s else fast_s))
            self.fast *= exp2(-elapsed_s / fast_s)
            self.slow *= kept
            self.often *= kept
        self.clock_s = zone.clock_s
        self.tick_us = zone.tick_us

    def add(self, weight: float, dbm: float, memory_s: float) -> None:
        """Reads of this weight in all came in, now, at this mean strength.

        Where one antenna of the zone is down its clock stands still, but the others read on: between their reads
        time counts, or their reads would pile up for as long as the outage lasts.
        """
        zone, fast_s = self.zone, self.fast_s
        now_us = zone.tick_us
        slow_s = memory_s if memory_s > fast_s else fast_s
        elapsed_s = zone.clock_s - self.clock_s if zone.clock.running else (now_us - self.tick_us) / US_PER_S
        kept = exp2(-elapsed_s / slow_s)
        look = LN2 / slow_s
        self.fast = self.fast * exp2(-elapsed_s / fast_s) + weight * LN2 / fast_s
        self.slow = self.slow * kept + weight * look
        often = self.often = self.often * kept + look
        if dbm != NO_RSSI_DBM:
            level_dbm = self.level_dbm
            off_db = dbm - level_dbm
            if slow_s > SETTLED_S and zone.clock.running:
                zone.fading.pair(zone.clock_s - self.heard_s, self.dbm - level_dbm, off_db)
            self.level_dbm = level_dbm + off_db * look / often
            self.dbm = dbm
        self.clock_s = self.heard_s = zone.clock_s
        self.tick_us = self.heard_us = now_us

    def record(self) -> HeardRecord:
        """As the ledger keeps it."""
        zone, habit = self.zone, self.habit
        return HeardRecord(
            zone.id,
            ago_s=zone.clock_s - self.clock_s,
            heard_ago_s=None if self.heard_s == NEVER_S else zone.clock_s - self.heard_s,
            fast=self.fast,
            slow=self.slow,
            often=self.often,
            level_dbm=self.level_dbm,
            looks=self.looks,
            news=self.news,
            absence=self.absence,
            usual=0.0 if habit is None else habit.usual_at(zone.tick_us),
        )

    def restore(self, record: HeardRecord, written_us: int, aged_s: float) -> None:
        """Go on with that of an earlier life, written at `written_us` (monotonic) and `aged_s` older by now.

        What the zone did not look at says nothing; what people may have changed at a door fades.
        """
        zone = self.zone
        self.fast, self.slow, self.often = record.fast, record.slow, record.often
        self.level_dbm = self.dbm = record.level_dbm
        self.looks, self.news, self.absence = record.looks, record.news, record.absence
        self.clock_s = zone.clock_s - aged_s - record.ago_s
        self.heard_s = NEVER_S if record.heard_ago_s is None else zone.clock_s - aged_s - record.heard_ago_s
        if self.habit is not None:
            self.habit = Habit(written_us)
            self.habit.usual = record.usual

    # -- was it carried here? `own` is the evidence for the zone that the item is counted in --------------------

    def heard(self, own: "Evidence", dbm: float) -> None:
        """This zone, not its own, reads it: is that more than it used to?"""
        own_often, is_often = own.often, self.often
        seldom = LEAST_SHARE * own_often
        if is_often > seldom:
            seldom = is_often
        often = own_often if own_often > seldom else seldom
        nats = log(often / seldom) if seldom else MOST_OF_A_LOOK
        is_dbm = max(own.level_dbm, self.level_dbm + LEAST_CHANGE_DB)
        news = self.news + _of_a_look(nats, dbm, self.level_dbm, is_dbm) / (1.0 + self.zone.fading.same_s * often)
        self.news = news if news > 0.0 else 0.0

    def unheard(self, own: "Evidence", elapsed_s: float) -> None:
        """This zone, not its own, has not read it for so long."""
        if self.news:
            often = own.often if own.often > self.often else self.often
            news = self.news - (often - self.often) * elapsed_s / (1.0 + self.zone.fading.same_s * often)
            self.news = news if news > 0.0 else 0.0

    @property
    def nats(self) -> float:
        """So much speaks for its having been carried into this zone."""
        return self.news + self.absence

    def says(self, nats: float) -> bool:
        """Whether so much does, and not for the silence of its own zone alone."""
        return self.news >= LEAST_NEWS and self.news + self.absence >= nats

    def own_heard(self, own: "Evidence", elapsed_s: float, dbm: float) -> None:
        """Its own zone reads it, and had not for so long: less than it used to?"""
        often = own.often
        if not often:
            return
        seldom = self._seldom(often)
        alike = 1.0 + own.zone.fading.same_s * often
        absence = self.absence + (often - seldom) * elapsed_s / alike
        if absence > MOST_OF_ABSENCE:
            absence = MOST_OF_ABSENCE
        was_dbm = own.level_dbm
        is_dbm = was_dbm - LEAST_CHANGE_DB
        if is_dbm > self.level_dbm:
            is_dbm = self.level_dbm
        absence += _of_a_look(log(seldom / often), dbm, was_dbm, is_dbm) / alike
        if absence > MOST_OF_ABSENCE:
            absence = MOST_OF_ABSENCE
        self.absence = absence if absence > -MOST_OF_STAYING else -MOST_OF_STAYING

    def own_unheard(self, own: "Evidence", elapsed_s: float) -> None:
        """Its own zone has not read it for so long."""
        often = own.often
        absence = self.absence + (often - self._seldom(often)) * elapsed_s / (1.0 + own.zone.fading.same_s * often)
        self.absence = absence if absence < MOST_OF_ABSENCE else MOST_OF_ABSENCE

    def pace_s(self, silent_s: float, memory_s: float) -> float:
        """The mean time between looks that brought a read, before it was silent for so long; infinite: none did."""
        often = self.often * exp2(min(MOST_HALVINGS, silent_s / max(memory_s, self.fast_s)))
        return 1.0 / often if often else inf

    def surprise(self, silent_s: float, memory_s: float) -> float:
        """By how many nats its `looks`, in so long a silence of its own zone, are more than this zone is used to.

        A likelihood ratio of two Poisson streams: as often as of late, against as often as before.
        """
        reach_s = max(memory_s, self.fast_s) / LN2
        usual = max(0.0, self.often * reach_s - self.looks) + HALF_A_LOOK
        expected = usual / reach_s * silent_s
        # Looks that are alike are one.
        looks = min(self.looks, 1.0 + silent_s / self.zone.fading.same_s)
        return looks * log(looks / expected) - looks + expected if looks > expected else 0.0

    def _seldom(self, often: float) -> float:
        """How often its own zone, which reads it so often, would read it if it lay here."""
        seldom = LEAST_SHARE * often
        if self.often > seldom:
            seldom = self.often
        return seldom if seldom < often else often


def _of_a_look(nats: float, dbm: float, was_dbm: float, is_dbm: float) -> float:
    """What a look says: `nats` that it came, and as much as its strength is likelier around `is_dbm` than it was."""
    if dbm != NO_RSSI_DBM:
        nats += (is_dbm - was_dbm) * (dbm - (is_dbm + was_dbm) / 2.0) / (SIGMA_DB * SIGMA_DB)
    if nats > MOST_OF_A_LOOK:
        return MOST_OF_A_LOOK
    return nats if nats > -MOST_OF_A_LOOK else -MOST_OF_A_LOOK
