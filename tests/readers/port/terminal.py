"""What tests of serial drivers share: a sink that can be waited on, and a pty held by hand."""

import asyncio
import os
import tty
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from readers.model import (
    InputSample,
    ReaderCondition,
    ReaderEvent,
    ReaderNotice,
    ReaderState,
    WeightSample,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="hanging up a tty needs root")


RealClock = SystemClock


class Collector:
    """A sink that can be waited on."""

    def __init__(self) -> None:
        self.events: list[ReaderEvent] = []
        self._news = asyncio.Event()

    def __call__(self, event: ReaderEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, condition: Callable[[], bool], limit_s: float = 20) -> None:
        async with asyncio.timeout(limit_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    @property
    def states(self) -> list[ReaderState]:
        return [event for event in self.events if isinstance(event, ReaderState)]

    @property
    def notices(self) -> list[ReaderNotice]:
        return [event for event in self.events if isinstance(event, ReaderNotice)]

    @property
    def conditions(self) -> list[ReaderCondition]:
        return [state.condition for state in self.states]

    @property
    def weights(self) -> list[WeightSample]:
        return [event for event in self.events if isinstance(event, WeightSample)]

    @property
    def inputs(self) -> list[InputSample]:
        return [event for event in self.events if isinstance(event, InputSample)]


class Terminal:
    """A pty whose far end the test holds."""

    def __init__(self, path: Path) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = path
        path.symlink_to(os.ttyname(self.slave))

    def close(self) -> None:
        """The far end goes away."""
        self.path.unlink(missing_ok=True)
        if self.master >= 0:
            os.close(self.master)
            os.close(self.slave)
            self.master = -1
