"""One connection to an M100 module from waking it to its end: bytes and the time in, bytes and events out. Pure.

What happens when is states.TABLE, what is asked is plan, which event a frame is tells the interpreter; this module
carries out the commands.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from readers.m100 import faults, plan
from readers.m100.interpreter import Interpreter
from readers.m100.messages import MULTI_POLL_PAYLOAD, TagReport
from readers.m100.messages import Command as Opcode
from readers.m100.settings import M100Settings
from readers.m100.states import ASKING, STOPS, TABLE, Command, Event, State
from readers.m100.wire import IDLE_US, Form, Frame, FrameBuffer, FrameType, encode
from readers.model import Fault, RawRead, ReadBatch, ReaderCondition, ReaderNotice, ReaderState
from readers.port.looks import Looks
from readers.port.notices import NoticeBoard

SECOND_US: Final = 1_000_000

WAKING_US: Final = 300_000
"""A module that polls answers a stop within a round; one that sleeps does not answer it at all."""

ANSWER_TIMEOUT_US: Final = 500_000
"""Commands are answered in milliseconds; a stop may have to wait behind tags that are already under way."""

ATTEMPTS: Final = 3
"""A command or its answer may be lost on the cable once, or twice."""

SETTLE_US: Final = 10_000
"""For the antenna switch."""

SILENCE_US: Final = SECOND_US
"""A round takes some 50 ms, and one without tags says so: a module that is silent for so long polls no more."""

POLL_US: Final = 30 * SECOND_US
"""65,535 rounds of at least 0.7 ms, the time that FF/15 takes on the wire at 115200 baud, never end within it."""

CONFIGURE_EVERY_US: Final = 10 * SECOND_US
"""A module that restarts within a turn has forgotten its region, and nothing says so: it is told again so often."""

FRUITLESS_TURNS: Final = 2
"""Turns in a row without a single completed look: the antenna cannot be counted on."""

TURN_LOOK_US: Final = 100_000
"""Who waits for the turn of another reader looks so often whether it is over."""

ONCE: Final = frozenset({"refused_setting", "channels_busy"})
"""Notices of what lasts: the first one says it all."""

DELIVERING: Final = (State.POLLING, *STOPS)


class UnexpectedEvent(Exception):  # noqa: N818 - an error of ours, named after what it reports
    """The table has no entry for this event in this state: a mistake of session.py, never the peer's doing."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event} in {state}")
        self.state = state
        self.event = event


@dataclass(slots=True)
class _Awaited:
    """The step whose answer is due, and how often it was asked already."""

    step: plan.Step
    until_us: int
    attempts: int = 1


class Session:
    """The protocol of one connection; used once. Send and tell what it wants after every call.

    It is over when it is `at` CLOSED; `fault` says why (None: because it was asked to). `known`: what the module on
    this port called itself before; another one is refused.
    """

    def __init__(self, reader: str, settings: M100Settings, known: str | None = None) -> None:
        self.at = State.WAKING
        self._fault: Fault | None = None
        self.condition = ReaderCondition.CONNECTING
        self._reader = reader
        self._settings = settings
        self._now_us = 0
        self._frames = FrameBuffer()
        self._foreign_frames = self._junk_bytes = 0
        self._last_byte_us = 0
        self._awaited: _Awaited | None = None
        self._steps: deque[plan.Step] = deque()
        self._spared: set[str] = set()
        self._out: list[bytes] = []
        self._reads: list[RawRead] = []
        self._events: list[ReadBatch | ReaderState | ReaderNotice] = []
        self._notices = NoticeBoard(reader)
        self._interpreter = Interpreter(known, self._notices)
        self._looking = Looks(settings.antennas, FRUITLESS_TURNS)
        self._turn_us = self._looked_us = self._settled_us = self._configured_us = 0
        self._looks = 0
        # Another reader has its turn: do not inventory until this is False again. It may be set at any time.
        self.rests = False
        self._resting = False
        self._actions = self._bind_actions()

    # What comes in

    def start(self, now_us: int) -> None:
        """The port is open."""
        self._now_us = now_us
        self._send_stop(None)

    def receive(self, data: bytes, now_us: int) -> None:
        """Bytes from the module, cut anywhere."""
        self._now_us = self._last_byte_us = now_us
        self._take_frames(self._frames.feed(data))

    def tick(self, now_us: int) -> None:
        """Let what is overdue happen."""
        self._now_us = now_us
        if self._frames.pending_bytes and now_us >= self._last_byte_us + IDLE_US:
            self._take_frames(self._frames.idle())
        awaited = self._awaited
        if awaited is not None:
            if now_us >= awaited.until_us:
                self._step(*self._after_timeout(awaited))
        elif self.at is State.SETTLING and now_us >= self._settled_us:
            self._step(Event.DUE, None)
        elif self.at is State.POLLING:
            if now_us >= self._looked_us + self._silence_us:
                self._step(Event.SILENT, None)
            elif now_us >= self._turn_us + self._turn_length_us:
                self._step(Event.DUE, None)
        self._take_turn()
        self._flush()

    def close(self, now_us: int) -> None:
        """Begin to leave the module quiet."""
        self._now_us = now_us
        self._step(Event.STOP, None)
        self._flush()

    # What goes out

    @property
    def deadline_us(self) -> int | None:
        """When to call `tick` at the latest."""
        due: list[int] = []
        if self._frames.pending_bytes and self._now_us < self._last_byte_us + IDLE_US:
            due.append(self._last_byte_us + IDLE_US)
        if self._awaited is not None:
            due.append(self._awaited.until_us)
        elif self.at is State.SETTLING:
            due.append(self._settled_us)
        elif self.at is State.RESTING:
            due.append(self._now_us + TURN_LOOK_US)
        elif self.at is State.POLLING:
            due += [self._looked_us + self._silence_us, self._turn_us + self._turn_length_us]
        return min(due, default=None)

    @property
    def antenna(self) -> int:
        """The one that looks, or looks next."""
        return self._looking.antenna

    @property
    def model(self) -> str:
        """What the module calls itself, empty until it has."""
        return self._interpreter.model

    def take_bytes(self) -> bytes:
        """What to send now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def take_events(self) -> list[ReadBatch | ReaderState | ReaderNotice]:
        """What to tell the gateway now."""
        events, self._events = self._events, []
        return events

    @property
    def is_over(self) -> bool:
        return self.at is State.CLOSED

    @property
    def fault(self) -> Fault | None:
        return self._fault

    def state(self, condition: ReaderCondition, fault: Fault | None = None) -> ReaderState:
        """The module as this connection knows it."""
        self.condition = condition
        return ReaderState(
            reader=self._reader,
            condition=self.condition,
            address=self._settings.address,
            model=self.model,
            firmware=self._interpreter.firmware,
            antennas=dict(self._looking.conditions),
            fault=fault,
            resting=self._resting,
        )

    # Which event it is

    def _take_frames(self, frames: Iterable[Frame]) -> None:
        buffer, was_known = self._frames, bool(self.model)
        for frame in frames:
            if buffer.form is None and frame.kind is not FrameType.COMMAND:
                buffer.form = frame.form
            self._take(frame)
        self._take_turn()
        if buffer.foreign_frames > self._foreign_frames:
            self._foreign_frames = buffer.foreign_frames
            self._step(Event.FOREIGN, faults.NOT_M100)
        if was_known and buffer.junk_bytes > self._junk_bytes:
            self._notices.note(faults.noise(buffer.junk_bytes - self._junk_bytes))
        self._junk_bytes = buffer.junk_bytes
        self._flush()

    def _take(self, frame: Frame) -> None:
        awaited = None if self._awaited is None else self._awaited.step
        event, cause = self._interpreter.read(frame, self.at, awaited)
        if isinstance(event, TagReport):
            if self.at in DELIVERING:
                self._reads.append((event.epc, self.antenna, event.rssi_dbm, self._now_us, self._now_us, 1))
            event = Event.LOOKED
        elif awaited is plan.STOP and event is Event.DONE:
            event = self._after_stop()
        self._step(event, cause)

    def _after_timeout(self, awaited: _Awaited) -> tuple[Event, Fault | None]:
        if awaited.attempts < ATTEMPTS or self.at in {State.WAKING, State.CLOSING}:
            return Event.TIMED_OUT, None
        if self.at in STOPS or awaited.step.vital:
            return Event.GAVE_UP, None
        # It has never heard of this command, and does not say so: it is not asked at each round of settings.
        self._spared.add(awaited.step.name)
        return Event.REFUSED, awaited.step.fault("the module does not answer")

    def _after_stop(self) -> Event:
        if self.at in STOPS and self.rests:
            return Event.RESTED
        if self.at is State.STOPPING and self._now_us >= self._configured_us + CONFIGURE_EVERY_US:
            return Event.OUTDATED
        return Event.DONE

    # The table at work

    def _step(self, event: Event, cause: Fault | None) -> None:
        try:
            commands, following = TABLE[self.at, event]
        except KeyError:
            raise UnexpectedEvent(self.at, event) from None
        # A state that goes on waits on; each other one awaits what its commands ask for.
        if event in {Event.ANSWERED, Event.REFUSED} or following is not self.at:
            self._awaited = None
        for command in commands:
            self._actions[command](cause)
        self.at = following
        if following is State.CLOSED:
            self._awaited = None
            self._events += self._notices.take(self._now_us, everything=True)
        if following in ASKING and self._awaited is None:
            rested = following is State.CONFIGURING and self.rests
            self._step(Event.RESTED if rested else Event.DONE, None)

    def _take_turn(self) -> None:
        if self.rests and self.at in {State.POLLING, State.SETTLING}:
            self._step(Event.REST, None)
        elif not self.rests and self.at is State.RESTING:
            self._step(Event.RESUME, None)

    def _flush(self) -> None:
        """What was read and noted goes out together."""
        if self._reads:
            self._events.append(ReadBatch(self._reader, self._now_us, 0, self._reads))
            self._reads = []
        self._events += self._notices.take(self._now_us)

    def _bind_actions(self) -> Mapping[Command, Callable[[Fault | None], None]]:
        settings = self._settings
        return {
            Command.SEND_STOP: self._send_stop,
            Command.ASK_IDENTITY: lambda _: self._ask_all((plan.ASK_HARDWARE, plan.ASK_SOFTWARE)),
            Command.CONFIGURE: self._configure,
            Command.SWITCH: lambda _: self._ask_all(plan.switching(settings, self.antenna)),
            Command.SETTLE: self._settle,
            Command.ASK_NEXT: lambda _: self._ask_next(),
            Command.ASK_AGAIN: self._ask_again,
            Command.START_POLL: self._start_poll,
            Command.SEE: self._see,
            Command.JUDGE_TURN: self._judge_turn,
            Command.NEXT_ANTENNA: lambda _: self._looking.turn(),
            Command.TELL_CONNECTED: self._tell_connected,
            Command.TELL_RESTING: lambda _: self._tell_reading(resting=True),
            Command.NOTE: self._note,
            Command.FAIL: self._fail,
            Command.FAIL_SILENT: self._fail_silent,
        }

    # Asking

    def _send(self, step: plan.Step) -> None:
        form = self._frames.form
        for each in (Form.M100, Form.R200) if form is None else (form,):
            self._out.append(encode(each, step.command, step.payload))

    def _ask(self, step: plan.Step, patience_us: int = ANSWER_TIMEOUT_US) -> None:
        self._send(step)
        self._awaited = _Awaited(step, self._now_us + patience_us)

    def _ask_all(self, steps: Iterable[plan.Step]) -> None:
        self._steps = deque(steps)
        self._ask_next()

    def _ask_next(self) -> None:
        if self._steps:
            self._ask(self._steps.popleft())

    def _ask_again(self, _cause: Fault | None) -> None:
        assert self._awaited is not None
        self._send(self._awaited.step)
        self._awaited.attempts += 1
        self._awaited.until_us = self._now_us + ANSWER_TIMEOUT_US

    def _send_stop(self, _cause: Fault | None) -> None:
        self._steps.clear()
        self._ask(plan.STOP, WAKING_US if self.at is State.WAKING else ANSWER_TIMEOUT_US)

    def _configure(self, _cause: Fault | None) -> None:
        self._configured_us = self._now_us
        self._ask_all(step for step in plan.configuration(self._settings) if step.name not in self._spared)

    def _settle(self, _cause: Fault | None) -> None:
        self._settled_us = self._now_us + SETTLE_US * bool(self._settings.switch_pins)

    # Looking

    @property
    def _turn_length_us(self) -> int:
        return POLL_US if len(self._settings.antennas) == 1 else round(self._settings.dwell_s * SECOND_US)

    @property
    def _silence_us(self) -> int:
        return min(SILENCE_US, self._turn_length_us)

    def _start_poll(self, _cause: Fault | None) -> None:
        form = self._frames.form
        assert form is not None
        self._out.append(encode(form, Opcode.MULTI_POLL, MULTI_POLL_PAYLOAD))
        self._turn_us = self._looked_us = self._now_us
        self._looks = 0
        if self._resting:
            self._tell_reading(resting=False)

    def _see(self, _cause: Fault | None) -> None:
        self._looks += 1
        self._looked_us = self._now_us
        if self._looking.seen(self.antenna):
            self._tell_reading(resting=self._resting)

    def _judge_turn(self, _cause: Fault | None) -> None:
        if self._looks or self._now_us < self._turn_us + self._silence_us:
            return
        if self._looking.missed(self.antenna):
            self._tell_reading(resting=self._resting)

    # Telling

    def _tell_connected(self, _cause: Fault | None) -> None:
        if self.condition is ReaderCondition.CONNECTING:
            self._events.append(self.state(ReaderCondition.CONNECTED))

    def _tell_reading(self, *, resting: bool) -> None:
        self._resting = resting
        self._events.append(self.state(ReaderCondition.READING))

    def _note(self, cause: Fault | None) -> None:
        if cause is not None:
            self._notices.note(cause, once=cause.kind in ONCE)

    def _fail(self, cause: Fault | None) -> None:
        self._fault = cause

    def _fail_silent(self, _cause: Fault | None) -> None:
        self._fault = faults.silent("an answer of the module", self._frames.junk_bytes)
