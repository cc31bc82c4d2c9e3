"""Tallygate's own rule: the line as the daemon runs it, on recorded reads and recorded time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np

from gateway.domain.params import DEFAULT_PROFILES, PROFILES, PresenceParams, Zone, ZoneKind
from gateway.evaluate.readings import Readings
from gateway.evaluate.tracks import NOWHERE, Tracks, tracks_of
from gateway.offline import OfflineLine
from simulators.recording import Recording


@dataclass(frozen=True)
class Ours:
    """`presence` holds zone ids whose parameters are not those of their kind."""

    presence: Mapping[str, PresenceParams] = field(default_factory=dict)

    def __call__(self, readings: Readings) -> Tracks:
        recording = readings.recording
        line = OfflineLine(
            self.zones(recording),
            {(reader, port): zone for reader, port, zone in recording.antennas},
            start_us=recording.start_us,
        )
        _play(recording, line)
        tag_of = {epc: tag for tag, epc in enumerate(recording.epcs)}
        zone_of: dict[str | None, int] = {zone: number for number, zone in enumerate(readings.zone_ids)}
        zone_of[None] = NOWHERE
        return tracks_of((said.said_us, tag_of[_epc(said.key)], zone_of[said.zone]) for said in line.transitions)

    def zones(self, recording: Recording) -> list[Zone]:
        """The recording's zones, configured as those who leave the defaults alone have them."""
        kinds = {zone: ZoneKind(kind) for zone, kind in recording.zones.items()}
        return [
            Zone(zone, kind, self.presence.get(zone, PROFILES[DEFAULT_PROFILES[kind]])) for zone, kind in kinds.items()
        ]

    def __str__(self) -> str:
        return "defaults" if not self.presence else "given parameters"


def _epc(key: object) -> bytes:
    assert isinstance(key, bytes), "recorded EPCs are whole bytes"
    return key


def _play(recording: Recording, line: OfflineLine) -> None:
    """Reads, and what became of links and antennas, in the order in which they came in."""
    events: list[tuple[int, str, int | None, bool]] = [
        (at_us, reader, None, up) for at_us, reader, up in recording.links
    ]
    events += [(at_us, reader, port, up) for at_us, reader, port, up in recording.antenna_events]
    begin = 0
    for at_us, reader, port, up in sorted(events, key=itemgetter(0)):
        end = int(np.searchsorted(recording.received_us, at_us))
        _feed(recording, line, begin, end)
        begin = max(begin, end)
        if port is None:
            line.link(at_us, reader, connected=up)
        else:
            line.antenna(at_us, reader, port, up=up)
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
