"""Many readers, each with a trouble of its own, all at once: the line goes on, and ends with the truth."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Self

import pytest

from simulators.field import Field
from simulators.hostile import CLEAN, HostileWire, Wire, hostile_wire
from simulators.layout import Antenna, Coverage, Layout, Zone, ZoneKind
from simulators.llrp.device import ReaderDevice
from simulators.llrp.personality import Personality
from simulators.llrp.server import ReaderServer, serve_reader
from simulators.people import Traffic
from simulators.stock import demo_gtins
from simulators.store import Air, Store
from tests.broker import Broker
from tests.faults.shop import SEED, Recovery, Witness, missing, table_row, times
from tests.rig import Rig, eventually, hurry, in_step, ours

READERS = 20
ZONES = ("floor", "back")
ROUNDS = times("READER_ROUNDS", 1)
# A frozen reader is noticed after two and a half keepalives of a second, and dialled again after a pause.
WHOLE_LIMIT_S = 60.0


class Crowd(Rig):
    """A shop under twenty readers, each behind a wire of its own."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        super().__init__(folder, broker, readers=0)
        names = [f"reader-{number}" for number in range(READERS)]
        layout = Layout(
            zones=(Zone("floor", ZoneKind.SALES_FLOOR), Zone("back", ZoneKind.BACKROOM)),
            antennas=tuple(
                Antenna(name, 1, (Coverage(ZONES[number % 2], 1.0, -52.0),)) for number, name in enumerate(names)
            ),
        )
        self.shop = Store(layout, SEED, air=Air(certain=True), traffic=Traffic(0, 0, 0))
        for number in range(24):
            self.shop.stock.new_item(demo_gtins()[number % 6], ZONES[number % 2])
        self.wires: dict[str, HostileWire] = {}
        self._names = names

    async def __aenter__(self) -> Self:
        for number, name in enumerate(self._names):
            device = ReaderDevice(self.field(name), Personality(dwell_us=250_000))
            server = await self._stack.enter_async_context(serve_reader(device))
            wire = await self._stack.enter_async_context(hostile_wire(server.port, seed=SEED + number))
            self.servers[name], self.wires[name], self.ports[name] = server, wire, wire.port
        return self

    def field(self, name: str) -> Field:
        return self.shop.field(name)


@pytest.fixture
async def crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crowd]:
    hurry(monkeypatch)
    monkeypatch.setattr("gateway.crew.LONGEST_PAUSE_S", 2.0)
    async with Broker(tmp_path / "broker") as broker, Crowd(tmp_path, broker) as one:
        yield one


def troubles(rng: Random) -> list[Wire]:
    """What a wire can do, with this seed's numbers."""
    garbage = rng.randbytes(rng.randint(1, 40))
    return [
        Wire(chunk_bytes=rng.randint(1, 30), random_chunks=True),
        Wire(delay_s=0.05),
        Wire(garbage=garbage, garbage_at=rng.randint(0, 4_000)),
        Wire(cut_after=rng.randint(1, 6_000)),
        Wire(blackhole_after_s=rng.uniform(0.1, 1.0)),
        Wire(not_llrp=True),
    ]


@pytest.mark.timeout(60 + ROUNDS * 2 * WHOLE_LIMIT_S)
async def test_twenty_readers_in_trouble_at_once(crowd: Crowd) -> None:
    rng, witness, recovery, faults = Random(SEED), Witness(), Recovery(), 0

    def trouble(name: str) -> None:
        server: ReaderServer = crowd.servers[name]
        match rng.randrange(4):
            case 0:
                server.freeze()
            case 1:
                server.reboot()
            case _:
                # The wire is bad twice, then somebody has changed it.
                bad = crowd.wires[name].connections + 2
                crowd.wires[name].wire = replace(rng.choice(troubles(rng)), bad_connections=bad)
                crowd.wires[name].cut()

    async with crowd.consumer(on_change=witness) as consumer, crowd.listener() as heard, crowd.gateway() as gateway:
        await eventually(lambda: ours(gateway) == crowd.truth(), limit_s=WHOLE_LIMIT_S)
        for _ in range(ROUNDS):
            recovery.start()
            for name in crowd.servers:
                trouble(name)
                faults += 1
            for _ in range(5):
                for thing in crowd.shop.stock.pick(rng.choice(ZONES), 2):
                    crowd.shop.stock.move(thing, rng.choice(ZONES))
                await asyncio.sleep(rng.uniform(0.1, 0.5))
            for name, server in crowd.servers.items():
                server.thaw()
                crowd.wires[name].wire = CLEAN
            await eventually(lambda: all(server.connected for server in crowd.servers.values()), limit_s=WHOLE_LIMIT_S)
            await eventually(lambda: ours(gateway) == crowd.truth(), limit_s=WHOLE_LIMIT_S)
            recovery.stop()
        await in_step(gateway, consumer)
        last = gateway.ledger.position.seq
        await heard.until(lambda: last in heard.seqs())
        lost = missing(heard, last)
        lag_ms = round(gateway.health.worst_lag_s * 1000)
        name = f"{READERS} readers"
        print(table_row(name, faults, [consumer], witness, len(lost), recovery.longest_s), lag_ms, "ms")
        assert lost == []
        assert witness.whole
        assert "stock_differs" not in consumer.counters.findings
