"""The shop's items: reads go in, transitions come out.

`ingest` is the hot path (a few hundred nanoseconds a known tag): it only adds up what each antenna heard of each
tag. `tick` then looks once at every tag that was heard, and at those whose silence has become too long.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from gateway.domain.items import COUNTED, Cause, Cell, Identity, Item, Presence, Transition, pace_s
from gateway.domain.location import WEIGHT_BY_DBM
from gateway.domain.records import ItemRecord
from gateway.domain.tags import TagKey, key_bits, key_epc, tag_key
from gateway.domain.zones import US_PER_S, Antenna, LiveZone
from readers.model import RawRead, ReadBatch

# How often items are judged.
TICK_US = 250_000
# Reads that reach us later than this (a reader's backlog after an outage) tell of the past: they bring nobody in.
LATE_READ_US = 30 * US_PER_S
# One report may stand for thousands of reads (TagSeenCount 5,374 was seen); in one tick more prove nothing more.
MOST_READS_PER_TICK = 20
# Judging a tag takes 3 to 8 us: a tick of so many stays around 20 ms, and the rest waits for the next one.
MOST_CELLS_PER_TICK = 4_000
# Departed items are remembered, to tell a return from an arrival: a week of a busy shop's sales.
MAX_DEPARTED_ITEMS = 50_000
# Tags that were seen once are remembered until their timeout; a hostile transmitter must not fill the memory.
MAX_GLIMPSED_ITEMS = 200_000
# The ticket of an item that nobody knows any more; reads of it may still wait to be judged.
FORGOTTEN = -1
# Tags that are no stock are remembered, to look at each once; noise must not fill the memory.
MAX_FOREIGN_TAGS = 100_000

Identify = Callable[[bytes, int], Identity | None]
"""(EPC, its bit length) -> the item that the tag is on, None where the tag is no stock."""

CellTable = dict[TagKey, Cell]


class Inventory:
    """All items of one shop, indexed by what their tags send and by antenna. Time comes in as an argument."""

    def __init__(self, zones: Iterable[LiveZone], zone_of: Mapping[Antenna, LiveZone], identify: Identify) -> None:
        self.zones = {zone.id: zone for zone in zones}
        self.departed: OrderedDict[Item, None] = OrderedDict()
        self.missing: OrderedDict[Item, None] = OrderedDict()
        self.forgotten: list[TagKey] = []
        self._identify = identify
        self._zone_of = dict(zone_of)
        self._cells: dict[str, dict[int, CellTable]] = {}
        for reader, port in zone_of:
            self._cells.setdefault(reader, {})[port] = {}
        self._items: dict[Identity, Item] = {}
        self._tags: dict[TagKey, Item] = {}
        self._foreign: set[TagKey] = set()
        self._touched: deque[Cell] = deque()
        self._timers: dict[str, list[tuple[float, int, Item]]] = {zone: [] for zone in self.zones}
        self._glimpsed: deque[tuple[int, Item]] = deque()
        self._tickets = 0
        self._ticks = 0
        self.unmapped_reads = 0
        # Nothing of a tag that is no stock is ever looked at: its cell looks touched already and so stays out.
        self._nobody = Cell(Item(Identity("", ""), [], 0), LiveZone.gone("", 0))
        self._nobody.reads = 1

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    @property
    def behind(self) -> bool:
        """More was read than the last tick could judge."""
        return bool(self._touched)

    def quiet_until_us(self) -> int | None:
        """Before then no tick can change an item, if nothing is read and no antenna changes; None: never.

        It may be too early, never too late. Zones that learn are looked at all the same (`LiveZone.advance`).
        """
        due: list[int] = [
            zone.tick_us + int((timers[0][0] - zone.clock_s) * US_PER_S) - 1
            for zone, timers in ((self.zones[name], timers) for name, timers in self._timers.items())
            if timers and zone.clock.running
        ]
        if self._touched:
            due.append(0)
        if self._glimpsed:
            due.append(self._glimpsed[0][0] + self._glimpse_us)
        return min(due, default=None)

    def find(self, identity: Identity) -> Item | None:
        """The item, if it is known."""
        return self._items.get(identity)

    def tags_heard(self) -> dict[Antenna, int]:
        """How many tags each antenna has read, of those that are remembered, stock or not."""
        return {(reader, port): len(table) for reader, tables in self._cells.items() for port, table in tables.items()}

    def ingest(self, batch: ReadBatch) -> None:
        """Add a batch up. Reads of antennas that no zone is mapped to are counted and dropped."""
        tables = self._cells.get(batch.reader)
        if tables is None:
            self.unmapped_reads += len(batch.reads)
            return
        if batch.epc_bits is not None:
            bits = batch.epc_bits
            for read in batch.reads:
                self._ingest_first(tables, tag_key(read[0], bits), read, batch)
            return
        offset_us = batch.offset_us
        touched = self._touched
        port, table = -1, None
        for read in batch.reads:
            epc, antenna, dbm, first_us, last_us, count = read
            if antenna != port:
                port, table = antenna, tables.get(antenna)
            if table is None:
                self.unmapped_reads += 1
                continue
            cell = table.get(epc)
            if cell is None:
                self._ingest_first(tables, epc, read, batch)
                continue
            if not count:
                count = 1  # some devices count nothing; the report itself is a read
            if not cell.reads:
                touched.append(cell)
                cell.first_us = first_us + offset_us
            cell.reads += count
            cell.dbm_sum += dbm * count
            cell.last_us = last_us + offset_us

    def _ingest_first(self, tables: dict[int, CellTable], key: TagKey, read: RawRead, batch: ReadBatch) -> None:
        """The path of a tag that this antenna may not have read before."""
        _, antenna, dbm, first_us, last_us, count = read
        offset_us = batch.offset_us
        table = tables.get(antenna)
        if table is None:
            self.unmapped_reads += 1
            return
        seen_us = min(first_us + offset_us, batch.received_us)
        cell = table.get(key) or self._meet(table, key, (batch.reader, antenna), seen_us)
        if not cell.reads:
            self._touched.append(cell)
            cell.first_us = first_us + offset_us
        cell.reads += max(count, 1)
        cell.dbm_sum += dbm * max(count, 1)
        cell.last_us = last_us + offset_us

    def _meet(self, table: CellTable, key: TagKey, antenna: Antenna, seen_us: int) -> Cell:
        """A cell for a tag that is new to this antenna; the tag itself may be new, or no stock at all."""
        item = self._tags.get(key)
        if item is None and key not in self._foreign:
            identity = self._identify(key_epc(key), key_bits(key))
            if identity is None:
                self._remember_foreign(key)
            else:
                item = self._adopt(identity, key, seen_us)
        if item is None:
            table[key] = self._nobody
            return self._nobody
        # The tags of one item share a cell.
        cell = item.cells.get(antenna)
        if cell is None:
            cell = item.cells[antenna] = Cell(item, self._zone_of[antenna])
        table[key] = cell
        return cell

    def _adopt(self, identity: Identity, key: TagKey, seen_us: int) -> Item:
        item = self._items.get(identity)
        if item is None:
            item = Item(identity, [key], seen_us)
            self._items[identity] = item
            self._glimpsed.append((seen_us, item))
        elif key not in item.keys:
            item.keys.append(key)
        self._tags[key] = item
        return item

    def _remember_foreign(self, key: TagKey) -> None:
        if len(self._foreign) >= MAX_FOREIGN_TAGS:
            for tables in self._cells.values():
                for table in tables.values():
                    for old in self._foreign.intersection(table):
                        del table[old]
            self._foreign.clear()
        self._foreign.add(key)

    # -- once a tick ------------------------------------------------------------------------------------------

    def tick(self, now_us: int) -> list[Transition]:
        """Judge what has been read since the last tick, and what has not been read for too long."""
        self._ticks += 1
        for zone in self.zones.values():
            zone.advance(now_us)
        made: list[Transition] = []
        for item in self._collect(now_us):
            self._judge(item, now_us, made)
        for zone_id, timers in self._timers.items():
            self._ring(self.zones[zone_id], timers, now_us, made)
        self._drop_glimpses(now_us)
        while len(self.departed) > MAX_DEPARTED_ITEMS:
            self._forget(next(iter(self.departed)))
        return made

    def _collect(self, now_us: int) -> list[Item]:
        """Turn what the antennas heard into evidence; the items that were read in our time, each once."""
        heard: list[Item] = []
        touched = self._touched
        oldest_us = now_us - LATE_READ_US
        ticks = self._ticks
        for _ in range(min(len(touched), MOST_CELLS_PER_TICK)):
            cell = touched.popleft()
            item = cell.item
            reads, cell.reads = cell.reads, 0
            dbm, cell.dbm_sum = cell.dbm_sum // reads, 0
            cell.total += reads
            if cell.last_us < oldest_us:
                item.seen_us = max(item.seen_us, cell.last_us)
                continue
            if item.ticket == FORGOTTEN:
                continue  # its next read makes it known anew
            item.location.add(cell.zone, WEIGHT_BY_DBM[dbm] * min(reads, MOST_READS_PER_TICK))
            if item.tick != ticks:
                item.tick = ticks
                heard.append(item)
            if item.presence not in COUNTED:
                self._sum_glimpses(item, cell, reads, now_us)
            if cell.last_us > item.seen_us:
                item.seen_us = min(cell.last_us, now_us)
        return heard

    def _sum_glimpses(self, item: Item, cell: Cell, reads: int, now_us: int) -> None:
        """Reads of an item that does not count (yet): ghosts and passers-by are told by their number and span."""
        presence = cell.zone.params.presence
        if item.presence is Presence.DEPARTED and presence.leaves_silent:
            return  # whoever left by this door may stand behind it; only the shop itself brings an item back
        if cell.first_us - item.seen_us > presence.glimpsed_timeout_s * US_PER_S:
            item.reads = 0
        if not item.reads:
            item.first_us = min(cell.first_us, now_us)
        item.reads += reads

    def _judge(self, item: Item, now_us: int, made: list[Transition]) -> None:
        """An item was read: does it count from now on, is it back, has it moved?"""
        was, zone = item.presence, item.zone
        if was in COUNTED and zone is not None:
            item.learn(zone.clock_s - item.seen_clock_s)
            item.seen_clock_s = zone.clock_s
            best = item.location.decide(zone, now_us)
            if best is not zone:
                made.append(self._settle(item, Presence.PRESENT, best, Cause.MOVED, now_us))
            elif was is Presence.MISSING:
                made.append(self._settle(item, Presence.PRESENT, zone, Cause.CONFIRMED, now_us))
            return
        place = item.location.strongest()
        if place is None:
            return
        presence = place.params.presence
        if was is Presence.DEPARTED and presence.leaves_silent:
            return
        span_ms = (item.seen_us - item.first_us) / 1000
        if item.reads >= presence.observed_reads and span_ms >= presence.observed_span_ms:
            cause = Cause.RETURNED if was is Presence.DEPARTED else Cause.ARRIVED
            place.newest_s = place.clock_s
            made.append(self._settle(item, Presence.PRESENT, place, cause, now_us))

    def _settle(self, item: Item, presence: Presence, zone: LiveZone | None, cause: Cause, now_us: int) -> Transition:
        """The one place where an item changes: its state, its timer, and the lists it stands in."""
        transition = Transition(item, item.presence, item.zone, presence, zone, cause)
        if zone is not None and zone is not item.zone:
            item.seen_clock_s = zone.clock_s
        item.presence, item.zone, item.changed_us = presence, zone, now_us
        self.missing.pop(item, None)
        self.departed.pop(item, None)
        item.alerted = False
        if presence is Presence.MISSING:
            self.missing[item] = None
        elif presence is Presence.DEPARTED:
            self.departed[item] = None
            item.reads = 0
        self._arm(item)
        return transition

    # -- silence ----------------------------------------------------------------------------------------------

    def _arm(self, item: Item) -> None:
        """Give an item that counts its one entry in its zone's timer; whatever it had before is void."""
        self._tickets += 1
        item.ticket = self._tickets
        if item.zone is not None and item.presence in COUNTED:
            due_s = item.seen_clock_s + self._patience_s(item, item.zone)
            heapq.heappush(self._timers[item.zone.id], (due_s, item.ticket, item))

    @staticmethod
    def _patience_s(item: Item, zone: LiveZone) -> float:
        """The silence that changes this item's state next."""
        params = zone.params.presence
        if params.leaves_silent:
            return params.exit_silence_s
        return item.missing_after_s(params) if item.presence is Presence.PRESENT else item.departed_after_s(params)

    def _ring(self, zone: LiveZone, timers: list[tuple[float, int, Item]], now_us: int, made: list[Transition]) -> None:
        """Look at the items of a zone whose silence may have become too long."""
        while timers and timers[0][0] <= zone.clock_s:
            _, ticket, item = heapq.heappop(timers)
            if ticket != item.ticket:
                continue
            # The same sum as in `_arm`: a difference could round to the other side and ring for ever.
            if item.seen_clock_s + self._patience_s(item, zone) > zone.clock_s:
                self._arm(item)
            elif item.presence is Presence.PRESENT and not zone.params.presence.leaves_silent:
                made.append(self._settle(item, Presence.MISSING, zone, Cause.CONFIRMED, now_us))
            else:
                made.append(self._settle(item, Presence.DEPARTED, None, Cause.DEPARTED, now_us))

    @property
    def _glimpse_us(self) -> int:
        """How long a tag is remembered that does not count yet."""
        timeouts_s = (zone.params.presence.glimpsed_timeout_s for zone in self.zones.values())
        return int(max(timeouts_s, default=0.0) * US_PER_S)

    def _drop_glimpses(self, now_us: int) -> None:
        """Forget what was glimpsed and did not come again."""
        timeout_us = self._glimpse_us
        while self._glimpsed:
            crowded = len(self._glimpsed) > MAX_GLIMPSED_ITEMS
            if not crowded and self._glimpsed[0][0] >= now_us - timeout_us:
                return
            _, item = self._glimpsed.popleft()
            if item.presence is not Presence.GLIMPSED:
                continue
            if crowded or item.seen_us < now_us - timeout_us:
                self._forget(item)
            else:
                self._glimpsed.append((item.seen_us, item))

    def _forget(self, item: Item) -> None:
        item.ticket = FORGOTTEN
        self.departed.pop(item, None)
        del self._items[item.identity]
        for key in item.keys:
            self._tags.pop(key, None)
        for reader, port in item.cells:
            for key in item.keys:
                self._cells[reader][port].pop(key, None)
        if item.presence is Presence.DEPARTED:
            self.forgotten.append(item.keys[0])

    # -- another configuration --------------------------------------------------------------------------------

    def configure(
        self, zones: Iterable[LiveZone], zone_of: Mapping[Antenna, LiveZone], now_us: int
    ) -> list[Transition]:
        """Other zones or antennas from now on; zones that stay are the same objects as before.

        The items of a zone that is gone leave it: the transitions say so, and whoever is read again returns.
        """
        self.zones = {zone.id: zone for zone in zones}
        made: list[Transition] = []
        for item in self._items.values():
            if item.zone is not None and item.zone.id not in self.zones:
                made.append(self._settle(item, Presence.DEPARTED, None, Cause.CONFIG, now_us))
            item.location.keep(self.zones)
            item.cells = {antenna: cell for antenna, cell in item.cells.items() if antenna in zone_of}
            for antenna, cell in item.cells.items():
                cell.zone = zone_of[antenna]
        old, self._cells = self._cells, {}
        for reader, port in zone_of:
            self._cells.setdefault(reader, {})[port] = old.get(reader, {}).get(port, {})
        self._touched = deque(cell for cell in self._touched if cell.zone.id in self.zones)
        self._zone_of = dict(zone_of)
        self._timers = {name: [] for name in self.zones}
        for item in self._items.values():
            self._arm(item)
        return made

    # -- what outlives the process ----------------------------------------------------------------------------

    def restore(self, records: Iterable[ItemRecord], now_us: int, utc_now_us: int) -> list[Transition]:
        """Take up the items of an earlier life, before the first read.

        No silence accrues for the time in between. Items of zones that are configured no longer leave them now, and so
        do those that are no stock any more by what is configured: the transitions say so.
        """
        shift_us = now_us - utc_now_us
        made: list[Transition] = []
        # `missing` and `departed` are kept in the order of change.
        for record in sorted(records, key=lambda record: record.changed_utc_us):
            item = Item(Identity(record.gtin, record.serial), [record.key], record.seen_utc_us + shift_us)
            item.seen_us = record.seen_utc_us + shift_us
            item.changed_us = record.changed_utc_us + shift_us
            item.presence = record.presence
            item.read_chance, item.learnt_s = record.read_chance, record.learnt_s
            item.location.pace_s = pace_s(record.read_chance)
            item.seen_clock_s = -record.silence_s
            is_stock = self._identify(key_epc(record.key), key_bits(record.key)) is not None
            self._items[item.identity] = item
            if is_stock:
                self._tags[record.key] = item
            zone = self.zones.get(record.zone) if record.zone else None
            item.zone = zone if is_stock else None
            if item.presence is Presence.DEPARTED:
                self.departed[item] = None
            elif item.zone is None:
                left = zone or LiveZone.gone(record.zone or "", now_us)
                # Nobody confirms it any more, so stock takes it up as unconfirmed; that is how it leaves.
                made.append(Transition(item, Presence.MISSING, left, Presence.DEPARTED, None, Cause.CONFIG))
                item.presence = Presence.DEPARTED
                self.departed[item] = None
            else:
                if item.presence is Presence.MISSING:
                    self.missing[item] = None
                item.location.of(item.zone)
                self._arm(item)
        return made

    def record(self, item: Item, now_us: int, utc_now_us: int) -> ItemRecord:
        """An item as the ledger keeps it."""
        shift_us = utc_now_us - now_us
        silence_s = item.zone.clock_s - item.seen_clock_s if item.zone else 0.0
        return ItemRecord(
            key=item.keys[0],
            gtin=item.identity.gtin,
            serial=item.identity.serial,
            presence=item.presence,
            zone=item.zone.id if item.zone else None,
            changed_utc_us=item.changed_us + shift_us,
            seen_utc_us=item.seen_us + shift_us,
            read_chance=item.read_chance,
            learnt_s=item.learnt_s,
            silence_s=silence_s,
        )
