"""A restart in the middle of a recording: what lies still goes on lying where it is counted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from gateway import ledger as ledger_module
from gateway.domain.params import DEFAULT_PROFILES, PROFILES, ZoneKind
from gateway.domain.zones import US_PER_S
from gateway.ledger import Ledger
from readers.model import ReadBatch
from simulators.plain.families import crossed
from tests.gateway.shop import GTINS, READER, START_US, HandClock, Shop, tag
from tests.gateway.test_line import Bench, bench

# Both zones as they are configured where the defaults are left alone.
PARAMS = {
    "floor": PROFILES[DEFAULT_PROFILES[ZoneKind.SALES_FLOOR]],
    "backroom": PROFILES[DEFAULT_PROFILES[ZoneKind.BACKROOM]],
}
TICK_S = 0.5
HOURS = 0.5
TAGS = 40
HALF_S = 900.0
END_S = 1800.0

Places = dict[str, str | None]


class Heard(NamedTuple):
    """A read at so many seconds of the recording."""

    at_s: float
    port: int
    epc: bytes
    dbm: int


def still(seed: int) -> list[Heard]:
    """Forty items that nobody touches, each heard by the antennas of both zones, which fade."""
    recording = crossed("still", seed, hours=HOURS, tags=TAGS, moves_per_hour=1e-9).recording()
    ports = [list(PARAMS).index(zone) + 1 for _, _, zone in recording.antennas]
    products = {gtin: number % len(GTINS) for number, gtin in enumerate(sorted(set(recording.gtins)))}
    epcs = [tag(number, products[gtin]) for number, gtin in enumerate(recording.gtins)]
    columns = zip(
        ((recording.received_us - recording.start_us) / US_PER_S).tolist(),
        recording.antenna.tolist(),
        recording.tag.tolist(),
        recording.rssi_dbm.tolist(),
        strict=True,
    )
    return [Heard(at_s, ports[antenna], epcs[number], dbm) for at_s, antenna, number, dbm in columns]


def opened(at_s: float) -> Shop:
    """The shop as a process finds it that starts so late."""
    return Shop(PARAMS, clock=HandClock(START_US + round(at_s * US_PER_S)))


async def go_on(shop: Shop, ledger: Ledger) -> None:
    """Take up what the life before has left, as the daemon does."""
    first = shop.inventory.restore(
        await ledger.items(),
        shop.clock.now_us,
        shop.clock.utc_us(),
        await ledger.pools(),
        await ledger.shop(),
        await ledger.zones(),
    )
    shop.stock.restore((await ledger.stock()).rows, shop.inventory)
    assert first == []


async def play(test: Bench, heard: Iterator[Sequence[Heard]], from_s: float, until_s: float) -> None:
    """Everything that is heard in this time, with the line's ticks."""
    for number in range(round((until_s - from_s) / TICK_S)):
        test.clock.now_us = START_US + round((from_s + (number + 1) * TICK_S) * US_PER_S)
        for at_s, port, epc, dbm in next(heard):
            at_us = START_US + round(at_s * US_PER_S)
            test.intake.put(ReadBatch(READER, test.clock.now_us, 0, [(epc, port, dbm, at_us, at_us, 1)]))
        await test.line.drain()
        await test.line.tick()


def by_ticks(reads: Sequence[Heard]) -> Iterator[Sequence[Heard]]:
    """The reads before each tick."""
    found: dict[int, list[Heard]] = {}
    for read in reads:
        found.setdefault(int(read.at_s / TICK_S), []).append(read)
    return iter([found.get(number, []) for number in range(round(END_S / TICK_S))])


def places(shop: Shop) -> Places:
    return {item.identity.serial: item.zone.id if item.zone else None for item in shop.inventory}


async def places_on_disk(ledger: Ledger) -> Places:
    return {record.serial: record.zone for record in await ledger.items()}


async def lives(path: Path, seed: int, restarts: Sequence[tuple[float, float, bool]]) -> Counter[str]:
    """The causes of all transitions in the second half of the recording, through these restarts: (when, how long
    nobody listened, whether it was a clean stop).
    """
    heard = by_ticks(still(seed))
    causes: Counter[str] = Counter()
    at_s, marks = 0.0, [*restarts, (END_S, 0.0, True)]
    known: Places = {}
    for stop_s, down_s, clean in marks:
        shop = opened(at_s)
        async with bench(path, shop) as test:
            if known:
                assert await places_on_disk(test.ledger) == known
                await go_on(shop, test.ledger)
                assert places(shop) == known
            await play(test, heard, at_s, min(max(at_s, HALF_S), stop_s))
            before = Counter(test.line.transitions)
            await play(test, heard, min(max(at_s, HALF_S), stop_s), stop_s)
            causes += Counter(test.line.transitions) - before
            if clean:
                await test.line.save()
            known = places(shop)
        for _ in range(round(down_s / TICK_S)):
            next(heard)
        at_s = stop_s + down_s
    return causes


@pytest.fixture(autouse=True)
def _no_waiting_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "GROUP_COMMIT_S", 0.0)


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize("down_s", [0.0, 60.0])
async def test_what_lies_still_is_not_moved_by_a_restart(tmp_path: Path, *, clean: bool, down_s: float) -> None:
    undisturbed, restarted = Counter[str](), Counter[str]()
    for seed in (1, 2):
        undisturbed += await lives(tmp_path / f"{seed}-whole", seed, [])
        restarted += await lives(tmp_path / f"{seed}-parts", seed, [(HALF_S, down_s, clean)])
    # An item that both zones hear alike may go to and fro once more; were nothing kept, it would be over twenty moves.
    assert restarted["moved"] <= undisturbed["moved"] + 4
    assert restarted["departed"] <= undisturbed["departed"]


async def test_nor_by_kills_at_any_moment(tmp_path: Path) -> None:
    rng = Random(3)
    kills = [
        (round((at_s + rng.uniform(0, 200)) / TICK_S) * TICK_S, 2.0 * rng.randrange(10), False)
        for at_s in (900, 1150, 1400)
    ]
    undisturbed = await lives(tmp_path / "whole", 3, [])
    killed = await lives(tmp_path / "parts", 3, kills)
    assert killed["moved"] <= undisturbed["moved"] + 2
    assert killed["departed"] <= undisturbed["departed"]
