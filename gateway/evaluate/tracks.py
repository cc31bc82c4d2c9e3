"""Where every tag is over time, as the truth has it or as a rule says it: the one form that all scoring works on."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NOWHERE = -1
"""The zone of a tag that is in none."""


class Tracks(NamedTuple):
    """Changes of place, sorted by tag and then by time: at `at_us` (UTC microseconds) `tag` came into `zone`.

    Tags and zones are indices; before its first entry, and after one to `NOWHERE`, a tag is nowhere.
    """

    at_us: Ints
    tag: Ints
    zone: Ints


class Levels(NamedTuple):
    """Counts without names: from `at_us` on so many items of `product` are said to be in `zone`; before that none."""

    at_us: Ints
    product: Ints
    zone: Ints
    quantity: Floats


class Stays(NamedTuple):
    """The time that tags spend in zones, [from_us, to_us) each."""

    tag: Ints
    zone: Ints
    from_us: Ints
    to_us: Ints


def tracks(at_us: Ints, tag: Ints, zone: Ints) -> Tracks:
    """Sorts changes given in any order (of one moment: in the order in which they happened); drops what repeats."""
    at_us, tag, zone = (np.asarray(column, dtype=np.int64) for column in (at_us, tag, zone))
    order = np.lexsort((at_us, tag))
    at_us, tag, zone = at_us[order], tag[order], zone[order]
    # Of several words at one moment the last one counts.
    last = np.ones(len(tag), dtype=bool)
    last[:-1] = (tag[1:] != tag[:-1]) | (at_us[1:] != at_us[:-1])
    at_us, tag, zone = at_us[last], tag[last], zone[last]
    first = np.ones(len(tag), dtype=bool)
    first[1:] = tag[1:] != tag[:-1]
    news = np.where(first, zone != NOWHERE, True)
    news[1:] &= first[1:] | (zone[1:] != zone[:-1])
    return Tracks(at_us[news], tag[news], zone[news])


def tracks_of(rows: Iterable[tuple[int, int, int]]) -> Tracks:
    """Tracks from rows of (at_us, tag, zone)."""
    table = np.array(list(rows), dtype=np.int64).reshape(-1, 3)
    return tracks(table[:, 0], table[:, 1], table[:, 2])


def stays(course: Tracks, start_us: int, end_us: int) -> Stays:
    """The stays in zones within [start_us, end_us)."""
    until = np.full(len(course.tag), end_us, dtype=np.int64)
    same = course.tag[1:] == course.tag[:-1]
    until[:-1][same] = course.at_us[1:][same]
    from_us = np.clip(course.at_us, start_us, end_us)
    to_us = np.clip(until, start_us, end_us)
    real = (course.zone != NOWHERE) & (from_us < to_us)
    return Stays(course.tag[real], course.zone[real], from_us[real], to_us[real])
