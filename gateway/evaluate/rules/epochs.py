"""Rules that look once an epoch: reads counted by epoch and tag, and tags switched on and off."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.rule import US_PER_S, Spans
from gateway.evaluate.tracks import Flags, Ints


class Epoch(NamedTuple):
    """`cells` were read in `hits` of the epoch's slots, at least one each; `end_us` is when that is known."""

    end_us: int
    cells: Ints
    hits: Ints


def epochs(readings: Readings, epoch_s: float, slots: int = 1, cell: Ints | None = None) -> Iterator[Epoch]:
    """All epochs of the recording in order, those without a read too; an epoch has `slots` interrogation cycles.

    Reads are counted by tag, or by what `cell` says of each.
    """
    cell = readings.tag if cell is None else cell
    cells = int(cell.max(initial=0)) + 1
    slot_us = round(epoch_s * US_PER_S) // slots
    epoch_us = slot_us * slots
    count = -(-(readings.end_us - readings.start_us) // epoch_us)
    slot = np.clip((readings.at_us - readings.start_us) // slot_us, 0, count * slots - 1)
    in_slot = np.unique(slot * cells + cell)
    in_epoch, hits = np.unique((in_slot // cells) // slots * cells + in_slot % cells, return_counts=True)
    bounds = np.searchsorted(in_epoch, np.arange(count + 1) * cells)
    found = in_epoch % cells
    for number in range(count):
        rows = slice(bounds[number], bounds[number + 1])
        yield Epoch(readings.start_us + (number + 1) * epoch_us, found[rows], hits[rows])


class Switches:
    """Collects when tags are switched on and off."""

    def __init__(self, tags: int) -> None:
        self._on = np.zeros(tags, dtype=bool)
        self._at: list[int] = []
        self._changed: list[Ints] = []

    def set(self, at_us: int, on: Flags) -> None:
        """From `at_us` on these tags count."""
        changed = np.flatnonzero(on != self._on)
        if len(changed):
            self._at.append(at_us)
            self._changed.append(changed)
            self._on = on.copy()

    def spans(self, end_us: int) -> Spans:
        """When each tag counted; what still counts does so to the end."""
        if not self._at:
            empty = np.zeros(0, dtype=np.int64)
            return Spans(empty, empty, empty)
        still = np.flatnonzero(self._on)
        tag = np.concatenate([*self._changed, still])
        sizes = [len(changed) for changed in self._changed]
        at_us = np.concatenate([np.repeat(self._at, sizes), np.full(len(still), end_us)])
        order = np.lexsort((at_us, tag))
        # A tag is switched on first, and then in turns.
        tag, at_us = tag[order], at_us[order]
        return Spans(tag[::2], at_us[::2], at_us[1::2])
