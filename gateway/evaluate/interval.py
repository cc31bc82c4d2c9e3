"""Confidence intervals: of a mean over seeds (Student), of a rate of rare events (Poisson, exact)."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

# Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom; beyond, the formula below is good to 0.001.
T_95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
NORMAL_95 = 1.959964
# Beyond so many events the sum of all chances takes too long, and an approximation is as good.
MOST_EXACT_EVENTS = 500
# Bisection halves its error each time: more than a double holds.
BISECTIONS = 100


class Interval(NamedTuple):
    """A value with its 95 % confidence interval [low, high]."""

    value: float
    low: float
    high: float

    @property
    def margin(self) -> float:
        """Half of the width."""
        return (self.high - self.low) / 2


def student_95(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t distribution with `freedom` degrees of freedom, at least 1."""
    if freedom <= len(T_95):
        return T_95[freedom - 1]
    z = NORMAL_95
    # Fisher's expansion about the normal distribution.
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def of_mean(values: Sequence[float]) -> Interval:
    """The mean of independent values; of a single one nothing is known but itself: its interval is infinite."""
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, -math.inf, math.inf)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    margin = student_95(count - 1) * math.sqrt(variance / count)
    return Interval(mean, mean - margin, mean + margin)


def of_rate(events: int, exposure: float) -> Interval:
    """Events per unit of exposure, with the exact Poisson interval (2.5 % on either side; with none: 0 to 3.69)."""
    if events > MOST_EXACT_EVENTS:
        return Interval(events / exposure, _chi(events, -1.0) / exposure, _chi(events + 1, 1.0) / exposure)
    low = _poisson_mean(lambda mean: 1.0 - _at_most(events - 1, mean) > 0.025, events) if events else 0.0
    high = _poisson_mean(lambda mean: _at_most(events, mean) < 0.025, events)
    return Interval(events / exposure, low / exposure, high / exposure)


def _chi(events: int, side: float) -> float:
    """Wilson and Hilferty's cube for the same bound: good to a thousandth where events are many."""
    return events * float((1.0 - 1.0 / (9.0 * events) + side * NORMAL_95 / (3.0 * math.sqrt(events))) ** 3)


def _poisson_mean(above: Callable[[float], bool], events: int) -> float:
    """The mean at which the test turns true."""
    low, high = 0.0, 2.0 * events + 20.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if above(middle):
            high = middle
        else:
            low = middle
    return high


def _at_most(events: int, mean: float) -> float:
    """The chance of at most so many events where `mean` are expected."""
    if mean == 0.0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events + 1))
