"""What must hardly ever happen, measured long enough to know: the targets, and whether our rule meets them."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gateway.evaluate.changes import US_PER_S, told_at_us
from gateway.evaluate.crossread import CROSSES, RULES, Cross, Crossed, crossed
from gateway.evaluate.grids import OURS
from gateway.evaluate.interval import Interval, of_rate
from gateway.evaluate.readings import Readings
from gateway.evaluate.resting import DAILY_OUTAGES, EARLY_HOURS, NO_OUTAGES, Resting, resting
from gateway.evaluate.rules.ours import Ours
from simulators.recording import load_scenario

RACKS = ("quiet-rack", "dense-rack")
# Days of one piece of work: long enough to learn a rack, short enough to hold its reads.
PIECE_DAYS = 3.0
# Of all item-days so many are spent again on racks that have three outages a day.
OUTAGE_SHARE = 0.1
CROSS_TAGS = 40
CROSS_HOURS = 5.0
# Where people pass within seconds.
QUICK_SCENARIOS = ("door", "fitting-rooms")
QUICK_KINDS = ("checkout", "exit", "fitting_room")
QUICK_SEEDS = 5
# Who passes a door has left it after seconds; that he was there is worth telling for so long.
GIVEN_US = 60 * US_PER_S

MOST_FALSE_DEPARTURES = 1.0
MOST_FALSE_MOVES = 0.05
# A tag that its own antenna reads at least so often must be seen to move in this median.
MOVE_CHANCE = 0.3
MOVE_MEDIAN_S = 20.0
QUICK_MEDIAN_S = 2.0


class Passages(NamedTuple):
    """How long our rule took to tell each true entry into the zones of one kind; infinite: never told."""

    kind: str
    delays_s: tuple[float, ...]


Piece = Callable[[], list[Any]]
"""Work that one process does; picklable. It gives `Resting`, `Crossed` or `Passages`."""


class Finding(NamedTuple):
    """One number beside its target; without a target it is only told. `met` is None where nothing was asked for."""

    what: str
    value: float
    low: float
    high: float
    unit: str
    target: float | None
    exposure: str

    @property
    def met(self) -> bool | None:
        return None if self.target is None else bool(self.value <= self.target)

    def as_json(self) -> dict[str, Any]:
        """JSON values; what is infinite is null."""
        numbers = [round(number, 5) if math.isfinite(number) else None for number in (self.value, self.low, self.high)]
        return {
            "what": self.what,
            "value": numbers[0],
            "interval_95": numbers[1:],
            "unit": self.unit,
            "target": self.target,
            "met": self.met,
            "exposure": self.exposure,
        }


def pieces(item_days: float, first_seed: int) -> Iterator[Piece]:
    """All work for so many item-days on racks."""
    for cross in CROSSES:
        yield partial(_cross, cross, first_seed)
    for scenario in QUICK_SCENARIOS:
        for seed in range(first_seed, first_seed + QUICK_SEEDS):
            yield partial(_passages, scenario, seed)
    for rack in RACKS:
        tags = _tags(rack)
        for daily, share in ((DAILY_OUTAGES, OUTAGE_SHARE), (NO_OUTAGES, 1.0)):
            wanted_days = share * item_days / len(RACKS) / tags
            count = max(1, round(wanted_days / PIECE_DAYS))
            for seed in range(first_seed, first_seed + count):
                yield partial(_rest, rack, seed, max(1.0, min(PIECE_DAYS, round(wanted_days / count))), bool(daily))


def findings(results: Sequence[Any]) -> list[Finding]:
    """What the results of all pieces say."""
    return [
        *_departures([each for each in results if isinstance(each, Resting)]),
        *_moves([each for each in results if isinstance(each, Crossed)]),
        *_quick([each for each in results if isinstance(each, Passages)]),
    ]


def _tags(rack: str) -> int:
    """How many tags rest on a rack."""
    return sum(zone.items for zone in load_scenario(rack).plan.zones)


def _rest(rack: str, seed: int, days: float, outages: bool) -> list[Any]:
    return [resting(rack, seed, days, DAILY_OUTAGES if outages else NO_OUTAGES)]


def _cross(cross: Cross, seed: int) -> list[Any]:
    return list(crossed(cross, seed, tags=CROSS_TAGS, hours=CROSS_HOURS))


def _passages(scenario: str, seed: int) -> list[Any]:
    readings = Readings.of(load_scenario(scenario).record(seed))
    said, truth = Ours()(readings), readings.truth
    told_us = told_at_us(said, truth, readings)
    delays_s = np.where(told_us < truth.at_us + GIVEN_US, (told_us - truth.at_us) / US_PER_S, np.inf)
    asked = (truth.at_us > readings.start_us) & (truth.at_us < readings.end_us - GIVEN_US)
    found = []
    for kind in QUICK_KINDS:
        zones = [number for number, other in enumerate(readings.zone_kinds) if other == kind]
        entries = asked & np.isin(truth.zone, zones)
        if entries.any():
            found.append(Passages(kind, tuple(delays_s[entries].tolist())))
    return found


def _departures(found: Sequence[Resting]) -> Iterator[Finding]:
    unit = "false departures per 10,000 items and day"
    for rack in RACKS:
        calm = [each for each in found if each.scenario == rack and not each.outages]
        days = sum(each.item_days for each in calm)
        rate = of_rate(sum(each.departures for each in calm), days / 10_000)
        yield Finding(rack, *rate, unit, MOST_FALSE_DEPARTURES, f"{days:,.0f} item-days")
        days -= len(calm) * _tags(rack) * EARLY_HOURS / 24
        late = of_rate(sum(each.departures - each.early for each in calm), days / 10_000)
        name = f"{rack}, after its first {EARLY_HOURS} hours"
        yield Finding(name, *late, unit, MOST_FALSE_DEPARTURES, f"{days:,.0f} item-days")
    for rack in RACKS:
        down = [each for each in found if each.scenario == rack and each.outages]
        count, outages = sum(each.in_outages for each in down), sum(each.outages for each in down)
        through = of_rate(count, 1.0)
        exposure = f"{outages} outages, {sum(each.item_days for each in down):,.0f} item-days"
        yield Finding(f"{rack}, through outages", *through, "false departures", 0.0, exposure)


def _moves(found: Sequence[Crossed]) -> Iterator[Finding]:
    rules = list(RULES)
    found = sorted(found, key=lambda each: (rules.index(each.rule), CROSSES.index(each.cross)))
    for each in found:
        rate = of_rate(each.false_moves, each.tag_hours)
        target = MOST_FALSE_MOVES if each.rule == OURS else None
        yield Finding(_name(each), *rate, "false moves per tag-hour", target, f"{each.tag_hours:.0f} tag-hours")
    for each in found:
        median = of_median(each.delays_s)
        target = MOVE_MEDIAN_S if each.rule == OURS and each.cross.own_chance >= MOVE_CHANCE else None
        unit = "s until a true move is told (median)"
        yield Finding(_name(each), *median, unit, target, f"{len(each.delays_s)} moves")


def _name(each: Crossed) -> str:
    return f"{each.rule}, {each.cross.own_chance:g} + {each.cross.other_chance:g}/s"


def _quick(found: Sequence[Passages]) -> Iterator[Finding]:
    for kind in QUICK_KINDS:
        delays_s = [delay_s for each in found if each.kind == kind for delay_s in each.delays_s]
        if delays_s:
            unit = "s until an entry is told (median)"
            yield Finding(f"into {kind}", *of_median(delays_s), unit, QUICK_MEDIAN_S, f"{len(delays_s)} entries")


def of_median(values: Iterable[float]) -> Interval:
    """The median with its 95 % interval by order statistics: whatever the distribution, and with infinite values."""
    ordered = sorted(values)
    count = len(ordered)
    # The ranks n/2 -+ 1.96 sqrt(n)/2 of a binomial count.
    reach = 1.96 * math.sqrt(count) / 2
    low, high = math.floor(count / 2 - reach), math.ceil(count / 2 + reach) - 1
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    return Interval(middle, ordered[max(low, 0)], ordered[min(high, count - 1)])
