"""What a rule's word is worth against the truth: wrong counts, transitions (`changes.py`), ghosts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gateway.evaluate.changes import Changes, changes
from gateway.evaluate.readings import Readings
from gateway.evaluate.tracks import NOWHERE, Floats, Ints, Levels, Stays, Tracks, stays

US_PER_S = 1_000_000
US_PER_DAY = 86_400 * US_PER_S
# Counts that differ by less are the same: estimates are no whole numbers.
LEAST_DIFFERENCE = 1e-6
# Items in these zones can be taken by a customer (sellable_accessible, docs/mqtt.md).
SELLABLE_KINDS = frozenset({"sales_floor", "shelf"})


@dataclass(frozen=True, slots=True)
class Counts:
    """Time-weighted means over a recording: `error` of |counted - true|, `true` of the true count, both in items."""

    error: float
    true: float

    @property
    def share(self) -> float:
        """The error as a share of the true count; 0 where there is nothing to count and nothing was counted."""
        if self.true:
            return self.error / self.true
        return 0.0 if not self.error else float("inf")


@dataclass(frozen=True, slots=True)
class Score:
    """One rule on one recording.

    `products` counts per (GTIN, zone), as stock is published; `zones` per zone, where errors of opposite sign
    cancel out. `in_zone` is the error and true count per zone, counted per (GTIN, zone). `wrong_sellable` is the share
    of time in which the sellable count of a product is wrong, the mean over products. A rule that says counts and no
    tags has no `changes` and no `ghosts`.
    """

    hours: float
    zone_ids: tuple[str, ...]
    products: Counts
    zones: Counts
    in_zone: tuple[Counts, ...]
    item_days: float
    wrong_sellable: float
    changes: Changes | None
    ghosts: int | None


def score(readings: Readings, said: Tracks | Levels) -> Score:
    """Score what a rule said of a recording."""
    zones = len(readings.zone_ids)
    products = int(readings.product.max(initial=-1)) + 1
    span_us = readings.end_us - readings.start_us
    true = stays(readings.truth, readings.start_us, readings.end_us)
    true_steps = _steps(true, readings.product[true.tag])
    counted = counted_steps(readings, said)
    row_error, _ = _disagreement(
        counted, true_steps, lambda steps: steps.product * zones + steps.zone, zones * products
    )
    zone_error, _ = _disagreement(counted, true_steps, lambda steps: steps.zone, zones)
    zone_row_error = row_error.reshape(products, zones).sum(axis=0) / span_us
    true_us = np.bincount(true.zone, weights=(true.to_us - true.from_us).astype(float), minlength=zones)
    true_items = float(true_us.sum()) / span_us
    return Score(
        hours=span_us / US_PER_S / 3600,
        zone_ids=readings.zone_ids,
        products=Counts(float(row_error.sum()) / span_us, true_items),
        zones=Counts(float(zone_error.sum()) / span_us, true_items),
        in_zone=tuple(Counts(float(zone_row_error[zone]), float(true_us[zone]) / span_us) for zone in range(zones)),
        item_days=float(true_us.sum()) / US_PER_DAY,
        wrong_sellable=_wrong_sellable(readings, counted, true_steps),
        changes=changes(said, readings.truth, readings) if isinstance(said, Tracks) else None,
        ghosts=_ghosts(readings, said) if isinstance(said, Tracks) else None,
    )


class Steps(NamedTuple):
    """Changes of counts; those of each (product, zone) add up to nothing in the end."""

    at_us: Ints
    product: Ints
    zone: Ints
    step: Floats


def counted_steps(readings: Readings, said: Tracks | Levels) -> Steps:
    """What was said, as changes of counts within the recording."""
    start_us, end_us = readings.start_us, readings.end_us
    if isinstance(said, Tracks):
        counted = stays(said, start_us, end_us)
        return _steps(counted, readings.product[counted.tag])
    row = said.product * len(readings.zone_ids) + said.zone
    order = np.lexsort((said.at_us, row))
    row, at_us = row[order], np.clip(said.at_us[order], start_us, end_us)
    same = row[1:] == row[:-1]
    step = said.quantity[order].copy()
    step[1:][same] -= said.quantity[order][:-1][same]
    last = np.append(~same, True) if len(row) else np.zeros(0, dtype=bool)
    return Steps(
        np.concatenate([at_us, np.full(int(last.sum()), end_us)]),
        np.concatenate([said.product[order], said.product[order][last]]),
        np.concatenate([said.zone[order], said.zone[order][last]]),
        np.concatenate([step, -said.quantity[order][last]]),
    )


def _steps(these: Stays, product: Ints) -> Steps:
    """One more where a stay begins, one less where it ends."""
    one = np.ones(len(these.tag))
    return Steps(
        np.concatenate([these.from_us, these.to_us]),
        np.concatenate([product, product]),
        np.concatenate([these.zone, these.zone]),
        np.concatenate([one, -one]),
    )


def _disagreement(counted: Steps, true: Steps, group_of: Callable[[Steps], Ints], groups: int) -> tuple[Floats, Floats]:
    """Per group: the integral of |counted - true| (item microseconds), and the time in which they differ."""
    group = np.concatenate([group_of(counted), group_of(true)])
    at_us = np.concatenate([counted.at_us, true.at_us])
    step = np.concatenate([counted.step, -true.step])
    order = np.lexsort((at_us, group))
    group, at_us = group[order], at_us[order]
    # All steps of a group add up to nothing, so the sum is back at zero where the next one begins.
    level = np.abs(np.cumsum(step[order]))[:-1]
    lasted_us = np.diff(at_us)
    error = np.bincount(group[:-1], weights=level * lasted_us, minlength=groups)
    wrong_us = np.where(level > LEAST_DIFFERENCE, lasted_us, 0)
    differ = np.bincount(group[:-1], weights=wrong_us, minlength=groups)
    return np.asarray(error, dtype=np.float64), np.asarray(differ, dtype=np.float64)


def _wrong_sellable(readings: Readings, counted: Steps, true: Steps) -> float:
    """The share of time in which a product's count of what a customer can take is wrong, the mean over products."""
    sellable = np.array([kind in SELLABLE_KINDS for kind in readings.zone_kinds], dtype=bool)
    products = np.unique(true.product)
    if not len(products) or not sellable.any():
        return 0.0

    def only(steps: Steps) -> Steps:
        wanted = sellable[steps.zone]
        return Steps(steps.at_us[wanted], steps.product[wanted], steps.zone[wanted], steps.step[wanted])

    groups = int(readings.product.max()) + 1
    _, differ = _disagreement(only(counted), only(true), lambda steps: steps.product, groups)
    return float(differ[products].mean()) / (readings.end_us - readings.start_us)


def _ghosts(readings: Readings, said: Tracks) -> int:
    """How many tags were counted that no truth knows."""
    real = np.zeros(readings.tags, dtype=bool)
    real[readings.truth.tag] = True
    counted = np.unique(said.tag[said.zone != NOWHERE])
    return int(np.count_nonzero(~real[counted]))
