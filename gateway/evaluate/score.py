"""What a rule's word is worth against the truth: wrong counts, false and late transitions, ghosts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.tracks import NOWHERE, Flags, Floats, Ints, Levels, Stays, Tracks, stays

US_PER_S = 1_000_000
US_PER_DAY = 86_400 * US_PER_S
# Whoever walks out through a door is out of its antenna's sight some seconds before he is out of the zone: what a rule
# says so much too early is not false.
EARLY_US = 30 * US_PER_S
# A transition that is told later than this is late: by then a customer who asked has been told wrong.
LATE_US = 60 * US_PER_S
# Counts that differ by less are the same: estimates are no whole numbers.
LEAST_DIFFERENCE = 1e-6
# Items in these zones can be taken by a customer (CONTRACT: sellable_accessible).
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
class Changes:
    """What became of the true transitions, and what was said without any.

    `delays_s` holds, for every true entry into a zone or out of the store that was told while it was still true,
    how long it took; `entered` is the zone of each (`NOWHERE`: out). `missed_in` holds the zones of those that were
    never told in time. What stands in the shop at the start is no transition.
    """

    true: int
    late: int
    false_departures: int
    false_moves: int
    delays_s: Floats
    entered: Ints
    missed_in: Ints

    @property
    def missed(self) -> int:
        return len(self.missed_in)


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


def changes(said: Tracks, truth: Tracks, readings: Readings) -> Changes:
    """Match what was said with what happened, tag by tag.

    A word is earned by the newest true entry into that zone that no earlier word has used up: an item that is moved
    away and back without reason makes two false moves. Said up to `EARLY_US` before it is true, it is still earned.
    """
    zones = len(readings.zone_ids) + 1
    said_in = said.tag * zones + said.zone + 1
    true_in = truth.tag * zones + truth.zone + 1
    order = np.lexsort((truth.at_us, true_in))
    true_keys = readings.key(true_in[order], truth.at_us[order])
    said_keys = readings.key(said_in, np.minimum(said.at_us + EARLY_US, readings.end_us))
    newest = np.searchsorted(true_keys, said_keys, side="right") - 1
    real = newest >= 0
    real[real] = true_in[order][newest[real]] == said_in[real]
    earned = np.zeros(len(said.tag), dtype=bool)
    # `said` is sorted by tag and time, so the first to use an entry up is the first in time.
    _, rows = np.unique(newest[real], return_index=True)
    earned[np.flatnonzero(real)[rows]] = True
    was = np.full(len(said.tag), NOWHERE)
    same = said.tag[1:] == said.tag[:-1]
    was[1:][same] = said.zone[:-1][same]
    ever_real = np.zeros(readings.tags, dtype=bool)
    ever_real[truth.tag] = True
    false = ~earned & ever_real[said.tag] & (was != NOWHERE)
    delays_s, entered, missed_in = _delays(said, truth, readings)
    return Changes(
        true=int(np.count_nonzero(truth.at_us > readings.start_us)),
        late=int(np.count_nonzero(delays_s > LATE_US / US_PER_S)),
        false_departures=int(np.count_nonzero(false & (said.zone == NOWHERE))),
        false_moves=int(np.count_nonzero(false & (said.zone != NOWHERE))),
        delays_s=delays_s,
        entered=entered,
        missed_in=missed_in,
    )


def _delays(said: Tracks, truth: Tracks, readings: Readings) -> tuple[Floats, Ints, Ints]:
    """How long each true entry took to be told, the zone of each, and the zones of those never told."""
    if not len(truth.tag):
        return np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    # What is said at the very end is still in time.
    until_us = np.full(len(truth.tag), readings.end_us + 1)
    same = truth.tag[1:] == truth.tag[:-1]
    until_us[:-1][same] = truth.at_us[1:][same]
    held = _holds(said, truth.tag, truth.at_us, truth.zone, readings)
    zones = len(readings.zone_ids) + 1
    order = np.lexsort((said.at_us, said.tag * zones + said.zone + 1))
    said_keys = readings.key((said.tag * zones + said.zone + 1)[order], said.at_us[order])
    true_in = truth.tag * zones + truth.zone + 1
    following = np.searchsorted(said_keys, readings.key(true_in, truth.at_us), side="left")
    told_us = np.full(len(truth.tag), np.iinfo(np.int64).max)
    found = following < len(order)
    rows = order[following[found]]
    right = (said.tag[rows] == truth.tag[found]) & (said.zone[rows] == truth.zone[found])
    told_us[np.flatnonzero(found)[right]] = said.at_us[rows[right]]
    told_us = np.where(held, truth.at_us, told_us)
    told = told_us < until_us
    # Where everything stands at the start is no transition, and what has just happened at the end may still be told.
    happened = truth.at_us > readings.start_us
    last = np.ones(len(truth.tag), dtype=bool)
    last[:-1] = ~same
    unfinished = ~told & last & (truth.at_us > readings.end_us - LATE_US)
    missed = happened & ~told & ~unfinished
    told &= happened
    return (told_us[told] - truth.at_us[told]) / US_PER_S, truth.zone[told], truth.zone[missed]


def _holds(said: Tracks, tag: Ints, at_us: Ints, zone: Ints, readings: Readings) -> Flags:
    """Whether the rule already said `zone` of `tag` at `at_us`."""
    rows = np.searchsorted(readings.key(said.tag, said.at_us), readings.key(tag, at_us), side="right") - 1
    known = rows >= 0
    known[known] = said.tag[rows[known]] == tag[known]
    now = np.full(len(tag), NOWHERE)
    now[known] = said.zone[rows[known]]
    return np.asarray(now == zone, dtype=np.bool_)
