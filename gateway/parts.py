"""The parts of a gateway and how they are put together, and what they say of themselves as a whole."""

import ssl
from collections.abc import Mapping
from importlib.metadata import version
from random import Random

from config.effective import Config, Mqtt
from gateway import payloads
from gateway.alerts import AlertBoard
from gateway.commands import Commands
from gateway.consumer.broker import BrokerAddress, ConnectOptions
from gateway.crew import Crew
from gateway.domain.inventory import Inventory
from gateway.domain.items import Transition
from gateway.domain.itemtags import ItemTags
from gateway.domain.shelves import Shelves
from gateway.domain.stock import Stock
from gateway.domain.zones import LiveZone
from gateway.fleet import Fleet
from gateway.health import Health
from gateway.intake import Intake
from gateway.item_events import ItemEvents
from gateway.ledger import Ledger, Trimmed
from gateway.line import Line
from gateway.retained import RetainedTree
from gateway.sender import DeltaSender
from gateway.snapshots import Snapshots
from gateway.supervise import Backoff
from gateway.systemd import Notifier
from gateway.uplink import Identity as SaysOfItself
from gateway.uplink import Places, Uplink
from gateway.window import Window
from readers.driver import Clock

SOFTWARE = f"tallygate {version('tallygate')}"


class Parts:
    """The parts of one gateway, made and connected; `gateway.daemon` runs them, metrics and pages look at them."""

    def __init__(self, config: Config, ledger: Ledger, learnt: set[str], clock: Clock, rng: Random) -> None:
        self.config = config
        self.ledger = ledger
        self.clock = clock
        self.trimmed = Trimmed()
        self.item_tags = ItemTags(config.item_params)
        self.started_us = clock.monotonic_us()
        self.http_address: tuple[str, int] | None = None
        self.topics = payloads.Topics.of(config.mqtt.prefix, config.site.id, config.site.gateway)
        self.alerts = AlertBoard(clock.utc_us, self._publish_alert)
        self.retained = RetainedTree(self._wake_uplink)
        self.intake = Intake()
        self.shelves = Shelves()
        self.fleet = Fleet(
            self.intake, clock, self.alerts, self._tell_reader, lambda antenna: antenna in self.shelves.blind
        )
        self.crew = Crew(self.fleet, clock, rng)
        zones, zone_of = self.crew.plan(config, {}, learnt)
        self.inventory = Inventory(zones, zone_of, self.item_tags)
        self.stock = Stock()
        self.item_events = None if config.epcis is None else ItemEvents(config.epcis.places)
        self.line = Line(
            self.inventory,
            self.stock,
            ledger,
            self.intake,
            clock,
            self.alerts,
            on_deltas=lambda _: self.sender.committed(),
            on_zone=self.tell_zone,
            shelves=self.shelves,
            on_blind=self.fleet.look_again,
            on_transitions=self._tell_items,
        )
        self.snapshots = Snapshots(ledger, self.topics, self.retained, clock)
        self.commands = Commands(ledger, self.snapshots, self.status)
        self.sender = DeltaSender(
            ledger,
            self.topics.delta,
            lambda acknowledged, committed: Window(acknowledged, committed, rng),
            clock,
            self.alerts,
        )
        self.uplink = Uplink(
            ledger,
            self.sender,
            self.snapshots,
            self.commands,
            self.retained,
            self.topics,
            connect_options(config),
            SaysOfItself(SOFTWARE, config.fingerprint),
            Places([zone.id for zone in config.zones], [reader.id for reader in config.readers]),
            clock,
            Backoff(rng),
            self.alerts,
            self.item_events,
        )
        self.health = Health(clock, lambda: self.line.ticked_us, lambda: self.line.refused_by_disk, Notifier())

    @property
    def ignored_tags(self) -> Mapping[str, int]:
        """Reason -> tags that are no stock."""
        return self.item_tags.ignored

    @property
    def backlog(self) -> int:
        """Deltas that the broker has not taken."""
        return self.sender.window.backlog

    def status(self, transaction: str | None = None) -> payloads.StatusAnswer:
        """The gateway at a glance."""
        position = self.ledger.position
        return payloads.StatusAnswer(
            transaction=transaction,
            site=self.config.site.id,
            gateway=self.config.site.gateway,
            software=SOFTWARE,
            epoch=position.epoch,
            boot=position.boot,
            seq=position.seq,
            acknowledged=self.sender.window.acknowledged,
            items=len(self.inventory),
            zones={zone.id: zone.state.value for zone in self.inventory.zones.values()},
            readers={reader: member.state.condition.value for reader, member in self.fleet.members.items()},
            alerts=tuple(f"{alert.kind.value} {alert.subject}" for alert in self.alerts),
        )

    def zone_health(self, zone: LiveZone) -> payloads.ZoneHealth:
        """A zone's health as the contract wants it."""
        since_utc_us = self.clock.utc_us() - (self.clock.monotonic_us() - zone.since_us)
        return payloads.ZoneHealth(
            state=zone.state.value,
            readers=tuple(sorted({reader for reader, _ in zone.antennas})),
            since=payloads.rfc3339(since_utc_us),
            text=zone.describe(),
        )

    def _publish_alert(self, alert: payloads.Alert) -> None:
        self.uplink.publish_alert(alert)

    def _tell_items(self, made: list[Transition], utc_us: int) -> None:
        if self.item_events is not None:
            self.item_events.tell(made, utc_us)

    def _wake_uplink(self) -> None:
        self.uplink.wake()

    def tell_zone(self, zone: LiveZone) -> None:
        self.retained.put(self.topics.zone_health(zone.id), self.zone_health(zone).encode())

    def _tell_reader(self, reader: str, status: payloads.ReaderStatus) -> None:
        self.retained.put(self.topics.reader_state(reader), status.encode())


def connect_options(config: Config) -> ConnectOptions:
    """How to reach the broker of a configuration."""
    mqtt = config.mqtt
    return ConnectOptions(
        address=BrokerAddress(mqtt.host, mqtt.port, mqtt.is_tls),
        client_id=config.client_id,
        version=5 if mqtt.protocol == "5" else 311,
        username=mqtt.username,
        password=mqtt.password.get_secret_value() if mqtt.password else None,
        tls=_tls_context(mqtt) if mqtt.is_tls else None,
        keepalive_s=mqtt.keepalive_s,
        connect_timeout_s=mqtt.connect_timeout_s,
    )


class TlsFilesError(Exception):
    """A certificate or key for the broker is none; `hint` says what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def _tls_context(mqtt: Mqtt) -> ssl.SSLContext:
    """TLS 1.2 or newer, the broker's certificate and name verified. Raises TlsFilesError."""
    files = mqtt.tls_files
    try:
        context = ssl.create_default_context(cafile=files.ca_file)
    except (ssl.SSLError, OSError) as error:
        raise TlsFilesError(f"mqtt.ca_file: {files.ca_file}: {error}", "name a file of PEM certificates") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.cert_file is not None:
        try:
            # A key that wants a passphrase must not ask for it on a terminal that a service has not got.
            context.load_cert_chain(files.cert_file, files.key_file, password="")
        except (ssl.SSLError, OSError) as error:
            hint = "name a PEM certificate and its own key, without a passphrase"
            raise TlsFilesError(f"mqtt.cert_file: {files.cert_file}: {error}", hint) from error
    return context
