"""Where the pieces of a product lie, and what that says of one that two zones hear.

Pieces of a product lie together: that is what shelves and boxes are for. Where a zone hears an item now and then and
holds many of its product, while the zone that it counts in holds hardly any other, it rather lies with the others, even
if it is heard less there: a tag that hangs badly is heard better from next door for as long as it hangs. How much
products keep together is learnt in the shop itself; where they do not, nothing follows.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from gateway.domain.evidence import Evidence
from gateway.domain.items import Item
from gateway.domain.location import Location
from gateway.domain.zones import US_PER_S, LiveZone

# So much likelier, in nats, must the other zone be by where the others of the product are ...
LEAST_NATS = 0.7
# ... and still be likelier with what the zones hear, of whose log ratio so much counts: standing waves, metal and the
# turn of a tag alone make tens of decibels.
WORTH_OF_READS = 0.35
# Where its own reads have brought an item to its zone they count in full, and the product says so much at most: pieces
# do get carried away from the others.
MOST_NATS = 2.3
# An item that was itself moved so lately has told where it is.
SETTLED_US = 120 * US_PER_S
# The zone that it left has always heard it, and takes it back when it hears so many times more.
TAKEN_BACK = 10.0
# So many pairs of pieces that keep together no more than by chance are thought of beside those that were seen.
FEW_PAIRS = 1000.0


class Homes:
    """Which pieces of which product count where, and how much products keep together."""

    __slots__ = ("_alike", "_all", "_apart", "_pairs", "_there")

    def __init__(self) -> None:
        # In the order in which they came: what follows from it must be the same in every run.
        self._there: dict[tuple[str, str], dict[Item, None]] = {}
        self._all: Counter[str] = Counter()
        # Ordered pairs of pieces of one product, and those of them that are in one zone.
        self._pairs = 0
        self._alike = 0
        self._apart: float | None = None

    def of(self, gtin: str, zone: LiveZone) -> Mapping[Item, None]:
        """Those of a product that count in a zone."""
        return self._there.get((gtin, zone.id), {})

    def settle(self, item: Item, left: LiveZone | None, entered: LiveZone | None) -> None:
        """The item has left a zone for another one; None: it is in none."""
        gtin = item.identity.gtin
        if left is not None and (there := self._there.get((gtin, left.id))) is not None and item in there:
            del there[item]
            self._count(gtin, left, len(there), -1)
            if not there:
                del self._there[gtin, left.id]
        if entered is not None:
            there = self._there.setdefault((gtin, entered.id), {})
            self._count(gtin, entered, len(there), 1)
            there[item] = None

    def calls(self, item: Item, zone: LiveZone, now_us: int) -> LiveZone | None:
        """The zone that an item which was just read, and counts in `zone`, rather lies in, if any."""
        own = item.location.own
        for rival in item.location.evidence:
            # Only what was heard since its own zone heard it last: no look at the others of its product without need.
            if rival.looks and rival is not own and self._lies_in(item, zone, rival, now_us):
                return rival.zone
        return None

    def _lies_in(self, item: Item, zone: LiveZone, rival: Evidence, now_us: int) -> bool:
        location = item.location
        if now_us - location.since_us < SETTLED_US or rival.zone is location.followed_from:
            return False
        if not (zone.clock.running and rival.zone.clock.running):
            return False
        if not go_together(zone, rival.zone):
            return False
        nats = self._nats(item.identity.gtin, zone, rival.zone)
        return nats >= LEAST_NATS and _with_reads(nats, location, rival) >= 0.0

    @property
    def apart(self) -> float:
        """So many pieces in each zone say no more than how products keep together anyway; infinite: they do not.

        The parameter of a Dirichlet-multinomial, from the intraclass correlation of pieces of one product.
        """
        if self._apart is None:
            counted = sum(self._all.values())
            chance = sum(count * count for count in self._all.values()) / max(1, counted * counted)
            alike = self._alike - chance * self._pairs
            together = alike / ((1.0 - chance) * (self._pairs + FEW_PAIRS)) if alike > 0.0 and chance < 1.0 else 0.0
            self._apart = 1.0 / together - 1.0 if together > 0.0 else math.inf
        return self._apart

    def _nats(self, gtin: str, zone: LiveZone, rival: LiveZone) -> float:
        """How much likelier one that counts in `zone` is with those of its product in `rival` than with those here."""
        here, there = len(self.of(gtin, zone)) - 1, len(self.of(gtin, rival))
        if there <= here or self.apart == math.inf:
            return 0.0
        return math.log((there + self.apart) / (here + self.apart))

    def _count(self, gtin: str, zone: LiveZone, others: int, change: int) -> None:
        """One piece more or less in a zone, beside so many others of its product."""
        elsewhere = sum(len(self._there.get((gtin, each), ())) for each in self._all if each != zone.id)
        self._all[zone.id] += change
        self._alike += 2 * change * others
        self._pairs += 2 * change * (others + elsewhere)
        self._apart = None


def count_sure(zones: Iterable[LiveZone], items: Iterable[Item]) -> None:
    """Tell each zone how many items surely lie in it."""
    sure = Counter(item.zone for item in items if item.zone is not None and item.location.is_sure)
    for zone in zones:
        zone.hold(sure[zone])


def go_together(left: LiveZone, entered: LiveZone) -> bool:
    """Whether boxes go from one to the other: through doors, past tills and into fitting rooms everybody goes alone."""
    return bool(left.params.presence.move_nats and entered.params.presence.move_nats)


def _with_reads(nats: float, location: Location, rival: Evidence) -> float:
    """What the product says, and beside it how much more the rival hears, and holds, than its own zone does."""
    own = location.own
    reads_nats = 0.0
    if own is not None and own.slow and rival.slow:
        reads_nats = math.log(rival.slow) - math.log(own.slow) + math.log(rival.zone.odds(own.zone))
    if location.told:
        return min(nats, MOST_NATS) + reads_nats
    return nats + WORTH_OF_READS * reads_nats
