import logging
from typing import TYPE_CHECKING

import pytest

from gateway.alerts import MAX_STANDING_ALERTS, SEVERITIES, AlertBoard, AlertKind
from tests.gateway.shop import HandClock

if TYPE_CHECKING:
    from gateway.payloads import Alert


class Board:
    def __init__(self) -> None:
        self.clock = HandClock()
        self.said: list[Alert] = []
        self.board = AlertBoard(self.clock.utc_us, self.said.append)


def test_every_kind_has_a_severity() -> None:
    assert set(SEVERITIES) == set(AlertKind)


def test_an_alert_is_raised_once_and_cleared_once_under_one_id(caplog: pytest.LogCaptureFixture) -> None:
    test = Board()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            test.board.raise_(AlertKind.READER_DOWN, "ceiling-1", "refused", "look at its power")
    assert len(caplog.records) == 1
    assert [standing.subject for standing in test.board] == ["ceiling-1"]
    test.clock.turn(5)
    for _ in range(2):
        test.board.clear(AlertKind.READER_DOWN, "ceiling-1")
    raised, cleared = test.said
    assert (raised.status, cleared.status) == ("raised", "cleared")
    assert raised.id == cleared.id
    assert (raised.severity, raised.text, raised.hint) == ("warning", "refused", "look at its power")
    assert raised.at < cleared.at
    assert list(test.board) == []
    assert test.board.raised[AlertKind.READER_DOWN] == 1


def test_the_same_trouble_again_is_another_alert() -> None:
    test = Board()
    for _ in range(2):
        test.board.raise_(AlertKind.ZONE_STALE, "floor", "x", "y")
        test.board.clear(AlertKind.ZONE_STALE, "floor")
        test.clock.turn(1)
    assert len({alert.id for alert in test.said}) == 2


def test_what_only_happened_does_not_stand() -> None:
    test = Board()
    test.board.once(AlertKind.CLOCK_JUMP, "ceiling-1", "x", "y")
    assert [alert.status for alert in test.said] == ["raised", "cleared"]
    assert list(test.board) == []


def test_subjects_and_kinds_stand_apart() -> None:
    test = Board()
    test.board.raise_(AlertKind.READER_DOWN, "a", "x", "y")
    test.board.raise_(AlertKind.READER_DOWN, "b", "x", "y")
    test.board.raise_(AlertKind.FRAME_ERRORS, "a", "x", "y")
    test.board.clear(AlertKind.READER_DOWN, "a")
    assert {(standing.kind, standing.subject) for standing in test.board} == {
        (AlertKind.READER_DOWN, "b"),
        (AlertKind.FRAME_ERRORS, "a"),
    }


def test_beyond_the_limit_only_the_log_tells() -> None:
    test = Board()
    for number in range(MAX_STANDING_ALERTS + 20):
        test.board.raise_(AlertKind.ANTENNA_DOWN, f"r:{number}", "x", "y")
    assert len(list(test.board)) == len(test.said) == MAX_STANDING_ALERTS
    test.board.clear(AlertKind.ANTENNA_DOWN, "r:0")
    test.board.raise_(AlertKind.ANTENNA_DOWN, "new", "x", "y")
    assert test.said[-1].subject == "new"


def test_a_full_board_does_not_repeat_itself_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    test = Board()
    for number in range(MAX_STANDING_ALERTS):
        test.board.raise_(AlertKind.READER_DOWN, f"reader-{number}", "gone", "look")
    caplog.clear()
    for _ in range(50):
        test.board.raise_(AlertKind.ANTENNA_DOWN, "r:1", "pulled", "plug it in")
        test.board.raise_(AlertKind.ZONE_STALE, "floor", "stale", "look")
    assert len(caplog.records) == 2
    assert "500 alerts stand already" in caplog.text
