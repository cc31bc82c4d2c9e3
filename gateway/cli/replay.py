"""`tallygate replay`: recorded reads through the line, as if they came from the readers."""

import csv
import gc
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple

import typer

from config import ConfigError
from config.layout import Layout, OverrideError, load_layout
from gateway.cli.check_config import show_problems
from gateway.cli.output import ExitCode, JsonOption, complain, fail, pairs, print_json, table
from gateway.cli.progress import progress_bar
from gateway.cli.why import in_words
from gateway.domain.epctext import EpcTextError, parse_item
from gateway.domain.items import COUNTED, Identity
from gateway.domain.tags import key_epc
from gateway.domain.zones import US_PER_S
from gateway.explain import known_item
from gateway.offline import OfflineLine
from gateway.trace.csvlinks import Link, LinksFile
from gateway.trace.csvreads import Columns, ReadsFile, spelt
from gateway.trace.csvtable import BadRows, CsvError, opened
from gateway.trace.play import end_of, play, start_of
from gateway.trace.reads import Reads
from gateway.trace.times import TimeUnit

GONE = "gone"
# A reader's clock that is further from the gateway's is no drift: it counts from something else.
APART_US = 3_600 * US_PER_S

ColumnOption = Annotated[str | None, typer.Option(metavar="COLUMN", rich_help_panel="Columns of the CSV file")]


class Recording(NamedTuple):
    """What was recorded. `spelling`: how the file writes each tag."""

    reads: Reads
    links: Sequence[Link]
    spelling: dict[bytes, str]
    bad: Sequence[BadRows]
    notices: Sequence[str]


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recorded reads: CSV, plain or .gz.")],
    *,
    config: Annotated[
        Path,
        typer.Option(metavar="FILE", help="A configuration; [[zones]] and the id and antennas of [[readers]] suffice."),
    ],
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
    try:
        layout = load_layout(config, settings or ())
        columns = Columns(time_taken, time_received, reader, antenna, epc, rssi)
        with _without_gc():
            recording = _recorded(file, links, columns, time_unit, _only_reader(layout, reader_id))
            line = _play(layout, recording, round(idle_s * US_PER_S), speed, any_epc=any_epc)
    except ConfigError as error:
        show_problems(error.problems)
        raise typer.Exit(ExitCode.FINDING) from None
    except (OverrideError, CsvError) as error:
        fail(ExitCode.USAGE, str(error), error.hint)
    _write(transitions, ("time_us", "epc", "zone"), _transitions(line, recording.spelling))
    _write(levels, ("time_us", "gtin", "zone", "quantity"), line.levels)
    found = _summary(line, layout, recording)
    reasons = None if why is None else _reasons(line, why, end_of(recording.reads, recording.links))
    if as_json:
        print_json(
            {
                "file": str(file),
                **found,
                **({} if reasons is None else {"why": reasons}),
                "seconds": round(time.monotonic() - started, 3),
            }
        )
    elif Path("-") not in {transitions, levels}:
        print(_for_people(line, found))
        if reasons is not None:
            print("\n" + in_words(reasons))
    if _complain(recording, found):
        raise typer.Exit(ExitCode.FINDING)


def _only_reader(layout: Layout, reader_id: str | None) -> str | None:
    """The reader of rows that name none."""
    return layout.readers[0] if reader_id is None and len(layout.readers) == 1 else reader_id


def _recorded(
    file: Path, links_file: Path | None, columns: Columns, unit: TimeUnit | None, reader_id: str | None
) -> Recording:
    notices = []
    with progress_bar("reading") as progress, opened(file, progress) as rows:
        reads_file = ReadsFile(rows, columns, unit=unit, reader_id=reader_id)
        reads = reads_file.read()
        bad = [rows.bad]
    if reads.sort():
        notices.append(f"{file} is not in the order of reception; it was sorted")
    if abs(reads_file.clock_apart_us) > APART_US:
        hours = reads_file.clock_apart_us / US_PER_S / 3600
        notices.append(
            f"no read was taken less than {abs(hours):,.1f} h {'before' if hours > 0 else 'after'} it was received: two"
            " clocks? --time-taken with the column of reception counts by that"
        )
    links: Sequence[Link] = ()
    if links_file is not None:
        with opened(links_file) as rows:
            links = LinksFile(rows, reader_id=reader_id).read(unit=unit, fallback=reads_file.unit)
            bad.append(rows.bad)
    return Recording(reads, links, reads_file.spelling, bad, notices)


@contextmanager
def _without_gc() -> Iterator[None]:
    """What is read stays until the end: to look for garbage in it again and again would cost a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _play(layout: Layout, recording: Recording, idle_us: int, speed: float | None, *, any_epc: bool) -> OfflineLine:
    reads, links = recording.reads, recording.links
    start_us, started = start_of(reads, links), time.monotonic()
    identify = _any_epc if any_epc else None
    line = OfflineLine(layout.zones, layout.antennas, layout.item_params, start_us=start_us, identify=identify)
    with progress_bar("replaying") as progress:

        def pace(at_us: int, done: float) -> None:
            progress(done)
            if speed is not None:
                ahead_s = (at_us - start_us) / US_PER_S / speed - (time.monotonic() - started)
                if ahead_s > 0:
                    time.sleep(ahead_s)

        play(line, reads, links, pace, idle_us=idle_us, smooth=speed is not None)
    return line


def _any_epc(data: bytes, bits: int) -> Identity:
    return Identity("", f"{data.hex().upper()}/{bits}")


def _reasons(line: OfflineLine, name: str, at_us: int) -> dict[str, Any]:
    """What is known of an item at the end."""
    try:
        item = parse_item(name)
    except EpcTextError as error:
        fail(ExitCode.USAGE, str(error), error.hint)
    identity = line.identify(item, 8 * len(item)) if isinstance(item, bytes) else item
    found = known_item(line.inventory, line.recent, identity, at_us, at_us) if identity is not None else None
    if found is None:
        fail(ExitCode.FINDING, f"{name}: no such item was read", "the recording may write its EPC otherwise")
    return found


def _transitions(line: OfflineLine, spelling: dict[bytes, str]) -> Iterator[tuple[int, str, str]]:
    for said in line.transitions:
        yield said.said_us, spelt(spelling, key_epc(said.key)), said.zone or GONE


def _write(path: Path | None, header: Sequence[str], rows: Any) -> None:
    if path is None:
        return
    try:
        with _written(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
    except OSError as error:
        fail(ExitCode.USAGE, f"{path}: cannot be written: {error.strerror}", "name a file in a folder that exists")


@contextmanager
def _written(path: Path) -> Iterator[IO[str]]:
    if path == Path("-"):
        yield sys.stdout
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file


def _summary(line: OfflineLine, layout: Layout, recording: Recording) -> dict[str, Any]:
    reads = recording.reads
    counted = Counter(item.zone.id for item in line.inventory if item.zone is not None and item.presence in COUNTED)
    unmapped: Counter[str] = Counter()
    if line.inventory.unmapped_reads:
        for (reader, port), count in Counter(zip(reads.reader, reads.antenna, strict=True)).items():
            if (reads.readers[reader], port) not in layout.antennas:
                unmapped[f"{reads.readers[reader]}:{port}"] += count
    strangers = {link.reader for link in recording.links} - set(layout.readers)
    return {
        "reads": len(reads),
        "tags": len(reads.tags),
        "links": len(recording.links),
        "start_us": start_of(reads, recording.links),
        "end_us": end_of(reads, recording.links),
        "transitions": len(line.transitions),
        "levels": len(line.levels),
        "items": {zone.id: counted[zone.id] for zone in layout.zones},
        "bad_rows": sum(bad.count for bad in recording.bad),
        "unmapped_reads": dict(unmapped.most_common()),
        "unknown_readers": sorted(strangers),
        "ignored_tags": dict(line.item_tags.ignored),
    }


def _for_people(line: OfflineLine, found: dict[str, Any]) -> str:
    hours = (found["end_us"] - found["start_us"]) / US_PER_S / 3600
    left = sum(said.zone is None for said in line.transitions)
    facts = pairs(
        (
            ("reads", f"{found['reads']:,} of {found['tags']:,} tags in {hours:,.2f} h"),
            ("connections", f"{found['links']:,} changes"),
            ("said", f"{found['transitions']:,} transitions ({left:,} departures), {found['levels']:,} levels"),
        )
    )
    rows = [(zone, f"{count:,}") for zone, count in found["items"].items()]
    return f"{facts}\n\n{table(('zone', 'items at the end'), rows)}"


def _complain(recording: Recording, found: dict[str, Any]) -> bool:
    """What a person should know on stderr; True for a finding."""
    for notice in recording.notices:
        complain(f"tallygate: {notice}")
    for bad in recording.bad:
        if bad.count:
            more = [f"and {bad.count - len(bad.shown):,} more"] if bad.count > len(bad.shown) else []
            complain(f"tallygate: {bad.count:,} rows were not understood", details=[*bad.shown, *more])
    if found["unmapped_reads"]:
        named = ", ".join(f"{place} ({count:,})" for place, count in list(found["unmapped_reads"].items())[:8])
        complain(
            f"tallygate: {sum(found['unmapped_reads'].values()):,} reads of antennas that no zone has: {named}",
            "name them in the antennas of [[readers]]",
        )
    if found["unknown_readers"]:
        complain(f"tallygate: connections of unknown readers: {', '.join(found['unknown_readers'])}")
    if found["ignored_tags"]:
        named = ", ".join(f"{reason} {count:,}" for reason, count in found["ignored_tags"].items())
        complain(f"tallygate: tags that are no stock: {named}", "--any-epc counts them all")
    counted = found["reads"] - sum(found["unmapped_reads"].values())
    nothing_counts = not counted or sum(found["ignored_tags"].values()) >= found["tags"]
    return bool(found["bad_rows"]) or nothing_counts
