"""What a rule is, and what most of them share: when a tag counts (spans) and where (labels)."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.evaluate.readings import Readings
from gateway.evaluate.tracks import NOWHERE, Flags, Ints, Levels, Tracks, tracks

US_PER_S = 1_000_000


class Rule(Protocol):
    """From the reads of a recording to what is said of each tag, or of counts alone, when it is said.

    A rule is a frozen dataclass of its parameters. It knows a read from the moment it was received, and of the truth
    nothing.
    """

    def __call__(self, readings: Readings) -> Tracks | Levels: ...


class Spans(NamedTuple):
    """When tags count: from `on_us` to `off_us` (may lie beyond the recording's end), in order of tag and time."""

    tag: Ints
    on_us: Ints
    off_us: Ints


def quiet_before(readings: Readings, silence_us: int) -> Flags:
    """Whether each read is the first of its tag, or the first after more than `silence_us`."""
    found = readings.first_of_tag.copy()
    found[1:] |= np.diff(readings.at_us) > silence_us
    return found


def ends(begins: Flags) -> Ints:
    """The row of the last read of each of the groups that begin where `begins` says."""
    starts = np.flatnonzero(begins)
    return np.append(starts[1:], len(begins))[: len(starts)] - 1


def placed(readings: Readings, spans: Spans, label: Ints) -> Tracks:
    """What is said where a tag counts in `spans`, and is in zone `label[i]` from its read `i` on."""
    rows = np.searchsorted(readings.keys, readings.key(spans.tag, spans.on_us), side="right") - 1
    gone = spans.off_us < readings.end_us
    changed = np.zeros(len(label), dtype=bool)
    changed[1:] = (label[1:] != label[:-1]) & ~readings.first_of_tag[1:]
    reads = np.flatnonzero(changed)
    span_keys = readings.key(spans.tag, spans.on_us)
    within = np.searchsorted(span_keys, readings.keys[reads], side="left") - 1
    counts = within >= 0
    counts[counts] = (spans.tag[within[counts]] == readings.tag[reads[counts]]) & (
        readings.at_us[reads[counts]] < spans.off_us[within[counts]]
    )
    reads = reads[counts]
    return tracks(
        np.concatenate([spans.off_us[gone], spans.on_us, readings.at_us[reads]]),
        np.concatenate([spans.tag[gone], spans.tag, readings.tag[reads]]),
        np.concatenate([np.full(int(gone.sum()), NOWHERE), label[rows], label[reads]]),
    )


class Place(NamedTuple):
    """How a rule that has no location of its own is given one: that of the last read, or of the strongest antenna.

    The strongest antenna is that with the highest mean dBm over the last `mean_s`; 0: the last read's.
    """

    mean_s: float = 0.0

    def labels(self, readings: Readings) -> Ints:
        """The zone after each read."""
        if not self.mean_s:
            return readings.zone
        window_us = round(self.mean_s * US_PER_S)
        return readings.once(self, lambda: readings.antenna_zone[strongest_antenna(readings, window_us)])

    def __str__(self) -> str:
        return f"mean dBm {self.mean_s:g} s" if self.mean_s else "last read"


LAST_READ = Place()


def strongest_antenna(readings: Readings, window_us: int) -> Ints:
    """After each read: the antenna with the highest mean dBm among its tag's reads of the last `window_us`."""
    rows = np.arange(len(readings.tag))
    since = np.searchsorted(readings.keys, readings.key(readings.tag, readings.at_us - window_us), side="right")
    since = np.minimum(np.maximum(since, readings.first[readings.tag]), rows)
    best = np.full(len(rows), -np.inf)
    antenna = readings.antenna.copy()
    for number in np.unique(readings.antenna):
        here = readings.antenna == number
        heard = _sums(here.astype(np.int64))
        power = _sums(np.where(here, readings.dbm, 0))
        reads = heard[rows + 1] - heard[since]
        mean = np.full(len(rows), -np.inf)
        np.divide(power[rows + 1] - power[since], reads, out=mean, where=reads > 0)
        better = mean > best
        best[better] = mean[better]
        antenna[better] = number
    return antenna


def _sums(values: NDArray[np.int64]) -> Ints:
    return np.concatenate([[0], np.cumsum(values)])
