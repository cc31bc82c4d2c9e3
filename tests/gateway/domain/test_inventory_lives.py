import pytest

from gateway.domain import inventory as module
from gateway.domain.items import Cause
from gateway.domain.params import PresenceParams, Zone, ZoneKind
from gateway.domain.presence import Presence
from gateway.domain.zones import US_PER_S, LiveZone, ZoneState
from tests.gateway.shop import DOOR, QUICK, QUICK_SHOP, RACK, READER, UTC_US, HandClock, Shop, alias, causes, tag

# -- another configuration ------------------------------------------------------------------------------------


def test_items_of_a_removed_zone_leave_it_and_return_where_they_are_read() -> None:
    shop = Shop()
    item, other = shop.place(7), shop.place(8, port=2)
    shop.hear(1, tag(7))
    keep = [shop.zones["b"], shop.zones["door"]]
    zone_of = {(READER, 1): shop.zones["b"], (READER, 2): shop.zones["b"], (READER, 3): shop.zones["door"]}
    made = shop.inventory.configure(keep, zone_of, shop.clock.now_us)
    assert [(one.item, one.left, one.entered, one.cause) for one in made] == [
        (item, shop.zones["a"], None, Cause.CONFIG)
    ]
    assert other.presence is Presence.PRESENT
    made = shop.read_for(3, [(1, tag(7), -55)])
    assert [(one.cause, one.entered) for one in made] == [(Cause.RETURNED, shop.zones["b"])]


def test_every_tag_of_an_item_follows_a_remapped_antenna() -> None:
    shop = Shop()
    shop.read_for(3, [(1, tag(7), -55), (1, alias(7), -55)])
    swapped = {(READER, 1): shop.zones["b"], (READER, 2): shop.zones["a"], (READER, 3): shop.zones["door"]}
    assert shop.inventory.configure(shop.zones.values(), swapped, shop.clock.now_us) == []
    made = shop.read_for(60, [(1, tag(7), -55)])
    made += shop.read_for(60, [(1, alias(7), -55)])
    assert [(one.cause, one.entered) for one in made] == [(Cause.MOVED, shop.zones["b"])]


def test_reads_of_an_antenna_that_was_removed_are_dropped() -> None:
    shop = Shop()
    shop.place(7, port=2)
    zone_of = {(READER, 1): shop.zones["a"]}
    shop.hear(2, tag(9))
    shop.inventory.configure([shop.zones["a"]], zone_of, shop.clock.now_us)
    before = shop.inventory.unmapped_reads
    shop.hear(2, tag(7))
    assert shop.inventory.unmapped_reads == before + 1
    assert shop.wait(100) == []


def test_new_bounds_hold_at_once() -> None:
    shop = Shop()
    item = shop.place(7)
    zone = shop.zones["a"]
    zone.reform(Zone("a", ZoneKind.EXIT, DOOR), zone.antennas, shop.clock.now_us)
    shop.inventory.configure(shop.zones.values(), shop.zone_of, shop.clock.now_us)
    assert item.departed_after_s(zone) < 400
    shop.wait(item.departed_after_s(zone) + 1)
    assert item.presence is Presence.DEPARTED


# -- another life ---------------------------------------------------------------------------------------------


def another_life(shop: Shop, down_s: float, params: dict[str, PresenceParams]) -> tuple[Shop, list[module.Transition]]:
    """What the next process makes of the records of this one; its monotonic clock began elsewhere."""
    utc_us = UTC_US + shop.clock.now_us
    records = [shop.inventory.record(item, shop.clock.now_us, utc_us) for item in shop.inventory]
    after = Shop(params, clock=HandClock(10 * US_PER_S))
    made = after.inventory.restore(records, after.clock.now_us, utc_us + round(down_s * US_PER_S))
    return after, made


def test_downtime_is_an_outage_that_begins_when_an_item_was_last_known_to_be_silent() -> None:
    shop = Shop()
    silent = shop.place(1)
    shop.wait(100)
    after, _ = another_life(shop, 600.0, {"a": RACK, "b": RACK, "door": DOOR})
    twin, zone = after.item(1), after.zones["a"]
    assert zone.clock.blind_s(twin.seen_clock_s) == pytest.approx(600.0, abs=0.5)
    # Another one that is read now has no such silence behind it.
    other = after.place(2)
    assert zone.clock.blind_s(other.seen_clock_s) == 0.0
    assert silent.seen_clock_s > 0.0


def test_a_restart_forgets_nothing_and_counts_no_silence() -> None:
    shop = Shop(QUICK_SHOP)
    shop.place(3)
    shop.wait(65)
    shop.place(1, product=1)
    shop.place(2)
    shop.place(4, port=2)
    shop.wait(50)
    shop.read_for(10, [(1, tag(1, 1), -55), (2, tag(4), -55)])
    after, made = another_life(shop, 86_400.0, QUICK_SHOP)
    assert made == []
    assert after.wait(30) == []
    for item in shop.inventory:
        twin = after.inventory.find(item.identity)
        assert twin is not None
        assert (twin.presence, twin.keys, twin.read_chance) == (item.presence, item.keys, item.read_chance)
        assert (twin.zone and twin.zone.id) == (item.zone and item.zone.id)
    assert {item.identity.serial for item in after.inventory.missing} == {"2"}
    assert {item.identity.serial for item in after.inventory.departed} == {"3"}


def test_the_silence_of_the_life_before_counts_on() -> None:
    shop = Shop(QUICK_SHOP)
    item = shop.place(7)
    bound_s = item.missing_after_s(QUICK)
    shop.wait(bound_s - 20)
    after, _ = another_life(shop, 3600.0, QUICK_SHOP)
    assert after.wait(18) == []
    assert [one.now for one in after.wait(4)] == [Presence.MISSING]


def test_items_of_a_zone_that_is_gone_leave_at_the_start() -> None:
    shop = Shop()
    shop.place(7)
    shop.place(8, port=2)
    after, made = another_life(shop, 1.0, {"b": RACK})
    assert [(one.item.identity.serial, one.cause, one.now) for one in made] == [("7", Cause.CONFIG, Presence.DEPARTED)]
    assert made[0].left is not None
    assert made[0].left.id == "a"
    assert after.item(7).presence is Presence.DEPARTED


def test_missing_and_departed_come_back_in_the_order_of_change() -> None:
    shop = Shop(QUICK_SHOP)
    for serial in (3, 1, 2):
        shop.place(serial)
        shop.wait(5)
    shop.wait(60)
    after, _ = another_life(shop, 1.0, QUICK_SHOP)
    assert [item.identity.serial for item in after.inventory.missing] == ["3", "1", "2"]
    shop.wait(100)
    after, _ = another_life(shop, 1.0, QUICK_SHOP)
    assert [item.identity.serial for item in after.inventory.departed] == ["3", "1", "2"]


def test_a_learning_zone_goes_on_learning_while_items_come() -> None:
    shop = Shop()
    zone: LiveZone = shop.zones["a"]
    zone.learning = True
    shop.wait(25)
    shop.place(7)
    shop.wait(25)
    assert zone.state is ZoneState.LEARNING
    shop.wait(10)
    assert zone.state is ZoneState.OK


# -- zones that are not looked at -----------------------------------------------------------------------------


@pytest.mark.parametrize(("dbm", "moves"), [(-55, True), (-75, False)])
def test_an_item_leaves_a_zone_that_is_down_only_for_one_that_hears_it_as_well(dbm: int, moves: bool) -> None:
    shop = Shop()
    item = shop.place(7, port=1)
    shop.read_for(60, [(1, tag(7), -55)])
    shop.fails("a")
    made = shop.read_for(300, [(2, tag(7), dbm)])
    assert causes(made) == ([Cause.MOVED] if moves else [])
    assert item.zone is shop.zones["b" if moves else "a"]


def test_a_zone_that_lost_its_antennas_holds_nobody_back() -> None:
    shop = Shop()
    item = shop.place(7, port=1)
    shop.zones["a"].reform(shop.zones["a"].params, (), shop.clock.now_us)
    shop.read_for(10, [(2, tag(7), -75)])
    assert item.zone is shop.zones["b"]


def test_a_restart_with_other_tags_as_stock_empties_what_is_none_any_more() -> None:
    shop = Shop()
    shop.place(7)
    record = shop.inventory.record(shop.item(7), shop.clock.now_us, UTC_US)
    again = module.Inventory(shop.zones.values(), shop.zone_of, lambda _epc, _bits: None)
    (made,) = again.restore([record], shop.clock.now_us, UTC_US)
    assert (made.cause, made.left, made.entered) == (Cause.CONFIG, shop.zones["a"], None)
    assert again.tick(shop.clock.now_us) == []
