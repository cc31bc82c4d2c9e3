"""True transitions and those that were said, matched: what was false, missed or late, and how long it took."""

from dataclasses import dataclass

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.tracks import NOWHERE, Floats, Ints, Tracks

US_PER_S = 1_000_000
# Whoever walks out through a door is out of its antenna's sight some seconds before he is out of the zone: what a rule
# says so much too early is not false.
EARLY_US = 30 * US_PER_S
# A transition that is told later than this is late: by then a customer who asked has been told wrong.
LATE_US = 60 * US_PER_S
NEVER_US = int(np.iinfo(np.int64).max)


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
    # Who has left, was taken for back and is let go again has not departed falsely: his return was false.
    here = _zone_at(truth, said.tag, said.at_us, readings) != NOWHERE
    delays_s, entered, missed_in = _delays(said, truth, readings)
    return Changes(
        true=int(np.count_nonzero(truth.at_us > readings.start_us)),
        late=int(np.count_nonzero(delays_s > LATE_US / US_PER_S)),
        false_departures=int(np.count_nonzero(false & here & (said.zone == NOWHERE))),
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
    told_us = told_at_us(said, truth, readings)
    told = told_us < until_us
    # Where everything stands at the start is no transition, and what has just happened at the end may still be told.
    happened = truth.at_us > readings.start_us
    last = np.ones(len(truth.tag), dtype=bool)
    last[:-1] = ~same
    unfinished = ~told & last & (truth.at_us > readings.end_us - LATE_US)
    missed = happened & ~told & ~unfinished
    told &= happened
    return (told_us[told] - truth.at_us[told]) / US_PER_S, truth.zone[told], truth.zone[missed]


def told_at_us(said: Tracks, truth: Tracks, readings: Readings) -> Ints:
    """When each true entry was first told, be it still true or not; at once where it had been said before.

    `NEVER_US` where it was not, though what is told may stand for a later entry into the same zone.
    """
    held = _zone_at(said, truth.tag, truth.at_us, readings) == truth.zone
    zones = len(readings.zone_ids) + 1
    order = np.lexsort((said.at_us, said.tag * zones + said.zone + 1))
    said_keys = readings.key((said.tag * zones + said.zone + 1)[order], said.at_us[order])
    true_in = truth.tag * zones + truth.zone + 1
    following = np.searchsorted(said_keys, readings.key(true_in, truth.at_us), side="left")
    told_us = np.full(len(truth.tag), NEVER_US)
    found = following < len(order)
    rows = order[following[found]]
    right = (said.tag[rows] == truth.tag[found]) & (said.zone[rows] == truth.zone[found])
    told_us[np.flatnonzero(found)[right]] = said.at_us[rows[right]]
    return np.where(held, truth.at_us, told_us)


def _zone_at(course: Tracks, tag: Ints, at_us: Ints, readings: Readings) -> Ints:
    """The zone of each of these tags at its moment, changes of that moment included."""
    rows = np.searchsorted(readings.key(course.tag, course.at_us), readings.key(tag, at_us), side="right") - 1
    known = rows >= 0
    known[known] = course.tag[rows[known]] == tag[known]
    now = np.full(len(tag), NOWHERE)
    now[known] = course.zone[rows[known]]
    return now
