"""What is known of a reader while it is connected, and how the gateway is told. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from readers.llrp import faults
from readers.llrp.control import (
    AntennaChange,
    BufferFill,
    ConnectionAttempt,
    ConnectionClosed,
    ConnectionStatus,
    Happening,
    InputChange,
    ReaderException,
    RoSpecEnded,
    RoSpecStarted,
)
from readers.llrp.vendors import model_name
from readers.model import AntennaCondition, Fault, ReaderCondition, ReaderState

if TYPE_CHECKING:
    from readers.llrp.control import Capabilities

HOT_C: Final = 70.0
"""Readers for shops are made for rooms of up to 50 °C, and are some 20 K warmer inside."""

COOL_AGAIN_C: Final = 65.0
"""A reader at the limit is not told again and again."""


class ReaderPicture:
    """One reader as this connection knows it; `state` is the whole truth at the moment."""

    def __init__(self, reader: str, address: str, antennas: tuple[int, ...]) -> None:
        self.reader = reader
        self.address = address
        self.condition = ReaderCondition.CONNECTING
        self.device: Capabilities | None = None
        self.antennas = dict.fromkeys(antennas, AntennaCondition.UNKNOWN)
        self.resting = False
        self.inputs: dict[int, bool] = {}
        self.temperature_c: float | None = None
        self._hot = False

    def learn_antennas(self, connected: Mapping[int, bool]) -> bool:
        """Which antennas are there; ports that are not ours do not matter. True if that was news."""
        before = dict(self.antennas)
        for antenna in self.antennas.keys() & connected.keys():
            self.antennas[antenna] = AntennaCondition.UP if connected[antenna] else AntennaCondition.DOWN
        return self.antennas != before

    def learn_temperature(self, celsius: float) -> Fault | None:
        """How warm it is inside; a fault where that has become too much."""
        self.temperature_c = celsius
        was_hot, self._hot = self._hot, celsius >= (COOL_AGAIN_C if self._hot else HOT_C)
        return faults.hot(celsius) if self._hot and not was_hot else None

    def learn(self, happening: Happening) -> tuple[bool, Fault | None]:
        """Something that the reader tells: whether the picture is another one by it, and what to say of it."""
        changed = False
        fault: Fault | None = None
        match happening:
            case AntennaChange(antenna, connected):
                changed = self.learn_antennas({antenna: connected})
            case InputChange(port, high):
                self.inputs[port] = high
                changed = True
            case ReaderException(text):
                fault = faults.reader_exception(text)
            case BufferFill(percent):
                fault = faults.reader_buffer(percent)
            case RoSpecEnded(rospec_id, by) if by:
                fault = faults.preempted(rospec_id, by)
            case ConnectionAttempt(ConnectionStatus.ANOTHER_ATTEMPTED):
                fault = faults.RIVAL_CLIENT
            case ConnectionAttempt() | ConnectionClosed() | RoSpecStarted() | RoSpecEnded():
                pass
        return changed, fault

    def state(self, *, clock_offset_ms: float | None = None, fault: Fault | None = None) -> ReaderState:
        """The event that says all of this."""
        device = self.device
        return ReaderState(
            reader=self.reader,
            condition=self.condition,
            address=self.address,
            model="" if device is None else model_name(device.manufacturer, device.model),
            firmware="" if device is None else device.firmware,
            antennas=dict(self.antennas),
            clock_offset_ms=clock_offset_ms,
            fault=fault,
            resting=self.resting,
            inputs=dict(self.inputs),
            temperature_c=self.temperature_c,
        )
