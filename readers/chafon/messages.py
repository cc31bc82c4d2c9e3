"""What the frames of Chafon readers mean. Pure.

Sections are those of the manuals of UHFReader18 (V2.0) and UHFReader288.
"""

from enum import Enum, IntEnum
from typing import Final, NamedTuple

from readers.chafon.settings import Region


class Command(IntEnum):
    """Those that are used here, and what readers say by themselves."""

    INVENTORY = 0x01
    INFO = 0x21
    SET_REGION = 0x22
    SET_SCAN_TIME = 0x25
    SET_POWER = 0x2F
    SERIAL_NUMBER = 0x4C
    WORK_MODE = 0x76
    PUSHED = 0xEE


class Status(IntEnum):
    """The byte behind the command (section "result status values")."""

    OK = 0x00
    DONE = 0x01
    SCAN_TIME_OVER = 0x02
    MORE_FOLLOWS = 0x03
    MEMORY_FULL = 0x04
    STATISTICS = 0x26
    HEARTBEAT = 0x28
    ANTENNA_ERROR = 0xF8
    EXECUTION_ERROR = 0xF9
    POOR_LINK = 0xFA
    NO_TAG = 0xFB
    TAG_ERROR = 0xFC
    LENGTH_ERROR = 0xFD
    ILLEGAL_COMMAND = 0xFE
    PARAMETER_ERROR = 0xFF


class Dialect(Enum):
    """How an inventory is asked for and told; a frame does not say which it is, the reader's type does."""

    READER18 = "UHFReader18"
    READER288 = "UHFReader288"


class Band(NamedTuple):
    """A region on the wire: its code, and the number of its last channel."""

    code: int
    last_channel: int


BANDS: Final = {Region.CN: Band(1, 19), Region.US: Band(2, 49), Region.KR: Band(3, 31), Region.EU: Band(4, 14)}

READER18_TYPES: Final = frozenset({0x03, 0x08, 0x09})
MODELS: Final = {
    0x03: "RRU9803M",
    0x08: "RRU9803M",
    0x09: "UHFReader18",
    0x0C: "UHFReader288M",
    0x0F: "UHFReader86",
    0x10: "UHFReader86",
    0x16: "RRU9883M",
    0x20: "UHFReader288MP",
    0x8B: "UHFReader288ADV",
}

TAGS_FOLLOW: Final = frozenset({Status.OK, Status.DONE, Status.SCAN_TIME_OVER, Status.MORE_FOLLOWS, Status.MEMORY_FULL})
SCAN_UNIT_S: Final = 0.1
MIN_READER18_SCAN: Final = 3
"""In units of 0.1 s; the manual's least for command 25."""

POWER_UNTOLD: Final = 0xFF
"""Readers with a power for each antenna tell none here."""

ANSWERING_MODE: Final = b"\x00"

_INFO_BYTES: Final = 8
_LENGTH_BITS: Final = 0x3F
_PHASE_BIT: Final = 0x40
_TID_BIT: Final = 0x80
_TID_BYTES: Final = 12
_PHASE_BYTES: Final = 7


class Info(NamedTuple):
    """The answer to command 21; `scan_time` in units of 0.1 s."""

    firmware: str
    kind: int
    band: int
    power_dbm: int
    scan_time: int

    @property
    def model(self) -> str:
        return MODELS.get(self.kind, f"Chafon type {self.kind:02X}")

    @property
    def dialect(self) -> Dialect:
        return Dialect.READER18 if self.kind in READER18_TYPES else Dialect.READER288


def decode_info(data: bytes) -> Info:
    """Raises ValueError where it is too short."""
    if len(data) < _INFO_BYTES:
        raise ValueError(f"{len(data)} bytes of reader information; it takes {_INFO_BYTES}")
    band = 4 * (data[4] >> 6) + (data[5] >> 6)
    return Info(f"{data[0]}.{data[1]}", data[2], band, data[6], data[7])


def region_payload(band: Band) -> bytes:
    """All channels of a band: the highest and the lowest, each with a half of the band's code."""
    return bytes((band.code >> 2 << 6 | band.last_channel, (band.code & 3) << 6))


def inventory_payload(dialect: Dialect, *, antenna: int, session: int, q: int, scan_time: int) -> bytes:
    """One look of one antenna (from 1); the older dialect has neither antennas nor settings here."""
    if dialect is Dialect.READER18:
        return b""
    target_a, antenna_code = 0, 0x80 + antenna - 1
    return bytes((q, session, target_a, antenna_code, scan_time))


class Tag(NamedTuple):
    """A tag once; `ports` is the antenna as the reader writes it, None where it does not. `rssi_raw` has no unit."""

    epc: bytes
    ports: int | None
    rssi_raw: int | None


def decode_inventory(dialect: Dialect, data: bytes) -> list[Tag]:
    """The tags of one frame. Raises ValueError where lengths and count do not fit the frame: then none is believed."""
    if dialect is Dialect.READER18:
        return _decode_plain(data)
    if not data:
        return []
    if len(data) == 1:
        raise ValueError("an antenna without a count of tags")
    ports, count, at = data[0], data[1], 2
    tags = []
    for _ in range(count):
        length, epc_bytes = _lengths(data, at)
        tags.append(Tag(data[at + 1 : at + 1 + epc_bytes], ports, data[at + length - 1]))
        at += length + (_PHASE_BYTES if data[at] & _PHASE_BIT else 0)
    if at != len(data):
        raise ValueError(f"{count} tags take {at} bytes, the frame has {len(data)}")
    return tags


def _lengths(data: bytes, at: int) -> tuple[int, int]:
    """Of the tag at `at`: the bytes from its length byte to its signal, and those of its EPC."""
    if at >= len(data):
        raise ValueError("fewer tags than the frame says")
    payload_bytes = data[at] & _LENGTH_BITS
    epc_bytes = payload_bytes - (_TID_BYTES if data[at] & _TID_BIT else 0)
    if epc_bytes < 0 or at + payload_bytes + 2 > len(data):
        raise ValueError(f"a tag of {payload_bytes} bytes does not fit the frame")
    return payload_bytes + 2, epc_bytes


def _decode_plain(data: bytes) -> list[Tag]:
    if not data:
        return []
    at, tags = 1, []
    for _ in range(data[0]):
        if at >= len(data) or at + 1 + data[at] > len(data):
            raise ValueError("fewer tags than the frame says")
        tags.append(Tag(data[at + 1 : at + 1 + data[at]], None, None))
        at += 1 + data[at]
    if at != len(data):
        raise ValueError(f"{data[0]} tags take {at} bytes, the frame has {len(data)}")
    return tags


def decode_pushed(data: bytes) -> Tag:
    """What a reader tells by itself: one tag, `Ant len EPC RSSI`. Raises ValueError where it does not fit."""
    if len(data) < 3 or data[1] + 3 != len(data):
        raise ValueError("a pushed tag whose length does not fit its frame")
    return Tag(data[2:-1], data[0], data[-1])


def antenna_of(ports: int, antennas: tuple[int, ...]) -> int | None:
    """Which of `antennas` a reader means that says `ports`; None where that cannot be told.

    Readers of up to eight ports set a bit for each, those of more write the number, from 0.
    """
    if max(antennas) > 8:
        return ports + 1 if ports + 1 in antennas else None
    meant = [antenna for antenna in antennas if ports == 1 << antenna - 1]
    return meant[0] if meant else None
