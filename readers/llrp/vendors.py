"""What makers number their own way: the models of readers, and what their tag reports carry besides."""

from struct import Struct
from typing import Final

from readers.llrp import impinj
from readers.llrp.impinj import ParameterSubtype

ZEBRA: Final = 161
ZEBRA_TAG_PHASE: Final = 709
"""MotoTagPhase; the number that real FX9600 readers send."""

MANUFACTURERS: Final = {ZEBRA: "Zebra", 24831: "Sirit", impinj.VENDOR: "Impinj"}
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
    """Such as `Impinj Speedway R420`; the bare numbers where no name is known, nothing where they are not told (0)."""
    maker = MANUFACTURERS.get(manufacturer, f"manufacturer {manufacturer}" if manufacturer else "")
    name = MODELS.get((manufacturer, model), f"model {model}" if model else "")
    return f"{maker} {name}".strip()


TAG_NUMBERS: Final = {
    (impinj.VENDOR, int(ParameterSubtype.RF_PHASE_ANGLE)): Struct(">H"),
    (impinj.VENDOR, int(ParameterSubtype.PEAK_RSSI)): Struct(">h"),
    (impinj.VENDOR, int(ParameterSubtype.RF_DOPPLER_FREQUENCY)): Struct(">h"),
    (ZEBRA, ZEBRA_TAG_PHASE): Struct(">h"),
}
"""(vendor, subtype) of what a report may carry as one number: phase of 4096 to a turn (Impinj), 1/100 dBm, 1/16 Hz."""

WORD_LISTS: Final = frozenset({(impinj.VENDOR, int(ParameterSubtype.SERIALIZED_TID))})
"""Those that carry a count of 16-bit words, and the words."""
