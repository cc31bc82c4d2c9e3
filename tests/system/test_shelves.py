"""Shelves from a serial port to the consumer: what lies on them, whatever becomes of their scales."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway import housekeeping
from gateway.alerts import AlertKind
from gateway.cli.replay_sources import CaptureSource
from gateway.consumer.client import Consumer
from gateway.daemon import Gateway
from gateway.domain.zones import ZoneState
from gateway.shelf_view import bin_view
from gateway.trace.capturefile import CaptureFile
from gateway.trace.recorder import Recorder
from gateway.web.views import about
from simulators.hostile import Wire
from simulators.serial.bench import SerialBench, serial_bench
from simulators.serial.fixtures import Plate, Pusher, Slots
from simulators.serial.modbus import ModbusLine, Slave
from simulators.serial.scales import Cell, MtSicsScale, Pan, ShelfBoard
from simulators.shelf import Gondola, Goods, Habits, Shelf
from tests.broker import Broker
from tests.rig import (
    GTIN,
    LIMIT_S,
    QUICK_ZONE,
    SCALE,
    UNIT_G,
    Listener,
    Rig,
    Stock,
    eventually,
    hurry,
    in_step,
    ours,
    theirs,
)

OTHER, THIRD = "04012345678901", "00614141123452"
BOARD = f"""
[[zones]]
id = "shelf-8"
kind = "shelf"
{QUICK_ZONE}
[[readers]]
id = "board-8"
driver = "scale"
url = "serial://{{port}}"
dialect = "shelf-line"
[[readers.channels]]
channel = 1
zone = "shelf-8"
gtin = "{OTHER}"
unit_weight_g = 250
quiet_s = 1
[[readers.channels]]
channel = 4
zone = "shelf-8"
gtin = "{THIRD}"
sensor = "slots"
[[readers.channels]]
channel = 5
zone = "shelf-8"
part_of = 4
[[readers.channels]]
channel = 6
zone = "shelf-8"
sensor = "door"
[[readers.channels]]
channel = 7
zone = "shelf-8"
sensor = "temperature"
"""


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    monkeypatch.setattr(housekeeping, "STALE_ALERT_S", 0.2)
    monkeypatch.setattr(housekeeping, "MEASURE_EVERY_S", 0.1)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, readers=0) as one:
        yield one


@pytest.fixture
def pan() -> Pan:
    return Pan(0.0)


@pytest.fixture
async def scale(tmp_path: Path, pan: Pan) -> AsyncIterator[SerialBench]:
    with serial_bench(tmp_path / "port", MtSicsScale(pan)) as bench:
        yield bench


def text(rig: Rig, template: str = SCALE) -> str:
    return rig.text() + template.format(port=rig.folder / "port")


async def reaches(gateway: Gateway, consumer: Consumer, stock: Stock) -> None:
    """Until gateway, ledger and consumer all hold this stock."""
    await eventually(lambda: ours(gateway) == stock)
    async with asyncio.timeout(LIMIT_S):
        await consumer.wait_until(lambda one: theirs(one) == stock)
    await in_step(gateway, consumer)


def blind(gateway: Gateway) -> list[str]:
    """The alert that stands about the scale."""
    return [alert.text for alert in gateway.alerts if alert.kind is AlertKind.ANTENNA_DOWN]


def said(listener: Listener) -> list[str]:
    """What became of the shelf's alert."""
    return [one.status for one in listener.alerts("zone_stale") if one.subject == "shelf-7"]


@pytest.mark.usefixtures("scale")
async def test_what_is_taken_from_a_scale_is_taken_from_every_stock(rig: Rig, pan: Pan) -> None:
    pan.grams = 6 * UNIT_G
    async with rig.gateway(text(rig)) as gateway, rig.consumer() as consumer:
        await eventually(lambda: ours(gateway) == {(GTIN, "shelf-7"): 6})
        await eventually(lambda: gateway.inventory.zones["shelf-7"].state is ZoneState.OK)
        pan.grams = 4 * UNIT_G
        await reaches(gateway, consumer, {(GTIN, "shelf-7"): 4})
        assert gateway.line.transitions == {"weighed": 8}
        delta = json.loads((await gateway.ledger.deltas(0, 10))[-1].payload)
        assert delta["causes"] == {"weighed": 2}
        assert delta["changes"][0].items() >= {"change": -2, "quantity": 4, "confirmed": 4}.items()
        assert "stale" not in delta["changes"][0]


async def test_a_scale_that_is_unplugged_keeps_its_count_and_marks_its_zone(
    rig: Rig, scale: SerialBench, pan: Pan
) -> None:
    pan.grams = 6 * UNIT_G
    async with rig.gateway(text(rig)) as gateway, rig.consumer() as consumer, rig.listener() as listener:
        zone = gateway.inventory.zones["shelf-7"]
        await eventually(lambda: zone.state is ZoneState.OK)
        await listener.until(lambda: said(listener)[-1:] != ["raised"])
        listener.messages.clear()
        scale.unplug()
        await eventually(lambda: zone.state is ZoneState.STALE)
        await listener.until(lambda: said(listener) == ["raised"])
        assert ours(gateway) == {(GTIN, "shelf-7"): 6}
        pan.grams = 3 * UNIT_G
        scale.plug(MtSicsScale(pan))
        await reaches(gateway, consumer, {(GTIN, "shelf-7"): 3})
        await eventually(lambda: zone.state is ZoneState.OK)
        await listener.until(lambda: said(listener) == ["raised", "cleared"])


@pytest.mark.usefixtures("scale")
async def test_a_scale_that_cannot_weigh_is_never_empty(rig: Rig, pan: Pan) -> None:
    pan.grams = 6 * UNIT_G
    async with rig.gateway(text(rig)) as gateway:
        zone = gateway.inventory.zones["shelf-7"]
        await eventually(lambda: zone.state is ZoneState.OK and not blind(gateway))
        for trouble in ("overload", "underload", "error"):
            pan.trouble = trouble
            await eventually(lambda: zone.state is ZoneState.STALE and bool(blind(gateway)))
            assert "cannot be counted" in blind(gateway)[0]
            assert ours(gateway) == {(GTIN, "shelf-7"): 6}
            pan.trouble = ""
            await eventually(lambda: zone.state is ZoneState.OK and not blind(gateway))


@pytest.mark.usefixtures("scale")
async def test_a_zero_key_that_is_pressed_with_goods_on_sells_nothing(rig: Rig, pan: Pan) -> None:
    pan.grams = 6 * UNIT_G
    async with rig.gateway(text(rig)) as gateway, rig.consumer() as consumer:
        zone = gateway.inventory.zones["shelf-7"]
        await reaches(gateway, consumer, {(GTIN, "shelf-7"): 6})
        await eventually(lambda: zone.state is ZoneState.OK and not blind(gateway))
        pan.grams = 0
        await eventually(lambda: zone.state is ZoneState.STALE and bool(blind(gateway)))
        assert "zeroed with its goods on" in blind(gateway)[0]
        assert ours(gateway) == {(GTIN, "shelf-7"): 6}
    async with rig.gateway(text(rig)) as gateway, rig.consumer() as consumer:
        zone = gateway.inventory.zones["shelf-7"]
        await eventually(lambda: zone.state is ZoneState.STALE and bool(blind(gateway)))
        pan.grams = -UNIT_G
        await reaches(gateway, consumer, {(GTIN, "shelf-7"): 5})
        await eventually(lambda: zone.state is ZoneState.OK and not blind(gateway))


@pytest.mark.usefixtures("scale")
async def test_a_restart_knows_what_lay_there(rig: Rig, pan: Pan) -> None:
    pan.grams = 6 * UNIT_G
    async with rig.gateway(text(rig)) as gateway:
        await eventually(lambda: ours(gateway) == {(GTIN, "shelf-7"): 6})
    pan.grams = 5 * UNIT_G
    async with rig.gateway(text(rig)) as gateway, rig.consumer() as consumer:
        await reaches(gateway, consumer, {(GTIN, "shelf-7"): 5})
        assert gateway.line.transitions == {"weighed": 1}
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await reaches(gateway, consumer, {})
        assert gateway.line.transitions == {"config": 5}


@pytest.mark.usefixtures("scale")
async def test_another_configuration_of_a_running_gateway(rig: Rig, pan: Pan) -> None:
    pan.grams = 6 * UNIT_G
    async with rig.gateway(text(rig)) as gateway, rig.consumer() as consumer:
        await eventually(lambda: ours(gateway) == {(GTIN, "shelf-7"): 6})
        await gateway.reconfigure(rig.config(text(rig).replace("quiet_s = 1", "quiet_s = 2")))
        pan.grams = 5 * UNIT_G
        await eventually(lambda: ours(gateway) == {(GTIN, "shelf-7"): 5})
        await gateway.reconfigure(rig.config(text(rig).replace(GTIN, OTHER)))
        await eventually(lambda: ours(gateway) == {(OTHER, "shelf-7"): 5})
        await gateway.reconfigure(rig.config())
        await reaches(gateway, consumer, {})


async def test_a_board_with_cells_and_slots(rig: Rig, tmp_path: Path) -> None:
    cells = [Cell(1, Pan(500)), Cell(4, Pan(1), is_input=True), Cell(5, Pan(1), is_input=True)]
    door, celsius = Cell(6, Pan(1), is_input=True), Cell(7, Pan(4.3), is_input=True)
    cells += [door, celsius]
    with serial_bench(tmp_path / "port", ShelfBoard(cells)):
        async with rig.gateway(text(rig, BOARD)) as gateway, rig.consumer() as consumer:
            await eventually(lambda: ours(gateway) == {(OTHER, "shelf-8"): 2, (THIRD, "shelf-8"): 2})
            cells[0].pan.grams = 750
            cells[2].pan.grams = 0
            await reaches(gateway, consumer, {(OTHER, "shelf-8"): 3, (THIRD, "shelf-8"): 1})
            door.pan.grams = 0
            bins = gateway.line.shelves.bins
            await eventually(lambda: bin_view(bins["board-8", 6], None).get("open") is True)
            await _shows_shelves(gateway)
            # Who feels no cold counts all the same.
            celsius.mute = True
            await eventually(lambda: gateway.shelves.blind == {("board-8", 7): "it says nothing any more"})
            await eventually(lambda: any("cannot be read" in text for text in blind(gateway)))
            assert gateway.inventory.zones["shelf-8"].state is ZoneState.OK


FIXTURES = f"""
[[zones]]
id = "bay"
kind = "shelf"
{QUICK_ZONE}
[[readers]]
id = "board"
driver = "scale"
url = "serial://{{folder}}/board"
dialect = "shelf-line"
[[readers.channels]]
channel = 1
zone = "bay"
cell_mm = 0
quiet_s = 1
[[readers.channels.skus]]
gtin = "{GTIN}"
unit_weight_g = 250
lane_mm = [0, 300]
[[readers.channels.skus]]
gtin = "{OTHER}"
unit_weight_g = 255
lane_mm = [300, 600]
[[readers.channels]]
channel = 2
zone = "bay"
part_of = 1
cell_mm = 600
[[readers.channels]]
channel = 3
zone = "bay"
gtin = "{THIRD}"
sensor = "pusher"
empty_mm = 400
pitch_mm = 50
[[zones]]
id = "row"
kind = "shelf"
{QUICK_ZONE}
[[readers]]
id = "eyes"
driver = "modbus"
url = "serial://{{folder}}/eyes"
[[readers.channels]]
channel = 1
slave = 7
profile = "inputs"
address = 0
zone = "row"
gtin = "{GTIN}"
sensor = "slots"
[[readers.channels]]
channel = 2
slave = 7
profile = "inputs"
address = 1
zone = "row"
part_of = 1
"""
HURT = Wire(chunk_bytes=7, random_chunks=True)


async def test_a_bay_of_a_plate_with_lanes_a_pusher_and_slots(rig: Rig, tmp_path: Path) -> None:
    """Two products that weigh alike are told by their lane; what cannot be sensed is no sale."""
    plate, pusher, slots = Plate({1: 0.0, 2: 600.0}), Pusher(3, pieces=5), Slots((1, 2))
    board = ShelfBoard(fixtures=[plate, pusher])
    eyes = ModbusLine([Slave(7, inputs=slots.bits)])
    with serial_bench(tmp_path / "board", board, HURT), serial_bench(tmp_path / "eyes", eyes):
        text = rig.text() + FIXTURES.format(folder=rig.folder)
        async with rig.gateway(text) as gateway, rig.consumer() as consumer:
            here = {(THIRD, "bay"): 5}
            await reaches(gateway, consumer, here)
            bins, zones = gateway.line.shelves.bins, [gateway.inventory.zones[name] for name in ("bay", "row")]
            await eventually(lambda: ("board", 1) not in gateway.line.shelves.blind)
            plate.lying.append((100.0, 251.0))
            await reaches(gateway, consumer, here | {(GTIN, "bay"): 1})
            plate.lying.append((480.0, 254.0))
            slots.covered[1] = True
            here |= {(GTIN, "bay"): 1, (OTHER, "bay"): 1, (GTIN, "row"): 1}
            await reaches(gateway, consumer, here)
            del plate.lying[0]
            pusher.pieces = 4
            here |= {(THIRD, "bay"): 4}
            del here[GTIN, "bay"]
            await reaches(gateway, consumer, here)
            pusher.dark = True
            plate.dead.add(2)
            eyes.slaves[7].dead = True
            await eventually(lambda: all(zone.state is ZoneState.STALE for zone in zones))
            assert ours(gateway) == here
            pusher.dark = False
            plate.dead.clear()
            eyes.slaves[7].dead = False
            await eventually(lambda: all(zone.state is ZoneState.OK for zone in zones))
            slots.covered[1] = False
            del here[GTIN, "row"]
            await reaches(gateway, consumer, here)
            assert all(confirmed == pieces for each in bins.values() for _, pieces, confirmed in each.counts())


async def _shows_shelves(gateway: Gateway) -> None:
    """Page, API and metrics tell of every bin."""
    assert gateway.http_address is not None
    root = "http://{}:{}".format(*gateway.http_address)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{root}/api/shelves") as answer:
            scale, slots, door, celsius = await answer.json()
        async with session.get(f"{root}/") as answer:
            page = await answer.text()
        async with session.get(f"{root}/metrics") as answer:
            metrics = await answer.text()
    assert scale["products"] == [{"gtin": OTHER, "pieces": 3, "confirmed": 3}]
    assert (scale["state"], scale["still"], scale["unexplained_g"]) == ("ok", True, 0)
    assert scale["grams"] == pytest.approx(750, abs=1)
    assert (slots["sensor"], slots["products"][0]["pieces"]) == ("slots", 1)
    assert (door["open"], celsius["value"], celsius["products"]) == (True, 4.3, [])
    assert f"3 of {OTHER}" in page
    assert "<td>open</td>" in page
    assert "<td>4.3 °C</td>" in page
    assert 'tallygate_shelf_celsius{antenna="7",reader="board-8"} 4.3' in metrics
    assert 'tallygate_shelf_door_open{antenna="6",reader="board-8"} 1.0' in metrics
    assert 'tallygate_shelf_pieces{antenna="1",reader="board-8"} 3.0' in metrics
    assert 'tallygate_shelf_trusted{antenna="4",reader="board-8"} 1.0' in metrics
    assert 'tallygate_shelf_steps_total{reason="sure"} 1.0' in metrics
    assert OTHER not in metrics


GONDOLA_S = 25.0
CHANNELS = range(1, 9)


def gondola_text(rig: Rig) -> str:
    """Eight bins of one product each, four in each of two zones, behind one board."""
    lines = [rig.text()]
    lines += [f'[[zones]]\nid = "{name}"\nkind = "shelf"\n{QUICK_ZONE}' for name in ("left", "right")]
    lines.append(
        f'[[readers]]\nid = "bay7"\ndriver = "scale"\nurl = "serial://{rig.folder}/port"\ndialect = "shelf-line"'
    )
    for channel in CHANNELS:
        zone, gtin, unit_g = _place(channel)
        lines.append(
            f'[[readers.channels]]\nchannel = {channel}\nzone = "{zone}"\ngtin = "{gtin}"\nunit_weight_g = {unit_g}'
        )
    return "\n".join(lines)


def _place(channel: int) -> tuple[str, str, float]:
    product = channel % 3
    return ("left" if channel < 5 else "right"), (GTIN, OTHER, THIRD)[product], (120.0, 250.0, 700.0)[product]


async def play(gondola: Gondola, pans: dict[int, Pan]) -> None:
    """What lies on the pans changes as the gondola's scales say, in real time."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    for channel, sample in gondola.samples():
        await asyncio.sleep(begun_s + sample.at_us / 1e6 - loop.time())
        pans[channel].grams, pans[channel].stable = sample.grams, not sample.moving


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_gondola_of_eight_scales_ends_with_what_lies_on_it(rig: Rig, tmp_path: Path, seed: int) -> None:
    shelves = {}
    for channel in CHANNELS:
        _, gtin, unit_g = _place(channel)
        goods = [Goods(gtin, unit_g, pieces=8)]
        habits = Habits(events_per_hour=500, touches_per_hour=100, leans_per_hour=0)
        shelves[channel] = Shelf(goods, habits, seed=100 * seed + channel, duration_s=GONDOLA_S)
    pans = {channel: Pan(next(shelf.samples()).grams) for channel, shelf in shelves.items()}
    truth: Counter[tuple[str, str]] = Counter()
    for channel, shelf in shelves.items():
        zone, gtin, _ = _place(channel)
        truth[gtin, zone] += shelf.counts(GONDOLA_S)[gtin]
    board = ShelfBoard([Cell(channel, pan) for channel, pan in pans.items()])
    with serial_bench(tmp_path / "port", board):
        async with rig.gateway(gondola_text(rig)) as gateway, rig.consumer() as consumer:
            await eventually(lambda: sum(ours(gateway).values()) == 64)
            await play(Gondola(shelves), pans)
            await reaches(gateway, consumer, dict(truth))
            assert gateway.line.transitions["weighed"] > 64


@pytest.mark.usefixtures("scale")
async def test_a_capture_of_a_shelf_is_replayed_to_the_same_stock(rig: Rig, pan: Pan) -> None:
    pan.grams = 6 * UNIT_G
    async with rig.gateway(text(rig)) as gateway, rig.consumer() as consumer:
        recorder = Recorder(gateway.clock, about(gateway), gateway.fleet.states())
        gateway.fleet.listeners.append(recorder.put)
        await reaches(gateway, consumer, {(GTIN, "shelf-7"): 6})
        pan.grams = 4 * UNIT_G
        await reaches(gateway, consumer, {(GTIN, "shelf-7"): 4})
    path = rig.folder / "shelf.capture"
    with CaptureFile(path) as out:
        out.append(recorder.last())
    replayed = CaptureSource(path, None, ()).play(0, None, any_epc=False)
    assert replayed.content.samples > 0
    # Until it has come to rest, nothing lies there.
    levels = [(level.gtin, level.zone, level.quantity) for level in replayed.line.levels]
    assert levels == [(GTIN, "shelf-7", quantity) for quantity in (0, 6, 4)]
