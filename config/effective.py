"""What a configuration means to the gateway: plain frozen dataclasses, every default filled in."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from config.addresses import parse_listen, parse_url
from config.base import Section
from config.fields import given
from config.models import (
    AIR_KEYS,
    LISTEN_SCHEMES,
    LLRP_KEYS,
    LLRP_PORTS,
    MQTT_PORTS,
    TLS_SCHEMES,
    AnyReaderSection,
    ConfigFile,
    ReaderBase,
    ReaderSection,
    TriggerSection,
)
from config.problems import Problem
from gateway.domain.params import Bin, ItemParams, Zone
from readers.chafon.settings import ChafonSettings
from readers.llrp.settings import AirSettings, InputTrigger, LlrpSettings, Output, TlsSettings, mask_of
from readers.m100.settings import M100Settings
from readers.modbus.settings import ModbusSettings
from readers.scales.settings import ScaleSettings

DriverSettings = LlrpSettings | ScaleSettings | ModbusSettings | M100Settings | ChafonSettings
"""What a driver gets, as the file means it."""


@dataclass(frozen=True, slots=True)
class Site:
    """Whose stock this is."""

    id: str
    gateway: str


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificates of a TLS link, each None where the system's own serve."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Mqtt:
    """The broker. `url` carries no credentials; `password` shows itself only to `get_secret_value()`."""

    url: str
    scheme: Literal["mqtt", "mqtts", "embedded"]
    host: str
    port: int
    prefix: str
    protocol: Literal["5", "3.1.1"]
    username: str | None
    password: SecretStr | None
    tls_files: TlsFiles
    connect_timeout_s: float
    keepalive_s: int

    @property
    def is_tls(self) -> bool:
        return self.scheme == "mqtts"

    @property
    def is_embedded(self) -> bool:
        """The gateway starts the broker itself."""
        return self.scheme == "embedded"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where stock and deltas are kept, for how long, and how large it may grow."""

    path: Path
    retain_days: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Http:
    """`listen` is (host, port). Who asks from another machine must show the `token`; None: nobody can."""

    listen: tuple[str, int]
    token: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Epcis:
    """Events of single items are published; a zone's URI is `places` and its id."""

    places: str


@dataclass(frozen=True, slots=True)
class Reader:
    """One device: `antennas` maps its ports, or channels, to zones, `settings` are its driver's own."""

    id: str
    driver: str
    antennas: Mapping[int, str]
    settings: DriverSettings


@dataclass(frozen=True, slots=True)
class Group:
    """Readers that disturb each other: each reads for `turn_s`, in this order."""

    readers: tuple[str, ...]
    turn_s: float


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration that passed every check. `fingerprint`: hex SHA-256 of it without secrets."""

    path: Path
    site: Site
    mqtt: Mqtt
    item_params: ItemParams
    ledger: Ledger
    http: Http
    zones: tuple[Zone, ...]
    readers: tuple[Reader, ...]
    fingerprint: str
    warnings: tuple[Problem, ...] = ()
    groups: tuple[Group, ...] = ()
    bins: tuple[Bin, ...] = ()
    epcis: Epcis | None = None

    @property
    def client_id(self) -> str:
        """The gateway's MQTT client id."""
        return f"{self.site.id}-{self.site.gateway}"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the files that the configuration names hold, and where they are; `of_readers` by the index of the table."""

    password: SecretStr | None = None
    tls_files: TlsFiles = TlsFiles()
    of_readers: Mapping[int, TlsFiles] = field(default_factory=dict)
    http_token: SecretStr | None = None


def effective(file: ConfigFile, path: Path, secrets: Secrets, warnings: tuple[Problem, ...] = ()) -> Config:
    """The meaning of a valid `file` at `path`."""
    zones = tuple(Zone(zone.id, zone.kind, zone.presence()) for zone in file.zones)
    no_files = TlsFiles()
    readers = tuple(
        _reader(section, secrets.of_readers.get(index, no_files)) for index, section in enumerate(file.readers)
    )
    bins = tuple(each for section in file.readers if not isinstance(section, ReaderBase) for each in section.bins())
    return Config(
        path=path,
        site=Site(file.site.id, file.site.gateway),
        mqtt=_mqtt(file, secrets),
        item_params=ItemParams(file.items.company_prefixes, file.items.filter_values),
        ledger=Ledger((path.parent / file.ledger.path).absolute(), file.ledger.retain_days, file.ledger.max_bytes),
        http=Http(parse_listen(file.http.listen), secrets.http_token),
        zones=zones,
        readers=readers,
        fingerprint=_fingerprint(file, zones, readers, bins),
        warnings=warnings,
        groups=tuple(Group(group.readers, group.turn_s) for group in file.groups),
        bins=bins,
        epcis=None if file.epcis is None else Epcis(file.epcis.places),
    )


def _mqtt(file: ConfigFile, secrets: Secrets) -> Mqtt:
    section = file.mqtt
    address = parse_url(section.url, MQTT_PORTS)
    scheme: Literal["mqtt", "mqtts", "embedded"] = "mqtt"
    if address.scheme == "mqtts":
        scheme = "mqtts"
    elif address.scheme == "embedded":
        scheme = "embedded"
    return Mqtt(
        url=section.url,
        scheme=scheme,
        host=address.host,
        port=address.port,
        prefix=section.prefix,
        protocol=section.protocol,
        username=section.username,
        password=secrets.password,
        tls_files=secrets.tls_files,
        connect_timeout_s=section.connect_timeout_s,
        keepalive_s=section.keepalive_s,
    )


def _reader(section: AnyReaderSection, files: TlsFiles) -> Reader:
    if isinstance(section, ReaderBase):
        return _llrp_reader(section, files)
    return Reader(section.id, section.driver, section.zones, section.settings())


def _llrp_reader(section: ReaderSection, files: TlsFiles) -> Reader:
    address = parse_url(section.url, LLRP_PORTS)
    antennas = {int(port): zone for port, zone in section.antennas.items()}
    settings = LlrpSettings(
        host=address.host,
        port=address.port,
        antennas=tuple(sorted(antennas)),
        air=_air(section),
        per_antenna={int(port): _air(air) for port, air in section.antenna.items()},
        tls=TlsSettings(section.pin_sha256, files.ca_file, files.cert_file, files.key_file)
        if address.scheme in TLS_SCHEMES
        else None,
        listens=address.scheme in LISTEN_SCHEMES,
        identity=section.identity,
        epc_filters=tuple(mask_of(each.mask, each.bits) for each in section.epc_filters),
        start_gpi=_trigger(section.start_gpi),
        stop_gpi=_trigger(section.stop_gpi),
        outputs=tuple(Output(each.port, each.on, each.zone) for each in section.outputs),
        **given(section, LLRP_KEYS),
    )
    return Reader(section.id, section.driver, antennas, settings)


def _trigger(section: TriggerSection | None) -> InputTrigger | None:
    return None if section is None else InputTrigger(section.port, section.level, section.timeout_s)


def _air(section: Section) -> AirSettings:
    return AirSettings(**given(section, AIR_KEYS))


def _fingerprint(file: ConfigFile, zones: tuple[Zone, ...], readers: tuple[Reader, ...], bins: tuple[Bin, ...]) -> str:
    """Over names of secret files, never their content; the order of keys in the file does not matter."""
    meaning = {
        **file.model_dump(include={"site", "mqtt", "items", "epcis", "ledger", "http"}),
        "zones": [asdict(zone) for zone in zones],
        "readers": [asdict(reader) for reader in readers],
        "bins": [asdict(each) for each in bins],
        "groups": file.model_dump(include={"groups"})["groups"],
    }
    return hashlib.sha256(json.dumps(meaning, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Path | Iterable[Any]) -> str | list[Any]:
    """What JSON has no form for: paths, and sets in a fixed order."""
    return str(value) if isinstance(value, Path) else sorted(value)
