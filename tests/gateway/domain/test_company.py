"""Items of one product that are carried together, some of which tell by their reads, and some of which do not."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from gateway.domain.company import FADES_S, LEARNT_US, LOOK_US, SETTLED_US, Company, Wave
from gateway.domain.items import Cause, Transition
from gateway.domain.params import PresenceParams, Zone, ZoneKind
from gateway.domain.presence import Presence
from gateway.domain.zones import US_PER_S
from gateway.offline import OfflineLine, RecordedRead
from tests.gateway.shop import DOOR, RACK, Shop, identify, tag

BOX = range(1, 11)
TELLING = range(1, 7)
OTHERS = range(21, 26)
A, B = 1, 2


def shop_with_a_box() -> Shop:
    """A box of product 0 and some of product 1 in `a`, there for long; each is read once in two seconds."""
    shop = Shop()
    everything = [tag(serial) for serial in BOX] + [tag(serial, 1) for serial in OTHERS]
    shop.read_for(240, [(A, epc, -56) for epc in everything], every_s=2.0)
    assert all(shop.item(serial).zone is shop.zones["a"] for serial in BOX)
    return shop


def carried(shop: Shop, seconds: float, going: range, silent: range) -> list[Transition]:
    """`going` are read in `b` from now on, `silent` nowhere, all else where it was."""
    reads = [(B, tag(serial), -54) for serial in going]
    reads += [(A, tag(serial), -56) for serial in BOX if serial not in going and serial not in silent]
    reads += [(A, tag(serial, 1), -56) for serial in OTHERS]
    return shop.read_for(seconds, reads, every_s=2.0)


def test_silent_items_of_a_box_go_where_the_others_went() -> None:
    shop = shop_with_a_box()
    made = carried(shop, 40, TELLING, range(7, 11))
    assert all(shop.item(serial).zone is shop.zones["b"] for serial in BOX)
    assert {step.cause for step in made if step.entered is shop.zones["b"]} == {Cause.MOVED}
    assert all(shop.item(serial, 1).zone is shop.zones["a"] for serial in OTHERS)


def test_no_look_at_a_great_box_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.domain.company.MOST_AT_ONCE", 3)
    shop = shop_with_a_box()
    made = carried(shop, 40, TELLING, range(7, 11))
    followers = [step.item.identity.serial for step in made if int(step.item.identity.serial) in range(7, 11)]
    assert sorted(followers) == ["10", "7", "8", "9"]
    assert all(shop.item(serial).zone is shop.zones["b"] for serial in BOX)


def test_those_that_are_read_where_they_were_stay() -> None:
    shop = shop_with_a_box()
    carried(shop, 60, TELLING, range(0))
    assert [shop.item(serial).zone for serial in range(7, 11)] == [shop.zones["a"]] * 4


def test_whoever_both_zones_hear_went_with_the_others_and_stays_with_them() -> None:
    shop = shop_with_a_box()
    reads = [(B, tag(serial), -54) for serial in TELLING]
    reads += [(port, tag(serial), dbm) for serial in range(7, 11) for port, dbm in ((A, -67), (B, -68))]
    shop.read_for(60, reads, every_s=2.0)
    assert [shop.item(serial).zone for serial in range(7, 11)] == [shop.zones["b"]] * 4
    assert shop.item(7).location.followed_from is shop.zones["a"]
    shop.read_for(1200, reads, every_s=2.0)
    assert [shop.item(serial).zone for serial in range(7, 11)] == [shop.zones["b"]] * 4


def test_whoever_both_zones_go_on_hearing_as_before_stays() -> None:
    shop = shop_with_a_box()
    both = [(port, tag(serial), dbm) for serial in range(7, 11) for port, dbm in ((A, -56), (B, -64))]
    shop.read_for(240, [(A, tag(serial), -56) for serial in TELLING] + both, every_s=2.0)
    shop.read_for(60, [(B, tag(serial), -54) for serial in TELLING] + both, every_s=2.0)
    assert [shop.item(serial).zone for serial in TELLING] == [shop.zones["b"]] * 6
    assert [shop.item(serial).zone for serial in range(7, 11)] == [shop.zones["a"]] * 4


def looks_until_it_moves(going: range) -> int:
    """Minutes after `going` went to `b` one that both zones hear is heard otherwise; how many looks does it take?"""
    shop = shop_with_a_box()
    both = [(port, tag(9), dbm) for port, dbm in ((A, -56), (B, -64))]
    shop.read_for(240, [(A, tag(serial), -56) for serial in TELLING] + both, every_s=2.0)
    went = [(B if serial in going else A, tag(serial), -54) for serial in TELLING]
    shop.read_for(40, [*went, (A, tag(9), -56)], every_s=2.0)
    shop.read_for(3 * FADES_S, [*went, *both], every_s=2.0)
    for look in range(60):
        if shop.item(9).zone is shop.zones["b"]:
            return look
        shop.read_for(2, [*went, (A, tag(9), -64), (B, tag(9), -56)], every_s=2.0)
    return 60


def test_minutes_later_whoever_is_heard_follows_sooner_than_one_that_goes_alone() -> None:
    assert 0 < looks_until_it_moves(TELLING) < looks_until_it_moves(range(0))


def test_one_that_is_carried_off_alone_has_no_company() -> None:
    shop = shop_with_a_box()
    carried(shop, 60, range(1, 2), range(9, 11))
    assert shop.item(1).zone is shop.zones["b"]
    assert [shop.item(serial).zone for serial in (9, 10)] == [shop.zones["a"]] * 2


def test_company_is_forgotten_after_minutes() -> None:
    shop = shop_with_a_box()
    carried(shop, 30, TELLING, range(0))
    carried(shop, 5 * FADES_S, TELLING, range(0))
    carried(shop, 60, TELLING, range(9, 11))
    assert [shop.item(serial).zone for serial in (9, 10)] == [shop.zones["a"]] * 2
    assert shop.inventory.quiet_until_us() is not None


def test_a_follower_that_is_read_at_home_returns_and_does_not_follow_again() -> None:
    shop = shop_with_a_box()
    carried(shop, 30, TELLING, range(9, 11))
    assert shop.item(9).zone is shop.zones["b"]
    made = carried(shop, 50, TELLING, range(0))
    assert shop.item(9).zone is shop.zones["a"]
    moves = [step for step in made if step.item is shop.item(9)]
    assert len(moves) == 1
    # Its return says no more of where it is than was known before it followed: the others may draw it home.
    assert shop.item(1).location.told
    assert not shop.item(9).location.told
    assert SETTLED_US > 50 * US_PER_S


def heard_where_never_heard(shop: Shop, hinting: range) -> None:
    """The whole box falls silent; some of it is read once by `b`, weakly."""
    carried(shop, 20, range(0), BOX)
    shop.read_for(2, [(B, tag(serial), -72) for serial in hinting], every_s=2.0)
    carried(shop, 60, range(0), BOX)


def long_in_a(shop: Shop) -> Shop:
    carried(shop, LEARNT_US / US_PER_S, range(0), range(0))
    return shop


def test_a_box_that_falls_silent_is_where_some_of_it_are_heard_for_the_first_time() -> None:
    shop = long_in_a(shop_with_a_box())
    heard_where_never_heard(shop, range(1, 4))
    assert [shop.item(serial).zone for serial in BOX] == [shop.zones["b"]] * 10
    assert all(shop.item(serial, 1).zone is shop.zones["a"] for serial in OTHERS)


def test_one_or_two_that_are_heard_elsewhere_are_no_box() -> None:
    shop = long_in_a(shop_with_a_box())
    heard_where_never_heard(shop, range(1, 3))
    assert [shop.item(serial).zone for serial in range(3, 11)] == [shop.zones["a"]] * 8


def test_what_is_not_known_for_long_gives_no_hint() -> None:
    shop = shop_with_a_box()
    heard_where_never_heard(shop, range(1, 4))
    assert [shop.item(serial).zone for serial in range(4, 11)] == [shop.zones["a"]] * 7


def test_where_the_box_stands_and_is_not_read_it_is_waited_for() -> None:
    shop = long_in_a(shop_with_a_box())
    heard_where_never_heard(shop, range(1, 4))
    carried(shop, RACK.departed_floor_s + 600, range(0), BOX)
    assert [shop.item(serial).presence for serial in BOX] == [Presence.MISSING] * 10


def test_those_that_fell_silent_at_another_time_do_not_follow() -> None:
    shop = shop_with_a_box()
    carried(shop, 2 * FADES_S, range(0), range(9, 11))
    carried(shop, 60, TELLING, range(9, 11))
    assert shop.item(1).zone is shop.zones["b"]
    assert [shop.item(serial).zone for serial in (9, 10)] == [shop.zones["a"]] * 2


def test_when_many_followers_are_found_at_home_the_others_are_there_too() -> None:
    shop = long_in_a(shop_with_a_box())
    heard_where_never_heard(shop, range(1, 4))
    assert shop.item(10).zone is shop.zones["b"]
    carried(shop, 30, range(0), range(7, 11))
    assert [shop.item(serial).zone for serial in BOX] == [shop.zones["a"]] * 10


@pytest.mark.parametrize(
    ("entered", "seconds"),
    [(replace(RACK, move_nats=0.0), 60), (replace(DOOR, exit_silence_s=600.0), 40)],
    ids=["fitting room", "door"],
)
def test_nobody_follows_where_everybody_goes_alone(entered: PresenceParams, seconds: float) -> None:
    shop = Shop({"a": RACK, "b": entered})
    shop.read_for(240, [(A, tag(serial), -56) for serial in BOX], every_s=2.0)
    carried(shop, seconds, TELLING, range(7, 11))
    assert shop.item(1).zone is shop.zones["b"]
    assert [shop.item(serial).zone for serial in range(7, 11)] == [shop.zones["a"]] * 4


def test_nobody_follows_out_of_a_zone_that_is_not_looked_at() -> None:
    shop = shop_with_a_box()
    shop.fails("a")
    shop.read_for(40, [(B, tag(serial), -54) for serial in TELLING], every_s=2.0)
    assert [shop.item(serial).zone for serial in range(7, 11)] == [shop.zones["a"]] * 4


def test_a_zone_that_is_configured_away_takes_its_company_along() -> None:
    shop = shop_with_a_box()
    carried(shop, 14, TELLING, range(0))
    zones = {name: zone for name, zone in shop.zones.items() if name != "b"}
    zone_of = {antenna: zone for antenna, zone in shop.zone_of.items() if zone.id != "b"}
    shop.inventory.configure(zones.values(), zone_of, shop.clock.now_us)
    shop.wait(30)
    assert [shop.item(serial).presence for serial in range(7, 11)] == [Presence.PRESENT] * 4
    assert shop.item(1).presence is Presence.DEPARTED


def test_ticks_that_are_left_out_change_nothing() -> None:
    told = []
    for sparing in (False, True):
        shop = shop_with_a_box()
        # Just long enough that most have told where they are; the silence of the others has just begun to count.
        carried(shop, 8, TELLING, range(0))
        carried(shop, 12, TELLING, range(7, 11))
        moved = []
        for _ in range(240):
            shop.clock.turn(0.25)
            quiet_us = shop.inventory.quiet_until_us()
            if not sparing or quiet_us is None or shop.clock.now_us >= quiet_us:
                moved += [(shop.clock.now_us, step.item.identity.serial) for step in shop.tick() if step.left]
        told.append([(at_us, serial) for at_us, serial in moved if int(serial) in range(7, 11)])
    assert {serial for _, serial in told[0]} == {"7", "8", "9", "10"}
    assert all(at_us % LOOK_US == 0 for at_us, _ in told[0][:4])
    assert told[1] == told[0]


def boxes_carried_about(rng: Random) -> Iterator[RecordedRead]:
    """Two hours of three boxes in three zones: some pieces fall silent, some are heard next door too,
    and some reads come late. In the order of reception.
    """
    pieces = {tag(serial, box): rng.uniform(1, 60) for box in range(3) for serial in range(1, 13)}
    boxes = dict.fromkeys(range(3), 1)
    silent_s = dict.fromkeys(pieces, range(0))
    for second in range(7_200):
        if second % 400 == 399:
            box = rng.randrange(3)
            boxes[box] = rng.randint(1, 3)
            for serial in rng.sample(range(1, 13), 6):
                from_s = second + rng.choice([0, 20, 50])
                silent_s[tag(serial, box)] = range(from_s, from_s + rng.choice([30, 300, 3_000]))
        for number, (epc, pace_s) in enumerate(pieces.items()):
            if second not in silent_s[epc] and rng.random() < 1 / pace_s:
                port = boxes[number // 12] if rng.random() < 0.9 else rng.randint(1, 3)
                at_us = second * US_PER_S + number
                taken_us = at_us - rng.choice([0] * 30 + [40 * US_PER_S])
                yield at_us, max(0, taken_us), "r1", port, epc, rng.randint(-62, -52)


@pytest.mark.parametrize("seed", range(3))
def test_looks_that_are_left_out_would_have_found_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told, followers = [], []
    follow = Company.follow
    monkeypatch.setattr(Company, "follow", lambda *args: (followers.append(args[1]), follow(*args)))
    for restless in (False, True):
        if restless:
            monkeypatch.setattr(
                Wave, "rest", lambda wave, _: (setattr(wave, "due_us", 0), setattr(wave, "silent_us", 0))
            )
        zones = [Zone(name, ZoneKind.SALES_FLOOR, RACK) for name in "abc"]
        antennas = {("r1", port): zone.id for port, zone in enumerate(zones, 1)}
        line = OfflineLine(zones, antennas, start_us=0, identify=identify)
        line.reads(boxes_carried_about(Random(seed)))
        told.append((line.transitions, line.levels, len(followers)))
        followers.clear()
    assert told[0] == told[1]
    assert told[0][2] > 10
