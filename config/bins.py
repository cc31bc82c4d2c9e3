"""The `[[readers.channels]]` tables of shelf devices: what lies on each channel, and how it is counted.

A channel with a product is a bin. Others of the same reader may belong to it (`part_of`): the cells of one plate, or
the slots of one row.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, Field, create_model, model_validator

from config.base import GTIN_PATTERN, Identifier, Section, check_digit
from config.fields import given, keys_of, names_of
from gateway.domain.countable import refusals
from gateway.domain.params import GAUGES, Bin, Sensor, ShelfParams, Sku

# A channel is the port of a reader, of which LLRP has 16 bits; boards count from 0.
MAX_CHANNEL = 65_535
# Every explanation of a step is compared with every other: eight products make a thousand of them.
MAX_PRODUCTS = 8


def _gtin(digits: str) -> str:
    """As 14 digits, the form that stock is keyed by."""
    if (wanted := check_digit(digits[:-1])) != int(digits[-1]):
        raise ValueError(f"expected a GTIN with the check digit {wanted}")
    return digits.zfill(14)


Gtin = Annotated[str, Field(pattern=GTIN_PATTERN, description="The product that lies there."), AfterValidator(_gtin)]
ChannelNumber = Annotated[int, Field(ge=0, le=MAX_CHANNEL)]
SKU_OWN = frozenset({"gtin"})
SKU_KEYS = names_of(Sku, without=SKU_OWN)
SHELF_KEYS = names_of(ShelfParams)
BIN_OWN = frozenset({"reader", "channel", "zone", "skus", "params", "cells", "slots"})
BIN_KEYS = names_of(Bin, without=BIN_OWN)
OF_GAUGES = frozenset({"sensor", "open_value", "blind_s"})


class SkuBase(Section):
    """One of `skus`: a product of a mixed bin."""

    gtin: Gtin

    def sku(self) -> Sku:
        """The product."""
        return Sku(self.gtin, **given(self, SKU_KEYS))


class ChannelBase(Section):
    """A `[[readers.channels]]` table: one value of the device, the zone it looks at, and what lies there."""

    channel: Annotated[ChannelNumber, Field(description="Its number at the device; 1 where it has one.")]
    zone: Annotated[Identifier, Field(description="The zone that it looks at.")]
    gtin: Gtin | None = None
    part_of: Annotated[ChannelNumber, Field(description="The channel whose bin this one belongs to.")] | None = None
    cell_mm: Annotated[float, Field(description="Where this cell stands under a plate of several.")] | None = None

    if TYPE_CHECKING:
        skus: tuple[SkuBase, ...]
        sensor: Sensor | None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.is_gauge:
            self._senses()
            return self
        if self.part_of is not None and (self.is_bin or given(self, SKU_KEYS | SHELF_KEYS | BIN_KEYS)):
            raise ValueError("expected nothing but zone and cell_mm beside part_of: its bin says the rest")
        if self.gtin is not None and self.skus:
            raise ValueError("expected gtin or skus")
        if not self.is_bin and given(self, SKU_KEYS | SHELF_KEYS | BIN_KEYS):
            raise ValueError("expected gtin or skus beside what is said of a product")
        if self.skus and given(self, SKU_KEYS):
            raise ValueError("expected what is said of a product within skus")
        if self.is_bin:
            self._counts()
        return self

    def _senses(self) -> None:
        """Raises ValueError where more is said of a door or a temperature than there is to say."""
        strange = sorted(given(self, SKU_KEYS | SHELF_KEYS | BIN_KEYS).keys() - OF_GAUGES)
        if self.gtin is not None or self.skus or self.part_of is not None or self.cell_mm is not None or strange:
            other = strange[0] if strange else "cell_mm"
            raise ValueError(f"expected no product, nor part_of or {other}, beside sensor {self.sensor}")
        if self.sensor is not Sensor.DOOR and "open_value" in given(self, BIN_KEYS):
            raise ValueError("expected open_value beside sensor door only")

    def _counts(self) -> None:
        """Raises ValueError where its sensor cannot count what lies there."""
        each = self.bin("", ())
        if len({sku.gtin for sku in each.skus}) < len(each.skus):
            raise ValueError("expected each product once")
        if "open_value" in given(self, BIN_KEYS):
            raise ValueError("expected open_value beside sensor door only")
        if each.sensor is not Sensor.WEIGHT and (len(each.skus) > 1 or self.cell_mm is not None):
            raise ValueError(f"expected one product and no cell_mm beside sensor {each.sensor}")
        is_pusher = each.sensor is Sensor.PUSHER
        if is_pusher != bool(each.pitch_mm) or (not is_pusher and each.empty_mm):
            raise ValueError("expected empty_mm and pitch_mm beside sensor pusher, and only there")
        if any(sku.lane_mm is not None and sku.lane_mm[0] >= sku.lane_mm[1] for sku in each.skus):
            raise ValueError("expected lane_mm as [from, to]")
        if self.cell_mm is None:
            refuse(each)

    @property
    def is_gauge(self) -> bool:
        """A door or a temperature: it is told, and counts nothing."""
        return self.sensor in GAUGES

    @property
    def is_bin(self) -> bool:
        """Products lie there."""
        return self.gtin is not None or bool(self.skus)

    def bin(self, reader: str, parts: Sequence["ChannelBase"]) -> Bin:
        """The bin of this channel and the `parts` that belong to it."""
        skus = tuple(each.sku() for each in self.skus)
        if self.gtin is not None:
            skus = (Sku(self.gtin, **given(self, SKU_KEYS)),)
        every = (self, *parts)
        cells = tuple((each.channel, each.cell_mm) for each in every if each.cell_mm is not None)
        slots = tuple(each.channel for each in every) if self.sensor is Sensor.SLOTS else ()
        params = ShelfParams(**given(self, SHELF_KEYS))
        own = given(self, BIN_KEYS)
        return Bin(reader, self.channel, self.zone, skus, params=params, cells=cells, slots=slots, **own)


def refuse(each: Bin) -> None:
    """Raises ValueError where a bin cannot be counted, with the numbers."""
    reasons = refusals(each)
    if reasons:
        raise ValueError("; ".join(reasons))


def bins_of(reader: str, channels: Sequence[ChannelBase]) -> tuple[Bin, ...]:
    """The bins of a reader's channels. Raises ValueError where parts do not fit their bin."""
    bins = {each.channel: each for each in channels if each.is_bin or each.is_gauge}
    parts: dict[int, list[ChannelBase]] = {number: [] for number in bins}
    for part in channels:
        if part.part_of is None:
            continue
        whole = bins.get(part.part_of)
        if whole is None or whole.is_gauge:
            raise ValueError(f"channel {part.channel}: expected part_of to name a channel with a product")
        if part.zone != whole.zone:
            raise ValueError(f"channel {part.channel}: expected the zone of channel {whole.channel}")
        if whole.sensor is Sensor.PUSHER or (whole.sensor is Sensor.SLOTS) == (part.cell_mm is not None):
            raise ValueError(f"channel {part.channel}: expected a slot of slots, or a cell with a cell_mm")
        parts[whole.channel].append(part)
    made = tuple(each.bin(reader, parts[number]) for number, each in bins.items())
    for each in made:
        places = {place for _, place in each.cells}
        if each.cells and (
            len(each.cells) < 2 or len(places) < len(each.cells) or len(each.cells) < len(parts[each.channel]) + 1
        ):
            raise ValueError(f"channel {each.channel}: expected cells at places of their own, two at least")
        refuse(each)
    return made


# Their keys come from dataclasses at run time, where a type checker cannot follow; `fields.given` reads them.
if TYPE_CHECKING:
    SkuSection = SkuBase
    ChannelSection = ChannelBase
else:
    SkuSection = create_model("SkuSection", __base__=SkuBase, __module__=__name__, **keys_of(Sku, without=SKU_OWN))
    SKUS: tuple[Any, Any] = (
        tuple[SkuSection, ...],
        Field(default=(), strict=False, max_length=MAX_PRODUCTS, description="The products of a mixed bin."),
    )
    ChannelSection = create_model(
        "ChannelSection",
        __base__=ChannelBase,
        __module__=__name__,
        skus=SKUS,
        **keys_of(Sku, without=SKU_OWN),
        **keys_of(ShelfParams),
        **keys_of(Bin, without=BIN_OWN),
    )
