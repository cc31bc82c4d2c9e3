"""Shop fixtures that sense what lies in them: pushers, rows of slots, plates on several load cells.

Each has the `cells` of a ShelfBoard, which asks it to `sense` before each line; slots tell a Modbus slave their `bits`.
What lies there may be changed at any time, and so may what is wrong.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from simulators.serial.scales import Cell, Pan

# An optical distance sensor on packs that are not all alike.
DISTANCE_NOISE_MM = 4.0


@dataclass(slots=True)
class Pusher:
    """A spring presses pieces to the front of a facing; a sensor behind it measures how far it stands."""

    channel: int
    pieces: int = 0
    depth_mm: float = 50.0
    empty_mm: float = 400.0
    # A hand holds it there.
    held_mm: float | None = None
    # The pack before the sensor swallows its light.
    dark: bool = False
    seed: int = 1
    cells: list[Cell] = field(init=False)
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.cells = [Cell(self.channel, is_input=True)]
        self._rng = random.Random(f"{self.seed} pusher {self.channel}")

    def sense(self) -> None:
        """Measure."""
        stands_mm = self.empty_mm - self.pieces * self.depth_mm if self.held_mm is None else self.held_mm
        pan = self.cells[0].pan
        pan.grams = round(stands_mm + self._rng.gauss(0, DISTANCE_NOISE_MM), 1)
        pan.trouble = "error" if self.dark else ""


@dataclass(slots=True)
class Slots:
    """A row of places for one piece each, a photo-eye in every one. `stuck`: eyes that are dirty, and what they see."""

    channels: tuple[int, ...]
    covered: list[bool] = field(init=False)
    stuck: dict[int, bool] = field(default_factory=dict)
    cells: list[Cell] = field(init=False)

    def __post_init__(self) -> None:
        self.covered = [False] * len(self.channels)
        self.cells = [Cell(channel, is_input=True) for channel in self.channels]

    def sense(self) -> None:
        """Look."""
        for cell, seen in zip(self.cells, self.bits().values(), strict=True):
            cell.pan.grams = int(seen)

    def bits(self) -> dict[int, bool]:
        """Place -> what its eye sees, as the inputs of a Modbus slave."""
        return {place: self.stuck.get(place, covered) for place, covered in enumerate(self.covered)}


@dataclass(slots=True)
class Plate:
    """A plate on cells in a row (channel -> mm): what lies between two of them rests on both, by the lever.

    `lying` is (mm, grams) of every piece, `hands` of what presses on it; cells in `dead` have lost their wire.
    """

    places_mm: Mapping[int, float]
    noise_g: float = 0.5
    seed: int = 1
    lying: list[tuple[float, float]] = field(default_factory=list)
    hands: list[tuple[float, float]] = field(default_factory=list)
    dead: set[int] = field(default_factory=set)
    cells: list[Cell] = field(init=False)
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.cells = [Cell(channel, Pan()) for channel in self.places_mm]
        self._rng = random.Random(f"{self.seed} plate")

    def sense(self) -> None:
        """Weigh."""
        borne_g = dict.fromkeys(self.places_mm, 0.0)
        for at_mm, grams in (*self.lying, *self.hands):
            for channel, share in self._shares(at_mm).items():
                borne_g[channel] += share * grams
        for cell in self.cells:
            cell.pan.grams = borne_g[cell.channel] + self._rng.gauss(0, self.noise_g)
            cell.pan.trouble = "error" if cell.channel in self.dead else ""

    def _shares(self, at_mm: float) -> dict[int, float]:
        """How much of a load each cell bears: the two beside it, or the nearest where it hangs over."""
        row = sorted(self.places_mm.items(), key=lambda cell: cell[1])
        for (left, left_mm), (right, right_mm) in pairwise(row):
            if left_mm <= at_mm <= right_mm:
                share = (at_mm - left_mm) / (right_mm - left_mm)
                return {left: 1 - share, right: share}
        return {min(row, key=lambda cell: abs(cell[1] - at_mm))[0]: 1.0}
