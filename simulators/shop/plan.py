"""What a scenario file may say: the floor plan, the readers, the people, the air and the faults of one store.

Lengths are metres, powers dBm, losses dB one way, times seconds from the opening unless a name says otherwise.
The defaults are the frozen noise of this store; docs/accuracy.md gives the reason for each.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from simulators.layout import ZoneKind
from simulators.shop.gondola_plan import BinPlan, CellPlan, GondolaPlan, ProductPlan, Scales, ShelfFault, Shoppers
from simulators.shop.section import Identifier, NotNegative, Positive, Section, Share, Span

Point = tuple[float, float]
Place = tuple[float, float, float]


class ScenarioError(ValueError):
    """A scenario file that cannot be used: every problem, one a line, with the key and what was expected."""


class ZoneArea(Section):
    """A zone: the rectangle that it takes, and what stands in it."""

    id: Identifier
    kind: ZoneKind
    # Left, bottom, right, top.
    area: tuple[float, float, float, float]
    # Racks, shelves or piles; whatever stands in front of one blocks all its tags.
    fixtures: Annotated[int, Field(ge=1, le=500)] = 1
    items: Annotated[int, Field(ge=0, le=20_000)] = 0
    # Somebody who carries nothing stands in front of a fixture this often.
    blocks_per_hour: NotNegative = 6.0
    # Fixtures of metal, or full of what holds liquid.
    metal_share: Share = 0.08
    # What the goods around a tag take away: textiles little, packed boxes much.
    clutter_db: NotNegative = 4.0

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        left, bottom, right, top = self.area
        if left >= right or bottom >= top:
            raise ValueError("area is [left, bottom, right, top] with left < right and bottom < top")
        return self


class Wall(Section):
    """A wall in the plan, from the floor to the ceiling."""

    from_: Annotated[Point, Field(alias="from")]
    to: Point
    # Plasterboard 3, brick 6, concrete 12, metal 20 and more at 866 MHz.
    loss_db: Positive = 3.0


class AntennaMount(Section):
    """One antenna: where it hangs, where it looks, how long its turn lasts."""

    port: Annotated[int, Field(ge=1, le=65_535)]
    zone: Identifier
    at: Place
    # Without it the antenna looks straight down.
    aim: Place | None = None
    dwell_ms: Annotated[int, Field(ge=10, le=10_000)] = 250
    power_dbm: Annotated[float, Field(ge=0, le=36)] = 30.0


class ReaderClock(Section):
    """How a reader's own clock differs from true UTC."""

    offset_s: float = 0.0
    drift_ppm: float = 0.0
    # Counts from when the reader was switched on, an hour before the opening.
    uptime: bool = False


class ReaderMount(Section):
    """One reader and its antennas, which take turns in the order of the file."""

    id: Identifier
    antennas: Annotated[tuple[AntennaMount, ...], Field(min_length=1)]
    # What the air carries: reads per second while an antenna transmits.
    reads_per_s: Annotated[float, Field(ge=50, le=1000)] = 300.0
    session: Annotated[int, Field(ge=0, le=3)] = 1
    # `single` leaves tags silent that were read, `dual` turns them over and reads them again.
    target: Literal["single", "dual"] = "single"
    # Nobody transmits for so long after each round of the antennas.
    idle_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    # How it is reached where it is served live: over LLRP, or as a module on a serial port.
    wire: Literal["llrp", "m100"] = "llrp"
    # Reads are sent in batches.
    report_ms: Annotated[int, Field(ge=1, le=10_000)] = 250
    clock: ReaderClock = ReaderClock()


class Habits(Section):
    """Who comes, how often, and what they do. Spans are (shortest, longest) in seconds."""

    customers_per_hour: NotNegative = 0.0
    # Factor on the customers over equal parts of the day; a rush is a part with much more than 1.
    rhythm: tuple[NotNegative, ...] = (1.0,)
    items_per_customer: Annotated[int, Field(ge=1, le=10)] = 3
    fitting_share: Share = 0.35
    buying_share: Share = 0.45
    stealing_share: Share = 0.01
    # Of what is put back: so much lands on a fixture where it does not belong.
    misplaced_share: Share = 0.15
    # Of what was tried on and is not bought: so much stays in the fitting room until staff collect it.
    left_behind_share: Share = 0.2
    # Of those who look at a fixture and take nothing: so many touch what is there.
    touching_share: Share = 0.25
    # Customers who carry something past another zone and come back.
    strolling_share: Share = 0.3
    refills_per_hour: NotNegative = 0.0
    items_per_refill: Annotated[int, Field(ge=1, le=200)] = 12
    collections_per_hour: NotNegative = 2.0
    returns_per_hour: NotNegative = 0.0
    browsing_s: Span = (15.0, 120.0)
    fitting_s: Span = (60.0, 300.0)
    queue_s: Span = (20.0, 120.0)
    door_s: Span = (2.0, 6.0)
    # No customer enters after it; None: open to the end.
    closing_s: Positive | None = None


class Delivery(Section):
    """A lorry: boxes stand in receiving, then go to the back room in loads."""

    at_s: NotNegative
    items: Annotated[int, Field(ge=1, le=5000)]
    load: Annotated[int, Field(ge=1, le=1000)] = 60
    standing_s: Span = (120.0, 600.0)


class Noise(Section):
    """What the air does to reads."""

    # Multipath of a tag that lies still: standard deviation one way, so twice that in RSSI; its times of change.
    fading_db: NotNegative = 2.0
    fading_s: tuple[Positive, Positive] = (3.0, 180.0)
    # The same while it is carried.
    carried_fading_db: NotNegative = 3.0
    carried_fading_s: tuple[Positive, Positive] = (0.3, 2.0)
    # Where each tag lies has its own standing waves: they stay as long as it lies there.
    shadow_db: NotNegative = 3.0
    # A body between antenna and tag, and how long it stands there.
    block_db: Span = (6.0, 14.0)
    block_s: tuple[Positive, Positive] = (15.0, 300.0)
    body_db: Span = (2.0, 8.0)
    metal_db: Span = (4.0, 10.0)
    path_exponent: Annotated[float, Field(ge=1.6, le=5)] = 2.4
    ghosts_per_hour: NotNegative = 6.0
    # Under one read in so many seconds at its own best antenna no tag is hung by people who want it read.
    rarest_s: Positive = 200.0


class Fault(Section):
    """Something breaks. Which of `reader` and `antenna` it needs depends on its kind."""

    kind: Literal["cable", "reboot", "frozen", "network", "gateway", "clock"]
    at_s: NotNegative
    for_s: Positive = 60.0
    reader: Identifier | None = None
    antenna: int | None = None
    # cable: the reader notices and says so.
    told: bool = False
    # network, gateway: the reader keeps its reads and sends them afterwards.
    held: bool = False
    # clock: it jumps by so much.
    jump_s: float = 0.0

    @model_validator(mode="after")
    def _names_its_victim(self) -> Self:
        if self.kind != "gateway" and self.reader is None:
            raise ValueError(f"a {self.kind} fault needs reader")
        if self.kind == "cable" and self.antenna is None:
            raise ValueError("a cable fault needs antenna, the port")
        return self


class ShopPlan(Section):
    """A scenario file."""

    about: str
    hours: Annotated[float, Field(gt=0, le=48)]
    seed: int = 1
    start: datetime = datetime(2026, 3, 2, 9, tzinfo=UTC)
    articles: Annotated[int, Field(ge=1, le=5000)] = 40
    zones: Annotated[tuple[ZoneArea, ...], Field(min_length=1)]
    readers: Annotated[tuple[ReaderMount, ...], Field(min_length=1)]
    walls: tuple[Wall, ...] = ()
    people: Habits = Habits()
    deliveries: tuple[Delivery, ...] = ()
    noise: Noise = Noise()
    faults: tuple[Fault, ...] = ()
    gondolas: tuple[GondolaPlan, ...] = ()

    @model_validator(mode="after")
    def _has_unique_names(self) -> Self:
        zones = [zone.id for zone in self.zones]
        readers = [*(reader.id for reader in self.readers), *(gondola.id for gondola in self.gondolas)]
        for kind, ids in (("zones", zones), ("readers", readers)):
            if len(set(ids)) < len(ids):
                raise ValueError(f"two {kind} have the same id")
        for reader in self.readers:
            if len({antenna.port for antenna in reader.antennas}) < len(reader.antennas):
                raise ValueError(f"reader {reader.id}: two antennas have the same port")
        return self

    @model_validator(mode="after")
    def _refers_to_what_there_is(self) -> Self:
        zones = [zone.id for zone in self.zones]
        ports = {reader.id: [antenna.port for antenna in reader.antennas] for reader in self.readers}
        for reader in self.readers:
            for antenna in reader.antennas:
                if antenna.zone not in zones:
                    hint = _nearest(antenna.zone, zones)
                    raise ValueError(f"reader {reader.id}, port {antenna.port}: no zone {antenna.zone!r}{hint}")
        for gondola in self.gondolas:
            if gondola.zone not in zones:
                raise ValueError(f"gondola {gondola.id}: no zone {gondola.zone!r}{_nearest(gondola.zone, zones)}")
        for fault in self.faults:
            if fault.reader is not None and fault.reader not in ports:
                raise ValueError(f"{fault.kind} fault: no reader {fault.reader!r}{_nearest(fault.reader, ports)}")
            if fault.reader and fault.antenna is not None and fault.antenna not in ports[fault.reader]:
                raise ValueError(f"{fault.kind} fault: reader {fault.reader!r} has no antenna {fault.antenna}")
        return self

    @model_validator(mode="after")
    def _can_happen(self) -> Self:
        if self.deliveries and not any(zone.kind is ZoneKind.RECEIVING for zone in self.zones):
            raise ValueError("deliveries need a zone of kind receiving")
        if self.start.tzinfo is None:
            raise ValueError("start needs an offset: 2026-03-02T09:00:00Z")
        return self


def parse_plan(table: dict[str, Any], name: str) -> ShopPlan:
    """The plan in a parsed TOML file called `name`; ScenarioError lists every problem."""
    try:
        return ShopPlan.model_validate(table)
    except ValidationError as error:
        raise ScenarioError("\n".join(f"{name}: {line}" for line in _problems(error))) from None


def _problems(error: ValidationError) -> Iterable[str]:
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield f"{key}: no such key{_nearest(str(problem['loc'][-1]), _keys_beside(problem['loc']))}"
        else:
            yield f"{key or 'file'}: {problem['msg'].removeprefix('Value error, ')}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the table that `location` stands in."""
    model: type[BaseModel] = ShopPlan
    for part in location[:-1]:
        if isinstance(part, str):
            model = _TABLES[part]
    return [field.alias or name for name, field in model.model_fields.items()]


_TABLES: dict[str, type[BaseModel]] = {
    "zones": ZoneArea,
    "readers": ReaderMount,
    "antennas": AntennaMount,
    "clock": ReaderClock,
    "walls": Wall,
    "people": Habits,
    "deliveries": Delivery,
    "noise": Noise,
    "faults": Fault,
    "gondolas": GondolaPlan,
    "products": ProductPlan,
    "bins": BinPlan,
    "cells": CellPlan,
    "scales": Scales,
    "shoppers": Shoppers,
    "shelf_faults": ShelfFault,
}


def _nearest(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
