"""From outcomes to findings: the best rival, the paired interval, the last line."""

from dataclasses import replace

import pytest

from gateway.evaluate.grids import FLOOR, OURS
from gateway.evaluate.measure import Outcome
from gateway.evaluate.report import By, ScenarioReport, Verdict, kind_of_seeds, overall, report
from gateway.evaluate.score import Counts, Score, score
from tests.gateway.evaluate.recorded import readings, said

PERFECT = score(readings([], [(0, 0, "floor")]), said((0, 0, "floor")))


def off_by(error: float) -> Score:
    return replace(PERFECT, products=Counts(error, 10.0), zones=Counts(error / 2, 10.0))


def outcomes(scenario: str = "rack", **errors: list[float]) -> list[Outcome]:
    """Outcomes by rule and `rule__setting`, an error a seed."""
    found = []
    for name, values in errors.items():
        rule, _, setting = name.partition("__")
        found += [Outcome(scenario, 1 + seed, rule, setting, off_by(error)) for seed, error in enumerate(values)]
    return found


def made(**errors: list[float]) -> ScenarioReport:
    return report("rack", outcomes(**errors), By.PRODUCT)


def test_the_best_rival_at_its_best_setting() -> None:
    found = made(ours=[2.0, 3.0], floor=[1.0, 1.0], edgex__fast=[9.0, 9.0], edgex__slow=[4.0, 5.0], smurf__a=[5.0, 5.0])
    assert found.best is not None
    assert str(found.best.of) == "edgex: slow"
    assert [str(standing.of) for standing in found.best_settings()] == ["edgex: slow", "smurf: a"]
    assert found.ours.excess.value == pytest.approx(1.5)
    assert found.best.excess.value == pytest.approx(3.5)


def test_what_seeds_have_in_common_cancels_out() -> None:
    # The seeds differ by tens, ours and the rival always by nearly one.
    ours, rival = [10.0, 50.0, 90.0], [11.0, 51.1, 90.9]
    found = made(ours=ours, floor=[1.0] * 3, edgex__a=rival)
    assert found.best is not None
    # Differences -1, -1.1, -0.9: the margin is 4.303 * 0.1 / sqrt(3).
    assert found.best.against.value == pytest.approx(-1.0)
    assert found.best.against.margin == pytest.approx(0.2484, abs=1e-4)
    assert found.best.verdict is Verdict.BETTER
    assert found.no_worse


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ([5.0, 5.1, 5.2], Verdict.WORSE),
        ([0.5, 4.0, 1.0], Verdict.EVEN),
        ([1.9], Verdict.BETTER),
        ([2.1], Verdict.WORSE),
    ],
)
def test_verdicts(ours: list[float], verdict: Verdict) -> None:
    found = made(ours=ours, floor=[0.0] * len(ours), edgex__a=[2.0] * len(ours))
    assert found.best is not None
    assert found.best.verdict is verdict
    assert found.no_worse is (verdict is not Verdict.WORSE)


def test_counted_by_zone() -> None:
    found = report("rack", outcomes(ours=[2.0], floor=[1.0], edgex__a=[4.0]), By.ZONE)
    assert (found.ours.error.value, found.ours.excess.value) == (1.0, 0.5)


def test_the_best_single_rival_keeps_one_setting_for_all_scenarios() -> None:
    rack = made(ours=[2.0], floor=[1.0], edgex__fast=[9.0], edgex__slow=[3.0], hmm__a=[5.0])
    door = made(ours=[1.5], floor=[1.0], edgex__fast=[2.0], edgex__slow=[9.0], hmm__a=[4.0])
    found = overall([rack, door])
    assert found is not None
    assert str(found.rival) == "hmm: a"
    assert (found.rival_excess, found.our_excess) == pytest.approx((7.0, 1.5))
    assert found.ratio == pytest.approx(7.0 / 1.5)


def test_without_rivals_there_is_nobody_to_lose_to() -> None:
    found = made(ours=[2.0], floor=[1.0])
    assert found.best is None
    assert found.no_worse
    assert overall([found]) is None


def test_seeds_say_what_they_are_for() -> None:
    assert kind_of_seeds([1, 1000]) == "development"
    assert kind_of_seeds([1001, 1002]) == "reporting"
    assert kind_of_seeds([1000, 1001]) == "development and reporting"
    assert (OURS, FLOOR) == ("ours", "floor")
