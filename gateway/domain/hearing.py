"""What the antennas hear: reads added up per antenna and tag, then turned into evidence.

`ingest` is the hot path (a few hundred nanoseconds a known tag): it only adds up what each antenna heard of each
tag. `collect` then looks once at every tag that was heard.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping

from gateway.domain.ears import Ear
from gateway.domain.evidence import WEIGHT_BY_DBM
from gateway.domain.items import FORGOTTEN, Cell, Identity, Item
from gateway.domain.motion import Motion
from gateway.domain.params import ZoneKind
from gateway.domain.presence import COUNTED, Presence
from gateway.domain.tags import TagKey, tag_key
from gateway.domain.zones import US_PER_S, Antenna, LiveZone
from readers.model import RawRead, ReadBatch

# Reads that reach us later than this (a reader's backlog after an outage) tell of the past: they bring nobody in.
LATE_READ_US = 30 * US_PER_S
# One report may stand for thousands of reads (TagSeenCount 5,374 was seen); in one tick more prove nothing more.
MOST_READS_PER_TICK = 20
# Judging and booking a tag takes 5 to 15 us: a tick of so many stays around 20 ms, and the rest waits for the next one.
MOST_CELLS_PER_TICK = 2_000
# Tags that are no stock are remembered, to look at each once; noise must not fill the memory.
MAX_FOREIGN_TAGS = 100_000

CellTable = dict[TagKey, Cell]


class Hearing:
    """A table of tags and an ear for every antenna.

    `item_of` (key, when it was seen in monotonic microseconds) says which item a tag is on that an antenna has not
    read before, None where it is no stock. `read_late` (item, now) hears of what was read longer ago than counts.
    """

    def __init__(
        self,
        zone_of: Mapping[Antenna, LiveZone],
        item_of: Callable[[TagKey, int], Item | None],
        read_late: Callable[[Item, int], None],
    ) -> None:
        self._item_of = item_of
        self._read_late = read_late
        self._cells: dict[str, dict[int, CellTable]] = {}
        self._ears: dict[Antenna, Ear] = {}
        self._zones: Collection[LiveZone] = ()
        self.doors_alone = False
        """The shop has nothing but doors and tills."""
        self.due_us = math.inf
        """Before then no antenna's silence is strange; it may be too early. Infinite: none can become so."""
        self._map(zone_of, 0)
        self.motion = Motion()
        self._foreign: set[TagKey] = set()
        self.touched: list[Cell] = []
        """What was heard and not yet collected."""
        self._collected = 0
        self.unmapped_reads = 0
        # Nothing of a tag that is no stock is ever looked at: its cell looks touched already and so stays out.
        self._nobody = Cell(Item(Identity("", ""), b"", 0), Ear(("", 0), LiveZone.gone("", 0), {}, 0))
        self._nobody.reads = 1

    def _map(self, zone_of: Mapping[Antenna, LiveZone], now_us: int) -> None:
        """A table and an ear for every antenna; what an antenna that stays had of its tags stays too."""
        old, self._cells, self._ears = self._cells, {}, {}
        for antenna, zone in zone_of.items():
            reader, port = antenna
            table = old.get(reader, {}).get(port, {})
            self._cells.setdefault(reader, {})[port] = table
            self._ears[antenna] = Ear(antenna, zone, table, now_us)
        self._zones = tuple(dict.fromkeys(zone_of.values()))
        self.doors_alone = all(zone.params.presence.leaves_silent for zone in self._zones)
        self.due_us = math.inf

    def tags(self) -> dict[Antenna, int]:
        """How many tags each antenna has read, of those that are remembered, stock or not."""
        return {(reader, port): len(table) for reader, tables in self._cells.items() for port, table in tables.items()}

    def ingest(self, batch: ReadBatch) -> None:
        """Add a batch up. Reads of antennas that no zone is mapped to are counted and dropped."""
        reader, _, offset_us, reads, bits = batch
        tables = self._cells.get(reader)
        if tables is None:
            self.unmapped_reads += len(reads)
            return
        if bits is not None:
            for read in reads:
                self._ingest_first(tables, tag_key(read[0], bits), read, batch)
            return
        touched = self.touched
        port, table = -1, None
        for read in reads:
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
            self.touched.append(cell)
            cell.first_us = first_us + offset_us
        cell.reads += max(count, 1)
        cell.dbm_sum += dbm * max(count, 1)
        cell.last_us = last_us + offset_us

    def _meet(self, table: CellTable, key: TagKey, antenna: Antenna, seen_us: int) -> Cell:
        """A cell for a tag that is new to this antenna; the tag itself may be new, or no stock at all."""
        item = None
        if key not in self._foreign:
            item = self._item_of(key, seen_us)
            if item is None:
                self._remember_foreign(key)
        if item is None:
            table[key] = self._nobody
            return self._nobody
        # The tags of one item share a cell.
        ear = self._ears[antenna]
        cell = next((cell for cell in item.cells if cell.ear is ear), None)
        if cell is None:
            cell = Cell(item, ear)
            item.cells = (*item.cells, cell)
        table[key] = cell
        return cell

    def _remember_foreign(self, key: TagKey) -> None:
        if len(self._foreign) >= MAX_FOREIGN_TAGS:
            for tables in self._cells.values():
                for table in tables.values():
                    for old in self._foreign.intersection(table):
                        del table[old]
            self._foreign.clear()
        self._foreign.add(key)

    def collect(self, now_us: int) -> list[Item]:
        """Turn what the antennas heard into evidence; the items that were read in our time, each once."""
        heard: list[Item] = []
        hearers: list[Ear] = []
        oldest_us = now_us - LATE_READ_US
        tick = self._collected = self._collected + 1
        look = self.motion.look
        for cell in self._take():
            item, reads, first_us, last_us = cell.item, cell.reads, cell.first_us, cell.last_us
            dbm = cell.dbm_sum // reads
            cell.reads = cell.dbm_sum = cell.first_us = 0
            cell.total += reads
            if last_us < oldest_us:
                item.seen_us = max(item.seen_us, last_us)
                self._read_late(item, now_us)
                continue
            if item.ticket == FORGOTTEN:
                continue  # its next read makes it known anew
            ear = cell.ear
            if not ear.reads:
                hearers.append(ear)
            ear.reads += reads
            counted = reads if reads < MOST_READS_PER_TICK else MOST_READS_PER_TICK
            item.location.add(ear.zone, WEIGHT_BY_DBM[dbm] * counted, dbm)
            look(item, cell, dbm, last_us)
            if item.tick != tick:
                item.tick = tick
                heard.append(item)
            if item.unproven or item.presence not in COUNTED:
                self._sum_glimpses(item, ear.zone, reads, first_us, now_us)
            if last_us > item.seen_us:
                item.seen_us = last_us if last_us < now_us else now_us
        self._look(hearers, now_us)
        return heard

    def _take(self) -> list[Cell]:
        """What was heard since the last tick, or as much of it as one tick can take."""
        touched, self.touched = self.touched, []
        if len(touched) > MOST_CELLS_PER_TICK:
            self.touched = touched[MOST_CELLS_PER_TICK:]
            del touched[MOST_CELLS_PER_TICK:]
        return touched

    def _look(self, hearers: Iterable[Ear], now_us: int) -> None:
        """Look at the ears that heard something; at all of them where a silence may be strange or has a reason."""
        everywhere = now_us >= self.due_us
        for zone in self._zones:
            if not zone.clock.running:
                everywhere = True
        if everywhere:
            hearers = self._ears.values()
            self.due_us = math.inf
        for ear in hearers:
            ear.look(now_us)
            if ear.due_us < self.due_us:
                self.due_us = ear.due_us

    def forget(self, item: Item) -> None:
        """Nobody knows this item any more; its next read is the first."""
        for cell in item.cells:
            reader, port = cell.ear.antenna
            for key in item.keys:
                self._cells[reader][port].pop(key, None)

    def configure(
        self, zone_of: Mapping[Antenna, LiveZone], zones: Collection[str], items: Collection[Item], now_us: int
    ) -> None:
        """Other antennas or `zones` from now on; `items` are all that are known."""
        self._map(zone_of, now_us)
        for item in items:
            item.cells = tuple(cell for cell in item.cells if cell.ear.antenna in zone_of)
            for cell in item.cells:
                cell.ear = self._ears[cell.ear.antenna]
        self.touched = [cell for cell in self.touched if cell.ear.zone.id in zones]

    def may_return(self, item: Item, zone: LiveZone) -> bool:
        """Whether reads in this zone bring back what has left.

        Whoever left by an exit may stand behind it, in the street: that exit's own reads mean nothing, unless there is
        nothing but doors. Behind a till is the shop.
        """
        return self.doors_alone or item.exited is not zone or zone.params.kind is not ZoneKind.EXIT

    def _sum_glimpses(self, item: Item, zone: LiveZone, reads: int, first_us: int, now_us: int) -> None:
        """Reads of an item that does not count (yet): ghosts and passers-by are told by their number and span."""
        presence = zone.params.presence
        if item.presence is Presence.DEPARTED and not self.may_return(item, zone):
            return
        if first_us - item.seen_us > presence.glimpsed_timeout_s * US_PER_S:
            item.reads = 0
        if not item.reads:
            item.first_us = min(first_us, now_us)
        item.reads += reads
