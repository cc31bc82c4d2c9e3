import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import ledger_file
from gateway.domain.records import HeardRecord, PlaceRecord, ShopRecord
from gateway.ledger_group import Commit
from tests.gateway.ledgers import (
    GTIN,
    NOW_US,
    arrival,
    as_technician,
    bin_record,
    life,
    pool_record,
    record,
    zone_record,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


async def test_what_lies_on_shelves_is_written_anew_as_a_whole(path: Path) -> None:
    async with life(path) as ledger:
        await ledger.commit(Commit(bins=[bin_record(1, 4, 5), bin_record(2, 1)]))
        await ledger.commit(Commit(1, [arrival(1)], bins=[bin_record(1, 3)]))
    async with life(path) as ledger:
        assert sorted(await ledger.bins(), key=lambda each: each.channel) == [bin_record(1, 3), bin_record(2, 1)]
        await ledger.commit(Commit(bins=[bin_record(3, 7)], dropped_bins=[("gondola-7", 2), ("gondola-7", 1)]))
        assert await ledger.bins() == [bin_record(3, 7)]


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
