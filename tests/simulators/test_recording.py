import hashlib
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from simulators.recording import Recording, load_scenario
from tests.simulators.shops import BUSY, shop


def _record(seed: int) -> Recording:
    """Six minutes in which everybody does something."""
    return shop(BUSY, hours=0.1).record(seed)


def _digest(recording: Recording) -> str:
    """Of everything that it holds."""
    columns = (recording.received_us, recording.taken_us, recording.antenna, recording.tag, recording.rssi_dbm)
    rest = repr((recording.epcs, recording.gtins, recording.truth, recording.links, recording.start_us))
    return hashlib.sha256(b"".join(column.tobytes() for column in columns) + rest.encode()).hexdigest()


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
    again, other = _record(1), _record(2)
    assert _digest(again) == _digest(_record(1)) != _digest(other)
    assert again.epcs != other.epcs
    assert quiet.epcs != other.epcs


def test_another_process_gives_the_same_recording() -> None:
    """Nothing hangs on the order of sets or on hashes that differ from process to process."""
    code = "from tests.simulators import test_recording as t; print(t._digest(t._record(1)))"
    paths = os.pathsep.join(["", *sys.path])
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths}
        said = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
        assert said.stdout.strip() == _digest(_record(1))
