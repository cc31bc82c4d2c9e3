import random
from dataclasses import replace

import pytest

from gateway.domain.company import AS_BEFORE
from gateway.domain.evidence import WEIGHT_BY_DBM
from gateway.domain.location import Location
from gateway.domain.params import PresenceParams
from gateway.domain.zones import LiveZone
from tests.gateway.places import Places

PACE_S = 1.0
DBM = -60.0
# By the margin alone, as where people pass within seconds.
RACK = PresenceParams(evidence_reads=4.0, evidence_shortest_s=1.0, evidence_longest_s=60.0, move_nats=0.0)
DOOR = replace(RACK, evidence_shortest_s=0.5, evidence_longest_s=0.5, move_dwell_s=0.5, move_weight=2.0)
# By what has changed.
LEARNT = PresenceParams()


def test_a_weaker_cross_read_does_not_move() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    for _ in range(600):
        places.turn(1.0)
        location.add(places["a"], WEIGHT_BY_DBM[-55], -55)
        location.add(places["b"], WEIGHT_BY_DBM[-60], -60)
        assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.strongest() is places["a"]


def test_a_move_needs_a_margin_and_a_dwell() -> None:
    places = Places(a=RACK, b=replace(RACK, move_margin=2.0, move_dwell_s=3.0))
    location = Location(PACE_S, 0)
    location.add(places["a"], 1.0, DBM)
    location.add(places["b"], 1.9, DBM)
    assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.rival is None
    location.add(places["b"], 0.2, DBM)
    assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.rival is places["b"]
    places.turn(2.9)
    assert location.decide(places["a"], places.now_us) is places["a"]
    places.turn(0.1)
    assert location.decide(places["a"], places.now_us) is places["b"]
    location.settle(places["b"], places.now_us)
    assert location.rival is None


def test_a_rival_that_loses_its_margin_begins_again() -> None:
    places = Places(a=RACK, b=replace(RACK, move_dwell_s=3.0))
    location = Location(PACE_S, 0)
    location.add(places["b"], 1.0, DBM)
    assert location.decide(places["a"], places.now_us) is places["a"]
    places.turn(2.0)
    location.add(places["a"], 1.0, DBM)
    assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.rival is None
    places.turn(2.0)
    location.add(places["b"], 9.0, DBM)
    assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.rival_since_us == places.now_us


def test_another_rival_begins_its_own_dwell() -> None:
    places = Places(a=RACK, b=replace(RACK, move_dwell_s=3.0), c=replace(RACK, move_dwell_s=3.0))
    location = Location(PACE_S, 0)
    location.add(places["b"], 1.0, DBM)
    location.decide(places["a"], places.now_us)
    places.turn(2.9)
    location.add(places["c"], 5.0, DBM)
    assert location.decide(places["a"], places.now_us) is places["a"]
    places.turn(2.9)
    assert location.decide(places["a"], places.now_us) is places["a"]
    places.turn(0.1)
    assert location.decide(places["a"], places.now_us) is places["c"]


@pytest.mark.parametrize(("b_dbm", "waits"), [(-50, False), (-62, True)], ids=["carried", "louder for long"])
def test_what_the_looks_surely_say_does_not_wait_for_a_dwell(b_dbm: int, *, waits: bool) -> None:
    """`b` hears the item as loud as `a` did, or as loud as ever, and `a` hears it far less."""
    moved_s = {}
    for dwell_s in (0.0, 4.0):
        params = replace(LEARNT, evidence_reads=4.0, move_dwell_s=dwell_s)
        places = Places(a=params, b=params)
        location = Location(PACE_S, 0)
        assert heard(location, places, 120, a=-50, b=-62) is places["a"]
        second = 1
        while heard(location, places, 1, b=b_dbm) is places["a"]:
            second += 1
        moved_s[dwell_s] = second
    assert (moved_s[4.0] - moved_s[0.0] >= 4) is waits


def test_only_zones_that_exist_are_kept() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    assert location.strongest() is None
    location.add(places["a"], 1.0, DBM)
    location.add(places["b"], 9.0, DBM)
    location.decide(places["a"], places.now_us)
    location.keep({"a"})
    assert (location.strongest(), location.rival) == (places["a"], None)


# -- what is news --------------------------------------------------------------------------------------------------


def heard(location: Location, places: Places, seconds: int, **dbm: int | None) -> LiveZone:
    """A read a second in each zone at this strength (None: none); where the item is at the end, starting in `a`."""
    at = places["a"]
    for _ in range(seconds):
        places.turn(1.0)
        for name, level in dbm.items():
            if level is not None:
                location.add(places[name], WEIGHT_BY_DBM[level], level)
        best = location.decide(at, places.now_us)
        if best is not at:
            location.settle(best, places.now_us)
            at = best
    return at


def test_a_cross_read_that_has_always_been_there_does_not_take_over_what_is_blocked() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    assert heard(location, places, 120, a=-50, b=-66) is places["a"]
    assert heard(location, places, 15, a=None, b=-66) is places["a"]


def test_the_same_silence_with_reads_that_are_news_is_a_move() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    assert heard(location, places, 120, a=-50, b=-66) is places["a"]
    assert heard(location, places, 15, a=None, b=-50) is places["b"]


def test_cross_reads_are_believed_once_the_own_zone_has_all_but_lost_it() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    assert heard(location, places, 120, a=-50, b=-66) is places["a"]
    assert heard(location, places, 60, a=None, b=-66) is places["b"]


def test_where_fading_is_slow_to_have_lost_it_takes_longer_than_a_fade() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    places["a"].fading.same_s = 300.0
    assert heard(location, places, 120, a=-50, b=-66) is places["a"]
    assert heard(location, places, 80, a=None, b=-66) is places["a"], "a body, or waves that cancel out"
    assert heard(location, places, 20, a=None, b=-66) is places["b"]


def test_what_was_more_for_long_wins_without_any_change() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    assert heard(location, places, 10, a=-62, b=-62) is places["a"]
    assert heard(location, places, 300, a=-62, b=-54) is places["b"]


@pytest.mark.parametrize(
    ("in_a", "in_b", "b_dbm", "ends_in"),
    [
        (100, 100, -57, "a"),
        (100, 400, -57, "b"),
        (100, 100_000, -70, "a"),
        (400, 100, -52, "a"),
        (100, 100, -50, "b"),
    ],
)
def test_what_two_zones_hear_alike_lies_where_most_items_do(in_a: int, in_b: int, b_dbm: int, ends_in: str) -> None:
    places = Places(a=LEARNT, b=LEARNT)
    location = Location(PACE_S, 0)
    for name, items in (("a", in_a), ("b", in_b)):
        places[name].hold(items)
    location.settle(places["a"], places.now_us)
    assert heard(location, places, 1200, a=-58, b=b_dbm) is places[ends_in]


def test_more_for_long_is_no_reason_for_a_door_unless_the_item_is_being_carried() -> None:
    passed = replace(DOOR, leaves_silent=True, move_dwell_s=0.0)
    places = Places(a=RACK, b=passed, c=passed)
    location = Location(PACE_S, 0)
    for _ in range(120):
        places.turn(1.0)
        location.add(places["a"], WEIGHT_BY_DBM[-66], -66)
        location.add(places["b"], WEIGHT_BY_DBM[-54], -54)
        # As it was there when the shop was opened: nothing is news.
        location.settle(places["a"], places.now_us)
    for _ in range(60):
        places.turn(1.0)
        location.add(places["b"], WEIGHT_BY_DBM[-54], -54)
        assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.decide(places["a"], places.now_us, carried=True) is places["b"]


def test_a_door_needs_more_than_a_stray_read() -> None:
    places = Places(a=RACK, b=DOOR)
    location = Location(PACE_S, 0)
    heard(location, places, 60, a=-60, b=None)
    assert heard(location, places, 10, a=None, b=None) is places["a"]
    location.add(places["b"], 1.0, DBM)
    places.turn(0.5)
    assert location.decide(places["a"], places.now_us) is places["a"]
    location.add(places["b"], 2.0, DBM)
    location.decide(places["a"], places.now_us)
    places.turn(0.25)
    location.add(places["b"], 2.0, DBM)
    places.turn(0.25)
    assert location.decide(places["a"], places.now_us) is places["b"]


# -- was it carried? -------------------------------------------------------------------------------------------------

SIGMA_DB = 4.0


def scattered(
    location: Location, places: Places, rng: random.Random, seconds: int, **usual: tuple[float, float]
) -> tuple[LiveZone, int, float]:
    """Reads at random: zone -> (chance in a second, mean dBm). Its place at the end, its moves, the first's time."""
    assert location.own is not None
    at, moves, first_s = location.own.zone, 0, float("inf")
    for second in range(seconds):
        places.turn(1.0)
        for name, (chance, mean_dbm) in usual.items():
            if rng.random() < chance:
                dbm = round(rng.gauss(mean_dbm, SIGMA_DB))
                location.add(places[name], WEIGHT_BY_DBM[dbm], dbm)
        best = location.decide(at, places.now_us)
        if best is not at:
            location.settle(best, places.now_us)
            at, moves, first_s = best, moves + 1, min(first_s, second)
    return at, moves, first_s


def resting(places: Places, rng: random.Random, **usual: tuple[float, float]) -> Location:
    """An item in `a` that is known for ten minutes."""
    location = Location(PACE_S, 0)
    location.set_pace(1.0 / sum(chance for chance, _ in usual.values()))
    location.settle(places["a"], 0)
    at, _, _ = scattered(location, places, rng, 600, **usual)
    assert at is places["a"]
    return location


@pytest.mark.parametrize(("own", "cross"), [(0.3, 0.15), (0.3, 0.3), (0.9, 0.9)])
def test_a_tag_between_two_antennas_stays_for_hours_and_moves_within_seconds(own: float, cross: float) -> None:
    delays_s = []
    for seed in range(5):
        places, rng = Places(a=LEARNT, b=LEARNT), random.Random(seed)
        location = resting(places, rng, a=(own, -58.0), b=(cross, -64.0))
        _, moves, _ = scattered(location, places, rng, 3600, a=(own, -58.0), b=(cross, -64.0))
        assert moves == 0
        at, _, first_s = scattered(location, places, rng, 300, a=(cross, -64.0), b=(own, -58.0))
        assert at is places["b"]
        delays_s.append(first_s)
    assert sorted(delays_s)[2] <= 25.0


def test_a_body_before_the_shelf_is_no_move_however_long_the_neighbours_read_on() -> None:
    places, rng = Places(a=LEARNT, b=LEARNT), random.Random(1)
    location = resting(places, rng, a=(0.5, -56.0), b=(0.3, -62.0))
    at, moves, _ = scattered(location, places, rng, 20, b=(0.3, -62.0))
    assert (at, moves) == (places["a"], 0)


def test_what_the_next_zone_has_always_heard_is_no_move_while_its_own_is_down_but_what_is_news_is() -> None:
    places, rng = Places(a=LEARNT, b=LEARNT), random.Random(4)
    location = resting(places, rng, a=(0.5, -62.0), b=(0.4, -63.0))
    places["a"].observe(("a", 1), working=False, now_us=places.now_us)
    at, moves, _ = scattered(location, places, rng, 3600, b=(0.4, -63.0))
    assert (at, moves) == (places["a"], 0)
    at, _, first_s = scattered(location, places, rng, 60, b=(0.9, -50.0))
    assert at is places["b"]
    assert first_s < 30


def test_an_item_that_followed_others_stays_though_its_old_zone_hears_it_ten_times_better() -> None:
    places, rng = Places(a=LEARNT, b=LEARNT), random.Random(2)
    location = resting(places, rng, a=(0.5, -56.0))
    location.settle(places["b"], places.now_us, taken_back=AS_BEFORE)
    assert location.followed_from is places["a"]
    at, moves, _ = scattered(location, places, rng, 1800, a=(0.2, -70.0), b=(0.02, -72.0))
    assert (at, moves) == (places["b"], 0)
    assert location.strongest() is places["b"]


def test_an_item_that_followed_others_is_not_moved_on_by_cross_reads() -> None:
    places, rng = Places(a=LEARNT, b=LEARNT, c=LEARNT), random.Random(2)
    location = resting(places, rng, a=(0.5, -56.0), c=(0.05, -72.0))
    location.settle(places["b"], places.now_us, taken_back=AS_BEFORE)
    at, moves, _ = scattered(location, places, rng, 1800, c=(0.05, -72.0))
    assert (at, moves) == (places["b"], 0)


def test_an_item_that_followed_by_mistake_comes_back_when_its_old_zone_hears_it_as_before() -> None:
    places, rng = Places(a=LEARNT, b=LEARNT), random.Random(3)
    location = resting(places, rng, a=(0.5, -56.0))
    location.settle(places["b"], places.now_us, taken_back=AS_BEFORE)
    at, moves, first_s = scattered(location, places, rng, 60, a=(0.5, -56.0))
    assert (at, moves) == (places["a"], 1)
    assert first_s < 30
    assert location.followed_from is None


def test_a_tag_that_only_another_zone_reads_has_gone_there_once_its_own_is_silent_for_too_long() -> None:
    places, rng = Places(a=LEARNT, b=LEARNT), random.Random(6)
    location = resting(places, rng, a=(0.5, -56.0))
    for pool in places["a"].silences:
        pool.looked_s = 1e6
    at, moves, first_s = scattered(location, places, rng, 1800, b=(0.01, -78.0))
    assert (at, moves) == (places["b"], 1)
    assert 60 < first_s < 900


def test_gaps_of_its_own_zone_alone_are_no_silence_where_another_one_reads_it_as_often() -> None:
    places, rng = Places(a=LEARNT, b=LEARNT), random.Random(8)
    location = resting(places, rng, a=(0.3, -58.0), b=(0.3, -64.0))
    places["a"].moved = 1_000.0
    for pool in places["a"].silences:
        pool.looked_s = 1e6
    own, rival = location.of(places["a"]), location.of(places["b"])
    for second in range(600):
        places.turn(1.0)
        location.add(places["b"], WEIGHT_BY_DBM[-64], -64)
        if second % 12 == 0:
            location.add(places["a"], WEIGHT_BY_DBM[-58], -58)
        location.decide(places["a"], places.now_us)
        assert not location._is_gone(rival, own)


def test_how_long_its_own_zone_may_be_silent_is_learnt_from_silences_and_moves() -> None:
    places, rng = Places(a=LEARNT, b=LEARNT), random.Random(7)
    location = resting(places, rng, a=(0.5, -56.0), b=(0.01, -78.0))
    for pool in places["a"].silences:
        pool.looked_s = 1e6
        for _ in range(2_000):
            pool.ended(600.0)
    for _ in range(40):
        places.turn(10.0)
        location.add(places["b"], WEIGHT_BY_DBM[-78], -78)
    own, rival = location.of(places["a"]), location.of(places["b"])
    silent_often = location._is_gone(rival, own)
    places["a"].moved = 10_000.0
    assert not silent_often
    assert location._is_gone(rival, own)


def test_a_zone_that_is_gone_is_not_its_own_any_more() -> None:
    places, rng = Places(a=LEARNT, b=LEARNT), random.Random(5)
    location = resting(places, rng, a=(0.5, -56.0), b=(0.5, -70.0))
    location.keep({"b"})
    assert location.own is None
