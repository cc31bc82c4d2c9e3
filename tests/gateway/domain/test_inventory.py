import gc
from dataclasses import replace

import pytest

from gateway.domain import hearing
from gateway.domain import inventory as module
from gateway.domain.items import Cause
from gateway.domain.params import PresenceParams
from gateway.domain.presence import Presence
from gateway.domain.zones import US_PER_S, ZoneState
from readers.model import NO_RSSI_DBM, ReadBatch
from tests.gateway.shop import DOOR, QUICK, QUICK_SHOP, RACK, READER, Shop, alias, causes, identity, tag

FOREIGN = b"\xe2\x80\x11\x60\x60\x00\x02\x05\x3d\x9c\x4a\x11"


# -- coming ---------------------------------------------------------------------------------------------------


def test_a_ghost_never_counts_and_leaves_no_trace() -> None:
    shop = Shop()
    shop.hear(1, tag(7))
    assert shop.wait(200) == []
    assert len(shop.inventory) == 0
    assert shop.inventory.find(identity(7)) is None
    assert shop.inventory.forgotten == []
    gc.collect()
    assert not any(isinstance(thing, module.Item) and thing.identity.serial == "7" for thing in gc.get_objects())


def test_one_report_at_one_instant_is_a_ghost_however_often_it_was_seen() -> None:
    shop = Shop()
    shop.hear(1, tag(7), count=5000)
    assert shop.wait(30) == []
    assert shop.item(7).presence is Presence.GLIMPSED


@pytest.mark.parametrize(("gap_s", "counts"), [(0.25, False), (0.3, True), (50.0, True), (61.0, False)])
def test_a_second_read_counts_when_it_comes_late_enough_and_not_too_late(gap_s: float, counts: bool) -> None:
    shop = Shop()
    shop.hear(1, tag(7))
    shop.tick()
    shop.clock.turn(gap_s)
    shop.hear(1, tag(7))
    made = shop.tick()
    assert causes(made) == ([Cause.ARRIVED] if counts else [])
    if counts:
        assert (made[0].left, made[0].was, made[0].entered) == (None, Presence.GLIMPSED, shop.zones["a"])


def test_reads_that_come_together_count_by_their_own_times() -> None:
    shop = Shop()
    shop.hear(1, tag(7), age_s=0.4)
    shop.hear(1, tag(7))
    assert causes(shop.tick()) == [Cause.ARRIVED]


def test_one_report_of_several_reads_over_a_while_is_enough() -> None:
    shop = Shop()
    now_us = shop.clock.now_us
    shop.inventory.ingest(ReadBatch(READER, now_us, 0, [(tag(7), 1, -55, now_us - 300_000, now_us, 2)]))
    assert causes(shop.tick()) == [Cause.ARRIVED]


def test_a_glimpse_that_is_renewed_is_not_forgotten_early() -> None:
    shop = Shop({"a": replace(RACK, observed_reads=5)})
    for _ in range(3):
        shop.hear(1, tag(7))
        shop.wait(50)
    assert shop.item(7).reads == 3
    shop.wait(150)
    assert len(shop.inventory) == 0


def test_a_backlog_tells_of_the_past_and_brings_nobody_in() -> None:
    shop = Shop()
    for age_s in (300.0, 299.0, 298.0):
        shop.hear(1, tag(7), age_s=age_s)
    assert shop.wait(1) == []
    present = shop.place(8)
    shop.wait(400)
    assert present.presence is Presence.MISSING
    shop.hear(1, tag(8), age_s=60.0)
    assert shop.tick() == []
    assert present.presence is Presence.MISSING


def test_stamps_from_the_future_neither_count_nor_stick() -> None:
    shop = Shop()
    for _ in range(3):
        shop.hear(1, tag(7), age_s=-3600.0)
    assert shop.tick() == []
    shop.hear(1, tag(9), age_s=-3600.0)
    shop.wait(1)
    shop.hear(1, tag(7))
    assert causes(shop.tick()) == [Cause.ARRIVED]
    shop.wait(130)
    assert shop.inventory.find(identity(9)) is None


def test_a_report_that_counts_nothing_is_a_read() -> None:
    shop = Shop()
    for _ in range(4):
        shop.hear(1, tag(7), count=0)
        shop.wait(0.25)
    assert shop.item(7).presence is Presence.PRESENT
    assert shop.item(7).cells[0].total == 4


def test_an_item_comes_to_the_zone_that_hears_it_best() -> None:
    shop = Shop()
    made = shop.read_for(2, [(1, tag(7), -70), (2, tag(7), -50)])
    assert [one.entered for one in made] == [shop.zones["b"]]


def test_two_tags_of_one_item_are_one_item() -> None:
    shop = Shop()
    made = shop.read_for(3, [(1, tag(7), -55), (1, alias(7), -55), (2, alias(7), -70)])
    assert causes(made) == [Cause.ARRIVED]
    assert len(shop.inventory) == 1
    assert shop.item(7).keys == (tag(7), alias(7))
    assert shop.item(7).cells[0].total == 6


def test_an_epc_of_an_odd_length_is_a_tag_of_its_own() -> None:
    shop = Shop()
    for _ in range(4):
        now_us = shop.clock.now_us
        reads = [(tag(7), 1, -55, now_us, now_us, 0)]
        shop.inventory.ingest(ReadBatch(READER, now_us, 0, reads, epc_bits=95))
        shop.inventory.ingest(ReadBatch(READER, now_us, 0, [(tag(7), 9, -55, now_us, now_us, 1)], epc_bits=95))
        shop.wait(0.25)
    item = shop.item(7)
    assert (item.keys, item.presence) == (((tag(7), 95),), Presence.PRESENT)
    assert shop.inventory.unmapped_reads == 4
    whole = ReadBatch(READER, shop.clock.now_us, 0, [(tag(7), 1, -55, 0, 0, 1)], epc_bits=96)
    shop.inventory.ingest(whole)
    assert item.keys == ((tag(7), 95), tag(7))


def test_tags_that_are_no_stock_are_looked_at_once_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "MAX_FOREIGN_TAGS", 10)
    shop = Shop()
    asked: list[bytes] = []
    monkeypatch.setattr(shop.inventory, "_identify", lambda epc, _bits: asked.append(epc))
    for _ in range(3):
        for port in (1, 2):
            shop.hear(port, FOREIGN)
        assert shop.wait(1) == []
    assert asked == [FOREIGN]
    for number in range(35):
        shop.hear(1, FOREIGN + number.to_bytes(2))
        shop.hear(2, FOREIGN + number.to_bytes(2))
    assert len(shop.inventory._hearing._foreign) <= 10
    assert sum(shop.inventory.tags_heard().values()) <= 2 * 10
    assert shop.tick() == []
    assert len(shop.inventory) == 0


def test_reads_of_antennas_without_a_zone_are_counted() -> None:
    shop = Shop()
    shop.hear(9, tag(7), tag(8))
    shop.inventory.ingest(ReadBatch("stranger", shop.clock.now_us, 0, [(tag(7), 1, -55, 0, 0, 1)]))
    assert shop.inventory.unmapped_reads == 3
    assert shop.tick() == []


# -- staying and going ----------------------------------------------------------------------------------------


def test_silence_makes_it_missing_and_a_read_brings_it_back() -> None:
    shop = Shop(QUICK_SHOP)
    item = shop.place(7)
    bound_s = item.missing_after_s(QUICK)
    assert shop.wait(bound_s - 1) == []
    (missing,) = shop.wait(2)
    assert (missing.now, missing.left, missing.entered) == (Presence.MISSING, shop.zones["a"], shop.zones["a"])
    assert list(shop.inventory.missing) == [item]
    shop.hear(1, tag(7))
    (back,) = shop.tick()
    assert (back.was, back.now, back.cause) == (Presence.MISSING, Presence.PRESENT, Cause.CONFIRMED)
    assert not shop.inventory.missing
    assert shop.wait(item.missing_after_s(QUICK) - 1) == []


def test_each_tag_has_the_patience_that_its_own_reads_explain() -> None:
    shop = Shop()
    shop.place(1)
    shop.place(2)
    for _ in range(30):
        shop.read_for(10, [(1, tag(1), -55)])
        shop.hear(1, tag(2))
        shop.tick()
    often, rarely = shop.item(1), shop.item(2)
    assert often.missing_after_s(RACK) == RACK.missing_floor_s
    assert rarely.missing_after_s(RACK) > 100
    (made,) = shop.wait(70)
    assert made.item is often


def test_long_silence_is_a_departure() -> None:
    shop = Shop(QUICK_SHOP)
    item = shop.place(7)
    made = shop.wait(125)
    assert [one.now for one in made] == [Presence.MISSING, Presence.DEPARTED]
    assert (made[1].left, made[1].entered, made[1].cause) == (shop.zones["a"], None, Cause.DEPARTED)
    assert list(shop.inventory.departed) == [item]
    assert shop.wait(500) == []


def test_a_bound_that_is_met_exactly_ends_the_wait() -> None:
    """Where the sum of start and bound rounds, their difference may round the other way: no tick may hang on it."""
    bound_s = QUICK.missing_floor_s

    def is_awkward(start_us: int) -> bool:
        seen_s, now_s = (start_us + 1_001_500_000) / US_PER_S, (start_us + 1_061_500_000) / US_PER_S
        return seen_s + bound_s <= now_s and now_s - seen_s < bound_s

    awkward = [start_us for start_us in range(1000) if is_awkward(start_us)]
    assert awkward
    for start_us in awkward[:10]:
        shop = Shop(QUICK_SHOP)
        shop.clock.now_us += start_us
        shop.wait(1000, step_s=20)
        shop.place(7)
        assert [one.now for one in shop.wait(bound_s, step_s=bound_s / 4)] == [Presence.MISSING]


def test_whoever_is_silent_at_a_door_has_left() -> None:
    shop = Shop()
    item = shop.place(7)
    moved = shop.read_for(4, [(3, tag(7), -45)], every_s=0.25)
    assert causes(moved) == [Cause.MOVED]
    assert item.zone is shop.zones["door"]
    assert shop.wait(DOOR.exit_silence_s - 0.5) == []
    (left,) = shop.wait(1)
    assert (left.now, left.left) == (Presence.DEPARTED, shop.zones["door"])


def test_what_has_left_returns_in_the_shop_and_not_at_the_door() -> None:
    shop = Shop()
    item = shop.place(7)
    shop.read_for(4, [(3, tag(7), -45)], every_s=0.25)
    shop.wait(10)
    assert item.presence is Presence.DEPARTED
    assert shop.read_for(60, [(3, tag(7), -45)]) == []
    made = shop.read_for(10, [(1, tag(7), -75), (3, tag(7), -45)])
    assert made == []
    made = shop.read_for(10, [(1, tag(7), -55)])
    assert causes(made) == [Cause.RETURNED]
    assert made[0].entered is shop.zones["a"]


def test_who_was_given_up_at_the_till_is_told_at_the_door_and_at_the_till_again() -> None:
    shop = Shop({"a": RACK, "till": DOOR, "door": DOOR})
    item = shop.place(7)
    shop.read_for(4, [(2, tag(7), -45)], every_s=0.25)
    shop.wait(10)
    assert item.presence is Presence.DEPARTED
    (back,) = shop.read_for(2, [(2, tag(7), -45)], every_s=0.25)
    assert (back.cause, back.entered) == (Cause.RETURNED, shop.zones["till"])
    shop.wait(60)
    (out,) = shop.read_for(2, [(3, tag(7), -45)], every_s=0.25)
    assert (out.cause, out.entered) == (Cause.RETURNED, shop.zones["door"])


def test_what_lies_near_a_door_is_not_in_it_however_often_the_door_hears_it() -> None:
    shop = Shop()
    # In bouts of a few seconds, as fading lets it, and never by its own rack.
    near = [made for _ in range(20) for made in (shop.read_for(4, [(3, tag(7), -80)], every_s=0.25), shop.wait(20))]
    assert not any(near)
    shop.hear(1, tag(7), dbm=-70)
    (come,) = shop.tick()
    assert (come.cause, come.entered) == (Cause.ARRIVED, shop.zones["a"])
    near = [made for _ in range(20) for made in (shop.read_for(4, [(3, tag(7), -75)], every_s=0.25), shop.wait(20))]
    assert [made for made in near if any(one.entered is shop.zones["door"] for one in made)] == []
    assert shop.read_for(2, [(3, tag(7), -50)], every_s=0.25)[0].entered is shop.zones["door"]


def test_what_a_door_took_by_mistake_comes_back_though_the_door_hears_it_better() -> None:
    shop = Shop()
    item = shop.place(7)
    # It lies near the door, which hears it; then by chance so well as if it passed.
    for _ in range(10):
        shop.read_for(4, [(3, tag(7), -68), (1, tag(7), -62)], every_s=0.25)
        shop.wait(10)
    shop.read_for(2, [(3, tag(7), -48)], every_s=0.25)
    shop.wait(10)
    assert (item.presence, item.exited) == (Presence.DEPARTED, shop.zones["door"])
    made = shop.read_for(4, [(3, tag(7), -68), (1, tag(7), -72)])
    assert [(one.cause, one.entered) for one in made] == [(Cause.RETURNED, shop.zones["a"])]


def test_where_all_is_doors_what_has_left_returns_by_one() -> None:
    shop = Shop({"in": DOOR, "out": DOOR})
    item = shop.place(7)
    shop.wait(10)
    assert item.presence is Presence.DEPARTED
    shop.hear(2, tag(7))
    assert shop.tick() == []
    shop.wait(1)
    shop.hear(2, tag(7))
    (back,) = shop.tick()
    assert (back.cause, back.entered) == (Cause.RETURNED, shop.zones["out"])


def test_who_was_only_silent_returns_with_the_first_read() -> None:
    shop = Shop(QUICK_SHOP)
    item = shop.place(7)
    shop.wait(200)
    assert item.presence is Presence.DEPARTED
    shop.hear(1, tag(7))
    assert causes(shop.tick()) == [Cause.RETURNED]


def test_who_has_left_by_a_door_returns_with_the_evidence_of_an_arrival() -> None:
    shop = Shop()
    item = shop.place(7)
    shop.read_for(4, [(3, tag(7), -45)], every_s=0.25)
    shop.wait(100)
    assert item.presence is Presence.DEPARTED
    shop.hear(1, tag(7))
    assert shop.tick() == []
    shop.wait(70)
    shop.hear(1, tag(7))
    assert shop.tick() == []
    assert item.presence is Presence.DEPARTED
    shop.wait(1)
    shop.hear(1, tag(7))
    assert causes(shop.tick()) == [Cause.RETURNED]


def test_departed_items_are_remembered_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DEPARTED_ITEMS", 5)
    shop = Shop(QUICK_SHOP)
    for serial in range(8):
        shop.place(serial)
    shop.wait(200)
    assert len(shop.inventory) == 5
    assert shop.inventory.forgotten == [tag(0), tag(1), tag(2)]
    assert all(tag(0) not in table for table in shop.inventory._hearing._cells[READER].values())
    assert causes(shop.read_for(2, [(1, tag(0), -55)])) == [Cause.ARRIVED]


# -- moving ---------------------------------------------------------------------------------------------------


def test_a_true_move_is_followed_and_a_cross_read_is_not() -> None:
    shop = Shop()
    shop.place(1)
    shop.place(2)
    assert shop.read_for(300, [(1, tag(1), -52), (2, tag(1), -62), (1, tag(2), -55)]) == []
    made = shop.read_for(30, [(1, tag(1), -52), (2, tag(1), -62), (2, tag(2), -55)])
    assert [(one.item, one.left, one.entered) for one in made] == [(shop.item(2), shop.zones["a"], shop.zones["b"])]


def test_after_a_move_silence_is_counted_by_the_new_zone() -> None:
    shop = Shop(QUICK_SHOP)
    item = shop.place(7)
    shop.read_for(30, [(2, tag(7), -50)])
    assert item.zone is shop.zones["b"]
    shop.fails("a")
    (missing,) = shop.wait(70)
    assert (missing.now, missing.left) == (Presence.MISSING, shop.zones["b"])


def test_cross_reads_of_a_half_dead_zone_do_not_pile_up_into_a_move() -> None:
    shop = Shop({"a": RACK, "b": RACK}, {"a": (1,), "b": (2, 4)})
    shop.place(7)
    shop.zones["b"].observe((READER, 4), working=False, now_us=shop.clock.now_us)
    assert shop.zones["b"].state is ZoneState.DEGRADED
    assert shop.read_for(1800, [(1, tag(7), -52), (2, tag(7), -65)]) == []


# -- outages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [(1,), (1, 4)], ids=["one antenna", "all antennas"])
def test_an_outage_is_never_a_departure(broken: tuple[int, ...]) -> None:
    shop = Shop({"a": QUICK, "b": QUICK}, {"a": (1, 4), "b": (2,)})
    item = shop.place(7)
    for port in broken:
        shop.zones["a"].observe((READER, port), working=False, now_us=shop.clock.now_us)
    assert shop.wait(24 * 3600, step_s=60) == []
    shop.works("a")
    silent_s = item.missing_after_s(QUICK)
    assert shop.wait(silent_s - 2) == []
    assert [one.now for one in shop.wait(4)] == [Presence.MISSING]


def test_a_gateway_that_was_stuck_writes_nobody_off() -> None:
    shop = Shop(QUICK_SHOP)
    item = shop.place(7)
    shop.clock.turn(6 * 3600)
    assert shop.tick() == []
    assert item.presence is Presence.PRESENT


def test_an_outage_teaches_nothing_about_a_tag() -> None:
    shop = Shop()
    item = shop.place(7)
    shop.read_for(60, [(1, tag(7), -55)])
    chance = item.read_chance
    shop.fails("a")
    shop.wait(3600, step_s=60)
    shop.works("a")
    shop.read_for(1, [(1, tag(7), -55)])
    assert item.read_chance >= chance


def test_a_tag_that_a_hand_may_have_turned_in_an_outage_is_as_good_as_new() -> None:
    patience_s = []
    for down_s in (0, 4 * 3600):
        shop = Shop({"a": RACK})
        item = shop.place(7)
        shop.read_for(600, [(1, tag(7), -55)], every_s=5.0)
        if down_s:
            shop.fails("a")
            shop.wait(down_s, step_s=60)
            shop.works("a")
        # It hangs badly now: once it is heard by chance, and then not for long.
        shop.wait(200, step_s=5)
        shop.read_for(1, [(1, tag(7), -55)])
        assert shop.zones["a"].clock.blind_s(item.seen_clock_s) == 0.0
        patience_s.append(item.unexplained_s)
    assert patience_s[1] > 5 * patience_s[0]


def test_a_zone_whose_last_antenna_was_taken_away_keeps_its_stock() -> None:
    shop = Shop(QUICK_SHOP)
    item = shop.place(7)
    zones = list(shop.zones.values())
    shop.zones["a"].reform(shop.zones["a"].params, [], shop.clock.now_us)
    remaining = {antenna: zone for antenna, zone in shop.zone_of.items() if zone.id != "a"}
    assert shop.inventory.configure(zones, remaining, shop.clock.now_us) == []
    assert shop.wait(3600, step_s=10) == []
    assert item.presence is Presence.PRESENT


# -- what silence teaches -------------------------------------------------------------------------------------


def test_who_was_given_up_and_returns_teaches_its_zone_and_is_given_more_time() -> None:
    shop = Shop({"a": PresenceParams(false_share=0.005, silence_ceiling_s=200_000.0)})
    shop.read_for(300, [(1, tag(7), -55)])
    item, pool = shop.item(7), shop.item(7).pool
    assert pool is not None
    first_s = item.departed_after_s(shop.zones["a"])
    assert [one.now for one in shop.wait(first_s + 5, step_s=1)] == [Presence.MISSING, Presence.DEPARTED]
    shop.wait(600, step_s=1)
    lost_rate, calm_rate = pool.leave_rate, 1.0 / PresenceParams().unseen_stay_s
    assert lost_rate > 5 * calm_rate
    shop.hear(1, tag(7))
    assert causes(shop.tick()) == [Cause.RETURNED]
    assert item.longest_s > first_s
    shop.read_for(60, [(1, tag(7), -55)])
    assert item.pool is pool
    assert pool.leave_rate < 1.1 * calm_rate
    second_s = item.departed_after_s(shop.zones["a"])
    assert second_s > 2 * first_s
    made = shop.wait(first_s + 5, step_s=1)
    assert [one.now for one in made] == [Presence.MISSING]


def test_a_silence_that_ends_in_time_teaches_too() -> None:
    shop = Shop({"a": PresenceParams()})
    shop.read_for(300, [(1, tag(7), -55)])
    item = shop.item(7)
    assert item.pool is not None
    begins_per_s = item.pool.begins_per_s()
    shop.wait(400)
    shop.hear(1, tag(7))
    shop.tick()
    assert 380 < item.longest_s < 400
    assert item.pool.begins_per_s() > begins_per_s


def test_reads_without_a_strength_count_and_locate_by_their_number() -> None:
    shop = Shop()
    made = shop.read_for(60, [(1, tag(7), NO_RSSI_DBM)])
    assert [(one.cause, one.entered) for one in made] == [(Cause.ARRIVED, shop.zones["a"])]
    assert shop.read_for(60, [(1, tag(7), NO_RSSI_DBM), (2, tag(7), NO_RSSI_DBM)]) == []
    made = shop.read_for(60, [(2, tag(7), NO_RSSI_DBM)])
    assert [(one.cause, one.entered) for one in made] == [(Cause.MOVED, shop.zones["b"])]
