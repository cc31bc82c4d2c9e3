import asyncio
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from readers.m100.driver import M100Driver
from readers.m100.settings import M100Settings, Region
from readers.model import AntennaCondition, ReaderCondition
from readers.port.settings import PortSettings
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.hostile import CLEAN, Wire
from simulators.serial.bench import SerialBench, Unplugged, serial_bench
from simulators.serial.m100 import R200_FORM, Habits, M100Device
from tests.readers.port.terminal import needs_root
from tests.readers.running import Collector, ending, open_files, running

TAGS = {n: [bytes([0x30, n, k]) + bytes(9) for k in range(4)] for n in (1, 2)}
EVERY = {(epc, antenna) for antenna, epcs in TAGS.items() for epc in epcs}
WIRES = {
    "clean": CLEAN,
    "single bytes": Wire(chunk_bytes=1),
    "cut and merged": Wire(chunk_bytes=9, random_chunks=True),
    "slow": Wire(delay_s=0.02),
    "noise": Wire(garbage=b"\xbb\x02\x22\x00\x11\x7e\x00\xff", garbage_at=150),
    "boot text": Wire(garbage=b"\r\nM100 boot ok\r\n", garbage_at=0),
}


def device(habits: Habits | None = None) -> M100Device:
    return M100Device(FixedField(TAGS), WallClock(), habits, switch_pins=(1,))


def driver(path: Path) -> M100Driver:
    settings = M100Settings(PortSettings(str(path)), (1, 2), Region.EU, 20.0, switch_pins=(1,), dwell_s=0.3)
    return M100Driver("r", settings, SystemClock())


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
async def test_reads_through_a_pty_whatever_the_wire_does(tmp_path: Path, wire: Wire) -> None:
    before, sink = open_files(), Collector()
    module = device()
    with serial_bench(tmp_path / "port", module, wire):
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: sink.seen() == EVERY)
        assert module.rounds_left == 0, "it is left quiet"
    assert sink.conditions[0] is ReaderCondition.CONNECTING
    assert sink.conditions[-1] is ReaderCondition.STOPPED
    assert ReaderCondition.READING in sink.conditions
    assert sink.states[-1].antennas == dict.fromkeys((1, 2), AntennaCondition.UP)
    assert open_files() == before


@pytest.mark.parametrize("how", [Unplugged.CLOSED, pytest.param(Unplugged.HUNG_UP, marks=needs_root)])
async def test_unplugged_and_plugged_in_again(tmp_path: Path, how: Unplugged) -> None:
    before, sink, ours = open_files(), Collector(), driver(tmp_path / "port")
    with serial_bench(tmp_path / "port", device()) as bench:
        for _ in range(3):
            sink.events.clear()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(ending(ours, sink))
                await sink.until(lambda: sink.seen() == EVERY)
                bench.unplug(how)
            assert (await task).kind == "link_lost"
            assert sink.conditions[-1] is ReaderCondition.FAILED
            assert (await ending(ours, sink)).kind == "no_device"
            bench.plug(device())
    assert open_files() == before


@pytest.mark.parametrize("stage", ["opened", "awake", "named", "configured", "reading"])
async def test_lost_in_each_stage(tmp_path: Path, stage: str) -> None:
    needle = {"opened": b"", "awake": b"\xbb\x00\x28", "named": b"\x00\x03\x00\x01\x01", "configured": b"\x00\xb7"}
    before, sink, ours = open_files(), Collector(), driver(tmp_path / "port")

    class Fragile(M100Device):
        def feed(self, data: bytes) -> list[tuple[float, bytes]]:
            said = super().feed(data)
            if stage in needle and data and needle[stage] in data:
                asyncio.get_running_loop().call_soon(bench.unplug)
            return said

    with serial_bench(tmp_path / "port", Fragile(FixedField(TAGS), WallClock(), None, (1,))) as bench:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ending(ours, sink))
            if stage == "reading":
                await sink.until(lambda: bool(sink.seen()))
                bench.unplug()
        assert (await task).kind == "link_lost"
    assert open_files() == before


async def test_a_different_device_on_the_same_path_is_quarantined(tmp_path: Path) -> None:
    sink, ours = Collector(), driver(tmp_path / "port")
    with serial_bench(tmp_path / "port", device()) as bench:
        async with running(ours, sink):
            await sink.until(lambda: sink.seen() == EVERY)
        sink.events.clear()
        other = device(Habits(form=R200_FORM, hardware="M100 20dBm V2.1"))
        bench.plug(other)
        for _ in range(2):
            assert (await ending(ours, sink)).kind == "another_device"
        assert sink.seen() == set()
        assert not {0x07, 0x27} & {command for command, _ in other.heard}
        bench.plug(device())
        async with running(ours, sink):
            await sink.until(lambda: sink.seen() == EVERY)


async def test_a_port_with_nothing_behind_it_is_told_as_silent(tmp_path: Path) -> None:
    sink = Collector()
    with serial_bench(tmp_path / "port", device(Habits(mute=True))):
        fault = await ending(driver(tmp_path / "port"), sink)
    assert fault.kind == "timeout"
    assert "silent" in fault.text
    assert sink.states[-1].fault == fault


async def test_resting_and_resuming(tmp_path: Path) -> None:
    sink, ours, module = Collector(), driver(tmp_path / "port"), device()
    ours.rest()
    with serial_bench(tmp_path / "port", module):
        async with running(ours, sink):
            await sink.until(lambda: bool(sink.states) and sink.states[-1].resting)
            assert module.rounds_left == 0
            ours.resume()
            await sink.until(lambda: sink.seen() == EVERY)
            ours.rest()
            await sink.until(lambda: sink.states[-1].resting)
            assert module.rounds_left == 0


async def flood(bench: SerialBench, sink: Collector) -> None:
    """A quarter of a megabyte that means nothing, while the module is read."""
    for _ in range(64):
        bench.say(b"\xbb\x01\x03\x00\x13 no frame at all \xaa" * 160)
        await asyncio.sleep(0)
    await sink.until(lambda: any(notice.fault.kind == "frame_error" for notice in sink.notices))


async def test_a_flood_of_junk_is_counted_and_ends(tmp_path: Path) -> None:
    sink = Collector()
    with serial_bench(tmp_path / "port", device()) as bench:
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: sink.seen() == EVERY)
            await flood(bench, sink)
            sink.events.clear()
            await sink.until(lambda: sink.seen() == EVERY)
