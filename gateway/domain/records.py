"""The durable forms of the domain: what the ledger writes and brings back."""

from dataclasses import dataclass

from gateway.domain.items import Presence
from gateway.domain.tags import TagKey


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item at rest. Times are UTC (microseconds); `silence_s` is what its zone's clock had already counted."""

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


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """One product of a bin at rest; `learnt` counts the pieces that its `unit_g` was learnt from."""

    gtin: str
    pieces: int
    unit_g: float
    learnt: float
    configured_g: float


@dataclass(frozen=True, slots=True)
class BinRecord:
    """A bin at rest: its zero (and the configured one it began with), its last settled weight, and what of it is
    unexplained, in grams; `doubtful`: its products may have been taken for each other.
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

    @property
    def gtins(self) -> frozenset[str]:
        return frozenset(product.gtin for product in self.products)

    def product(self, gtin: str) -> ProductRecord | None:
        """What is known of one product."""
        return next((product for product in self.products if product.gtin == gtin), None)
