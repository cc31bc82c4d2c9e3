from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.counting import Verdict
from gateway.domain.product import Product
from gateway.domain.single import Single
from tests.gateway.scales import sku, weighed

UNIT_G = 250.0


def single(pieces: int = 10, most: int = 100) -> Single:
    params = weighed(sku(UNIT_G, most=most))
    return Single(params, Product(params.skus[0], pieces, UNIT_G), counted=True, pending_g=0.0)


@pytest.mark.parametrize(
    ("change_g", "expected"),
    [
        (-251, (Verdict.SURE, -1)),
        (1003, (Verdict.SURE, 4)),
        (2, (Verdict.SURE, 0)),
        (-300, (Verdict.LIKELY, -1)),
        (-350, (Verdict.UNEXPLAINED, 0)),
    ],
)
def test_a_change_is_rounded_as_far_as_it_fits(change_g: float, expected: tuple[Verdict, int]) -> None:
    assert single().explain(change_g) == expected


def test_a_shelf_never_holds_less_than_nothing_nor_more_than_it_can() -> None:
    assert single(pieces=1).explain(-500)[0] is Verdict.UNEXPLAINED
    assert single(pieces=99).explain(500)[0] is Verdict.UNEXPLAINED


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(-6, 6))
def test_pieces_are_found_whatever_they_weigh(seed: int, pieces: int) -> None:
    """A piece is within two of its standard deviations of the mean; the scale errs as it does."""
    random = Random(seed)
    each = [UNIT_G * (1 + 0.01 * max(-2.0, min(2.0, random.gauss(0, 1)))) for _ in range(abs(pieces))]
    change_g = (1 if pieces > 0 else -1) * sum(each) + random.uniform(-2, 2) * 0.8
    assert single().explain(change_g) == (Verdict.SURE, pieces)
