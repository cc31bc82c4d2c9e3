# SPDX-License-Identifier: Apache-2.0
"""Where a consumer keeps its stock: in memory, in SQLite, or in whatever else keeps the rules of `Store`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol, Self

import aiosqlite

from gateway.consumer.stock import Cell, Key, Patch, Position, Stock
from gateway.payloads import Delta, Row

# Raised with every change of the tables below.
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE gateway (root TEXT NOT NULL) STRICT;
CREATE TABLE position (
    one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, seq INTEGER NOT NULL,
    epochs_left TEXT NOT NULL, boot INTEGER NOT NULL, session INTEGER NOT NULL
) STRICT;
CREATE TABLE stock (
    gtin TEXT NOT NULL, zone TEXT NOT NULL, quantity INTEGER NOT NULL CHECK (quantity >= 0), confirmed INTEGER NOT NULL,
    disposition TEXT NOT NULL, cap INTEGER, PRIMARY KEY (gtin, zone)
) STRICT, WITHOUT ROWID;
CREATE TABLE zones (zone TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


class Store(Protocol):
    """The stock of one gateway and how far it is applied.

    Each call that changes something is one transaction: after a crash it has happened wholly or not at all, and the
    position is that of the stock (docs/mqtt.md, rule 7). The reading calls show what is committed and do not wait.
    """

    @property
    def position(self) -> Position | None:
        """How far the stock is; None before the first snapshot."""

    def quantity(self, gtin: str, zone: str) -> int:
        """The gateway's level."""

    def available(self, gtin: str, zone: str) -> int:
        """What may be promised: never above `quantity`; ignores increases while the zone is stale or learning."""

    def rows(self) -> Iterator[Row]:
        """Every level above zero, sorted by GTIN and zone."""

    def hash(self) -> str:
        """The hash over `rows` as a digest has it."""

    async def apply(self, deltas: Sequence[Delta], position: Position) -> None:
        """Applies consecutive deltas; raises StockMismatchError, and then nothing of them is applied."""

    async def replace(self, rows: Sequence[Row], position: Position) -> None:
        """Puts a snapshot in the place of the whole stock."""

    async def remember(self, position: Position) -> None:
        """Keeps a position whose epoch and seq are the stored ones."""

    async def set_zone(self, zone: str, state: str) -> None:
        """Notes a zone's health, upon which `available` depends."""

    async def close(self) -> None:
        """Lets go of everything; closing twice is fine."""


class MemoryStore:
    """A stock that lasts as long as the process: for a watcher, a test, a cache in front of something else."""

    def __init__(self, stock: Stock | None = None) -> None:
        self._stock = stock or Stock()

    @property
    def position(self) -> Position | None:
        return self._stock.position

    def quantity(self, gtin: str, zone: str) -> int:
        return self._stock.quantity(gtin, zone)

    def available(self, gtin: str, zone: str) -> int:
        return self._stock.available(gtin, zone)

    def rows(self) -> Iterator[Row]:
        return self._stock.rows()

    def hash(self) -> str:
        return self._stock.hash()

    async def apply(self, deltas: Sequence[Delta], position: Position) -> None:
        await self._commit(self._stock.plan_apply(deltas, position))

    async def replace(self, rows: Sequence[Row], position: Position) -> None:
        await self._commit(self._stock.plan_replace(rows, position))

    async def remember(self, position: Position) -> None:
        await self._commit(Patch(position=position))

    async def set_zone(self, zone: str, state: str) -> None:
        await self._commit(self._stock.plan_zone(zone, state))

    async def close(self) -> None:
        pass

    async def _commit(self, patch: Patch) -> None:
        await self._write(patch)
        self._stock.commit(patch)

    async def _write(self, patch: Patch) -> None:
        """Makes the patch durable; raising here leaves the stock as it was."""


class ForeignStoreError(Exception):
    """The file is no consumer's store, of another version, or of another gateway; it is left as it is."""

    def __init__(self, path: Path, text: str, hint: str) -> None:
        super().__init__(f"{path}: {text} ({hint})")
        self.hint = hint


class SqliteStore(MemoryStore):
    """A stock in one SQLite file, read into memory at the start; what was applied survives a power cut.

    `async with await SqliteStore.open(path, root) as store`. One file belongs to one gateway and one process.
    """

    def __init__(self, database: aiosqlite.Connection, stock: Stock) -> None:
        super().__init__(stock)
        self._database: aiosqlite.Connection | None = database

    @classmethod
    async def open(cls, path: Path, root: str) -> Self:
        """Opens or creates the file for the gateway with the topic root `root`; raises ForeignStoreError."""
        # An aiosqlite connection that stays open would keep the process from ending.
        async with AsyncExitStack() as unless_opened:
            database = await aiosqlite.connect(path, isolation_level=None)
            unless_opened.push_async_callback(database.close)
            await _prepare(database, path, root)
            opened = cls(database, await _load(database))
            unless_opened.pop_all()
        return opened

    async def close(self) -> None:
        if self._database is not None:
            database, self._database = self._database, None
            await database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _write(self, patch: Patch) -> None:
        if self._database is None:
            raise RuntimeError("the store is closed")
        database = self._database
        async with AsyncExitStack() as unless_committed:
            unless_committed.push_async_callback(self._recover, database)
            await database.execute("BEGIN IMMEDIATE")
            await _write_cells(database, patch)
            await database.executemany("REPLACE INTO zones VALUES (?, ?)", list(patch.zones.items()))
            if patch.position is not None:
                place = patch.position
                await database.execute(
                    "REPLACE INTO position VALUES (1, ?, ?, ?, ?, ?)",
                    (place.epoch, place.seq, json.dumps(place.left), *place.life),
                )
            await database.execute("COMMIT")
            unless_committed.pop_all()

    async def _recover(self, database: aiosqlite.Connection) -> None:
        """After an error or a cancellation in the midst of it: what the file says is true, committed or not."""
        await database.rollback()
        self._stock = await _load(database)


async def _write_cells(database: aiosqlite.Connection, patch: Patch) -> None:
    if patch.replace:
        await database.execute("DELETE FROM stock")
    kept = [(*key, *cell) for key, cell in patch.cells.items() if cell is not None]
    gone = [key for key, cell in patch.cells.items() if cell is None]
    await database.executemany("REPLACE INTO stock VALUES (?, ?, ?, ?, ?, ?)", kept)
    await database.executemany("DELETE FROM stock WHERE gtin = ? AND zone = ?", gone)


async def _prepare(database: aiosqlite.Connection, path: Path, root: str) -> None:
    """The pragmas, and the tables where there are none yet."""
    hint = "give each gateway a file of its own"
    try:
        await database.execute("PRAGMA journal_mode = WAL")
    except aiosqlite.DatabaseError as error:
        raise ForeignStoreError(path, str(error), hint) from error
    await database.execute("PRAGMA synchronous = FULL")
    ((version,),) = await database.execute_fetchall("PRAGMA user_version")
    ((tables,),) = await database.execute_fetchall("SELECT count(*) FROM sqlite_schema")
    if version == 0 and tables == 0:
        statements = f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        await database.executescript(statements)
        await database.execute("INSERT INTO gateway VALUES (?)", (root,))
    elif version != SCHEMA_VERSION:
        raise ForeignStoreError(path, f"version {version} of the tables, {SCHEMA_VERSION} is expected", hint)
    ((found,),) = await database.execute_fetchall("SELECT root FROM gateway")
    if found != root:
        raise ForeignStoreError(path, f"it holds the stock of {found}, not of {root}", hint)


async def _load(database: aiosqlite.Connection) -> Stock:
    cells: dict[Key, Cell] = {
        (gtin, zone): Cell(*values)
        for gtin, zone, *values in await database.execute_fetchall(
            "SELECT gtin, zone, quantity, confirmed, disposition, cap FROM stock"
        )
    }
    zones: dict[str, str] = dict(await database.execute_fetchall("SELECT zone, state FROM zones"))  # type: ignore[arg-type]
    places = list(await database.execute_fetchall("SELECT epoch, seq, epochs_left, boot, session FROM position"))
    position = None
    if places:
        epoch, seq, left, boot, session = places[0]
        position = Position(epoch, seq, tuple(json.loads(left)), (boot, session))
    return Stock(cells, position, zones)
