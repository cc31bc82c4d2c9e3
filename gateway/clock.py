"""The box's own clocks; everything that needs time gets this as an argument."""

import time


class SystemClock:
    """Monotonic for durations, UTC for stamps. Both in microseconds."""

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1000

    def utc_us(self) -> int:
        return time.time_ns() // 1000
