"""How well shelves were counted: their word at quiet moments, how late it came, and the stock at the end.

A bin is looked at when no hand has been on it for `QUIET_S`: just before the next one comes, and at the end. Its word
is believed where it confirms its count and says nothing against itself (`blind`). Truth is what lies in the bin of its
own products; the stock at the end is compared with all pieces of a product on the gondola, wherever they lie.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np

from gateway.domain.inventory import TICK_US
from gateway.domain.shelves import Shelves
from gateway.domain.stock import StockRow
from gateway.domain.zones import US_PER_S, Antenna
from simulators.shelf import quiet_moments
from simulators.shop.board import Weighing
from simulators.shop.day import GondolaDay, Visit
from simulators.shop.gondola_plan import BinPlan

# A hand whose change is timed has been alone for so long before and after.
ALONE_S = 3.0
WHOLE = "all bins"


class Word(NamedTuple):
    """From `said_us` on a bin says so many pieces of each of its products; none at all: it cannot count."""

    said_us: int
    bin: Antenna
    pieces: tuple[int, ...]
    believed: bool


class Watch:
    """Collects the words of all bins as they change; `look` after their boards have spoken."""

    def __init__(self, shelves: Shelves) -> None:
        self.words: list[Word] = []
        self._shelves = shelves
        self._last: dict[Antenna, tuple[tuple[int, ...], bool]] = dict.fromkeys(shelves.bins, ((), False))

    def look(self, now_us: int) -> None:
        """What is counted now is told at the next tick."""
        for place, last in self._last.items():
            each = self._shelves.bins[place]
            now = tuple(count for _, count, _ in each.counts()), each.sure and place not in self._shelves.blind
            if now != last:
                self._last[place] = now
                self.words.append(Word(-(-now_us // TICK_US) * TICK_US, place, *now))


@dataclass(slots=True)
class Looks:
    """Looks at bins of one kind: `misled` were wrong and believed, `doubted` wrong and not believed, `shy` right and
    not believed. `changes` were made by hands that were alone; `delays_s` are of those told before the next hand came.
    """

    looks: int = 0
    misled: int = 0
    doubted: int = 0
    shy: int = 0
    changes: int = 0
    delays_s: list[float] = field(default_factory=list)

    @property
    def delay_quantiles_s(self) -> tuple[float, float]:
        """Half of the changes that were told had been told after the first, nine tenths after the second."""
        if not self.delays_s:
            return nan, nan
        half, nine_tenths = np.quantile(self.delays_s, (0.5, 0.9)).tolist()
        return half, nine_tenths

    def as_json(self) -> dict[str, Any]:
        """JSON values; shares of the looks, and of the changes."""
        looks, changes = max(1, self.looks), max(1, self.changes)
        return {
            "looks": self.looks,
            "wrong_and_confirmed_share": round(self.misled / looks, 5),
            "wrong_and_unconfirmed_share": round(self.doubted / looks, 5),
            "right_and_unconfirmed_share": round(self.shy / looks, 5),
            "changes": self.changes,
            "told_share": round(len(self.delays_s) / changes, 5),
            "delay_p50_p90_s": [None if isnan(delay_s) else round(delay_s, 2) for delay_s in self.delay_quantiles_s],
        }

    def add(self, other: "Looks") -> None:
        self.looks += other.looks
        self.misled += other.misled
        self.doubted += other.doubted
        self.shy += other.shy
        self.changes += other.changes
        self.delays_s += other.delays_s


@dataclass(slots=True)
class ShelfScore:
    """`kinds`: by kind of bin, and `WHOLE`. At the end: pieces that lay there, and how many the stock differed by."""

    kinds: dict[str, Looks] = field(default_factory=dict)
    pieces: int = 0
    wrong_pieces: int = 0

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        bins = {kind: looks.as_json() for kind, looks in self.kinds.items()}
        return {"bins": bins, "pieces_at_the_end": self.pieces, "wrong_at_the_end": self.wrong_pieces}

    def add(self, other: "ShelfScore") -> None:
        for kind, looks in other.kinds.items():
            self.kinds.setdefault(kind, Looks()).add(looks)
        self.pieces += other.pieces
        self.wrong_pieces += other.wrong_pieces


def total(scores: Iterable[ShelfScore]) -> ShelfScore:
    """All of them as one."""
    whole = ShelfScore()
    for score in scores:
        whole.add(score)
    return whole


def score_shelves(
    weighing: Weighing, start_us: int, end_us: int, words: Iterable[Word], rows: Iterable[StockRow]
) -> ShelfScore:
    """Score what was said of all bins in [start_us, end_us), and the stock at its end."""
    said: dict[Antenna, list[Word]] = {}
    for word in words:
        said.setdefault(word.bin, []).append(word)
    score = ShelfScore({WHOLE: Looks()})
    stock = {(row.gtin, row.zone): row.quantity for row in rows}
    for day in weighing.days:
        for number, each in enumerate(day.plan.bins):
            looks = _looks(_Course(day, number, start_us, end_us), said.get((day.plan.id, each.channel), []))
            score.kinds.setdefault(_kind_of(each), Looks()).add(looks)
            score.kinds[WHOLE].add(looks)
        for gtin, pieces in _lying(day).items():
            score.pieces += pieces
            score.wrong_pieces += abs(stock.get((gtin, day.plan.zone), 0) - pieces)
    return score


def _kind_of(each: BinPlan) -> str:
    """What a bin is for a person."""
    if each.sensor != "weight":
        return each.sensor
    if each.cells:
        return "plate, lanes" if each.lanes_mm else "plate"
    return "mixed bin" if len(each.products) > 1 else "scale"


class _Course:
    """What truly lay in one bin of its own products, and when hands were there; moments are UTC in microseconds."""

    def __init__(self, day: GondolaDay, number: int, start_us: int, end_us: int) -> None:
        plan, each = day.plan, day.plan.bins[number]
        self._start_us, self._end_us = start_us, end_us
        self._visits: Sequence[Visit] = day.visits[number]
        self._faults = [fault for fault in plan.shelf_faults if fault.channel in each.channels]
        names = [product.id for product in plan.products]
        lies = {names.index(name): 0 for name in each.products}
        self._since_us: list[int] = []
        self._pieces: list[tuple[int, ...]] = []
        for lying in day.truth:
            if lying.bin == number and lying.product in lies:
                lies[lying.product] = lying.pieces
                self._since_us.append(lying.at_us)
                self._pieces.append(tuple(lies.values()))

    def at(self, at_us: int) -> tuple[int, ...]:
        """How many pieces of each of its products lie there."""
        return self._pieces[bisect_right(self._since_us, at_us) - 1]

    def quiet(self) -> list[int]:
        """When to look."""
        moments = quiet_moments([visit.hand for visit in self._visits], (self._end_us - self._start_us) / US_PER_S)
        return [self._us(at_s) for at_s in moments]

    def changes(self) -> Iterator[tuple[int, int]]:
        """(when a hand left that changed the count, when the next one came), of hands that were alone.

        Not while a channel cannot tell.
        """
        free_s = -ALONE_S
        for visit, following in pairwise(self._visits):
            hand, next_s = visit.hand, following.hand.start_s
            alone = hand.start_s >= free_s + ALONE_S and next_s >= hand.end_s + ALONE_S
            free_s = max(free_s, hand.end_s)
            next_us = self._us(next_s)
            if alone and self.at(next_us) != self.at(self._us(hand.start_s)) and not self._in_trouble(hand.end_s):
                yield self._us(hand.end_s), next_us

    def _us(self, seconds: float) -> int:
        return self._start_us + round(seconds * US_PER_S)

    def _in_trouble(self, at_s: float) -> bool:
        return any(fault.at_s <= at_s < fault.at_s + fault.for_s for fault in self._faults)


def _looks(course: _Course, words: Sequence[Word]) -> Looks:
    """One bin's words against its truth."""
    found = Looks()
    said_us = [word.said_us for word in words]
    unsaid = Word(0, ("", 0), (), believed=False)

    def word_at(at_us: int) -> Word:
        known = bisect_right(said_us, at_us)
        return words[known - 1] if known else unsaid

    for at_us in course.quiet():
        word = word_at(at_us)
        right = word.pieces == course.at(at_us)
        found.looks += 1
        found.misled += word.believed and not right
        found.doubted += not word.believed and not right
        found.shy += right and not word.believed
    for left_us, next_us in course.changes():
        found.changes += 1
        truth = course.at(next_us)
        told = [word.said_us for word in words if left_us < word.said_us <= next_us and word.pieces == truth]
        if word_at(left_us).pieces == truth:
            found.delays_s.append(0.0)
        elif told:
            found.delays_s.append((told[0] - left_us) / US_PER_S)
    return found


def _lying(day: GondolaDay) -> Mapping[str, int]:
    """The pieces of each product (GTIN) on a gondola at the end."""
    last = {(lying.bin, lying.product): lying.pieces for lying in day.truth}
    pieces: Counter[str] = Counter()
    for (_, product), count in last.items():
        pieces[day.plan.products[product].gtin] += count
    return pieces
