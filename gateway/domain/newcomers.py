"""Whether a tag that was read once will be read again: a new item, or a ghost.

A ghost (noise with a valid CRC) appears once and never again; an item that hangs badly may take minutes until its
second read, rarely half an hour. Which of them single reads are differs: in the first minutes nearly all are items, in
a settled shop hardly any. So it is learnt from what became of the last ones, by how long they had waited. That decides
whether one counts at once. To withdraw one is another matter: that may be a departure that never happened. So it
is given hours (`withdrawn_after_s`), or a quarter of one where the last that waited for so long waited in vain.
"""

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from gateway.domain.items import FORGOTTEN, Item
from gateway.domain.presence import Presence
from gateway.domain.records import ShopRecord
from gateway.domain.zones import US_PER_S, LiveZone

# A tag that waits for its second read is looked at after so many seconds; after the last it is forgotten.
WAITS_S = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 3600.0)
# What was learnt halves in this time: a delivery is over then ...
HALF_LIFE_S = 1_800.0
# ... and sooner after a start, when newcomers grow rarer by the minute: in this share of the time since then, ...
AGE_SHARE = 0.25
# ... but not in less than this.
SHORTEST_HALF_LIFE_S = 60.0
# Before anything is learnt: the share read again within each wait, as sure as so many examples make it. A shop that
# knows no item yet has many to meet; the belief in that fades with the same half-life.
SETTLED_SHARE = 0.03
FIRST_DAY_SHARE = 0.4
FIRST_EXAMPLES = 1.0
# One that counts by its first read is a ghost after all when a second one has become less likely than this ...
HOPELESS_CHANCE = 0.05
# ... after so long: bodies and trolleys stand before a shelf for minutes.
HOPELESS_LEAST_S = 1_000.0
# As long as nobody has waited so long: it may come or not.
DOUBTFUL_SHARE = 0.5
# Tags that were seen once are remembered until their timeout; a hostile transmitter must not fill the memory.
MAX_GLIMPSED_ITEMS = 200_000
# A pallet that only passed by is looked at piece by piece: the rest waits for the next tick.
MOST_LOOKS_PER_TICK = 2_000


def _half_lives(age_s: float) -> float:
    """How many half-lives have passed since the start."""
    young_s, old_s = SHORTEST_HALF_LIFE_S / AGE_SHARE, HALF_LIFE_S / AGE_SHARE
    passed = min(age_s, young_s) / SHORTEST_HALF_LIFE_S
    if age_s > young_s:
        passed += math.log(min(age_s, old_s) / young_s) / AGE_SHARE
    return passed + max(0.0, age_s - old_s) / HALF_LIFE_S


class Hopes:
    """What became of tags that had been read once. Moments are monotonic microseconds."""

    __slots__ = ("_age_s", "_came", "_forgot_us", "_hope", "_passed")

    def __init__(self) -> None:
        self._came = [0.0] * len(WAITS_S)
        self._passed = [0.0] * len(WAITS_S)
        self._hope = FIRST_DAY_SHARE
        self._age_s = 0.0
        self._forgot_us: int | None = None

    def settle(self) -> None:
        """The shop's items are known: what is new now is rather a ghost than on a first day."""
        self._hope = 0.0
        self._age_s = HALF_LIFE_S / AGE_SHARE

    def record(self, usual_db: float) -> ShopRecord:
        """As the ledger keeps it, beside what else the shop has taught."""
        return ShopRecord(usual_db, self._age_s, self._hope, tuple(self._came), tuple(self._passed))

    def restore(self, record: ShopRecord) -> None:
        """Go on with what an earlier life had learnt, where it counted by the same waits."""
        if len(record.came) == len(record.passed) == len(WAITS_S):
            self._came, self._passed = list(record.came), list(record.passed)
            self._age_s, self._hope = record.age_s, record.hope
        else:
            self.settle()

    def begin(self, now_us: int) -> None:
        """The first tag is there: from now on newcomers grow rarer."""
        if self._forgot_us is None:
            self._forgot_us = now_us

    def came(self, waited_s: float) -> None:
        """One was read again."""
        self._came[min(bisect_right(WAITS_S, waited_s), len(WAITS_S) - 1)] += 1.0

    def passed(self, wait: int) -> None:
        """One was not, for the whole of WAITS_S[wait]."""
        self._passed[wait] += 1.0

    def chance(self, wait: int) -> float:
        """That one will be read again which has waited for WAITS_S[wait - 1] (0: has just been read)."""
        never = 1.0
        for came, passed in zip(self._came[wait:], self._passed[wait:], strict=True):
            first = FIRST_EXAMPLES * (SETTLED_SHARE + self._hope)
            never *= 1.0 - (came + first) / (came + passed + FIRST_EXAMPLES)
        return 1.0 - never

    def hopeless_s(self) -> float:
        """After how long without a second read one that counts is taken for a ghost; infinite where none is yet.

        Few wait for so long, so a wait of which little is known is taken to be like the one before it.
        """
        share = DOUBTFUL_SHARE
        shares = []
        for came, passed in zip(self._came, self._passed, strict=True):
            share = (came + share * FIRST_EXAMPLES) / (came + passed + FIRST_EXAMPLES)
            shares.append(share)
        found_s, never = math.inf, 1.0 - share
        for waited_s, share in zip(reversed(WAITS_S), reversed(shares), strict=True):
            if waited_s < HOPELESS_LEAST_S or 1.0 - never >= HOPELESS_CHANCE:
                break
            found_s = waited_s
            never *= 1.0 - share
        return found_s

    def age(self, now_us: int) -> None:
        """Let what was learnt fade."""
        if self._forgot_us is None or now_us <= self._forgot_us:
            return
        before = _half_lives(self._age_s)
        self._age_s += (now_us - self._forgot_us) / US_PER_S
        kept = math.exp2(before - _half_lives(self._age_s))
        self._came = [came * kept for came in self._came]
        self._passed = [passed * kept for passed in self._passed]
        self._hope *= kept
        self._forgot_us = now_us


class Newcomers:
    """Those that wait for their second read. Moments are monotonic microseconds."""

    __slots__ = ("_hopes", "_remembered_us", "_tickets", "_waiting", "behind", "due_us")

    def __init__(self, zones: Iterable[LiveZone], hopes: Hopes) -> None:
        self.behind = False
        """More was due than the last tick could look at."""
        self._hopes = hopes
        # (when to look again, ticket, which of WAITS_S is over then, item)
        self._waiting: list[tuple[int, int, int, Item]] = []
        self.due_us: float = math.inf
        """When the first of them is to be looked at; infinite where there is nobody."""
        self._tickets = 0
        self.configure(zones)

    def configure(self, zones: Iterable[LiveZone]) -> None:
        """How long a tag is remembered that does not count yet."""
        timeouts_s = (zone.params.presence.glimpsed_timeout_s for zone in zones)
        self._remembered_us = int(max(timeouts_s, default=0.0) * US_PER_S)

    def add(self, item: Item, wait: int = 0) -> None:
        """Look at a newcomer again when it has waited for its second read for so long."""
        self._hopes.begin(item.first_us)
        self._push(item.first_us + min(int(WAITS_S[wait] * US_PER_S), self._remembered_us), wait, item)

    def _push(self, due_us: int, wait: int, item: Item) -> None:
        self._tickets += 1
        heapq.heappush(self._waiting, (due_us, self._tickets, wait, item))
        self._plan()

    def _plan(self) -> None:
        waiting = self._waiting
        if len(waiting) > MAX_GLIMPSED_ITEMS:
            self.due_us = 0.0
        else:
            self.due_us = waiting[0][0] if waiting else math.inf

    def ring(self, now_us: int) -> Iterator[Item]:
        """Those that do not count and were not read again in all the time that they are remembered.

        Where too many wait, the oldest have waited long enough.
        """
        self.behind = False
        waiting, looks = self._waiting, 0
        while waiting and (waiting[0][0] <= now_us or len(waiting) > MAX_GLIMPSED_ITEMS):
            looks += 1
            if looks > MOST_LOOKS_PER_TICK:
                self.behind = True
                return
            due_us, _, wait, item = heapq.heappop(waiting)
            self._plan()
            if not item.unproven or item.presence is Presence.DEPARTED or item.ticket == FORGOTTEN:
                continue
            again_us = item.seen_us + self._remembered_us
            if item.seen_us > item.first_us and now_us < again_us and len(waiting) <= MAX_GLIMPSED_ITEMS:
                # Read again, and still not often or long enough: its time begins anew.
                self._push(again_us, len(WAITS_S) - 1, item)
                continue
            self._hopes.passed(wait)
            if wait + 1 < len(WAITS_S) and due_us < item.first_us + self._remembered_us and due_us <= now_us:
                self.add(item, wait + 1)
            elif item.presence is Presence.GLIMPSED:
                yield item
