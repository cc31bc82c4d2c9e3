import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import ledger as module
from gateway import ledger_file
from gateway.domain.records import PlaceRecord
from gateway.ledger import LedgerError
from gateway.ledger_group import Commit
from tests.gateway.ledgers import GTIN, NOW_US, arrival, bin_record, check, life, pool_record, record, zone_record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


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
