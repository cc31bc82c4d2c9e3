# SPDX-License-Identifier: Apache-2.0
"""The stock as a consumer knows it, pure: levels per GTIN and zone, and how much of them may be promised.

A change is planned first and committed afterwards, so that a store can write the plan to disk in between.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.payloads import Change, Delta, Row, stock_hash

Key = tuple[str, str]
"""(gtin, zone)."""

# In these states a zone's increases are not to be promised to anybody (docs/mqtt.md, rule 2).
UNTRUSTED_STATES = frozenset({"stale", "learning"})


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer is: `seq` of `epoch` is applied; the epochs it has left; the newest (boot, session) seen."""

    epoch: str
    seq: int
    left: tuple[str, ...] = ()
    life: tuple[int, int] = (0, 0)


class Cell(NamedTuple):
    """One level. `cap`: no more than this may be promised, for the zone was not trusted since; None: all of it."""

    quantity: int
    confirmed: int
    disposition: str
    cap: int | None


@dataclass(frozen=True, slots=True)
class Patch:
    """A planned change: cells to set (None: to delete), all others deleted if `replace`; what is None stays."""

    cells: Mapping[Key, Cell | None] = field(default_factory=dict)
    position: Position | None = None
    zones: Mapping[str, str] = field(default_factory=dict)
    replace: bool = False


class StockMismatchError(Exception):
    """A delta does not fit: its quantity is not the level here plus its change. Nothing of it is applied."""

    def __init__(self, delta: Delta, change: Change, level: int) -> None:
        super().__init__(
            f"delta {delta.seq} changes {change.gtin} in {change.zone} by {change.change} to {change.quantity}, "
            f"the level here is {level}"
        )


NOTHING = Cell(0, 0, "", None)


class Stock:
    """The levels in memory. `plan_*` changes nothing, `commit` cannot fail."""

    def __init__(
        self,
        cells: Mapping[Key, Cell] | None = None,
        position: Position | None = None,
        zones: Mapping[str, str] | None = None,
    ) -> None:
        self._cells: dict[Key, Cell] = dict(cells or {})
        self._zones: dict[str, str] = dict(zones or {})
        self.position = position

    def quantity(self, gtin: str, zone: str) -> int:
        """The gateway's level."""
        return self._cells.get((gtin, zone), NOTHING).quantity

    def available(self, gtin: str, zone: str) -> int:
        """What may be promised: while the zone is stale or learning, its increases do not count, its decreases do."""
        cell = self._cells.get((gtin, zone), NOTHING)
        return cell.quantity if cell.cap is None else min(cell.cap, cell.quantity)

    def rows(self) -> Iterator[Row]:
        """Every level above zero, sorted by GTIN and zone."""
        for (gtin, zone), cell in sorted(self._cells.items()):
            if cell.quantity > 0:
                yield Row(
                    gtin=gtin, zone=zone, disposition=cell.disposition, quantity=cell.quantity, confirmed=cell.confirmed
                )

    def zones(self) -> Mapping[str, str]:
        """The last known state of each zone."""
        return self._zones

    def hash(self) -> str:
        """The hash that a digest of the same stock carries."""
        return stock_hash((gtin, zone, cell.quantity, cell.confirmed) for (gtin, zone), cell in self._cells.items())

    def plan_apply(self, deltas: Iterable[Delta], position: Position) -> Patch:
        """Consecutive deltas as one patch; raises StockMismatchError if one does not fit."""
        cells: dict[Key, Cell | None] = {}
        for delta in deltas:
            for change in delta.changes:
                key = (change.gtin, change.zone)
                old = (cells[key] if key in cells else self._cells.get(key)) or NOTHING
                if old.quantity + change.change != change.quantity:
                    raise StockMismatchError(delta, change, old.quantity)
                untrusted = bool(change.stale) or self._untrusted(change.zone)
                cells[key] = _cell(change, _lower(old, change.quantity) if untrusted else None)
        return Patch(cells=cells, position=position)

    def plan_replace(self, rows: Sequence[Row], position: Position) -> Patch:
        """A snapshot as a patch. In a zone that is not trusted it may lower what can be promised, never raise it."""
        cells: dict[Key, Cell | None] = {}
        for row in rows:
            cap = None
            if self._untrusted(row.zone):
                old = self._cells.get((row.gtin, row.zone), NOTHING)
                # Someone new starts from a stale zone's last level; a learning one has not had a level yet.
                first = self.position is None and self._zones[row.zone] == "stale"
                cap = row.quantity if first else _lower(old, row.quantity)
            cells[row.gtin, row.zone] = _cell(row, cap)
        return Patch(cells=cells, position=position, replace=True)

    def plan_zone(self, zone: str, state: str) -> Patch:
        """A zone's new state: the level at which it becomes untrusted is the most to promise until that ends."""
        before = self._zones.get(zone)
        cells: dict[Key, Cell | None] = {}
        if state not in UNTRUSTED_STATES:
            for key, cell in self._cells.items():
                if key[1] == zone and cell.cap is not None:
                    cells[key] = cell._replace(cap=None) if cell.quantity else None
        elif before not in UNTRUSTED_STATES:
            unknown = before is None and state == "learning"
            for key, cell in self._cells.items():
                if key[1] == zone and cell.cap is None:
                    cells[key] = cell._replace(cap=0 if unknown else cell.quantity)
        return Patch(cells=cells, zones={zone: state})

    def commit(self, patch: Patch) -> None:
        """Makes a patch true."""
        if patch.replace:
            self._cells.clear()
        for key, cell in patch.cells.items():
            if cell is None:
                self._cells.pop(key, None)
            else:
                self._cells[key] = cell
        self._zones.update(patch.zones)
        self.position = patch.position or self.position

    def _untrusted(self, zone: str) -> bool:
        return self._zones.get(zone) in UNTRUSTED_STATES


def _lower(old: Cell, quantity: int) -> int:
    """The lowest level since the zone was last trusted."""
    return min(old.quantity if old.cap is None else old.cap, quantity)


def _cell(row: Row, cap: int | None) -> Cell | None:
    """A cell, or nothing to keep: an empty one without a cap."""
    if row.quantity == 0 and cap is None:
        return None
    return Cell(row.quantity, row.confirmed, row.disposition, cap)
