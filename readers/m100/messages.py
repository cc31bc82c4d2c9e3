"""What the frames of the M100 family mean: commands, errors, tags. Pure.

Sections are those of the protocol description V2.3.3 of the R200, which is the M100's.
"""

from binascii import crc_hqx
from enum import IntEnum
from typing import Final, NamedTuple

from readers.m100.settings import Region

ERROR_COMMAND: Final = 0xFF
"""Stands for the command in a response that reports an error."""

GEN2_CRC_INVERTED: Final = 0x1D0F
"""What CRC-16/GENIBUS leaves over PC, EPC and their own StoredCRC (Gen2 section 6.3.2.1.2)."""

_TAG_OVERHEAD_BYTES: Final = 5


class Command(IntEnum):
    """Those that are used here."""

    INFO = 0x03
    SET_REGION = 0x07
    GET_REGION = 0x08
    GET_QUERY = 0x0D
    SET_QUERY = 0x0E
    SELECT_MODE = 0x12
    GPIO = 0x1A
    SINGLE_POLL = 0x22
    MULTI_POLL = 0x27
    STOP_POLL = 0x28
    AUTO_HOP = 0xAD
    SET_POWER = 0xB6
    GET_POWER = 0xB7


class ErrorCode(IntEnum):
    """Those that an inventory can meet."""

    INVENTORY_FAILED = 0x15
    COMMAND_ERROR = 0x17
    HOPPING_FAILED = 0x20


class InfoKind(IntEnum):
    """What 0x03 can be asked for."""

    HARDWARE = 0
    SOFTWARE = 1


class GpioAction(IntEnum):
    """The first byte of 0x1A."""

    SET_DIRECTION = 0
    SET_LEVEL = 1


SUCCESS: Final = b"\x00"
POLL_ROUNDS: Final = 0xFFFF
"""As many as a multi-poll can be told."""

MULTI_POLL_PAYLOAD: Final = b"\x22" + POLL_ROUNDS.to_bytes(2, "big")
REGION_CODES: Final = {Region.CN900: 1, Region.US: 2, Region.EU: 3, Region.CN800: 4, Region.KR: 6}
SELECT_NEVER: Final = b"\x01"
OUTPUT: Final = 1


class TagReport(NamedTuple):
    """One tag, once. `sound`: its own CRC fits what it is said to have sent."""

    epc: bytes
    pc: int
    rssi_dbm: int
    sound: bool


def decode_tag(payload: bytes) -> TagReport:
    """The payload of a tag notification: RSSI (dBm at the chip), PC, EPC, CRC. Raises ValueError where it is too short.

    A frame's checksum is one byte: what passes by luck is caught by the CRC that the tag itself has sent.
    """
    if len(payload) < _TAG_OVERHEAD_BYTES:
        raise ValueError(f"a tag of {len(payload)} bytes; it takes {_TAG_OVERHEAD_BYTES}")
    rssi_dbm = payload[0] - 256 * (payload[0] > 127)
    pc = int.from_bytes(payload[1:3], "big")
    epc = payload[3:-2]
    sound = crc_hqx(payload[1:], 0xFFFF) == GEN2_CRC_INVERTED and (pc >> 11) * 2 == len(epc)
    return TagReport(epc, pc, rssi_dbm, sound)


def query_parameters(session: int, q: int) -> bytes:
    """0x0E (section 4.10): DR 8, Miller 1, pilot tone, no Sel, `session`, target A, `q`; what the chip supports."""
    return (0x1000 | session << 8 | q << 3).to_bytes(2, "big")


def decode_text(payload: bytes) -> str:
    """The text behind the kind of an answer to 0x03, printable."""
    text = payload[1:].decode("ascii", "replace").strip("\x00 \r\n")
    return "".join(character if character.isprintable() else "?" for character in text)
