"""Scales that say a line per weight, by themselves or when they are asked. Pure."""

from typing import Final

from readers.scales import faults, shelf_line
from readers.scales.dialects import LAYOUTS, Layout, LineReader, layout_of
from readers.scales.session import ScaleSession
from readers.scales.settings import Dialect, ScaleSettings
from readers.scales.shelf_line import MOST_LOST, SEQUENCE_NUMBERS, Told

MAX_RESTART_MS: Final = 2**31
"""Uptimes that go back by more have wrapped around; by less, the board has started anew."""


def layout(settings: ScaleSettings) -> Layout:
    """The layout of this scale's lines."""
    return LAYOUTS[settings.dialect] if settings.profile is None else layout_of(settings.profile)


class LineSession(ScaleSession):
    """A scale of one of `dialects`."""

    def __init__(self, reader: str, settings: ScaleSettings, known: str | None = None) -> None:
        super().__init__(reader, settings, known)
        self._layout = layout(settings)
        self._lines = LineReader(self._layout, settings.unit)
        self._ask_us: int | None = None

    def begin(self) -> None:
        if self.settings.poll_s is not None:
            self._ask()

    def _ask(self) -> None:
        self.send(self._layout.request)
        self._ask_us = self.now_us + round((self.settings.poll_s or 0) * 1e6)

    def due(self) -> None:
        if self._ask_us is not None and self.now_us >= self._ask_us:
            self._ask()

    def next_due_us(self) -> int | None:
        return self._ask_us

    def line(self, line: bytes) -> None:
        readings = self._lines.read(line)
        if readings is None:
            self.junk(line)
        else:
            self.tell_readings(readings)


class ShelfLineSession(ScaleSession):
    """A board that speaks shelf-line."""

    def __init__(self, reader: str, settings: ScaleSettings, known: str | None = None) -> None:
        super().__init__(reader, settings, known)
        self._last: Told | None = None

    def line(self, line: bytes) -> None:
        told = shelf_line.read_line(line)
        if told is None:
            self.junk(line)
            return
        if told.board != self.identity and not self.identify(told.board):
            return
        self._follow(told)
        for words in told.complaints:
            self.notices.note(faults.scale_error(words))
        self.tell_readings(told.readings)

    def _follow(self, told: Told) -> None:
        """Were lines lost, or has the board started anew?"""
        last, self._last = self._last, told
        if last is None:
            return
        if last.uptime_ms is not None and told.uptime_ms is not None:
            back_ms = last.uptime_ms - told.uptime_ms
            if 0 < back_ms < MAX_RESTART_MS:
                self.notices.note(faults.REBOOTED)
                return
        step = (told.sequence - last.sequence) % SEQUENCE_NUMBERS
        if 1 < step <= MOST_LOST:
            self.notices.note(faults.lines_lost(step - 1))
        elif step > MOST_LOST:
            self.notices.note(faults.REBOOTED)


def session_of(reader: str, settings: ScaleSettings, known: str | None) -> ScaleSession:
    """The session of a scale that says lines."""
    kind = ShelfLineSession if settings.dialect is Dialect.SHELF_LINE else LineSession
    return kind(reader, settings, known)
