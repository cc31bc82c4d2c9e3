"""What can be wrong with a Chafon reader, in words for a person. Pure."""

from readers.model import Fault
from readers.port import faults as port_faults

another_device = port_faults.another_device


def silent(address: str) -> Fault:
    """It does not answer, whoever else on the line does."""
    return Fault(
        "timeout",
        f"the reader at {address} does not answer",
        "check its power, its bus_address, the baudrate (57600 or 115200) and the polarity of the line",
    )


def rejected(name: str, words: str) -> Fault:
    """Something indispensable was refused, or is not what was set."""
    return Fault("rejected", f"{name}: {words}", "compare region and power_dbm with what this reader is made for")


def pushing(address: str) -> Fault:
    """A reader that reports by itself takes no settings."""
    text = f"the reader at {address} reports by itself and cannot be told its region, power or number"
    return Fault("rejected", text, "set its work mode to answering with the maker's own program")


def one_antenna(model: str) -> Fault:
    """The older dialect has no word for an antenna."""
    text = f"{model} cannot look through one antenna after the other"
    return Fault("unsuited", text, "configure one antenna, or one reader for each")


def refused_setting(name: str, words: str) -> Fault:
    """Something dispensable was refused."""
    return Fault("refused_setting", f"{name}: {words}", "reading goes on without it")


def look_failed(antenna: int, status: int) -> Fault:
    """The reader could not look."""
    text = f"antenna {antenna} could not look (status {status:02X})"
    return Fault("look_failed", text, "check its cable; F8 means that the reader finds no antenna there")


def bad_inventory(words: str, evidence: bytes) -> Fault:
    """A frame that passed, with content that did not."""
    return Fault(
        "frame_error",
        f"an inventory cannot be read: {words} [{evidence[:64].hex()}]",
        "a newer firmware, or a kind of reader that this version does not know",
    )


def stray(command: int, status: int) -> Fault:
    """A frame that nobody has asked for."""
    text = f"frame {command:02X} with status {status:02X} answers nothing that was asked"
    return Fault("stray_message", text, "harmless if it is rare; two readers with one bus_address do this")


def noise(junk_bytes: int) -> Fault:
    """Bytes between the frames."""
    text = f"{junk_bytes} bytes that belong to no frame"
    return Fault("frame_error", text, "a missing terminator, a loose ground, or two readers that speak at once")


def unknown_reader(address: int) -> Fault:
    """Somebody else is on the line."""
    text = f"a reader with bus_address {address} speaks on this line and is not configured"
    return Fault("stray_message", text, "configure it, or take it off the line")


def address_taken(address: str) -> Fault:
    """Two of the configuration's readers cannot be told apart."""
    return Fault("unsuited", f"another reader is {address} already", "give each reader of a line its own bus_address")
