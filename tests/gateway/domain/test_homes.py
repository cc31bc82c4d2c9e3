"""Pieces of a product lie together: one that two zones hear is where the others are, if the shop is like that."""

import math

import pytest

from gateway.domain.homes import SETTLED_US, Homes, count_sure
from gateway.domain.items import Cause, Transition
from gateway.domain.zones import FEW_ITEMS, US_PER_S
from tests.gateway.shop import RACK, Shop, tag

A, B = 1, 2
MANY = range(1, 11)
LONE = 11
SETTLED_S = SETTLED_US / US_PER_S


def shop_in_order(at_a: range = range(0), at_b: range = MANY) -> Shop:
    """Ten of product 0, in `b` if nothing else is said; ten of product 1 in `a`."""
    shop = Shop()
    reads = [(A, tag(serial), -56) for serial in at_a] + [(B, tag(serial), -56) for serial in at_b]
    shop.read_for(10, reads + [(A, tag(serial, 1), -56) for serial in MANY], every_s=2.0)
    return shop


def heard(shop: Shop, seconds: float, *, there_dbm: int | None = -64, dbm: int = -60) -> list[Transition]:
    """The lone piece is read by `a` every two seconds, and every ten, weaker, by `b`."""
    made: list[Transition] = []
    for _ in range(round(seconds / 10)):
        made += shop.read_for(10, [(A, tag(LONE), dbm)], every_s=2.0)
        if there_dbm is not None:
            made += shop.read_for(0.25, [(B, tag(LONE), there_dbm)], every_s=0.25)
    return made


def test_a_piece_that_two_zones_hear_lies_where_the_others_of_its_product_are() -> None:
    shop = shop_in_order()
    heard(shop, SETTLED_S - 30)
    assert shop.item(LONE).zone is shop.zones["a"]
    made = [step for step in heard(shop, 60) if step.item is shop.item(LONE)]
    assert [(step.left, step.entered, step.cause) for step in made] == [(shop.zones["a"], shop.zones["b"], Cause.MOVED)]
    moved_us = shop.item(LONE).changed_us
    heard(shop, 1800)
    assert shop.item(LONE).zone is shop.zones["b"]
    assert shop.item(LONE).changed_us == moved_us


def test_one_that_only_its_own_zone_hears_stays() -> None:
    shop = shop_in_order()
    heard(shop, 1800, there_dbm=None)
    assert shop.item(LONE).zone is shop.zones["a"]


def test_one_that_is_hardly_heard_there_stays() -> None:
    shop = shop_in_order()
    heard(shop, 600, there_dbm=-84, dbm=-40)
    assert shop.item(LONE).zone is shop.zones["a"]


def test_where_products_do_not_keep_together_nothing_follows() -> None:
    shop = Shop()
    mixed = [(port, tag(2 * pair + port, product), -56) for pair in range(5) for port in (A, B) for product in (0, 1)]
    shop.read_for(10, [*mixed, *((B, tag(serial, 2), -56) for serial in (31,))], every_s=2.0)
    lone = tag(LONE, 2)
    for _ in range(60):
        shop.read_for(10, [(A, lone, -60)], every_s=2.0)
        shop.read_for(0.25, [(B, lone, -64)], every_s=0.25)
    assert shop.item(LONE, 2).zone is shop.zones["a"]


def test_it_is_taken_back_where_it_is_heard_far_better_than_ever() -> None:
    shop = shop_in_order()
    heard(shop, SETTLED_S + 30, dbm=-75, there_dbm=-75)
    assert shop.item(LONE).zone is shop.zones["b"]
    shop.read_for(60, [(A, tag(LONE), -45)])
    assert shop.item(LONE).zone is shop.zones["a"]


def test_one_that_its_own_reads_have_brought_here_stays_though_the_others_are_still_there() -> None:
    shop = shop_in_order()
    shop.read_for(600, [(B, tag(LONE), -56)], every_s=2.0)
    assert shop.item(LONE).zone is shop.zones["b"]
    heard(shop, 1800, dbm=-56, there_dbm=-64)
    assert shop.item(LONE).zone is shop.zones["a"]
    assert shop.item(LONE).location.told


def test_the_only_piece_of_its_product_is_where_it_is() -> None:
    shop, many = Shop(), range(1, 41)
    shop.read_for(10, [(port, tag(serial, port), -56) for port in (A, B) for serial in many], every_s=2.0)
    shop.read_for(600, [(A, tag(LONE), -56)], every_s=2.0)
    shop.read_for(60, [(B, tag(LONE), -56)])
    assert shop.item(LONE).zone is shop.zones["b"]
    moved_us = shop.item(LONE).changed_us
    shop.read_for(2 * SETTLED_S, [(B, tag(LONE), -56)], every_s=2.0)
    assert shop.item(LONE).changed_us == moved_us


def test_a_fault_of_its_own_zone_moves_nothing() -> None:
    shop = shop_in_order()
    heard(shop, SETTLED_S, there_dbm=None)
    shop.fails("a")
    shop.read_for(1, [(B, tag(LONE), -80)])
    assert shop.item(LONE).zone is shop.zones["a"]


def test_into_a_fitting_room_and_out_of_it_everybody_goes_alone() -> None:
    room = RACK.__class__(move_nats=0.0)
    shop = Shop({"a": room, "b": RACK})
    shop.read_for(10, [(B, tag(serial), -56) for serial in MANY] + [(A, tag(serial, 1), -56) for serial in MANY])
    heard(shop, 600, there_dbm=-70)
    assert shop.item(LONE).zone is shop.zones["a"]


@pytest.mark.parametrize(("split", "apart"), [(0, 1 / 0.1525 - 1), (5, math.inf)])
def test_how_much_products_keep_together_is_learnt_and_unlearnt(split: int, apart: float) -> None:
    shop, homes = Shop(), Homes()
    a, b = shop.zones["a"], shop.zones["b"]
    shop.read_for(1, [(A, tag(serial, product), -56) for serial in MANY for product in (0, 1)], every_s=0.5)
    items = list(shop.inventory)
    for item in items:
        beyond = int(item.identity.serial) > split
        homes.settle(item, None, b if beyond is (item.identity.gtin == items[0].identity.gtin) else a)
    assert homes.apart == pytest.approx(apart, rel=1e-3)
    for item in items:
        homes.settle(item, b, None)
        homes.settle(item, a, None)
    assert homes.apart == math.inf


def test_a_piece_that_was_drawn_to_the_others_and_is_carried_back_is_where_it_was_carried() -> None:
    shop = shop_in_order()
    heard(shop, SETTLED_S + 30)
    assert shop.item(LONE).zone is shop.zones["b"]
    shop.read_for(1200, [(B, tag(LONE), -56)], every_s=2.0)
    shop.read_for(300, [(A, tag(LONE), -52)], every_s=2.0)
    assert shop.item(LONE).zone is shop.zones["a"]


def test_nobody_is_drawn_where_nobody_looks() -> None:
    shop = shop_in_order()
    heard(shop, SETTLED_S - 30)
    shop.fails("b")
    heard(shop, 600, there_dbm=None)
    assert shop.item(LONE).zone is shop.zones["a"]


def test_a_zone_holds_for_sure_what_no_other_one_hears_nearly_as_well() -> None:
    shop = shop_in_order(at_a=range(20, 25))
    heard(shop, 60, there_dbm=-62)
    count_sure(shop.zones.values(), shop.inventory)
    # Ten of product 1 and five of product 0, and ten; the lone piece is heard by both.
    assert [shop.zones[name].held - FEW_ITEMS for name in ("a", "b")] == [15, 10]
    assert shop.zones["door"].held == 0.0
    heard(shop, 600, there_dbm=-84, dbm=-40)
    count_sure(shop.zones.values(), shop.inventory)
    assert shop.zones["a"].held - FEW_ITEMS == 16


def test_what_zones_hold_is_counted_as_time_goes_by() -> None:
    shop = shop_in_order()
    shop.read_for(310, [(B, tag(serial), -56) for serial in MANY], every_s=10.0)
    assert [shop.zones[name].held - FEW_ITEMS for name in ("a", "b")] == [10, 10]
