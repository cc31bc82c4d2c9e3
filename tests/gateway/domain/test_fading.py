"""How many looks are worth one, learnt from looks at tags whose strength wanders."""

import math
import random

import pytest

from gateway.domain.fading import ENOUGH_DB2, HALF_LIFE_S, SHORTEST_S, Fading


def wandering(change_s: float, every_s: float, looks: int = 20_000) -> Fading:
    """What a zone learns of a Gauss-Markov process of 4 dB that forgets in `change_s`, looked at so often."""
    rng, fading = random.Random(1), Fading()
    kept = math.exp(-every_s / change_s) if change_s else 0.0
    before_db = rng.gauss(0.0, 4.0)
    for _ in range(looks):
        now_db = kept * before_db + math.sqrt(1.0 - kept * kept) * rng.gauss(0.0, 4.0)
        fading.pair(every_s, before_db, now_db)
        before_db = now_db
    return fading


def learnt_s(*parts: Fading) -> float:
    """The looks of several zones as those of one."""
    whole = Fading()
    for name in ("_products", "_squares"):
        setattr(whole, name, [sum(octave) for octave in zip(*(getattr(part, name) for part in parts), strict=True)])
    whole.reckon(0.0)
    return whole.same_s


def test_looks_that_do_not_depend_on_one_another_each_count() -> None:
    assert learnt_s(*(wandering(0.0, every_s) for every_s in (0.3, 1.0, 3.0, 10.0, 40.0))) == SHORTEST_S


@pytest.mark.parametrize("change_s", [5.0, 20.0])
def test_looks_that_wander_slowly_are_worth_one_in_twice_the_time_they_forget_in(change_s: float) -> None:
    tags = [wandering(change_s, every_s) for every_s in (0.35, 0.7, 1.4, 2.8, 5.6, 11.0, 22.0, 45.0, 90.0)]
    assert learnt_s(*tags) == pytest.approx(2.0 * change_s, rel=0.3)


def test_strengths_that_never_change_teach_nothing() -> None:
    fading = Fading()
    for _ in range(10_000):
        fading.pair(1.0, 0.0, 0.0)
    fading.reckon(30.0)
    assert fading.same_s == SHORTEST_S


def test_a_few_looks_are_not_believed() -> None:
    fading = wandering(20.0, 1.0, looks=round(0.9 * ENOUGH_DB2 / 16.0))
    fading.reckon(0.0)
    assert fading.same_s == SHORTEST_S


def test_what_was_learnt_halves_in_a_day_of_looking() -> None:
    fading = wandering(20.0, 1.0, looks=round(1.5 * ENOUGH_DB2 / 16.0))
    fading.reckon(HALF_LIFE_S)
    assert fading.same_s > SHORTEST_S
    fading.reckon(0.0)
    assert fading.same_s == SHORTEST_S


@pytest.mark.parametrize("apart_s", [0.0, 128.0, 1e9])
def test_looks_at_one_moment_or_far_apart_do_no_harm(apart_s: float) -> None:
    fading = Fading()
    fading.pair(apart_s, 40.0, 40.0)
    fading.pair(apart_s, 40.0, 40.0)
    fading.reckon(1.0)
    assert fading.same_s >= SHORTEST_S
