from gateway.domain.agreement import Agreement
from gateway.domain.stock import Tally
from gateway.domain.zones import US_PER_S
from tests.gateway.shop import GTINS, Shop

KEY = GTINS[0], "a"


class Bench:
    def __init__(self) -> None:
        self.shop = Shop()
        self.agreement = Agreement()
        self.raised: list[tuple[int, int]] = []
        self.cleared = 0

    def look(self, seconds: float, read: int, shelved: int) -> None:
        self.shop.clock.turn(seconds)
        both = [(KEY, Tally(read, read), Tally(shelved, shelved))]
        raised, cleared = self.agreement.look(self.shop.clock.now_us, both, self.shop.zones, {KEY: 60.0})
        self.raised += [(each.read, each.shelved) for each in raised]
        self.cleared += len(cleared)


def test_a_disagreement_is_told_once_when_it_lasts_and_once_when_it_is_over() -> None:
    test = Bench()
    test.look(0, 5, 5)
    for _ in range(6):
        test.look(10, 5, 4)
    assert test.raised == [(5, 4)]
    test.look(300, 5, 3)
    assert (test.raised, test.cleared) == ([(5, 4)], 0)
    test.look(10, 3, 3)
    assert test.cleared == 1
    test.look(30, 3, 2)
    assert len(test.raised) == 1


def test_who_agrees_in_between_begins_anew() -> None:
    test = Bench()
    for _ in range(10):
        test.look(50, 5, 4)
        test.look(1, 5, 5)
    assert test.raised == []


def test_a_product_without_tags_is_no_disagreement() -> None:
    test = Bench()
    test.look(0, 0, 7)
    test.look(1000, 0, 7)
    assert test.raised == []
    test.look(10, 7, 7)
    test.look(1000, 0, 7)
    assert test.raised == [(0, 7)]


def test_time_stands_still_while_the_zone_cannot_be_trusted() -> None:
    test = Bench()
    test.look(0, 5, 5)
    test.shop.fails("a")
    test.look(1000, 5, 4)
    assert test.raised == []
    test.shop.works("a")
    test.look(50, 5, 4)
    assert test.raised == []
    test.look(10, 5, 4)
    assert test.raised == [(5, 4)]


def test_a_row_that_no_shelf_counts_any_more_is_forgotten() -> None:
    test = Bench()
    test.look(0, 5, 5)
    test.look(100, 5, 4)
    raised, cleared = test.agreement.look(test.shop.clock.now_us, [], test.shop.zones, {})
    assert (raised, cleared) == ([], [KEY])
    test.look(1000, 0, 4)
    assert len(test.raised) == 1
    assert test.shop.clock.now_us > US_PER_S
