"""One LLRP connection from the reader's first event to its end: frames and the time in, bytes and events out. Pure.

What happens when is states.TABLE; interpreter.py tells which event a frame is, and this module carries out the
commands.
"""

from collections.abc import Callable, Mapping
from typing import Final

from readers.llrp import faults
from readers.llrp.clock import SECOND_US, ReaderClock
from readers.llrp.control import (
    Answer,
    CapabilitiesAnswer,
    CloseConnection,
    ConfigAnswer,
    DeleteAccessSpec,
    DeleteRoSpec,
    EnableEventsAndReports,
    EnableRoSpec,
    GetCapabilities,
    GetConfig,
    GetRoSpecs,
    Keepalive,
    Notification,
    NotificationKind,
    Request,
    RoSpecsAnswer,
    SetConfig,
    StartRoSpec,
)
from readers.llrp.interpreter import Interpreter, Situation
from readers.llrp.inventory import OwnInventory
from readers.llrp.outbox import Outbox
from readers.llrp.picture import ReaderPicture
from readers.llrp.requests import ANSWER_KINDS
from readers.llrp.rospec import ROSPEC_ID
from readers.llrp.settings import LlrpSettings
from readers.llrp.sideline import Sideline
from readers.llrp.states import AT_WORK, TABLE, Command, Event, State
from readers.llrp.verdicts import VERDICTS, Cause, Circumstances
from readers.llrp.waiting import Waiting
from readers.llrp.wire import Frame
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


class Session:
    """The protocol of one connection; used once. Send and tell what it wants after every call.

    It is over when `state` is CLOSED; `fault` says why (None: because it was asked to). Call `tick` when
    `deadline_us` has come. `left_running`: an earlier connection left our ROSpec at work on this reader. A session that
    `frees` the reader leaves it idle when it is closed (`freed`).
    """

    def __init__(
        self, reader: str, settings: LlrpSettings, now_us: int, address: str = "", *, left_running: bool = False
    ) -> None:
        self.state = State.AWAITING_EVENT
        self.fault: Fault | None = None
        self.clock = ReaderClock()
        self.stamps_are_utc = True
        self.picture = ReaderPicture(reader, address, settings.antennas)
        self.frees = not settings.hold
        self.freed = False
        self._settings = settings
        self._now_us = self._heard_us = self._reported_us = self._said_us = now_us
        self._watching = False
        self._left_running = left_running
        self._abandoned_id = 0
        self._inventory = OwnInventory()
        self._outbox = Outbox()
        self._sideline = Sideline(settings, self._outbox, now_us)
        self._interpreter = Interpreter(settings, self._inventory, self._outbox, self._sideline)
        self._awaited: Waiting | None = Waiting("the connection event", now_us, _us(settings.connect_timeout_s))
        self._events: list[ReaderState | ReaderNotice] = []
        self._actions = self._bind_actions()
        self._requests = self._bind_requests()

    # What comes in

    def receive(self, frame: Frame, now_us: int, said_us: int | None = None) -> None:
        """Any frame but a report. `said_us`: when it came, where it has waited for us."""
        self.heard(now_us)
        self._said_us = now_us if said_us is None else said_us
        situation = Situation(self.state, self._awaited, self._abandoned_id, self.picture.inputs, now_us)
        self._step(*self._interpreter.read(frame, situation))

    def heard(self, now_us: int) -> None:
        """Any message proves life."""
        self._now_us = self._heard_us = now_us

    def reported(self, now_us: int) -> None:
        """Reports have come; what is waited for may be behind more of them."""
        self._reported_us = now_us

    def tick(self, now_us: int) -> None:
        """Let what is overdue happen."""
        self._now_us = now_us
        if self.state in AT_WORK:
            self._sideline.tick(now_us)
        if _is_due(self._awaited_until_us, now_us):
            self._step(Event.TIMED_OUT, None)
        elif _is_due(self._silent_at_us, now_us):
            self._step(Event.SILENT, None)
        elif _is_due(self._stopped_at_us, now_us):
            self._step(Event.STOPPED, None)

    def close(self, now_us: int) -> None:
        """Begin to leave politely."""
        self._now_us = now_us
        self._sideline.lamps.darken()
        self._light()
        if self.frees and self.state in (State.ENABLING, State.STARTING, *AT_WORK):
            self._outbox.aside(DeleteRoSpec(ROSPEC_ID))
            self.freed = True
        self._step(Event.STOP, None)

    def rest(self, now_us: int) -> None:
        """Another reader has its turn: do not inventory until `resume`; may come at any time."""
        self._now_us, self._inventory.rests = now_us, True
        self._take_turn()

    def resume(self, now_us: int) -> None:
        """It is this reader's turn."""
        self._now_us, self._inventory.rests = now_us, False
        self._take_turn()

    def signal(self, port: int, now_us: int, *, high: bool) -> None:
        """Switch an output, now or as soon as the reader is connected."""
        self._now_us = now_us
        self._sideline.lamps.show(port, high=high)
        if self.state in AT_WORK:
            self._light()

    # What goes out

    @property
    def deadline_us(self) -> int | None:
        """When to call `tick` at the latest."""
        due = [
            self._silent_at_us,
            self._awaited_until_us,
            self._stopped_at_us,
            self._sideline.due_us if self.state in AT_WORK else None,
        ]
        return min((moment for moment in due if moment is not None), default=None)

    def take_bytes(self) -> bytes:
        """What to send now; acknowledgements go first."""
        return self._outbox.take_bytes()

    def take_events(self) -> list[ReaderState | ReaderNotice]:
        """What to tell the gateway now."""
        events, self._events = self._events, []
        return events

    @property
    def _silent_at_us(self) -> int | None:
        if not self._watching:
            return None
        return self._heard_us + int(_us(self._settings.keepalive_s) * (MISSED_KEEPALIVES + 0.5))

    @property
    def _awaited_until_us(self) -> int | None:
        return None if self._awaited is None else self._awaited.due_us(self._reported_us)

    @property
    def _stopped_at_us(self) -> int | None:
        return self._inventory.overdue_us if self.state is State.READING else None

    # The table at work

    def _step(self, event: Event, cause: Cause) -> None:
        try:
            commands, following = TABLE[self.state, event]
        except KeyError:
            raise UnexpectedEvent(self.state, event) from None
        awaited = self._awaited
        for command in commands:
            if command in VERDICTS:
                self.fault = VERDICTS[command](cause, self._circumstances())
            elif command in self._requests:
                self._ask(self._requests[command]())
            else:
                self._actions[command](cause)
        if following is not self.state and self._awaited is awaited:
            self._awaited = None
        self.state = following
        if following in {State.CLOSING, State.CLOSED}:
            self._watching = False
        if following is State.CLOSED:
            self._awaited = None
        if commands and commands[-1] is Command.TELL_READING:
            self._take_turn()

    def _circumstances(self) -> Circumstances:
        device = self.picture.device
        return Circumstances(
            awaited="" if self._awaited is None else self._awaited.name,
            silence_s=(self._now_us - self._heard_us) / SECOND_US,
            max_rospecs=0 if device is None else device.max_rospecs,
        )

    def _take_turn(self) -> None:
        """Start or stop where that is due: a turn is told at any time, and may have to wait until there is one."""
        ours = self._inventory
        if ours.rests and self.state is State.READING:
            self._step(Event.REST, None)
        elif not ours.rests and self.state is State.RESTING and not ours.boundary.watched:
            self._step(Event.RESUME, None)

    def _ask(self, request: Request) -> None:
        message_id = self._outbox.send(request)
        closing = isinstance(request, CloseConnection)
        if closing and self._awaited is not None:
            # Its answer may be under way, and is no longer of interest.
            self._abandoned_id = self._awaited.message_id
        patience_us = CLOSE_TIMEOUT_US if closing else _us(self._settings.answer_timeout_s)
        kind = ANSWER_KINDS[type(request)]
        self._awaited = Waiting(kind.name, self._now_us, patience_us, message_id, kind, hurried=closing)

    def _bind_requests(self) -> Mapping[Command, Callable[[], Request]]:
        return {
            Command.ASK_CAPABILITIES: GetCapabilities,
            Command.ASK_CONFIG: GetConfig,
            Command.CONFIGURE: lambda: self._configuration(hold=self._settings.hold if self._can_hold else None),
            Command.CONFIGURE_EVENTS: self._configuration,
            Command.CONFIGURE_KEEPALIVE: lambda: SetConfig(self._keepalive_ms),
            Command.DELETE_ACCESSSPECS: DeleteAccessSpec,
            Command.ASK_ROSPECS: GetRoSpecs,
            Command.DELETE_ROSPECS: DeleteRoSpec,
            Command.ADD: self._inventory.add,
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
            Command.TELL_READING: lambda _: self._tell_reading(resting=False),
            Command.TELL_RESTING: lambda _: self._tell_reading(resting=True),
            Command.START_TURN: lambda _: self._outbox.aside(StartRoSpec(ROSPEC_ID)),
            Command.STOP_TURN: lambda _: self._outbox.aside(self._inventory.stop()),
            Command.LEARN_ASIDE: self._learn_aside,
            Command.NOTE_HAPPENINGS: self._note_happenings,
            Command.NOTE_REFUSAL: self._note_refusal,
            Command.NOTE_LEFT_OUT: self._note_left_out,
            Command.NOTE_ODD: self._note_odd,
            Command.NOTE_LOSS: self._note_loss,
        }

    # Requests that depend on what is known

    @property
    def _keepalive_ms(self) -> int:
        return max(1, int(self._settings.keepalive_s * 1000))

    def _notifications(self) -> frozenset[NotificationKind]:
        wanted = {NotificationKind.ANTENNA, NotificationKind.READER_EXCEPTION, NotificationKind.ROSPEC}
        if self.picture.device is not None and self.picture.device.can_warn_buffer_fill:
            wanted.add(NotificationKind.BUFFER_FILL)
        if self._inventory.boundary.watched:
            wanted.add(NotificationKind.INPUT)
        return frozenset(wanted)

    def _configuration(self, *, hold: bool | None = None) -> SetConfig:
        return SetConfig(self._keepalive_ms, self._notifications(), self._inventory.boundary.inputs, hold)

    @property
    def _can_hold(self) -> bool:
        return self.picture.device is not None and self.picture.device.can_hold

    # Commands

    def _seed_clock(self, cause: Cause) -> None:
        if isinstance(cause, Notification) and cause.stamp is not None:
            self.clock.seed(cause.stamp.us, self._said_us)
            self.stamps_are_utc = cause.stamp.utc

    def _learn_capabilities(self, cause: Cause) -> None:
        if isinstance(cause, CapabilitiesAnswer):
            self.picture.device = cause.capabilities
            self._note(self._sideline.meet(cause.capabilities))

    def _learn_antennas(self, cause: Cause) -> None:
        if isinstance(cause, ConfigAnswer):
            self.picture.learn_antennas(cause.antennas)
            watched = self._inventory.boundary.inputs
            self.picture.inputs |= {port: high for port, high in cause.inputs.items() if port in watched}

    def _watch(self, _cause: Cause) -> None:
        self._watching = True

    def _release_held(self, _cause: Cause) -> None:
        if self._can_hold:
            self._outbox.send(EnableEventsAndReports())

    def _acknowledge(self, cause: Cause) -> None:
        if isinstance(cause, Keepalive):
            self._outbox.acknowledge(cause.message_id)

    def _tell(self, condition: ReaderCondition) -> None:
        self.picture.condition = condition
        self._events.append(self.picture.state())

    def _tell_reading(self, *, resting: bool) -> None:
        self.picture.resting = resting
        self._tell(ReaderCondition.READING)
        self._sideline.lamps.show_reading(reading=not resting)
        self._light()

    def _light(self) -> None:
        """Bring the outputs to what they should show."""
        if self.state is State.AWAITING_EVENT:
            return
        self._sideline.light()

    def _learn_aside(self, cause: Cause) -> None:
        if isinstance(cause, ConfigAnswer):
            # It tells everything: an antenna whose event was lost is found here.
            changed = self.picture.learn_antennas(cause.antennas)
            if cause.temperature_c is not None and cause.temperature_c != self.picture.temperature_c:
                self._note(self.picture.learn_temperature(cause.temperature_c))
                changed = True
            if changed:
                self._tell(self.picture.condition)
        elif isinstance(cause, Answer) and cause.status.ok:
            self._sideline.learn(cause)

    def _note(self, fault: Fault | None) -> None:
        if fault is not None:
            self._events.append(ReaderNotice(self.picture.reader, fault))

    def _note_happenings(self, cause: Cause) -> None:
        if isinstance(cause, Notification):
            for happening in cause.happenings:
                changed, fault = self.picture.learn(happening)
                self._note(fault)
                if changed:
                    self._tell(self.picture.condition)

    def _note_refusal(self, cause: Cause) -> None:
        if isinstance(cause, Answer):
            self._note(faults.refused_setting(cause))

    def _note_left_out(self, _cause: Cause) -> None:
        self._note(faults.left_out("; ".join(self._inventory.left_out)))

    def _note_loss(self, cause: Cause) -> None:
        """A reader that has forgotten what we left running has been restarted, or emptied by another client."""
        if isinstance(cause, RoSpecsAnswer) and self._left_running and not cause.rospecs:
            self._note(faults.REBOOTED)

    def _note_odd(self, cause: Cause) -> None:
        if isinstance(cause, Fault):
            self._note(cause)


def _is_due(moment_us: int | None, now_us: int) -> bool:
    return moment_us is not None and now_us >= moment_us


def _us(seconds: float) -> int:
    return int(seconds * SECOND_US)
