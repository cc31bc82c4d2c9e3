import random
from collections.abc import Iterable

import pytest

from gateway.trace.clocks import straighten
from gateway.trace.reads import Reads
from readers.llrp.clock import BEHIND_CONFIRM_US, JUMP_US, SECOND_US, WINDOW_US

HOUR_US = 3_600 * SECOND_US
START_US = 1_790_000_000 * SECOND_US


def recorded(rows: Iterable[tuple[int, int, int]]) -> Reads:
    """Rows of (received, taken, reader); readers are called r0, r1."""
    reads = Reads()
    reads.readers += ["r0", "r1"]
    reads.tags.append(b"\x30")
    for received_us, taken_us, reader in rows:
        reads.received_us.append(received_us)
        reads.taken_us.append(taken_us)
        reads.reader.append(reader)
        reads.antenna.append(1)
        reads.tag.append(0)
        reads.dbm.append(-60)
    return reads


def steady(seconds: int, reader: int = 0) -> list[tuple[int, int, int]]:
    """A read a second that is under way for up to half of one."""
    dice = random.Random(7)
    return [
        (taken_us + dice.randrange(SECOND_US // 2), taken_us, reader)
        for taken_us in range(START_US, START_US + seconds * SECOND_US, SECOND_US)
    ]


def test_clocks_that_are_right_stay_as_they_are() -> None:
    reads = recorded(steady(600))
    before = list(reads.taken_us)
    assert straighten(reads) == {}
    assert list(reads.taken_us) == before


def test_a_backlog_is_no_wrong_clock() -> None:
    rows = steady(3_600)
    held_from, held_to = START_US + 600 * SECOND_US, START_US + 1_200 * SECOND_US
    # Ten minutes of reads come within three seconds.
    rows = [
        (held_to + (taken - held_from) // 200, taken, reader) if held_from <= taken < held_to else (at, taken, reader)
        for at, taken, reader in rows
    ]
    reads = recorded(sorted(rows))
    before = list(reads.taken_us)
    assert straighten(reads) == {}
    assert list(reads.taken_us) == before


def delivered(seed: int, per_minute: int, minutes: int) -> list[tuple[int, int, int]]:
    """Once a minute all reads of this minute, in no order, from 0.3 s before."""
    dice = random.Random(seed)
    minute_us = 60 * SECOND_US
    return [
        (at_us, at_us - 3 * SECOND_US // 10 - dice.randrange(minute_us), 0)
        for at_us in range(START_US, START_US + minutes * minute_us, minute_us)
        for _ in range(per_minute)
    ]


@pytest.mark.parametrize("per_minute", [3, 50])
def test_deliveries_in_no_order_are_no_wrong_clock(per_minute: int) -> None:
    for seed in range(6):
        reads = recorded(delivered(seed, per_minute, minutes=700))
        before = list(reads.taken_us)
        assert straighten(reads) == {}
        assert list(reads.taken_us) == before


@pytest.mark.parametrize("lasts_s", [120, 900])
@pytest.mark.parametrize("behind_us", [2 * HOUR_US, -HOUR_US, WINDOW_US * 2])
def test_a_clock_that_is_wrong_for_a_while_is_put_right_for_that_while(behind_us: int, lasts_s: int) -> None:
    from_us = START_US + 700 * SECOND_US
    to_us = from_us + lasts_s * SECOND_US
    rows = [(at, taken - (behind_us if from_us <= taken < to_us else 0), 0) for at, taken, _ in steady(2_400)]
    reads = recorded(rows)
    assert straighten(reads) == {"r0": pytest.approx(behind_us, abs=SECOND_US)}
    apart = [at for at, taken in zip(reads.received_us, reads.taken_us, strict=True) if abs(at - taken) > JUMP_US]
    # Half a minute to be sure of it, and a moment when it is right again.
    assert len(apart) <= (BEHIND_CONFIRM_US // SECOND_US + 3) + 3


def test_deliveries_in_no_order_do_not_hide_a_clock_that_is_set_back() -> None:
    set_us = START_US + HOUR_US
    reads = recorded((at, taken - (2 * HOUR_US if at >= set_us else 0), 0) for at, taken, _ in delivered(1, 50, 120))
    assert straighten(reads)
    assert reads.received_us[-1] - reads.taken_us[-1] < 3 * 60 * SECOND_US


@pytest.mark.parametrize("apart_us", [-HOUR_US, 2 * HOUR_US, START_US])
def test_a_clock_that_is_wrong_throughout_is_put_right_from_the_first_read_on(apart_us: int) -> None:
    reads = recorded((at, taken - apart_us, reader) for at, taken, reader in steady(600))
    (most_us,) = straighten(reads).values()
    assert most_us == pytest.approx(apart_us, abs=SECOND_US)
    assert all(abs(at - taken) < JUMP_US for at, taken in zip(reads.received_us, reads.taken_us, strict=True))


@pytest.mark.parametrize("behind_us", [2 * HOUR_US, -HOUR_US])
def test_a_clock_that_jumps_is_followed_and_the_other_reader_left_alone(behind_us: int) -> None:
    jump_us = START_US + 600 * SECOND_US
    rows = [(at, taken - (behind_us if taken >= jump_us else 0), 0) for at, taken, _ in steady(1_200)]
    rows += steady(1_200, reader=1)
    reads = recorded(sorted(rows))
    other = [taken for taken, reader in zip(reads.taken_us, reads.reader, strict=True) if reader]
    assert list(straighten(reads)) == ["r0"]
    late = [
        at
        for at, taken, reader in zip(reads.received_us, reads.taken_us, reads.reader, strict=True)
        if abs(at - taken) > JUMP_US and not reader
    ]
    assert late, "it takes a moment to be sure"
    assert max(late) - jump_us < BEHIND_CONFIRM_US + 3 * SECOND_US
    assert [taken for taken, reader in zip(reads.taken_us, reads.reader, strict=True) if reader] == other


def test_uptime_after_a_backlog() -> None:
    rows = [(START_US, START_US - second * SECOND_US, 0) for second in range(600, 0, -1)] + steady(120)
    reads = recorded((at, taken - START_US + HOUR_US, reader) for at, taken, reader in rows)
    straighten(reads)
    assert reads.taken_us[0] == pytest.approx(START_US - 600 * SECOND_US, abs=SECOND_US)
    assert reads.taken_us[-1] == pytest.approx(reads.received_us[-1], abs=SECOND_US)
