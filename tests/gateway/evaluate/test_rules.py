"""Each rule on reads so few that what it says can be worked out on paper."""

import numpy as np
import pytest

from gateway.evaluate.grids import GRIDS
from gateway.evaluate.rules.ale import AleSmoothing
from gateway.evaluate.rules.edgex import EdgeX
from gateway.evaluate.rules.floor import Floor
from gateway.evaluate.rules.hmm import PRIOR_EPOCHS, PRIOR_SEEN, STRAY_CHANCE, TwoStates, posterior, step
from gateway.evaluate.rules.rsp import IntelRsp
from gateway.evaluate.rules.rule import Place, Rule, strongest_antenna
from gateway.evaluate.rules.smurf import SLOTS, Smurf, Windows, has_moved, required_epochs
from gateway.evaluate.rules.smurf_count import SmurfCount, weights
from gateway.evaluate.rules.weighted import ASSET_TRACKING, RETAIL_GARMENT
from gateway.evaluate.rules.window import FixedWindow
from gateway.evaluate.score import score
from tests.gateway.evaluate.recorded import BACK, EXIT, FLOOR, FLOOR_2, TILL, R, readings, told

ALL: list[Rule] = [rule for grid in GRIDS.values() for rule in grid if not isinstance(rule, SmurfCount)]


# -- all of them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ALL, ids=str)
def test_a_rule_says_nothing_where_nothing_is_read(rule: Rule) -> None:
    assert len(rule(readings([])).at_us) == 0


@pytest.mark.parametrize("rule", ALL, ids=str)
def test_what_is_read_all_the_time_in_one_zone_is_there_for_good(rule: Rule) -> None:
    often = [R(at_s / 5, FLOOR, tag) for at_s in range(1, 1495) for tag in (0, 1)]
    found = rule(readings(often, end_s=300.0))
    for tag in (0, 1):
        [(at_s, zone)] = told(found, tag)
        assert zone == "floor"
        assert at_s <= 60.2


@pytest.mark.parametrize("rule", ALL, ids=str)
def test_no_rule_looks_ahead(rule: Rule) -> None:
    """What is said until a moment does not depend on what is read later."""
    rng = np.random.default_rng(7)
    walk = [
        R(at_s, int(antenna), tag=int(tag), dbm=int(dbm))
        for at_s, antenna, tag, dbm in zip(
            np.sort(rng.uniform(0, 900, 400)),
            rng.choice([FLOOR, BACK, TILL, EXIT, FLOOR_2], 400),
            rng.integers(0, 3, 400),
            rng.integers(-75, -45, 400),
            strict=True,
        )
    ]
    whole, part = rule(readings(walk, end_s=900)), rule(readings([r for r in walk if r.at_s < 400], end_s=900))
    for tag in range(3):
        until_400 = [word for word in told(whole, tag) if word[0] < 400]
        assert until_400 == [word for word in told(part, tag) if word[0] < 400]


# -- fixed windows and where they place a tag -------------------------------------------------------------------


def test_a_window_ends_when_its_last_read_falls_out() -> None:
    found = FixedWindow(10.0)(readings([R(1, FLOOR), R(11, FLOOR), R(21.5, FLOOR), R(95, FLOOR)]))
    assert told(found) == [(1, "floor"), (21, None), (21.5, "floor"), (31.5, None), (95, "floor")]


def test_the_last_read_places_a_tag() -> None:
    found = FixedWindow(60.0)(readings([R(1, FLOOR), R(2, BACK), R(3, BACK), R(4, FLOOR_2)]))
    assert told(found) == [(1, "floor"), (2, "back"), (4, "floor"), (64, None)]


def test_the_strongest_mean_places_a_tag_by_antenna() -> None:
    reads = [R(1, FLOOR, dbm=-50), R(2, BACK, dbm=-55), R(3, BACK, dbm=-40), R(4, FLOOR, dbm=-50), R(20, BACK, dbm=-90)]
    rows = readings(reads)
    # After 3 s: floor -50, back -47.5. After 20 s only the last is left in 10 s.
    assert strongest_antenna(rows, 10_000_000).tolist() == [FLOOR, FLOOR, BACK, BACK, BACK]
    assert told(FixedWindow(60.0, Place(mean_s=10.0))(rows)) == [(1, "floor"), (3, "back"), (80, None)]


def test_the_antenna_counts_and_not_how_many_a_zone_has() -> None:
    reads = [R(1, FLOOR, dbm=-60), R(2, FLOOR_2, dbm=-40), R(3, BACK, dbm=-50)]
    # Floor has -60 and -40 by antenna: the better one wins over -50.
    assert strongest_antenna(readings(reads), 60_000_000).tolist() == [FLOOR, FLOOR_2, FLOOR_2]


def test_tags_do_not_share_a_window() -> None:
    reads = [R(1, FLOOR, 0, -40), R(2, BACK, 1, -70), R(3, BACK, 1, -70)]
    assert strongest_antenna(readings(reads), 60_000_000).tolist() == [FLOOR, BACK, BACK]


# -- ALE --------------------------------------------------------------------------------------------------------


def test_ale_observes_after_the_count() -> None:
    rule = AleSmoothing(glimpsed_s=5.0, count=3, span_s=100.0, lost_s=20.0)
    found = rule(readings([R(1, FLOOR), R(2, FLOOR), R(3, FLOOR), R(22, FLOOR)]))
    assert told(found) == [(3, "floor"), (42, None)]


def test_ale_observes_after_the_span_inclusive() -> None:
    rule = AleSmoothing(glimpsed_s=5.0, count=10, span_s=4.0, lost_s=20.0)
    assert told(rule(readings([R(1, FLOOR), R(3, FLOOR), R(5, FLOOR)]))) == [(5, "floor"), (25, None)]


def test_ale_forgets_a_glimpse() -> None:
    rule = AleSmoothing(glimpsed_s=5.0, count=2, span_s=100.0, lost_s=60.0)
    found = rule(readings([R(1, FLOOR), R(7, FLOOR), R(13, FLOOR), R(18, FLOOR), R(40, BACK)]))
    assert told(found) == [(18, "floor"), (40, "back")]


def test_ale_starts_anew_after_a_loss() -> None:
    rule = AleSmoothing(glimpsed_s=5.0, count=2, span_s=100.0, lost_s=10.0)
    found = rule(readings([R(1, FLOOR), R(2, FLOOR), R(30, FLOOR), R(31, FLOOR)]))
    assert told(found) == [(2, "floor"), (12, None), (31, "floor"), (41, None)]


# -- EdgeX ------------------------------------------------------------------------------------------------------


def test_edgex_departs_at_the_first_check_after_its_threshold() -> None:
    found = EdgeX(departed_s=600.0)(readings([R(10, FLOOR), R(25, FLOOR)], end_s=2000))
    assert told(found) == [(10, "floor"), (630, None)]


def test_edgex_keeps_what_is_read_before_the_check() -> None:
    found = EdgeX(departed_s=600.0)(readings([R(1, FLOOR), R(620, FLOOR)], end_s=1000))
    assert told(found) == [(1, "floor")]


def test_edgex_wants_two_samples_and_its_threshold_to_move() -> None:
    strong = [R(1, FLOOR, dbm=-60), R(1.1, BACK, dbm=-50), R(1.2, BACK, dbm=-50)]
    assert told(EdgeX(ASSET_TRACKING)(readings(strong))) == [(1, "floor"), (1.2, "back")]
    weak = [R(1, FLOOR, dbm=-60), R(1.1, BACK, dbm=-54), R(1.2, BACK, dbm=-54)]
    assert told(EdgeX(ASSET_TRACKING)(readings(weak))) == [(1, "floor")]


def test_edgex_asks_for_less_the_longer_the_old_antenna_is_silent() -> None:
    # 6 dB - 0.008 dB/ms * (silence - 500 ms): nothing is asked for any more after 1,250 ms.
    reads = [R(1, FLOOR, dbm=-60), R(2.0, BACK, dbm=-60), R(2.25, BACK, dbm=-60), R(2.26, BACK, dbm=-60)]
    assert told(EdgeX(ASSET_TRACKING)(readings(reads))) == [(1, "floor"), (2.26, "back")]
    # The retail profile waits for 60 s and then needs 12 s more.
    slow = [R(1, FLOOR, dbm=-60), *[R(at_s, BACK, dbm=-60) for at_s in range(2, 80)]]
    assert told(EdgeX(RETAIL_GARMENT)(readings(slow, end_s=80))) == [(1, "floor"), (74, "back")]


def test_edgex_remembers_the_last_twenty_samples() -> None:
    # Ten strong reads fall out of the ring after twenty weak ones.
    reads = [R(at_s / 10, FLOOR, dbm=-40) for at_s in range(10)]
    reads += [R(1 + at_s / 10, FLOOR, dbm=-70) for at_s in range(20)]
    reads += [R(3.05, BACK, dbm=-60), R(3.1, BACK, dbm=-60)]
    assert told(EdgeX(ASSET_TRACKING)(readings(reads))) == [(0, "floor"), (3.1, "back")]


# -- Intel RSP --------------------------------------------------------------------------------------------------


def test_rsp_never_loses_what_is_silent_in_the_shop() -> None:
    assert told(IntelRsp()(readings([R(1, FLOOR)], end_s=86_400))) == [(1, "floor")]


def test_rsp_departs_by_the_exit_after_its_silence() -> None:
    reads = [R(1, FLOOR, dbm=-70), R(2, EXIT, dbm=-50), R(3, EXIT, dbm=-50)]
    assert told(IntelRsp()(readings(reads))) == [(1, "floor"), (3, "exit"), (33, None)]


def test_rsp_takes_back_who_turns_round_at_the_exit() -> None:
    reads = [R(1, EXIT), R(2, FLOOR, dbm=-50), R(3, FLOOR, dbm=-50)]
    assert told(IntelRsp()(readings(reads))) == [(1, "exit"), (3, "floor")]


def test_rsp_does_not_bring_back_by_the_exit_but_by_the_shop() -> None:
    reads = [R(1, EXIT), R(40, EXIT), R(50, EXIT), R(60, FLOOR)]
    assert told(IntelRsp()(readings(reads))) == [(1, "exit"), (31, None), (60, "floor")]


def test_rsp_sells_at_the_till_only_what_was_there_long_enough() -> None:
    early = [R(1, FLOOR), R(30, TILL, dbm=-90)]
    assert told(IntelRsp(till_s=60.0)(readings(early))) == [(1, "floor")]
    late = [R(1, FLOOR), R(62, TILL, dbm=-90), R(63, FLOOR)]
    assert told(IntelRsp(till_s=60.0)(readings(late))) == [(1, "floor"), (62, None)]


# -- SMURF ------------------------------------------------------------------------------------------------------


def test_the_window_that_smurf_asks_for() -> None:
    # ln(20) = 2.996: 3 epochs for a sure tag, 6 at one in two, 300 at one in a hundred.
    assert required_epochs(np.array([1.0, 0.5, 0.01]), 0.05).tolist() == [3, 6, 300]


def test_the_transition_that_smurf_sees() -> None:
    # w p = 5, two standard deviations sqrt(10 * .25) * 2 = 3.16: 1 of 10 is a transition, 2 are none.
    seen, width, rate = np.array([1, 2, 8, 9]), np.full(4, 10), np.full(4, 0.5)
    assert has_moved(seen, width, rate).tolist() == [True, False, False, True]


def test_a_window_grows_by_two_and_starts_anew_when_it_is_empty() -> None:
    windows = Windows(1)
    tag = np.array([0])
    widths = []
    for _ in range(4):
        # Answers in one of five slots: p = 0.2, w* = ceil(2.996 / 0.2) = 15.
        windows.add(tag, np.array([1]))
        windows.adapt(0.05)
        widths.append(int(windows.width[0]))
    assert widths == [3, 5, 7, 9]
    nobody = np.zeros(0, dtype=np.int64)
    for _ in range(40):
        windows.add(nobody, nobody)
        windows.adapt(0.05)
    assert int(windows.width[0]) == 1
    assert not windows.filled()[0]


def test_a_window_is_halved_when_its_tag_seems_to_have_gone() -> None:
    windows = Windows(1)
    for _ in range(8):
        windows.add(np.array([0]), np.array([4]))
        windows.adapt(0.001)
    # p = 0.8, w* = ceil(6.9 / 0.8) = 9.
    assert int(windows.width[0]) == 9
    nobody = np.zeros(0, dtype=np.int64)
    widths = []
    for _ in range(5):
        windows.add(nobody, nobody)
        windows.adapt(0.001)
        widths.append(int(windows.width[0]))
    # The window holds 8, 7, 6, 5, 4 seen epochs of 9; 7.2 are expected, give or take 2.4: 4 are too few.
    assert widths == [9, 9, 9, 9, 4]


def test_smurf_bridges_what_its_window_covers() -> None:
    steady = [R(at_s + 0.1, FLOOR) for at_s in range(30)]
    found = told(Smurf(delta=0.05)(readings(steady)))
    assert found[0] == (1.0, "floor")
    assert found[-1][1] is None
    assert 31.0 <= found[-1][0] <= 46.0
    assert SLOTS == 5


def test_what_a_tag_stands_for() -> None:
    # pi = 1 - 0.5^2 = 0.75; a tag that is read for sure stands for itself; one that was not read for nothing.
    stands_for, variance = weights(np.array([0.5, 1.0, 0.0]), np.array([2, 2, 2]), read=np.array([1, 2, 0]))
    assert stands_for == pytest.approx([4 / 3, 1.0, 0.0])
    assert variance == pytest.approx([0.25 / 0.5625, 0.0, 0.0])


def test_smurf_counts_without_names() -> None:
    # Two tags in every slot, a third (of another product) in one of five: p = 0.2, pi = 1 - 0.8^w.
    reads = [R(slot / 5 + 0.01, FLOOR, tag) for slot in range(450) for tag in (0, 1)]
    reads += [R(second + 0.01, FLOOR, 2) for second in range(90)]
    rows = readings(sorted(reads), [(0, 0, "floor"), (0, 1, "floor"), (0, 2, "floor")], end_s=90)
    found = SmurfCount(delta=0.05)(rows)
    other, own = int(rows.product[2]), int(rows.product[0])
    exact = found.quantity[found.product == own]
    assert exact.tolist() == [2.0]
    grown = found.quantity[found.product == other]
    # The window's first width is 1, then 3; with w* = ceil(2.996 / 0.7333) = 5 it ends there.
    assert grown[0] == pytest.approx(1 / (1 - 0.8**3))
    assert grown[-1] == pytest.approx(1 / (1 - 0.8**5))
    points = score(rows, found)
    assert (points.changes, points.ghosts) == (None, None)
    # One second late for three items, and then the third counted too high.
    late = 3 * 1.0 / 90
    assert late < points.products.error < late + 1.1


# -- the hidden Markov model ------------------------------------------------------------------------------------


def test_the_posterior_of_two_states() -> None:
    here = np.array([0.5])
    # Read with chance 0.1 if here and 0.0001 if gone.
    assert posterior(here, np.array([0.1]), 1e-4) == pytest.approx(0.05 / (0.05 + 0.00005))
    assert posterior(here, np.array([0.9]), 0.9999) == pytest.approx(0.45 / (0.45 + 0.49995))
    assert step(np.array([1.0, 0.0, 0.5]), 0.1, 0.02) == pytest.approx([0.9, 0.02, 0.46])


def test_a_read_brings_a_tag_in_and_silence_takes_it_out() -> None:
    rule = TwoStates(stay_s=600.0, away_s=3600.0)
    steady = [R(at_s + 0.5, FLOOR) for at_s in range(20)]
    found = told(rule(readings(steady, end_s=200)))
    # One read could be a stray one: 0.00028 * 0.1 against 0.0001.
    assert found[0] == (2.0, "floor")
    assert len(found) == 2
    assert found[1][1] is None
    # By hand: the same recursion for one tag.
    here, seen, looked, gone_s = 0.0, PRIOR_SEEN, PRIOR_EPOCHS, 0
    for epoch in range(200):
        before = here * (1 - 1 / 600 - 1 / 3600) + 1 / 3600
        chance = seen / looked
        if epoch < 20:
            here = before * chance / (before * chance + (1 - before) * STRAY_CHANCE)
            seen += here
        else:
            silent = before * (1 - chance)
            here = silent / (silent + (1 - before) * (1 - STRAY_CHANCE))
        looked += here
        if epoch >= 20 and here <= 0.5:
            gone_s = epoch + 1
            break
    assert found[1][0] == gone_s


# -- the floor --------------------------------------------------------------------------------------------------


def test_the_floor_counts_from_the_first_read_in_the_zone_until_the_true_end() -> None:
    truth = [(0, 0, "floor"), (20, 0, "back"), (50, 0, None)]
    reads = [R(1, BACK), R(5, FLOOR), R(21, FLOOR), R(30, BACK), R(60, BACK)]
    assert told(Floor()(readings(reads, truth))) == [
        (5, "floor"),
        (20, None),
        (30, "back"),
        (50, None),
    ]


def test_the_floor_knows_a_read_only_when_it_is_received() -> None:
    truth = [(0, 0, "floor"), (50, 0, "back")]
    reads = [R(5, FLOOR, late_s=30), R(45, FLOOR, late_s=20), R(60, BACK, late_s=10)]
    assert told(Floor()(readings(reads, truth))) == [(35, "floor"), (50, None), (70, "back")]


def test_the_floor_never_counts_what_is_not_read_there() -> None:
    truth = [(0, 0, "floor"), (50, 0, "back"), (60, 0, "floor")]
    assert told(Floor()(readings([R(5, FLOOR)], truth))) == [(5, "floor"), (50, None)]
