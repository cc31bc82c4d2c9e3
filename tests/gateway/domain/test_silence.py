import math
import random
import statistics
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.params import PROFILES, PresenceParams, Profile
from gateway.domain.records import PoolRecord, TailRecord
from gateway.domain.silence import (
    ENOUGH,
    FIRST_LOOKED_S,
    HALF_LIFE_S,
    MOST_SHARE,
    PACES_S,
    SECONDS_PER_DAY,
    SHORTEST_S,
    THRESHOLDS_S,
    UNEXPLAINED_PACES,
    FarTail,
    Silences,
    leave_soon,
    new_pools,
    pool_of,
    unexplained_s,
)

RULE = PresenceParams(false_departures=1.0, false_share=0.02)
PACE_S = 4.0
HOUR_S = 3600.0
ITEMS = 500
lengths = st.floats(0.0, 2.0 * THRESHOLDS_S[-1])


def learnt(silences: Iterable[float], *, lost: int = 0, items: int = ITEMS) -> Silences:
    """A zone that has looked at `items` for half a day, and then saw these silences end."""
    pool = Silences(PACE_S)
    pool.items = items
    pool.reckon(RULE, SECONDS_PER_DAY / 2, ())
    for excess_s in silences:
        pool.ended(excess_s)
    pool.lost(lost)
    pool.reckon(RULE, 0.0, ())
    return pool


def never_per_s(pool: Silences) -> float:
    """How often an item that is there may be given up, 1/s."""
    return max(RULE.false_departures / 10_000 / SECONDS_PER_DAY, RULE.false_share * pool.leave_rate)


# -- before anything is learnt --------------------------------------------------------------------------------


def test_what_is_unexplained_follows_the_pace_and_never_is_a_moment() -> None:
    assert unexplained_s(0.05, 1e4) == SHORTEST_S
    assert unexplained_s(60.0, 1e4) == pytest.approx(60.0 * UNEXPLAINED_PACES, rel=1e-3)
    assert unexplained_s(60.0, 0.0) == 60.0 * UNEXPLAINED_PACES


@pytest.mark.parametrize("reads", [1, 2, 5, 20])
def test_as_few_silences_are_unexplained_however_few_reads_the_pace_is_known_from(reads: int) -> None:
    rng = random.Random(reads)
    looked_s, beyond = 1000.0, 0
    bound_s = unexplained_s(looked_s / reads, reads)
    for _ in range(20_000):
        # The rate of a tag that was read so often in this time, where any rate is as likely beforehand.
        rate = rng.gammavariate(reads + 1, 1.0 / looked_s)
        beyond += rng.expovariate(rate) > bound_s
    assert beyond / 20_000 == pytest.approx(math.exp(-UNEXPLAINED_PACES), rel=0.15)


def test_a_zone_of_which_nothing_is_known_is_patient() -> None:
    pool = Silences(PACE_S)
    assert pool.patience_s == THRESHOLDS_S[-1]
    pool.reckon(RULE, 0.0, ())
    assert pool.patience_s > 3_600
    assert pool.leave_rate == pytest.approx(1.0 / RULE.unseen_stay_s)
    assert pool.lasting_per_s(pool.patience_s) == pytest.approx(never_per_s(pool), rel=1e-5)


def test_a_tag_that_is_read_rarely_is_given_more_time_from_the_start() -> None:
    *pools, _ = new_pools()
    for pool in pools:
        pool.reckon(RULE, 0.0, ())
    patience = [pool.patience_s for pool in pools]
    assert patience == sorted(patience)
    assert patience[-1] > 2 * patience[0]


def test_each_pace_has_its_pool() -> None:
    pools = new_pools()
    assert len(pools) == len(PACES_S) + 2
    paces_s = (0.1, 1.9, 2.0, 100.0, 1e6)
    assert [pools.index(pool_of(pools, pace_s, carried=False)) for pace_s in paces_s] == [0, 0, 1, 3, 5]
    assert {pools.index(pool_of(pools, pace_s, carried=True)) for pace_s in paces_s} == {6}


def test_what_was_being_carried_is_given_up_sooner_from_the_start() -> None:
    resting, carried = Silences(PACE_S), Silences(0.0, carried=True)
    for pool in (resting, carried):
        pool.reckon(RULE, 0.0, ())
    assert carried.patience_s < resting.patience_s / 3
    patient = replace(RULE, carried_share=RULE.carried_share / 10)
    before_s = carried.patience_s
    carried.reckon(patient, 0.0, ())
    assert carried.patience_s > before_s


def test_where_no_carried_one_leaves_they_are_waited_for_longer() -> None:
    patience_s = []
    for leaves in (0, 1):
        carried = Silences(0.0, carried=True)
        carried.items = 10
        for minute in range(60):
            carried.reckon(RULE, 60.0, ())
            carried.ended(20.0 + 2.0 * minute)
            carried.lost(leaves)
        patience_s.append(carried.patience_s)
    assert patience_s[0] > 1.5 * patience_s[1]


# -- many leave -----------------------------------------------------------------------------------------------


def busy(*, leavers: int, items: int = 50) -> tuple[Silences, ...]:
    """The pools of a zone after two hours: `items` of each pace were looked at, and so many left."""
    pools = new_pools()
    for pool in pools[:4]:
        pool.items = items
        pool.reckon(RULE, 2 * HOUR_S, ())
        for _ in range(200):
            pool.ended(5.0)
    for number in range(leavers):
        pools[number % 4].lost(1)
    return reckoned(pools)


def reckoned(pools: tuple[Silences, ...]) -> tuple[Silences, ...]:
    for _ in range(2):
        soon = leave_soon(pools)
        for pool in pools:
            pool.reckon(RULE, 0.0, (), soon)
    return pools


def test_few_leavers_say_nothing_of_how_many_leave() -> None:
    assert leave_soon(new_pools()) == leave_soon(busy(leavers=2)) == 0.0


def test_the_share_that_leaves_is_that_of_the_whole_zone_less_what_is_not_sure() -> None:
    # 200 items for two hours, of which a little has faded.
    assert leave_soon(busy(leavers=36)) == pytest.approx((36 - 1.5 * 6) / 200, rel=0.05)
    assert leave_soon(busy(leavers=100_000)) == MOST_SHARE


def test_where_surely_many_leave_nobody_is_waited_for_as_long() -> None:
    few, many = busy(leavers=4), busy(leavers=64)
    for alone, other in zip(few[:4], many[:4], strict=True):
        alike = Silences(other.pace_s)
        alike.restore(other.record("floor"))
        alike.reckon(RULE, 0.0, ())
        assert other.patience_s < 0.7 * alike.patience_s < 0.7 * alone.patience_s


def test_how_many_leave_survives_a_restart() -> None:
    pools, again = busy(leavers=64), new_pools()
    for pool, other in zip(pools, again, strict=True):
        other.items = pool.items
        other.restore(pool.record("floor"))
    assert leave_soon(again) == pytest.approx(leave_soon(pools))
    assert [pool.patience_s for pool in reckoned(again)[:4]] == [pool.patience_s for pool in pools[:4]]


def test_leavers_that_are_read_more_often_teach_haste_to_those_that_are_read_rarely() -> None:
    patience_s = []
    for leavers in (0, 8):
        often, rarely = Silences(PACES_S[0]), Silences(PACES_S[3])
        for pool in (often, rarely):
            pool.items = ITEMS
            pool.reckon(RULE, HOUR_S, ())
            for number in range(100):
                pool.ended(float(number))
        often.lost(leavers)
        often.reckon(RULE, 0.0, ())
        rarely.reckon(RULE, 0.0, [50_000.0], alike=[often])
        patience_s.append(rarely.patience_s)
        # The longest silence of its own is what is to be judged, and no evidence.
        assert (rarely.leavers, rarely.gone) == (0.0, pytest.approx(1.0, abs=0.01))
    assert patience_s[1] < 0.9 * patience_s[0]


# -- the tail -------------------------------------------------------------------------------------------------


def too_often(silences: int, seed: int) -> float:
    """How much more often than asked an item that is there is given up, where silences of 60 s in the mean begin.

    Of those the truth is known: exp(-t / 60) of them outlast t.
    """
    rng = random.Random(seed)
    pool = Silences(PACE_S)
    pool.items = ITEMS
    for _ in range(silences):
        pool.reckon(RULE, 60.0, ())
        pool.ended(rng.expovariate(1 / 60))
    pool.reckon(RULE, 0.0, ())
    begins_per_s = 1 / (ITEMS * 60.0)
    return begins_per_s * math.exp(-pool.patience_s / 60) / never_per_s(pool)


@pytest.mark.parametrize("seed", range(5))
def test_after_many_examples_present_items_are_given_up_as_rarely_as_asked(seed: int) -> None:
    # To be ten times too careful costs two minutes of 60 s silences; to be ten times too rash costs items.
    assert 1 / 10 < too_often(10_000, seed) < 3


@pytest.mark.parametrize("silences", [30, 300, 3_000])
def test_with_few_examples_the_rule_errs_by_patience(silences: int) -> None:
    often = [too_often(silences, seed) for seed in range(20)]
    assert statistics.fmean(often) < 1.5
    assert max(often) < 10


def test_where_one_threshold_takes_over_from_another_the_rate_hardly_jumps() -> None:
    rng = random.Random(1)
    pool = learnt([rng.expovariate(1 / 600 if rng.random() < 0.1 else 1 / 60) for _ in range(2_000)])
    for threshold_s in THRESHOLDS_S[1:]:
        jump = pool.lasting_per_s(threshold_s) / pool.lasting_per_s(threshold_s - 0.001)
        assert 1 / 2 < jump < 2


@given(st.lists(lengths, max_size=30), st.lists(lengths, min_size=2, max_size=20))
def test_longer_silences_are_rarer_above_one_threshold(ended: list[float], asked: list[float]) -> None:
    pool = learnt(ended)
    start_s = highest_believed_s(ended)
    rates = [pool.lasting_per_s(start_s + excess_s) for excess_s in sorted(asked)]
    assert rates == sorted(rates, reverse=True)
    assert all(rate > 0 for rate in rates)
    assert rates[0] <= pool.begins_per_s()


@given(st.lists(lengths, max_size=30), st.floats(1.0, 20_000.0))
def test_patience_is_the_silence_that_lasts_as_rarely_as_asked(ended: list[float], further_s: float) -> None:
    pool = learnt(ended)
    excess_s = highest_believed_s(ended) + further_s
    assert pool._until(pool.lasting_per_s(excess_s)) == pytest.approx(excess_s, rel=1e-6, abs=1e-6)


def test_long_silences_that_have_not_ended_yet_are_part_of_the_tail() -> None:
    rng = random.Random(1)
    silences = [(rng.uniform(0.0, 900.0), rng.expovariate(1 / 600)) for _ in range(300)]
    ended = [lasts_s for ago_s, lasts_s in silences if lasts_s < ago_s]
    go_on = [ago_s for ago_s, lasts_s in silences if lasts_s >= ago_s]
    pool = learnt(ended)
    only_ended = pool.lasting_per_s(1800.0) / pool.begins_per_s()
    pool.reckon(RULE, 0.0, go_on)
    truth = math.exp(-1800 / 600)
    assert only_ended < truth / 3
    assert pool.lasting_per_s(1800.0) / pool.begins_per_s() == pytest.approx(truth, rel=0.35)


def test_silences_that_only_leavers_explain_lengthen_nobodys_patience() -> None:
    rng = random.Random(1)
    pool = learnt([rng.expovariate(1 / 10) for _ in range(1_000)], lost=5)
    before_s = pool.patience_s
    pool.reckon(RULE, 0.0, [1500.0 + 100.0 * one for one in range(5)])
    assert pool.patience_s <= 1.02 * before_s


def test_what_happens_less_often_than_asked_needs_no_patience() -> None:
    pool = learnt([])
    assert pool._until(pool.begins_per_s()) == 0.0


def highest_believed_s(ended: list[float]) -> float:
    """The threshold that the tail starts at which long silences are judged by."""
    return max(at_s for at_s in THRESHOLDS_S if not at_s or sum(one >= at_s for one in ended) >= ENOUGH)


# -- what pools know together ---------------------------------------------------------------------------------


def taught_alike(silences: Iterable[float], pace_s: float = PACES_S[0]) -> Silences:
    """A pool that has looked at its items for half a day and knows nothing of others yet."""
    pool = Silences(pace_s)
    pool.items = ITEMS
    pool.reckon(RULE, SECONDS_PER_DAY / 2, ())
    for excess_s in silences:
        pool.ended(excess_s)
    return pool


def until_s(pool: Silences, *others: Silences, soon: float = 0.0) -> float:
    """Its patience among these."""
    pool.reckon(RULE, 0.0, (), soon, others, FarTail([pool, *others]))
    return pool.patience_s


def mixed_s(rng: random.Random) -> float:
    """A hand for a minute in the mean; one in ten is a trolley for ten."""
    return rng.expovariate(1 / 600 if rng.random() < 0.1 else 1 / 60)


@pytest.mark.parametrize("seed", range(5))
def test_trolleys_that_only_other_pools_have_seen_are_waited_for(seed: int) -> None:
    rng = random.Random(seed)
    often = taught_alike(rng.expovariate(1 / 60) for _ in range(300))
    rarely = taught_alike((mixed_s(rng) for _ in range(3_000)), PACES_S[1])
    alone_s, together_s = until_s(often), until_s(often, rarely)
    begins_per_s = often.begins_per_s()

    def too_often(patience_s: float) -> float:
        truth = 0.9 * math.exp(-patience_s / 60) + 0.1 * math.exp(-patience_s / 600)
        return begins_per_s * truth / never_per_s(often)

    assert too_often(alone_s) > 10
    assert 1 / 100 < too_often(together_s) < 5


def test_who_was_looked_at_for_long_is_not_hurried_by_the_others() -> None:
    rng = random.Random(1)
    often = taught_alike(mixed_s(rng) for _ in range(3_000))
    calm = taught_alike([40.0] * 1_000, PACES_S[1])
    assert until_s(often, calm) >= until_s(often)


@pytest.mark.parametrize(("excess_s", "told"), [(200.0, False), (2_000.0, True)])
def test_silences_that_their_own_pace_explains_tell_nothing_of_other_paces(excess_s: float, *, told: bool) -> None:
    often = taught_alike([20.0, 100.0, 600.0] * 4 + [1.0] * 1_000)
    rarely = taught_alike([excess_s] * 100, PACES_S[2])
    assert 200.0 < UNEXPLAINED_PACES * 2 * PACES_S[2] < 2_000.0
    assert (until_s(often, rarely) > until_s(often)) is told


def test_where_many_leave_nobody_waits_for_what_others_have_seen() -> None:
    rng = random.Random(1)
    often = taught_alike(rng.expovariate(1 / 60) for _ in range(300))
    rarely = taught_alike((mixed_s(rng) for _ in range(3_000)), PACES_S[1])
    assert until_s(often, rarely) > until_s(often)
    assert until_s(often, rarely, soon=0.1) < until_s(often)
    often.reckon(RULE, 0.0, (), 0.1, [rarely])
    assert often.patience_s == until_s(often, rarely, soon=0.1)


@given(st.lists(lengths, min_size=20, max_size=100), st.floats(1.0, 20_000.0))
def test_what_pools_know_together_answers_both_questions_alike(ended: list[float], further_s: float) -> None:
    far = FarTail([taught_alike(ended, 0.0), taught_alike([10.0], PACES_S[0])])
    excess_s = highest_believed_s(ended) + further_s
    share = far.lasting(0, excess_s)
    if highest_believed_s(ended):
        assert 0.0 < share < 1.0
        assert far.until(0, share) == pytest.approx(excess_s, rel=1e-6)
    else:
        assert (share, far.until(0, 1e-9)) == (0.0, 0.0)


def test_what_pools_know_together_fades_as_what_each_knows() -> None:
    pools = [taught_alike([100.0, 1_000.0] * 20, pace_s) for pace_s in PACES_S[:3]]
    before = FarTail(pools, HOUR_S)
    for pool in pools:
        pool.reckon(RULE, HOUR_S, ())
    after = FarTail(pools)
    for excess_s in (100.0, 1_000.0, 10_000.0):
        assert before.lasting(1, excess_s) == pytest.approx(after.lasting(1, excess_s))


@pytest.mark.parametrize("threshold_s", THRESHOLDS_S[1:])
def test_the_longer_silences_get_the_longer_they_may_go_on(threshold_s: float) -> None:
    number = THRESHOLDS_S.index(threshold_s)
    shape, scale_s = learnt([threshold_s] * 4)._tail(number)
    assert scale_s / (shape - 1.0) >= threshold_s / 3
    assert learnt([threshold_s] * 4).patience_s > 3 * threshold_s


# -- learning -------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(1.0, 500.0), min_size=1, max_size=50))
def test_longer_silences_teach_patience(ended: list[float]) -> None:
    assert learnt(10 * [10 * one for one in ended]).patience_s > learnt(10 * ended).patience_s


@given(st.lists(lengths, max_size=30), st.integers(1, 50))
def test_leavers_teach_haste(ended: list[float], leavers: int) -> None:
    calm, busy = learnt(ended), learnt(ended, lost=leavers)
    assert busy.leave_rate > calm.leave_rate
    # Where the share of leavers is under the floor of false departures, it changes nothing.
    assert busy.patience_s <= calm.patience_s or never_per_s(busy) == never_per_s(calm)


def test_many_leavers_cut_the_patience() -> None:
    ended = [60.0] * 100
    assert learnt(ended, lost=200).patience_s < 0.9 * learnt(ended).patience_s


@given(st.integers(0, 50))
def test_who_comes_back_was_no_leaver(leavers: int) -> None:
    pool, twin = learnt([60.0] * 20), learnt([60.0] * 20)
    pool.lost(leavers)
    for _ in range(leavers):
        pool.lost(-1)
    pool.lost(-1)  # given up before what was learnt faded, say
    pool.reckon(RULE, 0.0, ())
    assert (pool.leave_rate, pool.patience_s) == (twin.leave_rate, twin.patience_s)


def test_silences_that_go_on_count_by_how_likely_they_have_no_end() -> None:
    rng = random.Random(1)
    ended = [rng.expovariate(1 / 60) for _ in range(100)]
    rates = []
    for waiting_s in (0.0, 120.0, 300.0, 30_000.0):
        pool = learnt(ended)
        pool.reckon(RULE, 0.0, [waiting_s] * 20)
        rates.append(pool.leave_rate)
    calm = learnt(ended).leave_rate
    assert calm < rates[0] < rates[1] < rates[2] < rates[3]
    assert rates[0] < 5 * calm, "of hands before a rack next to none is a leaver"
    first_leavers = FIRST_LOOKED_S / RULE.unseen_stay_s
    assert rates[3] == pytest.approx((19 / first_leavers + 1) * calm, rel=0.02), "all of them but the one to be judged"


def test_a_silence_is_no_evidence_against_itself() -> None:
    one, calm = learnt([60.0] * 100), learnt([60.0] * 100)
    one.reckon(RULE, 0.0, [30_000.0])
    assert one.patience_s == calm.patience_s
    one.reckon(RULE, 0.0, [30_000.0, 30_000.0])
    assert one.patience_s < calm.patience_s


def test_a_room_that_people_leave_with_what_they_bought_is_less_patient_from_the_start() -> None:
    rack, room = Silences(PACE_S), Silences(PACE_S)
    rack.reckon(RULE, 0.0, ())
    room.reckon(PROFILES[Profile.ROOM], 0.0, ())
    assert room.patience_s < rack.patience_s / 5


# -- time -----------------------------------------------------------------------------------------------------


@given(
    st.lists(lengths, max_size=20),
    st.lists(st.floats(0.0, 50_000.0), min_size=1, max_size=12),
    st.integers(0, 1000),
    st.integers(0, 9),
)
def test_time_may_pass_in_any_portions(ended: list[float], portions_s: list[float], items: int, lost: int) -> None:
    one, many = learnt(ended, lost=lost, items=items), learnt(ended, lost=lost, items=items)
    one.reckon(RULE, sum(portions_s), ())
    for portion_s in portions_s:
        many.reckon(RULE, portion_s, ())
    assert many.leave_rate == pytest.approx(one.leave_rate)
    assert many.begins_per_s() == pytest.approx(one.begins_per_s())
    for number in range(len(THRESHOLDS_S)):
        assert many._tail(number) == pytest.approx(one._tail(number))
    assert many._shares == pytest.approx(one._shares)


def test_what_was_learnt_halves_in_a_day() -> None:
    pool = learnt([60.0] * 64, items=0)
    shape, _ = pool._tail(0)
    pool.reckon(RULE, HALF_LIFE_S, ())
    halved, _ = pool._tail(0)
    assert (shape, halved) == (pytest.approx(3 + 64), pytest.approx(3 + 32))
    pool.reckon(RULE, 60 * HALF_LIFE_S, ())
    fresh = Silences(PACE_S)
    fresh.reckon(RULE, 0.0, ())
    assert pool.patience_s == pytest.approx(fresh.patience_s)


def test_items_that_are_never_silent_make_silence_suspicious() -> None:
    shorter = [learnt([], items=items).patience_s for items in (0, 1, 10, 1_000)]
    assert shorter == sorted(shorter, reverse=True)
    assert shorter[-1] < shorter[0] / 2


# -- what outlives the process ----------------------------------------------------------------------------


def taught(seed: int = 1) -> Silences:
    """A pool with a day behind it, in which fifty items stood behind a trolley now and then."""
    rng, pool = random.Random(seed), Silences(2.0)
    pool.items = 50
    for _ in range(24):
        for _ in range(40):
            pool.ended(rng.expovariate(1 / 200.0))
        pool.reckon(PresenceParams(), HOUR_S, [30.0])
    pool.lost(2)
    pool.reckon(PresenceParams(), 10.0, [60.0])
    return pool


def test_another_life_is_as_patient() -> None:
    pool, again = taught(), Silences(2.0)
    fresh_s = again.patience_s
    again.restore(pool.record("floor"))
    again.items = pool.items
    for one in (pool, again):
        one.reckon(PresenceParams(), 0.0, [60.0])
    assert again.record("floor") == pool.record("floor")
    assert again.patience_s == pool.patience_s != fresh_s
    # ... and learns on the same.
    for one in (pool, again):
        one.ended(500.0)
        one.reckon(PresenceParams(), HOUR_S, [])
    assert again.patience_s == pool.patience_s


def test_what_is_kept_of_thresholds_that_are_none_any_more_is_left_out() -> None:
    record = PoolRecord("floor", 2.0, 1000.0, 0.5, 1e-6, (TailRecord(0.0, 4.0, 90.0), TailRecord(7.0, 3.0, 70.0)))
    pool = Silences(2.0)
    pool.restore(record)
    assert pool.record("floor") == replace(record, tail=record.tail[:1])


def test_a_pool_that_has_learnt_nothing_is_blank() -> None:
    pool = Silences(2.0)
    assert pool.record("floor").blank
    pool.ended(0.0)
    assert not pool.record("floor").blank


def test_news_are_a_share_of_any_sum_or_another_threshold() -> None:
    record = taught().record("floor")
    *lower, last = record.tail
    assert not record.differs(record, 0.1)
    assert not replace(record, item_s=record.item_s * 1.09).differs(record, 0.1)
    assert replace(record, item_s=record.item_s * 1.11).differs(record, 0.1)
    assert replace(record, lost=record.lost + 1).differs(record, 0.1)
    assert replace(record, tail=(*lower, replace(last, silences=last.silences * 1.2))).differs(record, 0.1)
    assert replace(record, tail=(*lower, replace(last, excess_s=last.excess_s * 0.8))).differs(record, 0.1)
    assert replace(record, tail=tuple(lower)).differs(record, 0.1)
