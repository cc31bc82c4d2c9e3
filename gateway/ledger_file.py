"""A ledger's file looked at from outside, beside a running daemon or without one: what is in it, is it sound, and
how to begin anew where it is not.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from gateway import migrations, payloads
from gateway.domain.records import ItemRecord
from gateway.ledger import LedgerError, only_user
from gateway.ledger_rows import item_record

# What SQLite keeps beside the file; the three belong together.
SUFFIXES = ("", "-wal", "-shm")
# More of them say nothing new.
MAX_FINDINGS = 20
# A progress bar wants to move now and then.
DELTAS_A_STEP = 10_000
# The daemon's own checkpoint may hold the file this long.
BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """What a ledger holds. `unsent` deltas wait for the broker; `oldest_unsent` is when the first of them was made."""

    version: int
    site: str
    gateway: str
    epoch: str
    boot: int
    seq: int
    acknowledged: int
    trimmed: int
    items: int
    rows: int
    quantity: int
    deltas: int
    unsent: int
    oldest_unsent: str | None
    bytes: int


@dataclass(slots=True)
class Verdict:
    """What is wrong with a ledger, in sentences; nothing, where it is sound."""

    findings: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.findings

    @property
    def full(self) -> bool:
        """There are enough findings."""
        return len(self.findings) >= MAX_FINDINGS

    def add(self, text: str) -> None:
        if not self.full:
            self.findings.append(text)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Read only: nothing here changes a ledger. Raises LedgerError."""
    if not path.is_file():
        raise LedgerError(f"{path}: there is no such file", "see ledger.path in the configuration")
    # Without a WAL nobody is writing; SQLite would leave one of this user's, which the daemon's could not open.
    how = "mode=ro" if path.with_name(path.name + "-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=BUSY_S)) as database:
            yield database
    except sqlite3.Error as error:
        raise LedgerError(
            f"{path}: cannot be read: {error}",
            "tallygate ledger rebuild keeps this file and begins a new ledger",
        ) from error


def summarise(path: Path) -> LedgerSummary:
    """What the ledger at `path` (absolute) holds. Raises LedgerError where it cannot be read."""
    with _opened(path) as database:
        version = _known_version(database)
        site, gateway, epoch, *numbers = database.execute(
            "SELECT site, gateway, epoch, boot, seq, acknowledged, trimmed FROM ledger"
        ).fetchone()
        boot, seq, acknowledged, trimmed = map(int, numbers)
        (items,) = database.execute("SELECT count(*) FROM items WHERE zone IS NOT NULL").fetchone()
        rows, quantity = database.execute("SELECT count(*), coalesce(sum(quantity), 0) FROM stock").fetchone()
        first = database.execute(
            "SELECT at_utc_us FROM deltas WHERE seq > ? ORDER BY seq LIMIT 1", (acknowledged,)
        ).fetchone()
    return LedgerSummary(
        version=version,
        site=site,
        gateway=gateway,
        epoch=epoch,
        boot=boot,
        seq=seq,
        acknowledged=acknowledged,
        trimmed=trimmed,
        items=items,
        rows=rows,
        quantity=quantity,
        deltas=seq - trimmed,
        unsent=seq - max(acknowledged, trimmed),
        oldest_unsent=payloads.rfc3339(first[0]) if first else None,
        bytes=sum(file.stat().st_size for file in _files(path)),
    )


def read_item(path: Path, gtin: str, serial: str) -> ItemRecord | None:
    """What it has kept of one item; None where that is nothing. Raises LedgerError."""
    with _opened(path) as database:
        row = database.execute("SELECT * FROM items WHERE gtin = ? AND serial = ?", (gtin, serial)).fetchone()
    return None if row is None else item_record(row)


def check(path: Path, progress: Callable[[float], None] = lambda _: None) -> Verdict:
    """Read all of the ledger at `path` (absolute): pages, numbers, payloads, and whether they add up to the stock.

    `progress` takes the share that is done. Raises LedgerError where it is so damaged that nothing can be read.
    """
    verdict = Verdict()
    with _opened(path) as database:
        _known_version(database)
        for (line,) in database.execute(f"PRAGMA integrity_check({MAX_FINDINGS})"):
            if line != "ok":
                verdict.add(line)
        if verdict.sound:
            # One moment of it: a daemon may be writing.
            database.execute("BEGIN")
            _check_deltas(database, verdict, progress)
    return verdict


def _check_deltas(database: sqlite3.Connection, verdict: Verdict, progress: Callable[[float], None]) -> None:
    epoch, seq, acknowledged, trimmed = database.execute(
        "SELECT epoch, seq, acknowledged, trimmed FROM ledger"
    ).fetchone()
    if acknowledged > seq or trimmed > seq:
        verdict.add(f"delta {seq} is the last, yet {acknowledged} are acknowledged and {trimmed} dropped")
    levels: dict[tuple[str, str], int] = {}
    expected = trimmed + 1
    for number, payload in database.execute("SELECT seq, payload FROM deltas ORDER BY seq"):
        if number != expected:
            verdict.add(f"delta {expected} is missing: {number} comes after {expected - 1}")
        expected = number + 1
        _check_delta(epoch, number, payload, levels, verdict)
        if verdict.full:
            return
        if number % DELTAS_A_STEP == 0:
            progress((number - trimmed) / max(1, seq - trimmed))
    if expected != seq + 1:
        verdict.add(f"the last delta is {expected - 1}, the ledger has counted to {seq}")
    stock = {(gtin, zone): level for gtin, zone, level in database.execute("SELECT gtin, zone, quantity FROM stock")}
    for key, level in levels.items():
        if stock.get(key, 0) != level:
            verdict.add(f"GTIN {key[0]} in {key[1]}: the stock says {stock.get(key, 0)}, the last delta {level}")


def _check_delta(epoch: str, number: int, payload: bytes, levels: dict[tuple[str, str], int], verdict: Verdict) -> None:
    """One delta: is it what its number says, and does it follow from those before?"""
    try:
        delta = payloads.Delta.model_validate_json(payload)
    except ValidationError as error:
        verdict.add(f"delta {number} cannot be read: {payloads.explain(error)}")
        return
    if (delta.epoch, delta.seq) != (epoch, number):
        verdict.add(f"delta {number} says that it is delta {delta.seq} of epoch {delta.epoch}")
    for row in delta.changes:
        before = levels.get((row.gtin, row.zone), row.quantity - row.change)
        if before + row.change != row.quantity:
            verdict.add(
                f"delta {number} changes GTIN {row.gtin} in {row.zone} from {before} by {row.change} to {row.quantity}"
            )
        levels[row.gtin, row.zone] = row.quantity


def set_aside(path: Path, utc_us: int) -> list[Path]:
    """Move the ledger at `path` (absolute) away, with what SQLite keeps beside it; gives where its files are now.

    The next start finds none and begins a new epoch. Raises LedgerError where a gateway is running on it.
    """
    stamp = datetime.fromtimestamp(utc_us / 1e6, UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        with only_user(path):
            kept = []
            for file in _files(path):
                name = f"{path.name}.broken-{stamp}{file.name.removeprefix(path.name)}"
                kept.append(file.rename(file.with_name(name)))
            return kept
    except OSError as error:
        raise LedgerError(f"{path}: cannot be moved away: {error}", "check the owner of its folder") from error


def _files(path: Path) -> list[Path]:
    return [file for suffix in SUFFIXES if (file := path.with_name(path.name + suffix)).exists()]


def _known_version(database: sqlite3.Connection) -> int:
    """The version of the schema. Raises LedgerError where this software does not know it."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    newest = migrations.steps()[-1][0]
    if not 0 < version <= newest:
        raise LedgerError(
            f"the file is of version {version}, this software knows 1 to {newest}",
            "is this a ledger? then install the version of tallygate that wrote it, or a newer one",
        )
    return int(version)
