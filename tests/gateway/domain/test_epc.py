"""EPC decoding against the standard's vectors, an independent codec, and arbitrary bits."""

import re
import warnings
from math import ceil, log2
from typing import Any

import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st

from gateway.domain.epc import (
    CHARACTERS_82,
    EVIDENCE_BYTES,
    HINTS,
    LAYOUTS,
    UNSUPPORTED,
    URN_CODE_40,
    Epc,
    EpcError,
    EpcErrorKind,
    NotStock,
    Scheme,
    decode,
    is_stock,
)
from gateway.domain.identity import check_digit, with_check_digit
from gateway.domain.params import ItemParams

with warnings.catch_warnings():
    # Compiling this library warns of its own string escapes.
    warnings.simplefilter("ignore", DeprecationWarning)
    from epcpy import ConvertException, hex_to_tag_encodable, tag_uri_to_tag_encodable
    from epcpy.epc_schemes.gdti import GDTI, GDTIFilterValue
    from epcpy.epc_schemes.giai import GIAI, GIAIFilterValue
    from epcpy.epc_schemes.gid import GID
    from epcpy.epc_schemes.grai import GRAI, GRAIFilterValue
    from epcpy.epc_schemes.gsrn import GSRN, GSRNFilterValue
    from epcpy.epc_schemes.sgln import SGLN, SGLNFilterValue
    from epcpy.epc_schemes.sgtin import SGTIN, SGTINFilterValue
    from epcpy.epc_schemes.sscc import SSCC, SSCCFilterValue

SGTIN_96 = "3074257BF7194E4000001A85"
SGTIN_198 = "3674257BF6B7A659B2C2BF1000000000000000000000000000"


def decode_hex(text: str, bits: int | None = None) -> Epc:
    return decode(bytes.fromhex(text), bits)


def pack(*fields: tuple[int, int], word: int = 16) -> bytes:
    """(bits, value) fields as an EPC bank, padded with zero bits to whole words."""
    text = "".join(f"{value:0{bits}b}" for bits, value in fields if bits)
    text += "0" * (-len(text) % word)
    return int(text, 2).to_bytes(len(text) // 8)


def kind_of(data: bytes, bits: int | None = None) -> EpcErrorKind:
    with pytest.raises(EpcError) as caught:
        decode(data, bits)
    assert caught.value.hint == HINTS[caught.value.kind]
    assert caught.value.evidence == data[:EVIDENCE_BYTES]
    assert caught.value.text
    return caught.value.kind


@pytest.mark.parametrize(
    ("epc", "tag_uri", "element_string", "digital_link"),
    [
        (
            SGTIN_96,
            "urn:epc:tag:sgtin-96:3.0614141.812345.6789",
            "(01)80614141123458(21)6789",
            "https://id.gs1.org/01/80614141123458/21/6789",
        ),
        (
            SGTIN_198,
            "urn:epc:tag:sgtin-198:3.0614141.712345.32a%2Fb",
            "(01)70614141123451(21)32a/b",
            "https://id.gs1.org/01/70614141123451/21/32a%2Fb",
        ),
        (
            "3066C4409047E140075BCD15",
            "urn:epc:tag:sgtin-96:3.95060001343.05.123456789",
            "(01)09506000134352(21)123456789",
            "https://id.gs1.org/01/09506000134352/21/123456789",
        ),
        (
            "3174257BF4499602D2000000",
            "urn:epc:tag:sscc-96:3.0614141.1234567890",
            "(00)106141412345678908",
            "https://id.gs1.org/00/106141412345678908",
        ),
        (
            "3474257BF40000000000162E",
            "urn:epc:tag:giai-96:3.0614141.5678",
            "(8004)06141415678",
            "https://id.gs1.org/8004/06141415678",
        ),
        (
            "3376451FD40C0E400000162E",
            "urn:epc:tag:grai-96:3.9521141.12345.5678",
            "(8003)095211411234545678",
            "https://id.gs1.org/8003/095211411234545678",
        ),
    ],
)
def test_vectors(epc: str, tag_uri: str, element_string: str, digital_link: str) -> None:
    decoded = decode_hex(epc)
    assert decoded.tag_uri == tag_uri
    assert decoded.element_string == element_string
    assert decoded.digital_link == digital_link
    scheme, control, body = re.fullmatch(r"urn:epc:tag:([a-z]+)-\d+:(\d)\.(.*)", tag_uri).groups()  # type: ignore[union-attr]  # all vectors match
    assert decoded.pure_identity_uri == f"urn:epc:id:{scheme}:{body}"
    assert decoded.filter == int(control)
    assert decoded.kind == scheme


def test_parts_of_an_sgtin() -> None:
    epc = decode_hex(SGTIN_96)
    assert epc == Epc(Scheme.SGTIN_96, 3, "0614141", "812345", "6789", "80614141123458")
    assert epc.identity == ("80614141123458", "6789")


def test_what_is_no_sgtin_has_no_identity() -> None:
    epc = decode_hex("3474257BF40000000000162E")
    assert (epc.gtin, epc.identity, epc.serial) == (None, None, "5678")


def test_an_sgln_without_extension_has_one_identifier() -> None:
    plain = pack((8, 0x32), (3, 1), (3, 5), (24, 614141), (17, 12345), (41, 0))
    extended = pack((8, 0x32), (3, 1), (3, 5), (24, 614141), (17, 12345), (41, 400))
    assert decode(plain).element_string == "(414)0614141123452"
    assert decode(plain).digital_link == "https://id.gs1.org/414/0614141123452"
    assert decode(extended).element_string == "(414)0614141123452(254)400"
    assert decode(extended).digital_link == "https://id.gs1.org/414/0614141123452/254/400"


def test_a_gid_has_no_gs1_key() -> None:
    epc = decode(pack((8, 0x35), (28, 95100000), (24, 12345), (36, 400)))
    assert (epc.tag_uri, epc.pure_identity_uri) == (
        "urn:epc:tag:gid-96:95100000.12345.400",
        "urn:epc:id:gid:95100000.12345.400",
    )
    assert (epc.element_string, epc.digital_link, epc.filter) == (None, None, None)


def test_partition_zero_of_a_grai_has_no_type() -> None:
    epc = decode(pack((8, 0x33), (3, 0), (3, 0), (40, 123456789012), (4, 0), (38, 7)))
    assert epc.pure_identity_uri == "urn:epc:id:grai:123456789012..7"
    assert kind_of(pack((8, 0x33), (3, 0), (3, 0), (40, 123456789012), (4, 1), (38, 7))) is EpcErrorKind.OVERFLOW


@pytest.mark.parametrize("bits", [198, 200, 208])
def test_198_bits_in_25_and_26_bytes(bits: int) -> None:
    for data in (bytes.fromhex(SGTIN_198), bytes.fromhex(SGTIN_198) + b"\0"):
        if bits <= 8 * len(data):
            assert decode(data, bits).serial == "32a/b"
            assert kind_of(data[:24] + bytes([data[24] | 1]) + data[25:], bits) is EpcErrorKind.PADDING


def test_zero_padding_is_taken_and_other_bits_are_not() -> None:
    """TDS 14.4: trailing zero bits of word-wise transfers are dropped."""
    assert decode_hex(SGTIN_96 + "00000000").serial == "6789"
    assert kind_of(bytes.fromhex(SGTIN_96 + "00000001")) is EpcErrorKind.PADDING
    assert kind_of(bytes.fromhex(SGTIN_96 + "00000001"), 96) is EpcErrorKind.PADDING


@pytest.mark.parametrize("header", sorted(LAYOUTS))
def test_an_epc_that_is_too_short_is_never_padded(header: int) -> None:
    bits = LAYOUTS[header].bits
    data = bytes([header]) + bytes(ceil(bits / 8) - 1)
    for cut in (8, 64, bits - 1):
        assert kind_of(data, cut) is EpcErrorKind.LENGTH


@pytest.mark.parametrize("header", sorted(LAYOUTS))
def test_partition_7_is_invalid_in_every_scheme(header: int) -> None:
    layout = LAYOUTS[header]
    assert kind_of(pack((8, header), (3, 1), (3, 7), (layout.bits - 14, 0))) is EpcErrorKind.PARTITION


def test_the_known_bad_partition() -> None:
    assert kind_of(bytes.fromhex("301C00004000004000000001")) is EpcErrorKind.PARTITION


@pytest.mark.parametrize("partition", range(7))
def test_decimal_overflow_of_both_fields(partition: int) -> None:
    company = ((40, 12), (37, 11), (34, 10), (30, 9), (27, 8), (24, 7), (20, 6))[partition]
    item = ((4, 1), (7, 2), (10, 3), (14, 4), (17, 5), (20, 6), (24, 7))[partition]

    def epc(prefix: int, reference: int) -> bytes:
        return pack((8, 0x30), (3, 1), (3, partition), (company[0], prefix), (item[0], reference), (38, 1))

    largest = decode(epc(10 ** company[1] - 1, 10 ** item[1] - 1))
    assert (largest.company_prefix, largest.reference) == ("9" * company[1], "9" * item[1])
    assert kind_of(epc(10 ** company[1], 0)) is EpcErrorKind.OVERFLOW
    assert kind_of(epc(0, 10 ** item[1])) is EpcErrorKind.OVERFLOW


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", EpcErrorKind.CHARACTER),
        ("A\0B", EpcErrorKind.CHARACTER),
        ("\0A", EpcErrorKind.CHARACTER),
        ("A B", EpcErrorKind.CHARACTER),
        ("A#", EpcErrorKind.CHARACTER),
        ("A\x7f", EpcErrorKind.CHARACTER),
    ],
)
def test_serials_that_no_sgtin_198_may_have(text: str, kind: EpcErrorKind) -> None:
    assert kind_of(sgtin_198("614141", 5, 12345, text)) is kind


def test_escapes_in_uris_and_links() -> None:
    epc = decode(sgtin_198("614141", 5, 12345, '"%&/<>?+a'))
    assert epc.serial == '"%&/<>?+a'
    assert epc.pure_identity_uri == "urn:epc:id:sgtin:0614141.012345.%22%25%26%2F%3C%3E%3F+a"
    assert epc.element_string == '(01)00614141123452(21)"%&/<>?+a'
    assert epc.digital_link == "https://id.gs1.org/01/00614141123452/21/%22%25%26%2F%3C%3E%3F%2Ba"


@pytest.mark.parametrize("partition", range(7))
def test_giai_202_in_every_partition(partition: int) -> None:
    bits, digits = ((40, 12), (37, 11), (34, 10), (30, 9), (27, 8), (24, 7), (20, 6))[partition]
    longest = "Asset/0123456789-abcdef."[: 30 - digits]

    def giai(text: str, last_bit: int = 0) -> bytes:
        fields = [(7, ord(character)) for character in text]
        rest = 188 - bits - 7 * len(text)
        return pack((8, 0x38), (3, 2), (3, partition), (bits, 42), *fields, (rest, last_bit))

    epc = decode(giai(longest), 202)
    assert (epc.company_prefix, epc.serial) == (f"{42:0{digits}d}", longest)
    assert epc.element_string == f"(8004){42:0{digits}d}{longest}"
    assert epc.tag_uri == f"urn:epc:tag:giai-202:2.{42:0{digits}d}.{longest.replace('/', '%2F')}"
    if 7 * (len(longest) + 1) <= 188 - bits:  # the other partitions have no room for a character too many
        assert kind_of(giai(longest + "x")) is EpcErrorKind.CHARACTER
    if 188 - bits > 7 * len(longest):  # the last bit belongs to no character of this serial
        assert kind_of(giai(longest, 1)) in {EpcErrorKind.PADDING, EpcErrorKind.CHARACTER}


def test_reserved_bits_of_an_sscc_must_be_zero() -> None:
    assert kind_of(bytes.fromhex("3174257BF4499602D2000001")) is EpcErrorKind.RESERVED


def test_headers_that_are_no_epc() -> None:
    assert kind_of(b"") is EpcErrorKind.EMPTY
    assert kind_of(bytes(12)) is EpcErrorKind.EMPTY
    assert kind_of(bytes.fromhex("E2801160600002054CC2096F")) is EpcErrorKind.UNENCODED
    assert kind_of(bytes.fromhex("AA00000000000000000000FF")) is EpcErrorKind.UNKNOWN_HEADER
    assert kind_of(b"\x30", 9) is EpcErrorKind.LENGTH
    assert kind_of(b"\x30", -1) is EpcErrorKind.LENGTH
    assert kind_of(b"\x30", 3) is EpcErrorKind.LENGTH


@pytest.mark.parametrize(("header", "name"), sorted(UNSUPPORTED.items()))
def test_schemes_that_are_named_and_not_decoded(header: int, name: str) -> None:
    with pytest.raises(EpcError, match=re.escape(name)) as caught:
        decode(bytes([header]) + bytes(15))
    assert caught.value.kind is EpcErrorKind.UNSUPPORTED


# --- SGTIN+ ------------------------------------------------------------------------------------------------------


def serial_fields(encoding: int, serial: str) -> list[tuple[int, int]]:
    """A variable-length serial by the text of TDS 14.5.6, written for this test."""
    head = [(3, encoding), (5, len(serial))]
    if encoding == 0:
        return [*head, (ceil(len(serial) * log2(10)), int(serial))]
    if encoding in {1, 2}:
        return [*head, *((4, int(character, 16)) for character in serial)]
    if encoding == 3:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return [*head, *((6, alphabet.index(character)) for character in serial)]
    if encoding == 4:
        return [*head, *((7, ord(character)) for character in serial)]
    padded = serial + "\0" * (-len(serial) % 3)
    codes = [URN_CODE_40.index(character) for character in padded]
    groups = zip(codes[::3], codes[1::3], codes[2::3], strict=True)
    return [*head, *((16, 1600 * a + 40 * b + c + 1) for a, b, c in groups)]


def sgtin_plus(gtin: str, encoding: int, serial: str, *, filter_value: int = 1, toggle: int = 0) -> bytes:
    return pack(
        (8, 0xF7),
        (1, toggle),
        (3, filter_value),
        *((4, int(digit)) for digit in gtin),
        *serial_fields(encoding, serial),
    )


@pytest.mark.parametrize(
    ("encoding", "serial"),
    [
        (0, "123456789"),
        (0, "0"),
        (0, "00042"),
        (0, "9" * 20),
        (1, "0A1F"),
        (2, "0a1f"),
        (3, "aZ-_09"),
        (4, '32a/b!"%'),
        (5, "A"),
        (5, "AB"),
        (5, "A.B:C-9"),
        (5, "Z" * 20),
    ],
)
def test_sgtin_plus_in_all_six_encodings(encoding: int, serial: str) -> None:
    epc = decode(sgtin_plus("09506000134352", encoding, serial))
    assert epc.identity == ("09506000134352", serial)
    assert (epc.scheme, epc.filter, epc.company_prefix) == (Scheme.SGTIN_PLUS, 1, None)
    assert (epc.tag_uri, epc.pure_identity_uri) == (None, None)
    assert epc.element_string == f"(01)09506000134352(21){serial}"
    for cut in range(8, 8 + 1 + 3 + 56 + 8, 7):
        assert kind_of(sgtin_plus("09506000134352", encoding, serial), cut) in {
            EpcErrorKind.LENGTH,
            EpcErrorKind.PADDING,
        }


def test_sgtin_plus_with_data_after_it() -> None:
    data = sgtin_plus("09506000134352", 0, "5", toggle=1) + b"\x12\x34"
    assert decode(data).identity == ("09506000134352", "5")
    assert kind_of(sgtin_plus("09506000134352", 0, "5") + b"\x12\x34") is EpcErrorKind.PADDING


def test_sgtin_plus_with_broken_fields() -> None:
    gtin = [(4, int(digit)) for digit in "09506000134352"]
    head = [(8, 0xF7), (1, 0), (3, 1)]
    assert kind_of(pack(*head, *gtin[:-1], (4, 3), (8, 1), (4, 1))) is EpcErrorKind.CHECK_DIGIT
    assert kind_of(pack(*head, (4, 10), *gtin[1:], (8, 1), (4, 1))) is EpcErrorKind.OVERFLOW
    assert kind_of(pack(*head, *gtin, (3, 0), (5, 0))) is EpcErrorKind.CHARACTER
    assert kind_of(pack(*head, *gtin, (3, 0), (5, 21), (70, 1))) is EpcErrorKind.CHARACTER
    assert kind_of(pack(*head, *gtin, (3, 0), (5, 1), (4, 10))) is EpcErrorKind.OVERFLOW
    assert kind_of(pack(*head, *gtin, (3, 4), (5, 2), (7, 65), (7, 0))) is EpcErrorKind.CHARACTER
    for reserved in (6, 7):
        assert kind_of(pack(*head, *gtin, (3, reserved), (5, 1), (16, 1))) is EpcErrorKind.RESERVED
    for group in (0, 64001, 65535, 1, 1 + 40, 1 + 1600):  # none, beyond, escape, pads where characters belong
        assert kind_of(pack(*head, *gtin, (3, 5), (5, 3), (16, group))) is EpcErrorKind.CHARACTER
    too_long = 1600 + 40 + 1 + 1
    assert kind_of(pack(*head, *gtin, (3, 5), (5, 2), (16, too_long))) is EpcErrorKind.CHARACTER


# --- One item, three encodings -----------------------------------------------------------------------------------


def sgtin_198(prefix: str, partition: int, reference: int, serial: str) -> bytes:
    company = (40, 37, 34, 30, 27, 24, 20)[partition]
    fields = [(8, 0x36), (3, 1), (3, partition), (company, int(prefix)), (44 - company, reference)]
    return pack(*fields, *((7, ord(character)) for character in serial), (7 * (20 - len(serial)), 0))


@given(
    partition=st.integers(0, 6),
    number=st.integers(0, 10**12 - 1),
    item=st.integers(0, 10**7 - 1),
    serial=st.integers(0, 2**38 - 1),
    filter_value=st.integers(0, 7),
)
def test_the_same_item_in_three_encodings(
    partition: int, number: int, item: int, serial: int, filter_value: int
) -> None:
    digits = 12 - partition
    company, reference = number % 10**digits, item % 10 ** (1 + partition)
    bits = (40, 37, 34, 30, 27, 24, 20)[partition]
    short = decode(
        pack((8, 0x30), (3, filter_value), (3, partition), (bits, company), (44 - bits, reference), (38, serial))
    )
    long = decode(sgtin_198(str(company), partition, reference, str(serial)))
    assert short.gtin is not None
    plus = decode(sgtin_plus(short.gtin, 0, str(serial), filter_value=filter_value))
    assert short.identity == long.identity == plus.identity
    assert short.element_string == long.element_string == plus.element_string
    assert short.digital_link == long.digital_link == plus.digital_link
    assert short.pure_identity_uri == long.pure_identity_uri


# --- An independent codec ----------------------------------------------------------------------------------------

# Its URI parser takes a serial that starts with an escape such as %2F for invalid, and counts an escape as three
# characters: escapes have a test of their own above. So has GIAI-202, which it encodes by the table of GIAI-96.
TEXTS = st.text(st.sampled_from(sorted(CHARACTERS_82 - set('"%&/<>?'))), min_size=1, max_size=20)
FOREIGN_SCHEMES = sorted({*Scheme} - {Scheme.SGTIN_PLUS, Scheme.GIAI_202})


@st.composite
def foreign_tags(draw: st.DrawFn) -> tuple[str, Any]:
    """(hex, object) of a random tag that epcpy encoded."""
    digits = draw(st.integers(6, 12))
    prefix = draw(st.integers(0, 10**digits - 1).map(lambda n: f"{n:0{digits}d}"))

    def rest(count: int) -> str:
        return f"{draw(st.integers(0, 10**count - 1)):0{count}d}" if count else ""

    scheme = draw(st.sampled_from(FOREIGN_SCHEMES))
    number = draw(st.integers(0, 2**36 - 1))
    text = draw(TEXTS)
    control = str(draw(st.integers(0, 7)))
    kind, _, size = scheme.partition("-")
    serial = str(number) if size == "96" else text
    builders: dict[str, Any] = {
        "sgtin": (SGTIN, SGTINFilterValue, rest(13 - digits), serial),
        "sscc": (SSCC, SSCCFilterValue, rest(17 - digits), None),
        "sgln": (SGLN, SGLNFilterValue, rest(12 - digits), serial),
        "grai": (GRAI, GRAIFilterValue, rest(12 - digits), serial[:16] if size == "170" else serial),
        "giai": (GIAI, GIAIFilterValue, None, serial),
        "gsrn": (GSRN, GSRNFilterValue, rest(17 - digits), None),
        "gdti": (GDTI, GDTIFilterValue, rest(12 - digits), serial),
    }
    if kind == "gid":
        gid = GID(f"urn:epc:id:gid:{draw(st.integers(0, 2**28 - 1))}.{draw(st.integers(0, 2**24 - 1))}.{number}")
        return gid.hex(), gid
    cls, filters, reference, serial_part = builders[kind]
    body = ".".join(part for part in (prefix, reference, serial_part) if part is not None)
    made = cls(f"urn:epc:id:{kind}:{body}")
    binary_scheme = cls.BinaryCodingScheme(scheme.value)
    return made.hex(binary_coding_scheme=binary_scheme, filter_value=filters(control)), made


@given(foreign_tags())
def test_what_another_codec_encodes(tag: tuple[str, Any]) -> None:
    text, made = tag
    epc = decode(bytes.fromhex(text))
    assert epc.pure_identity_uri == made.epc_uri
    # A GID has no GS1 key, and this codec's objects for it say so by lacking the method. It always writes an SGLN's
    # extension, also the "0" that stands for none (TDS 7.5).
    if epc.kind != "gid" and not (epc.kind == "sgln" and epc.serial == "0"):
        assert epc.element_string == made.gs1_element_string()
    assert tag_uri_to_tag_encodable(epc.tag_uri).epc_uri == made.epc_uri


@given(st.binary(min_size=11, max_size=25), st.sampled_from([0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x2C, 0x2D]))
def test_random_bits_mean_the_same_to_another_codec(body: bytes, header: int) -> None:
    """96-bit schemes. Where the other codec deviates it is laxer than TDS, and both are errors here: it takes reserved
    bits that are not zero (14.6.2), and a number where the partition leaves no digit for one (14.4.3).
    """
    data = bytes([header]) + body[:11]
    try:
        ours = decode(data)
    except EpcError as error:
        is_laxer = error.kind is EpcErrorKind.RESERVED or error.text.endswith("more than 0 digits")
        if not is_laxer:
            with pytest.raises(ConvertException):
                hex_to_tag_encodable(data.hex())
        return
    assert hex_to_tag_encodable(data.hex()).epc_uri == ours.pure_identity_uri


# --- Anything ----------------------------------------------------------------------------------------------------

HEADERS = sorted({*LAYOUTS, *UNSUPPORTED, 0x35, 0xF7, 0xE2, 0x00, 0xAA})


@given(
    header=st.sampled_from(HEADERS),
    body=st.binary(max_size=40),
    bits=st.none() | st.integers(-8, 400),
)
@example(header=0xF7, body=bytes.fromhex("1095060001343520"), bits=None)
def test_any_bits_are_an_epc_or_an_epc_error(header: int, body: bytes, bits: int | None) -> None:
    data = bytes([header]) + body
    refused: EpcError | None = None
    try:
        epc = decode(data, bits)
    except EpcError as error:
        refused = error
    if refused is not None:
        assert refused.kind in EpcErrorKind
        assert len(refused.evidence) <= EVIDENCE_BYTES
        return
    names = (epc.tag_uri, epc.pure_identity_uri, epc.element_string, epc.digital_link)
    assert all(name is None or name.isascii() for name in names)
    assert (epc.identity is None) == (epc.kind != "sgtin")
    if epc.gtin is not None:
        assert re.fullmatch("[0-9]{14}", epc.gtin)
        assert with_check_digit(epc.gtin[:-1]) == epc.gtin
        assert epc.serial
        assert len(epc.serial) <= 20
    is_stock(epc, ItemParams())


@given(data=st.binary(min_size=1, max_size=30), position=st.integers(0, 239))
def test_a_decoded_epc_holds_every_bit(data: bytes, position: int) -> None:
    """Two different 96-bit EPCs never decode to the same tag URI: no bit is ignored."""
    first = b"\x30" + data[:11].ljust(11, b"\0")
    flipped = int.from_bytes(first) ^ (1 << position % 88)
    try:
        one, other = decode(first), decode(flipped.to_bytes(12))
    except EpcError:
        reject()
    assert one.tag_uri != other.tag_uri


# --- What counts -------------------------------------------------------------------------------------------------


def item(filter_value: int) -> Epc:
    return decode(sgtin_plus("09506000134352", 0, "1", filter_value=filter_value))


def test_only_point_of_sale_items_count_by_default() -> None:
    reasons = {value: is_stock(item(value), ItemParams()) for value in range(8)}
    assert reasons == {value: None if value == 1 else NotStock.FILTER_VALUE for value in range(8)}


def test_cases_and_pallets_never_count() -> None:
    every = ItemParams(filter_values=frozenset(range(8)))
    assert [value for value in range(8) if is_stock(item(value), every) is None] == [0, 1, 3, 5, 7]


def test_company_prefixes_are_found_in_every_scheme() -> None:
    params = ItemParams(company_prefixes=("0614141", "950600013"), filter_values=frozenset({1, 3}))
    assert is_stock(item(1), params) is None
    assert is_stock(decode_hex(SGTIN_96), params) is None
    assert is_stock(decode_hex(SGTIN_198), params) is None
    assert is_stock(item(1), ItemParams(company_prefixes=("0614141",))) is NotStock.COMPANY_PREFIX


def test_what_is_no_sgtin_is_no_stock() -> None:
    assert is_stock(decode_hex("3174257BF4499602D2000000"), ItemParams()) is NotStock.NOT_SGTIN


def test_check_digits() -> None:
    assert check_digit("0950600013435") == "2"
    assert with_check_digit("10614141234567890") == "106141412345678908"
