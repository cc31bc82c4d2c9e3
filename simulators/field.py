"""What a reader's antennas see: the seam between a simulated reader and the world around it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol


class Sighting(NamedTuple):
    """One tag answering once: EPC bytes and how many of their bits count, signal, moment (UTC us), channel from 1."""

    epc: bytes
    epc_bits: int
    rssi_dbm: int
    at_us: int
    channel: int


class Field(Protocol):
    """The tags in front of a reader."""

    def sightings(self, antenna: int, start_us: int, end_us: int) -> Iterable[Sighting]:
        """What `antenna` (from 1) sees while it transmits from `start_us` to `end_us`, in order of time."""


class FixedField:
    """The same tags in front of each antenna for ever, every one seen once in each step; for exact tests."""

    def __init__(self, tags: Mapping[int, Iterable[bytes]], rssi_dbm: int = -55) -> None:
        self._tags = {antenna: list(epcs) for antenna, epcs in tags.items()}
        self._rssi_dbm = rssi_dbm

    def sightings(self, antenna: int, start_us: int, end_us: int) -> Iterable[Sighting]:
        """Evenly spread over the step."""
        epcs = self._tags.get(antenna, [])
        for number, epc in enumerate(epcs):
            at_us = start_us + (end_us - start_us) * number // len(epcs)
            yield Sighting(epc, len(epc) * 8, self._rssi_dbm, at_us, 1)
