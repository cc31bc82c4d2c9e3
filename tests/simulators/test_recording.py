from collections import Counter

import numpy as np
import pytest

from simulators.recording import Recording, load_scenario, scenario_names
from simulators.shop.plan import ScenarioError


@pytest.fixture(scope="module")
def quiet() -> Recording:
    return load_scenario("quiet-rack").record(1)


def test_a_recording_is_in_order_and_refers_to_what_there_is(quiet: Recording) -> None:
    assert len(quiet.tag) > 100_000
    assert (np.diff(quiet.received_us) >= 0).all()
    assert (quiet.taken_us < quiet.received_us).all()
    assert quiet.taken_us.min() >= quiet.start_us
    assert quiet.received_us.max() < quiet.end_us
    assert quiet.tag.max() < len(quiet.epcs) == len(quiet.gtins)
    assert quiet.antenna.max() < len(quiet.antennas)
    assert len(set(quiet.epcs)) == len(quiet.epcs)
    assert [fact.at_us for fact in quiet.truth] == sorted(fact.at_us for fact in quiet.truth)


def test_what_came_in_is_there_or_went_out(quiet: Recording) -> None:
    where = {fact.tag: fact.zone for fact in quiet.truth}
    first = {fact.tag for fact in quiet.truth if fact.at_us == quiet.start_us}
    assert len(first) == 500
    left = [tag for tag, zone in where.items() if zone is None]
    assert len(left) + sum(Counter(zone for zone in where.values() if zone).values()) == len(where)
    assert {zone for zone in where.values() if zone} <= set(quiet.zones)


def test_ghosts_are_read_once_and_are_nowhere(quiet: Recording) -> None:
    known = {fact.tag for fact in quiet.truth}
    ghosts = set(range(len(quiet.epcs))) - known
    assert ghosts
    reads = np.bincount(quiet.tag, minlength=len(quiet.epcs))
    assert all(reads[ghost] <= 1 for ghost in ghosts)


def test_the_same_seed_gives_the_same_recording(quiet: Recording) -> None:
    again = load_scenario("quiet-rack").record(1)
    other = load_scenario("quiet-rack").record(2)
    assert np.array_equal(quiet.tag, again.tag)
    assert np.array_equal(quiet.received_us, again.received_us)
    assert quiet.truth == again.truth
    assert quiet.epcs == again.epcs != other.epcs


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_loads(name: str) -> None:
    assert load_scenario(name).plan.about


def test_an_unknown_scenario_names_those_there_are() -> None:
    with pytest.raises(ScenarioError, match="quiet-rack"):
        load_scenario("no-such-rack")
