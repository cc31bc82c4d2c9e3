"""What readers saw of a simulated store, beside what was true: the input of every score.

    scenario = load_scenario("quiet-rack")
    recording = scenario.record(seed=1)

The same scenario and seed give the same recording, in every process. Needs numpy (`pip install tallygate[lab]`).
"""

import random
import tomllib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.shop.air import Air
from simulators.shop.board import NO_WEIGHING, Weighing, weighing
from simulators.shop.day import Day, Fact
from simulators.shop.floor import Floor
from simulators.shop.people import People
from simulators.shop.plan import ScenarioError, ShopPlan, parse_plan
from simulators.shop.recorder import AntennaEvent, LinkEvent, Recorder

FOLDER = Path(__file__).parent / "scenarios"


@dataclass(frozen=True, slots=True)
class Recording:
    """Moments are UTC in microseconds. The columns have one row for each read and are sorted by `received_us`.

    `antenna` counts in `antennas`, `tag` in `epcs` and `gtins`; tags of which `truth` says nothing are ghosts.
    """

    name: str
    seed: int
    start_us: int
    end_us: int
    # Zone id -> kind, as configurations name it.
    zones: dict[str, str]
    # (reader, port, zone).
    antennas: list[tuple[str, int, str]]
    # 12 bytes each: SGTIN-96 with filter 1.
    epcs: list[bytes]
    # GTIN-14.
    gtins: list[str]
    received_us: NDArray[np.int64]
    # When the tag answered, true time; `stamp_us` is what the reader's own clock said.
    taken_us: NDArray[np.int64]
    stamp_us: NDArray[np.int64]
    antenna: NDArray[np.int16]
    tag: NDArray[np.int32]
    rssi_dbm: NDArray[np.int8]
    # (at_us, reader, connected) as the gateway sees it; at the start all are connected.
    links: list[LinkEvent]
    # (at_us, reader, port, up) where the reader tells.
    antenna_events: list[AntennaEvent]
    # (from_us, until_us) when the gateway did not run; its links are lost as well.
    downtimes: list[tuple[int, int]]
    # (at_us, tag, zone or None: has left), sorted by time; the first facts are at `start_us`.
    truth: list[Fact]
    # What scales and inputs said, and what lay on them.
    weighing: Weighing = NO_WEIGHING


@dataclass(frozen=True, slots=True)
class Scenario:
    """A store and what happens in it; `record` plays it once."""

    name: str
    plan: ShopPlan

    def world(self, seed: int) -> tuple[Day, Air]:
        """What happens, and the air above it, at the opening."""
        day, floor = self._day(seed)
        return day, Air(self.plan, floor, day, [seed, zlib.crc32(self.name.encode()), 1])

    def record(self, seed: int | None = None, progress: Callable[[float], None] = lambda _: None) -> Recording:
        """All reads of the scenario; without a seed its own. `progress` is told the share (0 to 1) that is done."""
        seed = self.plan.seed if seed is None else seed
        day, air = self.world(seed)
        recorder = Recorder(self.plan, day, air, np.random.default_rng([seed, zlib.crc32(self.name.encode()), 2]))
        recorder.play(progress)
        columns = recorder.columns()
        return Recording(
            name=self.name,
            seed=seed,
            start_us=recorder.start_us,
            end_us=recorder.end_us,
            zones={zone.id: zone.kind.value for zone in self.plan.zones},
            antennas=[(reader.id, mount.port, mount.zone) for reader, mount in air.antennas],
            epcs=day.epcs,
            gtins=day.gtins,
            links=sorted(recorder.links),
            antenna_events=sorted(recorder.antenna_events),
            downtimes=recorder.downtimes,
            truth=[fact for fact in day.truth if fact.at_us <= recorder.end_us],
            weighing=weighing(self.plan, day, f"{self.name}/{seed}"),
            received_us=columns.received_us,
            taken_us=columns.taken_us,
            stamp_us=columns.stamp_us,
            antenna=columns.antenna,
            tag=columns.tag,
            rssi_dbm=columns.rssi_dbm,
        )

    def weigh(self, seed: int) -> Weighing:
        """The scales and inputs of a recording alone."""
        return weighing(self.plan, self._day(seed)[0], f"{self.name}/{seed}")

    def _day(self, seed: int) -> tuple[Day, Floor]:
        floor = Floor(self.plan, self._random(seed, "floor"))
        return People(self.plan, floor, self._random(seed, "people")).live(), floor

    def _random(self, seed: int, use: str) -> random.Random:
        return random.Random(f"{self.name}/{seed}/{use}")


def scenario_names() -> list[str]:
    """The scenarios that come along."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_scenario(path_or_name: str | Path) -> Scenario:
    """A scenario that comes along, by name, or a file of one's own; ScenarioError says what is wrong with it."""
    path = FOLDER / f"{path_or_name}.toml"
    if not path.exists():
        path = Path(path_or_name)
    try:
        text = path.read_text(encoding="utf-8")
        return Scenario(path.stem, parse_plan(tomllib.loads(text), path.name))
    except OSError as error:
        known = ", ".join(scenario_names())
        raise ScenarioError(f"{path_or_name}: {error.strerror}; the scenarios that come along: {known}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path.name}: no TOML: {error}") from None
