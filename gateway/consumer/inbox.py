# SPDX-License-Identifier: Apache-2.0
"""Messages that have arrived and wait to be taken, with a brake for when too many do."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from gateway.consumer.broker import Message

# Messages nobody has taken yet: beyond it nothing more is read from the socket, so that TCP holds the broker back.
MAX_WAITING_MESSAGES = 1_000


class Inbox:
    """A queue for one taker. `pause` is called when it is full, `resume` when half of it is taken again."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.paused = False
        self._pause = pause
        self._resume = resume
        self._waiting: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Message) -> None:
        """Never refuses; what a packet has brought is here already."""
        self._waiting.append(message)
        self._arrived.set()
        if len(self._waiting) >= MAX_WAITING_MESSAGES and not self.paused:
            self.paused = True
            self._pause()

    def close(self) -> None:
        """Nothing will come any more; what waits can still be taken."""
        self._closed = True
        self._arrived.set()

    async def messages(self) -> AsyncIterator[Message]:
        """The messages as they come, until it is closed and empty."""
        while True:
            while self._waiting:
                message = self._waiting.popleft()
                if self.paused and len(self._waiting) <= MAX_WAITING_MESSAGES // 2:
                    self.paused = False
                    self._resume()
                yield message
            if self._closed:
                return
            self._arrived.clear()
            await self._arrived.wait()
