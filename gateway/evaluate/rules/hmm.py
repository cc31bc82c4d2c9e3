"""A hidden Markov model of two states, here and gone, for each tag; reads are taken as independent."""

from dataclasses import dataclass, replace

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.epochs import Switches, epochs
from gateway.evaluate.rules.rule import LAST_READ, Place, Spans, placed
from gateway.evaluate.tracks import Floats, Tracks

# A tag that is gone is read by accident (from the next room, carried past) this often in an epoch.
STRAY_CHANCE = 1e-4
# What a tag is believed to be read with in an epoch, as if seen that often in so many epochs.
PRIOR_SEEN, PRIOR_EPOCHS = 0.5, 5.0


@dataclass(frozen=True, slots=True)
class TwoStates:
    """A tag counts while it is here with more than an even chance.

    `stay_s`: how long a tag stays, `away_s`: how long it is gone, in the mean. How often a tag is read in an epoch
    while it is here is learnt for each.
    """

    stay_s: float
    away_s: float
    epoch_s: float = 1.0
    place: Place = LAST_READ

    def __call__(self, readings: Readings) -> Tracks:
        spans = readings.once(replace(self, place=LAST_READ), lambda: self._here(readings))
        return placed(readings, spans, self.place.labels(readings))

    def _here(self, readings: Readings) -> Spans:
        """When each tag is here, wherever that may be."""
        switches = Switches(readings.tags)
        here = np.zeros(readings.tags)
        seen = np.full(readings.tags, PRIOR_SEEN)
        looked = np.full(readings.tags, PRIOR_EPOCHS)
        leaves, comes = self.epoch_s / self.stay_s, self.epoch_s / self.away_s
        for epoch in epochs(readings, self.epoch_s):
            before = step(here, leaves, comes)
            chance = seen / looked
            here = posterior(before, 1.0 - chance, 1.0 - STRAY_CHANCE)
            here[epoch.cells] = posterior(before[epoch.cells], chance[epoch.cells], STRAY_CHANCE)
            seen[epoch.cells] += here[epoch.cells]
            looked += here
            switches.set(epoch.end_us, here > 0.5)
        return switches.spans(readings.end_us)

    def __str__(self) -> str:
        return f"stays {self.stay_s:g} s, away {self.away_s:g} s, epoch {self.epoch_s:g} s, {self.place}"


def step(here: Floats, leaves: float, comes: float) -> Floats:
    """The chance to be here an epoch later, before anything is read."""
    return here * (1.0 - leaves - comes) + comes


def posterior(here: Floats, if_here: Floats, if_gone: float) -> Floats:
    """The chance to be here after an observation that has these likelihoods."""
    both = here * if_here
    return np.asarray(both / (both + (1.0 - here) * if_gone))
