"""Frames of the M100 family, found by length, checksum and end byte together. Pure.

`header type command length(2) payload checksum end`, numbers big-endian; the checksum is the low byte of the sum of
all from type to the last byte of the payload. Header and end byte stand in payloads too, and prove nothing alone.
"""

import re
from binascii import crc_hqx
from enum import Enum, IntEnum
from typing import Final, NamedTuple

from readers.port.framing import FrameSearch

MAX_PAYLOAD_BYTES: Final = 600
"""The longest answer is the user memory of a tag, some 500 bytes; a longer length is a header that is none."""

IDLE_US: Final = 50_000
"""Bytes of one frame follow each other within a USB adapter's 16 ms; a frame that waits longer may be none."""

OVERHEAD_BYTES: Final = 7
_LENGTH_END: Final = 5
_HEADERS: Final = re.compile(rb"[\xbb\xaa]")


class Form(Enum):
    """First and last byte of a frame; a module speaks one of these."""

    M100 = (0xBB, 0x7E)
    R200 = (0xAA, 0xDD)


class FrameType(IntEnum):
    """Who says it (protocol V2.3.3, section 2)."""

    COMMAND = 0
    RESPONSE = 1
    NOTIFICATION = 2


class Frame(NamedTuple):
    """A frame whose checksum is right."""

    kind: FrameType
    command: int
    payload: bytes
    form: Form


def encode(form: Form, command: int, payload: bytes = b"") -> bytes:
    """A command of ours."""
    header, end = form.value
    body = bytes((FrameType.COMMAND, command)) + len(payload).to_bytes(2, "big") + payload
    return bytes((header,)) + body + bytes((sum(body) & 0xFF, end))


class FrameBuffer(FrameSearch[Frame]):
    """Frames of a module.

    Both forms are taken until `form` is set. `foreign_frames` counts those of Phychips' RCP, which begins like the
    M100's and ends in a CRC.
    """

    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self.foreign_frames = 0

    def _seek(self, data: bytes, at: int) -> int:
        header = _HEADERS.search(data, at)
        return len(data) if header is None else header.start()

    def _length(self, data: bytes, at: int) -> int | None:
        """What the header at `at` promises; 1 where it is none, None where that cannot be told yet."""
        if self.form is not None and data[at] != self.form.value[0]:
            return 1
        if len(data) > at + 1 and data[at + 1] > FrameType.NOTIFICATION:
            return 1
        if len(data) < at + _LENGTH_END:
            return None
        payload_bytes = int.from_bytes(data[at + 3 : at + _LENGTH_END], "big")
        return payload_bytes + OVERHEAD_BYTES if payload_bytes <= MAX_PAYLOAD_BYTES else 1

    def _look(self, data: bytes, at: int) -> tuple[Frame | None, int | None]:
        length = self._length(data, at)
        if length is None or length == 1:
            return None, length
        if len(data) < at + length:
            return None, None
        form = Form.M100 if data[at] == Form.M100.value[0] else Form.R200
        body = data[at + 1 : at + length - 2]
        checksum, end = data[at + length - 2 : at + length]
        if end == form.value[1] and checksum == sum(body) & 0xFF:
            return Frame(FrameType(body[0]), body[1], body[4:], form), length
        if form is Form.M100 and checksum == form.value[1]:
            return self._look_for_rcp(data, at, length + 1)
        return None, 1

    def _look_for_rcp(self, data: bytes, at: int, length: int) -> tuple[None, int | None]:
        """Phychips' frame has its end byte where ours has the checksum, and two bytes of CRC behind it."""
        if len(data) < at + length:
            return None, None
        if crc_hqx(data[at + 1 : at + length], 0xFFFF):
            return None, 1
        self.foreign_frames += 1
        return None, length
