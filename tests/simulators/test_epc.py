import warnings
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import epc

with warnings.catch_warnings():
    # Its sources hold escapes that Python warns about when it compiles them.
    warnings.simplefilter("ignore", DeprecationWarning)
    from epcpy.epc_schemes.giai import GIAI, GIAIFilterValue
    from epcpy.epc_schemes.sgtin import SGTIN, SGTINFilterValue
    from epcpy.epc_schemes.sscc import SSCC, SSCCFilterValue

# Characters that a tag URI shows as they are (Tag Data Standard, section 6.3.1).
UNESCAPED = "!'()*+,:;="
SERIAL_CHARS = "0123456789ABCXYZabcxyz-_.!'()*+,:;="


def test_encodes_the_published_vectors() -> None:
    assert epc.sgtin_96("0614141", "812345", 6789, 3).hex() == "3074257bf7194e4000001a85"
    assert epc.sgtin_96("95060001343", "05", 123456789, 3).hex() == "3066c4409047e140075bcd15"
    assert epc.sscc_96("0614141", "1234567890", 3).hex() == "3174257bf4499602d2000000"
    assert epc.giai_96("0614141", 5678, 3).hex() == "3474257bf40000000000162e"
    coded = epc.sgtin_198("0614141", "712345", "32a/b", 3)
    assert coded.data.hex() == "3674257bf6b7a659b2c2bf1000000000000000000000000000"
    assert coded.bits == 198


def test_check_digits() -> None:
    assert epc.gtin14("0614141", "812345") == "80614141123458"
    assert epc.gtin14("95060001343", "05") == "09506000134352"
    assert epc.check_digit("10614141234567890") == "8"


@given(
    prefix_digits=st.integers(6, 12),
    body=st.integers(0, 10**13 - 1),
    serial=st.integers(0, 2**38 - 1),
    filter_value=st.integers(0, 7),
)
def test_sgtin_96_as_an_independent_codec_reads_it(
    prefix_digits: int, body: int, serial: int, filter_value: int
) -> None:
    digits = f"{body:013d}"
    gtin = digits + epc.check_digit(digits)
    coded = epc.sgtin_96_of(gtin, prefix_digits, serial, filter_value)
    prefix, reference = gtin[1 : 1 + prefix_digits], gtin[0] + gtin[1 + prefix_digits : 13]
    theirs = SGTIN(f"urn:epc:id:sgtin:{prefix}.{reference}.{serial}")
    bits = theirs.binary(SGTIN.BinaryCodingScheme.SGTIN_96, SGTINFilterValue(str(filter_value)))
    assert (int.from_bytes(coded, "big"), len(coded) * 8) == (int(bits, 2), len(bits))
    assert epc.gtin14(prefix, reference) == gtin


@given(prefix=st.integers(6, 12), serial=st.text(SERIAL_CHARS, min_size=1, max_size=20))
def test_sgtin_198_as_an_independent_codec_reads_it(prefix: int, serial: str) -> None:
    coded = epc.sgtin_198("1" * prefix, "2" * (13 - prefix), serial)
    assert len(coded.data) == 25
    theirs = SGTIN(f"urn:epc:id:sgtin:{'1' * prefix}.{'2' * (13 - prefix)}.{quote(serial, safe=UNESCAPED)}")
    bits = theirs.binary(SGTIN.BinaryCodingScheme.SGTIN_198, SGTINFilterValue.POS_ITEM)
    assert (int.from_bytes(coded.data, "big") >> 2, coded.bits) == (int(bits, 2), len(bits))


@given(prefix=st.integers(6, 12), reference=st.integers(0, 10**17), asset=st.integers(0, 2**42 - 1))
def test_sscc_and_giai_as_an_independent_codec_reads_them(prefix: int, reference: int, asset: int) -> None:
    digits = str(reference).zfill(17)[-(17 - prefix) :]
    sscc = epc.sscc_96("3" * prefix, digits)
    bits = SSCC(f"urn:epc:id:sscc:{'3' * prefix}.{digits}").binary(filter_value=SSCCFilterValue.ALL_OTHERS)
    assert sscc == int(bits, 2).to_bytes(12, "big")
    giai = epc.giai_96("4" * prefix, asset)
    theirs = GIAI(f"urn:epc:id:giai:{'4' * prefix}.{asset}")
    bits = theirs.binary(GIAI.BinaryCodingScheme.GIAI_96, GIAIFilterValue.ALL_OTHERS)
    assert giai == int(bits, 2).to_bytes(12, "big")


@pytest.mark.parametrize(
    ("prefix", "reference", "serial", "filter_value", "field"),
    [
        ("06141", "81234567", 1, 1, "company prefix"),
        ("0614141", "81234", 1, 1, "reference"),
        ("0614141", "812345", 1 << 38, 1, "serial"),
        ("0614141", "812345", -1, 1, "serial"),
        ("0614141", "812345", 1, 8, "filter value"),
        ("061414x", "812345", 1, 1, "company prefix"),
    ],
)
def test_refuses_what_the_scheme_cannot_hold(
    prefix: str, reference: str, serial: int, filter_value: int, field: str
) -> None:
    with pytest.raises(epc.EncodeError) as caught:
        epc.sgtin_96(prefix, reference, serial, filter_value)
    assert caught.value.field == field
    assert caught.value.hint


def test_refuses_a_wrong_check_digit_and_a_bad_serial() -> None:
    with pytest.raises(epc.EncodeError, match="GTIN"):
        epc.sgtin_96_of("80614141123459", 7, 1)
    for serial in ("", "x" * 21, "a b", "\N{EURO SIGN}"):
        with pytest.raises(epc.EncodeError, match="serial"):
            epc.sgtin_198("0614141", "712345", serial)
    with pytest.raises(epc.EncodeError, match="asset"):
        epc.giai_96("0614141", 1 << 58)
