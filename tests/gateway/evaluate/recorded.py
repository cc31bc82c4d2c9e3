"""Tiny recordings, written by hand: times in seconds, zones and antennas by name."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.tracks import NOWHERE, Tracks, tracks_of
from simulators.recording import Recording
from simulators.shop.day import Fact
from simulators.shop.recorder import AntennaEvent, LinkEvent

START_US = 1_700_000_000_000_000
ZONES = {"floor": "sales_floor", "back": "backroom", "till": "checkout", "exit": "exit"}
ANTENNAS = [("r1", 1, "floor"), ("r1", 2, "back"), ("r1", 3, "till"), ("r1", 4, "exit"), ("r2", 1, "floor")]
FLOOR, BACK, TILL, EXIT, FLOOR_2 = range(5)
# SGTIN-96, filter 1, company prefix 0614141, item reference 812345 (the last byte counts).
EPCS = [bytes.fromhex(f"3034257BF7194E40000000{serial:02X}") for serial in range(1, 9)]
GTIN, OTHER_GTIN = "80614141123458", "00614141000012"


class R(NamedTuple):
    """A read: seconds from the start, antenna, tag, dBm; `late_s` after it was taken it was received."""

    at_s: float
    antenna: int
    tag: int = 0
    dbm: int = -60
    late_s: float = 0.0


def us(at_s: float) -> int:
    return START_US + round(at_s * 1_000_000)


def readings(
    reads: Sequence[R],
    truth: Sequence[tuple[float, int, str | None]] = ((0, 0, "floor"),),
    *,
    end_s: float = 100.0,
    gtins: Sequence[str] = (GTIN, GTIN, OTHER_GTIN),
    links: Sequence[tuple[float, str, bool]] = (),
    antenna_events: Sequence[tuple[float, str, int, bool]] = (),
) -> Readings:
    rows = sorted(reads, key=lambda read: read.at_s + read.late_s)
    return Readings.of(
        Recording(
            name="tiny",
            seed=1,
            start_us=START_US,
            end_us=us(end_s),
            zones=dict(ZONES),
            antennas=list(ANTENNAS),
            epcs=EPCS[: len(gtins)],
            gtins=list(gtins),
            received_us=np.array([us(read.at_s + read.late_s) for read in rows], dtype=np.int64),
            taken_us=np.array([us(read.at_s) for read in rows], dtype=np.int64),
            stamp_us=np.array([us(read.at_s) for read in rows], dtype=np.int64),
            antenna=np.array([read.antenna for read in rows], dtype=np.int16),
            tag=np.array([read.tag for read in rows], dtype=np.int32),
            rssi_dbm=np.array([read.dbm for read in rows], dtype=np.int8),
            links=[LinkEvent(us(at_s), reader, connected) for at_s, reader, connected in links],
            antenna_events=[AntennaEvent(us(at_s), reader, port, up) for at_s, reader, port, up in antenna_events],
            downtimes=[],
            truth=[Fact(us(at_s), tag, zone) for at_s, tag, zone in truth],
        )
    )


def said(*rows: tuple[float, int, str | None]) -> Tracks:
    """Tracks from (seconds, tag, zone)."""
    zones = list(ZONES)
    return tracks_of((us(at_s), tag, NOWHERE if zone is None else zones.index(zone)) for at_s, tag, zone in rows)


def told(course: Tracks, tag: int = 0) -> list[tuple[float, str | None]]:
    """What was said of a tag: (seconds, zone)."""
    zones = list(ZONES)
    return [
        ((int(at_us) - START_US) / 1e6, None if zone == NOWHERE else zones[zone])
        for at_us, of, zone in zip(*course, strict=True)
        if of == tag
    ]
