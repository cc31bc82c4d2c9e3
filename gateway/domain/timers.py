"""Silence, item by item: whose has lasted too long, and what is learnt when it ends after all.

Every item that counts has one living entry in the timer of its zone. All of it goes by the zone's own clock.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping

from gateway.domain.items import Item
from gateway.domain.presence import COUNTED, Presence
from gateway.domain.silence import FarTail, Silences, leave_soon
from gateway.domain.zones import US_PER_S, LiveZone

# A missing item is looked at again after so long, or after this share of its silence.
LOOK_AGAIN_S = 2.0
LOOK_AGAIN_SHARE = 0.1
# A shelf that is carried away whole is silent at once: the rest of its items waits for the next tick.
MOST_LOOKS_PER_TICK = 2_000

Entry = tuple[float, int, Item]
"""(due on the zone's clock in seconds, ticket, item)"""


class Timers:
    """When the silence of each item is to be looked at; an entry whose ticket is not its item's is void."""

    __slots__ = ("_tickets", "_timers", "behind")

    def __init__(self, zones: Iterable[LiveZone]) -> None:
        self.behind = False
        """More was due than the last tick could look at."""
        self._timers: dict[str, list[Entry]] = {zone.id: [] for zone in zones}
        self._tickets = 0

    def configure(self, zones: Iterable[LiveZone], items: Iterable[Item]) -> None:
        """Other zones or other bounds from now on."""
        self.behind = False
        self._timers = {}
        for zone in zones:
            self._timers[zone.id] = []
            zone.due_s = math.inf
        for item in items:
            self.arm(item)

    def arm(self, item: Item) -> None:
        """Give an item that counts its one entry in its zone's timer; whatever it had before is void."""
        zone = item.zone
        if zone is not None and item.presence in COUNTED:
            self._set(item, zone, item.seen_clock_s + _patience_s(item, zone))
        else:
            self._tickets += 1
            item.ticket = self._tickets

    def _set(self, item: Item, zone: LiveZone, due_s: float) -> None:
        """It is to be looked at when the silence of this item has lasted until then, or sooner."""
        self._tickets += 1
        item.ticket = self._tickets
        if item.presence is Presence.MISSING or zone.params.presence.leaves_silent:
            # What silence means may change meanwhile: it is looked at again before it has grown much.
            silence_s = zone.clock_s - item.seen_clock_s
            due_s = min(due_s, zone.clock_s + max(LOOK_AGAIN_S, silence_s * LOOK_AGAIN_SHARE))
        heapq.heappush(self._timers[zone.id], (due_s, item.ticket, item))
        zone.due_s = min(zone.due_s, due_s)

    def ring(self, zones: Iterable[LiveZone]) -> Iterator[tuple[LiveZone, Item]]:
        """The items whose silence has become too long for what they are; each must be settled before the next."""
        self.behind = False
        looks = 0
        for zone in zones:
            timers = self._timers[zone.id]
            while zone.due_s <= zone.clock_s:
                looks += 1
                if looks > MOST_LOOKS_PER_TICK:
                    self.behind = True
                    return
                _, ticket, item = heapq.heappop(timers)
                zone.due_s = timers[0][0] if timers else math.inf
                if ticket != item.ticket:
                    continue
                # The same sum as in `arm`: a difference could round to the other side and ring for ever.
                due_s = item.seen_clock_s + _patience_s(item, zone)
                if due_s > zone.clock_s:
                    self._set(item, zone, due_s)
                else:
                    yield zone, item


def _patience_s(item: Item, zone: LiveZone) -> float:
    """The silence that changes this item's state next."""
    if item.presence is Presence.PRESENT and not zone.params.presence.leaves_silent:
        return item.missing_after_s(zone.params.presence)
    return item.departed_after_s(zone)


def give_up(item: Item, zone: LiveZone) -> None:
    """It leaves by silence alone; should it come back, its zone learns from that."""
    silence_s = zone.clock_s - item.seen_clock_s
    item.longest_s = max(item.longest_s, silence_s - item.unexplained_s)
    item.lost_from = item.pool
    if item.pool is not None:
        item.pool.lost(1)


def take_back(item: Item, now_us: int) -> None:
    """It was given up by silence alone, and has been there all the time."""
    if item.lost_from is not None:
        item.longest_s += (now_us - item.changed_us) / US_PER_S
        item.lost_from.lost(-1)
        item.lost_from.ended(item.longest_s)
        item.lost_from = None


def reckon(zones: Mapping[str, LiveZone], missing: Iterable[Item], since_s: float) -> None:
    """What silence means in each zone as of `since_s` ago; `missing` are the items whose silence goes on."""
    clocks_s = {zone.id: zone.clock_s - (since_s if zone.clock.running else 0.0) for zone in zones.values()}
    waiting: dict[Silences, list[float]] = {}
    for item in missing:
        if item.zone is not None and item.pool is not None:
            silence_s = clocks_s[item.zone.id] - item.seen_clock_s - item.zone.clock.blind_s(item.seen_clock_s)
            waiting.setdefault(item.pool, []).append(max(0.0, silence_s - item.unexplained_s))
    for zone in zones.values():
        elapsed_s = max(0.0, clocks_s[zone.id] - zone.reckoned_s)
        zone.reckoned_s += elapsed_s
        zone.reckon(elapsed_s)
        soon = leave_soon(zone.silences)
        # Whoever takes things does not ask how often they are read; those that are being carried are another matter.
        resting = [pool for pool in zone.silences if not pool.carried]
        far = FarTail(resting, elapsed_s)
        for pool in zone.silences:
            rule, waiting_s = zone.params.presence, waiting.get(pool, ())
            if pool.carried:
                pool.reckon(rule, elapsed_s, waiting_s, soon)
            else:
                pool.reckon(rule, elapsed_s, waiting_s, soon, (other for other in resting if other is not pool), far)
