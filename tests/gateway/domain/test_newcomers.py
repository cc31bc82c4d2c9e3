import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.items import Cause
from gateway.domain.newcomers import (
    FIRST_DAY_SHARE,
    FIRST_EXAMPLES,
    HALF_LIFE_S,
    SETTLED_SHARE,
    WAITS_S,
    Hopes,
)
from gateway.domain.params import PROFILES, PresenceParams, Profile
from gateway.domain.presence import Presence
from gateway.domain.records import ShopRecord
from gateway.domain.zones import US_PER_S
from tests.gateway.shop import DOOR, Shop, tag

RULE = PROFILES[Profile.RACK]
COLD_SHOP = {"a": RULE, "door": DOOR}
EVEN = RULE.first_read_chance
waits = st.integers(0, len(WAITS_S) - 1)


def chances(hopes: Hopes) -> list[float]:
    return [hopes.chance(wait) for wait in range(len(WAITS_S))]


# -- the chance itself ----------------------------------------------------------------------------------------


def test_a_cold_shop_hopes_and_a_settled_one_does_not() -> None:
    cold, settled = Hopes(), Hopes()
    settled.settle()
    assert cold.chance(0) > EVEN > settled.chance(0)
    assert cold.chance(len(WAITS_S) - 1) == pytest.approx(SETTLED_SHARE + FIRST_DAY_SHARE)
    assert settled.chance(len(WAITS_S) - 1) == pytest.approx(SETTLED_SHARE)


def test_ghosts_teach_caution() -> None:
    hopes = Hopes()
    for _ in range(30):
        for wait in range(len(WAITS_S)):
            hopes.passed(wait)
    assert hopes.chance(0) < EVEN / 3


def test_slow_tags_teach_hope_that_lasts_as_long_as_they_take() -> None:
    hopes = Hopes()
    hopes.settle()
    for _ in range(10):
        for wait in range(5):
            hopes.passed(wait)
        hopes.came(600.0)
    assert all(hopes.chance(wait) > 0.8 for wait in range(6))
    assert hopes.chance(6) == pytest.approx(SETTLED_SHARE)


@pytest.mark.parametrize(
    ("waited_s", "wait"), [(0.3, 0), (0.99, 0), (1.0, 1), (100.0, 4), (1023.0, 5), (3_600.0, 6), (9e9, 6)]
)
def test_a_second_read_counts_for_the_wait_it_came_in(waited_s: float, wait: int) -> None:
    hopes = Hopes()
    before = chances(hopes)
    hopes.came(waited_s)
    raised = [after > was for was, after in zip(before, chances(hopes), strict=True)]
    assert raised == [number <= wait for number in range(len(WAITS_S))]


@given(st.lists(st.one_of(st.floats(0.0, 4_000.0), waits.map(lambda wait: -1 - wait)), max_size=60), st.booleans())
def test_a_chance_is_one_and_only_falls_while_one_waits(past: list[float], settled: bool) -> None:
    hopes = Hopes()
    if settled:
        hopes.settle()
    for one in past:
        if one < 0:
            hopes.passed(int(-one) - 1)
        else:
            hopes.came(one)
    assert all(0.0 < chance < 1.0 for chance in chances(hopes))
    assert all(later <= earlier for earlier, later in pairwise(chances(hopes)))


@given(st.lists(st.integers(0, 5_000_000_000), min_size=1, max_size=8))
def test_what_was_learnt_fades_alike_in_any_portions(steps_us: list[int]) -> None:
    one, many = Hopes(), Hopes()
    for hopes in (one, many):
        hopes.begin(0)
        for _ in range(8):
            hopes.came(2.0)
            hopes.passed(0)
    now_us = 0
    for step_us in steps_us:
        now_us += step_us
        many.age(now_us)
    one.age(now_us)
    assert chances(many) == pytest.approx(chances(one))


def test_half_of_it_is_gone_after_a_half_life() -> None:
    hopes = Hopes()
    hopes.settle()
    hopes.begin(0)
    for _ in range(8):
        hopes.passed(6)
    hopes.age(round(HALF_LIFE_S * US_PER_S))
    assert hopes.chance(6) == pytest.approx(FIRST_EXAMPLES * SETTLED_SHARE / (4 + FIRST_EXAMPLES))
    hopes.age(round(100 * HALF_LIFE_S * US_PER_S))
    assert hopes.chance(6) == pytest.approx(SETTLED_SHARE)


@pytest.mark.parametrize(("from_s", "to_s", "halved"), [(0, 60, 1), (240, 240 * math.e, 4), (7_200, 9_000, 1)])
def test_soon_after_a_start_it_is_gone_sooner(from_s: float, to_s: float, halved: int) -> None:
    hopes = Hopes()
    hopes.begin(0)
    hopes.age(round(from_s * US_PER_S))
    hope = hopes.chance(6) / FIRST_EXAMPLES - SETTLED_SHARE
    for _ in range(64):
        hopes.passed(6)
    hopes.age(round(to_s * US_PER_S))
    first = FIRST_EXAMPLES * (SETTLED_SHARE + hope / 2**halved)
    assert hopes.chance(6) == pytest.approx(first / (64 / 2**halved + FIRST_EXAMPLES))


def test_another_life_hopes_as_much() -> None:
    hopes, again = Hopes(), Hopes()
    hopes.begin(0)
    for _ in range(20):
        hopes.came(2.0)
        hopes.passed(0)
    hopes.age(600 * US_PER_S)
    again.restore(hopes.record(1.5))
    assert chances(again) == chances(hopes)
    again.begin(0)
    for one, at_s in ((hopes, 1_200), (again, 600)):
        one.age(at_s * US_PER_S)
    assert chances(again) == pytest.approx(chances(hopes)), "it fades on at the age that it had"


def test_what_was_counted_by_other_waits_is_left_out() -> None:
    hopes, settled = Hopes(), Hopes()
    settled.settle()
    hopes.restore(ShopRecord(1.5, 0.0, 1.0, (9.0,), (0.0,)))
    assert chances(hopes) == chances(settled)


def test_what_changed_little_needs_no_write() -> None:
    record = ShopRecord(2.0, 60.0, 0.3, (40.0, 0.5), (8.0, 0.0))
    assert not record.differs(record, 0.1)
    assert not replace(record, came=(43.0, 0.55), age_s=120.0).differs(record, 0.1)
    assert replace(record, came=(45.0, 0.5)).differs(record, 0.1)
    assert replace(record, passed=(8.0, 0.2)).differs(record, 0.1)
    assert replace(record, usual_db=2.5).differs(record, 0.1)


# -- who is given up ------------------------------------------------------------------------------------------


def test_nobody_is_hopeless_where_nothing_is_known() -> None:
    assert Hopes().hopeless_s() == math.inf


def test_where_those_that_waited_waited_in_vain_a_quarter_of_an_hour_is_enough() -> None:
    hopes = Hopes()
    for _ in range(10):
        for wait in range(5):
            hopes.passed(wait)
    assert hopes.hopeless_s() == 1024.0, "nobody has waited for longer, but why should that be another matter?"


def test_where_some_came_late_it_is_not() -> None:
    hopes = Hopes()
    for _ in range(10):
        for wait in range(6):
            hopes.passed(wait)
    for _ in range(3):
        hopes.came(2_000.0)
    assert hopes.hopeless_s() == math.inf
    for _ in range(200):
        hopes.passed(6)
    assert hopes.hopeless_s() == 1024.0


# -- in a shop ------------------------------------------------------------------------------------------------


def test_on_a_first_day_one_read_counts_and_a_second_makes_it_certain() -> None:
    shop = Shop(COLD_SHOP)
    shop.hear(1, tag(1))
    (made,) = shop.tick()
    assert (made.cause, made.entered) == (Cause.ARRIVED, shop.zones["a"])
    assert shop.item(1).unproven
    assert shop.wait(200, step_s=1) == []
    shop.hear(1, tag(1))
    assert shop.wait(3 * WAITS_S[-1], step_s=1)[0].now is Presence.MISSING
    assert not shop.item(1).unproven


def test_what_was_counted_by_one_read_is_withdrawn_when_no_second_comes() -> None:
    shop = Shop(COLD_SHOP)
    shop.hear(1, tag(1))
    assert [one.cause for one in shop.tick()] == [Cause.ARRIVED]
    made = shop.wait(RULE.withdrawn_after_s - 1, step_s=1)
    assert [one.now for one in made] == [Presence.MISSING]
    made = shop.wait(2, step_s=1)
    assert [one.cause for one in made] == [Cause.DEPARTED]
    assert shop.item(1).zone is None
    shop.hear(1, tag(1))
    assert [one.cause for one in shop.tick()] == [Cause.RETURNED]


def ghosts(shop: Shop, serials: Iterable[int]) -> None:
    """A minute apart, tags that are never read again."""
    for serial in serials:
        shop.hear(1, tag(serial))
        shop.wait(60, step_s=1)


def test_where_ghosts_come_and_go_one_that_counts_is_withdrawn_sooner() -> None:
    shop = Shop(COLD_SHOP)
    ghosts(shop, range(1, 17))
    assert shop.item(1).presence is Presence.MISSING
    ghosts(shop, range(17, 21))
    assert shop.item(1).presence is Presence.DEPARTED


def test_an_outage_gives_time_to_that_one_as_well() -> None:
    shop = Shop(COLD_SHOP)
    ghosts(shop, range(1, 11))
    shop.fails()
    shop.wait(900, step_s=10)
    shop.works()
    ghosts(shop, range(11, 30))
    assert shop.item(1).presence is Presence.MISSING
    ghosts(shop, range(30, 36))
    assert shop.item(1).presence is Presence.DEPARTED


def test_an_outage_gives_time_before_it_is_withdrawn() -> None:
    shop = Shop(COLD_SHOP)
    shop.hear(1, tag(1))
    shop.wait(RULE.withdrawn_after_s / 2, step_s=10)
    shop.fails()
    shop.wait(600, step_s=10)
    shop.works()
    assert shop.wait(RULE.withdrawn_after_s / 2 + 580, step_s=10) == []
    assert [one.cause for one in shop.wait(40, step_s=10)] == [Cause.DEPARTED]


def test_a_restart_remembers_who_counts_by_one_read() -> None:
    shop = Shop(COLD_SHOP)
    shop.hear(1, tag(1))
    shop.wait(RULE.withdrawn_after_s / 2, step_s=10)
    records = [shop.inventory.record(shop.item(1), shop.clock.now_us, shop.clock.utc_us())]
    again = Shop(COLD_SHOP)
    again.inventory.restore(records, again.clock.now_us, again.clock.utc_us())
    assert again.item(1).unproven
    assert again.wait(RULE.withdrawn_after_s / 2 - 20, step_s=10) == []
    assert [one.cause for one in again.wait(40, step_s=10)] == [Cause.DEPARTED]
    again.hear(1, tag(1))
    assert [one.cause for one in again.tick()] == [Cause.RETURNED]


def test_a_door_never_counts_by_one_read() -> None:
    shop = Shop(COLD_SHOP)
    shop.hear(2, tag(1))
    assert shop.wait(60) == []
    assert shop.item(1).presence is Presence.GLIMPSED


def test_ghosts_end_the_hope_of_a_shop() -> None:
    shop = Shop(COLD_SHOP)
    for ghost in range(40):
        shop.hear(1, tag(1_000 + ghost))
        shop.wait(10, step_s=1)
    shop.wait(WAITS_S[-1], step_s=1)
    shop.hear(1, tag(1))
    assert shop.tick() == []
    assert shop.item(1).presence is Presence.GLIMPSED
    shop.clock.turn(1)
    shop.hear(1, tag(1))
    assert [one.cause for one in shop.tick()] == [Cause.ARRIVED], "two reads count in any shop"


@pytest.mark.parametrize(("chance", "counts"), [(0.0, True), (1.0, False)])
def test_how_sure_one_read_must_be_can_be_set(chance: float, counts: bool) -> None:
    rule: PresenceParams = replace(RULE, first_read_chance=chance)
    shop = Shop({"a": rule})
    shop.inventory.restore([], shop.clock.now_us, shop.clock.utc_us())
    shop.hear(1, tag(1))
    assert bool(shop.tick()) is counts


def test_a_shop_that_knows_its_items_does_not_hope() -> None:
    shop = Shop(COLD_SHOP)
    shop.place(7)
    records = [shop.inventory.record(shop.item(7), shop.clock.now_us, shop.clock.utc_us())]
    again = Shop(COLD_SHOP)
    again.inventory.restore(records, again.clock.now_us, again.clock.utc_us())
    again.hear(1, tag(1))
    assert again.tick() == []
    assert again.item(1).presence is Presence.GLIMPSED
