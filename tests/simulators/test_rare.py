import numpy as np
import pytest

from simulators.rare import QUIET_S, TagRuns, pair, resting_tags
from simulators.recording import load_scenario
from simulators.shop.plan import ScenarioError

QUIET_US = round(QUIET_S * 1e6)


@pytest.fixture(scope="module")
def quiet() -> list[TagRuns]:
    return list(resting_tags(load_scenario("quiet-rack"), seed=1, days=0.1))


def test_between_runs_lie_the_long_silences_and_only_those(quiet: list[TagRuns]) -> None:
    assert len(quiet) == 500
    for tag in quiet:
        assert (tag.first_us <= tag.last_us).all()
        assert (tag.first_us[1:] - tag.last_us[:-1] > QUIET_US).all()
        assert tag.reads.sum() == pytest.approx(tag.read_rate * tag.end_us / 1e6)
        assert (tag.reads >= 1 + (tag.last_us - tag.first_us) // QUIET_US).all()


def test_silences_come_in_bursts(quiet: list[TagRuns]) -> None:
    """Tags that are read at random, each at its own rate, would be silent for so long far less often."""
    seen = expected = 0.0
    for tag in quiet:
        if tag.read_rate > 0.05:
            seen += (tag.first_us[1:] - tag.last_us[:-1] > 3 * QUIET_US).sum()
            expected += tag.reads.sum() * np.exp(-3 * QUIET_S * tag.read_rate)
    assert seen > 5 * expected


def test_rates_are_those_of_a_recording(quiet: list[TagRuns]) -> None:
    recording = load_scenario("quiet-rack").record(1)
    seconds = (recording.end_us - recording.start_us) / 1e6
    rates = np.bincount(recording.tag, minlength=500)[:500] / seconds
    ours = np.array([tag.read_rate for tag in quiet])
    for share in (0.5, 0.75, 0.9):
        assert np.quantile(ours, share) == pytest.approx(np.quantile(rates, share), rel=0.3)


def test_the_same_seed_gives_the_same_runs(quiet: list[TagRuns]) -> None:
    again = list(resting_tags(load_scenario("quiet-rack"), seed=1, days=0.1))
    assert all(np.array_equal(a.first_us, b.first_us) for a, b in zip(quiet, again, strict=True))


def test_sessions_that_silence_for_ever_are_refused() -> None:
    with pytest.raises(ScenarioError, match="sessions 0 and 1"):
        next(resting_tags(load_scenario("delivery"), seed=1, days=0.01))


def test_a_pair_of_antennas() -> None:
    reads = pair(np.random.default_rng(1), 5.0, (0.8, 0.2), (-55.0, -60.0), moves_at_s=9000.0)
    before = reads.at_us < 9_000_000_000
    own, other = reads.antenna == 0, reads.antenna == 1
    assert (np.diff(reads.at_us) >= 0).all()
    assert (before & own).sum() == pytest.approx(9000 * 0.8, rel=0.05)
    assert (~before & own).sum() == pytest.approx(9000 * 0.2, rel=0.1)
    assert reads.rssi_dbm[before & own].mean() == pytest.approx(-55.0, abs=0.3)
    assert reads.rssi_dbm[~before & other].mean() == pytest.approx(-55.0, abs=0.3)
    assert reads.rssi_dbm[before & other].std() == pytest.approx(4.0, abs=0.2)
