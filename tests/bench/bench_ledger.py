"""The ledger: starting with 100,000 items in it, committing, and what one tracked tag costs in memory."""

import asyncio
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random

from config.loader import parse
from gateway.broker import free_port
from gateway.clock import SystemClock
from gateway.daemon import open_gateway
from gateway.domain.delta import Change, Step
from gateway.domain.inventory import Inventory
from gateway.domain.items import Cause, Identity
from gateway.domain.params import Zone, ZoneKind
from gateway.domain.presence import Presence
from gateway.domain.records import ItemRecord
from gateway.domain.zones import LiveZone
from gateway.ledger import open_ledger
from gateway.ledger_group import Commit
from gateway.tasks import beside
from readers.model import ReadBatch

HOST = "127.0.0.1"
ITEMS = 100_000
GTINS = 2_000
BATCH = 5_000
MEMORY_TAGS = 50_000
COMMITS = 300


def records() -> Iterator[ItemRecord]:
    for number in range(ITEMS):
        key = (0x3034257BF7194E4000000000 + number).to_bytes(12, "big")
        gtin = f"{number % GTINS:014d}"
        yield ItemRecord(key, gtin, str(number), Presence.PRESENT, "floor", 1, 1, 0.5, 100.0, 0.0, 60.0)


def stock_step() -> Step:
    each = ITEMS // GTINS
    changes = tuple(
        Change(f"{gtin:014d}", "floor", "sellable_accessible", each, each, each, stale=False) for gtin in range(GTINS)
    )
    return Step(changes, {Cause.ARRIVED: ITEMS})


async def fill(path: Path) -> float:
    """A ledger with all items and their stock; gives items/s."""
    async with open_ledger(path, "bench", "gw-1", max_bytes=10**9, utc_us=10**15) as ledger, beside(ledger.run()):
        everything = list(records())
        began = time.perf_counter()
        for start in range(0, ITEMS, BATCH):
            await ledger.commit(Commit(1, items=everything[start : start + BATCH], learnt_zones=["floor"]))
        spent_s = time.perf_counter() - began
        await ledger.commit(Commit(1, steps=list(stock_step().split())))
        return ITEMS / spent_s


async def start(folder: Path) -> float:
    """Seconds from the configuration to a gateway that counts."""
    text = (
        f'[site]\nid = "bench"\ngateway = "gw-1"\n[mqtt]\nurl = "mqtt://{HOST}:{free_port(HOST)}"\n'
        f'[ledger]\npath = "ledger.db"\n[http]\nlisten = "{HOST}:0"\n[[zones]]\nid = "floor"\nkind = "sales_floor"'
    )
    began = time.perf_counter()
    config = parse(text, folder / "bench.toml")
    async with open_gateway(config, SystemClock(), Random(1)) as gateway:
        started, stop = asyncio.Event(), asyncio.Event()
        async with beside(gateway.run(started.set, stop)):
            await started.wait()
            spent_s = time.perf_counter() - began
            assert sum(row.quantity for row in gateway.stock) == ITEMS
            stop.set()
    return spent_s


async def commit_one_by_one(path: Path) -> float:
    """Commits/s of one change each, each awaited: the latency that one item's move sees."""
    change = Change("0" * 14, "floor", "sellable_accessible", 1, 1, 1, stale=False)
    async with open_ledger(path, "bench", "gw-1", max_bytes=10**9, utc_us=10**15) as ledger, beside(ledger.run()):
        began = time.perf_counter()
        for _ in range(COMMITS):
            await ledger.commit(Commit(1, steps=[Step((change,), {Cause.ARRIVED: 1})]))
        return COMMITS / (time.perf_counter() - began)


def memory_per_tag() -> float:
    """Bytes of an item that one antenna reads, all its tables included."""
    zone = LiveZone(Zone("floor", ZoneKind.SALES_FLOOR), [("r", 1)], learning=False, now_us=0)
    zone.observe(("r", 1), working=True, now_us=0)
    inventory = Inventory([zone], {("r", 1): zone}, lambda epc, _: Identity("0" * 14, str(int.from_bytes(epc[-4:]))))
    epcs = [(0x3034257BF7194E4000000000 + number).to_bytes(12, "big") for number in range(MEMORY_TAGS)]
    tracemalloc.start()
    for at_us in (1_000_000, 1_500_000, 2_000_000):
        for first in range(0, MEMORY_TAGS, 100):
            reads = [(bytes(bytearray(epc)), 1, -55, at_us, at_us, 1) for epc in epcs[first : first + 100]]
            inventory.ingest(ReadBatch("r", at_us, 0, reads))
        inventory.tick(at_us)
        while inventory.behind:
            inventory.tick(at_us)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(item.presence is Presence.PRESENT for item in inventory) == MEMORY_TAGS
    return used / MEMORY_TAGS


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items_per_s = asyncio.run(fill(folder / "ledger.db"))
        start_s = asyncio.run(start(folder))
        commits_per_s = asyncio.run(commit_one_by_one(folder / "small.db"))
    bytes_per_tag = memory_per_tag()
    print(f"items written          {items_per_s:>10,.0f} /s")
    print(f"single commits         {commits_per_s:>10,.0f} /s (each waits up to 20 ms for company)")
    print(f"start with {ITEMS:,} items {start_s:>8.2f} s to ready")
    print(f"memory of a tag        {bytes_per_tag:>10,.0f} bytes")
    return {
        "items_per_s": items_per_s,
        "single_commits_per_s": commits_per_s,
        "start_100000_items_s": start_s,
        "bytes_per_tag": bytes_per_tag,
    }


if __name__ == "__main__":
    run()
