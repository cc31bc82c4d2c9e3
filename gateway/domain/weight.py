"""One bin on a scale: from settled weights to the pieces of its products.

A step between two rests says what came or went; the whole weight, against the bin's zero, is the check that mends a
step that was missed. No weight at all (overload, underload, a busy or broken scale) is never zero: the count stands
still until there is one.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from gateway.domain.countable import step_sd_g
from gateway.domain.counting import Counting
from gateway.domain.mixture import Mixture
from gateway.domain.moves import Shift
from gateway.domain.params import Bin
from gateway.domain.product import Product, take_up
from gateway.domain.records import BinRecord, ProductRecord, Story
from gateway.domain.recount import NotAtRestError
from gateway.domain.settle import GATE_SHARE, PAUSE_US, Level, Settler
from gateway.domain.single import Single
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
# After a pause a scale that shows nothing may have zeroed itself with its goods on: so many pieces do not all go
# unseen.
PIECES_OF_A_RESET = 3
# A scale that was silent for so long may shake anew before it rests.
OUTAGE_US = 30 * US_PER_S
# A scale that was zeroed with goods on would show less than nothing as soon as one of them goes: one that was filled
# so often when it showed nothing, and never did, was empty (one in a thousand).
FILLS_OF_AN_EMPTY = 10
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
    MOVING = "it is not at rest"
    RESTLESS = "it does not come to rest: noise_g may be too small for it"
    DOOR = "it does not come to rest, and a door of its zone stands open"
    RESET = "it shows nothing all at once: emptied unseen, or zeroed with its goods on"
    BELOW_ZERO = "it weighs less than empty: zeroed with goods on it, or something of its own was taken off"
    UNCOUNTED = "what lies on it cannot be counted: empty it once, or say what lies there"


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
        self.changed = False
        """Something that outlives the process has changed since this was last set back."""
        counts = record is not None and all(product.sku.gtin in record.gtins for product in self.products)
        known = record if counts else None
        self.counting = _take_up_counting(params, self.products, known)
        self._settler = Settler(params.params, self.lightest_g)
        self._step_sd_g = step_sd_g(params.params)
        moved = record is not None and record.configured_zero_g != params.params.zero_g
        self.zero_g = record.zero_g if record is not None and not moved else params.params.zero_g
        self._saved_zero_g = self.zero_g
        self._rested: Level | None = Level(0, known.level_g) if known is not None else None
        # Where it rested before that.
        self._earlier: Level | None = None
        # How often it was filled since it may have been zeroed with its goods on; None: nothing of that kind.
        self._fills = known.fills if known is not None and not moved else None
        self._touched = True
        self._lingers = False
        self._resumed = True
        self._below_zero = False
        self._condition: Blind | None = None
        self._weighed_us: int | None = None
        self._still_us = 0
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
    def sure(self) -> bool:
        """The whole weight agrees with the count, and nothing on it is unexplained."""
        return all(self._certain())

    def _certain(self) -> tuple[bool, ...]:
        """Of which products the count is confirmed."""
        doubtful = self._below_zero or self._fills is not None
        return (False,) * len(self.products) if doubtful else self.counting.certain

    def counts(self) -> Iterator[tuple[str, int, int]]:
        """(GTIN, pieces, how many of them the weight confirms now)"""
        if not self.counting.counted:
            return
        for product, certain in zip(self.products, self._certain(), strict=True):
            yield product.sku.gtin, product.pieces, product.pieces if certain else 0

    def blind(self, now_us: int) -> Blind | None:
        """Why its count cannot be relied upon, None while it can."""
        weighed_us = self._weighed_us
        if weighed_us is None:
            return self._condition or Blind.SILENT
        if now_us - weighed_us > self.params.params.blind_s * US_PER_S:
            return self._condition or Blind.PAUSE
        if not self._settler.still and now_us - self._still_us > RESTLESS_US:
            return Blind.RESTLESS
        if self._below_zero or self._fills is not None:
            return Blind.BELOW_ZERO if self._below_zero else Blind.RESET
        if not self.counting.counted:
            return Blind.UNCOUNTED if self._settler.level is not None else Blind.SILENT
        return None

    def record(self) -> BinRecord:
        """What outlives the process."""
        self._saved_zero_g = self.zero_g
        level_g = self._rested.grams if self._rested is not None else self.zero_g
        products = tuple(
            ProductRecord(each.sku.gtin, each.pieces, each.unit_g, each.learnt, each.sku.unit_weight_g)
            for each in self.products
        )
        each, counting = self.params, self.counting
        return BinRecord(
            each.reader,
            each.channel,
            each.zone,
            self.zero_g,
            each.params.zero_g,
            level_g,
            counting.unexplained_g,
            products,
            doubtful=counting.doubtful,
            stories=counting.stories,
            fills=self._fills,
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
        if self._weighed_us is None or at_us - self._weighed_us > OUTAGE_US:
            self._still_us = at_us
        elapsed_s = (at_us - self._weighed_us) / US_PER_S if self._weighed_us is not None else 0.0
        self._weighed_us, self._condition = at_us, None
        level = self._settler.feed(at_us, grams, parts, moving=moving)
        if level is not None:
            self._settle(level)
        if self._settler.still:
            self._still_us = at_us
            self._rest(at_us, elapsed_s)

    # -- at rest ----------------------------------------------------------------------------------------------

    def _settle(self, level: Level) -> None:
        """It has come to rest: what came, what went?"""
        before, self._rested = self._rested, level
        unseen_us = OUTAGE_US if self._resumed else level.unseen_us
        self._resumed = False
        self.changed = True
        was_touched, self._touched = self._touched, True
        if before is None or not self.counting.counted:
            return  # the whole weight is all there is to count by; it is looked at when it has been quiet
        # Who leans on a shelf may leave it as suddenly, but as it was.
        leant = was_touched and self._earlier is not None and abs(self._earlier.grams - level.grams) < self._near_g
        self._earlier = before
        if self._looks_zeroed(before, level, unseen_us) and not leant:
            self._fills = 0
            if level.grams - self.zero_g < -2 * self._near_g:
                self._take_zero(level)
        elif self._fills is not None:
            self._tell(before, level, unseen_us)
        else:
            shift = _shift(self.params, before, level, self._step_sd_g)
            self.counting.step(before.grams - self.zero_g, level.grams - before.grams, shift)

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
        if self._fills is not None or quiet_us < self.params.params.quiet_s * US_PER_S:
            return
        if self._touched:
            self._look(level)
        if quiet_us < self.params.params.empty_s * US_PER_S:
            return
        if self._lingers:
            self._lingers, self.changed = False, True
            self.counting.linger()
        if self.counting.counted and not any(self.counting.pieces):
            away_g = level.grams - self.zero_g
            most_g = ZERO_SHARE_PER_S * self.lightest_g * elapsed_s
            if abs(away_g) < self._near_g:
                self.zero_g += max(-most_g, min(most_g, away_g))

    def _look(self, level: Level) -> None:
        """Once it has been quiet after something moved: book what was likely, and check the whole weight."""
        self._touched, self._lingers = False, True
        self.changed = True
        load_g = level.grams - self.zero_g
        self._below_zero = load_g < -2 * self._near_g
        if self._below_zero:
            return
        if abs(load_g) < self._near_g:
            self.counting.clear()
        else:
            self.counting.look(load_g)

    @property
    def _near_g(self) -> float:
        """Weights that differ by less are the same number of pieces."""
        return GATE_SHARE * self.lightest_g

    # -- what a person has counted ----------------------------------------------------------------------------

    def recount(self, pieces: Sequence[int], now_us: int) -> float:
        """So many of each product lie there, says somebody who stands there; by how many grams its zero has moved.

        Its zero is taken from that where nothing lies there, or where the weight says another count. Raises
        NotAtRestError.
        """
        level = self._settler.level
        if level is None or not self.still or self._weighed_us is None or now_us - self._weighed_us > PAUSE_US:
            raise NotAtRestError(self._condition or Blind.MOVING)
        was_g, was_doubtful = self.zero_g, self._below_zero or self._fills is not None
        self.counting.take(pieces)
        self.counting.check(level.grams - self.zero_g)
        if not any(pieces) or was_doubtful or not all(self.counting.certain):
            self._take_zero(level)
            self.counting.check(level.grams - self.zero_g)
        self._below_zero, self._earlier = False, None
        self._rested, self._fills = level, None
        self._touched, self._lingers = False, False
        self.changed = True
        return self.zero_g - was_g

    # -- a scale that was zeroed with goods on it -------------------------------------------------------------

    def _looks_zeroed(self, before: Level, level: Level, unseen_us: int | None) -> bool:
        """All at once it shows nothing although it carried goods: a key was pressed, or it was switched off."""
        if unseen_us is None or abs(level.grams) >= self._near_g or abs(before.grams) < 2 * self._near_g:
            return False
        # While nobody looked, the last pieces may just as well have gone.
        return sum(self.counting.pieces) >= (1 if unseen_us <= PAUSE_US else PIECES_OF_A_RESET)

    def _tell(self, before: Level, level: Level, unseen_us: int | None) -> None:
        """It may have been zeroed: the count goes on by steps, until one of them tells whether it was."""
        expected_g = self.counting.expected_g
        load_g = level.grams - self.zero_g
        if unseen_us is not None and abs(load_g - expected_g) < 2 * self._near_g:
            self._fills = None  # all at once it shows its goods again: somebody has put it right
            self.counting.check(load_g)
            return
        if before.grams - self.zero_g < self._near_g <= load_g:
            self._fills = (self._fills or 0) + 1
        if self._fills == FILLS_OF_AN_EMPTY:
            self.counting.clear()
            self._fills, expected_g = None, 0.0
        elif load_g < -2 * self._near_g:
            self._take_zero(before)
        self.counting.step(expected_g, level.grams - before.grams, None)

    def _take_zero(self, level: Level) -> None:
        """Less than nothing is proof: goods were on it at that rest, so many as are counted."""
        self.zero_g = level.grams - self.counting.expected_g
        self._fills = None


def _take_up_counting(params: Bin, products: Sequence[Product], known: BinRecord | None) -> Counting:
    """How a bin counts; `known`: what lay in it before a restart."""
    if len(products) == 1:
        return Single(params, products[0], counted=known is not None, pending_g=known.pending_g if known else 0.0)
    if known is None:
        return Mixture(params, products)
    places = [known.gtins.index(product.sku.gtin) for product in products]
    stories = [replace(story, pieces=tuple(story.pieces[place] for place in places)) for story in known.stories]
    first = Story(tuple(product.pieces for product in products), known.pending_g)
    return Mixture(params, products, stories or [first], doubtful=known.doubtful)


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
