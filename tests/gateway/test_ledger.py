import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from gateway import ledger as module
from gateway import ledger_file
from gateway.domain.delta import Change, Step
from gateway.domain.items import Cause
from gateway.domain.presence import Presence
from gateway.domain.records import (
    BinRecord,
    HeardRecord,
    ItemRecord,
    PlaceRecord,
    PoolRecord,
    ProductRecord,
    ShopRecord,
    Story,
    TailRecord,
    ZoneRecord,
)
from gateway.domain.stock import StockRow
from gateway.ledger import Ledger, LedgerError, open_ledger
from gateway.ledger_group import Commit, Numbered
from gateway.tasks import beside

GTIN = "09506000134352"
NOW_US = 1_790_000_000_000_000
DAY_US = 86_400_000_000
ROOMY_BYTES = 100_000_000
KILLS = 24


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


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


async def test_a_commit_is_numbered_and_all_of_it_is_there(path: Path) -> None:
    async with life(path) as ledger:
        steps = [arrival(1), arrival(1, "back"), arrival(2)]
        items = [record(1), record(2, "back"), record(3)]
        numbered = await ledger.commit(Commit(NOW_US, steps, items, learnt_zones=["floor"]))
        assert [one.seq for one in numbered] == [1, 2, 3]
        assert await ledger.deltas(1, 10) == numbered
        stock = await ledger.stock()
        assert (stock.epoch, stock.seq) == (ledger.position.epoch, 3)
        assert {(row.zone, row.quantity, row.confirmed) for row in stock.rows} == {("floor", 2, 2), ("back", 1, 1)}
        assert sorted(await ledger.items(), key=lambda one: one.key) == items
        assert await ledger.learnt_zones() == {"floor"}
        delta = json.loads(numbered[0].payload)
        assert (delta["seq"], delta["epoch"], delta["at"]) == (1, ledger.position.epoch, "2026-09-21T14:13:20.000Z")
    assert check(path) == (3, {"floor": 2, "back": 1})


async def test_what_is_gone_is_gone(path: Path) -> None:
    async with life(path) as ledger:
        await ledger.commit(Commit(NOW_US, [arrival(2, change=2)], [record(1), record(2)]))
        odd = replace(record(3), key=(b"\x30\x01", 15))
        await ledger.commit(Commit(NOW_US, (), [odd, record(4, None)]))
        assert odd in await ledger.items()
        gone = [record(1).key, odd.key, record(4).key]
        await ledger.commit(Commit(NOW_US, [arrival(0, change=-2)], [record(2, None)], gone))
        assert await ledger.items() == [record(2, None)]
        assert (await ledger.stock()).rows == ()


async def test_a_forgotten_item_that_comes_again_in_the_same_group_stays(path: Path) -> None:
    async with life(path) as ledger:
        await ledger.commit(Commit(NOW_US, (), [record(1)]))
        gone = ledger.submit(Commit(NOW_US, (), (), [record(1).key]))
        back = ledger.submit(Commit(NOW_US, (), [record(1, "back")]))
        await asyncio.gather(gone, back)
        assert ledger.commits == 2
        assert await ledger.items() == [record(1, "back")]


async def test_commits_that_come_together_share_transactions_and_keep_their_order(path: Path) -> None:
    async with life(path) as ledger:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ledger.commit(commit(level))) for level in range(1, 1001)]
        assert [task.result()[0].seq for task in tasks] == list(range(1, 1001))
        assert ledger.commits <= 10
        assert ledger.position.seq == 1000
    assert check(path) == (1000, {"floor": 1000})


async def test_a_caller_that_is_cancelled_does_not_take_its_commit_back(path: Path) -> None:
    async with life(path) as ledger:
        async with beside(_discard(ledger.commit(commit(1)))):
            await asyncio.sleep(0)
        assert [one.seq for one in await ledger.commit(commit(2))] == [2]
    assert check(path) == (2, {"floor": 2})


async def test_it_can_be_stopped_within_a_commit_by_a_disk_that_refuses_everything(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = asyncio.Event()

    async def stuck(*_: object) -> None:
        within.set()
        await asyncio.Event().wait()

    async def refuse() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async with open_ledger(path, "store-0042", "gw-1", max_bytes=ROOMY_BYTES, utc_us=NOW_US) as ledger:
        async with asyncio.timeout(10), beside(ledger.run()):
            monkeypatch.setattr(ledger._writer, "executemany", stuck)
            monkeypatch.setattr(ledger._writer, "rollback", refuse)
            ledger.submit(commit(1))
            await within.wait()
        monkeypatch.undo()
        await ledger._writer.rollback()


async def _discard(work: object) -> None:
    assert asyncio.iscoroutine(work)
    await work


async def test_a_statement_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    """Every statement of a commit once: what the disk refuses in the middle never happened."""
    rich = Commit(
        NOW_US,
        [arrival(3), arrival(0, "back", -1)],
        [record(3), record(2, None)],
        [record(9).key],
        ["floor"],
        acknowledged=2,
    )
    async with life(path) as ledger:
        await ledger.commit(Commit(NOW_US, [arrival(2, change=2), arrival(1, "back")], [record(1), record(2, "back")]))
        await ledger.commit(Commit(NOW_US, (), [record(3), record(9)]))
        before, position = dump(path), ledger.position
        writer = ledger._writer
        broken = 0
        while True:
            broken += 1
            with _breaks_statement(writer, broken) as statements:
                try:
                    numbered = await ledger.commit(rich)
                except sqlite3.OperationalError:
                    assert dump(path) == before
                    assert ledger.position == position
                    assert ledger.recent(position.seq + 1) is None
                    continue
            assert len(statements) < broken
            break
        assert [one.seq for one in numbered] == [3, 4]
        # BEGIN, deltas, stock twice, items twice, places, learnt zones, the position, COMMIT.
        assert broken - 1 == 10
        assert ledger.position.acknowledged == 2


@contextmanager
def _breaks_statement(writer: object, number: int) -> Iterator[list[str]]:
    """The connection's n-th statement from here on fails as a disk does; gives the statements that were tried."""
    seen: list[str] = []
    patch = pytest.MonkeyPatch()
    for name in ("execute", "executemany"):
        real = getattr(writer, name)

        async def failing(sql: str, *values: object, real: object = real) -> object:
            seen.append(sql)
            if len(seen) == number:
                raise sqlite3.OperationalError("disk I/O error")
            assert callable(real)
            return await real(sql, *values)

        patch.setattr(writer, name, failing)
    with patch.context():
        try:
            yield seen
        finally:
            patch.undo()


async def test_a_restart_brings_everything_back(path: Path) -> None:
    async with life(path) as ledger:
        for level in range(1, 4):
            await ledger.commit(replace(commit(level), acknowledged=level - 1, learnt_zones=["floor"]))
        first = ledger.position
        items, stock, deltas = await ledger.items(), await ledger.stock(), await ledger.deltas(0, 10)
    async with life(path) as ledger:
        assert ledger.found == first
        assert ledger.position == replace(first, boot=first.boot + 1)
        assert (await ledger.items(), await ledger.stock(), await ledger.deltas(0, 10)) == (items, stock, deltas)
        assert await ledger.learnt_zones() == {"floor"}
        assert ledger.recent(3) is None
        assert (await ledger.commit(commit(4)))[0].seq == 4
    assert first.acknowledged == 2


async def test_a_new_life_may_take_a_higher_boot_and_another_epoch(path: Path) -> None:
    async with life(path) as ledger:
        await ledger.commit(replace(commit(1), acknowledged=1))
        epoch, boot = ledger.position.epoch, ledger.position.boot
        await ledger.open_life(None, boot + 7)
        assert (ledger.position.epoch, ledger.position.boot, ledger.position.seq) == (epoch, boot + 7, 1)
        await ledger.open_life("another", boot + 8)
        position = ledger.position
        assert (position.epoch, position.seq, position.acknowledged, position.trimmed) == ("another", 0, 0, 0)
        assert await ledger.deltas(0, 10) == []
        assert ledger.recent(1) is None
        stock = await ledger.stock()
        assert (stock.epoch, stock.seq, len(stock.rows)) == ("another", 0, 1)
        (delta,) = await ledger.commit(commit(2))
        assert (delta.seq, json.loads(delta.payload)["epoch"]) == (1, "another")
    async with life(path) as ledger:
        assert ledger.found == replace(position, seq=1)


async def test_the_ledger_of_another_gateway_is_refused(path: Path) -> None:
    async with life(path):
        pass
    with pytest.raises(LedgerError, match="store-0042/gw-1") as caught:
        async with life(path, gateway="gw-2"):
            pass
    assert "path of its own" in caught.value.hint
    async with life(path) as ledger:
        assert ledger.position.seq == 0


async def test_a_newer_ledger_is_refused_and_left_alone(path: Path) -> None:
    async with life(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(LedgerError, match="version 999") as caught:
        async with life(path):
            pass
    assert "newer" in caught.value.hint


def break_file(path: Path, damage: str) -> None:
    content = path.read_bytes()
    match damage:
        case "text":
            path.write_bytes(b"this is no database at all\n" * 100)
        case "torn":
            path.write_bytes(content[: len(content) // 2])
        case "page":
            path.write_bytes(content[:8192] + Random(1).randbytes(4096) + content[12288:])


@pytest.mark.parametrize("damage", ["text", "torn", "page"])
async def test_a_damaged_file_is_refused_with_a_hint(path: Path, damage: str) -> None:
    async with life(path) as ledger:
        for level in range(1, 300):
            ledger.submit(commit(level))
        await ledger.commit(commit(300))
    break_file(path, damage)
    with pytest.raises(LedgerError) as caught:
        async with life(path):
            pass
    assert "new epoch" in caught.value.hint


async def test_a_path_that_cannot_be_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LedgerError) as caught:
        async with life(tmp_path / "file" / "ledger.db"):
            pass
    assert "owner" in caught.value.hint


async def test_two_connections_one_of_them_only_reads(path: Path) -> None:
    async with life(path) as ledger:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await ledger._reader.execute("DELETE FROM stock")
        ((journal, sync),) = await ledger._writer.execute_fetchall(
            "SELECT j.journal_mode, s.synchronous FROM pragma_journal_mode AS j, pragma_synchronous AS s"
        )
        assert (journal, sync) == ("wal", 2)


async def test_readers_see_whole_commits_while_others_write(path: Path) -> None:
    async with life(path) as ledger:
        looks = 0

        async def look() -> None:
            nonlocal looks
            while True:
                stock = await ledger.stock()
                levels = {row.zone: row.quantity for row in stock.rows}
                assert levels.get("floor", 0) == levels.get("back", 0)
                assert stock.seq == 2 * levels.get("floor", 0)
                deltas = await ledger.deltas(max(1, stock.seq - 20), 50)
                seqs = [delta.seq for delta in deltas]
                assert seqs == list(range(max(1, stock.seq - 20), max(1, stock.seq - 20) + len(seqs)))
                looks += 1

        async with beside(look()):
            for level in range(1, 60):
                numbered = await ledger.commit(Commit(NOW_US, [arrival(level), arrival(level, "back")]))
                assert [ledger.recent(one.seq) for one in numbered] == [one.payload for one in numbered]
        assert looks > 5


async def test_recent_deltas_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECENT_DELTAS", 10)
    async with life(path) as ledger:
        await ledger.commit(Commit(NOW_US, [arrival(level) for level in range(1, 26)]))
        assert ledger.recent(15) is None
        assert [json.loads(ledger.recent(seq) or b"{}")["seq"] for seq in (16, 25)] == [16, 25]
        assert ledger.recent(26) is None
        assert [delta.seq for delta in await ledger.deltas(3, 4)] == [3, 4, 5, 6]
        assert await ledger.deltas(26, 5) == []


# -- trimming -------------------------------------------------------------------------------------------------


async def test_acknowledged_deltas_are_kept_for_their_days_and_unsent_ones_for_ever(path: Path) -> None:
    async with life(path) as ledger:
        for level in range(1, 11):
            await ledger.commit(
                Commit(NOW_US + level * DAY_US, [arrival(level)], [record(level)], acknowledged=level - 1)
            )
        assert ledger.position.acknowledged == 9
        done = await ledger.trim(NOW_US + 12 * DAY_US, retain_days=7.0)
        assert (done.acknowledged, done.unsent, ledger.position.trimmed) == (4, 0, 4)
        assert [delta.seq for delta in await ledger.deltas(0, 100)] == [5, 6, 7, 8, 9, 10]
        done = await ledger.trim(NOW_US + 99 * DAY_US, retain_days=7.0)
        assert (done.acknowledged, done.unsent, ledger.position.trimmed) == (5, 0, 9)
        assert ledger.recent(9) is None
        assert ledger.recent(10) is not None
        assert 0.0 < done.used_share < 0.01
    assert check(path) == (10, {"floor": 10})
    async with life(path) as ledger:
        assert ledger.found.trimmed == 9


async def test_a_large_ledger_drops_what_was_delivered_first_then_the_oldest_and_never_stock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRIM_DELTAS_PER_COMMIT", 100)
    async with life(path, max_bytes=612_000) as ledger:
        await _fill(ledger, 2_000)
        await ledger.commit(Commit(acknowledged=150))
        share = await ledger._used_share()
        done = await ledger.trim(NOW_US, retain_days=7.0)
        assert share >= module.TRIM_AT_SHARE > done.used_share
        assert done.acknowledged == 150
        assert done.unsent > 0
        assert ledger.position.trimmed == done.acknowledged + done.unsent
        assert (await ledger.deltas(0, 1))[0].seq == ledger.position.trimmed + 1
        assert len(await ledger.items()) == 50
        assert await ledger.trim(NOW_US, retain_days=7.0) == replace(done, acknowledged=0, unsent=0)
    seq, stock = check(path)
    assert (seq, stock) == (2_000, {"floor": 50})


async def _fill(ledger: Ledger, deltas: int) -> None:
    """Fifty items that come and a level that is told again and again."""
    items = [record(serial) for serial in range(50)]
    await ledger.commit(Commit(NOW_US, [arrival(50, change=50)], items))
    steps = [arrival(50, change=0)] * 100
    while ledger.position.seq < deltas:
        await ledger.commit(Commit(NOW_US, steps[: deltas - ledger.position.seq]))


async def test_a_full_ledger_refuses_and_goes_on_after_a_trim(path: Path) -> None:
    async with life(path, max_bytes=400_000) as ledger:
        with pytest.raises(sqlite3.OperationalError, match="full"):
            await _fill(ledger, 1_000_000)
        position = ledger.position
        with pytest.raises(sqlite3.OperationalError, match="full"):
            await ledger.commit(Commit(NOW_US, [arrival(50, change=0)] * 100))
        assert ledger.position == position
        done = await ledger.trim(NOW_US, retain_days=7.0)
        assert done.unsent > 0
        (delta, *_) = await ledger.commit(Commit(NOW_US, [arrival(50, change=0)] * 100))
        assert delta.seq == position.seq + 1
    seq, stock = check(path)
    assert (seq, stock) == (position.seq + 100, {"floor": 50})


# -- killed ---------------------------------------------------------------------------------------------------


async def load(ledger: Ledger) -> None:
    """Commit for ever, several at a time, and tell on stdout what is safe."""
    level = ledger.position.seq
    while True:
        wave = []
        for _ in range(7):
            level += 1
            wave.append(ledger.submit(commit(level)))
        for done in wave:
            numbered: list[Numbered] = await done
            sys.stdout.write(f"{numbered[-1].seq}\n")
        sys.stdout.flush()


async def test_what_was_acknowledged_survives_being_killed(path: Path) -> None:
    random = Random(42)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    seq = 0
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORKS, str(path), stdin=-1, stdout=-1, env=environ
    )
    assert child.stdin is not None
    assert child.stdout is not None
    for _ in range(KILLS):
        child.stdin.write(f"{random.uniform(0.0, 0.12)}\n".encode())
        await child.stdin.drain()
        promised = int(await child.stdout.readline())
        seq, stock = check(path)
        assert seq >= promised
        assert stock == ({"floor": seq} if seq else {})
    child.stdin.close()
    await child.wait()
    assert seq > KILLS
    async with life(path) as ledger:
        assert ledger.found.boot >= NOW_US // 1_000_000 + KILLS // 2
        assert (await ledger.stock()).rows == (StockRow(GTIN, "floor", "sellable_accessible", seq, seq),)


FORKS = f"""
import asyncio, os, signal, sys, time
from pathlib import Path
from tests.gateway.test_ledger import life, load
async def main(path):
    async with life(path) as ledger:
        await load(ledger)
for line in sys.stdin:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(write_end, 1)
        asyncio.run(main(Path(sys.argv[1])))
    os.close(write_end)
    told = os.fdopen(read_end)
    safe = told.readline()
    time.sleep(float(line))
    os.kill(pid, {int(signal.SIGKILL)})
    os.waitpid(pid, 0)
    whole = (safe + told.read()).rpartition("\\n")[0]
    told.close()
    print(whole.rpartition("\\n")[2] or 0, flush=True)
"""


async def test_two_gateways_cannot_share_a_ledger(path: Path) -> None:
    async with life(path) as first:
        with pytest.raises(LedgerError, match="another gateway is running") as caught:
            async with life(path):
                pytest.fail("both would number their deltas alike")
        assert "stop it first" in caught.value.hint
        assert [delta.seq for delta in await first.commit(commit(1))] == [1]
    async with life(path) as second:
        assert second.position.seq == 1


def bin_record(channel: int, *pieces: int) -> BinRecord:
    products = tuple(
        ProductRecord(f"{9506000134352 + n:014}", count, 181.5, 3.0, 182.0) for n, count in enumerate(pieces)
    )
    stories = (Story(pieces, 0.0, 0.0), Story(tuple(count + 1 for count in pieces), -3.0, -1.25))
    return BinRecord("gondola-7", channel, "shelf", 1.5, 0.0, 364.25, -3.0, products, stories=stories, fills=2)


async def test_what_lies_on_shelves_is_written_anew_as_a_whole(path: Path) -> None:
    async with life(path) as ledger:
        await ledger.commit(Commit(bins=[bin_record(1, 4, 5), bin_record(2, 1)]))
        await ledger.commit(Commit(1, [arrival(1)], bins=[bin_record(1, 3)]))
    async with life(path) as ledger:
        assert sorted(await ledger.bins(), key=lambda each: each.channel) == [bin_record(1, 3), bin_record(2, 1)]
        await ledger.commit(Commit(bins=[bin_record(3, 7)], dropped_bins=[("gondola-7", 2), ("gondola-7", 1)]))
        assert await ledger.bins() == [bin_record(3, 7)]


async def test_a_ledger_of_the_first_version_gets_its_shelves(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = module.migrations.steps()
    monkeypatch.setattr(module.migrations, "steps", lambda: newest[:1])
    async with life(path) as ledger:
        await ledger.commit(Commit(NOW_US, [arrival(1)]))
    monkeypatch.setattr(module.migrations, "steps", lambda: newest)
    async with life(path) as ledger:
        assert await ledger.bins() == []
        await ledger.commit(Commit(bins=[bin_record(1, 4)]))
        assert await ledger.bins() == [bin_record(1, 4)]
        assert [row.quantity for row in (await ledger.stock()).rows] == [1]


# -- what silence has come to mean -------------------------------------------------------------------------------------


def pool_record(zone: str, pace_s: float = 2.0, silences: float = 7.5) -> PoolRecord:
    tail = (TailRecord(0.0, silences, 600.25), TailRecord(15.0, silences / 2, 210.0))
    return PoolRecord(zone, pace_s, 86_400.5, 1.25, 3e-7, tail)


async def test_pools_are_kept_and_written_anew_as_a_whole(path: Path) -> None:
    other, empty = pool_record("floor", 8.0), replace(pool_record("back"), tail=())
    carried = replace(pool_record("floor", silences=3.0), carried=True)
    async with life(path) as ledger:
        await ledger.commit(Commit(pools=[carried, pool_record("floor"), other, empty]))
        shorter = replace(pool_record("floor", silences=9.0), tail=pool_record("floor", silences=9.0).tail[:1])
        await ledger.commit(Commit(pools=[shorter]))
    async with life(path) as ledger:
        assert await ledger.pools() == [empty, shorter, other, carried]


async def test_what_the_shop_has_taught_is_one_row(path: Path) -> None:
    shop = ShopRecord(1.75, 90.5, 0.2, (3.0, 0.0), (0.5, 7.25))
    async with life(path) as ledger:
        assert await ledger.shop() is None
        await asyncio.gather(*map(ledger.submit, [Commit(shop=replace(shop, age_s=1.0)), Commit(shop=shop), Commit()]))
    async with life(path) as ledger:
        assert await ledger.shop() == shop
        await ledger.commit(Commit(shop=replace(shop, hope=0.1)))
        assert await ledger.shop() == replace(shop, hope=0.1)


async def test_what_speaks_for_the_place_of_an_item_is_kept(path: Path) -> None:
    own = HeardRecord("floor", 1.5, 2.5, 0.125, 0.25, 0.5, -61.5, 0, 0.0, 0.0, 0.0)
    near = HeardRecord("till", 0.0, None, 1.23456789e-7, 0.0, 0.0, -70.123456789, 3, 1.5, -4.0, 2.25)
    lying = replace(record(1), place=PlaceRecord("floor", NOW_US, None, 0.0, (own, near), told=True))
    following = replace(record(2), place=PlaceRecord("back", NOW_US + 1, "floor", 0.375, ()))
    left = replace(record(3, None), exited="till", place=PlaceRecord(None, NOW_US, None, 0.0, ()))
    async with life(path) as ledger:
        await ledger.commit(Commit(items=[lying, following, left, record(4)]))
    rounded = replace(near, fast=1.23457e-7, level_dbm=-70.1235)
    kept = replace(lying, place=PlaceRecord("floor", NOW_US, None, 0.0, (own, rounded), told=True))
    async with life(path) as ledger:
        assert await ledger.items() == [kept, following, left, record(4)]
        await ledger.commit(Commit(items=[replace(lying, silence_s=7.0, place=None)], forgotten=[left.key]))
        assert await ledger.items() == [replace(kept, silence_s=7.0), following, record(4)]
        group = [Commit(items=[replace(following, place=following.place)]), Commit(items=[record(2)])]
        await asyncio.gather(*map(ledger.submit, group))
        assert (await ledger.items())[1] == following
    assert ledger_file.read_item(path, GTIN, "2") == record(2)
    with as_technician(path) as connection:
        assert connection.execute("SELECT count(*) FROM places").fetchone() == (2,)


def zone_record(zone: str, moved: float = 2.5) -> ZoneRecord:
    return ZoneRecord(zone, (1.5, -0.25), (3.0, 2.0), moved, 86_400.5)


async def test_in_one_group_the_last_word_on_what_a_zone_has_taught_holds(path: Path) -> None:
    async with life(path) as ledger:
        await ledger.commit(Commit(zones=[zone_record("floor"), zone_record("back"), zone_record("till")]))
        group = [
            Commit(zones=[zone_record("floor", 1.0), zone_record("back", 1.0), zone_record("new")]),
            Commit(dropped_zones=["floor", "back"]),
            Commit(zones=[zone_record("back", 9.0), zone_record("new", 3.0)]),
        ]
        await asyncio.gather(*map(ledger.submit, group))
    async with life(path) as ledger:
        assert await ledger.zones() == [zone_record("back", 9.0), zone_record("new", 3.0), zone_record("till")]


async def test_a_ledger_of_the_sixth_version_keeps_its_items(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = module.migrations.steps()
    monkeypatch.setattr(module.migrations, "steps", lambda: newest[:6])
    async with life(path) as ledger:
        await ledger._writer.execute(
            "INSERT INTO items VALUES (?, 96, ?, '1', 'present', 'floor', ?, ?, 0.25, 40.0, 1.5, 90.0, 1, 0)",
            ((1).to_bytes(12), GTIN, NOW_US, NOW_US + 1),
        )
    old = replace(record(1), carried=True)
    assert ledger_file.read_item(path, GTIN, "1") == old
    monkeypatch.setattr(module.migrations, "steps", lambda: newest)
    async with life(path) as ledger:
        assert await ledger.items() == [old]
        assert await ledger.zones() == []
        place = PlaceRecord("floor", NOW_US, None, 0.0, ())
        await ledger.commit(Commit(items=[replace(old, place=place)], zones=[zone_record("floor")]))
        assert await ledger.items() == [replace(old, place=place)]
        assert await ledger.zones() == [zone_record("floor")]


async def test_a_ledger_of_the_fourth_version_keeps_what_its_pools_have_learnt(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = module.migrations.steps()
    monkeypatch.setattr(module.migrations, "steps", lambda: newest[:4])
    async with life(path) as ledger:
        await ledger._writer.execute("INSERT INTO pools VALUES ('floor', 2.0, 86400.5, 1.25, 3e-7)")
        for row in ((0.0, 7.5, 600.25), (15.0, 3.75, 210.0)):
            await ledger._writer.execute("INSERT INTO pool_tails VALUES ('floor', 2.0, ?, ?, ?)", row)
    monkeypatch.setattr(module.migrations, "steps", lambda: newest)
    async with life(path) as ledger:
        assert await ledger.pools() == [pool_record("floor")]


async def test_in_one_group_the_last_word_on_a_zone_holds(path: Path) -> None:
    async with life(path) as ledger:
        learnt = ["floor", "back"]
        await ledger.commit(Commit(pools=[pool_record("floor"), pool_record("back")], learnt_zones=learnt))
        again = pool_record("back", 32.0)
        group = [
            Commit(pools=[pool_record("floor", 8.0), pool_record("back", 8.0)]),
            Commit(pools=[pool_record("new")], learnt_zones=["new", "floor"]),
            Commit(dropped_zones=["floor", "back"]),
            Commit(pools=[again], learnt_zones=["back"]),
        ]
        before = ledger.commits
        await asyncio.gather(*map(ledger.submit, group))
        assert ledger.commits == before + 1
        assert await ledger.pools() == [again, pool_record("new")]
        assert await ledger.learnt_zones() == {"back", "new"}
    with as_technician(path) as connection:
        assert connection.execute("SELECT count(*) FROM pool_tails").fetchone() == (4,)


async def test_a_ledger_of_the_second_version_keeps_its_items(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = module.migrations.steps()
    monkeypatch.setattr(module.migrations, "steps", lambda: newest[:2])
    async with life(path) as ledger:
        await ledger.commit(Commit(NOW_US, [arrival(1)]))
        await ledger._writer.execute(
            "INSERT INTO items VALUES (?, 96, ?, '1', 'present', 'floor', ?, ?, 0.25, 40.0, 1.5)",
            ((1).to_bytes(12), GTIN, NOW_US, NOW_US + 1),
        )
    assert ledger_file.read_item(path, GTIN, "1") == replace(record(1), longest_s=0.0)
    monkeypatch.setattr(module.migrations, "steps", lambda: newest)
    async with life(path) as ledger:
        assert await ledger.items() == [replace(record(1), longest_s=0.0)]
        assert await ledger.pools() == []
        await ledger.commit(Commit(items=[record(1)], pools=[pool_record("floor")]))
        assert await ledger.items() == [record(1)]
        assert await ledger.pools() == [pool_record("floor")]
    assert check(path) == (1, {"floor": 1})
