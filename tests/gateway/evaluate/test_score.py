"""Scores of hand-made recordings whose every number can be worked out on paper."""

import numpy as np
import pytest

from gateway.evaluate.changes import NEVER_US, told_at_us
from gateway.evaluate.score import score
from gateway.evaluate.tracks import Levels, stays, tracks_of
from tests.gateway.evaluate.recorded import GTIN, OTHER_GTIN, readings, said, us


def test_the_truth_itself_has_no_error() -> None:
    truth = [(0, 0, "floor"), (0, 1, "back"), (50, 0, "exit"), (60, 0, None), (0, 2, "floor")]
    found = score(readings([], truth), said(*sorted(truth)))
    assert found.products.error == found.zones.error == found.wrong_sellable == 0.0
    assert found.products.true == pytest.approx(0.6 + 1.0 + 1.0)
    assert (found.changes.true, found.changes.missed, found.changes.late) == (2, 0, 0)
    assert found.changes.delays_s.tolist() == [0.0, 0.0]
    assert (found.changes.false_moves, found.changes.false_departures, found.ghosts) == (0, 0, 0)


def test_errors_are_weighted_by_time() -> None:
    # Counted from 20 s on, of 100 s: 0.2 items in the mean.
    found = score(readings([], [(0, 0, "floor")]), said((20, 0, "floor")))
    assert found.products.error == pytest.approx(0.2)
    assert found.products.share == pytest.approx(0.2)
    assert found.wrong_sellable == pytest.approx(0.2)
    assert [zone.error for zone in found.in_zone] == pytest.approx([0.2, 0.0, 0.0, 0.0])


def test_in_the_wrong_zone_is_wrong_twice() -> None:
    found = score(readings([], [(0, 0, "floor")]), said((0, 0, "back")))
    assert found.products.error == pytest.approx(2.0)
    assert found.wrong_sellable == pytest.approx(1.0)


def test_opposite_errors_cancel_out_in_a_zone_but_not_in_its_products() -> None:
    truth = [(0, 0, "floor"), (0, 2, "back")]
    found = score(readings([], truth), said((0, 0, "back"), (0, 2, "floor")))
    assert found.zones.error == pytest.approx(0.0)
    assert found.products.error == pytest.approx(4.0)


def test_two_items_of_one_product_may_stand_for_each_other() -> None:
    found = score(readings([], [(0, 0, "floor"), (0, 1, "back")]), said((0, 0, "back"), (0, 1, "floor")))
    assert found.products.error == 0.0


def test_a_departure_without_reason_is_false_each_time() -> None:
    words = said((0, 0, "floor"), (10, 0, None), (20, 0, "floor"), (40, 0, None), (50, 0, "floor"))
    found = score(readings([], [(0, 0, "floor")]), words)
    assert found.changes.false_departures == 2
    assert found.changes.false_moves == 0
    assert found.products.error == pytest.approx(0.2)
    assert found.item_days == pytest.approx(100 / 86_400)


@pytest.mark.parametrize(("said_s", "false"), [(69.0, 1), (71.0, 0), (100.0, 0), (150.0, 0)])
def test_a_departure_may_come_a_little_early_and_any_time_late(said_s: float, false: int) -> None:
    truth = [(0, 0, "floor"), (100, 0, None)]
    found = score(readings([], truth, end_s=200), said((0, 0, "floor"), (said_s, 0, None)))
    assert found.changes.false_departures == false


def test_who_has_left_cannot_depart_falsely() -> None:
    truth = [(0, 0, "floor"), (10, 0, None)]
    words = said((0, 0, "floor"), (12, 0, None), (20, 0, "floor"), (30, 0, None))
    found = score(readings([], truth), words)
    assert found.changes.false_departures == 0
    assert found.products.error == pytest.approx(0.02 + 0.1)


def test_away_and_back_are_two_false_moves() -> None:
    words = said((0, 0, "floor"), (10, 0, "back"), (11, 0, "floor"))
    assert score(readings([], [(0, 0, "floor")]), words).changes.false_moves == 2


def test_a_true_move_that_is_told_is_not_false_even_after_a_detour() -> None:
    truth = [(0, 0, "floor"), (10, 0, "back")]
    words = said((0, 0, "floor"), (12, 0, "exit"), (15, 0, "back"))
    found = score(readings([], truth), words).changes
    assert (found.false_moves, found.missed, found.late) == (1, 0, 0)
    assert found.delays_s.tolist() == [5.0]


def test_what_is_told_only_when_it_is_no_longer_true_was_missed() -> None:
    truth = [(0, 0, "floor"), (10, 0, "exit"), (20, 0, None)]
    found = score(readings([], truth), said((0, 0, "floor"), (25, 0, "exit"), (40, 0, None))).changes
    assert (found.true, found.missed) == (2, 1)
    assert found.delays_s.tolist() == [20.0]
    # It was late, but not out of thin air.
    assert (found.false_moves, found.false_departures) == (0, 0)


def test_an_entry_may_be_told_when_it_is_over() -> None:
    truth = [(0, 0, "floor"), (10, 0, "exit"), (14, 0, None), (0, 1, "back"), (20, 1, "exit")]
    rows = readings([], truth)
    words = said((0, 0, "floor"), (16, 0, "exit"), (30, 0, None), (0, 1, "back"))
    told_us = told_at_us(words, rows.truth, rows)
    # By tag and time: floor at once, exit after 6 s, gone after 16 s; back at once, exit never.
    delays = [
        None if at_us == NEVER_US else (at_us - true_us) / 1e6
        for at_us, true_us in zip(told_us, rows.truth.at_us, strict=True)
    ]
    assert delays == [0.0, 6.0, 16.0, 0.0, None]


def test_a_leaver_that_is_never_told_is_missed_unless_it_has_just_left() -> None:
    never = said((0, 0, "floor"))
    assert score(readings([], [(0, 0, "floor"), (10, 0, None)]), never).changes.missed == 1
    assert score(readings([], [(0, 0, "floor"), (90, 0, None)]), never).changes.missed == 0


def test_a_transition_told_after_a_minute_is_late() -> None:
    truth = [(0, 0, "floor"), (10, 0, "back")]
    found = score(readings([], truth, end_s=200), said((0, 0, "floor"), (70.5, 0, "back"))).changes
    assert (found.late, found.missed) == (1, 0)


def test_counts_without_names_are_scored_as_counts() -> None:
    rows = readings([], [(0, 0, "floor"), (0, 1, "floor")])
    product = int(rows.product[0])
    found = score(
        rows,
        Levels(
            np.array([us(0), us(50), us(75)]),
            np.array([product] * 3),
            np.array([0, 0, 1]),
            np.array([2.5, 1.0, 0.25]),
        ),
    )
    # Half an item too many for 50 s, one too few for 50 s, a quarter in the wrong zone for 25 s.
    assert found.products.error == pytest.approx(0.25 + 0.5 + 0.0625)
    assert (found.changes, found.ghosts, found.wrong_sellable) == (None, None, 1.0)


def test_ghosts_are_tags_that_no_truth_knows() -> None:
    found = score(readings([], [(0, 0, "floor")]), said((0, 0, "floor"), (5, 2, "floor"), (6, 2, None)))
    assert found.ghosts == 1
    assert found.products.error == pytest.approx(0.01)
    # Nobody can be wrong about when a ghost leaves.
    assert found.changes.false_departures == 0


def test_products_with_wrong_sellable_counts_are_averaged() -> None:
    truth = [(0, 0, "floor"), (0, 2, "floor")]
    found = score(readings([], truth, gtins=(GTIN, GTIN, OTHER_GTIN)), said((0, 0, "floor"), (50, 2, "floor")))
    assert found.wrong_sellable == pytest.approx(0.25)


def test_a_recording_in_which_nothing_is() -> None:
    found = score(readings([], []), said())
    assert (found.products.error, found.products.share, found.ghosts) == (0.0, 0.0, 0)
    assert found.changes.delays_s.size == 0


def test_tracks_keep_the_last_word_of_a_moment_and_drop_repeats() -> None:
    course = tracks_of([(5, 1, 0), (1, 0, -1), (2, 0, 3), (2, 0, 1), (9, 0, 1), (4, 0, 2), (5, 1, 0)])
    assert [tuple(int(value) for value in row) for row in zip(*course, strict=True)] == [
        (2, 0, 1),
        (4, 0, 2),
        (9, 0, 1),
        (5, 1, 0),
    ]


def test_stays_end_with_the_recording() -> None:
    found = stays(said((-5, 0, "floor"), (40, 0, None), (90, 0, "back")), us(0), us(100))
    assert (found.to_us - found.from_us).tolist() == [40_000_000, 10_000_000]
    assert np.array_equal(found.zone, [0, 1])
