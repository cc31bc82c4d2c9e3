"""A few pieces of several products on one trolley: some tell by their reads, others are heard once where they went."""

import math

import pytest

from gateway.domain.loads import KNOWN_US, LEAST_LOAD, LEAST_NATS, TOGETHER_US, Loads
from gateway.domain.zones import US_PER_S, LiveZone
from tests.gateway.shop import Shop, tag

A, B = 1, 2
PRODUCTS = range(3)
SHELF = range(1, 31)
"""So many of each product that no two of them speak for the others."""
TELLS, TAKEN, LIES = 1, 2, 3
"""One of each product that both zones' reads tell of, one that is heard once on its way, one that is nearby."""


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.read_for(240, [(A, tag(serial, product), -56) for product in PRODUCTS for serial in SHELF], every_s=2.0)
    return shop


def each(serial: int) -> set[tuple[int, int]]:
    """The same piece of each product."""
    return {(serial, product) for product in PRODUCTS}


def read(shop: Shop, seconds: float, telling: set[tuple[int, int]], silent: set[tuple[int, int]]) -> None:
    """`telling` are read in `b`, the `silent` nowhere, all else in `a`."""
    reads = [
        (B, tag(*piece), -54) if piece in telling else (A, tag(*piece), -56)
        for product in PRODUCTS
        for serial in SHELF
        if (piece := (serial, product)) not in silent
    ]
    shop.read_for(seconds, reads, every_s=2.0)


def wheel(shop: Shop, telling: set[tuple[int, int]]) -> None:
    """A trolley with `TAKEN` of each product, which `b` hears once, and with those who go on telling."""
    read(shop, 4, telling, each(TAKEN))
    for product in PRODUCTS:
        shop.hear(B, tag(TAKEN, product), dbm=-70)
    read(shop, 26, telling, each(TAKEN))


def wheel_with_doubts(shop: Shop, nearly: set[tuple[int, int]]) -> None:
    """A trolley of which the pieces of two products tell, and the reads of these others nearly say so."""
    telling, silent = {(TELLS, 0), (TELLS, 1)}, each(TAKEN) | nearly
    read(shop, 4, telling, silent)
    for product in PRODUCTS:
        shop.hear(B, tag(TAKEN, product), dbm=-70)
    for _ in range(2):
        for piece in nearly:
            shop.hear(B, tag(*piece), dbm=-60)
        read(shop, 2, telling, silent)
    read(shop, 16, telling, silent)


def zones_of(shop: Shop, serial: int) -> list[LiveZone | None]:
    return [shop.item(serial, product).zone for product in PRODUCTS]


def test_a_few_of_many_products_that_left_at_one_moment_went_together(shop: Shop) -> None:
    wheel(shop, each(TELLS))
    assert zones_of(shop, TELLS) == [shop.zones["b"]] * 3
    assert zones_of(shop, TAKEN) == [shop.zones["b"]] * 3
    assert [shop.item(TAKEN, product).location.followed_from for product in PRODUCTS] == [shop.zones["a"]] * 3
    assert zones_of(shop, LIES) == [shop.zones["a"]] * 3


def test_two_are_no_load(shop: Shop) -> None:
    wheel(shop, {(TELLS, 0), (TELLS, 1)})
    assert zones_of(shop, TELLS)[:2] == [shop.zones["b"]] * 2
    assert zones_of(shop, TAKEN) == [shop.zones["a"]] * 3


@pytest.mark.parametrize(("seeming", "went"), [(3, "a"), (4, "b")])
def test_of_those_whose_reads_nearly_say_so_four_are_as_good_as_one(shop: Shop, seeming: int, went: str) -> None:
    nearly = {(serial, 2) for serial in range(10, 10 + seeming)}
    wheel_with_doubts(shop, nearly)
    assert zones_of(shop, TAKEN) == [shop.zones[went]] * 3
    assert {shop.item(*piece).zone for piece in nearly} == {shop.zones[went]}


def test_one_that_seemed_to_have_gone_and_has_counts_once(shop: Shop) -> None:
    a, b = shop.zones["a"], shop.zones["b"]
    loads = loads_of(shop, LEAST_LOAD - 1)
    for _ in range(3):
        loads.went(shop.item(20), a, b, shop.clock.now_us, 0.5)
        assert not loads.grown
    loads.went(shop.item(20), a, b, shop.clock.now_us)
    assert list(loads.grown.values()) == [(a, b)]
    loads.grown.clear()
    loads.went(shop.item(20), a, b, shop.clock.now_us)
    assert not loads.grown


def test_those_that_left_one_after_the_other_are_no_load(shop: Shop) -> None:
    read(shop, 16, {(TELLS, 0)}, set())
    read(shop, 16, {(TELLS, 0), (TELLS, 1)}, set())
    wheel(shop, each(TELLS))
    assert zones_of(shop, TELLS) == [shop.zones["b"]] * 3
    assert zones_of(shop, TAKEN) == [shop.zones["a"]] * 3


def test_of_a_product_that_none_is_known_to_have_gone_nothing_follows(shop: Shop) -> None:
    wheel(shop, {(5, 0), (6, 0), (7, 0)})
    assert [shop.item(serial).zone for serial in (5, 6, 7)] == [shop.zones["b"]] * 3
    assert zones_of(shop, TAKEN) == [shop.zones["b"], shop.zones["a"], shop.zones["a"]]


def test_whoever_its_own_zone_has_read_since_was_not_on_it(shop: Shop) -> None:
    read(shop, 8, each(TELLS), set())
    for product in PRODUCTS:
        shop.hear(B, tag(LIES, product), dbm=-70)
    read(shop, 30, each(TELLS), set())
    assert zones_of(shop, TELLS) == [shop.zones["b"]] * 3
    assert zones_of(shop, LIES) == [shop.zones["a"]] * 3


def test_what_was_heard_before_an_outage_of_the_new_zone_says_nothing_of_it(shop: Shop) -> None:
    for product in PRODUCTS:
        shop.hear(B, tag(TAKEN, product), dbm=-70)
    read(shop, 2, set(), each(TAKEN))
    shop.fails("b")
    read(shop, 60, set(), each(TAKEN))
    shop.works("b")
    read(shop, 20, each(TELLS), each(TAKEN))
    assert zones_of(shop, TELLS) == [shop.zones["b"]] * 3
    assert zones_of(shop, TAKEN) == [shop.zones["a"]] * 3


def test_no_look_at_a_great_load_takes_long(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.domain.company.MOST_AT_ONCE", 1)
    wheel(shop, each(TELLS))
    assert zones_of(shop, TAKEN) == [shop.zones["b"]] * 3
    moments = {shop.item(TAKEN, product).changed_us for product in PRODUCTS}
    assert len(moments) == 3
    assert max(moments) - min(moments) <= 10 * US_PER_S


def loads_of(shop: Shop, count: int) -> Loads:
    """So many of product 0 have gone by their own reads; `TAKEN` of each was heard in `b` after that, not in `a`."""
    read(shop, 2, set(), each(TAKEN) | {(LIES, 0)})
    for product in PRODUCTS:
        shop.hear(B, tag(TAKEN, product), dbm=-70)
    shop.tick()
    loads = Loads()
    for serial in range(10, 10 + count):
        loads.went(shop.item(serial), shop.zones["a"], shop.zones["b"], shop.clock.now_us)
    return loads


def test_a_load_holds_what_only_the_new_zone_hears_and_whose_reads_are_not_against_it(shop: Shop) -> None:
    loads, a, b, now_us = loads_of(shop, LEAST_LOAD), shop.zones["a"], shop.zones["b"], shop.clock.now_us
    assert loads.hold(shop.item(TAKEN), a, b, LEAST_NATS, now_us)
    assert not loads.hold(shop.item(TAKEN), a, b, LEAST_NATS - 0.1, now_us)
    assert not loads.hold(shop.item(TAKEN), b, a, LEAST_NATS, now_us)
    assert not loads.hold(shop.item(TAKEN, 1), a, b, LEAST_NATS, now_us)
    shop.read_for(8, [(A, tag(TAKEN), -56)], every_s=2.0)
    assert not loads.hold(shop.item(TAKEN), a, b, LEAST_NATS, shop.clock.now_us)


def test_what_the_new_zone_heard_long_before_was_not_on_a_load(shop: Shop) -> None:
    read(shop, 2, set(), {(LIES, 0)})
    shop.hear(B, tag(LIES), dbm=-70)
    read(shop, 10, set(), {(LIES, 0)})
    loads = loads_of(shop, LEAST_LOAD)
    held = [
        loads.hold(shop.item(serial), shop.zones["a"], shop.zones["b"], 0.0, shop.clock.now_us)
        for serial in (TAKEN, LIES)
    ]
    assert held == [True, False]


def test_out_of_a_zone_that_is_not_looked_at_nothing_follows(shop: Shop) -> None:
    loads = loads_of(shop, LEAST_LOAD)
    shop.fails("a")
    assert not loads.hold(shop.item(TAKEN), shop.zones["a"], shop.zones["b"], LEAST_NATS, shop.clock.now_us)


def test_loads_are_forgotten(shop: Shop) -> None:
    loads = loads_of(shop, LEAST_LOAD)
    assert set(loads.products()) == {shop.item(TAKEN).identity.gtin}
    later_us = shop.clock.now_us + KNOWN_US + TOGETHER_US
    loads.forget(later_us)
    assert not set(loads.products())
    assert not set(loads_of(shop, LEAST_LOAD - 1).products())


def test_loads_of_zones_that_are_configured_away_are_forgotten(shop: Shop) -> None:
    loads = loads_of(shop, LEAST_LOAD)
    loads.configure(shop.zones)
    assert set(loads.products())
    loads.configure({"a": shop.zones["a"]})
    assert not set(loads.products())
    assert not loads.grown


def test_the_moment_at_which_they_left_is_known_where_antennas_take_turns(shop: Shop) -> None:
    """Three left at once and are told 2, 10 and 34 s later, while the zone that they left looks half of the time."""
    (antenna,) = shop.zones["a"].antennas
    told_s = (2, 10, 34)
    gone = each(TELLS) | each(TAKEN)
    for second in range(0, 80, 2):
        resting = second % 8 >= 4
        shop.zones["a"].observe(antenna, working=True, resting=resting, now_us=shop.clock.now_us)
        telling = {(TELLS, product) for product in PRODUCTS if second >= told_s[product]}
        reads = [(B, tag(*piece), -54) for piece in telling]
        if not resting:
            reads += [(A, tag(n, product), -56) for product in PRODUCTS for n in SHELF if (n, product) not in gone]
        if second == 2:
            shop.hear(B, *(tag(TAKEN, product) for product in PRODUCTS), dbm=-70)
        shop.read_for(2, reads, every_s=2.0)
    assert zones_of(shop, TELLS) == [shop.zones["b"]] * 3
    assert zones_of(shop, TAKEN) == [shop.zones["b"]] * 3
    assert zones_of(shop, LIES) == [shop.zones["a"]] * 3


def test_what_an_antenna_that_failed_heard_did_not_leave_with_it(shop: Shop) -> None:
    loads, a, b = Loads(), shop.zones["a"], shop.zones["b"]
    shop.fails("a")
    shop.wait(10)
    loads.went(shop.item(10), a, b, shop.clock.now_us)
    shop.works("a")
    shop.wait(10)
    loads.went(shop.item(11), a, b, shop.clock.now_us)
    assert loads.due_us == math.inf
    read(shop, 4, set(), set())
    loads.went(shop.item(12), a, b, shop.clock.now_us)
    assert loads.due_us <= shop.clock.now_us + KNOWN_US


def test_another_configuration_does_not_keep_those_on_a_load_back(shop: Shop) -> None:
    loads, zones = loads_of(shop, LEAST_LOAD), shop.zones
    loads.configure(zones)
    assert list(loads.grown.values()) == [(zones["a"], zones["b"])]
    loads.configure({"b": zones["b"]})
    assert not loads.grown
    assert loads.due_us == math.inf


def test_who_followed_a_load_and_is_back_tells_nothing_of_its_place(shop: Shop) -> None:
    """Of product 2 none tells outright: four seem to have gone, and what follows stands before them."""
    wheel_with_doubts(shop, {(serial, 2) for serial in range(10, 14)})
    assert zones_of(shop, TAKEN) == [shop.zones["b"]] * 3
    shop.read_for(120, [(A, tag(TAKEN, product), -56) for product in PRODUCTS], every_s=2.0)
    assert zones_of(shop, TAKEN) == [shop.zones["a"]] * 3
    assert not any(shop.item(TAKEN, product).location.told for product in PRODUCTS)
