"""A simulated reader and our link to it, joined without a socket: hours pass in milliseconds."""

import asyncio

from readers.llrp.driver import Link
from readers.llrp.settings import LlrpSettings
from readers.model import ReaderCondition
from simulators.field import Field
from simulators.llrp.device import Output, ReaderDevice
from simulators.llrp.personality import Personality
from tests.readers.said import Said

SECOND = 1_000_000
START_UTC = 1_700_000_000 * SECOND


class TurnedClock:
    """Both clocks of a gateway, turned by hand."""

    def __init__(self) -> None:
        self.now_us = 1000 * SECOND

    def monotonic_us(self) -> int:
        return self.now_us

    def utc_us(self) -> int:
        return START_UTC + self.now_us


class _Pipe(asyncio.Transport):
    """What the link writes, until the loop takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


class Loopback(Said):
    """The reader of `field` and `personality`, and one link after another. Needs a running event loop."""

    def __init__(self, field: Field, personality: Personality | None = None, antennas: tuple[int, ...] = (1,)) -> None:
        super().__init__()
        self.clock = TurnedClock()
        self.device = ReaderDevice(field, personality)
        self._settings = LlrpSettings("reader", antennas, keepalive_s=5.0)
        self._pipe = _Pipe()
        self._link: Link | None = None

    def connect(self) -> None:
        """A new link; it reads when this returns, where the reader lets it."""
        self._pipe = _Pipe()
        self._link = Link("r", self._settings, self.clock, self.events.append)
        self._link.connection_made(self._pipe)
        self._carry(self.device.connect(self.clock.utc_us()))

    def cut(self) -> None:
        """The network is gone."""
        self.device.disconnect()
        if self._link is not None:
            self._link.connection_lost(None)
            self._link = None

    def turn(self, seconds: float, step_s: float = 1.0) -> None:
        """Time passes, for both."""
        for _ in range(round(seconds / step_s)):
            self.clock.now_us += round(step_s * SECOND)
            self._carry(self.device.tick(self.clock.utc_us()))

    def _carry(self, output: Output) -> None:
        """Bytes to and fro until nobody has anything to say."""
        link = self._link
        while link is not None and output.data:
            rest = memoryview(output.data)
            while rest:
                room = link.get_buffer(-1)
                count = min(len(room), len(rest))
                room[:count] = rest[:count]
                link.buffer_updated(count)
                rest = rest[count:]
            said, self._pipe.written = bytes(self._pipe.written), bytearray()
            output = self.device.feed(said, self.clock.utc_us()) if said else Output(b"")

    @property
    def reading(self) -> bool:
        return self.states[-1].condition is ReaderCondition.READING

    def errors_us(self) -> list[int]:
        """How far the newest read of each batch is dated from its arrival, clocks aside (ideally a dwell at most)."""
        return [batch.reads[-1][4] + batch.offset_us - batch.received_us for batch in self.batches]
