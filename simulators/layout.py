"""The plan of a simulated store: its zones, and what each reader's antennas cover."""

from dataclasses import dataclass
from enum import StrEnum


class ZoneKind(StrEnum):
    """What a zone is for."""

    SALES_FLOOR = "sales_floor"
    BACKROOM = "backroom"
    FITTING_ROOM = "fitting_room"
    CHECKOUT = "checkout"
    EXIT = "exit"
    SHELF = "shelf"
    RECEIVING = "receiving"


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone by its id."""

    id: str
    kind: ZoneKind


@dataclass(frozen=True, slots=True)
class Coverage:
    """How an antenna sees the items of a zone: reads per second and item while it transmits, at best, and mean RSSI."""

    zone: str
    reads_per_s: float
    rssi_dbm: float


@dataclass(frozen=True, slots=True)
class Antenna:
    """One antenna of one reader; `covers[0]` is the zone that it is there for, the others are cross-reads."""

    reader: str
    number: int
    covers: tuple[Coverage, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Zones and antennas."""

    zones: tuple[Zone, ...]
    antennas: tuple[Antenna, ...]

    def of_kind(self, kind: ZoneKind) -> list[str]:
        """The ids of the zones of a kind."""
        return [zone.id for zone in self.zones if zone.kind is kind]

    def readers(self) -> dict[str, dict[int, str]]:
        """The zone of every antenna: `{reader: {antenna: zone}}`, as a gateway is configured."""
        plan: dict[str, dict[int, str]] = {}
        for antenna in self.antennas:
            plan.setdefault(antenna.reader, {})[antenna.number] = antenna.covers[0].zone
        return plan


def demo_layout(reads_per_s: float = 4.0) -> Layout:
    """Six zones under two readers of four antennas each; neighbours read across, weaker and rarer."""

    def antenna(reader: str, number: int, zone: str, *neighbours: str, best: float = reads_per_s) -> Antenna:
        own = Coverage(zone, best, -52.0)
        return Antenna(reader, number, (own, *(Coverage(other, reads_per_s * 0.03, -66.0) for other in neighbours)))

    back, front = "reader-back", "reader-front"
    # Where people pass in seconds, the antenna is near and few tags share it: it reads each of them much more often.
    door_reads_per_s = reads_per_s * 5
    return Layout(
        zones=(
            Zone("receiving", ZoneKind.RECEIVING),
            Zone("backroom", ZoneKind.BACKROOM),
            Zone("floor", ZoneKind.SALES_FLOOR),
            Zone("fitting", ZoneKind.FITTING_ROOM),
            Zone("checkout", ZoneKind.CHECKOUT),
            Zone("exit", ZoneKind.EXIT),
        ),
        antennas=(
            antenna(back, 1, "receiving", "backroom"),
            antenna(back, 2, "backroom", "receiving"),
            antenna(back, 3, "backroom", "floor"),
            antenna(back, 4, "fitting", "floor"),
            antenna(front, 1, "floor", "backroom"),
            antenna(front, 2, "floor", "fitting"),
            antenna(front, 3, "checkout", "floor", best=door_reads_per_s),
            antenna(front, 4, "exit", "checkout", best=door_reads_per_s),
        ),
    )
