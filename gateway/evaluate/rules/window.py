"""Fixed windows: a tag counts while it was read within the last so many seconds."""

from dataclasses import dataclass

from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.rule import LAST_READ, US_PER_S, Place, Spans, ends, placed, quiet_before
from gateway.evaluate.tracks import Tracks


@dataclass(frozen=True, slots=True)
class FixedWindow:
    """A sliding window of `window_s`, judged without a delay."""

    window_s: float
    place: Place = LAST_READ

    def __call__(self, readings: Readings) -> Tracks:
        window_us = round(self.window_s * US_PER_S)
        begins = quiet_before(readings, window_us)
        spans = Spans(
            readings.tag[begins],
            readings.at_us[begins],
            readings.at_us[ends(begins)] + window_us,
        )
        return placed(readings, spans, self.place.labels(readings))

    def __str__(self) -> str:
        return f"{self.window_s:g} s, {self.place}"
