"""Writes and reads LLRP messages and parameters by their layouts; knows the encoding, not the meaning.

Encoding (LLRP 1.0.1, sections 15.1, 16.1 and 16.2): a message is 3 reserved bits, 3 bits of version, 10 of type, a
32-bit length that counts the whole message and a 32-bit id. A TV parameter has its high bit set, 7 bits of type and a
fixed size; a TLV parameter 6 reserved bits, 10 of type and a 16-bit length that counts its header.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from simulators.llrp.layouts import MESSAGES, PARAMETERS, Child, Layout
from simulators.llrp.names import MessageType, ParameterType, StatusCode

HEADER = struct.Struct(">HII")
TLV_HEADER = struct.Struct(">HH")
# A TLV type has 10 bits; types below 128 are written as TV.
_FIRST_TLV_TYPE = 128
# Larger than any message that a client has reason to send; a reader has no memory for more.
MAX_MESSAGE_BYTES = 1 << 20
# How much of a peer's bytes an error carries.
_EVIDENCE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Bits:
    """A string of `count` bits, left-aligned in `data`."""

    count: int
    data: bytes


Value = int | str | bytes | tuple[int, ...] | Bits


@dataclass(frozen=True, slots=True)
class Element:
    """A message's content or a parameter: fields by name, sub-parameters in order."""

    type: MessageType | ParameterType
    fields: Mapping[str, Value] = field(default_factory=dict)
    children: tuple["Element", ...] = ()

    def num(self, name: str) -> int:
        """An integer field."""
        value = self.fields[name]
        assert isinstance(value, int)
        return value

    def nums(self, name: str) -> tuple[int, ...]:
        """A vector field."""
        value = self.fields[name]
        assert isinstance(value, tuple)
        return value

    def maybe(self, kind: ParameterType) -> "Element | None":
        """The first sub-parameter of this type, if there is one."""
        return next((c for c in self.children if c.type is kind), None)

    def one(self, kind: ParameterType) -> "Element":
        """The sub-parameter of this type, where the layout demands one."""
        return next(c for c in self.children if c.type is kind)

    def every(self, kind: ParameterType) -> list["Element"]:
        """The sub-parameters of this type, in order."""
        return [c for c in self.children if c.type is kind]


def element(kind: MessageType | ParameterType, *children: Element, **fields: Value) -> Element:
    """An element written in one line."""
    return Element(kind, fields, children)


class Frame(NamedTuple):
    """One message as it came: header taken apart, body unread."""

    version: int
    type: int
    id: int
    body: bytes


class BadMessageError(Exception):
    """A message that cannot be followed; what is wrong, in the terms of LLRPStatus (section 14.2).

    `path` are the parameters that lead to the fault, outermost first; `field_num` counts fields from 0.
    """

    def __init__(
        self,
        code: StatusCode,
        text: str,
        *,
        path: tuple[int, ...] = (),
        field_num: int | None = None,
        evidence: bytes = b"",
    ) -> None:
        super().__init__(f"{code.name}: {text}")
        self.code, self.text, self.path, self.field_num = code, text, path, field_num
        self.evidence = evidence[:_EVIDENCE_BYTES]


class BadFrameError(Exception):
    """A length that cannot be: the stream has lost its frames and the connection is of no more use."""

    def __init__(self, text: str, evidence: bytes) -> None:
        super().__init__(f"{text}: {evidence[:_EVIDENCE_BYTES].hex()}")
        self.evidence = evidence[:_EVIDENCE_BYTES]


class Splitter:
    """Cuts a byte stream into frames; one for each connection."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Raises BadFrameError."""
        self._pending += data
        while len(self._pending) >= HEADER.size:
            head, length, message_id = HEADER.unpack_from(self._pending)
            if not HEADER.size <= length <= MAX_MESSAGE_BYTES:
                raise BadFrameError(f"message length {length}", bytes(self._pending))
            if len(self._pending) < length:
                return
            body = bytes(self._pending[HEADER.size : length])
            del self._pending[:length]
            yield Frame(head >> 10 & 7, head & 0x3FF, message_id, body)


def pack_message(content: Element, message_id: int, version: int = 1) -> bytes:
    """A whole message with its header."""
    assert isinstance(content.type, MessageType)
    return frame(content.type, message_id, _pack_content(content, MESSAGES[content.type]), version)


def frame(kind: MessageType, message_id: int, body: bytes, version: int = 1) -> bytes:
    """The header of `body` and `body`."""
    return HEADER.pack(version << 10 | kind, HEADER.size + len(body), message_id) + body


def pack_parameter(parameter: Element) -> bytes:
    """One parameter with its header, TV or TLV by its type."""
    assert isinstance(parameter.type, ParameterType)
    content = _pack_content(parameter, PARAMETERS[parameter.type])
    if parameter.type < _FIRST_TLV_TYPE:
        return bytes((0x80 | parameter.type,)) + content
    return TLV_HEADER.pack(parameter.type, TLV_HEADER.size + len(content)) + content


def read_message(received: Frame) -> Element:
    """The content of a frame. Raises BadMessageError."""
    try:
        kind = MessageType(received.type)
        shape = MESSAGES[kind]
    except (ValueError, KeyError):
        text = f"message type {received.type} is not supported"
        raise BadMessageError(StatusCode.M_UnsupportedMessage, text, evidence=received.body) from None
    return _read_content(kind, shape, received.body, ())


def read_parameter(data: bytes) -> Element:
    """The one parameter that `data` holds. Raises BadMessageError."""
    (found,) = _read_children(data, ())
    return found


def _pack_content(content: Element, shape: Layout) -> bytes:
    out = bytearray()
    bits, width = 0, 0
    for item in shape.fields:
        size = item.bits
        if size:
            value = content.fields[item.name] if item.name else 0
            if isinstance(value, bytes):
                value = int.from_bytes(value, "big")
            assert isinstance(value, int)
            bits, width = bits << size | value & (1 << size) - 1, width + size
            if width % 8 == 0:
                out += bits.to_bytes(width // 8, "big")
                bits, width = 0, 0
        else:
            out += _pack_vector(item.kind, content.fields[item.name])
    for child in content.children:
        out += pack_parameter(child)
    return bytes(out)


def _pack_vector(kind: str, value: Value) -> bytes:
    if isinstance(value, Bits):
        return value.count.to_bytes(2, "big") + value.data
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return value if kind == "rest" else len(value).to_bytes(2, "big") + value
    assert isinstance(value, tuple)
    size = int(kind[1:-1]) // 8
    return len(value).to_bytes(2, "big") + b"".join(item.to_bytes(size, "big") for item in value)


def _read_content(kind: MessageType | ParameterType, shape: Layout, data: bytes, path: tuple[int, ...]) -> Element:
    fields: dict[str, Value] = {}
    bit = 0
    whole = int.from_bytes(data, "big")
    for number, item in enumerate(shape.fields):
        size = item.bits
        if size:
            end = bit + size
            if end > len(data) * 8:
                raise _too_short(path, number, data)
            value: int = whole >> (len(data) * 8 - end) & (1 << size) - 1
            if item.kind[0] == "s" and value >> (size - 1):
                value -= 1 << size
            if item.name:
                fields[item.name] = value.to_bytes(size // 8, "big") if size > 64 else value
            bit = end
        else:
            value_v, used = _read_vector(item.kind, data[bit // 8 :])
            if used < 0:
                raise _too_short(path, number, data)
            fields[item.name] = value_v
            bit += used * 8
    children = tuple(_read_children(data[bit // 8 :], path))
    _check_children(shape.children, children, path, has_fields=bool(shape.fields))
    return Element(kind, fields, children)


def _read_vector(kind: str, data: bytes) -> tuple[Value, int]:
    """The value of a variable field and the bytes it took; -1 when `data` ends within it."""
    if kind == "rest":
        return data, len(data)
    count = int.from_bytes(data[:2], "big")
    width = {"u1v": 1, "utf8v": 8}.get(kind) or int(kind[1:-1])
    size = 2 + (count * width + 7) // 8
    if len(data) < size:
        return b"", -1
    body = data[2:size]
    if kind == "u1v":
        return Bits(count, body), size
    if kind == "utf8v":
        return body.decode("utf-8", "replace"), size
    if kind == "u8v":
        return body, size
    step = width // 8
    return tuple(int.from_bytes(body[i : i + step], "big") for i in range(0, len(body), step)), size


def _read_children(data: bytes, path: tuple[int, ...]) -> Iterator[Element]:
    at = 0
    while at < len(data):
        if data[at] & 0x80:
            number = data[at] & 0x7F
            start, end = at + 1, at + 1 + _tv_size(number)
        else:
            if len(data) - at < TLV_HEADER.size:
                raise BadMessageError(
                    StatusCode.P_ParameterError, "bytes behind the last parameter", path=path, evidence=data[at:]
                )
            number, length = TLV_HEADER.unpack_from(data, at)
            number &= 0x3FF
            start, end = at + TLV_HEADER.size, at + max(length, TLV_HEADER.size)
        if number not in PARAMETERS:
            raise BadMessageError(
                StatusCode.P_UnknownParameter,
                f"parameter type {number} is not known",
                path=(*path, number),
                evidence=data[at:],
            )
        if end > len(data):
            raise BadMessageError(
                StatusCode.P_ParameterError,
                f"parameter type {number} is longer than what holds it",
                path=(*path, number),
                evidence=data[at:],
            )
        kind = ParameterType(number)
        yield _read_content(kind, PARAMETERS[kind], data[start:end], (*path, number))
        at = end


def _tv_size(number: int) -> int:
    """Bytes of a TV parameter's content; TV parameters have fixed fields only."""
    if number not in PARAMETERS:
        return 0
    return sum(item.bits for item in PARAMETERS[ParameterType(number)].fields) // 8


def _check_children(
    places: tuple[Child, ...], children: tuple[Element, ...], path: tuple[int, ...], *, has_fields: bool
) -> None:
    allowed = {kind for place in places for kind in place.types}
    for child in children:
        if child.type not in allowed and (child.type is not ParameterType.Custom or not (places or has_fields)):
            text = f"{child.type.name} does not belong here"
            raise BadMessageError(StatusCode.P_UnexpectedParameter, text, path=(*path, int(child.type)))
    for place in places:
        found = sum(child.type in place.types for child in children)
        names = " or ".join(kind.name for kind in place.types)
        if found < place.least:
            text = f"{names} is missing"
            raise BadMessageError(StatusCode.P_MissingParameter, text, path=(*path, int(place.types[0])))
        if place.most is not None and found > place.most:
            text = f"{names} stands here {found} times"
            raise BadMessageError(StatusCode.P_DuplicateParameter, text, path=(*path, int(place.types[0])))


def _too_short(path: tuple[int, ...], field_num: int, data: bytes) -> BadMessageError:
    return BadMessageError(
        StatusCode.P_FieldError, f"the content ends in field {field_num}", path=path, field_num=field_num, evidence=data
    )
