"""A capture on disk: appended block by block, and read again as far as it is whole."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from gateway.trace.capture import MAGIC, MAX_BLOCK_BYTES, BlockReader, Captured, CaptureError, EntryReader

# Enough that the disk is asked seldom.
PORTION_BYTES = 1 << 18


class CaptureFile:
    """A file that blocks are appended to. A torn end of an earlier life is cut off first; `cut` says how much."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, and CaptureError for a file that is something else or is damaged before its end."""
        self.cut = 0
        self._file: IO[bytes] = path.open("a+b", buffering=0)
        try:
            self._take_up(path)
        except BaseException:
            self._file.close()
            raise

    def _take_up(self, path: Path) -> None:
        self._file.seek(0)
        blocks = BlockReader()
        while data := self._file.read(PORTION_BYTES):
            with _told_of(path):
                for _ in blocks.feed(data):
                    pass
            if blocks.damaged and blocks.left > MAX_BLOCK_BYTES:
                text = f"{path}: is damaged at byte {blocks.good:,}, long before its end"
                raise CaptureError(text, "keep it, replay tells what is in it, and capture into another file")
        self.cut = blocks.left
        self._file.truncate(blocks.good)
        if not blocks.good:
            self.append(MAGIC)

    def append(self, block: bytes) -> None:
        """One whole block, handed to the system at once: what ends this process now cannot take it back."""
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


class Capture:
    """A capture to be read. After `entries` has ended, `left` counts the bytes behind the last whole block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks = BlockReader()
        self.left = 0

    @property
    def damaged(self) -> bool:
        """What is left is no block that was only begun."""
        return self._blocks.damaged

    @property
    def good(self) -> int:
        """Bytes that were read and are whole."""
        return self._blocks.good

    def entries(self, progress: Callable[[float], None] = lambda _: None) -> Iterator[Captured]:
        """What was captured, in order. Raises OSError and CaptureError."""
        reader = EntryReader()
        size = self._path.stat().st_size
        with self._path.open("rb") as file, _told_of(self._path):
            while data := file.read(PORTION_BYTES):
                for content in self._blocks.feed(data):
                    yield from reader.entries(content)
                    progress(self._blocks.good / size)
                if self._blocks.damaged:
                    break
        self.left = size - self._blocks.good


def is_capture(path: Path) -> bool:
    """Whether the file begins as a capture does, as far as it goes. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(len(MAGIC) - 2)
    return bool(head) and MAGIC.startswith(head)


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """What is wrong, with the name of the file."""
    try:
        yield
    except CaptureError as error:
        raise CaptureError(f"{path}: {error}", error.hint) from error
