"""Which tags are items: from the bits of an EPC bank to a GTIN and a serial, by what is configured as stock."""

from collections import Counter

from gateway.domain.epc import EpcError, decode, is_stock
from gateway.domain.items import Identity
from gateway.domain.params import ItemParams


class ItemTags:
    """Says of each new tag which item it is on. `ignored`: reason -> how many tags are on none."""

    def __init__(self, params: ItemParams) -> None:
        self.ignored: Counter[str] = Counter()
        self._params = params

    def __call__(self, data: bytes, bits: int) -> Identity | None:
        """The item; None for what is no stock."""
        try:
            decoded = decode(data, bits)
        except EpcError as error:
            self.ignored[error.kind.value] += 1
            return None
        reason = is_stock(decoded, self._params)
        if reason is not None or decoded.identity is None:
            self.ignored[reason.value if reason else "no-identity"] += 1
            return None
        return Identity(*decoded.identity)
