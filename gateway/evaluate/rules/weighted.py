"""Location by the weighted signal strength of EdgeX's app-rfid-llrp-inventory, which the Intel RSP gateway has too."""

from dataclasses import dataclass

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.tracks import Flags, Floats, Ints

# Both keep so many samples per tag and antenna, and move a tag only to an antenna that has two.
SAMPLES = 20
LEAST_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class Mobility:
    """How much stronger another antenna must be: `threshold_db` at first, less and less after `holdoff_ms`.

    `slope_db_ms` is negative: dB per millisecond since the present antenna has last read the tag.
    """

    name: str
    slope_db_ms: float
    holdoff_ms: float
    threshold_db: float = 6.0

    def offset_db(self, silent_ms: float) -> float:
        """What is asked for, the present antenna having been silent for so long."""
        return min(self.threshold_db, self.slope_db_ms * (silent_ms - self.holdoff_ms) + self.threshold_db)


ASSET_TRACKING = Mobility("asset tracking", -0.008, 500.0)
RETAIL_GARMENT = Mobility("retail garment", -0.0005, 60_000.0)


def mean_dbm(readings: Readings, session: Ints) -> tuple[Floats, Ints]:
    """At each read: the mean dBm of the last samples of its tag on its antenna within its session, and their number."""
    order = np.lexsort((np.arange(len(session)), readings.antenna, session))
    new = np.ones(len(order), dtype=bool)
    sorted_session, sorted_antenna = session[order], readings.antenna[order]
    new[1:] = (sorted_session[1:] != sorted_session[:-1]) | (sorted_antenna[1:] != sorted_antenna[:-1])
    rows = np.arange(len(order))
    start = np.maximum.accumulate(np.where(new, rows, 0))
    count = np.minimum(rows - start + 1, SAMPLES)
    sums = np.concatenate([[0], np.cumsum(readings.dbm[order])])
    mean = np.empty(len(order))
    number = np.empty(len(order), dtype=np.int64)
    mean[order] = (sums[rows + 1] - sums[rows + 1 - count]) / count
    number[order] = count
    return mean, number


def located(readings: Readings, begins: Flags, mobility: Mobility) -> Ints:
    """The zone after each read, where every session of a tag starts without memory."""
    session = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(begins))
    label = readings.zone.copy()
    low = np.minimum.reduceat(readings.zone, starts) if len(starts) else starts
    high = np.maximum.reduceat(readings.zone, starts) if len(starts) else starts
    contested = np.flatnonzero(low != high)
    if not len(contested):
        return label
    mean, number = mean_dbm(readings, session)
    for one in contested.tolist():
        rows = slice(starts[one], ends[one])
        antennas = _follow(
            readings.antenna[rows].tolist(),
            (readings.at_us[rows] / 1000).tolist(),
            mean[rows].tolist(),
            number[rows].tolist(),
            mobility,
        )
        label[rows] = readings.antenna_zone[antennas]
    return label


def _follow(
    antennas: list[int], at_ms: list[float], means: list[float], numbers: list[int], mobility: Mobility
) -> list[int]:
    """The antenna that the tag is at after each of its reads."""
    current, current_mean, current_ms = antennas[0], means[0], at_ms[0]
    found = []
    for antenna, now_ms, mean, number in zip(antennas, at_ms, means, numbers, strict=True):
        if antenna == current or (
            number >= LEAST_SAMPLES and mean > current_mean + mobility.offset_db(now_ms - current_ms)
        ):
            current, current_mean, current_ms = antenna, mean, now_ms
        found.append(current)
    return found
