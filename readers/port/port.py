"""An open serial port on the event loop: bytes in, bytes out, and its loss at once."""

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from readers.model import Fault
from readers.port import faults
from readers.port.echo import EchoFilter
from readers.port.opening import Opened, open_device
from readers.port.settings import LineFormat, PortSettings

READ_BYTES: Final = 65_536
"""At once: a tty gives 4 kB at most, a socket what has gathered; other ports get their turn in between."""

MAX_UNSENT_BYTES: Final = 64 * 1024
"""Requests have tens of bytes: a device that leaves this much unread has stopped to read."""

QUEUE_POLL_S: Final = 0.01
"""The kernel does not tell when a tty has sent everything: it is asked this often, while closing."""

FIFO_S: Final = 0.02
"""What the kernel calls sent may still be in the adapter: its FIFO and latency timer."""


async def open_port(
    settings: PortSettings, usual: LineFormat, on_data: Callable[[bytes], None], on_lost: Callable[[Fault], None]
) -> "Port":
    """Open the port that `settings` name, in `usual` format where they say nothing else.

    Raises ReaderError with a fault of kind no_device, no_access, port_busy, not_a_port or unsuited; for a socket
    refused, unreachable or timeout.
    """
    return Port(await open_device(settings, usual), settings, on_data, on_lost)


class Port:
    """`on_data` gets what has come, never empty; `on_lost` the fault, once, unless `close` was called before.

    It is never opened again: another `Port` is.
    """

    def __init__(
        self, opened: Opened, settings: PortSettings, on_data: Callable[[bytes], None], on_lost: Callable[[Fault], None]
    ) -> None:
        self.address = settings.address
        self._opened: Opened | None = opened
        self._fd = opened.fileno()
        self._on_data = on_data
        self._on_lost = on_lost
        self._echo = EchoFilter() if settings.echo else None
        self._is_tty = not settings.is_socket
        self._unsent = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    def write(self, data: bytes) -> None:
        """Send `data` after what was given before; on a port that is gone it does nothing. Never raises."""
        if self._opened is None or not data:
            return
        was_waiting = bool(self._unsent)
        self._unsent += data
        if not was_waiting:
            self._writable()
        if len(self._unsent) > MAX_UNSENT_BYTES:
            self._lose(faults.unread_output(self.address, len(self._unsent)))

    async def drained(self) -> None:
        """Until everything written is on the wire, or the port is gone."""
        while self._opened is not None and (self._unsent or self._queued_bytes()):  # noqa: ASYNC110
            await asyncio.sleep(QUEUE_POLL_S)
        if self._is_tty:
            await asyncio.sleep(FIFO_S)

    def close(self) -> None:
        """Give the port back now; what was not sent yet is dropped. Never raises."""
        if self._opened is None:
            return
        opened, self._opened = self._opened, None
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._unsent.clear()
        # A tty with unsent bytes would keep close() waiting for a device that does not read.
        with suppress(OSError, termios.error):
            if self._is_tty:
                termios.tcflush(self._fd, termios.TCIOFLUSH)
        with suppress(OSError):
            opened.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(faults.lost(self.address, error))
            return
        if not data:
            # A tty that was hung up says so for ever.
            self._lose(faults.lost(self.address, None))
            return
        if self._echo is not None:
            data = self._echo.received(data)
        if not data:
            return
        try:
            self._on_data(data)
        except Exception:
            self._lose(faults.defect(self.address))
            raise

    def _writable(self) -> None:
        try:
            sent = os.write(self._fd, self._unsent)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._lose(faults.lost(self.address, error))
            return
        if self._echo is not None:
            self._echo.sent(bytes(self._unsent[:sent]))
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._fd, self._writable)
        else:
            self._loop.remove_writer(self._fd)

    def _queued_bytes(self) -> int:
        """What the kernel still holds for the wire."""
        if not self._is_tty:
            return 0
        try:
            answer = fcntl.ioctl(self._fd, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return int(struct.unpack("i", answer)[0])

    def _lose(self, fault: Fault) -> None:
        if self._opened is not None:
            self.close()
            self._on_lost(fault)
