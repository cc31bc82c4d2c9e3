"""What must hardly ever happen: the pieces on little data, and the findings on results written by hand."""

import math
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from gateway.domain.params import PresenceParams
from gateway.evaluate import resting as resting_module
from gateway.evaluate.crossread import CROSSES, RULES, Cross, Crossed, crossed
from gateway.evaluate.rare import QUICK_KINDS, RACKS, Passages, findings, of_median, pieces
from gateway.evaluate.resting import (
    DAILY_OUTAGES,
    EARLY_HOURS,
    NO_OUTAGES,
    US_PER_HOUR,
    Down,
    Outage,
    Resting,
    _Reads,
    resting,
)
from simulators.rare import TagRuns


def run(tag: int, *runs: tuple[int, int, int]) -> TagRuns:
    """Runs of one tag: (first, last, reads)."""
    first, last, reads = (np.array(column, dtype=np.int64) for column in zip(*runs, strict=True))
    return TagRuns(tag, 1.0, 1_000, first, last, reads)


def test_runs_become_reads_in_order_piece_by_piece() -> None:
    runs = [run(0, (10, 50, 5), (200, 200, 1)), run(1, (30, 300, 3))]
    reads = _Reads(runs, np.random.default_rng(1))
    pieces_of = [reads.until(to_us) for to_us in (40, 120, 250, 1_000)]
    assert all(np.all(np.diff(at_us) >= 0) for at_us, _ in pieces_of)
    at_us, tag = (np.concatenate(column) for column in zip(*pieces_of, strict=True))
    assert np.all(np.diff(at_us) >= 0)
    assert (np.count_nonzero(tag == 0), np.count_nonzero(tag == 1)) == (6, 3)
    assert at_us[tag == 0][[0, 4, 5]].tolist() == [10, 50, 200]
    assert at_us[tag == 1][[0, 2]].tolist() == [30, 300]
    for (part, _), (low, high) in zip(pieces_of, ((0, 40), (40, 120), (120, 250), (250, 1_000)), strict=True):
        assert np.all((part >= low) & (part < high))


def test_what_nobody_hears_is_gone() -> None:
    reads = _Reads([run(0, (10, 90, 9))], np.random.default_rng(1))
    reads.skip(50)
    at_us, _ = reads.until(1_000)
    assert np.all(at_us >= 50)
    assert at_us[-1] == 90


def rack(monkeypatch: pytest.MonkeyPatch, *runs: TagRuns) -> None:
    """A rack on which these reads are all there is."""
    monkeypatch.setattr(resting_module, "load_scenario", lambda _: None)
    monkeypatch.setattr(resting_module, "resting_tags", lambda *_: iter(runs))


def hours(first: float, last: float, reads_per_hour: float = 720.0) -> tuple[int, int, int]:
    return round(first * US_PER_HOUR), round(last * US_PER_HOUR), round((last - first) * reads_per_hour)


@pytest.mark.parametrize("what", list(Outage))
def test_an_outage_is_no_departure_and_an_empty_rack_is_one(monkeypatch: pytest.MonkeyPatch, what: Outage) -> None:
    rack(monkeypatch, run(0, hours(0.0, 24.0)), run(1, hours(0.0, 24.0)))
    found = resting("tiny", 1, 1.0, (Down(what, 2.0, 20.0),))
    assert (found.departures, found.in_outages, found.outages) == (0, 0, 1)
    assert found.item_days == 2.0


def test_who_really_falls_silent_for_hours_departs(monkeypatch: pytest.MonkeyPatch) -> None:
    rack(monkeypatch, run(0, hours(0.0, 24.0)), run(1, hours(0.0, 6.0)))
    found = resting("tiny", 1, 1.0)
    assert (found.departures, found.early, found.outages) == (1, 0, 0)


def test_restarts_remember_who_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who falls silent with the gateway and never comes back departs in its next life, and only then."""
    rack(monkeypatch, run(0, hours(0.0, 24.0)), run(1, hours(0.0, 2.0)))
    found = resting("tiny", 1, 1.0, (Down(Outage.GATEWAY, 2.0, 4.0),))
    assert found.departures == 1


def test_cross_reads_move_edgex_and_true_moves_are_told() -> None:
    found = {each.rule: each for each in crossed(Cross(0.5, 0.25), 1, tags=6, hours=0.5)}
    assert list(found) == list(RULES)
    assert found["EdgeX asset tracking"].false_moves / found["EdgeX asset tracking"].tag_hours > 48
    assert np.median(found["EdgeX retail garment"].delays_s) > 20.0
    assert len(found["ours"].delays_s) == 6
    assert found["ours"].tag_hours == 3.0


def test_pieces_are_as_many_item_days_as_asked_for() -> None:
    work = [piece for piece in pieces(24_000, 1001) if isinstance(piece, partial)]
    racks = [piece.args for piece in work if piece.args[0] in RACKS]
    tags = dict(zip(RACKS, (500, 1600), strict=True))
    calm = sum(tags[name] * days for name, _, days, outages in racks if not outages)
    assert calm == pytest.approx(24_000, rel=0.15)
    assert {seed for _, seed, *_ in racks} <= set(range(1001, 1020))
    assert sum(isinstance(piece.args[0], Cross) for piece in work) == len(CROSSES)


def test_findings_beside_their_targets() -> None:
    results = [
        Resting(RACKS[0], 20_000.0, 1, 0, 0),
        Resting(RACKS[0], 1_000.0, 0, 6, 0),
        Resting(RACKS[1], 10_000.0, 3, 0, 0, early=3),
        Resting(RACKS[1], 1_000.0, 2, 6, 1),
        Crossed("ours", CROSSES[2], 200.0, 4, (5.0, 15.0, math.inf)),
        Crossed("EdgeX asset tracking", CROSSES[2], 200.0, 40_000, (1.0, 1.0, 1.0)),
        Passages(QUICK_KINDS[0], (1.0, 3.0)),
        Passages(QUICK_KINDS[0], (4.0,)),
    ]
    found = {(each.what, each.unit.split()[0]): each for each in findings(results)}
    quiet = found[RACKS[0], "false"]
    assert (quiet.value, quiet.met) == (pytest.approx(0.5), True)
    assert (quiet.low, quiet.high) == pytest.approx((0.01266, 2.786), rel=1e-3)
    assert (found[RACKS[1], "false"].value, found[RACKS[1], "false"].met) == (pytest.approx(3.0), False)
    later = found[f"{RACKS[1]}, after its first {EARLY_HOURS} hours", "false"]
    assert (later.value, later.met) == (0.0, True)
    assert found[f"{RACKS[0]}, after its first {EARLY_HOURS} hours", "false"].value == pytest.approx(0.503, rel=1e-2)
    assert found[f"{RACKS[0]}, through outages", "false"].met is True
    assert found[f"{RACKS[1]}, through outages", "false"].met is False
    assert found["ours, 0.3 + 0.15/s", "false"].value == pytest.approx(0.02)
    assert found["ours, 0.3 + 0.15/s", "s"].value == 15.0
    # What rivals do is told; nothing is asked of them.
    assert found["EdgeX asset tracking, 0.3 + 0.15/s", "false"].met is None
    assert (found[f"into {QUICK_KINDS[0]}", "s"].value, found[f"into {QUICK_KINDS[0]}", "s"].met) == (3.0, False)
    assert found["ours, 0.3 + 0.15/s", "s"].as_json()["interval_95"] == [5.0, None]


def test_the_interval_of_a_median() -> None:
    # 100 values: the ranks 40.2 and 59.8 of a binomial count.
    found = of_median(range(100))
    assert found == (49.5, 40, 59)
    assert of_median([7.0]) == (7.0, 7.0, 7.0)


def test_outages_leave_room_between_them() -> None:
    assert NO_OUTAGES == ()
    for before, after in pairwise(DAILY_OUTAGES):
        assert before.to_hour + 1.0 < after.from_hour
    # The test above relies on this: what departs is what was silent for hours.
    assert PresenceParams().departed_floor_s < 4 * 3600
