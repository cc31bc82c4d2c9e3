"""Every parameter of the counting rules, with its unit, its default and its reason. Plain data, no behaviour."""

from dataclasses import dataclass
from enum import StrEnum


class ZoneKind(StrEnum):
    """What a zone is to the shop; the disposition of its stock follows from it."""

    SALES_FLOOR = "sales_floor"
    BACKROOM = "backroom"
    FITTING_ROOM = "fitting_room"
    CHECKOUT = "checkout"
    EXIT = "exit"
    SHELF = "shelf"
    RECEIVING = "receiving"


class Disposition(StrEnum):
    """CBV 2.0 dispositions that stock can have here."""

    SELLABLE_ACCESSIBLE = "sellable_accessible"
    SELLABLE_NOT_ACCESSIBLE = "sellable_not_accessible"
    NON_SELLABLE_OTHER = "non_sellable_other"


DISPOSITIONS = {
    ZoneKind.SALES_FLOOR: Disposition.SELLABLE_ACCESSIBLE,
    ZoneKind.SHELF: Disposition.SELLABLE_ACCESSIBLE,
    ZoneKind.BACKROOM: Disposition.SELLABLE_NOT_ACCESSIBLE,
    ZoneKind.RECEIVING: Disposition.SELLABLE_NOT_ACCESSIBLE,
    ZoneKind.FITTING_ROOM: Disposition.SELLABLE_NOT_ACCESSIBLE,
    ZoneKind.CHECKOUT: Disposition.SELLABLE_NOT_ACCESSIBLE,
    ZoneKind.EXIT: Disposition.NON_SELLABLE_OTHER,
}


@dataclass(frozen=True, slots=True)
class PresenceParams:
    """How items come, stay and go in a zone. The defaults are those of a rack.

    - A tag counts for certain once it was read `observed_reads` times over at least `observed_span_ms`; one that is
      not read again within `glimpsed_timeout_s` is forgotten: ghosts with a valid CRC appear once and never again. It
      counts from its first read on where what became of others makes a second one likelier than `first_read_chance`,
      and is withdrawn if that has not come after `withdrawn_after_s`, or sooner where others waited in vain.
    - A present item is MISSING after a silence that its own read rate explains with a chance under
      `missing_chance`, and never before `missing_floor_s` (a customer in front of a rack blocks it for minutes).
    - Until more is known, one item of the zone leaves unseen in `unseen_stay_s`.
    - A missing item has DEPARTED when so long a silence of an item that is still there is rarer than
      `false_departures` in 10,000 items and a day, or than `false_share` of what leaves here unseen, whichever is more
      (`carried_share` of it, where the item was being carried); never before `departed_floor_s`. Both bounds end at
      `silence_ceiling_s`, whatever the tag's rate.
    - `leaves_silent`: in this zone, silence of `exit_silence_s` is the evidence of leaving (exit, checkout).
    - Evidence for a zone halves in the time in which the tag is expected to be read `evidence_reads` times, but not
      faster than `evidence_shortest_s` nor slower than `evidence_longest_s`; what was before goes back `memory_s` at
      most. An item moves when its reads, beside those that used to come, speak by `move_nats` (log likelihood ratio)
      for its having been carried; or when another zone's evidence is `move_margin` times that of its own and has been
      more for long. 0 nats, for zones that are passed within seconds: the margin, and `move_change` times the most that
      zone has heard of it in one bout while it was elsewhere (once that is enough where it is being carried). All of it
      for `move_dwell_s` on end, but for a nat more at once. `move_weight`: so much must be heard, in reads of -60 dBm.
    - A zone has learnt its stock when nothing new came for `settle_s`, and after `learning_limit_s` at the latest.
    - An item that is missing for `missing_alert_s` raises an alert.
    """

    observed_reads: int = 2
    observed_span_ms: float = 300.0
    first_read_chance: float = 0.9
    withdrawn_after_s: float = 7200.0
    glimpsed_timeout_s: float = 3600.0
    missing_chance: float = 1e-6
    missing_floor_s: float = 60.0
    unseen_stay_s: float = 1e6
    false_departures: float = 0.05
    false_share: float = 0.001
    carried_share: float = 0.1
    departed_floor_s: float = 60.0
    silence_ceiling_s: float = 14_400.0
    leaves_silent: bool = False
    exit_silence_s: float = 30.0
    evidence_reads: float = 5.0
    evidence_shortest_s: float = 1.5
    evidence_longest_s: float = 60.0
    memory_s: float = 300.0
    move_nats: float = 5.0
    move_margin: float = 1.4
    move_change: float = 2.5
    move_weight: float = 0.0
    move_dwell_s: float = 2.0
    settle_s: float = 30.0
    learning_limit_s: float = 600.0
    missing_alert_s: float = 86_400.0


class Profile(StrEnum):
    """A named set of presence parameters."""

    RACK = "rack"
    SHELF = "shelf"
    DOOR = "door"
    ROOM = "room"


PROFILES = {
    Profile.RACK: PresenceParams(),
    # A smart shelf reads what lies on it many times a second: silence says more, sooner.
    Profile.SHELF: PresenceParams(missing_floor_s=20.0, evidence_longest_s=10.0),
    # Whoever stands in a door or at a till passes within seconds: an item is there at once, and silence means gone.
    Profile.DOOR: PresenceParams(
        observed_span_ms=200.0,
        missing_floor_s=5.0,
        leaves_silent=True,
        exit_silence_s=6.0,
        evidence_shortest_s=0.5,
        evidence_longest_s=2.0,
        memory_s=4.0,
        move_nats=0.0,
        # Racks near a door go on hearing who stands in it: news is enough, it need not be heard much better there.
        move_margin=1.0,
        # What lies near by is heard in bouts as well, of which some are louder than all before.
        move_change=3.0,
        move_weight=2.0,
        move_dwell_s=0.0,
    ),
    # A fitting room is entered and left within minutes, but what hangs in it has not left the shop.
    Profile.ROOM: PresenceParams(
        # What is new to the shop comes in elsewhere.
        first_read_chance=1.0,
        missing_floor_s=20.0,
        # Most who leave it unseen have bought what they tried on.
        unseen_stay_s=1_800.0,
        false_share=0.2,
        carried_share=0.2,
        evidence_shortest_s=1.0,
        evidence_longest_s=5.0,
        memory_s=60.0,
        move_nats=0.0,
        move_change=1.0,
        move_dwell_s=0.25,
    ),
}

DEFAULT_PROFILES = {
    ZoneKind.SALES_FLOOR: Profile.RACK,
    ZoneKind.BACKROOM: Profile.RACK,
    ZoneKind.RECEIVING: Profile.RACK,
    ZoneKind.SHELF: Profile.SHELF,
    ZoneKind.FITTING_ROOM: Profile.ROOM,
    ZoneKind.CHECKOUT: Profile.DOOR,
    ZoneKind.EXIT: Profile.DOOR,
}


@dataclass(frozen=True, slots=True)
class Zone:
    """A place that stock is counted in."""

    id: str
    kind: ZoneKind
    presence: PresenceParams = PresenceParams()

    @property
    def disposition(self) -> Disposition:
        return DISPOSITIONS[self.kind]


# TDS 10.2: full case, inner pack and unit load hold items, they are none.
NEVER_ITEM_FILTERS = frozenset({2, 4, 6})


@dataclass(frozen=True, slots=True)
class ItemParams:
    """Which tags are stock: the GS1 company prefixes (empty: all) and the SGTIN filter values that count.

    Filter values 2, 4 and 6 (cases, inner packs, unit loads) are never items, whatever is configured.
    """

    company_prefixes: tuple[str, ...] = ()
    filter_values: frozenset[int] = frozenset({1})


class Sensor(StrEnum):
    """What a bin counts with; a door and a temperature count nothing."""

    WEIGHT = "weight"
    PUSHER = "pusher"
    SLOTS = "slots"
    DOOR = "door"
    TEMPERATURE = "temperature"


GAUGES = frozenset({Sensor.DOOR, Sensor.TEMPERATURE})


class Precedence(StrEnum):
    """Whose count is stock where a bin and RFID both count a GTIN in a zone."""

    SHELF = "shelf"
    RFID = "rfid"


@dataclass(frozen=True, slots=True)
class Sku:
    """One product of a bin.

    - `unit_weight_g` is the mean weight of a piece, `variation` the relative standard deviation of single pieces
      (0.005 to 0.015 is common), `tolerance` that of the mean itself. Only pushers and slots do without a weight.
    - `most`: pieces that the bin holds at most; None: as many as its weight can count.
    - `lane_mm`: from where to where it lies on a plate of several cells.
    """

    gtin: str
    unit_weight_g: float = 0.0
    variation: float = 0.01
    tolerance: float = 0.003
    most: int | None = None
    lane_mm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ShelfParams:
    """How a bin counts. The defaults are those of a shelf scale for some kilograms.

    - `noise_g` is the standard deviation of one value while nothing moves, `division_g` the step of its display (0:
      finer than the noise), `capacity_g` what it can weigh (0: not told), `zero_g` what it shows when it is empty.
    - Weight is settled when all values of `rest_s` lie close together; it is compared with the whole count after
      `quiet_s`, and an empty bin's zero follows after `empty_s`.
    - `blind_s`: after so long without a weight (overload, a fault, silence) the zone is not to be relied upon.
    - `disagree_s`: how long the bin and RFID may differ before somebody is told. An item that was taken from the
      shelf stays with RFID until it is read elsewhere or has been silent for long, so this is longer than that.
    """

    noise_g: float = 1.0
    division_g: float = 0.0
    capacity_g: float = 0.0
    zero_g: float = 0.0
    rest_s: float = 0.8
    quiet_s: float = 5.0
    empty_s: float = 60.0
    blind_s: float = 5.0
    precedence: Precedence = Precedence.SHELF
    disagree_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Bin:
    """A place on a shelf that one sensor counts: `channel` of its reader, or all of `cells` or `slots`.

    - `cells`: channel -> position (mm) of each cell under one plate; the shift of the load tells the lane.
    - A pusher stands at `empty_mm` when nothing is left, and `pitch_mm` closer for each piece.
    - `slots`: the inputs of which each piece covers one.
    - A door's contact is 0 or 1, `open_value` where it stands open. Doors and temperatures hold no product.
    """

    reader: str
    channel: int
    zone: str
    skus: tuple[Sku, ...]
    sensor: Sensor = Sensor.WEIGHT
    params: ShelfParams = ShelfParams()
    cells: tuple[tuple[int, float], ...] = ()
    empty_mm: float = 0.0
    pitch_mm: float = 0.0
    slots: tuple[int, ...] = ()
    open_value: int = 0

    @property
    def channels(self) -> tuple[int, ...]:
        """Every channel of its reader that it listens to."""
        return self.slots or tuple(channel for channel, _ in self.cells) or (self.channel,)
