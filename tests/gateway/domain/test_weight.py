from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.counting import Verdict
from gateway.domain.params import ShelfParams
from gateway.domain.recount import NotAtRestError
from gateway.domain.weight import FILLS_OF_AN_EMPTY, RESTLESS_US, Blind
from gateway.domain.zones import US_PER_S
from readers.model import WeightCondition
from tests.gateway.scales import HandScale, filled, sku, weighed

UNIT_G = 182.0


def test_an_empty_bin_counts_nothing_once_it_has_rested() -> None:
    scale = HandScale()
    assert scale.blind == Blind.SILENT
    assert scale.counts == []
    scale.show(0.0, 3)
    assert scale.blind == Blind.UNCOUNTED
    scale.show(0.0, 4)
    assert (scale.counts, scale.confirmed, scale.blind) == ([0], [0], None)


def test_pieces_come_and_go() -> None:
    scale = filled(10)
    assert (scale.counts, scale.confirmed) == ([10], [10])
    scale.show(9 * UNIT_G)
    assert (scale.counts, scale.confirmed) == ([9], [9])
    scale.show(12 * UNIT_G)
    assert scale.counts == [12]


def test_a_step_is_counted_within_a_second_of_rest() -> None:
    scale = filled(10)
    scale.show(9 * UNIT_G, 0.7)
    assert scale.counts == [10]
    scale.show(9 * UNIT_G, 0.3)
    assert scale.counts == [9]


def test_a_bin_that_is_full_when_it_is_met_is_counted_by_its_weight() -> None:
    scale = HandScale()
    scale.show(17 * UNIT_G + 10, 7)
    assert (scale.counts, scale.confirmed) == ([17], [17])


@pytest.mark.parametrize("grams", [100 * UNIT_G, 7.5 * UNIT_G])
def test_what_no_weight_can_count_is_not_counted_until_it_was_empty(grams: float) -> None:
    scale = HandScale()
    scale.show(grams, 10)
    assert (scale.counts, scale.blind) == ([], Blind.UNCOUNTED)
    scale.show(0, 7)
    assert (scale.counts, scale.blind) == ([0], None)


def test_a_hand_that_takes_nothing_changes_nothing() -> None:
    scale = filled(10)
    for force_g in (120, -60, 300, 40):
        scale.show(10 * UNIT_G + force_g, 0.3)
    scale.show(10 * UNIT_G, 2)
    assert (scale.counts, scale.confirmed) == ([10], [10])


def test_who_leans_on_the_shelf_is_no_stock() -> None:
    scale = filled(10)
    scale.show(10 * UNIT_G + 3.45 * UNIT_G, 20)
    assert (scale.counts, scale.confirmed) == ([10], [0])
    scale.show(10 * UNIT_G, 2)
    assert (scale.counts, scale.confirmed) == ([10], [10])


def test_a_foreign_thing_is_left_out_and_pieces_beside_it_still_count() -> None:
    scale = filled(10)
    foreign_g = 0.45 * UNIT_G
    scale.show(10 * UNIT_G + foreign_g, 10)
    assert (scale.counts, scale.confirmed) == ([10], [0])
    scale.show(9 * UNIT_G + foreign_g, 10)
    assert (scale.counts, scale.confirmed) == ([9], [0])
    scale.show(9 * UNIT_G, 10)
    assert (scale.counts, scale.confirmed) == ([9], [9])


@pytest.mark.parametrize("foreign", [0.77, 1.78, 6.19])
def test_a_foreign_thing_that_weighs_nearly_whole_pieces_confirms_nothing(foreign: float) -> None:
    scale = filled(10)
    scale.show((10 + foreign) * UNIT_G, 10)
    assert scale.confirmed == [0]
    scale.show((8 + foreign) * UNIT_G, 10)
    assert scale.confirmed == [0]
    scale.show(8 * UNIT_G, 10)
    assert (scale.counts, scale.confirmed) == ([8], [8])


def test_the_whole_weight_clears_what_a_step_seemed_to_leave_over() -> None:
    scale = filled(10)
    # Somebody leans on it ever so still, and lets go while it moves anyway.
    scale.show(10.2 * UNIT_G, 3)
    assert scale.confirmed == [0]
    scale.show(11 * UNIT_G, 10)
    assert (scale.counts, scale.confirmed) == ([11], [11])


def test_a_likely_change_waits_until_it_has_been_quiet() -> None:
    scale = filled(10)
    scale.show(9.2 * UNIT_G, 4)
    assert scale.counts == [10]
    scale.show(9.2 * UNIT_G, 3)
    assert scale.counts == [9]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (WeightCondition.OVERLOAD, Blind.OVERLOAD),
        (WeightCondition.UNDERLOAD, Blind.UNDERLOAD),
        (WeightCondition.BUSY, Blind.BUSY),
        (WeightCondition.FAULT, Blind.FAULT),
    ],
)
def test_no_weight_is_never_zero(condition: WeightCondition, reason: Blind) -> None:
    scale = filled(10)
    scale.fail(condition, 3)
    assert scale.blind is None, "a hand that presses hard is nobody's alarm"
    scale.fail(condition, 30)
    assert (scale.counts, scale.blind) == ([10], reason)
    scale.show(8 * UNIT_G, 2)
    assert (scale.counts, scale.blind) == ([8], None)


def test_more_than_it_can_weigh_is_overload_whatever_the_scale_says() -> None:
    scale = filled(10, params=weighed(params=ShelfParams(capacity_g=6000)))
    scale.show(9000, 20)
    assert (scale.counts, scale.blind) == ([10], Blind.OVERLOAD)


def test_a_scale_that_says_nothing_is_blind_and_keeps_its_count() -> None:
    scale = filled(10)
    scale.wait(20)
    assert (scale.counts, scale.blind) == ([10], Blind.PAUSE)
    scale.show(7 * UNIT_G, 2)
    assert (scale.counts, scale.blind) == ([7], None)


def test_a_scale_that_never_rests_says_so() -> None:
    scale = filled(10)
    for _ in range(RESTLESS_US // US_PER_S + 2):
        scale.show(10 * UNIT_G + 40, 0.5)
        scale.show(10 * UNIT_G - 40, 0.5)
    assert (scale.counts, scale.blind) == ([10], Blind.RESTLESS)


def test_the_scales_own_word_holds_a_count_up_and_never_makes_one() -> None:
    scale = filled(10)
    scale.show(9 * UNIT_G, 5, WeightCondition.MOVING)
    assert scale.counts == [10]
    scale.show(9 * UNIT_G, 0.2)
    assert scale.counts == [9]
    for _ in range(20):
        scale.show(9 * UNIT_G + 50, 0.2)
        scale.show(9 * UNIT_G - 50, 0.2)
    assert scale.counts == [9]


def test_drift_is_no_stock_however_far_it_goes() -> None:
    scale = filled(10)
    for step in range(3600):
        scale.show(10 * UNIT_G + step * 0.04, 1)
    assert (scale.counts, scale.confirmed) == ([10], [10])
    assert scale.bin.zero_g > 100
    scale.show(9 * UNIT_G + 144, 7)
    assert (scale.counts, scale.confirmed) == ([9], [9])


def test_the_zero_follows_only_while_the_bin_is_empty() -> None:
    scale = filled(1)
    scale.show(UNIT_G + 30, 200)
    assert abs(scale.bin.zero_g) < 15
    scale.show(30, 200)
    assert scale.bin.zero_g == pytest.approx(30, abs=1)


def test_the_whole_weight_mends_a_step_that_was_missed() -> None:
    scale = filled(10)
    scale.show(10 * UNIT_G + 0.5 * UNIT_G, 2)
    scale.show(8 * UNIT_G + 0.7 * UNIT_G, 2)
    scale.show(8 * UNIT_G, 7)
    assert (scale.counts, scale.confirmed) == ([8], [8])


def test_an_empty_shelf_is_empty_whatever_was_counted() -> None:
    scale = filled(3)
    scale.show(1.5 * UNIT_G, 2)
    scale.show(0.0, 7)
    assert (scale.counts, scale.confirmed) == ([0], [0])


def test_single_pieces_teach_what_a_piece_weighs() -> None:
    """The configured weight is 1.2 % too low: thirty pieces could not be counted by it, once it is learnt they can."""
    true_g = 1.012 * UNIT_G
    scale = filled(0, params=weighed(sku(tolerance=0.006)))
    for pieces in range(1, 31):
        scale.show(pieces * true_g, 1.5)
    assert scale.counts == [30]
    assert scale.bin.products[0].unit_g == pytest.approx(true_g, rel=0.004)
    scale.show(30 * true_g, 6)
    assert scale.confirmed == [30]


def test_a_learnt_weight_never_leaves_the_configured_one_far_behind() -> None:
    scale = filled(10)
    product = scale.bin.products[0]
    for _ in range(500):
        product.learn(1.2 * UNIT_G, 0.5)
    assert product.unit_g == pytest.approx(1.02 * UNIT_G)


# -- several products -----------------------------------------------------------------------------------------


def mixed(*pieces: int) -> HandScale:
    scale = HandScale(weighed(sku(250), sku(180, 1), sku(411, 2)))
    scale.show(0, 6)
    load_g = 0.0
    for index, (count, unit_g) in enumerate(zip(pieces, (250, 180, 411), strict=True)):
        for _ in range(count):
            load_g += unit_g
            scale.show(load_g, 1.5)
        assert scale.counts[index] == count
    return scale


def test_the_weight_names_the_product() -> None:
    scale = mixed(4, 6, 2)
    load_g = 4 * 250 + 6 * 180 + 2 * 411
    scale.show(load_g - 180, 2)
    assert scale.counts == [4, 5, 2]
    scale.show(load_g - 180 - 411, 2)
    assert (scale.counts, scale.confirmed) == ([4, 5, 1], [4, 5, 1])


def test_what_may_be_two_things_is_ambiguous_until_the_rest_tells() -> None:
    scale = HandScale(weighed(sku(100), sku(200, 1)))
    scale.show(0, 6)
    for load_g in (100, 200, 300):
        scale.show(load_g, 1.5)
    scale.show(500, 8)
    assert scale.bin.counting.verdicts[Verdict.AMBIGUOUS] >= 1
    assert {story.pieces for story in scale.bin.counting.stories[:2]} == {(3, 1), (5, 0)}
    assert scale.confirmed == [0, 0]
    scale.show(0, 7)
    assert scale.counts == [0, 0]


def test_a_mixed_bin_that_is_met_full_has_to_be_emptied_once() -> None:
    scale = HandScale(weighed(sku(250), sku(180, 1)))
    scale.show(900, 10)
    assert (scale.counts, scale.blind) == ([], Blind.UNCOUNTED)
    scale.show(0, 6)
    scale.show(250, 2)
    assert (scale.counts, scale.blind) == ([1, 0], None)


def plate() -> HandScale:
    lanes = (sku(250, lane_mm=(0.0, 300.0)), sku(255, 1, lane_mm=(300.0, 600.0)))
    return HandScale(weighed(*lanes, cells=((1, 0.0), (2, 600.0))))


def test_where_a_plate_gets_lighter_names_the_lane() -> None:
    scale = plate()
    scale.spread({1: 0, 2: 0}, 6)
    scale.spread({1: 200, 2: 50}, 1.5)
    assert scale.counts == [1, 0]
    scale.spread({1: 250, 2: 255}, 1.5)
    assert scale.counts == [1, 1]
    scale.spread({1: 50, 2: 205}, 1.5)
    assert scale.counts == [0, 1]


def test_a_plate_weighs_nothing_while_one_of_its_cells_is_silent() -> None:
    scale = plate()
    scale.spread({1: 0, 2: 0}, 6)
    scale.spread({1: 200, 2: 50}, 2)
    scale.spread({1: 0}, 20)
    assert (scale.counts, scale.blind) == ([1, 0], Blind.PAUSE)


# -- what outlives the process --------------------------------------------------------------------------------


def again(scale: HandScale, **changed: object) -> HandScale:
    """The gateway is started again, perhaps with another configuration."""
    params = replace(scale.bin.params, **changed) if changed else scale.bin.params  # type: ignore[arg-type]
    after = HandScale(params, scale.bin.record())
    after.now_us = scale.now_us + 60 * US_PER_S
    return after


def test_a_restart_keeps_the_count_and_books_what_came_and_went_meanwhile() -> None:
    scale = again(filled(10))
    assert scale.counts == [10]
    scale.show(8 * UNIT_G, 2)
    assert (scale.counts, scale.confirmed) == ([8], [8])


def test_a_restart_keeps_what_a_drifting_bin_has_learnt() -> None:
    before = filled(10)
    before.show(10 * UNIT_G, 10)
    before.bin.zero_g += 40
    before.bin.products[0].learn(UNIT_G + 1, 0.5)
    scale = again(before)
    assert scale.bin.zero_g == before.bin.zero_g
    assert scale.bin.products[0].unit_g == before.bin.products[0].unit_g > UNIT_G


def test_another_configured_weight_or_zero_is_taken_at_its_word() -> None:
    before = filled(10)
    before.bin.products[0].learn(UNIT_G + 2, 0.5)
    before.bin.zero_g = 11
    scale = again(before, skus=(sku(180.0),), params=ShelfParams(zero_g=50.0))
    assert (scale.bin.products[0].unit_g, scale.bin.zero_g) == (180.0, 50.0)


def test_another_product_in_the_bin_is_counted_anew() -> None:
    scale = again(filled(10), skus=(sku(UNIT_G, 1),))
    assert (scale.counts, scale.bin.counting.counted) == ([], False)
    scale.show(10 * UNIT_G, 7)
    assert scale.counts == [10]


def test_a_scale_that_comes_back_with_nothing_may_have_zeroed_itself() -> None:
    scale = again(filled(10))
    scale.jump(0, 30)
    assert (scale.counts, scale.confirmed, scale.blind) == ([10], [0], Blind.RESET)
    scale.show(-UNIT_G, 2)
    assert (scale.counts, scale.confirmed, scale.blind) == ([9], [9], None)
    scale.show(-9 * UNIT_G, 7)
    assert (scale.counts, scale.confirmed) == ([1], [1])


def test_the_last_piece_may_go_while_nobody_looks() -> None:
    scale = again(filled(1))
    scale.show(0, 2)
    assert (scale.counts, scale.blind) == ([0], None)


# -- the keys of a scale --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 2, 10])
def test_a_zero_key_that_is_pressed_with_goods_on_takes_none_of_them(pieces: int) -> None:
    scale = filled(pieces)
    scale.jump(0, 100)
    assert (scale.counts, scale.confirmed, scale.blind) == ([pieces], [0], Blind.RESET)
    scale.show(-UNIT_G, 7)
    assert (scale.counts, scale.confirmed, scale.blind) == ([pieces - 1], [pieces - 1], None)
    scale.show(0, 7)
    assert (scale.counts, scale.confirmed) == ([pieces], [pieces])


def test_pieces_that_are_put_do_not_tell_whether_a_scale_was_zeroed() -> None:
    scale = filled(10)
    scale.jump(0, 10)
    scale.show(2 * UNIT_G, 10)
    assert (scale.counts, scale.confirmed, scale.blind) == ([12], [0], Blind.RESET)
    scale = again(scale)
    scale.show(2 * UNIT_G, 10)
    assert (scale.counts, scale.confirmed, scale.blind) == ([12], [0], Blind.RESET)
    scale.show(-UNIT_G, 7)
    assert (scale.counts, scale.confirmed, scale.blind) == ([9], [9], None)


def test_a_tare_that_is_taken_back_costs_nothing() -> None:
    scale = filled(10)
    scale.jump(0, 20)
    scale.show(-2 * UNIT_G, 0.5)
    scale.show(0, 3)
    scale.jump(10 * UNIT_G, 7)
    assert (scale.counts, scale.confirmed, scale.blind) == ([10], [10], None)


def test_a_second_press_of_the_key_is_no_sale_either() -> None:
    scale = filled(10)
    scale.jump(0, 10)
    scale.show(-3 * UNIT_G, 7)
    assert scale.confirmed == [7]
    scale.jump(0, 10)
    assert (scale.counts, scale.confirmed, scale.blind) == ([7], [0], Blind.RESET)
    scale.show(-UNIT_G, 7)
    assert (scale.counts, scale.confirmed, scale.blind) == ([6], [0], Blind.RESET)
    scale = again(scale, params=ShelfParams(zero_g=-7 * UNIT_G))
    scale.show(-UNIT_G, 7)
    assert (scale.counts, scale.confirmed, scale.blind) == ([6], [6], None), "who measured the zero has the last word"


def test_a_key_on_a_scale_that_shows_its_own_shelf_is_seen_at_once() -> None:
    params = weighed(params=ShelfParams(zero_g=3000.0))
    scale = HandScale(params)
    scale.show(3000, 6)
    scale.show(3000 + 10 * UNIT_G, 7)
    scale.jump(0, 10)
    assert (scale.counts, scale.confirmed, scale.blind) == ([10], [10], None)
    scale.show(-2 * UNIT_G, 7)
    assert (scale.counts, scale.confirmed) == ([8], [8])


def test_a_shelf_that_is_emptied_by_hand_is_empty() -> None:
    scale = filled(10)
    scale.show(4 * UNIT_G, 7)
    scale.show(0, 7)
    assert (scale.counts, scale.confirmed, scale.blind) == ([0], [0], None)


def test_a_shelf_that_was_emptied_unseen_is_believed_after_many_fills() -> None:
    scale = filled(5)
    scale.wait(100)
    scale.jump(0, 30)
    for _ in range(FILLS_OF_AN_EMPTY - 1):
        scale.show(2 * UNIT_G, 2)
        scale.show(0, 2)
        assert (scale.counts, scale.blind) == ([5], Blind.RESET)
    scale.show(2 * UNIT_G, 7)
    assert (scale.counts, scale.confirmed, scale.blind) == ([2], [2], None)


def test_who_leans_on_an_empty_shelf_and_leaves_suddenly_leaves_it_empty() -> None:
    scale = filled(0)
    scale.jump(7 * UNIT_G, 3)
    scale.jump(0, 7)
    assert (scale.counts, scale.blind) == ([0], None)


def test_a_key_pressed_on_a_mixed_bin_takes_nothing_either() -> None:
    scale = mixed(2, 2, 1)
    scale.show(2 * 250 + 2 * 180 + 411, 7)
    scale.jump(0, 10)
    assert (scale.counts, scale.confirmed, scale.blind) == ([2, 2, 1], [0, 0, 0], Blind.RESET)
    scale.show(-411, 7)
    assert (scale.counts, scale.confirmed, scale.blind) == ([2, 2, 0], [2, 2, 0], None)


def test_less_than_empty_is_a_zero_that_was_set_with_goods_on() -> None:
    scale = filled(0)
    scale.show(-5 * UNIT_G, 10)
    assert (scale.counts, scale.blind) == ([0], Blind.BELOW_ZERO)
    scale.show(0, 10)
    assert (scale.counts, scale.blind) == ([0], None)


# -- what a person has counted --------------------------------------------------------------------------------


def test_who_says_how_many_lie_there_after_a_key_is_believed() -> None:
    scale = filled(10)
    scale.jump(0, 10)
    assert scale.bin.recount([8], scale.now_us) == pytest.approx(-8 * UNIT_G, abs=1)
    assert (scale.counts, scale.confirmed, scale.blind) == ([8], [8], None)
    scale = again(scale)
    scale.show(-UNIT_G, 7)
    assert (scale.counts, scale.confirmed, scale.blind) == ([7], [7], None)


def test_an_empty_shelf_is_empty_whatever_it_weighs() -> None:
    scale = filled(10)
    scale.show(3.45 * UNIT_G, 10)
    assert scale.bin.recount([0], scale.now_us) == pytest.approx(3.45 * UNIT_G, abs=1)
    scale.show(5.45 * UNIT_G, 7)
    assert (scale.counts, scale.confirmed) == ([2], [2])


def test_a_count_that_the_weight_agrees_with_moves_no_zero() -> None:
    scale = filled(10)
    scale.show(10.04 * UNIT_G, 10)
    assert scale.bin.recount([10], scale.now_us) == 0
    scale.show(0, 10)
    assert (scale.counts, scale.confirmed, scale.bin.zero_g) == ([0], [0], pytest.approx(0, abs=0.02 * UNIT_G))


def test_a_mixed_bin_that_was_met_full_is_counted_by_hand() -> None:
    scale = HandScale(weighed(sku(250), sku(180, 1), sku(411, 2)))
    scale.show(2 * 250 + 180, 70)
    assert scale.blind == Blind.UNCOUNTED
    scale.bin.recount([2, 1, 0], scale.now_us)
    assert (scale.counts, scale.confirmed, scale.blind) == ([2, 1, 0], [2, 1, 0], None)
    scale.show(2 * 250, 7)
    assert (scale.counts, scale.confirmed) == ([2, 0, 0], [2, 0, 0])


def test_nothing_is_taken_for_a_count_while_the_weight_is_not_known() -> None:
    scale = filled(10)
    scale.show(9 * UNIT_G, 0.3)
    with pytest.raises(NotAtRestError, match="not at rest"):
        scale.bin.recount([9], scale.now_us)
    scale.show(9 * UNIT_G, 7)
    scale.fail(WeightCondition.OVERLOAD)
    with pytest.raises(NotAtRestError, match="more than it can weigh"):
        scale.bin.recount([9], scale.now_us)
    scale.show(9 * UNIT_G, 7)
    scale.wait(3)
    with pytest.raises(NotAtRestError):
        scale.bin.recount([9], scale.now_us)
    assert (scale.counts, scale.confirmed) == ([9], [9])


# -- whatever happens -----------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(
        st.tuples(st.sampled_from(["take", "put", "touch", "lean", "overload", "pause"]), st.integers(1, 4)),
        max_size=12,
    ),
    st.sampled_from([(250.0, 0.01), (30.0, 0.02), (900.0, 0.005)]),
)
def test_at_rest_the_count_is_the_truth(
    seed: int, events: Sequence[tuple[str, int]], goods: tuple[float, float]
) -> None:
    """Single pieces of every weight that its product allows, hands, weight and silence in between."""
    unit_g, variation = goods
    random = Random(seed)
    scale = HandScale(weighed(sku(unit_g, variation=variation)))
    lying: list[float] = []
    scale.show(0, 6)
    for what, pieces in events:
        for _ in range(pieces):
            scale.show(sum(lying) + random.uniform(-0.4, 1.5) * 200, 0.3)
            if what == "take" and lying:
                lying.pop(random.randrange(len(lying)))
            elif what == "put":
                lying.append(unit_g * (1 + variation * max(-2.5, min(2.5, random.gauss(0, 1)))))
            scale.show(sum(lying), 1.5)
        if what == "lean":
            scale.show(sum(lying) + random.uniform(2, 9) * unit_g, 3)
        elif what == "overload":
            scale.fail(WeightCondition.OVERLOAD, 8)
        elif what == "pause":
            scale.wait(20)
        scale.show(sum(lying), 7)
        assert (scale.counts, scale.confirmed) == ([len(lying)], [len(lying)])
    assert again(scale).counts == [len(lying)]
