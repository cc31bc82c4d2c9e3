"""What a line of a scale can mean, and numbers and units as scales write them. Pure."""

import math
import re
from dataclasses import dataclass
from typing import Final

from readers.model import GRAMS_OF, Fault, WeightCondition, WeightUnit

MAX_GRAMS: Final = 1e9
"""A thousand tonnes: what is more is no weight of a shelf, but a number that was read wrongly."""

NUMBER: Final = re.compile(r" {0,12}([+-]?) {0,12}(\d{1,12}(?:\.\d{0,9})?) {0,12}", re.ASCII)

UNIT_WORDS: Final = {**{unit.value: unit for unit in WeightUnit}, "lbs": WeightUnit.POUND}

WEIGHS: Final = frozenset({WeightCondition.STABLE, WeightCondition.MOVING})
"""The conditions that come with a weight."""

HX711_LIMITS: Final = frozenset({0x7FFFFF, 0x800000, -0x800000})
"""The ends of its 24 bits (its data sheet, table 3): the cell is overloaded, or its wire is broken."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value: `grams` where `condition` weighs; `value` instead, of an input (None: it cannot be told).

    `raw`: what a converter said before anybody made a weight of it. `fault`: what a person should be told with it.
    """

    condition: WeightCondition
    grams: float | None = None
    channel: int | None = None
    raw: int | None = None
    fault: Fault | None = None
    is_input: bool = False
    value: float | None = None


def number(text: str) -> float | None:
    """A decimal number with blanks around its sign; None for anything else."""
    match = NUMBER.fullmatch(text)
    return float(match[1] + match[2]) if match else None


def unit(text: str) -> WeightUnit | None:
    """The unit that `text` means; None where it means none of ours."""
    return UNIT_WORDS.get(text.strip().lower())


def grams_of(value: float, of: WeightUnit) -> float | None:
    """None for what cannot be a weight."""
    grams = value * GRAMS_OF[of]
    return grams if math.isfinite(grams) and abs(grams) <= MAX_GRAMS else None


def saturated(raw: int) -> bool:
    """The converter is at one of its ends."""
    return raw in HX711_LIMITS
