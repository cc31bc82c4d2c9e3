"""Opens and configures a serial port: the only door to pyserial. What blocks runs in a thread."""

import asyncio
import fcntl
import io
import os
import socket
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import serial

from readers.driver import ReaderError
from readers.port import faults
from readers.port.settings import SOCKET_PREFIX, LineFormat, PortSettings

CONNECT_TIMEOUT_S: Final = 5.0
"""A device server is in the same building; one that needs longer is off."""

STABLE_NAMES: Final = Path("/dev/serial/by-id")
"""Where udev names serial adapters after what they are."""

KEEPALIVE_IDLE_S: Final = 10
"""A device server that lost its power sends no goodbye: TCP asks after so long, then every few seconds."""


class Opened(Protocol):
    """What both kinds of port have: a serial.Serial, or a TCP socket."""

    def fileno(self) -> int:
        """To be watched and read; it never blocks."""

    def close(self) -> None:
        """Give it back; never raises."""


async def open_device(settings: PortSettings, usual: LineFormat) -> Opened:
    """Open the port for this process alone; see `open_port` for the faults."""
    if settings.is_socket:
        return await _dial(settings)
    # An adapter that hangs makes open() wait for seconds: the rest of the gateway does not.
    opening = asyncio.get_running_loop().run_in_executor(None, _open, settings, settings.line_format(usual))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_discard)
        raise


def _discard(opening: "asyncio.Future[serial.Serial]") -> None:
    """It came too late."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _open(settings: PortSettings, line_format: LineFormat) -> serial.Serial:
    try:
        port = serial.serial_for_url(
            settings.device,
            do_not_open=True,
            baudrate=line_format.baudrate,
            bytesize=line_format.bytesize,
            parity=line_format.parity.value,
            stopbits=line_format.stopbits,
            xonxoff=line_format.xonxoff,
            rtscts=settings.rtscts,
            timeout=0,
            # VMIN 1: "nothing there" is EAGAIN then, and an empty read means that the port is gone.
            inter_byte_timeout=0,
            exclusive=True,
        )
        if settings.dtr is not None:
            port.dtr = settings.dtr
        if settings.rts is not None:
            port.rts = settings.rts
        port.open()
    except (OSError, ValueError, termios.error) as error:
        raise ReaderError(faults.not_opened(settings.device, _os_error(error), _present())) from error
    try:
        _claim(port.fileno())
    except io.UnsupportedOperation as error:
        port.close()
        raise ReaderError(faults.unsuited(settings.device)) from error
    except (OSError, termios.error) as error:
        port.close()
        raise ReaderError(faults.not_opened(settings.device, _os_error(error), _present())) from error
    return port


def _claim(fd: int) -> None:
    """Nobody else opens it, not even who does not ask for a lock; closing it does not reset a board by DTR."""
    fcntl.ioctl(fd, termios.TIOCEXCL)
    attributes = termios.tcgetattr(fd)
    attributes[2] &= ~termios.HUPCL
    termios.tcsetattr(fd, termios.TCSANOW, attributes)


def _os_error(error: Exception) -> OSError:
    """Both pyserial and termios wrap the system's error each in their own way."""
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, os.strerror(error.errno))
    if isinstance(error, termios.error):
        return OSError(*error.args)
    return OSError(str(error))


def _present() -> list[str]:
    try:
        return sorted(str(path) for path in STABLE_NAMES.iterdir())
    except OSError:
        return []


async def _dial(settings: PortSettings) -> socket.socket:
    host, _, port = settings.device.removeprefix(SOCKET_PREFIX).rpartition(":")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            found = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
            return await _dial_any(loop, found)
    except TimeoutError:
        raise ReaderError(faults.no_connection(settings.address, CONNECT_TIMEOUT_S)) from None
    except OSError as error:
        raise ReaderError(faults.not_connected(settings.address, error)) from error


async def _dial_any(loop: asyncio.AbstractEventLoop, found: Sequence[tuple[Any, ...]]) -> socket.socket:
    """The first of the host's addresses that answers; else the last one's error."""
    last = OSError("the name has no address")
    for family, kind, protocol, _, place in found:
        link = socket.socket(family, kind, protocol)
        link.setblocking(False)
        try:
            await loop.sock_connect(link, place)
        except OSError as error:
            link.close()
            last = error
        except asyncio.CancelledError:
            link.close()
            raise
        else:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
            return link
    raise last
