"""Gondolas of the simulated store as a gateway is configured for them, and what they say to the line."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from gateway.domain.params import Bin, Sensor, ShelfParams, Sku
from gateway.domain.records import BinRecord, ProductRecord
from readers.model import InputSample, WeightCondition, WeightSample
from simulators.shop.board import Say, Weighing
from simulators.shop.gondola_plan import BinPlan, GondolaPlan

Sample = WeightSample | InputSample
CONDITIONS = {
    Say.STABLE: WeightCondition.STABLE,
    Say.MOVING: WeightCondition.MOVING,
    Say.OVERLOAD: WeightCondition.OVERLOAD,
}


def bins_of(gondola: GondolaPlan) -> list[Bin]:
    """Its bins, in their order: what its data sheets and its planogram say, and defaults for the rest."""
    return [_bin(gondola, each) for each in gondola.bins]


def _bin(gondola: GondolaPlan, each: BinPlan) -> Bin:
    by_weight = each.sensor == "weight"
    lanes = each.lanes_mm or (None,) * len(each.products)
    skus = []
    for name, lane_mm in zip(each.products, lanes, strict=True):
        product = gondola.product(name)
        weights = {"unit_weight_g": product.unit_g, "variation": product.variation, "tolerance": product.batch}
        skus.append(Sku(product.gtin, most=each.most, lane_mm=lane_mm, **(weights if by_weight else {})))
    scales = gondola.scales
    params = ShelfParams(noise_g=scales.noise_g, division_g=scales.division_g) if by_weight else ShelfParams()
    return Bin(
        gondola.id,
        each.channel,
        gondola.zone,
        tuple(skus),
        Sensor(each.sensor),
        params,
        cells=((each.channel, 0.0), *((cell.channel, cell.at_mm) for cell in each.cells)) if each.cells else (),
        empty_mm=each.empty_mm,
        pitch_mm=each.pitch_mm,
        slots=each.channels if each.sensor == "slots" else (),
    )


def records_of(weighing: Weighing) -> list[BinRecord]:
    """What the ledger holds at the opening: every bin was tared, filled and counted when it was set up."""
    found = []
    for day in weighing.days:
        for number, each in enumerate(bins_of(day.plan)):
            products = tuple(
                ProductRecord(sku.gtin, day.plan.bins[number].pieces, sku.unit_weight_g, 0.0, sku.unit_weight_g)
                for sku in each.skus
            )
            level_g = sum(grams for grams, _ in day.first_g[number])
            found.append(BinRecord(each.reader, each.channel, each.zone, 0.0, 0.0, level_g, 0.0, products))
    return found


def samples_of(weighing: Weighing) -> Iterator[tuple[int, list[Sample]]]:
    """(moment, what was said then), in the order of time."""
    rows = zip(
        weighing.at_us.tolist(), weighing.channel.tolist(), weighing.say.tolist(), weighing.value.tolist(), strict=True
    )
    samples = (_sample(weighing, *row) for row in rows)
    for at_us, said in groupby(samples, attrgetter("at_us")):
        yield at_us, list(said)


def _sample(weighing: Weighing, at_us: int, channel: int, say: int, value: float) -> Sample:
    reader, number = weighing.channels[channel]
    if say == Say.INPUT:
        return InputSample(reader, number, at_us, value)
    return WeightSample(reader, number, at_us, CONDITIONS[Say(say)], None if say == Say.OVERLOAD else value)
