"""A scale on its port: a session a connection, and what outlives them."""

from readers.driver import Clock, Sink
from readers.port.link import converse
from readers.scales.dialects import LAYOUTS, USUAL_FORMAT
from readers.scales.line_session import session_of
from readers.scales.mtsics import MtSicsSession
from readers.scales.settings import Dialect, ScaleSettings


class ScaleDriver:
    """One scale, or one board with several cells; see readers.driver.Driver for the rules."""

    def __init__(self, reader: str, settings: ScaleSettings, clock: Clock) -> None:
        self.reader = reader
        self._settings = settings
        self._clock = clock
        # Of the scale, not of a connection: another one on the same port is not to be taken for it.
        self._known: str | None = None

    async def run(self, sink: Sink) -> None:
        """One connection.

        Raises ReaderError with a fault of `open_port`, or of kind link_lost, silent or another_device.
        """
        settings = self._settings
        make = MtSicsSession if settings.dialect is Dialect.MT_SICS else session_of
        session = make(self.reader, settings, self._known)
        layout = LAYOUTS.get(settings.dialect)
        usual = USUAL_FORMAT if layout is None else layout.line_format
        try:
            await converse(settings.port, usual, session, self._clock, sink)
        finally:
            self._known = self._known or session.identity
