"""What a connection dies of: the fault behind each command that ends one. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from readers.llrp import faults
from readers.llrp.control import Answer, ConnectionAttempt, ConnectionStatus, Message, Notification
from readers.llrp.states import Command
from readers.model import Fault

Cause = Message | Fault | None
"""What made an event: a message, a fault that a frame amounts to, or the passing of time."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else a verdict may need: the answer that is waited for, the silence so far, the reader's room."""

    awaited: str
    silence_s: float
    max_rospecs: int


def find_attempt(cause: Cause) -> ConnectionStatus | None:
    """The status of a connection event."""
    if isinstance(cause, Notification):
        for happening in cause.happenings:
            if isinstance(happening, ConnectionAttempt):
                return happening.status
    return None


def _rejected(cause: Cause, circumstances: Circumstances) -> Fault | None:
    return faults.rejected(cause, circumstances.max_rospecs) if isinstance(cause, Answer) else None


VERDICTS: Final[Mapping[Command, Callable[[Cause, Circumstances], Fault | None]]] = {
    Command.FAIL_TURNED_AWAY: lambda cause, _: faults.turned_away(find_attempt(cause)),
    Command.FAIL_REJECTED: _rejected,
    Command.FAIL_UNSUITED: lambda cause, _: cause if isinstance(cause, Fault) else None,
    Command.FAIL_TIMEOUT: lambda _, around: faults.overdue(around.awaited),
    Command.FAIL_SILENT: lambda _, around: faults.silent(around.silence_s),
    Command.FAIL_STOPPED: lambda _, __: faults.STOPPED,
    Command.FAIL_CLOSED_BY_READER: lambda _, __: faults.CLOSED_BY_READER,
}
