"""How long fading lasts in a zone: looks at a tag that rests tell the less apart the more alike they are.

The strength of an item that lies still wanders about its mean. Where it wanders slowly (a body that stands there, waves
that add up anew as people pass), a hundred looks in a row tell no more than one. So each zone learns, over all its
items, how alike deviations from the mean are that lie so many seconds apart: the autocorrelation, whose integral says
how many seconds of looking are worth one look that tells something new.
"""

from collections.abc import Sequence
from math import exp2, frexp

# Looks are told by how far they lie apart, in octaves: under 0.5 s, under 1 s, 2 s, ... 128 s.
OCTAVES = 9
SHORTEST_OCTAVE_S = 0.5
# An octave is believed from so much on (dB squared, added up): some hundred looks at the usual 4 dB.
ENOUGH_DB2 = 2_000.0
# What is less alike than this may be so by chance.
LEAST_ALIKE = 0.1
# Looks within this time (s) are one in any case: fading is never faster than a reader's own repetitions.
SHORTEST_S = 0.5
# What was learnt halves in a day of looking: shops change.
HALF_LIFE_S = 86_400.0


class Fading:
    """That of one zone. `same_s`: looks within so many seconds tell no more than one of them."""

    __slots__ = ("_products", "_squares", "same_s")

    def __init__(self) -> None:
        self._products = [0.0] * OCTAVES
        self._squares = [0.0] * OCTAVES
        self.same_s = SHORTEST_S

    def pair(self, apart_s: float, before_db: float, now_db: float) -> None:
        """Two looks in a row at one item that lay still: by how much each deviates from its mean."""
        octave = frexp(apart_s / SHORTEST_OCTAVE_S)[1]
        if octave < OCTAVES:
            if octave < 0:
                octave = 0
            self._products[octave] += before_db * now_db
            self._squares[octave] += (before_db * before_db + now_db * now_db) / 2.0

    @property
    def sums(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Products of deviations in a row, and their squares, by octaves (dB squared)."""
        return tuple(self._products), tuple(self._squares)

    def restore(self, products: Sequence[float], squares: Sequence[float]) -> None:
        """Go on with the sums of an earlier life, where it told looks by the same octaves; to be reckoned."""
        if len(products) == len(squares) == OCTAVES:
            self._products, self._squares = list(products), list(squares)

    def reckon(self, elapsed_s: float) -> None:
        """After `elapsed_s` more: the integral of the autocorrelation, to where looks are no more alike.

        An octave of which too little is known is taken for the next one that is known.
        """
        same_s = from_s = 0.0
        until_s = SHORTEST_OCTAVE_S
        for product, square in zip(self._products, self._squares, strict=True):
            if square >= ENOUGH_DB2:
                alike = product / square
                if alike < LEAST_ALIKE:
                    break
                # Before a look and after it.
                same_s += 2.0 * alike * (until_s - from_s)
                from_s = until_s
            until_s *= 2.0
        # Whole milliseconds: sums that faded in other portions must not decide otherwise.
        self.same_s = max(SHORTEST_S, round(same_s, 3))
        kept = exp2(-elapsed_s / HALF_LIFE_S)
        self._products = [product * kept for product in self._products]
        self._squares = [square * kept for square in self._squares]
