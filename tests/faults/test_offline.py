"""Days without a broker: what waits is bounded, trimmed as the contract says, and everybody is exact afterwards."""

import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway import ledger as ledger_module
from gateway import window
from gateway.consumer.client import Consumer
from gateway.daemon import Gateway
from simulators.chaos import Lane, chaos_proxy
from tests.broker import Broker
from tests.faults.shop import Recovery, Witness, table_row, times
from tests.rig import HOST, Rig, eventually, hurry, in_step, write

# Deltas that wait; five million of them are two weeks of a busy shop.
WAITING = times("OFFLINE_DELTAS", 12_000)
DRAIN_LIMIT_S = 30.0 + WAITING / 300
# Room for all of them: what happens where there is none is another test.
LARGE_LEDGER = "max_bytes = 20_000_000_000"
# Small enough to be reached, large enough for SQLite to breathe.
SMALL_LEDGER = "max_bytes = 10_000_000"
MEGABYTE = 1_000_000


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(window, "FIRST_REST_S", 0.1)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, readers=0) as one:
        yield one


def wal_bytes(folder: Path) -> int:
    return (folder / "ledger.db-wal").stat().st_size


def memory_bytes() -> int:
    """What this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.timeout(60 + 2 * DRAIN_LIMIT_S)
async def test_a_long_outage_is_worked_off(rig: Rig, tmp_path: Path) -> None:
    witness, recovery, largest_wal = Witness(), Recovery(), 0
    async with rig.consumer(on_change=witness) as consumer, rig.gateway(rig.text(ledger=LARGE_LEDGER)) as gateway:
        await write(gateway, 10)
        await in_step(gateway, consumer)
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        began_bytes = memory_bytes()
        for _ in range(6):
            await write(gateway, WAITING // 6)
            largest_wal = max(largest_wal, wal_bytes(tmp_path))
        assert largest_wal < 2 * ledger_module.WAL_LIMIT_BYTES
        assert gateway.backlog >= WAITING - 6
        # What waits is on disk, not in memory.
        assert memory_bytes() - began_bytes < 50 * MEGABYTE
        recovery.start()
        await rig.broker.start()
        # The consumer works on the same core, and takes more of it for a delta than the gateway does.
        await eventually(lambda: gateway.backlog == 0, limit_s=DRAIN_LIMIT_S)
        recovery.stop()
        drained_s = recovery.longest_s
        await in_step(gateway, consumer, limit_s=DRAIN_LIMIT_S)
        recovery.stop()
        size = (tmp_path / "ledger.db").stat().st_size
        print(
            table_row("days offline", 1, [consumer], witness, 0, recovery.longest_s),
            f"drained in {drained_s:.1f} s, {consumer.counters.gaps} gaps asked for, "
            f"WAL {largest_wal // MEGABYTE} MB, ledger {size // MEGABYTE} MB",
        )
        assert witness.whole
        assert witness.applied >= gateway.ledger.position.seq - 10, "all of it came as deltas, none of it as a snapshot"
        assert "stock_differs" not in consumer.counters.findings


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_ledger_that_is_full_drops_the_oldest_and_consumers_are_exact(rig: Rig, tmp_path: Path) -> None:
    """Trimmed in time it never refuses; what was dropped unsent is counted and told."""
    text = rig.text(ledger=SMALL_LEDGER)
    async with rig.consumer() as consumer, rig.gateway(text) as gateway:
        await write(gateway, 10)
        await in_step(gateway, consumer)
    rig.broker.kill()
    async with rig.gateway(text, online=False) as gateway:
        while not gateway.trimmed.unsent:
            await write(gateway, 4_000)
            await gateway.housekeeping.trim()
        assert (tmp_path / "ledger.db").stat().st_size <= 10 * MEGABYTE
        position = gateway.ledger.position
        assert position.trimmed == gateway.trimmed.unsent + gateway.trimmed.acknowledged
        dropped = gateway.trimmed.unsent
        await rig.broker.start()
        async with rig.listener("second") as heard, rig.consumer("fresh") as fresh, rig.consumer() as consumer:
            await heard.until(lambda: bool(heard.alerts("ledger_trimmed")))
            assert f"{dropped} deltas were dropped" in heard.alerts("ledger_trimmed")[0].text
            await eventually(lambda: gateway.backlog == 0, limit_s=120.0)
            await in_step(gateway, consumer, fresh, limit_s=60.0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a disk of its own needs root: mount -t tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_costs_nothing_that_was_committed(rig: Rig, small_disk: Path) -> None:
    """Somebody fills the disk: commits are refused, told, and taken as soon as there is room."""
    text = rig.text().replace('path = "ledger.db"', f'path = "{small_disk}/ledger.db"')
    async with rig.consumer() as consumer, rig.gateway(text) as gateway:
        await write(gateway, 500)
        await in_step(gateway, consumer)
        filler = small_disk / "filler"
        _fill(filler)
        refused = False
        for _ in range(400):
            try:
                await write(gateway, 20, at_a_time=20)
            except ledger_module.sqlite3.OperationalError:
                refused = True
                break
        assert refused
        before = gateway.ledger.position
        await gateway.housekeeping.trim()
        filler.unlink()
        await write(gateway, 100)
        assert gateway.ledger.position.seq == before.seq + 100
        await _whole(gateway, consumer)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4_096))
        except OSError:
            pass


async def _whole(gateway: Gateway, consumer: Consumer) -> None:
    await eventually(lambda: gateway.backlog == 0)
    await in_step(gateway, consumer)


async def test_a_slow_consumer_behind_a_broker_that_drops_is_exact_in_the_end(tmp_path: Path) -> None:
    """The broker keeps fifty messages for whoever is slow and drops the rest: gaps are asked for."""
    limits = ("max_queued_messages 50", "max_inflight_messages 5")
    async with (
        Broker(tmp_path / "broker", extra=limits) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway() as gateway,
        chaos_proxy(broker.port) as slow,
    ):
        near = broker.port
        broker.port = slow.port
        witness = Witness()
        consumer = rig.consumer("slow", on_change=witness)
        broker.port = near
        async with consumer:
            await write(gateway, 10)
            await in_step(gateway, consumer)
            slow.down = Lane(bytes_per_s=20_000)
            await write(gateway, 3_000)
            await eventually(lambda: gateway.backlog == 0)
            slow.calm()
            await in_step(gateway, consumer, limit_s=60.0)
            assert consumer.counters.gaps + consumer.counters.snapshots > 1, "it has missed some"
            assert witness.whole
            assert "stock_differs" not in consumer.counters.findings
        assert slow.host == HOST
