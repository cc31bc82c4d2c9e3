"""Plays a day: the readers' turns, what breaks, and when each read reaches the gateway."""

import heapq
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.shop.air import Air, Reads
from simulators.shop.day import Day
from simulators.shop.goods import ghost_of
from simulators.shop.plan import Fault, ReaderMount, ShopPlan

_US_PER_S = 1_000_000
_US_PER_MINUTE = 60 * _US_PER_S
_US_PER_HOUR = 60 * _US_PER_MINUTE
_US_PER_MS = 1000
# Ghosts are the weakest of reads.
_GHOST_DBM = (-72, -66)
# From the reader's report to the gateway over the store's network.
_NETWORK_US = (1_000, 20_000)
# How fast a reader sends what it has kept, and how much it keeps at most (66,000 were seen on a Zebra FX).
_BACKLOG_READS_PER_S = 20_000
_BACKLOG_READS = 60_000
# A reader that was connected again needs this long to send what it kept.
_RESUME_US = 500_000
# Until a broken link is noticed, either by the reader (a pulled antenna) or by the gateway (keepalives).
_NOTICE_US = (200_000, 3_000_000)
# A reader that counts its uptime was switched on this long before the opening.
_SWITCHED_ON_US = _US_PER_HOUR


class LinkEvent(NamedTuple):
    """The connection to a reader is lost or back."""

    at_us: int
    reader: str
    connected: bool


class AntennaEvent(NamedTuple):
    """A reader says that an antenna is gone or back."""

    at_us: int
    reader: str
    port: int
    up: bool


class Columns(NamedTuple):
    """One row for each read, in the order of arrival."""

    received_us: NDArray[np.int64]
    taken_us: NDArray[np.int64]
    stamp_us: NDArray[np.int64]
    antenna: NDArray[np.int16]
    tag: NDArray[np.int32]
    rssi_dbm: NDArray[np.int8]


class Recorder:
    """`play` once, then read `columns()` and the events."""

    def __init__(self, plan: ShopPlan, day: Day, air: Air, rng: np.random.Generator) -> None:
        self.start_us = round(plan.start.timestamp() * _US_PER_S)
        self.end_us = self.start_us + round(plan.hours * _US_PER_HOUR)
        self.links: list[LinkEvent] = []
        self.antenna_events: list[AntennaEvent] = []
        self.downtimes: list[tuple[int, int]] = []
        self._plan = plan
        self._day = day
        self._air = air
        self._rng = rng
        self._first_antenna: dict[str, int] = {}
        for index, (reader, _) in enumerate(air.antennas):
            self._first_antenna.setdefault(reader.id, index)
        self._parts: list[tuple[int, Reads]] = []

    def play(self, progress: Callable[[float], None]) -> None:
        """Every dwell of every reader, in the order of time; `progress` is told the share that is done."""
        told_us = self.start_us
        turns = [(self.start_us + n * 10_007, n, 0) for n in range(len(self._plan.readers))]
        while turns:
            at_us, number, turn = turns[0]
            if at_us >= self.end_us:
                break
            if at_us - told_us >= _US_PER_MINUTE:
                told_us = at_us
                progress((at_us - self.start_us) / (self.end_us - self.start_us))
            reader = self._plan.readers[number]
            mount = reader.antennas[turn]
            end_us = at_us + mount.dwell_ms * _US_PER_MS
            antenna = self._first_antenna[reader.id] + turn
            if not self._is_silent(reader, mount.port, at_us):
                reads = self._air.dwell(antenna, at_us, end_us)
                if len(reads.at_us):
                    self._parts.append((antenna, reads))
            turn += 1
            if turn == len(reader.antennas):
                turn, end_us = 0, end_us + reader.idle_ms * _US_PER_MS
            heapq.heapreplace(turns, (end_us, number, turn))
        self._add_ghosts()
        self._tell()

    def columns(self) -> Columns:
        """All reads that reach the gateway."""
        parts = self._parts
        taken = np.concatenate([np.empty(0, np.int64), *(reads.at_us for _, reads in parts)])
        tag = np.concatenate([np.empty(0, np.int32), *(reads.tag for _, reads in parts)]).astype(np.int32)
        rssi = np.concatenate([np.empty(0, np.int8), *(reads.rssi_dbm for _, reads in parts)])
        antenna = np.repeat(
            np.array([antenna for antenna, _ in parts], np.int16), [len(reads.at_us) for _, reads in parts]
        )
        received, stamp = np.empty_like(taken), taken.copy()
        kept = np.ones(len(taken), bool)
        for reader in self._plan.readers:
            first = self._first_antenna[reader.id]
            rows = np.flatnonzero((antenna >= first) & (antenna < first + len(reader.antennas)))
            rows = rows[np.argsort(taken[rows], kind="stable")]
            received[rows], kept[rows] = self._arrivals(reader, taken[rows])
            stamp[rows] = self._stamps(reader, taken[rows])
        order = np.lexsort((taken, received))
        order = order[kept[order] & (received[order] < self.end_us)]
        return Columns(received[order], taken[order], stamp[order], antenna[order], tag[order], rssi[order])

    # --- faults -----------------------------------------------------------------------------------------------------

    def _span(self, fault: Fault) -> tuple[int, int]:
        start_us = self.start_us + round(fault.at_s * _US_PER_S)
        return start_us, start_us + round(fault.for_s * _US_PER_S)

    def _is_silent(self, reader: ReaderMount, port: int, at_us: int) -> bool:
        """Whether a fault keeps this antenna from transmitting, or its reader from saying so."""
        for fault in self._plan.faults:
            if fault.reader == reader.id and fault.kind in {"cable", "reboot", "frozen"}:
                start_us, end_us = self._span(fault)
                if start_us <= at_us < end_us and (fault.kind != "cable" or fault.antenna == port):
                    return True
        return False

    def _tell(self) -> None:
        """What the gateway gets to know of the faults."""
        for fault in self._plan.faults:
            start_us, end_us = self._span(fault)
            noticed_us = start_us + int(self._rng.integers(*_NOTICE_US))
            if fault.kind == "cable" and fault.told and fault.reader and fault.antenna:
                self.antenna_events += [
                    AntennaEvent(noticed_us, fault.reader, fault.antenna, up=False),
                    AntennaEvent(end_us, fault.reader, fault.antenna, up=True),
                ]
            if fault.kind in {"reboot", "network"} and fault.reader:
                self._lose(fault.reader, noticed_us, end_us)
            if fault.kind == "gateway":
                self.downtimes.append((start_us, end_us))
                for reader in self._plan.readers:
                    self._lose(reader.id, start_us, end_us)

    def _lose(self, reader: str, lost_us: int, back_us: int) -> None:
        self.links += [LinkEvent(lost_us, reader, connected=False), LinkEvent(back_us, reader, connected=True)]

    def _arrivals(self, reader: ReaderMount, taken: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """When each read of a reader reaches the gateway, and which do at all; `taken` is sorted."""
        period_us = reader.report_ms * _US_PER_MS
        batch, first = np.unique(taken // period_us, return_inverse=True)
        received = (batch * period_us + period_us + self._rng.integers(*_NETWORK_US, len(batch)))[first]
        kept = np.ones(len(taken), bool)
        for fault in self._plan.faults:
            if fault.kind not in {"network", "gateway"} or fault.reader not in {None, reader.id}:
                continue
            start_us, end_us = self._span(fault)
            away = np.flatnonzero((received >= start_us) & (received < end_us))
            if not fault.held:
                kept[away] = False
                continue
            kept[away[_BACKLOG_READS:]] = False
            held = away[:_BACKLOG_READS]
            received[held] = end_us + _RESUME_US + np.arange(len(held)) * _US_PER_S // _BACKLOG_READS_PER_S
            # The wire is one: what is read meanwhile waits behind the backlog.
            if len(held):
                later = np.flatnonzero((received < received[held[-1]]) & (taken >= end_us))
                received[later] = received[held[-1]]
        return received, kept

    def _stamps(self, reader: ReaderMount, taken: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the reader's own clock said."""
        clock = reader.clock
        zero_us = self.start_us - _SWITCHED_ON_US if clock.uptime else 0
        elapsed = taken - self.start_us
        stamp = taken - zero_us + round(clock.offset_s * _US_PER_S) + (elapsed * clock.drift_ppm / 1e6).astype(np.int64)
        for fault in self._plan.faults:
            if fault.kind == "clock" and fault.reader == reader.id:
                stamp[taken >= self._span(fault)[0]] += round(fault.jump_s * _US_PER_S)
        return stamp

    # --- ghosts -----------------------------------------------------------------------------------------------------

    def _add_ghosts(self) -> None:
        """Reads of items that do not exist: bits fell over and the CRC fits all the same. Each comes once."""
        rng = self._rng
        known = set(self._day.epcs)
        for reader in self._plan.readers:
            hours = (self.end_us - self.start_us) / _US_PER_HOUR
            for _ in range(rng.poisson(self._plan.noise.ghosts_per_hour * hours)):
                source = int(rng.integers(len(self._day.epcs)))
                epc = ghost_of(self._day.epcs[source], int(rng.integers(1, 1 << 32)))
                at_us = int(rng.integers(self.start_us, self.end_us))
                turn = int(rng.integers(len(reader.antennas)))
                if epc in known or self._is_silent(reader, reader.antennas[turn].port, at_us):
                    continue
                known.add(epc)
                self._day.epcs.append(epc)
                self._day.gtins.append(self._day.gtins[source])
                reads = Reads(
                    np.array([at_us]),
                    np.array([len(self._day.epcs) - 1]),
                    np.array([rng.integers(*_GHOST_DBM)], np.int8),
                )
                self._parts.append((self._first_antenna[reader.id] + turn, reads))
