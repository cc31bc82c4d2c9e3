"""A bin as plain JSON values, for the API and for people."""

from collections.abc import Mapping
from typing import Any

from gateway.domain.gauge import Gauge
from gateway.domain.mixture import DOUBT, Mixture
from gateway.domain.shelves import AnyBin
from gateway.domain.weight import WeightBin


def bin_view(each: AnyBin, trouble: str | None) -> dict[str, Any]:
    """One bin; `trouble`: why it cannot be relied upon."""
    params = each.params
    shown: dict[str, Any] = {
        "reader": params.reader,
        "channel": params.channel,
        "zone": params.zone,
        "sensor": params.sensor.value,
        "state": "ok" if trouble is None else "blind",
        "text": trouble or "",
        "gtins": [sku.gtin for sku in params.skus],
        "products": [
            {"gtin": gtin, "pieces": pieces, "confirmed": confirmed} for gtin, pieces, confirmed in each.counts()
        ],
    }
    if isinstance(each, Gauge):
        shown["value"] = each.value
        if each.is_open is not None:
            shown["open"] = each.is_open
    if isinstance(each, WeightBin):
        shown["grams"] = None if each.grams is None else round(each.grams, 1)
        shown["still"] = each.still
        shown["unexplained_g"] = round(each.counting.unexplained_g, 1)
        shown["zero_g"] = round(each.zero_g, 1)
        if isinstance(each.counting, Mixture):
            shown["stories"] = _stories(each, each.counting)
        shown["unit_weights_g"] = {product.sku.gtin: round(product.unit_g, 2) for product in each.products}
    return shown


def shows(view: Mapping[str, Any]) -> str:
    """What a bin's sensor shows, in a word or two."""
    if view.get("grams") is not None:
        return f"{view['grams']:,.0f} g"
    if "open" in view:
        return "open" if view["open"] else "closed"
    return "" if view.get("value") is None else f"{view['value']:.1f} °C"


def _stories(each: WeightBin, counting: Mixture) -> list[dict[str, Any]]:
    """What may lie in a bin of several products, the likeliest first."""
    gtins = [product.sku.gtin for product in each.products]
    return [
        {
            "chance": round(chance, 3),
            "pieces": dict(zip(gtins, story.pieces, strict=True)),
            "foreign_g": round(story.foreign_g, 1),
        }
        for story, chance in counting.chances()
        if chance > DOUBT
    ]
