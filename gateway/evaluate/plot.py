"""The excess of every rule on every scenario as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from gateway.evaluate.grids import OURS
from gateway.evaluate.report import ScenarioReport, Standing, kind_of_seeds

# Below it a logarithmic axis would make differences out of nothing (items).
LEAST_EXCESS = 0.01
INCHES = (11.0, 6.0)
# The bars of one scenario take this share of its room.
BARS_SHARE = 0.8


def draw(reports: Sequence[ScenarioReport], path: Path) -> None:
    """Bars with 95 % intervals: ours and each rival at its best setting; ValueError for an unknown kind of file."""
    by_rule: dict[str, list[tuple[int, Standing]]] = {}
    for place, each in enumerate(reports):
        for standing in (each.ours, *each.best_settings()):
            by_rule.setdefault(standing.of.rule, []).append((place, standing))
    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.subplots()
    width = BARS_SHARE / len(by_rule)
    for number, (rule, standings) in enumerate(by_rule.items()):
        excess = [max(standing.excess.value, LEAST_EXCESS) for _, standing in standings]
        margins = [standing.excess.margin for _, standing in standings]
        axes.bar(
            [place + (number + 0.5) * width - BARS_SHARE / 2 for place, _ in standings],
            excess,
            width,
            yerr=[margin if np.isfinite(margin) else 0.0 for margin in margins],
            label=rule,
            color="black" if rule == OURS else None,
            error_kw={"elinewidth": 0.8, "ecolor": "grey"},
        )
    axes.set_yscale("log")
    axes.set_xticks(range(len(reports)), [each.name for each in reports])
    axes.set_ylabel("count error over the floor (items)")
    seeds = sorted({seed for each in reports for seed in each.seeds})
    axes.set_title(
        f"Count error by rule, each rival at its best setting; {kind_of_seeds(seeds)} seeds {seeds[0]} to {seeds[-1]}"
    )
    axes.legend(ncols=3, fontsize="small")
    figure.savefig(path)
