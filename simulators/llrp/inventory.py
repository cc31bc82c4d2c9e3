"""One running ROSpec: AISpecs in order, antennas in turn, and what the field shows on each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from simulators.field import Field, Sighting
from simulators.llrp.rospec import AISpec, ROSpec, TagObservation

_N_TAGS, _NO_NEW_TAGS, _N_ATTEMPTS = 0, 1, 2  # TagObservationTriggerType, section 10.2.2.1.1
# An inventory round takes at least this long, whatever the triggers say; so time always passes.
_MIN_STEP_US = 1000


class Observed(NamedTuple):
    """A tag was seen by `antenna` under spec `spec_index` (from 1)."""

    sighting: Sighting
    spec_index: int
    inventory_spec_id: int
    antenna: int


class SpecEnded(NamedTuple):
    """An AISpec ended."""

    at_us: int
    spec_index: int


class Finished(NamedTuple):
    """The ROSpec ended by itself: its duration is over, or all its specs are done."""

    at_us: int


Step = Observed | SpecEnded | Finished


@dataclass(slots=True)
class _Progress:
    """How far the running AISpec is."""

    started_us: int
    turn: int = 0
    observations: int = 0
    last_new_us: int = 0
    seen: set[bytes] = field(default_factory=set)


class Inventory:
    """Advances through a ROSpec from `started_us`; asks the field for one dwell of one antenna at a time."""

    def __init__(self, rospec: ROSpec, world: Field, *, started_us: int, dwell_us: int, loops: bool) -> None:
        self.rospec = rospec
        self._world = world
        self._dwell_us = dwell_us
        self._loops = loops and rospec.duration_us is None
        self._stop_us = None if rospec.duration_us is None else started_us + rospec.duration_us
        self._index = 0
        self._turn = 0
        self._at_us = started_us
        self._progress = _Progress(started_us, last_new_us=started_us)
        self._step_end_us = self._end_of_step()

    @property
    def next_us(self) -> int:
        """When the running dwell ends."""
        return self._step_end_us

    def advance(self, now_us: int, connected: frozenset[int]) -> Iterator[Step]:
        """Everything that happens until `now_us` on the antennas that are `connected`, in order."""
        while self._step_end_us <= now_us:
            yield from self._step(connected)
            spec = self.rospec.specs[self._index]
            if self._stop_us is not None and self._at_us >= self._stop_us:
                yield SpecEnded(self._at_us, self._index + 1)
                yield Finished(self._at_us)
                return
            if self._ended(spec):
                yield SpecEnded(self._at_us, self._index + 1)
                self._index += 1
                if self._index == len(self.rospec.specs):
                    if not self._loops:
                        yield Finished(self._at_us)
                        return
                    self._index = 0
                self._progress = _Progress(self._at_us, last_new_us=self._at_us)
            self._step_end_us = self._end_of_step()

    def _step(self, connected: frozenset[int]) -> Iterator[Observed]:
        """One dwell: what the antenna whose turn it is sees. A round that has begun is ended, whatever it has seen."""
        spec, progress = self.rospec.specs[self._index], self._progress
        antennas = [antenna for antenna in spec.antennas if antenna in connected]
        start_us, self._at_us = self._at_us, self._step_end_us
        progress.turn += 1
        if not antennas:
            return
        # The turn goes on from where the last AISpec left it, or short AISpecs would starve the later antennas.
        self._turn += 1
        antenna = antennas[(self._turn - 1) % len(antennas)]
        for sighting in self._world.sightings(antenna, start_us, self._step_end_us):
            yield Observed(sighting, self._index + 1, spec.inventory_spec_id, antenna)
            progress.observations += 1
            if sighting.epc not in progress.seen:
                progress.seen.add(sighting.epc)
                progress.last_new_us = sighting.at_us

    def _ended(self, spec: AISpec) -> bool:
        elapsed_us = self._at_us - self._progress.started_us
        if spec.duration_us is not None:
            return elapsed_us >= spec.duration_us
        return spec.observation is not None and self._observed(spec, spec.observation, elapsed_us)

    def _observed(self, spec: AISpec, trigger: TagObservation, elapsed_us: int) -> bool:
        if 0 < trigger.timeout_us <= elapsed_us:
            return True
        if trigger.kind == _N_TAGS:
            return 0 < trigger.tags <= self._progress.observations
        if trigger.kind == _NO_NEW_TAGS:
            return 0 < trigger.quiet_us <= self._at_us - self._progress.last_new_us
        return trigger.kind == _N_ATTEMPTS and self._progress.turn >= trigger.attempts * len(spec.antennas)

    def _end_of_step(self) -> int:
        """The end of the next dwell, cut short by whichever stop trigger comes first."""
        spec = self.rospec.specs[self._index]
        ends = [self._at_us + self._dwell_us]
        if self._stop_us is not None:
            ends.append(self._stop_us)
        if spec.duration_us is not None:
            ends.append(self._progress.started_us + spec.duration_us)
        if spec.observation and spec.observation.timeout_us:
            ends.append(self._progress.started_us + spec.observation.timeout_us)
        return max(min(ends), self._at_us + _MIN_STEP_US)
