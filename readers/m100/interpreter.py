"""Which event of the table a frame of an M100 module is. Pure."""

from readers.m100 import faults, plan
from readers.m100.messages import ERROR_COMMAND, ErrorCode, InfoKind, TagReport, decode_tag, decode_text
from readers.m100.messages import Command as Opcode
from readers.m100.states import Event, State
from readers.m100.wire import Frame, FrameType
from readers.model import Fault
from readers.port.notices import NoticeBoard

Understood = tuple[Event | TagReport, Fault | None]
"""The event and what made it; a sound tag is one itself, LOOKED."""


class Interpreter:
    """Reads frames for one session, and learns who the module is on the way; `known`: who it was before."""

    def __init__(self, known: str | None, notices: NoticeBoard) -> None:
        self.model = ""
        self.firmware = ""
        self._known = known
        self._notices = notices

    def read(self, frame: Frame, at: State, awaited: plan.Step | None) -> Understood:
        """What a frame means while the answer to `awaited` is due."""
        if frame.kind is FrameType.NOTIFICATION and frame.command == Opcode.SINGLE_POLL:
            return _tag(frame.payload)
        if frame.kind is FrameType.RESPONSE:
            if frame.command == ERROR_COMMAND and frame.payload:
                return _error(frame.payload, at, awaited)
            if awaited is not None and awaited.is_answered_by(frame.command, frame.payload):
                return self._answer(awaited, frame.payload)
        return Event.ODD, faults.stray(frame.command, frame.payload)

    def _answer(self, step: plan.Step, answer: bytes) -> Understood:
        if step is plan.STOP:
            return Event.DONE, None
        words = step.judge(answer)
        if words is not None:
            return _refused(step), step.fault(words)
        remark = step.remark(answer)
        if remark is not None:
            self._notices.note(faults.refused_setting(step.name, remark), once=True)
        return self._info(answer) if step.command == Opcode.INFO else (Event.ANSWERED, None)

    def _info(self, answer: bytes) -> Understood:
        text = decode_text(answer)
        if answer[0] != InfoKind.HARDWARE:
            self.firmware = text
        elif self._known is not None and text != self._known:
            return Event.REJECTED, faults.another_device(self._known, text)
        else:
            self.model = text or "M100"
        return Event.ANSWERED, None


def _tag(payload: bytes) -> Understood:
    try:
        tag = decode_tag(payload)
    except ValueError:
        return Event.ODD, faults.bad_tag(payload)
    return (tag, None) if tag.sound else (Event.ODD, faults.bad_tag(payload))


def _error(payload: bytes, at: State, awaited: plan.Step | None) -> Understood:
    code = payload[0]
    if code == ErrorCode.INVENTORY_FAILED:
        # A round that found nothing: in an empty field this is the module's heartbeat.
        return Event.LOOKED, None
    if code == ErrorCode.HOPPING_FAILED:
        return Event.JAMMED, faults.JAMMED
    words = f"the module refuses it (error {code:02X})"
    if awaited is not None:
        return _refused(awaited), awaited.fault(words)
    if at is State.POLLING and code == ErrorCode.COMMAND_ERROR:
        return Event.REFUSED, faults.rejected("the inventory", words)
    return Event.ODD, faults.stray(ERROR_COMMAND, payload)


def _refused(step: plan.Step) -> Event:
    return Event.REJECTED if step.vital else Event.REFUSED
