"""What an Impinj reader adds when it is asked to: fine signal, phase, Doppler shift, TIDs, its temperature.

Custom parameters of vendor 25882, numbered as in the Octane LLRP guide.
"""

import struct
from collections.abc import Iterator
from typing import Protocol

from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Element, element

VENDOR = 25882
REQUESTED_DATA, READER_TEMPERATURE = 21, 37
CONTENT_SELECTOR = 50
ENABLE_TID, ENABLE_PHASE, ENABLE_RSSI, ENABLE_DOPPLER = 51, 52, 53, 67
TID, PHASE, RSSI, DOPPLER = 55, 56, 57, 68

_CUSTOM = struct.Struct(">HHII")
_SWITCH = struct.Struct(">HHIIH")
# What ImpinjRequestedData asks for: all of the configuration, or the temperature alone.
_WITH_TEMPERATURE = (2000, 2004)
# A phase is a part of 4096 to a turn.
_TURN = 4096


class Observed(Protocol):
    """What is known of a tag that is about to be reported."""

    epc: bytes
    peak_rssi_dbm: int
    channel: int
    seen: int


def custom(subtype: int, data: bytes) -> bytes:
    """A Custom parameter."""
    return _CUSTOM.pack(P.Custom, _CUSTOM.size + len(data), VENDOR, subtype) + data


def wanted_content(report: Element) -> frozenset[int]:
    """The switches that are on in a ROReportSpec: Customs within a Custom."""
    on: set[int] = set()
    for parameter in report.every(P.Custom):
        data = parameter.fields["Data"]
        if parameter.num("VendorIdentifier") != VENDOR or parameter.num("ParameterSubtype") != CONTENT_SELECTOR:
            continue
        assert isinstance(data, bytes)
        for _, _, vendor, subtype, mode in _SWITCH.iter_unpack(data):
            if vendor == VENDOR and mode:
                on.add(subtype)
    return frozenset(on)


def content(tag: Observed, wanted: frozenset[int]) -> Iterator[bytes]:
    """The parameters behind the standard ones of a tag's report; every value follows from what is known of the tag."""
    if ENABLE_TID in wanted:
        tid = tid_of(tag.epc)
        yield custom(TID, struct.pack(">H", len(tid) // 2) + tid)
    if ENABLE_PHASE in wanted:
        yield custom(PHASE, struct.pack(">H", (tag.epc[-1] * 16 + tag.channel) % _TURN))
    if ENABLE_RSSI in wanted:
        yield custom(RSSI, struct.pack(">h", tag.peak_rssi_dbm * 100 - tag.epc[-1] % 100))
    if ENABLE_DOPPLER in wanted:
        yield custom(DOPPLER, struct.pack(">h", tag.epc[-1] - tag.seen))


def tid_of(epc: bytes) -> bytes:
    """The TID of the chip that this tag has: a Monza R6, its serial number made from the EPC."""
    return b"\xe2\x80\x11\x60" + epc[-8:].rjust(8, b"\0")


def temperature(request: Element, celsius: int) -> tuple[Element, ...]:
    """What a GET_READER_CONFIG gets besides, if it asks for it."""
    for parameter in request.every(P.Custom):
        data = parameter.fields["Data"]
        assert isinstance(data, bytes)
        asks = (parameter.num("VendorIdentifier"), parameter.num("ParameterSubtype")) == (VENDOR, REQUESTED_DATA)
        if asks and int.from_bytes(data, "big") in _WITH_TEMPERATURE:
            fields = {"VendorIdentifier": VENDOR, "ParameterSubtype": READER_TEMPERATURE}
            return (element(P.Custom, Data=struct.pack(">h", celsius), **fields),)
    return ()
