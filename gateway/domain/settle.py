"""From single values of a scale to settled weights: when it moves, when it has come to rest, and how it drifts."""

import math
from collections import deque
from dataclasses import dataclass, replace
from statistics import median

from gateway.domain.countable import SETTLED_VALUES
from gateway.domain.params import ShelfParams
from gateway.domain.zones import US_PER_S

# A single value this far from the level is motion: a share of the lightest piece, and clear of the noise.
GATE_SHARE = 0.25
GATE_NOISES = 4.5
# Values lie close together when their range is that of the noise (it grows with the logarithm of their number) ...
RANGE_NOISES = 4.0
# ... or a small part of the lightest piece.
RANGE_SHARE = 0.06
# At rest the level follows the values at this pace, and never faster than this share of the lightest piece a second.
FOLLOW_PER_S = 0.05
FOLLOW_SHARE_PER_S = 0.02
# What of it may be drift of the scale itself; a person who leans on a shelf ever so slowly is faster.
DRIFT_SHARE_PER_S = 0.001
# After a pause of the values nothing is known of what happened in it.
PAUSE_US = 2 * US_PER_S


@dataclass(frozen=True, slots=True)
class Level:
    """A weight that has come to rest: the whole, and the cells under it, in grams.

    `unseen_us`: it came there all at once from the rest before, within the time between two values; None: not so.
    """

    at_us: int
    grams: float
    parts: tuple[float, ...] = ()
    unseen_us: int | None = None


@dataclass(slots=True)
class _Way:
    """How it went since it rested: when the last value there was, when the first one elsewhere, and their bounds."""

    rested_us: int | None = None
    left_us: int | None = None
    lowest_g: float = math.inf
    highest_g: float = -math.inf

    def go(self, at_us: int, grams: float) -> None:
        if self.left_us is None:
            self.left_us = at_us
        self.lowest_g, self.highest_g = min(self.lowest_g, grams), max(self.highest_g, grams)

    def unseen_us(self, grams: float, gate_g: float) -> int | None:
        """How long nobody looked, if all values since then are those of a rest at `grams`."""
        if self.rested_us is None or self.left_us is None:
            return None
        there = grams - gate_g <= self.lowest_g and self.highest_g <= grams + gate_g
        return self.left_us - self.rested_us if there else None


class Settler:
    """Fed one value after the other. `level` is where it rests or last rested, None before that."""

    def __init__(self, params: ShelfParams, lightest_g: float) -> None:
        self._rest_us = round(params.rest_s * US_PER_S)
        self._noise_g = math.hypot(params.noise_g, params.division_g / math.sqrt(12))
        self._lightest_g = lightest_g
        self._gate_g = max(GATE_SHARE * lightest_g, GATE_NOISES * self._noise_g)
        self._values: deque[tuple[int, float, tuple[float, ...]]] = deque()
        self._begun_us = 0
        self.level: Level | None = None
        self.still = False
        self.still_since_us = 0
        self._drift_g = 0.0
        self._way = _Way()

    def interrupt(self) -> None:
        """There is no weight to be had, or there was none for a while: what it rested on is over."""
        self._values.clear()
        self.still = False

    def take_drift_g(self) -> float:
        """By how much the level has drifted since this was last asked."""
        drift_g, self._drift_g = self._drift_g, 0.0
        return drift_g

    def feed(self, at_us: int, grams: float, parts: tuple[float, ...] = (), *, moving: bool = False) -> Level | None:
        """One value, and whether the scale itself sees motion; the level where it has come to rest just now.

        The scale's word only holds a settlement up, it never makes one.
        """
        values = self._values
        if values and at_us - values[-1][0] > PAUSE_US:
            self.interrupt()
        if not values:
            self._begun_us = at_us
        elapsed_s = (at_us - values[-1][0]) / US_PER_S if values else 0.0
        values.append((at_us, grams, parts))
        while len(values) > SETTLED_VALUES and values[0][0] < at_us - self._rest_us:
            values.popleft()
        if self.still and self.level is not None:
            self.still = abs(grams - self.level.grams) <= self._gate_g and self._close_together()
            if self.still:
                self._follow(self.level, elapsed_s)
                self._way = _Way(at_us)
            else:
                self._way.go(at_us, grams)
            return None
        self._way.go(at_us, grams)
        full = len(values) >= SETTLED_VALUES and at_us - self._begun_us >= self._rest_us
        if moving or not full or not self._close_together():
            return None
        self.still, self.still_since_us = True, at_us
        self.level = self._median(at_us)
        self._way = _Way(at_us)
        return self.level

    def _close_together(self) -> bool:
        weights = [value[1] for value in self._values]
        noises = RANGE_NOISES + math.log(len(weights))
        return max(weights) - min(weights) <= max(noises * self._noise_g, RANGE_SHARE * self._lightest_g)

    def _median(self, at_us: int) -> Level:
        grams = median(value[1] for value in self._values)
        parts = zip(*(value[2] for value in self._values), strict=True)
        return Level(at_us, grams, tuple(median(part) for part in parts), self._way.unseen_us(grams, self._gate_g))

    def _follow(self, level: Level, elapsed_s: float) -> None:
        """Creep and temperature: the level goes slowly after the values."""
        gap_g = median(value[1] for value in self._values) - level.grams
        most_g = FOLLOW_SHARE_PER_S * self._lightest_g * elapsed_s
        step_g = max(-most_g, min(most_g, gap_g * FOLLOW_PER_S * elapsed_s))
        most_g = DRIFT_SHARE_PER_S * self._lightest_g * elapsed_s
        self._drift_g += max(-most_g, min(most_g, step_g))
        self.level = replace(level, grams=level.grams + step_g)
