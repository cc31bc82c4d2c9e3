import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.countable import (
    WRONG_CHANCE,
    count_sd,
    countable_pieces,
    refusals,
    step_sd_g,
    wrong_chance,
)
from gateway.domain.params import Sensor, ShelfParams
from tests.gateway.scales import pushed, sku, weighed


@pytest.mark.parametrize(
    ("variation", "pieces"), [(0.005, 46), (0.01, 42), (0.02, 30), (0.03, 19), (0.05, 8), (0.08, 3)]
)
def test_how_many_pieces_the_whole_weight_counts(variation: float, pieces: int) -> None:
    """The published table: a mean known to 0.3 %, a scale to 5 % of a piece, one wrong count in a thousand."""
    assert countable_pieces(100.0, variation, 0.003, 5.0) == pieces


@pytest.mark.parametrize(
    ("pieces", "variation", "tolerance", "chance"),
    [(30, 0.01, 0.01, 0.1057), (50, 0.02, 0.002, 0.0055), (20, 0.05, 0.01, 0.1002), (1, 0.0, 0.0, 0.0455)],
)
def test_the_chance_of_a_wrong_count(pieces: int, variation: float, tolerance: float, chance: float) -> None:
    sd_g = 25.0 if pieces == 1 else 5.0
    assert wrong_chance(count_sd(pieces, 100.0, variation, tolerance, sd_g)) == pytest.approx(chance, abs=0.0005)


def test_the_formula_against_many_fills() -> None:
    """Fills of 30 pieces drawn one by one, with a mean that is 1 % off as often as not."""
    random, wrong, fills = Random(7), 0, 6_000
    for _ in range(fills):
        weight = sum(random.gauss(1.0, 0.01) for _ in range(30))
        wrong += round(weight / random.gauss(1.0, 0.01)) != 30
    expected = wrong_chance(count_sd(30, 1.0, 0.01, 0.01, 0.0))
    assert wrong / fills == pytest.approx(expected, abs=4 * math.sqrt(expected / fills))


@given(st.floats(0, 0.2), st.floats(0, 0.05), st.floats(0, 30), st.floats(1, 5000))
def test_the_largest_count_is_the_last_good_one(variation: float, tolerance: float, sd_g: float, unit_g: float) -> None:
    pieces = countable_pieces(unit_g, variation, tolerance, sd_g)
    # At ten thousand pieces the last of the digits decide.
    slack = 1.001 * WRONG_CHANCE
    if pieces:
        assert wrong_chance(count_sd(pieces, unit_g, variation, tolerance, sd_g)) <= slack
    if pieces < 10_000:
        assert wrong_chance(count_sd(pieces + 1, unit_g, variation, tolerance, sd_g)) > 0.999 * WRONG_CHANCE


def test_what_can_be_counted_is_not_refused() -> None:
    assert refusals(weighed()) == []
    assert refusals(weighed(sku(250, most=24), sku(400, 1, most=24))) == []
    assert refusals(pushed()) == []


def test_a_piece_that_is_lost_in_the_noise_is_refused_with_the_numbers() -> None:
    (text,) = refusals(weighed(sku(9), params=ShelfParams(noise_g=1, division_g=1)))
    assert "9 g" in text
    assert "noise 1 g" in text
    assert refusals(weighed(sku(5), params=ShelfParams(noise_g=0.1, division_g=2))) != []
    assert step_sd_g(ShelfParams(noise_g=0.1, division_g=2)) == pytest.approx(0.82, abs=0.01)


def test_pieces_that_vary_too_much_are_refused_with_the_numbers() -> None:
    (text,) = refusals(weighed(sku(250, variation=0.1)))
    assert "vary by 10.0%" in text
    assert "counts 2 of them" in text
    assert refusals(weighed(sku(250, variation=0.1, most=2))) == []
    (text,) = refusals(weighed(sku(250, most=60)))
    assert "60 pieces" in text


def test_more_than_the_scale_can_carry_is_refused() -> None:
    (text,) = refusals(weighed(sku(1000, most=10), params=ShelfParams(capacity_g=6000)))
    assert "capacity of 6000 g" in text


def test_a_product_without_a_weight_is_refused_on_a_scale() -> None:
    assert refusals(weighed(sku(0))) == ["GTIN 09506000134352 has no unit_weight_g"]


def test_products_that_weigh_alike_need_lanes_of_their_own() -> None:
    (text,) = refusals(weighed(sku(250), sku(255, 1)))
    assert "too much alike" in text
    lanes = (sku(250, lane_mm=(0, 300)), sku(255, 1, lane_mm=(300, 600)))
    assert refusals(weighed(*lanes)) != [], "one cell cannot tell lanes"
    assert refusals(weighed(*lanes, cells=((1, 0.0), (2, 600.0)))) == []
    overlapping = (sku(250, lane_mm=(0, 310)), sku(255, 1, lane_mm=(300, 600)))
    assert refusals(weighed(*overlapping, cells=((1, 0.0), (2, 600.0)))) != []
    assert weighed(sku(), sensor=Sensor.WEIGHT, cells=((1, 0.0), (2, 600.0))).channels == (1, 2)
