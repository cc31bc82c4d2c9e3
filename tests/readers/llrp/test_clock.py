import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.llrp.clock import JUMP_US, MAX_SLEW_PPM, SECOND_US, WINDOW_US, Jump, ReaderClock

MINUTE_US = 60 * SECOND_US
TRUE_US = -1_700_000_000 * SECOND_US  # gateway's monotonic minus the reader's UTC


def seeded(now_us: int = 0) -> ReaderClock:
    clock = ReaderClock()
    clock.seed(now_us - TRUE_US, now_us)
    return clock


def test_the_seed_is_the_offset_and_a_first_stamp_will_do_without_it() -> None:
    clock = seeded(5 * SECOND_US)
    assert clock.seeded
    assert clock.offset_us == TRUE_US
    unseeded = ReaderClock()
    assert not unseeded.seeded
    assert unseeded.offset_us == 0
    assert unseeded.observe(100, 350) is None
    assert unseeded.offset_us == 250


@given(st.lists(st.tuples(st.integers(1, 5_000_000), st.integers(0, 1_500_000)), min_size=1, max_size=200))
def test_ordinary_delays_do_not_move_a_right_offset(deliveries: list[tuple[int, int]]) -> None:
    clock = seeded()
    now_us = 0
    for step_us, delay_us in deliveries:
        now_us += step_us
        if now_us > WINDOW_US:
            break
        assert clock.observe(now_us - delay_us - TRUE_US, now_us) is None
        assert clock.offset_us == TRUE_US


@given(
    held_s=st.integers(5, 86_400),
    speed=st.floats(1.2, 1000),
    step_ms=st.integers(10, 3000),
)
def test_a_backlog_neither_moves_the_offset_nor_is_a_jump(held_s: int, speed: float, step_ms: int) -> None:
    """Reports held for `held_s` are handed over at `speed` times the pace they were made at."""
    clock = seeded()
    now_us, age_us = 0, float(held_s * SECOND_US)
    while age_us > 0 and now_us < WINDOW_US:
        assert clock.observe(int(now_us - age_us - TRUE_US), now_us) is None
        assert clock.offset_us == TRUE_US
        now_us += step_ms * 1000
        age_us -= step_ms * 1000 * (speed - 1)


@pytest.mark.parametrize(
    ("ppm", "every_s"), [(-200, 0.2), (200, 0.2), (-200, 30), (200, 30), (-50, 60), (-50, 3600), (50, 3600)]
)
def test_a_drifting_reader_is_followed_for_weeks(ppm: int, every_s: float) -> None:
    clock = seeded()
    rng = random.Random(1)
    days = 30 if every_s > 1 else 0.2
    worst = 0.0
    for number in range(int(days * 86_400 / every_s)):
        now_us = int(number * every_s * SECOND_US)
        reader_us = now_us + now_us * ppm // 1_000_000
        assert clock.observe(reader_us - rng.randrange(200_000) - TRUE_US, now_us) is None
        error_us = clock.offset_us - (TRUE_US + now_us - reader_us)
        worst = max(worst, abs(error_us))
    # What it drifts within a window and between two looks, and the delays.
    between_us = (WINDOW_US + 2 * every_s * SECOND_US) * abs(ppm) / 1e6
    assert worst < between_us + 400_000


@given(st.lists(st.tuples(st.integers(1, 60_000_000), st.integers(-1_500_000, 1_500_000)), max_size=100))
def test_the_offset_never_moves_faster_than_the_slew(deliveries: list[tuple[int, int]]) -> None:
    clock = seeded()
    now_us = 0
    for step_us, deviation_us in deliveries:
        now_us += step_us
        clock.observe(now_us - deviation_us - TRUE_US, now_us)
        assert abs(clock.offset_us - TRUE_US) <= now_us * MAX_SLEW_PPM // SECOND_US


@pytest.mark.parametrize(("by_s", "within_s"), [(3600, 2), (-3600, 40), (5, 2), (-5, 40)])
def test_a_jump_in_either_direction_is_told_once_and_followed(by_s: int, within_s: int) -> None:
    clock = seeded()
    by_us = by_s * SECOND_US
    jumps: list[tuple[int, Jump]] = []
    rng = random.Random(2)
    for tenth in range(1, 2000):
        now_us = tenth * SECOND_US // 10
        set_us = by_us if now_us > MINUTE_US else 0
        jump = clock.observe(now_us + set_us - rng.randrange(100_000) - TRUE_US, now_us)
        if jump is not None:
            jumps.append((now_us, jump))
    ((at_us, jump),) = jumps
    assert MINUTE_US < at_us < MINUTE_US + within_s * SECOND_US
    assert abs(jump.by_us - by_us) < 200_000
    assert abs(clock.offset_us - (TRUE_US - by_us)) < 200_000


def test_a_reader_that_reads_rarely_has_its_jump_noticed_too() -> None:
    clock = seeded()
    jumps = [clock.observe(n * MINUTE_US - 3600 * SECOND_US - TRUE_US, n * MINUTE_US) for n in range(1, 6)]
    assert [jump is not None for jump in jumps] == [False, False, True, False, False]


def test_single_garbled_stamps_change_nothing() -> None:
    clock = seeded()
    for second in range(1, 300):
        now_us = second * SECOND_US
        assert clock.observe(now_us - TRUE_US, now_us) is None
        for stamp in (0, 2**64 - 1, now_us - TRUE_US + 10 * JUMP_US):
            assert clock.observe(stamp, now_us) is None
        assert clock.offset_us == TRUE_US


def test_after_a_long_silence_drift_is_allowed_for() -> None:
    clock = seeded()
    now_us = 20 * 3600 * SECOND_US
    ahead_us = now_us * 50 // 1_000_000
    assert ahead_us > JUMP_US
    assert clock.observe(now_us + ahead_us - TRUE_US, now_us) is None
    assert clock.offset_us == TRUE_US - ahead_us


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 2**64 - 1)), max_size=50))
def test_any_stamp_is_survived(deliveries: list[tuple[int, int]]) -> None:
    clock = seeded()
    now_us = 0
    for step_us, stamp in deliveries:
        now_us += step_us
        clock.observe(stamp, now_us)
    assert clock.seeded
