"""Whether an antenna still hears: a cable that was pulled, a reader that is frozen and does not say so.

An antenna that hears many tags many times a second does not fall silent because all of them were carried off within
the same few seconds. Such silence tells of the antenna, and none of its tags may be written off by it.
"""

from collections.abc import Mapping
from math import exp2, inf
from typing import Protocol

from gateway.domain.tags import TagKey
from gateway.domain.zones import LN2, US_PER_S, Antenna, LiveZone

# The rate of an antenna is that of the last while (half-life, s).
RATE_HALF_LIFE_S = 30.0
# It is looked at when it has been silent for this long (s), and so many reads should have come meanwhile.
SILENT_S = 5.0
SILENT_READS = 50.0
# So many tags, heard within this time (s) before the silence, do not leave together.
TOGETHER_TAGS = 8
TOGETHER_S = 10.0


class Heard(Protocol):
    """What an antenna has of one tag: when it last heard it."""

    last_us: int


class Ear:
    """One antenna. `reads` are those since the last look; `table` is what it has of each tag.

    From `due_us` on its silence is strange; infinite where it is known already, or none can be.
    """

    __slots__ = ("_rate", "antenna", "due_us", "heard_us", "reads", "table", "zone")

    def __init__(self, antenna: Antenna, zone: LiveZone, table: Mapping[TagKey, Heard], now_us: int) -> None:
        self.antenna = antenna
        self.zone = zone
        self.table = table
        self.reads = 0
        self.heard_us = now_us
        self.due_us = inf
        self._rate = 0.0

    @property
    def deaf(self) -> bool:
        """Its zone has been told that it is."""
        return self.antenna in self.zone.deaf

    def look(self, now_us: int) -> None:
        """After a tick: tells the zone when the antenna falls deaf, and when it hears again."""
        if self.reads:
            kept = exp2((self.heard_us - now_us) / US_PER_S / RATE_HALF_LIFE_S)
            rate = self._rate = self._rate * kept + self.reads * LN2 / RATE_HALF_LIFE_S
            self.reads = 0
            self.heard_us = now_us
            silent_s = SILENT_READS / rate
            self.due_us = now_us + int((silent_s if silent_s > SILENT_S else SILENT_S) * US_PER_S)
            if self.zone.deaf and self.deaf:
                self.zone.hear(self.antenna, deaf=False, now_us=now_us)
        elif self.antenna in self.zone.down or self.antenna in self.zone.clock.resting:
            self.due_us += now_us - self.heard_us
            self.heard_us = now_us
        elif now_us >= self.due_us:
            self.due_us = inf
            since_us = self.heard_us - int(TOGETHER_S * US_PER_S)
            if sum(cell.last_us >= since_us for cell in self.table.values()) >= TOGETHER_TAGS:
                self.zone.hear(self.antenna, deaf=True, now_us=now_us)
