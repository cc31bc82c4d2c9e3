"""The line without a daemon, a disk and a network: what was recorded in, what the line says of it out.

Inventory, shelves and stock are the daemon's own, and are judged as often; only their time is the record's. What comes
out depends on what goes in and on nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from gateway.domain.delta import Step
from gateway.domain.inventory import TICK_US, Identify, Inventory
from gateway.domain.items import Identity, Transition
from gateway.domain.itemtags import ItemTags
from gateway.domain.params import Bin, ItemParams, Zone
from gateway.domain.records import BinRecord
from gateway.domain.shelves import Shelves
from gateway.domain.stock import Stock, StockRow
from gateway.domain.tags import TagKey
from gateway.domain.zones import LONGEST_LOOK_US, US_PER_S, Antenna, LiveZone, antenna_works
from gateway.explain import RecentTransitions
from readers.model import (
    AntennaCondition,
    InputSample,
    RawRead,
    ReadBatch,
    ReaderCondition,
    ReaderState,
    WeightSample,
)

# Zones read their clocks at least so often, whether or not anything happens: what is longer they take for an outage.
LONGEST_REST_US = LONGEST_LOOK_US // TICK_US * TICK_US

RecordedRead = tuple[int, int, str, int, bytes, int]
"""(received_us, taken_us, reader, antenna, EPC, dBm): one read; both times on the record's own clock."""


class Said(NamedTuple):
    """At `said_us` the line said that the item with tag `key` is in `zone` now; None: it has gone."""

    said_us: int
    identity: Identity
    key: TagKey
    zone: str | None


class Level(NamedTuple):
    """At `said_us` the line said that `quantity` items of a GTIN are in a zone."""

    said_us: int
    gtin: str
    zone: str
    quantity: int


class OfflineLine:
    """Zones, and the zone of each (reader, antenna port); fed in the order in which things were received.

    All times are microseconds of one clock, that of the record (UTC, or any other that does not jump back). From
    `start_us` on every reader counts as connected and every antenna as up, until told otherwise. `transitions` and
    `levels` grow as time passes; whoever feeds days takes them out in between. `every_tick` judges even where nothing
    can have changed: the same result, slower. `identify` says which tags are items, where `item_params` does not.
    `bins` are what shelves count with, their channels among the antennas; `records` say what lay there at the start.
    """

    def __init__(
        self,
        zones: Iterable[Zone],
        antennas: Mapping[Antenna, str],
        item_params: ItemParams | None = None,
        *,
        start_us: int,
        every_tick: bool = False,
        identify: Identify | None = None,
        bins: Iterable[Bin] = (),
        records: Iterable[BinRecord] = (),
    ) -> None:
        self.transitions: list[Said] = []
        self.levels: list[Level] = []
        self.item_tags = ItemTags(item_params or ItemParams())
        live: dict[str, LiveZone] = {}
        for params in zones:
            ports = [antenna for antenna, zone_id in antennas.items() if zone_id == params.id]
            live[params.id] = LiveZone(params, ports, learning=True, now_us=start_us)
        self._zone_of = {antenna: live[zone_id] for antenna, zone_id in antennas.items()}
        # Tags that are glimpsed and forgotten come again and again; a recording has only so many of them.
        self.identify: Identify = cache(identify or self.item_tags)
        self.inventory = Inventory(live.values(), self._zone_of, self.identify)
        self.shelves = Shelves()
        self.stock = Stock()
        self.recent = RecentTransitions()
        self._every_tick = every_tick
        self._condition: dict[str, ReaderCondition] = {}
        self._antennas: dict[str, dict[int, AntennaCondition]] = {}
        self._resting: dict[str, bool] = {}
        self._ticked_us = start_us // TICK_US * TICK_US
        self._now_us = start_us
        self._due_us: int | None = None
        self._sampled_us = start_us
        self._blind_us = 0
        for reader in {reader for reader, _ in antennas}:
            self._condition[reader] = ReaderCondition.READING
            self._antennas[reader] = {}
            self._resting[reader] = False
            self._tell_zones(reader, start_us)
        self._shelve_first(bins, records)

    def _shelve_first(self, bins: Iterable[Bin], records: Iterable[BinRecord]) -> None:
        """What the shelves counted before."""
        zones = self.inventory.zones
        tallies = self.shelves.restore(bins, records)
        known = {key: tally for key, tally in tallies.items() if tally is not None and key[1] in zones}
        rows = [
            StockRow(gtin, zone, zones[zone].params.disposition, tally.quantity, tally.confirmed)
            for (gtin, zone), tally in sorted(known.items())
        ]
        self.stock.restore(rows, (), known)
        self.levels += [Level(self._now_us, row.gtin, row.zone, row.quantity) for row in rows]
        tagged = [zone.id for zone in zones.values() if not zone.antennas <= self.shelves.channels]
        self.stock.shelve({}, zones, self.shelves.by_tags(tagged))
        limits_s = [each.params.params.blind_s for each in self.shelves.bins.values()]
        self._blind_us = round(max(limits_s, default=0.0) * US_PER_S) + TICK_US

    # -- what was recorded --------------------------------------------------------------------------------------

    def link(self, at_us: int, reader: str, *, connected: bool) -> None:
        """The connection to a reader was lost, or is back."""
        self._go_to(at_us)
        if reader in self._condition:
            self._catch_up()
            self._condition[reader] = ReaderCondition.READING if connected else ReaderCondition.FAILED
            self._tell_zones(reader, at_us)

    def antenna(self, at_us: int, reader: str, port: int, *, up: bool) -> None:
        """A reader said that one of its antennas is there, or is not."""
        self._go_to(at_us)
        if reader in self._condition:
            self._catch_up()
            self._antennas[reader][port] = AntennaCondition.UP if up else AntennaCondition.DOWN
            self._tell_zones(reader, at_us)

    def state(self, at_us: int, state: ReaderState) -> None:
        """A reader said how it is: all that `link` and `antenna` can say, and whether it rests."""
        self._go_to(at_us)
        if state.reader in self._condition:
            self._catch_up()
            self._condition[state.reader] = state.condition
            self._antennas[state.reader] = dict(state.antennas)
            self._resting[state.reader] = state.resting
            self._tell_zones(state.reader, at_us)

    def batch(self, batch: ReadBatch) -> None:
        """What a reader delivered at once, its times on the record's clock."""
        self._go_to(batch.received_us)
        self.inventory.ingest(batch)
        self._due_us = self._next_tick_us

    def sample(self, sample: WeightSample | InputSample) -> None:
        """What a scale or an input said, its time on the record's clock."""
        self._go_to(sample.at_us)
        self.shelves.hear(sample)
        self._sampled_us = sample.at_us
        self._due_us = self._next_tick_us

    def reads(self, reads: Iterable[RecordedRead]) -> None:
        """Reads in the order in which they were received; they may have been taken long before.

        Raises ValueError where one was received before what was fed already.
        """
        waiting: dict[str, list[RawRead]] = {}
        until_us = self._now_us - 1
        newest_us = self._now_us
        for received_us, taken_us, reader, antenna, epc, dbm in reads:
            if received_us > until_us:
                if waiting:
                    self._hand_over(waiting, newest_us, until_us)
                    waiting = {}
                if self._ticked_us + TICK_US < received_us:
                    self._run(received_us)
                self._now_us = received_us
                until_us = self._next_tick_us
            elif received_us < newest_us:
                raise _out_of_order(received_us, newest_us)
            newest_us = received_us
            raw = (epc, antenna, dbm, taken_us, taken_us, 1)
            same = waiting.get(reader)
            if same is None:
                waiting[reader] = [raw]
            else:
                same.append(raw)
        if waiting:
            self._hand_over(waiting, newest_us, until_us)

    def advance(self, to_us: int) -> None:
        """Time has passed, and nothing more was received."""
        self._go_to(to_us)
        self._run(to_us + 1)

    def _hand_over(self, waiting: Mapping[str, Sequence[RawRead]], received_us: int, tick_us: int) -> None:
        """What was received up to the next tick, a batch a reader: nothing happens before it anyway."""
        for reader, reads in waiting.items():
            self.inventory.ingest(ReadBatch(reader, received_us, 0, reads))
        self._now_us = received_us
        self._due_us = tick_us

    def _tell_zones(self, reader: str, now_us: int) -> None:
        condition, antennas, resting = self._condition[reader], self._antennas[reader], self._resting[reader]
        for antenna, zone in self._zone_of.items():
            if antenna[0] == reader:
                works = antenna_works(condition, antennas, antenna[1]) and antenna not in self.shelves.blind
                zone.observe(antenna, working=works, now_us=now_us, resting=resting)
        self._due_us = None

    # -- time ---------------------------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """How far time has come."""
        return self._now_us

    @property
    def _next_tick_us(self) -> int:
        """The first tick that hears what is received now: ticks are at whole multiples of their period."""
        next_us = self._ticked_us + TICK_US
        return next_us if next_us >= self._now_us else -(-self._now_us // TICK_US) * TICK_US

    def _go_to(self, now_us: int) -> None:
        """Everything that the line does before `now_us`."""
        if now_us < self._now_us:
            raise _out_of_order(now_us, self._now_us)
        if self._ticked_us + TICK_US < now_us:
            self._run(now_us)
        self._now_us = now_us

    def _run(self, before_us: int) -> None:
        # While reads come in, the next tick follows: when it could rest need not be asked.
        due_us = self._due_us
        if due_us is None:
            due_us = self._planned_us()
        while due_us < before_us:
            self._ticked_us = self._now_us = due_us
            self._tick(due_us)
            if due_us + TICK_US >= before_us:
                self._due_us = None
                return
            due_us = self._planned_us()
        self._due_us = due_us

    def _catch_up(self) -> None:
        """The last tick before a zone's clock stops or goes on: what it has counted so far counts."""
        latest_us = self._now_us // TICK_US * TICK_US
        if latest_us > self._ticked_us and not self.inventory.behind:
            self._ticked_us = latest_us
            self._tick(latest_us)
            self._due_us = self._next_tick_us

    def _tick(self, now_us: int) -> None:
        if self.shelves.bins:
            for reader in self.shelves.look(now_us):
                self._tell_zones(reader, now_us)
        inventory = self.inventory
        made = inventory.tick(now_us)
        while inventory.behind:
            made += inventory.tick(now_us)
        if made:
            # Nothing here is kept on a disk that would have to forget it.
            self.inventory.forgotten.clear()
            self.recent.add(made, now_us)
            self.transitions.extend(_said(now_us, each) for each in made if each.left is not each.entered)
            self._say(now_us, self.stock.apply(made))
        if self.shelves.bins:
            self._say(now_us, self.stock.shelve(self.shelves.changes(), self.inventory.zones))

    def _say(self, now_us: int, step: Step | None) -> None:
        if step is not None:
            self.levels.extend(Level(now_us, row.gtin, row.zone, row.quantity) for row in step.changes if row.change)

    def _planned_us(self) -> int:
        """When to tick next: at the next occasion, or as late as it makes no difference."""
        next_us = self._next_tick_us
        # A shelf that has fallen silent is found out by time alone.
        if self._every_tick or (self.shelves.bins and self._ticked_us - self._sampled_us <= self._blind_us):
            return next_us
        quiet_us = self.inventory.quiet_until_us()
        due_us = self._ticked_us + LONGEST_REST_US
        if quiet_us is not None and quiet_us < due_us:
            due_us = -(-quiet_us // TICK_US) * TICK_US
        return max(next_us, due_us)


def _said(now_us: int, made: Transition) -> Said:
    return Said(now_us, made.item.identity, made.item.keys[0], made.entered.id if made.entered is not None else None)


def _out_of_order(at_us: int, now_us: int) -> ValueError:
    return ValueError(
        f"fed out of order: received at {at_us} us, after what was received at {now_us} us; sort it first"
    )
