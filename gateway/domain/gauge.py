"""Inputs that count nothing and explain what others see: a cabinet's door, a temperature."""

from collections.abc import Iterator

from gateway.domain.params import Bin, Sensor
from gateway.domain.records import BinRecord
from gateway.domain.zones import US_PER_S
from readers.model import InputSample


class Gauge:
    """Fed the samples of its input in the order of time. `value` is the last one, None where it cannot be told."""

    def __init__(self, params: Bin) -> None:
        self.params = params
        self.changed = False
        """Nothing of it outlives the process."""
        self.value: float | None = None
        self._told_us: int | None = None

    def feed(self, sample: InputSample) -> None:
        """One value."""
        self.value = sample.value
        if sample.value is not None:
            self._told_us = sample.at_us

    @property
    def is_open(self) -> bool | None:
        """Whether it is a door that stands open; None where that cannot be told."""
        if self.params.sensor is not Sensor.DOOR or self.value is None:
            return None
        return (self.value >= 0.5) == bool(self.params.open_value)

    @property
    def sure(self) -> bool:
        """It counts nothing that could be wrong."""
        return True

    def counts(self) -> Iterator[tuple[str, int, int]]:
        """It counts nothing."""
        return iter(())

    def blind(self, now_us: int) -> str | None:
        """Why its value cannot be relied upon, None while it can."""
        if self._told_us is None:
            return "nothing was heard of it yet"
        silent = now_us - self._told_us > self.params.params.blind_s * US_PER_S
        return "it says nothing any more" if silent else None

    def record(self) -> BinRecord:
        """Where it is; nothing of it outlives the process."""
        each = self.params
        return BinRecord(each.reader, each.channel, each.zone, 0.0, 0.0, 0.0, 0.0, ())
