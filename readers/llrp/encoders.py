"""Encoders for the parameters that the codec behind messages.py cannot write, or writes wrongly. Pure.

Each takes the codec's dictionary form and gives the bytes behind the parameter's header.
"""

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, Final, NamedTuple

Fields = Mapping[str, Any]

HIGH: Final = 0x80
"""A single flag stands in the highest bit of its byte."""

PORT_AND_FLAG: Final = Struct(">HB")
TRIGGER: Final = Struct(">HBI")
MASK: Final = Struct(">BHH")


class Encoder(NamedTuple):
    """The type number of a parameter, and what makes its content."""

    kind: int
    encode: Callable[[Fields], bytes]


def _output(fields: Fields) -> bytes:
    """GPOWriteData, LLRP 1.0.1 section 16.2.6.3."""
    return PORT_AND_FLAG.pack(fields["GPOPortNumber"], HIGH if fields["GPOData"] else 0)


def _trigger(fields: Fields) -> bytes:
    """GPITriggerValue, section 16.2.4.1.1.1.2."""
    return TRIGGER.pack(fields["GPIPortNum"], HIGH if fields["GPIEvent"] else 0, fields["Timeout"])


def _mask(fields: Fields) -> bytes:
    """C1G2TagInventoryMask, section 16.3.1.2.1.1.1: a bit count of its own where it is given."""
    digits: str = fields["TagMask"]
    bits: int = fields.get("MaskBitCount", 4 * len(digits))
    data = bytes.fromhex(digits + "0" * (len(digits) % 2))[: (bits + 7) // 8]
    spare = -bits % 8
    if spare:
        data = data[:-1] + bytes((data[-1] >> spare << spare,))
    return MASK.pack(fields["MB"] << 6, fields["Pointer"], bits) + data


def _filter_action(fields: Fields) -> bytes:
    """C1G2TagInventoryStateUnawareFilterAction, section 16.3.1.2.1.1.3."""
    return bytes((fields["Action"],))


ENCODERS: Final[Mapping[str, Encoder]] = {
    "GPITriggerValue": Encoder(181, _trigger),
    "GPOWriteData": Encoder(219, _output),
    "C1G2TagInventoryMask": Encoder(332, _mask),
    "C1G2TagInventoryStateUnawareFilterAction": Encoder(334, _filter_action),
}
"""By the codec's name of the parameter. It has no encoder for an output and a filter's action, takes half bytes for
the unit of a mask, and sends another parameter's type number for an input trigger."""
