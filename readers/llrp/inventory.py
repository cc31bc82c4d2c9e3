"""The one ROSpec that is ours on a reader: what it is, whether it still runs, and whose turn it is. Pure."""

from collections.abc import Mapping
from typing import Final

from readers.llrp.concessions import Bargain, Concession
from readers.llrp.control import (
    AddRoSpec,
    Capabilities,
    Happening,
    RoSpec,
    RoSpecEnded,
    RoSpecsAnswer,
    RoSpecStarted,
    Status,
    StopRoSpec,
)
from readers.llrp.gpio import WHEN_TOLD, Boundary
from readers.llrp.holding import runs_unchanged
from readers.llrp.messages import encode
from readers.llrp.rospec import ROSPEC_ID, plan_rospec
from readers.llrp.settings import Level, LlrpSettings
from readers.llrp.states import Event, State
from readers.llrp.wire import HEADER_BYTES

MISSED_PERIODS: Final = 3
"""A duty cycle that has begun and skips so many periods goes on no more: somebody has stopped it."""

LEAST_PATIENCE_US: Final = 10_000_000
"""... but not before this time is over: short periods, a busy reader and a slow link."""

US_PER_MS: Final = 1000


class OwnInventory:
    """Planned once the device is known. `rests`: it is another reader's turn."""

    def __init__(self) -> None:
        self.rests = False
        # When the next period of a duty cycle is overdue; None: none has been told to begin.
        self.overdue_us: int | None = None
        self._bargain: Bargain | None = None
        self._own_stops = 0

    def plan(self, settings: LlrpSettings, device: Capabilities) -> None:
        """Settle what to ask for; raises ReaderError (kind "unsuited")."""
        self._bargain = Bargain(plan_rospec(settings, device))

    @property
    def boundary(self) -> Boundary:
        """When it starts and stops by itself."""
        return WHEN_TOLD if self._bargain is None else self._bargain.offer.boundary

    @property
    def left_out(self) -> tuple[Concession, ...]:
        """What of it the reader does not take."""
        return () if self._bargain is None else tuple(sorted(self._bargain.left_out))

    def _offer(self) -> RoSpec:
        assert self._bargain is not None  # planned when the capabilities were answered
        return self._bargain.offer

    def add(self) -> AddRoSpec:
        """All of it, or what the reader has not refused."""
        return AddRoSpec(self._offer())

    def concede(self, refusal: Status) -> bool:
        """Less of it, from now on; False where it can be no less."""
        return self._bargain is not None and self._bargain.concede(refusal)

    def stop(self) -> StopRoSpec:
        """The reader will tell of this end; it is no news."""
        self._own_stops += 1
        return StopRoSpec(ROSPEC_ID)

    def not_stopped(self) -> None:
        """The reader has refused: an end that it tells of is news again."""
        self._own_stops = max(0, self._own_stops - 1)

    def adoptable(self, message: RoSpecsAnswer) -> bool:
        """Is ours the only ROSpec, as we would add it now, and running?"""
        ours = encode(self.add(), message.message_id)[HEADER_BYTES:]
        return len(message.rospecs) == 1 and runs_unchanged(message.rospecs[0], ours)

    def way_on(self, inputs: Mapping[int, bool]) -> Event:
        """Once enabled it starts by itself, at its turn, or at once; `inputs` that are high (port -> high) already."""
        if self.rests:
            return Event.ARMED
        start = self.boundary.start
        if start is not None:
            # A trigger is a change: a door that stands open would not start it.
            return Event.ANSWERED if inputs.get(start.port) is (start.level is Level.HIGH) else Event.ARMED
        if self.boundary.watched:
            return Event.ARMED
        return Event.UNDERWAY if self.boundary.starts_itself else Event.ANSWERED

    def event_of(self, happening: Happening, state: State, now_us: int) -> Event | None:
        """It has begun or ended: by its trigger, at our word (that is no news), or behind our back."""
        if not isinstance(happening, RoSpecStarted | RoSpecEnded) or happening.rospec_id != ROSPEC_ID:
            return None
        boundary = self.boundary
        if isinstance(happening, RoSpecStarted):
            if boundary.period_ms:
                period_us = boundary.period_ms * US_PER_MS
                self.overdue_us = now_us + max(MISSED_PERIODS * period_us, LEAST_PATIENCE_US)
            return Event.STARTED if boundary.watched and state is State.RESTING else None
        if self._own_stops:
            self._own_stops -= 1
            return None
        if state is not State.READING or (boundary.starts_itself and not boundary.watched):
            return None
        return Event.ENDED if boundary.watched else Event.STOPPED
