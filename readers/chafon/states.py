"""The life of a connection to a Chafon reader as one table: (state, event) -> (commands, next state). Pure data.

A pair that is absent cannot happen: session.py makes an answer only of what was asked, a timeout only of what is
awaited. Meeting one is an error of ours.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a connection is."""

    IDENTIFYING = "identifying"
    NAMING = "naming"
    QUIETING = "quieting"
    SETTING = "setting"
    CHECKING = "checking"
    LOOKING = "looking"
    LISTENING = "listening"
    PINGING = "pinging"
    RESTING = "resting"
    CLOSED = "closed"


class Event(StrEnum):
    """What can happen to it. PUSHED: the reader reports by itself; UNTAMED: and cannot be told not to."""

    ANSWERED = "answered"
    REFUSED = "refused"
    REJECTED = "rejected"
    DONE = "done"
    UNCHANGED = "unchanged"
    DUE = "due"
    TIMED_OUT = "timed_out"
    GAVE_UP = "gave_up"
    MORE = "more"
    LOOKED = "looked"
    LOOK_FAILED = "look_failed"
    PUSHED = "pushed"
    UNTAMED = "untamed"
    ODD = "odd"
    REST = "rest"
    RESUME = "resume"
    STOP = "stop"


class Command(StrEnum):
    """What a session does about it."""

    ASK_INFO = "ask_info"
    ASK_SERIAL = "ask_serial"
    ASK_QUIET = "ask_quiet"
    ASK_CHANGES = "ask_changes"
    ASK_NEXT = "ask_next"
    ASK_AGAIN = "ask_again"
    ASK_LOOK = "ask_look"
    LISTEN = "listen"
    SEE = "see"
    MISS = "miss"
    NEXT_ANTENNA = "next_antenna"
    TELL_CONNECTED = "tell_connected"
    TELL_RESTING = "tell_resting"
    NOTE = "note"
    FAIL = "fail"
    FAIL_SILENT = "fail_silent"


S, E, C = State, Event, Command
Step = tuple[tuple[Command, ...], State]

OPEN: Final = tuple(state for state in S if state is not S.CLOSED)
ASKING: Final = (S.IDENTIFYING, S.NAMING, S.QUIETING, S.SETTING, S.CHECKING, S.PINGING)
ANSWERING: Final = (S.NAMING, S.SETTING, S.CHECKING, S.LOOKING, S.RESTING)
"""Where a reader that reports by itself is met in the wrong mode."""

TABLE: Final[dict[tuple[State, Event], Step]] = {
    # At any time.
    **{(state, E.ODD): ((C.NOTE,), state) for state in S},
    **{(state, E.STOP): ((), S.CLOSED) for state in S},
    **{(state, E.TIMED_OUT): ((C.ASK_AGAIN,), state) for state in ASKING},
    **{(state, E.GAVE_UP): ((C.FAIL_SILENT,), S.CLOSED) for state in ASKING if state is not S.NAMING},
    # The way in. Command 21 is answered in every work mode.
    (S.IDENTIFYING, E.ANSWERED): ((C.ASK_SERIAL,), S.NAMING),
    **{(state, E.REJECTED): ((C.FAIL,), S.CLOSED) for state in OPEN},
    (S.NAMING, E.ANSWERED): ((C.TELL_CONNECTED, C.ASK_CHANGES), S.SETTING),
    # Not every reader has a number; one that does not even say so may be reporting by itself, to an empty field.
    (S.NAMING, E.REFUSED): ((C.TELL_CONNECTED, C.ASK_CHANGES), S.SETTING),
    (S.NAMING, E.GAVE_UP): ((C.ASK_QUIET,), S.QUIETING),
    (S.SETTING, E.ANSWERED): ((C.ASK_NEXT,), S.SETTING),
    (S.SETTING, E.DONE): ((C.ASK_INFO,), S.CHECKING),
    (S.SETTING, E.UNCHANGED): ((C.ASK_LOOK,), S.LOOKING),
    (S.CHECKING, E.ANSWERED): ((C.ASK_LOOK,), S.LOOKING),
    # Looking.
    (S.LOOKING, E.MORE): ((C.SEE,), S.LOOKING),
    (S.LOOKING, E.LOOKED): ((C.SEE, C.NEXT_ANTENNA, C.ASK_LOOK), S.LOOKING),
    (S.LOOKING, E.LOOK_FAILED): ((C.MISS, C.NOTE, C.NEXT_ANTENNA, C.ASK_LOOK), S.LOOKING),
    # Whoever was away may be another one now, or have been restarted.
    (S.LOOKING, E.TIMED_OUT): ((C.MISS, C.NEXT_ANTENNA, C.ASK_INFO), S.IDENTIFYING),
    # A reader that reports by itself is told once to answer instead, for that is written to its flash.
    (S.IDENTIFYING, E.PUSHED): ((), S.IDENTIFYING),
    (S.QUIETING, E.PUSHED): ((), S.QUIETING),
    (S.CLOSED, E.PUSHED): ((), S.CLOSED),
    **{(state, E.PUSHED): ((C.ASK_QUIET,), S.QUIETING) for state in ANSWERING},
    **{(state, E.UNTAMED): ((C.LISTEN, C.SEE), S.LISTENING) for state in (*ANSWERING, S.QUIETING)},
    (S.QUIETING, E.ANSWERED): ((C.ASK_SERIAL,), S.NAMING),
    (S.LISTENING, E.PUSHED): ((C.SEE,), S.LISTENING),
    (S.PINGING, E.PUSHED): ((C.SEE,), S.PINGING),
    (S.LISTENING, E.DUE): ((C.ASK_INFO,), S.PINGING),
    (S.PINGING, E.ANSWERED): ((C.LISTEN,), S.LISTENING),
    # Turns among readers.
    (S.LOOKING, E.REST): ((C.TELL_RESTING,), S.RESTING),
    (S.RESTING, E.RESUME): ((C.ASK_LOOK,), S.LOOKING),
}
