"""The tagged things of a simulated store and the zone that each is in."""

import random
from collections import Counter
from dataclasses import dataclass, field

from simulators.epc import Filter, check_digit, sgtin_96_of, sscc_96

# A company prefix that GS1 uses in its examples, with its length; and what the store sells.
PREFIX_DIGITS = 7
_PREFIX = "0614141"
_ARTICLES = ("12345", "23456", "34567", "45678", "56789", "67890")
_SERIAL_BITS = 38


def demo_gtins() -> tuple[str, ...]:
    """The GTIN-14s of the articles."""
    bodies = (f"0{_PREFIX}{article}" for article in _ARTICLES)
    return tuple(body + check_digit(body) for body in bodies)


@dataclass(slots=True, eq=False)
class Thing:
    """Something with a tag. `gtin` is None for what is no stock; `zone` is None once it has left.

    `quality` scales how often it is read where it lies, `shadow_db` shifts its RSSI; both change when it moves.
    """

    epc: bytes
    gtin: str | None
    zone: str | None = None
    carried: bool = False
    quality: float = 1.0
    shadow_db: float = 0.0
    slot: int = field(default=0, repr=False)


class Stock:
    """All things by zone; moves are O(1), and what came in either is there or went out."""

    def __init__(self, rng: random.Random) -> None:
        self.arrived = 0
        self.gone = 0
        self._rng = rng
        self._zones: dict[str, list[Thing]] = {}
        self._serials: set[int] = set()

    def new_item(self, gtin: str, zone: str) -> Thing:
        """A new item of an article, with a serial that no other has."""
        return self._enter(Thing(sgtin_96_of(gtin, PREFIX_DIGITS, self._serial()), gtin), zone)

    def new_foreign(self, kind: int, zone: str) -> Thing:
        """A tag that is no stock: a pallet's SSCC, a tag nobody encoded, a full case's SGTIN."""
        epcs = (
            lambda: sscc_96(_PREFIX, f"{self._rng.randrange(10**10):010d}"),
            lambda: bytes.fromhex("e2801160") + self._rng.randbytes(8),
            lambda: sgtin_96_of(demo_gtins()[0], PREFIX_DIGITS, self._serial(), Filter.FULL_CASE),
        )
        return self._enter(Thing(epcs[kind % len(epcs)](), None), zone)

    def move(self, thing: Thing, zone: str | None) -> None:
        """Put a thing into another zone; None takes it out of the store for good."""
        self._leave(thing)
        thing.zone = zone
        if zone is None:
            self.gone += thing.gtin is not None
            return
        things = self._zones.setdefault(zone, [])
        thing.slot = len(things)
        things.append(thing)
        # Most lie well, some badly: a squared draw leaves a tail of tags that are rarely read.
        thing.quality = 1.0 - 0.9 * self._rng.random() ** 2
        thing.shadow_db = self._rng.gauss(0.0, 4.0)

    def within(self, zone: str) -> list[Thing]:
        """The things in a zone; not to be changed."""
        return self._zones.get(zone, [])

    def pick(self, zone: str, count: int) -> list[Thing]:
        """Up to `count` items of the zone that nobody carries yet, at random."""
        free = [thing for thing in self.within(zone) if thing.gtin is not None and not thing.carried]
        return self._rng.sample(free, min(count, len(free)))

    def truth(self) -> dict[tuple[str, str], int]:
        """How many items of each GTIN-14 are in each zone; zeros are left out."""
        return dict(
            Counter((thing.gtin, zone) for zone, things in self._zones.items() for thing in things if thing.gtin)
        )

    def _enter(self, thing: Thing, zone: str) -> Thing:
        self.arrived += thing.gtin is not None
        self.move(thing, zone)
        return thing

    def _leave(self, thing: Thing) -> None:
        """Take it out of its zone's list by letting the last one fill its place."""
        if thing.zone is None:
            return
        things = self._zones[thing.zone]
        last = things.pop()
        if last is not thing:
            things[thing.slot] = last
            last.slot = thing.slot

    def _serial(self) -> int:
        while (serial := self._rng.randrange(1 << _SERIAL_BITS)) in self._serials:
            pass
        self._serials.add(serial)
        return serial
