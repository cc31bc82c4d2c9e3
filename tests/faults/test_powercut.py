"""The real ledger over a recorded disk: whatever moment the power fails, nothing that was told is lost or doubled."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import apsw
import pytest

from gateway import ledger as module
from gateway.domain.delta import Change, Step
from gateway.domain.items import Cause
from gateway.domain.presence import Presence
from gateway.domain.records import ItemRecord, PoolRecord, TailRecord
from gateway.ledger import Ledger, open_ledger
from gateway.ledger_group import Commit
from gateway.tasks import beside
from tests.faults.powercut import Files, RecordingVfs, images

SEED = int(os.environ.get("FAULT_SEED", "1"))
# Scattered images for each moment, and how many lives the ledger lives; `make soak` asks for more.
SCATTERED = int(os.environ.get("POWERCUT_SCATTERED", "1"))
LIVES = int(os.environ.get("POWERCUT_LIVES", "2"))
NOW_US = 1_790_000_000_000_000
ZONES = ("floor", "back", "exit")
GTIN = "09506000134352"
MAX_BYTES = 400_000
# Small, so that checkpoints come often: it is they that write to the database itself.
CHECKPOINT_PAGES = 12


@dataclass
class Cursor:
    rowcount: int


class RecordedConnection:
    """What the ledger asks of aiosqlite, answered by SQLite on the recorded disk."""

    def __init__(self, path: str, vfs: RecordingVfs) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        self._connection = apsw.Connection(path, vfs=vfs.name, flags=flags)

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        list(self._connection.execute(sql, values))
        return Cursor(self._connection.changes())

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> Cursor:
        self._connection.executemany(sql, rows)
        return Cursor(self._connection.changes())

    async def executescript(self, sql: str) -> None:
        self._connection.execute(sql)

    async def execute_fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql, values))

    async def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    async def close(self) -> None:
        self._connection.close()


@dataclass
class Told:
    """What the world was told, and after how many operations of the disk."""

    vfs: RecordingVfs
    deltas: dict[tuple[str, int], bytes] = field(default_factory=dict)
    marks: list[tuple[int, str, int, int]] = field(default_factory=list)

    def note(self, ledger: Ledger) -> None:
        position = ledger.position
        self.marks.append((len(self.vfs.ops), position.epoch, position.boot, position.seq))


@pytest.fixture
def vfs() -> RecordingVfs:
    return RecordingVfs("tallygate-recording")


@pytest.fixture
def recorded(vfs: RecordingVfs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger's SQLite works on the recorded disk."""

    def connect(path: Path | str, **_: Any) -> AbstractAsyncContextManager[RecordedConnection]:
        @asynccontextmanager
        async def connection() -> AsyncIterator[RecordedConnection]:
            one = RecordedConnection(str(path), vfs)
            try:
                yield one
            finally:
                await one.close()

        return connection()

    monkeypatch.setattr(module.aiosqlite, "connect", connect)
    monkeypatch.setattr(module, "GROUP_COMMIT_S", 0.0)
    monkeypatch.setattr(module, "TRIM_DELTAS_PER_COMMIT", 40)


class Shop:
    """Items that come, go and move; every commit says so with its deltas and records."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.at: dict[int, str] = {}
        self.levels: Counter[str] = Counter()

    def commit(self) -> Commit:
        steps, items = [], []
        for _ in range(self.rng.randint(1, 6)):
            serial = self.rng.randrange(60)
            was, to = self.at.pop(serial, None), self.rng.choice((*ZONES, None))
            rows = []
            for zone, change in ((was, -1), (to, 1)):
                if zone is not None and was != to:
                    self.levels[zone] += change
                    level = self.levels[zone]
                    rows.append(Change(GTIN, zone, "sellable_accessible", change, level, level, stale=False))
            if to is not None:
                self.at[serial] = to
            presence = Presence.PRESENT if to else Presence.DEPARTED
            items.append(
                ItemRecord(serial.to_bytes(12), GTIN, str(serial), presence, to, NOW_US, NOW_US, 0.5, 9.0, 0.0, 3.0)
            )
            if rows:
                steps.append(Step(tuple(rows), {Cause.MOVED: 1}))
        return Commit(NOW_US, steps, items, pools=[self.pool()])

    def pool(self) -> PoolRecord:
        """What a zone has learnt: as many seconds as silences."""
        tail = tuple(TailRecord(threshold_s, self.rng.randint(1, 9), 1.0) for threshold_s in (0.0, 15.0, 30.0))
        seconds = float(sum(each.silences for each in tail))
        return PoolRecord(self.rng.choice(ZONES), 2.0, seconds, 0.0, 1e-6, tail)


async def live(path: Path, rng: Random, shop: Shop, told: Told) -> None:
    """One life: commits in groups, acknowledgements, trims, now and then a new epoch."""
    async with (
        open_ledger(path, "store", "gw", max_bytes=MAX_BYTES, utc_us=NOW_US) as ledger,
        beside(ledger.run()),
    ):
        await ledger._writer.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        told.note(ledger)
        for _ in range(rng.randint(20, 30)):
            waiting = [ledger.submit(shop.commit()) for _ in range(rng.randint(1, 3))]
            for done in waiting:
                for delta in await done:
                    told.deltas[ledger.position.epoch, delta.seq] = delta.payload
            told.note(ledger)
            if rng.random() < 0.3:
                behind = rng.randint(0, 10)
                await ledger.commit(Commit(acknowledged=max(0, ledger.position.seq - behind)))
            if rng.random() < 0.1:
                await ledger.trim(NOW_US + rng.choice([0, 8 * module.US_PER_DAY]), retain_days=7.0)
            if rng.random() < 0.04:
                await ledger.open_life(str(UUID(int=rng.getrandbits(128))), ledger.position.boot + 1)
                told.note(ledger)


def judge(folder: Path, told: Told, done: int) -> tuple[str, int]:
    """What must hold on every disk; gives where its ledger stands."""
    connection = sqlite3.connect(folder / "ledger.db")
    try:
        ((verdict,),) = connection.execute("PRAGMA integrity_check")
        assert verdict == "ok"
        ((epoch, boot, seq, acknowledged, trimmed),) = connection.execute(
            "SELECT epoch, boot, seq, acknowledged, trimmed FROM ledger"
        )
        deltas = connection.execute("SELECT seq, payload FROM deltas ORDER BY seq").fetchall()
        stock = dict(connection.execute("SELECT zone, quantity FROM stock"))
        items = dict(connection.execute("SELECT zone, count(*) FROM items WHERE zone IS NOT NULL GROUP BY zone"))
        pools = dict(connection.execute("SELECT zone, item_s FROM pools"))
        tails = dict(connection.execute("SELECT zone, sum(silences) FROM pool_tails GROUP BY zone"))
    finally:
        connection.close()
    assert pools == tails, "a pool and its tail are of one moment"
    # Nothing that was told is lost: neither a delta, nor the number of a start, nor an epoch.
    _, told_epoch, told_boot, told_seq = [mark for mark in told.marks if mark[0] <= done][-1]
    assert boot >= told_boot
    assert epoch == told_epoch or boot > told_boot, "another epoch comes only with another start"
    if epoch == told_epoch:
        assert seq >= told_seq
    # No gap, and no number that names another delta than the one that was told.
    assert [number for number, _ in deltas] == list(range(trimmed + 1, seq + 1))
    assert acknowledged <= seq
    levels: dict[str, int] = {}
    for number, payload in deltas:
        delta = json.loads(payload)
        assert (delta["epoch"], delta["seq"]) == (epoch, number)
        assert told.deltas.get((epoch, number), payload) == payload
        for change in delta["changes"]:
            before = levels.get(change["zone"], change["quantity"] - change["change"])
            assert before + change["change"] == change["quantity"]
            levels[change["zone"]] = change["quantity"]
    # Items, stock and deltas are of one moment.
    assert items == stock
    assert {zone: stock.get(zone, 0) for zone in levels} == levels
    return epoch, seq


def lay(folder: Path, files: Files) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.usefixtures("recorded")
async def test_a_power_cut_at_any_moment_loses_nothing_that_was_told(
    vfs: RecordingVfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = Random(SEED)
    told, shop = Told(vfs), Shop(rng)
    path = tmp_path / "recorded" / "ledger.db"
    for _ in range(LIVES):
        await live(path, rng, shop, told)
    monkeypatch.undo()
    first = told.marks[0][0]
    seen: set[int] = set()
    folder = tmp_path / "image"
    folder.mkdir()
    opened = 0
    for number, (done, files) in enumerate(images(vfs.ops, rng, SCATTERED)):
        known = hash(frozenset(files.items()))
        if done < first or known in seen:
            continue
        seen.add(known)
        lay(folder, files)
        epoch, seq = judge(folder, told, done)
        if number % 50 == 0:
            # The daemon's own way to open it, and the next number.
            async with (
                open_ledger(folder / "ledger.db", "store", "gw", max_bytes=MAX_BYTES, utc_us=NOW_US) as ledger,
                beside(ledger.run()),
            ):
                assert (ledger.position.epoch, ledger.position.seq) == (epoch, seq)
                step = Step((Change(GTIN, "new", "sellable_accessible", 1, 1, 1, stale=False),), {Cause.ARRIVED: 1})
                assert [delta.seq for delta in await ledger.commit(Commit(NOW_US, [step]))] == [seq + 1]
            opened += 1
        for file in folder.iterdir():
            file.unlink()
    print(f"power cuts: seed {SEED}, {len(vfs.ops)} operations, {len(seen)} images, {opened} opened by the ledger")
    assert len(seen) > 300 * LIVES
    assert opened > 5


@pytest.mark.usefixtures("recorded")
async def test_the_recorded_disk_would_show_a_ledger_that_does_not_sync(
    vfs: RecordingVfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same judge on `synchronous = NORMAL`, which loses commits: it must notice."""
    prepare = module._prepare

    async def careless(writer: Any, max_bytes: int) -> None:
        await prepare(writer, max_bytes)
        await writer.execute("PRAGMA synchronous = NORMAL")

    monkeypatch.setattr(module, "_prepare", careless)
    told = Told(vfs)
    await live(tmp_path / "recorded" / "ledger.db", Random(1), Shop(Random(1)), told)
    folder = tmp_path / "image"
    folder.mkdir()
    lost = 0
    for done, files in images(vfs.ops, Random(1), 0):
        if done >= told.marks[0][0]:
            lay(folder, files)
            try:
                judge(folder, told, done)
            except (AssertionError, sqlite3.OperationalError):
                lost += 1
            for file in folder.iterdir():
                file.unlink()
    assert lost > 10
