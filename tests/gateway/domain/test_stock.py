from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.delta import Step, StockKey
from gateway.domain.items import Cause, Item, Transition
from gateway.domain.params import PROFILES, PresenceParams, Profile, Zone, ZoneKind
from gateway.domain.presence import COUNTED, Presence
from gateway.domain.stock import CONFIRMED_EVERY_US, Stock, StockRow, Tally
from gateway.domain.zones import US_PER_S, LiveZone
from tests.gateway.shop import GTINS, READER, UTC_US, Shop, identity, tag

QUICK = PresenceParams(missing_floor_s=20.0, departed_floor_s=40.0, silence_ceiling_s=40.0, missing_chance=0.5)
PARAMS = {"a": QUICK, "b": QUICK, "door": PROFILES[Profile.DOOR]}


def zone(name: str = "floor", kind: ZoneKind = ZoneKind.SALES_FLOOR) -> LiveZone:
    made = LiveZone(Zone(name, kind), [(READER, 1)], learning=False, now_us=0)
    made.observe((READER, 1), working=True, now_us=0)
    return made


def step(
    place: LiveZone | None, was: Presence, now: Presence, *serials: int, to: LiveZone | None = None, product: int = 0
) -> list[Transition]:
    """Items change from `was` in `place` to `now` (in `place` too, unless they go elsewhere or come)."""
    left = place if was in COUNTED else None
    entered = (to or place) if now in COUNTED else None
    cause = Cause.CONFIRMED if left is entered else Cause.MOVED if left and entered else Cause.ARRIVED
    items = [Item(identity(serial, product), tag(serial, product), 0) for serial in serials]
    return [Transition(item, was, left, now, entered, cause) for item in items]


def arrivals(place: LiveZone, count: int, product: int = 0) -> list[Transition]:
    return step(place, Presence.GLIMPSED, Presence.PRESENT, *range(count), product=product)


def test_a_step_tells_each_row_once_with_its_level() -> None:
    stock, floor, back = Stock(), zone("floor"), zone("back", ZoneKind.BACKROOM)
    first = stock.apply(arrivals(floor, 3) + arrivals(back, 2) + arrivals(floor, 1, product=1))
    assert first is not None
    assert {(c.gtin, c.zone): (c.change, c.quantity, c.confirmed) for c in first.changes} == {
        (GTINS[0], "floor"): (3, 3, 3),
        (GTINS[0], "back"): (2, 2, 2),
        (GTINS[1], "floor"): (1, 1, 1),
    }
    assert {c.zone: c.disposition for c in first.changes} == {
        "floor": "sellable_accessible",
        "back": "sellable_not_accessible",
    }
    assert first.causes == {Cause.ARRIVED: 6}
    moved = stock.apply(step(floor, Presence.PRESENT, Presence.PRESENT, 0, 1, to=back))
    assert moved is not None
    assert [(c.zone, c.change, c.quantity) for c in moved.changes] == [("floor", -2, 1), ("back", 2, 4)]
    assert moved.causes == {Cause.MOVED: 2}


def test_a_row_that_is_empty_is_told_once_and_is_gone() -> None:
    stock, floor = Stock(), zone()
    stock.apply(arrivals(floor, 2))
    left = stock.apply(step(floor, Presence.PRESENT, Presence.DEPARTED, 0, 1))
    assert left is not None
    assert [(c.change, c.quantity, c.confirmed) for c in left.changes] == [(-2, 0, 0)]
    assert list(stock) == []


def test_items_that_change_places_change_no_row() -> None:
    stock, floor, back = Stock(), zone("floor"), zone("back")
    stock.apply(arrivals(floor, 1) + arrivals(back, 1))
    swap = step(floor, Presence.PRESENT, Presence.PRESENT, 0, to=back)
    swap += step(back, Presence.PRESENT, Presence.PRESENT, 1, to=floor)
    assert stock.apply(swap) is None
    assert [row.quantity for row in stock] == [1, 1]


def test_what_came_and_went_within_a_step_leaves_no_row() -> None:
    stock, floor = Stock(), zone()
    assert stock.apply(arrivals(floor, 1) + step(floor, Presence.PRESENT, Presence.DEPARTED, 0)) is None
    assert list(stock) == []
    assert stock.confirm([floor], 0) == []


def test_changes_in_a_zone_that_is_not_healthy_are_marked() -> None:
    stock, floor, back = Stock(), zone("floor"), zone("back")
    back.observe((READER, 1), working=False, now_us=1)
    made = stock.apply(arrivals(floor, 1) + arrivals(back, 1))
    assert made is not None
    assert {c.zone: c.stale for c in made.changes} == {"floor": False, "back": True}


@pytest.mark.parametrize(("quantity", "enough"), [(1, None), (5, 2), (20, 2), (30, 3), (100, 10), (101, 11)])
def test_confirmed_alone_is_told_from_two_and_a_tenth_on(quantity: int, enough: int | None) -> None:
    stock, floor = Stock(), zone()
    stock.apply(arrivals(floor, quantity))
    told = None
    for gone in range(quantity):
        assert stock.apply(step(floor, Presence.PRESENT, Presence.MISSING, gone)) is None
        if steps := stock.confirm([floor], 0):
            told = gone + 1
            ((change,),) = (one.changes for one in steps)
            assert (change.change, change.quantity, change.confirmed) == (0, quantity, quantity - told)
            assert steps[0].causes == {Cause.CONFIRMED: 1}
            break
    assert told == enough


def test_confirmed_is_told_once_a_minute_and_zone() -> None:
    stock, floor, back = Stock(), zone("floor"), zone("back")
    stock.apply(arrivals(floor, 9) + arrivals(back, 9) + arrivals(floor, 9, product=1))
    for product in (0, 1):
        stock.apply(step(floor, Presence.PRESENT, Presence.MISSING, 0, 1, product=product))
    (first,) = stock.confirm([floor, back], 0)
    assert [change.gtin for change in first.changes] == sorted(GTINS[:2])
    stock.apply(step(floor, Presence.PRESENT, Presence.MISSING, 2, 3))
    stock.apply(step(back, Presence.PRESENT, Presence.MISSING, 2, 3))
    (other,) = stock.confirm([floor, back], CONFIRMED_EVERY_US - 1)
    assert [change.zone for change in other.changes] == ["back"]
    (second,) = stock.confirm([floor, back], CONFIRMED_EVERY_US)
    assert [(change.zone, change.confirmed) for change in second.changes] == [("floor", 5)]
    assert stock.confirm([floor, back], 10 * CONFIRMED_EVERY_US) == []


def test_a_change_of_quantity_tells_confirmed_along() -> None:
    stock, floor = Stock(), zone()
    stock.apply(arrivals(floor, 9))
    stock.apply(step(floor, Presence.PRESENT, Presence.MISSING, 0, 1, 2))
    made = stock.apply(step(floor, Presence.MISSING, Presence.DEPARTED, 0))
    assert made is not None
    assert [(c.quantity, c.confirmed) for c in made.changes] == [(8, 6)]
    assert stock.confirm([floor], 0) == []


def test_a_restart_with_a_zone_less_empties_it_to_zero_exactly() -> None:
    shop = Shop()
    for serial in range(5):
        shop.place(serial)
    shop.place(9, port=2)
    utc_us = UTC_US + shop.clock.now_us
    records = [shop.inventory.record(item, shop.clock.now_us, utc_us) for item in shop.inventory]
    rows = [StockRow(GTINS[0], "a", "x", 5, 5), StockRow(GTINS[0], "b", "x", 1, 1)]
    after = Shop({"b": QUICK})
    first = after.inventory.restore(records, after.clock.now_us, utc_us)
    after.stock.restore(rows, after.inventory)
    made = after.stock.apply(first)
    assert made is not None
    assert [(c.zone, c.change, c.quantity, c.confirmed) for c in made.changes] == [("a", -5, 0, 0)]
    assert made.causes == {Cause.CONFIG: 5}
    assert [(row.zone, row.quantity, row.confirmed) for row in after.stock] == [("b", 1, 1)]


def test_a_restart_tells_what_is_confirmed_no_longer() -> None:
    shop = Shop()
    shop.place(1)
    stock = Stock()
    stock.restore([StockRow(GTINS[0], "a", "x", 1, 1)], shop.inventory)
    assert stock.confirm(shop.zones.values(), 0) == []
    stock = Stock()
    stock.restore([StockRow(GTINS[0], "a", "x", 4, 4)], shop.inventory)
    (told,) = stock.confirm(shop.zones.values(), 0)
    assert [(c.quantity, c.confirmed) for c in told.changes] == [(4, 1)]


# -- whatever happens -----------------------------------------------------------------------------------------


@dataclass
class Books:
    """A shop under any schedule, and what its deltas add up to."""

    shop: Shop = field(default_factory=lambda: Shop(PARAMS))
    told: dict[StockKey, tuple[int, int]] = field(default_factory=dict)

    def book(self, transitions: list[Transition]) -> None:
        made = self.shop.stock.apply(transitions)
        steps = [] if made is None else [made]
        steps += self.shop.stock.confirm(self.shop.inventory.zones.values(), self.shop.clock.now_us)
        for one in steps:
            self.check_step(one)
        self.check_levels()

    def check_step(self, made: Step) -> None:
        assert made.changes
        keys = [(change.gtin, change.zone) for change in made.changes]
        assert len(set(keys)) == len(keys)
        for key, change in zip(keys, made.changes, strict=True):
            old, _ = self.told.get(key, (0, 0))
            assert old + change.change == change.quantity
            assert 0 <= change.confirmed <= change.quantity
            self.told[key] = change.quantity, change.confirmed

    def check_levels(self) -> None:
        counted = Counter(
            (item.identity.gtin, item.zone.id)
            for item in self.shop.inventory
            if item.presence in COUNTED and item.zone is not None
        )
        told = {key: levels for key, levels in self.told.items() if levels[0]}
        assert {key: quantity for key, (quantity, _) in told.items()} == counted
        assert {(row.gtin, row.zone): (row.quantity, row.confirmed) for row in self.shop.stock} == told

    def restart(self) -> None:
        """The process dies between two ticks and comes back an hour later."""
        utc_us = UTC_US + self.shop.clock.now_us
        records = [
            self.shop.inventory.record(item, self.shop.clock.now_us, utc_us)
            for item in self.shop.inventory
            if item.presence is not Presence.GLIMPSED
        ]
        rows = list(self.shop.stock)
        self.shop = Shop(PARAMS)
        first = self.shop.inventory.restore(records, self.shop.clock.now_us, utc_us + 3600 * US_PER_S)
        self.shop.stock.restore(rows, self.shop.inventory)
        self.book(first)

    def lose_zone(self) -> None:
        """Zone `b` is configured away and comes back as another of the same name."""
        shop = self.shop
        rest = [zone for zone in shop.zones.values() if zone.id != "b"]
        zone_of = {antenna: zone for antenna, zone in shop.zone_of.items() if zone.id != "b"}
        self.book(shop.inventory.configure(rest, zone_of, shop.clock.now_us))
        assert not any(zone == "b" for (_, zone), (quantity, _) in self.told.items() if quantity)
        again = LiveZone(shop.zones["b"].params, shop.zones["b"].antennas, learning=False, now_us=shop.clock.now_us)
        shop.zones["b"] = again
        shop.zone_of[READER, 2] = again
        self.book(shop.inventory.configure(shop.zones.values(), shop.zone_of, shop.clock.now_us))
        shop.works("b")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(10, 80))
def test_deltas_always_add_up_to_what_is_there(seed: int, steps: int) -> None:
    random = Random(seed)
    books = Books()
    for _ in range(steps):
        match random.choices(["read", "silence", "outage", "works", "restart", "configure"], [60, 20, 6, 8, 2, 2])[0]:
            case "read":
                port = random.choice([1, 1, 2, 3])
                epcs = [tag(random.randrange(6), random.randrange(2)) for _ in range(random.randrange(1, 9))]
                books.shop.hear(port, *epcs, dbm=random.randrange(-70, -40), age_s=random.choice([0, 0, 0.5, 90]))
            case "silence":
                for _ in range(random.randrange(1, 30)):
                    books.book(books.shop.wait(random.choice([0.25, 2.0]), step_s=0.25))
            case "outage":
                books.shop.fails(random.choice(["a", "b", "door"]))
            case "works":
                books.shop.works()
            case "restart":
                books.restart()
            case "configure":
                books.lose_zone()
        books.book(books.shop.wait(0.25))


def test_a_zone_of_another_kind_tells_its_rows_again_without_a_change() -> None:
    place = zone()
    stock = Stock()
    stock.apply(arrivals(place, 3))
    assert stock.reclassify([place]) is None
    place.reform(Zone(place.id, ZoneKind.BACKROOM), place.antennas, 0)
    told = stock.reclassify([place])
    assert told is not None
    (change,) = told.changes
    assert (change.disposition, change.change, change.quantity) == ("sellable_not_accessible", 0, 3)
    assert [row.disposition for row in stock] == ["sellable_not_accessible"]
    assert stock.reclassify([place]) is None


# -- shelves --------------------------------------------------------------------------------------------------

KEY = GTINS[0], "floor"


def test_a_shelf_counts_rows_of_its_own() -> None:
    stock, floor = Stock(), zone()
    made = stock.shelve({KEY: Tally(4, 4)}, {"floor": floor})
    assert made is not None
    assert made.causes == {Cause.WEIGHED: 4}
    assert [(c.change, c.quantity, c.confirmed, c.stale) for c in made.changes] == [(4, 4, 4, False)]
    made = stock.shelve({KEY: Tally(3, 0)}, {"floor": floor})
    assert made is not None
    assert [(c.change, c.quantity, c.confirmed) for c in made.changes] == [(-1, 3, 0)]
    assert stock.shelve({KEY: Tally(3, 3)}, {"floor": floor}) is None
    (told,) = stock.confirm([floor], 0)
    assert [(c.change, c.quantity, c.confirmed) for c in told.changes] == [(0, 3, 3)]
    assert [(row.quantity, row.confirmed) for row in stock] == [(3, 3)]


def test_what_a_person_has_counted_is_told_as_that() -> None:
    stock, floor = Stock(), zone()
    other = GTINS[1], "floor"
    made = stock.shelve({KEY: Tally(4, 4), other: Tally(1, 1)}, {"floor": floor}, recounted={KEY})
    assert made is not None
    assert made.causes == {Cause.RECOUNTED: 4, Cause.WEIGHED: 1}


def test_a_shelf_that_cannot_be_trusted_marks_what_it_tells() -> None:
    stock, floor = Stock(), zone()
    floor.observe((READER, 1), working=False, now_us=0)
    made = stock.shelve({KEY: Tally(4, 4)}, {"floor": floor})
    assert made is not None
    assert made.changes[0].stale


def test_a_shelf_goes_before_the_tags_and_knows_them() -> None:
    stock, floor = Stock(), zone()
    stock.apply(arrivals(floor, 3))
    made = stock.shelve({KEY: Tally(5, 5)}, {"floor": floor})
    assert made is not None
    assert [(c.change, c.quantity) for c in made.changes] == [(2, 5)]
    assert stock.apply(step(floor, Presence.PRESENT, Presence.DEPARTED, 0)) is None
    assert list(stock.both()) == [(KEY, Tally(2, 2), Tally(5, 5))]
    made = stock.shelve({KEY: None}, {"floor": floor})
    assert made is not None
    assert made.causes == {Cause.CONFIG: 3}
    assert [(row.quantity, row.confirmed) for row in stock] == [(2, 2)]


def test_tags_go_first_where_they_shall() -> None:
    stock, floor = Stock(), zone()
    stock.apply(arrivals(floor, 3))
    assert stock.shelve({KEY: Tally(5, 5)}, {"floor": floor}, by_tags={KEY}) is None
    assert list(stock.both()) == [(KEY, Tally(3, 3), Tally(5, 5))]
    made = stock.shelve({}, {"floor": floor}, by_tags=())
    assert made is not None
    assert made.causes == {Cause.CONFIG: 2}
    assert [row.quantity for row in stock] == [5]


def test_tags_that_the_shelf_says_are_gone_are_no_row() -> None:
    stock, floor = Stock(), zone()
    stock.shelve({KEY: Tally(0, 0)}, {"floor": floor})
    assert stock.apply(arrivals(floor, 2)) is None
    assert list(stock) == []
    assert stock.apply(step(floor, Presence.PRESENT, Presence.DEPARTED, 0, 1)) is None
    assert list(stock.both()) == [(KEY, Tally(), Tally())]


def test_a_restart_takes_up_what_shelves_and_tags_have_counted() -> None:
    shop = Shop()
    for serial in range(3):
        shop.place(serial)
    key = GTINS[0], "a"
    rows = [StockRow(*key, "x", 5, 5), StockRow(GTINS[1], "a", "x", 2, 2), StockRow(GTINS[2], "gone", "x", 7, 7)]
    stock = Stock()
    stock.restore(rows, shop.inventory, {key: Tally(5, 0), (GTINS[1], "a"): None, (GTINS[2], "gone"): None})
    assert list(stock.both()) == [(key, Tally(3, 3), Tally(5, 0))]
    made = stock.shelve({(GTINS[1], "a"): None, (GTINS[2], "gone"): None}, shop.zones, by_tags=())
    assert made is not None
    assert [(c.gtin, c.zone, c.change, c.quantity) for c in made.changes] == [
        (GTINS[1], "a", -2, 0),
        (GTINS[2], "gone", -7, 0),
    ]
    assert [(row.gtin, row.quantity) for row in stock] == [(GTINS[0], 5)]


def test_tagged_items_of_a_shelf_whose_zone_is_gone_leave_with_it() -> None:
    shop = Shop()
    for serial in range(3):
        shop.place(serial)
    utc_us = UTC_US + shop.clock.now_us
    records = [shop.inventory.record(item, shop.clock.now_us, utc_us) for item in shop.inventory]
    after = Shop({"b": QUICK})
    first = after.inventory.restore(records, after.clock.now_us, utc_us)
    key = GTINS[0], "a"
    after.stock.restore([StockRow(*key, "x", 5, 5)], after.inventory, {key: None}, first)
    changes = []
    for made in (after.stock.apply(first), after.stock.shelve({key: None}, after.zones, ())):
        changes += [(c.zone, c.change, c.quantity) for c in made.changes] if made is not None else []
    assert changes == [("a", -5, 0)]
    assert list(after.stock) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_tags_and_shelves_say_the_deltas_add_up(seed: int) -> None:
    """Items come and go, shelves count, are blind, come and go, and change precedence, in any order."""
    random = Random(seed)
    stock, floor, back = Stock(), zone("floor"), zone("back", ZoneKind.BACKROOM)
    zones = {"floor": floor, "back": back}
    keys = [(gtin, name) for gtin in GTINS[:2] for name in zones]
    told: dict[StockKey, int] = {}
    present: dict[int, LiveZone] = {}
    shelved: dict[StockKey, Tally | None] = {}
    by_tags: frozenset[StockKey] = frozenset()
    for _ in range(40):
        serial = random.randrange(6)
        left = present.get(serial)
        entered = random.choice([floor, back, None])
        if left is not None or entered is not None:
            was = Presence.PRESENT if left is not None else Presence.GLIMPSED
            now = Presence.PRESENT if entered is not None else Presence.DEPARTED
            item = Item(identity(serial, serial % 2), tag(serial, serial % 2), 0)
            made = [stock.apply([Transition(item, was, left, now, entered, Cause.MOVED)])]
            present.pop(serial, None)
            if entered is not None:
                present[serial] = entered
        else:
            made = []
        if random.random() < 0.5:
            pieces = random.randrange(5)
            counts = {random.choice(keys): random.choice([None, Tally(pieces, random.choice([0, pieces]))])}
            shelved.update(counts)
            if random.random() < 0.3:
                by_tags = frozenset(random.sample(keys, 2))
                made.append(stock.shelve(counts, zones, by_tags))
            else:
                made.append(stock.shelve(counts, zones))
        made += stock.confirm(zones.values(), 0)
        for change in (change for one in made if one is not None for change in one.changes):
            key = change.gtin, change.zone
            assert told.get(key, 0) + change.change == change.quantity >= change.confirmed >= 0
            told[key] = change.quantity
        for key in keys:
            tally = shelved.get(key)
            read = sum(place.id == key[1] for number, place in present.items() if GTINS[number % 2] == key[0])
            assert told.get(key, 0) == (read if tally is None or key in by_tags else tally.quantity)
        assert {(row.gtin, row.zone): row.quantity for row in stock} == {
            key: count for key, count in told.items() if count
        }
