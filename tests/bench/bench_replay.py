"""A million recorded reads: read from CSV, and replayed through the line. Busy (93 reads/s) and quiet (4 reads/s).

python -m tests.bench.bench_replay
"""

import csv
import gc
import json
import tempfile
import time
from itertools import accumulate
from pathlib import Path
from random import Random

from gateway.domain.epctext import parse_epc
from gateway.domain.params import PROFILES, Profile, Zone, ZoneKind
from gateway.offline import OfflineLine
from gateway.trace.csvreads import Columns, ReadsFile
from gateway.trace.csvtable import opened
from gateway.trace.play import play, start_of
from gateway.trace.reads import Reads

READS = 1_000_000
START_US = 1_790_000_000_000_000
# name -> (tags, hours)
SHOPS = {"busy": (300, 3), "quiet": (5_000, 72)}
ANTENNAS = {("r1", 1): "floor", ("r1", 2): "floor", ("r2", 1): "back", ("r2", 2): "back"}
ZONES = tuple(Zone(name, ZoneKind.SALES_FLOOR, PROFILES[Profile.RACK]) for name in ("floor", "back"))
# Reads by another antenna than the one the tag is at, and tags that are carried to another one.
CROSS_READS = 0.1
MOVES = 0.0005


def record(path: Path, tags: int, hours: float) -> None:
    """Tags that are at one antenna each, read at random; some are carried about."""
    rng = Random(1)
    places = list(ANTENNAS)
    epcs = [parse_epc(f"urn:epc:id:sgtin:0614141.{812_345 + n % 40}.{n}").hex().upper() for n in range(tags)]
    at = [rng.choice(places) for _ in epcs]
    gaps = (rng.expovariate(READS / (hours * 3.6e9)) for _ in range(READS))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time_received", "time_taken", "reader", "antenna", "epc", "rssi"])
        for received_us in map(int, accumulate(gaps, initial=START_US)):
            tag = rng.randrange(tags)
            if rng.random() < MOVES:
                at[tag] = rng.choice(places)
            reader, port = at[tag] if rng.random() > CROSS_READS else rng.choice(places)
            taken_us = received_us - rng.randint(0, 200_000)
            writer.writerow([received_us, taken_us, reader, port, epcs[tag], f"{rng.gauss(-60, 5):.1f}"])


def read(path: Path) -> Reads:
    with opened(path) as rows:
        reads = ReadsFile(rows, Columns()).read()
    reads.sort()
    return reads


def run() -> dict[str, float]:
    gc.disable()  # as the verb does
    try:
        return measure()
    finally:
        gc.enable()


def measure() -> dict[str, float]:
    figures = {}
    for name, (tags, hours) in SHOPS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "reads.csv"
            record(path, tags, hours)
            begun_s = time.process_time()
            reads = read(path)
            parsed_s = time.process_time()
        line = OfflineLine(ZONES, ANTENNAS, start_us=start_of(reads, ()))
        play(line, reads, (), lambda *_: None)
        played_s = time.process_time()
        figures[f"{name}_csv_s"] = parsed_s - begun_s
        figures[f"{name}_replay_s"] = played_s - parsed_s
        print(
            f"{name}: {len(reads):,} reads of {tags:,} tags in {hours} h: CSV {parsed_s - begun_s:.1f} s,"
            f" replay {played_s - parsed_s:.1f} s, {len(line.transitions):,} transitions (CPU time)"
        )
    return figures


if __name__ == "__main__":
    print(json.dumps({key: round(value, 3) for key, value in run().items()}))
