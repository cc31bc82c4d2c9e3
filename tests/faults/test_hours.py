"""Whole shop hours on a clock that jumps: a seed is an hour, and everything goes wrong in it; see `hour`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.sender import DeltaSender
from gateway.window import Window
from readers.llrp.driver import Link
from tests.faults import hour
from tests.faults.shop import SEED, times

ROOT = Path(__file__).parents[2]
# Within so many hours a defect must show.
MOST_HOURS = 10
HOURS = times("SHOP_HOURS", 5)


def run_hours(*seeds: int) -> str:
    """In a process of its own, where sets have the same order every time: then a seed is the same hour again."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.hours", *map(str, seeds)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr}repeat one with: PYTHONHASHSEED=0 python -m tests.faults.hours SEED"
    )
    return done.stdout


@pytest.mark.timeout(60 + 10 * HOURS)
def test_every_hour_ends_with_the_truth_everywhere() -> None:
    first = SEED * 10_000
    told = run_hours(first, first + HOURS)
    trace = told.split()[-1]
    assert trace in run_hours(first + HOURS - 1), "a seed that is repeated is another hour"


def forgets_what_was_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    rewind = Window._rewind

    def forgetful(window: Window) -> None:
        further = window._next
        rewind(window)
        window._next = further
        window.acknowledged = further - 1

    monkeypatch.setattr(Window, "_rewind", forgetful)


def publishes_before_it_is_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    publish = DeltaSender._publish

    def twice(sender: DeltaSender, seq: int, payload: bytes) -> bool:
        publish(sender, seq, payload.replace(b'"seq":%d' % seq, b'"seq":%d' % (seq + 1)))
        return publish(sender, seq, payload)

    monkeypatch.setattr(DeltaSender, "_publish", twice)


def raises_where_nobody_catches(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: Link, error: Exception | None) -> None:
        raise LookupError(f"no such link: {error}")

    monkeypatch.setattr(Link, "connection_lost", gone)


@pytest.mark.parametrize(
    "defect", [forgets_what_was_in_flight, publishes_before_it_is_on_disk, raises_where_nobody_catches]
)
def test_a_defect_is_found(defect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch)
    found = ""
    for seed in range(MOST_HOURS):
        try:
            hour.live_through(seed)
        except (hour.HourError, BaseExceptionGroup) as error:
            found = f"{error!r}"
            break
    assert "seed" in found
