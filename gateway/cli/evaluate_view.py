"""The score as a person reads it on 80 columns, and as JSON."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.cli.output import columns, pairs, table
from gateway.evaluate.files import Pair
from gateway.evaluate.grids import FLOOR
from gateway.evaluate.interval import Interval
from gateway.evaluate.rare import Finding
from gateway.evaluate.report import (
    TARGET_RATIO,
    By,
    ScenarioReport,
    Standing,
    Verdict,
    as_json,
    kind_of_seeds,
    overall,
)
from gateway.evaluate.shelves import ShelfScore

COUNTED = {By.PRODUCT: "per GTIN and zone", By.ZONE: "per zone"}
# Names and widths of the numbers; what they mean stands in LEGEND.
HEADER = (
    ("error", 8),
    ("+-95%", 8),
    ("%", 6),
    ("excess", 8),
    ("departed", 9),
    ("moved", 7),
    ("miss%", 6),
    ("late%", 6),
    ("p50s", 5),
    ("p90s", 5),
    ("sell%", 6),
    ("ghost", 6),
)
LEGEND = (
    "error: mean |counted - true| in items, with its 95 % margin over the seeds, and as a share; excess: over the "
    "floor; departed: false departures per 10,000 items and day; moved: false moves per tag-hour; miss, late: "
    "transitions never told, or told after 60 s; p50, p90: delay of those told; sell: time in which the sellable "
    "count of a product is wrong; ghost: tags counted that do not exist"
)

SHELF_LEGEND = (
    "looks: at bins that nobody has touched for 8 s; misled: wrong, and said to be confirmed; doubted: wrong and not "
    "confirmed; shy: right and not confirmed; changes: by a hand that was alone; told: before the next hand came; p50, "
    "p90: how long after the hand had left"
)


def as_text(found: ScenarioReport, by: By, *, whole_grid: bool) -> str:
    """A scenario's table."""
    seeds = found.seeds
    seen = f"{kind_of_seeds(seeds)} seeds {_span(seeds)}, {found.items:.0f} items, {found.hours:.1f} h each"
    lines = [*_wrapped(f"{found.name}: {seen}, counted {COUNTED[by]}"), _row([name for name, _ in HEADER])]
    rivals = found.rivals if whole_grid else found.best_settings()
    for standing in (found.ours, found.floor, *rivals):
        lines += [str(standing.of)[: columns()], _numbers(standing)]
    if found.best is not None:
        lines += ["", *_wrapped(_verdict(found.best))]
    if found.shelves is not None:
        lines += ["", *_of_shelves(found.shelves)]
    return "\n".join(lines)


def _of_shelves(score: ShelfScore) -> list[str]:
    """What was counted without tags: a line for each kind of bin."""
    rows: list[tuple[str, ...]] = []
    for kind, looks in score.kinds.items():
        shares = (looks.misled, looks.doubted, looks.shy)
        told = 100 * len(looks.delays_s) / max(1, looks.changes)
        rows.append((
            kind,
            str(looks.looks),
            *(f"{100 * part / max(1, looks.looks):.2f}" for part in shares),
            str(looks.changes),
            f"{told:.1f}",
            *map(_seconds, looks.delay_quantiles_s),
        ))  # fmt: skip
    header = ("shelves", "looks", "misled%", "doubted%", "shy%", "changes", "told%", "p50s", "p90s")
    end = f"at the end {score.wrong_pieces} of {score.pieces} pieces on shelves are counted wrong"
    return [*table(header, rows).splitlines(), end, *_wrapped(SHELF_LEGEND)]


def summary_text(reports: Sequence[ScenarioReport], by: By) -> str:
    """The last lines: every scenario in one, and the best single rival."""
    lines = [*_wrapped(LEGEND), "", f"excess over the floor in items, counted {COUNTED[by]}:"]
    rows = [("scenario", "ours", "best rival", "ours is", "no worse")]
    for each in reports:
        best = each.best
        rows.append(
            (
                each.name,
                _items(each.ours.excess.value),
                _items(best.excess.value) if best else "-",
                best.verdict.value if best else "-",
                ("yes" if each.no_worse else "NO") if best else "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines += ["  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    whole = overall(reports)
    if whole is not None:
        lines += _wrapped(
            f"best single rival over all: {whole.rival}, excess {_items(whole.rival_excess)} items; ours "
            f"{_items(whole.our_excess)}: {whole.ratio:.2f} times (target: at least {TARGET_RATIO:g})"
        )
    return "\n".join(line.rstrip() for line in lines)


def as_json_lines(reports: Sequence[ScenarioReport], by: By) -> Iterator[dict[str, Any]]:
    """A line for each scenario, and one for all."""
    for each in reports:
        yield {
            "scenario": each.scenario,
            "seeds": list(each.seeds),
            "kind_of_seeds": kind_of_seeds(each.seeds),
            "counted": by.value,
            "hours": round(each.hours, 4),
            "zones": list(each.zone_ids),
            "ours": as_json(each.ours),
            "floor": as_json(each.floor),
            "rivals": [as_json(rival) for rival in each.rivals],
            "best_rival": str(each.best.of) if each.best else None,
            "ours_is": each.best.verdict.value if each.best else None,
            "no_worse": each.no_worse,
            "shelves": each.shelves.as_json() if each.shelves else None,
        }
    whole = overall(reports)
    if whole is not None:
        yield {
            "best_single_rival": str(whole.rival),
            "excess_items": {"rival": round(whole.rival_excess, 4), "ours": round(whole.our_excess, 4)},
            "ratio": round(whole.ratio, 4) if math.isfinite(whole.ratio) else None,
            "target": TARGET_RATIO,
            "worse_in": [each.scenario for each in reports if not each.no_worse],
        }


def rare_text(found: Sequence[Finding]) -> str:
    """Every number beside its target."""
    lines: list[str] = []
    unit = ""
    for each in found:
        if each.unit != unit:
            unit = each.unit
            lines += ["", unit]
        met = {True: "yes", False: "NO", None: "-"}[each.met]
        target = "" if each.target is None else f"<= {each.target:g}"
        interval = f"[{_short(each.low)}, {_short(each.high)}]"
        lines.append(f"  {each.what:<34.34} {_short(each.value):>7} {interval:<16} {target:<8} {met}")
    shown = dict.fromkeys(each.exposure for each in found if "item-days" in each.exposure)
    lines += ["", *_wrapped(f"95 % intervals; yes: the target is met. Racks: {'; '.join(shown)}")]
    return "\n".join(lines[1:])


def _short(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def pair_text(pair: Pair) -> str:
    """The score of a pair of files."""
    found = pair.as_json()
    rate, low, high = found["false_departures_per_10000_items_and_day"]
    moves, fewest, most = found["false_moves_per_tag_hour"]
    share = found["error_share"]
    rows: list[tuple[str, object]] = [
        ("hours", found["hours"]),
        ("true items", found["true_items"]),
        ("error per GTIN and zone", f"{found['error_items']} items" + ("" if share is None else f", {share:.2%}")),
        ("error per zone", f"{found['error_items_per_zone_alone']} items"),
    ]
    rows += [(f"  of which {zone}", f"{counts['error_items']} items") for zone, counts in found["zones"].items()]
    delays = ", ".join("-" if delay_s is None else f"{delay_s:g}" for delay_s in found["delay_p50_p90_p99_s"])
    rows += [
        ("false departures", f"{found['false_departures']}: {rate} [{low}, {high}] per 10,000 items and day"),
        ("false moves", f"{found['false_moves']}: {moves} [{fewest}, {most}] per tag-hour"),
        ("transitions", f"{found['transitions']}: {found['missed']} missed, {found['late']} late"),
        ("delay p50, p90, p99 (s)", delays),
        ("ghosts", found["ghosts"]),
    ]
    return pairs(rows)


def _numbers(standing: Standing) -> str:
    p50_s, p90_s, _ = standing.delays_s
    return _row(
        [
            _items(standing.error.value),
            _items(standing.error.margin),
            f"{100 * standing.share:.2f}",
            _items(standing.excess.value),
            # The floor's silence between two zones is no mistake.
            "-" if standing.of.rule == FLOOR else _rate(standing.false_departures),
            "-" if standing.of.rule == FLOOR else _shown(standing.false_moves, 3),
            _shown(100 * standing.missed, 1),
            _shown(100 * standing.late, 1),
            _seconds(p50_s),
            _seconds(p90_s),
            f"{100 * standing.wrong_sellable:.1f}",
            _shown(standing.ghosts, 1),
        ]
    )


def _row(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, HEADER, strict=True))


def _verdict(best: Standing) -> str:
    words = {
        Verdict.BETTER: "ours is better than the best rival",
        Verdict.EVEN: "ours is no worse than the best rival",
        Verdict.WORSE: "ours is WORSE than the best rival",
    }
    return f"{words[best.verdict]}, {best.of}: {_signed(best.against)} items, paired by seed"


def _signed(value: Interval) -> str:
    if math.isinf(value.low):
        return f"{value.value:+.2f} (one seed: no interval)"
    return f"{value.value:+.2f} [{value.low:+.2f}, {value.high:+.2f}]"


def _items(value: float) -> str:
    if math.isinf(value):
        return "-"
    return f"{value:.2f}" if abs(value) < 1000 else f"{value:.0f}"


def _rate(value: float) -> str:
    return f"{value / 1000:.0f}k" if value >= 10_000 else _shown(value, 1)


def _shown(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _seconds(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _span(seeds: Sequence[int]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, columns(), break_on_hyphens=False)
