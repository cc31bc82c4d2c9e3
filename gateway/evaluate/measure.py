"""Rules run over scenarios and seeds, and what each was worth there."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.evaluate.cache import Cache
from gateway.evaluate.grids import FLOOR, GRIDS, OURS
from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.floor import Floor
from gateway.evaluate.rules.ours import Ours, Played
from gateway.evaluate.rules.rule import Rule
from gateway.evaluate.scenarios import find_scenario
from gateway.evaluate.score import Score, score
from gateway.evaluate.shelves import ShelfScore, score_shelves


class Entry(NamedTuple):
    """A rule at one setting."""

    rule: str
    setting: str
    run: Rule


class Outcome(NamedTuple):
    """One rule at one setting on one recording; `shelves` where it counts any."""

    scenario: str
    seed: int
    rule: str
    setting: str
    score: Score
    shelves: ShelfScore | None = None


class Job(NamedTuple):
    """One recording and the rules to run over it; the unit that a process gets."""

    scenario: str
    seed: int
    entries: tuple[Entry, ...]
    cache: Cache


def entries(rivals: Sequence[str]) -> tuple[Entry, ...]:
    """Ours, the floor, and every setting of these rivals."""
    chosen = [Entry(OURS, "", Ours()), Entry(FLOOR, "", Floor())]
    chosen += [Entry(rival, str(rule), rule) for rival in rivals for rule in GRIDS[rival]]
    return tuple(chosen)


def measure(job: Job) -> list[Outcome]:
    """Run and score the rules; ours always anew, what else the cache does not have."""
    scenario = find_scenario(job.scenario)
    readings: Readings | None = None
    found = []
    for entry in job.entries:
        points, shelves = job.cache.score(scenario, job.seed, repr(entry)), None
        if isinstance(entry.run, Ours):
            readings = readings or Readings.of(job.cache.recording(scenario, job.seed))
            played = entry.run.play(readings)
            points, shelves = score(readings, played.tracks), _of_shelves(readings, played)
        elif points is None:
            readings = readings or Readings.of(job.cache.recording(scenario, job.seed))
            points = score(readings, entry.run(readings))
            job.cache.keep_score(scenario, job.seed, repr(entry), points)
        found.append(Outcome(job.scenario, job.seed, entry.rule, entry.setting, points, shelves))
    return found


def _of_shelves(readings: Readings, played: Played) -> ShelfScore | None:
    """The score of the scenario's gondolas, where it has any."""
    weighing = readings.recording.weighing
    if not weighing.days:
        return None
    return score_shelves(weighing, readings.start_us, readings.end_us, played.words, played.rows)
