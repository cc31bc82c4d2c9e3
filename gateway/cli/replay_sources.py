"""What `tallygate replay` can read, each with the layout that it is counted by."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from config.layout import Layout, load_layout
from gateway.cli.progress import progress_bar
from gateway.domain.inventory import TICK_US
from gateway.domain.items import Identity
from gateway.domain.records import BinRecord
from gateway.domain.zones import US_PER_S
from gateway.offline import OfflineLine
from gateway.trace.capture import CaptureError, Session
from gateway.trace.capturefile import Capture
from gateway.trace.csvlinks import Link, LinksFile
from gateway.trace.csvreads import Columns, ReadsFile
from gateway.trace.csvtable import BadRows, opened
from gateway.trace.layouts import layout_from_json, records_from_json
from gateway.trace.play import CapturePlayer, Played, content_of, play, start_of, time_of
from gateway.trace.times import TimeUnit

# A reader's clock that is further from the gateway's is no drift: it counts from something else.
APART_US = 3_600 * US_PER_S


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
        if abs(reads_file.clock_apart_us) > APART_US:
            notices.append(_apart(reads_file.clock_apart_us))
        links: Sequence[Link] = ()
        if self._links is not None:
            with opened(self._links) as rows:
                file = LinksFile(rows, reader_id=self._reader_id)
                links = file.read(unit=self._unit, fallback=reads_file.unit)
                bad.append(rows.bad)
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


def _apart(us: int) -> str:
    hours, order = abs(us) / US_PER_S / 3600, "before" if us > 0 else "after"
    return (
        f"no read was taken less than {hours:,.1f} h {order} it was received: two clocks?"
        " --time-taken with the column of reception counts by that"
    )
