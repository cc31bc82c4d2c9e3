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
