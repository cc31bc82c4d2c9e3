"""What can be wrong with a serial port, in words for a person. Pure."""

import errno
from collections.abc import Sequence

from readers.model import Fault

SHOWN_NAMES = 3
"""Enough to recognise the device that was meant."""

SHOWN_CHARACTERS = 64
"""Of what a device says of itself."""


def not_opened(device: str, error: OSError, present: Sequence[str]) -> Fault:
    """The port cannot be opened or set; `present` are the stable names of the ports that are there."""
    reason = error.strerror or str(error)
    match error.errno:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            shown = ", ".join(present[:SHOWN_NAMES])
            hint = f"there now: {shown}" if shown else "no serial adapter is there: is it plugged in?"
            return Fault("no_device", f"{device} is not there", hint)
        case errno.EACCES | errno.EPERM:
            hint = "add the gateway's user to the group dialout; the systemd unit's DeviceAllow must name its kind"
            return Fault("no_access", f"{device} may not be opened: {reason}", hint)
        case errno.EAGAIN | errno.EBUSY:
            hint = "another program has it open (fuser shows which): a getty, ModemManager, or a second gateway"
            return Fault("port_busy", f"{device} is in use", hint)
        case _:
            text = f"{device} cannot be set up as a serial port: {reason}"
            return Fault("not_a_port", text, "is this the device's path, and can it do this baud rate and format?")


def unsuited(device: str) -> Fault:
    """A pyserial URL without anything that an event loop could watch."""
    text = f"{device} has no file descriptor to wait on"
    return Fault("unsuited", text, "use a device path, or socket://host:port")


def not_connected(address: str, error: OSError) -> Fault:
    """The TCP side of a serial port is not to be had."""
    if isinstance(error, ConnectionRefusedError):
        return Fault("refused", f"{address} refuses the connection", "is ser2net or the device server running there?")
    text = f"{address} cannot be reached: {error.strerror or error}"
    return Fault("unreachable", text, "check the address, cable and route")


def no_connection(address: str, timeout_s: float) -> Fault:
    """Nothing came back at all."""
    text = f"{address} did not accept a connection within {timeout_s:g} s"
    return Fault("timeout", text, "is the device server on, and its address right?")


def lost(address: str, error: OSError | None) -> Fault:
    """The port went away while it was open."""
    how = f": {error.strerror or error}" if error is not None else ""
    return Fault("link_lost", f"{address} is gone{how}", "check the cable and the adapter; it is opened again")


def unread_output(address: str, unsent_bytes: int) -> Fault:
    """The device, or its flow control, takes nothing any more."""
    text = f"{unsent_bytes} bytes to {address} could not be sent"
    return Fault("link_lost", text, "does flow control (xonxoff, rtscts) hold the line? Restart the device")


def defect(address: str) -> Fault:
    """Our own mistake; the log has the trace."""
    return Fault("internal", f"what came from {address} made the driver fail", "report it with the log")


def another_device(address: str, expected: str, found: str) -> Fault:
    """The port is there, the device behind it is not the one it was."""
    text = f"the device at {address} says it is {found[:SHOWN_CHARACTERS]!r}, not {expected!r}"
    hint = "nothing of it is used: plug the right one in, or configure the new one (its serial_number, its calibration)"
    return Fault("another_device", text, hint)


def silent(address: str, silence_s: float) -> Fault:
    """Nothing comes any more, or never did."""
    text = f"nothing that makes sense was heard from {address} for {silence_s:g} s"
    return Fault("silent", text, "is the device on, and baud rate, parity and protocol those that it is set to?")
