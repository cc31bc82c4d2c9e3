"""Shelves that weigh: what lies on them, hands that take and put, and what their scales and inputs say of it.

A shelf is planned as a whole from its seed: `truth()` is how many pieces lie on it from when on, `samples()` what its
scale says. A hand presses and lifts before it leaves with a piece or without one; people lean on the edge; the load
cell creeps, drifts, is damped and noisy. Times are seconds since the shelf was set up; samples carry microseconds.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from random import Random

US_PER_S = 1_000_000
# A hand is on the shelf for so long (seconds), and presses and lifts so hard (grams).
HAND_S = (0.6, 2.5)
HAND_G = (-150.0, 450.0)
# The piece itself is lifted off, or set down, within this time.
LIFT_S = 0.2
# Somebody leans on the edge: so long, so heavily, swaying by this share.
LEAN_S = (4.0, 40.0)
LEAN_G = (300.0, 6000.0)
SWAY_SHARE = 0.03
SWAY_S = 3.0
# A load cell goes on giving way under its load for about this long.
CREEP_S = 600.0
# An indicator's filter.
DAMPING_S = 0.1
DRIFT_PERIOD_S = 7200.0
# How far from a hand (seconds) the shelf counts as quiet.
QUIET_S = 8.0


@dataclass(frozen=True, slots=True)
class Goods:
    """One product: the mean weight of a piece and its relative standard deviation, and how many lie there at first."""

    gtin: str
    unit_g: float
    variation: float = 0.01
    pieces: int = 24


@dataclass(frozen=True, slots=True)
class Habits:
    """What happens to a shelf, and how well its scale weighs.

    `drift_g` is the amplitude of the zero over two hours, `creep_share` of the load, `restock` pieces come at once.
    """

    events_per_hour: float = 100.0
    touches_per_hour: float = 30.0
    leans_per_hour: float = 4.0
    restock: int = 1
    noise_g: float = 1.0
    division_g: float = 0.1
    drift_g: float = 0.0
    creep_share: float = 0.0003
    rate_hz: float = 10.0
    zero_g: float = 0.0


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody's hand on the shelf; `change_g` is what lies there more when it has left."""

    start_s: float
    end_s: float
    presses: tuple[tuple[float, float, float], ...]
    change_g: float = 0.0
    lean_g: float = 0.0

    def force_g(self, at_s: float) -> float:
        """What the hand itself weighs at a moment."""
        if not self.start_s <= at_s < self.end_s:
            return 0.0
        sway = 1 + SWAY_SHARE * math.sin(2 * math.pi * (at_s - self.start_s) / SWAY_S)
        ramp = min(1.0, (at_s - self.start_s) / 0.3, (self.end_s - at_s) / 0.3)
        force_g = self.lean_g * sway * ramp
        for start_s, length_s, grams in self.presses:
            if start_s <= at_s < start_s + length_s:
                force_g += grams * math.sin(math.pi * (at_s - start_s) / length_s)
        return force_g

    def load_g(self, at_s: float) -> float:
        """How much of its change has happened: the piece comes or goes in the middle of the visit."""
        begun_s = at_s - (self.start_s + self.end_s - LIFT_S) / 2
        return self.change_g * min(1.0, max(0.0, begun_s / LIFT_S))


@dataclass(frozen=True, slots=True)
class Sample:
    """What a scale says: `at_us` since the start, whether it sees motion itself."""

    at_us: int
    grams: float
    moving: bool


@dataclass(slots=True)
class Shelf:
    """One bin on one scale, from its first second to its last."""

    goods: Sequence[Goods]
    habits: Habits = Habits()
    seed: int = 1
    duration_s: float = 3600.0
    hands: list[Hand] = field(init=False, default_factory=list)
    _left: list[tuple[float, str, int]] = field(init=False, default_factory=list)
    _truth: list[tuple[float, str, int]] = field(init=False, default_factory=list)
    _first_g: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        rng = Random(f"{self.seed} hands")
        lying = {goods.gtin: [self._piece(goods, rng) for _ in range(goods.pieces)] for goods in self.goods}
        self._first_g = sum(map(sum, lying.values()))
        visits = [
            *((at_s, "event") for at_s in _moments(self.habits.events_per_hour, self.duration_s, rng)),
            *((at_s, "touch") for at_s in _moments(self.habits.touches_per_hour, self.duration_s, rng)),
            *((at_s, "lean") for at_s in _moments(self.habits.leans_per_hour, self.duration_s, rng)),
        ]
        for at_s, what in sorted(visits):
            end_s = at_s + rng.uniform(*(LEAN_S if what == "lean" else HAND_S))
            change_g = self._visit(lying, end_s, rng) if what == "event" else 0.0
            lean_g = rng.uniform(*LEAN_G) if what == "lean" else 0.0
            self.hands.append(Hand(at_s, end_s, presses(at_s, end_s, rng), change_g, lean_g))
        counts = {goods.gtin: goods.pieces for goods in self.goods}
        # Whoever came first may leave last: the count follows the order of leaving.
        for end_s, gtin, change in sorted(self._left):
            counts[gtin] += change
            self._truth.append((end_s, gtin, counts[gtin]))

    @staticmethod
    def _piece(goods: Goods, rng: Random) -> float:
        return goods.unit_g * max(0.1, rng.gauss(1.0, goods.variation))

    def _visit(self, lying: dict[str, list[float]], end_s: float, rng: Random) -> float:
        """A hand takes a piece or puts some; fuller shelves are taken from, emptier ones filled."""
        goods = rng.choice(self.goods)
        pieces = lying[goods.gtin]
        if rng.random() < len(pieces) / (2 * max(1, goods.pieces)):
            count, change_g = -1, -pieces.pop(rng.randrange(len(pieces)))
        else:
            new = [self._piece(goods, rng) for _ in range(self.habits.restock)]
            pieces += new
            count, change_g = len(new), sum(new)
        self._left.append((end_s, goods.gtin, count))
        return change_g

    def truth(self) -> list[tuple[float, str, int]]:
        """(from when on in seconds, GTIN, pieces), the first of each product at 0, in the order of time."""
        return [*((0.0, goods.gtin, goods.pieces) for goods in self.goods), *self._truth]

    def counts(self, at_s: float) -> dict[str, int]:
        """How many pieces of each product lie there at a moment."""
        counts: dict[str, int] = {}
        for since_s, gtin, pieces in self.truth():
            if since_s > at_s:
                break
            counts[gtin] = pieces
        return counts

    def quiet(self) -> list[float]:
        """Moments at which nobody has touched the shelf for a while: one before each next hand, and the end."""
        return quiet_moments(self.hands, self.duration_s)

    def samples(self) -> Iterator[Sample]:
        """What the scale says, value by value, in the order of time."""
        return weigh(self._first_g, self.hands, self.habits, self.duration_s, Random(f"{self.seed} scale"))


def quiet_moments(hands: Sequence[Hand], duration_s: float) -> list[float]:
    """Moments (seconds) at which no hand has been there for `QUIET_S`: one before each next hand, and the end."""
    found, free_s = [], 0.0
    for hand in hands:
        if hand.start_s - free_s >= QUIET_S:
            found.append(hand.start_s - 0.1)
        free_s = max(free_s, hand.end_s)
    if duration_s - free_s >= QUIET_S:
        found.append(duration_s - 0.1)
    return found


def weigh(
    first_g: float,
    hands: Sequence[Hand],
    habits: Habits,
    duration_s: float,
    rng: Random,
    zero: Callable[[float], float] = lambda _: 0.0,
) -> Iterator[Sample]:
    """What a scale says of `first_g` and of the `hands` (in the order of their coming), value by value.

    `zero` is how far the scale's zero is off at a moment (seconds, grams), beside what the habits say of it.
    """
    starts = [hand.start_s for hand in hands]
    longest_s = max((hand.end_s - hand.start_s for hand in hands), default=0.0)
    shown_g = crept_g = settled_g = first_g
    done, step_s = 0, 1 / habits.rate_hz
    before_g = shown_g
    for number in range(int(duration_s * habits.rate_hz)):
        at_s = number * step_s
        while done < len(starts) and starts[done] + longest_s <= at_s:
            settled_g += hands[done].change_g
            done += 1
        near = hands[done : bisect_right(starts, at_s)]
        load_g = settled_g + sum(hand.load_g(at_s) for hand in near)
        force_g = load_g + sum(hand.force_g(at_s) for hand in near)
        shown_g += (force_g - shown_g) * min(1.0, step_s / DAMPING_S)
        crept_g += (load_g - crept_g) * step_s / CREEP_S
        drift_g = habits.drift_g * math.sin(2 * math.pi * at_s / DRIFT_PERIOD_S) + zero(at_s)
        grams = shown_g + habits.creep_share * crept_g + drift_g + habits.zero_g + rng.gauss(0.0, habits.noise_g)
        if habits.division_g:
            grams = round(grams / habits.division_g) * habits.division_g
        yield Sample(round(at_s * US_PER_S), grams, moving=abs(shown_g - before_g) > 6 * habits.noise_g)
        before_g = shown_g


@dataclass(frozen=True, slots=True)
class Gondola:
    """Shelves of one piece of furniture behind one serial reader: channel -> shelf."""

    shelves: Mapping[int, Shelf]

    def truth(self) -> list[tuple[float, int, str, int]]:
        """(seconds, channel, GTIN, pieces) of all shelves in the order of time."""
        each = (
            [(at_s, channel, gtin, pieces) for at_s, gtin, pieces in shelf.truth()]
            for channel, shelf in self.shelves.items()
        )
        return list(merge(*each))

    def samples(self) -> Iterator[tuple[int, Sample]]:
        """(channel, sample) of all scales in the order of time."""
        each = (_numbered(channel, shelf) for channel, shelf in self.shelves.items())
        return merge(*each, key=lambda said: said[1].at_us)


def _numbered(channel: int, shelf: Shelf) -> Iterator[tuple[int, Sample]]:
    return ((channel, sample) for sample in shelf.samples())


def _moments(per_hour: float, duration_s: float, rng: Random) -> Iterator[float]:
    """Moments without memory, so many an hour."""
    at_s = rng.expovariate(per_hour / 3600) if per_hour else math.inf
    while at_s < duration_s - HAND_S[1]:
        yield at_s
        at_s += rng.expovariate(per_hour / 3600)


def presses(start_s: float, end_s: float, rng: Random) -> tuple[tuple[float, float, float], ...]:
    """A few bumps within a visit: (from, seconds, grams) each."""
    count = max(1, round((end_s - start_s) / 0.5)) if end_s - start_s < HAND_S[1] + 0.1 else 2
    length_s = (end_s - start_s) / count
    return tuple((start_s + index * length_s, length_s, rng.uniform(*HAND_G)) for index in range(count))
