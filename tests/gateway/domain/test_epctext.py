import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.epc import CHARACTERS_82, decode
from gateway.domain.epctext import EpcTextError, identity_of, parse_epc, parse_item
from gateway.domain.identity import URI_ESCAPES
from gateway.domain.items import Identity

with warnings.catch_warnings():
    # Compiling this library warns of its own string escapes.
    warnings.simplefilter("ignore", DeprecationWarning)
    from epcpy import tag_uri_to_tag_encodable
    from epcpy.epc_schemes.sgtin import SGTINFilterValue

EPC = "3034257BF7194E4000001A85"
URI = "urn:epc:id:sgtin:0614141.812345.6789"
ITEM = Identity("80614141123458", "6789")


@pytest.mark.parametrize(
    "text",
    [
        EPC,
        EPC.lower(),
        f"0x{EPC}",
        f" {EPC} ",
        "30 34 25 7B F7 19 4E 40 00 00 1A 85",
        "3034-257B-F719-4E40-0000-1A85",
        URI,
        URI.replace("urn:epc:id:sgtin", "URN:EPC:ID:SGTIN"),
        "urn:epc:tag:sgtin-96:1.0614141.812345.6789",
    ],
)
def test_the_ways_to_write_an_epc(text: str) -> None:
    assert parse_epc(text) == bytes.fromhex(EPC)
    assert identity_of(parse_item(text)) == ITEM


@pytest.mark.parametrize(
    "text",
    [
        "(01)80614141123458(21)6789",
        "0180614141123458216789",
        "80614141123458+6789",
        "80614141123458 6789",
        "https://id.gs1.org/01/80614141123458/21/6789",
        "https://shop.example/p/01/80614141123458/21/6789?x=1",
    ],
)
def test_the_ways_to_name_an_item(text: str) -> None:
    assert parse_item(text) == ITEM


SERIALS = st.text(st.sampled_from(sorted(CHARACTERS_82)), min_size=1, max_size=20)


@given(prefix=st.text("0123456789", min_size=6, max_size=12), data=st.data(), value=st.integers(0, 7))
def test_the_uri_of_an_sgtin_is_encoded_as_others_encode_it(prefix: str, data: st.DataObject, value: int) -> None:
    length = 13 - len(prefix)
    item = data.draw(st.text("0123456789", min_size=length, max_size=length))
    serial = data.draw(st.one_of(st.integers(0, (1 << 38) - 1).map(str), SERIALS))
    body = f"{prefix}.{item}.{serial.translate(URI_ESCAPES)}"
    decoded = decode(parse_epc(f"urn:epc:id:sgtin:{body}"))
    assert decoded.pure_identity_uri == f"urn:epc:id:sgtin:{body}"
    assert decoded.filter == 1
    if set(serial) & set('"%&/<>?'):
        return  # the other library does not take every escape
    tag_uri = f"urn:epc:tag:{decoded.scheme}:{value}.{body}"
    other = tag_uri_to_tag_encodable(tag_uri)
    theirs = other.hex(
        binary_coding_scheme=other.BinaryCodingScheme(decoded.scheme.value), filter_value=SGTINFilterValue(str(value))
    )
    assert parse_epc(tag_uri).hex().upper().rstrip("0") == theirs.upper().rstrip("0")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is no EPC"),
        ("zz", "is no EPC"),
        ("303", "is no EPC"),
        ("30" * 63, "is no EPC"),
        ("urn:epc:id:sscc:0614141.1234567890", "is no EPC"),
        ("urn:epc:id:sgtin:0614141.81234.1", "have 12 digits"),
        ("urn:epc:tag:sgtin-96:1.0614141.812345.A1", "does not fit SGTIN-96"),
        ("urn:epc:tag:sgtin-96:1.0614141.812345.007", "does not fit SGTIN-96"),
        ("urn:epc:id:sgtin:0614141.812345." + "1" * 21, "no serial number"),
        ("urn:epc:id:sgtin:0614141.812345.a~b", "no serial number"),
    ],
)
def test_what_is_none_is_said_with_a_hint(text: str, what: str) -> None:
    with pytest.raises(EpcTextError, match=what) as caught:
        parse_epc(text)
    assert caught.value.hint


def test_a_gtin_with_a_wrong_check_digit_names_no_item() -> None:
    with pytest.raises(EpcTextError, match="check digit would be 8"):
        parse_item("(01)80614141123450(21)6789")
    with pytest.raises(EpcTextError, match="names no item"):
        parse_item("nothing")
    assert identity_of(b"\xe2\x80") is None


@given(st.text(max_size=60))
def test_any_text_is_an_epc_or_an_error_that_can_be_shown(text: str) -> None:
    try:
        found = parse_epc(text)
    except EpcTextError as error:
        found = b"" if str(error).isprintable() else b"?" * 63
    assert len(found) <= 62
