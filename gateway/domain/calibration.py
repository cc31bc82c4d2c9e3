"""Learning a bin: its zero and its noise while it is empty, and what a piece weighs from fills that were counted."""

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median, pstdev

from gateway.domain.countable import countable_pieces, level_sd_g, refusals
from gateway.domain.params import Bin, ShelfParams, Sku
from gateway.domain.zones import US_PER_S
from readers.model import WeightCondition, WeightSample

# Values of so long, and at least so many, are one measurement.
MEASURE_US = 3 * US_PER_S
MEASURE_VALUES = 8
# They are at rest when they spread no wider than noise does (see gateway.domain.settle) ...
RANGE_NOISES = 4.0
# ... and when their first and second half agree within this many standard errors.
TREND_SDS = 4.0
# A scale without any noise of its own still has one: that of its display.
LEAST_NOISE_G = 0.01
# With fewer fills nothing is learnt of how single pieces vary.
FILLS_FOR_VARIATION = 3


@dataclass(frozen=True, slots=True)
class Measurement:
    """A weight at rest: its mean, its noise and the step of the display that it shows, in grams."""

    grams: float
    noise_g: float
    division_g: float


@dataclass(frozen=True, slots=True)
class Fill:
    """So many pieces were added, and the weight grew by so much."""

    pieces: int
    grams: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the fills say of a product: `variation` None where there were too few of them to tell."""

    pieces: int
    unit_weight_g: float
    variation: float | None
    tolerance: float


class Scale:
    """Fed the samples of one scale; tells when it rests and what it weighs then."""

    def __init__(self, noise_g: float | None = None) -> None:
        """`noise_g`: what is known of its noise; None: nothing yet."""
        self.latest: WeightSample | None = None
        self._noise_g = noise_g
        self._values: deque[tuple[int, float]] = deque()
        self._since_us = 0

    def feed(self, sample: WeightSample) -> None:
        """One value; one that is no weight begins the measurement anew."""
        self.latest = sample
        if sample.grams is None or sample.condition is not WeightCondition.STABLE:
            self._values.clear()
            return
        if not self._values:
            self._since_us = sample.at_us
        self._values.append((sample.at_us, sample.grams))
        while len(self._values) > MEASURE_VALUES and self._values[0][0] < sample.at_us - MEASURE_US:
            self._values.popleft()

    def restart(self) -> None:
        """Something was put or taken: what was measured until now is over."""
        self._values.clear()

    def measured(self) -> Measurement | None:
        """The weight, once it has rested for long enough."""
        values = [grams for _, grams in self._values]
        if len(values) < MEASURE_VALUES or self._values[-1][0] - self._since_us < MEASURE_US:
            return None
        division_g = min((step for step in map(_gap, pairwise(sorted(values))) if step > 1e-6), default=0.0)
        # Differences of neighbours do not see a drift, which the whole spread does.
        steps_g = [abs(after - before) for before, after in pairwise(values)]
        noise_g = self._noise_g or 1.4826 * median(steps_g) / math.sqrt(2)
        # A display between two of its steps shows now one and now the other, whatever it showed before.
        noise_g = max(noise_g, division_g / math.sqrt(12), LEAST_NOISE_G)
        if max(values) - min(values) > (RANGE_NOISES + math.log(len(values))) * noise_g:
            return None
        half = len(values) // 2
        if abs(mean(values[:half]) - mean(values[half:])) > TREND_SDS * noise_g * math.sqrt(4 / len(values)):
            return None
        return Measurement(mean(values), max(pstdev(values), LEAST_NOISE_G), division_g)


def _gap(neighbours: tuple[float, float]) -> float:
    return neighbours[1] - neighbours[0]


def learn(fills: list[Fill], params: ShelfParams) -> Learnt:
    """What a piece weighs, from counted fills. Raises ValueError where they make no sense."""
    pieces = sum(fill.pieces for fill in fills)
    grams = sum(fill.grams for fill in fills)
    if pieces <= 0 or grams <= 0:
        raise ValueError("nothing was put on the scale")
    unit_g = grams / pieces
    variation = None
    if len(fills) >= FILLS_FOR_VARIATION:
        # A fill of n pieces differs from n means by sqrt(n) deviations of a piece, and by the scale's own error.
        squares = sum((fill.grams - fill.pieces * unit_g) ** 2 / fill.pieces for fill in fills) / (len(fills) - 1)
        errors = sum(2 * level_sd_g(params) ** 2 / fill.pieces for fill in fills) / len(fills)
        variation = math.sqrt(max(0.0, squares - errors)) / unit_g
    spread = Sku("").variation if variation is None else variation
    tolerance = math.sqrt(spread**2 / pieces + 2 * (level_sd_g(params) / grams) ** 2)
    return Learnt(pieces, unit_g, variation, tolerance)


def verdict(learnt: Learnt, gtin: str, params: ShelfParams) -> tuple[int, list[str]]:
    """How many pieces the scale counts by their whole weight, and why the product would be refused."""
    variation = Sku("").variation if learnt.variation is None else learnt.variation
    pieces = countable_pieces(learnt.unit_weight_g, variation, learnt.tolerance, level_sd_g(params))
    sku = Sku(gtin, learnt.unit_weight_g, variation, learnt.tolerance)
    return pieces, refusals(Bin("", 0, "", (sku,), params=params))
