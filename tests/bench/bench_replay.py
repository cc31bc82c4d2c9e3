"""Recorded reads: read from CSV, and replayed through the line.

A million of a busy shop and of a quiet one, and the first hours of other shapes: what a read costs grows with the time
between two of them, with the tags and with the zones.

python -m tests.bench.bench_replay [SHAPE ...]
"""

import csv
import gc
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

from gateway.domain.epctext import parse_epc
from gateway.domain.params import PROFILES, Profile, Zone, ZoneKind
from gateway.domain.zones import US_PER_S, Antenna
from gateway.offline import OfflineLine
from gateway.trace.csvreads import Columns, ReadsFile
from gateway.trace.csvtable import opened
from gateway.trace.play import play, start_of
from gateway.trace.reads import Reads

MILLION = 1_000_000
PART = 150_000
START_US = 1_790_000_000_000_000
ONE_ZONE = {("r1", 1): "floor"}
TWO_ZONES = {("r1", 1): "floor", ("r1", 2): "floor", ("r2", 1): "back", ("r2", 2): "back"}
EIGHT_ZONES = {(f"r{number % 2 + 1}", number // 2 + 1): f"zone-{number}" for number in range(8)}


class Shape(NamedTuple):
    """A recording: a million reads take so many `hours`, of which the first `reads` are played."""

    tags: int
    hours: float
    reads: int = PART
    antennas: dict[Antenna, str] = TWO_ZONES
    unit_us: int = 1


SHAPES = {
    "busy": Shape(300, 3, MILLION),
    "quiet": Shape(5_000, 72, MILLION),
    "hour": Shape(300, 1),
    "few_tags": Shape(200, 8),
    "many_tags": Shape(20_000, 24),
    "one_zone": Shape(5_000, 72, antennas=ONE_ZONE),
    "eight_zones": Shape(5_000, 72, antennas=EIGHT_ZONES),
    "whole_seconds": Shape(5_000, 72, unit_us=US_PER_S),
}
# Reads by another antenna than the one the tag is at, and tags that are carried to another one.
CROSS_READS = 0.1
MOVES = 0.0005


def record(path: Path, shape: Shape) -> None:
    """Tags that are at one antenna each, read at random; some are carried about."""
    rng = Random(1)
    places, tags = list(shape.antennas), shape.tags
    epcs = [parse_epc(f"urn:epc:id:sgtin:0614141.{812_345 + n % 40}.{n}").hex().upper() for n in range(tags)]
    at = [rng.choice(places) for _ in epcs]
    gaps = (rng.expovariate(MILLION / (shape.hours * 3.6e9)) for _ in range(shape.reads))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time_received", "time_taken", "reader", "antenna", "epc", "rssi"])
        for received_us in map(int, accumulate(gaps, initial=START_US)):
            tag = rng.randrange(tags)
            if rng.random() < MOVES:
                at[tag] = rng.choice(places)
            reader, port = at[tag] if rng.random() > CROSS_READS else rng.choice(places)
            taken_us = received_us - rng.randint(0, 200_000)
            times = received_us // shape.unit_us, taken_us // shape.unit_us
            writer.writerow([*times, reader, port, epcs[tag], f"{rng.gauss(-60, 5):.1f}"])


def read(path: Path) -> Reads:
    with opened(path) as rows:
        reads = ReadsFile(rows, Columns()).read()
    reads.sort()
    return reads


def run(names: Iterable[str] = SHAPES) -> dict[str, float]:
    gc.disable()  # as the verb does
    try:
        return {key: figure for name in names for key, figure in measure(name, SHAPES[name]).items()}
    finally:
        gc.enable()


def measure(name: str, shape: Shape) -> dict[str, float]:
    """CPU time of the CSV and of the replay, in seconds for a million reads."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reads.csv"
        record(path, shape)
        begun_s = time.process_time()
        reads = read(path)
        parsed_s = time.process_time()
    zones = [
        Zone(zone, ZoneKind.SALES_FLOOR, PROFILES[Profile.RACK]) for zone in dict.fromkeys(shape.antennas.values())
    ]
    line = OfflineLine(zones, shape.antennas, start_us=start_of(reads, ()))
    play(line, reads, (), lambda *_: None)
    played_s = time.process_time()
    share = len(reads) / MILLION
    csv_s, replay_s = (parsed_s - begun_s) / share, (played_s - parsed_s) / share
    print(
        f"{name:<14} {len(reads):>9,} reads of {shape.tags:>6,} tags, a million in {shape.hours:>2} h: a million take"
        f" CSV {csv_s:.1f} s, replay {replay_s:.1f} s (CPU time); {len(line.transitions):,} transitions",
        flush=True,
    )
    return {f"{name}_csv_s": csv_s, f"{name}_replay_s": replay_s}


if __name__ == "__main__":
    print(json.dumps({key: round(value, 3) for key, value in run(sys.argv[1:] or SHAPES).items()}))
