"""The score of shelves, on words and truths written by hand, and on a gondola."""

from pathlib import Path

import numpy as np
import pytest

from config.layout import load_layout
from gateway.domain.stock import StockRow
from gateway.evaluate.cache import Cache
from gateway.evaluate.gondolas import bins_of, records_of, samples_of
from gateway.evaluate.measure import Job, entries, measure
from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.ours import Ours
from gateway.evaluate.shelves import WHOLE, Word, score_shelves, total
from readers.model import InputSample, WeightSample
from simulators.export import shop_toml
from simulators.recording import Scenario, load_scenario
from simulators.shelf import Hand
from simulators.shop.board import NO_WEIGHING, Weighing
from simulators.shop.day import GondolaDay, Lying, Visit
from tests.simulators.shops import GONDOLA, shop

START_US = 1_700_000_000_000_000
END_S = 100.0
TEA = ("board", 1)


def us(at_s: float) -> int:
    return START_US + round(at_s * 1_000_000)


def _weighing(hands: list[tuple[float, float]], truth: list[tuple[float, int, int]]) -> Weighing:
    """Hands (from, to) on the bin of tea; (seconds, product, pieces) that lie there."""
    plan = shop(GONDOLA).plan.gondolas[0]
    visits = [Visit(Hand(start_s, end_s, ()), 0.0) for start_s, end_s in hands]
    lying = [Lying(us(at_s), 0, product, pieces) for at_s, product, pieces in truth]
    others = [
        Lying(START_US, number, [product.id for product in plan.products].index(name), 0)
        for number, each in enumerate(plan.bins[1:], 1)
        for name in each.products
    ]
    day = GondolaDay(plan, [[] for _ in plan.bins], [visits, [], [], [], []], [*others, *lying])
    return Weighing([], NO_WEIGHING.at_us, NO_WEIGHING.channel, NO_WEIGHING.say, NO_WEIGHING.value, [day])


def _said(*words: tuple[float, int, bool], place: tuple[str, int] = TEA) -> list[Word]:
    return [Word(us(at_s), place, (pieces,), believed) for at_s, pieces, believed in words]


def test_looks_are_taken_before_a_hand_comes_and_at_the_end() -> None:
    # Two hands within 8 s: nothing is asked between them.
    weighing = _weighing([(20, 22), (25, 26), (60, 61)], [(0, 0, 9), (22, 0, 8), (26, 0, 7), (61, 0, 6)])
    words = _said((0, 9, True), (23, 8, False), (27, 7, True), (62, 7, True))
    looks = score_shelves(weighing, START_US, us(END_S), words, ()).kinds["scale"]
    assert (looks.looks, looks.misled, looks.doubted, looks.shy) == (3, 1, 0, 0)


@pytest.mark.parametrize(
    ("pieces", "believed", "found"),
    [(9, True, (0, 0, 0)), (9, False, (0, 0, 1)), (8, True, (1, 0, 0)), (8, False, (0, 1, 0))],
)
def test_a_word_is_right_or_wrong_and_believed_or_not(
    pieces: int,
    believed: bool,
    found: tuple[int, int, int],
) -> None:
    weighing = _weighing([], [(0, 0, 9)])
    looks = score_shelves(weighing, START_US, us(END_S), _said((0, pieces, believed)), ()).kinds["scale"]
    assert (looks.misled, looks.doubted, looks.shy) == found


def test_a_bin_that_says_nothing_is_wrong_and_not_believed() -> None:
    looks = score_shelves(_weighing([], [(0, 0, 9)]), START_US, us(END_S), (), ()).kinds["scale"]
    assert (looks.looks, looks.doubted) == (1, 1)


def test_what_lies_wrong_is_no_piece_of_the_bin_but_stock_of_its_product() -> None:
    weighing = _weighing([(20, 22)], [(0, 0, 9), (22, 1, 1)])
    plan = weighing.days[0].plan
    rows = [StockRow(plan.products[0].gtin, "shelf", "sellable_accessible", 9, 9)]
    score = score_shelves(weighing, START_US, us(END_S), _said((0, 9, True)), rows)
    assert score.kinds["scale"].misled == 0
    assert (score.pieces, score.wrong_pieces) == (10, 1)


def test_delays_count_from_the_hand_that_left_to_the_right_word() -> None:
    hands = [(20.0, 22.0), (40.0, 41.0), (50.0, 51.0), (52.0, 53.0), (70.0, 71.0), (90.0, 91.0)]
    truth = [(0, 0, 9), (22, 0, 8), (41, 0, 7), (51, 0, 6), (53, 0, 5), (71, 0, 4)]
    words = _said((0, 9, True), (21, 8, False), (42.5, 7, True), (54, 5, True), (93, 4, True))
    looks = score_shelves(_weighing(hands, truth), START_US, us(END_S), words, ()).kinds["scale"]
    # Told while the hand was still there; 1.5 s later; two hands at once are left out; told after the next had come.
    assert looks.changes == 3
    assert looks.delays_s == [0.0, 1.5]


def test_scores_add_up() -> None:
    one = score_shelves(_weighing([], [(0, 0, 9)]), START_US, us(END_S), _said((0, 8, True)), ())
    both = total([one, one])
    assert (both.kinds[WHOLE].looks, both.kinds["scale"].misled, both.wrong_pieces) == (10, 2, 18)


@pytest.mark.parametrize("scenario", [shop(GONDOLA), load_scenario("gondola")], ids=["small", "gondola"])
def test_ours_is_configured_as_the_exported_file_says(scenario: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(shop_toml(scenario.plan), encoding="utf-8")
    layout = load_layout(path, shelves=True)
    assert layout.bins == tuple(bins_of(scenario.plan.gondolas[0]))
    assert {channel for reader, channel in layout.antennas if reader == scenario.plan.gondolas[0].id} == {
        channel for each in layout.bins for channel in each.channels
    }


def test_what_the_board_says_reaches_the_line_moment_by_moment() -> None:
    weighing = shop(GONDOLA, hours=0.01).weigh(1)
    moments = list(samples_of(weighing))
    assert [at_us for at_us, _ in moments] == sorted({*weighing.at_us.tolist()})
    assert sum(len(said) for _, said in moments) == len(weighing.at_us)
    kinds = {sample.channel: type(sample) for _, said in moments for sample in said}
    assert kinds == dict.fromkeys((1, 2, 3, 4), WeightSample) | dict.fromkeys((5, 6, 7, 8), InputSample)
    assert [record.channel for record in records_of(weighing)] == [1, 2, 3, 5, 6]


def test_a_gondola_nobody_comes_to_is_counted_right() -> None:
    text = GONDOLA.replace("per_hour = 240.0", "per_hour = 0.0").replace("refills_per_hour = 30.0", "")
    recording = shop(text, hours=0.02).record(1)
    played = Ours().play(Readings.of(recording))
    score = score_shelves(recording.weighing, recording.start_us, recording.end_us, played.words, played.rows)
    whole = score.kinds[WHOLE]
    assert (whole.looks, whole.misled, whole.doubted, whole.shy) == (5, 0, 0, 0)
    assert (score.pieces, score.wrong_pieces) == (35, 0)


def test_the_cache_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(GONDOLA.replace("hours = 0.5", "hours = 0.05"), encoding="utf-8")
    job = Job(str(path), 1, entries(["window 10 s"]), Cache.at(tmp_path / "cache"))
    fresh, kept = measure(job), measure(job)
    assert fresh[0].shelves == kept[0].shelves
    assert fresh[0].shelves is not None
    assert fresh[0].shelves.kinds[WHOLE].looks > 0
    assert [outcome.shelves for outcome in fresh[1:]] == [None] * (len(fresh) - 1)
    assert np.isclose(fresh[-1].score.products.error, kept[-1].score.products.error)
