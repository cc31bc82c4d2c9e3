"""A world in which time is made up: an event loop that never waits, a broker, a network and a disk that live on it.

The gateway and its consumers run on it as they are; only what touches the outside (sockets, threads, the file system's
pace) is replaced. All that happens follows from the seed.
"""

import asyncio
import heapq
import itertools
import math
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from gateway.consumer.broker import (
    BrokerUnreachableError,
    Closed,
    ConnectionEndedError,
    ConnectOptions,
    Message,
    MessageProperties,
    Reason,
    Session,
    Subscription,
)
from gateway.consumer.inbox import Inbox
from readers.driver import ReaderError
from readers.llrp import faults
from readers.llrp.settings import LlrpSettings
from simulators.llrp.server import Link as ReaderLink
from simulators.llrp.server import ReaderPort

START_S = 1_000.0
UTC_US = 1_790_000_000_000_000
US = 1_000_000


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps; hours pass in the time that the work in them takes.

    Nothing ever comes from outside: where asyncio would ask the kernel, time jumps to whatever is due next.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now_s = START_S
        self.until_s = math.inf
        """By then all must have ended: whoever waits for something that never comes would keep time running."""
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self._now_s

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """What is due at the same moment comes in the order in which it was asked for."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def _run_once(self) -> None:
        """One turn of the loop, as asyncio's own but for the waiting."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready and not self._stopping:
            assert timers, "everybody waits for something that nobody will do"
            self._now_s = max(self._now_s, timers[0][0])
            if self._now_s > self.until_s:
                raise TimeoutError("somebody does not end")
        while timers and timers[0][0] <= self._now_s:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def run_in_executor(
        self, _executor: Executor | None, func: Callable[..., Any], *args: object
    ) -> asyncio.Future[Any]:
        """Work for a thread is done at once: a thread would end at another moment every time."""
        done = self.create_future()
        done.set_result(func(*args))
        return done


class BoxClock:
    """The gateway's clocks: the monotonic one is the loop's, the other can be set wrong."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.wrong_us = 0

    def monotonic_us(self) -> int:
        return round(self._loop.time() * US)

    def utc_us(self) -> int:
        return UTC_US + self.monotonic_us() + self.wrong_us


class TrueClock:
    """Time as the simulated readers' world has it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_us(self) -> int:
        return UTC_US + round(self._loop.time() * US)

    def seconds_until(self, moment_us: int) -> float:
        # Never quite zero: rounded down to the same microsecond, time would stand still for ever.
        return max(0.0, (moment_us - self.now_us()) / US) + 1e-5


class Road:
    """Carries things in order, each after a while."""

    def __init__(self, rng: Random, longest_s: float) -> None:
        self._rng = rng
        self._longest_s = longest_s
        self._loop = asyncio.get_running_loop()
        self._last_s = 0.0
        self._under_way: list[asyncio.TimerHandle] = []
        self.muted = False

    def carry(self, arrive: Callable[..., object], *things: object) -> None:
        if self.muted:
            return
        self._last_s = max(self._last_s, self._loop.time() + self._rng.uniform(0.0, self._longest_s))
        self._under_way = [timer for timer in self._under_way if timer.when() > self._loop.time()]
        self._under_way.append(self._loop.call_at(self._last_s, arrive, *things))

    def tear(self) -> None:
        """What is under way arrives up to a random point, the rest is lost."""
        self.muted = True
        for timer in self._under_way[self._rng.randint(0, len(self._under_way)) :]:
            timer.cancel()


# -- the broker ------------------------------------------------------------------------------------------------


class FakeBroker:
    """MQTT 5 as the contract uses it: retained messages, wills, refusals, one connection a client."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.running = True
        self.refuses_deltas = 0
        self.loses_for_consumers = 0.0
        self.retained: dict[str, Message] = {}
        self.clients: dict[str, FakeConnection] = {}
        self.on_delta: Callable[[bytes], None] = lambda _: None

    def connection(
        self,
        options: ConnectOptions,
        *,
        on_message: Callable[[Message], None] | None = None,
        on_puback: Callable[[int, int], None] | None = None,
    ) -> "FakeConnection":
        """What `gateway.consumer.mqtt.Connection` is elsewhere."""
        return FakeConnection(self, options, on_message, on_puback)

    def take(self, message: Message) -> int:
        """A PUBLISH has come; gives its reason code."""
        if message.topic.endswith("stock/delta"):
            if self.refuses_deltas > 0:
                self.refuses_deltas -= 1
                return self.rng.choice([Reason.NOT_AUTHORIZED, Reason.QUOTA_EXCEEDED])
            self.on_delta(message.payload)
        if message.retain:
            self.retained[message.topic] = message
            if not message.payload:
                del self.retained[message.topic]
        # A subscription that stands gets it as something new.
        live = replace(message, retain=False)
        for client in list(self.clients.values()):
            lost = message.topic.endswith("stock/delta") and self.rng.random() < self.loses_for_consumers
            if not lost and client.wants(message.topic):
                client.down.carry(client.arrive, live)
        return Reason.SUCCESS

    def leave(self, client: "FakeConnection", *, will: bool) -> None:
        """A client is gone."""
        if self.clients.get(client.options.client_id) is client:
            del self.clients[client.options.client_id]
            if will and client.options.will is not None:
                self.take(client.options.will)

    def stop(self, *, forgets: bool) -> None:
        """Killed: every link breaks, no will is published."""
        self.running = False
        for client in list(self.clients.values()):
            client.cut(will=False)
        self.clients.clear()
        if forgets:
            self.retained.clear()


class FakeConnection:
    """One connection, once, with the calls of `gateway.consumer.mqtt.Connection`."""

    def __init__(
        self,
        broker: FakeBroker,
        options: ConnectOptions,
        on_message: Callable[[Message], None] | None,
        on_puback: Callable[[int, int], None] | None,
    ) -> None:
        self.options = options
        self.up = Road(broker.rng, 0.2)
        self.down = Road(broker.rng, 0.2)
        self._broker = broker
        self._on_message = on_message
        self._on_puback = on_puback
        self._closed: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()
        self._filters: list[str] = []
        self._inbox = Inbox(lambda: None, lambda: None)
        self._token = 0

    @property
    def closed(self) -> Closed | None:
        return self._closed.result() if self._closed.done() else None

    async def open(self) -> Session:
        await asyncio.sleep(self._broker.rng.uniform(0.01, 0.5))
        if not self._broker.running or self._closed.done():
            self.abort()
            raise BrokerUnreachableError("nobody listens", "start the broker")
        former = self._broker.clients.get(self.options.client_id)
        if former is not None:
            former.cut(will=True)
        self._broker.clients[self.options.client_id] = self
        return Session(
            session_present=False,
            receive_maximum=self._broker.rng.choice([1, 20, 65_535]),
            maximum_packet_size=None,
            topic_alias_maximum=0,
            assigned_client_id=None,
            keepalive_s=15,
        )

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 1,
        *,
        retain: bool = False,
        properties: MessageProperties = MessageProperties(),  # noqa: B008 - frozen, as the real one's
    ) -> int:
        self._check()
        self._token += 1
        self.up.carry(self._take, self._token, Message(topic, payload, qos, retain, properties))
        return self._token

    def _take(self, token: int, message: Message) -> None:
        code = self._broker.take(message)
        self.down.carry(self._answer, token, code)

    def _answer(self, token: int, code: int) -> None:
        if not self._closed.done() and self._on_puback is not None:
            self._on_puback(token, code)

    async def subscribe(self, *subscriptions: Subscription) -> tuple[int, ...]:
        self._check()
        done = asyncio.get_running_loop().create_future()
        self.up.carry(self._subscribe, subscriptions, done)
        either = {done, self._closed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        self._check()
        return (1,) * len(subscriptions)

    def _subscribe(self, subscriptions: Sequence[Subscription], done: asyncio.Future[None]) -> None:
        self.down.carry(lambda: done.done() or done.set_result(None))
        for each in subscriptions:
            self._filters.append(each.topic)
            if each.retain_handling == 0:
                for message in list(self._broker.retained.values()):
                    if _matches(each.topic, message.topic):
                        self.down.carry(self.arrive, message)

    def wants(self, topic: str) -> bool:
        return any(_matches(each, topic) for each in self._filters)

    def arrive(self, message: Message) -> None:
        if self._closed.done():
            return
        if self._on_message is not None:
            self._on_message(message)
        else:
            self._inbox.put(message)

    def messages(self) -> AsyncIterator[Message]:
        return self._inbox.messages()

    async def wait_closed(self) -> Closed:
        return await asyncio.shield(self._closed)

    async def disconnect(self, timeout_s: float = 2.0) -> Closed:
        if not self._closed.done():
            self.up.carry(lambda: self._broker.leave(self, will=False))
            self.up.muted = True
            await asyncio.sleep(min(timeout_s, 0.2))
        self.abort()
        return self._closed.result()

    def abort(self) -> None:
        self.cut(will=True)

    def cut(self, *, will: bool) -> None:
        """The link breaks; what was on its way arrives in part."""
        self.up.tear()
        self.down.tear()
        if not self._closed.done():
            self._closed.set_result(Closed(Reason.UNSPECIFIED_ERROR, "connection lost", by_broker=False))
        self._inbox.close()
        # A broker notices after what it still got.
        asyncio.get_running_loop().call_later(0.3, lambda: self._broker.leave(self, will=will))

    def mute(self) -> None:
        """Nothing passes any more; both ends notice by their keepalives."""
        self.up.muted = self.down.muted = True
        asyncio.get_running_loop().call_later(self._broker.rng.uniform(15, 30), self.abort)

    def _check(self) -> None:
        if self._closed.done():
            raise ConnectionEndedError(self._closed.result())

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()


@lru_cache(maxsize=1_000)
def _matches(wanted: str, topic: str) -> bool:
    if wanted.endswith("#"):
        return topic.startswith(wanted[:-1])
    levels, parts = wanted.split("/"), topic.split("/")
    return len(levels) == len(parts) and all(a in {"+", b} for a, b in zip(levels, parts, strict=True))


# -- the readers' network --------------------------------------------------------------------------------------


class Wire:
    """One TCP connection between a reader's driver and a simulated reader."""

    def __init__(self, rng: Random, driver: asyncio.BufferedProtocol, reader: ReaderLink) -> None:
        self.rng = rng
        self.open = True
        self.up, self.down = Road(rng, 0.05), Road(rng, 0.05)
        self.garble = 0
        self._driver = driver
        self._reader = reader
        driver.connection_made(_End(self, self.to_reader))
        reader.connection_made(_End(self, self.to_driver))

    def to_reader(self, data: bytes) -> None:
        self.up.carry(self._reader_takes, data)

    def to_driver(self, data: bytes) -> None:
        if self.garble:
            self.garble -= 1
            at = self.rng.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << self.rng.randrange(8)]) + data[at + 1 :]
        self.down.carry(self._driver_takes, data)

    def _reader_takes(self, data: bytes) -> None:
        if self.open:
            self._reader.data_received(data)

    def _driver_takes(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and self.open:
            room = self._driver.get_buffer(-1)
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self._driver.buffer_updated(count)
            rest = rest[count:]

    def end(self) -> None:
        """Closed by either end, or cut."""
        if self.open:
            self.open = False
            loop = asyncio.get_running_loop()
            loop.call_soon(self._driver.connection_lost, None)
            loop.call_soon(self._reader.connection_lost, None)

    def mute(self) -> None:
        """Nothing passes any more; who has keepalives notices, the reader is told by TCP at last."""
        self.up.muted = self.down.muted = True
        asyncio.get_running_loop().call_later(60.0, self.end)


class _End(asyncio.Transport):
    """One end of a wire."""

    def __init__(self, wire: Wire, send: Callable[[bytes], None]) -> None:
        super().__init__()
        self._wire = wire
        self._send = send

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._wire.open and data:
            self._send(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return not self._wire.open

    def close(self) -> None:
        # What was written last still goes out.
        asyncio.get_running_loop().call_later(0.1, self._wire.end)

    def abort(self) -> None:
        self._wire.end()


class FakeLan:
    """Where the readers are; `dial` is what `readers.llrp.transport.dial` is elsewhere."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.readers: dict[int, ReaderPort] = {}
        self.wires: dict[int, Wire] = {}
        self.unreachable: set[int] = set()

    async def dial(self, settings: LlrpSettings, protocol: asyncio.BufferedProtocol) -> None:
        await asyncio.sleep(self.rng.uniform(0.001, 0.2))
        if settings.port in self.unreachable:
            raise ReaderError(faults.refused(settings.address))
        self.wires[settings.port] = Wire(self.rng, protocol, ReaderLink(self.readers[settings.port]))


# -- the disk --------------------------------------------------------------------------------------------------


class _Cursor:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.rowcount = cursor.rowcount


class FakeDisk:
    """Real SQLite without its thread; each statement takes a moment, in which the process may die. May be full."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.full = False
        # After so many more statements the process dies; 0: it does not.
        self.fuse = 0
        self.blown = asyncio.Event()
        self._open: list[sqlite3.Connection] = []

    def die(self) -> None:
        """The process is gone: what is not committed never was."""
        for connection in self._open:
            connection.close()
        self._open.clear()

    def burn(self) -> None:
        """One statement more."""
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                self.die()
                self.blown.set()

    @asynccontextmanager
    async def connect(self, path: Path | str, **options: Any) -> AsyncIterator["_Connection"]:
        connection = sqlite3.connect(path, **options)
        self._open.append(connection)
        try:
            yield _Connection(self, connection)
        finally:
            connection.close()
            if connection in self._open:
                self._open.remove(connection)


class _Connection:
    """What the ledger asks of aiosqlite."""

    def __init__(self, disk: FakeDisk, connection: sqlite3.Connection) -> None:
        self._disk = disk
        self._connection = connection

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> _Cursor:
        await self._moment(sql)
        cursor = self._connection.execute(sql, values)
        if sql == "COMMIT":
            await self._moment("")
        return _Cursor(cursor)

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> _Cursor:
        await self._moment(sql)
        return _Cursor(self._connection.executemany(sql, rows))

    async def executescript(self, sql: str) -> None:
        self._connection.executescript(sql)

    async def execute_fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    async def rollback(self) -> None:
        # A process that has died while it read has nothing to take back.
        if self._connection in self._disk._open:
            self._connection.rollback()

    async def _moment(self, sql: str) -> None:
        await asyncio.sleep(self._disk.rng.uniform(0.0, 0.01))
        self._disk.burn()
        if self._disk.full and sql.startswith(("INSERT", "DELETE", "UPDATE")):
            raise sqlite3.OperationalError("database or disk is full")
