"""Hours of one life of the gateway, with faults on all sides: memory, tasks and files end as they began."""

import asyncio
import gc
import logging
import threading
import tracemalloc
from collections import deque
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway import ledger, line
from gateway.domain import inventory
from gateway.explain import RecentTransitions
from simulators.stock import Thing, demo_gtins
from tests.faults.hour import FAULTS, ZONES, World, live_in
from tests.faults.shop import SEED, times

# The first two fill what is bounded: tables of departed items, recent deltas, caches.
WARM_UP_HOURS = 2
HOURS = times("SOAK_HOURS", 1)
# Whatever ends the process would begin its memory anew.
DEATHS = {"kill", "kill within a commit", "restart", "rollback", "backup"}
# What was sold comes back as something new, after so many others: long after the gateway has forgotten it.
SOLD = 200
# What one hour's end differs from another's by: messages on their way, items that are missing just then.
SPREAD_BYTES = 60_000
# A kilobyte for each of the deltas or connections of an hour would be a hundred times that.
MOST_GROWTH_BYTES_PER_HOUR = 1_000


class Measure(NamedTuple):
    """What there is at the end of an hour, when all is quiet."""

    memory_bytes: int
    tasks: int
    threads: int
    files: int


def measure() -> Measure:
    gc.collect()
    files = len(list(Path("/proc/self/fd").iterdir()))
    return Measure(tracemalloc.get_traced_memory()[0], len(asyncio.all_tasks()), threading.active_count(), files)


class LongLife(World):
    """As many items come as go, so that nothing has a reason to grow."""

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed, folder)
        self.kinds = [kind for kind in FAULTS if kind not in DEATHS]
        self.broker.on_delta = lambda _: None
        self.measures: list[Measure] = []
        self.sold: deque[Thing] = deque()

    def shuffle(self) -> None:
        """As in any hour, but who enters takes the place of who leaves."""
        stock, rng = self.shop.stock, self.rng
        for thing in stock.pick(rng.choice(ZONES), rng.randint(1, 3)):
            stock.move(thing, rng.choice(ZONES))
        for thing in stock.pick(rng.choice(ZONES), 1):
            stock.move(thing, None)
            self.sold.append(thing)
            if len(self.sold) > SOLD:
                stock.move(self.sold.popleft(), rng.choice(ZONES))
            else:
                stock.new_item(rng.choice(demo_gtins()), rng.choice(ZONES))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group, self.opened(group):
            for _ in range(WARM_UP_HOURS + HOURS):
                await self.hour(group)
                self.done.clear()
                self.measures.append(measure())
        self.left_behind()


@pytest.mark.slow
@pytest.mark.timeout(180 + 60 * HOURS)
def test_hours_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "MAX_DEPARTED_ITEMS", 50)
    monkeypatch.setattr(ledger, "RECENT_DELTAS", 100)
    monkeypatch.setattr(line, "RecentTransitions", partial(RecentTransitions, 100))
    # pytest keeps what is logged.
    logging.disable()
    tracemalloc.start()
    try:
        measures = live_in(LongLife, SEED).measures
    finally:
        tracemalloc.stop()
        logging.disable(logging.NOTSET)
    before, after = measures[WARM_UP_HOURS - 1], measures[-1]
    print(f"soak: seed {SEED}, {HOURS} hours after {WARM_UP_HOURS}: {before} -> {after}")
    assert after.memory_bytes - before.memory_bytes < SPREAD_BYTES + HOURS * MOST_GROWTH_BYTES_PER_HOUR
    assert after.tasks == before.tasks
    assert after.threads == before.threads
    assert after.files == before.files
