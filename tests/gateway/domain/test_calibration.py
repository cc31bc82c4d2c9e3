from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.calibration import Fill, Measurement, Scale, learn, verdict
from gateway.domain.params import ShelfParams
from gateway.domain.zones import US_PER_S
from readers.model import WeightCondition, WeightSample
from tests.gateway.scales import GTINS, PERIOD_US, READER


class HandScale:
    def __init__(self, noise_g: float = 0.3, division_g: float = 0.0, known_g: float | None = None) -> None:
        self.scale = Scale(known_g)
        self._random = Random(3)
        self._noise_g, self._division_g = noise_g, division_g
        self._now_us = 50 * US_PER_S

    def show(
        self, grams: float | None, seconds: float, condition: WeightCondition = WeightCondition.STABLE
    ) -> Measurement | None:
        for _ in range(round(seconds * 10)):
            self._now_us += PERIOD_US
            weight = None if grams is None else grams + self._random.gauss(0, self._noise_g)
            if weight is not None and self._division_g:
                weight = round(weight / self._division_g) * self._division_g
            self.scale.feed(WeightSample(READER, 1, self._now_us, condition, weight))
        return self.scale.measured()


def test_a_weight_that_rests_is_measured_with_its_noise() -> None:
    test = HandScale()
    assert test.show(512, 2.5) is None
    found = test.show(512, 2)
    assert found is not None
    assert found.grams == pytest.approx(512, abs=0.3)
    assert found.noise_g == pytest.approx(0.3, rel=0.5)


def test_the_display_of_a_quiet_scale_is_its_noise() -> None:
    found = HandScale(0.0, 2.0).show(511, 4)
    assert found is not None
    assert (found.noise_g, found.division_g) == (0.01, 0.0), "one value that never changes tells no step"
    found = HandScale(1.0, 2.0).show(511, 4)
    assert found is not None
    assert found.division_g == 2.0


def test_a_display_that_flickers_between_two_steps_rests() -> None:
    test = HandScale(0.0, known_g=0.01)
    for number in range(50):
        found = test.show(500.0 + 0.1 * (number % 2), 0.1)
    assert found is not None
    assert found.grams == pytest.approx(500.05, abs=0.02)


@pytest.mark.parametrize("condition", [WeightCondition.MOVING, WeightCondition.OVERLOAD, WeightCondition.FAULT])
def test_what_is_no_settled_weight_begins_anew(condition: WeightCondition) -> None:
    test = HandScale()
    assert test.show(512, 4) is not None
    assert test.show(512 if condition is WeightCondition.MOVING else None, 0.1, condition) is None
    assert test.show(512, 2) is None
    assert test.show(512, 2) is not None


def test_a_hand_or_a_drift_is_no_rest() -> None:
    test = HandScale(known_g=0.3)
    test.show(512, 2)
    assert test.show(530, 2) is None
    assert test.show(530, 3) is not None
    drifting = HandScale(0.05, known_g=0.3)
    for step in range(60):
        found = drifting.show(500 + step * 0.1, 0.1)
    assert found is None
    test.scale.restart()
    assert test.scale.measured() is None


@settings(deadline=None)
@given(st.integers(0, 2**32), st.floats(20, 2000), st.sampled_from([0.005, 0.01, 0.03]))
def test_counted_fills_tell_what_a_piece_weighs(seed: int, unit_g: float, variation: float) -> None:
    random, params = Random(seed), ShelfParams(noise_g=0.2)
    fills = [
        Fill(count, sum(unit_g * (1 + variation * random.gauss(0, 1)) for _ in range(count)) + random.gauss(0, 0.2))
        for count in (5, 5, 5, 5, 10, 10, 10)
    ]
    learnt = learn(fills, params)
    assert learnt.pieces == 50
    assert abs(learnt.unit_weight_g / unit_g - 1) < 6 * variation / 50**0.5 + 0.002
    assert learnt.variation is not None
    assert learnt.variation < 3 * variation + 0.01
    assert learnt.tolerance < 0.02


def test_one_fill_tells_the_mean_and_no_variation() -> None:
    learnt = learn([Fill(10, 1820.0)], ShelfParams(noise_g=0.5))
    assert (learnt.unit_weight_g, learnt.variation) == (182.0, None)
    assert learnt.tolerance == pytest.approx(0.01 / 10**0.5, rel=0.05)
    pieces, reasons = verdict(learnt, GTINS[0], ShelfParams(noise_g=0.5))
    assert 35 < pieces < 50
    assert reasons == []


def test_what_cannot_be_counted_is_told_with_the_numbers() -> None:
    learnt = learn([Fill(10, 40.0)], ShelfParams(noise_g=1.0))
    _, (reason,) = verdict(learnt, GTINS[0], ShelfParams(noise_g=1.0))
    assert "one piece of 4 g cannot be told" in reason


@pytest.mark.parametrize("fills", [[], [Fill(10, -5.0)], [Fill(5, 0.0)]])
def test_nothing_teaches_nothing(fills: list[Fill]) -> None:
    with pytest.raises(ValueError, match="nothing was put"):
        learn(fills, ShelfParams())
