"""Which event of the table a frame is. Pure.

Answers belong to requests by message id, whatever else arrives in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from readers.driver import ReaderError
from readers.llrp import faults
from readers.llrp.control import (
    Answer,
    CapabilitiesAnswer,
    ConnectionClosed,
    ConnectionStatus,
    Keepalive,
    Notification,
    Request,
    RoSpecsAnswer,
    StartRoSpec,
    Status,
    StopRoSpec,
)
from readers.llrp.inventory import OwnInventory
from readers.llrp.messages import decode
from readers.llrp.outbox import Outbox
from readers.llrp.settings import LlrpSettings
from readers.llrp.sideline import Sideline
from readers.llrp.states import ADDINGS, Event, State
from readers.llrp.verdicts import Cause, find_attempt
from readers.llrp.waiting import Waiting
from readers.llrp.wire import Frame, FrameError, MessageType


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a session is when a frame comes: what it waits for, and the answer that it no longer waits for."""

    state: State
    awaited: Waiting | None
    abandoned_id: int
    inputs: Mapping[int, bool]
    now_us: int

    def answers(self, kind: int, message_id: int) -> bool:
        """Whether such a message is what is waited for."""
        return self.awaited is not None and self.awaited.is_answered_by(kind, message_id)


class Interpreter:
    """Reads frames for one session. What an answer settles (a plan, a concession) is settled on the way."""

    def __init__(self, settings: LlrpSettings, inventory: OwnInventory, outbox: Outbox, sideline: Sideline) -> None:
        self._settings = settings
        self._inventory = inventory
        self._outbox = outbox
        self._sideline = sideline

    def read(self, frame: Frame, now: Situation) -> tuple[Event, Cause]:
        """The event, and what made it."""
        try:
            message = decode(frame)
        except FrameError as error:
            if now.answers(frame.kind, frame.message_id):
                # The answer has come and cannot be read: to wait any longer for it is no use.
                status = Status(ok=False, code="undecodable", text=error.text)
                return self._refusal(Answer(MessageType(frame.kind), frame.message_id, status), now)
            return Event.ODD, faults.undecodable(error)
        if isinstance(message, Keepalive):
            return Event.KEEPALIVE, message
        if isinstance(message, Notification):
            return self._notification(message, now), message
        if isinstance(message, Answer):
            return self._answer(message, now)
        return Event.ODD, faults.stray(message.kind, message.message_id)

    def _notification(self, message: Notification, now: Situation) -> Event:
        if any(isinstance(happening, ConnectionClosed) for happening in message.happenings):
            return Event.CLOSED_BY_READER
        attempt = find_attempt(message)
        turns = (self._inventory.event_of(each, now.state, now.now_us) for each in message.happenings)
        turn = next(filter(None, turns), None)
        if turn is not None:
            return turn
        if now.state is not State.AWAITING_EVENT or attempt is None:
            return Event.NOTIFIED
        return Event.ACCEPTED if attempt is ConnectionStatus.SUCCESS else Event.TURNED_AWAY

    def _answer(self, message: Answer, now: Situation) -> tuple[Event, Cause]:
        aside = self._outbox.take_aside(message)
        if aside is not None:
            return self._aside(aside, message, now.state), message
        if 0 < message.message_id == now.abandoned_id:
            return Event.ASIDE_ANSWERED, None
        if not now.answers(message.kind, message.message_id):
            return Event.ODD, faults.stray(message.kind, message.message_id, str(message.status))
        if not message.status.ok or message.kind is MessageType.ERROR_MESSAGE:
            return self._refusal(message, now)
        return self._success(message, now)

    def _refusal(self, message: Answer, now: Situation) -> tuple[Event, Cause]:
        if now.state in ADDINGS and not self._inventory.concede(message.status):
            return Event.UNYIELDING, message
        if now.state is State.STARTING and self._inventory.boundary.starts_itself:
            # We were only early: its trigger will start it.
            return Event.ARMED, message
        return Event.REFUSED, message

    def _success(self, message: Answer, now: Situation) -> tuple[Event, Cause]:
        if isinstance(message, CapabilitiesAnswer):
            try:
                self._inventory.plan(self._settings, message.capabilities)
            except ReaderError as error:
                return Event.UNSUITED, error.fault
        if isinstance(message, RoSpecsAnswer) and self._inventory.adoptable(message):
            return Event.ADOPTABLE, message
        if now.state is State.ENABLING:
            return self._inventory.way_on(now.inputs), message
        return Event.ANSWERED, message

    def _aside(self, aside: Request, message: Answer, state: State) -> Event:
        if message.status.ok and message.kind is not MessageType.ERROR_MESSAGE:
            return Event.ASIDE_ANSWERED
        if isinstance(aside, StopRoSpec):
            self._inventory.not_stopped()
        if isinstance(aside, StartRoSpec) and state is State.READING:
            return Event.REFUSED
        return Event.ASIDE_REFUSED if self._sideline.refused(aside) else Event.ASIDE_ANSWERED
