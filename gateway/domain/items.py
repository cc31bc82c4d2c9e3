"""Items: what is known of each, and how long it may be silent."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gateway.domain.ears import Ear
from gateway.domain.location import Location
from gateway.domain.params import PresenceParams
from gateway.domain.presence import Presence
from gateway.domain.silence import UNEXPLAINED_PACES, Silences, pool_of, unexplained_s
from gateway.domain.tags import TagKey
from gateway.domain.zones import LiveZone

# The read chance is learnt over this much healthy time; a tag's surroundings change over minutes.
LEARNING_SPAN_S = 300.0
LEARNING_READS = 20.0
# ... and of a new place at once.
MOVED_SPAN_S = 2.0
# It is not given up before it has been silent for so many times its longest silence here.
LONGEST_FACTOR = 2.0
# What a new tag is believed to have, and how many seconds of looking that belief is worth: slow to be written off.
PRIOR_CHANCE = 0.02
PRIOR_SPAN_S = 30.0
# The pace follows the chance in steps of this share: a logarithm for every read would cost more than it tells.
PACE_STEP = 0.05
# Outside these bounds the formula below has no meaning for a real tag.
LOWEST_CHANCE = 0.0005
HIGHEST_CHANCE = 0.99
# The ticket of an item that nobody knows any more; reads of it may still wait to be judged.
FORGOTTEN = -1


class Cause(StrEnum):
    """Why stock changed, as a delta tells."""

    ARRIVED = "arrived"
    MOVED = "moved"
    DEPARTED = "departed"
    RETURNED = "returned"
    WEIGHED = "weighed"
    RECOUNTED = "recounted"
    CONFIRMED = "confirmed"
    CONFIG = "config"


@dataclass(frozen=True, slots=True)
class Identity:
    """One physical item: a GTIN-14 and its serial. Two tags with the same identity are the same item."""

    gtin: str
    serial: str


class Item:
    """What is known of one item.

    `read_chance` is the learnt probability that one healthy second brings a read, over `learnt_s` seconds.
    `seen_clock_s` is the reading of its zone's clock when it was last read; `seen_us` the same on the gateway's
    monotonic clock. `ticket` names its one living entry in its zone's timer. `stir_db` is how much its strength jumps
    from look to look of late, where `look_cell` is what looked last; `carried`: much more than is usual.
    `exited` is the door or till that it left by.
    """

    __slots__ = (
        "alerted",
        "carried",
        "cells",
        "changed_us",
        "exited",
        "first_us",
        "identity",
        "keys",
        "learnt_s",
        "location",
        "longest_s",
        "look_cell",
        "look_dbm",
        "look_us",
        "lost_from",
        "paced_chance",
        "pool",
        "presence",
        "read_chance",
        "reads",
        "saved_chance",
        "saved_longest_s",
        "seen_clock_s",
        "seen_us",
        "stir_db",
        "tick",
        "ticket",
        "unproven",
        "zone",
    )

    def __init__(self, identity: Identity, key: TagKey, now_us: int) -> None:
        self.identity = identity
        # Tuples, here and below: they hardly ever grow, and a shop has tens of thousands of each.
        self.keys: tuple[TagKey, ...] = (key,)
        self.presence = Presence.GLIMPSED
        self.zone: LiveZone | None = None
        self.location = Location(pace_s(PRIOR_CHANCE), now_us)
        self.cells: tuple[Cell, ...] = ()
        self.read_chance = PRIOR_CHANCE
        self.paced_chance = PRIOR_CHANCE
        self.learnt_s = PRIOR_SPAN_S
        self.saved_chance = 0.0
        self.saved_longest_s = 0.0
        self.pool: Silences | None = None
        self.reads = 0
        self.first_us = now_us
        self.seen_us = now_us
        self.changed_us = now_us
        self.seen_clock_s = 0.0
        self.ticket = 0
        self.tick = 0
        self.alerted = False
        self.carried = False
        self.stir_db = 0.0
        self.look_cell: Cell | None = None
        self.look_us = 0
        self.look_dbm = 0
        self.unproven = True
        self.exited: LiveZone | None = None
        self.longest_s = 0.0
        self.lost_from: Silences | None = None

    def learn(self, gap_s: float) -> None:
        """A read came `gap_s` healthy seconds after the one before it.

        The mean of min(1, gap) over the mean gap is the probability of a read within a second: for a Poisson
        stream of rate r it is 1 - exp(-r), exactly.
        """
        if gap_s <= 0.0:
            return
        seen = 1.0 if gap_s <= 1.0 else 1.0 / gap_s
        learnt_s = self.learnt_s + gap_s
        chance = self.read_chance
        chance = self.read_chance = chance + (seen - chance) * gap_s / learnt_s
        if learnt_s > LEARNING_SPAN_S:
            span_s = LEARNING_READS * self.location.pace_s
            if learnt_s > span_s:
                learnt_s = span_s if span_s > LEARNING_SPAN_S else LEARNING_SPAN_S
        self.learnt_s = learnt_s
        paced = self.paced_chance
        if not -PACE_STEP * paced <= chance - paced <= PACE_STEP * paced:
            self.paced_chance = chance
            self.location.set_pace(pace_s(chance))
            self.find_pool()

    def expect(self, chance: float) -> None:
        """It is read at least this often where it is now, as far as can be told beforehand."""
        if self.read_chance < chance:
            self.read_chance = self.paced_chance = chance
            self.location.set_pace(pace_s(chance))

    def find_pool(self) -> None:
        """Be counted among those of its zone that are read as often."""
        pool = (
            pool_of(self.zone.silences, self.location.pace_s, carried=self.carried)
            if self.zone is not None and not self.unproven
            else None
        )
        if pool is not self.pool:
            if self.pool is not None:
                self.pool.items -= 1
            if pool is not None:
                pool.items += 1
            self.pool = pool

    @property
    def unexplained_s(self) -> float:
        """From when on its silence is more than chance."""
        return unexplained_s(self.location.pace_s, self.learnt_s / self.location.pace_s)

    def doubt(self, blind_s: float) -> None:
        """Nobody has looked for so long: what was learnt before fades as it would have with looking."""
        span_s = max(LEARNING_SPAN_S, LEARNING_READS * self.location.pace_s)
        self.learnt_s = max(min(self.learnt_s, MOVED_SPAN_S), self.learnt_s * span_s / (span_s + blind_s))

    def missing_after_s(self, params: PresenceParams) -> float:
        """Silence that makes it MISSING."""
        own_s = silence_bound_s(self.read_chance, params.missing_chance)
        return min(max(own_s, params.missing_floor_s), params.silence_ceiling_s)

    @property
    def _is_unheard(self) -> bool:
        """It followed others, and has not been read where it is: its silence there means nothing yet."""
        location = self.location
        return location.followed_from is not None and self.seen_us <= location.since_us

    def departed_after_s(self, zone: LiveZone) -> float:
        """Silence that makes it DEPARTED where silence is all there is."""
        params = zone.params.presence
        if params.leaves_silent:
            return max(params.exit_silence_s, UNEXPLAINED_PACES * self.location.pace_s)
        ceiling_s = max(params.silence_ceiling_s, params.departed_floor_s)
        # Whatever people did there in all the time that nobody looked begins as one silence when somebody looks again.
        blind_s = zone.clock.blind_s(self.seen_clock_s)
        if self.unproven or self._is_unheard:
            withdrawn_s = min(params.withdrawn_after_s, zone.hopeless_s) if self.unproven else params.withdrawn_after_s
            return min(withdrawn_s + blind_s, ceiling_s)
        own_s = silence_bound_s(self.read_chance, params.missing_chance)
        pooled_s = pool_of(zone.silences, self.location.pace_s, carried=self.carried).patience_s
        patience_s = self.unexplained_s + max(pooled_s, LONGEST_FACTOR * self.longest_s)
        return min(max(own_s, patience_s, params.departed_floor_s) + blind_s, ceiling_s)


class Cell:
    """What one antenna has read of one item since the last tick; `reads` and `first_us` are 0 when nothing came."""

    __slots__ = ("dbm_sum", "ear", "first_us", "item", "last_us", "reads", "total")

    def __init__(self, item: Item, ear: Ear) -> None:
        self.item = item
        self.ear = ear
        self.reads = 0
        self.dbm_sum = 0
        self.first_us = 0
        self.last_us = 0
        self.total = 0


class Transition(NamedTuple):
    """One item has changed: `was` in zone `left`, now in zone `entered` (None: nowhere)."""

    item: Item
    was: Presence
    left: LiveZone | None
    now: Presence
    entered: LiveZone | None
    cause: Cause


def pace_s(read_chance: float) -> float:
    """The mean time between reads (seconds) of a tag that is read within a second with this chance."""
    return -1.0 / math.log(1.0 - min(HIGHEST_CHANCE, max(LOWEST_CHANCE, read_chance)))


def silence_bound_s(read_chance: float, chance: float) -> float:
    """Seconds T with P(T seconds of silence | present) = `chance` for a tag read with `read_chance` per second.

    (1 - p)^T = chance / p: of the tags that fall silent at all, this share does it by accident.
    """
    p = min(HIGHEST_CHANCE, max(LOWEST_CHANCE, read_chance))
    return max(1.0, math.log(chance / p) / math.log(1.0 - p))
