"""Whether a tag that was read once will be read again: a new item, or a ghost.

A ghost (noise with a valid CRC) appears once and never again; an item that hangs badly may take minutes until its
second read. Which of them single reads are differs: on the first day nearly all are items, in a settled shop hardly
any. So it is learnt from what became of the last ones, by how long they had waited.
"""

from bisect import bisect_right

# A tag that waits for its second read is looked at after so many seconds; after the last it is forgotten.
WAITS_S = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 3600.0)
# What was learnt halves in this time: a delivery, a first day, are over then.
HALF_LIFE_S = 1_800.0
# Before anything is learnt: the share read again within each wait, as sure as so many examples make it. A shop that
# knows no item yet has many to meet; the belief in that fades with the same half-life.
SETTLED_SHARE = 0.03
FIRST_DAY_SHARE = 0.4
FIRST_EXAMPLES = 1.0
US_PER_S = 1_000_000


class Newcomers:
    """What became of tags that had been read once. Moments are monotonic microseconds."""

    __slots__ = ("_came", "_forgot_us", "_hope", "_passed")

    def __init__(self) -> None:
        self._came = [0.0] * len(WAITS_S)
        self._passed = [0.0] * len(WAITS_S)
        self._hope = FIRST_DAY_SHARE
        self._forgot_us: int | None = None

    def settle(self) -> None:
        """The shop's items are known: what is new now is rather a ghost than on a first day."""
        self._hope = 0.0

    def came(self, waited_s: float) -> None:
        """One was read again."""
        self._came[min(bisect_right(WAITS_S, waited_s), len(WAITS_S) - 1)] += 1.0

    def passed(self, wait: int) -> None:
        """One was not, for the whole of WAITS_S[wait]."""
        self._passed[wait] += 1.0

    def chance(self, wait: int) -> float:
        """That one will be read again which has waited for WAITS_S[wait - 1] (0: has just been read)."""
        never = 1.0
        for came, passed in zip(self._came[wait:], self._passed[wait:], strict=True):
            first = FIRST_EXAMPLES * (SETTLED_SHARE + self._hope)
            never *= 1.0 - (came + first) / (came + passed + FIRST_EXAMPLES)
        return 1.0 - never

    def age(self, now_us: int) -> None:
        """Let what was learnt fade."""
        if self._forgot_us is None:
            self._forgot_us = now_us
        kept = 0.5 ** ((now_us - self._forgot_us) / US_PER_S / HALF_LIFE_S)
        self._came = [came * kept for came in self._came]
        self._passed = [passed * kept for passed in self._passed]
        self._hope *= kept
        self._forgot_us = now_us
