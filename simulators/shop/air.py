"""What the antennas read while a day goes by: fading, bodies, sessions and shared air time, one dwell at a time."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.shop.day import Day, Motion
from simulators.shop.floor import Floor
from simulators.shop.plan import ReaderMount, ShopPlan
from simulators.shop.radio import SENSITIVITY_DBM, SENSITIVITY_SPREAD_DB, Antennas

Indices = NDArray[np.int64]
Levels = NDArray[np.float32]

_US_PER_S = 1_000_000
# Hopping over the band within a dwell turns the sharp edge of a tag's sensitivity into a slope of this width.
SLOPE_DB = 1.2
# Of the slots of an inventory round so many are lost to collisions and noise although the tag answers.
SLOT_SUCCESS = 0.95
# A tag this far below its sensitivity is not looked at: even a good moment does not wake it.
HOPELESS_DB = 14.0
# An inventory round costs this much besides its tags (Query, hopping, the reader's own work).
ROUND_OVERHEAD_S = 0.015
# How long the inventoried flag lasts: S1 0.5 to 5 s by Gen2, mostly 1 to 3 s; S2 and S3 over 2 s without power.
S1_FLAG_S = (0.8, 4.0)
S2_FLAG_S = (2.0, 60.0)
# Backscatter loses this much in the tag; then the way back is as long as the way there.
MODULATION_DB = 5.0
RSSI_NOISE_DB = 1.0
# A reader hears nothing weaker (data sheets say -80 to -92); PeakRSSI of a tag on the antenna is about -20.
WEAKEST_DBM, STRONGEST_DBM = -84, -20
# Tags hang and lie between these heights.
HEIGHT_M = (0.4, 1.7)
# A carried tag is put into a new place and turned this often.
_STRIDE_US = 250_000
# A body shadows this far to each side of where it stands.
BODY_RAD = 1.1


class Reads(NamedTuple):
    """The reads of one dwell, by time: moments in UTC us, tag indices, RSSI in dBm."""

    at_us: NDArray[np.int64]
    tag: Indices
    rssi_dbm: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Opening:
    """What lies where, and how the antennas see it, before anybody moves.

    By antenna and tag: `margin_db`, mean power above what the tag needs. By tag: `zone` (index into the plan's),
    `fixture`, `flag_s` (how long it is silent after a read). By antenna: `turns_per_s`, `slots` (reads in a dwell).
    By antenna and fixture: `bearing_rad` of the antenna in the plan, `flatness` (cos of its elevation).
    """

    margin_db: NDArray[np.float32]
    zone: Indices
    fixture: Indices
    flag_s: NDArray[np.float64]
    turns_per_s: NDArray[np.float64]
    slots: NDArray[np.float64]
    bearing_rad: NDArray[np.float64]
    flatness: NDArray[np.float64]


NO_READS = Reads(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int8))


class Air:
    """The state of the air. `dwell` lets one antenna transmit; moments must not go back."""

    def __init__(self, plan: ShopPlan, floor: Floor, day: Day, seed: Sequence[int]) -> None:
        self.antennas = [(reader, mount) for reader in plan.readers for mount in reader.antennas]
        self._plan = plan
        self._noise = plan.noise
        self._floor = floor
        self._day = day
        self._rng = np.random.default_rng(list(seed))
        self._radio = Antennas([mount for _, mount in self.antennas], plan.walls, plan.noise.path_exponent)
        count, tags = len(self.antennas), len(day.epcs)
        rng = self._rng
        # By antenna and tag: mean power less what the tag needs, fading and its time of change.
        self._margin: Levels = np.full((count, tags), -np.inf, np.float32)
        self._fade: Levels = np.zeros((count, tags), np.float32)
        self._fade_s: Levels = np.ones((count, tags), np.float32)
        self._view: list[Indices | None] = [None] * count
        self._last_us = [round(plan.start.timestamp() * _US_PER_S)] * count
        # By tag.
        self._fading_db: Levels = np.full(tags, plan.noise.fading_db, np.float32)
        self._fixture: Indices = np.full(tags, len(floor.fixtures))
        self._sensitivity_dbm: Levels = rng.normal(SENSITIVITY_DBM, SENSITIVITY_SPREAD_DB, tags).astype(np.float32)
        self._flag_us: Indices = np.zeros((4, tags), np.int64)
        flags_s = [np.zeros(tags), *(_log_uniform(rng, span, tags) for span in (S1_FLAG_S, S2_FLAG_S, S2_FLAG_S))]
        self._flag_lasts_us: Indices = (np.array(flags_s) * _US_PER_S).astype(np.int64)
        # By antenna and fixture; the last column is for what lies on none.
        self._block_db: Levels = np.zeros((count, len(floor.fixtures) + 1), np.float32)
        self._bearings = [self._radio.bearings(fixture.at) for fixture in floor.fixtures]
        self._next_motion = self._next_block = 0
        self._walking: list[Motion] = []
        self._walked_us = 0
        self._unblock: list[tuple[int, int]] = []
        self._credit = dict.fromkeys((reader.id for reader in plan.readers), 0.0)
        self._rarest_margin = self._margins_of_the_rarest()

    def dwell(self, antenna: int, start_us: int, end_us: int) -> Reads:
        """What `antenna` (an index into `antennas`) reads while it transmits from `start_us` to `end_us`."""
        self._advance(start_us)
        reader, mount = self.antennas[antenna]
        tags = self._in_view(antenna)
        if not len(tags):
            return NO_READS
        level = self._levels(antenna, tags, start_us)
        spots = np.flatnonzero(self._rng.random(len(tags), np.float32) * (1 + np.exp(level / -SLOPE_DB)) < 1)
        spots = self._not_silent(reader, tags, spots, start_us, end_us)
        spots = self._share_air(reader, spots, (end_us - start_us) / _US_PER_S)
        if not len(spots):
            return NO_READS
        read = tags[spots]
        if reader.target == "single":
            self._flag_us[reader.session, read] = end_us + self._flag_lasts_us[reader.session, read]
        level_dbm = level[spots] + self._sensitivity_dbm[read]
        noise = self._rng.standard_normal(len(read), np.float32) * RSSI_NOISE_DB
        rssi = np.rint(2 * level_dbm - (mount.power_dbm + MODULATION_DB) + noise)
        heard = rssi >= WEAKEST_DBM
        moments = self._rng.integers(start_us, end_us, len(read))
        moments.sort()
        return Reads(moments[heard], read[heard], np.minimum(rssi[heard], STRONGEST_DBM).astype(np.int8))

    def opening(self) -> Opening:
        """The store at its first moment; only before the first dwell."""
        self._advance(self._last_us[0])
        laid = np.flatnonzero(np.isfinite(self._margin).all(axis=0))
        numbers = {zone.id: number for number, zone in enumerate(self._plan.zones)}
        zones = np.array([numbers[fixture.zone] for fixture in self._floor.fixtures])
        repeats = {reader.session for reader, _ in self.antennas if reader.target == "single"}
        bearings, flatness = (np.array(column).T for column in zip(*self._bearings, strict=True))
        return Opening(
            margin_db=self._margin[:, laid],
            zone=zones[self._fixture[laid]],
            fixture=self._fixture[laid],
            flag_s=self._flag_lasts_us[max(repeats, default=0), laid] / _US_PER_S,
            turns_per_s=1000 / np.array([cycle_ms(reader) for reader, _ in self.antennas]),
            slots=np.array([reader.reads_per_s * mount.dwell_ms / 1000 for reader, mount in self.antennas]),
            bearing_rad=bearings,
            flatness=flatness,
        )

    # --- one dwell --------------------------------------------------------------------------------------------------

    def _in_view(self, antenna: int) -> Indices:
        view = self._view[antenna]
        if view is None:
            view = self._view[antenna] = np.flatnonzero(self._margin[antenna] > -HOPELESS_DB)
        return view

    def _levels(self, antenna: int, tags: Indices, now_us: int) -> Levels:
        """Let the fading go on to now, and give each tag's power above its sensitivity in dB."""
        elapsed_s = np.float32(max(now_us - self._last_us[antenna], 1) / _US_PER_S)
        self._last_us[antenna] = now_us
        keeps = np.exp(-elapsed_s / self._fade_s[antenna, tags])
        kick = self._rng.standard_normal(len(tags), np.float32) * self._fading_db[tags]
        fade = keeps * self._fade[antenna, tags] + np.sqrt(1 - keeps * keeps) * kick
        self._fade[antenna, tags] = fade
        level: Levels = self._margin[antenna, tags] + fade - self._block_db[antenna, self._fixture[tags]]
        return level

    def _not_silent(
        self, reader: ReaderMount, tags: Indices, answering: Indices, start_us: int, end_us: int
    ) -> Indices:
        """Those of the answering tags that take part: a flag keeps a tag silent for a reader with a single target."""
        if reader.session == 0:
            return answering
        flags_us = self._flag_us[reader.session]
        flagged = flags_us[tags[answering]] > start_us
        if reader.session >= 2:
            # Power keeps these flags up; they fall some time after it has gone.
            kept = tags[answering[flagged]]
            flags_us[kept] = end_us + self._flag_lasts_us[reader.session, kept]
        return answering[~flagged] if reader.target == "single" else answering

    def _share_air(self, reader: ReaderMount, waiting: Indices, for_s: float) -> Indices:
        """Which of the tags that would answer are read, each as often as it is; never more than the air carries."""
        credit = min(self._credit[reader.id], 1.0) + reader.reads_per_s * for_s
        slots = int(credit)
        read = waiting
        if len(waiting):
            rounds = 1
            if reader.session == 0 or reader.target == "dual":
                rounds = max(1, int(for_s / (ROUND_OVERHEAD_S + len(waiting) / reader.reads_per_s)))
            read = np.repeat(waiting, self._rng.binomial(rounds, SLOT_SUCCESS, len(waiting)))
            self._rng.shuffle(read)
            read = read[:slots]
        self._credit[reader.id] = credit - slots
        return read

    # --- what happens meanwhile -------------------------------------------------------------------------------------

    def _advance(self, now_us: int) -> None:
        motions, blocks = self._day.motions, self._day.blocks
        while self._next_motion < len(motions) and motions[self._next_motion].at_us <= now_us:
            self._begin(motions[self._next_motion])
            self._next_motion += 1
        while self._next_block < len(blocks) and blocks[self._next_block].at_us <= now_us:
            heapq.heappush(self._unblock, (blocks[self._next_block].until_us, self._next_block))
            self._stand(self._next_block, 1.0)
            self._next_block += 1
        while self._unblock and self._unblock[0][0] <= now_us:
            self._stand(heapq.heappop(self._unblock)[1], -1.0)
        if self._walking and now_us - self._walked_us >= _STRIDE_US:
            self._walk(now_us)

    def _stand(self, number: int, sign: float) -> None:
        """A body comes to a fixture, or goes: it shadows the antennas behind it, those above it less."""
        block = self._day.blocks[number]
        directions, flatness = self._bearings[block.fixture]
        aside = np.abs((directions - block.bearing_rad + np.pi) % (2 * np.pi) - np.pi)
        shadow = np.where(aside < BODY_RAD, flatness, 0.0)
        self._block_db[:, block.fixture] += (sign * block.loss_db * shadow).astype(np.float32)

    def _begin(self, motion: Motion) -> None:
        tags = np.array(motion.tags)
        self._walking = [
            other for other in self._walking if other.tags != motion.tags and not set(other.tags) & set(motion.tags)
        ]
        self._view = [None] * len(self._view)
        if not motion.present:
            self._margin[:, tags] = -np.inf
            return
        noise, rng = self._noise, self._rng
        carried = motion.fixture is None
        self._fading_db[tags] = noise.carried_fading_db if carried else noise.fading_db
        self._fixture[tags] = len(self._floor.fixtures) if motion.fixture is None else motion.fixture
        shape = (len(self.antennas), len(tags))
        self._fade_s[:, tags] = _log_uniform(rng, noise.carried_fading_s if carried else noise.fading_s, shape)
        self._fade[:, tags] = rng.standard_normal(shape, np.float32) * self._fading_db[tags]
        if motion.until_us > motion.at_us:
            self._walking.append(motion)
            self._place(motion, motion.start)
        else:
            self._place(motion, motion.end)

    def _walk(self, now_us: int) -> None:
        self._walked_us = now_us
        for motion in self._walking:
            part = min(1.0, (now_us - motion.at_us) / (motion.until_us - motion.at_us))
            way = tuple(begin + (end - begin) * part for begin, end in zip(motion.start, motion.end, strict=True))
            self._place(motion, way)
        self._view = [None] * len(self._view)
        self._walking = [motion for motion in self._walking if motion.until_us > now_us]

    def _place(self, motion: Motion, at: tuple[float, ...]) -> None:
        """Put tags around a point, each turned somehow, and reckon what every antenna sends them."""
        rng, tags = self._rng, np.array(motion.tags)
        places = (
            np.array(at) + rng.normal(0.0, motion.spread_m, (len(tags), 3))
            if motion.spread_m
            else (np.tile(np.array(at), (len(tags), 1)))
        )
        resting = motion.fixture is not None
        places[:, 2] = rng.uniform(*HEIGHT_M, len(tags)) if resting else np.clip(places[:, 2], *HEIGHT_M)
        axes = rng.normal(0.0, 1.0, (len(tags), 3))
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        level = self._radio.reach(places, axes) - motion.loss_db
        level += rng.normal(0.0, self._noise.shadow_db, level.shape)
        margin = level - self._sensitivity_dbm[tags]
        if motion.fixture is not None:
            fixture = self._floor.fixtures[motion.fixture]
            margin -= self._floor.zones[fixture.zone].clutter_db + fixture.metal_db
            margin += self._lift(fixture.zone, margin)
        self._margin[:, tags] = margin

    def _lift(self, zone: str, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how many dB each tag is hung better, so that one of its zone's own antennas can read it now and then."""
        rarest = self._rarest_margin
        own = [n for n, (_, mount) in enumerate(self.antennas) if mount.zone == zone]
        if not own:
            return np.zeros(margin.shape[1])
        missing = np.array([rarest[n] for n in own])[:, None] - margin[own]
        lift: NDArray[np.float64] = np.maximum(missing.min(axis=0), 0.0)
        return lift

    def _margins_of_the_rarest(self) -> list[float]:
        """For each antenna the mean margin at which a tag is read once in `rarest_s` seconds."""
        noise = self._noise
        return [margin_of(cycle_ms(reader) / 1000 / noise.rarest_s, noise.fading_db) for reader, _ in self.antennas]


def cycle_ms(reader: ReaderMount) -> int:
    """How long it takes until each antenna has had its turn."""
    return sum(mount.dwell_ms for mount in reader.antennas) + reader.idle_ms


def chance_of(margin_db: float, fading_db: float) -> float:
    """How likely a tag answers in a dwell, over all its fading, by its mean margin."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(32)
    answers = SLOT_SUCCESS / (1 + np.exp(-(margin_db + fading_db * nodes) / SLOPE_DB))
    return float((weights * answers).sum() / weights.sum())


def margin_of(chance: float, fading_db: float) -> float:
    """The mean margin in dB at which a tag answers with that chance in a dwell; within HOPELESS_DB."""
    low, high = -HOPELESS_DB + 0.5, 40.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if chance_of(middle, fading_db) < chance else (low, middle)
    return high


def _log_uniform(
    rng: np.random.Generator, span: tuple[float, float], shape: int | tuple[int, ...]
) -> NDArray[np.float64]:
    low, high = np.log(span[0]), np.log(span[1])
    return np.exp(rng.uniform(low, high, shape))
