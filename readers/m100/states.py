"""The life of a connection to an M100 module as one table: (state, event) -> (commands, next state). Pure data.

A pair that is absent cannot happen: session.py makes an answer only of what was asked, a timeout only of what is
awaited. Meeting one is an error of ours.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a connection is."""

    WAKING = "waking"
    IDENTIFYING = "identifying"
    CONFIGURING = "configuring"
    SWITCHING = "switching"
    SETTLING = "settling"
    POLLING = "polling"
    STOPPING = "stopping"
    RECOVERING = "recovering"
    RESTING = "resting"
    CLOSING = "closing"
    CLOSED = "closed"


class Event(StrEnum):
    """What can happen to it. ANSWERED: more steps follow; DONE: that was the last one."""

    ANSWERED = "answered"
    REFUSED = "refused"
    REJECTED = "rejected"
    DONE = "done"
    DUE = "due"
    TIMED_OUT = "timed_out"
    GAVE_UP = "gave_up"
    LOOKED = "looked"
    JAMMED = "jammed"
    SILENT = "silent"
    OUTDATED = "outdated"
    RESTED = "rested"
    ODD = "odd"
    FOREIGN = "foreign"
    REST = "rest"
    RESUME = "resume"
    STOP = "stop"


class Command(StrEnum):
    """What a session does about it."""

    SEND_STOP = "send_stop"
    ASK_IDENTITY = "ask_identity"
    CONFIGURE = "configure"
    SWITCH = "switch"
    SETTLE = "settle"
    ASK_NEXT = "ask_next"
    ASK_AGAIN = "ask_again"
    START_POLL = "start_poll"
    SEE = "see"
    JUDGE_TURN = "judge_turn"
    NEXT_ANTENNA = "next_antenna"
    TELL_CONNECTED = "tell_connected"
    TELL_RESTING = "tell_resting"
    NOTE = "note"
    FAIL = "fail"
    FAIL_SILENT = "fail_silent"


S, E, C = State, Event, Command
Step = tuple[tuple[Command, ...], State]

ASKING: Final = (S.IDENTIFYING, S.CONFIGURING, S.SWITCHING)
STOPS: Final = (S.STOPPING, S.RECOVERING)
OPEN: Final = tuple(state for state in S if state not in {S.CLOSING, S.CLOSED})

TABLE: Final[dict[tuple[State, Event], Step]] = {
    # At any time.
    **{(state, E.ODD): ((C.NOTE,), state) for state in S},
    **{(state, E.LOOKED): ((), state) for state in S},
    **{(state, E.JAMMED): ((), state) for state in S},
    **{(state, E.FOREIGN): ((C.FAIL,), S.CLOSED) for state in (S.WAKING, S.IDENTIFYING)},
    **{(state, E.FOREIGN): ((C.NOTE,), state) for state in S if state not in {S.WAKING, S.IDENTIFYING}},
    **{(state, E.STOP): ((C.SEND_STOP,), S.CLOSING) for state in OPEN},
    # A module that sleeps loses the first command, and one that a program has left polling must stop first.
    **{(S.WAKING, event): ((C.ASK_IDENTITY,), S.IDENTIFYING) for event in (E.DONE, E.REFUSED, E.TIMED_OUT)},
    **{(state, E.ANSWERED): ((C.ASK_NEXT,), state) for state in ASKING},
    **{(state, E.REFUSED): ((C.NOTE, C.ASK_NEXT), state) for state in ASKING},
    **{(state, E.REJECTED): ((C.FAIL,), S.CLOSED) for state in ASKING},
    **{(state, E.TIMED_OUT): ((C.ASK_AGAIN,), state) for state in (*ASKING, *STOPS)},
    **{(state, E.GAVE_UP): ((C.FAIL_SILENT,), S.CLOSED) for state in (*ASKING, *STOPS)},
    (S.IDENTIFYING, E.DONE): ((C.CONFIGURE,), S.CONFIGURING),
    (S.CONFIGURING, E.DONE): ((C.TELL_CONNECTED, C.SWITCH), S.SWITCHING),
    (S.CONFIGURING, E.RESTED): ((C.TELL_RESTING,), S.RESTING),
    (S.SWITCHING, E.DONE): ((C.SETTLE,), S.SETTLING),
    (S.SETTLING, E.DUE): ((C.START_POLL,), S.POLLING),
    # Each look proves that the module lives; nothing at all for a second, and it has forgotten us.
    (S.POLLING, E.LOOKED): ((C.SEE,), S.POLLING),
    (S.POLLING, E.JAMMED): ((C.NOTE,), S.POLLING),
    (S.POLLING, E.REFUSED): ((C.FAIL,), S.CLOSED),
    (S.POLLING, E.DUE): ((C.SEND_STOP,), S.STOPPING),
    (S.POLLING, E.SILENT): ((C.SEND_STOP,), S.RECOVERING),
    # What comes before the answer to the stop was seen by the antenna that had its turn.
    **{(state, E.LOOKED): ((C.SEE,), state) for state in STOPS},
    **{(state, E.REFUSED): ((C.JUDGE_TURN, C.NEXT_ANTENNA, C.CONFIGURE), S.CONFIGURING) for state in STOPS},
    (S.STOPPING, E.DONE): ((C.JUDGE_TURN, C.NEXT_ANTENNA, C.SWITCH), S.SWITCHING),
    (S.STOPPING, E.OUTDATED): ((C.JUDGE_TURN, C.NEXT_ANTENNA, C.CONFIGURE), S.CONFIGURING),
    (S.RECOVERING, E.DONE): ((C.JUDGE_TURN, C.NEXT_ANTENNA, C.CONFIGURE), S.CONFIGURING),
    # Turns among readers.
    **{(state, E.RESTED): ((C.JUDGE_TURN, C.TELL_RESTING), S.RESTING) for state in STOPS},
    (S.POLLING, E.REST): ((C.SEND_STOP,), S.STOPPING),
    (S.SETTLING, E.REST): ((C.TELL_RESTING,), S.RESTING),
    (S.RESTING, E.RESUME): ((C.CONFIGURE,), S.CONFIGURING),
    # The way out. What comes after the end is not heard.
    **{(S.CLOSING, event): ((), S.CLOSED) for event in (E.DONE, E.REFUSED, E.TIMED_OUT)},
    (S.CLOSING, E.STOP): ((), S.CLOSING),
    (S.CLOSED, E.STOP): ((), S.CLOSED),
}
