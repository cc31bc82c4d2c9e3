import itertools

from hypothesis import given
from hypothesis import strategies as st

from readers.scales.lines import IDLE_US, LineSplitter
from readers.scales.settings import MAX_LINE_BYTES

STREAM = b"rest of one\r\nST,+001234.5  g\r\n\r\r\nUS,+000123.4  g\nlast\r"
LINES = [b"ST,+001234.5  g", b"US,+000123.4  g", b"last"]


def test_any_end_of_line_and_the_first_is_not_trusted() -> None:
    splitter = LineSplitter()
    assert splitter.feed(STREAM, 0) == LINES
    assert splitter.junk_bytes == 0


def test_cut_at_every_byte() -> None:
    for at in range(len(STREAM) + 1):
        splitter = LineSplitter()
        assert splitter.feed(STREAM[:at], 0) + splitter.feed(STREAM[at:], 1) == LINES
    splitter = LineSplitter()
    assert list(itertools.chain(*(splitter.feed(STREAM[at : at + 1], at) for at in range(len(STREAM))))) == LINES


def test_nuls_of_a_power_up_are_passed_over() -> None:
    splitter = LineSplitter()
    splitter.trust()
    assert splitter.feed(b"\x00\x00\x00S S\r\n\x00\r\n", 0) == [b"S S"]


def test_flow_control_characters_are_no_text() -> None:
    splitter = LineSplitter()
    splitter.trust()
    assert splitter.feed(b"\x11S S   \x13  10\x110.00 g\x13\r\n\x11", 0) == [b"S S     100.00 g"]


def test_a_line_without_end_is_dropped_and_counted_and_the_next_one_read() -> None:
    splitter = LineSplitter()
    splitter.feed(b"\n", 0)
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000, 0) == []
    assert splitter.feed(b"x\r\nnext\r\n", 0) == [b"next"]
    assert splitter.junk_bytes == 1_000_001
    assert splitter.feed(b"y" * MAX_LINE_BYTES + b"\r\n", 0) == [b"y" * MAX_LINE_BYTES]


def test_half_a_line_before_a_long_silence_is_no_beginning_of_the_next() -> None:
    splitter = LineSplitter()
    splitter.feed(b"\nST,+00", 0)
    assert splitter.feed(b"ST,+001234.5  g\r\n", IDLE_US) == [b"ST,+001234.5  g"]
    assert splitter.junk_bytes == 6


@given(st.lists(st.binary(max_size=700), max_size=20))
def test_any_bytes_cost_nothing_but_themselves(pieces: list[bytes]) -> None:
    splitter = LineSplitter()
    for number, piece in enumerate(pieces):
        for line in splitter.feed(piece, number):
            assert 0 < len(line) <= MAX_LINE_BYTES
            assert not set(line) & set(b"\r\n\x00\x11\x13")
