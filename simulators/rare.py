"""What happens rarely, over weeks: the silences of resting tags, and a tag between two antennas.

A recording holds every read, so it cannot last a month. Here time goes in steps of some seconds, all tags of a rack
at once, and what comes out is only what a rule can stumble over: each tag's runs of reads and the silences between.
Fading, bodies, handling, sessions and shared air are those of the scenario.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.recording import Scenario
from simulators.shop.air import BODY_RAD, HOPELESS_DB, SLOPE_DB, SLOT_SUCCESS, Opening, chance_of
from simulators.shop.hands import MEAN_JOSTLED
from simulators.shop.plan import ScenarioError

Moments = NDArray[np.int64]

_US_PER_S = 1_000_000
_DAY_S = 86_400
# Fading holds still within a step; most of it changes slower, and every silence that matters is longer.
STEP_S = 5
# Reads that follow each other faster belong to one run.
QUIET_S = 30.0
# A plain cross-read: what two-antenna logs of a tag that rests show in RSSI.
SIGMA_DB = 4.0
# Antennas that are followed for each tag; what a fourth adds to its reads is lost beside them.
NEAREST = 3


@dataclass(frozen=True, slots=True)
class TagRuns:
    """The reads of one tag that rests all the time, as runs: moments in us from 0, `reads` in each run.

    Within a run no silence is longer than what was asked for; between the runs lie all silences that are.
    """

    tag: int
    # Reads per second over the whole time.
    read_rate: float
    end_us: int
    first_us: Moments
    last_us: Moments
    reads: Moments


@dataclass(frozen=True, slots=True)
class PairReads:
    """The reads of one tag by antennas 0 and 1, by time in us from 0; RSSI in dBm. It moves at `moved_us`, if ever."""

    at_us: Moments
    antenna: NDArray[np.int8]
    rssi_dbm: NDArray[np.int8]
    moved_us: int | None


def resting_tags(scenario: Scenario, seed: int, days: float, quiet_s: float = QUIET_S) -> Iterator[TagRuns]:
    """Each tag of the scenario's opening, left where it lies for `days` while people look and touch.

    One call is as many item-days as the scenario has tags at the opening times `days`. Tags are moved within their
    zone only, so a rule that lets one depart is wrong each time.
    """
    rack = _Rack(scenario, seed)
    runs = _Runs(rack.tags, quiet_s)
    moments = np.random.default_rng([seed, 4])
    step_us = STEP_S * _US_PER_S
    for step in range(round(days * _DAY_S / STEP_S)):
        runs.add(rack.step(), step * step_us + moments.integers(0, step_us, rack.tags))
    yield from runs.close(round(days * _DAY_S * _US_PER_S))


def pair(
    rng: np.random.Generator,
    hours: float,
    chances: tuple[float, float],
    means_dbm: tuple[float, float],
    *,
    sigma_db: float = SIGMA_DB,
    moves_at_s: float | None = None,
) -> PairReads:
    """A tag that two antennas read: each with its chance in every second, each read with its own noise.

    The first of `chances` and `means_dbm` is its own antenna's; after `moves_at_s` they change places.
    """
    seconds = round(hours * 3600)
    moved = np.arange(seconds) >= (seconds if moves_at_s is None else moves_at_s)
    parts = []
    for antenna in (0, 1):
        near = moved == bool(antenna)
        chance = np.where(near, chances[0], chances[1])
        second = np.flatnonzero(rng.random(seconds) < chance)
        at_us = second * _US_PER_S + rng.integers(0, _US_PER_S, len(second))
        rssi = np.where(near[second], means_dbm[0], means_dbm[1]) + rng.normal(0.0, sigma_db, len(second))
        parts.append((at_us, np.full(len(second), antenna, np.int8), np.rint(rssi).astype(np.int8)))
    at_us, number, rssi_dbm = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(at_us, kind="stable")
    moved_us = None if moves_at_s is None else round(moves_at_s * _US_PER_S)
    return PairReads(at_us[order], number[order], rssi_dbm[order], moved_us)


class _Rack:
    """All tags of a scenario where they lie at the opening; `step` lets STEP_S seconds go by.

    For each tag only its NEAREST strongest antennas are followed: arrays are by rank of antenna and tag.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        _, air = scenario.world(seed)
        opening = air.opening()
        plan = scenario.plan
        if any(reader.session > 1 for reader in plan.readers):
            raise ScenarioError(f"{scenario.name}: long silences are reckoned for sessions 0 and 1 only")
        self.tags = len(opening.zone)
        self._rng = np.random.default_rng([seed, zlib.crc32(scenario.name.encode()), 3])
        self._noise = plan.noise
        self._pool = opening.margin_db
        self._peers = [np.flatnonzero(opening.zone == zone) for zone in range(len(plan.zones))]
        self._zone, self._fixture = opening.zone, opening.fixture
        self._flag_s = opening.flag_s
        self._bearing, self._flatness = opening.bearing_rad, opening.flatness
        # Reads a second of a tag that always answers and is never silent, by antenna.
        self._pace = opening.turns_per_s * _air_share(opening, plan.noise.fading_db)
        zones = [plan.zones[number] for number in opening.zone]
        per_fixture = np.array([max(zone.items / zone.fixtures, 1.0) for zone in zones])
        self._blocks_per_step = np.array([zone.blocks_per_hour for zone in zones]) * STEP_S / 3600
        # Of those who look some touch, and then move some of the things there.
        self._touches_per_step = self._blocks_per_step * plan.people.touching_share * MEAN_JOSTLED / per_fixture
        shape = (min(NEAREST, len(self._pool)), self.tags)
        self._antenna = np.zeros(shape, np.int64)
        self._margin, self._fade, self._keeps, self._kick, self._shadow_db = (
            np.zeros(shape, np.float32) for _ in range(5)
        )
        self._free_at = np.zeros(self.tags, np.int64)
        self._now = 0
        self._lay(np.arange(self.tags), np.arange(self.tags))

    def step(self) -> NDArray[np.int64]:
        """How often each tag is read in the next STEP_S seconds."""
        self._now += 1
        rng = self._rng
        self._fade *= self._keeps
        self._fade += self._kick * rng.standard_normal(self._fade.shape, np.float32)
        self._look_and_touch()
        level = self._margin + self._fade - self._shadow_db
        rate = (self._pace[self._antenna] / (1 + np.exp(-level / SLOPE_DB))).sum(axis=0)
        counts: NDArray[np.int64] = rng.poisson(rate / (1 + rate * self._flag_s) * STEP_S)
        return counts

    def _look_and_touch(self) -> None:
        """Bodies come to fixtures and go; some who look leave things turned."""
        rng = self._rng
        self._shadow_db[:, self._free_at == self._now] = 0.0
        comes = np.flatnonzero(rng.random(self.tags) < self._blocks_per_step)
        if len(comes):
            shortest_s, longest_s = self._noise.block_s
            stays_s = shortest_s * (longest_s / shortest_s) ** rng.random(len(comes))
            self._free_at[comes] = self._now + np.maximum(1, np.rint(stays_s / STEP_S)).astype(np.int64)
            antennas, fixtures = self._antenna[:, comes], self._fixture[comes]
            turned = self._bearing[antennas, fixtures] - rng.uniform(-np.pi, np.pi, len(comes))
            hides = np.abs((turned + np.pi) % (2 * np.pi) - np.pi) < BODY_RAD
            loss_db = rng.uniform(*self._noise.block_db, len(comes)) * self._flatness[antennas, fixtures]
            self._shadow_db[:, comes] = np.where(hides, loss_db, 0.0)
        touched = np.flatnonzero(rng.random(self.tags) < self._touches_per_step)
        if len(touched):
            self._lay(touched, np.array([rng.choice(self._peers[zone]) for zone in self._zone[touched]]))

    def _lay(self, tags: NDArray[np.int64], like: NDArray[np.int64]) -> None:
        """Let tags lie as others of their zone did at the opening; each its own fading."""
        rng, noise = self._rng, self._noise
        best = np.argsort(-self._pool[:, like], axis=0)[: len(self._antenna)]
        self._antenna[:, tags] = best
        self._margin[:, tags] = np.take_along_axis(self._pool[:, like], best, axis=0)
        low, high = np.log(noise.fading_s)
        keeps = np.exp(-STEP_S / np.exp(rng.uniform(low, high, best.shape)))
        self._keeps[:, tags] = keeps
        self._kick[:, tags] = noise.fading_db * np.sqrt(1 - keeps**2)
        self._fade[:, tags] = rng.normal(0.0, noise.fading_db, best.shape)


class _Runs:
    """Joins the steps in which a tag was read to runs."""

    def __init__(self, tags: int, quiet_s: float) -> None:
        self._quiet_us = round(quiet_s * _US_PER_S)
        self._first_us = np.zeros(tags, np.int64)
        self._last_us = np.zeros(tags, np.int64)
        self._reads = np.zeros(tags, np.int64)
        self._total = np.zeros(tags, np.int64)
        self._ended: list[NDArray[np.int64]] = []

    def add(self, counts: NDArray[np.int64], at_us: Moments) -> None:
        """The reads of a step; a tag that was read in it was read at `at_us`."""
        read = np.flatnonzero(counts)
        self._end(read[(at_us[read] - self._last_us[read] > self._quiet_us) & (self._reads[read] > 0)])
        new = read[self._reads[read] == 0]
        self._first_us[new] = at_us[new]
        self._last_us[read] = at_us[read]
        self._reads[read] += counts[read]

    def close(self, end_us: int) -> Iterator[TagRuns]:
        """The runs of each tag."""
        self._end(np.flatnonzero(self._reads))
        rows = np.concatenate(self._ended, axis=1) if self._ended else np.empty((4, 0), np.int64)
        rows = rows[:, np.lexsort((rows[1], rows[0]))]
        bounds = np.searchsorted(rows[0], np.arange(len(self._total) + 1))
        for tag, total in enumerate(self._total):
            first_us, last_us, reads = rows[1:, bounds[tag] : bounds[tag + 1]]
            yield TagRuns(tag, float(total) / end_us * _US_PER_S, end_us, first_us, last_us, reads)

    def _end(self, tags: NDArray[np.int64]) -> None:
        if len(tags):
            self._ended.append(np.stack([tags, self._first_us[tags], self._last_us[tags], self._reads[tags]]))
            self._total[tags] += self._reads[tags]
            self._reads[tags] = 0


def _air_share(opening: Opening, fading_db: float) -> NDArray[np.float64]:
    """Of the answers that an antenna could have so many find a slot; by antenna."""
    grid = np.arange(-HOPELESS_DB, 40.0, 0.5)
    chances = np.array([chance_of(margin, fading_db) for margin in grid])
    answers = np.interp(opening.margin_db, grid, chances, left=0.0)
    per_s = answers * opening.turns_per_s[:, None]
    waiting = (answers / (1 + per_s.sum(axis=0) * opening.flag_s)).sum(axis=1)
    share: NDArray[np.float64] = np.minimum(1.0, opening.slots / np.maximum(waiting, 1e-9)) * SLOT_SUCCESS
    return share
