"""What a hand may have moved in a bin of several products between two rests, and what hands rather do."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

# A hand takes or puts so many pieces of a product, and of so many products, between two rests.
MOST_PIECES_EACH = 3
MOST_PRODUCTS = 3
# Where a bin holds more products than this, two of them: the number of moves stays near a thousand.
MANY_PRODUCTS = 4
# A restock brings one product, up to so many pieces at once.
MOST_PIECES_AT_ONCE = 24
# How much rarer than a single piece something is (natural logarithms). So many pieces of one product are rarer by the
# square of their number, ...
PIECES_POWER = 2.0
# ... a further product (once in four hundred), whose further pieces are rarer too: many mixtures fit any weight, ...
PRODUCT_COST = 6.0
MIXED_PIECE_COST = 2.0
# ... and a thing that came while another went.
SWAP_COST = 1.0
# The place of a change on the plate fits a lane within so many of its standard deviations.
PLACE_SDS = 4.0


@dataclass(frozen=True, slots=True)
class Shift:
    """Where on a plate the weight changed, with the standard deviation of that."""

    at_mm: float
    sd_mm: float


Lane = tuple[float, float] | None
"""From where to where (mm) a product lies on its plate."""


@dataclass(frozen=True, slots=True)
class Move:
    """The pieces of each product that came (+) or went (-); `cost`: how much rarer this is than a single piece.

    `moved` is (product, pieces) of those of which any did.
    """

    grams: float
    pieces: tuple[int, ...]
    cost: float
    moved: tuple[tuple[int, int], ...]


class Moves:
    """Every move of a bin's products, found by its weight."""

    def __init__(self, units_g: Sequence[float]) -> None:
        moves = (_move(units_g, pieces) for pieces in _vectors(len(units_g)))
        self._moves = sorted(moves, key=lambda move: move.grams)
        self._grams = [move.grams for move in self._moves]

    def near(self, change_g: float, within_g: float) -> Sequence[Move]:
        """Those that weigh about as much."""
        first = bisect_left(self._grams, change_g - within_g)
        return self._moves[first : bisect_right(self._grams, change_g + within_g)]


def lies_there(move: Move, units_g: Sequence[float], lanes: Sequence[Lane], shift: Shift) -> bool:
    """Whether the place of the change fits the lanes; only pieces that all came, or all went, tell one place."""
    if min(move.pieces) < 0 < max(move.pieces):
        return True
    weight_g = first_mm = last_mm = 0.0
    for count, unit_g, lane in zip(move.pieces, units_g, lanes, strict=True):
        if count and lane is None:
            return True
        if count and lane is not None:
            grams = abs(count) * unit_g
            weight_g += grams
            first_mm += grams * lane[0]
            last_mm += grams * lane[1]
    slack_mm = PLACE_SDS * shift.sd_mm
    return not weight_g or first_mm / weight_g - slack_mm <= shift.at_mm <= last_mm / weight_g + slack_mm


def weight_g(units_g: Sequence[float], pieces: Sequence[int]) -> float:
    """What so many pieces of each weigh."""
    return sum(count * unit_g for count, unit_g in zip(pieces, units_g, strict=True))


def _move(units_g: Sequence[float], pieces: tuple[int, ...]) -> Move:
    moved = tuple((index, count) for index, count in enumerate(pieces) if count)
    return Move(weight_g(units_g, pieces), pieces, _cost(pieces), moved)


def _cost(pieces: Sequence[int]) -> float:
    counts = [abs(count) for count in pieces if count]
    if len(counts) < 2:
        return PIECES_POWER * math.log(sum(counts)) if counts else 0.0
    cost = PRODUCT_COST * (len(counts) - 1) + MIXED_PIECE_COST * (sum(counts) - len(counts))
    return cost + SWAP_COST if min(pieces) < 0 < max(pieces) else cost


def _vectors(size: int) -> Iterator[tuple[int, ...]]:
    """Every combination that a hand may have moved, nothing at all among them."""
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
