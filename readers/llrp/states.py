"""The life of an LLRP connection as one table: (state, event) -> (commands, next state). Pure data.

A pair that is absent cannot happen: session.py makes an answer only of what was asked, a timeout only of what is
awaited. Meeting one is an error of ours.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a connection is."""

    AWAITING_EVENT = "awaiting_event"
    ASKING_CAPABILITIES = "asking_capabilities"
    ASKING_CONFIG = "asking_config"
    CLEARING_ACCESSSPECS = "clearing_accessspecs"
    CLEARING_ROSPECS = "clearing_rospecs"
    CONFIGURING = "configuring"
    CONFIGURING_KEEPALIVE = "configuring_keepalive"
    ADDING = "adding"
    ENABLING = "enabling"
    STARTING = "starting"
    READING = "reading"
    CLOSING = "closing"
    CLOSED = "closed"


class Event(StrEnum):
    """What can happen to it."""

    ACCEPTED = "accepted"
    TURNED_AWAY = "turned_away"
    ANSWERED = "answered"
    REFUSED = "refused"
    UNSUITED = "unsuited"
    KEEPALIVE = "keepalive"
    NOTIFIED = "notified"
    ODD = "odd"
    CLOSED_BY_READER = "closed_by_reader"
    TIMED_OUT = "timed_out"
    SILENT = "silent"
    STOP = "stop"


class Command(StrEnum):
    """What a session does about it."""

    SEED_CLOCK = "seed_clock"
    LEARN_CAPABILITIES = "learn_capabilities"
    LEARN_ANTENNAS = "learn_antennas"
    ASK_CAPABILITIES = "ask_capabilities"
    ASK_CONFIG = "ask_config"
    DELETE_ACCESSSPECS = "delete_accessspecs"
    DELETE_ROSPECS = "delete_rospecs"
    CONFIGURE = "configure"
    CONFIGURE_KEEPALIVE = "configure_keepalive"
    ADD = "add"
    ENABLE = "enable"
    START = "start"
    WATCH = "watch"
    RELEASE_HELD = "release_held"
    ACKNOWLEDGE = "acknowledge"
    SEND_CLOSE = "send_close"
    TELL_CONNECTED = "tell_connected"
    TELL_READING = "tell_reading"
    NOTE_HAPPENINGS = "note_happenings"
    NOTE_REFUSAL = "note_refusal"
    NOTE_ODD = "note_odd"
    FAIL_TURNED_AWAY = "fail_turned_away"
    FAIL_REJECTED = "fail_rejected"
    FAIL_UNSUITED = "fail_unsuited"
    FAIL_TIMEOUT = "fail_timeout"
    FAIL_SILENT = "fail_silent"
    FAIL_CLOSED_BY_READER = "fail_closed_by_reader"


S, E, C = State, Event, Command
Step = tuple[tuple[Command, ...], State]

LIVE: Final = tuple(state for state in S if state is not S.CLOSED)
OPEN: Final = tuple(state for state in LIVE if state is not S.CLOSING)
ASKING: Final = tuple(state for state in OPEN if state not in {S.AWAITING_EVENT, S.READING})
WATCHED: Final = (S.ADDING, S.ENABLING, S.STARTING, S.READING)
INDISPENSABLE: Final = (S.ASKING_CAPABILITIES, S.CONFIGURING_KEEPALIVE, S.ADDING, S.ENABLING, S.STARTING)
"""Where a refusal ends the connection; everywhere else it is noted, and the session goes on."""

TABLE: Final[dict[tuple[State, Event], Step]] = {
    # At any time.
    **{(state, E.KEEPALIVE): ((C.ACKNOWLEDGE,), state) for state in LIVE},
    **{(state, E.NOTIFIED): ((C.NOTE_HAPPENINGS,), state) for state in LIVE},
    **{(state, E.ODD): ((C.NOTE_ODD,), state) for state in LIVE},
    **{(state, E.CLOSED_BY_READER): ((C.FAIL_CLOSED_BY_READER,), S.CLOSED) for state in OPEN},
    **{(state, E.STOP): ((C.SEND_CLOSE,), S.CLOSING) for state in (*ASKING, S.READING)},
    **{(state, E.TIMED_OUT): ((C.FAIL_TIMEOUT, C.SEND_CLOSE), S.CLOSING) for state in ASKING},
    **{(state, E.SILENT): ((C.FAIL_SILENT, C.SEND_CLOSE), S.CLOSED) for state in WATCHED},
    **{(state, E.REFUSED): ((C.FAIL_REJECTED, C.SEND_CLOSE), S.CLOSING) for state in INDISPENSABLE},
    # The way in.
    (S.AWAITING_EVENT, E.ACCEPTED): ((C.SEED_CLOCK, C.ASK_CAPABILITIES), S.ASKING_CAPABILITIES),
    (S.AWAITING_EVENT, E.TURNED_AWAY): ((C.FAIL_TURNED_AWAY, C.SEND_CLOSE), S.CLOSED),
    (S.AWAITING_EVENT, E.TIMED_OUT): ((C.FAIL_TIMEOUT, C.SEND_CLOSE), S.CLOSED),
    (S.AWAITING_EVENT, E.STOP): ((C.SEND_CLOSE,), S.CLOSED),
    (S.ASKING_CAPABILITIES, E.ANSWERED): ((C.LEARN_CAPABILITIES, C.ASK_CONFIG), S.ASKING_CONFIG),
    (S.ASKING_CAPABILITIES, E.UNSUITED): ((C.FAIL_UNSUITED, C.SEND_CLOSE), S.CLOSING),
    (S.ASKING_CONFIG, E.ANSWERED): (
        (C.LEARN_ANTENNAS, C.TELL_CONNECTED, C.DELETE_ACCESSSPECS),
        S.CLEARING_ACCESSSPECS,
    ),
    (S.ASKING_CONFIG, E.REFUSED): (
        (C.NOTE_REFUSAL, C.TELL_CONNECTED, C.DELETE_ACCESSSPECS),
        S.CLEARING_ACCESSSPECS,
    ),
    (S.CLEARING_ACCESSSPECS, E.ANSWERED): ((C.DELETE_ROSPECS,), S.CLEARING_ROSPECS),
    (S.CLEARING_ACCESSSPECS, E.REFUSED): ((C.NOTE_REFUSAL, C.DELETE_ROSPECS), S.CLEARING_ROSPECS),
    (S.CLEARING_ROSPECS, E.ANSWERED): ((C.CONFIGURE,), S.CONFIGURING),
    (S.CLEARING_ROSPECS, E.REFUSED): ((C.NOTE_REFUSAL, C.CONFIGURE), S.CONFIGURING),
    (S.CONFIGURING, E.ANSWERED): ((C.WATCH, C.ADD), S.ADDING),
    (S.CONFIGURING, E.REFUSED): ((C.NOTE_REFUSAL, C.CONFIGURE_KEEPALIVE), S.CONFIGURING_KEEPALIVE),
    (S.CONFIGURING_KEEPALIVE, E.ANSWERED): ((C.WATCH, C.ADD), S.ADDING),
    (S.ADDING, E.ANSWERED): ((C.ENABLE,), S.ENABLING),
    (S.ENABLING, E.ANSWERED): ((C.START,), S.STARTING),
    (S.STARTING, E.ANSWERED): ((C.RELEASE_HELD, C.TELL_READING), S.READING),
    # The way out. What a peer says after the end is not heard.
    (S.CLOSING, E.ANSWERED): ((), S.CLOSED),
    (S.CLOSING, E.REFUSED): ((C.NOTE_REFUSAL,), S.CLOSED),
    (S.CLOSING, E.TIMED_OUT): ((), S.CLOSED),
    (S.CLOSING, E.CLOSED_BY_READER): ((), S.CLOSED),
    (S.CLOSING, E.STOP): ((), S.CLOSING),
    **{(S.CLOSED, event): ((), S.CLOSED) for event in (E.KEEPALIVE, E.NOTIFIED, E.ODD, E.CLOSED_BY_READER, E.STOP)},
}
