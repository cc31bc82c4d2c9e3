"""What Impinj readers say beyond the standard: numbers and bytes of their extensions. Pure.

Vendor 25882; the numbers are those of the Octane LLRP guide. Nothing here is sent to another maker's reader.
"""

from enum import IntEnum
from struct import Struct
from typing import Final

VENDOR: Final = 25882
"""Impinj's IANA private enterprise number."""

CUSTOM_MESSAGE: Final = Struct(">IB")
"""Vendor and subtype, in front of a CUSTOM_MESSAGE's own content (LLRP 1.0.1 section 16.1.43)."""

RESERVED_BYTES: Final = 4
"""What IMPINJ_ENABLE_EXTENSIONS carries, all zero."""


class MessageSubtype(IntEnum):
    """Subtypes of CUSTOM_MESSAGE."""

    ENABLE_EXTENSIONS = 21
    ENABLE_EXTENSIONS_RESPONSE = 22


class ParameterSubtype(IntEnum):
    """Subtypes of Custom that a report or a configuration may carry."""

    REQUESTED_DATA = 21
    INVENTORY_SEARCH_MODE = 23
    READER_TEMPERATURE = 37
    TAG_REPORT_CONTENT_SELECTOR = 50
    SERIALIZED_TID = 55
    RF_PHASE_ANGLE = 56
    PEAK_RSSI = 57
    RF_DOPPLER_FREQUENCY = 68


class SearchType(IntEnum):
    """ImpinjInventorySearchMode: whether a tag that was read answers again, and from which state."""

    READER_SELECTED = 0
    SINGLE_TARGET = 1
    DUAL_TARGET = 2
    SINGLE_TARGET_WITH_SUPPRESSION = 3
    SINGLE_TARGET_B_TO_A = 5
    DUAL_TARGET_WITH_B_TO_A_SELECT = 6


class RequestedData(IntEnum):
    """ImpinjRequestedData: what a GET_READER_CONFIG asks for besides."""

    READER_TEMPERATURE = 2004


def enable_extensions() -> bytes:
    """The content of the CUSTOM_MESSAGE that switches the extensions on, for this connection."""
    return CUSTOM_MESSAGE.pack(VENDOR, MessageSubtype.ENABLE_EXTENSIONS) + bytes(RESERVED_BYTES)


def extensions_answer(body: bytes) -> bytes | None:
    """The parameters of its answer, None where a CUSTOM_MESSAGE is something else."""
    if len(body) < CUSTOM_MESSAGE.size:
        return None
    vendor, subtype = CUSTOM_MESSAGE.unpack_from(body)
    ours = vendor == VENDOR and subtype == MessageSubtype.ENABLE_EXTENSIONS_RESPONSE
    return body[CUSTOM_MESSAGE.size :] if ours else None
