"""More than the box can take: reads go, oldest first, counted and told; what is counted is right all the same."""

import asyncio
import contextlib
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from gateway import housekeeping
from gateway.daemon import Gateway
from gateway.tasks import beside
from readers.model import ReadBatch
from simulators.epc import sgtin_96, sgtin_96_of
from simulators.stock import PREFIX_DIGITS, demo_gtins
from tests.broker import Broker
from tests.faults.shop import times
from tests.rig import QUICK_ZONE, Rig, eventually, hurry, in_step, ours

# A floor that counts what is read twice, at once.
TAGS = 5_000
# Articles, each a row of the stock.
ROWS = 6_000
# CPU time of one callback on the event loop, whatever else this machine does. Here it is a third of that.
LONGEST_TURN_S = 0.1
MINUTES = times("SOAK_MINUTES", 0)


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    monkeypatch.setattr(housekeeping, "MEASURE_EVERY_S", 0.1)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, items=30) as one:
        yield one


def reads(gateway: Gateway, epcs: list[bytes]) -> ReadBatch:
    """What antenna 1 of the front reader sees, just now."""
    now_us = gateway.clock.monotonic_us()
    return ReadBatch("reader-front", now_us, 0, [(epc, 1, -50, now_us, now_us, 1) for epc in epcs])


class Turn:
    """The longest turn that anything had on the event loop (CPU seconds), and what it was."""

    longest_s = 0.0
    work = ""


@contextlib.contextmanager
def turns() -> Iterator[Turn]:
    """Measures every turn while the context lasts."""
    turn, run = Turn(), asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        began_s = time.thread_time()
        run(handle)
        took_s = time.thread_time() - began_s
        if took_s > turn.longest_s:
            turn.longest_s, turn.work = took_s, repr(handle)

    # What other tests have left in memory is not the gateway's to search.
    gc.collect()
    gc.freeze()
    try:
        with patch.object(asyncio.Handle, "_run", measured):
            yield turn
    finally:
        gc.unfreeze()


def pallet(count: int) -> dict[bytes, str]:
    """Tags that nobody has seen, and their articles."""
    gtins = demo_gtins()
    return {sgtin_96_of(gtins[i % 6], PREFIX_DIGITS, 10**9 + i): gtins[i % 6] for i in range(count)}


async def test_five_thousand_tags_arrive_within_a_second(rig: Rig) -> None:
    tags = pallet(TAGS)
    epcs = list(tags)
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        before = sum(ours(gateway).values())
        # Twice each, as a door's antenna does, in reports of a hundred.
        with turns() as turn:
            for _ in range(2):
                for start in range(0, TAGS, 100):
                    gateway.fleet.put(reads(gateway, epcs[start : start + 100]))
                    await asyncio.sleep(0)
                await asyncio.sleep(0.4)
            await eventually(lambda: sum(ours(gateway).values()) == before + TAGS)
        await in_step(gateway, consumer)
        assert gateway.intake.dropped == {}
        assert turn.longest_s < LONGEST_TURN_S, turn.work
        assert all(server.connected and server.connections == 1 for server in rig.servers.values())


async def test_a_flood_is_dropped_oldest_first_told_and_survived(rig: Rig) -> None:
    """Ten times what the queue holds, again and again, while the readers go on: deltas of what was seen are right."""
    async with rig.gateway() as gateway, rig.consumer() as consumer, rig.listener() as heard:
        gateway.intake._max_reads = 5_000
        await rig.counted(gateway, consumer)
        known = [thing.epc for thing in rig.shop.stock.within("floor") if thing.gtin]
        flood = reads(gateway, known * (1_000 // len(known)))
        with turns() as turn:
            for _ in range(10):
                for _ in range(50):
                    gateway.fleet.put(flood)
                await asyncio.sleep(0.02)
        assert sum(gateway.intake.dropped.values()) > 100_000
        assert gateway.intake.waiting_reads <= 5_000
        await heard.until(lambda: bool(heard.alerts("reads_dropped")))
        await rig.counted(gateway, consumer)
        assert turn.longest_s < LONGEST_TURN_S, turn.work
        # Keepalives were answered all the while: nobody was lost.
        assert all(server.connected and server.connections == 1 for server in rig.servers.values())


@pytest.mark.timeout(120)
async def test_a_whole_shop_comes_is_told_and_falls_silent_at_once(rig: Rig) -> None:
    """However much happens in one moment, the loop's other work is not kept waiting for it."""
    bounds = "missing_floor_s = 3\ndeparted_floor_s = 6\nsilence_ceiling_s = 6"
    zone = dict.fromkeys((each.id for each in rig.shop.layout.zones), f"{QUICK_ZONE}\n{bounds}")
    epcs = [sgtin_96("0614141", f"{number:06d}", 1) for number in range(ROWS)]
    async with rig.gateway(rig.text(zone=zone)) as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        before = len(ours(gateway))
        with turns() as turn:
            while len(ours(gateway)) < before + ROWS:
                for start in range(0, ROWS, 100):
                    gateway.fleet.put(reads(gateway, epcs[start : start + 100]))
                    await asyncio.sleep(0)
                await asyncio.sleep(0.3)
            await gateway.snapshots.publish()
            await eventually(lambda: len(ours(gateway)) == before, limit_s=60.0)
        await in_step(gateway, consumer, limit_s=60.0)
        assert turn.longest_s < LONGEST_TURN_S, turn.work


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextlib.asynccontextmanager
async def passers_by(gateway: Gateway, rounds: int) -> AsyncIterator[None]:
    """Tags that are seen once and never again, by the thousand."""

    async def pass_by() -> None:
        for number in range(rounds):
            epcs = [sgtin_96_of(demo_gtins()[0], PREFIX_DIGITS, 2 * 10**9 + number * 200 + i) for i in range(200)]
            gateway.fleet.put(reads(gateway, epcs))
            await asyncio.sleep(0.01)

    async with beside(pass_by()):
        yield


async def test_nothing_grows(rig: Rig) -> None:
    """Tags come once, links break, the stock moves: memory, tasks and files end as they began."""
    zone = dict.fromkeys((each.id for each in rig.shop.layout.zones), QUICK_ZONE + "\nglimpsed_timeout_s = 0.5")
    # A round and its share of the faults take 15 ms, and all of it is done twice.
    rounds = 30 + MINUTES * 2_000
    async with rig.gateway(rig.text(zone=zone)) as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)

        async def turn() -> None:
            async with passers_by(gateway, rounds):
                for _ in range(3):
                    for server in rig.servers.values():
                        server.cut()
                    await asyncio.sleep(rounds * 0.015 / 3)
            await eventually(lambda: len(gateway.inventory) < 200)
            await rig.counted(gateway, consumer)
            gc.collect()

        await turn()
        tasks, files = len(asyncio.all_tasks()), handles()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        await turn()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(asyncio.all_tasks()) <= tasks + 1
        assert handles() <= files + 2
        # 6,000 tags of some 500 bytes were seen in between.
        assert after - before < 1_500_000
