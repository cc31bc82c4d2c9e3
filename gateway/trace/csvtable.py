"""A CSV file of machine-made rows, one a line: its columns by name, its rows in portions, what is wrong with them.

A row that cannot be understood is counted and shown with its line, and the others are taken; nothing is dropped in
silence.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO

from gateway.trace.times import MAX_TIME_US, READ, TimeUnit, TimeUnitError, detect

# Rows that are understood together: few enough that a bad one among them costs little.
ROWS_AT_ONCE = 4_000
# Rows that a column's unit is told by.
SAMPLE_ROWS = 200
# 24 bytes each: 1.2 GB. A recording that is longer can be cut by the day.
MAX_ROWS = 50_000_000
# Bad rows that are shown; all are counted.
SHOWN_BAD_ROWS = 5
# What is shown of a text that was not understood.
SHOWN_CHARACTERS = 40
# LLRP's antenna ports have 16 bits.
MAX_PORT = 65_535
# Enough that the disk is asked seldom.
READ_BYTES = 1 << 18
DELIMITERS = ",;\t|"


@dataclass(slots=True)
class BadRows:
    """How many rows were not understood, and the first few of them as `file:line: text`."""

    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, path: Path, line: int, text: str) -> None:
        self.count += 1
        if len(self.shown) < SHOWN_BAD_ROWS:
            self.shown.append(f"{path}:{line}: {text}")


class CsvError(Exception):
    """A file that cannot be read at all; `hint` says what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class RowError(ValueError):
    """One row that cannot be understood."""


class Csv:
    """The rows of a file behind its header, in portions."""

    def __init__(self, path: Path, text: IO[str]) -> None:
        self.path = path
        self.bad = BadRows()
        first = text.readline()
        if any(letter < " " and letter not in "\t\r\n" for letter in first):
            raise CsvError(f"{path}: is no text", "it is to be a capture, or CSV in UTF-8, plain or .gz")
        self._delimiter = max(DELIMITERS, key=first.count)
        try:
            self.header = [name.strip() for name in next(csv.reader([first], delimiter=self._delimiter), [])]
        except csv.Error as error:
            raise CsvError(f"{path}:1: {error}", "the first line names the columns") from error
        if not any(self.header):
            raise CsvError(f"{path}: is empty", "the first line names the columns")
        self._lines = text
        self._rows_read = 0

    def column(self, name: str | None, *usual: str) -> int | None:
        """Where the column of that name is; the name not being given, one of the usual ones, or None.

        Raises CsvError where a name is given and no column has it.
        """
        names = [known.lower() for known in self.header]
        for wanted in (name,) if name is not None else usual:
            if wanted.strip().lower() in names:
                return names.index(wanted.strip().lower())
        if name is None:
            return None
        raise self.missing(repr(name))

    def missing(self, what: str, option: str = "") -> CsvError:
        hint = f"by the first line the columns are {', '.join(map(_cut, self.header))}"
        return CsvError(f"{self.path}: no column {what}", f"{hint}; name it with {option}" if option else hint)

    def portions(self) -> Iterator[tuple[list[list[str]], int]]:
        """Rows, one a line, and the number of the line before the first of them."""
        while lines := list(islice(self._lines, ROWS_AT_ONCE)):
            before = self._rows_read + 1
            self._rows_read += len(lines)
            if self._rows_read > MAX_ROWS:
                raise CsvError(f"{self.path}: has more than {MAX_ROWS:,} rows", "cut it, by the day for example")
            try:
                rows = list(csv.reader(lines, delimiter=self._delimiter))
            except csv.Error:
                rows = []
            # A quote that is never closed must not swallow the rows behind it.
            yield (rows if len(rows) == len(lines) else list(map(self._row, lines))), before

    def _row(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=self._delimiter), [])
        except csv.Error:
            return [line]


def numbered(rows: Sequence[Sequence[str]], before: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Rows that are not empty, each with its line."""
    return ((line, row) for line, row in enumerate(rows, before + 1) if row)


@contextmanager
def opened(path: Path, progress: Callable[[float], None] = lambda _: None) -> Iterator[Csv]:
    """A CSV file, plain or gzip; `progress` hears which share of it has been read. Raises CsvError."""
    try:
        with path.open("rb") as raw:
            size = max(1, path.stat().st_size)
            watched = _Watched(raw, lambda done: progress(done / size))
            plain = io.BufferedReader(watched, READ_BYTES)
            binary = io.BufferedReader(gzip.GzipFile(fileobj=plain)) if path.suffix == ".gz" else plain
            with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="") as text:
                yield Csv(path, text)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        hint = "it was torn or is no gzip file; zcat unpacks what is whole"
        raise CsvError(f"{path}: cannot be unpacked: {error}", hint) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise CsvError(f"{path}: cannot be read: {reason}", "name an existing file that you may read") from error


class _Watched(io.RawIOBase):
    """A file that tells how far it has been read."""

    def __init__(self, raw: IO[bytes], told: Callable[[int], None]) -> None:
        self._raw = raw
        self._told = told
        self._done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._done += len(data)
        self._told(self._done)
        return len(data)


def reading_of(
    table: Csv, column: int, rows: Sequence[Sequence[str]], unit: TimeUnit | None, fallback: TimeUnit | None = None
) -> TimeUnit:
    """How a column's times are written, by its first rows, if `unit` does not say. Raises CsvError."""
    sample = [row[column] for row in islice(rows, SAMPLE_ROWS) if len(row) > column]
    try:
        return unit or detect(table.header[column], sample, fallback)
    except TimeUnitError as error:
        raise CsvError(f"{table.path}: {error}", "say it: --time-unit s, ms, us, ns or iso") from error


def time_us(text: str, unit: TimeUnit, name: str) -> int:
    """One time in microseconds; `name` is that of its column. Raises RowError."""
    try:
        at_us = READ[unit](text)
    except (ValueError, OverflowError):
        raise RowError(f"{name} {shown(text)} is no time") from None
    if not 0 <= at_us < MAX_TIME_US:
        raise RowError(f"{name} {shown(text)} is beyond all recordings")
    return at_us


def port(text: str) -> int:
    """An antenna port, 1 to 65,535. Raises RowError."""
    try:
        number = float(text)
        whole = int(number)
    except (ValueError, OverflowError):
        raise RowError(f"{shown(text)} is no antenna") from None
    if whole != number or not 0 < whole <= MAX_PORT:
        raise RowError(f"{shown(text)} is no antenna: ports are 1 to {MAX_PORT}")
    return whole


def reader_name(text: str) -> str:
    """A reader's name as a configuration could have it: small letters, digits and dashes. Raises RowError for none."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.strip().lower())
    if not name:
        raise RowError("names no reader")
    return name


def complete(row: Sequence[str], table: Csv) -> Sequence[str]:
    """The row, if it has as many columns as the header; behind them may be empty ones. Raises RowError."""
    if len(row) < len(table.header) or any(row[len(table.header) :]):
        raise RowError(f"has {len(row)} column{'s' if len(row) > 1 else ''}, the header {len(table.header)}")
    return row


def shown(text: str) -> str:
    """A text that was not understood, for a person."""
    return repr(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
