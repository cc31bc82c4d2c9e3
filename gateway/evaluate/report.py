"""From outcomes to findings: intervals over seeds, the best rival of a scenario, the best single rival of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gateway.evaluate.changes import LATE_US, US_PER_S
from gateway.evaluate.grids import FLOOR, OURS
from gateway.evaluate.interval import Interval, of_mean
from gateway.evaluate.measure import Outcome
from gateway.evaluate.score import Counts, Score
from gateway.evaluate.shelves import ShelfScore, total

# Seeds from here on are for reporting; what is below may be used to choose parameters.
FIRST_REPORTING_SEED = 1001
# How many times our excess over the floor the best single rival's should be at least.
TARGET_RATIO = 3.0
# What a rule that says no tags cannot be asked, and what did not happen.
UNKNOWN = float("nan")


class By(StrEnum):
    """What a count is a count of."""

    PRODUCT = "product"
    ZONE = "zone"


class Verdict(StrEnum):
    """What the paired interval of (ours - rival) says."""

    BETTER = "better"
    EVEN = "even"
    WORSE = "worse"


class Setting(NamedTuple):
    """A rule at one setting."""

    rule: str
    setting: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.setting}" if self.setting else self.rule


@dataclass(frozen=True, slots=True)
class Standing:
    """One rule at one setting on one scenario, over all seeds.

    Errors and excess (over the floor, seed by seed) are items; `against` is ours minus this, paired by seed.
    False departures are per 10,000 items and day, false moves per tag-hour, shares are of the true transitions.
    """

    of: Setting
    error: Interval
    share: float
    excess: Interval
    against: Interval
    false_departures: float
    false_moves: float
    missed: float
    late: float
    delays_s: tuple[float, float, float]
    wrong_sellable: float
    ghosts: float
    in_zone: tuple[Counts, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether ours is better or worse than this; with one seed the plain difference says so."""
        low, high = self.against.low, self.against.high
        if np.isinf(low):
            low = high = self.against.value
        return Verdict.BETTER if high < 0.0 else Verdict.WORSE if low > 0.0 else Verdict.EVEN


@dataclass(frozen=True, slots=True)
class ScenarioReport:
    """All rules on one scenario; `rivals` in the order of their grids, `items` the mean true count.

    `shelves`: what ours counted without tags, over all seeds.
    """

    scenario: str
    seeds: tuple[int, ...]
    hours: float
    items: float
    zone_ids: tuple[str, ...]
    ours: Standing
    floor: Standing
    rivals: tuple[Standing, ...]
    shelves: ShelfScore | None = None

    @property
    def name(self) -> str:
        """The scenario's name, where `scenario` may be a file's path."""
        return Path(self.scenario).stem

    @property
    def best(self) -> Standing | None:
        """The best rival at its best setting."""
        return min(self.rivals, key=lambda rival: rival.error.value, default=None)

    def best_settings(self) -> list[Standing]:
        """Each rival at its best setting."""
        best: dict[str, Standing] = {}
        for rival in self.rivals:
            known = best.get(rival.of.rule)
            if known is None or rival.error.value < known.error.value:
                best[rival.of.rule] = rival
        return list(best.values())

    @property
    def no_worse(self) -> bool:
        return self.best is None or self.best.verdict is not Verdict.WORSE


@dataclass(frozen=True, slots=True)
class Overall:
    """Over all scenarios: the excess of the best single rival at one setting for all of them, and ours (items)."""

    rival: Setting
    rival_excess: float
    our_excess: float

    @property
    def ratio(self) -> float:
        return self.rival_excess / self.our_excess if self.our_excess > 0.0 else float("inf")


def report(scenario: str, outcomes: Sequence[Outcome], by: By) -> ScenarioReport:
    """What the outcomes of one scenario say."""
    scores: dict[Setting, dict[int, Score]] = {}
    shelves = [outcome.shelves for outcome in outcomes if outcome.shelves is not None]
    for outcome in outcomes:
        scores.setdefault(Setting(outcome.rule, outcome.setting), {})[outcome.seed] = outcome.score
    ours, floor = scores.pop(Setting(OURS, "")), scores.pop(Setting(FLOOR, ""))
    seeds = tuple(sorted(ours))

    def standing(of: Setting, mine: Mapping[int, Score]) -> Standing:
        return _standing(of, [mine[seed] for seed in seeds], [floor[seed] for seed in seeds], ours, seeds, by)

    return ScenarioReport(
        scenario,
        seeds,
        hours=ours[seeds[0]].hours,
        items=float(np.mean([points.products.true for points in ours.values()])),
        zone_ids=ours[seeds[0]].zone_ids,
        ours=standing(Setting(OURS, ""), ours),
        floor=standing(Setting(FLOOR, ""), floor),
        rivals=tuple(standing(of, mine) for of, mine in scores.items()),
        shelves=total(shelves) if shelves else None,
    )


def overall(reports: Sequence[ScenarioReport]) -> Overall | None:
    """The best single rival; None without any."""
    totals: dict[Setting, float] = {}
    for each in reports:
        for rival in each.rivals:
            totals[rival.of] = totals.get(rival.of, 0.0) + rival.excess.value
    if not totals:
        return None
    best = min(totals, key=lambda of: totals[of])
    return Overall(best, totals[best], sum(each.ours.excess.value for each in reports))


def kind_of_seeds(seeds: Sequence[int]) -> str:
    """What these seeds may be used for."""
    kinds = {"reporting" if seed >= FIRST_REPORTING_SEED else "development" for seed in seeds}
    return " and ".join(sorted(kinds))


def _standing(
    of: Setting, mine: Sequence[Score], floor: Sequence[Score], ours: Mapping[int, Score], seeds: Sequence[int], by: By
) -> Standing:
    def counts(points: Score) -> Counts:
        return points.products if by is By.PRODUCT else points.zones

    errors = [counts(points).error for points in mine]
    least = [counts(points).error for points in floor]
    our = [counts(ours[seed]).error for seed in seeds]
    item_days = sum(points.item_days for points in mine)
    changes = [points.changes for points in mine if points.changes is not None]
    true = sum(each.true for each in changes)
    delays_s = np.concatenate([each.delays_s for each in changes]) if changes else np.zeros(0)
    quantiles = np.quantile(delays_s, (0.5, 0.9, 0.99)).tolist() if len(delays_s) else [UNKNOWN] * 3
    ghosts = [points.ghosts for points in mine if points.ghosts is not None]
    return Standing(
        of=of,
        error=of_mean(errors),
        share=sum(errors) / max(sum(counts(points).true for points in mine), 1e-9),
        excess=of_mean([error - lowest for error, lowest in zip(errors, least, strict=True)]),
        against=of_mean([mine_too - error for mine_too, error in zip(our, errors, strict=True)]),
        false_departures=_per(10_000 * sum(each.false_departures for each in changes), item_days if changes else 0.0),
        false_moves=_per(sum(each.false_moves for each in changes), 24 * item_days if changes else 0.0),
        missed=_per(sum(each.missed for each in changes), true),
        late=_per(sum(each.late for each in changes), true),
        delays_s=(quantiles[0], quantiles[1], quantiles[2]),
        wrong_sellable=float(np.mean([points.wrong_sellable for points in mine])),
        ghosts=float(np.mean(ghosts)) if ghosts else UNKNOWN,
        in_zone=tuple(
            Counts(float(np.mean([zone.error for zone in zones])), float(np.mean([zone.true for zone in zones])))
            for zones in zip(*(points.in_zone for points in mine), strict=True)
        ),
    )


def _per(events: float, of: float) -> float:
    return events / of if of else UNKNOWN


def as_json(standing: Standing) -> dict[str, Any]:
    """A standing as JSON values."""

    def interval(value: Interval) -> list[float | None]:
        return [round(part, 4) if np.isfinite(part) else None for part in value]

    def number(value: float, digits: int) -> float | None:
        return round(value, digits) if np.isfinite(value) else None

    return {
        "rule": standing.of.rule,
        "setting": standing.of.setting,
        "error_items": interval(standing.error),
        "error_share": round(standing.share, 5),
        "excess_items": interval(standing.excess),
        "ours_minus_this_items": interval(standing.against),
        "ours_is": standing.verdict.value,
        "false_departures_per_10000_items_and_day": number(standing.false_departures, 3),
        "false_moves_per_tag_hour": number(standing.false_moves, 5),
        "missed_share": number(standing.missed, 5),
        "late_share": number(standing.late, 5),
        "late_after_s": LATE_US / US_PER_S,
        "delay_p50_p90_p99_s": [number(delay_s, 2) for delay_s in standing.delays_s],
        "wrong_sellable_share_of_time": round(standing.wrong_sellable, 5),
        "ghosts": number(standing.ghosts, 2),
        "zone_error_items": [round(zone.error, 4) for zone in standing.in_zone],
        "zone_true_items": [round(zone.true, 2) for zone in standing.in_zone],
    }
