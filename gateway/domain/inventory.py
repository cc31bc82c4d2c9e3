"""The shop's items: reads go in, transitions come out.

What antennas hear is added up by `Hearing`; `tick` then judges each item that was heard once, and those whose silence
has become too long (`Timers`), or whose second read has not come (`Newcomers`). Here is what an item may become.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from gateway.domain.atrest import item_of, lived_utc_us, record_item
from gateway.domain.company import AS_BEFORE, Company
from gateway.domain.hearing import Hearing
from gateway.domain.homes import TAKEN_BACK, Homes, count_sure
from gateway.domain.items import FORGOTTEN, MOVED_SPAN_S, Cause, Identity, Item, Transition
from gateway.domain.newcomers import Hopes, Newcomers
from gateway.domain.presence import COUNTED, Presence
from gateway.domain.records import ItemRecord, PoolRecord, ShopRecord, ZoneRecord
from gateway.domain.silence import SHORTEST_S, UNEXPLAINED_PACES
from gateway.domain.tags import TagKey, key_bits, key_epc
from gateway.domain.timers import Timers, give_up, reckon, take_back
from gateway.domain.zones import US_PER_S, Antenna, LiveZone

# How often items are judged.
TICK_US = 250_000
# What silence means is reckoned anew this often.
RECKON_US = 30 * US_PER_S
# ... and how many items surely lie where, this often.
COUNT_US = 300 * US_PER_S
# Whoever stands in a door is read at least this often, until it turns out otherwise (chance in a second).
DOOR_CHANCE = 0.3
# Departed items are remembered, to tell a return from an arrival: a week of a busy shop's sales.
MAX_DEPARTED_ITEMS = 50_000

Identify = Callable[[bytes, int], Identity | None]
"""(EPC, its bit length) -> the item that the tag is on, None where the tag is no stock."""


class Inventory:
    """All items of one shop, indexed by what their tags send and by antenna. Time comes in as an argument."""

    def __init__(self, zones: Iterable[LiveZone], zone_of: Mapping[Antenna, LiveZone], identify: Identify) -> None:
        self.zones = {zone.id: zone for zone in zones}
        self.departed: OrderedDict[Item, None] = OrderedDict()
        self.missing: OrderedDict[Item, None] = OrderedDict()
        self.forgotten: list[TagKey] = []
        self._identify = identify
        self._items: dict[Identity, Item] = {}
        self._tags: dict[TagKey, Item] = {}
        self._homes = Homes()
        self._company = Company(self._homes)
        self._hearing = Hearing(zone_of, self._item_of, self._company.read_late)
        # Add a batch up, for the next tick to judge. The hot path itself: another call between would cost some percent.
        self.ingest = self._hearing.ingest
        self._timers = Timers(self.zones.values())
        self._hopes = Hopes()
        self._newcomers = Newcomers(self.zones.values(), self._hopes)
        self._reckon_due_us = RECKON_US
        self._count_due_us = COUNT_US

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    @property
    def behind(self) -> bool:
        """More was read, or has fallen silent, than the last tick could judge."""
        return bool(self._hearing.touched) or self._timers.behind or self._newcomers.behind

    def quiet_until_us(self) -> int | None:
        """Before then no tick can change an item, if nothing is read and no antenna changes; None: never.

        It may be too early, never too late. Zones that learn are looked at all the same (`LiveZone.advance`).
        """
        if self.behind:
            return 0
        due_us = min(self._hearing.due_us, self._newcomers.due_us, self._company.due_us)
        # Of a clock that gets on by bits it cannot be told afterwards what it said then.
        reckoned = bool(self.missing)
        for zone in self.zones.values():
            due_us = min(due_us, zone.due_us)
            reckoned = reckoned or bool(zone.clock.resting)
        if reckoned and self._reckon_due_us < due_us:
            due_us = self._reckon_due_us
        return int(due_us) if due_us < math.inf else None

    def find(self, identity: Identity) -> Item | None:
        """The item, if it is known."""
        return self._items.get(identity)

    def tags_heard(self) -> dict[Antenna, int]:
        """How many tags each antenna has read, of those that are remembered, stock or not."""
        return self._hearing.tags()

    @property
    def unmapped_reads(self) -> int:
        """Reads of antennas that no zone is mapped to; they are dropped."""
        return self._hearing.unmapped_reads

    def _item_of(self, key: TagKey, seen_us: int) -> Item | None:
        """The item that a tag is on, known or new; None where it is no stock."""
        item = self._tags.get(key)
        if item is not None:
            return item
        identity = self._identify(key_epc(key), key_bits(key))
        if identity is None:
            return None
        item = self._items.get(identity)
        if item is None:
            item = Item(identity, key, seen_us)
            self._items[identity] = item
            self._newcomers.add(item)
        elif key not in item.keys:
            item.keys = (*item.keys, key)
        self._tags[key] = item
        return item

    # -- once a tick ------------------------------------------------------------------------------------------

    def tick(self, now_us: int) -> list[Transition]:
        """Judge what has been read since the last tick, and what has not been read for too long."""
        silent = False
        for zone in self.zones.values():
            zone.advance(now_us)
            if zone.due_s <= zone.clock_s:
                silent = True
        if now_us >= self._reckon_due_us:
            self._reckon(now_us)
        made: list[Transition] = []
        for item in self._hearing.collect(now_us):
            if item.zone is not None and item.presence in COUNTED:
                self._judge_present(item, item.zone, now_us, made)
            else:
                self._judge_absent(item, now_us, made)
        if silent or now_us >= self._newcomers.due_us or now_us >= self._company.due_us:
            self._judge_silent(now_us, made)
        return made

    def _judge_silent(self, now_us: int, made: list[Transition]) -> None:
        """Those that were not read for too long, or whose company went."""
        for zone, item in self._timers.ring(self.zones.values()):
            made.append(self._end_silence(item, zone, now_us))
        if now_us >= self._newcomers.due_us:
            for item in self._newcomers.ring(now_us):
                self._forget(item)
        for item, left, zone in self._company.followers(now_us):
            made.append(self._follow(item, left, zone, now_us))
        while len(self.departed) > MAX_DEPARTED_ITEMS:
            self._forget(next(iter(self.departed)))

    def _judge_absent(self, item: Item, now_us: int, made: list[Transition]) -> None:
        """An item that is no stock was read: does it count from now on, is it back?"""
        place = self._place_of(item)
        if place is None:
            return
        presence = place.params.presence
        if item.presence is Presence.GLIMPSED:
            hoped = not presence.leaves_silent and self._hopes.chance(0) > presence.first_read_chance
            if self._prove(item, place) or hoped:
                place.newest_s = place.clock_s
                made.append(self._settle(item, Presence.PRESENT, place, Cause.ARRIVED, now_us))
        elif self._hearing.may_return(item, place) and (not item.exited or self._is_proven(item, place)):
            item.unproven = False
            take_back(item, now_us)
            made.append(self._settle(item, Presence.PRESENT, place, Cause.RETURNED, now_us))

    def _place_of(self, item: Item) -> LiveZone | None:
        """Where an item that is no stock was read, None where it only lies near a door."""
        place = item.location.strongest()
        if place is None or not place.params.presence.leaves_silent or self._hearing.doors_alone:
            return place
        return place if item.location.passes(place, carried=item.carried) else item.location.strongest(doors=False)

    def _judge_present(self, item: Item, zone: LiveZone, now_us: int, made: list[Transition]) -> None:
        """It is stock already: what its silence and its reads have taught, and whether it is elsewhere now."""
        if item.unproven:
            self._prove(item, zone)
        else:
            gap_s = zone.clock_s - item.seen_clock_s
            # The second bound is the cheaper half of `unexplained_s`.
            if gap_s > SHORTEST_S and gap_s > UNEXPLAINED_PACES * item.location.pace_s and item.pool is not None:
                excess_s = gap_s - item.unexplained_s
                if excess_s > 0.0:
                    item.pool.ended(excess_s)
                    item.longest_s = max(item.longest_s, excess_s)
            if item.seen_clock_s <= zone.clock.resumed_s:
                item.doubt(zone.clock.blind_s(item.seen_clock_s))
            item.learn(gap_s)
        item.seen_clock_s = zone.clock_s
        best = item.location.decide(zone, now_us, carried=item.carried)
        if best is not zone:
            zone.moved += 1.0
            told = self._company.went(item, zone, best, now_us)
            made.append(self._settle(item, Presence.PRESENT, best, Cause.MOVED, now_us))
            item.location.told = told
        elif len(item.location.evidence) > 1 and (joined := self._join(item, zone, now_us)) is not None:
            made.append(joined)
        elif item.presence is Presence.MISSING:
            made.append(self._settle(item, Presence.PRESENT, zone, Cause.CONFIRMED, now_us))

    def _join(self, item: Item, zone: LiveZone, now_us: int) -> Transition | None:
        """An item that other zones than `zone` have read, too, goes where others of its product went, or are."""
        self._company.hear(item, zone, now_us)
        if item.identity.gtin in self._company.products:
            called = self._company.calls(item, zone, now_us)
            if called is not None:
                return self._follow(item, zone, called, now_us)
        home = self._homes.calls(item, zone, now_us)
        if home is None:
            return None
        return self._settle(item, Presence.PRESENT, home, Cause.MOVED, now_us, taken_back=TAKEN_BACK)

    def _follow(self, item: Item, left: LiveZone, zone: LiveZone, now_us: int) -> Transition:
        """It went where others of its product went, though its own reads do not say so (yet)."""
        self._company.follow(item, left, zone, now_us)
        return self._settle(item, Presence.PRESENT, zone, Cause.MOVED, now_us, taken_back=AS_BEFORE)

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

    def _settle(
        self,
        item: Item,
        presence: Presence,
        zone: LiveZone | None,
        cause: Cause,
        now_us: int,
        *,
        taken_back: float = 0.0,
    ) -> Transition:
        """The one place where an item changes: its state, its timer, and the lists it stands in."""
        transition = Transition(item, item.presence, item.zone, presence, zone, cause)
        if zone is not None and zone is not item.zone:
            item.seen_clock_s = zone.clock_s
            item.location.settle(zone, now_us, taken_back=taken_back)
            if cause is Cause.MOVED or zone.params.presence.leaves_silent:
                # How often it is read, and how long it is silent, is another matter there.
                item.longest_s = 0.0
                item.learnt_s = min(item.learnt_s, MOVED_SPAN_S)
            if zone.params.presence.leaves_silent:
                item.expect(DOOR_CHANCE)
        if zone is not item.zone:
            self._homes.settle(item, item.zone, zone)
            self._company.settled(item, now_us)
        item.presence, item.zone, item.changed_us = presence, zone, now_us
        item.find_pool()
        self.missing.pop(item, None)
        self.departed.pop(item, None)
        item.alerted = False
        if presence is Presence.MISSING:
            self.missing[item] = None
        elif presence is Presence.DEPARTED:
            left = transition.left
            item.exited = left if left is not None and left.params.presence.leaves_silent else None
            self.departed[item] = None
            item.reads = 0
        self._timers.arm(item)
        return transition

    def _reckon(self, now_us: int) -> None:
        """What silence means in each zone by now.

        As of fixed moments, so that ticks which are left out because nothing happens change nothing.
        """
        at_us = now_us // RECKON_US * RECKON_US
        self._reckon_due_us = at_us + RECKON_US
        self._hopes.age(at_us)
        if at_us >= self._count_due_us:
            self._count_due_us = (at_us // COUNT_US + 1) * COUNT_US
            count_sure(self.zones.values(), self)
        hopeless_s = self._hopes.hopeless_s()
        for zone in self.zones.values():
            zone.hopeless_s = hopeless_s
        reckon(self.zones, self.missing, (now_us - at_us) / US_PER_S)

    def _end_silence(self, item: Item, zone: LiveZone, now_us: int) -> Transition:
        """An item has been silent for longer than it may be as what it is."""
        if item.presence is Presence.PRESENT and not zone.params.presence.leaves_silent:
            return self._settle(item, Presence.MISSING, zone, Cause.CONFIRMED, now_us)
        give_up(item, zone)
        return self._settle(item, Presence.DEPARTED, None, Cause.DEPARTED, now_us)

    def _forget(self, item: Item) -> None:
        item.ticket = FORGOTTEN
        self.departed.pop(item, None)
        del self._items[item.identity]
        for key in item.keys:
            self._tags.pop(key, None)
        self._hearing.forget(item)
        # Its cells know it, too: without this it would take the garbage collector to free it.
        item.cells = ()
        item.look_cell = None
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
        self._hearing.configure(zone_of, self.zones, self._items.values(), now_us)
        self._timers.configure(self.zones.values(), self._items.values())
        self._newcomers.configure(self.zones.values())
        self._company.configure(self.zones)
        return made

    # -- what outlives the process ----------------------------------------------------------------------------

    def restore(
        self,
        records: Sequence[ItemRecord],
        now_us: int,
        utc_now_us: int,
        pools: Iterable[PoolRecord] = (),
        shop: ShopRecord | None = None,
        learnt: Iterable[ZoneRecord] = (),
    ) -> list[Transition]:
        """Take up the items of an earlier life, and what its zones and the shop had taught, before the first read.

        No silence accrues for the time since one of them was last known to be read or silent: that was an outage, in
        which evidence stands still. Items of zones that are configured no longer leave them now, and so do those that
        are no stock any more by what is configured: the transitions say so.
        """
        shift_us = now_us - utc_now_us
        made: list[Transition] = []
        # A clock that went back must not make the last life end in the future.
        lived_us = min(now_us, max(map(lived_utc_us, records), default=utc_now_us) + shift_us)
        for live in self.zones.values():
            live.clock.miss(lived_us, now_us)
        self._go_on(pools, shop, learnt)
        if shop is None and records:
            self._hopes.settle()
        # `missing` and `departed` are kept in the order of change.
        for record in sorted(records, key=lambda record: record.changed_utc_us):
            item = item_of(record, self.zones, shift_us, lived_us, now_us)
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
                if item.location.own is None or item.location.own.zone is not item.zone:
                    item.location.settle(item.zone, now_us)
                self._homes.settle(item, None, item.zone)
                item.find_pool()
        count_sure(self.zones.values(), self)
        # How long to be patient follows from the pools and those that are silent in them: all of them are needed.
        reckon(self.zones, self.missing, 0.0)
        for item in self._items.values():
            self._timers.arm(item)
        return made

    def _go_on(
        self, pools: Iterable[PoolRecord], shop: ShopRecord | None, learnt_by_zones: Iterable[ZoneRecord]
    ) -> None:
        """With what an earlier life had learnt."""
        for learnt in pools:
            home = self.zones.get(learnt.zone)
            pool = home.pool(learnt.pace_s, carried=learnt.carried) if home is not None else None
            if pool is not None:
                pool.restore(learnt)
        for record in learnt_by_zones:
            if record.zone in self.zones:
                self.zones[record.zone].restore(record)
        if shop is not None:
            self._hopes.restore(shop)
            self._hearing.motion.expect(shop.usual_db)

    def learnt(self) -> ShopRecord:
        """What the whole shop has taught, as the ledger keeps it."""
        return self._hopes.record(self._hearing.motion.usual_db)

    def record(self, item: Item, now_us: int, utc_now_us: int, *, place: bool = True) -> ItemRecord:
        """An item as the ledger keeps it, with what speaks for its `place` or without."""
        return record_item(item, utc_now_us - now_us, place=place)
