"""How far counting by weight goes, on simulated shelves: hands, leaning, creep, drift, noise, pieces that vary."""

from itertools import pairwise
from statistics import median

import pytest

from gateway.domain.weight import Blind, WeightBin
from readers.model import WeightCondition, WeightSample
from simulators.shelf import Habits, Shelf
from tests.gateway.scales import READER, sku, weighed
from tests.weighing import goods, score

HOURS = 1.0


@pytest.mark.parametrize(
    ("unit_g", "habits"),
    [
        (250, Habits()),
        (250, Habits(noise_g=5)),
        (250, Habits(drift_g=100)),
        (250, Habits(events_per_hour=300)),
        (250, Habits(restock=6)),
        (250, Habits(rate_hz=40, noise_g=2)),
        (250, Habits(zero_g=3000)),
        (30, Habits()),
        (12, Habits(noise_g=0.3)),
    ],
    ids=str,
)
def test_what_is_accepted_is_counted_without_a_mistake(unit_g: float, habits: Habits) -> None:
    result = score([goods(unit_g)], habits, seed=11, hours=HOURS)
    assert result.looks > 60
    assert result.wrong == 0
    assert result.unconfirmed < 0.25 * result.looks
    assert median(result.delays_s) < 1.2


def test_a_full_shelf_that_is_met_is_counted_too() -> None:
    result = score([goods(250)], Habits(), seed=12, hours=HOURS, known=False)
    assert result.wrong <= 1, "the first hand may come before the first count"


def test_what_varies_too_much_is_seldom_confirmed_when_it_is_wrong() -> None:
    """Such products are refused by the configuration; this is why."""
    result = score([goods(250, 0.1)], Habits(), seed=3, hours=2 * HOURS)
    assert result.wrong > 0
    assert result.unconfirmed > 0.4 * result.looks
    assert result.misled <= 0.02 * result.looks


@pytest.mark.parametrize(("rate_hz", "most"), [(10, 0), (5, 1)])
def test_a_shelf_that_sells_out_is_seldom_taken_for_one_whose_key_was_pressed(rate_hz: float, most: int) -> None:
    alarms = sold_out = 0
    for seed in (1, 2):
        shelf = Shelf([goods(250, pieces=1)], Habits(rate_hz=rate_hz, events_per_hour=60), seed, 3600 * HOURS)
        sold_out += sum(not after and bool(before) for (_, _, before), (_, _, after) in pairwise(shelf.truth()))
        each = WeightBin(weighed(sku(250)))
        suspects = []
        for sample in shelf.samples():
            condition = WeightCondition.MOVING if sample.moving else WeightCondition.STABLE
            each.feed(WeightSample(READER, 1, sample.at_us, condition, sample.grams))
            suspects.append(each.blind(sample.at_us) is Blind.RESET)
        alarms += sum(now and not before for before, now in pairwise(suspects))
    assert sold_out > 20
    assert alarms <= most


def test_a_mixed_bin_of_two_products_is_counted() -> None:
    result = score([goods(250, pieces=8), goods(180, pieces=8, product=1)], Habits(), seed=2, hours=HOURS)
    assert (result.wrong, result.misled) == (0, 0)
    assert result.unconfirmed < 0.2 * result.looks


def test_a_mixed_bin_confirms_only_what_it_is_certain_of() -> None:
    lying = [goods(250, pieces=8), goods(180, pieces=8, product=1), goods(411, pieces=8, product=2)]
    result = score(lying, Habits(), seed=2, hours=HOURS)
    assert result.misled == 0
    few = score(lying, Habits(events_per_hour=20, touches_per_hour=10, leans_per_hour=0), seed=2, hours=HOURS)
    assert (few.wrong, few.misled) == (0, 0)
