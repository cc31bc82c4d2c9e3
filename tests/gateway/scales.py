"""A bin on a scale whose values and time are turned by hand."""

from random import Random

from gateway.domain.params import Bin, Sensor, ShelfParams, Sku
from gateway.domain.records import BinRecord
from gateway.domain.shelves import Shelves
from gateway.domain.weight import WeightBin
from gateway.domain.zones import US_PER_S
from readers.model import InputSample, WeightCondition, WeightSample

READER = "gondola-7"
GTINS = ("09506000134352", "04012345678901", "00614141123452")
PERIOD_US = US_PER_S // 10


def sku(unit_g: float = 182.0, product: int = 0, **keys: object) -> Sku:
    return Sku(GTINS[product], unit_g, **keys)  # type: ignore[arg-type]


def weighed(*skus: Sku, channel: int = 1, zone: str = "a", params: ShelfParams | None = None, **keys: object) -> Bin:
    return Bin(READER, channel, zone, skus or (sku(),), params=params or ShelfParams(), **keys)  # type: ignore[arg-type]


def pushed(channel: int = 11, zone: str = "a", most: int | None = None) -> Bin:
    return Bin(READER, channel, zone, (Sku(GTINS[1], most=most),), Sensor.PUSHER, empty_mm=400.0, pitch_mm=50.0)


def slotted(*channels: int, zone: str = "a") -> Bin:
    return Bin(READER, channels[0], zone, (Sku(GTINS[2]),), Sensor.SLOTS, slots=channels)


def gauge(channel: int, sensor: Sensor, zone: str = "a", open_value: int = 0) -> Bin:
    return Bin(READER, channel, zone, (), sensor, open_value=open_value)


class HandScale:
    """Feeds one bin, ten values a second, with the noise of a good scale."""

    def __init__(self, params: Bin | None = None, record: BinRecord | None = None, *, noise_g: float = 0.3) -> None:
        self.bin = WeightBin(params or weighed(), record)
        self.now_us = 1_000 * US_PER_S
        self.noise_g = noise_g
        self._random = Random(1)
        self._shown_g = 0.0

    def show(self, grams: float, seconds: float = 1.5, condition: WeightCondition = WeightCondition.STABLE) -> None:
        """A hand moves the scale to this weight, which it then shows for so long."""
        between_g, self._shown_g = (self._shown_g + grams) / 2, grams
        values = [grams] * round(seconds * 10)
        self._feed([between_g, *values[1:]], condition)

    def jump(self, grams: float, seconds: float = 1.5) -> None:
        """From one value to the next it shows this weight, as when a key is pressed."""
        self._shown_g = grams
        self._feed([grams] * round(seconds * 10))

    def _feed(self, values: list[float], condition: WeightCondition = WeightCondition.STABLE) -> None:
        for grams in values:
            self.now_us += PERIOD_US
            weight = grams + self._random.gauss(0, self.noise_g)
            self.bin.feed(WeightSample(READER, 1, self.now_us, condition, weight))

    def spread(self, parts: dict[int, float], seconds: float = 1.5) -> None:
        """The cells of a plate show these weights for so long."""
        for _ in range(round(seconds * 10)):
            self.now_us += PERIOD_US
            for channel, grams in reversed(parts.items()):
                weight = grams + self._random.gauss(0, self.noise_g)
                self.bin.feed(WeightSample(READER, channel, self.now_us, WeightCondition.STABLE, weight))

    def fail(self, condition: WeightCondition, seconds: float = 1.5) -> None:
        """The scale says that it cannot weigh."""
        for _ in range(round(seconds * 10)):
            self.now_us += PERIOD_US
            self.bin.feed(WeightSample(READER, 1, self.now_us, condition))

    def wait(self, seconds: float) -> None:
        """Nothing comes."""
        self.now_us += round(seconds * US_PER_S)

    @property
    def counts(self) -> list[int]:
        return [pieces for _, pieces, _ in self.bin.counts()]

    @property
    def confirmed(self) -> list[int]:
        return [confirmed for _, _, confirmed in self.bin.counts()]

    @property
    def blind(self) -> str | None:
        return self.bin.blind(self.now_us)


def filled(pieces: int, unit_g: float = 182.0, params: Bin | None = None) -> HandScale:
    """A bin that was counted as it was set up."""
    scale = HandScale(params)
    scale.show(0.0, 6.0)
    assert scale.counts == [0] * len(scale.bin.products)
    scale.show(pieces * unit_g, 6.0)
    return scale


def show(shelves: Shelves, now_us: int, seconds: float, **channels: float) -> int:
    """The scales of a shop show weights (c1=..., c2=...) for so long; the time after it."""
    for _ in range(round(seconds * 10)):
        now_us += PERIOD_US
        for name, grams in channels.items():
            shelves.hear(WeightSample(READER, int(name[1:]), now_us, WeightCondition.STABLE, grams))
    return now_us


def tell(shelves: Shelves, now_us: int, seconds: float, **channels: float | None) -> int:
    """The inputs of a shop tell values for so long; the time after it."""
    for _ in range(round(seconds * 10)):
        now_us += PERIOD_US
        for name, value in channels.items():
            shelves.hear(InputSample(READER, int(name[1:]), now_us, value))
    return now_us
