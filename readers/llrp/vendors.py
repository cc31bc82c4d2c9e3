"""Names for the numbers by which readers introduce themselves (GeneralDeviceCapabilities)."""

from typing import Final

MANUFACTURERS: Final = {161: "Zebra", 24831: "Sirit", 25882: "Impinj"}
"""IANA private enterprise numbers."""

MODELS: Final = {
    (25882, 2001001): "Speedway R220",
    (25882, 2001002): "Speedway R420",
    (25882, 2001003): "xPortal",
    (25882, 2001007): "xArray",
    (25882, 2001008): "xSpan",
    (25882, 2001009): "Speedway R120",
    (25882, 2001052): "R700",
}


def model_name(manufacturer: int, model: int) -> str:
    """Such as `Impinj Speedway R420`; the bare numbers where no name is known."""
    maker = MANUFACTURERS.get(manufacturer, f"manufacturer {manufacturer}")
    return f"{maker} {MODELS.get((manufacturer, model), f'model {model}')}"
