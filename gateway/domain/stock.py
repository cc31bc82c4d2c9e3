"""Stock: how many items of a GTIN are in a zone, and how many of them were read lately."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.domain.delta import Change, Step, StockKey
from gateway.domain.items import COUNTED, Cause, Item, Presence, Transition
from gateway.domain.zones import US_PER_S, LiveZone

# Confirmed alone is worth a delta only when it moved this much, and only so often in a zone: it flickers.
CONFIRMED_STEP_ITEMS = 2
CONFIRMED_STEP_SHARE = 0.1
CONFIRMED_EVERY_US = 60 * US_PER_S


@dataclass(slots=True)
class Entry:
    """One row: `quantity` and `published` (the confirmed count) are what the last delta said."""

    disposition: str
    quantity: int = 0
    published: int = 0
    confirmed: int = 0


@dataclass(frozen=True, slots=True)
class StockRow:
    """One row at rest, as the last delta left it."""

    gtin: str
    zone: str
    disposition: str
    quantity: int
    confirmed: int


class Stock:
    """All rows. Every change of a quantity leaves as part of a step, at once; what is here is what was told."""

    def __init__(self) -> None:
        self._rows: dict[StockKey, Entry] = {}
        self._unsettled: set[StockKey] = set()
        self._confirmed_us: dict[str, int] = {}

    def __iter__(self) -> Iterator[StockRow]:
        for (gtin, zone), entry in self._rows.items():
            yield StockRow(gtin, zone, entry.disposition, entry.quantity, entry.published)

    def restore(self, rows: Iterable[StockRow], items: Iterable[Item]) -> None:
        """Take up what the ledger holds; what is confirmed now follows from the items."""
        for row in rows:
            key = row.gtin, row.zone
            self._rows[key] = Entry(row.disposition, row.quantity, published=row.confirmed)
        for item in items:
            if item.presence is Presence.PRESENT and item.zone is not None:
                key = item.identity.gtin, item.zone.id
                self._rows[key].confirmed += 1
        self._unsettled.update(key for key, entry in self._rows.items() if entry.confirmed != entry.published)

    def apply(self, transitions: Iterable[Transition]) -> Step | None:
        """Book what happened to items; None where no quantity changed by it."""
        before: dict[StockKey, int] = {}
        zones: dict[str, LiveZone] = {}
        causes: Counter[Cause] = Counter()
        for made in transitions:
            gtin = made.item.identity.gtin
            for zone, presence, sign in ((made.left, made.was, -1), (made.entered, made.now, 1)):
                if zone is None or presence not in COUNTED:
                    continue
                key = gtin, zone.id
                entry = self._rows.get(key)
                if entry is None:
                    entry = self._rows[key] = Entry(zone.params.disposition)
                zones[zone.id] = zone
                before.setdefault(key, entry.quantity)
                entry.quantity += sign
                if presence is Presence.PRESENT:
                    entry.confirmed += sign
            if made.left is not made.entered:
                causes[made.cause] += 1
        changed = [key for key, quantity in before.items() if self._rows[key].quantity != quantity]
        self._leave_untold(before.keys() - changed)
        if not changed:
            return None
        stale = {name for name, zone in zones.items() if not zone.trusted}
        return Step(tuple(self._tell(key, before[key], stale) for key in changed), dict(causes))

    def _leave_untold(self, keys: Iterable[StockKey]) -> None:
        """Rows whose quantity is what it was: what is confirmed of them may be told later."""
        for key in keys:
            entry = self._rows[key]
            if not entry.quantity:
                del self._rows[key]  # came and went within the step
            elif entry.confirmed != entry.published:
                self._unsettled.add(key)

    def reclassify(self, zones: Iterable[LiveZone]) -> Step | None:
        """Rows whose zone is of another kind than when they were told: told again, no item the more or the less."""
        kinds = {zone.id: zone for zone in zones}
        keys = []
        for key, entry in self._rows.items():
            zone = kinds.get(key[1])
            if zone is not None and entry.disposition != zone.params.disposition:
                entry.disposition = zone.params.disposition
                keys.append(key)
        if not keys:
            return None
        stale = {name for name, zone in kinds.items() if not zone.trusted}
        return Step(tuple(self._tell(key, self._rows[key].quantity, stale) for key in keys), {Cause.CONFIG: len(keys)})

    def confirm(self, zones: Iterable[LiveZone], now_us: int) -> list[Step]:
        """The confirmed counts that have moved enough to be told without a change of quantity: a step a zone."""
        moved: dict[str, list[StockKey]] = {}
        for key in self._unsettled:
            if self._moved(self._rows[key]):
                moved.setdefault(key[1], []).append(key)
        steps = []
        for zone in zones:
            last_us = self._confirmed_us.get(zone.id, now_us - CONFIRMED_EVERY_US)
            keys = moved.get(zone.id)
            if keys and now_us - last_us >= CONFIRMED_EVERY_US:
                self._confirmed_us[zone.id] = now_us
                stale = set() if zone.trusted else {zone.id}
                changes = tuple(self._tell(key, self._rows[key].quantity, stale) for key in sorted(keys))
                steps.append(Step(changes, {Cause.CONFIRMED: len(keys)}))
        return steps

    @staticmethod
    def _moved(entry: Entry) -> bool:
        enough = max(CONFIRMED_STEP_ITEMS, CONFIRMED_STEP_SHARE * entry.quantity)
        return abs(entry.confirmed - entry.published) >= enough

    def _tell(self, key: StockKey, before: int, stale: set[str]) -> Change:
        """The change of one row since `before`; from here on it has been told."""
        entry = self._rows[key]
        entry.published = entry.confirmed
        self._unsettled.discard(key)
        if not entry.quantity:
            del self._rows[key]
        gtin, zone = key
        return Change(
            gtin, zone, entry.disposition, entry.quantity - before, entry.quantity, entry.confirmed, zone in stale
        )
