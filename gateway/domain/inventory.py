"""The shop's items: reads go in, transitions come out.

`ingest` is the hot path (a few hundred nanoseconds a known tag): it only adds up what each antenna heard of each
tag. `tick` then looks once at every tag that was heard, and at those whose silence has become too long.
"""

import heapq
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from gateway.domain.ears import Ear
from gateway.domain.items import COUNTED, MOVED_SPAN_S, Cause, Cell, Identity, Item, Presence, Transition, pace_s
from gateway.domain.location import WEIGHT_BY_DBM
from gateway.domain.newcomers import WAITS_S, Newcomers
from gateway.domain.records import ItemRecord
from gateway.domain.silence import SHORTEST_S, Silences, unexplained_s
from gateway.domain.tags import TagKey, key_bits, key_epc, tag_key
from gateway.domain.zones import US_PER_S, Antenna, LiveZone
from readers.model import RawRead, ReadBatch

# How often items are judged.
TICK_US = 250_000
# Reads that reach us later than this (a reader's backlog after an outage) tell of the past: they bring nobody in.
LATE_READ_US = 30 * US_PER_S
# What silence means is reckoned anew this often.
RECKON_US = 10 * US_PER_S
# A missing item is looked at again after so long, or after this share of its silence.
LOOK_AGAIN_S = 2.0
LOOK_AGAIN_SHARE = 0.1
# Whoever stands in a door is read at least this often, until it turns out otherwise (chance in a second).
DOOR_CHANCE = 0.3
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
        self._ears: dict[Antenna, Ear] = {}
        self._map({}, 0)
        self._items: dict[Identity, Item] = {}
        self._tags: dict[TagKey, Item] = {}
        self._foreign: set[TagKey] = set()
        self._touched: deque[Cell] = deque()
        self._timers: dict[str, list[tuple[float, int, Item]]] = {zone: [] for zone in self.zones}
        self._newcomers: list[tuple[int, int, int, Item]] = []
        self._hopes = Newcomers()
        self._reckoned_us = 0
        self._tickets = 0
        self._ticks = 0
        self.unmapped_reads = 0
        # Nothing of a tag that is no stock is ever looked at: its cell looks touched already and so stays out.
        self._nobody = Cell(Item(Identity("", ""), [], 0), Ear(("", 0), LiveZone.gone("", 0), {}, 0))
        self._nobody.reads = 1

    def _map(self, old: dict[str, dict[int, CellTable]], now_us: int) -> None:
        """A table and an ear for every antenna; what an antenna that stays had of its tags stays too."""
        self._cells = {}
        for antenna, zone in self._zone_of.items():
            reader, port = antenna
            table = old.get(reader, {}).get(port, {})
            self._cells.setdefault(reader, {})[port] = table
            self._ears[antenna] = Ear(antenna, zone, table, now_us)
        self._ears = {antenna: self._ears[antenna] for antenna in self._zone_of}

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
        if self.missing:
            due.append((self._reckoned_us // RECKON_US + 1) * RECKON_US)
        due += [int(ear.due_us()) for ear in self._ears.values() if ear.due_us() < math.inf]
        if self._touched:
            due.append(0)
        if self._newcomers:
            due.append(self._newcomers[0][0])
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
            cell = item.cells[antenna] = Cell(item, self._ears[antenna])
        table[key] = cell
        return cell

    def _adopt(self, identity: Identity, key: TagKey, seen_us: int) -> Item:
        item = self._items.get(identity)
        if item is None:
            item = Item(identity, [key], seen_us)
            self._items[identity] = item
            self._await(item, 0)
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
        self._reckon(now_us)
        made: list[Transition] = []
        heard = self._collect(now_us)
        for ear in self._ears.values():
            ear.look(now_us)
        for item in heard:
            self._judge(item, now_us, made)
        for zone_id, timers in self._timers.items():
            self._ring(self.zones[zone_id], timers, now_us, made)
        self._look_at_newcomers(now_us, made)
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
            cell.ear.reads += reads
            item.location.add(cell.zone, WEIGHT_BY_DBM[dbm] * min(reads, MOST_READS_PER_TICK))
            if item.tick != ticks:
                item.tick = ticks
                heard.append(item)
            if item.unproven or item.presence not in COUNTED:
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
        if item.zone is not None and item.presence in COUNTED:
            self._judge_present(item, item.zone, now_us, made)
            return
        place = item.location.strongest()
        if place is None:
            return
        presence = place.params.presence
        if item.presence is Presence.GLIMPSED:
            hoped = not presence.leaves_silent and self._hopes.chance(0) > presence.first_read_chance
            if self._prove(item, place) or hoped:
                place.newest_s = place.clock_s
                made.append(self._settle(item, Presence.PRESENT, place, Cause.ARRIVED, now_us))
        elif not presence.leaves_silent and (not item.exited or self._is_proven(item, place)):
            item.unproven = False
            self._take_back(item, now_us)
            made.append(self._settle(item, Presence.PRESENT, place, Cause.RETURNED, now_us))

    def _judge_present(self, item: Item, zone: LiveZone, now_us: int, made: list[Transition]) -> None:
        """It is stock already: what its silence and its reads have taught, and whether it is elsewhere now."""
        if item.unproven:
            self._prove(item, zone)
        else:
            gap_s = zone.clock_s - item.seen_clock_s
            excess_s = gap_s - unexplained_s(item.location.pace_s) if gap_s > SHORTEST_S else 0.0
            if excess_s > 0.0 and item.pool is not None:
                item.pool.ended(excess_s)
                item.longest_s = max(item.longest_s, excess_s)
            item.learn(gap_s)
        item.seen_clock_s = zone.clock_s
        best = item.location.decide(zone, now_us)
        if best is not zone:
            made.append(self._settle(item, Presence.PRESENT, best, Cause.MOVED, now_us))
        elif item.presence is Presence.MISSING:
            made.append(self._settle(item, Presence.PRESENT, zone, Cause.CONFIRMED, now_us))

    @staticmethod
    def _give_up(item: Item, zone: LiveZone) -> None:
        """It leaves by silence alone; should it come back, its zone learns from that."""
        silence_s = zone.clock_s - item.seen_clock_s
        item.longest_s = max(item.longest_s, silence_s - unexplained_s(item.location.pace_s))
        item.lost_from = item.pool
        if item.pool is not None:
            item.pool.lost(1)

    @staticmethod
    def _take_back(item: Item, now_us: int) -> None:
        """It was given up by silence alone, and has been there all the time."""
        if item.lost_from is not None:
            item.longest_s += (now_us - item.changed_us) / US_PER_S
            item.lost_from.lost(-1)
            item.lost_from.ended(item.longest_s)
            item.lost_from = None

    @staticmethod
    def _is_proven(item: Item, zone: LiveZone) -> bool:
        """Reads enough, over a span long enough, that it is no ghost and nobody passing by."""
        presence = zone.params.presence
        span_us = item.seen_us - item.first_us
        return item.reads >= presence.observed_reads and span_us >= presence.observed_span_ms * 1000

    def _prove(self, item: Item, zone: LiveZone) -> bool:
        """Whether a newcomer is an item, now that it was read again."""
        if not self._is_proven(item, zone):
            return False
        waited_s = (item.seen_us - item.first_us) / US_PER_S
        self._hopes.came(waited_s)
        item.unproven = False
        item.learn(waited_s)
        item.find_pool()
        return True

    def _settle(self, item: Item, presence: Presence, zone: LiveZone | None, cause: Cause, now_us: int) -> Transition:
        """The one place where an item changes: its state, its timer, and the lists it stands in."""
        transition = Transition(item, item.presence, item.zone, presence, zone, cause)
        if zone is not None and zone is not item.zone:
            item.seen_clock_s = zone.clock_s
            item.location.settle(zone, now_us)
            if cause is Cause.MOVED or zone.params.presence.leaves_silent:
                # How often it is read, and how long it is silent, is another matter there.
                item.longest_s = 0.0
                item.learnt_s = min(item.learnt_s, MOVED_SPAN_S)
            if zone.params.presence.leaves_silent:
                item.expect(DOOR_CHANCE)
        item.presence, item.zone, item.changed_us = presence, zone, now_us
        item.find_pool()
        self.missing.pop(item, None)
        self.departed.pop(item, None)
        item.alerted = False
        if presence is Presence.MISSING:
            self.missing[item] = None
        elif presence is Presence.DEPARTED:
            item.exited = transition.left is not None and transition.left.params.presence.leaves_silent
            self.departed[item] = None
            item.reads = 0
        self._arm(item)
        return transition

    def _reckon(self, now_us: int) -> None:
        """What silence means in each zone by now.

        As of fixed moments, so that ticks which are left out because nothing happens change nothing.
        """
        at_us = now_us // RECKON_US * RECKON_US
        if at_us <= self._reckoned_us:
            return
        self._reckoned_us = at_us
        self._hopes.age(at_us)
        since_s = (now_us - at_us) / US_PER_S
        clocks_s = {zone.id: zone.clock_s - (since_s if zone.clock.running else 0.0) for zone in self.zones.values()}
        waiting: dict[Silences, list[float]] = {}
        for item in self.missing:
            if item.zone is not None and item.pool is not None:
                silence_s = clocks_s[item.zone.id] - item.seen_clock_s
                waiting.setdefault(item.pool, []).append(max(0.0, silence_s - unexplained_s(item.location.pace_s)))
        for zone in self.zones.values():
            elapsed_s = max(0.0, clocks_s[zone.id] - zone.reckoned_s)
            zone.reckoned_s += elapsed_s
            for pool in zone.silences:
                pool.reckon(zone.params.presence, elapsed_s, waiting.get(pool, ()))

    # -- silence ----------------------------------------------------------------------------------------------

    def _arm(self, item: Item) -> None:
        """Give an item that counts its one entry in its zone's timer; whatever it had before is void."""
        self._tickets += 1
        item.ticket = self._tickets
        if item.zone is not None and item.presence in COUNTED:
            due_s = item.seen_clock_s + self._patience_s(item, item.zone)
            if item.presence is Presence.MISSING or item.zone.params.presence.leaves_silent:
                # What silence means may change meanwhile: it is looked at again before it has grown much.
                silence_s = item.zone.clock_s - item.seen_clock_s
                due_s = min(due_s, item.zone.clock_s + max(LOOK_AGAIN_S, silence_s * LOOK_AGAIN_SHARE))
            heapq.heappush(self._timers[item.zone.id], (due_s, item.ticket, item))

    @staticmethod
    def _patience_s(item: Item, zone: LiveZone) -> float:
        """The silence that changes this item's state next."""
        if item.presence is Presence.PRESENT and not zone.params.presence.leaves_silent:
            return item.missing_after_s(zone.params.presence)
        return item.departed_after_s(zone)

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
                self._give_up(item, zone)
                made.append(self._settle(item, Presence.DEPARTED, None, Cause.DEPARTED, now_us))

    @property
    def _glimpse_us(self) -> int:
        """How long a tag is remembered that does not count yet."""
        timeouts_s = (zone.params.presence.glimpsed_timeout_s for zone in self.zones.values())
        return int(max(timeouts_s, default=0.0) * US_PER_S)

    def _await(self, item: Item, wait: int) -> None:
        """Look at a newcomer again when it has waited for its second read for so long."""
        self._tickets += 1
        due_us = item.first_us + min(int(WAITS_S[wait] * US_PER_S), self._glimpse_us)
        heapq.heappush(self._newcomers, (due_us, self._tickets, wait, item))

    def _look_at_newcomers(self, now_us: int, made: list[Transition]) -> None:
        """Those that have been read once, and no more for too long, were ghosts."""
        waiting = self._newcomers
        while waiting and (waiting[0][0] <= now_us or len(waiting) > MAX_GLIMPSED_ITEMS):
            due_us, _, wait, item = heapq.heappop(waiting)
            if not item.unproven or item.presence is Presence.DEPARTED or item.ticket == FORGOTTEN:
                continue
            again_us = item.seen_us + self._glimpse_us
            if item.seen_us > item.first_us and now_us < again_us and len(waiting) <= MAX_GLIMPSED_ITEMS:
                # Read again, and still not often or long enough: its time begins anew.
                self._tickets += 1
                heapq.heappush(waiting, (again_us, self._tickets, len(WAITS_S) - 1, item))
                continue
            self._hopes.passed(wait)
            is_last = due_us >= item.first_us + self._glimpse_us or wait + 1 == len(WAITS_S) or due_us > now_us
            if not is_last:
                self._await(item, wait + 1)
            if item.presence is Presence.GLIMPSED:
                if is_last:
                    self._forget(item)
            elif item.zone is not None and (
                is_last or self._hopes.chance(wait + 1) <= item.zone.params.presence.first_read_chance
            ):
                made.append(self._settle(item, Presence.DEPARTED, None, Cause.DEPARTED, now_us))

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
        self._zone_of = dict(zone_of)
        self._map(self._cells, now_us)
        for item in self._items.values():
            for antenna, cell in item.cells.items():
                cell.ear = self._ears[antenna]
                cell.zone = cell.ear.zone
        self._touched = deque(cell for cell in self._touched if cell.zone.id in self.zones)
        self._timers = {name: [] for name in self.zones}
        for item in self._items.values():
            self._arm(item)
        return made

    # -- what outlives the process ----------------------------------------------------------------------------

    def restore(self, records: Sequence[ItemRecord], now_us: int, utc_now_us: int) -> list[Transition]:
        """Take up the items of an earlier life, before the first read.

        No silence accrues for the time in between. Items of zones that are configured no longer leave them now, and so
        do those that are no stock any more by what is configured: the transitions say so.
        """
        shift_us = now_us - utc_now_us
        made: list[Transition] = []
        if records:
            self._hopes.settle()
        # `missing` and `departed` are kept in the order of change.
        for record in sorted(records, key=lambda record: record.changed_utc_us):
            item = Item(Identity(record.gtin, record.serial), [record.key], record.seen_utc_us + shift_us)
            item.seen_us = record.seen_utc_us + shift_us
            item.changed_us = record.changed_utc_us + shift_us
            item.presence = record.presence
            item.read_chance, item.learnt_s = record.read_chance, record.learnt_s
            item.location.set_pace(pace_s(record.read_chance))
            item.seen_clock_s = -record.silence_s
            is_stock = self._identify(key_epc(record.key), key_bits(record.key)) is not None
            self._items[item.identity] = item
            if is_stock:
                self._tags[record.key] = item
            item.unproven = False
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
                item.location.settle(item.zone, now_us)
                item.find_pool()
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
