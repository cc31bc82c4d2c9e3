"""Modbus lines behind a real pty, and beside other people's clients and servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import minimalmodbus
import pytest
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.broker import free_port
from gateway.clock import SystemClock
from readers.modbus.driver import ModbusDriver
from readers.modbus.settings import ModbusChannel, ModbusSettings, Profile, Registers
from readers.model import AntennaCondition, ReaderCondition, WeightCondition, WeightUnit
from readers.port.settings import PortSettings
from simulators.hostile import CLEAN, Wire
from simulators.serial.bench import Unplugged, serial_bench
from simulators.serial.modbus import ModbusLine, Slave, laumas
from simulators.serial.scales import Pan
from tests.peer import HOST, peer
from tests.readers.port.terminal import needs_root
from tests.readers.running import Collector, ending, open_files, running
from tests.rig import eventually

STABLE = WeightCondition.STABLE
WIRES = {
    "clean": CLEAN,
    "single bytes": Wire(chunk_bytes=1),
    "cut and merged": Wire(chunk_bytes=4, random_chunks=True),
    "slow": Wire(delay_s=0.02),
    "noise": Wire(garbage=b"\x01\x03\x0a\xff\x00", garbage_at=40),
}


def driver(path: Path | str, slaves: tuple[int, ...] = (1, 2), *, is_tcp: bool = False) -> ModbusDriver:
    devices = tuple(ModbusChannel(slave, slave, Profile.LAUMAS, unit=WeightUnit.GRAM, decimals=1) for slave in slaves)
    # An answer in pieces a millisecond apart takes its time on a loaded machine.
    settings = ModbusSettings(PortSettings(str(path)), devices, is_tcp, poll_s=0.03, timeout_s=1.0, silence_s=5.0)
    return ModbusDriver("r", settings, SystemClock())


def line() -> ModbusLine:
    return ModbusLine([laumas(1, Pan(100.5)), laumas(2, Pan(-7.0))])


def told(sink: Collector) -> set[tuple[int, WeightCondition, float | None]]:
    return {(sample.channel, sample.condition, sample.grams) for sample in sink.weights}


EVERY = {(1, STABLE, 100.5), (2, STABLE, -7.0)}


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
async def test_weighs_through_a_pty_whatever_the_wire_does(tmp_path: Path, wire: Wire) -> None:
    before, sink = open_files(), Collector()
    with serial_bench(tmp_path / "port", line(), wire):
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: len(sink.weights) > 20)
    assert told(sink) == EVERY
    assert sink.conditions[0] is ReaderCondition.CONNECTING
    assert sink.conditions[-1] is ReaderCondition.STOPPED
    assert sink.states[-1].antennas == dict.fromkeys((1, 2), AntennaCondition.UP)
    assert open_files() == before


async def test_an_adapter_that_hears_what_it_says(tmp_path: Path) -> None:
    sink = Collector()
    echoing = ModbusLine(list(line().slaves.values()), echoes=True)
    with serial_bench(tmp_path / "port", echoing):
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: len(sink.weights) > 10)
    assert told(sink) == EVERY


@pytest.mark.parametrize("how", [Unplugged.CLOSED, pytest.param(Unplugged.HUNG_UP, marks=needs_root)])
async def test_unplugged_and_plugged_in_again(tmp_path: Path, how: Unplugged) -> None:
    before, sink, ours = open_files(), Collector(), driver(tmp_path / "port")
    with serial_bench(tmp_path / "port") as bench:
        for _ in range(3):
            bench.plug(line())
            sink.events.clear()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(ending(ours, sink))
                await sink.until(lambda: told(sink) == EVERY)
                bench.unplug(how)
            assert (await task).kind == "link_lost"
            assert (await ending(ours, sink)).kind == "no_device"
    assert open_files() == before


@pytest.mark.parametrize("asked", [1, 2, 3, 4])
async def test_lost_while_it_is_asked_for_the_nth_time(tmp_path: Path, asked: int) -> None:
    """Its name, then its weights: the port is gone before the answer comes."""
    before, sink = open_files(), Collector()

    class Fragile(ModbusLine):
        def feed(self, data: bytes) -> list[tuple[float, bytes]]:
            said = super().feed(data)
            if sum(slave.asked for slave in self.slaves.values()) == asked:
                asyncio.get_running_loop().call_soon(bench.unplug)
                return []
            return said

    with serial_bench(tmp_path / "port", Fragile(list(line().slaves.values()))) as bench:
        assert (await ending(driver(tmp_path / "port"), sink)).kind == "link_lost"
    assert open_files() == before


async def test_another_transmitter_on_the_same_path_is_quarantined(tmp_path: Path) -> None:
    sink, ours = Collector(), driver(tmp_path / "port", (1,))
    with serial_bench(tmp_path / "port") as bench:
        bench.plug(ModbusLine([laumas(1, Pan(100.5), serial=11)]))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ending(ours, sink))
            await sink.until(lambda: bool(sink.weights))
            bench.unplug()
        assert (await task).kind == "link_lost"
        sink.events.clear()
        bench.plug(ModbusLine([laumas(1, Pan(7.0), serial=12)]))
        assert (await ending(ours, sink)).kind == "another_device"
        assert sink.weights == []
        bench.plug(ModbusLine([laumas(1, Pan(100.5), serial=11)]))
        async with running(ours, sink):
            await sink.until(lambda: (1, STABLE, 100.5) in told(sink))


async def test_a_line_that_falls_silent(tmp_path: Path) -> None:
    sink, devices = Collector(), line()
    settings = ModbusSettings(
        PortSettings(str(tmp_path / "port")),
        (ModbusChannel(1, 1, Profile.LAUMAS, unit=WeightUnit.GRAM, decimals=1),),
        timeout_s=0.1,
        silence_s=0.5,
    )
    with serial_bench(tmp_path / "port", devices):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ending(ModbusDriver("r", settings, SystemClock()), sink))
            await sink.until(lambda: bool(sink.weights))
            devices.slaves[1].dead = True
        assert (await task).kind == "silent"


async def test_a_flood_of_junk_ends(tmp_path: Path) -> None:
    sink = Collector()
    with serial_bench(tmp_path / "port", line()) as bench:
        async with running(driver(tmp_path / "port"), sink):
            await sink.until(lambda: told(sink) == EVERY)
            for _ in range(64):
                bench.say(b"\x01\x03\x0a\x02\x03" * 3200)
                await asyncio.sleep(0)
            await sink.until(lambda: any(notice.fault.kind == "frame_error" for notice in sink.notices))
            sink.events.clear()
            await sink.until(lambda: told(sink) == EVERY)


async def test_another_client_understands_our_simulated_line(tmp_path: Path) -> None:
    """The simulator is judged by somebody who knows neither it nor our driver."""

    def ask() -> tuple[list[int], int]:
        instrument = minimalmodbus.Instrument(str(tmp_path / "port"), 1)
        assert instrument.serial is not None
        instrument.serial.timeout = 5
        try:
            return instrument.read_registers(6, 5), instrument.read_bit(3)
        finally:
            instrument.serial.close()

    device = laumas(1, Pan(100.5))
    device.inputs = lambda: {3: True}
    with serial_bench(tmp_path / "port", ModbusLine([device])):
        assert await asyncio.to_thread(ask) == ([0x0800, 0, 1005, 0, 1005], 1)


@asynccontextmanager
async def pymodbus_server(port: int = 0, product: str = "") -> AsyncIterator[int]:
    """Somebody else's device: the registers of a LAUMAS transmitter, and a temperature; what it calls itself."""
    holding = SimData(6, values=[0x0800, 0, 1005, 0, 1000], datatype=DataType.REGISTERS)
    inputs = SimData(0, values=[215], datatype=DataType.REGISTERS)
    no_bits = SimData(0, values=[False] * 16, datatype=DataType.BITS)
    device = SimDevice(1, simdata=([no_bits], [no_bits], [holding], [inputs]))
    itself = ModbusDeviceIdentification(info_name={"VendorName": "Acme", "ProductCode": product})
    server = ModbusTcpServer(device, address=("127.0.0.1", port), identity=itself)
    await server.listen()
    try:
        yield server.transport.sockets[0].getsockname()[1]
        # Its end of the connection is closed by the loop, which must live until then.
        await eventually(lambda: not server.active_connections)
    finally:
        await server.shutdown()


async def test_somebody_elses_server_over_tcp() -> None:
    sink = Collector()
    async with pymodbus_server() as port:
        settings = ModbusSettings(
            PortSettings(f"socket://127.0.0.1:{port}"),
            (
                ModbusChannel(1, 1, Profile.LAUMAS, unit=WeightUnit.GRAM, decimals=1),
                ModbusChannel(2, 1, Profile.TEMPERATURE, address=0, registers=Registers.INPUT, scale=0.1),
            ),
            is_tcp=True,
        )
        async with running(ModbusDriver("r", settings, SystemClock()), sink):
            await sink.until(lambda: len(sink.weights) > 5 and len(sink.inputs) > 5)
    assert told(sink) == {(1, STABLE, 100.5)}
    assert {sample.value for sample in sink.inputs} == {21.5}
    assert sink.notices == []


async def test_somebody_elses_server_is_told_from_another_one_by_its_identification() -> None:
    port, sink = free_port(HOST), Collector()
    temperature = ModbusChannel(2, 1, Profile.TEMPERATURE, address=0, registers=Registers.INPUT, scale=0.1)
    settings = ModbusSettings(PortSettings(f"socket://{HOST}:{port}"), (temperature,), is_tcp=True, silence_s=0.5)
    ours = ModbusDriver("r", settings, SystemClock())
    async with pymodbus_server(port, "T-4"), running(ours, sink):
        await sink.until(lambda: bool(sink.inputs))
    sink.events.clear()
    async with pymodbus_server(port, "T-5"):
        fault = await ending(ours, sink)
    assert (fault.kind, [sample for sample in sink.inputs if sample.value is not None]) == ("another_device", [])
    assert "'Acme T-5', not 'Acme T-4'" in fault.text
    async with pymodbus_server(port, "T-4"), running(ours, sink):
        await sink.until(lambda: any(sample.value == 21.5 for sample in sink.inputs))


async def test_what_is_no_modbus_tcp_is_told_so() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        await reader.read()

    async with peer(serve) as port:
        fault = await ending(driver(f"socket://{HOST}:{port}", is_tcp=True), Collector())
    assert fault.kind == "frame_error"
    assert "Modbus TCP" in fault.text


async def test_slots_of_a_pusher_tray_behind_a_pty(tmp_path: Path) -> None:
    sink, bits = Collector(), dict.fromkeys(range(8), True)
    devices = tuple(ModbusChannel(at, 5, Profile.INPUTS, address=at) for at in range(8))
    settings = ModbusSettings(PortSettings(str(tmp_path / "port")), devices, poll_s=0.02)
    with serial_bench(tmp_path / "port", ModbusLine([Slave(5, inputs=lambda: bits)])):
        async with running(ModbusDriver("r", settings, SystemClock()), sink):
            await sink.until(lambda: {sample.channel for sample in sink.inputs} == set(range(8)))
            bits[7] = False
            await sink.until(lambda: any(sample.value == 0.0 for sample in sink.inputs))
    assert {sample.channel for sample in sink.inputs if sample.value == 0.0} == {7}
