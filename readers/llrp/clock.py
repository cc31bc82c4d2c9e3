"""A reader's clock mapped to the gateway's monotonic one. Pure; time comes in as an argument.

A report that arrives at `a` and was stamped `s` by the reader gives the sample `a - s`: the true offset plus however
long the report was under way, which is never negative. So the truth is the lower envelope of the samples. Followed
slowly, it cannot be moved by a backlog (held reports are samples far above the envelope), and it follows a crystal
that drifts. What no crystal does is a jump, and is told as one.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

SECOND_US: Final = 1_000_000

WINDOW_US: Final = 600 * SECOND_US
"""The envelope's memory: longer than a reader takes to hand over what it held, short against drift."""

BUCKET_US: Final = 30 * SECOND_US
"""The window is kept as one minimum for each of these."""

MAX_SLEW_PPM: Final = 500
"""Ten times what a bad crystal drifts (50 ppm), and too little to reorder departures measured in seconds."""

JUMP_US: Final = 2 * SECOND_US
"""Further than this from the envelope, and it is no drift and no ordinary delay."""

LEVEL_US: Final = SECOND_US // 2
"""Samples of a clock that has jumped keep level; those of a backlog fall as it is worked off."""

AHEAD_CONFIRM_US: Final = SECOND_US
"""A clock that jumped ahead is believed after this long: no delay explains it, only a garbled stamp does."""

BEHIND_CONFIRM_US: Final = 30 * SECOND_US
"""A clock that jumped back looks like a backlog at first; one that keeps level this long is none."""

CONFIRM_SAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Jump:
    """The reader's clock was set: `by_us` > 0 ahead, < 0 back. Stamps from before it no longer fit."""

    by_us: int


@dataclass(slots=True)
class _Suspect:
    """Samples far from the envelope that keep level with the first of them."""

    anchor_us: int
    since_us: int
    samples: int = 1


class ReaderClock:
    """`stamp + offset_us` is the gateway's monotonic time of a reader's stamp, in microseconds."""

    __slots__ = ("_buckets", "_heard_us", "_moved_us", "_offset_us", "_suspect")

    def __init__(self) -> None:
        self._offset_us: int | None = None
        self._moved_us = 0
        self._heard_us = 0
        self._buckets: deque[tuple[int, int]] = deque()
        self._suspect: _Suspect | None = None

    @property
    def seeded(self) -> bool:
        """False until the first stamp: `offset_us` means nothing yet."""
        return self._offset_us is not None

    @property
    def offset_us(self) -> int:
        """Gateway minus reader; 0 before the first stamp."""
        return self._offset_us or 0

    def seed(self, stamp_us: int, now_us: int) -> None:
        """Begin with a stamp that was made just now: the connection event's."""
        self._begin(now_us - stamp_us, now_us)

    def observe(self, stamp_us: int, now_us: int) -> Jump | None:
        """The newest stamp of a delivery that has arrived at `now_us`; a Jump if the clock was set."""
        sample = now_us - stamp_us
        if self._offset_us is None:
            self._begin(sample, now_us)
            return None
        deviation = sample - self._offset_us
        drift_us = (now_us - self._heard_us) * MAX_SLEW_PPM // SECOND_US
        if abs(deviation) > JUMP_US + drift_us:
            return self._suspected(sample, now_us)
        self._suspect = None
        self._heard_us = now_us
        self._remember(sample, now_us)
        self._slew(now_us)
        return None

    def _begin(self, offset_us: int, now_us: int) -> None:
        self._offset_us = offset_us
        self._moved_us = self._heard_us = now_us
        self._buckets.clear()
        self._buckets.append((now_us, offset_us))
        self._suspect = None

    def _remember(self, sample: int, now_us: int) -> None:
        buckets = self._buckets
        while buckets and now_us - buckets[0][0] > WINDOW_US:
            buckets.popleft()
        if buckets and now_us - buckets[-1][0] < BUCKET_US:
            begun_us, lowest = buckets[-1]
            if sample < lowest:
                buckets[-1] = (begun_us, sample)
        else:
            buckets.append((now_us, sample))

    def _slew(self, now_us: int) -> None:
        offset = self.offset_us
        wanted = min(lowest for _, lowest in self._buckets)
        elapsed = now_us - self._moved_us
        if wanted > offset:
            # After a long silence the first samples may be a backlog: what it could move is kept to 0.3 s.
            elapsed = min(elapsed, WINDOW_US)
        budget = elapsed * MAX_SLEW_PPM // SECOND_US
        step = max(-budget, min(budget, wanted - offset))
        if step or wanted == offset:
            self._offset_us = offset + step
            self._moved_us = now_us

    def _suspected(self, sample: int, now_us: int) -> Jump | None:
        suspect = self._suspect
        ahead = sample < self.offset_us
        if suspect is None or (suspect.anchor_us < self.offset_us) is not ahead or self._left(suspect, sample):
            self._suspect = _Suspect(sample, now_us)
            return None
        suspect.samples += 1
        patience_us = AHEAD_CONFIRM_US if ahead else BEHIND_CONFIRM_US
        if suspect.samples < CONFIRM_SAMPLES or now_us - suspect.since_us < patience_us:
            return None
        jump = Jump(self.offset_us - suspect.anchor_us)
        self._begin(suspect.anchor_us, now_us)
        return jump

    @staticmethod
    def _left(suspect: _Suspect, sample: int) -> bool:
        """Is `sample` no longer level with the suspect's first? Later is fine (a delay), much later is not."""
        return not -LEVEL_US <= sample - suspect.anchor_us <= JUMP_US
