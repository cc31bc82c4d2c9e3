"""Confidence intervals against tables and against the distributions themselves."""

import math
import random

import pytest

from gateway.evaluate.interval import Interval, of_mean, of_rate, student_95


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.706), (4, 2.776), (30, 2.042), (40, 2.021), (120, 1.980)])
def test_students_quantiles(freedom: int, quantile: float) -> None:
    assert student_95(freedom) == pytest.approx(quantile, abs=0.001)


def test_the_interval_of_a_mean_by_hand() -> None:
    # Mean 3, standard deviation sqrt(2.5), five values: 3 +- 2.776 * sqrt(0.5).
    found = of_mean([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found == pytest.approx((3.0, 3.0 - 1.9629, 3.0 + 1.9629), abs=1e-3)
    assert found.margin == pytest.approx(1.9629, abs=1e-3)


def test_one_value_tells_nothing_of_its_spread() -> None:
    assert of_mean([7.0]) == Interval(7.0, -math.inf, math.inf)


def test_a_mean_is_covered_nineteen_times_in_twenty() -> None:
    rng = random.Random(5)
    inside = 0
    for _ in range(2000):
        found = of_mean([rng.gauss(10.0, 3.0) for _ in range(5)])
        inside += found.low <= 10.0 <= found.high
    assert 0.93 <= inside / 2000 <= 0.97


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.63), (40_000, 39_609.0, 40_393.9)],
)
def test_exact_poisson_bounds(events: int, low: float, high: float) -> None:
    found = of_rate(events, 2.0)
    assert found == pytest.approx((events / 2, low / 2, high / 2), rel=1e-3)
