"""Acknowledged deltas a second, from the ledger through the window to a real Mosquitto and back, beside what
paho-mqtt alone reaches with the same payloads on the same broker, as many in flight.

Also the CPU time a delta, all threads together: what else runs on the machine disturbs that less.
"""

import asyncio
import statistics
import tempfile
import threading
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from config.loader import parse
from gateway.broker import free_port
from gateway.clock import SystemClock
from gateway.daemon import open_gateway
from gateway.domain.delta import Change, Step
from gateway.domain.items import Cause
from gateway.ledger import open_ledger
from gateway.ledger_group import Commit
from gateway.ledger_rows import encode_delta
from gateway.tasks import beside
from tests.broker import Broker

HOST = "127.0.0.1"
DELTAS = 100_000
STEPS_PER_COMMIT = 1_000
ROUNDS = 3
# Mosquitto's own default is 20; both sides get the same.
BROKER = ("max_inflight_messages 100", "max_queued_messages 0")
IN_FLIGHT = 100
# paho names what waits by packet identifiers, of which there are 65,535.
PAHO_WAITING = 20_000


class Drain(NamedTuple):
    """How fast deltas were delivered."""

    per_s: float
    cpu_us: float
    """A delta."""


class Watch:
    """Starts when it is made."""

    def __init__(self) -> None:
        self._began_s, self._began_cpu_s = time.perf_counter(), time.process_time()

    def read(self, deltas: int) -> Drain:
        """So many were delivered since."""
        cpu_s = time.process_time() - self._began_cpu_s
        return Drain(deltas / (time.perf_counter() - self._began_s), cpu_s / deltas * 1e6)


def step(number: int) -> Step:
    change = Change(f"{number % 500:014d}", "floor", "sellable_accessible", 1, number + 1, 1, stale=False)
    return Step((change,), {Cause.ARRIVED: 1})


async def fill(path: Path, site: str) -> None:
    async with open_ledger(path, site, "gw-1", max_bytes=10**9, utc_us=10**15) as ledger, beside(ledger.run()):
        for first in range(0, DELTAS, STEPS_PER_COMMIT):
            steps = [step(number) for number in range(first, first + STEPS_PER_COMMIT)]
            await ledger.commit(Commit(1, steps=steps))


async def ours(folder: Path, port: int) -> Drain:
    """A backlog of an outage, drained: from the first PUBACK to the last."""
    folder.mkdir()
    # Another store each round: the broker remembers the one before.
    site = f"bench-{folder.name}"
    await fill(folder / "ledger.db", site)
    text = (
        f'[site]\nid = "{site}"\ngateway = "gw-1"\n[mqtt]\nurl = "mqtt://{HOST}:{port}"\n'
        f'[ledger]\npath = "ledger.db"\n[http]\nlisten = "{HOST}:0"\n[[zones]]\nid = "floor"\nkind = "sales_floor"'
    )
    async with open_gateway(parse(text, folder / "bench.toml"), SystemClock(), Random(1)) as gateway:
        started, stop = asyncio.Event(), asyncio.Event()
        async with beside(gateway.run(started.set, stop)):
            while not gateway.sender.window.acknowledged:
                await asyncio.sleep(0.001)
            watch, first = Watch(), gateway.sender.window.acknowledged
            await gateway.sender.drained()
            drain = watch.read(DELTAS - first)
            stop.set()
    return drain


def theirs(port: int) -> Drain:
    """paho with its own thread, publishing the same bytes; its own limit keeps as many in flight."""
    payloads = [encode_delta(step(number), "bench-epoch", number + 1, 1) for number in range(DELTAS)]
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(IN_FLIGHT)
    client.max_queued_messages_set(0)
    connected, done, room = threading.Event(), threading.Event(), threading.Semaphore(PAHO_WAITING)
    acknowledged = 0

    def count(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        room.release()
        if acknowledged == DELTAS:
            done.set()

    client.on_connect = lambda *_: connected.set()
    client.on_publish = count
    client.connect(HOST, port)
    client.loop_start()
    connected.wait()
    watch = Watch()
    for payload in payloads:
        room.acquire()
        client.publish("bench/delta", payload, qos=1)
    done.wait()
    drain = watch.read(DELTAS)
    client.disconnect()
    client.loop_stop()
    return drain


async def rounds() -> list[tuple[Drain, Drain]]:
    found = []
    with tempfile.TemporaryDirectory() as name:
        async with Broker(Path(name), port=free_port(HOST), extra=BROKER) as broker:
            for number in range(ROUNDS):
                gateway = await ours(Path(name, str(number)), broker.port)
                paho = await asyncio.to_thread(theirs, broker.port)
                print(
                    f"round {number + 1}: gateway {gateway.per_s:>8,.0f}/s {gateway.cpu_us:>4.0f} us, "
                    f"paho alone {paho.per_s:>8,.0f}/s {paho.cpu_us:>4.0f} us, {gateway.per_s / paho.per_s:.2f}",
                    flush=True,
                )
                found.append((gateway, paho))
    return found


def run() -> dict[str, float]:
    found = asyncio.run(rounds())
    return {
        "deltas_per_s": statistics.median(gateway.per_s for gateway, _ in found),
        "paho_alone_per_s": statistics.median(paho.per_s for _, paho in found),
        "ratio": statistics.median(gateway.per_s / paho.per_s for gateway, paho in found),
        "cpu_ratio": statistics.median(paho.cpu_us / gateway.cpu_us for gateway, paho in found),
    }


if __name__ == "__main__":
    run()
