"""`tallygate shelf`: what lies on the shelves, and learning what a piece weighs."""

import asyncio
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from config import Config, ConfigError, load
from gateway.cli.api import DEFAULT_HTTP, HttpOption, TokenOption, ask
from gateway.cli.check_config import show_problems
from gateway.cli.output import ExitCode, JsonOption, fail, print_json, table
from gateway.cli.run import DEFAULT_CONFIG
from gateway.cli.shelf_recount import recount
from gateway.domain.shelves import Shelves
from gateway.shelf_view import bin_view, shows


class Action(StrEnum):
    """What to do."""

    SHOW = "show"
    CALIBRATE = "calibrate"
    RECOUNT = "recount"
    EMPTY = "empty"


def shelf(
    action: Annotated[
        Action,
        typer.Argument(
            help="show what lies there; calibrate: learn a bin and its product; "
            "recount: tell the gateway how many pieces lie there; empty: that none do."
        ),
    ],
    place: Annotated[
        str | None, typer.Argument(metavar="READER:CHANNEL", help="One bin; show shows all, or those of a READER.")
    ] = None,
    counts: Annotated[
        list[str] | None,
        typer.Argument(metavar="PIECES", help="Recount: how many; GTIN=PIECES each where several products lie."),
    ] = None,
    config: Annotated[Path, typer.Option(metavar="FILE", help="The configuration.")] = DEFAULT_CONFIG,
    http: HttpOption = DEFAULT_HTTP,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=3_600, metavar="SECONDS", help="How long an answer, or a rest, may take.")
    ] = 20.0,
    token_file: TokenOption = None,
    *,
    direct: Annotated[
        bool, typer.Option("--direct", help="Show: read the ports of the configuration; no daemon may run.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Shows what lies on the shelves, learns what a piece weighs, or takes your count.

    A bin that cannot be counted is a finding (exit 1).

    `recount` and `empty` tell the running gateway what you have counted: its weight is taken for that of so many, and
    its zero from there where it said another count. On the gateway's own machine only; hands off the shelf.

    `calibrate` reads the configured port itself, so the daemon must be stopped. It asks for the empty bin and then for
    counted fills (ten pieces and more, three fills and more), and prints what to put into the configuration.
    """
    if place is None and action is not Action.SHOW:
        fail(ExitCode.USAGE, f"{action} needs a READER:CHANNEL", "tallygate shelf show lists them")
    if counts and action is not Action.RECOUNT:
        fail(ExitCode.USAGE, f"{action} takes no number of pieces", "tallygate shelf recount READER:CHANNEL PIECES")
    if place is not None and action in {Action.RECOUNT, Action.EMPTY}:
        recount(http, place, None if action is Action.EMPTY else counts or [], timeout, as_json=as_json)
        return
    if place is not None and action is Action.CALIBRATE:
        from gateway.cli.shelf_calibrate import calibrate  # noqa: PLC0415 - every driver, only where needed

        calibrate(_loaded(config), place, timeout, as_json=as_json)
        return
    found = _directly(_loaded(config), timeout) if direct else ask(http, "shelves", timeout, token_file)
    places = [f"{each['reader']}:{each['channel']}" for each in found]
    if not found:
        fail(ExitCode.FINDING, "no bins", "name a product in a [[readers.channels]] table")
    found = [each for each in found if place in {None, each["reader"], f"{each['reader']}:{each['channel']}"}]
    if not found:
        fail(ExitCode.FINDING, f"no such bin: {place}", f"one of {', '.join(places)}")
    if as_json:
        for each in found:
            print_json(each)
    else:
        print(_for_people(found))
    if any(each["state"] != "ok" for each in found):
        raise typer.Exit(ExitCode.FINDING)


def _loaded(path: Path) -> Config:
    try:
        return load(path)
    except ConfigError as error:
        show_problems(error.problems)
        raise typer.Exit(ExitCode.FINDING) from None


def _directly(config: Config, timeout_s: float) -> list[dict[str, Any]]:
    """What the scales say by themselves: as soon as all bins can be counted, or when the time is up."""
    from gateway.cli.shelf_reading import listen  # noqa: PLC0415 - every driver, only where needed

    shelves = Shelves()
    shelves.restore(config.bins, [])
    readers = {each.reader for each in config.bins}

    async def read() -> None:
        async with listen([reader for reader in config.readers if reader.id in readers]) as samples:
            try:
                async with asyncio.timeout(timeout_s):
                    while True:
                        sample = await samples.next()
                        shelves.hear(sample)
                        shelves.look(sample.at_us)
                        if not shelves.blind:
                            return
            except TimeoutError:
                return

    asyncio.run(read())
    return [bin_view(each, shelves.blind.get(antenna)) for antenna, each in shelves.bins.items()]


def _for_people(found: Iterable[dict[str, Any]]) -> str:
    rows = []
    for each in found:
        pieces = ", ".join(f"{product['pieces']} of {product['gtin']}" for product in each["products"])
        rows.append(
            (
                f"{each['reader']}:{each['channel']}",
                each["zone"],
                shows(each),
                pieces or "-",
                each["text"] or _doubt(each),
            )
        )
    return table(("bin", "zone", "shows", "pieces", "note"), rows)


def _doubt(each: dict[str, Any]) -> str:
    """What is odd about a bin that can be counted."""
    if each.get("unexplained_g"):
        return f"{each['unexplained_g']:,.0f} g are unexplained"
    others = [
        f"{' and '.join(f'{count} of {gtin}' for gtin, count in story['pieces'].items())} ({story['chance']:.0%})"
        for story in each.get("stories", ())[1:]
    ]
    if others:
        return f"or {', '.join(others)}"
    unsure = any(product["confirmed"] < product["pieces"] for product in each["products"])
    return "its weight does not confirm the count" if unsure else ""
