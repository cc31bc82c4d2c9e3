"""Recordings drawn from published models: what they are said to be, they are."""

import numpy as np
import pytest

from simulators.epc import sgtin_96
from simulators.plain.families import FAMILIES
from simulators.plain.trace import START_US, US_PER_S, Item, Outage, Trace, fading, on_off
from simulators.recording import Recording

SHORT = ("plain-crossed", "plain-portal", "plain-walking", "plain-half-hour")


def one_tag(chance: float = 0.5, seconds: int = 4000, **keys: object) -> Recording:
    trace = Trace("test", 1, seconds, {"a": "sales_floor"}, {"a": "a"}, [("r", 1, "a")], **keys)  # type: ignore[arg-type]
    trace.add(Item(7, trace.course((0.0, 0), (seconds / 2, -1)), np.array([[chance]]), np.array([[-60.0]])))
    return trace.recording()


@pytest.mark.parametrize("name", SHORT)
def test_a_family_gives_the_same_for_a_seed_and_other_shops_for_others(name: str) -> None:
    first, again, other = (FAMILIES[name].record(seed) for seed in (3, 3, 4))
    assert np.array_equal(first.received_us, again.received_us)
    assert first.truth == again.truth != other.truth


@pytest.mark.parametrize("name", SHORT)
def test_reads_come_in_the_order_of_their_reception_after_they_were_taken(name: str) -> None:
    recording = FAMILIES[name].record(1)
    assert np.all(np.diff(recording.received_us) >= 0)
    assert np.all(recording.received_us >= recording.taken_us)
    assert recording.start_us <= recording.received_us[0] <= recording.received_us[-1] <= recording.end_us
    assert set(recording.zones) == {zone for _, _, zone in recording.antennas}


def test_a_tag_is_read_as_often_as_its_chance_says_while_it_is_there() -> None:
    recording = one_tag()
    assert len(recording.tag) == pytest.approx(1000, rel=0.1)
    assert recording.received_us[-1] <= START_US + 2000.2 * US_PER_S
    assert [(fact.at_us - START_US, fact.zone) for fact in recording.truth] == [(0, "a"), (2000 * US_PER_S, None)]
    assert recording.epcs == [sgtin_96("0614141", "000007", 1)]


def test_every_read_of_a_stream_is_told_where_it_is_asked_for() -> None:
    # A chance of 0.9 in a second: 2.3 reads.
    assert len(one_tag(0.9, every_read=True).tag) == pytest.approx(4605, rel=0.1)


def test_an_outage_loses_reads_or_keeps_them_back() -> None:
    whole = one_tag()
    lost = one_tag(outages=[Outage("r", 500, 1000)])
    late = one_tag(outages=[Outage("r", 500, 1000, late=True)])
    within = (whole.received_us >= START_US + 500 * US_PER_S) & (whole.received_us < START_US + 1000 * US_PER_S)
    assert len(lost.tag) == len(whole.tag) - within.sum()
    assert len(late.tag) == len(whole.tag)
    assert np.count_nonzero(late.received_us == START_US + 1001 * US_PER_S) >= within.sum()
    assert [link.connected for link in lost.links] == [False, True]
    assert one_tag(outages=[Outage("r", 500, 1000, told=False)]).links == []


def test_times_and_strengths_can_be_as_coarse_as_cheap_readers_tell_them() -> None:
    recording = one_tag(grain_us=US_PER_S, constant_dbm=-60)
    assert not np.any(recording.taken_us % US_PER_S)
    assert set(recording.rssi_dbm.tolist()) == {-60}


def test_a_channel_is_on_for_its_share_of_the_time_in_runs() -> None:
    channel = on_off(np.random.default_rng(1), 400_000, on_s=30.0, off_s=10.0)
    assert channel.mean() == pytest.approx(0.75, abs=0.03)
    assert np.count_nonzero(np.diff(channel)) == pytest.approx(2 * 400_000 / 40, rel=0.1)


def test_fading_keeps_its_strength_and_forgets_in_its_time() -> None:
    faded = fading(np.random.default_rng(1), 20_000, 2, 4.0, 20.0)
    assert faded.std() == pytest.approx(4.0, rel=0.1)
    alike = np.mean(faded[20:] * faded[:-20]) / faded.var()
    assert alike == pytest.approx(np.exp(-1.0), abs=0.08)
