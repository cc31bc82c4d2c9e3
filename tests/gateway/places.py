"""Zones without items: their antennas work, and their time is turned by hand."""

from gateway.domain.params import PresenceParams, Zone, ZoneKind
from gateway.domain.zones import US_PER_S, LiveZone


class Places:
    """Zones that are looked at, and their time."""

    def __init__(self, **params: PresenceParams) -> None:
        self.now_us = 0
        self.zones = {
            name: LiveZone(Zone(name, ZoneKind.SALES_FLOOR, presence), [(name, 1), (name, 2)], learning=False, now_us=0)
            for name, presence in params.items()
        }
        for zone in self.zones.values():
            for antenna in zone.antennas:
                zone.observe(antenna, working=True, now_us=0)

    def __getitem__(self, name: str) -> LiveZone:
        return self.zones[name]

    def turn(self, seconds: float) -> None:
        self.now_us += round(seconds * US_PER_S)
        for zone in self.zones.values():
            zone.advance(self.now_us)
