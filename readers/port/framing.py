"""Frames in a stream of bytes that may be hurt: by trial at each place, the first that adds up counts. Pure."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

FrameT = TypeVar("FrameT")


class FrameSearch(ABC, Generic[FrameT]):
    """Bytes in, whole frames out; what is none is passed over and counted in `junk_bytes`."""

    def __init__(self) -> None:
        self.junk_bytes = 0
        self._data = bytearray()

    @property
    def pending_bytes(self) -> int:
        """What may be the beginning of a frame."""
        return len(self._data)

    def feed(self, data: bytes) -> list[FrameT]:
        """The frames that `data` completes."""
        self._data += data
        return self._take(waiting=True)

    def idle(self) -> list[FrameT]:
        """Nothing has come for long: the frames behind a header that promised more than there is.

        What is incomplete even then is kept: the link may only be slow.
        """
        return self._take(waiting=False)

    @abstractmethod
    def _seek(self, data: bytes, at: int) -> int:
        """Where a frame may begin, from `at` on; `len(data)` where none does."""

    @abstractmethod
    def _look(self, data: bytes, at: int) -> tuple[FrameT | None, int | None]:
        """The frame at `at`, and how far to go on: 1 where there is none, None where that cannot be told yet."""

    def _take(self, *, waiting: bool) -> list[FrameT]:
        data, frames = bytes(self._data), []
        at = framed_bytes = 0
        incomplete_at: int | None = None
        while (at := self._seek(data, at)) < len(data):
            found, length = self._look(data, at)
            if length is None:
                incomplete_at = at if incomplete_at is None else incomplete_at
                if waiting:
                    break
            elif length > 1:
                incomplete_at = None
                framed_bytes += length
            if found is not None:
                frames.append(found)
            at += length or 1
        end = len(data) if incomplete_at is None else incomplete_at
        self.junk_bytes += end - framed_bytes
        del self._data[:end]
        return frames
