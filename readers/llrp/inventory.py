"""The one ROSpec that is ours on a reader: what it is, whether it still runs, and whose turn it is. Pure."""

from readers.llrp.control import (
    AddRoSpec,
    Capabilities,
    Happening,
    RoSpec,
    RoSpecEnded,
    RoSpecsAnswer,
    RoSpecStarted,
    StopRoSpec,
)
from readers.llrp.gpio import WHEN_TOLD, Boundary
from readers.llrp.holding import runs_unchanged
from readers.llrp.messages import encode
from readers.llrp.rospec import ROSPEC_ID, plain_rospec, plan_rospec
from readers.llrp.settings import LlrpSettings
from readers.llrp.states import Event, State
from readers.llrp.wire import HEADER_BYTES


class OwnInventory:
    """Planned once the device is known. `rests`: it is another reader's turn."""

    def __init__(self) -> None:
        self.rests = False
        self._rospec: RoSpec | None = None
        self._own_stops = 0

    def plan(self, settings: LlrpSettings, device: Capabilities) -> None:
        """Settle what to ask for; raises ReaderError (kind "unsuited")."""
        self._rospec = plan_rospec(settings, device)

    @property
    def boundary(self) -> Boundary:
        """When it starts and stops by itself."""
        return WHEN_TOLD if self._rospec is None else self._rospec.boundary

    def add(self) -> AddRoSpec:
        """All of it."""
        assert self._rospec is not None  # planned when the capabilities were answered
        return AddRoSpec(self._rospec)

    def add_plain(self) -> AddRoSpec:
        """How it reads is left to the reader from now on: that it reads is what counts."""
        self._rospec = plain_rospec(self.add().rospec)
        return self.add()

    def stop(self) -> StopRoSpec:
        """The reader will tell of this end; it is no news."""
        self._own_stops += 1
        return StopRoSpec(ROSPEC_ID)

    def adoptable(self, message: RoSpecsAnswer) -> bool:
        """Is ours the only ROSpec, as we would add it now, and running?"""
        ours = encode(self.add(), message.message_id)[HEADER_BYTES:]
        return len(message.rospecs) == 1 and runs_unchanged(message.rospecs[0], ours)

    def way_on(self) -> Event:
        """Once enabled it starts by itself, at its turn, or at once."""
        if self.boundary.watched or self.rests:
            return Event.ARMED
        return Event.UNDERWAY if self.boundary.starts_itself else Event.ANSWERED

    def event_of(self, happening: Happening, state: State) -> Event | None:
        """It has begun or ended: by its trigger, at our word (that is no news), or behind our back."""
        if not isinstance(happening, RoSpecStarted | RoSpecEnded) or happening.rospec_id != ROSPEC_ID:
            return None
        boundary = self.boundary
        if isinstance(happening, RoSpecStarted):
            return Event.STARTED if boundary.watched and state is State.RESTING else None
        if self._own_stops:
            self._own_stops -= 1
            return None
        if state is not State.READING or (boundary.starts_itself and not boundary.watched):
            return None
        return Event.ENDED if boundary.watched else Event.STOPPED
