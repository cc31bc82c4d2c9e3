"""Bins that count without weighing: pushers by their distance, slots by what covers them."""

from collections import deque
from collections.abc import Iterator
from statistics import median

from gateway.domain.params import Bin, Sensor
from gateway.domain.records import BinRecord, ProductRecord
from gateway.domain.zones import US_PER_S
from readers.model import InputSample

# A distance is the median of so many values: optical sensors jump on dark and shiny packs.
MEDIAN_VALUES = 5
# A pusher stands for a count when it is this close to it (shares of a piece's depth); a hand may hold it in between.
PITCH_SHARE = 0.35
# A count holds when the inputs have said the same for so long: hands pass over slots, and pull pushers back.
HOLD_US = 1 * US_PER_S
# A hand covers slots as pieces do, and seldom stays longer; it never uncovers one.
COVERED_HOLD_US = 3 * US_PER_S


class InputBin:
    """Fed the samples of its inputs in the order of time. An input that cannot be told is never an empty one."""

    def __init__(self, params: Bin, record: BinRecord | None = None) -> None:
        self.params = params
        self.changed = False
        """Something that outlives the process has changed since this was last set back."""
        gtin = params.skus[0].gtin
        known = record.product(gtin) if record is not None else None
        self.pieces: int | None = known.pieces if known is not None else None
        self._values: dict[int, float | None] = dict.fromkeys(params.channels)
        self._heard: dict[int, bool] = dict.fromkeys(params.channels, False)
        self._distances: deque[float] = deque(maxlen=MEDIAN_VALUES)
        self._seen: int | None = None
        self._seen_since_us = 0
        self._told_us: int | None = None

    def feed(self, sample: InputSample) -> None:
        """One value of one of its inputs."""
        self._values[sample.channel] = sample.value
        self._heard[sample.channel] = True
        seen = self._pushed(sample.value) if self.params.sensor is Sensor.PUSHER else self._covered()
        if seen is None:
            self._seen = None
            return
        self._told_us = sample.at_us
        if seen != self._seen:
            self._seen, self._seen_since_us = seen, sample.at_us
        if seen != self.pieces and sample.at_us - self._seen_since_us >= self._hold_us(seen):
            self.pieces = seen
            self.changed = True

    def _hold_us(self, seen: int) -> int:
        """How long the inputs must say this count."""
        more = self.params.sensor is Sensor.SLOTS and self.pieces is not None and seen > self.pieces
        return COVERED_HOLD_US if more else HOLD_US

    def _pushed(self, distance_mm: float | None) -> int | None:
        """The pieces that a pusher has before it; None where it stands between two counts."""
        if distance_mm is None:
            self._distances.clear()
            return None
        self._distances.append(distance_mm)
        if len(self._distances) < MEDIAN_VALUES:
            return None
        depth = (self.params.empty_mm - median(self._distances)) / self.params.pitch_mm
        pieces = round(depth)
        most = self.params.skus[0].most
        within = pieces >= 0 and (most is None or pieces <= most)
        return pieces if within and abs(depth - pieces) <= PITCH_SHARE else None

    def _covered(self) -> int | None:
        """The slots that something covers, wherever the gaps are; None while one of them cannot be told."""
        values = list(self._values.values())
        return None if None in values else sum(value >= 0.5 for value in values if value is not None)

    @property
    def sure(self) -> bool:
        """The inputs say the count that is told, or have not spoken since a restart."""
        return self.pieces is not None and (self._told_us is None or self._seen == self.pieces)

    def counts(self) -> Iterator[tuple[str, int, int]]:
        """(GTIN, pieces, how many of them the inputs confirm now)"""
        if self.pieces is not None:
            yield self.params.skus[0].gtin, self.pieces, self.pieces if self.sure else 0

    def blind(self, now_us: int) -> str | None:
        """Why its count cannot be relied upon, None while it can."""
        if not all(self._heard.values()):
            return "nothing was heard of it yet"
        if self._told_us is None or now_us - self._told_us > self.params.params.blind_s * US_PER_S:
            return "its inputs say nothing that could be counted"
        return None if self.pieces is not None else "its inputs have not come to rest yet"

    def record(self) -> BinRecord:
        """What outlives the process."""
        each = self.params
        products = (ProductRecord(each.skus[0].gtin, self.pieces, 0.0, 0.0, 0.0),) if self.pieces is not None else ()
        return BinRecord(each.reader, each.channel, each.zone, 0.0, 0.0, 0.0, 0.0, products)
