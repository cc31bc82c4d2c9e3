import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from gateway import ledger as module
from gateway.domain.stock import StockRow
from gateway.ledger import Ledger, LedgerError, open_ledger
from gateway.ledger_group import Commit, Numbered
from gateway.tasks import beside
from tests.gateway.ledgers import GTIN, NOW_US, ROOMY_BYTES, arrival, check, commit, dump, life, record

DAY_US = 86_400_000_000
KILLS = 24


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


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
