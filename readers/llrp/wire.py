"""LLRP framing: bytes of a TCP stream in any cut, whole frames out. Pure.

LLRP 1.0.1 section 16.1: 3 reserved bits, 3 version bits, 10 type bits, a 32-bit length that counts the header too,
a 32-bit message id; then the body.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

HEADER = Struct(">HII")
HEADER_BYTES: Final = HEADER.size
RESERVED_MASK: Final = 0xE000
VERSION_SHIFT: Final = 10
VERSION_MASK: Final = 0x07
TYPE_MASK: Final = 0x03FF

LLRP_1_0_1: Final = 1
"""The version we send; a reader that speaks 1.1 (2) answers a client of 1.0.1 in kind."""

MAX_FRAME_BYTES: Final = 4 * 1024 * 1024
"""A report of 20,000 tags with every field enabled is 3 MB; what claims more is not a frame."""

READ_ROOM_BYTES: Final = 64 * 1024
"""Room offered to one socket read: a busy reader's quarter of a second, and the buffer's size at rest."""

EVIDENCE_BYTES: Final = 64
"""As much of the peer's bytes as an error carries."""


class MessageType(IntEnum):
    """LLRP 1.0.1 section 16.1 (names as there), with what 1.1 added."""

    GET_READER_CAPABILITIES = 1
    GET_READER_CONFIG = 2
    SET_READER_CONFIG = 3
    CLOSE_CONNECTION_RESPONSE = 4
    GET_READER_CAPABILITIES_RESPONSE = 11
    GET_READER_CONFIG_RESPONSE = 12
    SET_READER_CONFIG_RESPONSE = 13
    CLOSE_CONNECTION = 14
    ADD_ROSPEC = 20
    DELETE_ROSPEC = 21
    START_ROSPEC = 22
    STOP_ROSPEC = 23
    ENABLE_ROSPEC = 24
    DISABLE_ROSPEC = 25
    GET_ROSPECS = 26
    ADD_ROSPEC_RESPONSE = 30
    DELETE_ROSPEC_RESPONSE = 31
    START_ROSPEC_RESPONSE = 32
    STOP_ROSPEC_RESPONSE = 33
    ENABLE_ROSPEC_RESPONSE = 34
    DISABLE_ROSPEC_RESPONSE = 35
    GET_ROSPECS_RESPONSE = 36
    ADD_ACCESSSPEC = 40
    DELETE_ACCESSSPEC = 41
    ENABLE_ACCESSSPEC = 42
    DISABLE_ACCESSSPEC = 43
    GET_ACCESSSPECS = 44
    CLIENT_REQUEST_OP = 45
    GET_SUPPORTED_VERSION = 46
    SET_PROTOCOL_VERSION = 47
    ADD_ACCESSSPEC_RESPONSE = 50
    DELETE_ACCESSSPEC_RESPONSE = 51
    ENABLE_ACCESSSPEC_RESPONSE = 52
    DISABLE_ACCESSSPEC_RESPONSE = 53
    GET_ACCESSSPECS_RESPONSE = 54
    CLIENT_REQUEST_OP_RESPONSE = 55
    GET_SUPPORTED_VERSION_RESPONSE = 56
    SET_PROTOCOL_VERSION_RESPONSE = 57
    GET_REPORT = 60
    RO_ACCESS_REPORT = 61
    KEEPALIVE = 62
    READER_EVENT_NOTIFICATION = 63
    ENABLE_EVENTS_AND_REPORTS = 64
    KEEPALIVE_ACK = 72
    ERROR_MESSAGE = 100
    CUSTOM_MESSAGE = 1023


KNOWN_TYPES: Final = frozenset(int(kind) for kind in MessageType)


class FrameError(Exception):
    """The peer's bytes make no sense as LLRP; `evidence` is what they were, cut to 64 bytes."""

    def __init__(self, text: str, evidence: bytes, hint: str) -> None:
        self.text = text
        self.evidence = bytes(evidence[:EVIDENCE_BYTES])
        self.hint = hint
        super().__init__(f"{text} [{self.evidence.hex()}]; {hint}")


class NotLlrp(FrameError):  # noqa: N818 - it names what the peer is not, and it is a FrameError
    """Already the first bytes cannot be LLRP: something else listens there."""


class Frame(NamedTuple):
    """One message: `kind` is the 10-bit type (a MessageType where it is known), `body` all after the header."""

    kind: int
    message_id: int
    body: bytes
    version: int = LLRP_1_0_1


def pack_frame(frame: Frame) -> bytes:
    """The frame's bytes."""
    head = frame.version << VERSION_SHIFT | frame.kind
    return HEADER.pack(head, HEADER_BYTES + len(frame.body), frame.message_id) + frame.body


class FrameBuffer:
    """The receiving half of a connection, shaped for asyncio.BufferedProtocol: the socket writes straight into it.

    Holds less than one frame between updates. Once `broken` is set the stream cannot be followed any further (a
    length cannot be trusted, so neither can what comes after it): the frames before that point have been given
    out, and nothing more comes.
    """

    __slots__ = ("_buffer", "_end", "_first", "_start", "_view", "broken")

    def __init__(self) -> None:
        self._buffer = bytearray(READ_ROOM_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._first = True
        self.broken: FrameError | None = None

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that has begun and not ended."""
        return self._end - self._start

    def get_buffer(self, _sizehint: int = -1) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._start == self._end:
            self._start = self._end = 0
            if len(self._buffer) > READ_ROOM_BYTES:
                self._replace(READ_ROOM_BYTES)
        elif len(self._buffer) - self._end < READ_ROOM_BYTES // 2:
            pending = self._end - self._start
            if pending > len(self._buffer) // 2:
                self._replace(2 * len(self._buffer))
            else:  # copied through a bytes object: the two slices may overlap
                self._view[:pending] = bytes(self._view[self._start : self._end])
                self._start, self._end = 0, pending
        return self._view[self._end :]

    def _replace(self, size: int) -> None:
        pending = self._end - self._start
        grown = bytearray(size)
        grown[:pending] = self._view[self._start : self._end]
        self._buffer, self._view = grown, memoryview(grown)
        self._start, self._end = 0, pending

    def buffer_updated(self, nbytes: int) -> list[Frame]:
        """The frames that the newest `nbytes` completed, in order; look at `broken` afterwards."""
        frames: list[Frame] = []
        if self.broken is not None:
            return frames
        self._end += nbytes
        view, start, end = self._view, self._start, self._end
        unpack = HEADER.unpack_from
        while end - start >= HEADER_BYTES:
            head, length, message_id = unpack(view, start)
            kind = head & TYPE_MASK
            if (
                head & RESERVED_MASK
                or not HEADER_BYTES <= length <= MAX_FRAME_BYTES
                or (self._first and kind not in KNOWN_TYPES)
            ):
                self._start = start
                self._break(head, length)
                return frames
            self._first = False
            if end - start < length:
                break
            body = bytes(view[start + HEADER_BYTES : start + length])
            frames.append(Frame(kind, message_id, body, head >> VERSION_SHIFT & VERSION_MASK))
            start += length
        self._start = start
        if end > start and view[start] & RESERVED_MASK >> 8:
            self._break(view[start] << 8, HEADER_BYTES)
        return frames

    def _break(self, head: int, length: int) -> None:
        evidence = bytes(self._view[self._start : min(self._end, self._start + EVIDENCE_BYTES)])
        if self._first:
            self.broken = NotLlrp(
                "this is not an LLRP reader",
                evidence,
                "check address and port: LLRP listens on 5084 (TLS on 5085), and a web or serial port does not",
            )
        elif head & RESERVED_MASK:
            self.broken = FrameError(
                "a frame starts with reserved bits set", evidence, "the stream is out of step; reconnect"
            )
        else:
            self.broken = FrameError(
                f"a frame claims {length} bytes (allowed are {HEADER_BYTES} to {MAX_FRAME_BYTES})",
                evidence,
                "the stream is out of step; reconnect, and check the reader's firmware if it happens again",
            )


def feed(buffer: FrameBuffer, data: bytes) -> list[Frame]:
    """Put `data` through `buffer` as a socket would, in as many pieces as its room asks for."""
    frames: list[Frame] = []
    rest = memoryview(data)
    while rest:
        room = buffer.get_buffer()
        count = min(len(room), len(rest))
        room[:count] = rest[:count]
        frames += buffer.buffer_updated(count)
        rest = rest[count:]
    return frames
