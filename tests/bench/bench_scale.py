"""A full shop for a while: 50 readers at 1,000 reads/s each on one core, then all of them cut at once.

Reads lost, how long keepalives waited for their answer, the lag of the event loop, and how long it takes until all
read again. The readers have a process and a core of their own; they count what they send.
`python -m tests.bench.bench_scale 600` measures for ten minutes.
"""

import asyncio
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import NamedTuple

from config.loader import parse
from gateway.clock import SystemClock
from gateway.daemon import Gateway, open_gateway
from gateway.tasks import beside
from readers.model import ReaderCondition
from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.personality import Flood, Personality
from simulators.llrp.server import ReaderServer, serve_reader
from tests.bench.bench_line import configuration, pin_to

READERS = 50
READS_PER_S = 1_000
REPORTS_PER_MESSAGE = 20
TAGS = 1_000
MEASURE_S = 60.0
SETTLE_LIMIT_S = 60.0
# The lag is looked at this often: a keepalive or a click on the status page waits as long.
PROBE_S = 0.01
QUIET_S = 1.0


class Count(NamedTuple):
    """What the readers know: reads sent, the slowest acknowledgement, connections so far."""

    sent_reads: int
    slowest_ack_us: int
    connections: int


def count(servers: list[ReaderServer]) -> Count:
    devices = [server.device for server in servers]
    return Count(
        sum(device.operations.flooded_reads for device in devices),
        max(device.slowest_ack_us for device in devices),
        sum(server.connections for server in servers),
    )


def obey(command: str, servers: list[ReaderServer]) -> None:
    for server in servers:
        match command:
            case "cut":
                server.cut()
            case "freeze":
                server.freeze()


def serve_shop(pipe: Connection) -> None:
    """The readers' process: sends its ports, then answers each command with a count until the pipe is closed."""
    pin_to(1)

    async def serve() -> None:
        personality = Personality(flood=Flood(READS_PER_S, REPORTS_PER_MESSAGE, TAGS), unacknowledged_keepalives=2)
        async with AsyncExitStack() as stack:
            servers = [
                await stack.enter_async_context(serve_reader(ReaderDevice(FixedField({}), personality)))
                for _ in range(READERS)
            ]
            pipe.send([server.port for server in servers])
            loop, told = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(pipe.fileno(), told.set)
            with suppress(EOFError):
                while True:
                    await told.wait()
                    told.clear()
                    while pipe.poll():
                        obey(pipe.recv(), servers)
                        pipe.send(count(servers))
            loop.remove_reader(pipe.fileno())

    asyncio.run(serve())


class Shop:
    """The readers from the gateway's side of the pipe."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve_shop, args=(theirs,))
        self._process.start()
        theirs.close()
        self.ports: list[int] = self._pipe.recv()

    def say(self, command: str) -> Count:
        self._pipe.send(command)
        counted: Count = self._pipe.recv()
        return counted

    def close(self) -> None:
        self._pipe.close()
        self._process.join(5)
        self._process.terminate()
        self._process.join()


async def probe(lags_s: list[float]) -> None:
    """Write down how late the loop wakes whoever sleeps."""
    while True:
        due_s = time.perf_counter() + PROBE_S
        await asyncio.sleep(PROBE_S)
        lags_s.append(time.perf_counter() - due_s)


def received(gateway: Gateway) -> dict[str, int]:
    return {name: member.reads for name, member in gateway.fleet.members.items()}


async def all_read(gateway: Gateway, since: dict[str, int]) -> None:
    """Until every reader is reading and has delivered something more."""
    async with asyncio.timeout(SETTLE_LIMIT_S):
        while not all(
            member.state.condition is ReaderCondition.READING and member.reads > since.get(name, 0)
            for name, member in gateway.fleet.members.items()
        ):
            await asyncio.sleep(PROBE_S)


async def storm(gateway: Gateway, shop: Shop) -> float:
    """All are cut at once; seconds until all read again."""
    cut_s, before = time.perf_counter(), received(gateway)
    shop.say("cut")
    async with asyncio.timeout(SETTLE_LIMIT_S):
        while any(member.state.condition is ReaderCondition.READING for member in gateway.fleet.members.values()):
            if all(member.failures for member in gateway.fleet.members.values()):
                break
            await asyncio.sleep(0)
    await all_read(gateway, before)
    return time.perf_counter() - cut_s


async def measured(shop: Shop, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        config = parse(configuration(shop.ports), Path(folder, "bench.toml"))
        async with open_gateway(config, SystemClock(), Random(1)) as gateway:
            started, stop = asyncio.Event(), asyncio.Event()
            async with beside(gateway.run(started.set, stop)):
                await started.wait()
                began_s = time.perf_counter()
                await all_read(gateway, {})
                figures = {"first_s": time.perf_counter() - began_s}
                lags_s: list[float] = []
                cpu_s, wall_s, reads = time.process_time(), time.perf_counter(), sum(received(gateway).values())
                async with beside(probe(lags_s)):
                    await asyncio.sleep(seconds)
                wall_s = time.perf_counter() - wall_s
                lags_s.sort()
                figures |= {
                    "reads_per_s": (sum(received(gateway).values()) - reads) / wall_s,
                    "cpu": (time.process_time() - cpu_s) / wall_s,
                    "lag_p50_ms": lags_s[len(lags_s) // 2] * 1000,
                    "lag_p99_ms": lags_s[len(lags_s) * 99 // 100] * 1000,
                    "lag_max_ms": lags_s[-1] * 1000,
                }
                # Held still for a moment, both sides can be compared to the read.
                counted = shop.say("freeze")
                await asyncio.sleep(QUIET_S)
                figures |= {
                    "lost_reads": counted.sent_reads - sum(received(gateway).values()),
                    "dropped_reads": sum(gateway.intake.dropped.values()),
                    "slowest_ack_ms": counted.slowest_ack_us / 1000,
                    "reconnects": counted.connections - READERS,
                }
                stop.set()
    return figures


async def stormed(shop: Shop) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        config = parse(configuration(shop.ports), Path(folder, "bench.toml"))
        async with open_gateway(config, SystemClock(), Random(1)) as gateway:
            started, stop = asyncio.Event(), asyncio.Event()
            async with beside(gateway.run(started.set, stop)):
                await started.wait()
                await all_read(gateway, {})
                figures = {"storm_s": await storm(gateway, shop), "second_storm_s": await storm(gateway, shop)}
                stop.set()
    return figures


def run(seconds: float = MEASURE_S) -> dict[str, float]:
    logging.disable()  # fifty readers that are cut on purpose are not news
    pin_to(0)
    figures: dict[str, float] = {}
    for measure in (lambda shop: measured(shop, seconds), stormed):
        shop = Shop()
        try:
            figures |= asyncio.run(measure(shop))
        finally:
            shop.close()
    for name, value in figures.items():
        print(f"{name:>16} {value:>12,.2f}", flush=True)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    logging.disable(logging.NOTSET)
    return figures


if __name__ == "__main__":
    run(float(sys.argv[1]) if len(sys.argv) > 1 else MEASURE_S)
