"""What leaves a zone in the same seconds goes together: a trolley with a few pieces of many products, or a box.

The moment in which a zone heard an item last is known to within seconds once its own reads have shown that it went.
Where several went the same way at one such moment, something with wheels did: whatever else of their products the new
zone has heard since, and the old one has not, was on it. So few pieces are enough, be there ever so many others of
their products in the old zone.
"""

import math
from collections.abc import Iterator, Mapping

from gateway.domain.evidence import Evidence
from gateway.domain.items import Item
from gateway.domain.zones import US_PER_S, LiveZone

# Those of one load were heard last within so much time of its mean, give or take.
TOGETHER_US = 5 * US_PER_S
# So many at one moment are no chance.
LEAST_LOAD = 3
# One that seems to have gone by so many nats of its own reads counts for this share of one whose reads say so outright.
SEEMS_NATS = 3.0
SEEMS_SHARE = 1 / 4
# For so long others may turn out to have been on it ...
KNOWN_US = 600 * US_PER_S
# ... unless their own reads speak against it (nats).
LEAST_NATS = 0.0


class Load:
    """Items of some `products` and how surely each was on it (0 to 1): `size` in all; when their zone heard them last,
    in the mean.
    """

    __slots__ = ("_shares", "left_us", "products", "size")

    def __init__(self, left_us: int) -> None:
        self._shares: dict[Item, float] = {}
        self.left_us = left_us
        self.products: dict[str, None] = {}
        self.size = 0.0

    def add(self, item: Item, left_us: int, share: float) -> bool:
        """One that was on it as surely as that; whether that is more than was known."""
        more = share - self._shares.get(item, 0.0)
        if more <= 0.0:
            return False
        self._shares[item] = share
        self.size += more
        self.left_us += int((left_us - self.left_us) * more / self.size)
        self.products[item.identity.gtin] = None
        return True

    @property
    def is_load(self) -> bool:
        """There are enough for that they left at one moment to be no chance."""
        return self.size >= LEAST_LOAD


class Loads:
    """The loads of late, by the zones that they left and went to. Moments are monotonic microseconds."""

    __slots__ = ("_loads", "grown")

    def __init__(self) -> None:
        self._loads: dict[tuple[LiveZone, LiveZone], list[Load]] = {}
        self.grown: dict[Load, tuple[LiveZone, LiveZone]] = {}
        """Loads of which more is known than when the others of their products were looked through last."""

    def went(self, item: Item, left: LiveZone, entered: LiveZone, now_us: int, share: float = 1.0) -> None:
        """The item's own reads say that it went, as surely as that; it still counts where it was."""
        evidence = item.location.of(left)
        left_us = evidence.heard_us
        # All that an antenna heard falls silent when it fails.
        if now_us - left_us > KNOWN_US or not left.healthy or evidence.heard_s <= left.clock.resumed_s:
            return
        loads = [load for load in self._loads.get((left, entered), ()) if now_us - load.left_us <= KNOWN_US]
        load = next((load for load in loads if abs(load.left_us - left_us) <= TOGETHER_US), None)
        if load is None:
            load = Load(left_us)
            loads.append(load)
        more = load.add(item, left_us, share)
        self._loads[left, entered] = loads
        if more and load.is_load:
            self.grown[load] = (left, entered)

    def hold(self, item: Item, left: LiveZone, entered: LiveZone, nats: float, now_us: int) -> bool:
        """Whether an item that counts in `left` was on one of them; its reads say so by so many `nats`."""
        loads = self._loads.get((left, entered))
        if not loads or nats < LEAST_NATS or not left.healthy:
            return False
        return any(
            load.is_load and item.identity.gtin in load.products and _was_on(item, load, left, entered, now_us)
            for load in loads
        )

    def forget(self, now_us: int) -> None:
        """Those that are too long ago to tell anything."""
        for way, loads in list(self._loads.items()):
            loads[:] = [load for load in loads if now_us - load.left_us <= KNOWN_US]
            if not loads:
                del self._loads[way]

    @property
    def due_us(self) -> float:
        """When they are to be looked at next: at once, or when the first of them tells nothing any more."""
        if self.grown:
            return 0.0
        moments = (load.left_us for loads in self._loads.values() for load in loads)
        return min(moments, default=math.inf) + KNOWN_US

    def products(self) -> Iterator[str]:
        """The GTINs of all that is on them."""
        for loads in self._loads.values():
            for load in loads:
                if load.is_load:
                    yield from load.products

    def configure(self, zones: Mapping[str, LiveZone]) -> None:
        """Only these zones exist from now on."""
        for left, entered in list(self._loads):
            if zones.get(left.id) is not left or zones.get(entered.id) is not entered:
                del self._loads[left, entered]
        self.grown = {load: way for load, way in self.grown.items() if way in self._loads}


def seems_gone(rival: Evidence) -> bool:
    """Whether an item's own reads nearly say that it went to another zone."""
    return rival.says(SEEMS_NATS)


def _was_on(item: Item, load: Load, left: LiveZone, entered: LiveZone, now_us: int) -> bool:
    """Whether only the new zone has heard it since the load left."""
    there = item.location.of(entered)
    return (
        now_us - load.left_us <= KNOWN_US
        and there.heard_s > entered.clock.resumed_s
        and item.location.of(left).heard_us <= load.left_us + TOGETHER_US
        and there.heard_us >= load.left_us - TOGETHER_US
    )
