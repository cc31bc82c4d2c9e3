"""A session of ours and a simulated serial device, joined without a port: hours pass in milliseconds."""

import heapq
from collections.abc import Callable, Iterable

from readers.port.link import Session
from simulators.serial.bench import SerialDevice
from tests.readers.said import Said

SECOND = 1_000_000
START_UTC = 1_700_000_000 * SECOND


class TurnedClock:
    """The clock of both sides, turned by hand."""

    def __init__(self) -> None:
        self.at_us = 1000 * SECOND

    def monotonic_us(self) -> int:
        return self.at_us

    def utc_us(self) -> int:
        return START_UTC + self.at_us

    def now_us(self) -> int:
        return self.utc_us()

    def seconds_until(self, moment_us: int) -> float:
        return max(0, moment_us - self.now_us()) / SECOND


def whole(data: bytes) -> Iterable[bytes]:
    return (data,)


class Loopback(Said):
    """Bytes to and fro as they fall due; `wire` may hurt or cut what the device says, `up` is what we said."""

    def __init__(self, session: Session, device: SerialDevice, clock: TurnedClock) -> None:
        super().__init__()
        self.session = session
        self.device = device
        self.clock = clock
        self.wire: Callable[[bytes], Iterable[bytes]] = whole
        self.plugged = True
        self.up = bytearray()
        self._due: list[tuple[int, int, bytes]] = []
        self._wake_us: int | None = None
        self._count = 0
        session.start(clock.at_us)
        self._serve()

    def say(self, data: bytes) -> None:
        """The device says it now."""
        self.session.receive(data, self.clock.at_us)
        self._serve()

    def ask(self, data: bytes) -> None:
        """The device is told something by us, or that its time has come."""
        for delay_s, said in self.device.feed(data):
            self._count += 1
            heapq.heappush(self._due, (self.clock.at_us + round(delay_s * SECOND), self._count, said))
        wake_s = self.device.wake_s
        self._wake_us = None if wake_s is None else self.clock.at_us + round(wake_s * SECOND)

    def turn(self, seconds: float) -> None:
        """Time passes."""
        end_us = self.clock.at_us + round(seconds * SECOND)
        while self._advance(end_us):
            pass
        self.clock.at_us = max(self.clock.at_us, end_us)

    def until(self, condition: Callable[[], bool], limit_s: float = 60) -> None:
        """Until it holds."""
        end_us = self.clock.at_us + round(limit_s * SECOND)
        while not condition():
            assert self._advance(end_us), "it did not come about"

    def _advance(self, end_us: int) -> bool:
        """Let the next thing happen that is due; False if there is none before `end_us`."""
        due = [moment for moment in (self.session.deadline_us, self._wake_us) if moment is not None]
        due += [entry[0] for entry in self._due[:1]]
        if self.session.is_over or not due or min(due) > end_us:
            return False
        self.clock.at_us = max(self.clock.at_us, min(due))
        self._let_happen()
        return True

    def close(self) -> None:
        self.session.close(self.clock.at_us)
        self._serve()
        self.turn(5)

    def _let_happen(self) -> None:
        while self._due and self._due[0][0] <= self.clock.at_us:
            _, _, data = heapq.heappop(self._due)
            for piece in self.wire(data) if self.plugged else ():
                self.say(piece)
        if self._wake_us is not None and self._wake_us <= self.clock.at_us:
            self.ask(b"")
        deadline_us = self.session.deadline_us
        if deadline_us is not None and deadline_us <= self.clock.at_us:
            self.session.tick(self.clock.at_us)
            self._serve()

    def _serve(self) -> None:
        data = self.session.take_bytes()
        self.events += self.session.take_events()
        if data:
            self.up += data
            if self.plugged:
                self.ask(data)
