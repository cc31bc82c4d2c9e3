"""The rule of EdgeX's app-rfid-llrp-inventory: one read arrives, a fixed silence departs."""

from dataclasses import dataclass

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.rule import US_PER_S, Spans, ends, placed, quiet_before
from gateway.evaluate.rules.weighted import ASSET_TRACKING, Mobility, located
from gateway.evaluate.tracks import Flags, Ints, Tracks


@dataclass(frozen=True, slots=True)
class EdgeX:
    """A tag departs when a check, every `check_s`, finds its last read more than `departed_s` ago."""

    mobility: Mobility = ASSET_TRACKING
    departed_s: float = 600.0
    check_s: float = 30.0

    def __call__(self, readings: Readings) -> Tracks:
        begins = quiet_before(readings, round(self.departed_s * US_PER_S))
        off_us = self._noticed_us(readings, begins)
        # A read after the silence, but before the check that would have seen it, keeps the tag.
        rows = np.flatnonzero(begins)
        kept = (readings.tag[rows][1:] == readings.tag[rows][:-1]) & (readings.at_us[rows][1:] <= off_us[:-1])
        begins[rows[1:][kept]] = False
        off_us = self._noticed_us(readings, begins)
        spans = Spans(readings.tag[begins], readings.at_us[begins], off_us)
        return placed(readings, spans, located(readings, begins, self.mobility))

    def _noticed_us(self, readings: Readings, begins: Flags) -> Ints:
        """The first check after the last read of each session has become too old."""
        silent_us = readings.at_us[ends(begins)] + round(self.departed_s * US_PER_S) - readings.start_us
        check_us = round(self.check_s * US_PER_S)
        return readings.start_us + (silent_us // check_us + 1) * check_us

    def __str__(self) -> str:
        return f"departed {self.departed_s:g} s"
