"""Keeps recordings and the rivals' scores between runs: while our own rule is tuned, neither changes."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from gateway.evaluate.changes import Changes
from gateway.evaluate.score import Counts, Score
from simulators.plain.families import Family
from simulators.recording import Recording, Scenario
from simulators.shop.board import Weighing
from simulators.shop.day import Fact
from simulators.shop.recorder import AntennaEvent, LinkEvent

ROOT = Path(__file__).parent.parent.parent
# Whatever of these changes makes worthless what was kept.
STORE_SOURCES = ("simulators/*.py", "simulators/shop/*.py", "simulators/plain/*.py")
RULE_SOURCES = (
    *(f"gateway/evaluate/{name}.py" for name in ("changes", "readings", "score", "tracks")),
    "gateway/evaluate/rules/*.py",
)
COLUMNS = ("received_us", "taken_us", "stamp_us", "antenna", "tag", "rssi_dbm")
# Scales are played again: that takes a second.
LEFT_OUT = (*COLUMNS, "weighing")


@dataclass(frozen=True, slots=True)
class Cache:
    """Files in `folder`, valid for these states of the sources; without a folder nothing is kept."""

    folder: Path | None = None
    store: str = ""
    rules: str = ""

    @classmethod
    def at(cls, folder: Path) -> "Cache":
        """The cache in a folder, which is made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, _state(STORE_SOURCES), _state(STORE_SOURCES + RULE_SOURCES))

    def recording(self, scenario: Scenario | Family, seed: int) -> Recording:
        """The scenario's recording, made where it is not kept."""
        if self.folder is None:
            return scenario.record(seed)
        path = self._path("npz", self.store, repr(scenario.plan), seed)
        if path.exists():
            return _load(path, scenario.weigh(seed))
        recording = scenario.record(seed)
        rest = {field.name: getattr(recording, field.name) for field in fields(recording) if field.name not in LEFT_OUT}
        rest["epcs"] = [epc.hex() for epc in recording.epcs]
        partial = path.with_suffix(".part.npz")
        columns = {name: getattr(recording, name) for name in COLUMNS}
        np.savez(partial, rest=np.array(json.dumps(rest)), allow_pickle=False, **columns)
        partial.replace(path)
        return recording

    def score(self, scenario: Scenario | Family, seed: int, rule: str) -> Score | None:
        """What was kept of a rule on a recording."""
        path = self._path("json", self.rules, repr(scenario.plan), seed, rule)
        if self.folder is None or not path.exists():
            return None
        return _score(json.loads(path.read_text(encoding="utf-8")))

    def keep_score(self, scenario: Scenario | Family, seed: int, rule: str, points: Score) -> None:
        """Keep what a rule is worth on a recording."""
        if self.folder is None:
            return
        path = self._path("json", self.rules, repr(scenario.plan), seed, rule)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(asdict(points), default=lambda column: column.tolist()), encoding="utf-8")
        partial.replace(path)

    def _path(self, suffix: str, *what: object) -> Path:
        name = hashlib.sha256("\n".join(map(str, what)).encode()).hexdigest()
        return (self.folder or Path()) / f"{name[:32]}.{suffix}"


def _state(patterns: Iterable[str]) -> str:
    """A hash over the sources."""
    state = hashlib.sha256(np.__version__.encode())
    for path in sorted(path for pattern in patterns for path in ROOT.glob(pattern)):
        state.update(path.read_bytes())
    return state.hexdigest()


def _load(path: Path, weighing: Weighing) -> Recording:
    with np.load(path) as kept:
        rest = json.loads(str(kept["rest"]))
        columns = {name: kept[name] for name in COLUMNS}
    rest["epcs"] = [bytes.fromhex(epc) for epc in rest["epcs"]]
    for name in ("antennas", "downtimes"):
        rest[name] = [tuple(row) for row in rest[name]]
    rest["links"] = [LinkEvent(*row) for row in rest["links"]]
    rest["antenna_events"] = [AntennaEvent(*row) for row in rest["antenna_events"]]
    rest["truth"] = [Fact(*row) for row in rest["truth"]]
    return Recording(**rest, **columns, weighing=weighing)


def _score(values: dict[str, Any]) -> Score:
    values["products"], values["zones"] = Counts(**values["products"]), Counts(**values["zones"])
    values["zone_ids"] = tuple(values["zone_ids"])
    values["in_zone"] = tuple(Counts(**counts) for counts in values["in_zone"])
    parts = values["changes"]
    if parts is not None:
        parts["delays_s"] = np.array(parts["delays_s"], dtype=np.float64)
        for name in ("entered", "missed_in"):
            parts[name] = np.array(parts[name], dtype=np.int64)
        values["changes"] = Changes(**parts)
    return Score(**values)
