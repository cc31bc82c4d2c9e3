"""Which tags a ROSpec lets answer: the Select commands that its filters become (LLRP 1.0.1, section 15.2.1.2.1.1)."""

from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Bits, Element

_EPC_BANK, _EPC_START_BIT = 1, 32
# Action of C1G2TagInventoryStateUnawareFilterAction -> what becomes of tags in and out of the mask; None: no change.
_ACTIONS: dict[int, tuple[bool | None, bool | None]] = {
    0: (True, False),
    1: (True, None),
    2: (None, False),
    3: (False, None),
    4: (False, True),
    5: (None, True),
}


def is_selected(epc: bytes, filters: tuple[Element, ...]) -> bool:
    """Whether a tag with this EPC answers after all the filters, taken in order; without any, it does."""
    selected = not filters
    for each in filters:
        action = each.maybe(P.C1G2TagInventoryStateUnawareFilterAction)
        inside, outside = _ACTIONS[action.num("Action") if action else 0]
        change = inside if _fits(epc, each.one(P.C1G2TagInventoryMask)) else outside
        selected = selected if change is None else change
    return selected


def _fits(epc: bytes, mask: Element) -> bool:
    wanted = mask.fields["TagMask"]
    assert isinstance(wanted, Bits)
    start = mask.num("Pointer") - _EPC_START_BIT
    if mask.num("MB") != _EPC_BANK or start < 0 or start + wanted.count > 8 * len(epc):
        return False
    shown = int.from_bytes(epc, "big") >> (8 * len(epc) - start - wanted.count) & ((1 << wanted.count) - 1)
    return shown == int.from_bytes(wanted.data, "big") >> (8 * len(wanted.data) - wanted.count)
