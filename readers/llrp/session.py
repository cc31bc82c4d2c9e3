"""One LLRP connection from the reader's first event to its end: frames and the time in, bytes and events out. Pure.

What happens when is states.TABLE; this module tells which event a frame is, and carries out the commands. Answers
belong to requests by message id, whatever else arrives in between.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from readers.driver import ReaderError
from readers.llrp import faults
from readers.llrp.clock import SECOND_US, ReaderClock
from readers.llrp.control import (
    AddRoSpec,
    Answer,
    AntennaChange,
    BufferFill,
    CapabilitiesAnswer,
    CloseConnection,
    ConfigAnswer,
    ConnectionAttempt,
    ConnectionClosed,
    ConnectionStatus,
    DeleteAccessSpec,
    DeleteRoSpec,
    EnableEventsAndReports,
    EnableRoSpec,
    GetCapabilities,
    GetConfig,
    Happening,
    Keepalive,
    KeepaliveAck,
    Message,
    Notification,
    NotificationKind,
    ReaderException,
    Request,
    RoSpec,
    SetConfig,
    StartRoSpec,
    Status,
)
from readers.llrp.messages import decode, encode
from readers.llrp.picture import ReaderPicture
from readers.llrp.requests import ANSWER_KINDS
from readers.llrp.rospec import ROSPEC_ID, plan_rospec
from readers.llrp.settings import LlrpSettings
from readers.llrp.states import TABLE, Command, Event, State
from readers.llrp.wire import Frame, FrameError, MessageType
from readers.model import Fault, ReaderCondition, ReaderNotice, ReaderState

MISSED_KEEPALIVES: Final = 2
"""So many may be missed; half an interval more, and the link is lost."""

CLOSE_TIMEOUT_US: Final = SECOND_US
"""A reader that is well answers CLOSE_CONNECTION in milliseconds; a driver has two seconds to be gone."""


class UnexpectedEvent(Exception):  # noqa: N818 - an error of ours, named after what it reports
    """The table has no entry for this event in this state: a mistake of session.py, never the peer's doing."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event} in {state}")
        self.state = state
        self.event = event


@dataclass(frozen=True, slots=True)
class _Awaited:
    """What must come next, and by when: the answer to the one request that is out, or the connection event."""

    name: str
    until_us: int
    message_id: int = 0
    kind: MessageType = MessageType.READER_EVENT_NOTIFICATION


Cause = Message | Fault | None
"""What made an event: a message, a fault that a frame amounts to, or the passing of time."""


class Session:
    """The protocol of one connection; used once. Send and tell what it wants after every call.

    It is over when `state` is CLOSED; `fault` says why (None: because it was asked to). Call `tick` when
    `deadline_us` has come.
    """

    def __init__(self, reader: str, settings: LlrpSettings, now_us: int, address: str = "") -> None:
        self.state = State.AWAITING_EVENT
        self.fault: Fault | None = None
        self.clock = ReaderClock()
        self.stamps_are_utc = True
        self.picture = ReaderPicture(reader, address, settings.antennas)
        self._settings = settings
        self._now_us = self._heard_us = now_us
        self._watching = False
        self._next_id = 1
        self._awaited: _Awaited | None = _Awaited("the connection event", now_us + _us(settings.connect_timeout_s))
        self._rospec: RoSpec | None = None
        self._acks: list[bytes] = []
        self._sends: list[bytes] = []
        self._events: list[ReaderState | ReaderNotice] = []
        self._actions = self._bind_actions()
        self._requests = self._bind_requests()

    # What comes in

    def receive(self, frame: Frame, now_us: int) -> None:
        """Any frame but a report."""
        self.heard(now_us)
        self._step(*self._understand(frame))

    def heard(self, now_us: int) -> None:
        """Any message proves life."""
        self._now_us = self._heard_us = now_us

    def tick(self, now_us: int) -> None:
        """Let what is overdue happen."""
        self._now_us = now_us
        silent_at_us = self._silent_at_us
        if self._awaited is not None and now_us >= self._awaited.until_us:
            self._step(Event.TIMED_OUT, None)
        elif silent_at_us is not None and now_us >= silent_at_us:
            self._step(Event.SILENT, None)

    def close(self, now_us: int) -> None:
        """Begin to leave politely."""
        self._now_us = now_us
        self._step(Event.STOP, None)

    # What goes out

    @property
    def deadline_us(self) -> int | None:
        """When to call `tick` at the latest."""
        due = [self._silent_at_us, None if self._awaited is None else self._awaited.until_us]
        return min((moment for moment in due if moment is not None), default=None)

    def take_bytes(self) -> bytes:
        """What to send now; acknowledgements go first."""
        data = b"".join((*self._acks, *self._sends))
        self._acks.clear()
        self._sends.clear()
        return data

    def take_events(self) -> list[ReaderState | ReaderNotice]:
        """What to tell the gateway now."""
        events, self._events = self._events, []
        return events

    # Which event a frame is

    @property
    def _silent_at_us(self) -> int | None:
        if not self._watching:
            return None
        return self._heard_us + int(_us(self._settings.keepalive_s) * (MISSED_KEEPALIVES + 0.5))

    def _answers(self, kind: int, message_id: int) -> bool:
        awaited = self._awaited
        # Message id 0 is no request's: the connection event is awaited too, but answers nothing.
        return (
            awaited is not None
            and 0 < awaited.message_id == message_id
            and kind in {awaited.kind, MessageType.ERROR_MESSAGE}
        )

    def _understand(self, frame: Frame) -> tuple[Event, Cause]:
        try:
            message = decode(frame)
        except FrameError as error:
            if self._answers(frame.kind, frame.message_id):
                # The answer has come and cannot be read: to wait any longer for it is no use.
                status = Status(ok=False, code="undecodable", text=error.text)
                return Event.REFUSED, Answer(MessageType(frame.kind), frame.message_id, status)
            return Event.ODD, faults.undecodable(error)
        if isinstance(message, Keepalive):
            return Event.KEEPALIVE, message
        if isinstance(message, Notification):
            return self._understand_notification(message), message
        if isinstance(message, Answer):
            return self._understand_answer(message)
        return Event.ODD, faults.stray(message.kind, message.message_id)

    def _understand_notification(self, message: Notification) -> Event:
        if any(isinstance(happening, ConnectionClosed) for happening in message.happenings):
            return Event.CLOSED_BY_READER
        attempt = _find_attempt(message)
        if self.state is not State.AWAITING_EVENT or attempt is None:
            return Event.NOTIFIED
        return Event.ACCEPTED if attempt is ConnectionStatus.SUCCESS else Event.TURNED_AWAY

    def _understand_answer(self, message: Answer) -> tuple[Event, Cause]:
        if not self._answers(message.kind, message.message_id):
            return Event.ODD, faults.stray(message.kind, message.message_id, str(message.status))
        if not message.status.ok or message.kind is MessageType.ERROR_MESSAGE:
            return Event.REFUSED, message
        if isinstance(message, CapabilitiesAnswer):
            try:
                self._rospec = plan_rospec(self._settings, message.capabilities)
            except ReaderError as error:
                return Event.UNSUITED, error.fault
        return Event.ANSWERED, message

    # The table at work

    def _step(self, event: Event, cause: Cause) -> None:
        try:
            commands, following = TABLE[self.state, event]
        except KeyError:
            raise UnexpectedEvent(self.state, event) from None
        awaited = self._awaited
        for command in commands:
            request = self._requests.get(command)
            if request is None:
                self._actions[command](cause)
            else:
                self._ask(request())
        if following is not self.state and self._awaited is awaited:
            self._awaited = None
        self.state = following
        if following in {State.CLOSING, State.CLOSED}:
            self._watching = False
        if following is State.CLOSED:
            self._awaited = None

    def _ask(self, request: Request) -> None:
        message_id = self._send(request)
        closing = isinstance(request, CloseConnection)
        patience_us = CLOSE_TIMEOUT_US if closing else _us(self._settings.answer_timeout_s)
        kind = ANSWER_KINDS[type(request)]
        self._awaited = _Awaited(kind.name, self._now_us + patience_us, message_id, kind)

    def _send(self, request: Request) -> int:
        message_id = self._next_id
        self._next_id += 1
        self._sends.append(encode(request, message_id))
        return message_id

    def _bind_requests(self) -> Mapping[Command, Callable[[], Request]]:
        return {
            Command.ASK_CAPABILITIES: GetCapabilities,
            Command.ASK_CONFIG: GetConfig,
            Command.DELETE_ACCESSSPECS: DeleteAccessSpec,
            Command.DELETE_ROSPECS: DeleteRoSpec,
            Command.CONFIGURE: lambda: SetConfig(self._keepalive_ms, self._notifications()),
            Command.CONFIGURE_KEEPALIVE: lambda: SetConfig(self._keepalive_ms),
            Command.ADD: self._add_rospec,
            Command.ENABLE: lambda: EnableRoSpec(ROSPEC_ID),
            Command.START: lambda: StartRoSpec(ROSPEC_ID),
            Command.SEND_CLOSE: CloseConnection,
        }

    def _bind_actions(self) -> Mapping[Command, Callable[[Cause], None]]:
        return {
            Command.SEED_CLOCK: self._seed_clock,
            Command.LEARN_CAPABILITIES: self._learn_capabilities,
            Command.LEARN_ANTENNAS: self._learn_antennas,
            Command.WATCH: self._watch,
            Command.RELEASE_HELD: self._release_held,
            Command.ACKNOWLEDGE: self._acknowledge,
            Command.TELL_CONNECTED: lambda _: self._tell(ReaderCondition.CONNECTED),
            Command.TELL_READING: lambda _: self._tell(ReaderCondition.READING),
            Command.NOTE_HAPPENINGS: self._note_happenings,
            Command.NOTE_REFUSAL: self._note_refusal,
            Command.NOTE_ODD: self._note_odd,
            Command.FAIL_TURNED_AWAY: self._fail_turned_away,
            Command.FAIL_REJECTED: self._fail_rejected,
            Command.FAIL_UNSUITED: self._fail_unsuited,
            Command.FAIL_TIMEOUT: self._fail_timeout,
            Command.FAIL_SILENT: self._fail_silent,
            Command.FAIL_CLOSED_BY_READER: self._fail_closed_by_reader,
        }

    # Requests that depend on what is known

    @property
    def _keepalive_ms(self) -> int:
        return max(1, int(self._settings.keepalive_s * 1000))

    def _notifications(self) -> frozenset[NotificationKind]:
        wanted = {NotificationKind.ANTENNA, NotificationKind.READER_EXCEPTION}
        if self.picture.device is not None and self.picture.device.can_warn_buffer_fill:
            wanted.add(NotificationKind.BUFFER_FILL)
        return frozenset(wanted)

    def _add_rospec(self) -> AddRoSpec:
        assert self._rospec is not None  # planned when the capabilities were answered
        return AddRoSpec(self._rospec)

    # Commands

    def _seed_clock(self, cause: Cause) -> None:
        if isinstance(cause, Notification) and cause.stamp is not None:
            self.clock.seed(cause.stamp.us, self._now_us)
            self.stamps_are_utc = cause.stamp.utc

    def _learn_capabilities(self, cause: Cause) -> None:
        if isinstance(cause, CapabilitiesAnswer):
            self.picture.device = cause.capabilities

    def _learn_antennas(self, cause: Cause) -> None:
        if isinstance(cause, ConfigAnswer):
            self.picture.learn_antennas(cause.antennas)

    def _watch(self, _cause: Cause) -> None:
        self._watching = True

    def _release_held(self, _cause: Cause) -> None:
        if self.picture.device is not None and self.picture.device.can_hold:
            self._send(EnableEventsAndReports())

    def _acknowledge(self, cause: Cause) -> None:
        if isinstance(cause, Keepalive):
            self._acks.append(encode(KeepaliveAck(), cause.message_id))

    def _tell(self, condition: ReaderCondition) -> None:
        self.picture.condition = condition
        self._events.append(self.picture.state())

    def _note(self, fault: Fault) -> None:
        self._events.append(ReaderNotice(self.picture.reader, fault))

    def _note_happenings(self, cause: Cause) -> None:
        if isinstance(cause, Notification):
            for happening in cause.happenings:
                self._note_happening(happening)

    def _note_happening(self, happening: Happening) -> None:
        match happening:
            case AntennaChange(antenna, connected):
                if self.picture.learn_antennas({antenna: connected}):
                    self._tell(self.picture.condition)
            case ReaderException(text):
                self._note(faults.reader_exception(text))
            case BufferFill(percent):
                self._note(faults.reader_buffer(percent))
            case ConnectionAttempt(ConnectionStatus.ANOTHER_ATTEMPTED):
                self._note(faults.RIVAL_CLIENT)
            case ConnectionAttempt() | ConnectionClosed():
                pass

    def _note_refusal(self, cause: Cause) -> None:
        if isinstance(cause, Answer):
            self._note(faults.refused_setting(cause))

    def _note_odd(self, cause: Cause) -> None:
        if isinstance(cause, Fault):
            self._note(cause)

    def _fail_turned_away(self, cause: Cause) -> None:
        self.fault = faults.turned_away(_find_attempt(cause))

    def _fail_rejected(self, cause: Cause) -> None:
        if isinstance(cause, Answer):
            self.fault = faults.rejected(cause)

    def _fail_unsuited(self, cause: Cause) -> None:
        if isinstance(cause, Fault):
            self.fault = cause

    def _fail_timeout(self, _cause: Cause) -> None:
        if self._awaited is not None:
            self.fault = faults.overdue(self._awaited.name)

    def _fail_silent(self, _cause: Cause) -> None:
        self.fault = faults.silent((self._now_us - self._heard_us) / SECOND_US)

    def _fail_closed_by_reader(self, _cause: Cause) -> None:
        self.fault = faults.CLOSED_BY_READER


def _us(seconds: float) -> int:
    return int(seconds * SECOND_US)


def _find_attempt(cause: Cause) -> ConnectionStatus | None:
    if isinstance(cause, Notification):
        for happening in cause.happenings:
            if isinstance(happening, ConnectionAttempt):
                return happening.status
    return None
