"""What a change of weight means in pieces: one product by rounding, several by comparing every explanation."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, product

# A step is certain when what it leaves unexplained is error of the scale, or this share of a piece at most ...
ERROR_SDS = 4.0
ERROR_SHARE = 0.03
# ... beside what so many pieces may weigh more or less than the mean.
PIECES_SDS = 2.0
# Up to this share of a piece it is likely, but may be a hand that rests on the shelf.
LIKELY_SHARE = 0.35
# In a mixed bin a hand takes or puts so many pieces of a product, and of so many products, between two rests.
MOST_PIECES_EACH = 3
MOST_PRODUCTS = 3
# Where a bin holds more products than this, two of them: the number of explanations stays near a thousand.
MANY_PRODUCTS = 4
# A restock brings one product, up to so many pieces at once.
MOST_PIECES_AT_ONCE = 24
# What a hand rather does (natural logarithms): one product, and few pieces of it; a case of one is more likely than
# a mixture.
PRODUCT_COST = 4.0
PIECE_COST = 0.5
# Taking one thing and putting down another between two rests is rarer still.
SWAP_COST = 4.0
# A mixture fits many weights, so it has to fit better than a single product.
MIXTURE_SDS = 2.5
# The best explanation must be so much better than the next (log-odds; 20 to 1).
CLEAR_LEAD = 3.0


class Verdict(StrEnum):
    """How well a change of weight is understood."""

    SURE = "sure"
    LIKELY = "likely"
    AMBIGUOUS = "ambiguous"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Kind:
    """One product as the weighing sees it: its unit weight now, its deviations, and how many there are."""

    unit_g: float
    variation: float
    tolerance: float
    pieces: int
    most: int
    lane_mm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """Where on a plate the weight changed, with the standard deviation of that."""

    at_mm: float
    sd_mm: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The pieces that came (+) or went (-) of each product; where it is ambiguous, what else it may have been."""

    verdict: Verdict
    pieces: tuple[int, ...]
    candidates: tuple[tuple[int, ...], ...] = ()


def explain(change_g: float, kinds: Sequence[Kind], sd_g: float, shift: Shift | None = None) -> Outcome:
    """What a change of weight means; `sd_g` is the scale's own error in it.

    A count never falls below nothing, nor grows beyond what the bin holds.
    """
    if len(kinds) == 1:
        return _explain_one(change_g, kinds[0], sd_g)
    ranked = sorted(_scored(change_g, kinds, sd_g, shift), reverse=True)
    if not ranked:
        return Outcome(Verdict.UNEXPLAINED, (0,) * len(kinds))
    best, pieces = ranked[0]
    rivals = tuple(other for score, other in ranked if best - score < CLEAR_LEAD)
    # Things that came and things that went fit almost any weight: good for a doubt, not for a count.
    if len(rivals) == 1 and not min(pieces) < 0 < max(pieces):
        return Outcome(Verdict.SURE, pieces)
    return Outcome(Verdict.AMBIGUOUS, (0,) * len(kinds), rivals)


def _explain_one(change_g: float, kind: Kind, sd_g: float) -> Outcome:
    pieces = round(change_g / kind.unit_g)
    rest_g = abs(change_g - pieces * kind.unit_g)
    allowed_g = max(ERROR_SDS * sd_g, ERROR_SHARE * kind.unit_g)
    allowed_g += PIECES_SDS * kind.variation * abs(pieces) * kind.unit_g
    if not 0 <= kind.pieces + pieces <= kind.most:
        return Outcome(Verdict.UNEXPLAINED, (0,))
    if rest_g <= min(allowed_g, LIKELY_SHARE * kind.unit_g):
        return Outcome(Verdict.SURE, (pieces,))
    verdict = Verdict.LIKELY if rest_g < LIKELY_SHARE * kind.unit_g else Verdict.UNEXPLAINED
    return Outcome(verdict, (pieces,) if verdict is Verdict.LIKELY else (0,))


def _scored(
    change_g: float, kinds: Sequence[Kind], sd_g: float, shift: Shift | None
) -> Iterator[tuple[float, tuple[int, ...]]]:
    """(log-likelihood and prior, pieces) of every explanation that is not absurd."""
    for pieces in _vectors(kinds):
        moved = [(count, kind) for count, kind in zip(pieces, kinds, strict=True) if count]
        if any(not 0 <= kind.pieces + count <= kind.most for count, kind in moved):
            continue
        variance = sd_g**2
        for count, kind in moved:
            variance += abs(count) * (kind.variation * kind.unit_g) ** 2 + (count * kind.tolerance * kind.unit_g) ** 2
        rest_g = change_g - sum(count * kind.unit_g for count, kind in moved)
        allowed_sds = ERROR_SDS if len(moved) < 2 else MIXTURE_SDS
        if rest_g**2 > allowed_sds**2 * variance or not _lies_there(moved, change_g, shift):
            continue
        cost = sum(PRODUCT_COST + PIECE_COST * (abs(count) - 1) for count, _ in moved)
        if min(pieces) < 0 < max(pieces):
            cost += SWAP_COST
        yield -(rest_g**2) / (2 * variance) - math.log(variance) / 2 - cost, pieces


def _vectors(kinds: Sequence[Kind]) -> Iterator[tuple[int, ...]]:
    """Every combination that a hand may have moved, nothing at all among them."""
    size = len(kinds)
    yield (0,) * size
    for index in range(size):
        for count in range(1, MOST_PIECES_AT_ONCE + 1):
            yield from (_vector(size, (index,), (sign * count,)) for sign in (1, -1))
    some = [count for count in range(-MOST_PIECES_EACH, MOST_PIECES_EACH + 1) if count]
    for changed in range(2, (MOST_PRODUCTS if size <= MANY_PRODUCTS else 2) + 1):
        for indices in combinations(range(size), changed):
            for counts in product(some, repeat=changed):
                yield _vector(size, indices, counts)


def _vector(size: int, indices: Sequence[int], counts: Sequence[int]) -> tuple[int, ...]:
    vector = [0] * size
    for index, count in zip(indices, counts, strict=True):
        vector[index] = count
    return tuple(vector)


def _lies_there(moved: Sequence[tuple[int, Kind]], change_g: float, shift: Shift | None) -> bool:
    """Whether the place of the change fits the lanes; only pieces that all came, or all went, tell one place."""
    if shift is None or not moved or any(count * change_g < 0 for count, _ in moved):
        return True
    weight_g = first_mm = last_mm = 0.0
    for count, kind in moved:
        if kind.lane_mm is None:
            return True
        grams = abs(count) * kind.unit_g
        weight_g += grams
        first_mm += grams * kind.lane_mm[0]
        last_mm += grams * kind.lane_mm[1]
    slack_mm = ERROR_SDS * shift.sd_mm
    return first_mm / weight_g - slack_mm <= shift.at_mm <= last_mm / weight_g + slack_mm
