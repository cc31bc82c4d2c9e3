"""The shape of the configuration file: which keys there are, and what each may be. Unknown keys are errors.

These models judge one key or one table at a time; what concerns several of them is in `checks`. What the file means
to the gateway is `effective.Config`.
"""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, create_model, model_validator

from config.addresses import is_loopback, parse_identity, parse_listen, parse_places, parse_sha256, parse_url
from config.base import BASE_PATTERNS_IN_WORDS, AntennaPort, FileName, Identifier, Section
from config.fields import MAX_DURATION_S, given, keys_of, names_of
from config.serial import ChafonSection, M100Section, ModbusSection, ScaleSection
from gateway.domain.params import (
    DEFAULT_PROFILES,
    NEVER_ITEM_FILTERS,
    PROFILES,
    PresenceParams,
    Profile,
    ZoneKind,
)
from readers.llrp.settings import (
    LLRP_PORT,
    LLRP_TLS_PORT,
    MAX_MASK_BITS,
    AirSettings,
    Level,
    LlrpSettings,
    OutputUse,
    mask_of,
)

# What SQLite can count: the largest signed 64-bit integer.
MAX_LEDGER_BYTES = 2**63 - 1
# Below it the ledger's own tables, its write-ahead log and a day of deltas do not fit.
MIN_LEDGER_BYTES = 10_000_000
# An MQTT topic has at most 65,535 bytes, and a prefix is a small part of it.
MAX_PREFIX_CHARACTERS = 128

PREFIX_PATTERN = r"^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*$"
COMPANY_PREFIX_PATTERN = r"^[0-9]{4,12}$"
HEX_PATTERN = r"^[0-9A-Fa-f]{1,124}$"
# GPIPortNum and GPOPortNumber have 16 bits.
MAX_GPIO_PORT = 65_535
PATTERNS_IN_WORDS = {
    **BASE_PATTERNS_IN_WORDS,
    HEX_PATTERN: "the hex digits of an EPC",
    PREFIX_PATTERN: "levels of letters, digits, dots, dashes and underscores, with / between them",
    COMPANY_PREFIX_PATTERN: "4 to 12 digits",
}

MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883, "embedded": 1883}
LLRP_PORTS = {
    "llrp": LLRP_PORT,
    "llrps": LLRP_TLS_PORT,
    "llrp+listen": LLRP_PORT,
    "llrps+listen": LLRP_TLS_PORT,
}
TLS_SCHEMES = frozenset({"llrps", "llrps+listen"})
LISTEN_SCHEMES = frozenset({"llrp+listen", "llrps+listen"})

# Presence parameters of which the first is never below the second.
BOUNDS_IN_ORDER = (
    ("departed_floor_s", "missing_floor_s"),
    ("silence_ceiling_s", "departed_floor_s"),
    ("evidence_longest_s", "evidence_shortest_s"),
)


def _mqtt_url(url: str) -> str:
    parse_url(url, MQTT_PORTS)
    return url


def _llrp_url(url: str) -> str:
    parse_url(url, LLRP_PORTS)
    return url


def _listen(text: str) -> str:
    parse_listen(text)
    return text


def _item_filters(values: frozenset[int]) -> frozenset[int]:
    if never := values & NEVER_ITEM_FILTERS:
        named = ", ".join(map(str, sorted(never)))
        raise ValueError(f"expected SGTIN filter values of items; {named} mark cases, inner packs and unit loads")
    return values


class SiteSection(Section):
    """`[site]`: whose stock this is. The ledger remembers both names."""

    id: Annotated[Identifier, Field(description="The store.")]
    gateway: Annotated[Identifier, Field(description="This gateway, one of those in the store.")]


class MqttSection(Section):
    """`[mqtt]`: the broker that the stock is published to."""

    url: Annotated[
        str,
        AfterValidator(_mqtt_url),
        Field(description="mqtts://host:8883, mqtt://host:1883, or embedded://127.0.0.1:1883 for a built-in broker."),
    ]
    prefix: Annotated[
        str,
        Field(pattern=PREFIX_PATTERN, max_length=MAX_PREFIX_CHARACTERS, description="The first levels of every topic."),
    ] = "tallygate/v1"
    protocol: Annotated[
        Literal["5", "3.1.1"], Field(description="3.1.1 cannot report a refused publish: deltas may be lost there.")
    ] = "5"
    username: Annotated[str, Field(min_length=1, description="The user that the broker knows.")] | None = None
    password_file: Annotated[FileName, Field(description="A file that holds the password, readable by few.")] | None = (
        None
    )
    ca_file: Annotated[FileName, Field(description="The authority that signed the broker's certificate.")] | None = None
    cert_file: Annotated[FileName, Field(description="This gateway's certificate, with key_file.")] | None = None
    key_file: Annotated[FileName, Field(description="The key of cert_file, readable by few.")] | None = None
    connect_timeout_s: Annotated[
        float, Field(gt=0, le=MAX_DURATION_S, description="How long a connection may take to come about.")
    ] = 10.0
    keepalive_s: Annotated[int, Field(ge=1, le=65_535, description="How often the link is proven alive.")] = 15

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise ValueError("expected a username beside password_file")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("expected cert_file and key_file together")
        is_tls = self.url.lower().startswith("mqtts://")
        if not is_tls and (self.ca_file or self.cert_file):
            raise ValueError("expected an mqtts:// url where ca_file or cert_file is given")
        return self


class ItemsSection(Section):
    """`[items]`: which tags are stock."""

    company_prefixes: Annotated[
        tuple[Annotated[str, Field(pattern=COMPANY_PREFIX_PATTERN)], ...],
        Field(strict=False, description="GS1 company prefixes that count; empty: all."),
    ] = ()
    filter_values: Annotated[
        frozenset[Annotated[int, Field(ge=0, le=7)]],
        AfterValidator(_item_filters),
        Field(strict=False, min_length=1, description="SGTIN filter values that count; 2, 4 and 6 never do."),
    ] = frozenset({1})


class EpcisSection(Section):
    """`[epcis]`: where it stands, what each item does is published on `items/event`, with serial numbers."""

    places: Annotated[
        str,
        AfterValidator(parse_places),
        Field(description="What a zone's id is appended to: https://id.gs1.org/414/GLN/254/, or an address you own."),
    ]


class LedgerSection(Section):
    """`[ledger]`: where stock and deltas are kept."""

    path: Annotated[FileName, Field(description="Relative: beside this file.")] = "/var/lib/tallygate/ledger.db"
    retain_days: Annotated[float, Field(ge=0, le=3650, description="How long acknowledged deltas are kept.")] = 7.0
    max_bytes: Annotated[
        int, Field(ge=MIN_LEDGER_BYTES, le=MAX_LEDGER_BYTES, description="The ledger never grows beyond it.")
    ] = 2_000_000_000


class HttpSection(Section):
    """`[http]`: status page, metrics and health."""

    listen: Annotated[str, AfterValidator(_listen), Field(description="host:port")] = "127.0.0.1:9477"
    token_file: (
        Annotated[FileName, Field(description="A file that holds what others must show, readable by few.")] | None
    ) = None

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.token_file is None and not is_loopback(parse_listen(self.listen)[0]):
            raise ValueError("expected a token_file where listen is another address than 127.0.0.1")
        return self


class ZoneBase(Section):
    """A `[[zones]]` table, without the presence parameters that it may override."""

    id: Annotated[Identifier, Field(description="The zone's name in topics.")]
    kind: Annotated[ZoneKind, Field(strict=False, description="What the zone is to the shop.")]
    profile: (
        Annotated[Profile, Field(strict=False, description="A named set of presence parameters; else the kind's own.")]
        | None
    ) = None

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        params = self.presence()
        for larger, smaller in BOUNDS_IN_ORDER:
            high, low = getattr(params, larger), getattr(params, smaller)
            if high < low:
                raise ValueError(f"expected {larger} ({high:g}) of at least {smaller} ({low:g})")
        return self

    def presence(self) -> PresenceParams:
        """The profile of this zone with what the table overrides."""
        chosen = PROFILES[self.profile or DEFAULT_PROFILES[self.kind]]
        every = {name: getattr(chosen, name) for name in PRESENCE_KEYS}
        return PresenceParams(**{**every, **given(self, PRESENCE_KEYS)})


class FilterSection(Section):
    """One of `epc_filters`: EPCs that begin so."""

    mask: Annotated[str, Field(pattern=HEX_PATTERN, description="The first hex digits of an EPC.")]
    bits: Annotated[int, Field(ge=1, le=MAX_MASK_BITS, description="Only so many bits of them.")] | None = None

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        mask_of(self.mask, self.bits)
        return self


class TriggerSection(Section):
    """`start_gpi`, `stop_gpi`: an input that starts or stops the inventory."""

    port: Annotated[int, Field(ge=1, le=MAX_GPIO_PORT, description="The number of the input.")]
    level: Annotated[Level, Field(strict=False, description="What it changes to.")] = Level.HIGH
    timeout_s: Annotated[
        float, Field(ge=0, le=MAX_DURATION_S, description="As a stop: after so long even without it; 0: never.")
    ] = 0.0


class OutputSection(Section):
    """One of `outputs`: a signal lamp."""

    port: Annotated[int, Field(ge=1, le=MAX_GPIO_PORT, description="The number of the output.")]
    on: Annotated[OutputUse, Field(strict=False, description="When it is high.")] = OutputUse.READING
    zone: Annotated[Identifier, Field(description="Whose state it shows.")] | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if (self.on is OutputUse.ZONE_STALE) != (self.zone is not None):
            raise ValueError('expected zone where on = "zone_stale", and only there')
        return self


class GroupSection(Section):
    """A `[[groups]]` table: readers that disturb each other and take turns."""

    readers: Annotated[
        tuple[Identifier, ...], Field(strict=False, min_length=2, description="Its members, in the order of turns.")
    ]
    turn_s: Annotated[float, Field(ge=0.5, le=3600, description="How long each of them reads.")] = 5.0


class ReaderBase(Section):
    """A `[[readers]]` table of an LLRP reader, without the settings of its driver."""

    id: Annotated[Identifier, Field(description="The reader's name in topics.")]
    driver: Annotated[Literal["llrp"], Field(description="The kind of device.")]
    url: Annotated[
        str,
        AfterValidator(_llrp_url),
        Field(
            description="llrp://host:5084, llrps://host:5085 (TLS); llrp+listen://0.0.0.0:5084: the reader dials in."
        ),
    ]
    antennas: Annotated[
        dict[AntennaPort, Identifier], Field(min_length=1, description='Antenna port -> zone: { 1 = "floor" }.')
    ]
    identity: (
        Annotated[
            str,
            AfterValidator(parse_identity),
            Field(description="Who dials in: ip:10.0.0.11, eui64:001625fffe123456 or epc:HEX."),
        ]
        | None
    ) = None
    pin_sha256: (
        Annotated[
            str,
            AfterValidator(parse_sha256),
            Field(description="The SHA-256 of the reader's certificate; it alone decides then."),
        ]
        | None
    ) = None
    ca_file: Annotated[FileName, Field(description="The authority that signed the reader's certificate.")] | None = None
    cert_file: Annotated[FileName, Field(description="Our certificate towards this reader, with key_file.")] | None = (
        None
    )
    key_file: Annotated[FileName, Field(description="The key of cert_file, readable by few.")] | None = None

    epc_filters: Annotated[
        tuple[FilterSection, ...], Field(strict=False, description="Only tags that fit one of them answer; none: all.")
    ] = ()
    start_gpi: Annotated[TriggerSection, Field(description="The input that starts the inventory.")] | None = None
    stop_gpi: Annotated[TriggerSection, Field(description="The input that ends it again.")] | None = None
    outputs: Annotated[tuple[OutputSection, ...], Field(strict=False, description="Signal lamps.")] = ()

    @model_validator(mode="after")
    def _starts_and_stops(self) -> Self:
        if (self.start_gpi is None) != (self.stop_gpi is None):
            raise ValueError("expected start_gpi and stop_gpi together")
        return self

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        scheme = self.url.partition("://")[0].lower()
        listens, is_tls = scheme in LISTEN_SCHEMES, scheme in TLS_SCHEMES
        if listens != (self.identity is not None):
            raise ValueError("expected identity where the url is +listen://, and only there")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("expected cert_file and key_file together")
        if not is_tls and (self.pin_sha256 or self.ca_file or self.cert_file):
            raise ValueError("expected an llrps:// url where pin_sha256, ca_file or cert_file is given")
        if self.pin_sha256 is not None and self.ca_file is not None:
            raise ValueError("expected either pin_sha256 or ca_file")
        if listens and is_tls and (self.cert_file is None or self.pin_sha256 is not None):
            raise ValueError("expected cert_file and key_file, and no pin_sha256, where readers dial in over TLS")
        return self


PRESENCE_KEYS = names_of(PresenceParams)
AIR_KEYS = names_of(AirSettings)
# What the table's own keys say in another way is not a key once more.
LLRP_OWN = frozenset({"host", "port", "antennas", "air", "per_antenna", "tls", "listens", "identity"}) | frozenset(
    {"epc_filters", "start_gpi", "stop_gpi", "outputs"}
)
LLRP_KEYS = names_of(LlrpSettings, without=LLRP_OWN)

# Their keys come from dataclasses at run time, where a type checker cannot follow; `fields.given` reads them.
if TYPE_CHECKING:
    ZoneSection = ZoneBase
    AirSection = Section

    class ReaderSection(ReaderBase):
        """A `[[readers]]` table."""

        antenna: dict[str, Section]
else:
    ZoneSection = create_model("ZoneSection", __base__=ZoneBase, __module__=__name__, **keys_of(PresenceParams))
    AirSection = create_model("AirSection", __base__=Section, __module__=__name__, **keys_of(AirSettings))
    ReaderSection = create_model(
        "ReaderSection",
        __base__=ReaderBase,
        __module__=__name__,
        **keys_of(AirSettings),
        **keys_of(LlrpSettings, without=LLRP_OWN),
        antenna=(
            dict[AntennaPort, AirSection],
            Field(default_factory=dict, description="[readers.antenna.1]: air settings of one antenna port."),
        ),
    )


READER_SECTIONS: dict[str, type[Section]] = {
    "llrp": ReaderSection,
    "scale": ScaleSection,
    "modbus": ModbusSection,
    "m100": M100Section,
    "chafon": ChafonSection,
}

AnyReaderSection = Annotated[
    ReaderSection | ScaleSection | ModbusSection | M100Section | ChafonSection, Field(discriminator="driver")
]
"""A `[[readers]]` table; `driver` says which."""


class ConfigFile(Section):
    """The whole file."""

    site: SiteSection
    mqtt: MqttSection
    items: ItemsSection = ItemsSection()
    epcis: Annotated[EpcisSection, Field(description="Publishes an event for each item.")] | None = None
    ledger: LedgerSection = LedgerSection()
    http: HttpSection = HttpSection()
    zones: Annotated[tuple[ZoneSection, ...], Field(strict=False, description="Places that stock is counted in.")] = ()
    readers: Annotated[
        tuple[AnyReaderSection, ...], Field(strict=False, description="Devices that read tags, or weigh.")
    ] = ()
    groups: Annotated[tuple[GroupSection, ...], Field(strict=False, description="Readers that take turns.")] = ()
