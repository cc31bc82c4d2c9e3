"""The life of an LLRP connection as one table: (state, event) -> (commands, next state). Pure data.

A pair that is absent cannot happen: there is an answer only to what was asked, a timeout only of what is awaited.
Meeting one is an error of ours.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a connection is."""

    AWAITING_EVENT = "awaiting_event"
    ASKING_CAPABILITIES = "asking_capabilities"
    ASKING_CONFIG = "asking_config"
    CONFIGURING = "configuring"
    CONFIGURING_EVENTS = "configuring_events"
    CONFIGURING_KEEPALIVE = "configuring_keepalive"
    CLEARING_ACCESSSPECS = "clearing_accessspecs"
    ASKING_ROSPECS = "asking_rospecs"
    CLEARING_ROSPECS = "clearing_rospecs"
    ADDING = "adding"
    ADDING_LESS = "adding_less"
    ENABLING = "enabling"
    STARTING = "starting"
    READING = "reading"
    RESTING = "resting"
    CLOSING = "closing"
    CLOSED = "closed"


class Event(StrEnum):
    """What can happen to it."""

    ACCEPTED = "accepted"
    TURNED_AWAY = "turned_away"
    ANSWERED = "answered"
    REFUSED = "refused"
    UNYIELDING = "unyielding"
    UNSUITED = "unsuited"
    ADOPTABLE = "adoptable"
    STOPPED = "stopped"
    KEEPALIVE = "keepalive"
    NOTIFIED = "notified"
    ODD = "odd"
    CLOSED_BY_READER = "closed_by_reader"
    TIMED_OUT = "timed_out"
    SILENT = "silent"
    STOP = "stop"
    UNDERWAY = "underway"
    ARMED = "armed"
    REST = "rest"
    RESUME = "resume"
    STARTED = "started"
    ENDED = "ended"
    ASIDE_ANSWERED = "aside_answered"
    ASIDE_REFUSED = "aside_refused"


class Command(StrEnum):
    """What a session does about it."""

    SEED_CLOCK = "seed_clock"
    LEARN_CAPABILITIES = "learn_capabilities"
    LEARN_ANTENNAS = "learn_antennas"
    ASK_CAPABILITIES = "ask_capabilities"
    ASK_CONFIG = "ask_config"
    CONFIGURE = "configure"
    CONFIGURE_EVENTS = "configure_events"
    CONFIGURE_KEEPALIVE = "configure_keepalive"
    DELETE_ACCESSSPECS = "delete_accessspecs"
    ASK_ROSPECS = "ask_rospecs"
    DELETE_ROSPECS = "delete_rospecs"
    ADD = "add"
    ENABLE = "enable"
    START = "start"
    WATCH = "watch"
    RELEASE_HELD = "release_held"
    ACKNOWLEDGE = "acknowledge"
    SEND_CLOSE = "send_close"
    TELL_CONNECTED = "tell_connected"
    TELL_READING = "tell_reading"
    TELL_RESTING = "tell_resting"
    START_TURN = "start_turn"
    STOP_TURN = "stop_turn"
    LEARN_ASIDE = "learn_aside"
    NOTE_HAPPENINGS = "note_happenings"
    NOTE_REFUSAL = "note_refusal"
    NOTE_LEFT_OUT = "note_left_out"
    NOTE_ODD = "note_odd"
    NOTE_LOSS = "note_loss"
    FAIL_TURNED_AWAY = "fail_turned_away"
    FAIL_REJECTED = "fail_rejected"
    FAIL_UNSUITED = "fail_unsuited"
    FAIL_TIMEOUT = "fail_timeout"
    FAIL_SILENT = "fail_silent"
    FAIL_STOPPED = "fail_stopped"
    FAIL_CLOSED_BY_READER = "fail_closed_by_reader"


S, E, C = State, Event, Command
Step = tuple[tuple[Command, ...], State]

LIVE: Final = tuple(state for state in S if state is not S.CLOSED)
OPEN: Final = tuple(state for state in LIVE if state is not S.CLOSING)
AT_WORK: Final = (S.READING, S.RESTING)
ASKING: Final = tuple(state for state in OPEN if state not in {S.AWAITING_EVENT, *AT_WORK})
CONFIGURINGS: Final = (S.CONFIGURING, S.CONFIGURING_EVENTS, S.CONFIGURING_KEEPALIVE)
ADDINGS: Final = (S.ADDING, S.ADDING_LESS)
WATCHED: Final = (
    S.CLEARING_ACCESSSPECS,
    S.ASKING_ROSPECS,
    S.CLEARING_ROSPECS,
    *ADDINGS,
    S.ENABLING,
    S.STARTING,
    *AT_WORK,
)
INDISPENSABLE: Final = (S.ASKING_CAPABILITIES, S.CONFIGURING_KEEPALIVE, S.ENABLING, S.STARTING)
"""Where a refusal ends the connection; everywhere else it is noted, and the session goes on."""

TABLE: Final[dict[tuple[State, Event], Step]] = {
    # At any time.
    **{(state, E.KEEPALIVE): ((C.ACKNOWLEDGE,), state) for state in LIVE},
    **{(state, E.NOTIFIED): ((C.NOTE_HAPPENINGS,), state) for state in LIVE},
    **{(state, E.ODD): ((C.NOTE_ODD,), state) for state in LIVE},
    **{(state, E.CLOSED_BY_READER): ((C.FAIL_CLOSED_BY_READER,), S.CLOSED) for state in OPEN},
    **{(state, E.STOP): ((C.SEND_CLOSE,), S.CLOSING) for state in (*ASKING, *AT_WORK)},
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
        (C.LEARN_ANTENNAS, C.TELL_CONNECTED, C.RELEASE_HELD, C.CONFIGURE),
        S.CONFIGURING,
    ),
    (S.ASKING_CONFIG, E.REFUSED): (
        (C.NOTE_REFUSAL, C.TELL_CONNECTED, C.RELEASE_HELD, C.CONFIGURE),
        S.CONFIGURING,
    ),
    # Less is asked for at each refusal; without keepalives a frozen reader could not be told from a quiet one.
    **{(state, E.ANSWERED): ((C.WATCH, C.DELETE_ACCESSSPECS), S.CLEARING_ACCESSSPECS) for state in CONFIGURINGS},
    (S.CONFIGURING, E.REFUSED): ((C.NOTE_REFUSAL, C.CONFIGURE_EVENTS), S.CONFIGURING_EVENTS),
    (S.CONFIGURING_EVENTS, E.REFUSED): ((C.NOTE_REFUSAL, C.CONFIGURE_KEEPALIVE), S.CONFIGURING_KEEPALIVE),
    (S.CLEARING_ACCESSSPECS, E.ANSWERED): ((C.ASK_ROSPECS,), S.ASKING_ROSPECS),
    (S.CLEARING_ACCESSSPECS, E.REFUSED): ((C.NOTE_REFUSAL, C.ASK_ROSPECS), S.ASKING_ROSPECS),
    # Held reports came before this answer. What still runs as we would have it is left to run: no read is lost.
    (S.ASKING_ROSPECS, E.ADOPTABLE): ((C.TELL_READING,), S.READING),
    (S.ASKING_ROSPECS, E.ANSWERED): ((C.NOTE_LOSS, C.DELETE_ROSPECS), S.CLEARING_ROSPECS),
    (S.ASKING_ROSPECS, E.REFUSED): ((C.NOTE_REFUSAL, C.DELETE_ROSPECS), S.CLEARING_ROSPECS),
    (S.CLEARING_ROSPECS, E.ANSWERED): ((C.ADD,), S.ADDING),
    (S.CLEARING_ROSPECS, E.REFUSED): ((C.NOTE_REFUSAL, C.ADD), S.ADDING),
    (S.ADDING, E.ANSWERED): ((C.ENABLE,), S.ENABLING),
    # As long as there is less that can be asked for, it is.
    (S.ADDING, E.REFUSED): ((C.NOTE_REFUSAL, C.ADD), S.ADDING_LESS),
    (S.ADDING_LESS, E.REFUSED): ((C.ADD,), S.ADDING_LESS),
    (S.ADDING_LESS, E.ANSWERED): ((C.NOTE_LEFT_OUT, C.ENABLE), S.ENABLING),
    **{(state, E.UNYIELDING): ((C.FAIL_REJECTED, C.SEND_CLOSE), S.CLOSING) for state in ADDINGS},
    (S.ENABLING, E.ANSWERED): ((C.START,), S.STARTING),
    (S.STARTING, E.ANSWERED): ((C.TELL_READING,), S.READING),
    (S.READING, E.STOPPED): ((C.NOTE_HAPPENINGS, C.FAIL_STOPPED, C.SEND_CLOSE), S.CLOSING),
    # Inventories that start by themselves, or at their turn.
    (S.ENABLING, E.UNDERWAY): ((C.TELL_READING,), S.READING),
    (S.ENABLING, E.ARMED): ((C.TELL_RESTING,), S.RESTING),
    (S.STARTING, E.ARMED): ((C.NOTE_REFUSAL, C.TELL_RESTING), S.RESTING),
    (S.READING, E.REST): ((C.STOP_TURN, C.TELL_RESTING), S.RESTING),
    (S.RESTING, E.RESUME): ((C.START_TURN, C.TELL_READING), S.READING),
    (S.RESTING, E.STARTED): ((C.NOTE_HAPPENINGS, C.TELL_READING), S.READING),
    (S.READING, E.ENDED): ((C.NOTE_HAPPENINGS, C.TELL_RESTING), S.RESTING),
    # Asked beside the way; a turn that cannot be started is worth a new connection.
    **{(state, E.ASIDE_ANSWERED): ((C.LEARN_ASIDE,), state) for state in S},
    **{(state, E.ASIDE_REFUSED): ((C.NOTE_REFUSAL,), state) for state in S},
    (S.READING, E.REFUSED): ((C.FAIL_REJECTED, C.SEND_CLOSE), S.CLOSING),
    # The way out. What a peer says after the end is not heard.
    (S.CLOSING, E.ANSWERED): ((), S.CLOSED),
    (S.CLOSING, E.REFUSED): ((C.NOTE_REFUSAL,), S.CLOSED),
    (S.CLOSING, E.TIMED_OUT): ((), S.CLOSED),
    (S.CLOSING, E.CLOSED_BY_READER): ((), S.CLOSED),
    (S.CLOSING, E.STOP): ((), S.CLOSING),
    **{(S.CLOSED, event): ((), S.CLOSED) for event in (E.KEEPALIVE, E.NOTIFIED, E.ODD, E.CLOSED_BY_READER, E.STOP)},
}
