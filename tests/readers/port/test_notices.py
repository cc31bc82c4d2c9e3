from readers.model import Fault
from readers.port.notices import TELL_EVERY_US, NoticeBoard

NOISE = Fault("frame_error", "3 bytes", "look at the cable")
MORE = Fault("frame_error", "5 bytes", "look at the cable")
OTHER = Fault("stray_message", "nobody asked", "harmless")


def told(board: NoticeBoard, now_us: int, *, everything: bool = False) -> list[tuple[str, int]]:
    return [(notice.fault.text, notice.count) for notice in board.take(now_us, everything=everything)]


def test_the_first_at_once_and_then_how_many_there_were() -> None:
    board = NoticeBoard("r")
    board.note(NOISE)
    assert told(board, 0) == [("3 bytes", 1)]
    for _ in range(4):
        board.note(MORE)
        board.note(OTHER)
    assert told(board, TELL_EVERY_US - 1) == [("nobody asked", 4)]
    assert told(board, TELL_EVERY_US) == [("5 bytes", 4)]
    assert told(board, 2 * TELL_EVERY_US) == []


def test_the_end_tells_what_was_held_back() -> None:
    board = NoticeBoard("r")
    board.note(NOISE)
    assert board.take(0)[0].reader == "r"
    board.note(MORE)
    assert told(board, 1) == []
    assert told(board, 1, everything=True) == [("5 bytes", 1)]
    assert told(board, 1, everything=True) == []


def test_what_is_news_once_in_the_same_words() -> None:
    board = NoticeBoard("r")
    for fault in (NOISE, NOISE, MORE):
        board.note(fault, once=True)
    board.note(NOISE, once=True)
    assert sorted(told(board, 0)) == [("3 bytes", 3), ("5 bytes", 1)]
    board.note(NOISE, once=True)
    assert told(board, 10 * TELL_EVERY_US) == []
