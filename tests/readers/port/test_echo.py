import itertools

from hypothesis import given
from hypothesis import strategies as st

from readers.port.echo import MAX_ECHO_BYTES, EchoFilter


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(at)]


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=40), st.lists(st.integers(0, 1000), max_size=5))
def test_the_echo_goes_and_the_answer_stays_however_they_are_cut(sent: bytes, answer: bytes, cuts: list[int]) -> None:
    echo = EchoFilter()
    echo.sent(sent)
    assert b"".join(echo.received(piece) for piece in pieces(sent + answer, cuts) if piece) == answer


@given(st.binary(min_size=2, max_size=40), st.lists(st.integers(0, 1000), max_size=5))
def test_what_is_no_echo_passes_whole(sent: bytes, cuts: list[int]) -> None:
    answer = bytes([sent[0], sent[1] ^ 1]) + sent[2:]
    echo = EchoFilter()
    echo.sent(sent)
    assert b"".join(echo.received(piece) for piece in pieces(answer, cuts) if piece) == answer
    assert echo.received(sent) == sent


def test_an_adapter_that_never_echoes_is_not_waited_for_for_ever() -> None:
    echo = EchoFilter()
    for _ in range(3 * MAX_ECHO_BYTES // 8):
        echo.sent(b"01234567")
    assert echo.received(b"answer") == b"answer"
