"""Recorded reads from CSV files, whatever their columns are called.

Rows are understood a few thousand at a time, column by column; only where that fails, one by one.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.epctext import EpcTextError, parse_epc
from gateway.trace.csvtable import Csv, RowError, complete, numbered, port, reader_name, reading_of, shown, time_us
from gateway.trace.reads import Reads
from gateway.trace.times import MAX_TIME_US, READ_FAST, TimeUnit
from readers.model import NO_RSSI_DBM

# Strengths have few different texts; should a recording have many, the table of them starts anew.
MAX_RSSI_TEXTS = 65_536
# A number of two bytes tells them apart.
MAX_READERS = 65_535

Block = tuple["array[int]", ...]
"""Rows by column: received, taken, reader, antenna, tag, dBm."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns are called; None: as usual. Those of antenna, EPC and one of the times cannot be missing."""

    time_taken: str | None = None
    time_received: str | None = None
    reader: str | None = None
    antenna: str | None = None
    epc: str | None = None
    rssi: str | None = None


class Table(dict[str, int]):
    """Text -> number, each text understood once."""

    def __init__(self, understand: Callable[[str], int], limit: int | None = None) -> None:
        self._understand = understand
        self._limit = limit

    def __missing__(self, text: str) -> int:
        number = self._understand(text)
        if self._limit is not None and len(self) >= self._limit:
            self.clear()
        self[text] = number
        return number


class ReadsFile:
    """Recorded reads from one CSV file. `spelling`: how the file first wrote each tag."""

    def __init__(
        self, table: Csv, columns: Columns, *, unit: TimeUnit | None = None, reader_id: str | None = None
    ) -> None:
        self.reads = Reads()
        self.spelling: dict[bytes, str] = {}
        self._csv = table
        epc, antenna = table.column(columns.epc, "epc"), table.column(columns.antenna, "antenna")
        self._rssi = table.column(columns.rssi, "rssi")
        self._reader = table.column(columns.reader, "reader")
        self._reader_id = reader_id
        self._taken = table.column(columns.time_taken, "time_taken")
        self._received = table.column(columns.time_received, "time_received")
        lacking = {
            ("epc", "--epc"): epc is None,
            ("antenna", "--antenna"): antenna is None,
            ("reader", "--reader, or the one reader with --reader-id"): self._reader is None and reader_id is None,
            ("time_taken or time_received", "--time-taken or --time-received"): self._taken is self._received is None,
        }
        missing = [names for names, is_missing in lacking.items() if is_missing]
        if missing or epc is None or antenna is None:
            raise table.missing("; no column ".join(what for what, _ in missing), ", ".join(by for _, by in missing))
        self._epc, self._antenna = epc, antenna
        self._unit = unit
        self._units: dict[int, TimeUnit] = {}
        self._numbers: dict[str, int] = {}
        self._tags: dict[bytes, int] = {}
        self._reader_table = Table(self._reader_number)
        self._antenna_table = Table(port)
        self._tag_table = Table(self._tag_number)
        self._rssi_table = Table(_dbm, MAX_RSSI_TEXTS)

    @property
    def unit(self) -> TimeUnit | None:
        """How a column of times is written; None before anything was read."""
        return next(iter(self._units.values()), None)

    def read(self) -> Reads:
        """All of the file, sorted or not. Raises CsvError."""
        for rows, before in self._csv.portions():
            if not self._units:
                for column in (self._taken, self._received):
                    if column is not None:
                        self._units[column] = reading_of(self._csv, column, rows, self._unit, self.unit)
            try:
                block = self._together(rows)
            except (ValueError, IndexError, OverflowError):
                block = self._singly(rows, before)
            reads = self.reads
            for whole, values in zip(
                (reads.received_us, reads.taken_us, reads.reader, reads.antenna, reads.tag, reads.dbm),
                block,
                strict=True,
            ):
                whole.extend(values)
        return self.reads

    def _together(self, rows: Sequence[Sequence[str]]) -> Block:
        """Columns of rows that are all well; any error where one is not."""
        columns = list(zip(*rows, strict=True))
        if len(columns) != len(self._csv.header):
            raise ValueError
        times = [
            array("q", map(READ_FAST[self._units[column]], columns[column])) if column is not None else None
            for column in (self._received, self._taken)
        ]
        received, taken = times[0] or times[1], times[1] or times[0]
        assert received is not None, "one of the two columns is there"
        assert taken is not None, "one of the two columns is there"
        for each in (received, taken):
            if min(each) < 0 or max(each) >= MAX_TIME_US:
                raise OverflowError
        if self._reader is None:
            number = self._reader_number(self._reader_id or "")
            readers = array("H", [number]) * len(rows)
        else:
            readers = array("H", map(self._reader_table.__getitem__, columns[self._reader]))
        antennas = array("H", map(self._antenna_table.__getitem__, columns[self._antenna]))
        tags = array("I", map(self._tag_table.__getitem__, columns[self._epc]))
        if self._rssi is None:
            strengths = array("b", [NO_RSSI_DBM]) * len(rows)
        else:
            strengths = array("b", map(self._rssi_table.__getitem__, columns[self._rssi]))
        return received, taken, readers, antennas, tags, strengths

    def _singly(self, rows: Sequence[Sequence[str]], before: int) -> Block:
        """Columns of the rows that are well; the others are noted."""
        block = tuple(array(code) for code in "qqHHIb")
        for line, row in numbered(rows, before):
            try:
                values = self._one(row)
            except RowError as error:
                self._csv.bad.add(self._csv.path, line, str(error))
            else:
                for column, value in zip(block, values, strict=True):
                    column.append(value)
        return block

    def _one(self, row: Sequence[str]) -> tuple[int, ...]:
        complete(row, self._csv)
        received, taken = self._time(self._received, row), self._time(self._taken, row)
        if received is None and taken is None:
            raise RowError("has no time")
        reader = self._reader_id if self._reader is None else row[self._reader]
        return (
            _either(received, taken),
            _either(taken, received),
            self._reader_table[reader or ""],
            self._antenna_table[row[self._antenna]],
            self._tag_table[row[self._epc]],
            NO_RSSI_DBM if self._rssi is None else self._rssi_table[row[self._rssi]],
        )

    def _time(self, column: int | None, row: Sequence[str]) -> int | None:
        """None where nothing stands there."""
        if column is None or not row[column].strip():
            return None
        return time_us(row[column], self._units[column], self._csv.header[column])

    def _reader_number(self, text: str) -> int:
        name = reader_name(text)
        if name not in self._numbers:
            if len(self._numbers) >= MAX_READERS:
                raise RowError(f"the reader {shown(text)} is one too many")
            self._numbers[name] = len(self._numbers)
            self.reads.readers.append(name)
        return self._numbers[name]

    def _tag_number(self, text: str) -> int:
        try:
            epc = parse_epc(text)
        except EpcTextError as error:
            raise RowError(str(error)) from error
        number = self._tags.get(epc)
        if number is None:
            number = self._tags[epc] = len(self._tags)
            self.reads.tags.append(epc)
            self.spelling[epc] = text.strip()
        return number


def _either(first: int | None, second: int | None) -> int:
    assert first is not None or second is not None, "a row without any time was refused"
    return first if first is not None else second or 0


def _dbm(text: str) -> int:
    """The strength in whole dBm; a reader that tells none leaves it out."""
    if not text.strip():
        return NO_RSSI_DBM
    try:
        dbm = round(float(text))
    except (ValueError, OverflowError):
        raise RowError(f"{shown(text)} is no strength") from None
    if not -128 <= dbm <= 127:
        raise RowError(f"{shown(text)} is no strength in dBm")
    return dbm


def spelt(spelling: Mapping[bytes, str], epc: bytes) -> str:
    """A tag as the recording writes it."""
    return spelling.get(epc) or epc.hex().upper()
