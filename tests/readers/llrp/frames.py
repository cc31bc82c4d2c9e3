"""Bytes for tests, packed here from the standard: nothing of the code under test helps to make them."""

import itertools
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from readers.model import RawRead

NOW = 1_700_000_000_000_000


def tv(kind: int, form: str, *values: object) -> bytes:
    return struct.pack(">B" + form, 0x80 | kind, *values)


def tlv(kind: int, body: bytes = b"") -> bytes:
    return struct.pack(">HH", kind, 4 + len(body)) + body


def frame(kind: int, body: bytes = b"", message_id: int = 0, version: int = 1) -> bytes:
    return struct.pack(">HII", version << 10 | kind, 10 + len(body), message_id) + body


def epc96(number: int) -> bytes:
    return tv(13, "12s", number.to_bytes(12, "big"))


def epc_data(epc: bytes, bits: int | None = None) -> bytes:
    return tlv(241, struct.pack(">H", 8 * len(epc) if bits is None else bits) + epc)


def usual_report(number: int, antenna: int = 1, rssi: int = -60, at: int = NOW, count: int = 1) -> bytes:
    return tlv(240, usual_fields(number, antenna, rssi, at, count))


def usual_fields(number: int, antenna: int = 1, rssi: int = -60, at: int = NOW, count: int = 1) -> bytes:
    return (
        epc96(number)
        + tv(9, "I", 1)
        + tv(1, "H", antenna)
        + tv(6, "b", rssi)
        + tv(7, "H", 3)
        + tv(2, "Q", at)
        + tv(4, "Q", at + 5)
        + tv(8, "H", count)
    )


def usual_read(number: int, antenna: int = 1, rssi: int = -60, at: int = NOW, count: int = 1) -> RawRead:
    return (number.to_bytes(12, "big"), antenna, rssi, at, at + 5, count)


def status(code: int = 0, text: bytes = b"") -> bytes:
    return tlv(287, struct.pack(">HH", code, len(text)) + text)


def notification(*events: bytes, utc: int = NOW) -> bytes:
    return frame(63, tlv(246, tlv(128, struct.pack(">Q", utc)) + b"".join(events)))


def connection_event(code: int = 0, utc: int = NOW) -> bytes:
    return notification(tlv(256, struct.pack(">H", code)), utc=utc)


def vectors(folder: str = "") -> Path:
    """The third-party frames; the test is skipped where they are not at hand."""
    root = os.environ.get("LLRP_VECTORS")
    if not root:
        pytest.skip("LLRP_VECTORS is unset: it names the folder with the third-party LLRP frames")
    path = Path(root).parent / folder if folder else Path(root)
    if not path.is_dir():
        pytest.skip(f"{path} is missing")
    return path


def split(data: bytes) -> list[tuple[int, int, bytes]]:
    """(type, message id, body) of frames back to back."""
    found = []
    at = 0
    while at < len(data):
        head, length, message_id = struct.unpack_from(">HII", data, at)
        found.append((head & 0x3FF, message_id, data[at + 10 : at + length]))
        at += length
    return found


def cuts(data: bytes, points: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted({point % (len(data) + 1) for point in points}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]
