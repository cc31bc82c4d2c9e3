"""Ledgers for tests, and what may be in one."""

import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from gateway.domain.delta import Change, Step
from gateway.domain.items import Cause
from gateway.domain.presence import Presence
from gateway.domain.records import BinRecord, ItemRecord, PoolRecord, ProductRecord, Story, TailRecord, ZoneRecord
from gateway.ledger import Ledger, open_ledger
from gateway.ledger_group import Commit
from gateway.tasks import beside

GTIN = "09506000134352"
NOW_US = 1_790_000_000_000_000
ROOMY_BYTES = 100_000_000


@asynccontextmanager
async def life(path: Path, max_bytes: int = ROOMY_BYTES, gateway: str = "gw-1") -> AsyncIterator[Ledger]:
    """An open ledger that writes."""
    async with (
        open_ledger(path, "store-0042", gateway, max_bytes=max_bytes, utc_us=NOW_US) as ledger,
        beside(ledger.run()),
    ):
        yield ledger


def arrival(level: int, zone: str = "floor", change: int = 1) -> Step:
    """A row goes to `level`."""
    row = Change(GTIN, zone, "sellable_accessible", change, level, level, stale=False)
    return Step((row,), {Cause.ARRIVED: abs(change)})


def record(serial: int, zone: str | None = "floor") -> ItemRecord:
    key = serial.to_bytes(12)
    presence = Presence.PRESENT if zone else Presence.DEPARTED
    return ItemRecord(key, GTIN, str(serial), presence, zone, NOW_US, NOW_US + serial, 0.25, 40.0, 1.5, 90.0 * serial)


def commit(level: int, zone: str = "floor") -> Commit:
    """One more item in `zone`."""
    return Commit(NOW_US, [arrival(level, zone)], [record(level, zone)])


@contextmanager
def as_technician(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def dump(path: Path) -> list[str]:
    """The whole content of a ledger, but for its boot number."""
    with as_technician(path) as connection:
        lines = list(connection.iterdump())
    return [line for line in lines if not line.startswith('INSERT INTO "ledger"')]


def check(path: Path) -> tuple[int, dict[str, int]]:
    """What must hold in every ledger, however its life ended; its last number and its stock by zone."""
    with as_technician(path) as connection:
        ((verdict,),) = connection.execute("PRAGMA integrity_check")
        assert verdict == "ok"
        ((seq, trimmed),) = connection.execute("SELECT seq, trimmed FROM ledger")
        rows = connection.execute("SELECT seq, payload FROM deltas ORDER BY seq").fetchall()
        stock = dict(connection.execute("SELECT zone, quantity FROM stock"))
        items = dict(connection.execute("SELECT zone, count(*) FROM items WHERE zone IS NOT NULL GROUP BY zone"))
    assert [number for number, _ in rows] == list(range(trimmed + 1, seq + 1))
    total: Counter[str] = Counter()
    for number, payload in rows:
        delta = json.loads(payload)
        assert delta["seq"] == number
        for row in delta["changes"]:
            if not trimmed:
                assert total[row["zone"]] + row["change"] == row["quantity"]
            total[row["zone"]] = row["quantity"]
    if not trimmed:
        assert stock == {zone: quantity for zone, quantity in total.items() if quantity}
    assert items == stock
    return seq, stock


def bin_record(channel: int, *pieces: int) -> BinRecord:
    products = tuple(
        ProductRecord(f"{9506000134352 + n:014}", count, 181.5, 3.0, 182.0) for n, count in enumerate(pieces)
    )
    stories = (Story(pieces, 0.0, 0.0), Story(tuple(count + 1 for count in pieces), -3.0, -1.25))
    return BinRecord("gondola-7", channel, "shelf", 1.5, 0.0, 364.25, -3.0, products, stories=stories, fills=2)


def pool_record(zone: str, pace_s: float = 2.0, silences: float = 7.5) -> PoolRecord:
    tail = (TailRecord(0.0, silences, 600.25), TailRecord(15.0, silences / 2, 210.0))
    return PoolRecord(zone, pace_s, 86_400.5, 1.25, 3e-7, tail)


def zone_record(zone: str, moved: float = 2.5) -> ZoneRecord:
    return ZoneRecord(zone, (1.5, -0.25), (3.0, 2.0), moved, 86_400.5)
