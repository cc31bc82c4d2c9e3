"""Readers that disturb each other take turns: whose turn it is, pure, and the task that tells the drivers.

A reader that waits is well: its zones stay healthy, and their clocks count only what every antenna has looked at
(`gateway.domain.zones`). So taking turns makes readers slower to notice, never wrong.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from gateway.domain.zones import US_PER_S
from readers.driver import Clock, Rests, Sink
from readers.model import ReaderCondition, ReaderEvent, ReaderState

# A reader that was told to rest has this long to say that it does; then the next one starts all the same.
HANDOVER_LIMIT_S: Final = 2.0


class Turns:
    """Whose turn it is among `members`, in their order, each for `turn_us`. Pure.

    Only the able ones (connected) get a turn: one that is away leaves its time to the others.
    """

    def __init__(self, members: Sequence[str], turn_us: int) -> None:
        self._members = tuple(members)
        self._turn_us = turn_us
        self.active: str | None = None
        self.until_us = 0

    def decide(self, able: Collection[str], now_us: int) -> bool:
        """Let time pass; True when the turn has gone to another member, or to none."""
        if self.active in able and now_us < self.until_us:
            return False
        start = 0 if self.active is None else self._members.index(self.active) + 1
        order = self._members[start:] + self._members[:start]
        following = next((member for member in order if member in able), None)
        self.until_us = now_us + self._turn_us
        changed = following != self.active
        self.active = following
        return changed


class TurnKeeper:
    """Hands the turn of one group round: the one before has stopped before the next one starts."""

    def __init__(self, drivers: Mapping[str, Rests], turn_s: float, clock: Clock) -> None:
        self._drivers = dict(drivers)
        self._turns = Turns(tuple(drivers), int(turn_s * US_PER_S))
        self._clock = clock
        self._states: dict[str, ReaderState] = {}
        self._news = asyncio.Event()
        for driver in drivers.values():
            driver.rest()

    def watched(self, sink: Sink) -> Sink:
        """`sink`, and what its readers say of themselves is heard here too."""

        def put(event: ReaderEvent) -> None:
            if isinstance(event, ReaderState) and event.reader in self._drivers:
                self._states[event.reader] = event
                self._news.set()
            sink(event)

        return put

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            before = self._turns.active
            if self._turns.decide(self._able(), self._clock.monotonic_us()):
                await self._hand_over(before, self._turns.active)
            await self._wait(self._idle, max((self._turns.until_us - self._clock.monotonic_us()) / US_PER_S, 0.0))

    async def _hand_over(self, before: str | None, after: str | None) -> None:
        if before is not None:
            self._drivers[before].rest()
            await self._wait(lambda: not self._looks(before), HANDOVER_LIMIT_S)
        if after is not None:
            self._drivers[after].resume()

    def _idle(self) -> bool:
        """Somebody could have the turn, and whoever has it cannot use it."""
        able = self._able()
        return bool(able) and self._turns.active not in able

    def _able(self) -> set[str]:
        return {name for name, state in self._states.items() if state.condition is ReaderCondition.READING}

    def _looks(self, reader: str) -> bool:
        return reader in self._able() and not self._states[reader].resting

    async def _wait(self, true: Callable[[], bool], limit_s: float) -> None:
        """Until `true`, which what readers say can make so, or until the limit."""
        try:
            async with asyncio.timeout(limit_s):
                while not true():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return
