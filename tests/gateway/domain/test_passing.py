import pytest

from gateway.domain.passing import GAP_US, HALF_LIFE_US, PART_US, Habit
from gateway.domain.zones import US_PER_S


def test_what_was_heard_in_a_bout_is_usual_once_the_bout_is_over() -> None:
    habit = Habit(0)
    for second, fast in enumerate((0.2, 0.9, 0.4)):
        habit.hear(fast, second * US_PER_S)
    assert habit.usual == 0.0
    habit.hear(0.1, 2 * US_PER_S + GAP_US + 1)
    assert habit.usual == pytest.approx(0.9)
    habit.hear(0.1, 30 * US_PER_S)
    assert habit.usual == pytest.approx(0.9, rel=0.01)


def test_the_newest_part_of_a_long_bout_teaches_nothing_yet() -> None:
    habit = Habit(0)
    for second in range(2 * PART_US // US_PER_S):
        habit.hear(0.5, second * US_PER_S)
    assert habit.usual == 0.0
    for second in range(2 * PART_US // US_PER_S, 3 * PART_US // US_PER_S):
        habit.hear(4.0, second * US_PER_S)
    assert habit.usual == pytest.approx(0.5)


def test_what_was_heard_is_forgotten_by_the_hour() -> None:
    habit = Habit(0)
    habit.hear(2.0, 0)
    habit.hear(0.0, GAP_US + 1)
    habit.hear(0.0, GAP_US + int(HALF_LIFE_US))
    assert habit.usual == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize(("passed", "usual"), [(False, 1.5), (True, 0.0)])
def test_a_stay_teaches_what_it_took_to_begin_and_nothing_where_it_led_through(passed: bool, usual: float) -> None:
    habit = Habit(0)
    habit.hear(1.5, 0)
    habit.entered(1.5)
    habit.left(60 * US_PER_S, passed=passed)
    assert habit.usual == pytest.approx(usual)
