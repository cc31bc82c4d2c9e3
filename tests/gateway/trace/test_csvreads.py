import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.offline import RecordedRead
from gateway.trace import csvtable
from gateway.trace.csvreads import Columns, ReadsFile
from gateway.trace.csvtable import BadRows, CsvError, opened
from gateway.trace.times import TimeUnit
from readers.model import NO_RSSI_DBM

HEADER = "time_received,time_taken,reader,antenna,epc,rssi"
EPC = bytes.fromhex("3034257BF7194E4000001A85")
START_US = 1_790_000_000_000_000


def read(path: Path, columns: Columns | None = None, **options: object) -> tuple[list[RecordedRead], BadRows]:
    with opened(path) as rows:
        file = ReadsFile(rows, columns or Columns(), **options)  # type: ignore[arg-type]
        reads = file.read()
    reads.sort()
    return list(reads.between(0, len(reads))), rows.bad


def written(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "reads.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_plain_file(tmp_path: Path) -> None:
    path = written(tmp_path, f"{START_US + 9},{START_US},r1,2,{EPC.hex()},-61.4", f"{START_US + 10},,r1,2,{EPC.hex()},")
    reads, bad = read(path)
    assert reads == [
        (START_US + 9, START_US, "r1", 2, EPC, -61),
        (START_US + 10, START_US + 10, "r1", 2, EPC, NO_RSSI_DBM),
    ]
    assert bad.count == 0


READS = st.lists(
    st.tuples(
        st.integers(0, 10**9),
        st.integers(0, 10**6),
        st.sampled_from(["r1", "Dock 2", "ceiling_3"]),
        st.integers(1, 65_535),
        st.binary(min_size=1, max_size=62),
        st.integers(-128, 127),
    ),
    min_size=1,
    max_size=30,
)


@given(
    rows=READS,
    unit=st.sampled_from([TimeUnit.SECONDS, TimeUnit.MICROSECONDS, TimeUnit.NANOSECONDS]),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
    order=st.permutations(["got", "made", "who", "port", "tag", "power", "comment"]),
    shout=st.booleans(),
    pack=st.booleans(),
    bom=st.booleans(),
)
def test_whatever_the_columns_are_called_and_however_they_are_written(
    rows: list[tuple[int, int, str, int, bytes, int]],
    unit: TimeUnit,
    delimiter: str,
    newline: str,
    order: list[str],
    *,
    shout: bool,
    pack: bool,
    bom: bool,
) -> None:
    def time(at_us: int) -> str:
        if unit is TimeUnit.SECONDS:
            return f"{at_us // 1_000_000}.{at_us % 1_000_000:06d}"
        return f"{at_us}000" if unit is TimeUnit.NANOSECONDS else str(at_us)

    lines = [delimiter.join(name.upper() if shout else name for name in order)]
    wanted = []
    for after_us, late_us, reader, port, epc, dbm in rows:
        received_us = START_US + after_us
        taken_us = received_us - late_us
        texts = {"got": time(received_us), "made": time(taken_us), "who": f'"{reader}"', "port": str(port)}
        texts |= {"tag": epc.hex(" ").upper() if shout else epc.hex(), "power": f"{dbm}.0", "comment": '"a, ""b"""'}
        lines.append(delimiter.join(texts[name] for name in order))
        wanted.append((received_us, taken_us, reader.lower().replace(" ", "-").replace("_", "-"), port, epc, dbm))
    content = (newline.join(lines) + newline).encode("utf-8-sig" if bom else "utf-8")
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("reads.csv.gz" if pack else "reads.csv")
        path.write_bytes(gzip.compress(content) if pack else content)
        reads, bad = read(path, Columns("made", "got", "who", "port", "tag", "power"))
    assert bad.count == 0
    assert reads == sorted(wanted, key=lambda one: one[0])


GOOD = f"{START_US},{START_US},r1,1,{EPC.hex()},-60"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (GOOD.replace(",1,", ",0,"), "is no antenna"),
        (GOOD.replace(",1,", ",x,"), "'x' is no antenna"),
        (GOOD.replace(",1,", ",1.5,"), "is no antenna"),
        (GOOD.replace(EPC.hex(), "3034XY"), "'3034XY' is no EPC"),
        (GOOD.replace(EPC.hex(), ""), "is no EPC"),
        (GOOD.replace("-60", "loud"), "'loud' is no strength"),
        (GOOD.replace("-60", "-6000"), "no strength in dBm"),
        (GOOD.replace("-60", "nan"), "no strength"),
        (GOOD.replace("r1", " "), "names no reader"),
        (GOOD.replace(str(START_US), "yesterday", 1), "time_received 'yesterday' is no time"),
        (GOOD.replace(str(START_US), "-5", 1), "beyond all recordings"),
        (GOOD.replace(str(START_US), "1e300", 1), "beyond all recordings"),
        (GOOD.replace(str(START_US), "inf", 1), "is no time"),
        (",," + GOOD.split(",", 2)[2], "has no time"),
        (GOOD.rpartition(",")[0], "has 5 columns, the header 6"),
        (GOOD + ",more", "has 7 columns, the header 6"),
        (GOOD.replace("r1", '"r1'), "has 3 columns, the header 6"),
        ("\x00", "has 1 column, the header 6"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_row_is_shown_with_its_line_and_the_others_are_taken(
    tmp_path: Path, row: str, text: str, place: int
) -> None:
    lines = [GOOD, "", GOOD]
    lines.insert(place, row)
    reads, bad = read(written(tmp_path, *lines))
    assert len(reads) == 2
    assert bad.count == 1
    assert bad.shown[0].startswith(f"{tmp_path / 'reads.csv'}:{place + 2}: ")
    assert text in bad.shown[0]


def test_only_a_few_bad_rows_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    _, bad = read(written(tmp_path, GOOD, *["x"] * 10_000, GOOD))
    assert bad.count == 10_000
    assert len(bad.shown) == csvtable.SHOWN_BAD_ROWS


def test_columns_that_are_missing(tmp_path: Path) -> None:
    path = written(tmp_path, f"{START_US},1,{EPC.hex()}", header="time_taken,antenna,epc")
    reads, _ = read(path, reader_id="Dock 1")
    assert reads == [(START_US, START_US, "dock-1", 1, EPC, NO_RSSI_DBM)]
    with pytest.raises(CsvError, match="no column reader") as caught:
        read(path)
    assert "time_taken, antenna, epc" in caught.value.hint
    with pytest.raises(CsvError, match="no column 'when'"):
        read(path, Columns(time_taken="when"), reader_id="r")
    with pytest.raises(CsvError, match="no column epc"):
        read(written(tmp_path, header="time_taken,antenna,tag"), reader_id="r")
    with pytest.raises(CsvError, match="no column time_taken or time_received"):
        read(written(tmp_path, header="antenna,epc"), reader_id="r")


def test_times_whose_unit_nobody_can_tell(tmp_path: Path) -> None:
    path = written(tmp_path, "100,100,r1,1,30,", "200,200,r1,1,30,")
    with pytest.raises(CsvError, match="any unit") as caught:
        read(path)
    assert "--time-unit" in caught.value.hint
    reads, _ = read(path, unit=TimeUnit.MILLISECONDS)
    assert [each[0] for each in reads] == [100_000, 200_000]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CsvError, match="cannot be read"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(CsvError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(CsvError, match="is empty"):
        read(tmp_path / "empty.csv")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"x" * 10_000)[:20])
    with pytest.raises(CsvError, match="cannot be unpacked"):
        read(tmp_path / "cut.csv.gz")
    (tmp_path / "plain.csv.gz").write_text(HEADER)
    with pytest.raises(CsvError, match="cannot be unpacked"):
        read(tmp_path / "plain.csv.gz")


def test_a_file_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvtable, "MAX_ROWS", 3)
    with pytest.raises(CsvError, match="more than 3 rows"):
        read(written(tmp_path, GOOD, GOOD, GOOD, GOOD))


@given(st.binary(max_size=300))
def test_noise_is_read_to_its_end(noise: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "reads.csv"
        path.write_bytes(f"{HEADER}\n{GOOD}\n".encode() + noise + b"\n" + GOOD.encode())
        reads, _ = read(path)
    assert len(reads) >= 2
