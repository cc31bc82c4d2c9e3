from collections import Counter, defaultdict
from itertools import pairwise
from random import Random

import pytest

from simulators.shop.day import Day, Fact
from simulators.shop.floor import Floor
from simulators.shop.people import People
from tests.simulators.shops import BUSY, shop

PLAN = shop(BUSY).plan
FLOOR = Floor(PLAN, Random("floor"))


@pytest.fixture(scope="module")
def day() -> Day:
    return People(PLAN, FLOOR, Random("people")).live()


def _lives(day: Day) -> dict[int, list[Fact]]:
    lives: dict[int, list[Fact]] = defaultdict(list)
    for fact in day.truth:
        lives[fact.tag].append(fact)
    return lives


def test_what_came_in_is_there_or_went_out(day: Day) -> None:
    lives = _lives(day)
    assert len(lives) == len(day.epcs) == len(set(day.epcs)) == 60 + 80 + 90
    assert all(facts[0].zone is not None for facts in lives.values())
    ends = Counter(facts[-1].zone for facts in lives.values())
    steps = Counter(fact.zone for facts in lives.values() for fact in facts[1:])
    leaves = Counter(fact.zone for facts in lives.values() for fact in facts[:-1])
    starts = Counter(facts[0].zone for facts in lives.values())
    for zone in (*FLOOR.zones, None):
        assert ends[zone] == starts[zone] + steps[zone] - leaves[zone]


def test_no_fact_says_what_was_true_already(day: Day) -> None:
    for facts in _lives(day).values():
        assert all(a.zone != b.zone and a.at_us <= b.at_us for a, b in pairwise(facts))


def test_everything_that_people_do_happens(day: Day) -> None:
    steps = Counter((a.zone, b.zone) for facts in _lives(day).values() for a, b in pairwise(facts))
    for step in (
        ("receiving", "backroom"),
        ("backroom", "floor"),
        ("floor", "fitting"),
        ("fitting", "floor"),
        ("floor", "checkout"),
        ("checkout", "exit"),
        ("exit", None),
        ("floor", "exit"),
        (None, "exit"),
        ("exit", "checkout"),
    ):
        assert steps[step], step


def test_items_rest_in_the_zone_that_the_truth_names(day: Day) -> None:
    """Where the last motion of each item has laid it, the truth has it, too."""
    last = {tag: motion for motion in day.motions for tag in motion.tags}
    for tag, facts in _lives(day).items():
        motion = last[tag]
        if motion.fixture is not None:
            assert FLOOR.fixtures[motion.fixture].zone == facts[-1].zone
        if not motion.present:
            assert facts[-1].zone is None


def test_nobody_comes_after_closing_time_and_fitting_rooms_are_emptied(day: Day) -> None:
    closing_us = day.truth[0].at_us + 1_200_000_000
    # Who came in the last moment has picked and strolled by then.
    late_us = closing_us + 500_000_000
    assert not [fact for fact in day.truth if fact.at_us > late_us and fact.zone == "fitting"]
    assert not [b for facts in _lives(day).values() for a, b in pairwise(facts) if a.zone is None and b.at_us > late_us]
    assert not [facts for facts in _lives(day).values() if facts[-1].zone == "fitting"]


def test_the_way_to_a_zone() -> None:
    assert FLOOR.entered("floor", (0.0, 2.0, 1.0), (4.0, 2.0, 1.0)) == pytest.approx(0.5)
    assert FLOOR.entered("floor", (3.0, 2.0, 1.0), (4.0, 2.0, 1.0)) == 0.0
    assert FLOOR.entered("floor", (0.0, 9.0, 1.0), (4.0, 9.0, 1.0)) == 1.0
    assert FLOOR.beside("floor", (0.0, 2.0, 1.0), 0.5)[:2] == pytest.approx((1.5, 2.0))
