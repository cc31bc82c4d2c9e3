"""Keeps one reader alive for ever: a new connection after each that ended, with a pause that grows and resets."""

import asyncio
import logging
from dataclasses import dataclass, replace
from random import Random

from readers.driver import Clock, Driver, ReaderError, Sink
from readers.model import Fault, ReaderCondition, ReaderEvent, ReaderState

log = logging.getLogger(__name__)

# A reader that reboots is back within a minute; fifty of them must not all knock at the same instant.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
# To look for a port of this machine costs nothing, and whoever plugs it in waits for it.
LONGEST_PORT_PAUSE_S = 5.0
# A connection that delivered for this long was a good one: what ends it is a new trouble, not the old one.
PROVEN_AFTER_S = 30.0


@dataclass(slots=True)
class Backoff:
    """Pauses between attempts (seconds): doubling, each jittered between half and all of itself."""

    rng: Random
    first_s: float = FIRST_PAUSE_S
    longest_s: float = LONGEST_PAUSE_S
    attempts: int = 0

    def pause_s(self) -> float:
        """How long to wait before the next attempt."""
        ceiling_s = min(self.longest_s, self.first_s * 2.0 ** min(self.attempts, 16))
        self.attempts += 1
        return ceiling_s * self.rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        self.attempts = 0


class _Watch:
    """Passes a connection's events on and remembers what its end is judged by."""

    def __init__(self, reader: str, sink: Sink, clock: Clock) -> None:
        self.latest = ReaderState(reader, ReaderCondition.CONNECTING)
        self._sink = sink
        self._clock = clock
        self._reading_since_us: int | None = None

    def __call__(self, event: ReaderEvent) -> None:
        if isinstance(event, ReaderState):
            self.latest = event
            if event.condition is ReaderCondition.READING and self._reading_since_us is None:
                self._reading_since_us = self._clock.monotonic_us()
        self._sink(event)

    def proven(self) -> bool:
        """It was reading for long enough to count as a good connection."""
        since_us = self._reading_since_us
        return since_us is not None and self._clock.monotonic_us() - since_us > PROVEN_AFTER_S * 1e6


async def supervise(
    driver: Driver, sink: Sink, clock: Clock, rng: Random, *, longest_pause_s: float = LONGEST_PAUSE_S
) -> None:
    """Run `driver` again and again until cancelled; its failures become FAILED states in the sink."""
    backoff = Backoff(rng, longest_s=longest_pause_s)
    former = ""
    while True:
        watch = _Watch(driver.reader, sink, clock)
        fault = Fault("ended", "the connection ended without an error", "this is a defect of the driver: report it")
        try:
            await driver.run(watch)
        except ReaderError as error:
            fault = error.fault
        except Exception as error:
            # Whatever a driver does wrong costs one connection, never the line.
            log.exception("reader %s: its driver failed", driver.reader)
            fault = Fault("internal", f"the driver failed: {error!r:.200}", "report it with the log")
        if watch.proven():
            backoff.reset()
        # The first failure is an alert, which is logged as one; while that stands, only another trouble is news.
        level = logging.INFO if backoff.attempts and fault.kind != former else logging.DEBUG
        log.log(level, "reader %s: %s: %s (%s)", driver.reader, fault.kind, fault.text, fault.hint)
        former = fault.kind
        if watch.latest.condition is not ReaderCondition.FAILED:
            sink(replace(watch.latest, condition=ReaderCondition.FAILED, antennas={}, fault=fault))
        await asyncio.sleep(backoff.pause_s())
