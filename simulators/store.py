"""A small store with ground truth: what is where, who moves it, and what the antennas see of it.

Everything follows from the seed and the moments that are passed in. Moments are true UTC in microseconds.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Self

from simulators.epc import sgtin_96_of
from simulators.field import Field, Sighting
from simulators.layout import Antenna, Coverage, Layout, demo_layout
from simulators.people import People, Traffic
from simulators.stock import PREFIX_DIGITS, Stock, Thing, demo_gtins

# FCC hopping: 50 channels, at most 0.4 s on each in 20 s (47 CFR 15.247).
_CHANNELS = 50
_CHANNEL_US = 400_000
_GHOST_RSSI_DBM = -72
_SERIAL_BITS = 38
_US_PER_HOUR = 3.6e9
# PeakRSSI is a signed byte, and no reader hears less than its sensitivity.
_WEAKEST_DBM, _STRONGEST_DBM = -90, -20


@dataclass(frozen=True, slots=True)
class Air:
    """What the air does to reads. `certain` makes every item of an antenna's own zone seen in every step, no more."""

    certain: bool = False
    noise_db: float = 3.0
    ghosts_per_hour: float = 6.0


class Store:
    """The store. `field(reader)` is what that reader sees; asking it advances the store to that moment."""

    def __init__(self, layout: Layout, seed: int, *, air: Air | None = None, traffic: Traffic | None = None) -> None:
        self.layout = layout
        self.air = air or Air()
        self.stock = Stock(random.Random(f"{seed}/stock"))
        self._seed = seed
        self._people = People(layout, self.stock, traffic or Traffic(), random.Random(f"{seed}/people"))
        self._now_us: int | None = None
        self._fields: dict[str, _StoreField] = {}

    @classmethod
    def demo(
        cls,
        seed: int,
        *,
        items: int = 300,
        certain: bool = False,
        traffic: Traffic | None = None,
        reads_per_s: float = 4.0,
    ) -> Self:
        """Two readers of four antennas over six zones, `items` items of six articles, and some foreign tags."""
        store = cls(demo_layout(reads_per_s), seed, air=Air(certain=certain), traffic=traffic)
        gtins = demo_gtins()
        for number in range(items):
            store.stock.new_item(gtins[number % len(gtins)], "floor" if number % 5 < 3 else "backroom")
        for number, zone in enumerate(("backroom", "floor", "backroom", "receiving", "floor", "receiving")):
            store.stock.new_foreign(number, zone)
        return store

    def advance(self, now_us: int) -> None:
        """Let people act up to `now_us`; the first moment opens the store, earlier ones change nothing."""
        if self._now_us is None:
            self._people.open(now_us)
        self._now_us = max(now_us, self._now_us or now_us)
        self._people.advance(self._now_us)

    def quiet(self) -> None:
        """Closing time: nobody comes any more, those on the move complete their trips."""
        self._people.close()

    @property
    def moving(self) -> int:
        """How many trips are under way."""
        return self._people.under_way

    def truth(self) -> dict[tuple[str, str], int]:
        """Items by GTIN-14 and zone, `{(gtin14, zone): n}`; what is carried is where its carrier is."""
        return self.stock.truth()

    def field(self, reader: str) -> Field:
        """What the antennas of a reader see; one object for each reader, as its randomness goes on."""
        if reader in self._fields:
            return self._fields[reader]
        antennas = {antenna.number: antenna for antenna in self.layout.antennas if antenna.reader == reader}
        if not antennas:
            raise KeyError(reader)
        return self._fields.setdefault(reader, _StoreField(self, antennas, self._seed))


class _StoreField:
    """The tags in front of one reader; every antenna has its own randomness, so readers do not disturb each other."""

    def __init__(self, store: Store, antennas: dict[int, Antenna], seed: int) -> None:
        self._store = store
        self._antennas = antennas
        self._rngs = {number: random.Random(f"{seed}/{a.reader}/{number}") for number, a in antennas.items()}

    def sightings(self, antenna: int, start_us: int, end_us: int) -> Iterable[Sighting]:
        """Reads are a Poisson process for each item; drawn for all items of a zone at once, so it costs per read."""
        self._store.advance(start_us)
        plan, rng = self._antennas.get(antenna), self._rngs.get(antenna)
        if plan is None or rng is None:
            return []
        if self._store.air.certain:
            return self._everything(plan.covers[0], start_us, end_us)
        seen = [sighting for coverage in plan.covers for sighting in self._some(coverage, rng, start_us, end_us)]
        if rng.random() < self._store.air.ghosts_per_hour * (end_us - start_us) / _US_PER_HOUR:
            seen.append(_ghost(rng, rng.randrange(start_us, end_us)))
        seen.sort(key=attrgetter("at_us"))
        return seen

    def _some(self, coverage: Coverage, rng: random.Random, start_us: int, end_us: int) -> Iterable[Sighting]:
        things = self._store.stock.within(coverage.zone)
        if not things:
            return
        # Draw as if every tag were read at best, then keep each draw with its tag's own quality.
        per_us = len(things) * coverage.reads_per_s / 1e6
        noise_db = self._store.air.noise_db
        at_us = start_us + rng.expovariate(per_us)
        while at_us < end_us:
            thing = things[int(rng.random() * len(things))]
            if rng.random() < thing.quality:
                rssi_dbm = coverage.rssi_dbm + thing.shadow_db + rng.gauss(0.0, noise_db)
                yield _sighting(thing, rssi_dbm, int(at_us))
            at_us += rng.expovariate(per_us)

    def _everything(self, coverage: Coverage, start_us: int, end_us: int) -> Iterable[Sighting]:
        things = self._store.stock.within(coverage.zone)
        for number, thing in enumerate(things):
            yield _sighting(thing, coverage.rssi_dbm, start_us + (end_us - start_us) * number // len(things))


def _sighting(thing: Thing, rssi_dbm: float, at_us: int) -> Sighting:
    clipped_dbm = min(max(round(rssi_dbm), _WEAKEST_DBM), _STRONGEST_DBM)
    return Sighting(thing.epc, len(thing.epc) * 8, clipped_dbm, at_us, _channel(at_us))


def _ghost(rng: random.Random, at_us: int) -> Sighting:
    """A read of an item that is not there and will not be seen again: well-formed, weak, once."""
    epc = sgtin_96_of(rng.choice(demo_gtins()), PREFIX_DIGITS, rng.randrange(1 << _SERIAL_BITS))
    return Sighting(epc, 96, _GHOST_RSSI_DBM, at_us, _channel(at_us))


def _channel(at_us: int) -> int:
    return at_us // _CHANNEL_US % _CHANNELS + 1
