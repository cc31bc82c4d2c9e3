"""The serial devices of a scenario in real time, each behind a pty: boards of gondolas, readers that are modules."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulators.clock import Clock
from simulators.serial.bench import SerialDevice, serial_bench
from simulators.serial.m100 import M100Device
from simulators.serial.scales import Cell, ShelfBoard
from simulators.shop.board import Say, Weighing
from simulators.shop.gondola_plan import GondolaPlan
from simulators.shop.live import LiveStore
from simulators.shop.plan import ReaderMount

_US_PER_S = 1_000_000
# A channel that has said nothing for so many periods is silent.
_SILENT_PERIODS = 2.5


@dataclass(frozen=True, slots=True)
class LivePort:
    """A device on a port of its own."""

    id: str
    path: Path
    about: str

    @property
    def url(self) -> str:
        """Where a gateway finds it."""
        return f"serial://{self.path}"


@contextmanager
def serve_ports(store: LiveStore, clock: Clock, folder: Path) -> Iterator[list[LivePort]]:
    """Serve every serial device of the store, within a running event loop; `folder` gets a name for each port."""
    devices: list[tuple[str, str, SerialDevice]] = [
        (mount.id, _antennas(mount), M100Device(store.field(mount), clock, switch_pins=_pins(mount)))
        for mount in store.plan.readers
        if mount.wire == "m100"
    ]
    weighing = store.weighing()
    devices += [
        (plan.id, f"{len(plan.bins)} bins: {plan.zone}", LiveBoard(plan, weighing, store, clock))
        for plan in store.plan.gondolas
    ]
    with ExitStack() as stack:
        ports = []
        for name, about, device in devices:
            stack.enter_context(serial_bench(folder / name, device))
            ports.append(LivePort(name, folder / name, about))
        yield ports


class LiveBoard:
    """A gondola's board: at each line its channels show what lies there now."""

    def __init__(self, plan: GondolaPlan, weighing: Weighing, store: LiveStore, clock: Clock) -> None:
        period_s = 1 / plan.scales.rate_hz
        self._store = store
        self._clock = clock
        self._silent_us = round(_SILENT_PERIODS * period_s * _US_PER_S)
        self._rows: list[tuple[Cell, np.ndarray[tuple[int], np.dtype[np.intp]]]] = []
        self._weighing = weighing
        for index, (reader, channel) in enumerate(weighing.channels):
            if reader == plan.id:
                rows = np.flatnonzero(weighing.channel == index)
                is_input = bool(len(rows)) and weighing.say[rows[0]] == Say.INPUT
                self._rows.append((Cell(channel, is_input=is_input), rows))
        self._board = ShelfBoard([cell for cell, _ in self._rows], plan.id, interval_s=period_s)
        self.wake_s = self._board.wake_s

    def feed(self, data: bytes) -> list[tuple[float, bytes]]:
        """The next line; it does not listen."""
        now_us = self._clock.now_us() - self._store.ahead_us
        for cell, rows in self._rows:
            self._show(cell, rows, now_us)
        return self._board.feed(data)

    def _show(self, cell: Cell, rows: np.ndarray[tuple[int], np.dtype[np.intp]], now_us: int) -> None:
        weighing = self._weighing
        last = int(np.searchsorted(weighing.at_us[rows], now_us, side="right")) - 1
        row = rows[max(0, last)]
        cell.mute = now_us - weighing.at_us[row] > self._silent_us
        say = weighing.say[row]
        cell.pan.trouble = "overload" if say == Say.OVERLOAD else ""
        cell.pan.stable = say != Say.MOVING
        cell.pan.grams = 0.0 if cell.pan.trouble else float(weighing.value[row])


def _antennas(mount: ReaderMount) -> str:
    return ", ".join(f"{antenna.port}: {antenna.zone}" for antenna in mount.antennas)


def _pins(mount: ReaderMount) -> tuple[int, ...]:
    """The pins of its antenna switch, the first of them worth 1."""
    return tuple(range(1, (len(mount.antennas) - 1).bit_length() + 1))
