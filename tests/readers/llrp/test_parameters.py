import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.llrp.parameters import TV_STRUCTS, Field, ParameterType, walk_fields
from readers.llrp.wire import EVIDENCE_BYTES
from tests.readers.llrp.frames import epc96, epc_data, split, tlv, tv, usual_report, vectors

LTK = "{http://www.llrp.org/ltk/schema/core/encoding/xml/1.0}"

# The reference XML's names of the fields that are one number.
NUMBERS = {
    "ROSpecID": ParameterType.ROSPEC_ID,
    "SpecIndex": ParameterType.SPEC_INDEX,
    "InventoryParameterSpecID": ParameterType.INVENTORY_PARAMETER_SPEC_ID,
    "AntennaID": ParameterType.ANTENNA_ID,
    "PeakRSSI": ParameterType.PEAK_RSSI,
    "ChannelIndex": ParameterType.CHANNEL_INDEX,
    "FirstSeenTimestampUTC": ParameterType.FIRST_SEEN_UTC,
    "LastSeenTimestampUTC": ParameterType.LAST_SEEN_UTC,
    "TagSeenCount": ParameterType.TAG_SEEN_COUNT,
    "C1G2_CRC": ParameterType.C1G2_CRC,
    "C1G2_PC": ParameterType.C1G2_PC,
    "AccessSpecID": ParameterType.ACCESSSPEC_ID,
}


def number(text: str) -> int:
    if "T" not in text:
        return int(text)
    moment = datetime.fromisoformat(text)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000 + moment.microsecond


def expected_reports(name: str) -> Iterator[list[list[tuple[int, object, int]]]]:
    """Per RO_ACCESS_REPORT of the reference XML, its reports as (type, value, EPC bits)."""
    text = (vectors() / name).read_text()
    # Fragments of several documents: the root's prefix alone needs no schema.
    root = ET.fromstring(re.sub(r"<\?xml.*?\?>", "", text))
    for message in root.iter(LTK + "RO_ACCESS_REPORT"):
        reports = []
        for data in message.findall(LTK + "TagReportData"):
            fields: list[tuple[int, object, int]] = []
            for parameter in data:
                tag = parameter.tag.removeprefix(LTK)
                if tag == "EPC_96":
                    fields.append((13, bytes.fromhex(parameter[0].text or ""), 96))
                elif tag == "EPCData":
                    fields.append((241, bytes.fromhex(parameter[0].text or ""), int(parameter[0].get("Count", "-1"))))
                else:
                    fields.append((NUMBERS[tag], number(parameter[0].text or ""), 0))
            reports.append(fields)
        yield reports


@pytest.mark.parametrize(("name", "count"), [("dx101_a", 3), ("dx101_b", 24)])
def test_reference_reports_field_for_field(name: str, count: int) -> None:
    expected = list(expected_reports(name + ".xml"))
    bodies = [body for kind, _, body in split((vectors() / (name + ".bin")).read_bytes()) if kind == 61]
    assert len(bodies) == len(expected) == count
    for body, wanted in zip(bodies, expected, strict=True):
        reports, error = walk_fields(body)
        assert error is None
        assert [[(f.kind, f.value, f.bits) for f in report] for report in reports] == wanted


def test_the_definition_s_sizes_are_ours() -> None:
    """Every TV parameter of the machine-readable definition has the size that its fields add up to."""
    sizes = {"u1": 1, "u8": 8, "s8": 8, "u16": 16, "s16": 16, "u32": 32, "u64": 64, "u96": 96}
    root = ET.parse(vectors() / "llrp-1x0-def.xml").getroot()
    seen = 0
    for parameter in root.iter("{http://www.llrp.org/ltk/schema/core/encoding/binary/1.0}parameterDefinition"):
        kind = int(parameter.get("typeNum", "0"))
        if kind >= 128:
            continue
        fields = [child for child in parameter if child.tag.endswith("}field")]
        bits = sum(sizes[field.get("type", "")] for field in fields)
        assert TV_STRUCTS[kind].size * 8 == bits, parameter.get("name")
        seen += 1
    assert seen == 17  # it leaves out 15, ClientRequestOpSpecResult


def test_every_field_is_walked() -> None:
    custom = tlv(1023, struct.pack(">II", 25882, 57) + b"\xf0\x0f")
    fields = (
        epc_data(b"\x12\x30", 12)
        + tv(12, "H", 0x3000)
        + tv(19, "H", 1)
        + tv(20, "H", 2)
        + tv(18, "HH", 3, 4)
        + tlv(349, b"\x00\x00\x01\x00\x00")
        + custom
    )
    reports, error = walk_fields(tlv(240, fields) + tlv(242, b"ignored") + usual_report(7))
    assert error is None
    assert len(reports) == 2
    found = [(f.kind, f.value, f.bits) for f in reports[0]]
    assert found == [
        (241, b"\x12\x30", 12),
        (12, 0x3000, 0),
        (19, 1, 0),
        (20, 2, 0),
        (18, b"\x00\x03\x00\x04", 0),
        (349, b"\x00\x00\x01\x00\x00", 0),
        (1023, -0xFF1, 0),
    ]
    assert reports[0][0] == Field(241, 4, 10, 12, b"\x12\x30", 12)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (tv(21, "H", 1), "unknown TV parameter 21"),
        (tv(1, "H", 1)[:2], "cut short"),
        (struct.pack(">HH", 1023, 3), "claims 3 bytes"),
        (struct.pack(">HH", 1023, 500), "claims 500 bytes"),
        (tlv(241, b"\x00"), "without a bit count"),
        (epc_data(b"\x01\x02", 96), "96 bits in 2 bytes"),
        (epc_data(b"\x01\x02", 0), "0 bits in 2 bytes"),
        (b"\x00", "no TLV"),
    ],
)
def test_an_error_keeps_the_reports_before_it(bad: bytes, words: str) -> None:
    reports, error = walk_fields(usual_report(1) + tlv(240, epc96(2) + bad) + usual_report(3))
    assert len(reports) == 1
    assert error is not None
    assert words in error.text
    assert len(error.evidence) <= EVIDENCE_BYTES
    assert error.evidence.startswith(bad[:4])


@pytest.mark.parametrize("bad", [b"\x8d", b"\x00\xf0\x00", struct.pack(">HH", 240, 2), struct.pack(">HH", 240, 99)])
def test_a_lying_top_level_is_an_error(bad: bytes) -> None:
    reports, error = walk_fields(usual_report(1) + bad)
    assert len(reports) == 1
    assert error is not None


@given(st.binary(max_size=200))
def test_no_bytes_raise(body: bytes) -> None:
    reports, error = walk_fields(tlv(240, body) + body)
    covered = sum(field.end - field.start for report in reports for field in report)
    assert covered <= 2 * len(body) + 4
    assert error is None or error.text
