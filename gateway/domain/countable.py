"""What a scale can count: the error of a count by weight, and the products that are refused because of it.

For N pieces of mean weight mu, with relative deviations c (of a piece) and t (of the stored mean) and the error s of
a settled weight, the count W / mu has the standard deviation sqrt(N c^2 + (N t)^2 + (s / mu)^2) pieces, and rounding
it is wrong where the error passes half a piece. See Steiner & MacKay, "Scale Counting".
"""

import math

from gateway.domain.params import Bin, Sensor, ShelfParams, Sku

# A whole count may be wrong once in a thousand looks: half a piece is then this many standard deviations.
WRONG_CHANCE = 0.001
HALF_PIECE_SDS = 3.2905
# A single piece must stand out of the difference of two settled weights by so many of its standard deviations.
STEP_SDS = 7.0
# ... and out of the noise of single values by so many, or a shelf never comes to rest between two hands.
NOISE_SDS = 12.0
# A product of which a scale cannot even count so many is refused, unless the bin holds no more of it.
FEWEST_PIECES = 4
# Two products of one bin must differ by so many standard deviations of a step, or no step could name one of them.
APART_SDS = 4.0
# A settled weight is the median of at least so many values; a median needs 1.25 times the deviation of a mean.
SETTLED_VALUES = 5
MEDIAN_LOSS = 1.2533
# More pieces than a shelf can hold: where nothing else bounds a search.
MOST_PIECES = 10_000


def level_sd_g(params: ShelfParams) -> float:
    """The standard deviation of a settled weight: what is left of the noise, and the steps of the display."""
    noise_g = MEDIAN_LOSS * params.noise_g / math.sqrt(SETTLED_VALUES)
    return math.hypot(noise_g, params.division_g / math.sqrt(12))


def step_sd_g(params: ShelfParams) -> float:
    """The standard deviation of the difference of two settled weights."""
    return math.sqrt(2) * level_sd_g(params)


def count_sd(pieces: int, unit_g: float, variation: float, tolerance: float, sd_g: float) -> float:
    """The standard deviation (pieces) of a count by the whole weight."""
    return math.sqrt(pieces * variation**2 + (pieces * tolerance) ** 2 + (sd_g / unit_g) ** 2)


def wrong_chance(sd: float) -> float:
    """The chance that a count of that standard deviation (pieces) is rounded to a wrong number."""
    return math.erfc(0.5 / (sd * math.sqrt(2))) if sd else 0.0


def countable_pieces(unit_g: float, variation: float, tolerance: float, sd_g: float) -> int:
    """How many pieces the whole weight can count: the largest N whose chance of a wrong count is under a thousandth."""
    left = (0.5 / HALF_PIECE_SDS) ** 2 - (sd_g / unit_g) ** 2
    if left < 0:
        return 0
    # The positive root of t^2 N^2 + c^2 N = left, in the form that also holds for t = 0.
    linear = variation**2
    under = linear + math.sqrt(linear**2 + 4 * tolerance**2 * left)
    return math.floor(min(MOST_PIECES, 2 * left / under + 1e-9)) if under else MOST_PIECES


def refusals(each: Bin) -> list[str]:
    """Why the products of a bin cannot be counted on its scale, with the numbers; empty where all can."""
    if each.sensor is not Sensor.WEIGHT:
        return []
    found = [text for sku in each.skus if (text := _refusal(sku, each.params))]
    return found or _alike(each)


def _refusal(sku: Sku, params: ShelfParams) -> str | None:
    unit_g, name = sku.unit_weight_g, f"GTIN {sku.gtin}"
    if unit_g <= 0:
        return f"{name} has no unit_weight_g"
    needed_g = max(STEP_SDS * step_sd_g(params), NOISE_SDS * params.noise_g)
    if unit_g < needed_g:
        return (
            f"{name}: one piece of {unit_g:g} g cannot be told on a scale of noise {params.noise_g:g} g and division "
            f"{params.division_g:g} g; it takes {needed_g:.3g} g"
        )
    pieces = countable_pieces(unit_g, sku.variation, sku.tolerance, level_sd_g(params))
    wanted = sku.most if sku.most is not None else FEWEST_PIECES
    if wanted > pieces:
        sd = count_sd(wanted, unit_g, sku.variation, sku.tolerance, level_sd_g(params))
        return (
            f"{name}: {wanted} pieces that vary by {sku.variation:.1%}, with a mean known to {sku.tolerance:.1%}, are "
            f"miscounted with a chance of {wrong_chance(sd):.2g}; this scale counts {pieces} of them"
        )
    if params.capacity_g and unit_g * (sku.most or 1) > params.capacity_g:
        return f"{name}: {sku.most or 1} pieces of {unit_g:g} g are more than the capacity of {params.capacity_g:g} g"
    return None


def _alike(each: Bin) -> list[str]:
    """Pairs that no step can tell apart, and that do not lie in lanes of their own."""
    found = []
    for index, one in enumerate(each.skus):
        for other in each.skus[index + 1 :]:
            if one.lane_mm and other.lane_mm and each.cells and _apart(one.lane_mm, other.lane_mm):
                continue
            spread_g = math.hypot(one.variation * one.unit_weight_g, other.variation * other.unit_weight_g)
            sd_g = math.hypot(step_sd_g(each.params), spread_g)
            if abs(one.unit_weight_g - other.unit_weight_g) < APART_SDS * sd_g:
                found.append(
                    f"GTIN {one.gtin} ({one.unit_weight_g:g} g) and GTIN {other.gtin} ({other.unit_weight_g:g} g) "
                    f"weigh too much alike: they must differ by {APART_SDS * sd_g:.3g} g, or lie in lanes of their own"
                )
    return found


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]
