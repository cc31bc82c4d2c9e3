"""The smoothing of GS1 ALE 1.1: glimpsed, observed, lost."""

from dataclasses import dataclass

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.rule import LAST_READ, US_PER_S, Place, Spans, ends, placed, quiet_before
from gateway.evaluate.tracks import Ints, Tracks


@dataclass(frozen=True, slots=True)
class AleSmoothing:
    """A glimpsed tag is observed after `count` reads, or once its reads span `span_s`; it is lost after `lost_s`.

    A glimpse is forgotten after `glimpsed_s` without a read, which is at most `lost_s`.
    """

    glimpsed_s: float
    count: int
    span_s: float
    lost_s: float
    place: Place = LAST_READ

    def __call__(self, readings: Readings) -> Tracks:
        lost_us = round(self.lost_s * US_PER_S)
        begins = quiet_before(readings, lost_us)
        observed = self._observed(readings)
        # Until it is lost, a tag is observed from the first read on that makes it so.
        session = np.cumsum(begins) - 1
        first = np.full(int(begins.sum()), len(observed), dtype=np.int64)
        rows = np.flatnonzero(observed)
        np.minimum.at(first, session[rows], rows)
        seen = first < len(observed)
        spans = Spans(
            readings.tag[first[seen]],
            readings.at_us[first[seen]],
            readings.at_us[ends(begins)[seen]] + lost_us,
        )
        return placed(readings, spans, self.place.labels(readings))

    def _observed(self, readings: Readings) -> Ints:
        """Whether each read is enough to make a glimpsed tag observed."""
        glimpse = quiet_before(readings, round(min(self.glimpsed_s, self.lost_s) * US_PER_S))
        rows = np.arange(len(glimpse))
        start = np.maximum.accumulate(np.where(glimpse, rows, 0))
        enough = rows - start + 1 >= self.count
        long = readings.at_us - readings.at_us[start] >= round(self.span_s * US_PER_S)
        return np.asarray(enough | long, dtype=np.int64)

    def __str__(self) -> str:
        return f"{self.count} reads or {self.span_s:g} s, lost {self.lost_s:g} s, {self.place}"
