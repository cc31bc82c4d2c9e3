"""Encodes EPCs as GS1 prints them into tags (Tag Data Standard 2.x, sections 14.6.1 to 14.6.5).

An EPC leaves here as bytes of exactly the scheme's length; SGTIN-198 is the exception that is no multiple of 8 bits,
and is padded with two zero bits (`EpcBits` carries the true length).
"""

from enum import IntEnum
from typing import NamedTuple


class Header(IntEnum):
    """EPC binary headers (section 14.2, table 14-1)."""

    SGTIN_96 = 0x30
    SSCC_96 = 0x31
    GIAI_96 = 0x34
    SGTIN_198 = 0x36


class Filter(IntEnum):
    """SGTIN filter values (section 10.2)."""

    OTHER = 0
    POINT_OF_SALE = 1
    FULL_CASE = 2
    INNER_PACK = 4
    UNIT_LOAD = 6
    COMPONENT = 7


class EpcBits(NamedTuple):
    """An EPC as it lies in tag memory: whole bytes, and how many of their bits count."""

    data: bytes
    bits: int


class EncodeError(ValueError):
    """A value that the scheme cannot hold: which field, what it was, and what would fit."""

    def __init__(self, field: str, value: str, hint: str) -> None:
        super().__init__(f"{field} {value[:64]!r} cannot be encoded: {hint}")
        self.field, self.value, self.hint = field, value[:64], hint


# Bits of the company prefix by its number of digits (section 14.2, partition tables): partition = 12 - digits.
_PREFIX_BITS = {12: 40, 11: 37, 10: 34, 9: 30, 8: 27, 7: 24, 6: 20}
# Company prefix and reference share this many bits and digits, whatever the partition.
_SGTIN_BITS, _SGTIN_DIGITS = 44, 13
_SSCC_BITS, _SSCC_DIGITS = 58, 17
_GIAI_BITS = 82
_SERIAL_96_BITS = 38
_SERIAL_198_CHARS = 20
# The characters of GS1 AI encodable character set 82 (General Specifications, figure 7.11-1).
_CHARSET_82 = frozenset("!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")


def check_digit(digits: str) -> str:
    """The modulo-10 check digit behind `digits` (GS1 General Specifications 7.9): weights 3, 1 from the right."""
    return str(-sum(int(d) * (3 - i % 2 * 2) for i, d in enumerate(reversed(digits))) % 10)


def gtin14(company_prefix: str, item_reference: str) -> str:
    """The GTIN-14 of a company prefix and an item reference whose first digit is the indicator."""
    body = item_reference[0] + company_prefix + item_reference[1:]
    return body + check_digit(body)


def sgtin_96(company_prefix: str, item_reference: str, serial: int, filter_value: int = Filter.POINT_OF_SALE) -> bytes:
    """12 bytes; `item_reference` begins with the indicator digit, and both together have 13 digits."""
    if not 0 <= serial < 1 << _SERIAL_96_BITS:
        raise EncodeError("serial", str(serial), "SGTIN-96 holds integers below 2^38")
    head = _classic(Header.SGTIN_96, filter_value, company_prefix, item_reference, _SGTIN_BITS, _SGTIN_DIGITS)
    return (head << _SERIAL_96_BITS | serial).to_bytes(12, "big")


def sgtin_96_of(gtin: str, prefix_digits: int, serial: int, filter_value: int = Filter.POINT_OF_SALE) -> bytes:
    """12 bytes for a GTIN-14 of which `prefix_digits` digits are the company prefix."""
    prefix, reference = _split(gtin, prefix_digits)
    return sgtin_96(prefix, reference, serial, filter_value)


def sgtin_198(
    company_prefix: str, item_reference: str, serial: str, filter_value: int = Filter.POINT_OF_SALE
) -> EpcBits:
    """198 bits in 25 bytes; `serial` is up to 20 characters of 7 bits, NUL padded (section 14.4.2)."""
    if not 0 < len(serial) <= _SERIAL_198_CHARS or not _CHARSET_82.issuperset(serial):
        raise EncodeError("serial", serial, "SGTIN-198 holds 1 to 20 characters of GS1 character set 82")
    value = _classic(Header.SGTIN_198, filter_value, company_prefix, item_reference, _SGTIN_BITS, _SGTIN_DIGITS)
    for char in serial.ljust(_SERIAL_198_CHARS, "\0"):
        value = value << 7 | ord(char)
    return EpcBits((value << 2).to_bytes(25, "big"), 198)


def sscc_96(company_prefix: str, serial_reference: str, filter_value: int = Filter.OTHER) -> bytes:
    """12 bytes; `serial_reference` begins with the extension digit, and both together have 17 digits."""
    head = _classic(Header.SSCC_96, filter_value, company_prefix, serial_reference, _SSCC_BITS, _SSCC_DIGITS)
    return (head << 24).to_bytes(12, "big")


def giai_96(company_prefix: str, asset_reference: int, filter_value: int = Filter.OTHER) -> bytes:
    """12 bytes; the asset reference is an integer in the bits that the prefix leaves."""
    room = _GIAI_BITS - _prefix_bits(company_prefix)
    if not 0 <= asset_reference < 1 << room:
        raise EncodeError("asset reference", str(asset_reference), f"this prefix leaves {room} bits")
    head = _head(Header.GIAI_96, filter_value, company_prefix)
    return (head << room | asset_reference).to_bytes(12, "big")


def _split(gtin: str, prefix_digits: int) -> tuple[str, str]:
    if len(gtin) != 14 or not gtin.isdecimal() or check_digit(gtin[:13]) != gtin[13]:
        raise EncodeError("GTIN", gtin, "14 digits, the last one their check digit")
    return gtin[1 : 1 + prefix_digits], gtin[0] + gtin[1 + prefix_digits : 13]


def _prefix_bits(company_prefix: str) -> int:
    bits = _PREFIX_BITS.get(len(company_prefix))
    if bits is None or not company_prefix.isdecimal():
        raise EncodeError("company prefix", company_prefix, "6 to 12 digits")
    return bits


def _head(header: Header, filter_value: int, company_prefix: str) -> int:
    """Header, filter, partition and company prefix as one integer."""
    if not 0 <= filter_value <= 7:
        raise EncodeError("filter value", str(filter_value), "0 to 7")
    bits = _prefix_bits(company_prefix)
    partition = 12 - len(company_prefix)
    return (header << 6 | filter_value << 3 | partition) << bits | int(company_prefix)


def _classic(header: Header, filter_value: int, prefix: str, reference: str, bits: int, digits: int) -> int:
    """All fields up to the reference, for the schemes where prefix and reference share `bits` and `digits`."""
    room = digits - len(prefix)
    if not reference.isdecimal() or len(reference) != room:
        raise EncodeError("reference", reference, f"{room} digits beside a prefix of {len(prefix)}")
    return _head(header, filter_value, prefix) << (bits - _prefix_bits(prefix)) | int(reference)
