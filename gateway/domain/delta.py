"""What a delta is made of, before it has a number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.domain.items import Cause

StockKey = tuple[str, str]
"""(GTIN-14, zone id)"""

# A change is at most 250 bytes of JSON (zone 64, GTIN 14, disposition 25, three numbers, keys): 240 fit 64 kB.
MAX_CHANGES_PER_DELTA = 240


@dataclass(frozen=True, slots=True)
class Change:
    """One row of stock after a change: the row held `quantity - change` before. `stale`: its zone is not healthy."""

    gtin: str
    zone: str
    disposition: str
    change: int
    quantity: int
    confirmed: int
    stale: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What changed at one moment: each (GTIN, zone) at most once, and how many items for which cause."""

    changes: tuple[Change, ...]
    causes: Mapping[Cause, int]

    def split(self) -> Iterator["Step"]:
        """The step in pieces that each fit one delta; the first one tells the causes."""
        for start in range(0, len(self.changes), MAX_CHANGES_PER_DELTA):
            chunk = self.changes[start : start + MAX_CHANGES_PER_DELTA]
            yield Step(chunk, {} if start else self.causes)
