"""Control messages to frames and back, through sllurp's codec. Pure, and the only module that knows sllurp.

Three habits of that codec are kept behind this door: an encoder that does not know a parameter logs a warning,
leaves it out and returns a valid frame (here: an error); a decoder raises whatever its struct or dict raised (here:
a FrameError); and a parameter it fails on is set aside without a word (here: missing, hence an error where needed).
"""

import logging
import struct
from typing import Any, Final

from sllurp.llrp_proto import LLRPError, Message_struct, Param_struct

from readers.llrp.answers import ANSWER_KINDS, answer_of, notification_of, rospecs_answer_of
from readers.llrp.control import (
    Answer,
    GetReport,
    GetRoSpecs,
    Keepalive,
    Message,
    Request,
    RoSpecsAnswer,
    SetConfig,
    Unneeded,
)
from readers.llrp.encoders import ENCODERS, Encoder
from readers.llrp.holding import pack_hold, split_rospecs
from readers.llrp.impinj import extensions_answer
from readers.llrp.parameters import ReportError, tlv_header
from readers.llrp.requests import request_fields
from readers.llrp.wire import Frame, FrameError, MessageType, pack_frame

MAX_CONTROL_BYTES: Final = 128 * 1024
"""The largest real answer (an array's capabilities) is some 10 kB; the codec is quadratic in what it gets."""

MAX_PARAMETERS: Final = 4096
"""Parameters on the top level of a control message, for the same reason."""

CODEC_ERRORS: Final = (
    LLRPError,
    struct.error,
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)
"""What the codec's functions raise, or can, on bytes that lie and on values that do not fit."""

Fields = dict[str, Any]


class EncodeError(Exception):
    """A request could not be encoded completely: our mistake, never the reader's."""


class _Complaints(logging.Handler):
    """Keeps what the codec would only log, so that it is neither lost nor printed for every bad frame."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())

    def take(self) -> list[str]:
        heard, self.heard = self.heard, []
        return heard


def _install(name: str, encoder: Encoder) -> None:
    """Give the codec an encoder; what it knows of the parameter otherwise stays."""
    known: Fields = Param_struct.setdefault(name, {})
    known |= {"type": encoder.kind, "encode": lambda fields, _: encoder.encode(fields)}


for _name, _encoder in ENCODERS.items():
    _install(_name, _encoder)

_complaints = _Complaints()
_codec_log = logging.getLogger("sllurp.llrp_proto")
_codec_log.setLevel(logging.WARNING)
_codec_log.propagate = False
_codec_log.addHandler(_complaints)


def encode(request: Request, message_id: int) -> bytes:
    """The frame of `request`. Raises EncodeError when the codec left anything out."""
    kind, fields = request_fields(request)
    # What the codec cannot encode is packed here.
    body = b"" if isinstance(request, GetRoSpecs | GetReport) else encode_body(kind, fields)
    if isinstance(request, SetConfig) and request.hold is not None:
        body += pack_hold(hold=request.hold)
    return pack_frame(Frame(kind, message_id, body))


def encode_body(kind: MessageType, fields: Fields) -> bytes:
    """The body that the codec makes of its own dictionary form; raises EncodeError where it had to complain."""
    description = Message_struct[kind.name]
    _complaints.take()
    try:
        body: bytes = description["encode"](fields, description)
    except CODEC_ERRORS as error:
        raise EncodeError(f"{kind.name}: {error}") from error
    complaints = _complaints.take()
    if complaints:
        raise EncodeError(f"{kind.name}: {'; '.join(complaints)}")
    return body


def decode(frame: Frame) -> Message:
    """What a reader's frame says; raises FrameError where it cannot be understood.

    RO_ACCESS_REPORT is not for here (reports.py), and comes out as Unneeded like all else that a session ignores.
    """
    if frame.kind == MessageType.KEEPALIVE:
        return Keepalive(frame.message_id)
    if frame.kind == MessageType.CUSTOM_MESSAGE:
        return _decode_custom(frame)
    if frame.kind == MessageType.GET_ROSPECS_RESPONSE:
        return _rospecs(frame)
    if frame.kind != MessageType.READER_EVENT_NOTIFICATION and frame.kind not in ANSWER_KINDS:
        return Unneeded(frame.kind, frame.message_id)
    kind = MessageType(frame.kind)
    _check_parameters(frame)
    try:
        fields = dict(Message_struct[kind.name]["decode"](frame.body, kind.name))
        if kind is MessageType.READER_EVENT_NOTIFICATION:
            return notification_of(frame.message_id, fields)
        return answer_of(kind, frame.message_id, fields)
    except CODEC_ERRORS as error:
        raise _bad(frame, f"{type(error).__name__} {error}") from error
    finally:
        _complaints.take()


def _rospecs(frame: Frame) -> RoSpecsAnswer:
    """The codec knows no GET_ROSPECS_RESPONSE: it gets the status alone, as of an answer that is nothing more."""
    _check_parameters(frame)
    status, rospecs = split_rospecs(frame.body)
    kind = MessageType.DELETE_ROSPEC_RESPONSE.name
    try:
        return rospecs_answer_of(frame.message_id, dict(Message_struct[kind]["decode"](status, kind)), rospecs)
    except CODEC_ERRORS as error:
        raise _bad(frame, f"{type(error).__name__} {error}") from error
    finally:
        _complaints.take()


def _decode_custom(frame: Frame) -> Message:
    """The one CUSTOM_MESSAGE that answers us: it carries an LLRPStatus, as every answer does."""
    parameters = extensions_answer(frame.body)
    if parameters is None:
        return Unneeded(frame.kind, frame.message_id)
    answer = decode(Frame(MessageType.START_ROSPEC_RESPONSE, frame.message_id, parameters))
    return Answer(MessageType.CUSTOM_MESSAGE, frame.message_id, answer.status) if isinstance(answer, Answer) else answer


def _check_parameters(frame: Frame) -> None:
    """Whole parameters all the way, and not too many: the codec steps over lying lengths byte by byte."""
    if len(frame.body) > MAX_CONTROL_BYTES:
        raise _bad(frame, f"{len(frame.body)} bytes in a control message")
    at = count = 0
    while at < len(frame.body):
        header = tlv_header(frame.body, at, len(frame.body))
        if isinstance(header, ReportError):
            raise _bad(frame, header.text)
        at = header[1]
        count += 1
        if count > MAX_PARAMETERS:
            raise _bad(frame, f"over {MAX_PARAMETERS} parameters")


def _bad(frame: Frame, reason: str) -> FrameError:
    return FrameError(
        f"{MessageType(frame.kind).name} cannot be decoded: {reason}",
        frame.body,
        "check the reader's firmware; a capture shows the whole frame",
    )
