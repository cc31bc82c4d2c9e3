"""Time as simulators see it: handed in, so that a test can hold it and a demo can hurry it."""

import time
from typing import Protocol


class Clock(Protocol):
    """True UTC in microseconds, and how long that takes in real seconds."""

    def now_us(self) -> int:
        """The moment."""

    def seconds_until(self, moment_us: int) -> float:
        """Real seconds until `now_us()` will show `moment_us`; 0 when it has passed."""


class WallClock:
    """The machine's clock, or one that started with it and runs `speed` times as fast."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._started_us = time.time_ns() // 1000
        self._started_ns = time.monotonic_ns()

    def now_us(self) -> int:
        """Microseconds of UTC, never going back."""
        return self._started_us + int((time.monotonic_ns() - self._started_ns) / 1000 * self._speed)

    def seconds_until(self, moment_us: int) -> float:
        """Real seconds until then."""
        return max(0.0, (moment_us - self.now_us()) / 1e6 / self._speed)
