"""Who has dialled in: the first words with a reader that opened the connection itself. Pure.

The reader speaks first (ConnectionAttemptEvent, LLRP 1.0.1 section 11.1.2); it is then asked for its Identification
(GET_READER_CONFIG, sections 12.1.1 and 12.2.2). What it said otherwise is kept for whoever takes over.
"""

from enum import IntEnum
from ipaddress import IPv6Address, ip_address
from struct import Struct
from typing import Final

from readers.llrp.parameters import ReportError, tlv_header
from readers.llrp.wire import Frame, FrameBuffer, MessageType, feed, pack_frame

MAX_INTRODUCTION_BYTES: Final = 4 * 1024 * 1024
"""What a reader may say before it has told who it is: the reports that it kept come first, 66,000 from some models."""

QUESTION_ID: Final = 0xFFFF_FFFE
"""The message id of our question; the session that takes over counts its own from 1."""

QUESTION = Struct(">HBHH")
IDENTIFICATION_HEAD = Struct(">BH")
IDENTIFICATION: Final = 218
ASK_IDENTIFICATION: Final = 1


class IdType(IntEnum):
    """How a reader names itself, LLRP 1.0.1 section 12.2.2."""

    EUI64 = 0
    EPC = 1


def address_identity(host: str) -> str:
    """`ip:ADDRESS` of a peer; an IPv4 address that came through an IPv6 socket is itself."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return f"ip:{address.ipv4_mapped}"
    return f"ip:{address}"


class Introduction:
    """Fed what a reader says until `done` or `failed`; `asks` is False where its address tells enough.

    `identity` is what it calls itself (`eui64:HEX`, `epc:HEX`), None where it does not say.
    """

    def __init__(self, *, asks: bool) -> None:
        self.done = False
        self.failed = ""
        self.identity: str | None = None
        self._asks = asks
        self._asked = False
        self._frames = FrameBuffer()
        self._said: list[Frame] = []
        self._tail = b""
        self._heard_bytes = 0

    def receive(self, data: bytes) -> bytes:
        """What to answer."""
        self._heard_bytes += len(data)
        self._tail += data
        answer = b""
        for frame in feed(self._frames, data):
            answer += self._hear(frame)
        pending = self._frames.pending_bytes
        self._tail = self._tail[len(self._tail) - pending :]
        if self._frames.broken is not None:
            self.failed = self._frames.broken.text
        elif self._heard_bytes > MAX_INTRODUCTION_BYTES and not self.done:
            self.failed = (
                f"it sent {self._heard_bytes} bytes and did not say who it is (identity = ip:... asks nothing)"
            )
        return answer

    @property
    def replay(self) -> bytes:
        """All that the reader said, but for the answer to our question."""
        return b"".join(map(pack_frame, self._said)) + self._tail

    def _hear(self, frame: Frame) -> bytes:
        if self._asked and frame.message_id == QUESTION_ID and frame.kind in _ANSWERS:
            self.identity = _identity(frame.body)
            self.done = True
            return b""
        self._said.append(frame)
        if self._asked or frame.kind != MessageType.READER_EVENT_NOTIFICATION:
            return b""
        self._asked = self._asks
        self.done = not self._asks
        if not self._asks:
            return b""
        body = QUESTION.pack(0, ASK_IDENTIFICATION, 0, 0)
        return pack_frame(Frame(MessageType.GET_READER_CONFIG, QUESTION_ID, body))


_ANSWERS: Final = frozenset({MessageType.GET_READER_CONFIG_RESPONSE, MessageType.ERROR_MESSAGE})


def _identity(body: bytes) -> str | None:
    """The Identification among the parameters of an answer; None where there is none that can be read."""
    at = 0
    while at < len(body):
        header = tlv_header(body, at, len(body))
        if isinstance(header, ReportError):
            return None
        kind, end = header
        value = body[at + 4 : end]
        if kind == IDENTIFICATION and len(value) > IDENTIFICATION_HEAD.size:
            id_type, count = IDENTIFICATION_HEAD.unpack_from(value)
            name = value[IDENTIFICATION_HEAD.size :][:count]
            if id_type in set(IdType) and len(name) == count > 0:
                return f"{IdType(id_type).name.lower()}:{name.hex()}"
            return None
        at = end
    return None
