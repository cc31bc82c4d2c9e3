"""Records of items, and what the next life makes of them."""

from dataclasses import astuple

import pytest

from gateway.domain.atrest import item_of, lived_utc_us, record_item
from gateway.domain.company import AS_BEFORE
from gateway.domain.fading import Fading
from gateway.domain.items import Item
from gateway.domain.presence import Presence
from gateway.domain.records import ItemRecord, PlaceRecord, ZoneRecord
from gateway.domain.zones import US_PER_S
from tests.gateway.shop import DOOR, RACK, UTC_US, HandClock, Shop, tag

SHIFT_US = UTC_US
THREE = {"a": RACK, "b": RACK, "door": DOOR}


def heard_everywhere() -> Shop:
    """Item 1 lies in `a`, and is heard in `b` and near the door."""
    shop = Shop()
    shop.place(1)
    shop.read_for(60, [(1, tag(1), -52), (2, tag(1), -66)])
    for seconds in (4, 1):
        shop.read_for(seconds, [(3, tag(1), -70)])
        shop.read_for(60, [(1, tag(1), -52), (2, tag(1), -66)])
    return shop


def reborn(shop: Shop, down_s: float = 0.0) -> Shop:
    """The next life, whose monotonic clock began elsewhere; its antennas work at once."""
    utc_us = shop.clock.utc_us()
    records = [shop.inventory.record(item, shop.clock.now_us, utc_us) for item in shop.inventory]
    after = Shop(THREE, clock=HandClock(10 * US_PER_S))
    after.inventory.restore(records, after.clock.now_us, utc_us + round(down_s * US_PER_S))
    return after


def place_of(shop: Shop, item: Item) -> PlaceRecord:
    record = shop.inventory.record(item, 0, 0)
    assert record.place is not None
    return record.place


def same(mine: PlaceRecord, theirs: PlaceRecord, *, habits: bool = True) -> bool:
    """But for when it was, and for the last digits."""
    last = None if habits else -1
    assert (mine.own, mine.followed_from) == (theirs.own, theirs.followed_from)
    assert mine.as_before == pytest.approx(theirs.as_before)
    assert mine.told is theirs.told
    assert [each.zone for each in mine.heard] == [each.zone for each in theirs.heard]
    return all(
        astuple(one)[1:last] == pytest.approx(astuple(other)[1:last], abs=1e-6)
        for one, other in zip(mine.heard, theirs.heard, strict=True)
    )


def test_what_every_zone_hears_of_an_item_survives() -> None:
    shop = heard_everywhere()
    before = place_of(shop, shop.item(1))
    assert [each.zone for each in before.heard] == ["a", "b", "door"]
    assert before.heard[0].often > 0.2
    assert before.heard[2].usual > 0.0
    after = reborn(shop)
    assert same(place_of(after, after.item(1)), before)
    assert after.item(1).location.reach_s(after.clock.now_us) == shop.item(1).location.reach_s(shop.clock.now_us)


def test_both_lives_make_the_same_of_what_comes_next() -> None:
    shop = heard_everywhere()
    after = reborn(shop)
    for each in (shop, after):
        each.read_for(20, [(2, tag(1), -58)])
    assert after.item(1).zone is not None
    assert after.item(1).zone.id == shop.item(1).zone.id  # type: ignore[union-attr]
    assert place_of(after, after.item(1)).heard[1].news == pytest.approx(
        place_of(shop, shop.item(1)).heard[1].news, abs=0.5
    )


def test_the_longer_nobody_looked_the_shorter_what_was_heard_before_is_held_to() -> None:
    shop = heard_everywhere()
    lived_s = 2.0 * shop.item(1).location.reach_s(shop.clock.now_us)
    for down_s, share in ((RACK.memory_s, 1 / 2), (9 * RACK.memory_s, 1 / 10)):
        after = reborn(shop, down_s)
        now_us = after.clock.now_us
        assert after.item(1).location.reach_s(now_us) == pytest.approx(share * lived_s / 2.0, rel=0.01)
        # Of what was before nothing is lost yet.
        assert same(place_of(after, after.item(1)), place_of(shop, shop.item(1)), habits=False)


def test_who_followed_others_is_still_one_that_did() -> None:
    shop = heard_everywhere()
    item, zone = shop.item(1), shop.zones["b"]
    item.zone = zone
    item.location.settle(zone, shop.clock.now_us, taken_back=AS_BEFORE)
    before = place_of(shop, item)
    assert before.followed_from == "a"
    assert before.as_before > 0.0
    after = reborn(shop)
    assert same(place_of(after, after.item(1)), before)
    assert after.item(1).location.followed_from is after.zones["a"]


def test_what_a_door_is_used_to_hear_fades_while_nobody_listens() -> None:
    shop = heard_everywhere()
    after = reborn(shop, down_s=3600.0)
    usual = place_of(after, after.item(1)).heard[2].usual
    assert usual == pytest.approx(place_of(shop, shop.item(1)).heard[2].usual / 2, rel=0.01)


def test_who_left_by_an_exit_is_not_brought_back_by_its_reads_in_the_next_life() -> None:
    shop = Shop()
    shop.place(1)
    shop.read_for(5, [(3, tag(1), -45)], every_s=0.5)
    shop.wait(60)
    assert shop.item(1).presence is Presence.DEPARTED
    after = reborn(shop)
    assert after.item(1).exited is after.zones["door"]
    after.read_for(10, [(3, tag(1), -45)], every_s=0.5)
    assert after.item(1).presence is Presence.DEPARTED
    after.read_for(30, [(1, tag(1), -50)], every_s=0.5)
    assert after.item(1).presence is Presence.PRESENT


def test_a_reader_that_is_back_first_takes_nothing_over() -> None:
    shop = heard_everywhere()
    utc_us = shop.clock.utc_us()
    records = [shop.inventory.record(item, shop.clock.now_us, utc_us) for item in shop.inventory]
    after = Shop(THREE, clock=HandClock(10 * US_PER_S))
    after.fails("a")
    after.inventory.restore(records, after.clock.now_us, utc_us)
    after.read_for(30, [(2, tag(1), -66)])
    assert after.item(1).zone is after.zones["a"]


def test_zones_that_are_no_more_have_heard_nothing() -> None:
    shop = heard_everywhere()
    record = record_item(shop.item(1), SHIFT_US, place=True)
    after = Shop({"b": RACK})
    item = item_of(record, after.zones, -SHIFT_US, 0, 0)
    assert [evidence.zone.id for evidence in item.location.evidence] == ["b"]
    assert item.location.own is None


def test_an_item_of_another_version_begins_where_it_is() -> None:
    shop = Shop()
    record = ItemRecord(tag(1), "09506000134352", "1", Presence.PRESENT, "a", 5, 7, 0.25, 40.0, 1.5)
    assert lived_utc_us(record) == 7 + 1.5 * US_PER_S
    assert shop.inventory.restore([record], shop.clock.now_us, shop.clock.utc_us()) == []
    location = shop.item(1).location
    assert location.own is not None
    assert location.own.zone is shop.zones["a"]
    assert location.since_us == shop.clock.now_us


def test_what_a_zone_has_learnt_of_fading_and_of_moves_survives() -> None:
    shop, after = Shop(), Shop()
    zone = shop.zones["a"]
    for _ in range(2000):
        zone.fading.pair(3.0, 4.0, 3.0)
    zone.moved = 7.0
    zone.reckon(60.0)
    record = zone.record()
    assert not record.blank
    assert after.zones["a"].record().blank
    after.inventory.restore([], 0, UTC_US, learnt=[record, ZoneRecord("gone", (), (), 1.0, 1.0)])
    assert after.zones["a"].record() == record
    assert after.zones["a"].fading.same_s == zone.fading.same_s > 0.5
    assert after.zones["a"].moves_per_s == zone.moves_per_s


def test_other_octaves_are_not_taken_up() -> None:
    fading = Fading()
    fading.restore([1.0], [2.0])
    assert fading.sums == Fading().sums


@pytest.mark.parametrize(
    ("products", "squares", "moved", "looked_s", "news"),
    [
        ((5.0,), (100.0,), 3.0, 1e6, False),
        ((14.0,), (100.0,), 3.0, 1e6, False),
        ((16.0,), (100.0,), 3.0, 1e6, True),
        ((5.0,), (111.0,), 3.0, 1e6, True),
        ((5.0,), (100.0,), 4.0, 1e6, False),
        ((5.0,), (100.0,), 4.5, 1e6, True),
        ((5.0,), (100.0,), 3.0, 1.2e6, True),
    ],
)
def test_news_of_a_zone_is_what_has_changed_by_a_share(
    products: tuple[float, ...], squares: tuple[float, ...], moved: float, looked_s: float, *, news: bool
) -> None:
    before = ZoneRecord("a", (5.0,), (100.0,), 3.0, 1e6)
    assert ZoneRecord("a", products, squares, moved, looked_s).differs(before, 0.1) is news


@pytest.mark.parametrize("back_h", [2, 2000])
def test_a_clock_that_was_set_back_makes_no_door_deaf(back_h: int) -> None:
    shop = heard_everywhere()
    usual = place_of(shop, shop.item(1)).heard[2].usual
    after = reborn(shop, down_s=-3600.0 * back_h)
    assert place_of(after, after.item(1)).heard[2].usual == pytest.approx(usual)


def test_who_left_hours_before_the_end_comes_back_where_it_is_read() -> None:
    shop = Shop(THREE)
    shop.place(1)
    shop.read_for(900, [(1, tag(1), -52)], every_s=2.0)
    shop.read_for(4, [(3, tag(1), -45)], every_s=0.5)
    shop.wait(60)
    assert shop.item(1).presence is Presence.DEPARTED
    record = shop.inventory.record(shop.item(1), shop.clock.now_us, shop.clock.utc_us())
    after = Shop(THREE, clock=HandClock(10 * US_PER_S))
    after.inventory.restore([record], after.clock.now_us, shop.clock.utc_us() + 3 * 3600 * US_PER_S)
    made = after.read_for(60, [(2, tag(1), -75)], every_s=2.0)
    assert [(step.left, step.entered) for step in made] == [(None, after.zones["b"])]
