"""How well bins count simulated shelves: the truth against the count at every quiet moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from gateway.domain.params import Bin, ShelfParams, Sku
from gateway.domain.records import BinRecord, ProductRecord
from gateway.domain.weight import WeightBin
from readers.model import WeightCondition, WeightSample
from simulators.shelf import US_PER_S, Goods, Habits, Shelf

GTINS = ("09506000134352", "04012345678901", "00614141123452")


@dataclass
class Score:
    """Looks at quiet moments: those that found a wrong count, one not confirmed, or one confirmed and wrong.

    `delays_s`: from each hand that changed something and left the shelf quiet, to the right count.
    """

    looks: int = 0
    wrong: int = 0
    unconfirmed: int = 0
    misled: int = 0
    delays_s: list[float] = field(default_factory=list)

    def __iadd__(self, other: "Score") -> Self:
        self.looks += other.looks
        self.wrong += other.wrong
        self.unconfirmed += other.unconfirmed
        self.misled += other.misled
        self.delays_s += other.delays_s
        return self


def goods(unit_g: float, variation: float = 0.01, pieces: int = 24, product: int = 0) -> Goods:
    return Goods(GTINS[product], unit_g, variation, pieces)


def score(lying: Sequence[Goods], habits: Habits, seed: int, hours: float, *, known: bool = True) -> Score:
    """One shelf, from its first minute on; `known`: the bin was counted when it was set up."""
    shelf = Shelf(lying, habits, seed, hours * 3600)
    params = ShelfParams(noise_g=habits.noise_g, division_g=habits.division_g, zero_g=habits.zero_g)
    skus = tuple(Sku(each.gtin, each.unit_g, each.variation) for each in lying)
    each = Bin("r", 1, "z", skus, params=params)
    products = tuple(ProductRecord(one.gtin, one.pieces, one.unit_g, 0.0, one.unit_g) for one in lying)
    first_g = next(shelf.samples()).grams
    record = BinRecord("r", 1, "z", habits.zero_g, habits.zero_g, first_g, 0.0, products)
    counter = WeightBin(each, record if known else None)
    return _watch(shelf, counter)


def _watch(shelf: Shelf, counter: WeightBin) -> Score:
    result = Score()
    looks, waits = iter([*shelf.quiet(), float("inf")]), iter([*_alone(shelf), (float("inf"), float("inf"))])
    look_s, (since_s, until_s) = next(looks), next(waits)
    truth: dict[str, int] = {}
    for sample in shelf.samples():
        at_s = sample.at_us / US_PER_S
        if look_s <= at_s:
            result.looks += 1
            truth_then = shelf.counts(look_s)
            result.wrong += _counts(counter) != truth_then
            result.misled += any(sure and pieces != truth_then[gtin] for gtin, pieces, sure in counter.counts())
            result.unconfirmed += not counter.sure
            look_s = next(looks)
        condition = WeightCondition.MOVING if sample.moving else WeightCondition.STABLE
        counter.feed(WeightSample("r", 1, sample.at_us, condition, sample.grams))
        if at_s < since_s:
            continue
        truth = truth or shelf.counts(since_s)
        if _counts(counter) == truth:
            result.delays_s.append(at_s - since_s)
        if _counts(counter) == truth or at_s >= until_s:
            truth = {}
            since_s, until_s = next(waits)
            while until_s < at_s:
                since_s, until_s = next(waits)
    return result


def _counts(counter: WeightBin) -> dict[str, int]:
    return {gtin: pieces for gtin, pieces, _ in counter.counts()}


def _alone(shelf: Shelf) -> list[tuple[float, float]]:
    """(when a hand that changed something left, when the next one came) where nobody else was there meanwhile."""
    found, free_s = [], 0.0
    hands = [*shelf.hands]
    for hand, following in pairwise(hands):
        was_free = hand.start_s > free_s + 3.0
        free_s = max(free_s, hand.end_s)
        if hand.change_g and was_free and following.start_s > hand.end_s + 3.0:
            found.append((hand.end_s, following.start_s))
    return found
