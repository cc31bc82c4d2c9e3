"""What faults and the network make of the reads."""

from typing import Any

import numpy as np
import pytest

from simulators.recording import Recording
from tests.simulators.shops import shop, table

S = 1_000_000


def _record(fault: dict[str, Any] | None = None, **reader: Any) -> Recording:
    """Three minutes of one room; a fault from the first to the second minute."""
    room = table(faults=[{"reader": "ceiling", "at_s": 60.0, "for_s": 60.0} | fault] if fault else [])
    room["readers"][0] |= reader
    return shop(**room).record(1)


def _taken(recording: Recording, first_s: float, last_s: float) -> int:
    seconds = (recording.taken_us - recording.start_us) / S
    return int(((seconds >= first_s) & (seconds < last_s)).sum())


def test_reads_arrive_in_batches_a_little_later() -> None:
    recording = _record(report_ms=500)
    late = recording.received_us - recording.taken_us
    assert late.min() > 0
    assert late.max() < 600_000
    assert len(np.unique(recording.received_us)) <= 361
    assert (recording.stamp_us == recording.taken_us).all()


@pytest.mark.parametrize("kind", ["reboot", "frozen"])
def test_a_reader_that_is_away_or_hangs_reads_nothing(kind: str) -> None:
    recording = _record({"kind": kind})
    assert _taken(recording, 61, 119) == 0
    assert _taken(recording, 0, 60) > 500
    assert _taken(recording, 120, 180) > 500
    # That it hangs nobody is told.
    assert [link.connected for link in recording.links] == ([False, True] if kind == "reboot" else [])


@pytest.mark.parametrize("told", [True, False])
def test_a_pulled_antenna_is_silent_and_the_other_is_not(*, told: bool) -> None:
    recording = _record({"kind": "cable", "antenna": 2, "told": told})
    seconds = (recording.taken_us - recording.start_us) / S
    away = (seconds > 61) & (seconds < 119)
    assert set(recording.antenna[away]) == {0}
    assert set(recording.antenna[~away]) == {0, 1}
    assert [event.up for event in recording.antenna_events] == ([False, True] if told else [])
    assert recording.links == []


def test_a_backlog_comes_in_a_burst_and_is_dated_when_it_was_read() -> None:
    recording = _record({"kind": "network", "held": True})
    taken, received = ((at - recording.start_us) / S for at in (recording.taken_us, recording.received_us))
    assert not ((received >= 60) & (received < 120)).any()
    held = (taken > 60) & (taken < 119)
    assert held.sum() > 500
    assert received[held].min() >= 120
    assert received[held].max() < 125
    lost, back = recording.links
    assert (lost.connected, back.connected) == (False, True)
    assert 60 <= (lost.at_us - recording.start_us) / S < 64
    assert (back.at_us - recording.start_us) / S == pytest.approx(120)
    assert (np.diff(recording.received_us) >= 0).all()


def test_without_a_backlog_what_was_read_meanwhile_is_lost() -> None:
    recording = _record({"kind": "network"})
    assert _taken(recording, 61, 119) == 0
    assert _taken(recording, 121, 180) > 500


def test_a_gateway_that_is_down_has_lost_every_link() -> None:
    recording = _record({"kind": "gateway", "reader": None})
    assert recording.downtimes == [(recording.start_us + 60 * S, recording.start_us + 120 * S)]
    assert [(link.reader, link.connected) for link in recording.links] == [("ceiling", False), ("ceiling", True)]
    assert _taken(recording, 61, 119) == 0


def test_clocks_say_what_they_like_and_the_truth_stays() -> None:
    recording = _record({"kind": "clock", "jump_s": 30.0}, clock={"offset_s": -2.0, "drift_ppm": 100.0})
    ahead = (recording.stamp_us - recording.taken_us) / S
    seconds = (recording.taken_us - recording.start_us) / S
    assert ahead == pytest.approx(-2.0 + seconds * 1e-4 + np.where(seconds >= 60, 30.0, 0.0), abs=1e-5)


def test_a_reader_that_counts_its_uptime() -> None:
    recording = _record(clock={"uptime": True})
    assert recording.stamp_us[0] / S == pytest.approx(3600, abs=2)


def test_ghosts_are_other_items_of_articles_that_exist() -> None:
    recording = shop(**table(noise={"ghosts_per_hour": 400.0})).record(1)
    ghosts = range(40, len(recording.epcs))
    assert len(ghosts) > 10
    reads = np.bincount(recording.tag, minlength=len(recording.epcs))
    assert all(reads[ghost] == 1 for ghost in ghosts)
    assert {recording.gtins[ghost] for ghost in ghosts} <= set(recording.gtins[:40])
    # Header, filter, partition, company and item are one of ours.
    assert {recording.epcs[ghost][:7] for ghost in ghosts} <= {epc[:7] for epc in recording.epcs[:40]}
    assert recording.rssi_dbm[np.isin(recording.tag, ghosts)].max() <= -66


def test_progress_is_told_once_a_minute() -> None:
    told: list[float] = []
    shop().record(1, told.append)
    assert told == sorted(told)
    assert len(told) == 2
