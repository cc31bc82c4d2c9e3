from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from math import sqrt

import pytest

from simulators.field import Sighting
from simulators.layout import Antenna, Coverage, Layout, Zone, ZoneKind
from simulators.people import Traffic
from simulators.stock import demo_gtins
from simulators.store import Air, Store

S = 1_000_000
BUSY = Traffic().faster(30)
STILL = Traffic(customers_per_hour=0, refills_per_hour=0, deliveries_per_hour=0)


def _day(store: Store, *, seconds: int, step_s: float = 0.5) -> list[tuple[str, int, Sighting]]:
    """What every antenna of every reader sees, in turn."""
    seen: list[tuple[str, int, Sighting]] = []
    fields = {reader: store.field(reader) for reader in store.layout.readers()}
    for number in range(int(seconds / step_s)):
        start_us, end_us = int(number * step_s * S), int((number + 1) * step_s * S)
        for reader, field in fields.items():
            for antenna in range(1, 5):
                seen += [(reader, antenna, sighting) for sighting in field.sightings(antenna, start_us, end_us)]
    return seen


def _total(truth: dict[tuple[str, str], int]) -> int:
    return sum(truth.values())


def test_the_demo_store() -> None:
    store = Store.demo(1)
    truth = store.truth()
    assert _total(truth) == 300
    assert {gtin for gtin, _ in truth} == set(demo_gtins())
    readers = store.layout.readers()
    assert [sorted(antennas) for antennas in readers.values()] == [[1, 2, 3, 4]] * 2
    covered = {zone for antennas in readers.values() for zone in antennas.values()}
    assert covered == {zone.id for zone in store.layout.zones}
    kinds = {zone.kind for zone in store.layout.zones}
    assert {ZoneKind.BACKROOM, ZoneKind.SALES_FLOOR, ZoneKind.FITTING_ROOM, ZoneKind.EXIT} <= kinds


def test_nothing_gets_lost_and_nothing_comes_from_nowhere() -> None:
    store = Store.demo(2, traffic=BUSY)
    zones: set[str] = set()
    for second in range(0, 3600, 5):
        store.advance(second * S)
        zones |= {zone for _, zone in store.truth()}
        assert store.stock.arrived - store.stock.gone == _total(store.truth())
    assert store.stock.arrived > 300
    assert store.stock.gone > 50
    assert zones == {zone.id for zone in store.layout.zones}


def test_quiet_lets_trips_end_and_then_nothing_moves() -> None:
    store = Store.demo(3, traffic=BUSY)
    store.advance(0)
    store.advance(600 * S)
    assert store.moving
    store.quiet()
    store.advance(1800 * S)
    assert store.moving == 0
    truth = store.truth()
    assert {zone for _, zone in truth} == {"backroom", "floor"}
    store.advance(7200 * S)
    assert store.truth() == truth


def test_the_same_seed_is_the_same_day_and_another_is_not() -> None:
    days = [_day(Store.demo(seed, traffic=BUSY), seconds=60) for seed in (7, 7, 8)]
    assert days[0] == days[1]
    assert days[0] != days[2]


def test_readers_do_not_disturb_each_other() -> None:
    alone, both = Store.demo(7, traffic=STILL), Store.demo(7, traffic=STILL)
    only = [list(alone.field("reader-front").sightings(1, 0, S))]
    list(both.field("reader-back").sightings(1, 0, S))
    assert [list(both.field("reader-front").sightings(1, 0, S))] == only


def test_time_never_goes_back() -> None:
    store = Store.demo(1, traffic=BUSY)
    store.advance(0)
    store.advance(600 * S)
    truth = store.truth()
    store.advance(10 * S)
    assert store.truth() == truth


def test_reads_come_at_the_rate_and_strength_of_the_antenna() -> None:
    store = Store.demo(4, traffic=STILL)
    zones = {thing.epc: "floor" for thing in store.stock.within("floor")} | {
        thing.epc: "backroom" for thing in store.stock.within("backroom")
    }
    seen = [
        sighting for at in range(600) for sighting in store.field("reader-front").sightings(1, at * S, (at + 1) * S)
    ]
    counts = Counter(zones.get(sighting.epc, "ghost") for sighting in seen)
    quality = {zone: sum(thing.quality for thing in store.stock.within(zone)) for zone in ("floor", "backroom")}
    for zone, reads_per_s in (("floor", 4.0), ("backroom", 0.12)):
        expected = quality[zone] * reads_per_s * 600
        assert abs(counts[zone] - expected) < 5 * sqrt(expected)
    rssi = {zone: [s.rssi_dbm for s in seen if zones.get(s.epc) == zone] for zone in ("floor", "backroom")}
    mean = {zone: sum(values) / len(values) for zone, values in rssi.items()}
    assert mean["floor"] - mean["backroom"] == pytest.approx(14, abs=2.5)
    # A cross-read is rare: far fewer per item than in the antenna's own zone.
    ratio = (counts["backroom"] / quality["backroom"]) / (counts["floor"] / quality["floor"])
    assert ratio == pytest.approx(0.03, rel=0.2)


def test_sightings_are_in_order_and_within_the_step() -> None:
    store = Store.demo(5, traffic=BUSY)
    for reader in store.layout.readers():
        for step in range(100):
            start_us, end_us = step * 200_000, (step + 1) * 200_000
            seen = list(store.field(reader).sightings(2, start_us, end_us))
            stamps = [sighting.at_us for sighting in seen]
            assert stamps == sorted(stamps)
            assert all(start_us <= at_us < end_us for at_us in stamps)
            assert all(-90 <= s.rssi_dbm <= -20 and 1 <= s.channel <= 50 and s.epc_bits == 96 for s in seen)


def _epcs(seen: Iterable[tuple[str, int, Sighting]]) -> Counter[bytes]:
    return Counter(sighting.epc for _, _, sighting in seen)


def test_ghosts_are_items_that_are_seen_once_and_are_nowhere() -> None:
    store = Store.demo(6, traffic=STILL)
    store.air = replace(store.air, ghosts_per_hour=3600.0)
    real = {thing.epc for zone in store.layout.zones for thing in store.stock.within(zone.id)}
    ghosts = {epc: n for epc, n in _epcs(_day(store, seconds=30)).items() if epc not in real}
    assert set(ghosts.values()) == {1}
    assert 150 < len(ghosts) < 330  # eight antennas, one a second each
    store.air = replace(store.air, ghosts_per_hour=0.0)
    assert not {epc for epc in _epcs(_day(store, seconds=30)) if epc not in real}


def test_foreign_tags_are_seen_and_are_no_stock() -> None:
    store = Store.demo(9, traffic=STILL)
    seen = set(_epcs(_day(store, seconds=60)))
    foreign = {thing.epc for z in store.layout.zones for thing in store.stock.within(z.id) if thing.gtin is None}
    assert foreign <= seen
    assert {epc[0] for epc in foreign} == {0x30, 0x31, 0xE2}
    # The SGTIN among them is a full case: filter value 2.
    assert {epc[1] >> 5 for epc in foreign if epc[0] == 0x30} == {2}
    assert _total(store.truth()) == 300


def test_with_certainty_every_item_is_seen_in_every_step_and_nothing_else() -> None:
    store = Store.demo(10, certain=True, traffic=STILL)
    there = {zone.id: {thing.epc for thing in store.stock.within(zone.id)} for zone in store.layout.zones}
    for reader, antennas in store.layout.readers().items():
        for antenna, zone in antennas.items():
            for step in range(5):
                seen = [s.epc for s in store.field(reader).sightings(antenna, step * S, (step + 1) * S)]
                assert len(seen) == len(there[zone])
                assert set(seen) == there[zone]


def test_a_store_of_ones_own() -> None:
    layout = Layout(
        zones=(Zone("shelf-1", ZoneKind.SHELF), Zone("exit", ZoneKind.EXIT)),
        antennas=(Antenna("r", 1, (Coverage("shelf-1", 10.0, -50.0),)),),
    )
    store = Store(layout, 1, air=Air(certain=True), traffic=Traffic(customers_per_hour=3600, buying_share=1.0))
    for _ in range(5):
        store.stock.new_item(demo_gtins()[0], "shelf-1")
    store.advance(0)
    assert store.truth() == {(demo_gtins()[0], "shelf-1"): 5}
    store.advance(60 * S)
    assert store.truth() == {}
    assert store.stock.gone == 5
    assert list(store.field("r").sightings(1, 61 * S, 62 * S)) == []
    with pytest.raises(KeyError):
        store.field("nobody")


def test_moves_by_hand_keep_the_books() -> None:
    store = Store.demo(1, traffic=STILL)
    things = list(store.stock.within("floor"))
    for thing in things[::2]:
        store.stock.move(thing, "exit")
    for thing in things[::4]:
        store.stock.move(thing, None)
    truth = Counter[str]()
    for (_, zone), count in store.truth().items():
        truth[zone] += count
    moved = sum(thing.gtin is not None for thing in things[::2])
    left = sum(thing.gtin is not None for thing in things[::4])
    assert truth["exit"] == moved - left
    assert _total(store.truth()) == 300 - left
    assert all(thing in store.stock.within("exit") for thing in things[2::4])
