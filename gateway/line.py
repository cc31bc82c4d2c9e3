"""The line: reads become items, items stock, stock numbered deltas on disk. One task, in step with the clock."""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Mapping

from gateway.alerts import AlertBoard, AlertKind
from gateway.checkpoint import Checkpoint, Learnt
from gateway.domain.agreement import Agreement, Disagreement
from gateway.domain.delta import Step
from gateway.domain.inventory import TICK_US, Inventory
from gateway.domain.items import Item, Transition
from gateway.domain.params import Bin
from gateway.domain.records import ItemRecord
from gateway.domain.recount import Recount
from gateway.domain.shelves import Shelves
from gateway.domain.stock import Stock
from gateway.domain.zones import US_PER_S, Antenna, LiveZone
from gateway.explain import RecentTransitions
from gateway.heap import Heap
from gateway.intake import Intake
from gateway.ledger import Ledger
from gateway.ledger_group import Commit, Numbered
from readers.driver import Clock

log = logging.getLogger(__name__)

# How often the queue is emptied: often enough to stay short, rarely enough to cost nothing when idle.
DRAIN_S = 0.02
# One turn of the loop ingests at most this long, then readers and keepalives get theirs.
TURN_US = 20_000
# A tick that took long (a hundred thousand tags) makes the next one wait in proportion.
TICK_REST = 4
# Items missing for hours are looked for this often.
SEARCH_US = 10 * US_PER_S
# Tags and shelves that count the same row are compared this often.
COMPARE_US = 10 * US_PER_S
# A disk that refused is asked again after this long; the reads wait meanwhile, bounded.
DISK_RETRY_S = 1.0


class Line:
    """Owns the inventory and the stock; nothing else changes them."""

    def __init__(
        self,
        inventory: Inventory,
        stock: Stock,
        ledger: Ledger,
        intake: Intake,
        clock: Clock,
        alerts: AlertBoard,
        *,
        on_deltas: Callable[[list[Numbered]], None],
        on_zone: Callable[[LiveZone], None],
        shelves: Shelves | None = None,
        on_blind: Callable[[str], None] = lambda _: None,
        on_transitions: Callable[[list[Transition], int], None] = lambda _made, _utc_us: None,
    ) -> None:
        self.inventory = inventory
        self.stock = stock
        self.shelves = shelves or Shelves()
        self._agreement = Agreement()
        self._compare_due_us = 0
        self._on_blind = on_blind
        self._on_transitions = on_transitions
        self._ledger = ledger
        self._intake = intake
        self._clock = clock
        self._alerts = alerts
        self._on_deltas = on_deltas
        self._on_zone = on_zone
        self._told = {zone.id: zone.state for zone in inventory.zones.values()}
        self._unlearnt = {zone.id for zone in inventory.zones.values() if zone.learning}
        self.remembered: set[str] = set()
        """Zones of which the ledger keeps what they have learnt."""
        self._checkpoint = Checkpoint(inventory)
        self._tick_due_us = 0
        self._search_due_us = 0
        self._booking = asyncio.Lock()
        self._owed: deque[Commit] = deque()
        self._asked: asyncio.Future[list[Numbered]] | None = None
        self.refused_by_disk = False
        self.ticked_us = 0
        self.heap = Heap(inventory)
        self.recent = RecentTransitions()
        self.transitions: dict[str, int] = {}

    async def run(self, first: list[Transition]) -> None:
        """Run until cancelled; `first` is what taking up the ledger has already changed."""
        self.ticked_us = self._clock.monotonic_us()
        self._checkpoint.begin(self.ticked_us)
        await self._book(first, self.inventory.zones.values())
        while True:
            await self.drain(until_us=self._tick_due_us)
            if self._clock.monotonic_us() >= self._tick_due_us:
                # What was ingested has had its turn of the loop.
                await asyncio.sleep(0)
                await self.tick()
            await asyncio.sleep(DRAIN_S)

    async def drain(self, until_us: int | None = None) -> None:
        """Ingest all that waits; under a flood that never ends, until then."""
        for sample in self._intake.take_samples():
            self.shelves.hear(sample)
        turn_us = self._clock.monotonic_us() + TURN_US
        while (batch := self._intake.take()) is not None:
            self.inventory.ingest(batch)
            now_us = self._clock.monotonic_us()
            if now_us > turn_us:
                if until_us is not None and now_us >= until_us:
                    return
                await asyncio.sleep(0)
                turn_us = self._clock.monotonic_us() + TURN_US

    async def tick(self) -> None:
        """Judge once, and put what changed on disk."""
        now_us = self._clock.monotonic_us()
        self._look(now_us)
        made = self.inventory.tick(now_us)
        self.heap.watch()
        # Only the judging counts: after a disk that was stuck for minutes the next tick comes at once.
        rest_us = TICK_REST * (self._clock.monotonic_us() - now_us)
        self._tick_due_us = now_us + (rest_us if self.inventory.behind else max(TICK_US, rest_us))
        await self._book(made)
        self._tell_zones()
        self._warn_of_missing(now_us)
        self._compare(now_us)
        self.ticked_us = self._clock.monotonic_us()

    async def save(self) -> None:
        """Put on disk all that was learnt: at a clean stop, when nothing more is read."""
        async with self._booking:
            for learnt in self._checkpoint.all():
                await self._commit(self._commit_of(learnt))

    def _commit_of(self, learnt: Learnt) -> Commit:
        utc_us = self._clock.utc_us()
        return Commit(
            utc_us, items=self._records(learnt.items), pools=learnt.pools, zones=learnt.zones, shop=learnt.shop
        )

    def _records(self, items: Mapping[Item, bool]) -> list[ItemRecord]:
        """Those that are True with what speaks for their place."""
        now_us, utc_us = self._clock.monotonic_us(), self._clock.utc_us()
        return [self.inventory.record(item, now_us, utc_us, place=place) for item, place in items.items()]

    def _look(self, now_us: int) -> None:
        """Which bins can be relied upon now."""
        for reader in self.shelves.look(now_us):
            self._on_blind(reader)

    async def configure(
        self, zones: list[LiveZone], zone_of: dict[Antenna, LiveZone], bins: Collection[Bin] = ()
    ) -> None:
        """Other zones, antennas or bins from now on; what that empties goes to disk at once."""
        made = self.inventory.configure(zones, zone_of, self._clock.monotonic_us())
        self.shelves.configure(bins)
        self._unlearnt = {zone.id for zone in zones if zone.learning}
        self._told = {zone.id: zone.state for zone in zones}
        await self._book(made, zones)

    async def recount(self, antenna: Antenna, pieces: Mapping[str, int]) -> Recount:
        """Take a person's word for what lies in a bin; it is on disk when this returns.

        Raises RecountError, and KeyError where there is no such bin.
        """
        now_us = self._clock.monotonic_us()
        made = self.shelves.recount(antenna, pieces, now_us)
        self._look(now_us)
        reader, channel = antenna
        log.info("%s:%s recounted by hand: %s, zero moved by %+.1f g", reader, channel, made.pieces, made.zero_moved_g)
        await self._book([])
        return made

    async def _book(self, transitions: list[Transition], zones: Collection[LiveZone] = ()) -> None:
        """Derive the deltas of what changed and commit them together; one booking at a time, in order.

        `zones` are those that may be of another kind than before.
        """
        async with self._booking:
            await self._book_alone(transitions, zones)

    async def _book_alone(self, transitions: list[Transition], zones: Collection[LiveZone]) -> None:
        now_us, utc_us = self._clock.monotonic_us(), self._clock.utc_us()
        self.recent.add(transitions, utc_us)
        for made in transitions:
            self.transitions[made.cause.value] = self.transitions.get(made.cause.value, 0) + 1
        derived = (
            self.stock.apply(transitions),
            self._shelve(reconfigured=bool(zones)),
            self.stock.reclassify(zones) if zones else None,
        )
        steps = [piece for step in derived if step is not None for piece in step.split()]
        for confirmed in self.stock.confirm(self.inventory.zones.values(), now_us):
            steps.extend(confirmed.split())
        forgotten, self.inventory.forgotten = self.inventory.forgotten, []
        items, pools, taught, shop = self._checkpoint.due(now_us)
        changed = items | dict.fromkeys((made.item for made in transitions), True)
        learnt = [name for name in self._unlearnt if not self.inventory.zones[name].learning]
        dropped_zones = self.remembered.difference(self.inventory.zones)
        self.remembered -= dropped_zones
        self.remembered.update(learnt, (pool.zone for pool in pools), (each.zone for each in taught))
        bins, dropped_bins = self.shelves.take_records(), self.shelves.take_dropped()
        if any((steps, changed, forgotten, learnt, bins, dropped_bins, pools, taught, shop, dropped_zones, self._owed)):
            commit = Commit(
                utc_us,
                steps,
                self._records(changed),
                forgotten,
                learnt,
                bins=bins,
                dropped_bins=dropped_bins,
                pools=pools,
                zones=taught,
                shop=shop,
                dropped_zones=sorted(dropped_zones),
            )
            numbered = await self._commit(commit)
            self._unlearnt.difference_update(learnt)
            if numbered:
                self._on_deltas(numbered)
            if transitions:
                self._on_transitions(transitions, utc_us)

    def _shelve(self, *, reconfigured: bool) -> Step | None:
        """What the shelves count now; after another configuration also what they count no longer."""
        zones = self.inventory.zones
        by_tags = None
        if reconfigured:
            tagged = [zone.id for zone in zones.values() if not zone.antennas <= self.shelves.channels]
            by_tags = self.shelves.by_tags(tagged)
        step = self.stock.shelve(self.shelves.changes(), zones, by_tags, self.shelves.take_recounted())
        for cause, count in (step.causes if step is not None else {}).items():
            self.transitions[cause.value] = self.transitions.get(cause.value, 0) + count
        return step

    async def _commit(self, commit: Commit) -> list[Numbered]:
        """Until the disk takes it: a delta that was derived is a fact and is not given up.

        Nor when cancelled: what is owed then goes to disk before anything that is booked later.
        """
        self._owed.append(commit)
        numbered: list[Numbered] = []
        while self._owed:
            self._asked = self._asked or self._ledger.submit(self._owed[0])
            try:
                numbered += await asyncio.shield(self._asked)
            except sqlite3.Error as error:
                self._asked = None
                self.refused_by_disk = True
                hint = "free space on its disk; the line goes on by itself as soon as it can write"
                self._alerts.raise_(AlertKind.LEDGER_NEAR_LIMIT, "ledger", f"cannot be written: {error}", hint)
                await asyncio.sleep(DISK_RETRY_S)
            else:
                self._asked = None
                self.refused_by_disk = False
                self._owed.popleft()
        self._alerts.clear(AlertKind.LEDGER_NEAR_LIMIT, "ledger")
        return numbered

    def _tell_zones(self) -> None:
        for zone in self.inventory.zones.values():
            if zone.state is not self._told[zone.id]:
                self._told[zone.id] = zone.state
                self._on_zone(zone)

    def _compare(self, now_us: int) -> None:
        """Tell where tags and shelves have said different counts for too long, and where they agree again."""
        if now_us < self._compare_due_us:
            return
        self._compare_due_us = now_us + COMPARE_US
        limits_s = self.shelves.disagree_s()
        raised, cleared = self._agreement.look(now_us, self.stock.both(), self.inventory.zones, limits_s)
        for each in raised:
            self._warn_of_disagreement(each, now_us)
        for gtin, zone in cleared:
            self._alerts.clear(AlertKind.SENSORS_DISAGREE, f"{zone}:{gtin}")

    def _warn_of_disagreement(self, each: Disagreement, now_us: int) -> None:
        gtin, zone = each.key
        minutes = (now_us - each.since_us) / US_PER_S / 60
        text = f"the shelf counts {each.shelved} of GTIN {gtin}, the tags say {each.read}, for {minutes:.0f} min now"
        hint = "count them: untagged or foreign pieces on the shelf, tags that cannot be read, or a wrong unit weight"
        self._alerts.raise_(AlertKind.SENSORS_DISAGREE, f"{zone}:{gtin}", text, hint)

    def _warn_of_missing(self, now_us: int) -> None:
        """An item that has been missing for its zone's limit is worth a look; said once an item."""
        if now_us < self._search_due_us:
            return
        self._search_due_us = now_us + SEARCH_US
        for item in self.inventory.missing:
            zone = item.zone
            if zone is None or now_us - item.changed_us < zone.params.presence.missing_alert_s * US_PER_S:
                continue
            if not item.alerted:
                item.alerted = True
                hours = (now_us - item.changed_us) / US_PER_S / 3600
                self._alerts.once(
                    AlertKind.ITEM_MISSING_LONG,
                    zone.id,
                    f"an item of GTIN {item.identity.gtin} has been missing for {hours:.0f} h",
                    "count this GTIN in the zone, or look for a blocked or detached tag",
                )
