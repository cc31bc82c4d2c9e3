"""What the connections to all devices that measure have in common: channels, notices, and what goes out. Pure."""

from collections.abc import Iterable

from readers.model import Fault, ReaderCondition, ReaderEvent, ReaderState
from readers.port.channels import Channels
from readers.port.notices import NoticeBoard


class MeasuringSession:
    """A part of readers.port.link.Session; `now_us` is when it was last called."""

    def __init__(self, reader: str, address: str, channels: Iterable[int], silence_s: float) -> None:
        self.is_over = False
        self.fault: Fault | None = None
        self.reader = reader
        self.channels = Channels(reader, address, channels, round(silence_s * 1e6))
        self.notices = NoticeBoard(reader)
        self.now_us = 0
        self._out = bytearray()
        self._events: list[ReaderEvent] = []

    def take_bytes(self) -> bytes:
        """What to send now."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def take_events(self) -> list[ReaderEvent]:
        """What to tell the gateway now."""
        events, self._events = self._events, []
        return [*events, *self.channels.news(), *self.notices.take(self.now_us, everything=self.is_over)]

    def state(self, condition: ReaderCondition, fault: Fault | None = None) -> ReaderState:
        """The reader as this connection knows it."""
        self.channels.condition = condition
        return self.channels.state(condition, fault)

    def send(self, data: bytes) -> None:
        """Out to the device."""
        self._out += data

    def tell(self, event: ReaderEvent) -> None:
        """In to the gateway."""
        self._events.append(event)

    def end(self, fault: Fault) -> None:
        """The connection is of no use any more; the first reason counts."""
        if not self.is_over:
            self.fault, self.is_over = fault, True
