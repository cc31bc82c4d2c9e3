"""The physics of the store: what must hold whatever the numbers are."""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest

from simulators.shop.air import Air, Reads, chance_of, margin_of
from simulators.shop.day import Block, Day, Motion
from simulators.shop.floor import Floor
from simulators.shop.plan import AntennaMount, Wall
from simulators.shop.radio import Antennas
from tests.simulators.shops import shop, table

S = 1_000_000
STILL = {"ghosts_per_hour": 0.0, "fading_db": 0.0, "shadow_db": 0.0}


def _air(tags: int, *, noise: dict[str, Any] | None = None, blocks: Sequence[Block] = (), **reader: Any) -> Air:
    """Tags that lie around the first fixture, below the first antenna."""
    room = table(noise=noise or {})
    room["readers"][0] |= reader
    plan = shop(**room).plan
    start_us = round(plan.start.timestamp() * S)
    at = (1.0, 1.0, 1.0)
    lie = Motion(start_us, tuple(range(tags)), at, at, start_us, fixture=0, spread_m=0.2)
    day = Day(epcs=[bytes(12)] * tags, gtins=[""] * tags, motions=[lie])
    day.blocks += [block._replace(at_us=start_us + block.at_us, until_us=start_us + block.until_us) for block in blocks]
    return Air(plan, Floor(plan, Random(1)), day, [1])


def _dwells(air: Air, seconds: float, *, dwell_s: float = 0.25, first_s: float = 0.0, antenna: int = 0) -> list[Reads]:
    start_us = round((air._plan.start.timestamp() + first_s) * S)
    length_us = round(dwell_s * S)
    return [air.dwell(antenna, at, at + length_us) for at in range(start_us, start_us + round(seconds * S), length_us)]


def _reads(dwells: Sequence[Reads]) -> int:
    return sum(len(dwell.tag) for dwell in dwells)


def test_distance_and_walls_take_their_part() -> None:
    mounts = [AntennaMount(port=1, zone="floor", at=(0.0, 0.0, 1.0), aim=(9.0, 0.0, 1.0))]
    across = np.array([[0.0, 0.0, 1.0]])
    near, far = np.array([[2.0, 0.0, 1.0]]), np.array([[4.0, 0.0, 1.0]])
    wall = Wall.model_validate({"from": (3.0, -1.0), "to": (3.0, 1.0), "loss_db": 7.0})
    free, walled = Antennas(mounts, (), 2.4), Antennas(mounts, (wall,), 2.4)
    assert (free.reach(near, across) - free.reach(far, across))[0, 0] == pytest.approx(24 * np.log10(2))
    assert (free.reach(far, across) - walled.reach(far, across))[0, 0] == pytest.approx(7.0)
    assert walled.reach(near, across) == pytest.approx(free.reach(near, across))
    beside = np.array([[4.0, 2.0, 1.0]])
    assert walled.reach(beside, across) == pytest.approx(free.reach(beside, across))


def test_a_tag_that_points_at_the_antenna_is_in_its_null() -> None:
    antenna = Antennas([AntennaMount(port=1, zone="floor", at=(0.0, 0.0, 3.0))], (), 2.4)
    place = np.array([[0.0, 0.0, 1.0]])
    flat, upright = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])
    assert (antenna.reach(place, flat) - antenna.reach(place, upright))[0, 0] == pytest.approx(15.0)


def test_fading_is_correlated_for_as_long_as_it_is_said() -> None:
    air = _air(200, noise={"fading_db": 2.0, "fading_s": (20.0, 20.0), "ghosts_per_hour": 0.0})
    rows = []
    for dwell in range(600):
        _dwells(air, 1.0, dwell_s=1.0, first_s=float(dwell))
        rows.append(air._fade[0].copy())
    fade = np.array(rows)
    assert fade.std() == pytest.approx(2.0, rel=0.1)
    for lag_s in (1, 10, 20, 60):
        together = (fade[:-lag_s] * fade[lag_s:]).mean() / (fade * fade).mean()
        assert together == pytest.approx(np.exp(-lag_s / 20), abs=0.06)


@pytest.mark.parametrize(("session", "target"), [(0, "single"), (1, "single"), (2, "dual")])
def test_no_more_is_read_than_the_air_carries(session: int, target: str) -> None:
    air = _air(800, session=session, target=target, reads_per_s=200.0)
    each_second = [_reads(_dwells(air, 1.0, first_s=float(second))) for second in range(60)]
    assert max(each_second) <= 201
    assert sum(each_second) <= 60 * 200 + 1
    # 800 tags want all of it.
    assert sum(each_second) > 60 * 190


def test_session_1_silences_a_tag_for_its_flags_life() -> None:
    dwells = _dwells(_air(5, noise=STILL, session=1), 120.0)
    for tag in range(5):
        moments = np.concatenate([dwell.at_us[dwell.tag == tag] for dwell in dwells])
        assert len(moments) > 20
        assert np.diff(moments).min() >= 0.8 * S


def test_session_2_silences_a_tag_until_it_has_been_without_power() -> None:
    air = _air(5, noise=STILL, session=2)
    assert _reads(_dwells(air, 60.0)) == 5
    assert _reads(_dwells(air, 60.0, first_s=60.0)) == 0
    # A minute is the longest that any flag lives.
    assert _reads(_dwells(air, 10.0, first_s=181.0)) == 5


def test_flags_are_shared_by_all_antennas_of_a_session() -> None:
    air = _air(5, noise=STILL, session=2)
    assert _reads(_dwells(air, 10.0)) == 5
    assert _reads(_dwells(air, 10.0, first_s=10.0, antenna=1)) == 0


def test_a_dual_target_reads_them_again_and_again() -> None:
    assert _reads(_dwells(_air(5, noise=STILL, session=2, target="dual"), 60.0)) > 1000


def test_a_body_shadows_the_fixture_as_long_as_it_stands_there() -> None:
    """A whole ring of bodies, so that one of them is between the tags and the antenna."""
    ring = [Block(60 * S, 120 * S, 0, bearing, 60.0) for bearing in np.linspace(-3, 3, 6)]
    air = _air(20, noise=STILL, blocks=ring, session=0)
    assert _reads(_dwells(air, 50.0)) > 1000
    assert _reads(_dwells(air, 50.0, first_s=61.0)) < 50
    assert _reads(_dwells(air, 50.0, first_s=121.0)) > 1000
    assert air._block_db == pytest.approx(0.0, abs=1e-4)


def test_what_is_carried_past_is_read_on_the_way() -> None:
    air = _air(0, noise=STILL, session=0)
    start_us = round(air._plan.start.timestamp() * S)
    air._day.epcs.append(bytes(12))
    walk = Motion(start_us, (0,), (-30.0, 2.0, 1.0), (32.0, 2.0, 1.0), start_us + 60 * S, None, loss_db=3.0)
    gone = walk._replace(at_us=start_us + 60 * S, until_us=start_us + 60 * S, present=False)
    day = Day(epcs=[bytes(12)], gtins=[""], motions=[walk, gone])
    air = Air(air._plan, Floor(air._plan, Random(1)), day, [1])
    seconds = [_reads(_dwells(air, 1.0, first_s=float(second))) for second in range(90)]
    near = seconds[27:34]
    assert sum(near) > 10
    assert sum(seconds[:15]) == sum(seconds[45:]) == 0


def test_chances_and_margins_are_each_others_inverse() -> None:
    for chance in (0.005, 0.1, 0.5, 0.9):
        assert chance_of(margin_of(chance, 2.0), 2.0) == pytest.approx(chance, rel=1e-3)


def test_nobody_hangs_a_tag_where_it_is_never_read() -> None:
    """Even in boxes of metal each tag is read now and then by its own zone's antennas."""
    room = table(hours=0.5, noise={"ghosts_per_hour": 0.0, "metal_db": (25.0, 25.0), "rarest_s": 100.0})
    room["zones"][0] |= {"metal_share": 1.0}
    recording = shop(**room).record(1)
    reads = np.bincount(recording.tag, minlength=40)
    # 18 expected reads each; the chance of 3 or fewer of 40 independent ones is 1e-3.
    assert reads.min() >= 3
    assert reads.mean() < 60
