import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.items import (
    LEARNING_SPAN_S,
    PRIOR_CHANCE,
    Identity,
    Item,
    Presence,
    pace_s,
    silence_bound_s,
)
from gateway.domain.params import PresenceParams

# Under one false departure a day among 10,000 tags that are looked at every second.
ONE_A_DAY = 1.16e-9
SPARSE = PresenceParams(missing_floor_s=0.0, departed_floor_s=0.0)


def item(chance: float = PRIOR_CHANCE) -> Item:
    made = Item(Identity("09506000134352", "1"), [b"\x30"], 0)
    made.read_chance = chance
    return made


@pytest.mark.parametrize(("chance", "seconds"), [(0.3, 54), (0.1, 173), (0.03, 560), (0.01, 1589)])
def test_the_silence_that_chance_explains_once_a_day(chance: float, seconds: int) -> None:
    assert math.ceil(silence_bound_s(chance, ONE_A_DAY)) in {seconds, seconds + 1}


@given(st.floats(0.002, 0.9), st.floats(1e-12, 1e-4))
def test_after_the_bound_accident_is_as_rare_as_wanted(chance: float, accident: float) -> None:
    bound_s = silence_bound_s(chance, accident)
    assert chance * (1.0 - chance) ** bound_s <= accident * (1 + 1e-6)


@given(st.floats(allow_nan=False), st.floats(1e-12, 1e-4))
def test_whatever_was_learnt_the_bound_is_a_time(chance: float, accident: float) -> None:
    assert 1.0 <= silence_bound_s(chance, accident) < 20_000.0
    assert 0.0 < pace_s(chance) <= 500.0


@pytest.mark.parametrize("rate", [3.0, 0.5, 0.1])
def test_learning_finds_the_read_chance_of_a_random_stream(rate: float) -> None:
    random = Random(f"reads {rate}")
    learner = item()
    estimates = []
    for _ in range(20_000):
        learner.learn(random.expovariate(rate))
        estimates.append(learner.read_chance)
    settled = estimates[2_000:]
    assert sum(settled) / len(settled) == pytest.approx(1.0 - math.exp(-rate), rel=0.08)
    assert learner.learnt_s == LEARNING_SPAN_S


def test_the_pace_follows_what_is_learnt() -> None:
    learner = item()
    assert learner.location.pace_s == pytest.approx(pace_s(PRIOR_CHANCE))
    for _ in range(500):
        learner.learn(20.0)
    assert learner.location.pace_s == pytest.approx(20.0, rel=0.05)


def test_reads_within_one_tick_teach_nothing() -> None:
    learner = item()
    learner.learn(0.0)
    learner.learn(-1.0)
    assert (learner.read_chance, learner.learnt_s) == (PRIOR_CHANCE, item().learnt_s)


def test_a_new_tag_is_not_written_off_by_one_long_gap() -> None:
    learner = item()
    learner.learn(5.0)
    assert 0.1 < learner.read_chance < 0.2


def test_bounds_have_floors_and_a_ceiling() -> None:
    often, rarely = item(0.9), item(0.002)
    params = PresenceParams()
    assert often.missing_after_s(params) == params.missing_floor_s
    assert often.departed_after_s(params) == params.departed_floor_s
    short = PresenceParams(silence_ceiling_s=100.0)
    assert rarely.missing_after_s(short) == 100.0
    assert rarely.departed_after_s(short) == short.departed_floor_s
    own_s = silence_bound_s(0.05, SPARSE.missing_chance)
    assert item(0.05).missing_after_s(SPARSE) == own_s
    assert item(0.05).departed_after_s(SPARSE) == SPARSE.departed_factor * own_s


def test_nothing_departs_before_it_is_missing_by_default() -> None:
    for chance in (0.002, 0.01, 0.1, 0.5, 0.99):
        one = item(chance)
        assert one.missing_after_s(PresenceParams()) <= one.departed_after_s(PresenceParams())
    assert item().presence is Presence.GLIMPSED
