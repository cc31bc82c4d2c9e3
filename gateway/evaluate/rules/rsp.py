"""The rule of the Intel RSP gateway: present until an exit or a till says otherwise."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.rule import US_PER_S
from gateway.evaluate.rules.weighted import LEAST_SAMPLES, RETAIL_GARMENT, SAMPLES, Mobility
from gateway.evaluate.tracks import NOWHERE, Tracks, tracks_of

# A tag that a till has taken out comes back only after a day.
SOLD_US = 24 * 3600 * US_PER_S


@dataclass(frozen=True, slots=True)
class IntelRsp:
    """A tag whose antenna is one of an exit leaves after `exit_s` of silence.

    A till takes a tag out at once that has been present for `till_s`. Whoever has left by an exit comes back by a
    read of any other place.
    """

    mobility: Mobility = RETAIL_GARMENT
    exit_s: float = 30.0
    till_s: float = 3600.0

    def __call__(self, readings: Readings) -> Tracks:
        kinds = [readings.zone_kinds[zone] for zone in readings.antenna_zone.tolist()]
        exits = frozenset(number for number, kind in enumerate(kinds) if kind == "exit")
        tills = frozenset(number for number, kind in enumerate(kinds) if kind == "checkout")
        zone_of = readings.antenna_zone.tolist()
        rows: list[tuple[int, int, int]] = []
        for tag in np.flatnonzero(np.diff(readings.first)).tolist():
            part = slice(readings.first[tag], readings.first[tag + 1])
            antenna, at_us, dbm = readings.antenna[part], readings.at_us[part], readings.dbm[part]
            if len(set(np.unique(readings.zone[part]).tolist())) == 1 and antenna[0] not in exits | tills:
                rows.append((int(at_us[0]), tag, zone_of[antenna[0]]))
                continue
            course = _Tag(self, exits, tills)
            for now_us, where in course.follow(antenna.tolist(), at_us.tolist(), dbm.tolist(), readings.end_us):
                rows.append((now_us, tag, NOWHERE if where == NOWHERE else zone_of[where]))
        return tracks_of(rows)

    def __str__(self) -> str:
        return f"{self.mobility.name}, exit {self.exit_s:g} s, till {self.till_s:g} s"


class _Tag:
    """One tag on its way through the shop."""

    def __init__(self, rule: IntelRsp, exits: frozenset[int], tills: frozenset[int]) -> None:
        self._mobility = rule.mobility
        self._exit_us = round(rule.exit_s * US_PER_S)
        self._till_us = round(rule.till_s * US_PER_S)
        self._exits = exits
        self._tills = tills

    def follow(
        self, antennas: list[int], at_us: list[int], powers: list[int], end_us: int
    ) -> Iterator[tuple[int, int]]:
        """(moment, antenna or `NOWHERE`) at each change."""
        samples: dict[int, list[int]] = {}
        heard_us: dict[int, int] = {}
        current = NOWHERE
        left_by_exit = False
        since_us = last_us = at_us[0]
        sold_until_us = 0
        for antenna, now_us, dbm in zip(antennas, at_us, powers, strict=True):
            if now_us < sold_until_us:
                continue
            if current in self._exits and now_us - last_us > self._exit_us:
                yield last_us + self._exit_us, NOWHERE
                current, left_by_exit = NOWHERE, True
            if current == NOWHERE:
                if left_by_exit and antenna in self._exits:
                    continue
                current, since_us, left_by_exit = antenna, now_us, False
                samples.clear()
                yield now_us, antenna
            last_us = now_us
            ring = samples.setdefault(antenna, [])
            ring.append(dbm)
            del ring[:-SAMPLES]
            if antenna in self._tills and now_us - since_us > self._till_us:
                yield now_us, NOWHERE
                current, sold_until_us = NOWHERE, now_us + SOLD_US
            elif antenna != current and len(ring) >= LEAST_SAMPLES:
                known = samples[current]
                offset_db = self._mobility.offset_db((now_us - heard_us[current]) / 1000)
                if sum(ring) / len(ring) > sum(known) / len(known) + offset_db:
                    current = antenna
                    yield now_us, antenna
            heard_us[antenna] = now_us
        if current in self._exits and end_us - last_us > self._exit_us:
            yield last_us + self._exit_us, NOWHERE
