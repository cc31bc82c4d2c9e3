"""SMURF's estimate of a count (VLDB 2006): what was read in a window, each tag weighed by how likely it was read."""

from dataclasses import dataclass

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.epochs import epochs
from gateway.evaluate.rules.smurf import GROWTH, MOST_EPOCHS, SLOTS, Windows, required_epochs
from gateway.evaluate.tracks import Floats, Ints, Levels

# A changed estimate is worth a word from here on (items).
LEAST_CHANGE = 1e-6


@dataclass(frozen=True, slots=True)
class SmurfCount:
    """Each zone has one window for all tags. It says how many there are of a product, and not which."""

    delta: float = 0.05
    epoch_s: float = 1.0

    def __call__(self, readings: Readings) -> Levels:
        zones, products = len(readings.zone_ids), int(readings.product.max(initial=0)) + 1
        pairs, cell = np.unique(readings.zone * readings.tags + readings.tag, return_inverse=True)
        zone_of, product_of = pairs // readings.tags, readings.product[pairs % readings.tags]
        row_of = product_of * zones + zone_of
        windows = Windows(len(pairs))
        width = np.ones(zones, dtype=np.int64)
        told = np.zeros(products * zones)
        said: list[Levels] = []
        for epoch in epochs(readings, self.epoch_s, SLOTS, cell):
            windows.add(epoch.cells, epoch.hits)
            windows.width = width[zone_of]
            width = self._adapted(windows, zone_of, width)
            windows.width = width[zone_of]
            weight, _ = _estimate(windows, windows.width)
            level: Floats = np.asarray(np.bincount(row_of, weights=weight, minlength=len(told)), dtype=np.float64)
            changed = np.flatnonzero(np.abs(level - told) > LEAST_CHANGE)
            at_us = np.full(len(changed), epoch.end_us, dtype=np.int64)
            said.append(Levels(at_us, changed // zones, changed % zones, level[changed]))
            told[changed] = level[changed]
        return Levels(*(np.concatenate(column) for column in zip(*said, strict=True)))

    def _adapted(self, windows: Windows, zone_of: Ints, width: Ints) -> Ints:
        """The windows of all zones, after one more epoch."""

        def by_zone(values: Floats) -> Floats:
            return np.asarray(np.bincount(zone_of, weights=values, minlength=len(width)), dtype=np.float64)

        seen, hits = windows.sums()
        rate = by_zone(hits.astype(np.float64)) / np.maximum(by_zone(SLOTS * seen.astype(np.float64)), 1.0)
        wanted = np.minimum(required_epochs(np.maximum(rate, 1 / MOST_EPOCHS), self.delta), MOST_EPOCHS)
        whole, whole_spread = _estimate(windows, windows.width)
        half, half_spread = _estimate(windows, np.maximum(windows.width // 2, 1))
        apart = np.abs(by_zone(whole) - by_zone(half))
        moved = apart > 2.0 * (np.sqrt(by_zone(whole_spread)) + np.sqrt(by_zone(half_spread)))
        grown = np.minimum(width + GROWTH, wanted)
        halved = np.maximum(np.minimum(width // 2, wanted), 1)
        adapted = np.where(wanted > width, grown, np.where(moved, halved, width))
        return np.where(by_zone(seen.astype(np.float64)) == 0.0, 1, np.maximum(adapted, 1))

    def __str__(self) -> str:
        return f"delta {self.delta:g}, epoch {self.epoch_s:g} s"


def _estimate(windows: Windows, width: Ints) -> tuple[Floats, Floats]:
    """What each tag that was read within the window stands for, 1 / pi, and the variance (1 - pi) / pi^2."""
    seen, hits = windows.sums(width)
    return weights(hits / np.maximum(seen * SLOTS, 1), width, read=seen)


def weights(rate: Floats, width: Ints, *, read: Ints) -> tuple[Floats, Floats]:
    """1 / pi and (1 - pi) / pi^2 with pi = 1 - (1 - p)^w, the chance to be read in `width` epochs; 0 if not `read`."""
    chance = np.where(read > 0, 1.0 - (1.0 - rate) ** width, 1.0)
    return np.where(read > 0, 1.0 / chance, 0.0), np.where(read > 0, (1.0 - chance) / chance**2, 0.0)
