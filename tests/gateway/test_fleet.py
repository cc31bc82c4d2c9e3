from typing import TYPE_CHECKING

import pytest

from gateway.alerts import AlertBoard
from gateway.domain.zones import Antenna, ZoneState
from gateway.fleet import RATE_US, Fleet
from gateway.intake import Intake
from readers.model import (
    AntennaCondition,
    Fault,
    InputSample,
    ReadBatch,
    ReaderCondition,
    ReaderNotice,
    ReaderState,
    WeightCondition,
    WeightSample,
)
from tests.gateway.shop import RACK, READER, HandClock, Shop, tag

if TYPE_CHECKING:
    from gateway.payloads import Alert, ReaderStatus

REFUSED = Fault("refused", "connection refused", "is it on?")


class Bench:
    """One reader with two antennas, that look into `a` and `b`; it has joined and said nothing yet."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.shop = Shop({"a": RACK, "b": RACK}, clock=self.clock)
        self.shop.fails()
        self.intake = Intake()
        self.said: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.told: list[ReaderStatus] = []
        board = AlertBoard(self.clock.utc_us, self._hear)
        self.blind: set[Antenna] = set()
        self.fleet = Fleet(
            self.intake, self.clock, board, lambda _reader, status: self.told.append(status), self.blind.__contains__
        )
        self.join()

    def _hear(self, alert: "Alert") -> None:
        self.said.append((alert.kind, alert.subject, alert.status))
        self.words.append(f"{alert.text}; {alert.hint}")

    def join(self, *ports: int, driver: str = "llrp") -> None:
        zones = {1: self.shop.zones["a"], 2: self.shop.zones["b"]}
        mapping = {port: zones[port] for port in ports or zones}
        self.fleet.join(READER, driver, mapping, "10.0.0.11:5084")

    def put(self, condition: ReaderCondition, fault: Fault | None = None, **antennas: AntennaCondition) -> None:
        ports = {int(name[1:]): state for name, state in antennas.items()}
        self.fleet.put(ReaderState(READER, condition, model="R420", antennas=ports, fault=fault))

    def states(self) -> list[ZoneState]:
        return [self.shop.zones[name].state for name in "ab"]


def test_a_reader_that_has_joined_is_connecting() -> None:
    test = Bench()
    (status,) = test.told
    assert (status.state, status.driver, status.address, status.error) == ("connecting", "llrp", "10.0.0.11:5084", None)
    assert test.states() == [ZoneState.STALE, ZoneState.STALE]


def test_zones_follow_their_reader_and_its_antennas() -> None:
    test = Bench()
    test.put(ReaderCondition.CONNECTED)
    assert test.states() == [ZoneState.STALE, ZoneState.STALE]
    test.put(ReaderCondition.READING, p1=AntennaCondition.UP)
    assert test.states() == [ZoneState.OK, ZoneState.OK]
    test.put(ReaderCondition.READING, p1=AntennaCondition.UP, p2=AntennaCondition.DOWN)
    assert test.states() == [ZoneState.OK, ZoneState.STALE]
    assert test.said == [("antenna_down", f"{READER}:2", "raised")]
    test.put(ReaderCondition.READING, p2=AntennaCondition.UP)
    assert test.said[-1] == ("antenna_down", f"{READER}:2", "cleared")
    test.put(ReaderCondition.FAILED, REFUSED)
    assert test.states() == [ZoneState.STALE, ZoneState.STALE]


def test_a_reader_is_down_from_its_first_failure_until_it_reads() -> None:
    test = Bench()
    test.put(ReaderCondition.FAILED, REFUSED)
    test.put(ReaderCondition.CONNECTING)
    test.put(ReaderCondition.FAILED, REFUSED)
    assert test.said == [("reader_down", READER, "raised")]
    status = test.told[-1]
    assert status.error is not None
    assert (status.error.kind, status.error.hint) == ("refused", "is it on?")
    test.put(ReaderCondition.CONNECTED)
    assert len(test.said) == 1
    test.put(ReaderCondition.READING)
    assert test.said[-1] == ("reader_down", READER, "cleared")
    assert test.fleet.members[READER].failures == {"refused": 2}


def test_since_is_when_the_condition_began() -> None:
    test = Bench()
    test.clock.turn(10)
    test.put(ReaderCondition.READING)
    since = test.told[-1].since
    test.clock.turn(10)
    test.put(ReaderCondition.READING, p1=AntennaCondition.UP)
    assert test.told[-1].since == since
    assert test.told[-1].antennas == {"1": "up"}
    test.put(ReaderCondition.FAILED, REFUSED)
    assert test.told[-1].since > since


def test_reads_go_to_the_queue_and_their_rate_is_told_when_it_changes() -> None:
    test = Bench()
    for _ in range(100):
        test.fleet.put(ReadBatch(READER, 0, 0, [(tag(1), 1, -50, 0, 0, 1)] * 5))
    assert test.intake.waiting_reads == 500
    test.clock.turn(RATE_US / 1e6 - 1)
    test.fleet.measure()
    assert len(test.told) == 1
    test.clock.turn(1)
    test.fleet.measure()
    assert [status.reads_per_s for status in test.told] == [0.0, 100.0]
    test.clock.turn(5)
    for _ in range(98):
        test.fleet.put(ReadBatch(READER, 0, 0, [(tag(1), 1, -50, 0, 0, 1)] * 5))
    test.fleet.measure()
    assert len(test.told) == 2
    assert test.fleet.status(READER).reads_per_s == 98.0


def test_notices_are_counted() -> None:
    test = Bench()
    test.fleet.put(ReaderNotice(READER, Fault("clock_jump", "x", "y")))
    test.fleet.put(ReaderNotice(READER, Fault("frame_error", "x", "y"), count=3))
    assert test.fleet.members[READER].notices == {"clock_jump": 1, "frame_error": 3}


@pytest.mark.parametrize(
    ("kind", "alert"),
    [
        ("clock_wrong", "clock_jump"),
        ("reader_overflow", "reads_dropped"),
        ("frame_error", "frame_errors"),
        ("bad_tag", "frame_errors"),
        ("lines_lost", "frame_errors"),
        ("slave_down", "reader_notice"),
        ("saturated", "reader_notice"),
        ("reader_hot", "reader_notice"),
        ("what the next driver says", "reader_notice"),
    ],
)
def test_only_what_loses_bytes_is_a_frame_error(kind: str, alert: str) -> None:
    test = Bench()
    test.fleet.put(ReaderNotice(READER, Fault(kind, "x", "y")))
    assert [kind for kind, _, status in test.said if status == "raised"] == [alert]


@pytest.mark.parametrize(
    ("driver", "is_antenna"), [("llrp", True), ("m100", True), ("scale", False), ("modbus", False)]
)
def test_nobody_is_sent_to_look_for_the_antenna_of_a_scale(driver: str, is_antenna: bool) -> None:
    test = Bench()
    test.join(1, 2, driver=driver)
    test.put(ReaderCondition.READING, p1=AntennaCondition.UP, p2=AntennaCondition.DOWN)
    assert test.said == [("antenna_down", f"{READER}:2", "raised")]
    assert ("antenna" in test.words[0], "channel" in test.words[0]) == (is_antenna, not is_antenna)


def test_whoever_leaves_or_joins_anew_leaves_no_alert_behind() -> None:
    test = Bench()
    test.put(ReaderCondition.READING, p2=AntennaCondition.DOWN)
    test.join(1)
    assert test.said[-1] == ("antenna_down", f"{READER}:2", "cleared")
    test.put(ReaderCondition.FAILED, REFUSED)
    test.fleet.leave(READER)
    assert test.said[-1] == ("reader_down", READER, "cleared")
    assert test.fleet.members == {}


def test_a_zone_hears_of_its_reader_when_the_map_changes() -> None:
    test = Bench()
    test.put(ReaderCondition.READING, p1=AntennaCondition.UP, p2=AntennaCondition.DOWN)
    zone = test.shop.zones["b"]
    zone.reform(zone.params, [(READER, 1), (READER, 2)], test.clock.now_us)
    test.fleet.remap(READER, {1: zone, 2: zone})
    assert zone.state is ZoneState.DEGRADED
    assert zone.down == {(READER, 2)}


def test_a_rate_that_fades_away_in_small_steps_is_told_in_the_end() -> None:
    bench = Bench()
    bench.put(ReaderCondition.READING)
    for reads in (500, 420, 350, 290, 240, 200, 20, 10, 0):
        bench.fleet.put(ReadBatch(READER, bench.clock.now_us, 0, [(tag(1), 1, -50, 0, 0, 1)] * reads))
        bench.clock.turn(RATE_US / 1e6)
        bench.fleet.measure()
    assert bench.told[-1].reads_per_s == 0.0
    assert max(status.reads_per_s for status in bench.told) == 100.0


def test_weights_and_inputs_go_to_the_line_and_count_as_what_a_reader_delivers() -> None:
    test = Bench()
    weight = WeightSample(READER, 1, 7, WeightCondition.STABLE, 5.0)
    covered = InputSample(READER, 2, 8, 1.0)
    test.fleet.put(weight)
    test.fleet.put(covered)
    assert list(test.intake.take_samples()) == [weight, covered]
    assert test.fleet.members[READER].reads == 2


def test_a_channel_that_answers_and_cannot_be_counted_does_not_work() -> None:
    test = Bench()
    test.blind.add((READER, 2))
    test.put(ReaderCondition.READING)
    assert test.states() == [ZoneState.OK, ZoneState.STALE]
    test.blind.clear()
    test.fleet.look_again(READER)
    assert test.states() == [ZoneState.OK, ZoneState.OK]
    test.fleet.look_again("nobody")
