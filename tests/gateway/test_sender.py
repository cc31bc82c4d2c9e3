import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import ledger as ledger_module
from gateway import sender as sender_module
from gateway import window
from gateway.domain.delta import Change, Step
from gateway.domain.items import Cause
from gateway.ledger import Ledger
from gateway.ledger_group import Commit
from tests.broker import Broker
from tests.rig import GTIN, Rig, eventually, hurry, in_step, theirs, write


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, readers=0) as one:
        yield one


async def test_a_disk_that_reads_slower_than_the_housekeeping_still_delivers(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "HOUSEKEEPING_S", 0.02)
    read = Ledger.deltas

    async def slowly(ledger: Ledger, first: int, limit: int) -> list[ledger_module.Numbered]:
        found = await read(ledger, first, limit)
        await asyncio.sleep(0.05)
        return found

    async with rig.gateway() as gateway:
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        await write(gateway, ledger_module.RECENT_DELTAS + 1_200)
        monkeypatch.setattr(Ledger, "deltas", slowly)
        await rig.broker.start()
        await eventually(lambda: gateway.backlog == 0)
        monkeypatch.undo()
        hurry(monkeypatch)
        async with rig.consumer() as consumer:
            await in_step(gateway, consumer)


async def test_read_ahead_is_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deltas of 64 kB each must not be read by the thousand."""
    changes = tuple(
        Change(f"{number:014}", "floor", "sellable_accessible", 1, 1, 0, stale=False) for number in range(240)
    )
    most = 0
    read = Ledger.deltas

    async def watched(ledger: Ledger, first: int, limit: int) -> list[ledger_module.Numbered]:
        nonlocal most
        found = await read(ledger, first, limit)
        most = max(most, sum(len(one.payload) for one in found))
        return found

    monkeypatch.setattr(Ledger, "deltas", watched)
    monkeypatch.setattr(ledger_module, "RECENT_DELTAS", 10)
    async with rig.gateway() as gateway:
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        back = tuple(Change(c.gtin, c.zone, c.disposition, -1, 0, 0, stale=False) for c in changes)
        steps = [Step(each, {Cause.ARRIVED: 240}) for _ in range(500) for each in (changes, back)]
        await gateway.ledger.commit(Commit(gateway.clock.utc_us(), steps))
        gateway.sender.committed()
        # What is recent is in memory; only what is older is read.
        gateway.ledger._recent.clear()
        await rig.broker.start()
        await eventually(lambda: gateway.backlog == 0)
    assert 0 < most <= 33_000_000


async def test_trimmed_deltas_before_some_that_are_still_in_memory_are_skipped(rig: Rig) -> None:
    """A full ledger may drop from the disk what memory still holds, while the sender waits for the disk."""
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await in_step(gateway, consumer)
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        await write(gateway, ledger_module.RECENT_DELTAS + 1, at_a_time=5_000)
        async with gateway.ledger._writing, gateway.ledger._transaction():
            await gateway.ledger._writer.execute("DELETE FROM deltas WHERE seq <= 50")
        await rig.broker.start()
        await eventually(lambda: gateway.backlog == 0)
        await in_step(gateway, consumer)
        assert theirs(consumer) == {(GTIN, "floor"): ledger_module.RECENT_DELTAS + 1}


async def test_a_disk_that_refuses_acknowledgements_does_not_end_the_gateway(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger_module, "BUSY_TIMEOUT_MS", 10)
    monkeypatch.setattr(sender_module, "HOUSEKEEPING_S", 0.05)
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        await write(gateway, 10)
        # Somebody holds the file: every write of ours fails as on a full disk.
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await rig.broker.start()
        await eventually(lambda: gateway.backlog == 0)
        await eventually(lambda: "acknowledgements are not on disk" in caplog.text)
        await gateway.housekeeping.trim()
        assert gateway.ledger.position.acknowledged == 0
        other.execute("ROLLBACK")
        other.close()
        await eventually(lambda: gateway.ledger.position.acknowledged == 10)
        await in_step(gateway, consumer)


async def test_a_stop_does_not_wait_for_a_broker_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(window, "FIRST_REST_S", 60.0)
    closed = ["topic readwrite #", "topic deny tallygate/v1/store/gw/stock/delta"]
    async with Broker(tmp_path / "broker", acl=closed) as broker, Rig(tmp_path, broker, readers=0) as rig:
        async with rig.gateway() as gateway:
            await write(gateway, 3)
            await eventually(lambda: gateway.sender.window.line is window.Line.RESTING)
            before_s = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - before_s < 2


async def test_deltas_that_cannot_be_read_are_an_alert_until_they_can(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "HOUSEKEEPING_S", 0.05)
    read, tried = Ledger.deltas, 0

    async def failing(_ledger: Ledger, _first: int, _limit: int) -> list[ledger_module.Numbered]:
        nonlocal tried
        tried += 1
        raise sqlite3.OperationalError("disk I/O error")

    async with rig.gateway() as gateway, rig.consumer() as consumer:
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        await write(gateway, ledger_module.RECENT_DELTAS + 10)
        monkeypatch.setattr(Ledger, "deltas", failing)
        await rig.broker.start()
        await eventually(lambda: tried > 2)
        standing = [alert.text for alert in gateway.alerts if alert.subject == "deltas"]
        assert len(standing) == 1
        assert "disk I/O error" in standing[0]
        monkeypatch.setattr(Ledger, "deltas", read)
        await in_step(gateway, consumer)
        await eventually(lambda: gateway.backlog == 0)
        assert not [alert for alert in gateway.alerts if alert.subject == "deltas"]


async def test_a_stock_that_cannot_be_read_costs_connections_only(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    read, tried = Ledger.stock, 0

    async def failing(_ledger: Ledger) -> ledger_module.StockAt:
        nonlocal tried
        tried += 1
        raise sqlite3.OperationalError("disk I/O error")

    async with rig.gateway() as gateway, rig.consumer() as consumer:
        monkeypatch.setattr(Ledger, "stock", failing)
        await eventually(lambda: tried > 2)
        monkeypatch.setattr(Ledger, "stock", read)
        await write(gateway, 5)
        await in_step(gateway, consumer)
