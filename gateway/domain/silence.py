"""What silence in a zone means, learnt from the silences that ended there.

A tag falls silent because somebody stands before it, because the air fades, or because it has been carried off unseen.
Blocking and fading end with a read again, and a shop shows thousands of such endings: how often silences begin that
the tag's own pace does not explain, and how long they last. Those that never end are leavers. An item is given up
where the first kind has become much rarer than the second.

All times are seconds on the zone's own clock, so an outage is no silence.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from gateway.domain.params import PresenceParams
from gateway.domain.records import PoolRecord, TailRecord

# Tags that are read so often (mean seconds between reads, upwards) are silent in ways of their own.
PACES_S = (2.0, 8.0, 32.0, 128.0, 512.0)
# A silence is unexplained once it has lasted so many times the tag's mean time between reads: reads that come by
# chance alone leave one gap in fifty as long ...
UNEXPLAINED_PACES = 4.0
# ... and shorter ones are not worth a look, however often a tag is read.
SHORTEST_S = 5.0
# The tail is learnt above each of these: what holds for a passing hand does not hold for a parked trolley.
THRESHOLDS_S = (0.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, 7680.0)
# So many silences must have gone beyond a threshold before the tail above it is believed.
ENOUGH = 4.0
# Before anything is learnt: a silence an item and so many seconds, as if that had been seen so often ...
FIRST_PERIOD_S = 600.0
FIRST_SILENCES = 2.0
# ... whose tail is this long (people stand before a rack for minutes), or as long as the threshold that it begins at
# (what has gone on for an hour may go on for another), as sure as this many examples make it.
FIRST_EXCESS_S = 300.0
FIRST_EXAMPLES = 3.0
# ... and items that leave unseen: after `unseen_stay_s`, as if that had been seen for so long of looking at items (of a
# rack it is a tenth of a leaver) ...
FIRST_LOOKED_S = 1e5
# ... and after this where one is being carried.
CARRIED_STAY_S = 1_800.0
# Where surely (by so many standard errors) so many of a zone's items leave within so long, as many of its departures
# may be wrong, up to half: there, waiting longer errs more than it saves.
SOON_S = 7_200.0
SURE_ERRORS = 1.5
MOST_SHARE = 0.5
# ... and there the longest silences are taken for so much heavier than the shorter ones at most, until more is known.
HEAVIER = 2.0
# What was learnt halves in a day of looking: shops change.
HALF_LIFE_S = 86_400.0
SECONDS_PER_DAY = 86_400.0


def unexplained_s(pace_s: float, reads: float) -> float:
    """From when on the silence of a tag that is read every `pace_s` seconds is more than chance.

    That pace was learnt from so many `reads`. Few leave it uncertain: with any rate as likely beforehand, the chance of
    a silence t falls as (1 + t / (reads * pace_s)) ** -(reads + 1), which nears exp(-t / pace_s) as reads come.
    """
    uncertain_s = reads * pace_s * math.expm1(UNEXPLAINED_PACES / (reads + 1.0))
    return max(SHORTEST_S, UNEXPLAINED_PACES * pace_s, uncertain_s)


class FarTail:
    """How long silences go on, by all that ended in the `pools` of a zone (but for those that were being carried).

    A body and a parked trolley stay as long whatever is behind them. How often a tag is read tells how often it falls
    silent, but of one that is silent for long it no longer tells when it will be read again. So a pool's silences count
    for all the pools from where they are four more of its paces long: that is no chance.
    """

    __slots__ = ("_goes_on", "_known", "_over", "_over_s", "_tails")

    def __init__(self, pools: Iterable["Silences"], elapsed_s: float = 0.0) -> None:
        count, kept = len(THRESHOLDS_S), _kept(elapsed_s)
        self._over, self._over_s, passed = [0.0] * count, [0.0] * count, [0.0] * count
        for pool in pools:
            over, over_s = pool.beyond
            for number in range(pool.shares_from, count):
                if not over[number]:
                    continue
                went = kept * over[number]
                self._over[number] += went
                self._over_s[number] += kept * over_s[number]
                if number > pool.shares_from:
                    passed[number - 1] += went
        # Of those beyond each threshold, the share that goes beyond the next.
        self._goes_on = [
            (after + FIRST_SILENCES) / (before + FIRST_SILENCES)
            for before, after in zip(self._over, passed, strict=True)
        ]
        # Above which thresholds enough is known; none is above the last.
        self._known = [*(over >= ENOUGH for over in self._over), False]
        self._tails: dict[int, tuple[float, float]] = {}

    def lasting(self, number: int, excess_s: float) -> float:
        """The share that reaches `excess_s` of those beyond a threshold; 0 where it knows of none much longer."""
        share, top, known = 1.0, number, self._known
        while known[top + 1] and THRESHOLDS_S[top + 1] <= excess_s:
            share *= self._goes_on[top]
            top += 1
        if top == number:
            return 0.0
        shape, scale_s = self._tail(top)
        return float(share * (1.0 + (excess_s - THRESHOLDS_S[top]) / scale_s) ** -shape)

    def until(self, number: int, share: float) -> float:
        """The silence that this share of those beyond a threshold reaches; 0 where it knows of none much longer."""
        left, top = share, number
        while self._known[top + 1] and left <= self._goes_on[top]:
            left /= self._goes_on[top]
            top += 1
        if top == number:
            return 0.0
        shape, scale_s = self._tail(top)
        return float(THRESHOLDS_S[top] + scale_s * (left ** (-1.0 / shape) - 1.0))

    def _tail(self, number: int) -> tuple[float, float]:
        tail = self._tails.get(number)
        if tail is None:
            first_s = max(FIRST_EXCESS_S, THRESHOLDS_S[number])
            tail = self._tails[number] = _lomax(first_s, self._over[number], self._over_s[number])
        return tail


def _kept(elapsed_s: float) -> float:
    """What is left after so long of what was learnt before."""
    return math.exp2(-elapsed_s / HALF_LIFE_S)


def _lomax(first_s: float, over: float, beyond_s: float) -> tuple[float, float]:
    """Shape and scale (s) of what goes beyond a threshold, where `over` silences did by so much in all.

    The mean is scale / (shape - 1): `first_s` before anything is learnt.
    """
    return FIRST_EXAMPLES + over, (FIRST_EXAMPLES - 1.0) * first_s + beyond_s


class Silences:
    """Those of the `items` of one zone that are read about as often: the silences that ended, and the leavers.

    Those that were being carried when they were read last are a pool of their own, however often they are read.

    `patience_s` is the silence after which one of them is given up, from when it is unexplained. `gone` are those that
    were given up or are silent, each by how likely it has left; `leavers` are the same without the likeliest silent
    one. `saved` is what the ledger has of this.
    """

    __slots__ = (
        "_far",
        "_first_s",
        "_lost",
        "_many_leave",
        "_ongoing",
        "_ongoing_s",
        "_over",
        "_over_s",
        "_reckoned_for",
        "_shares",
        "carried",
        "gone",
        "items",
        "leave_rate",
        "leavers",
        "looked_s",
        "pace_s",
        "patience_s",
        "saved",
        "shares_from",
    )

    def __init__(self, pace_s: float, *, carried: bool = False) -> None:
        self.pace_s = pace_s
        self.carried = carried
        self.items = 0
        # Paces of a pool differ by a factor of four: this is in their middle.
        usual_pace_s = 2.0 * pace_s
        self._first_s = max(FIRST_EXCESS_S, usual_pace_s)
        # From this threshold on (its number) its pace no longer matters to how its silences go on.
        self.shares_from = bisect_left(THRESHOLDS_S, UNEXPLAINED_PACES * usual_pace_s)
        self._far: FarTail | None = None
        # Ended silences that went beyond each threshold, and by how much in all.
        self._over = [0.0] * len(THRESHOLDS_S)
        self._over_s = [0.0] * len(THRESHOLDS_S)
        # The same of silences that go on, each by how likely its item is still there.
        self._ongoing = [0.0] * len(THRESHOLDS_S)
        self._ongoing_s = [0.0] * len(THRESHOLDS_S)
        # Of the silences, both kinds, so many go beyond each threshold.
        self._shares = [1.0] * len(THRESHOLDS_S)
        self.looked_s = 0.0
        self._lost = 0.0
        self.leave_rate = 1.0 / PresenceParams().unseen_stay_s
        self.leavers = 0.0
        self.gone = 0.0
        self._many_leave = False
        self.patience_s = THRESHOLDS_S[-1]
        self.saved: PoolRecord | None = None
        self._reckoned_for: PresenceParams | None = None

    def ended(self, excess_s: float) -> None:
        """An item was read again after it had been silent for `excess_s` more than its pace explains."""
        for number, threshold_s in enumerate(THRESHOLDS_S):
            if excess_s < threshold_s:
                return
            self._over[number] += 1.0
            self._over_s[number] += excess_s - threshold_s

    @property
    def beyond(self) -> tuple[Sequence[float], Sequence[float]]:
        """The ended ones that went beyond each of THRESHOLDS_S, and by how many seconds in all."""
        return self._over, self._over_s

    @property
    def _is_blank(self) -> bool:
        """No item has ever been in it."""
        return not (self.items or self.looked_s or self._over[0] or self._lost)

    def lost(self, items: int) -> None:
        """Items were given up, or (negative) have come back after all."""
        self._lost = max(0.0, self._lost + items)

    @property
    def silences(self) -> float:
        """How many have ended; those of long ago count less."""
        return self._over[0]

    @property
    def mean_excess_s(self) -> float:
        """How long the ended ones lasted more than the pace explains, in the mean; 0 where none has ended."""
        return self._over_s[0] / self._over[0] if self._over[0] else 0.0

    def begins_per_s(self) -> float:
        """How often a present item falls silent unexplained, 1/s."""
        return (FIRST_SILENCES + self._over[0] + self._ongoing[0]) / (FIRST_SILENCES * FIRST_PERIOD_S + self.looked_s)

    def lasting_per_s(self, excess_s: float) -> float:
        """How often a present item falls silent for `excess_s` more than its pace explains, 1/s.

        Above the highest threshold that enough silences went beyond, the tail is exponential with a mean that is not
        known exactly: a Lomax (Pareto II) distribution, the heavier the less was seen. Where all pools of the zone
        together know how silences go on from there, theirs holds if it is the heavier one.
        """
        return self._lasting_per_s((excess_s,))[0]

    def _lasting_per_s(self, excesses_s: Iterable[float]) -> list[float]:
        """The same of many: what holds above each threshold is worked out once."""
        far, highest = self._far, 0
        while highest + 1 < len(THRESHOLDS_S) and self._over[highest + 1] >= ENOUGH:
            highest += 1
        tails: list[tuple[float, float, float] | None] = [None] * (highest + 1)
        lasting = []
        for excess_s in excesses_s:
            number = max(0, min(highest, bisect_right(THRESHOLDS_S, excess_s) - 1))
            tail = tails[number]
            if tail is None:
                tail = tails[number] = (*self._tail(number), self.begins_per_s() * self._shares[number])
            shape, scale_s, reach_per_s = tail
            beyond = (1.0 + (excess_s - THRESHOLDS_S[number]) / scale_s) ** -shape
            if far is not None:
                beyond = max(beyond, far.lasting(number, excess_s))
            lasting.append(float(reach_per_s * beyond))
        return lasting

    def reckon(
        self,
        params: PresenceParams,
        elapsed_s: float,
        waiting_s: Sequence[float],
        soon: float = 0.0,
        alike: Iterable["Silences"] = (),
        far: FarTail | None = None,
    ) -> None:
        """After `elapsed_s` more: how long to be patient from now on.

        `waiting_s` are the unexplained silences that go on; each adds to the leavers by how likely it is one, and by
        how likely it is none to what silences of those that stay are like. `soon` is the zone's `leave_soon`; `alike`
        are other pools whose items leave as often, `far` is what the long silences of all of them are like.
        """
        if self._is_blank and params is self._reckoned_for:
            return
        self._reckoned_for = params
        self._forget(elapsed_s)
        share = params.carried_share if self.carried else params.false_share
        self._many_leave = soon > share
        self._far = None if self._many_leave else far
        first_stay_s = CARRIED_STAY_S if self.carried else params.unseen_stay_s
        first_looked_s = min(first_stay_s, FIRST_LOOKED_S)
        first_leavers = first_looked_s / first_stay_s
        # Which of them may go on like those that ended, these alone must tell: they would vouch for one another.
        self._count_ongoing((), ())
        if waiting_s:
            self._count_ongoing(waiting_s, self._leaves(waiting_s))
        leaves = self._leaves(waiting_s)
        self.gone = self._lost + sum(leaves)
        # That one is silent is no evidence that there are leavers, where it is the one to be judged by that.
        self.leavers = self.gone - max(leaves, default=0.0)
        leavers, looked_s = first_leavers + self.leavers, first_looked_s + self.looked_s
        for other in alike:
            leavers += other.gone
            looked_s += other.looked_s
        self.leave_rate = leavers / looked_s
        never_per_s = params.false_departures / 10_000 / SECONDS_PER_DAY
        # Whole milliseconds: sums that were added up in other portions must not ring at another tick.
        self.patience_s = round(self._until(max(never_per_s, max(share, soon) * self.leave_rate)), 3)

    def _leaves(self, waiting_s: Sequence[float]) -> list[float]:
        """How likely each of those that are silent has left."""
        rate = self.leave_rate
        return [rate / (rate + lasting_per_s) for lasting_per_s in self._lasting_per_s(waiting_s)]

    def _count_ongoing(self, waiting_s: Sequence[float], leaves: Sequence[float]) -> None:
        """Silences that go on have lasted so long at least: without them the longest would be left out, which end last.

        That tells most in a zone's first hours.
        """
        ongoing, ongoing_s = [0.0] * len(THRESHOLDS_S), [0.0] * len(THRESHOLDS_S)
        for excess_s, left in zip(waiting_s, leaves, strict=True):
            stays = 1.0 - left
            for number in range(bisect_right(THRESHOLDS_S, excess_s)):
                ongoing[number] += stays
                ongoing_s[number] += stays * (excess_s - THRESHOLDS_S[number])
        # From each threshold to the next, of those that got or ended there.
        share, shares, before = 1.0, [], self._over[0]
        for after, going in zip(self._over, ongoing, strict=True):
            passed = after + going + FIRST_SILENCES
            share = share * passed / (passed + (before - after))
            shares.append(share)
            before = after
        self._ongoing, self._ongoing_s, self._shares = ongoing, ongoing_s, shares

    def _until(self, per_s: float) -> float:
        """The silence that a present item reaches as rarely as `per_s`."""
        begins = self.begins_per_s()
        number = 0
        for other in range(1, len(THRESHOLDS_S)):
            if self._over[other] < ENOUGH or begins * self._shares[other] < per_s:
                break
            number = other
        start = begins * self._shares[number]
        if start <= per_s:
            return 0.0
        shape, scale_s = self._tail(number)
        until_s = float(THRESHOLDS_S[number] + scale_s * ((start / per_s) ** (1.0 / shape) - 1.0))
        return until_s if self._far is None else max(until_s, self._far.until(number, per_s / start))

    def _tail(self, number: int) -> tuple[float, float]:
        """Shape and scale (s) of what goes beyond a threshold."""
        first_s = max(self._first_s, THRESHOLDS_S[number])
        if number and self._many_leave:
            shape, scale_s = self._lomax(number - 1, self._first_s)
            first_s = min(self._first_s, HEAVIER * scale_s / (shape - 1.0))
        return self._lomax(number, first_s)

    def _lomax(self, number: int, first_s: float) -> tuple[float, float]:
        return _lomax(first_s, self._over[number], self._over_s[number] + self._ongoing_s[number])

    def _forget(self, elapsed_s: float) -> None:
        kept = _kept(elapsed_s)
        if any(self._over):
            self._over = [over * kept for over in self._over]
            self._over_s = [over_s * kept for over_s in self._over_s]
        self._lost *= kept
        # What these items are looked at meanwhile fades as well: the same, however often this is reckoned.
        self.looked_s = self.looked_s * kept + self.items * (1.0 - kept) * HALF_LIFE_S / math.log(2.0)

    # -- what outlives the process ----------------------------------------------------------------------------

    def record(self, zone_id: str) -> PoolRecord:
        """As the ledger keeps it; `patience_s` follows from the rest."""
        sums = zip(THRESHOLDS_S, self._over, self._over_s, strict=True)
        tail = tuple(TailRecord(threshold_s, over, over_s) for threshold_s, over, over_s in sums if over > 0.0)
        return PoolRecord(zone_id, self.pace_s, self.looked_s, self._lost, self.leave_rate, tail, self.carried)

    def restore(self, record: PoolRecord) -> None:
        """Go on with what an earlier life had learnt; what it counted above other thresholds is left out."""
        self.looked_s, self._lost, self.leave_rate = record.item_s, record.lost, record.leave_rate
        self.leavers = self.gone = record.lost
        beyond = {tail.threshold_s: tail for tail in record.tail}
        for number, threshold_s in enumerate(THRESHOLDS_S):
            tail = beyond.get(threshold_s)
            self._over[number] = tail.silences if tail is not None else 0.0
            self._over_s[number] = tail.excess_s if tail is not None else 0.0
        self.saved = record


def leave_soon(pools: Iterable[Silences]) -> float:
    """The share of a zone's items that surely leaves unseen within `SOON_S`, by all its pools; at most `MOST_SHARE`."""
    leavers = looked_s = 0.0
    for pool in pools:
        leavers += pool.leavers
        looked_s += pool.looked_s
    sure = leavers - SURE_ERRORS * math.sqrt(leavers)
    return min(MOST_SHARE, sure * SOON_S / looked_s) if sure > 0.0 and looked_s else 0.0


def pool_of(pools: Sequence[Silences], pace_s: float, *, carried: bool) -> Silences:
    """The pool of a tag that is read every `pace_s` seconds, or was being carried when it was read last."""
    if carried:
        return pools[-1]
    return pools[bisect_right(PACES_S, pace_s)]


def new_pools() -> tuple[Silences, ...]:
    """Of a zone of which nothing is known yet."""
    return (*(Silences(pace_s) for pace_s in (0.0, *PACES_S)), Silences(0.0, carried=True))
