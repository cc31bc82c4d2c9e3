import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.items import LEARNING_SPAN_S, MOVED_SPAN_S, PRIOR_CHANCE, Identity, Item, pace_s, silence_bound_s
from gateway.domain.params import PROFILES, PresenceParams, Profile, Zone, ZoneKind
from gateway.domain.presence import Presence
from gateway.domain.silence import UNEXPLAINED_PACES, pool_of
from gateway.domain.zones import LiveZone

# Under one false departure a day among 10,000 tags that are looked at every second.
ONE_A_DAY = 1.16e-9
SPARSE = PresenceParams(missing_floor_s=0.0, departed_floor_s=0.0)


def item(chance: float = PRIOR_CHANCE) -> Item:
    made = Item(Identity("09506000134352", "1"), b"\x30", 0)
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
    assert 1.0 <= silence_bound_s(chance, accident) < 60_000.0
    assert 0.0 < pace_s(chance) <= 2_000.0


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


def test_one_gap_tells_little_of_a_new_tag_and_much_of_one_that_has_moved() -> None:
    new, moved = item(), item()
    moved.learnt_s = MOVED_SPAN_S
    for learner in (new, moved):
        for _ in range(4):
            learner.learn(1.0)
    assert new.read_chance < 0.2
    assert moved.read_chance > 0.6


def test_the_fewer_reads_the_longer_its_silence_explains_itself() -> None:
    in_paces = []
    for reads in (1, 3, 10, 100):
        learner = item()
        for _ in range(reads):
            learner.learn(100.0)
        in_paces.append(learner.unexplained_s / learner.location.pace_s)
    assert in_paces == sorted(in_paces, reverse=True)
    assert in_paces[0] > 1.3 * in_paces[-1]
    assert in_paces[-1] < 1.15 * UNEXPLAINED_PACES


def test_what_was_learnt_before_an_outage_fades_with_its_length() -> None:
    for blind_s, believes in ((5.0, True), (14_400.0, False)):
        learner = item()
        for _ in range(200):
            learner.learn(5.0)
        learner.doubt(blind_s)
        learner.learn(200.0)
        assert (learner.read_chance > 0.1) is believes
        in_paces = learner.unexplained_s / learner.location.pace_s
        assert (in_paces < 1.1 * UNEXPLAINED_PACES) is believes
        assert (in_paces > 1.3 * UNEXPLAINED_PACES) is not believes
    learner.learnt_s = MOVED_SPAN_S
    learner.doubt(1e9)
    assert learner.learnt_s == MOVED_SPAN_S


def zone(params: PresenceParams) -> LiveZone:
    return LiveZone(Zone("a", ZoneKind.SALES_FLOOR, params), [("r", 1)], learning=False, now_us=0)


def known(chance: float) -> Item:
    """One that has been read more than once."""
    made = item(chance)
    made.unproven = False
    made.location.set_pace(pace_s(chance))
    return made


def test_bounds_have_floors_and_a_ceiling() -> None:
    often, rarely = known(0.9), known(0.002)
    params = PresenceParams()
    assert often.missing_after_s(params) == params.missing_floor_s
    assert often.departed_after_s(zone(params)) >= params.departed_floor_s
    short = PresenceParams(silence_ceiling_s=100.0)
    assert rarely.missing_after_s(short) == 100.0
    assert rarely.departed_after_s(zone(short)) == 100.0
    assert known(0.05).missing_after_s(SPARSE) == silence_bound_s(0.05, SPARSE.missing_chance)


def test_it_waits_for_what_its_zone_has_learnt_and_for_twice_its_own_longest_silence() -> None:
    place, one = zone(SPARSE), known(0.5)
    pool = pool_of(place.silences, one.location.pace_s, carried=False)
    pool.patience_s = 300.0
    assert one.departed_after_s(place) == one.unexplained_s + 300.0
    one.longest_s = 400.0
    assert one.departed_after_s(place) == one.unexplained_s + 800.0


def test_at_a_door_a_few_paces_of_silence_are_enough_unless_it_is_read_rarely() -> None:
    door = zone(PROFILES[Profile.DOOR])
    assert known(0.9).departed_after_s(door) == door.params.presence.exit_silence_s
    assert known(0.1).departed_after_s(door) == UNEXPLAINED_PACES * pace_s(0.1)


def test_a_single_read_is_withdrawn_by_time_alone() -> None:
    assert item().departed_after_s(zone(PresenceParams())) == PresenceParams().withdrawn_after_s


def test_nothing_departs_before_it_is_missing_by_default() -> None:
    for chance in (0.002, 0.01, 0.1, 0.5, 0.99):
        one = known(chance)
        assert one.missing_after_s(PresenceParams()) <= one.departed_after_s(zone(PresenceParams()))
    assert item().presence is Presence.GLIMPSED
