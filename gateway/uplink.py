"""From the ledger to the broker: one connection after another, each brought into step and kept so.

The first connection of a life only listens: what the gateway's own retained topics say tells whether the ledger was
rolled back. Every further one says `state`, all retained topics, and the deltas from the lowest that the broker has
not acknowledged.
"""

import asyncio
import logging
import sqlite3
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial

from gateway import payloads
from gateway.alerts import AlertBoard, AlertKind
from gateway.command_desk import CommandDesk
from gateway.commands import Commands
from gateway.consumer.broker import (
    FIRST_FAILURE_CODE,
    ConnectionEndedError,
    ConnectOptions,
    Message,
    MqttError,
    PacketTooLargeError,
    Subscription,
    hint_for,
)
from gateway.consumer.mqtt import Connection
from gateway.item_events import ItemEvents
from gateway.ledger import Ledger
from gateway.opening import LedgerMark, opening
from gateway.retained import RetainedTree
from gateway.sender import JSON, DeltaSender
from gateway.snapshots import Snapshots
from gateway.supervise import Backoff
from readers.driver import Clock

log = logging.getLogger(__name__)

# A broker sends what is retained right after the subscription. Once `state` has come, it is enough that the rest has
# been quiet for the first of these; that there is none at all takes longer to believe, over a mobile link. A marker of
# our own could not shorten that: order is promised within a topic only (MQTT 5, section 4.6), and brokers that look up
# what is retained beside the way may hand the marker over first.
RETAINED_QUIET_S = 0.3
RETAINED_SILENCE_S = 2.0
RETAINED_LIMIT_S = 10.0
# Alerts are not retained: those of an outage wait here, the oldest go first.
MAX_WAITING_ALERTS = 200
# What an MQTT packet needs besides a payload: header, topic, properties.
PACKET_OVERHEAD_BYTES = 1_024
# A payload is not cut smaller than this: a broker that takes less is not one for this contract.
LEAST_PAYLOAD_BYTES = 2 * payloads.ENVELOPE_BYTES
# A broker has this long to take the last word; if it does not, the connection breaks off and the will says it.
GOODBYE_LIMIT_S = 2.0
# A connection that lasted so long was a good one: what ends it is a new trouble, not the old one.
PROVEN_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Identity:
    """What the `state` topic tells besides the numbers: the software's version and the configuration's hash."""

    software: str
    config: str


@dataclass(frozen=True, slots=True)
class Places:
    """The zones and readers of the configuration; retained topics of others are cleared."""

    zones: Collection[str]
    readers: Collection[str]


class Uplink:
    """The gateway's side of the MQTT contract. Everything runs on the loop; nothing blocks."""

    def __init__(
        self,
        ledger: Ledger,
        sender: DeltaSender,
        snapshots: Snapshots,
        commands: Commands,
        retained: RetainedTree,
        topics: payloads.Topics,
        options: ConnectOptions,
        identity: Identity,
        places: Places,
        clock: Clock,
        backoff: Backoff,
        alerts: AlertBoard,
        item_events: ItemEvents | None = None,
    ) -> None:
        self.connected = False
        # The broker has taken the connection, and the deltas do not flow yet.
        self.greeting = False
        self.session = 0
        self.identity = identity
        self.desk = CommandDesk(commands, topics, clock)
        self.alerts_dropped = 0
        self.refused = 0
        self._ledger = ledger
        self._sender = sender
        self._snapshots = snapshots
        self._commands = commands
        self._retained = retained
        self._topics = topics
        self._options = options
        self._places = places
        self._clock = clock
        self._backoff = backoff
        self._alerts = alerts
        self._item_events = item_events
        self._opened = False
        self._restate = False
        self._changed = asyncio.Event()
        self._waiting_alerts: deque[payloads.Alert] = deque(maxlen=MAX_WAITING_ALERTS)
        self._topic_of: dict[int, str] = {}
        self._settled = asyncio.Event()
        self._outdated: dict[str, bytes | None] = {}
        self._outdated_more = asyncio.Event()

    def wake(self) -> None:
        """The retained tree has changed."""
        self._changed.set()

    def identify(self, identity: Identity) -> None:
        """Another configuration: `state` says so."""
        self.identity = identity
        self._restate = True
        self._changed.set()

    def clear_later(self, topics: Iterable[str]) -> None:
        """Retained topics of what is no more: cleared when the broker has the deltas that emptied it."""
        self._outdated.update({topic: self._retained.payload(topic) for topic in topics})
        self._outdated_more.set()

    def publish_alert(self, alert: payloads.Alert) -> None:
        """Say it as soon as there is a connection."""
        self.alerts_dropped += len(self._waiting_alerts) == MAX_WAITING_ALERTS
        self._waiting_alerts.append(alert)
        self._changed.set()

    async def run(self) -> None:
        """Connect, and connect again, until cancelled; the last connection ends with an offline `state`."""
        while True:
            try:
                await self._live()
            except* MqttError as group:
                error = next(leaf for leaf in _leaves(group) if isinstance(leaf, MqttError))
                level = logging.WARNING if not self._backoff.attempts else logging.DEBUG
                log.log(level, "broker: %s (%s)", error.text, error.hint)
            except* sqlite3.Error as group:
                log.warning("broker: the ledger cannot be read: %s (look at its disk)", _leaves(group)[0])
            await asyncio.sleep(self._backoff.pause_s())

    async def _live(self) -> None:
        """One connection from dialling to its end."""
        if not self._opened:
            await self._open()
            self._opened = True
        self.session += 1
        options = replace(self._options, will=self._state_message(online=False))
        connection = Connection(options, on_message=self.desk.receive, on_puback=self._puback)
        connected_us = self._clock.monotonic_us()
        try:
            granted = await connection.open()
            self.greeting = True
            self._limit_payloads(granted.maximum_packet_size)
            self._say(connection, self._state_message(online=True))
            await self._subscribe(connection)
            self._retained.renew()
            self._snapshots.ask()
            self._changed.set()
            self.connected, self.greeting = True, False
            self._sender.connect(connection, granted.receive_maximum)
            log.info("broker: connected to %s:%s", options.address.host, options.address.port)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(connection))
                tasks.create_task(self._say_changes(connection))
                tasks.create_task(self.desk.answer(connection))
                tasks.create_task(self._clear_outdated())
                tasks.create_task(self._snapshots.run())
                if self._item_events is not None:
                    say = partial(self._say_item_event, connection)
                    tasks.create_task(self._item_events.run(say, self._sender.drained))
        finally:
            if self.connected and self._clock.monotonic_us() - connected_us > PROVEN_AFTER_S * 1e6:
                self._backoff.reset()
            self.connected = self.greeting = False
            self._sender.disconnect()
            await self._say_goodbye(connection)
            await connection.disconnect()
            self._topic_of.clear()

    # -- the beginning of a life ------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Read the own retained tree, decide on epoch and boot, clear what is no longer ours."""
        found: dict[str, bytes] = {}
        arrived = asyncio.Event()

        def collect(message: Message) -> None:
            if message.retain:
                found[message.topic] = message.payload
            arrived.set()

        async with Connection(self._options, on_message=collect) as connection:
            codes = await connection.subscribe(Subscription(self._topics.everything))
            if codes[0] >= FIRST_FAILURE_CODE:
                self._refuse(self._topics.everything, codes[0])
            else:
                await _until_quiet(arrived, lambda: self._topics.state in found)
                if connection.closed is not None:
                    # What came so far proves nothing: the rest may have told of a rollback.
                    raise ConnectionEndedError(connection.closed)
            mark = self._ledger.found
            decided = opening(
                LedgerMark(mark.epoch, mark.boot, mark.seq),
                found,
                self._topics,
                zones=self._places.zones,
                readers=self._places.readers,
                parts=await self._snapshots.count_parts(),
            )
            await self._ledger.open_life(str(uuid.uuid4()) if decided.rolled_back else None, decided.boot)
            if decided.rolled_back:
                self._sender.restart()
            if decided.rolled_back or decided.succeeds:
                hint = "consumers take the snapshot by themselves; find out who restored or removed the ledger"
                text = decided.evidence or f"this ledger is new, the broker knows epoch {decided.succeeds}"
                self._alerts.once(AlertKind.EPOCH_CHANGED, "ledger", text, hint)
            self.clear_later(decided.clear)

    # -- one connection ---------------------------------------------------------------------------------------

    async def _watch(self, connection: Connection) -> None:
        raise ConnectionEndedError(await connection.wait_closed())

    async def _subscribe(self, connection: Connection) -> None:
        code = (await connection.subscribe(Subscription(self._topics.commands, retain_handling=2)))[0]
        if code >= FIRST_FAILURE_CODE:
            self._refuse(self._topics.commands, code)

    async def _say_changes(self, connection: Connection) -> None:
        """Retained topics and alerts, as they change."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._restate:
                self._restate = False
                self._say(connection, self._state_message(online=True))
            for topic, payload in self._retained.take():
                self._say(connection, Message(topic, payload, retain=True, properties=JSON))
            while self._waiting_alerts:
                alert = self._waiting_alerts.popleft()
                self._say(connection, Message(self._topics.alerts, alert.encode(), properties=JSON))

    async def _clear_outdated(self) -> None:
        """What was emptied goes to zero by deltas first, then its topics are cleared."""
        while True:
            await self._outdated_more.wait()
            await self._sender.drained()
            self._outdated_more.clear()
            for topic, payload in self._outdated.items():
                # A topic that says something else by now has come back into use.
                if self._retained.payload(topic) == payload:
                    self._retained.clear(topic)
            self._outdated.clear()

    def _say_item_event(self, connection: Connection, payload: bytes) -> int | None:
        return self._say(connection, Message(self._topics.item_events, payload, properties=JSON))

    def _say(self, connection: Connection, message: Message) -> int | None:
        """Publish something of our own; gives its token, None where the broker does not take it."""
        try:
            token = connection.publish(
                message.topic, message.payload, retain=message.retain, properties=message.properties
            )
        except PacketTooLargeError as error:
            self._alerts.raise_(AlertKind.PUBLISH_REFUSED, self._subject(message.topic), error.text, error.hint)
            return None
        self._topic_of[token] = message.topic
        return token

    def _puback(self, token: int, code: int) -> None:
        if self._sender.puback(token, code):
            return
        topic = self._topic_of.pop(token, None)
        if topic is None:
            return
        self._settled.set()
        if self._item_events is not None:
            self._item_events.settled(token, taken=code < FIRST_FAILURE_CODE)
        if code >= FIRST_FAILURE_CODE:
            self._refuse(topic, code)
        else:
            self._alerts.clear(AlertKind.PUBLISH_REFUSED, self._subject(topic))

    def _refuse(self, topic: str, code: int) -> None:
        self.refused += 1
        text = f"the broker refused {topic} with 0x{code:02X}"
        self._alerts.raise_(AlertKind.PUBLISH_REFUSED, self._subject(topic), text, hint_for(code))

    def _subject(self, topic: str) -> str:
        """What an alert calls a topic of ours."""
        return topic.removeprefix(self._topics.root)

    def _limit_payloads(self, maximum_packet_size: int | None) -> None:
        """Snapshot parts and pages of deltas are cut to what this broker takes."""
        room = payloads.MAX_REPLAY_BYTES
        if maximum_packet_size is not None:
            room = max(LEAST_PAYLOAD_BYTES, maximum_packet_size - PACKET_OVERHEAD_BYTES)
        self._snapshots.limit_bytes = min(payloads.MAX_PAYLOAD_BYTES, room)
        self._commands.limit_bytes = min(payloads.MAX_REPLAY_BYTES, room)

    async def _say_goodbye(self, connection: Connection) -> None:
        """A clean stop publishes what the will would have; where the broker does not take it, the will does.

        What the retained topics have not said yet goes before it.
        """
        try:
            for topic, payload in self._retained.take():
                self._say(connection, Message(topic, payload, retain=True, properties=JSON))
            token = self._say(connection, self._state_message(online=False))
        except ConnectionEndedError:
            return
        try:
            async with asyncio.timeout(GOODBYE_LIMIT_S):
                while token in self._topic_of and connection.closed is None:
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            connection.abort()

    def _state_message(self, *, online: bool) -> Message:
        position = self._ledger.position
        state = payloads.State(
            online=online,
            boot=position.boot,
            session=self.session,
            epoch=position.epoch,
            seq=position.seq,
            at=payloads.rfc3339(self._clock.utc_us()),
            software=self.identity.software,
            config=self.identity.config,
        )
        return Message(self._topics.state, state.encode(), retain=True, properties=JSON)


async def _until_quiet(arrived: asyncio.Event, found: Callable[[], bool]) -> None:
    """Until nothing has arrived for a while; a long while as long as what matters most has not been found."""
    try:
        async with asyncio.timeout(RETAINED_LIMIT_S):
            while True:
                async with asyncio.timeout(RETAINED_QUIET_S if found() else RETAINED_SILENCE_S):
                    await arrived.wait()
                arrived.clear()
    except TimeoutError:
        return


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions in a group, however deep."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
