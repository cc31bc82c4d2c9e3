"""A Modbus line on its port: a session a connection."""

from typing import Final

from readers.driver import Clock, Sink
from readers.modbus.session import ModbusSession
from readers.modbus.settings import ModbusSettings
from readers.port.link import converse
from readers.port.settings import LineFormat

USUAL_FORMAT: Final = LineFormat()
"""9600 8N1, as most transmitters leave the factory, whatever the standard says about parity."""


class ModbusDriver:
    """All devices of one line; see readers.driver.Driver for the rules."""

    def __init__(self, reader: str, settings: ModbusSettings, clock: Clock) -> None:
        self.reader = reader
        self._settings = settings
        self._clock = clock
        # Of the devices, not of a connection: another one under the same address is not to be taken for it.
        self._known: dict[int, str] = {}

    async def run(self, sink: Sink) -> None:
        """One connection.

        Raises ReaderError with a fault of `open_port`, or of kind link_lost, silent, frame_error or another_device.
        """
        port = self._settings.port
        baudrate = port.line_format(USUAL_FORMAT).baudrate
        session = ModbusSession(self.reader, self._settings, baudrate, self._known)
        try:
            await converse(port, USUAL_FORMAT, session, self._clock, sink)
        finally:
            self._known = session.identities
