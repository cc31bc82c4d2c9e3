from pathlib import Path

import pytest

from gateway.trace.csvlinks import STATES, Link, LinksFile
from gateway.trace.csvtable import BadRows, CsvError, opened
from gateway.trace.times import TimeUnit

START_US = 1_790_000_000_000_000


def read(folder: Path, text: str, **options: object) -> tuple[list[Link], BadRows]:
    path = folder / "links.csv"
    path.write_text(text, encoding="utf-8")
    with opened(path) as rows:
        return LinksFile(rows, reader_id="only").read(**options), rows.bad  # type: ignore[arg-type]


@pytest.mark.parametrize("word", STATES)
def test_states_in_words(tmp_path: Path, word: str) -> None:
    links, _ = read(tmp_path, f"time,reader,state\n{START_US},R 1,{word.title()}\n")
    assert links == [Link(START_US, "r-1", STATES[word])]


def test_they_are_brought_into_order_and_may_tell_of_antennas(tmp_path: Path) -> None:
    links, bad = read(tmp_path, "time,antenna,up\n1790000002.5,2,1\n1790000001,,0\n")
    assert links == [
        Link(START_US + 1_000_000, "only", connected=False),
        Link(START_US + 2_500_000, "only", connected=True, antenna=2),
    ]
    assert bad.count == 0


def test_bad_rows_are_shown(tmp_path: Path) -> None:
    links, bad = read(tmp_path, f"time,reader,state\n{START_US},r,perhaps\nx,r,up\n{START_US},r\n{START_US},r,up\n")
    assert len(links) == 1
    assert [text.partition("links.csv")[2] for text in bad.shown] == [
        ":2: 'perhaps' is no state of a connection: up or down",
        ":3: time 'x' is no time",
        ":4: has 2 columns, the header 3",
    ]


def test_times_are_taken_as_those_of_the_reads_where_they_do_not_tell(tmp_path: Path) -> None:
    text = "time,reader,state\n5,r,up\n"
    assert read(tmp_path, text, fallback=TimeUnit.MILLISECONDS)[0][0].at_us == 5_000
    assert read(tmp_path, text, unit=TimeUnit.MICROSECONDS)[0][0].at_us == 5
    with pytest.raises(CsvError, match="any unit"):
        read(tmp_path, text)


def test_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(CsvError, match="needs columns time, reader and state"):
        read(tmp_path, "when,who\n")
