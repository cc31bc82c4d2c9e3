from itertools import pairwise

import pytest

from simulators.shelf import QUIET_S, US_PER_S, Gondola, Goods, Habits, Shelf

GOODS = (Goods("09506000134352", 250.0, pieces=12), Goods("04012345678901", 180.0, 0.0, pieces=5))
QUIET = Habits(noise_g=0.1, division_g=0.0, creep_share=0.0)


def test_a_shelf_is_the_same_every_time() -> None:
    one, other = (Shelf(GOODS, Habits(), seed=7, duration_s=300) for _ in range(2))
    assert list(one.samples()) == list(other.samples())
    assert one.truth() == other.truth()
    assert list(one.samples()) == list(one.samples())
    assert one.truth() != Shelf(GOODS, Habits(), seed=8, duration_s=300).truth()


def test_what_happens_does_not_depend_on_how_well_it_is_weighed() -> None:
    one = Shelf(GOODS, Habits(), seed=7, duration_s=1800)
    assert one.truth() == Shelf(GOODS, Habits(noise_g=9, drift_g=80, rate_hz=20), seed=7, duration_s=1800).truth()


def test_when_it_is_quiet_the_scale_shows_what_lies_there() -> None:
    shelf = Shelf(GOODS, QUIET, seed=3, duration_s=3600)
    moments = shelf.quiet()
    assert len(moments) > 30
    values = {sample.at_us: sample.grams for sample in shelf.samples()}
    for at_s in moments:
        counts = shelf.counts(at_s)
        expected_g = 250 * counts[GOODS[0].gtin] + 180 * counts[GOODS[1].gtin]
        # Twelve pieces that vary by 1 %: some nine grams are one standard deviation.
        assert values[round(at_s * 10) * US_PER_S // 10] == pytest.approx(expected_g, abs=60)
        assert not any(hand.start_s < at_s < hand.end_s + QUIET_S for hand in shelf.hands)


def test_counts_change_by_what_a_hand_can_carry() -> None:
    for restock in (1, 6):
        shelf = Shelf(GOODS[:1], Habits(restock=restock), seed=3, duration_s=7200)
        levels = [pieces for _, _, pieces in shelf.truth()]
        assert min(levels) >= 0
        assert {after - before for before, after in pairwise(levels)} == {-1, restock}


def test_a_gondola_tells_all_its_shelves_in_the_order_of_time() -> None:
    shelves = {channel: Shelf(GOODS[:1], Habits(), seed=channel, duration_s=60) for channel in (1, 2, 3)}
    gondola = Gondola(shelves)
    said = list(gondola.samples())
    assert len(said) == 3 * 600
    assert all(one.at_us <= other.at_us for (_, one), (_, other) in pairwise(said))
    assert [sample for channel, sample in said if channel == 2] == list(shelves[2].samples())
    truth = gondola.truth()
    assert [entry[0] for entry in truth] == sorted(entry[0] for entry in truth)
    assert len(truth) == sum(len(shelf.truth()) for shelf in shelves.values())
