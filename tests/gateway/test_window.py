from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.window import (
    FIRST_REST_S,
    MAX_IN_FLIGHT,
    MAX_REST_S,
    TABLE,
    Acked,
    Command,
    Event,
    Line,
    Refused,
    Resumed,
    Send,
    Window,
)

DENIED = 0x87
QUOTA = 0x97
NOBODY_LISTENS = 0x10


def window(acknowledged: int = 0, committed: int = 0) -> Window:
    return Window(acknowledged, committed, Random(1))


def test_nothing_is_sent_before_a_connection_stands() -> None:
    line = window()
    assert line.committed(5) == []
    assert line.connected(65535) == [Send(1, 5)]
    assert line.committed(7) == [Send(6, 7)]
    assert line.committed(7) == []


@pytest.mark.parametrize(("receive_maximum", "expected"), [(65535, MAX_IN_FLIGHT), (20, 20), (1, 1), (0, 1)])
def test_the_smaller_of_both_limits_holds(receive_maximum: int, expected: int) -> None:
    line = window(committed=1000)
    assert line.connected(receive_maximum) == [Send(1, expected)]
    assert line.in_flight == expected
    assert line.answered(1, 0, 0.0) == [Acked(1), Send(expected + 1, expected + 1)]


def test_success_is_everything_below_0x80() -> None:
    line = window(committed=2)
    line.connected(100)
    assert line.answered(1, NOBODY_LISTENS, 0.0) == [Acked(1)]
    assert line.answered(2, 0, 0.0) == [Acked(2)]
    assert line.backlog == 0


def test_answers_out_of_order_are_credited_when_the_hole_closes() -> None:
    line = window(committed=3)
    line.connected(100)
    assert line.answered(2, 0, 0.0) == []
    assert line.answered(3, 0, 0.0) == []
    assert line.answered(1, 0, 0.0) == [Acked(3)]


def test_a_new_connection_resends_from_the_lowest_unacknowledged() -> None:
    line = window(committed=10)
    line.connected(5)
    line.answered(1, 0, 0.0)
    line.answered(3, 0, 0.0)
    assert line.disconnected() == []
    assert line.answered(2, 0, 0.0) == [], "an answer of the old connection counts no more"
    assert line.connected(5) == [Send(2, 6)]
    line.answered(2, 0, 0.0)
    assert line.connected(5) == [Send(3, 7)], "a second connection without a farewell of the first"


def test_a_refusal_settles_rests_probes_and_resumes() -> None:
    line = window(committed=200)
    line.connected(4)
    assert line.answered(1, 0, 0.0) == [Acked(1), Send(5, 5)]
    assert line.answered(2, DENIED, 1.0) == [Refused(2, DENIED)]
    assert line.line is Line.SETTLING
    assert line.answered(3, 0, 1.0) == [], "taken, but the one before it was not"
    assert line.answered(4, DENIED, 1.0) == [], "said once"
    assert line.rest_until_s is None
    assert line.answered(5, 0, 2.0) == []
    assert line.line is Line.RESTING
    assert line.rest_until_s == pytest.approx(2.0 + FIRST_REST_S, rel=0.2)
    assert line.committed(300) == []
    assert line.tick(2.0) == []
    assert line.tick(10.0) == [Send(2, 2)], "one delta asks, not four"
    assert line.committed(301) == []
    assert line.answered(2, 0, 10.0) == [Acked(2), Resumed(), Send(3, 6)]
    assert line.line is Line.FLOWING


def test_each_code_is_said_once_and_the_pauses_grow_to_their_limit() -> None:
    line = window(committed=1)
    line.connected(100)
    said: list[Command] = []
    now_s, pauses = 0.0, []
    for code in [QUOTA, QUOTA, DENIED, *[QUOTA] * 10]:
        said += line.answered(1, code, now_s)
        assert line.rest_until_s is not None
        pauses.append(line.rest_until_s - now_s)
        now_s = line.rest_until_s
        assert line.tick(now_s) == [Send(1, 1)]
    assert said == [Refused(1, QUOTA), Refused(1, DENIED)]
    assert pauses[0] < pauses[3] < pauses[6]
    assert max(pauses) <= MAX_REST_S * 1.2
    assert line.answered(1, 0, now_s) == [Acked(1), Resumed()]
    line.committed(2)
    assert line.answered(2, QUOTA, now_s) == [Refused(2, QUOTA)], "a new trouble is said again"
    assert line.rest_until_s is not None
    assert line.rest_until_s - now_s == pytest.approx(FIRST_REST_S, rel=0.21)


def test_a_refused_line_that_reconnects_asks_with_one() -> None:
    line = window(committed=50)
    line.connected(10)
    line.answered(1, DENIED, 0.0)
    line.disconnected()
    assert line.connected(10) == [Send(1, 1)]
    assert line.answered(1, DENIED, 0.0) == [], "known already"
    line.tick(1000.0)
    assert line.answered(1, 0, 1000.0) == [Acked(1), Resumed(), Send(2, 11)]


def test_trimmed_deltas_are_skipped() -> None:
    line = window(committed=100)
    line.connected(3)
    assert line.trimmed(50) == []
    assert line.answered(1, 0, 0.0) == [Acked(1), Send(50, 50)]
    assert line.in_flight == 3
    line.answered(2, 0, 0.0)
    assert line.answered(3, 0, 0.0)[0] == Acked(49), "what is gone is owed no more"
    line.disconnected()
    assert line.connected(3) == [Send(50, 52)]
    assert line.backlog == 51


def test_everything_trimmed_while_down() -> None:
    line = window(acknowledged=3, committed=10)
    line.trimmed(11)
    assert line.backlog == 0
    assert line.connected(10) == []
    assert line.committed(12) == [Send(11, 12)]


def test_the_whole_product_of_conditions_and_events_is_decided() -> None:
    """An answer without a delta in flight, a rest that nobody takes: those pairs cannot be; all others are there."""
    impossible = {
        *((line, event) for line in (Line.DOWN, Line.BARRED) for event in (Event.ACCEPTED, Event.REFUSED)),
        *((Line.RESTING, event) for event in (Event.ACCEPTED, Event.REFUSED)),
        *((line, Event.SETTLED) for line in Line if line is not Line.SETTLING),
        *((line, Event.RESTED) for line in Line if line is not Line.RESTING),
        *((line, Event.CONNECTED) for line in Line if line not in {Line.DOWN, Line.BARRED}),
    }
    assert set(product(Line, Event)) - set(TABLE) == impossible
    assert not set(TABLE) & impossible


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("connected"), st.integers(1, 7)),
        st.tuples(st.just("disconnected"), st.just(0)),
        st.tuples(st.just("committed"), st.integers(1, 5)),
        st.tuples(st.just("trimmed"), st.integers(0, 3)),
        st.tuples(st.just("accept"), st.integers(0, 6)),
        st.tuples(st.just("refuse"), st.integers(0, 6)),
        st.tuples(st.just("wait"), st.integers(1, 100)),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_all_is_sent_in_order_and_none_is_credited_untaken(steps: list[tuple[str, int]]) -> None:
    line = window()
    now_s, limit, committed, oldest = 0.0, 1, 0, 1
    flying: list[int] = []
    taken: set[int] = set()
    last_sent = 0

    def follow(commands: list[Command]) -> None:
        nonlocal last_sent
        for command in commands:
            if isinstance(command, Send):
                seqs = list(range(command.first, command.last + 1))
                assert seqs
                assert seqs[0] > last_sent, "in order, nothing twice on one connection but after a refusal"
                assert command.last <= committed
                assert command.first >= oldest
                flying.extend(seqs)
                last_sent = seqs[-1]
                assert len(flying) <= limit
            elif isinstance(command, Acked):
                assert all(seq in taken or seq < oldest for seq in range(1, command.through + 1))

    for kind, size in steps:
        now_s += 0.1
        match kind:
            case "connected":
                flying.clear()
                limit, last_sent = size, 0
                follow(line.connected(size))
            case "disconnected":
                flying.clear()
                follow(line.disconnected())
            case "committed":
                committed += size
                follow(line.committed(committed))
            case "trimmed":
                oldest = min(committed + 1, oldest + size)
                follow(line.trimmed(oldest))
            case "wait":
                now_s += size
                if not flying:
                    last_sent = 0
                follow(line.tick(now_s))
            case _ if flying:
                seq = flying.pop(min(size, len(flying) - 1))
                if kind == "accept":
                    taken.add(seq)
                follow(line.answered(seq, 0 if kind == "accept" else DENIED, now_s))
    # The broker takes everything now: it must all get there.
    limit, last_sent = 5, 0
    flying.clear()
    follow(line.connected(5))
    while flying:
        seq = flying.pop(0)
        taken.add(seq)
        follow(line.answered(seq, 0, now_s))
    assert line.acknowledged == committed or committed == oldest - 1
    assert line.backlog == 0
