"""How a zone that people pass hears what only lies near it.

The antenna of a door or a till hears its neighbours as well: in bouts, as fading and bodies let it. Whoever passes is
heard better than that, or for the first time. So such a zone remembers of each item how much it heard of it in one
bout, at the most, while the item was elsewhere.
"""

from math import exp2

# A bout is over when nothing was heard for so long.
GAP_US = 5_000_000
# One that goes on is taken in parts of so long, the newest of which teach nothing yet: it may be somebody passing, who
# is told by then.
PART_US = 30_000_000
# What was heard once may change: in this time the memory of it halves.
HALF_LIFE_US = 3_600_000_000.0


class Habit:
    """What one zone is used to hear of one item: `usual`, the most evidence (`Evidence.fast`) that a bout brought."""

    __slots__ = ("_before", "_from_us", "_heard_us", "_most", "usual")

    def __init__(self, now_us: int) -> None:
        self.usual = 0.0
        # The most in this part of a bout, and in the part before it.
        self._most = self._before = 0.0
        self._from_us = self._heard_us = now_us

    def usual_at(self, now_us: int) -> float:
        """What it is used to hear, as far as it still remembers it."""
        return self.usual * exp2((self._from_us - now_us) / HALF_LIFE_US)

    def hear(self, fast: float, now_us: int) -> None:
        """The item, which is elsewhere, was just heard; so much evidence there is by now."""
        if now_us - self._heard_us > GAP_US:
            self._end(now_us)
        elif now_us - self._from_us > PART_US:
            self._learn(self._before, now_us)
            self._before, self._most = self._most, 0.0
        self._heard_us = now_us
        self._most = max(self._most, fast)

    def entered(self, fast: float) -> None:
        """So much it took for the item to be counted here: from now on nothing is learnt."""
        self._most, self._before = fast, 0.0

    def left(self, now_us: int, *, passed: bool) -> None:
        """The item is elsewhere again. It has `passed`, or is in the shop: then it may only have lain near by."""
        if passed:
            self._most = 0.0
        self._end(now_us)

    def _end(self, now_us: int) -> None:
        """The bout is over."""
        self._learn(max(self._most, self._before), now_us)
        self._most = self._before = 0.0

    def _learn(self, most: float, now_us: int) -> None:
        self.usual = max(most, self.usual_at(now_us))
        self._from_us = now_us
