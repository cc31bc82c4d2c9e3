"""One Chafon reader from its first answer to its end: frames and the time in, requests and events out. Pure.

What happens when is states.TABLE, which event a frame is tells the interpreter; this module carries out the commands.
Several readers may share a line (sharing.py): a request is made here and waits until the line is free for it.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from readers.chafon import faults, plan
from readers.chafon.interpreter import Interpreter, Known, Situation, Understood
from readers.chafon.messages import ANSWERING_MODE, Status, inventory_payload
from readers.chafon.messages import Command as Opcode
from readers.chafon.settings import ChafonSettings
from readers.chafon.states import TABLE, Command, Event, State
from readers.chafon.wire import Frame, encode
from readers.model import NO_RSSI_DBM, Fault, RawRead, ReadBatch, ReaderCondition, ReaderEvent, ReaderState
from readers.port.looks import Looks
from readers.port.notices import NoticeBoard

SECOND_US: Final = 1_000_000

ANSWER_TIMEOUT_US: Final = 300_000
"""A reader answers within milliseconds; an adapter and a slow baudrate add some tens."""

WRITE_TIMEOUT_US: Final = SECOND_US
"""What goes to its flash takes longer."""

ATTEMPTS: Final = 2
"""A frame may be lost on the line once."""

SCAN_UNIT_US: Final = 100_000

FAILED_PAUSE_US: Final = 200_000
"""A look that fails may do so at once: it is not tried again as fast as the line can carry it."""

PING_US: Final = 5 * SECOND_US
"""A reader that reports by itself has nothing to say while its field is empty: it is asked whether it lives."""

MISSES_TO_DOWN: Final = 2
"""Looks in a row that fail: the antenna cannot be counted on."""

TURN_LOOK_US: Final = 100_000
"""Who waits for the turn of another reader looks so often whether it is over."""


class UnexpectedEvent(Exception):  # noqa: N818 - an error of ours, named after what it reports
    """The table has no entry for this event in this state: a mistake of session.py, never the peer's doing."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event} in {state}")
        self.state = state
        self.event = event


@dataclass(slots=True)
class _Request:
    """What is to be said at `from_us` or later, or was: `until_us` is None while it waits for the line."""

    command: Opcode
    data: bytes
    patience_us: int
    from_us: int = 0
    attempts: int = 0
    until_us: int | None = None


class Session:
    """The protocol of one connection; used once.

    It is over when it is `at` CLOSED; `fault` says why (None: because it was asked to). `known`: who was on this port
    before; another reader is refused.
    """

    def __init__(self, reader: str, settings: ChafonSettings, known: Known) -> None:
        self.at = State.IDENTIFYING
        self.fault: Fault | None = None
        self.condition = ReaderCondition.CONNECTING
        # Another reader has its turn: do not inventory until this is False again. It may be set at any time.
        self.rests = False
        self.address = settings.bus_address
        self._reader = reader
        self._settings = settings
        self._now_us = 0
        self._request: _Request | None = None
        self._steps: deque[plan.Step] = deque()
        self._changed = False
        self._resting = False
        self._pause_us = self._ping_us = 0
        self._events: list[ReaderEvent] = []
        self._notices = NoticeBoard(reader)
        self._interpreter = Interpreter(settings, known, self._notices)
        self._looking = Looks(settings.antennas, MISSES_TO_DOWN)
        self._actions = self._bind_actions()
        self._ask(Opcode.INFO)

    # What comes in

    def receive(self, frame: Frame, now_us: int) -> None:
        """A frame of this reader."""
        self._now_us = now_us
        request = self._request if self.holds_line else None
        step = self._steps[0] if self.at is State.SETTING else None
        awaited = None if request is None else request.command
        self._step(*self._interpreter.read(frame, Situation(self.at, awaited, step, self._looking.antenna, now_us)))
        self._settle()

    def tick(self, now_us: int) -> None:
        """Let what is overdue happen."""
        self._now_us = now_us
        request = self._request
        if request is not None and request.until_us is not None and now_us >= request.until_us:
            self._step(*self._after_timeout(request))
        elif self.at is State.LISTENING and now_us >= self._ping_us:
            self._step(Event.DUE, None)
        self._settle()

    def close(self, now_us: int) -> None:
        """It is over: a reader in answering mode is quiet by itself."""
        self._now_us = now_us
        self._step(Event.STOP, None)
        self._settle()

    def note(self, fault: Fault) -> None:
        """Something odd on the line, told under this reader's name."""
        self._notices.note(fault)

    # What goes out

    @property
    def known(self) -> Known:
        """Who is on this port, as far as it has told."""
        return self._interpreter.known

    @property
    def is_over(self) -> bool:
        return self.at is State.CLOSED

    @property
    def wants_line_us(self) -> int | None:
        """From when on something is to be said; None where nothing is."""
        return self._request.from_us if self._request is not None and self._request.until_us is None else None

    @property
    def holds_line(self) -> bool:
        """An answer is awaited."""
        return self._request is not None and self._request.until_us is not None

    @property
    def free_us(self) -> int:
        """Until when the line is held at the longest."""
        return 0 if self._request is None or self._request.until_us is None else self._request.until_us

    def take_request(self, now_us: int) -> bytes:
        """The line is free: what to say on it."""
        request = self._request
        assert request is not None
        self._now_us = now_us
        request.attempts += 1
        request.until_us = now_us + request.patience_us
        return encode(self.address, request.command, request.data)

    @property
    def deadline_us(self) -> int | None:
        """When to call `tick` at the latest."""
        if self._request is not None:
            return self._request.until_us
        if self.at is State.LISTENING:
            return self._ping_us
        return self._now_us + TURN_LOOK_US if self.at is State.RESTING else None

    def take_events(self) -> list[ReaderEvent]:
        """What to tell the gateway now."""
        events, self._events = self._events, []
        return [*events, *self._notices.take(self._now_us, everything=self.is_over)]

    def state(self, condition: ReaderCondition, fault: Fault | None = None) -> ReaderState:
        """The reader as this connection knows it."""
        self.condition = condition
        info = self._interpreter.info
        return ReaderState(
            reader=self._reader,
            condition=condition,
            address=self._settings.address,
            model="" if info is None else info.model,
            firmware="" if info is None else info.firmware,
            antennas=dict(self._looking.conditions),
            fault=fault,
            resting=self._resting,
        )

    def _after_timeout(self, request: _Request) -> Understood:
        if self.at is State.LOOKING or request.attempts < ATTEMPTS:
            return Event.TIMED_OUT, None
        if self.at is State.QUIETING and self._interpreter.pushes:
            return self._interpreter.untamed()
        if self.at is State.NAMING and not self._interpreter.may_quiet:
            # It says who it is at the next connection, perhaps; whom we must know by number is not believed till then.
            if self._settings.serial_number is None:
                return Event.REFUSED, None
            return Event.REJECTED, faults.silent(self._settings.address)
        return Event.GAVE_UP, None

    # The table at work

    def _step(self, event: Event, cause: Fault | None) -> None:
        try:
            commands, following = TABLE[self.at, event]
        except KeyError:
            raise UnexpectedEvent(self.at, event) from None
        if event in {Event.ANSWERED, Event.LOOKED, Event.LOOK_FAILED} or following is not self.at:
            self._request = None
        elif event is Event.MORE:
            assert self._request is not None
            self._request.until_us = self._now_us + self._request.patience_us
        for command in commands:
            self._actions[command](cause)
        self.at = following
        if following is State.SETTING and not self._steps:
            self._step(Event.DONE if self._changed else Event.UNCHANGED, None)

    def _settle(self) -> None:
        """Turns begin and end."""
        if self.rests and self.at is State.LOOKING and not self.holds_line:
            self._step(Event.REST, None)
        elif not self.rests and self.at is State.RESTING:
            self._step(Event.RESUME, None)

    def _bind_actions(self) -> Mapping[Command, Callable[[Fault | None], None]]:
        return {
            Command.ASK_INFO: lambda _: self._ask(Opcode.INFO),
            Command.ASK_SERIAL: lambda _: self._ask(Opcode.SERIAL_NUMBER),
            Command.ASK_QUIET: self._ask_quiet,
            Command.ASK_CHANGES: self._ask_changes,
            Command.ASK_NEXT: self._ask_next,
            Command.ASK_AGAIN: self._ask_again,
            Command.ASK_LOOK: self._ask_look,
            Command.LISTEN: self._listen,
            Command.SEE: self._see,
            Command.MISS: self._miss,
            Command.NEXT_ANTENNA: lambda _: self._looking.turn(),
            Command.TELL_CONNECTED: self._tell_connected,
            Command.TELL_RESTING: lambda _: self._tell_reading(resting=True),
            Command.NOTE: self._note,
            Command.FAIL: self._fail,
            Command.FAIL_SILENT: lambda _: self._fail(faults.silent(self._settings.address)),
        }

    # Asking

    def _ask(self, command: Opcode, data: bytes = b"", patience_us: int = ANSWER_TIMEOUT_US) -> None:
        self._request = _Request(command, data, patience_us)

    def _ask_quiet(self, _cause: Fault | None) -> None:
        self._interpreter.known = replace(self.known, quieted=True)
        self._ask(Opcode.WORK_MODE, ANSWERING_MODE, WRITE_TIMEOUT_US)

    def _ask_changes(self, _cause: Fault | None) -> None:
        assert self._interpreter.info is not None
        self._steps = deque(plan.changes(self._settings, self._interpreter.info))
        self._changed = bool(self._steps)
        self._ask_step()

    def _ask_next(self, _cause: Fault | None) -> None:
        self._steps.popleft()
        self._ask_step()

    def _ask_step(self) -> None:
        if self._steps:
            self._ask(self._steps[0].command, self._steps[0].data, WRITE_TIMEOUT_US)

    def _ask_again(self, _cause: Fault | None) -> None:
        assert self._request is not None
        self._request.until_us = None

    def _ask_look(self, _cause: Fault | None) -> None:
        assert self._interpreter.info is not None
        dialect = self._interpreter.info.dialect
        scan_time = plan.scan_time(self._settings, dialect)
        data = inventory_payload(
            dialect,
            antenna=self._looking.antenna,
            session=self._settings.session,
            q=self._settings.q,
            scan_time=scan_time,
        )
        self._ask(Opcode.INVENTORY, data, scan_time * SCAN_UNIT_US + ANSWER_TIMEOUT_US)
        assert self._request is not None
        self._request.from_us = self._now_us + self._pause_us
        self._pause_us = 0
        if self._resting:
            self._tell_reading(resting=False)

    # Looking

    def _listen(self, _cause: Fault | None) -> None:
        self._ping_us = self._now_us + PING_US
        if self.condition is not ReaderCondition.READING:
            self._tell_reading(resting=False)

    def _see(self, _cause: Fault | None) -> None:
        now_us = self._now_us
        reads: list[RawRead] = []
        for antenna, tags in self._interpreter.seen:
            reads += [(tag.epc, antenna, NO_RSSI_DBM, now_us, now_us, 1) for tag in tags]
            if self._looking.seen(antenna):
                self._tell_reading(resting=self._resting)
        if reads:
            self._events.append(ReadBatch(self._reader, now_us, 0, reads))
        if self.at is State.PINGING or self.at is State.LISTENING:
            self._ping_us = now_us + PING_US

    def _miss(self, _cause: Fault | None) -> None:
        is_gone = self._interpreter.failed_status == Status.ANTENNA_ERROR
        if self._looking.missed(self._looking.antenna, for_certain=is_gone):
            self._tell_reading(resting=self._resting)
        self._interpreter.failed_status = 0
        self._pause_us = FAILED_PAUSE_US

    # Telling

    def _tell_connected(self, _cause: Fault | None) -> None:
        if self.condition is ReaderCondition.CONNECTING:
            self._events.append(self.state(ReaderCondition.CONNECTED))

    def _tell_reading(self, *, resting: bool) -> None:
        self._resting = resting
        self._events.append(self.state(ReaderCondition.READING))

    def _note(self, cause: Fault | None) -> None:
        if cause is not None:
            self._notices.note(cause, once=cause.kind == "look_failed")

    def _fail(self, cause: Fault | None) -> None:
        self.fault = cause
