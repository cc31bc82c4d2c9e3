"""A scenario in real time, in front of a real gateway."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from config.loader import parse
from gateway.cli.simulate import _configuration
from gateway.clock import SystemClock
from gateway.daemon import open_gateway
from simulators.clock import WallClock
from simulators.recording import Scenario
from simulators.shop.live import LiveReader, LiveStore, serve_store
from simulators.shop.plan import parse_plan
from simulators.shop.ports import LivePort, serve_ports
from tests.broker import Broker
from tests.rig import eventually, ours, running
from tests.simulators.shops import GONDOLA, shop, table

HOST = "127.0.0.1"
LIMIT_S = 40.0
# Every tag has power all the time.
GOOD_AIR = {"ghosts_per_hour": 0.0, "fading_db": 0.0, "shadow_db": 0.0, "path_exponent": 1.6}


def _room(*faults: dict[str, Any]) -> Scenario:
    room = table(noise=GOOD_AIR, faults=list(faults))
    room["readers"][0] |= {"session": 0, "reads_per_s": 1000.0}
    room["zones"][0] |= {"clutter_db": 0.0}
    return shop(**room)


def _opened(
    scenario: Scenario, readers: list[LiveReader], broker: Broker, folder: Path, ports: Sequence[LivePort] = ()
) -> Any:
    text = _configuration(scenario, readers, ports).replace("embedded://127.0.0.1:1883", broker.url)
    text += "\n[http]\nlisten = '127.0.0.1:0'\n"
    return open_gateway(parse(text, folder / "tallygate.toml"), SystemClock(), Random(1))


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(tmp_path / "broker") as running_broker:
        yield running_broker


async def test_a_gateway_counts_a_gondola_on_serial_ports(broker: Broker, tmp_path: Path) -> None:
    still = table(GONDOLA)
    still["gondolas"][0]["shoppers"] = {"per_hour": 0.0, "refills_per_hour": 0.0}
    clock, scenario = WallClock(), Scenario("test", parse_plan(still, "test.toml"))
    store = LiveStore(scenario, 1, clock.now_us())
    with serve_ports(store, clock, tmp_path) as ports:
        assert [port.id for port in ports] == ["module", "board"]
        async with _opened(scenario, [], broker, tmp_path, ports) as gateway, running(gateway):
            bins = gateway.shelves.bins
            # Bins of several products wait until they were empty once.
            sure = {("board", channel): pieces for channel, pieces in ((1, 9), (5, 6), (6, 2))}
            await eventually(
                lambda: {place: sum(count for _, count, _ in bins[place].counts()) for place in sure} == sure,
                limit_s=LIMIT_S,
            )
            await eventually(lambda: gateway.fleet.members["module"].reads > 0, limit_s=LIMIT_S)
    assert store.lying(clock.now_us()) == sure | {("board", 2): 8, ("board", 3): 10}


async def test_a_gateway_counts_it(broker: Broker, tmp_path: Path) -> None:
    clock, scenario = WallClock(), _room()
    store = LiveStore(scenario, 1, clock.now_us())
    async with (
        serve_store(store, clock, HOST) as readers,
        _opened(scenario, readers, broker, tmp_path) as gateway,
        running(gateway),
    ):
        await eventually(lambda: ours(gateway) == store.truth(clock.now_us()), limit_s=LIMIT_S)
    assert sum(store.truth(store.ends_us).values()) == 40


@asynccontextmanager
async def _client(reader: LiveReader) -> AsyncIterator[asyncio.StreamReader]:
    stream, writer = await asyncio.open_connection(reader.network.host, reader.network.port)
    yield stream
    writer.close()


@pytest.mark.parametrize("kind", ["network", "reboot"])
async def test_a_link_is_lost_and_comes_back(kind: str) -> None:
    clock = WallClock()
    scenario = _room({"kind": kind, "reader": "ceiling", "at_s": 0.5, "for_s": 0.5})
    store = LiveStore(scenario, 1, clock.now_us())
    async with asyncio.timeout(LIMIT_S), serve_store(store, clock, HOST) as (reader,):
        with suppress(OSError):
            async with _client(reader) as stream:
                while await stream.read(1000):
                    pass
        assert clock.now_us() >= store.opened_us + 500_000
        await eventually(lambda: not reader.network.refusing)
        assert clock.now_us() >= store.opened_us + 1_000_000
        async with _client(reader) as stream:
            assert len(await stream.readexactly(10)) == 10  # it is greeted


async def test_a_pulled_cable_is_told_or_only_silent() -> None:
    clock = WallClock()
    cable = {"kind": "cable", "reader": "ceiling", "at_s": 0.0, "for_s": 1.0}
    scenario = _room(cable | {"antenna": 1, "told": True}, cable | {"antenna": 2})
    store = LiveStore(scenario, 1, clock.now_us())
    async with serve_store(store, clock, HOST) as (reader,):
        seen = reader.server.device.operations
        await eventually(lambda: 1 not in seen.antennas and bool(store.pulled))
        field = store.field(scenario.plan.readers[0])
        now_us = clock.now_us()
        assert list(field.sightings(2, now_us, now_us + 250_000)) == []
        assert 2 in seen.antennas
        await eventually(lambda: 1 in seen.antennas and not store.pulled)
        now_us = clock.now_us()
        assert list(field.sightings(2, now_us, now_us + 250_000))


async def test_a_frozen_reader_thaws() -> None:
    clock = WallClock()
    scenario = _room({"kind": "frozen", "reader": "ceiling", "at_s": 0.0, "for_s": 0.5})
    store = LiveStore(scenario, 1, clock.now_us())
    async with serve_store(store, clock, HOST) as (reader,):
        await eventually(lambda: reader.server.device.next_wakeup_us is None and reader.server.device._frozen)
        await eventually(lambda: not reader.server.device._frozen)


def test_after_closing_there_is_nothing_to_see() -> None:
    scenario = _room()
    store = LiveStore(scenario, 1, 1_000_000_000)
    field = store.field(scenario.plan.readers[0])
    assert list(field.sightings(1, 1_000_000_000, 1_000_250_000))
    assert not list(field.sightings(7, 1_000_250_000, 1_000_500_000))
    assert not list(field.sightings(1, store.ends_us, store.ends_us + 250_000))
