"""The durable forms of the domain: what the ledger writes and brings back."""

from dataclasses import dataclass

from gateway.domain.presence import Presence
from gateway.domain.tags import TagKey


@dataclass(frozen=True, slots=True)
class HeardRecord:
    """How one zone hears an item, at rest: the numbers of an `Evidence` as they were right `ago_s` before, and when the
    last read came (None: none did), both on the zone's clock. `usual` is that of a zone that people pass.
    """

    zone: str
    ago_s: float
    heard_ago_s: float | None
    fast: float
    slow: float
    often: float
    level_dbm: float
    looks: int
    news: float
    absence: float
    usual: float


@dataclass(frozen=True, slots=True)
class PlaceRecord:
    """What speaks for an item's place, at rest: it has been in zone `own` since then (UTC, microseconds), as far as it
    is anywhere; where it followed others, out of `followed_from`, which takes it back when it hears `as_before`; where
    its own reads brought it there from another zone, they have `told`.
    """

    own: str | None
    since_utc_us: int
    followed_from: str | None
    as_before: float
    heard: tuple[HeardRecord, ...]
    told: bool = False


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item at rest. Times are UTC (microseconds); `silence_s` is what its zone's clock had already counted,
    `longest_s` the longest silence beyond its pace that it has come back from. `carried`: it was when it was read
    last; `unproven`: it counts by one read; `exited`: the door or till that it left by. Without a `place` the
    ledger keeps what it has of that.
    """

    key: TagKey
    gtin: str
    serial: str
    presence: Presence
    zone: str | None
    changed_utc_us: int
    seen_utc_us: int
    read_chance: float
    learnt_s: float
    silence_s: float
    longest_s: float = 0.0
    carried: bool = False
    unproven: bool = False
    exited: str | None = None
    place: PlaceRecord | None = None


@dataclass(frozen=True, slots=True)
class TailRecord:
    """How many silences went beyond `threshold_s`, and by how much in all; what is long past counts less."""

    threshold_s: float
    silences: float
    excess_s: float


@dataclass(frozen=True, slots=True)
class PoolRecord:
    """What silence means for those of a zone that are read every `pace_s` seconds and rarer, at rest.

    `carried`: for those that were being carried when they were read last, however often that is.
    `item_s` is how long they were looked at (seconds, of all items together), `lost` how many were given up,
    `leave_rate` how often one leaves unseen (1/s).
    """

    zone: str
    pace_s: float
    item_s: float
    lost: float
    leave_rate: float
    tail: tuple[TailRecord, ...]
    carried: bool = False

    @property
    def blank(self) -> bool:
        """Nothing was learnt."""
        return not (self.item_s or self.lost or self.tail)

    def differs(self, other: "PoolRecord", share: float) -> bool:
        """Whether one of its sums is another than in `other` by more than this share of that."""
        if len(self.tail) != len(other.tail):
            return True
        pairs = [(self.item_s, other.item_s), (self.lost, other.lost)]
        for mine, theirs in zip(self.tail, other.tail, strict=True):
            pairs += [(mine.silences, theirs.silences), (mine.excess_s, theirs.excess_s)]
        return any(abs(mine - theirs) > share * theirs for mine, theirs in pairs)


@dataclass(frozen=True, slots=True)
class ZoneRecord:
    """What all items of a zone have taught, at rest: how alike looks are that lie so far apart (by octaves, dB squared:
    products of deviations in a row, and their squares), and how many were `moved` to another zone in `looked_s`.
    """

    zone: str
    products: tuple[float, ...]
    squares: tuple[float, ...]
    moved: float
    looked_s: float

    @property
    def blank(self) -> bool:
        """Nothing was learnt."""
        return not (self.moved or self.looked_s or any(self.squares))

    def differs(self, other: "ZoneRecord", share: float) -> bool:
        """Whether one of its sums is another than in `other` by more than this share of that, or by a move."""
        if abs(self.moved - other.moved) > max(1.0, share * other.moved):
            return True
        sums = [(self.looked_s, other.looked_s, other.looked_s)]
        sums += zip(self.products + self.squares, other.products + other.squares, other.squares * 2, strict=True)
        return any(abs(mine - theirs) > share * scale for mine, theirs, scale in sums)


@dataclass(frozen=True, slots=True)
class ShopRecord:
    """What the whole shop has taught, at rest: by how much tags `usual_db` jump from look to look; and what became of
    tags that had been read once, by how long they had waited: how many `came` again, how many `passed` a wait without.

    `age_s` is the time since the first tag, `hope` what is left of a first day's.
    """

    usual_db: float
    age_s: float
    hope: float
    came: tuple[float, ...]
    passed: tuple[float, ...]

    def differs(self, other: "ShopRecord", share: float) -> bool:
        """Whether one of its numbers is another than in `other` by more than this share of that, and of one tag."""
        pairs = [(self.usual_db, other.usual_db), (self.hope, other.hope)]
        pairs += zip(self.came + self.passed, other.came + other.passed, strict=True)
        return any(abs(mine - theirs) > share * max(theirs, 1.0) for mine, theirs in pairs)


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """One product of a bin at rest; `learnt` counts the pieces that its `unit_g` was learnt from."""

    gtin: str
    pieces: int
    unit_g: float
    learnt: float
    configured_g: float


@dataclass(frozen=True, slots=True)
class Story:
    """What may lie in a bin: the pieces of each product, the weight of what is none of them, and how likely this is
    (natural logarithm, the likeliest story being 0).
    """

    pieces: tuple[int, ...]
    foreign_g: float = 0.0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class BinRecord:
    """A bin at rest: its zero (and the configured one it began with), its last settled weight, and what of it is
    unexplained, in grams.

    - `stories`: what may lie in it, where that is not certain, each with its pieces in the order of `products`;
      `doubtful`: there were more of them than could be kept.
    - `fills`: how often it was filled since it may have been zeroed with its goods on; None: it was not.
    """

    reader: str
    channel: int
    zone: str
    zero_g: float
    configured_zero_g: float
    level_g: float
    pending_g: float
    products: tuple[ProductRecord, ...]
    doubtful: bool = False
    stories: tuple[Story, ...] = ()
    fills: int | None = None

    @property
    def gtins(self) -> tuple[str, ...]:
        return tuple(product.gtin for product in self.products)

    def product(self, gtin: str) -> ProductRecord | None:
        """What is known of one product."""
        return next((product for product in self.products if product.gtin == gtin), None)
