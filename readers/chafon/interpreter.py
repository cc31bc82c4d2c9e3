"""Which event of the table a frame of a Chafon reader is. Pure."""

from dataclasses import dataclass, replace
from typing import Final

from readers.chafon import faults, plan
from readers.chafon.messages import (
    TAGS_FOLLOW,
    Command,
    Dialect,
    Info,
    Status,
    Tag,
    antenna_of,
    decode_info,
    decode_inventory,
    decode_pushed,
)
from readers.chafon.settings import ChafonSettings
from readers.chafon.states import Event, State
from readers.chafon.wire import Frame
from readers.model import Fault
from readers.port.notices import NoticeBoard

QUIET_WITHIN_US: Final = 1_000_000
"""A reader that has just been told to stop may have more of it under way."""

TAMING: Final = frozenset({State.NAMING, State.SETTING, State.CHECKING, State.LOOKING, State.RESTING})
"""Where one that reports by itself would disturb, and is told to answer instead."""

Understood = tuple[Event, Fault | None]
"""The event, and what made it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What outlives a connection: who was met on this port, and whether it was told to stop reporting by itself."""

    name: str | None = None
    quieted: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a session is when a frame comes: the command whose answer is due (None: none is), and the `step` that is
    being set; which `antenna` looks.
    """

    state: State
    awaited: Command | None
    step: plan.Step | None
    antenna: int
    now_us: int


class Interpreter:
    """Reads frames for one session. What they tell of the reader, and what it has seen, is kept on the way."""

    def __init__(self, settings: ChafonSettings, known: Known, notices: NoticeBoard) -> None:
        self.known = known
        self.info: Info | None = None
        # What the last look saw: the tags of each antenna that looked; and why it failed, if it did.
        self.seen: list[tuple[int, tuple[Tag, ...]]] = []
        self.failed_status = 0
        # It has reported by itself.
        self.pushes = False
        self._settings = settings
        self._notices = notices
        self._quiet_us = 0

    def read(self, frame: Frame, now: Situation) -> Understood:
        """What a frame means."""
        if frame.command == Command.PUSHED:
            return self._pushed(frame, now)
        if now.awaited is None or not _answers(frame, now.awaited):
            return Event.ODD, faults.stray(frame.command, frame.status)
        return self._answer(now.awaited, frame, now)

    def _answer(self, command: Command, frame: Frame, now: Situation) -> Understood:
        if command is Command.INVENTORY:
            return self._inventory(frame, now.antenna)
        if frame.status != Status.OK:
            return self._refusal(command, frame.status, now)
        if command is Command.INFO:
            return self._info(frame.data, now.state)
        if command is Command.SERIAL_NUMBER:
            return self._name(frame.data.hex())
        if command is Command.WORK_MODE:
            self._quiet_us = now.now_us + QUIET_WITHIN_US
        return Event.ANSWERED, None

    @property
    def may_quiet(self) -> bool:
        """It may be told to stop reporting by itself: once, as that goes to its flash."""
        return not self.known.quieted and self.info is not None and self.info.dialect is Dialect.READER288

    def untamed(self) -> Understood:
        """It goes on reporting by itself: good enough only if it is set as it should be."""
        info, settings = self.info, self._settings
        if info is None or plan.verdict(settings, info) is not None or settings.serial_number is not None:
            return Event.REJECTED, faults.pushing(settings.address)
        return Event.UNTAMED, None

    def _refusal(self, command: Command, status: int, now: Situation) -> Understood:
        if command is Command.SERIAL_NUMBER:
            # Who has no number is known by its kind alone.
            event, fault = self._name("")
            return Event.REFUSED if event is Event.ANSWERED else event, fault
        if now.state is State.QUIETING:
            return self.untamed()
        name = f"command {command:02X}" if now.step is None else now.step.name
        return Event.REJECTED, faults.rejected(name, f"the reader refuses it (status {status:02X})")

    def _info(self, data: bytes, state: State) -> Understood:
        try:
            info = decode_info(data)
        except ValueError as error:
            return Event.ODD, faults.bad_inventory(str(error), data)
        self.info = info
        if info.dialect is Dialect.READER18 and len(self._settings.antennas) > 1:
            return Event.REJECTED, faults.one_antenna(info.model)
        if state is State.CHECKING:
            fault = plan.verdict(self._settings, info)
            if fault is not None:
                return Event.REJECTED, fault
            remark = plan.remark(self._settings, info)
            if remark is not None:
                self._notices.note(remark, once=True)
        return Event.ANSWERED, None

    def _name(self, number: str) -> Understood:
        assert self.info is not None
        name = number or self.info.model
        expected = self._settings.serial_number or self.known.name
        if expected is not None and name != expected:
            return Event.REJECTED, faults.another_device(self._settings.address, expected, name)
        self.known = replace(self.known, name=name)
        return Event.ANSWERED, None

    def _inventory(self, frame: Frame, antenna: int) -> Understood:
        if frame.status == Status.NO_TAG:
            self.seen = [(antenna, ())]
            return Event.LOOKED, None
        if frame.status == Status.STATISTICS:
            return Event.ODD, faults.stray(frame.command, frame.status)
        if frame.status not in TAGS_FOLLOW:
            self.failed_status = frame.status
            return Event.LOOK_FAILED, faults.look_failed(antenna, frame.status)
        assert self.info is not None
        try:
            tags = decode_inventory(self.info.dialect, frame.data)
        except ValueError as error:
            tags = []
            self._notices.note(faults.bad_inventory(str(error), frame.data))
        self.seen = [(antenna, tuple(tags))]
        return Event.MORE if frame.status == Status.MORE_FOLLOWS else Event.LOOKED, None

    def _pushed(self, frame: Frame, now: Situation) -> Understood:
        if now.now_us < self._quiet_us:
            return Event.ODD, None
        self.pushes = True
        if frame.status == Status.HEARTBEAT:
            self.seen = [(antenna, ()) for antenna in self._settings.antennas]
        else:
            try:
                tag = decode_pushed(frame.data)
            except ValueError as error:
                return Event.ODD, faults.bad_inventory(str(error), frame.data)
            antenna = antenna_of(tag.ports or 0, self._settings.antennas)
            # Reads of antennas that are not ours prove that it reports all the same.
            self.seen = [] if antenna is None else [(antenna, (tag,))]
        return (Event.PUSHED, None) if now.state not in TAMING or self.may_quiet else self.untamed()


def _answers(frame: Frame, command: Command) -> bool:
    """An unknown command is refused under the number 0."""
    return frame.command == command or (frame.command == 0 and frame.status == Status.ILLEGAL_COMMAND)
