"""An M100 module on its port: a session a connection, and what outlives them."""

from typing import Final

from readers.driver import Clock, Sink
from readers.m100.session import Session
from readers.m100.settings import M100Settings
from readers.port.link import converse
from readers.port.settings import LineFormat

USUAL_FORMAT: Final = LineFormat(baudrate=115_200)
"""Section 2 of the protocol: 115200 8N1."""


class M100Driver:
    """One M100 or R200 module; see readers.driver.Driver for the rules."""

    def __init__(self, reader: str, settings: M100Settings, clock: Clock) -> None:
        self.reader = reader
        self._settings = settings
        self._clock = clock
        # Of the module, not of a connection: another one on the same port is not to be taken for it.
        self._known: str | None = None
        self._session: Session | None = None
        self._rests = False

    async def run(self, sink: Sink) -> None:
        """One connection.

        Raises ReaderError with a fault of `open_port`, or of kind link_lost, timeout, rejected, not_m100 or
        another_device.
        """
        session = self._session = Session(self.reader, self._settings, self._known)
        session.rests = self._rests
        try:
            await converse(self._settings.port, USUAL_FORMAT, session, self._clock, sink)
        finally:
            self._session = None
            self._known = self._known or session.model or None

    def rest(self) -> None:
        """Another reader has its turn: do not inventory until `resume`, on this connection and on later ones."""
        self._take_turn(resting=True)

    def resume(self) -> None:
        """It is this reader's turn."""
        self._take_turn(resting=False)

    def _take_turn(self, *, resting: bool) -> None:
        self._rests = resting
        if self._session is not None:
            self._session.rests = resting
