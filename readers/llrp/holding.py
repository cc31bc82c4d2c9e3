"""What lets reads survive our restart, where sllurp has no codec: holding, and asking for ROSpecs. Pure.

A reader that holds keeps its reports from the end of one connection until ENABLE_EVENTS_AND_REPORTS on the next
(LLRP 1.0.1 section 12.2.6.4). Its ROSpec goes on meanwhile, so it is kept where it is still ours to the byte.
"""

from struct import Struct
from typing import Final

from readers.llrp.parameters import TLV_HEADER, ReportError, tlv_header
from readers.llrp.wire import FrameError

EVENTS_AND_REPORTS: Final = 226
LLRP_STATUS: Final = 287
ROSPEC: Final = 177
"""Parameter types, LLRP 1.0.1 section 16.2."""

ROSPEC_STATE: Final = Struct(">IBB")
"""ROSpecID, Priority, CurrentState: how a ROSpec begins behind its header (section 16.2.4.1)."""

STATE_AT: Final = TLV_HEADER.size + ROSPEC_STATE.size - 1

ACTIVE: Final = 2
"""ROSpecState, section 10.2.1: it is running."""


def pack_hold(*, hold: bool) -> bytes:
    """EventsAndReports: one flag in the highest bit of its one byte."""
    return TLV_HEADER.pack(EVENTS_AND_REPORTS, TLV_HEADER.size + 1) + bytes((hold << 7,))


def split_rospecs(body: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """(LLRPStatus, every ROSpec) of a GET_ROSPECS_RESPONSE, headers included; raises FrameError."""
    status = b""
    rospecs: list[bytes] = []
    at = 0
    while at < len(body):
        header = tlv_header(body, at, len(body))
        if isinstance(header, ReportError):
            raise FrameError(header.text, header.evidence, "check the reader's firmware")
        kind, end = header
        if kind == LLRP_STATUS:
            status = body[at:end]
        elif kind == ROSPEC:
            rospecs.append(body[at:end])
        at = end
    return status, tuple(rospecs)


def runs_unchanged(found: bytes, ours: bytes) -> bool:
    """Is the ROSpec `found` on a reader the one we would add, and running? Both with their headers."""
    if len(found) != len(ours) or len(found) <= STATE_AT or found[STATE_AT] != ACTIVE:
        return False
    return found[:STATE_AT] == ours[:STATE_AT] and found[STATE_AT + 1 :] == ours[STATE_AT + 1 :]
