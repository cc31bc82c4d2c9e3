import random
from collections.abc import Iterable

import pytest

from gateway.domain.motion import CARRIED_DB, CARRIED_TIMES, FOLLOWED_US, LONGEST_US, USUAL_LOOKS, Motion
from gateway.domain.presence import Presence
from gateway.domain.silence import pool_of
from gateway.domain.zones import US_PER_S
from readers.model import NO_RSSI_DBM
from tests.gateway.shop import RACK, Shop, tag

WIDE = {"a": (1, 2), "b": (3,)}
RACKS = {"a": RACK, "b": RACK}


def swing(shop: Shop, levels: Iterable[int], *, every_s: float = 1.0, port: int = 1, serial: int = 1) -> None:
    """Item `serial` is read at these levels, one after the other."""
    for dbm in levels:
        shop.hear(port, tag(serial), dbm=dbm)
        shop.wait(every_s, step_s=every_s)


def lying() -> Shop:
    """Item 1 has lain in zone a for a minute."""
    shop = Shop(RACKS, WIDE)
    swing(shop, [-55, -56] * 30)
    return shop


def test_who_lies_still_is_not_carried_and_who_jumps_is() -> None:
    shop = lying()
    item = shop.item(1)
    assert not item.carried
    swing(shop, [-55, -62, -52, -60, -50, -58])
    assert item.carried
    assert item.stir_db > CARRIED_DB
    swing(shop, [-58, -57] * 10)
    assert not item.carried


def test_its_silence_is_judged_among_those_that_were_carried() -> None:
    shop = lying()
    item, zone = shop.item(1), shop.zones["a"]
    assert item.pool is pool_of(zone.silences, item.location.pace_s, carried=False)
    swing(shop, [-55, -62, -52, -60, -50, -58])
    assert item.pool is pool_of(zone.silences, item.location.pace_s, carried=True)
    assert item.pool.items == 1
    swing(shop, [-58] * 20)
    assert item.pool is pool_of(zone.silences, item.location.pace_s, carried=False)


def test_a_slow_change_of_many_db_is_no_carrying() -> None:
    shop = lying()
    swing(shop, range(-55, -85, -1), every_s=3.0)
    assert not shop.item(1).carried


def test_two_antennas_that_hear_it_differently_are_not_compared() -> None:
    shop = lying()
    for _ in range(30):
        swing(shop, [-50], every_s=1.0, port=1)
        swing(shop, [-70], every_s=1.0, port=2)
    assert not shop.item(1).carried


def test_another_antenna_takes_over_when_the_first_is_silent() -> None:
    shop = lying()
    shop.wait(FOLLOWED_US / US_PER_S, step_s=1.0)
    swing(shop, [-60, -70] * 10, port=2)
    assert shop.item(1).carried


def test_within_half_a_second_nobody_gets_anywhere() -> None:
    shop = lying()
    shop.hear(1, tag(1), dbm=-55)
    shop.tick()
    before_db = shop.item(1).stir_db
    for dbm in (-75, -50):
        shop.clock.turn(0.2)
        shop.hear(1, tag(1), dbm=dbm)
        shop.tick()
    assert shop.item(1).stir_db == before_db
    shop.clock.turn(0.2)
    shop.hear(1, tag(1), dbm=-75)
    shop.tick()
    assert shop.item(1).stir_db > before_db


def test_after_long_only_calm_comes_back() -> None:
    shop = lying()
    swing(shop, [-55, -62, -52, -60, -50, -58])
    before_db = shop.item(1).stir_db
    shop.wait(LONGEST_US / US_PER_S, step_s=5.0)
    swing(shop, [-80])
    assert 0.0 < shop.item(1).stir_db < before_db


def test_without_a_strength_nothing_is_known() -> None:
    shop = lying()
    swing(shop, [NO_RSSI_DBM, -55] * 10)
    assert not shop.item(1).carried


@pytest.mark.parametrize("sigma_db", [4.0, 6.0])
def test_a_reader_whose_strengths_scatter_teaches_what_is_usual(sigma_db: float) -> None:
    rng = random.Random(1)
    shop, carried = Shop(RACKS, WIDE), 0
    items = range(40)
    for second in range(300):
        for serial in items:
            shop.hear(1, tag(serial), dbm=round(rng.gauss(-60, sigma_db)))
        shop.wait(1.0, step_s=1.0)
        if second > 200:
            carried += sum(shop.item(serial).carried for serial in items)
    assert carried / (100 * len(items)) < 0.02


def test_what_is_usual_follows_all_tags() -> None:
    motion = Motion()
    first_db = motion.usual_db
    shop = Shop()
    shop.place(1)
    item = shop.item(1)
    for look in range(round(3 * USUAL_LOOKS)):
        motion.look(item, item.cells[0], -60 + look % 2 * 8, look * US_PER_S)
    assert motion.usual_db == pytest.approx(8.0, rel=0.1)
    assert motion.usual_db > first_db
    assert not item.carried, f"all tags jump so much: it takes {CARRIED_TIMES} times that"


def test_a_restart_remembers_who_was_carried() -> None:
    shop = lying()
    swing(shop, [-55, -62, -52, -60, -50, -58])
    records = [shop.inventory.record(shop.item(1), shop.clock.now_us, shop.clock.utc_us())]
    again = Shop(RACKS, WIDE)
    again.inventory.restore(records, again.clock.now_us, again.clock.utc_us())
    item = again.item(1)
    assert item.presence is Presence.PRESENT
    assert item.carried
    assert item.departed_after_s(again.zones["a"]) == pytest.approx(shop.item(1).departed_after_s(shop.zones["a"]))
    swing(again, [-60] * 3)
    assert not item.carried
