"""A tag between two antennas: false moves per tag-hour, and how soon a true move is told."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gateway.evaluate.grids import OURS
from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.edgex import EdgeX
from gateway.evaluate.rules.ours import Ours
from gateway.evaluate.rules.rule import Rule
from gateway.evaluate.rules.weighted import ASSET_TRACKING, RETAIL_GARMENT
from gateway.evaluate.score import score
from gateway.evaluate.tracks import Tracks
from simulators.epc import sgtin_96
from simulators.rare import PairReads, pair
from simulators.recording import Recording
from simulators.shop.day import Fact

US_PER_S = 1_000_000
START_US = 1_767_225_600_000_000
ZONES = {"floor": "sales_floor", "backroom": "backroom"}
ANTENNAS = [("r", 1, "floor"), ("r", 2, "backroom")]
ZONE_IDS = tuple(ZONES)
# A true move comes when the rule has got to know the tag, and is given this long to be told.
MOVES_AT_S = 1200.0
MOVE_HOURS = 0.75
RULES: dict[str, Rule] = {
    OURS: Ours(),
    "EdgeX asset tracking": EdgeX(ASSET_TRACKING),
    "EdgeX retail garment": EdgeX(RETAIL_GARMENT),
}


class Cross(NamedTuple):
    """How a tag is read: chance in a second by its own antenna and by the other one, mean dBm of each."""

    own_chance: float
    other_chance: float
    own_dbm: float = -58.0
    other_dbm: float = -64.0


# From rarely read tags to often read ones, and to such as the other antenna reads no less, only weaker: sigma is 4 dB.
CROSSES = (
    Cross(0.05, 0.025),
    Cross(0.1, 0.05),
    Cross(0.3, 0.15),
    Cross(0.5, 0.25),
    Cross(0.9, 0.45),
    Cross(0.3, 0.3),
    Cross(0.5, 0.5),
    Cross(0.9, 0.9),
)


@dataclass(frozen=True, slots=True)
class Crossed:
    """One rule under one cross-read. `delays_s` holds a value for each true move; infinite: not told."""

    rule: str
    cross: Cross
    tag_hours: float
    false_moves: int
    delays_s: tuple[float, ...]


def crossed(cross: Cross, seed: int, *, tags: int, hours: float) -> list[Crossed]:
    """Every rule on the same reads: `tags` that rest for `hours`, and as many that move once."""
    rng = np.random.default_rng([seed, 7])
    chances, means = (cross.own_chance, cross.other_chance), (cross.own_dbm, cross.other_dbm)
    resting = _recording([pair(rng, hours, chances, means) for _ in range(tags)], hours)
    moving = _recording([pair(rng, MOVE_HOURS, chances, means, moves_at_s=MOVES_AT_S) for _ in range(tags)], MOVE_HOURS)
    found = []
    for name, rule in RULES.items():
        said = rule(resting)
        assert isinstance(said, Tracks)
        changes = score(resting, said).changes
        assert changes is not None
        found.append(Crossed(name, cross, tags * hours, changes.false_moves, _delays_s(rule, moving, tags)))
    return found


def _delays_s(rule: Rule, moving: Readings, tags: int) -> tuple[float, ...]:
    said = rule(moving)
    assert isinstance(said, Tracks)
    changes = score(moving, said).changes
    assert changes is not None
    told = np.sort(changes.delays_s).tolist()
    return (*told, *[float("inf")] * (tags - len(told)))


def _recording(pairs: list[PairReads], hours: float) -> Readings:
    """The pairs' reads as one recording."""
    at_us = np.concatenate([each.at_us for each in pairs]) + START_US
    order = np.argsort(at_us, kind="stable")
    moved = [(each.moved_us, tag) for tag, each in enumerate(pairs) if each.moved_us is not None]
    truth = [Fact(START_US, tag, ZONE_IDS[0]) for tag in range(len(pairs))]
    truth += [Fact(START_US + moved_us, tag, ZONE_IDS[1]) for moved_us, tag in moved]
    return Readings.of(
        Recording(
            name="cross-read",
            seed=0,
            start_us=START_US,
            end_us=START_US + round(hours * 3600 * US_PER_S),
            zones=dict(ZONES),
            antennas=list(ANTENNAS),
            epcs=[sgtin_96("0614141", "081234", serial + 1) for serial in range(len(pairs))],
            gtins=["00614141812340"] * len(pairs),
            received_us=at_us[order],
            taken_us=at_us[order],
            stamp_us=at_us[order],
            antenna=np.concatenate([each.antenna for each in pairs])[order].astype(np.int16),
            tag=np.repeat(np.arange(len(pairs)), [len(each.at_us) for each in pairs])[order].astype(np.int32),
            rssi_dbm=np.concatenate([each.rssi_dbm for each in pairs])[order],
            links=[],
            antenna_events=[],
            downtimes=[],
            truth=truth,
        )
    )
