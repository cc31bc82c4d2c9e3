"""What a tag says once decoded: a GS1 identity and its names (GS1 Tag Data Standard 2.x, sections 6, 7, 12). Pure."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

DIGITAL_LINK_ROOT = "https://id.gs1.org/"
# TDS section 5: what the grammar of EPC URIs escapes.
URI_ESCAPES = str.maketrans({character: f"%{ord(character):02X}" for character in '"%&/<>?'})


class Scheme(StrEnum):
    """The coding schemes that are decoded (TDS table 14-1); the value is the scheme's name in a tag URI."""

    SGTIN_96 = "sgtin-96"
    SGTIN_198 = "sgtin-198"
    SGTIN_PLUS = "sgtin+"
    SSCC_96 = "sscc-96"
    SGLN_96 = "sgln-96"
    SGLN_195 = "sgln-195"
    GRAI_96 = "grai-96"
    GRAI_170 = "grai-170"
    GIAI_96 = "giai-96"
    GIAI_202 = "giai-202"
    GID_96 = "gid-96"
    GSRN_96 = "gsrn-96"
    GDTI_96 = "gdti-96"


@dataclass(frozen=True, slots=True)
class Epc:
    """One decoded EPC.

    `filter`: 0..7, None where the scheme has none (GID). `company_prefix`: None where the scheme does not tell it
    (SGTIN+, GID). `reference`: the digits between company prefix and serial as a URI shows them: item reference with
    its indicator first, serial reference, location, asset or document type; a GID's manager and class. `serial`:
    whatever tells two of a kind apart, None where there is no such thing (SSCC, GSRN). `gtin`: GTIN-14, SGTINs only.
    """

    scheme: Scheme
    filter: int | None
    company_prefix: str | None
    reference: str
    serial: str | None
    gtin: str | None = None

    @property
    def kind(self) -> str:
        """The identity without its encoding: `sgtin`, `sscc`, ..."""
        return self.scheme.rstrip("+").partition("-")[0]

    @property
    def identity(self) -> tuple[str, str] | None:
        """(GTIN-14, serial): equal for two tags exactly when they are the same item; None for what is no SGTIN."""
        if self.gtin is None or self.serial is None:
            return None
        return (self.gtin, self.serial)

    @property
    def pure_identity_uri(self) -> str | None:
        """`urn:epc:id:...` (TDS 6.3); None for SGTIN+, which does not tell where its company prefix ends."""
        if self.scheme is Scheme.SGTIN_PLUS:
            return None
        return f"urn:epc:id:{self.kind}:{self._uri_body}"

    @property
    def tag_uri(self) -> str | None:
        """`urn:epc:tag:...` (TDS 12): the pure identity, the scheme and the filter; None for SGTIN+."""
        if self.scheme is Scheme.SGTIN_PLUS:
            return None
        control = "" if self.filter is None else f"{self.filter}."
        return f"urn:epc:tag:{self.scheme}:{control}{self._uri_body}"

    @property
    def application_identifiers(self) -> tuple[tuple[str, str], ...]:
        """GS1 application identifiers and their values (TDS 7); empty for a GID, which is no GS1 key."""
        prefix, reference, serial = self.company_prefix or "", self.reference, self.serial or ""
        pairs: tuple[tuple[str, str], ...] = ()
        match self.kind:
            case "sgtin":
                pairs = (("01", self.gtin or ""), ("21", serial))
            case "sscc":
                pairs = (("00", with_check_digit(reference[0] + prefix + reference[1:])),)
            case "sgln":
                # TDS 7.5: the extension 0 says that there is none.
                extension = () if serial == "0" else (("254", serial),)
                pairs = (("414", with_check_digit(prefix + reference)), *extension)
            case "grai":
                pairs = (("8003", "0" + with_check_digit(prefix + reference) + serial),)
            case "giai":
                pairs = (("8004", prefix + serial),)
            case "gsrn":
                pairs = (("8018", with_check_digit(prefix + reference)),)
            case "gdti":
                pairs = (("253", with_check_digit(prefix + reference) + serial),)
        return pairs

    @property
    def element_string(self) -> str | None:
        """What a barcode would say: `(01)09506000134352(21)123456789`; None for a GID."""
        return "".join(f"({ai}){value}" for ai, value in self.application_identifiers) or None

    @property
    def digital_link(self) -> str | None:
        """The canonical GS1 Digital Link URI; None for a GID."""
        path = "/".join(f"{ai}/{quote(value, safe='')}" for ai, value in self.application_identifiers)
        return DIGITAL_LINK_ROOT + path if path else None

    @property
    def _uri_body(self) -> str:
        if self.scheme is Scheme.GID_96:
            return f"{self.reference}.{self.serial}"
        middle = () if self.scheme in {Scheme.GIAI_96, Scheme.GIAI_202} else (self.reference,)
        last = () if self.serial is None else (self.serial.translate(URI_ESCAPES),)
        return ".".join((self.company_prefix or "", *middle, *last))


def check_digit(digits: str) -> str:
    """The GS1 check digit of `digits`: modulo 10, weights 3 and 1 from the right."""
    total = sum(int(digit) * (1 if index % 2 else 3) for index, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def with_check_digit(digits: str) -> str:
    """`digits` and their check digit."""
    return digits + check_digit(digits)
