"""A recording as the rules want it: its reads grouped by tag, its truth as tracks."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gateway.evaluate.tracks import NOWHERE, Ints, Tracks, tracks_of
from simulators.recording import Recording

T = TypeVar("T")


@dataclass(frozen=True)
class Readings:
    """The reads of a recording sorted by tag, then by the moment they were received.

    `zone` is that of the read's antenna. `first` holds the row of each tag's first read, and the number of rows at
    its end. `product` is the index of a tag's GTIN.
    """

    recording: Recording
    zone_ids: tuple[str, ...]
    zone_kinds: tuple[str, ...]
    antenna_zone: Ints
    product: Ints
    at_us: Ints
    taken_us: Ints
    tag: Ints
    antenna: Ints
    zone: Ints
    dbm: Ints
    first: Ints

    @classmethod
    def of(cls, recording: Recording) -> "Readings":
        """Sort a recording; the work is done once, however many rules follow."""
        order = np.argsort(recording.tag, kind="stable")
        zone_ids = tuple(recording.zones)
        index = {zone: number for number, zone in enumerate(zone_ids)}
        antenna_zone = np.array([index[zone] for _, _, zone in recording.antennas], dtype=np.int64)
        antenna = recording.antenna[order].astype(np.int64)
        tag = recording.tag[order].astype(np.int64)
        _, product = np.unique(np.array(recording.gtins, dtype=str), return_inverse=True)
        return cls(
            recording=recording,
            zone_ids=zone_ids,
            zone_kinds=tuple(str(recording.zones[zone]) for zone in zone_ids),
            antenna_zone=antenna_zone,
            product=product.astype(np.int64),
            at_us=recording.received_us[order].astype(np.int64),
            taken_us=recording.taken_us[order].astype(np.int64),
            tag=tag,
            antenna=antenna,
            zone=antenna_zone[antenna],
            dbm=recording.rssi_dbm[order].astype(np.int64),
            first=np.searchsorted(tag, np.arange(len(recording.epcs) + 1)),
        )

    @property
    def start_us(self) -> int:
        return self.recording.start_us

    @property
    def end_us(self) -> int:
        return self.recording.end_us

    @property
    def tags(self) -> int:
        return len(self.recording.epcs)

    def key(self, tag: Ints, at_us: Ints) -> Ints:
        """One number that sorts by tag and then by time; times beyond the recording count as its ends."""
        span_us = self.end_us - self.start_us + 2
        return tag * span_us + np.clip(at_us - self.start_us + 1, 0, span_us - 1)

    @cached_property
    def keys(self) -> Ints:
        """`key` of every read."""
        return self.key(self.tag, self.at_us)

    @cached_property
    def truth(self) -> Tracks:
        """Where every tag really is."""
        index = {zone: number for number, zone in enumerate(self.zone_ids)}
        return tracks_of(
            (at_us, tag, NOWHERE if zone is None else index[zone]) for at_us, tag, zone in self.recording.truth
        )

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made only once for this key: rules at several settings share most of their work."""
        if key not in self._made:
            self._made[key] = make()
        found: T = self._made[key]
        return found

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    @cached_property
    def first_of_tag(self) -> NDArray[np.bool_]:
        """Whether a read is its tag's first."""
        found = np.ones(len(self.tag), dtype=bool)
        found[1:] = self.tag[1:] != self.tag[:-1]
        return found
