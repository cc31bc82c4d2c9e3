"""Eight serial ports at the full rate of 115200 baud: what share of a core their drivers take, and whether all arrives.

The devices live in a process of their own, behind ptys, and are heard as through a USB adapter: what has gathered for
16 ms comes at once. Bytes are counted on both sides, from the first one to the last. Modbus lines are asked, and so
never full: they are asked as often as such an adapter lets them.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from gateway.clock import SystemClock
from readers.driver import Driver
from readers.m100.driver import M100Driver
from readers.m100.settings import M100Settings, Region
from readers.modbus.driver import ModbusDriver
from readers.modbus.settings import ModbusChannel, ModbusSettings, Profile
from readers.model import Fault, ReadBatch, ReaderEvent, ReaderNotice, WeightSample, WeightUnit
from readers.port import link
from readers.port.port import Port, open_port
from readers.port.settings import LineFormat, PortSettings
from readers.scales.driver import ScaleDriver
from readers.scales.settings import Dialect, ScaleSettings
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.serial.bench import SerialDevice, serial_bench
from simulators.serial.m100 import Habits, M100Device
from simulators.serial.modbus import ModbusLine, laumas
from simulators.serial.scales import Cell, Pan, ShelfBoard

PORTS = 8
# 115200 baud, ten bits a character.
BYTES_PER_S = 11_520
# Shorter than the line can carry: the line is what sets the pace.
SAYS_EVERY_S = 0.002
# At most as often is a Modbus device asked.
ASKED_EVERY_S = 0.02
# What adapters of FTDI are set to.
LATENCY_S = 0.016
SECONDS = 30.0
WARM_UP_S = 2.0
# What was said last is heard within this time, or was lost.
LATEST_S = 2.0
TAGS = [bytes([0x30, 0x14]) + bytes(8) + number.to_bytes(2, "big") for number in range(4)]


def device(kind: str) -> SerialDevice:
    if kind == "m100":
        # Four frames of 24 bytes: 12 bytes of EPC each.
        return M100Device(FixedField({1: TAGS}), WallClock(), Habits(round_s=SAYS_EVERY_S))
    if kind == "modbus":
        return ModbusLine([laumas(1, Pan(512.3))])
    # A line of about 115 bytes, once the board may speak.
    board = ShelfBoard([Cell(1, Pan(512.3)), Cell(2, Pan(77.0))], "bay-number-07", interval_s=SAYS_EVERY_S)
    board.mute = True
    return board


async def devices(kind: str, folder: str) -> None:
    """The other process: eight devices that begin to speak at a word, and at the next tell what they have said."""
    with contextlib.ExitStack() as stack:
        benches = [
            stack.enter_context(
                serial_bench(
                    Path(folder) / f"{kind}-{port}", device(kind), bytes_per_s=BYTES_PER_S, latency_s=LATENCY_S
                )
            )
            for port in range(PORTS)
        ]
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for bench in benches:
            if isinstance(bench.device, ShelfBoard):
                bench.device.mute = False
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps([await bench.drain() for bench in benches]), flush=True)
        await asyncio.to_thread(sys.stdin.read)


@dataclass(frozen=True)
class Others:
    """The other process, as seen from this one."""

    process: subprocess.Popen[str]

    def go(self) -> None:
        """Whatever speaks by itself begins."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def hush(self) -> list[int]:
        """All fall silent; how many bytes each has said."""
        self.go()
        return [int(count) for count in json.loads(self.read())]

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextlib.contextmanager
def other_process(kind: str, folder: Path) -> Iterator[Others]:
    command = [sys.executable, "-m", "tests.bench.bench_serial", kind, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        others = Others(process)
        assert others.read() == "ready\n"
        try:
            yield others
        finally:
            process.communicate("")


@contextlib.contextmanager
def counted_ports(received: dict[str, int]) -> Iterator[None]:
    """While the context lasts, every port that is opened adds up the bytes that come, by its name."""

    async def counted(
        settings: PortSettings, usual: LineFormat, on_data: Callable[[bytes], None], on_lost: Callable[[Fault], None]
    ) -> Port:
        name = Path(settings.address).name

        def count(data: bytes) -> None:
            received[name] += len(data)
            on_data(data)

        port = await open_port(settings, usual, count, on_lost)
        received[name] = 0
        return port

    with patch.object(link, "open_port", counted):
        yield


def driver(kind: str, path: Path) -> Driver:
    port = PortSettings(str(path))
    if kind == "m100":
        return M100Driver(path.name, M100Settings(port, (1,), Region.EU, 20.0, dwell_s=30.0), SystemClock())
    if kind == "modbus":
        scale = ModbusChannel(1, 1, Profile.LAUMAS, unit=WeightUnit.GRAM, decimals=1)
        return ModbusDriver(path.name, ModbusSettings(port, (scale,), poll_s=ASKED_EVERY_S), SystemClock())
    return ScaleDriver(path.name, ScaleSettings(port, (1, 2), Dialect.SHELF_LINE), SystemClock())


@dataclass
class Tally:
    """The sink of all drivers."""

    values: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def put(self, event: ReaderEvent) -> None:
        if isinstance(event, WeightSample):
            self.values[event.reader] = self.values.get(event.reader, 0) + 1
        elif isinstance(event, ReadBatch):
            self.values[event.reader] = self.values.get(event.reader, 0) + sum(read[5] for read in event.reads)
        elif isinstance(event, ReaderNotice):
            self.notices.append(f"{event.fault.kind}: {event.fault.text}")


@dataclass(frozen=True)
class Measured:
    """`share` of one core; `values_per_s` weights or tags of each port, `line_share` of what its line can carry;
    `said` and `heard` bytes of each port, from the first to the last; `notices`: whatever was lost or odd.
    """

    share: float
    values_per_s: list[float]
    line_share: list[float]
    said: list[int]
    heard: list[int]
    notices: list[str]


async def measure(kind: str, seconds: float) -> Measured:
    tally, received = Tally(), dict[str, int]()
    with (
        tempfile.TemporaryDirectory() as folder,
        other_process(kind, Path(folder)) as others,
        counted_ports(received),
    ):
        async with asyncio.TaskGroup() as group:
            names = [f"{kind}-{port}" for port in range(PORTS)]
            tasks = [group.create_task(driver(kind, Path(folder) / name).run(tally.put)) for name in names]
            while len(received) < PORTS:
                await asyncio.sleep(LATENCY_S)
            others.go()
            await asyncio.sleep(WARM_UP_S)
            before, bytes_before = dict(tally.values), dict(received)
            cpu_s, wall_s = time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
            after, bytes_after = dict(tally.values), dict(received)
            said = await asyncio.to_thread(others.hush)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LATEST_S):
                    while [received[name] for name in names] != said:
                        await asyncio.sleep(LATENCY_S)
            heard = [received[name] for name in names]
            for task in tasks:
                task.cancel()
    rates = [(after[name] - before.get(name, 0)) / wall_s for name in names]
    filled = [(bytes_after[name] - bytes_before[name]) / wall_s / BYTES_PER_S for name in names]
    return Measured(cpu_s / wall_s, rates, filled, said, heard, tally.notices)


def run() -> dict[str, float]:
    figures: dict[str, float] = {}
    for kind, unit in (("shelf_line", "weights"), ("m100", "tags"), ("modbus", "weights")):
        found = asyncio.run(measure(kind, SECONDS))
        total = sum(found.values_per_s)
        print(
            f"{kind:10} {PORTS} ports at {min(found.line_share):.0%} of their rate, {total:8,.0f} {unit}/s, "
            f"{found.share:6.1%} of a core, {sum(found.said) - sum(found.heard)} of {sum(found.said):,} bytes lost"
            f"  {found.notices or ''}"
        )
        figures |= {f"{kind}_share": found.share, f"{kind}_{unit}_per_s": total}
    return figures


if __name__ == "__main__":
    asyncio.run(devices(sys.argv[1], sys.argv[2]))
