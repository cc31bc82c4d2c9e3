"""One product in a bin: a step is rounded to pieces, and the whole weight has the last word."""

from collections.abc import Sequence

from gateway.domain.countable import MOST_PIECES, count_sd, countable_pieces, level_sd_g, step_sd_g
from gateway.domain.counting import Counting, Verdict
from gateway.domain.moves import Shift
from gateway.domain.params import Bin
from gateway.domain.product import Product

# A step is certain when what it leaves unexplained is error of the scale, or this share of a piece at most ...
ERROR_SDS = 4.0
ERROR_SHARE = 0.03
# ... beside what so many pieces may weigh more or less than the mean.
PIECES_SDS = 2.0
# Up to this share of a piece it is likely, but may be a hand that rests on the shelf.
LIKELY_SHARE = 0.35
# The whole weight names a count when it is this close to it, in pieces ...
WHOLE_SHARE = 0.25
# ... and no further from it than so many standard deviations, or what drift and creep may be: a piece of another
# product seldom weighs a whole number of these.
WHOLE_SDS = 4.0
DRIFT_SHARE = 0.1


class Single(Counting):
    """Fed the steps of a bin of one product; `pending_g` is what was unexplained before a restart."""

    def __init__(self, params: Bin, product: Product, *, counted: bool, pending_g: float) -> None:
        super().__init__([product], counted=counted)
        self._product = product
        self._most = MOST_PIECES if product.sku.most is None else product.sku.most
        self._step_sd_g = step_sd_g(params.params)
        self._level_sd_g = level_sd_g(params.params)
        self._pending_g = pending_g
        # What was confirmed before a restart stays so until its scale says otherwise.
        self._agreed = counted

    @property
    def certain(self) -> tuple[bool, ...]:
        return (self.counted and self._agreed and not self._pending_g,)

    @property
    def unexplained_g(self) -> float:
        return self._pending_g

    # -- steps ------------------------------------------------------------------------------------------------

    def step(self, load_g: float, change_g: float, shift: Shift | None) -> None:  # noqa: ARG002 - the base class's signature
        """Explain the change together with what is still unexplained, else by itself."""
        whole_g = self._pending_g + change_g
        verdict, pieces = self.explain(whole_g)
        pending_g = 0.0
        if self._pending_g and verdict is not Verdict.SURE:
            alone, alone_pieces = self.explain(change_g)
            if alone is Verdict.SURE:
                verdict, pieces, pending_g, whole_g = alone, alone_pieces, self._pending_g, change_g
        self.verdicts[verdict] += 1
        if verdict is Verdict.SURE:
            if abs(pieces) == 1:
                self._product.learn(abs(whole_g), self._step_sd_g)
            self._product.pieces += pieces
            self._pending_g = pending_g
        else:
            self._pending_g = whole_g
        self.check(load_g + change_g)

    def explain(self, change_g: float) -> tuple[Verdict, int]:
        """How well a change is understood, and how many pieces it is."""
        unit_g, variation = self._product.unit_g, self._product.sku.variation
        pieces = round(change_g / unit_g)
        rest_g = abs(change_g - pieces * unit_g)
        allowed_g = max(ERROR_SDS * self._step_sd_g, ERROR_SHARE * unit_g)
        allowed_g += PIECES_SDS * variation * abs(pieces) * unit_g
        # A shelf holds no less than nothing, and no more than it can.
        if not 0 <= self._product.pieces + pieces <= self._most:
            return Verdict.UNEXPLAINED, 0
        if rest_g <= min(allowed_g, LIKELY_SHARE * unit_g):
            return Verdict.SURE, pieces
        return (Verdict.LIKELY, pieces) if rest_g < LIKELY_SHARE * unit_g else (Verdict.UNEXPLAINED, 0)

    # -- at rest ----------------------------------------------------------------------------------------------

    def check(self, load_g: float) -> None:
        self._agreed = self._fits(load_g, self._product.pieces)

    def look(self, load_g: float) -> None:
        if not self.counted:
            self._count_anew(load_g)
        elif self._pending_g:
            verdict, pieces = self.explain(self._pending_g)
            if verdict in {Verdict.SURE, Verdict.LIKELY}:
                self._product.pieces += pieces
                self._pending_g = self._left_over(pieces)
        if self.counted:
            self._mend(load_g)

    def _left_over(self, pieces: int) -> float:
        """What so many pieces do not explain; it keeps the count from being certain."""
        rest_g = self._pending_g - pieces * self._product.unit_g
        usual_g = WHOLE_SDS * self._sd(abs(pieces), self._step_sd_g) * self._product.unit_g
        return rest_g if abs(rest_g) > usual_g else 0.0

    def linger(self) -> None:
        """One look is enough: nothing becomes clearer by waiting."""

    def _count_anew(self, load_g: float) -> None:
        """The first count of a bin that was not empty when the gateway met it."""
        self._product.pieces = 0
        pieces = self._whole(load_g)
        if pieces is not None:
            self._product.pieces, self.counted = pieces, True

    def _mend(self, load_g: float) -> None:
        """The whole weight corrects a count with which it does not agree, if it can tell."""
        self.check(load_g)
        pieces = self._product.pieces if self._agreed else self._whole(load_g)
        if pieces is None:
            return
        # Something foreign may weigh nearly as much as some pieces: it is believed while it explains the weight better.
        foreign_g = self._pending_g
        if foreign_g and self._off(load_g - foreign_g, self._product.pieces) < self._off(load_g, pieces):
            return
        self.reconciled += not self._agreed
        self._product.pieces, self._pending_g, self._agreed = pieces, 0.0, True

    def _whole(self, load_g: float) -> int | None:
        """How many pieces the whole weight is, where that is beyond doubt."""
        product = self._product
        pieces = round(load_g / product.unit_g)
        tolerance = product.tolerance(self._step_sd_g)
        countable = countable_pieces(product.unit_g, product.sku.variation, tolerance, self._level_sd_g)
        return pieces if 0 <= pieces <= min(self._most, countable) and self._fits(load_g, pieces) else None

    def _fits(self, load_g: float, pieces: int) -> bool:
        """Whether so many pieces may weigh this."""
        return self._off(load_g, pieces) < min(
            WHOLE_SHARE, max(DRIFT_SHARE, WHOLE_SDS * self._sd(pieces, self._level_sd_g))
        )

    def _sd(self, pieces: int, sd_g: float) -> float:
        """The standard deviation (pieces) of what so many weigh, on a scale whose own is `sd_g`."""
        product = self._product
        tolerance = product.tolerance(self._step_sd_g)
        return count_sd(pieces, product.unit_g, product.sku.variation, tolerance, sd_g)

    def _off(self, load_g: float, pieces: int) -> float:
        """By how much of a piece a load is not what so many weigh."""
        return abs(load_g / self._product.unit_g - pieces)

    def take(self, pieces: Sequence[int]) -> None:
        super().take(pieces)
        self._pending_g, self._agreed = 0.0, True

    def distrust(self) -> None:
        self._agreed = False
