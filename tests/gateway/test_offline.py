import math
from itertools import pairwise
from random import Random

import pytest

from gateway.domain.inventory import TICK_US
from gateway.domain.params import PROFILES, Profile, Zone, ZoneKind
from gateway.domain.zones import US_PER_S
from gateway.offline import Level, OfflineLine, RecordedRead, Said
from readers.model import ReadBatch, ReaderCondition, ReaderState
from tests.gateway.shop import GTINS, identify, identity, tag

START_US = 1_790_000_000 * US_PER_S + 123_456
HOUR_US = 3_600 * US_PER_S
DAY_US = 86_400 * US_PER_S
ZONES = (
    Zone("floor", ZoneKind.SALES_FLOOR, PROFILES[Profile.RACK]),
    Zone("back", ZoneKind.BACKROOM, PROFILES[Profile.RACK]),
    Zone("door", ZoneKind.EXIT, PROFILES[Profile.DOOR]),
)
ANTENNAS = {("r1", 1): "floor", ("r1", 2): "floor", ("r2", 1): "back", ("r2", 2): "floor", ("r3", 1): "door"}


def line(*, every_tick: bool = False) -> OfflineLine:
    return OfflineLine(ZONES, ANTENNAS, start_us=START_US, every_tick=every_tick, identify=identify)


def reads(reader: str, *, start_s: float, seconds: float, serial: int = 1, every_s: float = 0.5) -> list[RecordedRead]:
    """One tag, read again and again by antenna 1 of a reader."""
    times = [START_US + round((start_s + n * every_s) * US_PER_S) for n in range(round(seconds / every_s))]
    return [(at_us, at_us, reader, 1, tag(serial), -55) for at_us in times]


def story(rng: Random) -> list[tuple[int, str, RecordedRead | bool]]:
    """Some hours of a small shop: bursts of reads, long rests, connections that come and go."""
    told: list[tuple[int, str, RecordedRead | bool]] = []
    now_us = START_US
    for _ in range(rng.randint(10, 40)):
        now_us += round(10 ** rng.uniform(4, 9.3))
        reader = rng.choice(["r1", "r2", "r3"])
        if rng.random() < 0.3:
            told.append((now_us, reader, rng.random() < 0.6))
            continue
        late_us = rng.choice([0, 0, 0, 5_000_000, 300_000_000])
        tags = [tag(rng.randint(1, 12), rng.randint(0, 2)) for _ in range(rng.randint(1, 6))]
        for _ in range(rng.randint(1, 30)):
            now_us += rng.randint(1, 400_000)
            told += [
                (now_us, reader, (now_us, now_us - late_us, reader, 1, epc, rng.randint(-75, -40))) for epc in tags
            ]
    return told


def tell(to: OfflineLine, told: list[tuple[int, str, RecordedRead | bool]]) -> None:
    for at_us, reader, what in told:
        if isinstance(what, bool):
            to.link(at_us, reader, connected=what)
        else:
            to.reads([what])
    to.advance(told[-1][0] + HOUR_US)


def test_an_item_comes_moves_and_leaves() -> None:
    one = line()
    one.reads(reads("r2", start_s=0, seconds=60))
    one.reads(reads("r1", start_s=60, seconds=60))
    one.reads(reads("r3", start_s=120, seconds=5))
    one.advance(START_US + 1_000 * US_PER_S)
    assert [said.zone for said in one.transitions] == ["back", "floor", "door", None]
    assert {said.identity for said in one.transitions} == {identity(1)}
    assert {said.key for said in one.transitions} == {tag(1)}
    assert [(level.zone, level.quantity) for level in one.levels] == [
        ("back", 1), ("back", 0), ("floor", 1), ("floor", 0), ("door", 1), ("door", 0),
    ]  # fmt: skip
    assert all(said.said_us % TICK_US == 0 for said in one.transitions)
    assert one.levels[0] == Level(one.transitions[0].said_us, GTINS[0], "back", 1)
    assert one.transitions[0] == Said(one.levels[0].said_us, identity(1), tag(1), "back")


@pytest.mark.parametrize("seed", range(12))
def test_ticks_that_are_skipped_would_have_changed_nothing(seed: int) -> None:
    told = story(Random(seed))
    patient, eager, again = line(), line(every_tick=True), line()
    tell(patient, told)
    tell(eager, told)
    tell(again, told)
    assert patient.transitions == eager.transitions == again.transitions
    assert patient.levels == eager.levels == again.levels


@pytest.mark.parametrize("seed", range(6))
def test_nor_where_readers_take_turns(seed: int) -> None:
    """Two readers look at the floor, a few seconds each in turn; some of what hangs there leaves unseen."""
    patient, eager = line(), line(every_tick=True)
    for one in (patient, eager):
        rng = Random(seed)
        leaves_s = [rng.uniform(600, 3_600) if rng.random() < 0.4 else math.inf for _ in range(30)]
        at_s = 0.0
        for turn in range(450):
            looking, resting = ("r1", "r2") if turn % 2 else ("r2", "r1")
            at_us = START_US + round(at_s * US_PER_S)
            one.state(at_us, ReaderState(resting, ReaderCondition.READING, resting=True))
            one.state(at_us, ReaderState(looking, ReaderCondition.READING))
            seconds = rng.uniform(7, 9)
            heard_s = sorted(
                (rng.uniform(at_s, at_s + seconds), serial)
                for serial, until_s in enumerate(leaves_s)
                if at_s < until_s and rng.random() < 0.3
            )
            times = [(START_US + round(when_s * US_PER_S), serial) for when_s, serial in heard_s]
            one.reads([(when_us, when_us, looking, 2, tag(serial), -55) for when_us, serial in times])
            at_s += seconds
        one.advance(one.now_us + 4 * HOUR_US)
    assert sum(said.zone is None for said in patient.transitions) > 5
    assert patient.transitions == eager.transitions


@pytest.mark.parametrize("seed", range(4))
def test_reads_may_be_fed_in_any_portions(seed: int) -> None:
    told = [what for *_, what in story(Random(seed)) if not isinstance(what, bool)]
    singly, whole, batched = line(), line(), line()
    for each in told:
        singly.reads([each])
        received_us, taken_us, reader, port, epc, dbm = each
        batched.batch(ReadBatch(reader, received_us, 0, [(epc, port, dbm, taken_us, taken_us, 1)]))
    whole.reads(iter(told))
    for one in (singly, whole, batched):
        one.advance(told[-1][0] + HOUR_US)
    assert len(whole.transitions) > 1
    assert singly.transitions == whole.transitions == batched.transitions


def test_a_lost_connection_is_no_departure() -> None:
    lost, kept = line(), line()
    for one in (lost, kept):
        one.reads(reads("r1", start_s=0, seconds=60))
    lost.link(START_US + 60 * US_PER_S, "r1", connected=False)
    for one in (lost, kept):
        one.advance(START_US + DAY_US)
    assert [said.zone for said in lost.transitions] == ["floor"]
    assert [said.zone for said in kept.transitions] == ["floor", None]
    lost.link(START_US + DAY_US, "r1", connected=True)
    lost.advance(START_US + 2 * DAY_US)
    assert [said.zone for said in lost.transitions] == ["floor", None]


def test_one_dead_antenna_stops_the_departures_of_its_zone() -> None:
    one = line()
    one.reads(reads("r1", start_s=0, seconds=60))
    one.antenna(START_US + 60 * US_PER_S, "r1", 2, up=False)
    one.advance(START_US + DAY_US)
    assert [said.zone for said in one.transitions] == ["floor"]
    one.antenna(START_US + DAY_US, "r1", 2, up=True)
    one.advance(START_US + 2 * DAY_US)
    assert [said.zone for said in one.transitions] == ["floor", None]


def test_what_was_received_late_is_judged_by_when_it_was_taken() -> None:
    one = line()
    one.reads(reads("r1", start_s=0, seconds=60))
    backlog = [
        (START_US + 3_600 * US_PER_S, taken, "r2", 1, tag(1), -40)
        for _, taken, *_ in reads("r2", start_s=60, seconds=30)
    ]
    one.reads(backlog)
    one.advance(START_US + 3_700 * US_PER_S)
    assert "back" not in {said.zone for said in one.transitions if said.said_us > START_US + 3_500 * US_PER_S}


def test_an_idle_week_costs_few_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    one = line()
    ticks: list[int] = []
    tick = one.inventory.tick
    monkeypatch.setattr(one.inventory, "tick", lambda now_us: (ticks.append(now_us), tick(now_us))[1])
    one.reads(reads("r1", start_s=0, seconds=60))
    one.link(START_US + 60 * US_PER_S, "r1", connected=False)
    one.advance(START_US + 7 * DAY_US)
    assert len(ticks) < 25_000, "one in half a minute"
    assert max(b - a for a, b in pairwise(ticks)) <= 30 * US_PER_S


def test_what_was_received_before_cannot_be_fed_after() -> None:
    one = line()
    with pytest.raises(ValueError, match="sort it first"):
        one.reads(reversed(reads("r1", start_s=0, seconds=10)))
    with pytest.raises(ValueError, match="sort it first"):
        one.link(START_US - 1, "r1", connected=False)


def test_only_what_is_configured_counts() -> None:
    one = OfflineLine(ZONES, ANTENNAS, start_us=START_US)
    one.reads(reads("r1", start_s=0, seconds=60))
    one.link(START_US + 70 * US_PER_S, "nobody", connected=False)
    one.reads([(START_US + 80 * US_PER_S, START_US, "nobody", 1, tag(1), -50)])
    one.advance(START_US + 90 * US_PER_S)
    assert one.transitions == []
    assert sum(one.item_tags.ignored.values()) == 1
    assert one.inventory.unmapped_reads == 1
