from dataclasses import replace

import pytest

from gateway.domain.gauge import Gauge
from gateway.domain.params import Precedence, Sensor, ShelfParams
from gateway.domain.recount import RecountError
from gateway.domain.shelves import Shelves
from gateway.domain.stock import Tally
from gateway.domain.weight import Blind
from gateway.domain.zones import US_PER_S
from readers.model import InputSample, WeightCondition, WeightSample
from tests.gateway.scales import GTINS, READER, gauge, pushed, show, sku, slotted, tell, weighed

START_US = 1_000 * US_PER_S
UNIT_G = 182.0


def shop(*bins: object) -> Shelves:
    shelves = Shelves()
    shelves.restore(bins, [])  # type: ignore[arg-type]
    return shelves


def test_bins_of_the_same_product_in_a_zone_add_up() -> None:
    shelves = shop(weighed(channel=1), weighed(channel=2), weighed(channel=3, zone="b"))
    show(shelves, START_US, 7, c1=2 * UNIT_G, c2=3 * UNIT_G, c3=UNIT_G)
    assert shelves.changes() == {(GTINS[0], "a"): Tally(5, 5), (GTINS[0], "b"): Tally(1, 1)}
    assert shelves.changes() == {}


def test_only_what_has_changed_is_told() -> None:
    shelves = shop(weighed(channel=1), pushed(11))
    now_us = show(shelves, START_US, 7, c1=2 * UNIT_G)
    now_us = tell(shelves, now_us, 3, c11=300)
    assert shelves.changes() == {(GTINS[0], "a"): Tally(2, 2), (GTINS[1], "a"): Tally(2, 2)}
    show(shelves, now_us, 2, c1=UNIT_G)
    assert shelves.changes() == {(GTINS[0], "a"): Tally(1, 1)}


def test_samples_that_no_bin_waits_for_are_counted() -> None:
    shelves = shop(weighed(channel=1), pushed(11))
    shelves.hear(WeightSample(READER, 5, START_US, WeightCondition.STABLE, 1.0))
    shelves.hear(WeightSample(READER, 11, START_US, WeightCondition.STABLE, 1.0))
    shelves.hear(InputSample(READER, 1, START_US, 1.0))
    assert shelves.unmapped_samples == 3


def test_what_a_person_has_counted_fits_the_bin() -> None:
    shelves = shop(weighed(sku(), sku(250, 1, most=6), channel=1), pushed(11))
    now_us = show(shelves, START_US, 7, c1=UNIT_G)
    for pieces, words in (
        ({GTINS[0]: 1}, f"nothing is said of GTIN {GTINS[1]}"),
        ({GTINS[0]: 1, GTINS[1]: 0, GTINS[2]: 1}, f"no GTIN {GTINS[2]} lies there"),
        ({GTINS[0]: -1, GTINS[1]: 0}, "cannot lie there"),
        ({GTINS[0]: 1, GTINS[1]: 7}, f"7 of GTIN {GTINS[1]} cannot lie there"),
    ):
        with pytest.raises(RecountError, match=words):
            shelves.recount((READER, 1), pieces, now_us)
    with pytest.raises(RecountError, match="its inputs say"):
        shelves.recount((READER, 11), {GTINS[1]: 1}, now_us)
    with pytest.raises(KeyError):
        shelves.recount((READER, 2), {GTINS[0]: 1}, now_us)
    assert (shelves.changes(), shelves.take_recounted()) == ({}, set())
    made = shelves.recount((READER, 1), {GTINS[0]: 1, GTINS[1]: 0}, now_us)
    assert (made.before, made.pieces) == ({GTINS[0]: None, GTINS[1]: None}, {GTINS[0]: 1, GTINS[1]: 0})
    assert made.zero_moved_g == 0, "its weight agrees"
    assert shelves.changes() == {(GTINS[0], "a"): Tally(1, 1), (GTINS[1], "a"): Tally(0, 0)}
    assert shelves.take_recounted() == {(GTINS[0], "a"), (GTINS[1], "a")}
    assert shelves.take_recounted() == set()


def test_every_channel_of_a_bin_is_blind_with_it() -> None:
    shelves = shop(weighed(channel=1), slotted(21, 22))
    assert shelves.look(START_US) == {READER}
    assert shelves.blind.keys() == {(READER, 1), (READER, 21), (READER, 22)} == shelves.channels
    now_us = show(shelves, START_US, 7, c1=0)
    assert shelves.look(now_us) == {READER}
    assert shelves.look(now_us) == set()
    assert shelves.blind.keys() == {(READER, 21), (READER, 22)}


def test_a_door_explains_why_a_bin_does_not_rest() -> None:
    shelves = shop(weighed(channel=1), weighed(channel=2, zone="b"), gauge(7, Sensor.DOOR))
    now_us = show(shelves, START_US, 7, c1=UNIT_G, c2=UNIT_G)
    assert shelves.look(now_us) == {READER}
    assert shelves.blind == {(READER, 7): "nothing was heard of it yet"}
    for turn in range(1_300):
        now_us = show(shelves, now_us, 0.1, c1=UNIT_G * (turn % 3), c2=UNIT_G * (turn % 3))
        if turn % 40 == 0:
            tell(shelves, now_us, 0.1, c7=0)
    assert shelves.look(now_us) == {READER}
    assert shelves.blind == {(READER, 1): Blind.DOOR, (READER, 2): Blind.RESTLESS}
    tell(shelves, now_us, 0.1, c7=1)
    shelves.look(now_us)
    assert shelves.blind[READER, 1] == Blind.RESTLESS, "it is closed, and was not slammed for two minutes"
    shelves.look(now_us + 60 * US_PER_S)
    assert shelves.blind[READER, 7] == "it says nothing any more"


@pytest.mark.parametrize(
    ("open_value", "said", "is_open"), [(0, 0, True), (0, 1, False), (1, 1, True), (1, None, None)]
)
def test_what_a_door_says(open_value: int, said: float | None, is_open: bool | None) -> None:
    shelves = shop(gauge(7, Sensor.DOOR, open_value=open_value), gauge(8, Sensor.TEMPERATURE))
    tell(shelves, START_US, 1, c7=said, c8=-18.5)
    door, celsius = shelves.bins.values()
    assert isinstance(door, Gauge)
    assert isinstance(celsius, Gauge)
    assert (door.is_open, celsius.is_open, celsius.value) == (is_open, None, -18.5)
    assert (shelves.changes(), shelves.take_records(), shelves.unmapped_samples) == ({}, [], 0)
    with pytest.raises(RecountError):
        shelves.recount((READER, 7), {}, START_US)


def test_what_has_changed_is_to_be_written_once() -> None:
    shelves = shop(weighed(channel=1), weighed(channel=2))
    shelves.take_records()
    now_us = show(shelves, START_US, 7, c1=2 * UNIT_G, c2=0)
    assert {record.channel for record in shelves.take_records()} == {1, 2}
    show(shelves, now_us, 2, c1=UNIT_G, c2=0)
    (record,) = shelves.take_records()
    assert (record.channel, record.products[0].pieces) == (1, 1)
    assert shelves.take_records() == []


def test_a_restart_knows_what_was_counted_and_what_is_counted_no_longer() -> None:
    shelves = shop(weighed(channel=1), weighed(channel=2, zone="b"))
    show(shelves, START_US, 7, c1=2 * UNIT_G, c2=UNIT_G)
    records = shelves.take_records()
    after = Shelves()
    assert after.restore([weighed(channel=1)], records) == {(GTINS[0], "a"): Tally(2, 2), (GTINS[0], "b"): None}
    assert after.take_dropped() == [(READER, 2)]
    assert after.changes() == {(GTINS[0], "b"): None}


def test_another_configuration_leaves_bins_alone_that_it_does_not_change() -> None:
    shelves = shop(weighed(channel=1), weighed(channel=2), weighed(channel=3))
    show(shelves, START_US, 7, c1=2 * UNIT_G, c2=3 * UNIT_G, c3=UNIT_G)
    shelves.changes()
    kept = shelves.bins[READER, 1]
    shelves.configure([weighed(channel=1), weighed(channel=2, params=ShelfParams(noise_g=2))])
    assert shelves.bins[READER, 1] is kept
    assert shelves.take_dropped() == [(READER, 3)]
    assert shelves.changes() == {(GTINS[0], "a"): Tally(5, 5)}
    shelves.configure([weighed(channel=1, zone="b")])
    assert shelves.changes() == {(GTINS[0], "a"): None}, "what stands elsewhere now is met anew"


def test_a_bin_that_comes_back_before_it_was_forgotten_is_not() -> None:
    shelves = shop(weighed(channel=1))
    shelves.configure([])
    shelves.configure([weighed(channel=1)])
    assert shelves.take_dropped() == []


def test_tags_go_first_where_the_bin_says_so_and_antennas_look() -> None:
    by_tags = ShelfParams(precedence=Precedence.RFID)
    shelves = shop(weighed(channel=1, params=by_tags), weighed(sku(90, 1), channel=2), weighed(channel=3, zone="b"))
    assert shelves.by_tags(["a", "b"]) == {(GTINS[0], "a")}
    assert shelves.by_tags(["b"]) == frozenset()


def test_the_most_patient_bin_of_a_row_says_how_long_tags_may_differ() -> None:
    patient = ShelfParams(disagree_s=600)
    shelves = shop(weighed(channel=1, params=replace(patient, disagree_s=60)), weighed(channel=2, params=patient))
    assert shelves.disagree_s() == {(GTINS[0], "a"): 600}
