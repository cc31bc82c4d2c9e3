from dataclasses import replace

import pytest

from gateway.domain.location import (
    STRONGEST_WEIGHT,
    UNKNOWN_WEIGHT,
    WEAKEST_WEIGHT,
    WEIGHT_BY_DBM,
    Evidence,
    Location,
    fast_half_life_s,
    read_weight,
)
from gateway.domain.params import PresenceParams, Zone, ZoneKind
from gateway.domain.zones import US_PER_S, LiveZone
from readers.model import NO_RSSI_DBM

PACE_S = 1.0
MEMORY_S = 300.0
RACK = PresenceParams(evidence_reads=4.0, evidence_shortest_s=1.0, evidence_longest_s=60.0)
DOOR = replace(RACK, evidence_shortest_s=0.5, evidence_longest_s=0.5, move_dwell_s=0.5, move_weight=2.0)


class Places:
    """Zones that are looked at, and their time."""

    def __init__(self, **params: PresenceParams) -> None:
        self.now_us = 0
        self.zones = {
            name: LiveZone(Zone(name, ZoneKind.SALES_FLOOR, presence), [(name, 1), (name, 2)], learning=False, now_us=0)
            for name, presence in params.items()
        }
        for zone in self.zones.values():
            for antenna in zone.antennas:
                zone.observe(antenna, working=True, now_us=0)

    def __getitem__(self, name: str) -> LiveZone:
        return self.zones[name]

    def turn(self, seconds: float) -> None:
        self.now_us += round(seconds * US_PER_S)
        for zone in self.zones.values():
            zone.advance(self.now_us)


def test_a_read_weighs_by_its_amplitude_within_bounds() -> None:
    assert WEIGHT_BY_DBM[-60] == 1.0
    assert WEIGHT_BY_DBM[-66] == pytest.approx(0.5, rel=0.01)
    assert WEIGHT_BY_DBM[-40] == STRONGEST_WEIGHT
    assert WEIGHT_BY_DBM[-90] == WEAKEST_WEIGHT < WEIGHT_BY_DBM[NO_RSSI_DBM] == UNKNOWN_WEIGHT < WEIGHT_BY_DBM[-60]
    assert [WEIGHT_BY_DBM[dbm] for dbm in range(-128, 128)] == [read_weight(dbm) for dbm in range(-128, 128)]


def test_evidence_halves_in_its_half_life() -> None:
    places = Places(a=RACK)
    evidence = Evidence(places["a"], PACE_S)
    evidence.add(1.0, 0, MEMORY_S)
    first = evidence.now(0, MEMORY_S)[0]
    places.turn(4.0)
    assert evidence.now(0, MEMORY_S)[0] == pytest.approx(first / 2)


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
        evidence.add(1.0, 0, MEMORY_S)
    assert evidence.now(0, MEMORY_S)[0] == pytest.approx(10.0, rel=0.1)


def test_an_outage_freezes_what_is_known() -> None:
    places = Places(a=RACK)
    evidence = Evidence(places["a"], PACE_S)
    evidence.add(1.0, 0, MEMORY_S)
    before = evidence.now(0, MEMORY_S)[0]
    places["a"].observe(("a", 1), working=False, now_us=places.now_us)
    places.turn(3600.0)
    assert evidence.now(0, MEMORY_S)[0] == before


def test_reads_do_not_pile_up_while_one_antenna_of_a_zone_is_down() -> None:
    places = Places(a=RACK)
    healthy = Evidence(places["a"], PACE_S)
    for _ in range(100):
        places.turn(1.0)
        healthy.add(1.0, 0, MEMORY_S)
    places["a"].observe(("a", 1), working=False, now_us=places.now_us)
    degraded = Evidence(places["a"], PACE_S)
    for _ in range(3600):
        places.turn(1.0)
        degraded.add(1.0, 0, MEMORY_S)
    assert degraded.now(0, MEMORY_S)[0] == pytest.approx(healthy.now(0, MEMORY_S)[0], rel=0.01)


def test_a_weaker_cross_read_does_not_move() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    for _ in range(600):
        places.turn(1.0)
        location.add(places["a"], WEIGHT_BY_DBM[-55])
        location.add(places["b"], WEIGHT_BY_DBM[-60])
        assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.strongest() is places["a"]


def test_a_move_needs_a_margin_and_a_dwell() -> None:
    places = Places(a=RACK, b=replace(RACK, move_margin=2.0, move_dwell_s=3.0))
    location = Location(PACE_S, 0)
    location.add(places["a"], 1.0)
    location.add(places["b"], 1.9)
    assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.rival is None
    location.add(places["b"], 0.2)
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
    location.add(places["b"], 1.0)
    assert location.decide(places["a"], places.now_us) is places["a"]
    places.turn(2.0)
    location.add(places["a"], 1.0)
    assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.rival is None
    places.turn(2.0)
    location.add(places["b"], 9.0)
    assert location.decide(places["a"], places.now_us) is places["a"]
    assert location.rival_since_us == places.now_us


def test_another_rival_begins_its_own_dwell() -> None:
    places = Places(a=RACK, b=replace(RACK, move_dwell_s=3.0), c=replace(RACK, move_dwell_s=3.0))
    location = Location(PACE_S, 0)
    location.add(places["b"], 1.0)
    location.decide(places["a"], places.now_us)
    places.turn(2.9)
    location.add(places["c"], 5.0)
    assert location.decide(places["a"], places.now_us) is places["a"]
    places.turn(2.9)
    assert location.decide(places["a"], places.now_us) is places["a"]
    places.turn(0.1)
    assert location.decide(places["a"], places.now_us) is places["c"]


def test_only_zones_that_exist_are_kept() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    assert location.strongest() is None
    location.add(places["a"], 1.0)
    location.add(places["b"], 9.0)
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
                location.add(places[name], WEIGHT_BY_DBM[level])
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


def test_what_was_more_for_long_wins_without_any_change() -> None:
    places = Places(a=RACK, b=RACK)
    location = Location(PACE_S, 0)
    assert heard(location, places, 10, a=-62, b=-62) is places["a"]
    assert heard(location, places, 300, a=-62, b=-54) is places["b"]


def test_a_door_needs_more_than_a_stray_read() -> None:
    places = Places(a=RACK, b=DOOR)
    location = Location(PACE_S, 0)
    heard(location, places, 60, a=-60, b=None)
    assert heard(location, places, 10, a=None, b=None) is places["a"]
    location.add(places["b"], 1.0)
    places.turn(0.5)
    assert location.decide(places["a"], places.now_us) is places["a"]
    location.add(places["b"], 2.0)
    location.decide(places["a"], places.now_us)
    places.turn(0.25)
    location.add(places["b"], 2.0)
    places.turn(0.25)
    assert location.decide(places["a"], places.now_us) is places["b"]
