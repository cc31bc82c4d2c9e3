"""Socket to item state: the whole daemon on one core, flooded by simulated readers in a process of their own.

Tags are known when the measuring begins. What counts is what has reached an item, not what was received. Reads that
the queue dropped under the flood cost time and are not counted.
"""

import asyncio
import logging
import multiprocessing
import os
import tempfile
import time
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from config.loader import parse
from gateway.broker import free_port
from gateway.clock import SystemClock
from gateway.daemon import Gateway, open_gateway
from gateway.tasks import beside
from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.personality import Flood, Personality
from simulators.llrp.server import serve_reader

HOST = "127.0.0.1"
REPORTS_PER_MESSAGE = 20
# Every tag must count before the clock starts, and the first rush must be over.
KNOWN_LIMIT_S = 90.0
WARM_UP_S = 3.0
MEASURE_S = 8.0
LAG_EVERY_S = 0.01
CASES = ((1, 1_000), (10, 1_000), (50, 1_000), (1, 100_000), (10, 10_000))


def serve_floods(readers: int, tags: int, ports: Connection) -> None:
    """The readers' process: sends its ports, then floods until the pipe is closed."""
    pin_to(1)

    async def serve() -> None:
        flood = Flood(None, REPORTS_PER_MESSAGE, tags)
        async with AsyncExitStack() as stack:
            servers = [
                await stack.enter_async_context(serve_reader(ReaderDevice(FixedField({}), Personality(flood=flood))))
                for _ in range(readers)
            ]
            ports.send([server.port for server in servers])
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(ports.fileno(), ended.set)
            await ended.wait()
            loop.remove_reader(ports.fileno())

    asyncio.run(serve())


def pin_to(core: int) -> None:
    """Readers and gateway each have a core, where there are two."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


def configuration(ports: list[int]) -> str:
    """A gateway with these readers, its ledger in memory's reach, its broker built in."""
    lines = [
        '[site]\nid = "bench"\ngateway = "gw-1"',
        f'[mqtt]\nurl = "embedded://{HOST}:{free_port(HOST)}"',
        f'[ledger]\npath = "ledger.db"\n[http]\nlisten = "{HOST}:0"',
        '[[zones]]\nid = "floor"\nkind = "sales_floor"\n[[zones]]\nid = "back"\nkind = "backroom"',
    ]
    for number, port in enumerate(ports):
        lines.append(
            f'[[readers]]\nid = "reader-{number}"\ndriver = "llrp"\nurl = "llrp://{HOST}:{port}"\n'
            'antennas = { 1 = "floor", 2 = "floor", 3 = "floor", 4 = "floor" }'
        )
    return "\n".join(lines)


class LagMeter:
    """How late the loop is, asked a hundred times a second."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []

    async def run(self) -> None:
        while True:
            due_s = time.perf_counter() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.lags_s.append(max(0.0, time.perf_counter() - due_s))

    def p99_ms(self) -> float:
        return sorted(self.lags_s)[len(self.lags_s) * 99 // 100] * 1000


def ingested(gateway: Gateway) -> int:
    """Reads that have reached an item."""
    received = sum(member.reads for member in gateway.fleet.members.values())
    return received - gateway.intake.waiting_reads - sum(gateway.intake.dropped.values())


async def flooded(ports: list[int], tags: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        config = parse(configuration(ports), Path(folder, "bench.toml"))
        async with open_gateway(config, SystemClock(), Random(1)) as gateway:
            started, stop = asyncio.Event(), asyncio.Event()
            async with beside(gateway.run(started.set, stop)):
                await started.wait()
                async with asyncio.timeout(KNOWN_LIMIT_S):
                    while sum(row.quantity for row in gateway.stock) < tags:
                        await asyncio.sleep(0.1)
                await asyncio.sleep(WARM_UP_S)
                gateway.health.worst_lag_s = 0.0
                reads, cpu_s, wall_s = ingested(gateway), time.process_time(), time.perf_counter()
                dropped = sum(gateway.intake.dropped.values())
                meter = LagMeter()
                async with beside(meter.run()):
                    await asyncio.sleep(MEASURE_S)
                wall_s = time.perf_counter() - wall_s
                figures = {
                    "reads_per_s": (ingested(gateway) - reads) / wall_s,
                    "cpu": (time.process_time() - cpu_s) / wall_s,
                    "dropped_share": (sum(gateway.intake.dropped.values()) - dropped)
                    / max(1, ingested(gateway) - reads),
                    "p99_lag_ms": meter.p99_ms(),
                    "worst_lag_ms": gateway.health.worst_lag_s * 1000,
                }
                stop.set()
    return figures


def measure(readers: int, tags: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve_floods, args=(readers, tags, theirs))
    process.start()
    theirs.close()
    try:
        return asyncio.run(flooded(ours.recv(), tags))
    finally:
        ours.close()
        process.terminate()
        process.join()


def run() -> dict[str, float]:
    logging.disable()  # that reads are dropped under a flood is measured here, not news
    pin_to(0)
    figures: dict[str, float] = {}
    print(f"{'readers':>8} {'tags':>8} {'reads/s':>12} {'cpu':>5} {'dropped':>8} {'p99 lag':>8} {'worst lag':>10}")
    for readers, tags in CASES:
        case = measure(readers, tags)
        print(
            f"{readers:>8} {tags:>8} {case['reads_per_s']:>12,.0f} {case['cpu']:>5.2f} "
            f"{case['dropped_share']:>8.2f} {case['p99_lag_ms']:>5.0f} ms {case['worst_lag_ms']:>7.0f} ms",
            flush=True,
        )
        figures |= {f"{readers}x{tags}.{name}": value for name, value in case.items()}
    ratio = figures["1x100000.reads_per_s"] / figures["1x1000.reads_per_s"]
    print(f"100,000 tags against 1,000: {ratio:.2f}")
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    logging.disable(logging.NOTSET)
    return figures | {"ratio_100000_to_1000": ratio}


if __name__ == "__main__":
    run()
