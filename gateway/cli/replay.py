"""`tallygate replay`: recorded reads through the line, as if they came from the readers."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from config import ConfigError
from config.layout import OverrideError
from gateway.cli.check_config import show_problems
from gateway.cli.output import ExitCode, JsonOption, fail, print_json
from gateway.cli.replay_sources import CaptureSource, CsvSource, Replayed, SourceError
from gateway.cli.replay_view import complain_of, for_people, summary, write_levels, write_transitions
from gateway.cli.why import in_words
from gateway.domain.epctext import EpcTextError, parse_item
from gateway.domain.zones import US_PER_S
from gateway.explain import known_item
from gateway.trace.capture import CaptureError
from gateway.trace.capturefile import is_capture
from gateway.trace.csvreads import Columns
from gateway.trace.csvtable import CsvError
from gateway.trace.times import TimeUnit

ColumnOption = Annotated[str | None, typer.Option(metavar="COLUMN", rich_help_panel="Columns of the CSV file")]


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recorded reads: a capture, or CSV, plain or .gz.")],
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A configuration; its zones, and the id and antennas of its readers, suffice."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="ZONE.PARAM=VALUE", help="Another presence parameter; *.PARAM for all zones."),
    ] = None,
    links: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV of connections lost and back: time, reader, state.")
    ] = None,
    transitions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the items are, and when that was said: CSV; - is stdout.")
    ] = None,
    levels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The stock, and when it was said: CSV; - is stdout.")
    ] = None,
    time_received: ColumnOption = None,
    time_taken: ColumnOption = None,
    reader: ColumnOption = None,
    antenna: ColumnOption = None,
    epc: ColumnOption = None,
    rssi: ColumnOption = None,
    time_unit: Annotated[TimeUnit | None, typer.Option(help="How times are written, where they do not tell.")] = None,
    reader_id: Annotated[str | None, typer.Option(metavar="READER", help="The reader, if no column says.")] = None,
    any_epc: Annotated[
        bool, typer.Option("--any-epc", help="Every EPC is an item of its own, whatever is encoded.")
    ] = False,
    idle_s: Annotated[
        float, typer.Option("--idle", min=0, metavar="SECONDS", help="Time that passes after the last read.")
    ] = 0.0,
    speed: Annotated[
        float | None, typer.Option(min=0.001, max=1e6, help="1 is real time; not given: as fast as it goes.")
    ] = None,
    why: Annotated[
        str | None, typer.Option(metavar="ITEM", help="Explain at the end why this item counts where it does.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replays recorded reads through the counting rules, and tells what the gateway would have said, and when.

    The same recording and configuration give the same answer, always. Rows that cannot be understood are shown and
    counted, and end it with 1.
    """
    started = time.monotonic()
    columns = Columns(time_taken, time_received, reader, antenna, epc, rssi)
    try:
        source: CaptureSource | CsvSource
        if is_capture(file):
            if links is not None or columns != Columns() or time_unit is not None or reader_id is not None:
                text = f"{file} is a capture: --links, --time-unit, --reader-id and columns are for CSV"
                fail(ExitCode.USAGE, text, "leave them out: a capture says all of it")
            source = CaptureSource(file, config, settings or ())
        else:
            source = CsvSource(file, config, settings or (), links, columns, time_unit, reader_id)
        with _without_gc():
            played = source.play(round(idle_s * US_PER_S), speed, any_epc=any_epc)
    except ConfigError as error:
        show_problems(error.problems)
        raise typer.Exit(ExitCode.FINDING) from None
    except OSError as error:
        fail(ExitCode.USAGE, f"{file}: cannot be read: {error.strerror}", "name an existing file that you may read")
    except (OverrideError, CsvError, CaptureError, SourceError) as error:
        fail(ExitCode.USAGE, str(error), error.hint)
    write_transitions(transitions, played)
    write_levels(levels, played)
    found = summary(played)
    reasons = None if why is None else _reasons(played, why)
    if as_json:
        explained = {} if reasons is None else {"why": reasons}
        print_json({"file": str(file), **found, **explained, "seconds": round(time.monotonic() - started, 3)})
    elif Path("-") not in {transitions, levels}:
        print(for_people(played, found))
        if reasons is not None:
            print("\n" + in_words(reasons))
    if complain_of(played, found):
        raise typer.Exit(ExitCode.FINDING)


@contextmanager
def _without_gc() -> Iterator[None]:
    """What is read stays until the end: to look for garbage in it again and again would cost a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _reasons(played: Replayed, name: str) -> dict[str, Any]:
    """What is known of an item at the end."""
    line, at_us = played.line, played.content.end_us
    try:
        item = parse_item(name)
    except EpcTextError as error:
        fail(ExitCode.USAGE, str(error), error.hint)
    identity = line.identify(item, 8 * len(item)) if isinstance(item, bytes) else item
    found = known_item(line.inventory, line.recent, identity, at_us, at_us) if identity is not None else None
    if found is None:
        fail(ExitCode.FINDING, f"{name}: no such item was read", "the recording may write its EPC otherwise")
    return found
