"""Which tags may answer at all: masks over the EPC, as Gen2 Select commands. Pure.

A filter spares air time; what counts as stock is decided elsewhere, so a reader that refuses filters only reads more.
"""

from enum import IntEnum
from typing import Any, Final

from readers.llrp.settings import EpcMask

EPC_BANK: Final = 1
"""MB of C1G2TagInventoryMask, LLRP 1.0.1 section 16.3.1.2.1.1.1."""

EPC_START_BIT: Final = 32
"""The EPC follows StoredCRC and StoredPC in its bank (Gen2 section 6.3.2.1.2)."""

DO_NOT_TRUNCATE: Final = 1
"""T of C1G2Filter, section 16.3.1.2.1.1: a truncated EPC could not be told apart any more."""


class FilterAction(IntEnum):
    """C1G2TagInventoryStateUnawareFilterAction, section 16.3.1.2.1.1.3: what is done to tags in and out of the mask."""

    SELECT_OTHERS_NOT = 0
    SELECT = 1


def filter_fields(masks: tuple[EpcMask, ...]) -> list[dict[str, Any]]:
    """The C1G2Filter parameters, in the codec's form, that let tags of any of `masks` answer.

    The first selects its tags and deselects all others; each further one adds its own.
    """
    return [
        {
            "T": DO_NOT_TRUNCATE,
            "C1G2TagInventoryMask": {
                "MB": EPC_BANK,
                "Pointer": EPC_START_BIT,
                "TagMask": mask.data.hex(),
                "MaskBitCount": mask.bits,
            },
            "C1G2TagInventoryStateUnawareFilterAction": {
                "Action": FilterAction.SELECT if number else FilterAction.SELECT_OTHERS_NOT
            },
        }
        for number, mask in enumerate(masks)
    ]
