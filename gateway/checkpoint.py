"""What was learnt, for the ledger: once a minute what is worth a write to an SD card; at a clean stop all of it.

To lose what is newer costs patience and some moves that are none, not stock.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, TypeVar
from zlib import crc32

from gateway.domain.inventory import Inventory
from gateway.domain.items import Item
from gateway.domain.presence import COUNTED
from gateway.domain.records import PoolRecord, ShopRecord, ZoneRecord
from gateway.domain.zones import US_PER_S, LiveZone

# What was learnt goes to disk once a minute, the items a slice a tick.
CHECKPOINT_US = 60 * US_PER_S
CHECKPOINT_ITEMS_PER_TICK = 1_000
# At the end nobody waits for a tick, and each slice waits for the disk.
LAST_ITEMS_AT_ONCE = 5_000
# ... and only what has changed by this share, or has been silent for this long.
CHECKPOINT_SHARE = 0.1
CHECKPOINT_SILENCE_S = 30.0
# What speaks for the place of an item changes with every read, and little in all: it is written once in so many
# minutes, for each product in another one, as rows of one product lie together in the file; and of who moved since
# then, whenever there is news of it.
PLACE_MINUTES = 10
PLACE_US = PLACE_MINUTES * CHECKPOINT_US


Learning = TypeVar("Learning", PoolRecord, ZoneRecord)


class Learnt(NamedTuple):
    """What is to be written now. `items` that are True with what speaks for their place."""

    items: dict[Item, bool]
    pools: list[PoolRecord]
    zones: list[ZoneRecord]
    shop: ShopRecord | None


class Checkpoint:
    """What of an inventory the ledger has, and what is due. Moments are monotonic microseconds."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._items: Iterator[Item] = iter(())
        self._begun_us = 0
        self._number = 0
        self._saved_shop: ShopRecord | None = None

    def begin(self, now_us: int) -> None:
        """The next one is due a minute from now."""
        self._begun_us = now_us

    def due(self, now_us: int) -> Learnt:
        """The next few items, and now and then what zones and the shop have taught, where that is news."""
        found = Learnt({}, [], [], None)
        if now_us - self._begun_us >= CHECKPOINT_US:
            self._begun_us = now_us
            self._number += 1
            found = self._learnt(CHECKPOINT_SHARE)
            self._items = self._counted()
        items: dict[Item, bool] = {}
        for item in self._next(CHECKPOINT_ITEMS_PER_TICK):
            heard = now_us - item.seen_us < PLACE_US
            if heard and (crc32(item.identity.gtin.encode()) + self._number) % PLACE_MINUTES == 0:
                items[item] = True
            elif _has_news(item):
                items[item] = now_us - item.location.since_us < PLACE_US
        return found._replace(items=_saved(items))

    def all(self) -> Iterator[Learnt]:
        """Everything, in slices."""
        yield self._learnt(0.0)
        self._items = self._counted()
        while items := self._next(LAST_ITEMS_AT_ONCE):
            yield Learnt(_saved(dict.fromkeys(items, True)), [], [], None)

    def _counted(self) -> Iterator[Item]:
        return iter([item for item in self._inventory if item.presence in COUNTED])

    def _next(self, most: int) -> list[Item]:
        """The next slice; who does not count any more since it was begun has been written with that."""
        return [item for item in islice(self._items, most) if item.presence in COUNTED]

    def _learnt(self, share: float) -> Learnt:
        """What has changed by more than this share."""
        zones = self._inventory.zones.values()
        pools = [record for zone in zones for record in _pools(zone, share)]
        return Learnt({}, pools, [record for zone in zones for record in _taught(zone, share)], self._shop(share))

    def _shop(self, share: float) -> ShopRecord | None:
        shop = self._inventory.learnt()
        if self._saved_shop is not None and not shop.differs(self._saved_shop, share):
            return None
        self._saved_shop = shop
        return shop


def _saved(items: dict[Item, bool]) -> dict[Item, bool]:
    """These go to disk now."""
    for item in items:
        item.saved_chance, item.saved_longest_s = item.read_chance, item.longest_s
    return items


def _has_news(item: Item) -> bool:
    """Whether an item has learnt, or been silent for, what is worth a write."""
    if item.zone is None:
        return False
    learnt = abs(item.read_chance - item.saved_chance) > CHECKPOINT_SHARE * item.saved_chance
    learnt = learnt or abs(item.longest_s - item.saved_longest_s) > CHECKPOINT_SHARE * item.saved_longest_s
    return learnt or item.zone.clock_s - item.seen_clock_s > CHECKPOINT_SILENCE_S


def _pools(zone: LiveZone, share: float) -> Iterator[PoolRecord]:
    """The pools of a zone that have learnt so much since they were written."""
    for pool in zone.silences:
        record = pool.record(zone.id)
        if _is_worth(record, pool.saved, share):
            pool.saved = record
            yield record


def _taught(zone: LiveZone, share: float) -> Iterator[ZoneRecord]:
    """What the zone's items have taught, if it is so much more than was written."""
    record = zone.record()
    if _is_worth(record, zone.saved, share):
        zone.saved = record
        yield record


def _is_worth(record: Learning, saved: Learning | None, share: float) -> bool:
    """Whether it differs by so much from what the ledger has, or is the first there is."""
    return not record.blank if saved is None else record.differs(saved, share)
