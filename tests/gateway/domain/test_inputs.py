import pytest

from gateway.domain.inputs import InputBin
from gateway.domain.params import Bin
from gateway.domain.zones import US_PER_S
from readers.model import InputSample
from tests.gateway.scales import PERIOD_US, READER, pushed, slotted


class HandInputs:
    """Feeds one bin, ten values a second of each input."""

    def __init__(self, params: Bin) -> None:
        self.bin = InputBin(params)
        self.now_us = 1_000 * US_PER_S

    def tell(self, seconds: float, *values: float | None) -> None:
        for _ in range(round(seconds * 10)):
            self.now_us += PERIOD_US
            for channel, value in zip(self.bin.params.channels, values, strict=True):
                self.bin.feed(InputSample(READER, channel, self.now_us, value))

    @property
    def counts(self) -> list[tuple[int, int]]:
        return [(pieces, confirmed) for _, pieces, confirmed in self.bin.counts()]

    @property
    def blind(self) -> str | None:
        return self.bin.blind(self.now_us)


def test_a_pusher_counts_by_its_distance() -> None:
    test = HandInputs(pushed())
    assert test.blind is not None
    test.tell(3, 400.0)
    assert (test.counts, test.blind) == ([(0, 0)], None)
    test.tell(3, 253.0)
    assert test.counts == [(3, 3)]
    test.tell(3, 297.0)
    assert test.counts == [(2, 2)]


@pytest.mark.parametrize("distance_mm", [325.0, 175.0, 460.0, -400.0])
def test_a_pusher_that_is_held_between_two_counts_says_nothing(distance_mm: float) -> None:
    test = HandInputs(pushed(most=8))
    test.tell(3, 250.0)
    test.tell(3, distance_mm)
    assert test.counts == [(3, 0)]
    test.tell(4, distance_mm)
    assert test.blind is not None
    test.tell(3, 250.0)
    assert (test.counts, test.blind) == ([(3, 3)], None)


def test_a_hand_that_pulls_a_pusher_back_for_a_moment_takes_nothing() -> None:
    test = HandInputs(pushed())
    test.tell(3, 250.0)
    test.tell(0.9, 400.0)
    test.tell(3, 250.0)
    assert test.counts == [(3, 3)]


def test_a_stray_echo_is_outvoted() -> None:
    test = HandInputs(pushed())
    test.tell(3, 250.0)
    for _ in range(20):
        test.tell(0.1, 30.0)
        test.tell(0.2, 250.0)
    assert test.counts == [(3, 3)]


def test_slots_count_what_is_covered_wherever_the_gaps_are() -> None:
    test = HandInputs(slotted(21, 22, 23, 24))
    test.tell(2, 1, 0, 1, 1)
    assert (test.counts, test.blind) == ([(3, 3)], None)
    test.tell(0.8, 1, 0, 0, 1)
    assert test.counts == [(3, 0)]
    test.tell(1, 1, 0, 0, 1)
    assert test.counts == [(2, 2)]


def test_a_slot_that_cannot_be_told_is_never_empty() -> None:
    test = HandInputs(slotted(21, 22))
    test.tell(2, 1, 1)
    test.tell(10, 1, None)
    assert test.counts == [(2, 0)]
    assert test.blind is not None
    test.tell(2, 1, 0)
    assert (test.counts, test.blind) == ([(1, 1)], None)


def test_inputs_are_not_believed_before_each_of_them_has_spoken() -> None:
    test = HandInputs(slotted(21, 22))
    for _ in range(30):
        test.now_us += PERIOD_US
        test.bin.feed(InputSample(READER, 21, test.now_us, 1))
    assert test.counts == []
    assert test.blind is not None


def test_a_restart_keeps_the_count() -> None:
    test = HandInputs(pushed())
    test.tell(3, 250.0)
    assert test.bin.changed
    after = InputBin(pushed(), test.bin.record())
    assert list(after.counts()) == [(pushed().skus[0].gtin, 3, 3)]
    assert list(InputBin(pushed(), InputBin(pushed()).record()).counts()) == []


def test_a_hand_before_slots_puts_nothing() -> None:
    test = HandInputs(slotted(21, 22, 23))
    test.tell(2, 1, 0, 0)
    test.tell(2.5, 1, 1, 1)
    test.tell(2, 1, 0, 0)
    assert test.counts == [(1, 1)]
    test.tell(3.1, 1, 1, 0)
    assert test.counts == [(2, 2)]
