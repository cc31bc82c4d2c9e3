from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.hypotheses import Kind, Outcome, Shift, Verdict, explain

SD_G = 0.8


def kind(unit_g: float = 250.0, pieces: int = 10, variation: float = 0.01, **keys: object) -> Kind:
    return Kind(unit_g, variation, 0.003, pieces, most=100, **keys)  # type: ignore[arg-type]


def test_one_product_is_counted_by_rounding() -> None:
    assert explain(-251, [kind()], SD_G) == Outcome(Verdict.SURE, (-1,))
    assert explain(1003, [kind()], SD_G) == Outcome(Verdict.SURE, (4,))
    assert explain(2, [kind()], SD_G) == Outcome(Verdict.SURE, (0,))


def test_what_is_off_by_more_is_likely_at_most() -> None:
    assert explain(-300, [kind()], SD_G) == Outcome(Verdict.LIKELY, (-1,))
    assert explain(-350, [kind()], SD_G) == Outcome(Verdict.UNEXPLAINED, (0,))


def test_a_shelf_never_holds_less_than_nothing_nor_more_than_it_can() -> None:
    assert explain(-500, [kind(pieces=1)], SD_G).verdict is Verdict.UNEXPLAINED
    assert explain(500, [kind(pieces=99)], SD_G).verdict is Verdict.UNEXPLAINED
    assert explain(-500, [kind(pieces=1), kind(400)], SD_G).verdict is Verdict.UNEXPLAINED


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(-6, 6))
def test_pieces_of_one_product_are_found_whatever_they_weigh(seed: int, pieces: int) -> None:
    """A piece is within four of its standard deviations of the mean; the scale errs as it does."""
    random = Random(seed)
    each = [250 * (1 + 0.01 * max(-2.0, min(2.0, random.gauss(0, 1)))) for _ in range(abs(pieces))]
    change_g = (1 if pieces > 0 else -1) * sum(each) + random.uniform(-2, 2) * SD_G
    assert explain(change_g, [kind()], SD_G) == Outcome(Verdict.SURE, (pieces,))


def test_products_of_a_mixed_bin_are_told_apart_by_their_weight() -> None:
    kinds = [kind(250), kind(180), kind(410)]
    assert explain(-181, kinds, SD_G) == Outcome(Verdict.SURE, (0, -1, 0))
    assert explain(-592, kinds, SD_G) == Outcome(Verdict.SURE, (0, -1, -1))
    assert explain(12 * 180, kinds, SD_G).pieces == (0, 12, 0)


def test_what_two_explanations_fit_is_ambiguous_with_both() -> None:
    kinds = [kind(100), kind(200)]
    outcome = explain(-200, kinds, SD_G)
    assert outcome.verdict is Verdict.AMBIGUOUS
    assert outcome.pieces == (0, 0)
    assert set(outcome.candidates) == {(0, -1), (-2, 0)}


def test_what_came_for_what_went_is_a_doubt_however_well_it_fits() -> None:
    outcome = explain(160, [kind(250), kind(180), kind(410)], SD_G)
    assert outcome == Outcome(Verdict.AMBIGUOUS, (0, 0, 0), ((-1, 0, 1),))


def test_a_foreign_thing_fits_nothing() -> None:
    assert explain(95, [kind(250), kind(180)], SD_G) == Outcome(Verdict.UNEXPLAINED, (0, 0))


def test_the_place_on_the_plate_names_the_lane() -> None:
    kinds = [kind(250, lane_mm=(0.0, 300.0)), kind(255, lane_mm=(300.0, 600.0))]
    assert explain(-252, kinds, SD_G).verdict is Verdict.AMBIGUOUS
    assert explain(-252, kinds, SD_G, Shift(120, 5)) == Outcome(Verdict.SURE, (-1, 0))
    assert explain(-252, kinds, SD_G, Shift(480, 5)) == Outcome(Verdict.SURE, (0, -1))


def test_many_products_are_compared_two_at_a_time() -> None:
    kinds = [kind(unit_g) for unit_g in (101, 163, 229, 307, 411, 523)]
    assert explain(-(163 + 411), kinds, SD_G) == Outcome(Verdict.SURE, (0, -1, 0, 0, -1, 0))
