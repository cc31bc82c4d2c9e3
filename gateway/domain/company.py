"""What came together goes together: items of one product that are carried from zone to zone at once.

A box of the same product is wheeled to the back room. Of most of its items the reads say so; others hang where the old
zone's antennas hear them better still, or are read once in minutes. That the others went is evidence for these, too.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from gateway.domain.items import Item
from gateway.domain.presence import COUNTED, Presence
from gateway.domain.zones import US_PER_S, LiveZone

# A move speaks for the others by as much less as it is longer ago (e-fold time).
FADES_S = 60.0
# So many must have gone, and such a share of those that are still there: one that is carried off alone has no company.
LEAST_MOVES = 2.0
LEAST_SHARE = 0.1
# Whoever is still heard must be heard by the new zone, too: by this share of what the old one has.
LEAST_HEARD = 0.02
# ... and its reads must not speak so much (nats) for its still lying where it did.
LEAST_NATS = -2.0
# An item that was itself moved so lately has told where it is.
SETTLED_US = 120 * US_PER_S
# How often those that are silent are looked through.
LOOK_US = 2 * US_PER_S
# So many follow in one look at most: the rest can wait for the next.
MOST_AT_ONCE = 200
# Fewer than this is nobody.
FORGOTTEN_MOVES = 0.2


class Way(NamedTuple):
    """Of one product, from zone to zone."""

    gtin: str
    left: LiveZone
    entered: LiveZone


class Company:
    """Who went where of late, and who is left."""

    __slots__ = ("_gone", "_there", "due_us", "products")

    def __init__(self) -> None:
        # In the order in which they came: what follows from it must be the same in every run.
        self._there: dict[tuple[str, str], dict[Item, None]] = {}
        self._gone: dict[Way, tuple[float, int]] = {}
        self.due_us: float = math.inf
        """When those that are silent are looked through next; infinite where nobody went of late."""
        self.products: set[str] = set()
        """The GTINs of those that went of late."""

    def settle(self, item: Item, left: LiveZone | None, entered: LiveZone | None) -> None:
        """The item has left a zone for another one; None: it is in none."""
        gtin = item.identity.gtin
        if left is not None and (there := self._there.get((gtin, left.id))) is not None:
            there.pop(item, None)
            if not there:
                del self._there[gtin, left.id]
        if entered is not None:
            self._there.setdefault((gtin, entered.id), {})[item] = None

    def went(self, item: Item, left: LiveZone, entered: LiveZone, now_us: int) -> None:
        """The item's own reads say that it went."""
        if left.params.presence.leaves_silent or entered.params.presence.leaves_silent:
            return  # through doors and past tills everybody goes alone
        if not self._gone:
            self.due_us = _next_look_us(now_us)
        way = Way(item.identity.gtin, left, entered)
        self._gone[way] = self._moves(way, now_us) + 1.0, now_us
        self.products.add(way.gtin)

    def calls(self, item: Item, zone: LiveZone, now_us: int) -> LiveZone | None:
        """The zone that an item which was just read in `zone` has followed others to, if any."""
        location, own = item.location, item.location.own
        if own is None or now_us - location.since_us < SETTLED_US:
            return None
        for rival in location.evidence:
            if rival is own or rival.fast <= LEAST_HEARD * own.fast or rival.news + rival.absence < LEAST_NATS:
                continue
            way = Way(item.identity.gtin, zone, rival.zone)
            if way in self._gone and self._is_company(way, self._moves(way, now_us)):
                return rival.zone
        return None

    def followers(self, now_us: int) -> Iterator[tuple[Item, LiveZone]]:
        """Items that fell silent where others left, and the zone that these went to; each is to be settled there."""
        if now_us < self.due_us:
            return
        self.due_us = _next_look_us(now_us)
        yield from islice(self._silent(now_us), MOST_AT_ONCE)
        self._forgot()

    def _silent(self, now_us: int) -> Iterator[tuple[Item, LiveZone]]:
        for way in list(self._gone):
            moves = self._moves(way, now_us)
            if moves < FORGOTTEN_MOVES:
                del self._gone[way]
            elif way.left.clock.running and self._is_company(way, moves):
                for item in list(self._there.get((way.gtin, way.left.id), ())):
                    if _is_silent(item, way.left, now_us):
                        yield item, way.entered

    def configure(self, zones: Mapping[str, LiveZone]) -> None:
        """Only these zones exist from now on."""
        for way in list(self._gone):
            if zones.get(way.left.id) is not way.left or zones.get(way.entered.id) is not way.entered:
                del self._gone[way]
        self._forgot()

    def _forgot(self) -> None:
        self.products = {way.gtin for way in self._gone}
        if not self._gone:
            self.due_us = math.inf

    def _moves(self, way: Way, now_us: int) -> float:
        moves, at_us = self._gone.get(way, (0.0, now_us))
        return moves * math.exp(-(now_us - at_us) / (FADES_S * US_PER_S))

    def _is_company(self, way: Way, moves: float) -> bool:
        return moves >= LEAST_MOVES and moves >= LEAST_SHARE * len(self._there.get((way.gtin, way.left.id), ()))


def _next_look_us(now_us: int) -> int:
    """At fixed moments, so that ticks which are left out because nothing happens change nothing."""
    return (now_us // LOOK_US + 1) * LOOK_US


def _is_silent(item: Item, zone: LiveZone, now_us: int) -> bool:
    """Whether an item that has long been in `zone` is not read any more, for longer than chance explains."""
    if item.presence not in COUNTED or item.unproven:
        return False
    if item.presence is Presence.PRESENT and now_us - item.changed_us < SETTLED_US:
        return False
    return zone.clock_s - item.seen_clock_s >= item.unexplained_s
