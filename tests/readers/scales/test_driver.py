"""Scales behind a real pty, on a wire that does its worst."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from readers.model import AntennaCondition, ReaderCondition, WeightCondition, WeightUnit
from readers.port.settings import PortSettings
from readers.scales.driver import ScaleDriver
from readers.scales.settings import Dialect, LineProfile, ScaleSettings
from simulators.hostile import CLEAN, Wire
from simulators.serial.bench import SerialBench, Unplugged, serial_bench
from simulators.serial.scales import Cell, LineScale, MtSicsScale, Pan, ShelfBoard
from tests.peer import HOST, peer
from tests.readers.port.terminal import needs_root
from tests.readers.running import Collector, ending, open_files, running

STABLE = WeightCondition.STABLE
WIRES = {
    "clean": CLEAN,
    "single bytes": Wire(chunk_bytes=1),
    "cut and merged": Wire(chunk_bytes=9, random_chunks=True),
    "slow": Wire(delay_s=0.02),
    "noise": Wire(garbage=b"\x00\xffS S 1\r\n9\x0d", garbage_at=120),
    "boot text": Wire(garbage=b"\r\nrst:0x1 (POWERON_RESET)\r\n", garbage_at=0),
}


def settings(path: Path, dialect: Dialect = Dialect.MT_SICS, **more: object) -> ScaleSettings:
    return ScaleSettings(PortSettings(str(path)), (1,), dialect, **more)  # type: ignore[arg-type]


def driver(path: Path, dialect: Dialect = Dialect.MT_SICS, **more: object) -> ScaleDriver:
    return ScaleDriver("r", settings(path, dialect, **more), SystemClock())


def told(sink: Collector) -> set[tuple[WeightCondition, float | None]]:
    return {(sample.condition, sample.grams) for sample in sink.weights}


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
async def test_weighs_through_a_pty_whatever_the_wire_does(tmp_path: Path, wire: Wire) -> None:
    before, sink = open_files(), Collector()
    scale = MtSicsScale(Pan(182.5), interval_s=0.02)
    with serial_bench(tmp_path / "port", scale, wire) as bench:
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: len(sink.weights) > 20)
            scale.pan.grams = -7.25
            await sink.until(lambda: (STABLE, -7.25) in told(sink))
        async with asyncio.timeout(20):
            await bench.until(lambda: scale.heard[-1] == "@")
    assert told(sink) == {(STABLE, 182.5), (STABLE, -7.25)}
    assert sink.conditions[0] is ReaderCondition.CONNECTING
    assert sink.conditions[-1] is ReaderCondition.STOPPED
    assert sink.states[-1].antennas == {1: AntennaCondition.UP}
    assert open_files() == before


async def test_a_clock_that_jumps_moves_no_sample(tmp_path: Path) -> None:
    class Jumping(SystemClock):
        """Somebody sets the time of day, again and again."""

        def utc_us(self) -> int:
            return rng.randrange(2**50)

    sink, clock, rng = Collector(), Jumping(), random.Random(1)
    with serial_bench(tmp_path / "port", MtSicsScale(Pan(182.5), interval_s=0.02)):
        begun_us = clock.monotonic_us()
        async with running(ScaleDriver("r", settings(tmp_path / "port"), clock), sink):
            await sink.until(lambda: len(sink.weights) > 20)
        ended_us = clock.monotonic_us()
    stamps = [sample.at_us for sample in sink.weights]
    assert stamps == sorted(stamps)
    assert begun_us <= stamps[0]
    assert stamps[-1] <= ended_us


@pytest.mark.parametrize("how", [Unplugged.CLOSED, pytest.param(Unplugged.HUNG_UP, marks=needs_root)])
async def test_unplugged_and_plugged_in_again(tmp_path: Path, how: Unplugged) -> None:
    before, sink, ours = open_files(), Collector(), driver(tmp_path / "port")
    with serial_bench(tmp_path / "port", MtSicsScale(Pan(1.0))) as bench:
        for grams in (1.0, 2.0, 3.0):
            bench.plug(MtSicsScale(Pan(grams)))
            sink.events.clear()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(ending(ours, sink))
                await sink.until(lambda: bool(sink.weights))
                bench.unplug(how)
            assert (await task).kind == "link_lost"
            assert told(sink) == {(STABLE, grams)}
            assert sink.conditions[-1] is ReaderCondition.FAILED
            assert (await ending(ours, sink)).kind == "no_device"
    assert open_files() == before


@pytest.mark.parametrize("after", ["", "@", "I2", "I3", "SIR"])
async def test_lost_in_each_state(tmp_path: Path, after: str) -> None:
    before, sink = open_files(), Collector()

    class Fragile(MtSicsScale):
        def feed(self, data: bytes) -> list[tuple[float, bytes]]:
            said = super().feed(data)
            if data and after.encode() in data:
                asyncio.get_running_loop().call_soon(bench.unplug)
            return said

    with serial_bench(tmp_path / "port", Fragile(Pan(1.0))) as bench:
        assert (await ending(driver(tmp_path / "port"), sink)).kind == "link_lost"
    assert open_files() == before


async def test_a_different_scale_on_the_same_path_is_quarantined(tmp_path: Path) -> None:
    sink, ours = Collector(), driver(tmp_path / "port")
    with serial_bench(tmp_path / "port", MtSicsScale(Pan(1.0), "A")) as bench:
        async with running(ours, sink):
            await sink.until(lambda: bool(sink.weights))
        sink.events.clear()
        bench.plug(MtSicsScale(Pan(999.0), "B"))
        for _ in range(2):
            fault = await ending(ours, sink)
            assert (fault.kind, "'B'" in fault.text, "'A'" in fault.text) == ("another_device", True, True)
        assert sink.weights == []
        bench.plug(MtSicsScale(Pan(1.0), "A"))
        async with running(ours, sink):
            await sink.until(lambda: bool(sink.weights))
        configured = driver(tmp_path / "port", serial_number="C")
        assert (await ending(configured, sink)).kind == "another_device"


async def test_a_scale_whose_power_fails_goes_on_by_itself(tmp_path: Path) -> None:
    sink, scale = Collector(), MtSicsScale(Pan(5.0), interval_s=0.05)
    with serial_bench(tmp_path / "port", scale) as bench:
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: bool(sink.weights))
            bench.say(scale.power_cycle())
            count = len(sink.weights)
            await sink.until(lambda: len(sink.weights) > count + 3)
    assert told(sink) == {(STABLE, 5.0)}


@pytest.mark.parametrize(
    ("dialect", "poll_s"),
    [
        (Dialect.AND, None),
        (Dialect.AND, 0.05),
        (Dialect.CAS_10, None),
        (Dialect.CAS_18, None),
        (Dialect.CAS_22, None),
        (Dialect.OHAUS, 0.05),
        (Dialect.SARTORIUS, 0.05),
        (Dialect.RADWAG, None),
        (Dialect.HX711, 0.05),
    ],
)
async def test_every_dialect_behind_a_pty(tmp_path: Path, dialect: Dialect, poll_s: float | None) -> None:
    sink = Collector()
    scale = LineScale(Pan(123.4), dialect.value, interval_s=None if poll_s else 0.03)
    with serial_bench(tmp_path / "port", scale, Wire(chunk_bytes=5, random_chunks=True)) as bench:
        ours = driver(tmp_path / "port", dialect, unit=WeightUnit.GRAM, poll_s=poll_s)
        async with running(ours, sink):
            await sink.until(lambda: len(sink.weights) > 5)
            # Without fixed columns, what a line's end in its midst leaves is another number.
            if dialect not in {Dialect.HX711, Dialect.OHAUS}:
                bench.say(b"\x00\xfe boot v2\r\n")
            count = len(sink.weights)
            await sink.until(lambda: len(sink.weights) > count + 3)
    assert {sample.grams for sample in sink.weights} == {123.4}


async def test_a_board_behind_a_pty_that_starts_anew(tmp_path: Path) -> None:
    sink, cells = Collector(), [Cell(1, Pan(5.0)), Cell(2, Pan(3.0), is_input=True)]
    board = ShelfBoard(cells, interval_s=0.03)
    many = ScaleSettings(PortSettings(str(tmp_path / "port")), (1, 2), Dialect.SHELF_LINE)
    with serial_bench(tmp_path / "port", board) as bench:
        ours = ScaleDriver("r", many, SystemClock())
        async with running(ours, sink):
            await sink.until(lambda: len(sink.weights) > 3 and len(sink.inputs) > 3)
            bench.say(board.restart())
            count = len(sink.weights)
            await sink.until(lambda: len(sink.weights) > count + 3)
        board.name = "bay8"
        assert (await ending(ours, Collector())).kind == "another_device"
    assert told(sink) == {(STABLE, 5.0)}
    assert {sample.value for sample in sink.inputs} == {3.0}


async def test_a_layout_of_ones_own_behind_a_pty(tmp_path: Path) -> None:
    sink = Collector()
    profile = LineProfile((2,), separator=";", fields=3, unit_at=(3,), request="?\n")

    class Odd:
        wake_s = None

        def feed(self, data: bytes) -> list[tuple[float, bytes]]:
            return [(0.0, b"W; 12.50 ;kg\n")] * data.count(b"?\n")

    with serial_bench(tmp_path / "port", Odd()):
        ours = driver(tmp_path / "port", Dialect.PROFILE, profile=profile, poll_s=0.05)
        async with running(ours, sink):
            await sink.until(lambda: len(sink.weights) > 3)
    assert told(sink) == {(STABLE, 12_500.0)}


async def test_a_port_with_nothing_behind_it_is_told_as_silent(tmp_path: Path) -> None:
    sink, scale = Collector(), LineScale(Pan(1.0), "and")
    scale.mute = True
    with serial_bench(tmp_path / "port", scale):
        fault = await ending(driver(tmp_path / "port", Dialect.AND, silence_s=0.5), sink)
    assert fault.kind == "silent"
    assert sink.states[-1].fault == fault


async def flood(bench: SerialBench) -> None:
    """A megabyte without a line's end."""
    for _ in range(256):
        bench.say(b"S S 12.0 g " * 372)
        await asyncio.sleep(0)
    bench.say(b"\r\n")


async def test_a_flood_of_junk_is_counted_and_ends(tmp_path: Path) -> None:
    sink = Collector()
    with serial_bench(tmp_path / "port", MtSicsScale(Pan(5.0), interval_s=0.02)) as bench:
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: bool(sink.weights))
            await flood(bench)
            await sink.until(lambda: any(notice.fault.kind == "frame_error" for notice in sink.notices))
            count = len(sink.weights)
            await sink.until(lambda: len(sink.weights) > count + 3)
    assert told(sink) == {(STABLE, 5.0)}


async def test_a_scale_behind_a_device_server() -> None:
    sink, scale = Collector(), MtSicsScale(Pan(5.0), interval_s=0.02)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not sink.weights:
            try:
                async with asyncio.timeout(0.02):
                    data = await reader.read(100)
            except TimeoutError:
                data = b""
            for _, said in scale.feed(data):
                writer.write(said)

    async with peer(serve) as port:
        many = ScaleSettings(PortSettings(f"socket://{HOST}:{port}"), (1,), Dialect.MT_SICS)
        fault = await ending(ScaleDriver("r", many, SystemClock()), sink)
    assert fault.kind == "link_lost"
    assert told(sink) == {(STABLE, 5.0)}
    assert sink.states[-1].address == f"{HOST}:{port}"


def test_the_simulated_board_speaks_the_documented_format() -> None:
    ((_, line),) = ShelfBoard([Cell(0, Pan(512.3)), Cell(1, Pan(1), is_input=True)]).feed(b"")
    assert json.loads(line).keys() == {"v", "id", "seq", "ms", "ch"}
    assert len(line) <= 256
