"""Whole shop hours on a clock that jumps: a seed is an hour, and everything goes wrong in it; see `hour`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.sender import DeltaSender
from gateway.window import Window
from tests.faults import hour
from tests.faults.shop import SEED, times

ROOT = Path(__file__).parents[2]
# Within so many hours a defect must show.
MOST_HOURS = 10
HOURS = times("SHOP_HOURS", 5)


@pytest.mark.timeout(60 + 10 * HOURS)
def test_every_hour_ends_with_the_truth_everywhere() -> None:
    """In a process of its own, where sets have the same order every time: then a seed is the same hour again."""
    first = SEED * 10_000
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.hour", str(first), str(first + HOURS)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr}repeat one with: PYTHONHASHSEED=0 python -m tests.faults.hour SEED"
    )


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


@pytest.mark.parametrize("defect", [forgets_what_was_in_flight, publishes_before_it_is_on_disk])
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
