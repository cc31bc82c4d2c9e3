"""One contract, two stores; and what only a file can do."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consumer import store as store_module
from gateway.consumer.stock import Patch, Position, Stock, StockMismatchError
from gateway.consumer.store import ForeignStoreError, MemoryStore, SqliteStore, Store
from gateway.payloads import Change, Delta, Row, rows_hash

A, B = "09506000134352", "09506000134369"
ROOT = "tallygate/v1/store/gw/"


def row(gtin: str, quantity: int, zone: str = "floor") -> Row:
    return Row(gtin=gtin, zone=zone, disposition="sellable_accessible", quantity=quantity, confirmed=0)


def delta(seq: int, *changes: tuple[str, int, int], zone: str = "floor", stale: bool = False) -> Delta:
    """Changes are (gtin, change, quantity after it)."""
    made = [
        Change(
            gtin=gtin,
            zone=zone,
            disposition="sellable_accessible",
            quantity=after,
            confirmed=0,
            change=change,
            stale=True if stale else None,
        )
        for gtin, change, after in changes
    ]
    return Delta(epoch="e", seq=seq, at="", changes=tuple(made), causes={})


def at(seq: int) -> Position:
    return Position("e", seq, ("before",), (3, 4))


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "stock.db", ROOT)
    yield made
    await made.close()


async def test_an_empty_store_knows_nothing(store: Store) -> None:
    assert store.position is None
    assert list(store.rows()) == []
    assert (store.quantity(A, "floor"), store.available(A, "floor")) == (0, 0)
    assert store.hash() == rows_hash([])


async def test_deltas_change_levels_and_the_position(store: Store) -> None:
    await store.replace([row(A, 5), row(B, 1, "back")], at(10))
    await store.apply([delta(11, (A, -2, 3)), delta(12, (A, 1, 4), (B, 2, 2))], at(12))
    assert list(store.rows()) == [row(A, 4), row(B, 1, "back"), row(B, 2)]
    assert store.position == at(12)
    assert store.hash() == rows_hash([row(B, 2), row(A, 4), row(B, 1, "back")])


async def test_a_level_of_zero_is_no_row(store: Store) -> None:
    await store.replace([row(A, 5)], at(10))
    await store.apply([delta(11, (A, -5, 0))], at(11))
    assert list(store.rows()) == []
    assert store.hash() == rows_hash([])


async def test_a_delta_that_does_not_fit_changes_nothing(store: Store) -> None:
    await store.replace([row(A, 5)], at(10))
    with pytest.raises(StockMismatchError, match="delta 12"):
        await store.apply([delta(11, (A, 1, 6)), delta(12, (B, 1, 1), (A, 1, 8))], at(12))
    assert list(store.rows()) == [row(A, 5)]
    assert store.position == at(10)
    await store.apply([delta(11, (A, 1, 6))], at(11))
    assert store.quantity(A, "floor") == 6


async def test_a_snapshot_takes_the_place_of_everything(store: Store) -> None:
    await store.replace([row(A, 5)], at(10))
    await store.replace([row(B, 2)], Position("e2", 3))
    assert list(store.rows()) == [row(B, 2)]
    assert store.position == Position("e2", 3)
    await store.remember(Position("e2", 3, ("e",), (9, 9)))
    assert store.position == Position("e2", 3, ("e",), (9, 9))
    assert list(store.rows()) == [row(B, 2)]


@pytest.mark.parametrize("state", ["stale", "learning"])
async def test_what_may_be_promised_in_a_zone_that_is_not_trusted(store: Store, state: str) -> None:
    await store.replace([row(A, 5), row(A, 5, "back")], at(10))
    await store.set_zone("floor", "ok")
    await store.set_zone("floor", state)
    assert store.available(A, "floor") == 5
    await store.apply([delta(11, (A, 3, 8), (B, 2, 2))], at(11))
    assert [store.available(A, "floor"), store.available(B, "floor")] == [5, 0], "increases do not count"
    await store.apply([delta(12, (A, -6, 2))], at(12))
    assert store.available(A, "floor") == 2, "decreases do"
    await store.apply([delta(13, (A, 4, 6))], at(13))
    assert store.available(A, "floor") == 2, "never up again before the zone is well"
    assert store.quantity(A, "floor") == 6
    await store.apply([delta(14, (A, 2, 7), zone="back")], at(14))
    assert store.available(A, "back") == 7, "another zone is not concerned"
    await store.replace([row(A, 9), row(B, 1)], at(20))
    assert [store.available(A, "floor"), store.available(B, "floor")] == [2, 0], "nor by a snapshot"
    await store.set_zone("floor", "degraded")
    assert [store.available(A, "floor"), store.available(B, "floor")] == [9, 1]


async def test_a_change_marked_stale_does_not_wait_for_the_zones_health(store: Store) -> None:
    await store.replace([row(A, 5)], at(10))
    await store.apply([delta(11, (A, 2, 7), stale=True)], at(11))
    assert store.available(A, "floor") == 5
    await store.apply([delta(12, (A, 1, 8))], at(12))
    assert store.available(A, "floor") == 8, "a change that is not marked was made in a zone that is well again"


@pytest.mark.parametrize("health_first", [True, False])
@pytest.mark.parametrize(("state", "promised"), [("ok", 5), ("degraded", 5), ("stale", 5), ("learning", 0)])
async def test_a_cold_start_promises_the_same_in_whatever_order_it_learns(
    store: Store, state: str, promised: int, *, health_first: bool
) -> None:
    if health_first:
        await store.set_zone("floor", state)
    await store.replace([row(A, 5)], at(10))
    if not health_first:
        await store.set_zone("floor", state)
    assert store.available(A, "floor") == promised


@given(st.lists(st.tuples(st.sampled_from("asl"), st.sampled_from([A, B]), st.integers(0, 6)), max_size=40))
def test_availability_is_never_above_the_level_nor_rises_in_a_stale_zone(
    steps: Sequence[tuple[str, str, int]],
) -> None:
    stock, untrusted, seq = Stock(), False, 0
    for kind, gtin, number in steps:
        before = {each: stock.available(each, "floor") for each in (A, B)}
        if kind == "a":
            seq += 1
            change = (gtin, number - stock.quantity(gtin, "floor"), number)
            stock.commit(stock.plan_apply([delta(seq, change)], at(seq)))
        else:
            untrusted_before, untrusted = untrusted, kind == "s"
            stock.commit(stock.plan_zone("floor", "stale" if untrusted else "ok"))
            if untrusted and not untrusted_before:
                assert before == {each: stock.quantity(each, "floor") for each in (A, B)}
        for each in (A, B):
            assert stock.available(each, "floor") <= stock.quantity(each, "floor")
            if untrusted:
                assert stock.available(each, "floor") <= before[each]
            else:
                assert stock.available(each, "floor") == stock.quantity(each, "floor")


async def test_a_file_remembers_everything(tmp_path: Path) -> None:
    path = tmp_path / "stock.db"
    async with await SqliteStore.open(path, ROOT) as first:
        await first.replace([row(A, 5), row(B, 2, "back")], at(10))
        await first.set_zone("floor", "stale")
        await first.apply([delta(11, (A, 3, 8))], at(11))
    async with await SqliteStore.open(path, ROOT) as second:
        assert second.position == at(11)
        assert list(second.rows()) == [row(A, 8), row(B, 2, "back")]
        assert second.available(A, "floor") == 5
        await second.apply([delta(12, (A, 1, 9))], at(12))
        assert second.available(A, "floor") == 5, "the zone is known to be stale from before"


async def test_stock_and_position_are_in_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stock.db"
    async with await SqliteStore.open(path, ROOT) as store:
        await store.replace([row(A, 5)], at(10))

        async def fail_after_the_cells(database: object, patch: Patch) -> None:
            await write_cells(database, patch)  # type: ignore[arg-type]
            raise sqlite3.OperationalError("disk I/O error")

        write_cells = store_module._write_cells
        monkeypatch.setattr(store_module, "_write_cells", fail_after_the_cells)
        with pytest.raises(sqlite3.OperationalError):
            await store.apply([delta(11, (A, 1, 6))], at(11))
        assert (store.position, store.quantity(A, "floor")) == (at(10), 5)
        monkeypatch.setattr(store_module, "_write_cells", write_cells)
        await store.apply([delta(11, (A, 2, 7))], at(11))
    async with await SqliteStore.open(path, ROOT) as again:
        assert (again.position, again.quantity(A, "floor")) == (at(11), 7)


async def test_a_cancelled_write_leaves_memory_and_file_equal(tmp_path: Path) -> None:
    path = tmp_path / "stock.db"
    async with await SqliteStore.open(path, ROOT) as store:
        await store.replace([row(A, 0)], at(0))
        for turns in range(12):
            place = store.position
            assert place is not None
            seq, level = place.seq + 1, store.quantity(A, "floor") + 1
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(store.apply([delta(seq, (A, 1, level))], at(seq)))
                for _ in range(turns):
                    await asyncio.sleep(0)
                writing.cancel()
            with sqlite3.connect(path) as other:
                ((on_disk,),) = other.execute("SELECT seq FROM position").fetchall()
            other.close()
            assert store.position is not None
            assert store.position.seq == on_disk
            assert store.quantity(A, "floor") == on_disk


async def test_a_power_cut_loses_nothing_that_was_applied(tmp_path: Path) -> None:
    """FULL and WAL are what that rests upon; a test can only see that they are on."""
    async with await SqliteStore.open(tmp_path / "stock.db", ROOT) as store:
        assert store._database is not None
        assert await store._database.execute_fetchall("PRAGMA journal_mode") == [("wal",)]
        assert await store._database.execute_fetchall("PRAGMA synchronous") == [(2,)]


async def test_files_that_are_not_ours_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "stock.db"
    async with await SqliteStore.open(path, ROOT):
        pass
    with pytest.raises(ForeignStoreError, match="not of other/") as caught:
        await SqliteStore.open(path, "other/")
    assert "file of its own" in caught.value.hint
    path.write_bytes(b"This is a shopping list, not a database." * 100)
    with pytest.raises(ForeignStoreError):
        await SqliteStore.open(path, ROOT)
    assert path.read_bytes().startswith(b"This is")
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE songs (title TEXT)")
    database.close()
    with pytest.raises(ForeignStoreError, match="version 0"):
        await SqliteStore.open(foreign, ROOT)


async def test_a_closed_store_takes_nothing(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "stock.db", ROOT)
    await store.close()
    await store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await store.set_zone("floor", "ok")
