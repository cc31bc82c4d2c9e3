# SPDX-License-Identifier: Apache-2.0
"""A consumer of one gateway: MQTT on one side, a store on the other, the rule between them."""

import asyncio
import logging
import ssl
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from types import TracebackType
from typing import Self

from gateway.consumer.broker import (
    FIRST_FAILURE_CODE,
    BrokerAddress,
    ConnectOptions,
    Message,
    MessageProperties,
    MqttError,
    Subscription,
    hint_for,
)
from gateway.consumer.decode import Decoded, UndecodableError, ZoneSays, decode, decode_replay
from gateway.consumer.mqtt import Connection
from gateway.consumer.outputs import (
    Apply,
    Compare,
    Finding,
    FindingKind,
    Output,
    Remember,
    Replace,
    RequestReplay,
    RequestSnapshot,
)
from gateway.consumer.rule import Rule
from gateway.consumer.stock import StockMismatchError
from gateway.consumer.store import Store
from gateway.payloads import CONTENT_TYPE, Delta, ErrorAnswer, ReplayRequest, Request, Row, State, Topics

# After a lost connection: at once is too soon for a broker that restarts, a minute is too long for people.
FIRST_RETRY_S = 0.5
MAX_RETRY_S = 30.0
# A connection that lasted so long was a good one; the next pause is the first again.
STEADY_S = 10.0
# Often enough for the rule's own timeouts, which are seconds.
TICK_INTERVAL_S = 1.0
# A watcher that does not take its changes misses the oldest; the store has them all the same.
MAX_WAITING_CHANGES = 1_000
# A request that nobody has answered by then is not worth answering any more.
REQUEST_EXPIRY_S = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerOptions:
    """Whose stock to follow, and how to get at it. `client_id` must be this consumer's own."""

    address: BrokerAddress
    topics: Topics
    client_id: str
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    version: int = 5
    keepalive_s: int = 15
    receive_maximum: int = 1_000


@dataclass(slots=True)
class Counters:
    """What happened so far."""

    connects: int = 0
    messages: int = 0
    applied: int = 0
    duplicates: int = 0
    gaps: int = 0
    snapshots: int = 0
    undecodable: int = 0
    findings: dict[FindingKind, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """A delta is in the store."""

    delta: Delta


@dataclass(frozen=True, slots=True)
class Replaced:
    """A snapshot is in the store, in the place of what was there."""

    epoch: str
    as_of: int
    rows: tuple[Row, ...]


Change = Applied | Replaced | Finding | State | ZoneSays
"""What a watcher is told, in order, after it is in the store."""


class Consumer:
    """`async with Consumer(options, store, rng) as consumer`: follows the gateway until the block ends.

    It connects again for ever, with growing pauses. `on_change` is called on the loop after each change and must not
    block; `changes()` is the same as an iterator. An error of the store ends it: the block raises it.
    """

    def __init__(
        self,
        options: ConsumerOptions,
        store: Store,
        rng: Random,
        *,
        on_change: Callable[[Change], None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.store = store
        self.counters = Counters()
        self._options = options
        self._on_change = on_change
        self._clock = clock
        self._rng = rng
        self._rule = Rule(store.position, rng, clock())
        # No consumer must take the answers of another, nor one of its own earlier lives.
        self._reply_topic = f"{options.topics.root}reply/{options.client_id}"
        self._correlation = b""
        self._queues: list[asyncio.Queue[Change]] = []
        self._turn = asyncio.Lock()
        self._news = asyncio.Condition()
        self._connection: Connection | None = None
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def rule(self) -> Rule:
        """The state of the rule, to look at: `mode`, `epoch`, `applied`, `online`."""
        return self._rule

    @property
    def connected(self) -> bool:
        """Whether the broker is there; whether the gateway is, `rule.online` says."""
        return self._connection is not None

    async def wait_until(self, condition: Callable[["Consumer"], bool]) -> None:
        """Waits until `condition(self)` holds; it is asked after every message and tick."""
        async with self._news:
            await self._news.wait_for(lambda: condition(self))

    async def changes(self) -> AsyncIterator[Change]:
        """Changes from now on; who falls behind by MAX_WAITING_CHANGES misses the oldest."""
        queue: asyncio.Queue[Change] = asyncio.Queue(MAX_WAITING_CHANGES)
        self._queues.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.remove(queue)

    async def run(self) -> None:
        """Follows the gateway until it is cancelled; for those who have a task group of their own."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_connected())
            group.create_task(self._keep_time())

    async def __aenter__(self) -> Self:
        self._group = await asyncio.TaskGroup().__aenter__()
        self._task = self._group.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._group is None or self._task is None:
            return
        self._task.cancel()
        if isinstance(error, asyncio.CancelledError):
            await self._group.__aexit__(kind, error, trace)
        else:
            # The group would wrap what the block itself has raised.
            await self._group.__aexit__(None, None, None)

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                started_s = self._clock()
                await self._live_once()
                # One that ends at once, again and again (two with the same client id, say), must not spin.
                failures = 0 if self._clock() - started_s >= STEADY_S else failures + 1
            except MqttError as error:
                log.log(logging.DEBUG if failures else logging.WARNING, "%s", error)
                failures += 1
            pause_s = min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures, 16))
            await asyncio.sleep(pause_s * self._rng.uniform(0.5, 1.0))

    async def _live_once(self) -> None:
        """One connection from its start to its end."""
        options = self._options
        connection = Connection(
            ConnectOptions(
                address=options.address,
                client_id=options.client_id,
                version=options.version,
                username=options.username,
                password=options.password,
                tls=options.tls,
                keepalive_s=options.keepalive_s,
                receive_maximum=options.receive_maximum if options.version == 5 else None,
            )
        )
        async with connection:
            self._connection = connection
            self.counters.connects += 1
            try:
                await self._subscribe(connection)
                async with self._turn:
                    await self._carry_out(self._rule.connected(self._clock()))
                async for message in connection.messages():
                    await self._take(message)
            finally:
                self._connection = None
            if connection.closed is not None:
                log.warning("the connection has ended: %s", connection.closed.text)

    async def _subscribe(self, connection: Connection) -> None:
        topics = self._options.topics
        wanted = [topics.state, topics.delta, topics.zones, topics.parts, topics.manifest, topics.digest]
        wanted += [self._reply_topic, topics.reply("replay")]
        codes = await connection.subscribe(*[Subscription(topic) for topic in wanted])
        for topic, code in zip(wanted, codes, strict=True):
            if code >= FIRST_FAILURE_CODE:
                raise MqttError(f"the broker refuses to subscribe to {topic}: 0x{code:02X}", hint_for(code))

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_INTERVAL_S)
            # Nobody would hear a question now, and silence is no evidence of anything.
            if self._connection is not None:
                async with self._turn:
                    await self._carry_out(self._rule.tick(self._clock()))

    async def _take(self, message: Message) -> None:
        self.counters.messages += 1
        topics = self._options.topics
        async with self._turn:
            try:
                if message.topic in {self._reply_topic, topics.reply("replay")}:
                    outputs = self._take_answer(message)
                else:
                    outputs = await self._take_decoded(decode(topics, message.topic, message.payload))
            except UndecodableError as error:
                self.counters.undecodable += 1
                known = self.counters.undecodable > 1
                log.log(logging.DEBUG if known else logging.WARNING, "%s (%s): %r", error, error.hint, error.evidence)
                return
            await self._carry_out(outputs)

    async def _take_decoded(self, decoded: Decoded | None) -> list[Output]:
        now_s = self._clock()
        match decoded:
            case None:
                return []
            case State():
                outputs = self._rule.state(decoded, now_s)
                self._tell(decoded)
                return outputs
            case ZoneSays():
                await self.store.set_zone(decoded.zone, decoded.health.state)
                self._tell(decoded)
                return []
            case _:
                return self._rule.message(decoded, now_s)

    def _take_answer(self, message: Message) -> list[Output]:
        """The answer to our last replay request; an older one, or somebody else's, is ignored."""
        correlated = message.properties.correlation_data
        if self._options.version == 5 and correlated != self._correlation:
            return []
        answer = decode_replay(message.topic, message.payload)
        if self._options.version != 5 and answer.transaction != self._correlation.hex():
            return []
        now_s = self._clock()
        return (
            self._rule.refused(answer, now_s) if isinstance(answer, ErrorAnswer) else self._rule.replayed(answer, now_s)
        )

    async def _carry_out(self, outputs: Sequence[Output]) -> None:
        """Does what the rule wants, in order; when the stock turns out to differ, what the rule wants then."""
        waiting = list(outputs)
        while waiting:
            output = waiting.pop(0)
            disagreement = await self._do(output)
            if disagreement:
                waiting = self._rule.disagreed(self.store.position, disagreement, self._clock())
        self.counters.duplicates = self._rule.duplicates
        self.counters.gaps = self._rule.gaps
        async with self._news:
            self._news.notify_all()

    async def _do(self, output: Output) -> str:
        """Carries out one output; returns in what the stock differs from the gateway's, or nothing."""
        match output:
            case Apply():
                return await self._apply(output)
            case Replace():
                await self.store.replace(output.rows, output.position)
                self.counters.snapshots += 1
                self._tell(Replaced(output.position.epoch, output.position.seq, output.rows))
            case Remember():
                await self.store.remember(output.position)
            case Compare() if self.store.hash() != output.digest.hash:
                return f"the digest of delta {output.digest.seq} has another hash"
            case RequestReplay():
                self._request_replay(output)
            case RequestSnapshot():
                self._request("snapshot", Request())
            case Finding():
                self.counters.findings[output.kind] = self.counters.findings.get(output.kind, 0) + 1
                log.warning("%s: %s", output.kind, output.text)
                self._tell(output)
        return ""

    async def _apply(self, output: Apply) -> str:
        try:
            await self.store.apply(output.deltas, output.position)
        except StockMismatchError as error:
            return str(error)
        self.counters.applied += len(output.deltas)
        for delta in output.deltas:
            self._tell(Applied(delta))
        return ""

    def _request_replay(self, output: RequestReplay) -> None:
        self._correlation = uuid.UUID(int=self._rng.getrandbits(128)).bytes
        wanted = {"epoch": output.epoch, "from": output.from_seq, "limit": output.limit}
        self._request("replay", ReplayRequest.model_validate({"transaction": self._correlation.hex(), **wanted}))

    def _request(self, verb: str, request: Request) -> None:
        """Asks the gateway; what cannot be asked now is asked again when the rule's timeout is over."""
        if self._connection is None:
            return
        properties = MessageProperties(
            content_type=CONTENT_TYPE,
            response_topic=self._reply_topic if verb == "replay" else None,
            correlation_data=self._correlation if verb == "replay" else None,
            expiry_s=REQUEST_EXPIRY_S,
        )
        payload = request.model_dump_json(by_alias=True, exclude_none=True).encode()
        try:
            self._connection.publish(self._options.topics.command(verb), payload, properties=properties)
        except MqttError as error:
            log.debug("%s was not asked: %s", verb, error)

    def _tell(self, change: Change) -> None:
        if self._on_change is not None:
            self._on_change(change)
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(change)
