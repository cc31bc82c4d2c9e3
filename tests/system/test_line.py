"""The whole line under bad luck: whatever breaks on the way, the consumers end with the gateway's stock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from gateway import housekeeping
from gateway.consumer.client import Applied, Change
from gateway.consumer.store import SqliteStore
from gateway.daemon import Gateway
from tests.broker import Broker
from tests.rig import Rig, cut_uplinks, eventually, hurry, in_step, ours, theirs


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    monkeypatch.setattr(housekeeping, "STALE_ALERT_S", 0.2)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, items=120) as one:
        yield one


def shuffle(rig: Rig, rng: Random) -> None:
    """People carry items about and bring new ones."""
    stock = rig.shop.stock
    for zone, to in (("floor", "backroom"), ("backroom", "floor"), ("receiving", "backroom")):
        for thing in stock.pick(zone, rng.randint(1, 6)):
            stock.move(thing, to)
    gtin = next(thing.gtin for thing in stock.within("floor") if thing.gtin)
    stock.new_item(gtin, "receiving")


@pytest.mark.parametrize("seed", [1, 2])
async def test_links_and_brokers_break_while_people_carry_things_about(rig: Rig, tmp_path: Path, seed: int) -> None:
    rng = Random(seed)

    async def restart_broker(_: Gateway) -> None:
        await rig.broker.restart()

    async def cut_uplink(_: Gateway) -> None:
        cut_uplinks()

    async def cut_reader(_: Gateway) -> None:
        rng.choice(list(rig.servers.values())).cut()

    async def pull_antenna(_: Gateway) -> None:
        server = rng.choice(list(rig.servers.values()))
        server.set_antenna(2, connected=False)
        await asyncio.sleep(0.05)
        server.set_antenna(2, connected=True)

    async def reload(gateway: Gateway) -> None:
        await gateway.reconfigure(rig.config(rig.text(zone={"floor": f"settle_s = {rng.randint(1, 2)}"})))

    mishaps: list[Callable[[Gateway], Awaitable[None]]] = [
        restart_broker,
        cut_uplink,
        cut_reader,
        pull_antenna,
        reload,
        cut_uplink,
    ]
    rng.shuffle(mishaps)
    applied: list[int] = []

    def note(change: Change) -> None:
        if isinstance(change, Applied):
            applied.append(change.delta.seq)

    async with (
        await SqliteStore.open(tmp_path / "central.db", rig.topics.root) as store,
        rig.consumer("kept", store) as kept,
        rig.consumer("plain", on_change=note) as plain,
    ):
        for part in (mishaps[:3], mishaps[3:]):
            async with rig.gateway() as gateway:
                for mishap in part:
                    shuffle(rig, rng)
                    await mishap(gateway)
                    await asyncio.sleep(rng.uniform(0.05, 0.3))
        async with rig.gateway() as gateway:
            await rig.counted(gateway, kept, plain)
            assert ours(gateway) == rig.truth()
            assert kept.store.hash() == plain.store.hash()
            await eventually(lambda: gateway.backlog == 0)
        for consumer in (kept, plain):
            assert "stock_differs" not in consumer.counters.findings
            assert "epoch_changed" not in consumer.counters.findings
        assert applied == sorted(set(applied)), "each delta once, in order"


async def test_a_consumer_that_comes_and_goes_always_ends_in_step(rig: Rig, tmp_path: Path) -> None:
    rng = Random(3)
    async with rig.gateway() as gateway:
        for _ in range(4):
            async with (
                await SqliteStore.open(tmp_path / "central.db", rig.topics.root) as store,
                rig.consumer("central", store) as consumer,
            ):
                await asyncio.sleep(rng.uniform(0.0, 0.2))
                shuffle(rig, rng)
                await asyncio.sleep(rng.uniform(0.0, 0.2))
            shuffle(rig, rng)
        await eventually(lambda: ours(gateway) == rig.truth())
        async with (
            await SqliteStore.open(tmp_path / "central.db", rig.topics.root) as store,
            rig.consumer("central", store) as consumer,
            rig.consumer("fresh") as fresh,
        ):
            await rig.counted(gateway, consumer, fresh)
            await in_step(gateway, consumer, fresh)
            assert theirs(consumer) == theirs(fresh) == ours(gateway)
