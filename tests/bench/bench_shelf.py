"""Shelves that weigh: wrong counts on simulated shelves, and how long a piece takes from the hand to the ledger.

Simulated, not measured in a shop: the figures tell where counting by weight ends, not how a shop does.
"""

import asyncio
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from statistics import median, quantiles

from config.loader import parse
from gateway.broker import free_port
from gateway.clock import SystemClock
from gateway.daemon import Gateway, open_gateway
from gateway.tasks import beside
from simulators.serial.bench import serial_bench
from simulators.serial.scales import MtSicsScale, Pan
from simulators.shelf import Goods, Habits
from tests.weighing import GTINS, Score, goods, score

HOST = "127.0.0.1"
SEEDS = range(1, 6)
HOURS = 2.0
THREE = [goods(250, pieces=8), goods(180, pieces=8, product=1), goods(411, pieces=8, product=2)]
CASES: dict[str, tuple[list[Goods], Habits]] = {
    "250 g, varies 1 %, noise 1 g": ([goods(250)], Habits()),
    "  varies 5 %": ([goods(250, 0.05)], Habits()),
    "  noise 5 g": ([goods(250)], Habits(noise_g=5)),
    "  drift of 100 g": ([goods(250)], Habits(drift_g=100)),
    "  300 events an hour": ([goods(250)], Habits(events_per_hour=300)),
    "  restocked by sixes": ([goods(250)], Habits(restock=6)),
    "30 g, noise 1 g": ([goods(30)], Habits()),
    "12 g, noise 1 g": ([goods(12)], Habits()),
    "12 g, noise 0.3 g": ([goods(12)], Habits(noise_g=0.3)),
    "250 g, varies 10 %": ([goods(250, 0.1)], Habits()),
    "250 and 180 g mixed": ([goods(250, pieces=8), goods(180, pieces=8, product=1)], Habits()),
    "100 and 200 g mixed": ([goods(100, pieces=8), goods(200, pieces=8, product=1)], Habits()),
    "250, 180 and 411 g mixed": (THREE, Habits()),
    "  20 events an hour": (THREE, Habits(events_per_hour=20, touches_per_hour=10, leans_per_hour=1)),
}
PIECES = 25
UNIT_G = 182.0
# A hand is on the shelf for so long, and a customer every so often.
HAND_S = 0.6
PAUSE_S = 2.5


def simulated() -> dict[str, float]:
    """Wrong counts at quiet moments. Nothing is timed here, so all cores may help."""
    figures = {}
    with ProcessPoolExecutor() as pool:
        for name, total in zip(CASES, pool.map(scored, CASES), strict=True):
            print(
                f"{name:<29} wrong {total.wrong:>4} of {total.looks:>4}, confirmed and wrong {total.misled:>4}, "
                f"not confirmed {total.unconfirmed:>4}, {median(total.delays_s):.2f} s after the hand",
                flush=True,
            )
            figures[f"wrong {name.strip()}"] = total.wrong / total.looks
    return figures


def scored(name: str) -> Score:
    """One of CASES, all seeds together."""
    total = Score()
    for seed in SEEDS:
        total += score(*CASES[name], seed, HOURS)
    return total


async def latency() -> list[float]:
    """Seconds from the hand that leaves to the delta in the ledger, through a pty and the whole line."""
    with tempfile.TemporaryDirectory() as name:
        folder, pan, random = Path(name), Pan(PIECES * UNIT_G), Random(1)
        text = (
            f'[site]\nid = "bench"\ngateway = "gw-1"\n[mqtt]\nurl = "mqtt://{HOST}:{free_port(HOST)}"\n'
            f'[ledger]\npath = "ledger.db"\n[http]\nlisten = "{HOST}:0"\n[[zones]]\nid = "shelf"\nkind = "shelf"\n'
            f'[[readers]]\nid = "scale"\ndriver = "scale"\nurl = "serial://{folder}/port"\ndialect = "mt-sics"\n'
            f'[[readers.channels]]\nchannel = 1\nzone = "shelf"\ngtin = "{GTINS[0]}"\nunit_weight_g = {UNIT_G}'
        )
        config = parse(text, folder / "bench.toml")
        with serial_bench(folder / "port", MtSicsScale(pan)):
            async with open_gateway(config, SystemClock(), Random(1)) as gateway:
                started, stop = asyncio.Event(), asyncio.Event()
                async with beside(gateway.run(started.set, stop)):
                    await _written(gateway, PIECES)
                    delays_s = []
                    for pieces in range(PIECES - 1, 0, -1):
                        await _hand(pan, random)
                        pan.grams = pieces * UNIT_G
                        left_s = time.monotonic()
                        await _written(gateway, pieces)
                        delays_s.append(time.monotonic() - left_s)
                        await asyncio.sleep(random.uniform(0.5, 1) * PAUSE_S)
                    stop.set()
                    return delays_s


async def _hand(pan: Pan, random: Random) -> None:
    """Somebody reaches in, presses and lifts."""
    lying_g = pan.grams
    until_s = time.monotonic() + HAND_S
    pan.stable = False
    while time.monotonic() < until_s:
        pan.grams = lying_g + random.uniform(-150, 450)
        await asyncio.sleep(0.05)
    pan.stable = True


async def _written(gateway: Gateway, pieces: int) -> None:
    """Until the ledger says so."""
    seq = -1
    while True:
        if gateway.ledger.position.seq != seq:
            seq = gateway.ledger.position.seq
            if sum(row.quantity for row in (await gateway.ledger.stock()).rows) == pieces:
                return
        await asyncio.sleep(0.005)


def run() -> dict[str, float]:
    figures = simulated()
    delays_s = asyncio.run(latency())
    slowest_s = quantiles(delays_s, n=10)[-1]
    print(f"from the hand to the ledger    {median(delays_s):.2f} s median, {slowest_s:.2f} s for nine of ten")
    return {**figures, "latency_s": median(delays_s), "latency_p90_s": slowest_s}


if __name__ == "__main__":
    run()
