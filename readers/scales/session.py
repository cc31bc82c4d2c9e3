"""What the connections to all scales have in common: lines in, samples, states and notices out. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from readers.model import Fault, InputSample, ReaderCondition, WeightCondition, WeightSample
from readers.port import faults as port_faults
from readers.port.measuring import MeasuringSession
from readers.scales import faults
from readers.scales.lines import LineSplitter
from readers.scales.readings import Reading
from readers.scales.settings import ScaleSettings

STUCK_US: Final = 20_000_000
STUCK_READINGS: Final = 100
"""A cell and its converter are never quiet: so often the same raw number for so long is a dead input."""


MOST_GREETING: Final = 20
"""Lines of nonsense that are kept: enough to show what was heard."""


@dataclass(slots=True)
class _Raw:
    """The raw number that a channel said last, since when, and how often."""

    value: int
    since_us: int
    times: int = 1


class ScaleSession(MeasuringSession, ABC):
    """One connection; see readers.port.link.Session. `known` is what the device on this port called itself before."""

    def __init__(self, reader: str, settings: ScaleSettings, known: str | None = None) -> None:
        super().__init__(reader, settings.address, settings.channels, settings.silence_s)
        # What the device has said it is, once it has.
        self.identity: str | None = None
        self.settings = settings
        self.splitter = LineSplitter()
        self.sense_us = 0
        self._known = settings.serial_number or known
        self._raw: dict[int, _Raw] = {}
        self._greeting: list[Fault] = []

    # What a kind of scale does in its own way

    def begin(self) -> None:
        """The port is open: ask, or only listen."""

    @abstractmethod
    def line(self, line: bytes) -> None:
        """A whole line has come."""

    def due(self) -> None:
        """Time has passed."""

    def next_due_us(self) -> int | None:
        """When `due` should be called; None: never."""
        return None

    def goodbye(self) -> bytes:
        """What leaves the device quiet."""
        return b""

    # What the link calls

    def start(self, now_us: int) -> None:
        self.now_us = self.sense_us = now_us
        self.begin()

    def receive(self, data: bytes, now_us: int) -> None:
        self.now_us = now_us
        for line in self.splitter.feed(data, now_us):
            if not self.is_over:
                self.line(line)
        if self.splitter.junk_bytes:
            self._odd(faults.noise(self.splitter.junk_bytes))
            self.splitter.junk_bytes = 0
        self._settle()

    def tick(self, now_us: int) -> None:
        self.now_us = now_us
        if not self.is_over:
            self.due()
            self._settle()

    def close(self, now_us: int) -> None:
        self.now_us = now_us
        self.send(self.goodbye())
        self.is_over = True

    @property
    def deadline_us(self) -> int | None:
        due = [
            moment for moment in (self.channels.deadline_us, self.next_due_us(), self._silent_us) if moment is not None
        ]
        return min(due)

    @property
    def _silent_us(self) -> int:
        return self.sense_us + round(self.settings.silence_s * 1e6)

    # What a kind of scale uses

    def sense(self) -> None:
        """The device has said something that makes sense."""
        self.sense_us = self.now_us
        if self.channels.condition is ReaderCondition.CONNECTING:
            self.channels.connect(self.now_us)
            self._greeting.clear()

    def identify(self, identity: str) -> bool:
        """The device says who it is; False, and it is over, where another one was expected."""
        expected = self._known or self.identity
        if expected is not None and identity != expected:
            self.end(port_faults.another_device(self.settings.address, expected, identity))
            return False
        self.identity = identity
        return True

    def end(self, fault: Fault) -> None:
        if not self.is_over:
            super().end(fault)
            for odd in self._greeting:
                self.notices.note(odd)

    def junk(self, line: bytes) -> None:
        """A line that means nothing."""
        self._odd(faults.junk(line, self.settings.dialect))

    def _odd(self, fault: Fault) -> None:
        """Boards greet before they weigh: until there is sense nonsense is kept, and told only if none comes."""
        if self.channels.condition is ReaderCondition.CONNECTING:
            self._greeting.append(fault)
            del self._greeting[:-MOST_GREETING]
        else:
            self.notices.note(fault)

    def tell_readings(self, readings: Iterable[Reading]) -> None:
        """Samples of what a line means."""
        self.sense()
        for reading in readings:
            channel = self.settings.channels[0] if reading.channel is None else reading.channel
            if not self.channels.heard(channel, self.now_us):
                self.notices.note(faults.strange_channel(channel), once=True)
            elif reading.is_input:
                self.tell(InputSample(self.reader, channel, self.now_us, reading.value))
            else:
                self._weigh(channel, reading)

    def _weigh(self, channel: int, reading: Reading) -> None:
        condition, grams, fault = reading.condition, reading.grams, reading.fault
        if fault is None and reading.raw is not None and self._is_stuck(channel, reading.raw):
            condition, grams, fault = WeightCondition.FAULT, None, faults.STUCK
        if fault is not None:
            self.notices.note(fault)
        self.tell(WeightSample(self.reader, channel, self.now_us, condition, grams))

    def _is_stuck(self, channel: int, raw: int) -> bool:
        last = self._raw.get(channel)
        if last is None or last.value != raw:
            self._raw[channel] = _Raw(raw, self.now_us)
            return False
        last.times += 1
        return last.times >= STUCK_READINGS and self.now_us - last.since_us >= STUCK_US

    def _settle(self) -> None:
        self.channels.tick(self.now_us)
        if self.now_us >= self._silent_us or self.channels.all_down:
            self.end(port_faults.silent(self.settings.address, self.settings.silence_s))
