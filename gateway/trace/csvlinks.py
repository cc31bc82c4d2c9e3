"""Connections lost and back, from a CSV file with columns time, reader and state."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.trace.csvtable import (
    Csv,
    CsvError,
    RowError,
    complete,
    numbered,
    port,
    reader_name,
    reading_of,
    shown,
    time_us,
)
from gateway.trace.times import TimeUnit

TIME_COLUMNS = ("time", "at", "timestamp", "time_us", "at_us", "time_ms", "time_s", "time_received")
STATE_COLUMNS = ("state", "status", "event", "connected", "up", "link")
READER_COLUMNS = ("reader", "reader_id", "name", "id")
ANTENNA_COLUMNS = ("antenna", "port")
STATES = {
    **dict.fromkeys(("up", "connected", "connect", "online", "back", "restored", "reading", "ok", "running"), True),
    **dict.fromkeys(("start", "started", "open", "1", "true", "yes"), True),
    **dict.fromkeys(("down", "disconnected", "disconnect", "offline", "lost", "failed", "connecting"), False),
    **dict.fromkeys(("stopped", "stop", "closed", "error", "dead", "0", "false", "no"), False),
}


@dataclass(frozen=True, slots=True)
class Link:
    """The connection to a reader was lost or came back; with `antenna`, that of one of its antennas."""

    at_us: int
    reader: str
    connected: bool
    antenna: int | None = None


class LinksFile:
    """Where the columns of a file of connections are."""

    def __init__(self, table: Csv, *, reader_id: str | None = None) -> None:
        at, state = table.column(None, *TIME_COLUMNS), table.column(None, *STATE_COLUMNS)
        self._reader = table.column(None, *READER_COLUMNS)
        if at is None or state is None or (self._reader is None and reader_id is None):
            raise CsvError(f"{table.path}: needs columns time, reader and state", f"it has {', '.join(table.header)}")
        self._csv = table
        self._at, self._state = at, state
        self._antenna = table.column(None, *ANTENNA_COLUMNS)
        self._reader_id = reader_id or ""

    def read(self, *, unit: TimeUnit | None = None, fallback: TimeUnit | None = None) -> list[Link]:
        """All of them in order of time. Raises CsvError.

        `fallback` is how the reads write their times, where the column itself does not tell.
        """
        links = []
        for rows, before in self._csv.portions():
            unit = reading_of(self._csv, self._at, rows, unit, fallback)
            for line, row in numbered(rows, before):
                try:
                    links.append(self._one(complete(row, self._csv), unit))
                except RowError as error:
                    self._csv.bad.add(self._csv.path, line, str(error))
        return sorted(links, key=lambda link: link.at_us)

    def _one(self, row: Sequence[str], unit: TimeUnit) -> Link:
        word = row[self._state].strip().lower()
        if word not in STATES:
            raise RowError(f"{shown(row[self._state])} is no state of a connection: up or down")
        reader = self._reader_id if self._reader is None else row[self._reader]
        antenna = "" if self._antenna is None else row[self._antenna].strip()
        at_us = time_us(row[self._at], unit, self._csv.header[self._at])
        return Link(at_us, reader_name(reader), STATES[word], port(antenna) if antenna else None)
