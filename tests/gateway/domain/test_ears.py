import math
from dataclasses import dataclass
from random import Random

import pytest

from gateway.domain.ears import RATE_HALF_LIFE_S, SILENT_READS, SILENT_S, TOGETHER_S, TOGETHER_TAGS, Ear
from gateway.domain.hearing import Hearing
from gateway.domain.items import Item
from gateway.domain.params import PresenceParams, Zone, ZoneKind
from gateway.domain.presence import Presence
from gateway.domain.zones import US_PER_S, Antenna, LiveZone, ZoneState
from readers.model import ReadBatch
from tests.gateway.shop import READER, START_US, Shop, identity, tag

ANTENNA = (READER, 1)
OTHER = (READER, 2)
# Departures after two minutes of silence, whatever the tag.
QUICK = PresenceParams(
    missing_floor_s=20.0, missing_chance=0.5, departed_floor_s=60.0, silence_ceiling_s=120.0, first_read_chance=1.0
)
RACK_FULL = [tag(serial) for serial in range(2 * TOGETHER_TAGS)]


@dataclass
class Heard:
    last_us: int


class Bench:
    """One antenna of a zone of two, and the tags that it hears."""

    def __init__(self, tags: int) -> None:
        self.now_us = START_US
        self.zone = LiveZone(Zone("a", ZoneKind.SALES_FLOOR), (ANTENNA, OTHER), learning=False, now_us=self.now_us)
        for antenna in (ANTENNA, OTHER):
            self.zone.observe(antenna, working=True, now_us=self.now_us)
        self.table: dict[bytes | tuple[bytes, int], Heard] = {tag(serial): Heard(0) for serial in range(tags)}
        self.ear = Ear(ANTENNA, self.zone, self.table, self.now_us)

    def turn(self, seconds: float, *, reads: int = 0) -> None:
        """Four looks a second, with so many reads before each."""
        for _ in range(round(4 * seconds)):
            self.now_us += US_PER_S // 4
            self.ear.reads += reads
            if reads:
                for heard in self.table.values():
                    heard.last_us = self.now_us
            self.ear.look(self.now_us)


def test_an_antenna_with_many_tags_that_falls_silent_is_deaf_until_it_hears() -> None:
    bench = Bench(TOGETHER_TAGS)
    bench.turn(60, reads=20)
    bench.turn(SILENT_S - 0.25)
    assert not bench.ear.deaf
    bench.turn(0.25)
    assert (bench.ear.deaf, bench.zone.deaf, bench.zone.state) == (True, {ANTENNA}, ZoneState.DEGRADED)
    assert not bench.zone.clock.running
    assert bench.ear.due_us == math.inf
    bench.turn(3_600)
    assert bench.ear.deaf
    bench.turn(0.25, reads=1)
    assert (bench.ear.deaf, bench.zone.deaf, bench.zone.state) == (False, set(), ZoneState.OK)
    assert bench.zone.clock.running


def test_few_tags_may_leave_together() -> None:
    bench = Bench(TOGETHER_TAGS - 1)
    bench.turn(60, reads=20)
    bench.turn(60)
    assert not bench.zone.deaf


def test_tags_that_were_heard_long_before_are_no_sign() -> None:
    bench = Bench(2 * TOGETHER_TAGS)
    bench.turn(60, reads=20)
    for heard in list(bench.table.values())[: TOGETHER_TAGS + 1]:
        heard.last_us = bench.now_us - int((TOGETHER_S + 1) * US_PER_S)
    bench.turn(60)
    assert not bench.zone.deaf


def test_who_is_rarely_heard_must_be_silent_for_longer() -> None:
    bench = Bench(2 * TOGETHER_TAGS)
    bench.turn(10 * RATE_HALF_LIFE_S, reads=1)  # 4 a second
    bench.turn(SILENT_READS / 4 - 1)
    assert not bench.zone.deaf
    bench.turn(2)
    assert bench.zone.deaf == {ANTENNA}


def test_who_never_heard_cannot_fall_silent() -> None:
    bench = Bench(2 * TOGETHER_TAGS)
    bench.turn(600)
    assert not bench.zone.deaf
    assert bench.ear.due_us == math.inf


@pytest.mark.parametrize("working", [True, False], ids=["resting", "down"])
def test_an_antenna_that_does_not_look_is_not_deaf(working: bool) -> None:
    bench = Bench(2 * TOGETHER_TAGS)
    bench.turn(60, reads=20)
    bench.zone.observe(ANTENNA, working=working, resting=working, now_us=bench.now_us)
    bench.turn(600)
    assert not bench.zone.deaf
    bench.zone.observe(ANTENNA, working=True, now_us=bench.now_us)
    bench.turn(SILENT_S - 0.25)
    assert not bench.zone.deaf, "it has only just begun to look"


def test_one_that_rests_for_a_moment_is_deaf_all_the_same_if_it_hears_nothing_after() -> None:
    bench = Bench(2 * TOGETHER_TAGS)
    bench.turn(60, reads=20)
    bench.zone.observe(ANTENNA, working=True, resting=True, now_us=bench.now_us)
    bench.turn(TOGETHER_S / 2)
    bench.zone.observe(ANTENNA, working=True, now_us=bench.now_us)
    bench.turn(SILENT_S)
    assert bench.zone.deaf == {ANTENNA}


@pytest.mark.parametrize("seed", range(3))
def test_whoever_is_looked_at_only_when_it_matters_is_found_deaf_at_the_same_tick(seed: int) -> None:
    rng = Random(seed)
    antennas = [(READER, port) for port in (1, 2, 3)]

    def zones() -> dict[Antenna, LiveZone]:
        both = LiveZone(Zone("a", ZoneKind.SALES_FLOOR), antennas[:2], learning=False, now_us=START_US)
        other = LiveZone(Zone("b", ZoneKind.SALES_FLOOR), antennas[2:], learning=False, now_us=START_US)
        return dict(zip(antennas, (both, both, other), strict=True))

    lazy, eager = zones(), zones()
    items = [Item(identity(serial), tag(serial), START_US) for serial in range(2 * TOGETHER_TAGS)]
    hearing = Hearing(
        lazy, lambda key, _: items[int.from_bytes(key[4:]) if isinstance(key, bytes) else 0], lambda *_: None
    )
    tables: dict[Antenna, dict[bytes | tuple[bytes, int], Heard]] = {antenna: {} for antenna in antennas}
    ears = {antenna: Ear(antenna, eager[antenna], tables[antenna], START_US) for antenna in antennas}
    reads_per_tick = dict.fromkeys(antennas, 0)
    found = 0
    for now_us in range(START_US, START_US + 600 * US_PER_S, US_PER_S // 4):
        for antenna in antennas:
            if rng.random() < 0.02:
                reads_per_tick[antenna] = rng.choice([0, 0, 1, 5, 40])
            if now_us == START_US or rng.random() < 0.01:
                working, resting = rng.random() < 0.9, rng.random() < 0.1
                for zone in (lazy[antenna], eager[antenna]):
                    zone.observe(antenna, working=working, resting=resting, now_us=now_us)
            serials = [rng.randrange(len(items)) for _ in range(reads_per_tick[antenna])]
            raw = [(tag(serial), antenna[1], -55, now_us, now_us, 1) for serial in serials]
            hearing.ingest(ReadBatch(READER, now_us, 0, raw))
            ears[antenna].reads += len(raw)
            tables[antenna].update({tag(serial): Heard(now_us) for serial in serials})
        hearing.collect(now_us)
        for ear in ears.values():
            ear.look(now_us)
        assert [lazy[antenna].deaf for antenna in antennas] == [eager[antenna].deaf for antenna in antennas]
        found += any(zone.deaf for zone in eager.values())
    assert found, "none has ever been deaf"


# -- in a shop ------------------------------------------------------------------------------------------------


def hearing(ports: tuple[int, ...] = (1,), epcs: list[bytes] = RACK_FULL) -> Shop:
    """A shop whose antenna 1 has heard its rack for a minute, many times a second."""
    shop = Shop({"a": QUICK}, {"a": ports})
    shop.read_for(60, [(1, epc, -55) for epc in epcs], every_s=0.25)
    assert all(item.presence is Presence.PRESENT for item in shop.inventory)
    assert len(shop.inventory) == len(epcs)
    return shop


@pytest.mark.parametrize(("ports", "state"), [((1,), ZoneState.STALE), ((1, 2), ZoneState.DEGRADED)])
def test_nobody_is_written_off_by_a_deaf_antenna(ports: tuple[int, ...], state: ZoneState) -> None:
    shop = hearing(ports)
    assert shop.wait(3_600, step_s=1) == []
    zone = shop.zones["a"]
    assert zone.state is state
    assert "suddenly hear nothing" in zone.describe()
    assert f"{READER}:1" in zone.describe()
    assert f"{READER}:2" not in zone.describe()


def test_departures_go_on_once_it_hears_again() -> None:
    shop = hearing()
    shop.wait(3_600, step_s=1)
    back = shop.read_for(300, [(1, epc, -55) for epc in RACK_FULL[1:]])
    assert shop.zones["a"].state is ZoneState.OK
    assert [(one.item, one.now) for one in back] == [
        (shop.item(0), Presence.MISSING),
        (shop.item(0), Presence.DEPARTED),
    ]


def test_another_configuration_does_not_leave_a_zone_deaf_for_ever() -> None:
    shop = hearing()
    shop.wait(60)
    assert shop.zones["a"].deaf
    shop.inventory.configure(shop.zones.values(), shop.zone_of, shop.clock.now_us)
    assert shop.zones["a"].deaf
    shop.read_for(1, [(1, tag(0), -55)])
    assert not shop.zones["a"].deaf


def test_the_silence_of_a_deaf_antenna_teaches_nothing() -> None:
    shop = hearing()
    pool = shop.item(1).pool
    assert pool is not None
    begins_per_s = pool.begins_per_s()
    shop.wait(3_600, step_s=1)
    shop.read_for(1, [(1, epc, -55) for epc in RACK_FULL], every_s=0.25)
    assert pool.begins_per_s() <= begins_per_s
    assert max(item.longest_s for item in shop.inventory) < SILENT_S


def test_few_items_that_are_carried_off_together_have_left() -> None:
    shop = hearing(epcs=RACK_FULL[: TOGETHER_TAGS - 1])
    made = shop.wait(200, step_s=1)
    assert sum(one.now is Presence.DEPARTED for one in made) == TOGETHER_TAGS - 1
    assert shop.zones["a"].state is ZoneState.OK
