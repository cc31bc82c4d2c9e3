"""What silence has come to mean outlives the process."""

from dataclasses import replace
from random import Random

from gateway.domain.params import PresenceParams
from gateway.domain.records import PoolRecord, TailRecord
from gateway.domain.silence import Silences

HOUR_S = 3600.0


def taught(seed: int = 1) -> Silences:
    """A pool with a day behind it, in which fifty items stood behind a trolley now and then."""
    rng, pool = Random(seed), Silences(2.0)
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
