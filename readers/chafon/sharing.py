"""One line, several readers: whose word it is. Pure.

Requests go out one at a time, in turn; a reader that does not answer costs the others its patience once, for then its
connection ends.
"""

from collections.abc import Iterable
from typing import Final

from readers.chafon import faults
from readers.chafon.session import Session
from readers.chafon.wire import IDLE_US, Frame, FrameBuffer

BROADCAST: Final = 0xFF


class SharedLine:
    """The sessions of one port; send what it wants after every call."""

    def __init__(self) -> None:
        self._frames = FrameBuffer()
        self._sessions: dict[int, Session] = {}
        self._order: list[int] = []
        self._holder: Session | None = None
        self._junk_bytes = 0
        self._last_byte_us = 0
        # A reader whose session has gone may still be answering.
        self._free_us = 0
        self._now_us = 0
        self._out = bytearray()

    def has(self, address: int) -> bool:
        return address in self._sessions

    def add(self, session: Session, now_us: int) -> None:
        """Another reader takes part; `has` its address must be False."""
        self._now_us = now_us
        self._sessions[session.address] = session
        self._order.append(session.address)
        self._serve()

    def remove(self, session: Session, now_us: int) -> None:
        """It takes part no longer; nobody speaks while its last answer may come."""
        self._now_us = now_us
        if self._sessions.get(session.address) is not session:
            return
        del self._sessions[session.address]
        self._order.remove(session.address)
        if self._holder is session:
            self._holder = None
        self._serve()

    def receive(self, data: bytes, now_us: int) -> None:
        """Bytes from the line, cut anywhere."""
        self._now_us = self._last_byte_us = now_us
        self._take_frames(self._frames.feed(data))
        self._serve()

    def tick(self, now_us: int) -> None:
        """Let what is overdue happen; it may be called early."""
        self._now_us = now_us
        if self._frames.pending_bytes and now_us >= self._last_byte_us + IDLE_US:
            self._take_frames(self._frames.idle())
        for session in list(self._sessions.values()):
            session.tick(now_us)
        self._serve()

    @property
    def deadline_us(self) -> int | None:
        """When to call `tick` at the latest."""
        due = [moment for session in self._sessions.values() if (moment := session.deadline_us) is not None]
        if self._frames.pending_bytes and self._now_us < self._last_byte_us + IDLE_US:
            due.append(self._last_byte_us + IDLE_US)
        wishes = [moment for session in self._sessions.values() if (moment := session.wants_line_us) is not None]
        if wishes:
            due.append(max(min(wishes), self._free_us))
        return min(due, default=None)

    def take_bytes(self) -> bytes:
        """What to send now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def _take_frames(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            session = self._sessions.get(frame.address)
            if session is not None:
                session.receive(frame, self._now_us)
            elif self._order:
                self._sessions[self._order[0]].note(faults.unknown_reader(frame.address))
        junk_bytes, self._junk_bytes = self._frames.junk_bytes - self._junk_bytes, self._frames.junk_bytes
        if junk_bytes and self._order:
            spoken_to = self._holder or self._sessions[self._order[0]]
            spoken_to.note(faults.noise(junk_bytes))

    def _serve(self) -> None:
        """The line goes to whoever has waited longest, once it is free."""
        if self._holder is not None and self._holder.holds_line:
            self._free_us = self._holder.free_us
            return
        if self._holder is not None:
            self._holder = None
            self._free_us = self._now_us
        if self._now_us < self._free_us:
            return
        for address in self._order:
            session = self._sessions[address]
            wanted_us = session.wants_line_us
            if wanted_us is not None and wanted_us <= self._now_us:
                self._order.remove(address)
                self._order.append(address)
                self._out += session.take_request(self._now_us)
                self._holder = session
                self._free_us = session.free_us
                return
