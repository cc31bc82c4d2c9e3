"""A product of a bin at run time: its pieces, and what one of them weighs, as configured and as learnt since."""

import math
from dataclasses import dataclass

from gateway.domain.params import Sku
from gateway.domain.records import BinRecord

# A piece teaches its product's weight as if at most so many had been weighed before: batches differ.
LEARNT_PIECES = 100
# A learnt weight further than this from the configured one is another product, or a wrong scale.
LEARNT_SHARE = 0.02


@dataclass(slots=True)
class Product:
    """One SKU of the bin at run time: its pieces, and the unit weight as it was configured and then learnt."""

    sku: Sku
    pieces: int
    unit_g: float
    learnt: float = 0.0

    def learn(self, piece_g: float, sd_g: float) -> None:
        """A piece weighed so much, give or take the scale's own `sd_g`."""
        variance = (self.sku.variation * self.sku.unit_weight_g) ** 2 + sd_g**2
        prior = variance / max(self.sku.tolerance * self.sku.unit_weight_g, 1e-9) ** 2
        self.unit_g += (piece_g - self.unit_g) / (prior + self.learnt + 1)
        furthest_g = LEARNT_SHARE * self.sku.unit_weight_g
        self.unit_g = min(max(self.unit_g, self.sku.unit_weight_g - furthest_g), self.sku.unit_weight_g + furthest_g)
        self.learnt = min(self.learnt + 1, LEARNT_PIECES)

    def tolerance(self, sd_g: float) -> float:
        """The relative standard deviation of the unit weight, as far as it has been learnt."""
        variance = (self.sku.variation * self.sku.unit_weight_g) ** 2 + sd_g**2
        prior = variance / max(self.sku.tolerance * self.sku.unit_weight_g, 1e-9) ** 2
        return math.sqrt(variance / (prior + self.learnt)) / self.sku.unit_weight_g


def take_up(sku: Sku, record: BinRecord | None) -> Product:
    """A product as the ledger knows it; a learnt weight only while the configured one is the same."""
    known = record.product(sku.gtin) if record is not None else None
    if known is None:
        return Product(sku, 0, sku.unit_weight_g)
    if known.configured_g != sku.unit_weight_g:
        return Product(sku, known.pieces, sku.unit_weight_g)
    return Product(sku, known.pieces, known.unit_g, known.learnt)
