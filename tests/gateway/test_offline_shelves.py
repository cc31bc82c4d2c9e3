"""Shelves on recorded time: counted by the rules of the daemon, and told when they cannot be relied upon."""

import json
from collections.abc import Iterator
from random import Random

import pytest

from config.layout import Layout
from gateway.domain.inventory import TICK_US
from gateway.domain.params import Bin, Precedence, ShelfParams, Sku, Zone, ZoneKind
from gateway.domain.zones import US_PER_S, ZoneState
from gateway.offline import Level, OfflineLine
from gateway.trace.layouts import layout_as_json, layout_from_json, records_as_json, records_from_json
from readers.model import InputSample, WeightCondition, WeightSample
from tests.gateway.scales import GTINS, READER, filled, pushed, sku, slotted, weighed

START_US = 1_790_000_000 * US_PER_S + 123_456
PERIOD_US = US_PER_S // 5
ZONES = (Zone("a", ZoneKind.SHELF), Zone("b", ZoneKind.SHELF))
Sample = WeightSample | InputSample


def line(*bins: Bin, every_tick: bool = False, **keys: object) -> OfflineLine:
    antennas = {(each.reader, channel): each.zone for each in bins for channel in each.channels}
    return OfflineLine(ZONES, antennas, start_us=START_US, every_tick=every_tick, bins=bins, **keys)  # type: ignore[arg-type]


def shown(start_s: float, seconds: float, grams: float, channel: int = 1, seed: int = 1) -> Iterator[Sample]:
    """A scale shows this weight for so long."""
    rng = Random(seed)
    for number in range(round(seconds * US_PER_S / PERIOD_US)):
        at_us = START_US + round(start_s * US_PER_S) + number * PERIOD_US
        yield WeightSample(READER, channel, at_us, WeightCondition.STABLE, grams + rng.gauss(0, 0.3))


def test_a_piece_that_is_taken_is_said_within_the_tick_after_it_has_settled() -> None:
    one = line(weighed())
    for sample in (*shown(0, 10, 5 * 182.0), *shown(10, 10, 4 * 182.0)):
        one.sample(sample)
    assert [(level.gtin, level.zone, level.quantity) for level in one.levels] == [
        (GTINS[0], "a", 5),
        (GTINS[0], "a", 4),
    ]
    assert all(level.said_us % TICK_US == 0 for level in one.levels)
    assert START_US + 10 * US_PER_S < one.levels[1].said_us < START_US + 12 * US_PER_S
    assert [(row.gtin, row.quantity) for row in one.stock] == [(GTINS[0], 4)]


def test_what_lay_there_at_the_start_is_known() -> None:
    mixed = weighed(sku(182.0), sku(250.0, 1))
    record = filled(0, params=mixed).bin.record()
    kept = records_from_json(json.loads(json.dumps(records_as_json([record]))))
    assert kept == (record,)
    one = line(mixed, records=kept)
    assert [(level.gtin, level.quantity) for level in one.levels] == [(GTINS[1], 0), (GTINS[0], 0)]
    for sample in (*shown(0, 10, 0.0), *shown(10, 10, 250.0)):
        one.sample(sample)
    assert one.levels[2:] == [Level(one.levels[2].said_us, GTINS[1], "a", 1)]


@pytest.mark.parametrize("seed", range(4))
def test_ticks_that_are_skipped_would_have_changed_nothing(seed: int) -> None:
    rng = Random(seed)
    bins = weighed(), weighed(sku(product=1), channel=2, zone="b")
    samples: list[Sample] = []
    start_s = 0.0
    for _ in range(12):
        channel = rng.choice((1, 2))
        samples += shown(start_s, rng.uniform(2, 12), rng.randint(0, 9) * 182.0, channel, rng.randint(0, 99))
        start_s += 13 + rng.choice((0, 0, 40, 4_000))
    patient, eager = line(*bins), line(*bins, every_tick=True)
    for one in (patient, eager):
        for sample in samples:
            one.sample(sample)
        one.advance(samples[-1].at_us + 600 * US_PER_S)
    assert len(patient.levels) > 3
    assert patient.levels == eager.levels
    since = [[zone.since_us for zone in one.inventory.zones.values()] for one in (patient, eager)]
    assert since[0] == since[1]


def test_a_scale_that_falls_silent_makes_its_zone_stale_and_its_count_stands_still() -> None:
    one = line(weighed())
    for sample in shown(0, 10, 5 * 182.0):
        one.sample(sample)
    zone = one.inventory.zones["a"]
    assert zone.state is not ZoneState.STALE
    one.advance(START_US + 60 * US_PER_S)
    assert zone.state is ZoneState.STALE
    assert zone.since_us < START_US + 17 * US_PER_S
    assert [(row.gtin, row.quantity) for row in one.stock] == [(GTINS[0], 5)]


def test_inputs_count_as_scales_do() -> None:
    one = line(pushed(), slotted(21, 22, 23, zone="b"))
    for number in range(20):
        at_us = START_US + number * PERIOD_US
        one.sample(InputSample(READER, 11, at_us, 301.0))
        for channel, covered in ((21, 1.0), (22, 0.0), (23, 1.0)):
            one.sample(InputSample(READER, channel, at_us, covered))
    assert {(row.zone, row.quantity) for row in one.stock} == {("a", 2), ("b", 2)}


def test_a_layout_carries_its_bins() -> None:
    bins = (
        weighed(
            Sku(GTINS[0], 182.0, lane_mm=(0.0, 300.0)),
            Sku(GTINS[1], 250.0, most=12),
            params=ShelfParams(noise_g=0.4, precedence=Precedence.RFID),
            cells=((1, 0.0), (2, 600.0)),
        ),
        pushed(),
        slotted(21, 22),
    )
    layout = Layout(ZONES, {(READER, 1): "a"}, bins=bins)
    told = json.loads(json.dumps(layout_as_json(layout)))
    told["bins"][0]["params"]["of_another_version"] = 1
    assert layout_from_json(told).bins == bins
