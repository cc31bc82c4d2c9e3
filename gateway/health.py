"""Does the line move? Answers /healthz and feeds systemd's watchdog."""

import asyncio
import logging
from collections.abc import Callable

from gateway.domain.zones import US_PER_S
from gateway.systemd import Notifier
from readers.driver import Clock

log = logging.getLogger(__name__)

# How often the loop is asked whether it is on time.
PULSE_S = 0.25
# The line ticks four times a second and waits for the disk in between; after this long it is stuck.
STUCK_AFTER_US = 15 * US_PER_S


class Health:
    """Measures the event loop's lag and the age of the line's last tick."""

    def __init__(
        self, clock: Clock, ticked_us: Callable[[], int], refused_by_disk: Callable[[], bool], notifier: Notifier
    ) -> None:
        self._clock = clock
        self._ticked_us = ticked_us
        self._refused_by_disk = refused_by_disk
        self._notifier = notifier
        self.ready = False
        self.lag_s = 0.0
        self.worst_lag_s = 0.0

    def trouble(self) -> str | None:
        """Why the line does not move, None while it does."""
        if self._refused_by_disk():
            return "the disk refuses to be written: free space on it"
        age_us = self._clock.monotonic_us() - self._ticked_us()
        if self.ready and age_us > STUCK_AFTER_US:
            return f"the line has not ticked for {age_us / US_PER_S:.0f} s: is the disk stuck?"
        return None

    async def run(self) -> None:
        """Take the pulse until cancelled; systemd hears of it unless the line hangs."""
        said_s = float("-inf")
        while True:
            before_us = self._clock.monotonic_us()
            await asyncio.sleep(PULSE_S)
            now_us = self._clock.monotonic_us()
            self.lag_s = max(0.0, (now_us - before_us) / US_PER_S - PULSE_S)
            self.worst_lag_s = max(self.worst_lag_s, self.lag_s)
            watchdog_s = self._notifier.watchdog_s
            # Half of what systemd allows, as sd_watchdog_enabled(3) advises.
            if watchdog_s is not None and now_us / US_PER_S - said_s > watchdog_s / 2 - PULSE_S:
                trouble = self.trouble()
                # A restart would not help a disk that says no; only what hangs is to be killed.
                if trouble is None or self._refused_by_disk():
                    self._notifier.say("WATCHDOG=1")
                    said_s = now_us / US_PER_S
                else:
                    log.error("watchdog withheld: %s", trouble)
