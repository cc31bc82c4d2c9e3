"""`tallygate ledger`: what is in the ledger, is it sound, and beginning anew where it is not."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from config import ConfigError, load
from gateway.cli.check_config import show_problems
from gateway.cli.output import ExitCode, JsonOption, complain, fail, pairs, print_json
from gateway.cli.progress import progress_bar
from gateway.cli.run import DEFAULT_CONFIG
from gateway.clock import SystemClock
from gateway.ledger import LedgerError
from gateway.ledger_file import check, set_aside, summarise


class Action(StrEnum):
    """What to do with the ledger."""

    SHOW = "show"
    CHECK = "check"
    REBUILD = "rebuild"


def ledger(
    action: Annotated[Action, typer.Argument(help="show what it holds; check all of it; rebuild: begin a new one.")],
    config: Annotated[Path, typer.Option(metavar="FILE", help="The configuration.")] = DEFAULT_CONFIG,
    *,
    path: Annotated[Path | None, typer.Option(metavar="FILE", help="A ledger, instead of the configured one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a rebuild.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Looks into the ledger, also while the daemon runs; damage is a finding.

    `rebuild` keeps the old file under another name. The next start begins a new epoch and counts the shop again;
    consumers follow by themselves. Deltas that the broker has not taken are lost with the old file.
    """
    where = (path or _configured(config)).absolute()
    try:
        match action:
            case Action.SHOW:
                _show(where, as_json=as_json)
            case Action.CHECK:
                _check(where, as_json=as_json)
            case Action.REBUILD:
                _rebuild(where, yes=yes, as_json=as_json)
    except LedgerError as error:
        if as_json:
            print_json({"path": str(where), "ok": False, "findings": [str(error)], "hint": error.hint})
        fail(ExitCode.FINDING, str(error), error.hint)


def _configured(config: Path) -> Path:
    try:
        return load(config).ledger.path
    except ConfigError as error:
        show_problems(error.problems)
        raise typer.Exit(ExitCode.FINDING) from None


def _show(path: Path, *, as_json: bool) -> None:
    summary = summarise(path)
    if as_json:
        print_json({"path": str(path), **asdict(summary)})
        return
    print(f"{path}: ledger of {summary.site}/{summary.gateway}, version {summary.version}")
    print(
        pairs(
            (
                ("epoch", summary.epoch),
                ("start", summary.boot),
                ("last delta", summary.seq),
                ("acknowledged", summary.acknowledged),
                ("kept", f"{summary.deltas} deltas, from {summary.trimmed + 1} on"),
                (
                    "waiting",
                    f"{summary.unsent} deltas" + (f", since {summary.oldest_unsent}" if summary.unsent else ""),
                ),
                ("stock", f"{summary.quantity} in {summary.rows} rows, {summary.items} tagged items"),
                ("size", f"{summary.bytes / 1e6:.1f} MB"),
            )
        )
    )


def _check(path: Path, *, as_json: bool) -> None:
    with progress_bar("checking") as progress:
        verdict = check(path, progress)
    if as_json:
        print_json({"path": str(path), "ok": verdict.sound, "findings": verdict.findings})
    elif verdict.sound:
        print(f"{path} is sound")
    else:
        complain(f"{path} is damaged:", "tallygate ledger rebuild keeps it and begins a new one", verdict.findings)
    if not verdict.sound:
        raise typer.Exit(ExitCode.FINDING)


def _rebuild(path: Path, *, yes: bool, as_json: bool) -> None:
    if not yes:
        typer.confirm(
            f"Begin a new ledger at {path}? The shop is counted again; what the broker has not taken is lost",
            abort=True,
            err=True,
        )
    kept = set_aside(path, SystemClock().utc_us())
    if as_json:
        print_json({"path": str(path), "kept": [str(file) for file in kept]})
        return
    for file in kept:
        print(f"kept as {file}")
    print(f"the next start makes a new ledger at {path}, in a new epoch" if kept else f"{path}: there was none")
