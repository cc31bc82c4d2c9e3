"""Tallygate's own rule: the line as the daemon runs it, on recorded reads and recorded time."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from gateway.domain.params import DEFAULT_PROFILES, PROFILES, PresenceParams, Zone, ZoneKind
from gateway.domain.stock import StockRow
from gateway.evaluate.gondolas import Sample, bins_of, records_of, samples_of
from gateway.evaluate.readings import Readings
from gateway.evaluate.shelves import Watch, Word
from gateway.evaluate.tracks import NOWHERE, Tracks, tracks_of
from gateway.offline import OfflineLine
from simulators.recording import Recording


class Played(NamedTuple):
    """What the line said: of tags, of each bin, and the stock at the end."""

    tracks: Tracks
    words: list[Word]
    rows: list[StockRow]


@dataclass(frozen=True)
class Ours:
    """`presence` holds zone ids whose parameters are not those of their kind."""

    presence: Mapping[str, PresenceParams] = field(default_factory=dict)

    def __call__(self, readings: Readings) -> Tracks:
        return self.play(readings).tracks

    def play(self, readings: Readings) -> Played:
        """The whole day, shelves too, and what was said of both."""
        recording = readings.recording
        bins = [each for day in recording.weighing.days for each in bins_of(day.plan)]
        antennas = {(reader, port): zone for reader, port, zone in recording.antennas}
        antennas |= {(each.reader, channel): each.zone for each in bins for channel in each.channels}
        line = OfflineLine(
            self.zones(recording),
            antennas,
            start_us=recording.start_us,
            bins=bins,
            records=records_of(recording.weighing),
        )
        watch = Watch(line.shelves)
        _play(recording, line, watch.look)
        return Played(_tracks(readings, line), watch.words, list(line.stock))

    def zones(self, recording: Recording) -> list[Zone]:
        """The recording's zones, configured as those who leave the defaults alone have them."""
        kinds = {zone: ZoneKind(kind) for zone, kind in recording.zones.items()}
        return [
            Zone(zone, kind, self.presence.get(zone, PROFILES[DEFAULT_PROFILES[kind]])) for zone, kind in kinds.items()
        ]

    def __str__(self) -> str:
        return "defaults" if not self.presence else "given parameters"


def _tracks(readings: Readings, line: OfflineLine) -> Tracks:
    """Where the line said that each tag is, and when."""
    tag_of = {epc: tag for tag, epc in enumerate(readings.recording.epcs)}
    zone_of: dict[str | None, int] = {zone: number for number, zone in enumerate(readings.zone_ids)}
    zone_of[None] = NOWHERE
    return tracks_of((said.said_us, tag_of[_epc(said.key)], zone_of[said.zone]) for said in line.transitions)


def _epc(key: object) -> bytes:
    assert isinstance(key, bytes), "recorded EPCs are whole bytes"
    return key


class _Link(NamedTuple):
    """A reader, or one of its antennas, is up or down."""

    reader: str
    port: int | None
    up: bool


def _play(recording: Recording, line: OfflineLine, look: Callable[[int], None]) -> None:
    """Reads, samples, and what became of links and antennas, in the order in which they came in.

    `look` is called whenever a board has spoken.
    """
    links = [(at_us, _Link(reader, None, up)) for at_us, reader, up in recording.links]
    links += [(at_us, _Link(reader, port, up)) for at_us, reader, port, up in recording.antenna_events]
    links.sort(key=itemgetter(0))
    begin = 0
    happened: Iterable[tuple[int, _Link | list[Sample]]]
    happened = merge(links, samples_of(recording.weighing), key=itemgetter(0))
    for at_us, what in happened:
        end = int(np.searchsorted(recording.received_us, at_us))
        _feed(recording, line, begin, end)
        begin = max(begin, end)
        if isinstance(what, list):
            for sample in what:
                line.sample(sample)
            look(at_us)
        elif what.port is None:
            line.link(at_us, what.reader, connected=what.up)
        else:
            line.antenna(at_us, what.reader, what.port, up=what.up)
    _feed(recording, line, begin, len(recording.received_us))
    line.advance(recording.end_us)


def _feed(recording: Recording, line: OfflineLine, begin: int, end: int) -> None:
    """The reads of these rows."""
    antennas, epcs = recording.antennas, recording.epcs
    rows = slice(begin, end)
    line.reads(
        (received_us, taken_us, *antennas[antenna][:2], epcs[tag], dbm)
        for received_us, taken_us, antenna, tag, dbm in zip(
            recording.received_us[rows].tolist(),
            recording.taken_us[rows].tolist(),
            recording.antenna[rows].tolist(),
            recording.tag[rows].tolist(),
            recording.rssi_dbm[rows].tolist(),
            strict=True,
        )
    )
