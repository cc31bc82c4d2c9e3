"""What counting by weight is asked for, whether a bin holds one product or several."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.domain.moves import Shift
from gateway.domain.product import Product

if TYPE_CHECKING:
    from gateway.domain.records import Story


class Verdict(StrEnum):
    """How well a change of weight is understood."""

    SURE = "sure"
    LIKELY = "likely"
    AMBIGUOUS = "ambiguous"
    UNEXPLAINED = "unexplained"


class Counting(ABC):
    """The pieces of a bin's products. Weights are in grams; a load is what lies there, the bin's zero taken off."""

    def __init__(self, products: Sequence[Product], *, counted: bool) -> None:
        self.products = products
        self.counted = counted
        """Its count is known, if not for certain."""
        self.verdicts: Counter[Verdict] = Counter()
        self.reconciled = 0
        """How often the whole weight has mended the count."""
        self.doubtful = False
        """More stories might be true than could be carried along."""
        self.stories: tuple[Story, ...] = ()
        """What may lie there, the likeliest first, where that is not certain."""

    @property
    def pieces(self) -> tuple[int, ...]:
        """How many there are of each product."""
        return tuple(product.pieces for product in self.products)

    @property
    def expected_g(self) -> float:
        """What as many pieces should weigh."""
        return sum(product.pieces * product.unit_g for product in self.products)

    @property
    @abstractmethod
    def certain(self) -> tuple[bool, ...]:
        """Of which products the weight confirms the count."""

    @property
    @abstractmethod
    def unexplained_g(self) -> float:
        """What came or went and is no product of this bin, as far as is known."""

    @abstractmethod
    def step(self, load_g: float, change_g: float, shift: Shift | None) -> None:
        """It rested at `load_g` and has come to rest again: what came, what went?

        `shift`: where, on a plate that can tell.
        """

    @abstractmethod
    def check(self, load_g: float) -> None:
        """Does the whole weight agree with the count?"""

    @abstractmethod
    def look(self, load_g: float) -> None:
        """It has been quiet: book what was likely, and let the whole weight mend the count."""

    @abstractmethod
    def linger(self) -> None:
        """It has been quiet for long: nobody leans on it."""

    def clear(self) -> None:
        """Nothing lies there, for certain."""
        self.take([0] * len(self.products))

    def take(self, pieces: Sequence[int]) -> None:
        """So many of each product lie there, for certain."""
        for product, count in zip(self.products, pieces, strict=True):
            product.pieces = count
        self.counted = True
