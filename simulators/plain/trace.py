"""Reads by chance alone: tags that rest in places, where each antenna reads them by so much a second, so strongly.

No rooms, no distances, no radio: what is hard is stated outright, as published models of RFID data do. A second is one
draw; whatever makes draws depend on one another (bursts, bodies, fading) is put over them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.epc import sgtin_96
from simulators.recording import Recording
from simulators.shop.day import Fact
from simulators.shop.recorder import LinkEvent

US_PER_S = 1_000_000
START_US = 1_767_225_600_000_000
# Reports reach the gateway within this time.
LATENCY_US = 150_000
SIGMA_DB = 4.0
GHOST_DBM = -70
# The place of a tag that is nowhere.
NOBODY = -1
HIGHEST_CHANCE = 0.99

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Outage(NamedTuple):
    """A reader that says nothing from `from_s` to `until_s`: its reads are lost, or `late` all at once.

    `told`: the gateway sees that its connection is lost.
    """

    reader: str
    from_s: int
    until_s: int
    late: bool = False
    told: bool = True


class Item(NamedTuple):
    """One tag: in which place it is in each second, and for each (place, antenna) chance and mean dBm.

    `shade` (seconds, antennas) multiplies the chances, `fade` (the same, dB) adds to the levels.
    """

    product: int
    place: Ints
    chance: Floats
    dbm: Floats
    shade: Floats | None = None
    fade: Floats | None = None


@dataclass
class Trace:
    """A shop that is drawn tag by tag. `places`: name -> zone, None for where nobody counts; `antennas`: zone of each.

    `every_read`: a chance stands for a Poisson stream of reads, not for one read a second. `grain_us`: times are
    whole multiples of it. `constant_dbm`: the reader tells no strengths, only this.
    """

    name: str
    seed: int
    seconds: int
    kinds: Mapping[str, str]
    places: Mapping[str, str | None]
    antennas: Sequence[tuple[str, int, str]]
    every_read: bool = False
    grain_us: int = 1
    constant_dbm: int | None = None
    outages: list[Outage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, *self.name.encode()])
        self._items: list[Item] = []
        self._ghosts: list[tuple[float, int]] = []

    def add(self, item: Item) -> None:
        """One more tag."""
        self._items.append(item)

    def ghost(self, at_s: float, antenna: int) -> None:
        """A single read of a tag that does not exist."""
        self._ghosts.append((at_s, antenna))

    def resting(self, place: int) -> Ints:
        """A course of somebody who stays where he is."""
        return np.full(self.seconds, place)

    def course(self, *stays: tuple[float, int]) -> Ints:
        """Where a tag is in each second: from each moment (s) on in this place; before the first one nowhere."""
        found = np.full(self.seconds, NOBODY)
        for at_s, place in stays:
            found[max(0, round(at_s)) :] = place
        return found

    def recording(self) -> Recording:
        """All reads in the order of their reception, and the truth."""
        parts = [self._reads(number, item) for number, item in enumerate(self._items)]
        for number, (at_s, port) in enumerate(self._ghosts, start=len(self._items)):
            parts.append(tuple(np.array([value]) for value in (round(at_s * US_PER_S), port, number, GHOST_DBM)))
        taken_us, antenna, tag, dbm = (np.concatenate(column) for column in zip(*parts, strict=True))
        received_us = taken_us + self.rng.integers(0, LATENCY_US, len(taken_us))
        heard, links = self._break(antenna, received_us)
        heard &= received_us <= self.seconds * US_PER_S
        taken_us = taken_us // self.grain_us * self.grain_us
        received_us = received_us // self.grain_us * self.grain_us
        order = np.argsort(received_us, kind="stable")
        order = order[heard[order]]
        if self.constant_dbm is not None:
            dbm = np.full(len(dbm), self.constant_dbm)
        made = len(self._items) + len(self._ghosts)
        products = [item.product for item in self._items] + [999_000 + number for number in range(len(self._ghosts))]
        return Recording(
            name=self.name,
            seed=self.seed,
            start_us=START_US,
            end_us=START_US + self.seconds * US_PER_S,
            zones=dict(self.kinds),
            antennas=list(self.antennas),
            epcs=[sgtin_96("0614141", f"{products[number]:06d}", number + 1) for number in range(made)],
            gtins=[f"{products[number]:014d}" for number in range(made)],
            received_us=START_US + received_us[order],
            taken_us=START_US + taken_us[order],
            stamp_us=START_US + taken_us[order],
            antenna=antenna[order].astype(np.int16),
            tag=tag[order].astype(np.int32),
            rssi_dbm=dbm[order].astype(np.int8),
            links=sorted(links),
            antenna_events=[],
            downtimes=[],
            truth=self._truth(),
        )

    def _break(self, antenna: Ints, received_us: Ints) -> tuple[NDArray[np.bool_], list[LinkEvent]]:
        """Which reads arrive at all, and what the gateway is told; late ones are put off in place."""
        heard = np.ones(len(antenna), dtype=bool)
        links = []
        for outage in self.outages:
            ports = [number for number, (reader, _, _) in enumerate(self.antennas) if reader == outage.reader]
            from_us, until_us = outage.from_s * US_PER_S, outage.until_s * US_PER_S
            struck = np.isin(antenna, ports) & (received_us >= from_us) & (received_us < until_us)
            if outage.late:
                received_us[struck] = until_us + US_PER_S
            else:
                heard &= ~struck
            if outage.told:
                links += [
                    LinkEvent(START_US + at_us, outage.reader, connected=at_us == until_us)
                    for at_us in (from_us, until_us)
                ]
        return heard, links

    def _truth(self) -> list[Fact]:
        zones = [*self.places.values(), None]
        facts = []
        for tag, item in enumerate(self._items):
            was: str | None = None
            for second in [0, *(np.flatnonzero(np.diff(item.place)) + 1).tolist()]:
                zone = zones[int(item.place[second])]
                if zone != was:
                    facts.append(Fact(START_US + second * US_PER_S, tag, zone))
                    was = zone
        return sorted(facts)

    def _reads(self, tag: int, item: Item) -> tuple[Ints, ...]:
        """(taken_us, antenna, tag, dBm) from 0 on."""
        rng = self.rng
        chance = np.vstack([item.chance, np.zeros(item.chance.shape[1])])[item.place]
        if item.shade is not None:
            chance = chance * item.shade
        chance = np.minimum(chance, HIGHEST_CHANCE)
        reads = (
            rng.poisson(-np.log1p(-chance)) if self.every_read else (rng.random(chance.shape) < chance).astype(np.int64)
        )
        second, antenna = np.nonzero(reads)
        times = reads[second, antenna]
        second, antenna = np.repeat(second, times), np.repeat(antenna, times)
        level = item.dbm[item.place[second], antenna]
        level = level + (
            item.fade[second, antenna] if item.fade is not None else rng.normal(0.0, SIGMA_DB, len(second))
        )
        taken_us = (second + rng.random(len(second))) * US_PER_S
        return (
            taken_us.astype(np.int64),
            antenna,
            np.full(len(second), tag),
            np.clip(np.rint(level), -95, -20).astype(np.int64),
        )


# -- what makes seconds depend on one another -----------------------------------------------------------------------


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Between both, each order of magnitude as likely."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def on_off(rng: np.random.Generator, seconds: int, on_s: float, off_s: float) -> Floats:
    """Gilbert's two-state channel: 1 and 0 in turn, for exponential times of these means."""
    found = np.empty(seconds)
    on, at = rng.random() < on_s / (on_s + off_s), 0
    while at < seconds:
        until = at + max(1, round(rng.exponential(on_s if on else off_s)))
        found[at:until] = on
        on, at = not on, until
    return found


def fading(rng: np.random.Generator, seconds: int, count: int, sigma_db: float, change_s: Floats | float) -> Floats:
    """(seconds, count) dB: first-order Gauss-Markov processes that forget in `change_s`."""
    kept = np.exp(-1.0 / np.broadcast_to(np.asarray(change_s, dtype=np.float64), count))
    steps = rng.normal(0.0, sigma_db, (seconds, count)) * np.sqrt(1.0 - kept**2)
    steps[0] = rng.normal(0.0, sigma_db, count)
    for second in range(1, seconds):
        steps[second] += kept * steps[second - 1]
    return steps
