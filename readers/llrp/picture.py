"""What is known of a reader while it is connected, and how the gateway is told. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from readers.llrp.vendors import model_name
from readers.model import AntennaCondition, Fault, ReaderCondition, ReaderState

if TYPE_CHECKING:
    from readers.llrp.control import Capabilities


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

    def learn_antennas(self, connected: Mapping[int, bool]) -> bool:
        """Which antennas are there; ports that are not ours do not matter. True if that was news."""
        before = dict(self.antennas)
        for antenna in self.antennas.keys() & connected.keys():
            self.antennas[antenna] = AntennaCondition.UP if connected[antenna] else AntennaCondition.DOWN
        return self.antennas != before

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
