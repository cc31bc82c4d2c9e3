"""The whole line with serial RFID readers: a module behind an antenna switch, two readers on one RS-485 line."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from gateway import supervise
from gateway.consumer.client import Consumer
from gateway.daemon import Gateway
from gateway.domain.zones import ZoneState
from readers.model import ReaderCondition
from simulators.clock import WallClock
from simulators.epc import sgtin_96_of
from simulators.field import Sighting
from simulators.serial.bench import SerialBench, serial_bench
from simulators.serial.chafon import ChafonDevice, Habits, Rs485
from simulators.serial.m100 import M100Device
from tests.broker import Broker
from tests.rig import Rig, Stock, eventually, hurry, in_step, ours, theirs

GTIN = "09506000134352"
# What is not read for so long has been taken away: longer than it takes to notice that a reader is dead.
ZONE = "settle_s = 1\nmove_dwell_s = 0.2\nevidence_longest_s = 1.5\nleaves_silent = true\nexit_silence_s = {}"
SHELVES = ("top", "bottom", "left", "right")


class Shelf:
    """What lies in front of each antenna of one reader."""

    def __init__(self, zones: dict[int, str], things: dict[bytes, str]) -> None:
        self._zones = zones
        self._things = things

    def sightings(self, antenna: int, start_us: int, _end_us: int) -> Iterable[Sighting]:
        for epc, zone in self._things.items():
            if zone == self._zones.get(antenna):
                yield Sighting(epc, 96, -58, start_us, 1)


class Room:
    """Four shelves, the three readers that look into them, and where things are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.things = {sgtin_96_of(GTIN, 7, serial): SHELVES[serial % 4] for serial in range(24)}

    def module(self) -> M100Device:
        return M100Device(Shelf({1: "top", 2: "bottom"}, self.things), WallClock(), switch_pins=(1,))

    def reader(self, address: int, zone: str) -> ChafonDevice:
        habits = Habits(serial_number=bytes([0, 0, 0, address]))
        return ChafonDevice(Shelf({1: zone}, self.things), WallClock(), address, habits)

    def one_of(self, zone: str) -> bytes:
        """Something that lies there."""
        return next(epc for epc, where in self.things.items() if where == zone)

    def truth(self) -> Stock:
        return {(GTIN, zone): count for zone, count in Counter(self.things.values()).items()}

    def config(self, broker: Broker, *, silence_s: int = 3, scan_s: float = 0.2) -> str:
        """`scan_s` is that of one reader of the line."""
        extra = ZONE.format(silence_s)
        zones = "".join(f'[[zones]]\nid = "{zone}"\nkind = "shelf"\n{extra}\n' for zone in SHELVES)
        readers = "".join(
            f'[[readers]]\nid = "side-{address}"\ndriver = "chafon"\nurl = "serial://{self.folder}/rs485"\n'
            f'bus_address = {address}\nregion = "eu"\npower_dbm = 26\nscan_s = {scan}\nantennas = {{ 1 = "{zone}" }}\n'
            for address, zone, scan in ((0, "left", scan_s), (1, "right", 0.2))
        )
        return (
            f'[site]\nid = "store"\ngateway = "gw"\n[mqtt]\nurl = "{broker.url}"\n[ledger]\npath = "ledger.db"\n'
            f'[http]\nlisten = "127.0.0.1:0"\n{zones}{readers}'
            f'[[readers]]\nid = "rack"\ndriver = "m100"\nurl = "serial://{self.folder}/m100"\nregion = "eu"\n'
            'power_dbm = 20\nswitch_pins = [1]\ndwell_s = 0.2\nantennas = { 1 = "top", 2 = "bottom" }\n'
        )


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    monkeypatch.setattr(supervise.Backoff, "pause_s", lambda _: 0.1)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, readers=0) as one:
        yield one


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
async def benches(room: Room) -> AsyncIterator[tuple[SerialBench, SerialBench]]:
    """The port of the module, and that of the line."""
    line = Rs485([room.reader(0, "left"), room.reader(1, "right")])
    with serial_bench(room.folder / "m100", room.module()) as port, serial_bench(room.folder / "rs485", line) as bus:
        yield port, bus


async def agreed(room: Room, gateway: Gateway, consumer: Consumer) -> None:
    """Until the gateway counts what lies there, and the consumer has it too."""
    await eventually(lambda: ours(gateway) == room.truth(), limit_s=40)
    await eventually(lambda: theirs(consumer) == room.truth(), limit_s=40)
    await in_step(gateway, consumer)


async def test_stock_comes_moves_and_goes(rig: Rig, room: Room, benches: tuple[SerialBench, SerialBench]) -> None:
    assert benches
    async with rig.gateway(room.config(rig.broker)) as gateway, rig.consumer() as consumer:
        await agreed(room, gateway, consumer)
        for here, there in (("bottom", "top"), ("left", "right"), ("right", "bottom")):
            room.things[room.one_of(here)] = there
        await agreed(room, gateway, consumer)
        for zone in (*SHELVES, *SHELVES):
            del room.things[room.one_of(zone)]
        await agreed(room, gateway, consumer)


@pytest.mark.slow
async def test_a_module_that_is_gone_hides_nothing_and_takes_nothing_away(
    rig: Rig, room: Room, benches: tuple[SerialBench, SerialBench]
) -> None:
    port, bus = benches
    async with rig.gateway(room.config(rig.broker, silence_s=4)) as gateway, rig.consumer() as consumer:
        await agreed(room, gateway, consumer)
        port.unplug()
        zones = gateway.inventory.zones
        await eventually(lambda: zones["top"].state is zones["bottom"].state is ZoneState.STALE)
        before = room.truth()
        for zone in ("top", "left"):
            del room.things[room.one_of(zone)]
        await eventually(lambda: ours(gateway)[GTIN, "left"] == room.truth()[GTIN, "left"], limit_s=40)
        assert ours(gateway)[GTIN, "top"] == before[GTIN, "top"]
        # One reader of the line dies: the other goes on.
        assert isinstance(bus.device, Rs485)
        bus.device.devices[0].habits.mute = True
        await eventually(lambda: zones["left"].state is ZoneState.STALE)
        assert zones["right"].state is ZoneState.OK
        bus.device.devices[0].habits.mute = False
        port.plug(room.module())
        await agreed(room, gateway, consumer)


async def test_a_reader_that_changes_leaves_its_neighbour_on_the_line_alone(
    rig: Rig, room: Room, benches: tuple[SerialBench, SerialBench]
) -> None:
    assert benches
    async with rig.gateway(room.config(rig.broker)) as gateway, rig.consumer() as consumer:
        await agreed(room, gateway, consumer)
        members = gateway.fleet.members
        changed, neighbour, since_us = members["side-0"], members["side-1"], members["side-1"].since_us
        await gateway.reconfigure(rig.config(room.config(rig.broker, scan_s=0.3)))
        assert members["side-0"] is not changed
        await eventually(lambda: members["side-0"].reads > 0)
        assert (members["side-1"], neighbour.since_us) == (neighbour, since_us)
        assert neighbour.state.condition is ReaderCondition.READING
        await agreed(room, gateway, consumer)
