"""EPC binary encodings to GS1 identities (GS1 Tag Data Standard 2.x, sections 14.2 to 14.6). Pure.

`decode` takes the bits of a tag's EPC bank and gives an `Epc` or raises an `EpcError`; `is_stock` says whether that
identity is counted.
"""

from enum import StrEnum
from math import ceil, log2
from typing import NamedTuple

from gateway.domain.identity import Epc, Scheme, check_digit, with_check_digit
from gateway.domain.params import NEVER_ITEM_FILTERS, ItemParams

__all__ = ["Epc", "EpcError", "EpcErrorKind", "NotStock", "Scheme", "decode", "is_stock"]

# Errors go to logs and metrics: no more of a tag than this is shown.
EVIDENCE_BYTES = 64
# GS1 General Specifications, AI (21): a serial number has 1 to 20 characters.
SERIAL_CHARACTERS = 20
# GS1 General Specifications, AI (8004): company prefix and asset reference have 30 characters together.
GIAI_CHARACTERS = 30

DIGITS = "0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# TDS table A-1, GS1 AI encodable character set 82.
CHARACTERS_82 = frozenset("!\"%&'()*+,-./:;<=>?_" + DIGITS + UPPER + UPPER.lower())


class EpcErrorKind(StrEnum):
    """Why an EPC bank holds no identity; bounded, so that it can be a metric's label."""

    EMPTY = "empty"
    UNENCODED = "unencoded"
    UNKNOWN_HEADER = "unknown_header"
    UNSUPPORTED = "unsupported"
    LENGTH = "length"
    PADDING = "padding"
    PARTITION = "partition"
    OVERFLOW = "overflow"
    CHARACTER = "character"
    RESERVED = "reserved"
    CHECK_DIGIT = "check_digit"


HINTS = {
    EpcErrorKind.EMPTY: "the tag was never encoded: encode it, or take it out of the field",
    EpcErrorKind.UNENCODED: "the tag still carries its TID in the EPC bank: encode it before it is put on an item",
    EpcErrorKind.UNKNOWN_HEADER: "not a GS1 EPC: perhaps another trade's tag; a company prefix filter keeps it out",
    EpcErrorKind.UNSUPPORTED: "a GS1 scheme that is not decoded here; it never counts as stock",
    EpcErrorKind.LENGTH: "compare the bit length with the tag's PC word: the encoder may have written a wrong one",
    EpcErrorKind.PADDING: "bits after the EPC must be zero: the tag was encoded over a longer EPC, encode it again",
    EpcErrorKind.PARTITION: "partition 7 does not exist: the tag was encoded wrongly or is a misread",
    EpcErrorKind.OVERFLOW: "the number has more digits than its field: the tag was encoded wrongly or is a misread",
    EpcErrorKind.CHARACTER: "not a character that GS1 allows there: the tag was encoded wrongly or is a misread",
    EpcErrorKind.RESERVED: "the encoder wrote what the standard keeps free: encode the tag again",
    EpcErrorKind.CHECK_DIGIT: "the GTIN's check digit is wrong: the tag was encoded wrongly or is a misread",
}


class EpcError(ValueError):
    """These bits are no EPC that can be decoded: `kind` (bounded), `text`, `hint`, and `evidence`, the bytes."""

    def __init__(self, kind: EpcErrorKind, text: str, evidence: bytes = b"") -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.hint = HINTS[kind]
        self.evidence = evidence[:EVIDENCE_BYTES]


class Bits:
    """A cursor over the bits of one EPC bank, most significant first."""

    def __init__(self, data: bytes, bits: int) -> None:
        self._value = int.from_bytes(data) >> (8 * len(data) - bits)
        self._data = data
        self.left = bits

    def take(self, bits: int) -> int:
        """The next `bits` bits as an unsigned integer; EpcError (length) when there are fewer."""
        if bits > self.left:
            raise self.error(EpcErrorKind.LENGTH, f"the EPC ends {bits - self.left} bits before its scheme does")
        self.left -= bits
        return (self._value >> self.left) & ((1 << bits) - 1)

    def decimal(self, bits: int, digits: int, name: str) -> str:
        """A field that holds a decimal number of exactly `digits` digits (TDS 14.4.3); "" for none."""
        number = self.take(bits)
        if number >= 10**digits:
            raise self.error(EpcErrorKind.OVERFLOW, f"the {name} {number} has more than {digits} digits")
        return f"{number:0{digits}d}" if digits else ""

    def text(self, bits: int, limit: int, name: str) -> str:
        """A field of 7-bit characters, padded with NUL (TDS 14.4.2); bits that fill no character must be zero."""
        count, rest = divmod(bits, 7)
        codes = [self.take(7) for _ in range(count)]
        text = "".join(map(chr, codes)).rstrip("\0")
        if self.take(rest):
            raise self.error(EpcErrorKind.PADDING, f"the bits after the {name} are not zero")
        if not 1 <= len(text) <= limit:
            raise self.error(EpcErrorKind.CHARACTER, f"the {name} has {len(text)} characters, not 1 to {limit}")
        self.check_characters(text, name)
        return text

    def check_characters(self, text: str, name: str) -> None:
        """EpcError (character) unless all of `text` is of the GS1 character set 82; a NUL within it is not."""
        for character in text:
            if character not in CHARACTERS_82:
                raise self.error(EpcErrorKind.CHARACTER, f"0x{ord(character):02X} cannot stand in the {name}")

    def end(self) -> None:
        """The scheme ends here: what is left must be zero (padding of the last words, TDS 14.4)."""
        if self.take(self.left):
            raise self.error(EpcErrorKind.PADDING, "the bits after the EPC are not zero")

    def error(self, kind: EpcErrorKind, text: str) -> EpcError:
        return EpcError(kind, text, self._data)


class Tail(StrEnum):
    """What follows company prefix and reference, to the end of a classic scheme."""

    NUMBER = "number"
    TEXT = "text"
    RESERVED = "reserved"


# TDS 14.6, the tables by partition: (bits, digits) of the company prefix, and of the reference that follows it.
COMPANY_PREFIXES = ((40, 12), (37, 11), (34, 10), (30, 9), (27, 8), (24, 7), (20, 6))
ITEMS = ((4, 1), (7, 2), (10, 3), (14, 4), (17, 5), (20, 6), (24, 7))
SERIAL_REFERENCES = ((18, 5), (21, 6), (24, 7), (28, 8), (31, 9), (34, 10), (38, 11))
TYPES = ((4, 0), (7, 1), (10, 2), (14, 3), (17, 4), (20, 5), (24, 6))
LOCATIONS = ((1, 0), (4, 1), (7, 2), (11, 3), (14, 4), (17, 5), (21, 6))
NO_REFERENCE = ((0, 0),) * 7


class Layout(NamedTuple):
    """A classic scheme: header 8 | filter 3 | partition 3 | company prefix | reference | tail, `bits` in all."""

    scheme: Scheme
    bits: int
    references: tuple[tuple[int, int], ...]
    tail: Tail


LAYOUTS = {
    0x2C: Layout(Scheme.GDTI_96, 96, ((1, 0), (4, 1), (7, 2), (11, 3), (14, 4), (17, 5), (21, 6)), Tail.NUMBER),
    0x2D: Layout(Scheme.GSRN_96, 96, SERIAL_REFERENCES, Tail.RESERVED),
    0x30: Layout(Scheme.SGTIN_96, 96, ITEMS, Tail.NUMBER),
    0x31: Layout(Scheme.SSCC_96, 96, SERIAL_REFERENCES, Tail.RESERVED),
    0x32: Layout(Scheme.SGLN_96, 96, LOCATIONS, Tail.NUMBER),
    0x33: Layout(Scheme.GRAI_96, 96, TYPES, Tail.NUMBER),
    0x34: Layout(Scheme.GIAI_96, 96, NO_REFERENCE, Tail.NUMBER),
    0x36: Layout(Scheme.SGTIN_198, 198, ITEMS, Tail.TEXT),
    0x37: Layout(Scheme.GRAI_170, 170, TYPES, Tail.TEXT),
    0x38: Layout(Scheme.GIAI_202, 202, NO_REFERENCE, Tail.TEXT),
    0x39: Layout(Scheme.SGLN_195, 195, LOCATIONS, Tail.TEXT),
}
GID_96_HEADER = 0x35
SGTIN_PLUS_HEADER = 0xF7
TID_HEADER = 0xE2

# TDS table 14-1: schemes that are named to the user, and not decoded.
UNSUPPORTED = {
    0x2E: "GSRNP-96",
    0x2F: "USDoD-96",
    0x3A: "GDTI-113",
    0x3B: "ADI-var",
    0x3C: "CPI-96",
    0x3D: "CPI-var",
    0x3E: "GDTI-174",
    0x3F: "SGCN-96",
    0x40: "ITIP-110",
    0x41: "ITIP-212",
    0xE6: "CPI++",
    0xE7: "GSRN++",
    0xE8: "GSRNP++",
    0xE9: "SGLN++",
    0xEA: "GDTI++",
    0xEB: "GRAI++",
    0xEC: "SGCN++",
    0xED: "ITIP++",
    0xEE: "GIAI++",
    0xEF: "SSCC++",
    0xF0: "CPI+",
    0xF1: "GRAI+",
    0xF2: "SGLN+",
    0xF3: "ITIP+",
    0xF4: "GSRN+",
    0xF5: "GSRNP+",
    0xF6: "GDTI+",
    0xF8: "SGCN+",
    0xF9: "SSCC+",
    0xFA: "GIAI+",
    0xFB: "DSGTIN+",
    0xFC: "DSGTIN++",
    0xFD: "SGTIN++",
}


def decode(data: bytes, bits: int | None = None) -> Epc:
    """The identity in `data`, of which the first `bits` bits are the EPC (None: all of them). Raises EpcError.

    `bits` is the length that the tag's PC word or the reader tells. Fewer bits than the scheme has are an error; more
    are the padding of the last word and must be zero.
    """
    size = 8 * len(data) if bits is None else bits
    if not 0 <= size <= 8 * len(data):
        raise EpcError(EpcErrorKind.LENGTH, f"{size} bits cannot be in {len(data)} bytes", data)
    cursor = Bits(data, size)
    header = cursor.take(8) if size else 0
    if layout := LAYOUTS.get(header):
        epc = _classic(cursor, layout)
    elif header == SGTIN_PLUS_HEADER:
        epc = _sgtin_plus(cursor)
    elif header == GID_96_HEADER:
        epc = _gid(cursor)
    elif header == 0:
        raise cursor.error(EpcErrorKind.EMPTY, "the EPC bank is empty or was never programmed")
    elif header == TID_HEADER:
        raise cursor.error(EpcErrorKind.UNENCODED, "an un-encoded tag: its EPC bank holds its TID (header E2)")
    elif name := UNSUPPORTED.get(header):
        raise cursor.error(EpcErrorKind.UNSUPPORTED, f"{name} (header {header:02X}) is not decoded")
    else:
        raise cursor.error(EpcErrorKind.UNKNOWN_HEADER, f"header {header:02X} is not that of an EPC")
    if int.from_bytes(data) & ((1 << (8 * len(data) - size)) - 1):
        raise cursor.error(EpcErrorKind.PADDING, "the bits after the EPC are not zero")
    return epc


def _classic(cursor: Bits, layout: Layout) -> Epc:
    # Told before its fields: a cut EPC's missing bits are the finding, whatever the rest says.
    if cursor.left + 8 < layout.bits:
        raise cursor.error(EpcErrorKind.LENGTH, f"{layout.scheme} has {layout.bits} bits, these are {cursor.left + 8}")
    padding = cursor.left + 8 - layout.bits
    filter_value = cursor.take(3)
    partition = cursor.take(3)
    if partition >= len(COMPANY_PREFIXES):
        raise cursor.error(EpcErrorKind.PARTITION, f"partition {partition} does not exist")
    prefix = cursor.decimal(*COMPANY_PREFIXES[partition], "company prefix")
    reference = cursor.decimal(*layout.references[partition], "reference")
    tail_bits = cursor.left - padding
    serial: str | None = None
    match layout.tail:
        case Tail.NUMBER:
            serial = str(cursor.take(tail_bits))
        case Tail.TEXT:
            is_giai = layout.references is NO_REFERENCE
            limit = GIAI_CHARACTERS - len(prefix) if is_giai else SERIAL_CHARACTERS
            serial = cursor.text(tail_bits, limit, "serial")
        case Tail.RESERVED:
            if cursor.take(tail_bits):
                raise cursor.error(EpcErrorKind.RESERVED, "the reserved bits at the end are not zero")
    cursor.end()
    gtin = with_check_digit(reference[0] + prefix + reference[1:]) if layout.references is ITEMS else None
    return Epc(layout.scheme, filter_value, prefix, reference, serial, gtin)


def _gid(cursor: Bits) -> Epc:
    manager, object_class, serial = cursor.take(28), cursor.take(24), cursor.take(36)
    cursor.end()
    return Epc(Scheme.GID_96, None, None, f"{manager}.{object_class}", str(serial))


def _sgtin_plus(cursor: Bits) -> Epc:
    data_follows = cursor.take(1)
    filter_value = cursor.take(3)
    digits = [cursor.take(4) for _ in range(14)]
    if max(digits) > 9:
        raise cursor.error(EpcErrorKind.OVERFLOW, f"the GTIN has a digit of {max(digits)}")
    gtin = "".join(map(str, digits))
    if gtin != with_check_digit(gtin[:-1]):
        raise cursor.error(EpcErrorKind.CHECK_DIGIT, f"the GTIN {gtin} should end with {check_digit(gtin[:-1])}")
    serial = _plus_serial(cursor)
    # TDS 14.5.1: more application identifiers may follow, which are not part of the identity.
    if not data_follows:
        cursor.end()
    return Epc(Scheme.SGTIN_PLUS, filter_value, None, gtin[:-1], serial, gtin)


# TDS 14.5.6, tables 14-5 to 14-8: the alphabets of the encodings that give a character a fixed number of bits.
HEX_UPPER = DIGITS + "ABCDEF"
HEX_LOWER = DIGITS + "abcdef"
BASE64_URL = UPPER + UPPER.lower() + DIGITS + "-_"
URN_CODE_40 = "\0" + UPPER + "-.:" + DIGITS
FIXED_WIDTH = {1: (4, HEX_UPPER), 2: (4, HEX_LOWER), 3: (6, BASE64_URL), 4: (7, "".join(map(chr, range(128))))}
INTEGER_ENCODING = 0
URN_CODE_40_ENCODING = 5


def _plus_serial(cursor: Bits) -> str:
    """A variable-length alphanumeric serial: encoding 3 bits, length 5 bits, characters (TDS 14.5.6)."""
    encoding, length = cursor.take(3), cursor.take(5)
    if not 1 <= length <= SERIAL_CHARACTERS:
        raise cursor.error(EpcErrorKind.CHARACTER, f"the serial has {length} characters, not 1 to {SERIAL_CHARACTERS}")
    if encoding == INTEGER_ENCODING:
        # Leading zeros are part of the serial: the length tells them (TDS 14.5.6.1).
        return cursor.decimal(ceil(length * log2(10)), length, "serial")
    if encoding == URN_CODE_40_ENCODING:
        return _urn_code_40(cursor, length)
    if encoding not in FIXED_WIDTH:
        raise cursor.error(EpcErrorKind.RESERVED, f"the serial's encoding {encoding} is reserved")
    width, alphabet = FIXED_WIDTH[encoding]
    serial = "".join(alphabet[cursor.take(width)] for _ in range(length))
    cursor.check_characters(serial, "serial")
    return serial


def _urn_code_40(cursor: Bits, length: int) -> str:
    """Three characters in 16 bits: 1600 a + 40 b + c + 1; the last group is filled with pad characters."""
    text = ""
    for _ in range(ceil(length / 3)):
        code = cursor.take(16) - 1
        if not 0 <= code < 40**3:
            raise cursor.error(EpcErrorKind.CHARACTER, f"0x{code + 1:04X} is no group of URN Code 40")
        text += URN_CODE_40[code // 1600] + URN_CODE_40[code // 40 % 40] + URN_CODE_40[code % 40]
    if text[length:].strip("\0"):
        raise cursor.error(EpcErrorKind.CHARACTER, f"the serial is longer than its {length} characters")
    cursor.check_characters(text[:length], "serial")
    return text[:length]


class NotStock(StrEnum):
    """Why a well-formed EPC is not counted; bounded, so that it can be a metric's label."""

    NOT_SGTIN = "not_sgtin"
    FILTER_VALUE = "filter_value"
    COMPANY_PREFIX = "company_prefix"


def is_stock(epc: Epc, params: ItemParams) -> NotStock | None:
    """None when `epc` is an item that counts, otherwise the reason why it is none.

    A company prefix is looked up in the GTIN, not in the tag's partition: an SGTIN+ has none, and the same item must
    count the same in whichever scheme it is written.
    """
    if epc.gtin is None:
        return NotStock.NOT_SGTIN
    if epc.filter in NEVER_ITEM_FILTERS or epc.filter not in params.filter_values:
        return NotStock.FILTER_VALUE
    if params.company_prefixes and not epc.gtin.startswith(params.company_prefixes, 1):
        return NotStock.COMPANY_PREFIX
    return None
