"""Stock: how many items of a GTIN are in a zone, and how many of them were read or weighed lately."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.domain.delta import Change, Step, StockKey
from gateway.domain.items import Cause, Item, Transition
from gateway.domain.presence import COUNTED, Presence
from gateway.domain.zones import US_PER_S, LiveZone

# Confirmed alone is worth a delta only when it moved this much, and only so often in a zone: it flickers.
CONFIRMED_STEP_ITEMS = 2
CONFIRMED_STEP_SHARE = 0.1
CONFIRMED_EVERY_US = 60 * US_PER_S


@dataclass(slots=True)
class Tally:
    """What one kind of sensor counts of a row: so many pieces, so many of them confirmed."""

    quantity: int = 0
    confirmed: int = 0


@dataclass(slots=True)
class Entry:
    """One row: `quantity` and `published` (the confirmed count) are what the last delta said, `read` is what the tags
    say now.
    """

    disposition: str
    quantity: int = 0
    published: int = 0
    read: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class StockRow:
    """One row at rest, as the last delta left it."""

    gtin: str
    zone: str
    disposition: str
    quantity: int
    confirmed: int


class Stock:
    """All rows. Every change of a quantity leaves as part of a step, at once; what is here is what was told.

    A row is counted by its tags, or by a shelf. Where both do, the shelf's count is the stock, unless it is one of
    `by_tags`; the other one is known and not told.
    """

    def __init__(self) -> None:
        self._rows: dict[StockKey, Entry] = {}
        self._shelved: dict[StockKey, Tally] = {}
        self._by_tags: Collection[StockKey] = ()
        self._unsettled: set[StockKey] = set()
        self._confirmed_us: dict[str, int] = {}

    def __iter__(self) -> Iterator[StockRow]:
        for (gtin, zone), entry in self._rows.items():
            if entry.quantity:
                yield StockRow(gtin, zone, entry.disposition, entry.quantity, entry.published)

    def both(self) -> Iterator[tuple[StockKey, Tally, Tally]]:
        """(row, its tags' count, its shelf's count) where there is a shelf."""
        for key, shelved in self._shelved.items():
            entry = self._rows.get(key)
            yield key, entry.read if entry is not None else Tally(), shelved

    def _count(self, key: StockKey, entry: Entry) -> Tally:
        """The count of a row that is its stock."""
        shelved = self._shelved.get(key)
        return entry.read if shelved is None or key in self._by_tags else shelved

    def restore(
        self,
        rows: Iterable[StockRow],
        items: Iterable[Item],
        shelved: Mapping[StockKey, Tally | None] | None = None,
        leaving: Iterable[Transition] = (),
    ) -> None:
        """Take up what the ledger holds; what is confirmed now follows from the items.

        `shelved`: the rows that a shelf counted when they were written, None for those that no shelf counts any more.
        Of them it is not known how many were tagged: that follows from the items, and from those that are `leaving`.
        """
        shelved = shelved or {}
        self._shelved = {key: tally for key, tally in shelved.items() if tally is not None}
        for row in rows:
            key = row.gtin, row.zone
            entry = self._rows[key] = Entry(row.disposition, row.quantity, published=row.confirmed)
            if key not in shelved:
                entry.read.quantity = row.quantity
        for item in items:
            if item.presence in COUNTED and item.zone is not None:
                key = item.identity.gtin, item.zone.id
                read = self._rows.setdefault(key, Entry(item.zone.params.disposition)).read
                read.quantity += key in shelved
                read.confirmed += item.presence is Presence.PRESENT
        for made in leaving:
            if made.left is not None and (key := (made.item.identity.gtin, made.left.id)) in shelved:
                self._rows.setdefault(key, Entry(made.left.params.disposition)).read.quantity += 1
        self._unsettled.update(
            key for key, entry in self._rows.items() if self._count(key, entry).confirmed != entry.published
        )

    def apply(self, transitions: Iterable[Transition]) -> Step | None:
        """Book what happened to items; None where no quantity changed by it."""
        zones: dict[str, LiveZone] = {}
        touched: dict[StockKey, None] = {}
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
                touched[key] = None
                entry.read.quantity += sign
                if presence is Presence.PRESENT:
                    entry.read.confirmed += sign
            if made.left is not made.entered:
                causes[made.cause] += 1
        return self._book(touched, zones, causes)

    def shelve(
        self,
        counts: Mapping[StockKey, Tally | None],
        zones: Mapping[str, LiveZone],
        by_tags: Collection[StockKey] | None = None,
        recounted: Collection[StockKey] = (),
    ) -> Step | None:
        """Book what shelves count now; None: no shelf counts this row any more. `by_tags`: tags go first there.
        `recounted`: a person has said so.

        None where no quantity changed by it.
        """
        touched = dict.fromkeys(counts)
        if by_tags is not None:
            touched.update(dict.fromkeys({*by_tags, *self._by_tags}))
            self._by_tags = by_tags
        for key, tally in counts.items():
            if tally is None:
                self._shelved.pop(key, None)
            else:
                self._shelved[key] = tally
        causes: Counter[Cause] = Counter()
        present: dict[str, LiveZone] = {}
        for key in touched:
            zone_id = key[1]
            zone = present[zone_id] = zones.get(zone_id) or LiveZone.gone(zone_id, 0)
            entry = self._rows.setdefault(key, Entry(zone.params.disposition))
            moved = abs(self._count(key, entry).quantity - entry.quantity)
            if moved:
                weighed = Cause.RECOUNTED if key in recounted else Cause.WEIGHED
                causes[weighed if counts.get(key) is not None else Cause.CONFIG] += moved
        return self._book(touched, present, causes)

    def _book(
        self, touched: Mapping[StockKey, None], zones: Mapping[str, LiveZone], causes: Mapping[Cause, int]
    ) -> Step | None:
        """Tell the rows whose quantity has changed; of the others what is confirmed may be told later."""
        changed = []
        for key in touched:
            entry = self._rows[key]
            count = self._count(key, entry)
            if count.quantity != entry.quantity:
                changed.append(key)
            elif count.confirmed != entry.published:
                self._unsettled.add(key)
            else:
                self._drop_empty(key)
        if not changed:
            return None
        stale = {name for name, zone in zones.items() if not zone.trusted}
        return Step(tuple(self._tell(key, stale) for key in changed), dict(causes))

    def _drop_empty(self, key: StockKey) -> None:
        """Forget a row that nobody counts anything of."""
        entry = self._rows[key]
        if not entry.quantity and not entry.read.quantity:
            del self._rows[key]
            self._unsettled.discard(key)

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
        return Step(tuple(self._tell(key, stale) for key in keys), {Cause.CONFIG: len(keys)})

    def confirm(self, zones: Iterable[LiveZone], now_us: int) -> list[Step]:
        """The confirmed counts that have moved enough to be told without a change of quantity: a step a zone."""
        moved: dict[str, list[StockKey]] = {}
        for key in self._unsettled:
            if self._moved(key):
                moved.setdefault(key[1], []).append(key)
        steps = []
        for zone in zones:
            last_us = self._confirmed_us.get(zone.id, now_us - CONFIRMED_EVERY_US)
            keys = moved.get(zone.id)
            if keys and now_us - last_us >= CONFIRMED_EVERY_US:
                self._confirmed_us[zone.id] = now_us
                stale = set() if zone.trusted else {zone.id}
                changes = tuple(self._tell(key, stale) for key in sorted(keys))
                steps.append(Step(changes, {Cause.CONFIRMED: len(keys)}))
        return steps

    def _moved(self, key: StockKey) -> bool:
        entry = self._rows[key]
        enough = max(CONFIRMED_STEP_ITEMS, CONFIRMED_STEP_SHARE * entry.quantity)
        return abs(self._count(key, entry).confirmed - entry.published) >= enough

    def _tell(self, key: StockKey, stale: set[str]) -> Change:
        """The change of one row since it was told last; from here on it has been told."""
        entry = self._rows[key]
        count = self._count(key, entry)
        change = count.quantity - entry.quantity
        entry.quantity, entry.published = count.quantity, count.confirmed
        self._unsettled.discard(key)
        self._drop_empty(key)
        gtin, zone = key
        return Change(gtin, zone, entry.disposition, change, count.quantity, count.confirmed, zone in stale)
