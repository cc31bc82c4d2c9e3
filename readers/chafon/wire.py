"""Frames of Chafon's UHFReader18 and 288 families: no start byte, found by their CRC. Pure.

Host: `Len Adr Cmd data CRC(2)`; reader: `Len Adr reCmd Status data CRC(2)`. Len counts what follows it; the CRC is
CRC-16/MCRF4XX, low byte first, so that it is 0 over a whole frame.
"""

from binascii import crc_hqx
from typing import Final, NamedTuple

from readers.port.framing import FrameSearch

IDLE_US: Final = 20_000
"""A reader sends a frame in one go; a gap of this length ends whatever was begun."""

MIN_REPLY_LENGTH: Final = 5
MAX_DATA_BYTES: Final = 0xFF - 4

HEARTBEAT: Final = bytes.fromhex("560000000000")
"""What UHFReader18 says over TCP to show that it lives: no frame. As one it would answer command 0, which is none."""


_WHOLE: Final = bytes(2)
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc(data: bytes) -> bytes:
    """CRC-16/MCRF4XX as it stands on the wire; zeros over a frame that is whole.

    It is binascii's CRC with all bits the other way round: in C, for noise is looked at from each of its bytes on.
    """
    return crc_hqx(data.translate(_REVERSED), 0xFFFF).to_bytes(2, "big").translate(_REVERSED)


def encode(address: int, command: int, data: bytes = b"") -> bytes:
    """A command of ours."""
    frame = bytes((len(data) + 4, address, command)) + data
    return frame + crc(frame)


class Frame(NamedTuple):
    """What a reader has said."""

    address: int
    command: int
    status: int
    data: bytes


class FrameBuffer(FrameSearch[Frame]):
    """Frames of the readers of one line."""

    def _seek(self, data: bytes, at: int) -> int:
        return min(at, len(data))

    def _look(self, data: bytes, at: int) -> tuple[Frame | None, int | None]:
        if data[at] < MIN_REPLY_LENGTH:
            return None, 1
        beginning = data[at : at + len(HEARTBEAT)]
        if beginning == HEARTBEAT:
            return None, len(HEARTBEAT)
        end = at + data[at] + 1
        if len(data) < end:
            return None, None
        if crc(data[at:end]) != _WHOLE:
            return None, 1
        return Frame(data[at + 1], data[at + 2], data[at + 3], data[at + 4 : end - 2]), end - at
