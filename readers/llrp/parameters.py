"""The parameters inside a TagReportData, walked field by field. Pure; slow and complete, where reports.py is fast.

LLRP 1.0.1 section 16.2: a TV parameter has its high bit set, 7 type bits and a size fixed by the type; a TLV has 6
reserved bits, 10 type bits and a 16-bit length that counts its own 4-byte header.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from readers.llrp.vendors import TAG_NUMBERS, WORD_LISTS
from readers.llrp.wire import EVIDENCE_BYTES

TV_FLAG: Final = 0x80
TLV_HEADER = Struct(">HH")
TLV_HEADER_BYTES: Final = TLV_HEADER.size
TLV_TYPE_MASK: Final = 0x03FF
BIT_COUNT = Struct(">H")
CUSTOM_HEAD = Struct(">II")


class ParameterType(IntEnum):
    """What can stand in an RO_ACCESS_REPORT, LLRP 1.0.1 section 16.2.7.3; 19 and 20 are of 1.1."""

    ANTENNA_ID = 1
    FIRST_SEEN_UTC = 2
    FIRST_SEEN_UPTIME = 3
    LAST_SEEN_UTC = 4
    LAST_SEEN_UPTIME = 5
    PEAK_RSSI = 6
    CHANNEL_INDEX = 7
    TAG_SEEN_COUNT = 8
    ROSPEC_ID = 9
    INVENTORY_PARAMETER_SPEC_ID = 10
    C1G2_CRC = 11
    C1G2_PC = 12
    EPC_96 = 13
    SPEC_INDEX = 14
    CLIENT_REQUEST_OP_SPEC_RESULT = 15
    ACCESSSPEC_ID = 16
    OP_SPEC_ID = 17
    C1G2_SINGULATION_DETAILS = 18
    C1G2_XPC_W1 = 19
    C1G2_XPC_W2 = 20
    TAG_REPORT_DATA = 240
    EPC_DATA = 241
    RF_SURVEY_REPORT_DATA = 242
    CUSTOM = 1023


TV_STRUCTS: Final = {
    int(kind): Struct(form)
    for kind, form in {
        ParameterType.ANTENNA_ID: ">H",
        ParameterType.FIRST_SEEN_UTC: ">Q",
        ParameterType.FIRST_SEEN_UPTIME: ">Q",
        ParameterType.LAST_SEEN_UTC: ">Q",
        ParameterType.LAST_SEEN_UPTIME: ">Q",
        ParameterType.PEAK_RSSI: ">b",
        ParameterType.CHANNEL_INDEX: ">H",
        ParameterType.TAG_SEEN_COUNT: ">H",
        ParameterType.ROSPEC_ID: ">I",
        ParameterType.INVENTORY_PARAMETER_SPEC_ID: ">H",
        ParameterType.C1G2_CRC: ">H",
        ParameterType.C1G2_PC: ">H",
        ParameterType.EPC_96: ">12s",
        ParameterType.SPEC_INDEX: ">H",
        ParameterType.CLIENT_REQUEST_OP_SPEC_RESULT: ">H",
        ParameterType.ACCESSSPEC_ID: ">I",
        ParameterType.OP_SPEC_ID: ">H",
        ParameterType.C1G2_SINGULATION_DETAILS: ">4s",
        ParameterType.C1G2_XPC_W1: ">H",
        ParameterType.C1G2_XPC_W2: ">H",
    }.items()
}
"""The value behind the one type byte of each TV parameter."""


class Field(NamedTuple):
    """One parameter of a report. `value` is a number, or the raw bytes of what has structure of its own.

    `start` and `end` are offsets of the whole parameter in the message body, `value_start` that of its value. `bits`
    counts the bits of an EPC and is 0 elsewhere; `value` of an EPC is as sent, pad bits included. `vendor` and
    `subtype` say what a Custom is; its value is what stands behind them, a number where `vendors.py` says so.
    """

    kind: int
    start: int
    value_start: int
    end: int
    value: int | bytes
    bits: int = 0
    vendor: int = 0
    subtype: int = 0


@dataclass(frozen=True, slots=True)
class ReportError:
    """Why the rest of one message body could not be read; a value, since the session goes on."""

    text: str
    evidence: bytes


Report = list[Field]
Walked = tuple[list[Report], ReportError | None]


def report_error(text: str, body: bytes, at: int) -> ReportError:
    """An error with the bytes at `at` as its evidence."""
    return ReportError(f"{text} at byte {at}", body[at : at + EVIDENCE_BYTES])


def walk_fields(body: bytes) -> Walked:
    """Every field of every TagReportData of an RO_ACCESS_REPORT body, up to the first error."""
    reports: list[Report] = []
    at = 0
    while at < len(body):
        header = tlv_header(body, at, len(body))
        if isinstance(header, ReportError):
            return reports, header
        kind, end = header
        if kind == ParameterType.TAG_REPORT_DATA:
            fields = walk_report(body, at + TLV_HEADER_BYTES, end)
            if isinstance(fields, ReportError):
                return reports, fields
            reports.append(fields)
        at = end
    return reports, None


def walk_report(body: bytes, at: int, end: int) -> Report | ReportError:
    """The fields of one TagReportData whose parameters lie in body[at:end]."""
    fields: Report = []
    while at < end:
        field = _tv(body, at, end) if body[at] & TV_FLAG else _tlv(body, at, end)
        if isinstance(field, ReportError):
            return field
        fields.append(field)
        at = field.end
    return fields


def tlv_header(body: bytes, at: int, end: int) -> tuple[int, int] | ReportError:
    """(type, offset of its end) of the TLV at `at`, which must end by `end`."""
    if end - at < TLV_HEADER_BYTES or body[at] & TV_FLAG:
        return report_error("no TLV parameter", body, at)
    head, length = TLV_HEADER.unpack_from(body, at)
    if length < TLV_HEADER_BYTES or length > end - at:
        return report_error(f"a parameter claims {length} bytes of {end - at}", body, at)
    return head & TLV_TYPE_MASK, at + length


def _tv(body: bytes, at: int, end: int) -> Field | ReportError:
    kind = body[at] & ~TV_FLAG
    form = TV_STRUCTS.get(kind)
    if form is None:
        # Its size is nowhere stated, so nothing behind it can be found.
        return report_error(f"unknown TV parameter {kind}", body, at)
    stop = at + 1 + form.size
    if stop > end:
        return report_error(f"TV parameter {kind} is cut short", body, at)
    value: int | bytes = form.unpack_from(body, at + 1)[0]
    return Field(kind, at, at + 1, stop, value, 96 if kind == ParameterType.EPC_96 else 0)


def _tlv(body: bytes, at: int, end: int) -> Field | ReportError:
    header = tlv_header(body, at, end)
    if isinstance(header, ReportError):
        return header
    kind, stop = header
    if kind < TV_FLAG:
        # Taken for the TV of that number it would have another size; TLVs are numbered from 128.
        return report_error(f"TLV parameter {kind} has the number of a TV", body, at)
    value_at = at + TLV_HEADER_BYTES
    if kind == ParameterType.CUSTOM and stop - value_at >= CUSTOM_HEAD.size:
        return _custom(body, at, value_at, stop)
    if kind == ParameterType.EPC_DATA:
        return _epc_data(body, at, value_at, stop)
    return Field(kind, at, value_at, stop, body[value_at:stop])


def _epc_data(body: bytes, at: int, value_at: int, stop: int) -> Field | ReportError:
    data_at = value_at + BIT_COUNT.size
    if data_at > stop:
        return report_error("EPCData without a bit count", body, at)
    bits: int = BIT_COUNT.unpack_from(body, value_at)[0]
    if (bits + 7) // 8 != stop - data_at:
        return report_error(f"EPCData of {bits} bits in {stop - data_at} bytes", body, at)
    return Field(ParameterType.EPC_DATA, at, data_at, stop, body[data_at:stop], bits)


def _custom(body: bytes, at: int, value_at: int, stop: int) -> Field:
    """A vendor's parameter; one that is not of the size we know is kept as bytes."""
    vendor, subtype = CUSTOM_HEAD.unpack_from(body, value_at)
    start = value_at + CUSTOM_HEAD.size
    form = TAG_NUMBERS.get((vendor, subtype))
    value: int | bytes = body[start:stop]
    if form is not None and form.size == stop - start:
        value = form.unpack_from(body, start)[0]
    elif (vendor, subtype) in WORD_LISTS and stop - start >= BIT_COUNT.size:
        words: int = BIT_COUNT.unpack_from(body, start)[0]
        if 2 * words == stop - start - BIT_COUNT.size:
            start += BIT_COUNT.size
            value = body[start:stop]
    return Field(ParameterType.CUSTOM, at, start, stop, value, 0, vendor, subtype)
