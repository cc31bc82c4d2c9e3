"""What the store sells: articles of several companies, and an EPC for every single item."""

import random

from simulators.epc import gtin14, sgtin_96

_SERIAL_BITS = 38
# Company prefixes have 6 to 12 digits; these lengths are the common ones.
_PREFIX_DIGITS = (7, 8, 9, 10)
_COMPANIES = 5


class Goods:
    """Makes items; no two have the same EPC."""

    def __init__(self, articles: int, rng: random.Random) -> None:
        self._rng = rng
        self._made: set[bytes] = set()
        companies = [
            "".join(rng.choice("123456789") for _ in range(rng.choice(_PREFIX_DIGITS))) for _ in range(_COMPANIES)
        ]
        self._articles: list[tuple[str, str]] = []
        for _ in range(articles):
            prefix = rng.choice(companies)
            digits = 12 - len(prefix)
            self._articles.append((prefix, "0" + f"{rng.randrange(10**digits):0{digits}d}"))

    @property
    def articles(self) -> int:
        """How many there are."""
        return len(self._articles)

    def make(self, article: int | None = None) -> tuple[bytes, str]:
        """EPC and GTIN-14 of a new item, of this article or any."""
        return self.make_of(*(self._rng.choice(self._articles) if article is None else self._articles[article]))

    def make_of(self, prefix: str, reference: str) -> tuple[bytes, str]:
        """EPC and GTIN-14 of a new item of a company's product."""
        while (epc := sgtin_96(prefix, reference, self._rng.randrange(1 << _SERIAL_BITS))) in self._made:
            pass
        self._made.add(epc)
        return epc, gtin14(prefix, reference)


def ghost_of(epc: bytes, flips: int) -> bytes:
    """The EPC that a read gives whose bits fell over though its CRC fits: `flips` go over the serial's lower bits.

    So it is another item of an article that exists: the hardest ghost to tell.
    """
    return (int.from_bytes(epc, "big") ^ (flips & 0xFFFF_FFFF)).to_bytes(len(epc), "big")
