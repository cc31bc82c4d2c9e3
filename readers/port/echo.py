"""What an RS-485 adapter hears of its own saying. Pure."""

from typing import Final

MAX_ECHO_BYTES: Final = 4096
"""More than any request of ours; an adapter that has echoed none of that does not echo."""


class EchoFilter:
    """Drops exactly the bytes that were sent, where they come back; anything else passes untouched."""

    def __init__(self) -> None:
        self._awaited = bytearray()
        self._held = bytearray()

    def sent(self, data: bytes) -> None:
        """`data` is on the wire and may come back."""
        if len(self._awaited) + len(data) > MAX_ECHO_BYTES:
            self._awaited.clear()
        self._awaited += data

    def received(self, data: bytes) -> bytes:
        """What of `data`, and of what was held back before, is not our own."""
        if not self._awaited:
            return data
        self._held += data
        length = min(len(self._held), len(self._awaited))
        if self._held[:length] != self._awaited[:length]:
            # The device's own words: this adapter does not echo, or a byte was hurt, which a checksum will tell.
            passed = bytes(self._held)
            self._held.clear()
            self._awaited.clear()
            return passed
        if length < len(self._awaited):
            return b""
        passed = bytes(self._held[length:])
        self._held.clear()
        self._awaited.clear()
        return passed
