"""One bin on a scale: from settled weights to the pieces of its products.

A step between two rests says what came or went; the whole weight, against the bin's zero, is the check that mends a
step that was missed. No weight at all (overload, underload, a busy or broken scale) is never zero: the count stands
still until there is one.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum

from gateway.domain.countable import MOST_PIECES, count_sd, countable_pieces, level_sd_g, step_sd_g
from gateway.domain.hypotheses import Kind, Outcome, Shift, Verdict, explain
from gateway.domain.params import Bin
from gateway.domain.product import take_up
from gateway.domain.records import BinRecord, ProductRecord
from gateway.domain.settle import GATE_SHARE, Level, Settler
from gateway.domain.zones import US_PER_S
from readers.model import WeightCondition, WeightSample

# A zero that has moved by this share of the lightest piece goes to disk; losing less costs no count.
SAVE_SHARE = 0.05
# Beyond its capacity by this share a scale is overloaded, whatever it says.
OVERLOAD_SHARE = 1.05
# The zero of an empty bin follows its weight at most at this share of the lightest piece a second.
ZERO_SHARE_PER_S = 0.02
# Values of the cells of one plate belong together when none is older than this.
CELLS_APART_US = 1 * US_PER_S
# A scale that was switched off and shows nothing may have zeroed itself with its goods on: so many pieces do not
# all go in a pause.
PIECES_OF_A_RESET = 3
# A scale that was silent for so long may have been switched off.
OUTAGE_US = 30 * US_PER_S
# A bin that does not come to rest for so long shakes more than it was told.
RESTLESS_US = 120 * US_PER_S
WEIGHS = frozenset({WeightCondition.STABLE, WeightCondition.MOVING})


class Blind(StrEnum):
    """Why a bin's count cannot be relied upon just now."""

    SILENT = "nothing was heard of it yet"
    OVERLOAD = "it carries more than it can weigh"
    UNDERLOAD = "it weighs less than it can: is its plate missing?"
    BUSY = "it is busy and does not weigh"
    FAULT = "it says that it is broken"
    PAUSE = "it has stopped sending weights"
    RESTLESS = "it does not come to rest: noise_g may be too small for it"
    RESET = "it shows nothing after a pause: emptied, or zeroed with its goods on"
    BELOW_ZERO = "it weighs less than empty: zeroed with goods on it, or something of its own was taken off"
    UNCOUNTED = "what lies on it cannot be counted: empty it once"


CONDITIONS = {
    WeightCondition.OVERLOAD: Blind.OVERLOAD,
    WeightCondition.UNDERLOAD: Blind.UNDERLOAD,
    WeightCondition.BUSY: Blind.BUSY,
    WeightCondition.FAULT: Blind.FAULT,
}


class WeightBin:
    """Fed the samples of its channels in the order of time."""

    def __init__(self, params: Bin, record: BinRecord | None = None) -> None:
        self.params = params
        self.products = [take_up(sku, record) for sku in params.skus]
        self.lightest_g = min(product.unit_g for product in self.products)
        self.verdicts: Counter[Verdict] = Counter()
        self.reconciled = 0
        self.candidates: tuple[tuple[int, ...], ...] = ()
        self.counted = record is not None and all(product.sku.gtin in record.gtins for product in self.products)
        # What was confirmed before a restart stays so until its scale says otherwise.
        self.agreed = self.counted
        self.changed = False
        """Something that outlives the process has changed since this was last set back."""
        self._settler = Settler(params.params, self.lightest_g)
        self._step_sd_g = step_sd_g(params.params)
        self._level_sd_g = level_sd_g(params.params)
        moved = record is not None and record.configured_zero_g != params.params.zero_g
        self.zero_g = record.zero_g if record is not None and not moved else params.params.zero_g
        self._saved_zero_g = self.zero_g
        self._rested: Level | None = Level(0, record.level_g) if record is not None and self.counted else None
        self._pending_g = record.pending_g if record is not None and self.counted else 0.0
        # Of several products, what was once unexplained may have been another one than what explained it later.
        self._doubtful = record is not None and self.counted and record.doubtful
        self._touched = True
        self._resumed = True
        self._trouble: Blind | None = None
        self._condition: Blind | None = None
        self._weighed_us: int | None = None
        self._still_us = 0
        self._begun_us: int | None = None
        self._cells: dict[int, tuple[int, float]] = {}

    # -- what it says -----------------------------------------------------------------------------------------

    @property
    def grams(self) -> float | None:
        """The settled weight of what lies on it, None before it has rested."""
        level = self._settler.level
        return None if level is None else level.grams - self.zero_g

    @property
    def still(self) -> bool:
        return self._settler.still

    @property
    def unexplained_g(self) -> float:
        """What came or went and is no product of this bin, as far as is known."""
        return self._pending_g

    @property
    def sure(self) -> bool:
        """The whole weight agrees with the count, and nothing on it is unexplained."""
        certain = self.agreed and not self._pending_g and not self._doubtful
        return self.counted and certain and self._trouble is None

    def counts(self) -> Iterator[tuple[str, int, int]]:
        """(GTIN, pieces, how many of them the weight confirms now)"""
        for product in self.products if self.counted else ():
            yield product.sku.gtin, product.pieces, product.pieces if self.sure else 0

    def blind(self, now_us: int) -> Blind | None:
        """Why its count cannot be relied upon, None while it can."""
        weighed_us = self._weighed_us
        if weighed_us is None:
            return self._condition or Blind.SILENT
        if now_us - weighed_us > self.params.params.blind_s * US_PER_S:
            return self._condition or Blind.PAUSE
        if not self._settler.still and now_us - self._still_us > RESTLESS_US:
            return Blind.RESTLESS
        if self._trouble is not None or self.counted:
            return self._trouble
        return Blind.UNCOUNTED if self._settler.level is not None else Blind.SILENT

    def record(self) -> BinRecord:
        """What outlives the process."""
        self._saved_zero_g = self.zero_g
        level_g = self._rested.grams if self._rested is not None else self.zero_g
        products = tuple(
            ProductRecord(each.sku.gtin, each.pieces, each.unit_g, each.learnt, each.sku.unit_weight_g)
            for each in self.products
        )
        each = self.params
        zero_g = each.params.zero_g
        return BinRecord(
            each.reader,
            each.channel,
            each.zone,
            self.zero_g,
            zero_g,
            level_g,
            self._pending_g,
            products,
            doubtful=self._doubtful,
        )

    # -- samples ----------------------------------------------------------------------------------------------

    def feed(self, sample: WeightSample) -> None:
        """One value of one of its channels."""
        grams = sample.grams if sample.condition in WEIGHS else None
        if grams is None:
            self._condition = CONDITIONS.get(sample.condition, Blind.FAULT)
            self._cells.pop(sample.channel, None)
            self._settler.interrupt()
            return
        parts: tuple[float, ...] = ()
        if self.params.cells:
            self._cells[sample.channel] = sample.at_us, grams
            if sample.channel != self.params.cells[0][0] or not self._whole(sample.at_us):
                return
            parts = tuple(self._cells[channel][1] for channel, _ in self.params.cells)
            grams = sum(parts)
        capacity_g = self.params.params.capacity_g
        if capacity_g and grams - self.params.params.zero_g > OVERLOAD_SHARE * capacity_g:
            self._condition = Blind.OVERLOAD
            self._settler.interrupt()
            return
        self._weigh(sample.at_us, grams, parts, moving=sample.condition is WeightCondition.MOVING)

    def _whole(self, now_us: int) -> bool:
        """Every cell of the plate has said its weight lately."""
        cells = self._cells
        known = (cells.get(channel) for channel, _ in self.params.cells)
        return all(cell is not None and now_us - cell[0] <= CELLS_APART_US for cell in known)

    def _weigh(self, at_us: int, grams: float, parts: tuple[float, ...], *, moving: bool) -> None:
        if self._weighed_us is None:
            self._still_us = at_us
        elif at_us - self._weighed_us > OUTAGE_US:
            self._resumed = True
            self._still_us = at_us
        elapsed_s = (at_us - self._weighed_us) / US_PER_S if self._weighed_us is not None else 0.0
        self._weighed_us, self._condition = at_us, None
        level = self._settler.feed(at_us, grams, parts, moving=moving)
        if level is not None:
            self._settle(level)
        if self._settler.still:
            self._still_us = at_us
            self._rest(at_us, elapsed_s)

    # -- steps ------------------------------------------------------------------------------------------------

    def _settle(self, level: Level) -> None:
        """It has come to rest: what came, what went?"""
        before, self._rested = self._rested, level
        resumed, self._resumed = self._resumed, False
        self.changed = True
        self._touched = True
        if before is None or not self.counted:
            return  # the whole weight is all there is to count by; it is looked at when it has been quiet
        if resumed and self._looks_reset(level):
            return
        if self._trouble is Blind.RESET:
            self._end_reset(before, level)
            return
        self._step(level.grams - before.grams, _shift(self.params, before, level, self._step_sd_g))
        self._check(quiet=False)

    def _step(self, change_g: float, shift: Shift | None) -> None:
        """Explain the change together with what is still unexplained, else by itself."""
        whole_g = self._pending_g + change_g
        outcome = self._explain(whole_g, shift if not self._pending_g else None)
        pending_g = 0.0
        if self._pending_g and (outcome.verdict is not Verdict.SURE or _is_mixed(outcome)):
            alone = self._explain(change_g, shift)
            if alone.verdict is Verdict.SURE:
                outcome, pending_g, whole_g = alone, self._pending_g, change_g
            elif _is_mixed(outcome):
                outcome = Outcome(Verdict.AMBIGUOUS, (0,) * len(self.products), (outcome.pieces,))
            elif any(outcome.pieces):
                self._doubt()
        self.verdicts[outcome.verdict] += 1
        self.candidates = outcome.candidates
        if outcome.verdict is Verdict.SURE:
            self._learn(whole_g, outcome.pieces)
            self._book(outcome.pieces)
            self._pending_g = pending_g
        else:
            self._pending_g = whole_g

    def _doubt(self) -> None:
        """The count goes on, but only an empty bin makes it certain again."""
        self._doubtful = len(self.products) > 1

    def _explain(self, change_g: float, shift: Shift | None = None, sd_g: float | None = None) -> Outcome:
        return explain(change_g, self._kinds(), self._step_sd_g if sd_g is None else sd_g, shift)

    def _kinds(self) -> Sequence[Kind]:
        return [
            Kind(
                product.unit_g,
                product.sku.variation,
                product.tolerance(self._step_sd_g),
                product.pieces,
                product.sku.most if product.sku.most is not None else MOST_PIECES,
                product.sku.lane_mm,
            )
            for product in self.products
        ]

    def _book(self, pieces: Sequence[int]) -> None:
        for product, change in zip(self.products, pieces, strict=True):
            product.pieces += change

    def _learn(self, change_g: float, pieces: Sequence[int]) -> None:
        """A single piece of a single product shows what it weighs."""
        moved = [(product, count) for product, count in zip(self.products, pieces, strict=True) if count]
        if len(moved) == 1 and abs(moved[0][1]) == 1:
            moved[0][0].learn(abs(change_g), self._step_sd_g)

    # -- at rest ----------------------------------------------------------------------------------------------

    def _rest(self, at_us: int, elapsed_s: float) -> None:
        """While it lies still: drift, the check against the whole weight, the zero of an empty bin."""
        level = self._settler.level
        assert level is not None, "it rests somewhere"
        drift_g = self._settler.take_drift_g()
        if drift_g:
            self._rested = level
            self.zero_g += drift_g
            self.changed = self.changed or abs(self.zero_g - self._saved_zero_g) > SAVE_SHARE * self.lightest_g
        quiet_us = at_us - self._settler.still_since_us
        if self._trouble is Blind.RESET or quiet_us < self.params.params.quiet_s * US_PER_S:
            return
        if self._touched:
            self._look(level)
        if quiet_us >= self.params.params.empty_s * US_PER_S and not any(each.pieces for each in self.products):
            away_g = level.grams - self.zero_g
            most_g = ZERO_SHARE_PER_S * self.lightest_g * elapsed_s
            if self.counted and abs(away_g) < GATE_SHARE * self.lightest_g:
                self.zero_g += max(-most_g, min(most_g, away_g))

    def _look(self, level: Level) -> None:
        """Once it has been quiet after something moved: book what was likely, and check the whole weight."""
        self._touched = False
        self.changed = True
        load_g = level.grams - self.zero_g
        if load_g < -GATE_SHARE * self.lightest_g * 2:
            self._trouble = Blind.BELOW_ZERO
            return
        if self._trouble is Blind.BELOW_ZERO:
            self._trouble = None
        if abs(load_g) < GATE_SHARE * self.lightest_g:
            self._book([-product.pieces for product in self.products])
            self._pending_g, self.counted, self._doubtful = 0.0, True, False
        elif not self.counted:
            self._count_anew(load_g)
        elif self._pending_g:
            outcome = self._explain(self._pending_g)
            if outcome.verdict in {Verdict.SURE, Verdict.LIKELY} and not _is_mixed(outcome):
                self._book(outcome.pieces)
                self._pending_g = 0.0
        if self.counted:
            self._check(quiet=True)

    def _count_anew(self, load_g: float) -> None:
        """The first count of a bin that was not empty when the gateway met it: only by one product's whole weight."""
        if len(self.products) > 1:
            return
        product = self.products[0]
        product.pieces = 0
        pieces = round(load_g / product.unit_g)
        if self._off_whole(load_g, pieces) is not None:
            product.pieces, self.counted = pieces, True

    def _check(self, *, quiet: bool) -> None:
        """Does the whole weight agree with the count? When it is quiet and does not, it may correct the count."""
        level = self._rested
        assert level is not None, "there is something to check"
        load_g = level.grams - self.zero_g
        rest_g = load_g - sum(product.pieces * product.unit_g for product in self.products)
        self.agreed = abs(rest_g) < GATE_SHARE * self.lightest_g
        if self.agreed and quiet:
            self._pending_g = 0.0
        if self.agreed or not quiet:
            return
        pieces = self._correction(load_g, rest_g)
        if pieces is not None:
            self._book(pieces)
            self._doubt()
            self.reconciled += 1
            self._pending_g = 0.0
            self.agreed = True

    def _correction(self, load_g: float, rest_g: float) -> Sequence[int] | None:
        """The pieces by which the whole weight says that the count is wrong; None where it cannot tell."""
        if len(self.products) == 1:
            product = self.products[0]
            pieces = round(load_g / product.unit_g)
            change = self._off_whole(load_g, pieces)
            return None if change is None else (change,)
        variance = self._level_sd_g**2
        for product in self.products:
            sd = count_sd(product.pieces, product.unit_g, product.sku.variation, product.tolerance(0), 0)
            variance += (sd * product.unit_g) ** 2
        outcome = self._explain(rest_g, sd_g=math.sqrt(variance))
        return outcome.pieces if outcome.verdict is Verdict.SURE else None

    def _off_whole(self, load_g: float, pieces: int) -> int | None:
        """How far the count of the only product is off, where `pieces` is beyond doubt; None where it is not."""
        product = self.products[0]
        most = product.sku.most if product.sku.most is not None else MOST_PIECES
        tolerance = product.tolerance(self._step_sd_g)
        countable = countable_pieces(product.unit_g, product.sku.variation, tolerance, self._level_sd_g)
        off = abs(load_g / product.unit_g - pieces)
        return pieces - product.pieces if 0 <= pieces <= min(most, countable) and off < GATE_SHARE else None

    # -- a scale that was switched off ------------------------------------------------------------------------

    def _looks_reset(self, level: Level) -> bool:
        """After an outage it shows nothing although it carried goods: it may have zeroed itself with them on it."""
        total = sum(product.pieces for product in self.products)
        if total < PIECES_OF_A_RESET or abs(level.grams) >= GATE_SHARE * self.lightest_g:
            return False
        self._trouble = Blind.RESET
        self.agreed = False
        return True

    def _end_reset(self, before: Level, level: Level) -> None:
        """The next change tells: below nothing, goods were on it; else it was empty, and its zero is as it was."""
        if abs(level.grams - before.grams) < GATE_SHARE * self.lightest_g:
            return
        self._trouble = None
        if level.grams - self.zero_g < -GATE_SHARE * self.lightest_g:
            self.zero_g = before.grams - sum(product.pieces * product.unit_g for product in self.products)
        else:
            self._book([-product.pieces for product in self.products])
        self._pending_g = 0.0
        self._step(level.grams - before.grams, None)
        self._check(quiet=False)


def _is_mixed(outcome: Outcome) -> bool:
    """It takes several products to explain it."""
    return sum(count != 0 for count in outcome.pieces) > 1


def _shift(params: Bin, before: Level, level: Level, sd_g: float) -> Shift | None:
    """Where on the plate the weight changed, if it has cells to tell."""
    change_g = level.grams - before.grams
    if not level.parts or len(before.parts) != len(level.parts) or not change_g:
        return None
    places = [place for _, place in params.cells]
    changes = [after - earlier for earlier, after in zip(before.parts, level.parts, strict=True)]
    at_mm = sum(place * change for place, change in zip(places, changes, strict=True)) / change_g
    spread_mm = math.sqrt(sum((place - at_mm) ** 2 for place in places))
    return Shift(at_mm, sd_g * spread_mm / abs(change_g))
