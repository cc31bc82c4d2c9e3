"""SMURF (VLDB 2006): a window per tag, as long as its own read rate asks for, halved when the tag seems to move."""

from dataclasses import dataclass, replace

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.epochs import Switches, epochs
from gateway.evaluate.rules.rule import LAST_READ, Place, Spans, placed
from gateway.evaluate.tracks import Flags, Floats, Ints, Tracks

# Interrogation cycles in an epoch: the share of them that a tag answers is its read rate.
SLOTS = 5
# The longest window, in epochs; at 20 s an epoch more than 11 hours.
MOST_EPOCHS = 2_000
# An epoch and the slots of it are summed up in one number: a look into the past costs most, and is one look then.
EPOCH_BITS = 32
EPOCH = 1 << EPOCH_BITS
# A window grows by so many epochs at a time.
GROWTH = 2


@dataclass(frozen=True, slots=True)
class Smurf:
    """`delta` is the chance to overlook, within a window, a tag that is there."""

    delta: float = 0.05
    epoch_s: float = 1.0
    place: Place = LAST_READ

    def __call__(self, readings: Readings) -> Tracks:
        spans = readings.once(replace(self, place=LAST_READ), lambda: self._here(readings))
        return placed(readings, spans, self.place.labels(readings))

    def _here(self, readings: Readings) -> Spans:
        """When each tag is here, wherever that may be."""
        switches = Switches(readings.tags)
        windows = Windows(readings.tags)
        for epoch in epochs(readings, self.epoch_s, SLOTS):
            windows.add(epoch.cells, epoch.hits)
            windows.adapt(self.delta)
            switches.set(epoch.end_us, windows.filled())
        return switches.spans(readings.end_us)

    def __str__(self) -> str:
        return f"delta {self.delta:g}, epoch {self.epoch_s:g} s, {self.place}"


class Windows:
    """The windows of all tags (or of what else is counted): `width` epochs each."""

    def __init__(self, tags: int) -> None:
        self.width = np.ones(tags, dtype=np.int64)
        self._columns = np.arange(tags)
        # Sums since the beginning, after each of the last epochs: slots below, epochs above.
        self._sums = np.zeros((MOST_EPOCHS + 1, tags), dtype=np.int64)
        self._epoch = 0

    def add(self, tags: Ints, hits: Ints) -> None:
        """One more epoch, in which these tags were read in so many slots."""
        before, self._epoch = self._epoch, self._epoch + 1
        now = self._epoch % len(self._sums)
        self._sums[now] = self._sums[before % len(self._sums)]
        self._sums[now, tags] += hits + EPOCH

    def sums(self, width: Ints | None = None) -> tuple[Ints, Ints]:
        """For each tag the epochs of its window (or of one of another width) in which it was read, and the slots."""
        now = self._epoch % len(self._sums)
        since = (self._epoch - np.minimum(self.width if width is None else width, self._epoch)) % len(self._sums)
        both = self._sums[now] - self._sums[since, self._columns]
        return both >> EPOCH_BITS, both & (EPOCH - 1)

    def filled(self) -> Flags:
        """Which tags were read within their window."""
        seen, _ = self.sums()
        return np.asarray(seen > 0, dtype=np.bool_)

    def adapt(self, delta: float) -> None:
        """Grow, halve or reset every window."""
        seen, hits = self.sums()
        rate = hits / np.maximum(seen * SLOTS, 1)
        wanted = np.minimum(required_epochs(np.maximum(rate, 1 / MOST_EPOCHS), delta), MOST_EPOCHS)
        grown = np.minimum(self.width + GROWTH, wanted)
        halved = np.maximum(np.minimum(self.width // 2, wanted), 1)
        moved = has_moved(seen, self.width, rate)
        width = np.where(wanted > self.width, grown, np.where(moved, halved, self.width))
        self.width = np.where(seen == 0, 1, np.maximum(width, 1))


def required_epochs(rate: Floats, delta: float) -> Ints:
    """w* = ceil(ln(1 / delta) / p): a tag that is there is read in so many epochs but for a chance of `delta`."""
    return np.asarray(np.ceil(np.log(1.0 / delta) / rate), dtype=np.int64)


def has_moved(seen: Ints, width: Ints, rate: Floats) -> Flags:
    """Whether | |S| - w p | exceeds two standard deviations of a binomial count."""
    return np.asarray(np.abs(seen - width * rate) > 2.0 * np.sqrt(width * rate * (1.0 - rate)), dtype=np.bool_)
