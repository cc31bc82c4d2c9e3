from dataclasses import replace

import pytest

from gateway.domain.evidence import (
    LEAST_CHANGE_DB,
    MOST_OF_A_LOOK,
    MOST_OF_ABSENCE,
    MOST_OF_STAYING,
    STRONGEST_WEIGHT,
    UNKNOWN_WEIGHT,
    WEAKEST_WEIGHT,
    WEIGHT_BY_DBM,
    Evidence,
    fast_half_life_s,
    read_weight,
)
from gateway.domain.location import TWO_S_US, Location
from gateway.domain.params import PresenceParams
from readers.model import NO_RSSI_DBM
from tests.gateway.places import Places

PACE_S = 1.0
MEMORY_S = 300.0
DBM = -60.0
RACK = PresenceParams(evidence_reads=4.0, evidence_shortest_s=1.0, evidence_longest_s=60.0)
DOOR = replace(RACK, evidence_shortest_s=0.5, evidence_longest_s=0.5)


def memory_s(places: Places) -> float:
    """How far back the slow evidence goes of an item that came at 0."""
    return min(MEMORY_S, places.now_us / TWO_S_US)


def test_a_read_weighs_by_its_amplitude_within_bounds() -> None:
    assert WEIGHT_BY_DBM[-60] == 1.0
    assert WEIGHT_BY_DBM[-66] == pytest.approx(0.5, rel=0.01)
    assert WEIGHT_BY_DBM[-40] == STRONGEST_WEIGHT
    assert WEIGHT_BY_DBM[-90] == WEAKEST_WEIGHT < WEIGHT_BY_DBM[NO_RSSI_DBM] == UNKNOWN_WEIGHT < WEIGHT_BY_DBM[-60]
    assert [WEIGHT_BY_DBM[dbm] for dbm in range(-128, 128)] == [read_weight(dbm) for dbm in range(-128, 128)]


def test_evidence_halves_in_its_half_life() -> None:
    places = Places(a=RACK)
    evidence = Evidence(places["a"], PACE_S)
    evidence.add(1.0, DBM, memory_s(places))
    first = evidence.now(memory_s(places))[0]
    places.turn(4.0)
    assert evidence.now(memory_s(places))[0] == pytest.approx(first / 2)


@pytest.mark.parametrize(("pace_s", "half_life_s"), [(0.1, 1.0), (1.0, 4.0), (5.0, 20.0), (100.0, 60.0)])
def test_the_half_life_follows_the_tag_within_the_bounds_of_the_zone(pace_s: float, half_life_s: float) -> None:
    assert fast_half_life_s(RACK, pace_s) == half_life_s
    location = Location(PACE_S, 0)
    evidence = location.of(Places(a=RACK)["a"])
    location.set_pace(pace_s)
    assert evidence.fast_s == half_life_s


@pytest.mark.parametrize("presence", [RACK, DOOR], ids=["slow", "fast"])
def test_a_steady_stream_is_worth_its_rate_in_slow_zones_and_fast_ones(presence: PresenceParams) -> None:
    places = Places(a=presence)
    evidence = Evidence(places["a"], PACE_S)
    for _ in range(600):
        places.turn(0.1)
        evidence.add(1.0, DBM, memory_s(places))
    assert evidence.now(memory_s(places))[0] == pytest.approx(10.0, rel=0.1)


def test_an_outage_freezes_what_is_known() -> None:
    places = Places(a=RACK)
    evidence = Evidence(places["a"], PACE_S)
    evidence.add(1.0, DBM, memory_s(places))
    before = evidence.now(memory_s(places))[0]
    places["a"].observe(("a", 1), working=False, now_us=places.now_us)
    places.turn(3600.0)
    assert evidence.now(memory_s(places))[0] == before


def test_reads_do_not_pile_up_while_one_antenna_of_a_zone_is_down() -> None:
    places = Places(a=RACK)
    healthy = Evidence(places["a"], PACE_S)
    for _ in range(100):
        places.turn(1.0)
        healthy.add(1.0, DBM, memory_s(places))
    places["a"].observe(("a", 1), working=False, now_us=places.now_us)
    degraded = Evidence(places["a"], PACE_S)
    for _ in range(3600):
        places.turn(1.0)
        degraded.add(1.0, DBM, memory_s(places))
    assert degraded.now(memory_s(places))[0] == pytest.approx(healthy.now(memory_s(places))[0], rel=0.01)


# -- how a zone is used to hear an item, and whether that has changed --------------------------------------------


def used_to(places: Places, name: str, dbm: float, every_s: float) -> Evidence:
    """Evidence of a zone that has long read an item this often and this strongly."""
    evidence = Evidence(places[name], PACE_S)
    for _ in range(200):
        places.turn(every_s)
        evidence.add(1.0, dbm, memory_s(places))
    return evidence


def test_a_zone_learns_how_often_and_how_strongly_it_reads_an_item() -> None:
    places = Places(a=RACK)
    evidence = used_to(places, "a", -57.0, 2.0)
    assert evidence.often == pytest.approx(0.5, rel=0.05)
    assert evidence.level_dbm == pytest.approx(-57.0)
    places.turn(60.0)
    evidence.add(1.0, NO_RSSI_DBM, memory_s(places))
    assert evidence.level_dbm == pytest.approx(-57.0)


def test_only_reads_beyond_what_is_usual_are_news() -> None:
    places = Places(a=RACK, b=RACK)
    own, rival = used_to(places, "a", -56.0, 2.0), used_to(places, "b", -64.0, 2.0)
    rival.heard(own, -64.0)
    assert rival.news == 0.0
    rival.heard(own, -56.0)
    first = rival.news
    assert 0.0 < first <= MOST_OF_A_LOOK
    rival.heard(own, -56.0)
    assert rival.news == pytest.approx(2 * first)
    rival.heard(own, -64.0)
    assert rival.news < 2 * first


def test_news_from_a_zone_that_reads_on_as_seldom_as_ever_wears_off() -> None:
    places = Places(a=RACK, b=RACK)
    own, rival = used_to(places, "a", -56.0, 1.0), used_to(places, "b", -64.0, 10.0)
    rival.heard(own, -56.0)
    before = rival.news
    rival.unheard(own, 1.0)
    assert 0.0 < rival.news < before
    rival.unheard(own, 60.0)
    assert rival.news == 0.0


def test_absence_says_something_but_never_everything() -> None:
    places = Places(a=RACK, b=RACK)
    own, rival = used_to(places, "a", -56.0, 1.0), used_to(places, "b", -64.0, 10.0)
    rival.own_unheard(own, 1.0)
    assert 0.0 < rival.absence < MOST_OF_ABSENCE
    rival.own_unheard(own, 3600.0)
    assert rival.absence == MOST_OF_ABSENCE
    for _ in range(60):
        rival.own_heard(own, 0.0, -56.0)
    assert rival.absence == -MOST_OF_STAYING


def test_weak_reads_of_its_own_zone_are_absence_too() -> None:
    places = Places(a=RACK, b=RACK)
    own, rival = used_to(places, "a", -56.0, 1.0), used_to(places, "b", -64.0, 1.0)
    rival.own_heard(own, 0.0, -64.0)
    assert rival.absence > 0.0


def test_without_strength_only_the_rate_of_reads_speaks() -> None:
    places = Places(a=RACK, b=RACK)
    own, rival = used_to(places, "a", NO_RSSI_DBM, 1.0), used_to(places, "b", NO_RSSI_DBM, 5.0)
    rival.heard(own, NO_RSSI_DBM)
    rival.own_heard(own, 0.0, NO_RSSI_DBM)
    assert rival.news > 0.0 > rival.absence


def test_a_zone_that_never_read_it_is_not_believed_on_one_look() -> None:
    places = Places(a=RACK, b=RACK)
    own, rival = used_to(places, "a", -56.0, 1.0), Evidence(places["b"], PACE_S, -68.0)
    rival.heard(own, -68.0 + LEAST_CHANGE_DB)
    assert 0.0 < rival.news <= MOST_OF_A_LOOK


def test_a_pace_of_long_ago_is_no_number_that_is_too_large() -> None:
    evidence = Evidence(Places(a=RACK)["a"], PACE_S)
    evidence.often = 1e-300
    assert evidence.pace_s(1e9, 0.0) > 0.0
