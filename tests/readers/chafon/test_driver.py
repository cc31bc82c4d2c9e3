import asyncio
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from readers.chafon.driver import ChafonDriver, Lines
from readers.chafon.settings import ChafonSettings, Region
from readers.model import AntennaCondition, ReaderCondition
from readers.port.settings import PortSettings
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.hostile import CLEAN, Wire
from simulators.serial.bench import Unplugged, serial_bench
from simulators.serial.chafon import ChafonDevice, Habits, Rs485
from tests.readers.port.terminal import needs_root
from tests.readers.running import Collector, ending, open_files, running

TAGS = {n: [bytes([0x30, n, k]) + bytes(9) for k in range(12)] for n in (1, 2)}
EVERY = {(epc, antenna) for antenna, epcs in TAGS.items() for epc in epcs}
WIRES = {
    "clean": CLEAN,
    "single bytes": Wire(chunk_bytes=4, delay_s=0.0005),
    "cut and merged": Wire(chunk_bytes=30, random_chunks=True),
    "slow": Wire(delay_s=0.03),
    "noise": Wire(garbage=b"\x13\x00\x01\x03\x01", garbage_at=60),
    "boot text": Wire(garbage=b"\r\nUHF reader\r\n", garbage_at=0),
}


def device(address: int = 0, habits: Habits | None = None) -> ChafonDevice:
    number = Habits(serial_number=bytes([0, 0, 1, address]))
    return ChafonDevice(FixedField(TAGS), WallClock(), address, habits or number)


def driver(path: Path, address: int = 0, lines: Lines | None = None) -> ChafonDriver:
    settings = ChafonSettings(PortSettings(str(path)), (1, 2), Region.EU, 26, address, scan_s=0.2)
    return ChafonDriver(f"r{address}", settings, SystemClock(), lines)


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
async def test_reads_through_a_pty_whatever_the_wire_does(tmp_path: Path, wire: Wire) -> None:
    before, sink = open_files(), Collector()
    with serial_bench(tmp_path / "port", device(), wire):
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: sink.seen() == EVERY)
    assert sink.conditions[0] is ReaderCondition.CONNECTING
    assert sink.conditions[-1] is ReaderCondition.STOPPED
    assert ReaderCondition.READING in sink.conditions
    assert sink.states[-1].antennas == dict.fromkeys((1, 2), AntennaCondition.UP)
    assert open_files() == before


@pytest.mark.parametrize("how", [Unplugged.CLOSED, pytest.param(Unplugged.HUNG_UP, marks=needs_root)])
async def test_unplugged_and_plugged_in_again(tmp_path: Path, how: Unplugged) -> None:
    """Every reader of the line hears of it, and the line is there again for all."""
    before, path = open_files(), tmp_path / "port"
    lines = Lines(SystemClock())
    ours = [driver(path, address, lines) for address in (0, 1)]
    sinks = [Collector(), Collector()]
    with serial_bench(path, Rs485([device(0), device(1)])) as bench:
        for _ in range(3):
            for sink in sinks:
                sink.events.clear()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(ending(one, sink)) for one, sink in zip(ours, sinks, strict=True)]
                for sink in sinks:
                    await sink.until(lambda: sink.seen() == EVERY)  # noqa: B023 - awaited within the turn
                bench.unplug(how)
            assert [(await task).kind for task in tasks] == ["link_lost"] * 2
            assert [(await ending(one, sinks[0])).kind for one in ours] == ["no_device"] * 2
            bench.plug(Rs485([device(0), device(1)]))
    assert open_files() == before


@pytest.mark.parametrize("command", [0x21, 0x4C, 0x22, 0x2F, 0x01])
async def test_lost_in_each_stage(tmp_path: Path, command: int) -> None:
    before, sink = open_files(), Collector()

    class Fragile(ChafonDevice):
        def feed(self, data: bytes) -> list[tuple[float, bytes]]:
            said = super().feed(data)
            if data and self.heard and self.heard[-1][0] == command:
                asyncio.get_running_loop().call_soon(bench.unplug)
            return said

    with serial_bench(tmp_path / "port", Fragile(FixedField(TAGS), WallClock())) as bench:
        fault = await ending(driver(tmp_path / "port"), sink)
    assert fault.kind == "link_lost"
    assert open_files() == before


async def test_a_different_reader_on_the_same_path_is_quarantined(tmp_path: Path) -> None:
    sink, ours = Collector(), driver(tmp_path / "port")
    with serial_bench(tmp_path / "port", device()) as bench:
        async with running(ours, sink):
            await sink.until(lambda: sink.seen() == EVERY)
        sink.events.clear()
        other = device(0, Habits(serial_number=b"\xde\xad\xbe\xef"))
        bench.plug(other)
        for _ in range(2):
            assert (await ending(ours, sink)).kind == "another_device"
        assert sink.seen() == set()
        assert other.flash_writes == 0
        bench.plug(device())
        async with running(ours, sink):
            await sink.until(lambda: sink.seen() == EVERY)


async def test_a_dead_reader_on_the_line_and_one_that_comes_later(tmp_path: Path) -> None:
    path, lines = tmp_path / "port", Lines(SystemClock())
    ours = [driver(path, address, lines) for address in (0, 1)]
    sinks = [Collector(), Collector()]
    with serial_bench(path, Rs485([device(0)])) as bench:
        async with running(ours[0], sinks[0]):
            await sinks[0].until(lambda: sinks[0].seen() == EVERY)
            for _ in range(2):
                assert (await ending(ours[1], sinks[1])).kind == "timeout"
            sinks[0].events.clear()
            await sinks[0].until(lambda: sinks[0].seen() == EVERY)
            assert isinstance(bench.device, Rs485)
            bench.device.devices.append(device(1))
            async with running(ours[1], sinks[1]):
                await sinks[1].until(lambda: sinks[1].seen() == EVERY)
            sinks[0].events.clear()
            await sinks[0].until(lambda: sinks[0].seen() == EVERY)
        assert ReaderCondition.FAILED not in sinks[0].conditions


async def test_two_drivers_with_one_address(tmp_path: Path) -> None:
    path, lines = tmp_path / "port", Lines(SystemClock())
    sink = Collector()
    with serial_bench(path, device()):
        async with running(driver(path, 0, lines), sink):
            await sink.until(lambda: sink.seen() == EVERY)
            assert (await ending(driver(path, 0, lines), Collector())).kind == "unsuited"
            sink.events.clear()
            await sink.until(lambda: sink.seen() == EVERY)


async def test_a_reader_that_reports_by_itself_is_told_to_answer_once(tmp_path: Path) -> None:
    sink, ours = Collector(), driver(tmp_path / "port")
    reader = device(0, Habits(mode=1))
    with serial_bench(tmp_path / "port", reader):
        async with running(ours, sink):
            await sink.until(lambda: sink.seen() == EVERY)
        reader.habits.mode = 1
        reader.habits.obeys_mode = False
        writes = reader.flash_writes
        sink.events.clear()
        async with running(ours, sink):
            await sink.until(lambda: sink.seen() == {(epc, 1) for epc in TAGS[1]})
    assert reader.flash_writes == writes


async def test_resting_and_resuming(tmp_path: Path) -> None:
    sink, ours = Collector(), driver(tmp_path / "port")
    ours.rest()
    reader = device()
    with serial_bench(tmp_path / "port", reader):
        async with running(ours, sink):
            await sink.until(lambda: bool(sink.states) and sink.states[-1].resting)
            assert 1 not in [command for command, _ in reader.heard]
            ours.resume()
            await sink.until(lambda: sink.seen() == EVERY)
            ours.rest()
            await sink.until(lambda: sink.states[-1].resting)


async def test_a_flood_of_junk_is_counted_and_ends(tmp_path: Path) -> None:
    sink = Collector()
    with serial_bench(tmp_path / "port", device()) as bench:
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: sink.seen() == EVERY)
            for _ in range(32):
                bench.say(bytes(range(3, 0x60)) * 90)
                await asyncio.sleep(0)
            await sink.until(lambda: any(notice.fault.kind == "frame_error" for notice in sink.notices))
            sink.events.clear()
            await sink.until(lambda: sink.seen() == EVERY)
