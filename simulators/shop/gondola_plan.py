"""What a scenario file may say of a gondola: its products, its bins, its scales and inputs, and who comes to it.

Weights are grams, lengths millimetres, times seconds. The defaults are frozen like the noise of the air.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simulators.epc import gtin14
from simulators.shop.section import Identifier, NotNegative, Positive, Section, Share, Span

Channel = Annotated[int, Field(ge=0, le=65_535)]
# An indicator digit and an item reference; with the company prefix they are 13 digits.
GTIN_DIGITS = 13


class ProductPlan(Section):
    """One product of the gondola."""

    id: Identifier
    prefix: Annotated[str, Field(pattern=r"^[0-9]{6,12}$")]
    reference: Annotated[str, Field(pattern=r"^[0-9]{1,7}$")]
    # What a piece weighs by its data sheet; a delivery is off by `batch` (relative standard deviation), a piece of it
    # by `variation`.
    unit_g: Positive
    variation: Annotated[float, Field(ge=0, le=0.2)] = 0.01
    batch: Annotated[float, Field(ge=0, le=0.05)] = 0.003
    # Every piece carries a tag.
    tagged: bool = False
    # So many more stand in the back room; only tagged pieces can run out there.
    spare: Annotated[int, Field(ge=0, le=1000)] = 0

    @model_validator(mode="after")
    def _is_a_gtin(self) -> Self:
        if len(self.prefix + self.reference) != GTIN_DIGITS:
            raise ValueError(f"prefix and reference have {GTIN_DIGITS} digits together")
        return self

    @property
    def gtin(self) -> str:
        """GTIN-14."""
        return gtin14(self.prefix, self.reference)


class CellPlan(Section):
    """One load cell of several under a plate, and where it stands."""

    channel: Channel
    at_mm: float


class BinPlan(Section):
    """A place on the gondola and what counts it: one scale, a plate on several cells, a pusher, or slots."""

    channel: Channel
    sensor: Literal["weight", "pusher", "slots"] = "weight"
    # Ids; several: a mixed bin, or (with `lanes_mm`) lanes side by side.
    products: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    # Of each product: at the opening, and at most.
    pieces: Annotated[int, Field(ge=0, le=500)]
    most: Annotated[int, Field(ge=1, le=500)]
    # The other cells of its plate; its own stands at 0.
    cells: tuple[CellPlan, ...] = ()
    lanes_mm: tuple[tuple[float, float], ...] = ()
    # The other slots; each piece covers one.
    slots: tuple[Channel, ...] = ()
    empty_mm: NotNegative = 0.0
    pitch_mm: NotNegative = 0.0

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if self.sensor != "weight" and (len(self.products) > 1 or self.cells):
            raise ValueError(f"a bin of sensor {self.sensor} has one product and no cells")
        if (self.sensor == "pusher") != bool(self.pitch_mm):
            raise ValueError("pitch_mm belongs to a pusher, and a pusher needs it")
        if self.sensor == "slots" and self.most != len(self.slots) + 1:
            raise ValueError("a bin of slots holds as many pieces as it has slots")
        if self.lanes_mm and (len(self.lanes_mm) != len(self.products) or not self.cells):
            raise ValueError("lanes_mm has a lane for each product, and needs cells")
        if self.pieces > self.most:
            raise ValueError("there are more pieces than it holds at most")
        return self

    @property
    def channels(self) -> tuple[int, ...]:
        """Every channel that it is counted by."""
        return (self.channel, *(cell.channel for cell in self.cells), *self.slots)


class Scales(Section):
    """How the gondola weighs and senses."""

    rate_hz: Annotated[float, Field(ge=1, le=50)] = 5.0
    # Shelf load cells of some kilograms behind a 24-bit converter.
    noise_g: NotNegative = 0.6
    division_g: NotNegative = 0.1
    # 0.02 to 0.05 % of the load is what data sheets of class C3 allow.
    creep_share: NotNegative = 0.0003
    # The zero of a cell follows the temperature by so much (standard deviation over cells, either sign).
    zero_g_per_k: NotNegative = 0.5
    # The shop's heating: it swings by so much to either side, once in so long.
    swing_k: NotNegative = 1.5
    swing_s: Positive = 2700.0
    # Optical sensors of distance.
    distance_noise_mm: NotNegative = 3.0


class Shoppers(Section):
    """Who comes to the gondola and what they do. Spans are (shortest, longest) in seconds."""

    per_hour: NotNegative = 90.0
    # Looks at a bin before somebody goes.
    looks: Annotated[int, Field(ge=1, le=10)] = 3
    touching_share: Share = 0.2
    leaning_share: Share = 0.04
    # Of those who take: so many take two, so many three pieces at once.
    two_share: Share = 0.12
    three_share: Share = 0.03
    # Of what was taken: so much is put back, and of that so much where it does not belong.
    back_share: Share = 0.25
    wrong_bin_share: Share = 0.08
    reading_s: Span = (2.0, 40.0)
    between_s: Span = (3.0, 20.0)
    # Staff come so often and fill what is half empty, some pieces a hand.
    refills_per_hour: NotNegative = 4.0
    handful: Annotated[int, Field(ge=1, le=12)] = 4
    # What lies where it does not belong is brought home by them.
    tidying_share: Share = 0.8


class ShelfFault(Section):
    """A channel says nothing for a while, or cannot weigh: a bag stands on it."""

    kind: Literal["silent", "overload"]
    channel: Channel
    at_s: NotNegative
    for_s: Positive = 60.0


class GondolaPlan(Section):
    """A piece of furniture whose board says on one serial line what all its channels show."""

    id: Identifier
    zone: Identifier
    products: Annotated[tuple[ProductPlan, ...], Field(min_length=1)]
    bins: Annotated[tuple[BinPlan, ...], Field(min_length=1)]
    scales: Scales = Scales()
    shoppers: Shoppers = Shoppers()
    shelf_faults: tuple[ShelfFault, ...] = ()

    @model_validator(mode="after")
    def _refers_to_what_there_is(self) -> Self:
        known = [product.id for product in self.products]
        if len(set(known)) < len(known):
            raise ValueError(f"gondola {self.id}: two products have the same id")
        for each in self.bins:
            for product in each.products:
                if product not in known:
                    raise ValueError(f"gondola {self.id}, channel {each.channel}: no product {product!r}")
        channels = [channel for each in self.bins for channel in each.channels]
        if len(set(channels)) < len(channels):
            raise ValueError(f"gondola {self.id}: two bins have the same channel")
        for fault in self.shelf_faults:
            if fault.channel not in channels:
                raise ValueError(f"gondola {self.id}: {fault.kind} fault: no channel {fault.channel}")
        return self

    def product(self, name: str) -> ProductPlan:
        """A product by its id."""
        return next(product for product in self.products if product.id == name)
