"""The whole line for tests, every part real: simulated readers, a Mosquitto, the gateway, consumers.

`Rig` builds the parts; each comes and goes by its own `async with`, so that a test can restart any of them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from types import CoroutineType, TracebackType
from typing import Self, TypeVar

import pytest

from config.effective import Config
from config.loader import parse
from gateway import payloads, snapshots, uplink
from gateway.clock import SystemClock
from gateway.consumer import client as client_module
from gateway.consumer import rule as rule_module
from gateway.consumer.broker import ConnectOptions, Message, Subscription
from gateway.consumer.client import Change, Consumer, ConsumerOptions
from gateway.consumer.mqtt import Connection
from gateway.consumer.store import MemoryStore, Store
from gateway.daemon import Gateway, open_gateway
from gateway.domain.delta import Change as StockChange
from gateway.domain.delta import Step
from gateway.domain.items import Cause
from gateway.ledger import StockAt
from gateway.ledger_group import Commit
from gateway.payloads import Topics
from simulators.llrp.device import ReaderDevice
from simulators.llrp.server import ReaderServer, serve_reader
from simulators.people import Traffic
from simulators.store import Store as Shop
from tests.broker import Broker

HOST = "127.0.0.1"
GTIN = "09506000134352"
# Whatever is waited for takes a second; on a busy machine, many.
LIMIT_S = 30.0
# An item that is carried is elsewhere within a second.
QUICK_ZONE = "settle_s = 1\nfirst_read_chance = 1.0\nmove_weight = 0.0\nmove_dwell_s = 0.2\nevidence_longest_s = 1.5"
UNIT_G = 182.0
# A shelf that weighs, to be added to a configuration; `port` is a path.
SCALE = f"""
[[zones]]
id = "shelf-7"
kind = "shelf"
{QUICK_ZONE}
[[readers]]
id = "gondola-7"
driver = "scale"
url = "serial://{{port}}?baudrate=9600"
dialect = "mt-sics"
[[readers.channels]]
channel = 1
zone = "shelf-7"
gtin = "{GTIN}"
unit_weight_g = {UNIT_G}
quiet_s = 1
blind_s = 1
"""
STILL = Traffic(customers_per_hour=0, refills_per_hour=0, deliveries_per_hour=0)
Stock = dict[tuple[str, str], int]
PayloadT = TypeVar("PayloadT", bound=payloads.Payload)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that spare real brokers and people are short in a test."""
    monkeypatch.setattr(uplink, "RETAINED_QUIET_S", 0.05)
    monkeypatch.setattr(uplink, "RETAINED_SILENCE_S", 0.1)
    monkeypatch.setattr(snapshots, "DIGEST_EVERY_S", 0.3)
    monkeypatch.setattr(snapshots, "SNAPSHOT_AT_MOST_EVERY_S", 0.2)
    monkeypatch.setattr(client_module, "TICK_INTERVAL_S", 0.05)
    monkeypatch.setattr(client_module, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(client_module, "MAX_RETRY_S", 0.2)
    monkeypatch.setattr(rule_module, "BEHIND_GRACE_S", 0.1)
    monkeypatch.setattr(rule_module, "SNAPSHOT_GRACE_S", 0.1)


async def eventually(condition: Callable[[], bool], *, limit_s: float = LIMIT_S) -> None:
    """Until `condition` holds; for what has no event of its own to wait for."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - the point of this helper
            await asyncio.sleep(0.01)


def ours(gateway: Gateway) -> Stock:
    """What the line counts."""
    return {(row.gtin, row.zone): row.quantity for row in gateway.stock if row.quantity}


def theirs(consumer: Consumer) -> Stock:
    """What a consumer holds."""
    return {(row.gtin, row.zone): row.quantity for row in consumer.store.rows()}


async def written(gateway: Gateway) -> Stock:
    """What is in the ledger."""
    return _levels(await gateway.ledger.stock())


async def in_step(gateway: Gateway, *consumers: Consumer, limit_s: float = LIMIT_S) -> None:
    """Until the consumers have applied the ledger's last delta; then their stock is the ledger's."""
    for consumer in consumers:
        async with asyncio.timeout(limit_s):
            # What is counted meanwhile is on disk before the consumer has it.
            while True:
                await consumer.wait_until(lambda one: _place(one) == _end(gateway))
                place, held = _place(consumer), theirs(consumer)
                on_disk = await gateway.ledger.stock()
                if place == (on_disk.epoch, on_disk.seq):
                    break
        assert held == _levels(on_disk)


def _levels(stock: StockAt) -> Stock:
    return {(row.gtin, row.zone): row.quantity for row in stock.rows}


def _place(consumer: Consumer) -> tuple[str, int] | None:
    position = consumer.store.position
    return None if position is None else (position.epoch, position.seq)


def _end(gateway: Gateway) -> tuple[str, int]:
    return gateway.ledger.position.epoch, gateway.ledger.position.seq


def cut_uplinks() -> None:
    """Every gateway's connection to its broker breaks, without a word from either side."""
    for task in asyncio.all_tasks():
        work = task.get_coro()
        if isinstance(work, CoroutineType) and work.__qualname__ == "Uplink._watch":
            connection = work.cr_frame.f_locals["connection"]
            connection.abort()


async def write(gateway: Gateway, count: int, *, zone: str = "floor", each: int = 1, at_a_time: int = 1_000) -> None:
    """`count` deltas straight into the ledger, as the line would commit them: one GTIN whose level grows."""
    level = (await written(gateway)).get((GTIN, zone), 0)
    while count:
        steps = []
        for _ in range(min(count, at_a_time)):
            level += each
            change = StockChange(GTIN, zone, "sellable_accessible", each, level, 0, stale=False)
            steps.append(Step((change,), {Cause.ARRIVED: each}))
        count -= len(steps)
        await gateway.ledger.commit(Commit(gateway.clock.utc_us(), steps))
        gateway.sender.committed()


class Listener:
    """A plain client that notes whatever is published below a gateway's root, in order."""

    def __init__(self, broker: Broker, topics: Topics, name: str = "listener", version: int = 5) -> None:
        self.topics = topics
        self.messages: list[Message] = []
        self.codes: dict[int, int] = {}
        self._seqs: list[int] = []
        self._arrived = asyncio.Event()
        options = ConnectOptions(
            address=broker.address, client_id=name, version=version, receive_maximum=65_535 if version == 5 else None
        )
        self.connection = Connection(options, on_message=self._note, on_puback=self.codes.__setitem__)

    async def __aenter__(self) -> Self:
        await self.connection.open()
        await self.connection.subscribe(Subscription(self.topics.everything))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.connection.disconnect()

    async def say(self, *messages: tuple[str, bytes], retain: bool = False) -> None:
        """Publish, and wait until the broker has taken all of it."""
        tokens = [self.connection.publish(topic, payload, retain=retain) for topic, payload in messages]
        await eventually(lambda: all(token in self.codes for token in tokens))

    def _note(self, message: Message) -> None:
        self.messages.append(message)
        if message.topic == self.topics.delta:
            self._seqs.append(payloads.Delta.model_validate_json(message.payload).seq)
        self._arrived.set()

    def said(self, topic: str) -> list[Message]:
        """All messages of a topic."""
        return [message for message in self.messages if message.topic == topic]

    def index(self, topic: str, *, start: int = 0) -> int:
        """Where the first message of a topic stands in the order of arrival."""
        return next(i for i, one in enumerate(self.messages) if i >= start and one.topic == topic)

    async def first(self, topic: str) -> Message:
        """The first message of a topic, as soon as it is there."""
        await self.until(lambda: bool(self.said(topic)))
        return self.said(topic)[0]

    def latest(self, topic: str, model: type[PayloadT]) -> PayloadT:
        return model.model_validate_json(self.said(topic)[-1].payload)

    def seqs(self) -> list[int]:
        """The numbers of the deltas, in the order of arrival."""
        return self._seqs

    def alerts(self, kind: str) -> list[payloads.Alert]:
        """What was said of a kind of alert."""
        found = [payloads.Alert.model_validate_json(one.payload) for one in self.said(self.topics.alerts)]
        return [alert for alert in found if alert.kind == kind]

    async def until(self, condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        """Until it holds; it is asked after every message."""
        async with asyncio.timeout(limit_s):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()


class Rig:
    """`async with Rig(folder, broker) as rig`: a still shop whose readers run, and what is needed for the rest.

    `readers` of them are served (None: all); with 0 the zones have no reader and tests write deltas themselves.
    """

    def __init__(self, folder: Path, broker: Broker, *, items: int = 30, readers: int | None = None) -> None:
        self.folder = folder
        self.broker = broker
        self.shop = Shop.demo(1, items=items, certain=True, traffic=STILL)
        self.topics = Topics.of("tallygate/v1", "store", "gw")
        self.servers: dict[str, ReaderServer] = {}
        self.ports: dict[str, int] = {}
        self._names = list(self.shop.layout.readers())[:readers]
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for name in self._names:
            device = ReaderDevice(self.shop.field(name))
            server = await self._stack.enter_async_context(serve_reader(device))
            self.servers[name] = server
            self.ports[name] = server.port
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def text(
        self,
        *,
        mqtt: str = "",
        ledger: str = "",
        without_zones: tuple[str, ...] = (),
        without_readers: tuple[str, ...] = (),
        zone: Mapping[str, str] | None = None,
        rename: Mapping[str, str] | None = None,
    ) -> str:
        """The configuration file; the arguments are lines to add, or what to leave out or rename."""
        renamed = rename or {}
        lines = [
            '[site]\nid = "store"\ngateway = "gw"',
            f'[mqtt]\nurl = "{self.broker.url}"\n{mqtt}',
            f'[ledger]\npath = "ledger.db"\n{ledger}',
            f'[http]\nlisten = "{HOST}:0"',
        ]
        for each in self.shop.layout.zones:
            if each.id not in without_zones:
                extra = (zone or {}).get(each.id, QUICK_ZONE)
                name = renamed.get(each.id, each.id)
                lines.append(f'[[zones]]\nid = "{name}"\nkind = "{each.kind.value}"\n{extra}')
        for name, antennas in self.shop.layout.readers().items():
            kept = {port: renamed.get(where, where) for port, where in antennas.items() if where not in without_zones}
            if name in self.ports and name not in without_readers and kept:
                ports = ", ".join(f'{port} = "{where}"' for port, where in kept.items())
                lines.append(
                    f'[[readers]]\nid = "{name}"\ndriver = "llrp"\nurl = "llrp://{HOST}:{self.ports[name]}"\n'
                    f"keepalive_s = 1\nantennas = {{ {ports} }}"
                )
        return "\n".join(lines)

    def config(self, text: str | None = None) -> Config:
        return parse(text or self.text(), self.folder / "tallygate.toml")

    @asynccontextmanager
    async def gateway(self, text: str | None = None, *, online: bool = True) -> AsyncIterator[Gateway]:
        """A gateway that runs; leaving the block stops it cleanly. `online`: wait for the broker too."""
        async with self.opened(text) as gateway, running(gateway):
            if online:
                await eventually(lambda: gateway.uplink.connected)
            yield gateway

    @asynccontextmanager
    async def opened(self, text: str | None = None) -> AsyncIterator[Gateway]:
        """A gateway that does not run yet."""
        async with open_gateway(self.config(text), SystemClock(), Random(1)) as gateway:
            backoff = gateway.uplink._backoff
            backoff.first_s, backoff.longest_s = 0.05, 0.1
            yield gateway

    def consumer(
        self, name: str = "central", store: Store | None = None, on_change: Callable[[Change], None] | None = None
    ) -> Consumer:
        """A consumer, to be entered."""
        options = ConsumerOptions(address=self.broker.address, topics=self.topics, client_id=name)
        return Consumer(options, store or MemoryStore(), Random(name), on_change=on_change)

    def listener(self, name: str = "listener") -> Listener:
        return Listener(self.broker, self.topics, name)

    def truth(self) -> Stock:
        return self.shop.truth()

    async def counted(self, gateway: Gateway, *consumers: Consumer) -> None:
        """Until the gateway counts what is in the shop, its zones are settled and the consumers have it too."""
        await eventually(lambda: ours(gateway) == self.truth())
        for consumer in consumers:
            async with asyncio.timeout(LIMIT_S):
                await consumer.wait_until(lambda one: theirs(one) == self.truth())
        await in_step(gateway, *consumers)


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[None]:
    """Runs while the context lasts; then it is stopped as SIGTERM stops it."""
    started, stop = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gateway.run(started.set, stop))
        await started.wait()
        yield
        stop.set()
        await task
