import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Self

import pytest

from gateway.consumer import client as client_module
from gateway.consumer import rule as rule_module
from gateway.consumer.broker import ConnectOptions, Message, MessageProperties, Subscription
from gateway.consumer.client import Applied, Change, Consumer, ConsumerOptions, Replaced
from gateway.consumer.mqtt import Connection
from gateway.consumer.rule import Mode
from gateway.consumer.store import MemoryStore, SqliteStore, Store
from gateway.payloads import Change as StockChange
from gateway.payloads import (
    Delta,
    Digest,
    ErrorAnswer,
    Payload,
    ReplayPage,
    ReplayRequest,
    Row,
    State,
    Topics,
    ZoneHealth,
    rows_hash,
    snapshot,
)
from tests.broker import Broker

TOPICS = Topics.of("tallygate/v1", "store", "gw")
GTIN = "09506000134352"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TICK_INTERVAL_S", 0.02)
    monkeypatch.setattr(client_module, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(rule_module, "BEHIND_GRACE_S", 0.05)
    monkeypatch.setattr(rule_module, "SNAPSHOT_GRACE_S", 0.05)


class Gateway:
    """The other side of the contract over a real broker: one GTIN whose level is the number of the delta."""

    def __init__(self, broker: Broker, epoch: str = "e1") -> None:
        self.epoch = epoch
        self.seq = 0
        self.oldest = 1
        self.boot = 1
        self.connection = Connection(
            ConnectOptions(address=broker.address, client_id="gw"), on_message=self._answer, on_puback=self._puback
        )
        self.asked: list[str] = []
        self._open = 0
        self._quiet = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.connection.open()
        await self.connection.subscribe(Subscription(TOPICS.commands))
        self.state()
        self.snapshot()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.disconnect()

    def rows(self) -> list[Row]:
        return [Row(gtin=GTIN, zone="floor", disposition="x", quantity=self.seq, confirmed=0)] if self.seq else []

    def say(self, topic: str, payload: Payload, *, retain: bool = True, to: MessageProperties | None = None) -> None:
        self._open += 1
        self.connection.publish(topic, payload.encode(), retain=retain, properties=to or MessageProperties())

    def state(self, *, online: bool = True) -> None:
        ends = {"boot": self.boot, "session": 1, "epoch": self.epoch, "seq": self.seq}
        self.say(TOPICS.state, State(online=online, at="", software="", config="", **ends))

    def snapshot(self) -> None:
        parts, manifest = snapshot(self.rows(), self.epoch, self.seq, "")
        for part in parts:
            self.say(TOPICS.part(part.part), part)
        self.say(TOPICS.manifest, manifest)

    def digest(self) -> None:
        rows = self.rows()
        self.say(TOPICS.digest, Digest(epoch=self.epoch, seq=self.seq, rows=1, quantity=self.seq, hash=rows_hash(rows)))

    def delta(self, seq: int) -> Delta:
        change = StockChange(gtin=GTIN, zone="floor", disposition="x", quantity=seq, confirmed=0, change=1)
        return Delta(epoch=self.epoch, seq=seq, at="", changes=(change,), causes={"arrived": 1})

    def commit(self, count: int, *, send: bool = True) -> None:
        for _ in range(count):
            self.seq += 1
            if send:
                self.say(TOPICS.delta, self.delta(self.seq), retain=False)

    async def settled(self) -> None:
        """Until the broker has taken everything."""
        async with asyncio.timeout(10):
            while self._open:
                self._quiet.clear()
                await self._quiet.wait()

    def _puback(self, _token: int, code: int) -> None:
        assert code < 0x80
        self._open -= 1
        self._quiet.set()

    def _answer(self, message: Message) -> None:
        verb = message.topic.removeprefix(TOPICS.command(""))
        self.asked.append(verb)
        if verb == "snapshot":
            self.snapshot()
            return
        request = ReplayRequest.model_validate_json(message.payload)
        answer: Payload
        if request.from_seq < self.oldest:
            answer = ErrorAnswer(error="gone", oldest=self.oldest, transaction=request.transaction)
        else:
            deltas = tuple(self.delta(seq) for seq in range(request.from_seq, min(self.seq, request.from_seq + 9) + 1))
            end = request.from_seq + len(deltas)
            answer = ReplayPage(epoch=self.epoch, deltas=deltas, next=end, transaction=request.transaction)
        place = message.properties
        to = MessageProperties(correlation_data=place.correlation_data)
        self.say(place.response_topic or TOPICS.reply(verb), answer, retain=False, to=to)


def consumer(
    broker: Broker, store: Store, on_change: Callable[[Change], None] | None = None, version: int = 5
) -> Consumer:
    options = ConsumerOptions(address=broker.address, topics=TOPICS, client_id="central-1", version=version)
    return Consumer(options, store, Random(1), on_change=on_change)


async def until(following: Consumer, condition: Callable[[Consumer], bool]) -> None:
    async with asyncio.timeout(10):
        await following.wait_until(condition)


def at(seq: int, epoch: str = "e1") -> Callable[[Consumer], bool]:
    def there(following: Consumer) -> bool:
        place = following.store.position
        return place is not None and (place.epoch, place.seq) == (epoch, seq)

    return there


async def test_a_cold_consumer_starts_from_the_snapshot_and_follows(broker: Broker) -> None:
    seen: list[Change] = []
    async with Gateway(broker) as gateway:
        gateway.commit(5, send=False)
        gateway.snapshot()
        await gateway.settled()
        async with consumer(broker, MemoryStore(), seen.append) as following:
            await until(following, at(5))
            gateway.commit(20)
            await until(following, at(25))
            assert following.store.quantity(GTIN, "floor") == 25
            assert following.store.hash() == rows_hash(gateway.rows())
            gateway.digest()
            await until(following, lambda one: one.counters.messages >= 24)
            assert not following.counters.findings
            assert following.counters.snapshots == 1
    kinds = [type(change) for change in seen if isinstance(change, Applied | Replaced)]
    assert kinds == [Replaced] + [Applied] * 20


@pytest.mark.parametrize("version", [5, 311])
async def test_a_gap_is_replayed_page_by_page(broker: Broker, version: int) -> None:
    async with Gateway(broker) as gateway, consumer(broker, MemoryStore(), version=version) as following:
        await until(following, at(0))
        gateway.commit(35, send=False)
        gateway.commit(1)
        await until(following, at(36))
        assert following.rule.mode is Mode.IN_STEP
        assert following.counters.gaps == 1
        assert gateway.asked == ["replay"] * 4


async def test_what_is_missing_at_the_end_is_noticed_by_the_digest(broker: Broker) -> None:
    async with Gateway(broker) as gateway, consumer(broker, MemoryStore()) as following:
        await until(following, at(0))
        gateway.commit(3, send=False)
        gateway.digest()
        await until(following, at(3))
        assert gateway.asked == ["replay"]


async def test_what_is_gone_comes_by_snapshot(broker: Broker) -> None:
    async with Gateway(broker) as gateway, consumer(broker, MemoryStore()) as following:
        await until(following, at(0))
        gateway.commit(9, send=False)
        gateway.oldest = 8
        gateway.commit(1)
        await until(following, at(10))
        assert gateway.asked == ["replay", "snapshot"]
        assert following.counters.snapshots == 2


async def test_a_digest_that_differs_brings_a_snapshot_and_a_finding(broker: Broker) -> None:
    async with Gateway(broker) as gateway, consumer(broker, MemoryStore()) as following:
        await until(following, at(0))
        gateway.commit(3)
        await until(following, at(3))
        gateway.say(TOPICS.digest, Digest(epoch="e1", seq=3, rows=1, quantity=3, hash="other"))
        await until(following, lambda one: one.counters.snapshots == 2)
        assert following.counters.findings == {"stock_differs": 1}
        assert following.store.quantity(GTIN, "floor") == 3


async def test_a_new_epoch_takes_the_place_of_the_old(broker: Broker) -> None:
    async with Gateway(broker) as gateway, consumer(broker, MemoryStore()) as following:
        await until(following, at(0))
        gateway.commit(7)
        await until(following, at(7))
        gateway.epoch, gateway.boot, gateway.seq = "e2", 2, 4
        gateway.state()
        gateway.snapshot()
        await until(following, at(4, "e2"))
        gateway.epoch = "e1"
        gateway.say(TOPICS.delta, gateway.delta(8), retain=False)
        gateway.epoch = "e2"
        gateway.commit(1)
        await until(following, at(5, "e2"))
        assert following.store.position is not None
        assert following.store.position.left == ("e1",)
        assert following.counters.duplicates == 1


async def test_a_broker_restart_is_survived_by_both_stores(broker: Broker, tmp_path: Path) -> None:
    async with (
        await SqliteStore.open(tmp_path / "stock.db", TOPICS.root) as store,
        consumer(broker, store) as following,
    ):
        async with Gateway(broker) as gateway:
            await until(following, at(0))
            gateway.commit(4)
            await until(following, at(4))
        await broker.restart()
        async with Gateway(broker) as again:
            again.seq = 4
            again.state()
            await until(following, lambda one: one.counters.connects == 2)
            again.commit(2)
            await until(following, at(6))
    async with await SqliteStore.open(tmp_path / "stock.db", TOPICS.root) as later:
        assert later.quantity(GTIN, "floor") == 6


async def test_a_restarted_consumer_goes_on_where_it_was(broker: Broker, tmp_path: Path) -> None:
    async with Gateway(broker) as gateway:
        async with await SqliteStore.open(tmp_path / "stock.db", TOPICS.root) as store:
            async with consumer(broker, store) as following:
                await until(following, at(0))
                gateway.commit(3)
                await until(following, at(3))
            gateway.commit(3)
            await gateway.settled()
        async with (
            await SqliteStore.open(tmp_path / "stock.db", TOPICS.root) as store,
            consumer(broker, store) as following,
        ):
            await until(following, lambda one: one.rule.online is True)
            gateway.commit(1)
            await until(following, at(7))
            assert following.counters.snapshots == 0
            assert following.counters.applied == 4


async def test_bad_payloads_are_counted_and_survived(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with Gateway(broker) as gateway, consumer(broker, MemoryStore()) as following:
        await until(following, at(0))
        for topic in [TOPICS.state, TOPICS.delta, TOPICS.digest, TOPICS.zone_health("a"), TOPICS.part(0)]:
            gateway._open += 1
            gateway.connection.publish(topic, b'{"v":2,"x":"' + b"y" * 200)
        gateway.commit(1)
        await until(following, at(1))
        assert following.counters.undecodable == 5
    shown = [record for record in caplog.records if "is the gateway of a newer version" in record.getMessage()]
    assert len(shown) == 1, "the first is shown, the rest are counted"
    assert "y" * 100 not in shown[0].getMessage()


async def test_availability_follows_the_zones_health(broker: Broker) -> None:
    seen: list[Change] = []
    async with Gateway(broker) as gateway, consumer(broker, MemoryStore(), seen.append) as following:
        await until(following, at(0))
        gateway.commit(2)
        gateway.say(TOPICS.zone_health("floor"), ZoneHealth(state="stale", readers=(), since="", text=""))
        gateway.commit(2)
        await until(following, at(4))
        assert following.store.quantity(GTIN, "floor") == 4
        assert following.store.available(GTIN, "floor") == 2
        gateway.say(TOPICS.zone_health("floor"), ZoneHealth(state="ok", readers=(), since="", text=""))
        await until(following, lambda one: one.store.available(GTIN, "floor") == 4)


async def test_changes_as_an_iterator(broker: Broker) -> None:
    async with Gateway(broker) as gateway, consumer(broker, MemoryStore()) as following:
        await until(following, at(0))
        applied: list[int] = []
        changes = following.changes()
        gateway.commit(3)
        async with asyncio.timeout(10):
            async for change in changes:
                if isinstance(change, Applied):
                    applied.append(change.delta.seq)
                if len(applied) == 3:
                    break
        await changes.aclose()  # type: ignore[attr-defined]
    assert applied == [1, 2, 3]


async def test_without_a_broker_it_keeps_trying_and_ends_cleanly(broker: Broker) -> None:
    broker.kill()
    async with consumer(broker, MemoryStore()) as following:
        assert not following.connected
        await broker.start()
        await until(following, lambda one: one.counters.connects == 1)
        assert following.connected
    assert not following.connected


async def test_an_error_inside_the_block_comes_out_as_it_is(broker: Broker) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with consumer(broker, MemoryStore()):
            raise KeyError("mine")


async def test_an_error_of_the_store_ends_the_block(broker: Broker) -> None:
    class Full(MemoryStore):
        async def replace(self, rows: object, position: object) -> None:  # noqa: ARG002
            raise OSError(28, "No space left on device")

    async with Gateway(broker):
        with pytest.raises(BaseExceptionGroup) as caught:
            async with consumer(broker, Full()), asyncio.timeout(10):
                await asyncio.Event().wait()
    assert caught.group_contains(OSError, match="No space left")
