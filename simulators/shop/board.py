"""What the boards of a store's gondolas say: every value of every scale and input, line by line."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from simulators.shelf import Habits, Hand, weigh
from simulators.shop.day import Day, GondolaDay, Lying
from simulators.shop.gondola_plan import BinPlan, GondolaPlan, Scales
from simulators.shop.plan import ShopPlan

_US_PER_S = 1_000_000
_S_PER_HOUR = 3600.0
# From the board to the gateway: its line on the wire, and the adapter.
_WIRE_US = (1_000, 15_000)
# A hand before slots covers so many of them; a hand on a pusher moves it by so many pieces at most.
_COVERED = 3
_PUSHED = 1.5

Values = NDArray[np.float64]


class Say(IntEnum):
    """What a value is."""

    STABLE = 0
    MOVING = 1
    OVERLOAD = 2
    INPUT = 3


@dataclass(frozen=True, slots=True)
class Weighing:
    """One row for each value, sorted by `at_us` (UTC, as it reaches the gateway).

    `channel` counts in `channels`: (reader, channel). `value` is grams or what an input shows; NaN where there is none.
    `days`: what happened, gondola by gondola; their seconds count from the opening.
    """

    channels: list[tuple[str, int]]
    at_us: NDArray[np.int64]
    channel: NDArray[np.int16]
    say: NDArray[np.int8]
    value: Values
    days: list[GondolaDay]


NO_WEIGHING = Weighing(
    [], np.empty(0, np.int64), np.empty(0, np.int16), np.empty(0, np.int8), np.empty(0), []
)  # fmt: skip


def weighing(plan: ShopPlan, day: Day, seed: str) -> Weighing:
    """Everything that the boards of a store say in a day; the same seed gives the same values."""
    start_us = round(plan.start.timestamp() * _US_PER_S)
    channels: list[tuple[str, int]] = []
    parts: list[tuple[NDArray[np.int64], int, NDArray[np.int8], Values]] = []
    for gondola in day.gondolas:
        board = _Board(gondola, plan.hours * _S_PER_HOUR, start_us, f"{seed}/{gondola.plan.id}")
        for channel, said, shown in board.channels():
            says, values = board.troubled(channel, said, shown)
            told = ~np.isnan(values) | (says == Say.OVERLOAD)
            parts.append((board.at_us[told], len(channels), says[told], values[told]))
            channels.append((gondola.plan.id, channel))
    at_us = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    channel_of = np.repeat(np.array([part[1] for part in parts], np.int16), [len(part[0]) for part in parts])
    order = np.lexsort((channel_of, at_us))
    return Weighing(
        channels,
        at_us[order],
        channel_of[order],
        np.concatenate([np.empty(0, np.int8), *(part[2] for part in parts)])[order],
        np.concatenate([np.empty(0), *(part[3] for part in parts)])[order],
        day.gondolas,
    )


class _Board:
    """One gondola's board: all its channels speak at the same moments."""

    def __init__(self, day: GondolaDay, duration_s: float, start_us: int, seed: str) -> None:
        scales = day.plan.scales
        self._day = day
        self._plan: GondolaPlan = day.plan
        self._scales: Scales = scales
        self._duration_s = duration_s
        self._start_us = start_us
        self._seed = seed
        self._count = int(duration_s * scales.rate_hz)
        self._at_s: Values = np.arange(self._count) / scales.rate_hz
        late_us = np.random.default_rng([*seed.encode()]).integers(*_WIRE_US, self._count)
        self.at_us = start_us + np.round(self._at_s * _US_PER_S).astype(np.int64) + late_us

    def channels(self) -> Iterator[tuple[int, NDArray[np.int8], Values]]:
        """(channel, what its values are, values) of every channel."""
        for number, each in enumerate(self._plan.bins):
            match each.sensor:
                case "weight":
                    yield from self._cells(number, each)
                case "pusher":
                    yield each.channel, self._inputs, self._distances(number, each)
                case "slots":
                    for channel, covered in zip(each.channels, self._covered(number, each), strict=True):
                        yield channel, self._inputs, covered

    @property
    def _inputs(self) -> NDArray[np.int8]:
        return np.full(self._count, Say.INPUT, np.int8)

    def troubled(self, channel: int, says: NDArray[np.int8], values: Values) -> tuple[NDArray[np.int8], Values]:
        """What is left of a channel's values by its faults."""
        for fault in self._plan.shelf_faults:
            if fault.channel == channel:
                rows = (self._at_s >= fault.at_s) & (self._at_s < fault.at_s + fault.for_s)
                values = np.where(rows, np.nan, values)
                if fault.kind == "overload":
                    says = np.where(rows, Say.OVERLOAD, says).astype(np.int8)
        return says, values

    # --- scales -----------------------------------------------------------------------------------------------------

    def _cells(self, number: int, each: BinPlan) -> Iterator[tuple[int, NDArray[np.int8], Values]]:
        """A bin's only scale, or each cell of its plate with its part of every load."""
        places = (0.0, *(cell.at_mm for cell in each.cells))
        for cell, channel in enumerate(each.channels):
            rng = random.Random(f"{self._seed}/{channel}")
            first_g = sum(grams * _share(places, cell, at_mm) for grams, at_mm in self._day.first_g[number])
            hands = [_part_of(visit.hand, _share(places, cell, visit.at_mm)) for visit in self._day.visits[number]]
            samples = list(weigh(first_g, hands, self._habits, self._duration_s, rng, self._zero(rng)))
            says = np.array([Say.MOVING if sample.moving else Say.STABLE for sample in samples], np.int8)
            yield channel, says, np.array([sample.grams for sample in samples])

    @property
    def _habits(self) -> Habits:
        scales = self._scales
        return Habits(
            noise_g=scales.noise_g,
            division_g=scales.division_g,
            creep_share=scales.creep_share,
            rate_hz=scales.rate_hz,
        )

    def _zero(self, rng: random.Random) -> Callable[[float], float]:
        """How far the temperature takes a cell's zero from where it was at the opening."""
        scales = self._scales
        gain_g, phase = rng.gauss(0.0, scales.zero_g_per_k), rng.uniform(-0.5, 0.5)

        def zero(at_s: float) -> float:
            turn = 2 * math.pi * at_s / scales.swing_s
            return gain_g * scales.swing_k * (math.sin(turn + phase) - math.sin(phase))

        return zero

    # --- inputs -----------------------------------------------------------------------------------------------------

    def _pieces(self, number: int) -> NDArray[np.int64]:
        """How many pieces, of whatever product, lie in a bin at each moment."""
        lies: dict[int, int] = {}
        pieces = np.zeros(self._count, np.int64)
        for lying in self._of(number):
            lies[lying.product] = lying.pieces
            pieces[self._row(lying.at_us) :] = sum(lies.values())
        return pieces

    def _distances(self, number: int, each: BinPlan) -> Values:
        """A pusher: the distance to it, which a hand moves about."""
        rng = np.random.default_rng([*f"{self._seed}/{each.channel}".encode()])
        pushed = np.zeros(self._count)
        for visit in self._day.visits[number]:
            rows = self._rows(visit.hand)
            depth = rng.uniform(-_PUSHED, _PUSHED)
            pushed[rows] = depth * np.sin(np.linspace(0.0, math.pi, rows.stop - rows.start))
        noise_mm = rng.normal(0.0, self._scales.distance_noise_mm, self._count)
        distances: Values = np.round(each.empty_mm - each.pitch_mm * (self._pieces(number) + pushed) + noise_mm, 1)
        return distances

    def _covered(self, number: int, each: BinPlan) -> list[Values]:
        """Slots: each piece covers one, and a hand some more as long as it is there."""
        rng = random.Random(f"{self._seed}/{each.channel}")
        slots = len(each.channels)
        covered = np.zeros((slots, self._count))
        full: list[int] = []
        lies: dict[int, int] = {}
        for lying in self._of(number):
            lies[lying.product] = lying.pieces
            while len(full) > sum(lies.values()):
                full.remove(rng.choice(full))
            while len(full) < sum(lies.values()):
                full.append(rng.choice([slot for slot in range(slots) if slot not in full]))
            covered[:, self._row(lying.at_us) :] = np.isin(np.arange(slots), full)[:, None]
        for visit in self._day.visits[number]:
            covered[rng.sample(range(slots), rng.randint(1, min(slots, _COVERED))), self._rows(visit.hand)] = 1.0
        return list(covered)

    def _of(self, number: int) -> Sequence[Lying]:
        return [lying for lying in self._day.truth if lying.bin == number]

    def _row(self, at_us: int) -> int:
        """The first moment at or after this one."""
        return math.ceil(max(0.0, (at_us - self._start_us) / _US_PER_S) * self._scales.rate_hz - 1e-9)

    def _rows(self, hand: Hand) -> slice:
        """The moments while a hand is there."""
        rate_hz = self._scales.rate_hz
        start, stop = math.ceil(hand.start_s * rate_hz), math.ceil(hand.end_s * rate_hz)
        return slice(min(self._count, start), min(self._count, stop))


def _share(places: Sequence[float], cell: int, at_mm: float) -> float:
    """The part that one cell of a plate bears of a load, by the lever between its two neighbours."""
    return float(np.interp(at_mm, places, np.arange(len(places)) == cell))


def _part_of(hand: Hand, share: float) -> Hand:
    """A hand as one cell of several feels it."""
    if share == 1.0:
        return hand
    presses = tuple((start_s, length_s, grams * share) for start_s, length_s, grams in hand.presses)
    return replace(hand, presses=presses, change_g=hand.change_g * share, lean_g=hand.lean_g * share)
