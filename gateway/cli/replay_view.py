"""What `tallygate replay` says: its files, a summary, and what is odd about a recording."""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gateway.cli.output import ExitCode, complain, fail, pairs, table
from gateway.cli.replay_sources import Replayed
from gateway.domain.presence import COUNTED
from gateway.domain.tags import key_epc
from gateway.domain.zones import US_PER_S
from gateway.spoken import duration
from gateway.trace.csvreads import spelt

GONE = "gone"
# Antennas that are named where no zone has them.
SHOWN_PLACES = 8


def write_transitions(path: Path | None, played: Replayed) -> None:
    """Where the items are, and when that was said. Ends the verb where it cannot be written."""
    rows = (
        (said.said_us, spelt(played.spelling, key_epc(said.key)), said.zone or GONE) for said in played.line.transitions
    )
    _write(path, ("time_us", "epc", "zone"), rows)


def write_levels(path: Path | None, played: Replayed) -> None:
    """The stock, and when it was said. Ends the verb where it cannot be written."""
    _write(path, ("time_us", "gtin", "zone", "quantity"), played.line.levels)


def _write(path: Path | None, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
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


def summary(played: Replayed) -> dict[str, Any]:
    """The replay as JSON values."""
    line, layout, content = played.line, played.layout, played.content
    counted = Counter(item.zone.id for item in line.inventory if item.zone is not None and item.presence in COUNTED)
    unmapped = {
        f"{reader}:{port}": n
        for (reader, port), n in content.heard.most_common()
        if (reader, port) not in layout.antennas
    }
    return {
        "reads": content.reads,
        "tags": content.tags,
        "samples": content.samples,
        "links": content.links,
        "start_us": content.start_us,
        "end_us": content.end_us,
        "transitions": len(line.transitions),
        "levels": len(line.levels),
        "items": {zone.id: counted[zone.id] for zone in layout.zones},
        "bad_rows": sum(bad.count for bad in played.bad),
        "unmapped_reads": unmapped,
        "unknown_readers": sorted(content.told_of - set(layout.readers)),
        "ignored_tags": dict(line.item_tags.ignored),
    }


def for_people(played: Replayed, found: dict[str, Any]) -> str:
    """The summary for a person."""
    lasted = duration((found["end_us"] - found["start_us"]) / US_PER_S)
    left = sum(said.zone is None for said in played.line.transitions)
    facts = pairs(
        (
            ("reads", f"{found['reads']:,} of {found['tags']:,} tags in {lasted}"),
            *([("weights, inputs", f"{found['samples']:,} values")] if found["samples"] else []),
            ("connections", f"{found['links']:,} changes"),
            ("said", f"{found['transitions']:,} transitions ({left:,} departures), {found['levels']:,} levels"),
        )
    )
    rows = [(zone, f"{count:,}") for zone, count in found["items"].items()]
    return f"{facts}\n\n{table(('zone', 'items at the end'), rows)}"


def complain_of(played: Replayed, found: dict[str, Any]) -> bool:
    """What a person should know on stderr; True for a finding."""
    for notice in played.notices:
        complain(f"tallygate: {notice}")
    for bad in played.bad:
        if bad.count:
            more = [f"and {bad.count - len(bad.shown):,} more"] if bad.count > len(bad.shown) else []
            complain(f"tallygate: {bad.count:,} rows were not understood", details=[*bad.shown, *more])
    if not found["reads"] and not found["samples"] and not found["bad_rows"]:
        complain("tallygate: it holds no reads", "nothing was recorded in it, or only its first line was kept")
    if found["unmapped_reads"]:
        named = ", ".join(
            f"{place} ({count:,})" for place, count in list(found["unmapped_reads"].items())[:SHOWN_PLACES]
        )
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
    nothing_counts = nothing_counts and not found["samples"]
    return bool(found["bad_rows"]) or played.damaged or nothing_counts
