import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import checkpoint
from gateway import line as module
from gateway.alerts import AlertBoard, AlertKind
from gateway.checkpoint import CHECKPOINT_SILENCE_S, CHECKPOINT_US, PLACE_MINUTES, PLACE_US
from gateway.domain.inventory import TICK_US
from gateway.domain.params import Bin, Precedence, ShelfParams
from gateway.domain.presence import Presence
from gateway.domain.shelves import Shelves
from gateway.domain.silence import Silences, pool_of
from gateway.domain.zones import US_PER_S, ZoneState
from gateway.intake import Intake
from gateway.ledger import Ledger, open_ledger
from gateway.ledger_group import Commit, Numbered
from gateway.line import SEARCH_US, Line
from gateway.tasks import beside
from readers.model import ReadBatch, WeightCondition, WeightSample
from tests.gateway.scales import READER as SCALES
from tests.gateway.scales import weighed
from tests.gateway.shop import GTINS, RACK, READER, Shop, tag

MISSED = replace(RACK, missing_floor_s=20.0, missing_chance=0.5, missing_alert_s=3600.0)


class Bench:
    """A line over a real ledger; its clock is turned by hand, its ticks are called."""

    def __init__(self, ledger: Ledger, shop: Shop) -> None:
        self.shop = shop
        self.clock = shop.clock
        self.ledger = ledger
        self.intake = Intake()
        self.deltas: list[Numbered] = []
        self.zones: list[tuple[str, ZoneState]] = []
        self.said: list[tuple[str, str, str]] = []
        self.alerts = AlertBoard(
            self.clock.utc_us, lambda alert: self.said.append((alert.kind, alert.subject, alert.status))
        )
        self.shelves = Shelves()
        self.blinded: list[str] = []
        self.line = Line(
            shop.inventory,
            shop.stock,
            ledger,
            self.intake,
            self.clock,
            self.alerts,
            on_deltas=self.deltas.extend,
            on_zone=lambda zone: self.zones.append((zone.id, zone.state)),
            shelves=self.shelves,
            on_blind=self.blinded.append,
        )

    def hear(self, port: int, *epcs: bytes) -> None:
        now_us = self.clock.now_us
        self.intake.put(ReadBatch(READER, now_us, 0, [(epc, port, -55, now_us, now_us, 1) for epc in epcs]))

    async def read_for(self, seconds: float, port: int, *epcs: bytes) -> None:
        for _ in range(round(seconds / 0.5)):
            self.clock.turn(0.5)
            self.hear(port, *epcs)
            await self.line.drain()
            await self.line.tick()

    async def weigh(self, seconds: float, **channels: float) -> None:
        """The scales show these weights (c1=..., c2=...), ten times a second."""
        for number in range(round(seconds * 10)):
            self.clock.turn(0.1)
            for name, grams in channels.items():
                sample = WeightSample(SCALES, int(name[1:]), self.clock.now_us, WeightCondition.STABLE, grams)
                self.intake.put_sample(sample)
            if number % 3 == 2:
                await self.line.drain()
                await self.line.tick()

    async def wait(self, seconds: float, step_s: float = 5.0) -> None:
        for _ in range(round(seconds / step_s)):
            self.clock.turn(step_s)
            await self.line.tick()

    async def agrees(self) -> dict[tuple[str, str], int]:
        """The deltas, the stock on disk and the stock in memory are the same; gives it."""
        levels: dict[tuple[str, str], int] = {}
        deltas = await self.ledger.deltas(0, 10_000)
        assert [delta.seq for delta in deltas] == list(range(1, len(deltas) + 1))
        for delta in deltas:
            for row in json.loads(delta.payload)["changes"]:
                key = row["gtin"], row["zone"]
                assert levels.get(key, 0) + row["change"] == row["quantity"]
                levels[key] = row["quantity"]
        levels = {key: level for key, level in levels.items() if level}
        assert {(row.gtin, row.zone): row.quantity for row in (await self.ledger.stock()).rows} == levels
        assert {(row.gtin, row.zone): row.quantity for row in self.shop.stock} == levels
        return levels


@asynccontextmanager
async def bench(path: Path, shop: Shop | None = None) -> AsyncIterator[Bench]:
    shop = shop or Shop()
    opened = open_ledger(path / "ledger.db", "s", "g", max_bytes=100_000_000, utc_us=shop.clock.utc_us())
    async with opened as ledger, beside(ledger.run()):
        yield Bench(ledger, shop)


async def until(true: Callable[[], bool]) -> None:
    """Give the loop turns until it is so."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.001)


async def test_reads_become_deltas_on_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        await test.read_for(2, 1, tag(1), tag(2), tag(3, 1))
        assert await test.agrees() == {(GTINS[0], "a"): 2, (GTINS[1], "a"): 1}
        (delta,) = test.deltas
        assert json.loads(delta.payload)["causes"] == {"arrived": 3}
        assert test.line.transitions == {"arrived": 3}
        items = await test.ledger.items()
        assert {(item.serial, item.presence, item.zone) for item in items} == {
            (serial, Presence.PRESENT, "a") for serial in "123"
        }
        assert test.line.ticked_us == test.clock.now_us


async def test_a_whole_life_by_itself(tmp_path: Path) -> None:
    """`run` drains and ticks on its own, and what taking up the ledger has changed goes to disk first."""
    async with bench(tmp_path) as test:
        first = test.shop.read_for(2, [(2, tag(9), -55)], every_s=0.5)
        async with beside(test.line.run(first)):
            await until(lambda: len(test.deltas) == 1)
            for _ in range(3):
                test.clock.turn(0.5)
                test.hear(1, tag(1))
                await until(lambda: test.intake.waiting_reads == 0 and test.line.ticked_us == test.clock.now_us)
            await until(lambda: len(test.deltas) == 2)
        assert await test.agrees() == {(GTINS[0], "b"): 1, (GTINS[0], "a"): 1}


async def test_a_restart_goes_on_where_the_disk_stands(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        await test.read_for(2, 1, tag(1), tag(2))
        utc_us = test.clock.utc_us()
    after = Shop()
    async with bench(tmp_path, after) as test:
        first = after.inventory.restore(await test.ledger.items(), after.clock.now_us, utc_us)
        after.stock.restore((await test.ledger.stock()).rows, after.inventory)
        assert first == []
        await test.read_for(2, 1, tag(1), tag(2), tag(3))
        assert await test.agrees() == {(GTINS[0], "a"): 3}


async def test_a_disk_that_refuses_is_asked_again_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DISK_RETRY_S", 0.01)
    async with bench(tmp_path) as test:
        real, broken = test.ledger._write, True
        refusals = 0

        async def write(group: list[object]) -> object:
            nonlocal refusals
            if broken:
                refusals += 1
                raise sqlite3.OperationalError("disk I/O error")
            return await real(group)  # type: ignore[arg-type]

        monkeypatch.setattr(test.ledger, "_write", write)
        async with beside(test.line.run([])):
            for _ in range(3):
                test.clock.turn(0.5)
                test.hear(1, tag(1))
                await asyncio.sleep(module.DRAIN_S * 2)
            await until(lambda: refusals > 3)
            assert test.said == [("ledger_near_limit", "ledger", "raised")]
            assert test.deltas == []
            test.clock.turn(3600)
            broken = False
            await until(lambda: len(test.deltas) == 1)
            ticked_us = test.line.ticked_us
            test.clock.turn(TICK_US / US_PER_S)
            await until(lambda: test.line.ticked_us > ticked_us)
        assert test.said[-1] == ("ledger_near_limit", "ledger", "cleared")
        assert await test.agrees() == {(GTINS[0], "a"): 1}


@pytest.mark.parametrize("turns", range(8))
async def test_being_stopped_within_a_commit_keeps_the_books_straight(tmp_path: Path, turns: int) -> None:
    """However far the commit has come: what is owed goes to disk before what comes later."""
    async with bench(tmp_path) as test:
        async with beside(test.line.run([])):
            for _ in range(3):
                test.clock.turn(0.5)
                test.hear(1, tag(1))
                ticked_us = test.line.ticked_us
                await until(lambda before=ticked_us: test.line.ticked_us > before or bool(test.line._owed))  # type: ignore[misc]
                if test.line._owed:
                    break
            for _ in range(turns):
                await asyncio.sleep(0.004)
        test.clock.turn(0.5)
        test.hear(1, tag(2))
        await test.read_for(2, 1, tag(2))
        assert await test.agrees() == {(GTINS[0], "a"): 2}
        assert len(await test.ledger.items()) == 2


async def test_being_stopped_while_the_disk_refuses_keeps_the_books_straight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as test:
        real = test.ledger._write

        async def refuse(_group: object) -> object:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(test.ledger, "_write", refuse)
        async with beside(test.line.run([])):
            for _ in range(3):
                test.clock.turn(0.5)
                test.hear(1, tag(1))
                await asyncio.sleep(module.DRAIN_S * 2)
            await until(lambda: bool(test.said))
        monkeypatch.setattr(test.ledger, "_write", real)
        await test.read_for(2, 1, tag(2))
        assert await test.agrees() == {(GTINS[0], "a"): 2}


async def test_learnt_rates_go_to_disk_every_minute_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_ITEMS_PER_TICK", 2)
    async with bench(tmp_path) as test:
        epcs = [tag(serial) for serial in range(5)]
        test.line._checkpoint.begin(test.clock.now_us)
        await test.read_for(2, 1, *epcs)
        before = {item.serial: item.read_chance for item in await test.ledger.items()}
        await test.read_for(CHECKPOINT_US / US_PER_S - 2.5, 1, *epcs)
        assert {item.serial: item.read_chance for item in await test.ledger.items()} == before
        for saved in (2, 4, 5, 5):
            await test.read_for(0.5, 1, *epcs)
            now = {item.serial: item.read_chance for item in await test.ledger.items()}
            assert sum(now[serial] > before[serial] for serial in now) == saved
        chances = {item.identity.serial: item.read_chance for item in test.shop.inventory}
        assert all(abs(chances[serial] - chance) < 0.02 for serial, chance in now.items())


async def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        test.line._checkpoint.begin(test.clock.now_us)
        await test.read_for(2 * CHECKPOINT_US / US_PER_S + 5, 1, tag(1))
        (settled,) = await test.ledger.items()
        await test.read_for(CHECKPOINT_US / US_PER_S + 5, 1, tag(1))
        assert (await test.ledger.items())[0] == settled
        await test.wait(CHECKPOINT_US / US_PER_S + 5)
        assert (await test.ledger.items())[0].silence_s > CHECKPOINT_SILENCE_S


async def test_a_clean_stop_writes_all_that_was_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_ITEMS_PER_TICK", 2)
    async with bench(tmp_path) as test:
        test.line._checkpoint.begin(test.clock.now_us)
        epcs = [tag(serial) for serial in range(5)]
        await test.read_for(CHECKPOINT_US / US_PER_S - 5, 1, *epcs)
        assert await test.ledger.zones() == []
        before = {item.serial: item.place for item in await test.ledger.items()}
        await test.line.save()
        now = {item.serial: item.place for item in await test.ledger.items()}
        for serial, place in now.items():
            first = before[serial]
            assert place is not None
            assert first is not None
            assert place.heard[0].often > first.heard[0].often
        assert len(now) == 5
        assert await test.ledger.pools()
        assert await test.ledger.shop() is not None
        assert [zone.zone for zone in await test.ledger.zones()] == ["a"]
        assert await test.agrees() == {(GTINS[0], "a"): 5}


async def test_what_speaks_for_a_place_is_written_every_ten_minutes(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        test.line._checkpoint.begin(test.clock.now_us)
        await test.read_for(5, 1, tag(1))
        (new,) = await test.ledger.items()
        await test.read_for(CHECKPOINT_US / US_PER_S, 1, tag(1))
        assert (await test.ledger.items())[0].place != new.place  # what is new here has much to learn
        await test.read_for(PLACE_US / US_PER_S, 1, tag(1))
        written = 0
        (before,) = await test.ledger.items()
        for _ in range(2 * PLACE_MINUTES):
            await test.read_for(CHECKPOINT_US / US_PER_S, 1, tag(1))
            (now,) = await test.ledger.items()
            written += now.place != before.place
            before = now
        assert written == 2
        await test.wait(2 * PLACE_US / US_PER_S)  # in silence nothing new is heard, though the silence is written
        (silent,) = await test.ledger.items()
        await test.wait(PLACE_US / US_PER_S)
        (later,) = await test.ledger.items()
        assert later.place == silent.place
        assert later.silence_s > silent.silence_s


async def test_what_a_zone_has_taught_is_written_where_it_has_changed(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        test.line._checkpoint.begin(test.clock.now_us)
        await test.read_for(CHECKPOINT_US / US_PER_S + 1, 1, tag(1))
        assert "a" in test.line.remembered
        test.shop.fails("a")  # its clock stands still: there is nothing to learn
        await test.wait(2 * CHECKPOINT_US / US_PER_S)
        (first,) = await test.ledger.zones()
        test.shop.zones["a"].looked_s *= 1.05
        await test.wait(2 * CHECKPOINT_US / US_PER_S)
        assert await test.ledger.zones() == [first]
        test.shop.works("a")
        await test.read_for(CHECKPOINT_US / US_PER_S + 1, 1, tag(1))
        (second,) = await test.ledger.zones()
        assert second.looked_s > 1.1 * first.looked_s


async def silences(test: Bench, port: int, epc: bytes) -> None:
    """It is silent for some minutes, again and again, and at last long enough to be saved."""
    for seconds in (60, 150, 250):
        await test.read_for(10, port, epc)
        await test.wait(seconds)
    await test.read_for(10, port, epc)
    await test.wait(CHECKPOINT_US / US_PER_S)


async def test_what_silence_has_come_to_mean_survives_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        await silences(test, 1, tag(1))
        utc_us, old = test.clock.utc_us(), test.shop.item(1)
        assert old.pool is not None
        assert old.longest_s > 200
    after = Shop()
    async with bench(tmp_path, after) as test:
        records, pools = await test.ledger.items(), await test.ledger.pools()
        fresh = Shop()
        fresh.inventory.restore(records, after.clock.now_us, utc_us)
        fresh_s = pool_of(fresh.zones["a"].silences, old.location.pace_s, carried=False).patience_s
        after.inventory.restore(records, after.clock.now_us, utc_us, pools)
        item = after.item(1)
        assert item.pool is not None
        assert item.longest_s == old.longest_s
        # Reckoned at once; less than a minute of learning may be lost.
        assert item.pool.patience_s != Silences(item.pool.pace_s).patience_s
        assert item.pool.patience_s == pytest.approx(old.pool.patience_s, rel=0.1)
        assert abs(item.pool.patience_s - fresh_s) > 0.3 * fresh_s
        assert item.departed_after_s(after.zones["a"]) >= 2 * old.longest_s


async def test_what_the_pools_have_learnt_is_written_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as test:
        commits: list[Commit] = []
        submit = test.ledger.submit

        def listen(commit: Commit) -> asyncio.Future[list[Numbered]]:
            commits.append(commit)
            return submit(commit)

        def written() -> list[object]:
            return [pool for commit in commits for pool in commit.pools]

        monkeypatch.setattr(test.ledger, "submit", listen)
        test.line._checkpoint.begin(test.clock.now_us)
        await test.read_for(10, 1, tag(1))
        assert written() == []
        await test.wait(CHECKPOINT_US / US_PER_S)
        assert written() == await test.ledger.pools()
        assert [pool.zone for pool in await test.ledger.pools()] == ["a"]
        test.shop.fails("a")  # its clock stands still: there is nothing to learn
        await test.wait(2 * CHECKPOINT_US / US_PER_S)
        known = len(written())
        await test.wait(3 * CHECKPOINT_US / US_PER_S)
        assert len(written()) == known
        test.shop.works("a")
        await test.read_for(CHECKPOINT_US / US_PER_S, 1, tag(1))
        assert len(written()) == known + 1
        assert await test.ledger.pools() == written()[-1:]


async def test_the_pools_of_a_zone_that_is_gone_are_dropped(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        await test.read_for(5, 1, tag(1))
        await silences(test, 2, tag(2))
        assert {pool.zone for pool in await test.ledger.pools()} == {"a", "b"}
        zones = [zone for zone in test.shop.zones.values() if zone.id != "b"]
        zone_of = {antenna: zone for antenna, zone in test.shop.zone_of.items() if zone.id != "b"}
        await test.line.configure(zones, zone_of)
        assert {pool.zone for pool in await test.ledger.pools()} == {"a"}
        await test.wait(2 * CHECKPOINT_US / US_PER_S)
        assert {pool.zone for pool in await test.ledger.pools()} == {"a"}
    after = Shop({"c": RACK})
    async with bench(tmp_path, after) as test:
        pools = await test.ledger.pools()
        test.line.remembered = {pool.zone for pool in pools}
        first = after.inventory.restore(await test.ledger.items(), after.clock.now_us, test.clock.utc_us(), pools)
        after.stock.restore((await test.ledger.stock()).rows, after.inventory, leaving=first)
        assert all(pool.record("c").blank for pool in after.zones["c"].silences)
        async with beside(test.line.run(first)):
            await until(lambda: not test.line.remembered)
        await test.line.tick()
        assert await test.ledger.pools() == []


async def test_an_item_that_is_missing_for_long_is_alerted_once(tmp_path: Path) -> None:
    shop = Shop({"a": MISSED, "b": replace(MISSED, missing_alert_s=600.0)})
    async with bench(tmp_path, shop) as test:
        await test.read_for(2, 1, tag(1))
        await test.read_for(2, 2, tag(2))
        await test.wait(590 + SEARCH_US / US_PER_S)
        assert test.said == []
        await test.wait(60)
        raised = [("item_missing_long", "b", "raised"), ("item_missing_long", "b", "cleared")]
        assert test.said == raised
        await test.wait(600)
        assert test.said == raised
        assert test.alerts.raised[AlertKind.ITEM_MISSING_LONG] == 1


async def test_zones_are_told_when_their_state_changes(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        await test.wait(5)
        assert test.zones == []
        test.shop.fails("a")
        await test.wait(10)
        test.shop.works("a")
        await test.wait(10)
        assert test.zones == [("a", ZoneState.STALE), ("a", ZoneState.OK)]


async def test_a_zone_that_has_learnt_is_remembered(tmp_path: Path) -> None:
    shop = Shop()
    shop.zones["a"].learning = True
    async with bench(tmp_path, shop) as test:
        await test.wait(25)
        assert await test.ledger.learnt_zones() == set()
        await test.wait(10)
        assert await test.ledger.learnt_zones() == {"a"}
        assert test.zones == [("a", ZoneState.OK)]


async def test_a_zone_that_is_gone_learns_anew_when_it_comes_back(tmp_path: Path) -> None:
    shop = Shop()
    shop.zones["a"].learning = shop.zones["b"].learning = True
    async with bench(tmp_path, shop) as test:
        await test.wait(35)
        assert await test.ledger.learnt_zones() == {"a", "b"}
        rest = {antenna: zone for antenna, zone in shop.zone_of.items() if zone.id == "a"}
        await test.line.configure([shop.zones["a"]], rest)
        assert await test.ledger.learnt_zones() == {"a"}


async def test_a_zone_that_is_removed_goes_to_zero_on_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        await test.read_for(2, 1, tag(1), tag(2))
        await test.read_for(2, 2, tag(3))
        rest = [test.shop.zones["b"]]
        await test.line.configure(rest, {(READER, 2): test.shop.zones["b"]})
        assert await test.agrees() == {(GTINS[0], "b"): 1}
        assert json.loads(test.deltas[-1].payload)["causes"] == {"config": 2}
        await test.wait(30)
        assert await test.agrees() == {(GTINS[0], "b"): 1}


async def test_a_flood_of_reads_does_not_keep_the_line_from_ticking(tmp_path: Path) -> None:
    async with bench(tmp_path) as test:
        take, ingested = test.intake.take, 0

        def endless() -> ReadBatch | None:
            nonlocal ingested
            ingested += 1
            test.clock.turn(0.002)
            test.hear(1, tag(1))
            return take()

        test.intake.take = endless  # type: ignore[method-assign]
        async with beside(test.line.run([])):
            await until(lambda: len(test.deltas) == 1)
        assert ingested > 50


# -- shelves --------------------------------------------------------------------------------------------------

UNIT_G = 182.0


@asynccontextmanager
async def gondola(path: Path, *bins: Bin, shop: Shop | None = None) -> AsyncIterator[Bench]:
    """A line that takes up the ledger as the daemon does, in a shop with these bins."""
    async with bench(path, shop) as test:
        shop = test.shop
        first = shop.inventory.restore(await test.ledger.items(), shop.clock.now_us, shop.clock.utc_us())
        shelved = test.shelves.restore(bins, await test.ledger.bins())
        shop.stock.restore((await test.ledger.stock()).rows, shop.inventory, shelved, first)
        await test.line._book(first, shop.inventory.zones.values())
        yield test


async def test_weights_become_deltas_on_disk(tmp_path: Path) -> None:
    async with gondola(tmp_path, weighed(channel=1), weighed(channel=2, zone="b")) as test:
        await test.weigh(7, c1=6 * UNIT_G, c2=0)
        await test.weigh(2, c1=4 * UNIT_G, c2=UNIT_G)
        assert await test.agrees() == {(GTINS[0], "a"): 4, (GTINS[0], "b"): 1}
        assert [json.loads(delta.payload)["causes"] for delta in test.deltas] == [{"weighed": 6}, {"weighed": 3}]
        assert test.line.transitions == {"weighed": 9}
        records = {record.channel: record for record in await test.ledger.bins()}
        assert [records[channel].products[0].pieces for channel in (1, 2)] == [4, 1]
        assert test.blinded == [SCALES, SCALES]


async def test_a_restart_goes_on_with_what_lay_on_the_shelves(tmp_path: Path) -> None:
    async with gondola(tmp_path, weighed(channel=1)) as test:
        await test.weigh(7, c1=6 * UNIT_G)
    async with gondola(tmp_path, weighed(channel=1), shop=Shop()) as test:
        assert await test.agrees() == {(GTINS[0], "a"): 6}
        await test.weigh(2, c1=5 * UNIT_G)
        assert await test.agrees() == {(GTINS[0], "a"): 5}
        (delta,) = test.deltas
        assert json.loads(delta.payload)["causes"] == {"weighed": 1}


async def test_a_bin_that_is_gone_after_a_restart_goes_to_zero_on_disk(tmp_path: Path) -> None:
    async with gondola(tmp_path, weighed(channel=1), weighed(channel=2, zone="b")) as test:
        await test.weigh(7, c1=6 * UNIT_G, c2=2 * UNIT_G)
    async with gondola(tmp_path, weighed(channel=1), shop=Shop()) as test:
        assert await test.agrees() == {(GTINS[0], "a"): 6}
        assert [json.loads(delta.payload)["causes"] for delta in test.deltas] == [{"config": 2}]
        assert [record.channel for record in await test.ledger.bins()] == [1]


async def test_a_bin_that_is_configured_away_goes_to_zero_on_disk(tmp_path: Path) -> None:
    async with gondola(tmp_path, weighed(channel=1)) as test:
        await test.weigh(7, c1=6 * UNIT_G)
        await test.read_for(2, 1, tag(1))
        zones, zone_of = list(test.shop.zones.values()), test.shop.zone_of
        await test.line.configure(zones, zone_of, [weighed(channel=1), weighed(channel=2)])
        assert await test.agrees() == {(GTINS[0], "a"): 6}
        await test.line.configure(zones, zone_of)
        assert await test.agrees() == {(GTINS[0], "a"): 1}
        assert json.loads(test.deltas[-1].payload)["causes"] == {"config": 5}
        assert await test.ledger.bins() == []


async def test_where_tags_and_scale_disagree_somebody_is_told(tmp_path: Path) -> None:
    async with gondola(tmp_path, weighed(channel=1, params=ShelfParams(disagree_s=300))) as test:
        await test.weigh(7, c1=2 * UNIT_G)
        await test.read_for(2, 1, tag(1), tag(2))
        await test.wait(20)
        assert not [said for said in test.said if said[0] == AlertKind.SENSORS_DISAGREE]
        await test.weigh(2, c1=UNIT_G)
        assert await test.agrees() == {(GTINS[0], "a"): 1}
        await test.wait(400, step_s=10)
        subject = f"a:{GTINS[0]}"
        assert [said for said in test.said if said[0] == AlertKind.SENSORS_DISAGREE] == [
            (AlertKind.SENSORS_DISAGREE, subject, "raised")
        ]
        (text,) = [alert.text for alert in test.alerts if alert.kind is AlertKind.SENSORS_DISAGREE]
        assert text.startswith(f"the shelf counts 1 of GTIN {GTINS[0]}, the tags say 2")
        await test.weigh(12, c1=2 * UNIT_G)
        assert test.said[-1] == (AlertKind.SENSORS_DISAGREE, subject, "cleared")


async def test_where_tags_go_first_the_scale_is_not_the_stock(tmp_path: Path) -> None:
    params = ShelfParams(precedence=Precedence.RFID)
    async with gondola(tmp_path, weighed(channel=1, params=params)) as test:
        await test.weigh(7, c1=6 * UNIT_G)
        assert await test.agrees() == {}
        await test.read_for(2, 1, tag(1), tag(2))
        assert await test.agrees() == {(GTINS[0], "a"): 2}
