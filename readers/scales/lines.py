"""Bytes to lines, whatever their ends are. Pure."""

from typing import Final

from readers.scales.settings import MAX_LINE_BYTES

IDLE_US: Final = 1_000_000
"""A line is sent in one go; what is left of it after so long was the beginning of one that never came whole."""


NO_TEXT: Final = b"\x00\x11\x13"
"""NULs come with the power; XON and XOFF from scales whose flow control is on, between any two characters."""


class LineSplitter:
    """Lines end with CR, LF or both. Empty ones, and bytes that are no text, are passed over.

    The first line after opening is dropped: nothing says that its beginning was heard. `junk_bytes` counts what was
    dropped, but for that one.
    """

    def __init__(self) -> None:
        self.junk_bytes = 0
        self._pending = bytearray()
        self._last_us = 0
        self._is_first = True
        self._skips = False

    def feed(self, data: bytes, now_us: int) -> list[bytes]:
        """The whole lines that end in `data`, without their ends."""
        if self._pending and now_us - self._last_us >= IDLE_US:
            self._drop(len(self._pending))
        self._last_us = now_us
        *ended, rest = data.replace(b"\r", b"\n").split(b"\n")
        lines: list[bytes] = []
        for piece in ended:
            self._gather(piece)
            self._end_line(lines)
        self._gather(rest)
        return lines

    def _gather(self, piece: bytes) -> None:
        if self._skips:
            self.junk_bytes += len(piece)
        elif len(self._pending) + len(piece) > MAX_LINE_BYTES:
            self._drop(len(self._pending) + len(piece))
            self._skips = True
        else:
            self._pending += piece

    def _end_line(self, lines: list[bytes]) -> None:
        line = bytes(self._pending).translate(None, NO_TEXT)
        self._pending.clear()
        skipped, self._skips = self._skips, False
        if self._is_first:
            self._is_first = False
        elif line and not skipped:
            lines.append(line)

    def _drop(self, count: int) -> None:
        self._pending.clear()
        if not self._is_first:
            self.junk_bytes += count

    def trust(self) -> None:
        """The next line will be heard from its beginning."""
        self._is_first = False
        self._pending.clear()
