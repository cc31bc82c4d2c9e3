"""What can be wrong with a scale, in words for a person. Pure."""

from typing import Final

from readers.model import Fault

SHOWN_BYTES: Final = 64
"""Enough to recognise a line."""

SATURATED: Final = Fault(
    "saturated",
    "a load cell's converter is at its end: overload, or a broken wire",
    "take the load off; if it stays, check the four wires of the cell",
)

STUCK: Final = Fault(
    "stuck",
    "a load cell's converter has said the very same number for long",
    "a real cell is never so quiet: check its wires, and reset the board",
)

NO_UNIT: Final = Fault(
    "no_unit", "the scale's lines name no unit", 'say what they mean: unit = "g" in this reader\'s table'
)

REBOOTED: Final = Fault(
    "rebooted", "the board has started anew", "if nobody did that, see its power and its cable; counting goes on"
)


def junk(line: bytes, dialect: str) -> Fault:
    """A line that is none of this dialect."""
    text = f"a line that is none of dialect {dialect} [{line[:SHOWN_BYTES].hex()}]"
    return Fault("frame_error", text, "rare ones are noise; if all are, check dialect, baudrate, parity and bytesize")


def noise(count: int) -> Fault:
    """Bytes that made no line."""
    return Fault("frame_error", f"{count} bytes that are no line", "check baudrate, parity and bytesize, and the cable")


def unknown_unit(unit: str) -> Fault:
    """Pieces, percent, or something we do not know."""
    text = f"the scale says {unit[:SHOWN_BYTES]!r} where a unit of weight should be"
    return Fault("unknown_unit", text, "set it to weighing, in mg, g, kg, t, oz or lb")


def refused(command: str, answer: str) -> Fault:
    """The scale does not do what was asked."""
    text = f"the scale answers {answer!r} to {command}"
    return Fault("refused", text, "is its interface set to MT-SICS, and is it not in a menu?")


def stray(line: str) -> Fault:
    """An answer to nothing."""
    return Fault(
        "stray_message", f"the scale says {line[:SHOWN_BYTES]!r}, which nobody has asked for", "harmless if rare"
    )


def scale_error(words: str) -> Fault:
    """The scale's own words."""
    return Fault("device_error", f"the scale reports {words[:SHOWN_BYTES]!r}", "see its manual")


def lines_lost(count: int) -> Fault:
    """A gap in the numbers of a board's lines."""
    return Fault("lines_lost", f"{count} lines of the board were lost on the way", "a loose plug, or a board too fast")


def strange_channel(channel: int) -> Fault:
    """A board tells of a cell that nobody has configured."""
    text = f"the board tells of channel {channel}, which no [[readers.channels]] table has"
    return Fault("strange_channel", text, "add a table for it, or leave it: nothing is counted there")
