"""Items' comings and goings on their way to `items/event`: best effort, bounded, and always behind the deltas."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

from gateway.domain.items import Transition
from gateway.domain.presence import COUNTED, Presence
from gateway.domain.zones import LiveZone
from gateway.epcis import Passage, Place, object_event

# Some 3 MB: a first start, or an afternoon without a broker. The oldest go first.
MAX_WAITING_EVENTS = 10_000
# A delta that is committed now waits for so many events at most.
MAX_EVENTS_IN_FLIGHT = 10


def local_offset(utc_us: int) -> timedelta:
    """How far this machine's time zone was ahead of UTC at that moment."""
    return datetime.fromtimestamp(utc_us / 1e6).astimezone().utcoffset() or timedelta()


class ItemEvents:
    """Lives as long as the gateway; connections come and go beneath it. `places`: what a zone's id is appended to.

    What a connection has not brought to an acknowledgement goes over the next one again, as the same event.
    """

    def __init__(self, places: str, offset: Callable[[int], timedelta] = local_offset) -> None:
        self._places = places
        self._offset = offset
        self._waiting: deque[Passage] = deque()
        self._in_flight: dict[int, Passage] = {}
        self._changed = asyncio.Event()
        self.taken = 0
        self.dropped = 0

    def tell(self, transitions: Iterable[Transition], at_us: int) -> None:
        """What has become of items, as of `at_us` UTC. One that only fell silent, or is heard again, went nowhere."""
        for made in transitions:
            left, entered = _counted_in(made.left, made.was), _counted_in(made.entered, made.now)
            if left is not entered:
                identity = made.item.identity
                self._waiting.append(
                    Passage(identity.gtin, identity.serial, self._place(left), self._place(entered), at_us)
                )
        while len(self._waiting) > MAX_WAITING_EVENTS:
            self._waiting.popleft()
            self.dropped += 1
        self._changed.set()

    async def run(self, publish: Callable[[bytes], int | None], deltas_gone: Callable[[], Awaitable[None]]) -> None:
        """Publish over one connection whatever waits, whenever no delta does; until cancelled.

        `publish` gives a token that comes back to `settled`, None where the broker cannot be given this at all.
        """
        self._waiting.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()
        while True:
            while not self._waiting or len(self._in_flight) >= MAX_EVENTS_IN_FLIGHT:
                self._changed.clear()
                await self._changed.wait()
            await deltas_gone()
            passage = self._waiting.popleft()
            token = publish(object_event(passage, self._offset(passage.at_us)))
            if token is None:
                self.dropped += 1
            else:
                self._in_flight[token] = passage

    def settled(self, token: int, *, taken: bool) -> None:
        """The broker has answered to a publish, of an event or of something else."""
        if self._in_flight.pop(token, None) is not None:
            self.taken += taken
            self.dropped += not taken
            self._changed.set()

    def _place(self, zone: LiveZone | None) -> Place | None:
        return None if zone is None else Place(self._places + zone.id, zone.params.kind, zone.params.disposition)


def _counted_in(zone: LiveZone | None, presence: Presence) -> LiveZone | None:
    return zone if presence in COUNTED else None
