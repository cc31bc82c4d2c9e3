"""Eight serial ports at the full rate of 115200 baud: what share of a core their drivers take, and whether all arrives.

The devices live in a process of their own, behind ptys, and are heard as through a USB adapter: what has gathered for
16 ms comes at once.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clock import SystemClock
from readers.driver import Driver
from readers.m100.driver import M100Driver
from readers.m100.settings import M100Settings, Region
from readers.model import ReadBatch, ReaderEvent, ReaderNotice, WeightSample
from readers.port.settings import PortSettings
from readers.scales.driver import ScaleDriver
from readers.scales.settings import Dialect, ScaleSettings
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.serial.bench import SerialDevice, serial_bench
from simulators.serial.m100 import Habits, M100Device
from simulators.serial.scales import Cell, Pan, ShelfBoard

PORTS = 8
# 115200 baud, ten bits a character.
BYTES_PER_S = 11_520
# Shorter than the line can carry: the line is what sets the pace.
SAYS_EVERY_S = 0.002
# What adapters of FTDI are set to.
LATENCY_S = 0.016
SECONDS = 30.0
WARM_UP_S = 2.0
TAGS = [bytes([0x30, 0x14]) + bytes(8) + number.to_bytes(2, "big") for number in range(4)]


def device(kind: str) -> SerialDevice:
    if kind == "m100":
        # Four frames of 24 bytes: 12 bytes of EPC each.
        return M100Device(FixedField({1: TAGS}), WallClock(), Habits(round_s=SAYS_EVERY_S))
    # A line of about 115 bytes.
    return ShelfBoard([Cell(1, Pan(512.3)), Cell(2, Pan(77.0))], "bay-number-07", interval_s=SAYS_EVERY_S)


async def devices(kind: str, folder: str) -> None:
    """The other process: eight devices until its input is closed."""
    with contextlib.ExitStack() as stack:
        for port in range(PORTS):
            stack.enter_context(
                serial_bench(
                    Path(folder) / f"{kind}-{port}", device(kind), bytes_per_s=BYTES_PER_S, latency_s=LATENCY_S
                )
            )
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextlib.contextmanager
def other_process(kind: str, folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.bench.bench_serial", kind, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            process.communicate("")


def driver(kind: str, path: Path) -> Driver:
    port = PortSettings(str(path))
    if kind == "m100":
        return M100Driver(path.name, M100Settings(port, (1,), Region.EU, 20.0, dwell_s=30.0), SystemClock())
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
    """`share` of one core; `values_per_s` weights or tags of each port; `notices`: whatever was lost or odd."""

    share: float
    values_per_s: list[float]
    notices: list[str]


async def measure(kind: str, seconds: float) -> Measured:
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, other_process(kind, Path(folder)):
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(driver(kind, Path(folder) / f"{kind}-{port}").run(tally.put)) for port in range(PORTS)
            ]
            await asyncio.sleep(WARM_UP_S)
            before = dict(tally.values)
            cpu_s, wall_s = time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
            after = dict(tally.values)
            for task in tasks:
                task.cancel()
    rates = [(after[name] - before.get(name, 0)) / wall_s for name in sorted(after)]
    return Measured(cpu_s / wall_s, rates, tally.notices)


def run() -> dict[str, float]:
    figures: dict[str, float] = {}
    for kind, unit in (("shelf_line", "weights"), ("m100", "tags")):
        found = asyncio.run(measure(kind, SECONDS))
        total = sum(found.values_per_s)
        print(
            f"{kind:10} {PORTS} ports, {total:8,.0f} {unit}/s, {found.share:6.1%} of a core"
            f"  {'nothing lost' if not found.notices else found.notices}"
        )
        figures |= {f"{kind}_share": found.share, f"{kind}_{unit}_per_s": total}
    return figures


if __name__ == "__main__":
    asyncio.run(devices(sys.argv[1], sys.argv[2]))
