"""Frames of Chafon's UHFReader18 and 288 families: no start byte, found by their CRC. Pure.

Host: `Len Adr Cmd data CRC(2)`; reader: `Len Adr reCmd Status data CRC(2)`. Len counts what follows it; the CRC is
CRC-16/MCRF4XX, low byte first, so that it is 0 over a whole frame.
"""

from typing import Final, NamedTuple

from readers.port.framing import FrameSearch

IDLE_US: Final = 20_000
"""A reader sends a frame in one go; a gap of this length ends whatever was begun."""

MIN_REPLY_LENGTH: Final = 5
MAX_DATA_BYTES: Final = 0xFF - 4

HEARTBEAT: Final = bytes.fromhex("560000000000")
"""What UHFReader18 says over TCP to show that it lives: no frame. As one it would answer command 0, which is none."""


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = register >> 1 ^ 0x8408 if register & 1 else register >> 1
        table.append(register)
    return tuple(table)


_CRC_TABLE: Final = _table()


def crc(data: bytes) -> int:
    """CRC-16/MCRF4XX."""
    register = 0xFFFF
    for byte in data:
        register = register >> 8 ^ _CRC_TABLE[(register ^ byte) & 0xFF]
    return register


def encode(address: int, command: int, data: bytes = b"") -> bytes:
    """A command of ours."""
    frame = bytes((len(data) + 4, address, command)) + data
    return frame + crc(frame).to_bytes(2, "little")


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
        if crc(data[at:end]):
            return None, 1
        return Frame(data[at + 1], data[at + 2], data[at + 3], data[at + 4 : end - 2]), end - at
