"""EPCs and items as people and programs write them: hexadecimal, EPC URIs, element strings, Digital Links. Pure."""

import re
from urllib.parse import unquote

from gateway.domain.epc import CHARACTERS_82, COMPANY_PREFIXES, ITEMS, SERIAL_CHARACTERS, EpcError, decode
from gateway.domain.identity import check_digit
from gateway.domain.items import Identity

# What is shown of a text that is no EPC.
SHOWN_CHARACTERS = 64
# An EPC bank holds at most 31 words of EPC (Gen2: five bits of the PC count them).
MAX_EPC_BYTES = 62
# What people and programs put between the bytes.
SEPARATORS = str.maketrans("", "", " \t-_:")
# The filter value of an item at the point of sale, which an identity without one is taken to have.
ITEM_FILTER = 1
SGTIN_URI = re.compile(
    r"urn:epc:(?:id:sgtin:|tag:sgtin-(?P<bits>96|198):(?P<filter>[0-7])\.)"
    r"(?P<prefix>\d{6,12})\.(?P<item>\d{1,7})\.(?P<serial>\S+)",
    re.IGNORECASE | re.ASCII,
)
ELEMENTS = re.compile(r"\(?01\)?(?P<gtin>\d{14})\(?21\)?(?P<serial>\S{1,20})", re.ASCII)
DIGITAL_LINK = re.compile(r"https?://\S+?/01/(?P<gtin>\d{14})/21/(?P<serial>[^/?#\s]+)(?:[/?#]\S*)?", re.ASCII)
GTIN_SERIAL = re.compile(r"(?P<gtin>\d{8}|\d{12,14})[+/ ](?P<serial>\S{1,20})", re.ASCII)


class EpcTextError(ValueError):
    """A text that names no EPC and no item; `hint` says what would."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def parse_epc(text: str) -> bytes:
    """The EPC that a text names: hex digits in any case (0x, spaces and dashes are fine), or the URI of an SGTIN.

    Raises EpcTextError.
    """
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if not data:
        match = SGTIN_URI.fullmatch(text.strip())
        if match is not None:
            return _sgtin(match)
        try:
            data = bytes.fromhex(text.translate(SEPARATORS).lower().removeprefix("0x"))
        except ValueError:
            data = b""
    if not 0 < len(data) <= MAX_EPC_BYTES:
        hint = "write it in hexadecimal, as its reader shows it, or as urn:epc:id:sgtin:..."
        raise EpcTextError(f"{_short(text)} is no EPC", hint)
    return data


def parse_item(text: str) -> bytes | Identity:
    """The item that a text names: an EPC as above, (01)GTIN(21)SERIAL, a Digital Link, or GTIN+SERIAL.

    Raises EpcTextError.
    """
    text = text.strip()
    for pattern in (ELEMENTS, DIGITAL_LINK, GTIN_SERIAL):
        match = pattern.fullmatch(text)
        if match is not None:
            gtin, serial = match["gtin"].zfill(14), unquote(match["serial"])
            if check_digit(gtin[:-1]) != gtin[-1]:
                raise EpcTextError(
                    f"{gtin} is no GTIN: its check digit would be {check_digit(gtin[:-1])}",
                    "compare it with the label",
                )
            return Identity(gtin, serial)
    try:
        return parse_epc(text)
    except EpcTextError as error:
        hint = "write its EPC in hexadecimal, urn:epc:id:sgtin:..., or GTIN+SERIAL"
        raise EpcTextError(f"{_short(text)} names no item", hint) from error


def identity_of(item: bytes | Identity) -> Identity | None:
    """The identity that `parse_item` found, or that the EPC it found holds; None where that is no SGTIN."""
    if isinstance(item, Identity):
        return item
    try:
        decoded = decode(item)
    except EpcError:
        return None
    return None if decoded.identity is None else Identity(*decoded.identity)


def _sgtin(match: re.Match[str]) -> bytes:
    """The bits of an SGTIN's URI (TDS 14.6.1); a pure identity becomes the shorter scheme that holds its serial."""
    prefix, item, serial = match["prefix"], match["item"], unquote(match["serial"])
    if len(prefix) + len(item) != 13:
        raise EpcTextError(
            f"{_short(match.string)}: company prefix and item reference have {len(prefix) + len(item)} digits",
            "together they have 13",
        )
    fits_96 = serial.isascii() and serial.isdecimal() and str(int(serial)) == serial and int(serial) < 1 << 38
    bits = match["bits"] or ("96" if fits_96 else "198")
    if bits == "96" and not fits_96:
        raise EpcTextError(f"{_short(match.string)}: the serial does not fit SGTIN-96", "a number below 2^38")
    if not 1 <= len(serial) <= SERIAL_CHARACTERS or not CHARACTERS_82.issuperset(serial):
        raise EpcTextError(f"{_short(match.string)}: no serial number", "1 to 20 characters that GS1 allows")
    partition = 12 - len(prefix)
    value = 0x30 if bits == "96" else 0x36
    for number, width in (
        (int(match["filter"] or ITEM_FILTER), 3),
        (partition, 3),
        (int(prefix), COMPANY_PREFIXES[partition][0]),
        (int(item), ITEMS[partition][0]),
    ):
        value = value << width | number
    if bits == "96":
        return (value << 38 | int(serial)).to_bytes(12)
    for character in serial.ljust(SERIAL_CHARACTERS, "\0"):
        value = value << 7 | ord(character)
    # 198 bits, and the zeros that fill the last word.
    return (value << 10).to_bytes(26)


def _short(text: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in text[: SHOWN_CHARACTERS + 1])
    return repr(shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "...")
