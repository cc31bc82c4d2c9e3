"""Scores any rule's word: a CSV of what was said, and one of what was true."""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gateway.domain.epc import EpcError, decode
from gateway.domain.epctext import parse_epc
from gateway.evaluate.interval import of_rate
from gateway.evaluate.readings import Readings
from gateway.evaluate.score import US_PER_DAY, Score, score
from gateway.evaluate.tracks import NOWHERE, tracks_of
from simulators.recording import Recording
from simulators.shop.day import Fact

HEADER = ["time_us", "epc", "zone"]
GONE = "gone"
DELIMITERS = ",;\t|"
# No recording is longer: one of the files counts seconds, or from another start.
LONGEST_US = 10 * 366 * US_PER_DAY
# What is reckoned with 64 bits: further from 0 lies no time, and differences of such times fit too.
MAX_TIME_US = 1 << 62


class FileError(ValueError):
    """A file that cannot be scored: what, where, and what to do about it."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


class Row(NamedTuple):
    """From `at_us` on the tag with this EPC is in `zone`; None: it has gone."""

    at_us: int
    epc: bytes
    zone: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """The score of one file against another."""

    score: Score

    def as_json(self) -> dict[str, Any]:
        """All numbers; counts per (GTIN, zone) and per zone."""
        points, changes = self.score, self.score.changes
        assert changes is not None, "rows name tags"
        departures = of_rate(changes.false_departures, points.item_days / 10_000)
        moves = of_rate(changes.false_moves, 24 * points.item_days)
        p50_s, p90_s, p99_s = _quantiles(changes.delays_s)
        return {
            "hours": round(points.hours, 4),
            "true_items": round(points.products.true, 4),
            "error_items": round(points.products.error, 4),
            "error_share": _finite(points.products.share),
            "error_items_per_zone_alone": round(points.zones.error, 4),
            "zones": {
                zone: {"error_items": round(counts.error, 4), "true_items": round(counts.true, 4)}
                for zone, counts in zip(points.zone_ids, points.in_zone, strict=True)
            },
            "false_departures": changes.false_departures,
            "false_departures_per_10000_items_and_day": [_finite(value) for value in departures],
            "false_moves": changes.false_moves,
            "false_moves_per_tag_hour": [_finite(value) for value in moves],
            "transitions": changes.true,
            "missed": changes.missed,
            "late": changes.late,
            "delay_p50_p90_p99_s": [p50_s, p90_s, p99_s],
            "ghosts": points.ghosts,
        }


def read_pair(said: Path, truth: Path, until_us: int | None = None) -> Pair:
    """Score the file `said` against `truth`, from the truth's first moment to `until_us`, else to the last of either.

    Both are CSV: time_us,epc,zone with the word gone for a tag that left; times in microseconds of one clock, EPCs in
    hexadecimal or as URIs of SGTINs. Raises FileError.
    """
    true_rows, said_rows = list(_rows(truth)), list(_rows(said))
    if not true_rows:
        raise FileError(f"{truth} has no rows", "it needs at least where every item is at the start")
    start_us = min(row.at_us for row in true_rows)
    end_us = max(row.at_us for row in (*true_rows, *said_rows)) if until_us is None else until_us
    if said_rows and max(row.at_us for row in said_rows) < start_us - US_PER_DAY:
        hint = "both count microseconds of one clock; give the file that is scored what the recording began with"
        raise FileError(f"all of {said} lies days before {truth} begins", hint)
    if end_us - start_us > LONGEST_US:
        days = (end_us - start_us) // US_PER_DAY
        raise FileError(f"{truth} and {said} cover {days:,} days", "both count microseconds of one clock")
    if end_us <= start_us:
        raise FileError(f"{truth} and {said} cover no time", "the last row of either says when it ends, or --until")
    epcs = list(dict.fromkeys(row.epc for row in (*true_rows, *said_rows)))
    zones = sorted({row.zone for row in (*true_rows, *said_rows) if row.zone is not None})
    tag_of = {epc: tag for tag, epc in enumerate(epcs)}
    zone_of: dict[str | None, int] = {zone: number for number, zone in enumerate(zones)}
    zone_of[None] = NOWHERE
    empty = np.zeros(0, dtype=np.int64)
    recording = Recording(
        name=truth.name,
        seed=0,
        start_us=start_us,
        end_us=end_us,
        zones=dict.fromkeys(zones, "sales_floor"),
        antennas=[],
        epcs=epcs,
        gtins=[_gtin(epc) for epc in epcs],
        received_us=empty,
        taken_us=empty,
        stamp_us=empty,
        antenna=empty.astype(np.int16),
        tag=empty.astype(np.int32),
        rssi_dbm=empty.astype(np.int8),
        links=[],
        antenna_events=[],
        downtimes=[],
        truth=[Fact(row.at_us, tag_of[row.epc], row.zone) for row in sorted(true_rows, key=lambda row: row.at_us)],
    )
    course = tracks_of((row.at_us, tag_of[row.epc], zone_of[row.zone]) for row in said_rows)
    return Pair(score(Readings.of(recording), course))


def _rows(path: Path) -> Iterator[Row]:
    hint = f"a row is {','.join(HEADER)}: 1700000000000000,3074257BF7194E4000001A85,floor; the word {GONE} when it left"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(file.readline())
            file.seek(0)
            lines = csv.reader(file, delimiter=delimiter)
            for cells in lines:
                if not cells or (lines.line_num == 1 and [cell.strip().lower() for cell in cells] == HEADER):
                    continue
                try:
                    yield _row(cells)
                except ValueError as error:
                    raise FileError(f"{path}:{lines.line_num}: {error}", hint) from error
    except OSError as error:
        raise FileError(
            f"{path}: cannot be read: {error.strerror}", "name an existing file that you may read"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path}: is no CSV in UTF-8", hint) from error


def _delimiter(line: str) -> str:
    """What splits a file's first line into the cells of a row; a zone's name may be quoted and hold the others."""
    for delimiter in DELIMITERS:
        if len(next(csv.reader([line], delimiter=delimiter), ())) == len(HEADER):
            return delimiter
    return max(DELIMITERS, key=line.count)


def _row(cells: Sequence[str]) -> Row:
    """Raises ValueError."""
    if len(cells) != len(HEADER):
        raise ValueError(f"has {len(cells)} column{'s' if len(cells) > 1 else ''}, not {len(HEADER)}")
    at_us, epc, zone = (cell.strip() for cell in cells)
    if not re.fullmatch("-?[0-9]+", at_us):
        raise ValueError(f"{at_us[:40]!r} is no time in microseconds")
    if len(at_us) > len(str(-MAX_TIME_US)) or abs(int(at_us)) >= MAX_TIME_US:
        raise ValueError(f"{at_us[:40]} microseconds are more than 146,000 years")
    return Row(int(at_us), parse_epc(epc), None if zone == GONE else zone)


def _gtin(epc: bytes) -> str:
    """What the item is counted as: its GTIN; its EPC where that says none."""
    try:
        return decode(epc).gtin or epc.hex()
    except EpcError:
        return epc.hex()


def _quantiles(delays_s: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    if not len(delays_s):
        return [None] * 3
    return [round(value, 3) for value in np.quantile(delays_s, (0.5, 0.9, 0.99)).tolist()]


def _finite(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None
