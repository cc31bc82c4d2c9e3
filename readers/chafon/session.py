"""One Chafon reader from its first answer to its end: frames and the time in, requests and events out. Pure.

What happens when is states.TABLE; this module tells which event a frame is, and carries out the commands. Several
readers may share a line (sharing.py): a request is made here and waits until the line is free for it.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from readers.chafon import faults, plan
from readers.chafon.messages import (
    ANSWERING_MODE,
    TAGS_FOLLOW,
    Dialect,
    Info,
    Status,
    Tag,
    antenna_of,
    decode_info,
    decode_inventory,
    decode_pushed,
    inventory_payload,
)
from readers.chafon.messages import Command as Opcode
from readers.chafon.settings import ChafonSettings
from readers.chafon.states import TABLE, Command, Event, State
from readers.chafon.wire import Frame, encode
from readers.model import (
    NO_RSSI_DBM,
    AntennaCondition,
    Fault,
    RawRead,
    ReadBatch,
    ReaderCondition,
    ReaderEvent,
    ReaderState,
)
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

QUIET_WITHIN_US: Final = SECOND_US
"""A reader that has just been told to stop may have more of it under way."""

TURN_LOOK_US: Final = 100_000
"""Who waits for the turn of another reader looks so often whether it is over."""


class UnexpectedEvent(Exception):  # noqa: N818 - an error of ours, named after what it reports
    """The table has no entry for this event in this state: a mistake of session.py, never the peer's doing."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event} in {state}")
        self.state = state
        self.event = event


@dataclass(frozen=True, slots=True)
class Known:
    """What outlives a connection: who was met on this port, and whether it was told to stop reporting by itself."""

    name: str | None = None
    quieted: bool = False


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
        self.known = known
        # Another reader has its turn: do not inventory until this is False again. It may be set at any time.
        self.rests = False
        self.address = settings.bus_address
        self._reader = reader
        self._settings = settings
        self._info: Info | None = None
        self._now_us = 0
        self._request: _Request | None = None
        self._steps: deque[plan.Step] = deque()
        self._changed = False
        self._pushes = False
        self._seen: Sequence[tuple[int, Sequence[Tag]]] = ()
        self._failed_status = self._pause_us = 0
        self._antennas = dict.fromkeys(settings.antennas, AntennaCondition.UNKNOWN)
        self._misses = dict.fromkeys(settings.antennas, 0)
        self._turn = 0
        self._resting = False
        self._ping_us = self._quiet_us = 0
        self._events: list[ReaderEvent] = []
        self._notices = NoticeBoard(reader)
        self._actions = self._bind_actions()
        self._ask(Opcode.INFO)

    # What comes in

    def receive(self, frame: Frame, now_us: int) -> None:
        """A frame of this reader."""
        self._now_us = now_us
        self._step(*self._understand(frame))
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
        info = self._info
        return ReaderState(
            reader=self._reader,
            condition=condition,
            address=self._settings.address,
            model="" if info is None else info.model,
            firmware="" if info is None else info.firmware,
            antennas=dict(self._antennas),
            fault=fault,
            resting=self._resting,
        )

    # Which event a frame is

    def _understand(self, frame: Frame) -> tuple[Event, Fault | None]:
        if frame.command == Opcode.PUSHED:
            return self._understand_pushed(frame)
        request = self._request if self.holds_line else None
        if request is None or not _answers(frame, request.command):
            return Event.ODD, faults.stray(frame.command, frame.status)
        return self._understand_answer(request, frame)

    def _understand_answer(self, request: _Request, frame: Frame) -> tuple[Event, Fault | None]:
        if request.command is Opcode.INVENTORY:
            return self._understand_inventory(frame)
        if frame.status != Status.OK:
            return self._understand_refusal(request, frame.status)
        if request.command is Opcode.INFO:
            return self._understand_info(frame.data)
        if request.command is Opcode.SERIAL_NUMBER:
            return self._understand_name(frame.data.hex())
        if request.command is Opcode.WORK_MODE:
            self._quiet_us = self._now_us + QUIET_WITHIN_US
        return Event.ANSWERED, None

    def _understand_refusal(self, request: _Request, status: int) -> tuple[Event, Fault | None]:
        if request.command is Opcode.SERIAL_NUMBER:
            # Who has no number is known by its kind alone.
            event, fault = self._understand_name("")
            return Event.REFUSED if event is Event.ANSWERED else event, fault
        if self.at is State.QUIETING:
            return self._untamed()
        name = self._steps[0].name if self.at is State.SETTING else f"command {request.command:02X}"
        return Event.REJECTED, faults.rejected(name, f"the reader refuses it (status {status:02X})")

    def _understand_info(self, data: bytes) -> tuple[Event, Fault | None]:
        try:
            info = decode_info(data)
        except ValueError as error:
            return Event.ODD, faults.bad_inventory(str(error), data)
        self._info = info
        if info.dialect is Dialect.READER18 and len(self._settings.antennas) > 1:
            return Event.REJECTED, faults.one_antenna(info.model)
        if self.at is State.CHECKING:
            fault = plan.verdict(self._settings, info)
            if fault is not None:
                return Event.REJECTED, fault
            remark = plan.remark(self._settings, info)
            if remark is not None:
                self._notices.note(remark, once=True)
        return Event.ANSWERED, None

    def _understand_name(self, number: str) -> tuple[Event, Fault | None]:
        assert self._info is not None
        name = number or self._info.model
        expected = self._settings.serial_number or self.known.name
        if expected is not None and name != expected:
            return Event.REJECTED, faults.another_device(self._settings.address, expected, name)
        self.known = Known(name, self.known.quieted)
        return Event.ANSWERED, None

    def _understand_inventory(self, frame: Frame) -> tuple[Event, Fault | None]:
        antenna = self._antenna
        if frame.status == Status.NO_TAG:
            self._seen = [(antenna, ())]
            return Event.LOOKED, None
        if frame.status == Status.STATISTICS:
            return Event.ODD, faults.stray(frame.command, frame.status)
        if frame.status not in TAGS_FOLLOW:
            self._failed_status = frame.status
            return Event.LOOK_FAILED, faults.look_failed(antenna, frame.status)
        assert self._info is not None
        try:
            tags = decode_inventory(self._info.dialect, frame.data)
        except ValueError as error:
            tags = []
            self._notices.note(faults.bad_inventory(str(error), frame.data))
        self._seen = [(antenna, tags)]
        return Event.MORE if frame.status == Status.MORE_FOLLOWS else Event.LOOKED, None

    def _understand_pushed(self, frame: Frame) -> tuple[Event, Fault | None]:
        if self._now_us < self._quiet_us:
            return Event.ODD, None
        self._pushes = True
        if frame.status == Status.HEARTBEAT:
            self._seen = [(antenna, ()) for antenna in self._settings.antennas]
        else:
            try:
                tag = decode_pushed(frame.data)
            except ValueError as error:
                return Event.ODD, faults.bad_inventory(str(error), frame.data)
            antenna = antenna_of(tag.ports or 0, self._settings.antennas)
            # Reads of antennas that are not ours prove that it reports all the same.
            self._seen = [] if antenna is None else [(antenna, (tag,))]
        if self.at not in {State.NAMING, State.SETTING, State.CHECKING, State.LOOKING, State.RESTING}:
            return Event.PUSHED, None
        return (Event.PUSHED, None) if self._may_quiet else self._untamed()

    def _after_timeout(self, request: _Request) -> tuple[Event, Fault | None]:
        if self.at is State.LOOKING or request.attempts < ATTEMPTS:
            return Event.TIMED_OUT, None
        if self.at is State.QUIETING and self._pushes:
            return self._untamed()
        if self.at is State.NAMING and not self._may_quiet:
            # It says who it is at the next connection, perhaps; whom we must know by number is not believed till then.
            if self._settings.serial_number is None:
                return Event.REFUSED, None
            return Event.REJECTED, faults.silent(self._settings.address)
        return Event.GAVE_UP, None

    @property
    def _may_quiet(self) -> bool:
        return not self.known.quieted and self._info is not None and self._info.dialect is Dialect.READER288

    def _untamed(self) -> tuple[Event, Fault | None]:
        """It goes on reporting by itself: good enough only if it is set as it should be."""
        info = self._info
        if info is None or plan.verdict(self._settings, info) is not None or self._settings.serial_number is not None:
            return Event.REJECTED, faults.pushing(self._settings.address)
        return Event.UNTAMED, None

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
            Command.NEXT_ANTENNA: self._next_antenna,
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
        self.known = Known(self.known.name, quieted=True)
        self._ask(Opcode.WORK_MODE, ANSWERING_MODE, WRITE_TIMEOUT_US)

    def _ask_changes(self, _cause: Fault | None) -> None:
        assert self._info is not None
        self._steps = deque(plan.changes(self._settings, self._info))
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
        assert self._info is not None
        dialect = self._info.dialect
        scan_time = plan.scan_time(self._settings, dialect)
        data = inventory_payload(
            dialect, antenna=self._antenna, session=self._settings.session, q=self._settings.q, scan_time=scan_time
        )
        self._ask(Opcode.INVENTORY, data, scan_time * SCAN_UNIT_US + ANSWER_TIMEOUT_US)
        assert self._request is not None
        self._request.from_us = self._now_us + self._pause_us
        self._pause_us = 0
        if self._resting:
            self._tell_reading(resting=False)

    # Looking

    @property
    def _antenna(self) -> int:
        return self._settings.antennas[self._turn]

    def _listen(self, _cause: Fault | None) -> None:
        self._ping_us = self._now_us + PING_US
        if self.condition is not ReaderCondition.READING:
            self._tell_reading(resting=False)

    def _see(self, _cause: Fault | None) -> None:
        now_us = self._now_us
        reads: list[RawRead] = []
        for antenna, tags in self._seen:
            reads += [(tag.epc, antenna, NO_RSSI_DBM, now_us, now_us, 1) for tag in tags]
            self._misses[antenna] = 0
            self._learn_antenna(antenna, AntennaCondition.UP)
        if reads:
            self._events.append(ReadBatch(self._reader, now_us, 0, reads))
        if self.at is State.PINGING or self.at is State.LISTENING:
            self._ping_us = now_us + PING_US

    def _miss(self, _cause: Fault | None) -> None:
        antenna = self._antenna
        self._misses[antenna] += 1
        if self._misses[antenna] >= MISSES_TO_DOWN or self._failed_status == Status.ANTENNA_ERROR:
            self._learn_antenna(antenna, AntennaCondition.DOWN)
        self._failed_status = 0
        self._pause_us = FAILED_PAUSE_US

    def _learn_antenna(self, antenna: int, found: AntennaCondition) -> None:
        if self._antennas[antenna] is not found:
            self._antennas[antenna] = found
            self._tell_reading(resting=self._resting)

    def _next_antenna(self, _cause: Fault | None) -> None:
        self._turn = (self._turn + 1) % len(self._settings.antennas)

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


def _answers(frame: Frame, command: Opcode) -> bool:
    """An unknown command is refused under the number 0."""
    return frame.command == command or (frame.command == 0 and frame.status == Status.ILLEGAL_COMMAND)
