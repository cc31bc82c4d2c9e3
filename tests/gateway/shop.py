"""A shop without I/O: zones, antennas and an inventory whose time is turned by hand."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateway.domain.inventory import Inventory
from gateway.domain.items import Cause, Identity, Item, Transition
from gateway.domain.params import PROFILES, PresenceParams, Profile, Zone, ZoneKind
from gateway.domain.presence import Presence
from gateway.domain.stock import Stock
from gateway.domain.zones import US_PER_S, Antenna, LiveZone
from readers.model import RawRead, ReadBatch

READER = "ceiling-1"
# What a test of other rules relies on: two reads count, one that stays alone is soon forgotten.
RACK = replace(PROFILES[Profile.RACK], first_read_chance=1.0, glimpsed_timeout_s=60.0, departed_floor_s=1800.0)
DOOR = replace(PROFILES[Profile.DOOR], glimpsed_timeout_s=60.0)
# Bounds that are the same for every tag, and short.
QUICK = PresenceParams(
    missing_floor_s=60.0,
    departed_floor_s=120.0,
    silence_ceiling_s=120.0,
    missing_chance=0.5,
    first_read_chance=1.0,
    glimpsed_timeout_s=60.0,
)
QUICK_SHOP = {"a": QUICK, "b": QUICK, "door": DOOR}
START_US = 1_000 * US_PER_S
UTC_US = 1_790_000_000 * US_PER_S
GTINS = ("09506000134352", "04012345678901", "00614141123452")


def causes(made: Iterable[Transition]) -> list[Cause]:
    """Why each of them was made."""
    return [one.cause for one in made]


class HandClock:
    """Both clocks of a box, turned by hand; the boot is long ago."""

    def __init__(self, now_us: int = START_US) -> None:
        self.now_us = now_us

    def monotonic_us(self) -> int:
        return self.now_us

    def utc_us(self) -> int:
        return UTC_US + self.now_us

    def turn(self, seconds: float) -> None:
        self.now_us += round(seconds * US_PER_S)


def tag(serial: int, product: int = 0) -> bytes:
    """An EPC of 96 bits: a product and a serial number, in a coding of this test's own."""
    return b"\x30" + product.to_bytes(3) + serial.to_bytes(8)


def alias(serial: int, product: int = 0) -> bytes:
    """A second tag of the same item."""
    return b"\x31" + tag(serial, product)[1:]


def identify(epc: bytes, bits: int) -> Identity | None:
    """What `tag` and `alias` have coded; everything else is no stock."""
    if epc[:1] not in {b"\x30", b"\x31"} or bits not in {95, 96}:
        return None
    return Identity(GTINS[int.from_bytes(epc[1:4])], str(int.from_bytes(epc[4:])))


def identity(serial: int, product: int = 0) -> Identity:
    return Identity(GTINS[product], str(serial))


class Shop:
    """Zones `a`, `b` (racks) and `door`, one antenna each (1, 2, 3), all working, nothing to be learnt.

    What leaves in silence is an exit, but for one that is called `till`.
    """

    def __init__(
        self,
        params: Mapping[str, PresenceParams] | None = None,
        antennas: Mapping[str, tuple[int, ...]] | None = None,
        clock: HandClock | None = None,
    ) -> None:
        self.clock = clock or HandClock()
        params = params or {"a": RACK, "b": RACK, "door": DOOR}
        ports = antennas or {name: (port,) for port, name in enumerate(params, 1)}
        self.zones: dict[str, LiveZone] = {}
        self.zone_of: dict[Antenna, LiveZone] = {}
        for name, presence in params.items():
            passed = ZoneKind.CHECKOUT if name == "till" else ZoneKind.EXIT
            kind = passed if presence.leaves_silent else ZoneKind.SALES_FLOOR
            covered = [(READER, port) for port in ports[name]]
            zone = LiveZone(Zone(name, kind, presence), covered, learning=False, now_us=self.clock.now_us)
            self.zones[name] = zone
            self.zone_of.update(dict.fromkeys(covered, zone))
        self.inventory = Inventory(self.zones.values(), self.zone_of, identify)
        self.stock = Stock()
        self.works()

    def works(self, *zones: str, working: bool = True) -> None:
        """The antennas of these zones (of all, where none is named) come up, or go down."""
        for name in zones or self.zones:
            for antenna in self.zones[name].antennas:
                self.zones[name].observe(antenna, working=working, now_us=self.clock.now_us)

    def fails(self, *zones: str) -> None:
        self.works(*zones, working=False)

    def hear(self, port: int, *epcs: bytes, dbm: int = -55, count: int = 1, age_s: float = 0.0) -> None:
        """One report a tag, stamped `age_s` ago by a device whose clock is 5 s behind the gateway's."""
        offset_us = 5 * US_PER_S
        stamp_us = self.clock.now_us - offset_us - round(age_s * US_PER_S)
        reads: list[RawRead] = [(epc, port, dbm, stamp_us, stamp_us, count) for epc in epcs]
        self.inventory.ingest(ReadBatch(READER, self.clock.now_us, offset_us, reads))

    def tick(self) -> list[Transition]:
        return self.inventory.tick(self.clock.now_us)

    def wait(self, seconds: float, step_s: float = 0.25) -> list[Transition]:
        """Time passes, and with it the ticks."""
        made: list[Transition] = []
        for _ in range(round(seconds / step_s)):
            self.clock.turn(step_s)
            made += self.tick()
        return made

    def read_for(
        self, seconds: float, reads: Iterable[tuple[int, bytes, int]], every_s: float = 1.0
    ) -> list[Transition]:
        """(port, EPC, dBm) again and again, with a tick after each round."""
        made: list[Transition] = []
        reads = list(reads)
        for _ in range(round(seconds / every_s)):
            self.clock.turn(every_s)
            for port, epc, dbm in reads:
                self.hear(port, epc, dbm=dbm)
            made += self.tick()
        return made

    def place(self, serial: int, port: int = 1, product: int = 0) -> Item:
        """An item that has just arrived where `port` looks."""
        self.read_for(1.5, [(port, tag(serial, product), -55)], every_s=0.5)
        item = self.item(serial, product)
        assert item.presence is Presence.PRESENT
        return item

    def item(self, serial: int, product: int = 0) -> Item:
        item = self.inventory.find(identity(serial, product))
        assert item is not None
        return item
