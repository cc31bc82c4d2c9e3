"""The ledger: item state, stock and numbered deltas on disk, in one SQLite file.

A step and what caused it go to disk in one transaction; the delta's number is allocated in that transaction. Commits
that arrive while another is under way share the next transaction (group commit). `synchronous=FULL` makes what was
committed survive a power cut. One connection writes; the second only reads, because two writers can corrupt a WAL
in the SQLite that Debian 12 ships (3.40.1).
"""

import asyncio
import fcntl
import sqlite3
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiosqlite

from gateway import migrations
from gateway.domain.records import BinRecord, ItemRecord, PoolRecord, ShopRecord, ZoneRecord
from gateway.domain.stock import StockRow
from gateway.ledger_group import Commit, Group, Numbered, Position
from gateway.ledger_rows import Row, bin_records, item_record, pool_records, shop_record, zone_record
from gateway.ledger_statements import statements

# A commit waits this long for company: a person sees no difference, an SD card has 50 syncs a second to give.
GROUP_COMMIT_S = 0.02
# ... and at most so many share one transaction, so that it stays a few milliseconds long.
GROUP_COMMIT_REQUESTS = 200
# Recent deltas stay in memory: the uplink reads the disk only after an outage.
RECENT_DELTAS = 2_000
# The file is trimmed before it reaches its limit, and in small transactions.
TRIM_AT_SHARE = 0.8
TRIM_DELTAS_PER_COMMIT = 1_000
# SQLite keeps the WAL until a checkpoint; beyond this size it is cut back after one.
WAL_LIMIT_BYTES = 16_000_000
# A reader of the file (a technician's sqlite3) may hold a lock this long before a commit fails.
BUSY_TIMEOUT_MS = 5_000
# Up to this size a ledger is checked whole when it is opened: half a second even on an SD card's 100 MB/s.
CHECKED_WHOLE_BYTES = 50_000_000
US_PER_DAY = 86_400_000_000


class LedgerError(Exception):
    """The ledger cannot be used as it is; `hint` says what an operator can do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class StockAt:
    """The whole stock as of delta `seq` of `epoch`."""

    epoch: str
    seq: int
    rows: tuple[StockRow, ...]


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What a trim dropped; `unsent` deltas never reached the broker: consumers take the snapshot instead."""

    acknowledged: int = 0
    unsent: int = 0
    used_share: float = 0.0


class Ledger:
    """An open ledger; made by `open_ledger`."""

    def __init__(
        self, writer: aiosqlite.Connection, reader: aiosqlite.Connection, found: Position, max_bytes: int
    ) -> None:
        self.found = found
        """Where it stood when it was opened: the end of the life before."""
        self.position = replace(found, boot=found.boot + 1)
        self.commits = 0
        self._writer = writer
        self._reader = reader
        self._max_bytes = max_bytes
        self._writing = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._waiting: deque[tuple[Commit, asyncio.Future[list[Numbered]]]] = deque()
        self._wake = asyncio.Event()
        self._recent: deque[Numbered] = deque(maxlen=RECENT_DELTAS)

    # -- writing ----------------------------------------------------------------------------------------------

    async def commit(self, commit: Commit) -> list[Numbered]:
        """Put it on disk together with whatever else is waiting; returns its deltas once they are safe.

        Raises sqlite3.Error when the disk refuses; nothing of the commit is in the ledger then. A caller that is
        cancelled does not take its commit back.
        """
        return await asyncio.shield(self.submit(commit))

    def submit(self, commit: Commit) -> asyncio.Future[list[Numbered]]:
        """Queue a commit; the future tells its fate as `commit` does."""
        done: asyncio.Future[list[Numbered]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commit, done))
        self._wake.set()
        return done

    async def run(self) -> None:
        """Write groups until cancelled."""
        while True:
            await self._wake.wait()
            if len(self._waiting) < GROUP_COMMIT_REQUESTS:
                await asyncio.sleep(GROUP_COMMIT_S)
            self._wake.clear()
            while self._waiting:
                await self._write_group()

    async def _write_group(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_COMMIT_REQUESTS))]
        try:
            async with self._writing:
                results = await self._write([commit for commit, _ in group])
        except sqlite3.Error as error:
            for _, done in group:
                if not done.done():
                    done.set_exception(error)
            return
        for (_, done), numbered in zip(group, results, strict=True):
            if not done.done():
                done.set_result(numbered)

    async def _write(self, commits: Sequence[Commit]) -> list[list[Numbered]]:
        """One transaction for all of them; the position moves only after it is on disk."""
        group = Group(self.position)
        for commit in commits:
            group.add(commit)
        async with self._transaction():
            for sql, rows in statements(group):
                if rows:
                    await self._writer.executemany(sql, rows)
        self.position = group.position
        self.commits += 1
        for numbered in group.numbered:
            self._recent.extend(numbered)
        return group.numbered

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """All or nothing; the caller holds `_writing`."""
        try:
            # Within the guard: cancelled here, the statement still runs on its thread.
            await self._writer.execute("BEGIN IMMEDIATE")
            yield
            await self._writer.execute("COMMIT")
        except BaseException:
            # A disk that refuses this too must not take the place of what went wrong: a cancellation would be lost.
            with suppress(sqlite3.Error):
                await self._writer.rollback()
            raise

    async def open_life(self, epoch: str | None, boot: int) -> None:
        """Enter this life's boot number; with an epoch, start a new one (the old deltas mean nothing in it)."""
        async with self._writing:
            position = replace(self.position, boot=boot)
            async with self._transaction():
                if epoch is not None:
                    position = replace(position, epoch=epoch, seq=0, acknowledged=0, trimmed=0)
                    await self._writer.execute("DELETE FROM deltas")
                await self._writer.execute(
                    "UPDATE ledger SET epoch = ?, boot = ?, seq = ?, acknowledged = ?, trimmed = ?",
                    (position.epoch, position.boot, position.seq, position.acknowledged, position.trimmed),
                )
            self.position = position
            if epoch is not None:
                self._recent.clear()

    async def trim(self, now_utc_us: int, retain_days: float) -> Trimmed:
        """Drop what need not be kept: old acknowledged deltas, and what the size limit leaves no room for.

        Acknowledged ones go first, oldest first; then unsent ones, oldest first. Never stock.
        """
        horizon_utc_us = now_utc_us - int(retain_days * US_PER_DAY)
        acknowledged = unsent = 0
        while True:
            used_share = await self._used_share()
            last = await self._last_to_drop(horizon_utc_us, full=used_share >= TRIM_AT_SHARE)
            if last is None:
                return Trimmed(acknowledged, unsent, used_share)
            async with self._writing:
                async with self._transaction():
                    cursor = await self._writer.execute("DELETE FROM deltas WHERE seq <= ?", (last,))
                    await self._writer.execute("UPDATE ledger SET trimmed = ?", (last,))
                before = self.position
                self.position = replace(before, trimmed=last)
            if last <= before.acknowledged:
                acknowledged += cursor.rowcount
            else:
                unsent += cursor.rowcount
            while self._recent and self._recent[0].seq <= last:
                self._recent.popleft()

    async def _last_to_drop(self, horizon_utc_us: int, *, full: bool) -> int | None:
        """The last delta of the next small batch to drop."""
        # Only the oldest are looked at: searching all of them by age would read the whole file every time.
        rows = await self._read("SELECT seq, at_utc_us FROM deltas ORDER BY seq LIMIT ?", (TRIM_DELTAS_PER_COMMIT,))
        seqs = [int(seq) for seq, at_utc_us in rows if full or at_utc_us < horizon_utc_us]
        delivered = [seq for seq in seqs if seq <= self.position.acknowledged]
        if delivered:
            return delivered[-1]
        return seqs[-1] if full and seqs else None

    async def _used_share(self) -> float:
        """How much of its limit the file uses, pages that are free again not counted."""
        ((used,),) = await self._read(
            "SELECT (pages.page_count - free.freelist_count) * sizes.page_size"
            " FROM pragma_page_count AS pages, pragma_freelist_count AS free, pragma_page_size AS sizes"
        )
        return float(used) / self._max_bytes

    # -- reading ----------------------------------------------------------------------------------------------

    async def _read(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        async with self._reading:
            return list(await self._reader.execute_fetchall(sql, values))

    def recent(self, seq: int) -> bytes | None:
        """A delta's payload without a look at the disk; None where it is not one of the latest."""
        index = seq - self._recent[0].seq if self._recent else -1
        return self._recent[index].payload if 0 <= index < len(self._recent) else None

    async def deltas(self, first: int, limit: int) -> list[Numbered]:
        """Up to `limit` deltas in order, from number `first` on, or from the oldest one that is still there."""
        rows = await self._read("SELECT seq, payload FROM deltas WHERE seq >= ? ORDER BY seq LIMIT ?", (first, limit))
        return [Numbered(int(seq), bytes(payload)) for seq, payload in rows]

    async def stock(self) -> StockAt:
        """The stock that is on disk, and the number of the delta that made it so."""
        async with self._reading:
            reader = self._reader
            try:
                await reader.execute("BEGIN")
                ((epoch, seq),) = await reader.execute_fetchall("SELECT epoch, seq FROM ledger")
                rows = await reader.execute_fetchall("SELECT gtin, zone, disposition, quantity, confirmed FROM stock")
            finally:
                await reader.rollback()
        # Ten thousands of them would hold the loop up.
        return StockAt(epoch, seq, await asyncio.to_thread(_stock_rows, rows))

    async def items(self) -> list[ItemRecord]:
        """Every item at rest."""
        rows = await self._read("SELECT items.*, place FROM items LEFT JOIN places USING (epc, bits)")
        return [item_record(row) for row in rows]

    async def bins(self) -> list[BinRecord]:
        """Every bin at rest."""
        products = await self._read("SELECT * FROM bin_products")
        return bin_records(await self._read("SELECT * FROM bins"), products)

    async def pools(self) -> list[PoolRecord]:
        """What silence has come to mean in each zone."""
        tails = await self._read("SELECT * FROM pool_tails ORDER BY threshold_s")
        return pool_records(await self._read("SELECT * FROM pools"), tails)

    async def zones(self) -> list[ZoneRecord]:
        """What all items of each zone have taught."""
        return [zone_record(row) for row in await self._read("SELECT * FROM zones")]

    async def shop(self) -> ShopRecord | None:
        """What the whole shop has taught; None where nothing is kept of that."""
        rows = await self._read("SELECT * FROM shop")
        return shop_record(rows[0]) if rows else None

    async def learnt_zones(self) -> set[str]:
        """The zones whose first count has settled."""
        return {str(zone) for (zone,) in await self._read("SELECT zone FROM learnt_zones")}


def _stock_rows(rows: Iterable[Row]) -> tuple[StockRow, ...]:
    return tuple(StockRow(*row) for row in rows)


@asynccontextmanager
async def open_ledger(path: Path, site: str, gateway: str, *, max_bytes: int, utc_us: int) -> AsyncIterator[Ledger]:
    """Open the ledger at `path` (absolute), making or migrating it as needed, and enter a new boot.

    The first boot of a new ledger is numbered by the clock, in seconds: should an earlier ledger of this gateway be
    lost together with the broker's retained topics, consumers still see that this life is the newer one.

    Raises LedgerError where it belongs to another gateway, is damaged, or was written by a newer version.
    """
    async with AsyncExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(only_user(path))
            writer = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
            await _prepare(writer, max_bytes)
            await _migrate(writer)
            found = await _identify(writer, site, gateway, utc_us // 1_000_000)
            uri = f"{path.as_uri()}?mode=ro"
            reader = await stack.enter_async_context(aiosqlite.connect(uri, uri=True, isolation_level=None))
        except (sqlite3.DatabaseError, OSError) as error:
            raise LedgerError(
                f"{path}: cannot be opened: {error}",
                "check the path, its owner and the disk; tallygate ledger check says more, tallygate ledger rebuild "
                "keeps a damaged file and begins a new one, in a new epoch",
            ) from error
        yield Ledger(writer, reader, found, max_bytes)


@contextmanager
def only_user(path: Path) -> Iterator[None]:
    """Keep a second gateway off this ledger: two would give the same number to two deltas."""
    with Path(f"{path}.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LedgerError(
                f"{path}: another gateway is running on this ledger",
                "stop it first, or give this one a ledger.path of its own",
            ) from error
        yield


async def _prepare(writer: aiosqlite.Connection, max_bytes: int) -> None:
    await writer.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    # Making a new file a WAL one uses a rollback journal. Were its removal not synced (EXTRA does that), a power cut
    # could bring it back, and with it the empty file.
    await writer.execute("PRAGMA synchronous = EXTRA")
    await writer.execute("PRAGMA journal_mode = WAL")
    await writer.execute("PRAGMA synchronous = FULL")
    await writer.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    ((page_bytes,),) = await writer.execute_fetchall("PRAGMA page_size")
    await writer.execute(f"PRAGMA max_page_count = {max_bytes // page_bytes}")
    ((pages,),) = await writer.execute_fetchall("PRAGMA page_count")
    await _check_quickly(writer, whole=pages * page_bytes <= CHECKED_WHOLE_BYTES)


async def _check_quickly(writer: aiosqlite.Connection, *, whole: bool) -> None:
    """A start must not wait for a disk to be read from end to end: of a large file the deltas are left out.

    They are most of it; one that cannot be read later is an alert, and `tallygate ledger check` reads them all.
    """
    tables = await writer.execute_fetchall("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'deltas'")
    for what in ["1"] if whole else [f"'{name}'" for (name,) in tables]:
        ((verdict, *_), *_) = await writer.execute_fetchall(f"PRAGMA quick_check({what})")
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)


async def _migrate(writer: aiosqlite.Connection) -> None:
    """Bring the schema up to date, each step in a transaction of its own."""
    ((version,),) = await writer.execute_fetchall("PRAGMA user_version")
    steps = migrations.steps()
    newest = steps[-1][0]
    if version > newest:
        raise LedgerError(
            f"the ledger is of version {version}, this software knows {newest}",
            "install the version of tallygate that wrote it, or a newer one",
        )
    for number, sql in steps:
        if number > version:
            await writer.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")


async def _identify(writer: aiosqlite.Connection, site: str, gateway: str, first_boot: int) -> Position:
    """Whose ledger it is and where it stood; a new one becomes ours. The new boot is on disk when this returns."""
    await writer.execute(
        "INSERT OR IGNORE INTO ledger VALUES (1, ?, ?, ?, ?, 0, 0, 0)", (site, gateway, str(uuid.uuid4()), first_boot)
    )
    ((owner_site, owner, *numbers),) = await writer.execute_fetchall(
        "SELECT site, gateway, epoch, boot, seq, acknowledged, trimmed FROM ledger"
    )
    if (owner_site, owner) != (site, gateway):
        raise LedgerError(
            f"the ledger belongs to {owner_site}/{owner}, the configuration says {site}/{gateway}",
            "put the names back, or give this gateway a ledger path of its own",
        )
    found = Position(*numbers)
    await writer.execute("UPDATE ledger SET boot = ?", (found.boot + 1,))
    return found
