"""Notices that cannot become a flood: what a bad cable does again and again is told at once, then counted. Pure."""

from typing import Final

from readers.model import Fault, ReaderNotice

TELL_EVERY_US: Final = 60_000_000
"""Each is an alert: a person wants to know that it goes on, not each time that it does."""


class NoticeBoard:
    """Of one connection; `take` gives what is due."""

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._told_us: dict[tuple[str, str], int] = {}
        self._held: dict[tuple[str, str], tuple[Fault, int]] = {}

    def note(self, fault: Fault, *, once: bool = False) -> None:
        """It has happened; `once`: in these words it is news only the first time."""
        key = (fault.kind, fault.text if once else "")
        if once and key in self._told_us:
            return
        _, count = self._held.get(key, (fault, 0))
        self._held[key] = (fault, count + 1)

    def take(self, now_us: int, *, everything: bool = False) -> list[ReaderNotice]:
        """One for each kind that has happened and was not told for long; `everything` at the end of the connection."""
        if not self._held:
            return []
        due = [
            key
            for key in self._held
            if everything or key not in self._told_us or now_us - self._told_us[key] >= TELL_EVERY_US
        ]
        notices = []
        for key in due:
            fault, count = self._held.pop(key)
            self._told_us[key] = now_us
            notices.append(ReaderNotice(self._reader, fault, count))
        return notices
