"""What `tallygate replay` can read, each with the layout that it is counted by."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from operator import sub
from pathlib import Path
from typing import Any

from config.layout import Layout, load_layout
from gateway.cli.progress import progress_bar
from gateway.domain.inventory import TICK_US
from gateway.domain.items import Identity
from gateway.domain.records import BinRecord
from gateway.domain.zones import US_PER_S
from gateway.offline import OfflineLine
from gateway.spoken import duration
from gateway.trace.capture import CaptureError, Session
from gateway.trace.capturefile import Capture
from gateway.trace.clocks import straighten
from gateway.trace.csvlinks import Link, LinksFile
from gateway.trace.csvreads import Columns, ReadsFile
from gateway.trace.csvtable import BadRows, opened
from gateway.trace.layouts import layout_from_json, records_from_json
from gateway.trace.play import CapturePlayer, Played, content_of, play, start_of, time_of
from gateway.trace.reads import Reads
from gateway.trace.times import TimeUnit

# No recording pauses for longer.
LONGEST_HOLE_US = 366 * 86_400 * US_PER_S
# Several times what the air lets an antenna read; and what may come in one report, however short it is.
MOST_READS_PER_S = 5_000
AT_ONCE = 200


class SourceError(Exception):
    """Something is missing to replay a file; `hint` says what."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


@dataclass(slots=True)
class Replayed:
    """The line as it stands after a recording. `spelling`: how the recording writes each tag."""

    line: OfflineLine
    layout: Layout
    content: Played
    spelling: dict[bytes, str] = field(default_factory=dict)
    bad: Sequence[BadRows] = ()
    notices: Sequence[str] = ()
    damaged: bool = False


class CsvSource:
    """Reads, and connections, in CSV files."""

    def __init__(
        self,
        file: Path,
        config: Path | None,
        settings: Sequence[str],
        links: Path | None,
        columns: Columns,
        unit: TimeUnit | None,
        reader_id: str | None,
    ) -> None:
        if not file.stat().st_size:
            raise SourceError(f"{file}: is empty", "nothing was recorded in it")
        if config is None:
            raise SourceError("which zones do the antennas look into?", "name a configuration with --config")
        self._file, self._links, self._columns, self._unit = file, links, columns, unit
        self._layout = load_layout(config, settings)
        readers = self._layout.readers
        self._reader_id = readers[0] if reader_id is None and len(readers) == 1 else reader_id

    def play(self, idle_us: int, speed: float | None, *, any_epc: bool) -> Replayed:
        """Read it, and replay it. Raises CsvError."""
        notices = []
        with progress_bar("reading") as progress, opened(self._file, progress) as rows:
            reads_file = ReadsFile(rows, self._columns, unit=self._unit, reader_id=self._reader_id)
            reads = reads_file.read()
            bad = [rows.bad]
        if reads.sort():
            notices.append(f"{self._file} is not in the order of reception; it was sorted")
        if wrong := straighten(reads):
            notices.append(_clocks(wrong))
        if told := _too_fast(reads):
            notices.append(told)
        links: Sequence[Link] = ()
        if self._links is not None:
            with opened(self._links) as rows:
                file = LinksFile(rows, reader_id=self._reader_id)
                links = file.read(unit=self._unit, fallback=reads_file.unit)
                bad.append(rows.bad)
        _refuse_a_hole(reads, links)
        line = _line(self._layout, start_of(reads, links), any_epc=any_epc)
        with _paced(speed, start_of(reads, links)) as pace:
            play(line, reads, links, pace, idle_us=idle_us, smooth=speed is not None)
        return Replayed(line, self._layout, content_of(reads, links), reads_file.spelling, bad, notices)


class CaptureSource:
    """A capture, which brings its own layout unless a configuration is named."""

    def __init__(self, file: Path, config: Path | None, settings: Sequence[str]) -> None:
        if config is None and settings:
            raise SourceError("--set replaces values of a configuration", "name one with --config")
        self._file, self._config, self._settings = file, config, settings

    def play(self, idle_us: int, speed: float | None, *, any_epc: bool) -> Replayed:
        """Read it and replay it, entry by entry. Raises OSError and CaptureError."""
        capture = Capture(self._file)
        shares = [0.0]
        entries = capture.entries(lambda done: shares.__setitem__(0, done))
        first = next(entries, None)
        if not isinstance(first, Session):
            raise CaptureError(f"{self._file}: holds no whole block", "its capture was ended before half a second")
        carried = first.about.get("layout", {})
        if self._config is None:
            layout = _carried(carried, self._file)
        else:
            # Shelves of which an older capture knows nothing would be taken for broken.
            layout = load_layout(self._config, self._settings, shelves="bins" in carried)
        line = _line(layout, first.at_us, any_epc=any_epc, records=records_from_json(first.about.get("shelves", ())))
        player = CapturePlayer(line, layout.readers)
        with _paced(speed, first.at_us) as pace:
            for entry in chain((first,), entries):
                pace(time_of(entry), shares[0])
                player.play(entry)
        line.advance(line.now_us + max(idle_us, TICK_US))
        notices = []
        if capture.left:
            how = "is damaged" if capture.damaged else "was torn off"
            notices.append(f"{self._file} {how} at byte {capture.good:,}: the last {capture.left:,} bytes are left out")
        if player.played.dropped:
            notices.append(f"{player.played.dropped:,} reads were not captured: they were taken too slowly")
        return Replayed(line, layout, player.played, notices=notices, damaged=capture.damaged)


def _carried(layout: Mapping[str, Any], file: Path) -> Layout:
    try:
        return layout_from_json(layout)
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{file} carries no layout: {error}", "name a configuration with --config") from error


def _line(layout: Layout, start_us: int, *, any_epc: bool, records: Sequence[BinRecord] = ()) -> OfflineLine:
    return OfflineLine(
        layout.zones,
        layout.antennas,
        layout.item_params,
        start_us=start_us,
        identify=_any_epc if any_epc else None,
        bins=layout.bins,
        records=records,
    )


def _any_epc(data: bytes, bits: int) -> Identity:
    return Identity("", f"{data.hex().upper()}/{bits}")


@contextmanager
def _paced(speed: float | None, start_us: int) -> Iterator[Callable[[int, float], None]]:
    """Shows the progress, and waits where the recording is to be replayed at a speed."""
    started = time.monotonic()
    with progress_bar("replaying") as progress:

        def pace(at_us: int, done: float) -> None:
            progress(done)
            if speed is not None:
                ahead_s = (at_us - start_us) / US_PER_S / speed - (time.monotonic() - started)
                if ahead_s > 0:
                    time.sleep(ahead_s)

        yield pace


def _clocks(wrong: Mapping[str, int]) -> str:
    """By how far readers' clocks were wrong."""
    named = ", ".join(
        f"{reader} by up to {duration(abs(us) / US_PER_S)} {'behind' if us > 0 else 'ahead'}"
        for reader, us in sorted(wrong.items())
    )
    return f"clocks were wrong, and what they say was put right: {named}"


def _too_fast(reads: Reads) -> str:
    """What to say of times in which nobody can have read so much; nothing where all was received at one moment."""
    span_us = max(max(times, default=0) - min(times, default=0) for times in (reads.received_us, reads.taken_us))
    of_an_antenna = MOST_READS_PER_S * span_us / US_PER_S
    if not span_us or len(reads) <= AT_ONCE + of_an_antenna:
        return ""
    antennas = len(set(zip(reads.reader, reads.antenna, strict=True)))
    if len(reads) <= AT_ONCE + antennas * of_an_antenna:
        return ""
    many = f"{len(reads):,} reads of {antennas} antenna{'s' if antennas > 1 else ''}"
    return f"{many} in {span_us / US_PER_S:.3g} s are more than can be: in which --time-unit are the times?"


def _refuse_a_hole(reads: Reads, links: Sequence[Link]) -> None:
    """A time that is years away from the next one is a mistake, and playing all that time would take for ever."""
    # Two runs that are in order already.
    moments = sorted(chain(reads.received_us, (link.at_us for link in links)))
    gaps = list(map(sub, islice(moments, 1, None), moments))
    longest_us = max(gaps, default=0)
    if longest_us > LONGEST_HOLE_US:
        before_us = moments[gaps.index(longest_us)]
        days = longest_us // (86_400 * US_PER_S)
        text = f"nothing was recorded for {days:,} days, from {_day(before_us)} to {_day(before_us + longest_us)}"
        raise SourceError(text, "a wrong time, or reads and --links that count from different moments: --time-unit")


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / US_PER_S, UTC).strftime("%Y-%m-%d")
