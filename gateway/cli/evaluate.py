"""`tallygate evaluate`: our rule and the known rivals, scored against a simulated truth."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from gateway.cli.evaluate_view import as_json_lines, as_text, pair_text, rare_text, summary_text
from gateway.cli.output import ExitCode, JsonOption, fail, print_json
from gateway.cli.progress import progress_bar
from gateway.evaluate.cache import Cache
from gateway.evaluate.files import FileError, read_pair
from gateway.evaluate.grids import GRIDS
from gateway.evaluate.measure import Entry, Job, Outcome, entries, measure
from gateway.evaluate.rare import findings, pieces
from gateway.evaluate.report import By, ScenarioReport, report
from gateway.evaluate.scenarios import find_scenario, spelt_out
from simulators.recording import scenario_names
from simulators.shop.plan import ScenarioError

T = TypeVar("T")


def evaluate(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO]...",
            help="By name, or a file; without: all of the store. plain: all from published models.",
        ),
    ] = None,
    *,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="How many seeds.")] = 5,
    first_seed: Annotated[int, typer.Option(min=0, help="1...: to develop with; 1001...: to report.")] = 1,
    rules: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="A rival, as often as wanted; without: all. none: only ours."),
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Show every setting of every rival, not only its best.")] = False,
    by: Annotated[By, typer.Option(help="Count per zone, or per GTIN and zone as stock is.")] = By.PRODUCT,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes at a time.")] = 1,
    cache: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep recordings and the rivals' scores for the next time.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the excess of each rule as well.")] = None,
    transitions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Score this CSV (time_us,epc,zone) against --truth.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="The truth in the same form.")] = None,
    until: Annotated[
        int | None, typer.Option(metavar="TIME_US", help="When the files' time ends; else with their last row.")
    ] = None,
    rare: Annotated[bool, typer.Option("--rare", help="Measure what must hardly ever happen; takes long.")] = False,
    item_days: Annotated[
        float, typer.Option(min=100.0, max=1e7, metavar="N", help="How many item-days on racks for --rare.")
    ] = 30_000.0,
    as_json: JsonOption = False,
) -> None:
    """Scores our rule beside the known ones, on the same simulated reads.

    Errors are mean absolute differences between counted and true items. Excess is over a floor that knows the truth
    but counts an item only from its first read in a zone on. Ends with 1 where a rival at its best is better, or
    where --rare misses a target.
    """
    if transitions or truth:
        if not (transitions and truth):
            fail(ExitCode.USAGE, "--transitions and --truth come together", "give both files")
        _score_files(transitions, truth, until, as_json=as_json)
        return
    if rare:
        _score_rare(item_days, first_seed, jobs, as_json=as_json)
        return
    names = spelt_out(scenarios or scenario_names())
    _check(names)
    kept = Cache() if cache is None else Cache.at(cache)
    reports = _reports(names, range(first_seed, first_seed + seeds), entries(_rivals(rules)), kept, jobs, by)
    if as_json:
        for line in as_json_lines(reports, by):
            print_json(line)
    else:
        for each in reports:
            print(as_text(each, by, whole_grid=grid) + "\n")
        print(summary_text(reports, by))
    if plot is not None:
        _plot(reports, plot)
    if not all(each.no_worse for each in reports):
        raise typer.Exit(ExitCode.FINDING)


def _check(names: Sequence[str]) -> None:
    for name in names:
        try:
            find_scenario(name)
        except ScenarioError as error:
            fail(ExitCode.USAGE, str(error), "name one of them, or a file; without any, all are scored")


def _reports(
    names: Sequence[str], seeds: Sequence[int], wanted: tuple[Entry, ...], kept: Cache, jobs: int, by: By
) -> list[ScenarioReport]:
    """Measures all recordings; the reports in the order of the names."""
    work = [partial(measure, Job(name, seed, wanted, kept)) for name in names for seed in seeds]
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    with progress_bar("recordings") as show:
        for number, done in enumerate(_done(work, jobs), start=1):
            outcomes[done[0].scenario] += done
            show(number / len(work))
    return [report(name, found, by) for name, found in outcomes.items()]


def _rivals(wanted: Sequence[str] | None) -> list[str]:
    """The rivals meant: by name, or by its beginning, in any case."""
    if not wanted:
        return list(GRIDS)
    found: dict[str, None] = {}
    for text in wanted:
        if text.lower() == "none":
            continue
        matching = [name for name in GRIDS if name.lower().startswith(text.lower())]
        if not matching:
            fail(ExitCode.USAGE, f"no rule is called {text!r}", f"one of: none, {', '.join(GRIDS)}")
        found.update(dict.fromkeys(matching))
    return list(found)


def _done(work: Sequence[Callable[[], list[T]]], jobs: int) -> Iterator[list[T]]:
    """The results, as they come."""
    if jobs == 1:
        yield from (piece() for piece in work)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(piece) for piece in work]):
            yield done.result()


def _score_rare(item_days: float, first_seed: int, jobs: int, *, as_json: bool) -> None:
    """Ends with 1 where a target is missed."""
    work = list(pieces(item_days, first_seed))
    results: list[Any] = []
    with progress_bar("pieces") as show:
        for number, done in enumerate(_done(work, jobs), start=1):
            results += done
            show(number / len(work))
    found = findings(results)
    if as_json:
        for finding in found:
            print_json(finding.as_json())
    else:
        print(rare_text(found))
    if any(finding.met is False for finding in found):
        raise typer.Exit(ExitCode.FINDING)


def _plot(reports: Sequence[ScenarioReport], path: Path) -> None:
    if find_spec("matplotlib") is None:
        fail(ExitCode.USAGE, "drawing needs matplotlib", "pip install 'tallygate[lab]'")
    from gateway.evaluate.plot import draw  # noqa: PLC0415 - slow to import, and rarely wanted

    try:
        draw(reports, path)
    except (OSError, ValueError) as error:
        fail(ExitCode.USAGE, f"{path} cannot be written: {error}", "name a file that ends in .png, .svg or .pdf")


def _score_files(transitions: Path, truth: Path, until_us: int | None, *, as_json: bool) -> None:
    try:
        pair = read_pair(transitions, truth, until_us)
    except FileError as error:
        fail(ExitCode.USAGE, error.text, error.hint)
    if as_json:
        print_json(pair.as_json())
    else:
        print(pair_text(pair))
