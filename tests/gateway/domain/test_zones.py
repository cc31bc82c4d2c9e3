import pytest

from gateway.domain.params import PresenceParams, Zone, ZoneKind
from gateway.domain.zones import LONGEST_LOOK_US, US_PER_S, Antenna, LiveZone, ZoneClock, ZoneState, antenna_works
from readers.model import AntennaCondition, ReaderCondition

ONE: Antenna = ("ceiling-1", 1)
TWO: Antenna = ("ceiling-1", 2)
FLOOR = Zone("floor", ZoneKind.SALES_FLOOR, PresenceParams(settle_s=30.0, learning_limit_s=100.0))


def at(seconds: float) -> int:
    return round(seconds * US_PER_S)


def live(*antennas: Antenna, learning: bool = False) -> LiveZone:
    return LiveZone(FLOOR, antennas, learning=learning, now_us=0)


def test_the_clock_counts_only_what_was_healthy() -> None:
    clock = ZoneClock()
    assert clock.now_s(at(500)) == 0.0
    clock.run(healthy=True, now_us=at(1000))
    assert clock.now_s(at(1007)) == 7.0
    clock.run(healthy=False, now_us=at(1010))
    assert not clock.running
    assert clock.now_s(at(9000)) == 10.0
    clock.run(healthy=True, now_us=at(9000))
    assert clock.now_s(at(9000.5)) == 10.5


def test_a_line_that_was_stuck_has_not_looked() -> None:
    clock = ZoneClock()
    clock.run(healthy=True, now_us=at(10))
    assert clock.now_s(at(10) + LONGEST_LOOK_US) == LONGEST_LOOK_US / US_PER_S
    assert clock.now_s(at(9000)) == 2 * LONGEST_LOOK_US / US_PER_S


def test_the_clock_never_goes_back() -> None:
    clock = ZoneClock()
    clock.run(healthy=True, now_us=at(10))
    assert clock.now_s(at(20)) == 10.0
    assert clock.now_s(at(15)) == 10.0
    assert clock.now_s(at(21)) == 11.0


def test_a_zone_is_stale_until_an_antenna_works_and_degraded_until_all_do() -> None:
    zone = live(ONE, TWO)
    assert zone.state is ZoneState.STALE
    assert zone.observe(ONE, working=True, now_us=at(1))
    assert (zone.state, zone.trusted, zone.clock.running) == (ZoneState.DEGRADED, False, False)
    assert zone.observe(TWO, working=True, now_us=at(2))
    assert (zone.state, zone.trusted, zone.clock.running) == (ZoneState.OK, True, True)
    assert not zone.observe(TWO, working=True, now_us=at(3))
    assert zone.since_us == at(2)
    assert zone.observe(ONE, working=False, now_us=at(12))
    zone.advance(at(60))
    assert (zone.state, zone.clock_s, zone.since_us) == (ZoneState.DEGRADED, 10.0, at(12))


def test_every_state_is_told_in_words_of_its_own() -> None:
    zone = live(ONE, TWO)
    texts = [live().describe(), zone.describe()]
    zone.observe(ONE, working=True, now_us=0)
    texts.append(zone.describe())
    assert "ceiling-1:2" in texts[-1]
    zone.observe(TWO, working=True, now_us=0)
    texts.append(zone.describe())
    zone.learning = True
    texts.append(zone.describe())
    assert len(set(texts)) == 5


def test_learning_ends_when_nothing_new_came_for_a_while() -> None:
    zone = live(ONE, learning=True)
    zone.observe(ONE, working=True, now_us=0)
    assert (zone.state, zone.trusted) == (ZoneState.LEARNING, False)
    assert not zone.advance(at(20))
    zone.newest_s = zone.clock_s
    assert not zone.advance(at(49.9))
    assert zone.advance(at(50))
    assert (zone.state, zone.since_us) == (ZoneState.OK, at(50))


def test_learning_ends_at_its_limit_however_much_comes() -> None:
    zone = live(ONE, learning=True)
    zone.observe(ONE, working=True, now_us=0)
    for second in range(1, 100):
        zone.newest_s = zone.clock_s
        assert not zone.advance(at(second))
    zone.newest_s = zone.clock_s
    assert zone.advance(at(100))


def test_an_outage_teaches_nothing() -> None:
    zone = live(ONE, learning=True)
    zone.observe(ONE, working=True, now_us=0)
    zone.advance(at(10))
    zone.observe(ONE, working=False, now_us=at(10))
    assert not zone.advance(at(5000))
    zone.observe(ONE, working=True, now_us=at(5000))
    assert not zone.advance(at(5019))
    assert zone.advance(at(5020))


def test_reform_keeps_what_is_known_of_antennas_that_stay() -> None:
    zone = live(ONE)
    zone.observe(ONE, working=True, now_us=0)
    zone.reform(FLOOR, [ONE, TWO], at(10))
    assert (zone.state, zone.down, zone.since_us) == (ZoneState.DEGRADED, {TWO}, at(10))
    zone.reform(FLOOR, [ONE], at(20))
    assert (zone.state, zone.clock.running) == (ZoneState.OK, True)


def test_a_zone_that_lost_its_last_antenna_knows_nothing() -> None:
    zone = live(ONE)
    zone.observe(ONE, working=True, now_us=0)
    zone.reform(FLOOR, [], at(10))
    zone.advance(at(10_000))
    assert (zone.state, zone.clock_s) == (ZoneState.STALE, 10.0)


def test_an_antenna_that_looks_elsewhere_now_is_not_listened_to() -> None:
    zone = live(ONE, TWO)
    for antenna in (ONE, TWO):
        zone.observe(antenna, working=True, now_us=0)
    zone.reform(FLOOR, [ONE], at(10))
    assert not zone.observe(TWO, working=False, now_us=at(11))
    assert (zone.state, zone.clock.running) == (ZoneState.OK, True)


@pytest.mark.parametrize("condition", ReaderCondition)
@pytest.mark.parametrize("antenna", [*AntennaCondition, None])
def test_an_antenna_works_while_its_reader_reads_and_does_not_deny_it(
    condition: ReaderCondition, antenna: AntennaCondition | None
) -> None:
    told = {} if antenna is None else {3: antenna}
    expected = condition is ReaderCondition.READING and antenna is not AntennaCondition.DOWN
    assert antenna_works(condition, told, 3) is expected


def test_the_clock_knows_which_silences_an_outage_lies_in() -> None:
    clock = ZoneClock()
    clock.run(healthy=True, now_us=0)
    assert clock.blind_s(0.0) == 0.0
    clock.run(healthy=False, now_us=10 * US_PER_S)
    clock.run(healthy=True, now_us=110 * US_PER_S)
    assert (clock.blind_s(10.0), clock.blind_s(10.5)) == (100.0, 0.0)
    # Another outage, 20 s later: of the first 80 s are left.
    clock.now_s(130 * US_PER_S)
    clock.run(healthy=False, now_us=130 * US_PER_S)
    clock.run(healthy=True, now_us=135 * US_PER_S)
    assert (clock.blind_s(30.0), clock.blind_s(31.0)) == (85.0, 0.0)


@pytest.mark.parametrize("healthy", [True, False])
def test_what_passed_before_the_clock_began_is_an_outage_too(healthy: bool) -> None:
    clock = ZoneClock()
    clock.run(healthy=healthy, now_us=100 * US_PER_S)
    clock.miss(30 * US_PER_S, 100 * US_PER_S)
    clock.run(healthy=True, now_us=120 * US_PER_S)
    assert clock.blind_s(-7.0) == (70.0 if healthy else 90.0)
    assert clock.blind_s(clock.now_s(121 * US_PER_S)) == 0.0


def test_a_clock_that_was_set_back_missed_nothing() -> None:
    clock = ZoneClock()
    clock.run(healthy=True, now_us=0)
    clock.miss(50 * US_PER_S, 0)
    assert clock.blind_s(0.0) == 0.0


@pytest.mark.parametrize(
    ("here", "there", "odds"), [(0, 0, 1.0), (500, 200, 2.0), (200, 500, 0.5), (900, 5, 3.0), (0, 900, 1 / 3)]
)
def test_an_item_lies_likelier_where_more_do_but_numbers_say_so_much_at_most(
    here: int, there: int, odds: float
) -> None:
    zones = live(ONE), live(TWO)
    for zone, items in zip(zones, (here, there), strict=True):
        zone.hold(items)
    assert zones[0].odds(zones[1]) == pytest.approx(odds)


def test_how_many_there_are_says_nothing_before_they_were_counted_or_where_people_pass() -> None:
    rack, new = live(ONE), live(TWO)
    door = LiveZone(Zone("door", ZoneKind.EXIT, PresenceParams(move_nats=0.0)), [TWO], learning=False, now_us=0)
    for zone in (rack, door):
        zone.hold(100)
    assert (new.odds(rack), rack.odds(new), door.odds(rack), rack.odds(door)) == (1.0, 1.0, 1.0, 1.0)
