"""What every driver yields: the only types that cross from a device's room into the line.

Two clocks meet here. A device stamps its reads with a clock of its own (UTC or uptime, often wrong); the gateway
lives on one monotonic clock. `ReadBatch.offset_us` is the bridge: `read.last_us + batch.offset_us` is the
gateway's monotonic time of that read, in microseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

NO_RSSI_DBM = -128
"""What a read carries whose device reports no signal strength: weaker than any real one."""


class Read(NamedTuple):
    """One tag seen by one antenna, `seen_count` times between `first_us` and `last_us` (the device's own clock).

    The hot path hands over plain tuples of this shape and order: millions a second, never more than a view.
    """

    epc: bytes
    antenna: int
    rssi_dbm: int
    first_us: int
    last_us: int
    seen_count: int


RawRead = tuple[bytes, int, int, int, int, int]
"""A `Read` as the hot path makes it."""


class ReadBatch(NamedTuple):
    """Reads that one device delivered together; the unit that is queued, never a single read.

    `received_us` is the gateway's monotonic time of arrival. `epc_bits` is None where every EPC has exactly
    8 * len(epc) bits, as all Gen2 tags do; otherwise it is the bit count of every EPC in the batch (LLRP's EPCData
    carries its own count), the last byte being padded with zero bits.
    """

    reader: str
    received_us: int
    offset_us: int
    reads: Sequence[RawRead]
    epc_bits: int | None = None


class ReaderCondition(StrEnum):
    """Where a reader is in its life, as `readers/{reader}/state` shows it."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    READING = "reading"
    FAILED = "failed"
    STOPPED = "stopped"


class AntennaCondition(StrEnum):
    """What is known of an antenna port: its reader has told, or has not."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, for a person: `kind` is stable and bounded (a metric's label), `hint` says what to do."""

    kind: str
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class ReaderState:
    """A reader's condition has changed; every field is the whole present truth, not a difference.

    `resting`: it is well and connected, and does not look just now, because another one has its turn or its trigger
    is off. `inputs`: port -> high, as far as it has told of them. `temperature_c`: inside, where it says so.
    """

    reader: str
    condition: ReaderCondition
    address: str = ""
    model: str = ""
    firmware: str = ""
    antennas: Mapping[int, AntennaCondition] = field(default_factory=dict)
    clock_offset_ms: float | None = None
    fault: Fault | None = None
    resting: bool = False
    inputs: Mapping[int, bool] = field(default_factory=dict)
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class ReaderNotice:
    """Something worth counting that ended nothing: a refused optional setting, a frame that made no sense."""

    reader: str
    fault: Fault
    count: int = 1


class WeightUnit(StrEnum):
    """What devices weigh in."""

    MILLIGRAM = "mg"
    GRAM = "g"
    KILOGRAM = "kg"
    TONNE = "t"
    OUNCE = "oz"
    POUND = "lb"


GRAMS_OF = {
    WeightUnit.MILLIGRAM: 1e-3,
    WeightUnit.GRAM: 1.0,
    WeightUnit.KILOGRAM: 1e3,
    WeightUnit.TONNE: 1e6,
    # The international avoirdupois pound of 1959 is 453.59237 g, exactly; an ounce is a sixteenth of it.
    WeightUnit.OUNCE: 28.349523125,
    WeightUnit.POUND: 453.59237,
}
"""Grams in one of each."""


class WeightCondition(StrEnum):
    """What a scale says of one value. Only the first two carry a weight; none of the others is ever zero."""

    STABLE = "stable"
    MOVING = "moving"
    OVERLOAD = "overload"
    UNDERLOAD = "underload"
    BUSY = "busy"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class WeightSample:
    """One value of one scale (`channel` of that reader) at the gateway's monotonic `at_us`; `grams` where it is one."""

    reader: str
    channel: int
    at_us: int
    condition: WeightCondition
    grams: float | None = None


@dataclass(frozen=True, slots=True)
class InputSample:
    """One input of a shelf at the gateway's monotonic `at_us`.

    What its number means is the profile's business: covered slots (reeds, photo-eyes: 0 or 1), millimetres (pushers),
    degrees Celsius. None: the input cannot be told just now, which is never zero.
    """

    reader: str
    channel: int
    at_us: int
    value: float | None


ReaderEvent = ReadBatch | ReaderState | ReaderNotice | WeightSample | InputSample
