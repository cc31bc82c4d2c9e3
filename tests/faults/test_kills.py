"""`kill -9` of the real daemon, at any moment from its first instruction on, while people carry things about."""

import asyncio
import signal
from pathlib import Path
from random import Random

import pytest

from gateway.consumer.client import Consumer
from gateway.consumer.store import SqliteStore
from gateway.tasks import beside
from tests.broker import Broker
from tests.daemon import PROGRAM, daemon
from tests.faults.shop import SEED, Recovery, Witness, missing, shuffle, table_row, times
from tests.gateway.ledgers import as_technician
from tests.rig import Rig, Stock, hurry, theirs

# A few die while they start, so long after their first instruction; most while they count, so long after coming online.
EARLY_SHARE = 0.3
START_S = 1.5
LIFE_S = 3.0
WHOLE_LIMIT_S = 40.0


def on_disk(folder: Path) -> tuple[str, int, Stock]:
    """Epoch, last number and stock of the ledger as the dead process left it; its numbers have no gap."""
    if not (folder / "ledger.db").exists():
        return "", 0, {}
    with as_technician(folder / "ledger.db") as connection:
        made = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'ledger'").fetchone()[0]
        if not made or not connection.execute("SELECT count(*) FROM ledger").fetchone()[0]:
            return "", 0, {}
        ((verdict,),) = connection.execute("PRAGMA integrity_check")
        assert verdict == "ok"
        ((epoch, seq, trimmed),) = connection.execute("SELECT epoch, seq, trimmed FROM ledger")
        numbers = [number for (number,) in connection.execute("SELECT seq FROM deltas ORDER BY seq")]
        assert numbers == list(range(trimmed + 1, seq + 1))
        items = "SELECT gtin, zone, count(*) FROM items WHERE zone IS NOT NULL GROUP BY gtin, zone"
        counted = {(gtin, zone): count for gtin, zone, count in connection.execute(items)}
        stock = {
            (gtin, zone): level for gtin, zone, level in connection.execute("SELECT gtin, zone, quantity FROM stock")
        }
    assert counted == stock, "items and stock are of one moment"
    return epoch, seq, stock


def life(consumer: Consumer) -> tuple[int, int]:
    """The newest life of the gateway that the consumer has heard of."""
    position = consumer.store.position
    return (0, 0) if position is None else position.life


async def test_killed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    rng, kills = Random(SEED), times("KILLS", 4)
    witness, recovery = Witness(), Recovery()

    async def carry() -> None:
        while True:
            shuffle(rig, rng, most=3)
            await asyncio.sleep(0.1)

    config = tmp_path / "tallygate.toml"
    async with (
        Broker(tmp_path / "broker") as broker,
        Rig(tmp_path, broker, items=60) as rig,
        await SqliteStore.open(tmp_path / "central.db", rig.topics.root) as store,
        rig.consumer("kept", store) as kept,
        rig.consumer("plain", on_change=witness) as plain,
        rig.listener() as heard,
    ):
        config.write_text(rig.text())
        seq = 0
        async with beside(carry()):
            for _ in range(kills):
                former = life(plain)
                process = await asyncio.create_subprocess_exec(
                    *PROGRAM, "run", "--config", str(config), stderr=asyncio.subprocess.DEVNULL
                )
                if rng.random() < EARLY_SHARE:
                    await asyncio.sleep(rng.uniform(0.1, START_S))
                else:
                    async with asyncio.timeout(WHOLE_LIMIT_S):
                        await plain.wait_until(lambda one, former=former: life(one) > former)
                    await asyncio.sleep(rng.uniform(0.0, LIFE_S))
                process.send_signal(signal.SIGKILL)
                await process.wait()
                before, (_, seq, _) = seq, on_disk(tmp_path)
                assert seq >= before, "no number is taken back"
        recovery.start()
        async with daemon(tmp_path, rig.text()) as one:
            async with asyncio.timeout(WHOLE_LIMIT_S):
                for consumer in (kept, plain):
                    await consumer.wait_until(lambda one: theirs(one) == rig.truth())
            recovery.stop()
            shuffle(rig, rng)
            async with asyncio.timeout(WHOLE_LIMIT_S):
                await plain.wait_until(lambda one: theirs(one) == rig.truth())
            assert await one.stop() == 0
            assert "Traceback" not in one.log
        epoch, seq, stock = on_disk(tmp_path)
        assert stock == rig.truth()
        await heard.until(lambda: seq in heard.seqs())
        lost = missing(heard, seq)
        print(table_row("kill -9", kills, [kept, plain], witness, len(lost), recovery.longest_s))
        assert lost == []
        assert witness.whole
        assert witness.epochs == {epoch}, "a death is no reason for a new epoch"
        for consumer in (kept, plain):
            assert not {"stock_differs", "epoch_changed"} & set(consumer.counters.findings)
