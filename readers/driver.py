"""The contract between a device's driver and the gateway."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from readers.model import Fault, ReaderEvent

Sink = Callable[[ReaderEvent], None]
"""Where a driver puts what it learns. It never blocks and never raises; the queue behind it is bounded."""


class Clock(Protocol):
    """Time as an argument: tests turn it by hand."""

    def monotonic_us(self) -> int:
        """Microseconds that never jump; for durations and for the line."""

    def utc_us(self) -> int:
        """Microseconds since 1970-01-01 UTC; for stamps that people and other systems read."""


class ReaderError(Exception):
    """A connection to a device has ended or could not be made; the supervisor tries again with a new one."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.kind}: {fault.text}")
        self.fault = fault


class Driver(Protocol):
    """One device. The supervisor calls `run` again and again; each call is one connection and shares no state
    with the one before it, but for what is known of the device itself (an inventory of ours that goes on there).

    - `run` connects, brings the device to reading, and puts a `ReaderState` into the sink at each change of its
      condition, `ReadBatch`es as they come, and a `ReaderNotice` for what was odd but survivable.
    - It ends only by `ReaderError` (link lost, refused, silent: everything that is worth another try) or by
      cancellation, upon which it closes the device politely within two seconds.
    - It owns its tasks (a TaskGroup), and leaves no socket, port or task behind, whichever way it ends.
    - Time comes from the injected clock; the reconnect delay is the supervisor's business, not the driver's.
    """

    reader: str

    async def run(self, sink: Sink) -> None:
        """The life of one connection; raises ReaderError when it ends."""


@runtime_checkable
class Rests(Protocol):
    """A driver whose device can pause. Both may be called at any time, connected or not."""

    def rest(self) -> None:
        """Do not inventory until `resume`, on this connection and on later ones."""

    def resume(self) -> None:
        """Inventory again."""


@runtime_checkable
class Frees(Protocol):
    """A driver whose device goes on by itself while nobody is connected."""

    def free(self) -> None:
        """The device is no longer ours: at the end leave it idle."""


@runtime_checkable
class Signals(Protocol):
    """A driver whose device has outputs for signal lamps."""

    def signal(self, port: int, *, high: bool) -> None:
        """Switch an output, now or as soon as the device is connected."""
