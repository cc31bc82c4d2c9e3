import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.broker import free_port
from gateway.consumer import inbox, mqtt
from gateway.consumer.broker import (
    BrokerAddress,
    BrokerRefusedError,
    BrokerUnreachableError,
    BrokerUrlError,
    Closed,
    ConnectionEndedError,
    ConnectOptions,
    Message,
    MessageProperties,
    PacketTooLargeError,
    Reason,
    Subscription,
    hint_for,
    parse_url,
)
from gateway.consumer.mqtt import Connection
from simulators.chaos import Way, chaos_proxy
from tests.broker import HOST, Broker
from tests.peer import peer

JSON = MessageProperties(content_type="application/json")


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(tmp_path / "broker") as running:
        yield running


def options(broker: Broker, client_id: str, **more: object) -> ConnectOptions:
    return ConnectOptions(address=broker.address, client_id=client_id, **more)  # type: ignore[arg-type]


class Pubacks:
    """Counts answers and tells when there are enough."""

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self._arrived = asyncio.Event()

    def __call__(self, token: int, code: int) -> None:
        self.codes[token] = code
        self._arrived.set()

    async def wait_for(self, count: int, timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while len(self.codes) < count:
                self._arrived.clear()
                await self._arrived.wait()


async def take(connection: Connection, count: int, timeout_s: float = 10.0) -> list[Message]:
    taken: list[Message] = []
    async with asyncio.timeout(timeout_s):
        async for message in connection.messages():
            taken.append(message)
            if len(taken) == count:
                break
    return taken


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker.example", BrokerAddress("broker.example", 1883, tls=False)),
        ("mqtts://broker.example", BrokerAddress("broker.example", 8883, tls=True)),
        ("mqtt://127.0.0.1:2883/", BrokerAddress("127.0.0.1", 2883, tls=False)),
        ("mqtts://[::1]:1", BrokerAddress("::1", 1, tls=True)),
    ],
)
def test_url(url: str, expected: BrokerAddress) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "mqtt://",
        "mqtt://a:0",
        "mqtt://a:70000",
        "mqtt://u:p@a",
        "mqtt://a/topic",
        "mqtt://a?x=1",
        "a:1883",
        "",
    ],
)
def test_bad_url_has_a_hint(url: str) -> None:
    with pytest.raises(BrokerUrlError) as caught:
        parse_url(url)
    assert caught.value.hint
    assert "p@" not in str(caught.value)


@pytest.mark.parametrize("version", [5, 311])
async def test_every_message_is_acknowledged_and_arrives_in_order(broker: Broker, version: int) -> None:
    pubacks = Pubacks()
    receiver = Connection(options(broker, "receiver", version=version))
    sender = Connection(options(broker, "sender", version=version), on_puback=pubacks)
    async with receiver, sender:
        assert await receiver.subscribe(Subscription("a/#"), Subscription("b", qos=0)) == (1, 0)
        tokens = [sender.publish("a/b", b"%d" % number, properties=JSON) for number in range(500)]
        messages = await take(receiver, 500)
        await pubacks.wait_for(500)
    assert [message.payload for message in messages] == [b"%d" % number for number in range(500)]
    assert pubacks.codes == dict.fromkeys(tokens, 0)
    assert messages[0].properties.content_type == ("application/json" if version == 5 else None)


async def test_receive_maximum_of_the_broker_is_respected(tmp_path: Path) -> None:
    pubacks = Pubacks()
    async with Broker(tmp_path, extra=["max_inflight_messages 3"]) as small:
        sender = Connection(options(small, "sender"), on_puback=pubacks)
        session = await sender.open()
        assert session.receive_maximum == 3
        for _ in range(200):
            sender.publish("a", b"x")
            assert len(sender._in_flight) <= 3
        await pubacks.wait_for(200)
        assert sender.closed is None, "a client that sends more than the maximum is thrown out"
        await sender.disconnect()


async def test_a_packet_too_large_is_told_before_it_is_sent(tmp_path: Path) -> None:
    pubacks = Pubacks()
    async with (
        Broker(tmp_path, extra=["max_packet_size 2000"]) as small,
        Connection(options(small, "sender"), on_puback=pubacks) as sender,
    ):
        with pytest.raises(PacketTooLargeError) as caught:
            sender.publish("a", bytes(2000))
        assert caught.value.limit == 2000
        sender.publish("a", bytes(1900), properties=JSON)
        await pubacks.wait_for(1)


async def test_a_refused_publish_is_seen_by_its_code(tmp_path: Path) -> None:
    acl = ["user gw", "topic readwrite ok/#"]
    pubacks = Pubacks()
    async with Broker(tmp_path, users={"gw": "secret"}, acl=acl) as strict:
        login = {"username": "gw", "password": "secret"}
        async with Connection(options(strict, "gw", **login), on_puback=pubacks) as connection:
            denied = connection.publish("forbidden", b"x")
            allowed = connection.publish("ok/1", b"x")
            await pubacks.wait_for(2)
    assert pubacks.codes[denied] == Reason.NOT_AUTHORIZED
    assert pubacks.codes[allowed] in {Reason.SUCCESS, Reason.NO_MATCHING_SUBSCRIBERS}
    assert "access rules" in hint_for(pubacks.codes[denied])


@pytest.mark.parametrize("version", [5, 311])
async def test_a_wrong_password_is_a_refusal_with_a_hint(tmp_path: Path, version: int) -> None:
    async with Broker(tmp_path, users={"gw": "secret"}) as strict:
        connection = Connection(options(strict, "gw", username="gw", password="wrong", version=version))
        with pytest.raises(BrokerRefusedError) as caught:
            await connection.open()
    assert caught.value.code in {Reason.NOT_AUTHORIZED, Reason.BAD_USER_NAME_OR_PASSWORD}
    assert "password" in caught.value.hint
    assert connection.closed is not None


async def test_a_refused_subscription_says_so() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(bytes.fromhex("20 03 00 00 00"))  # CONNACK: welcome, no properties
        await reader.read(1000)
        writer.write(bytes.fromhex("90 05 00 01 00 87 00"))  # SUBACK: the first not authorized, the second granted
        await reader.read(1000)

    async with peer(serve) as port:
        address = BrokerAddress("127.0.0.1", port, tls=False)
        async with Connection(ConnectOptions(address=address, client_id="a")) as connection:
            codes = await connection.subscribe(Subscription("x"), Subscription("y", qos=0))
    assert codes == (Reason.NOT_AUTHORIZED, 0)


async def test_broker_killed_with_fifty_in_flight_and_back_again(broker: Broker) -> None:
    pubacks = Pubacks()
    connection = Connection(options(broker, "gw"), on_puback=pubacks)
    await connection.open()
    connection.publish("a", b"before")
    await pubacks.wait_for(1)
    tokens = [connection.publish("a", b"lost") for _ in range(50)]
    broker.kill()
    async with asyncio.timeout(5):
        closed = await connection.wait_closed()
    assert not closed.by_broker
    assert not set(tokens) & set(pubacks.codes), "nothing is reported that the broker did not say"
    with pytest.raises(ConnectionEndedError):
        connection.publish("a", b"x")
    with pytest.raises(ConnectionEndedError):
        await connection.subscribe(Subscription("a"))
    await broker.start()
    later = Pubacks()
    again = Connection(options(broker, "gw"), on_puback=later)
    await again.open()
    again.publish("a", b"resent")
    await later.wait_for(1)
    await again.disconnect()


async def test_takeover_by_the_same_client_id_ends_the_first(broker: Broker) -> None:
    pubacks = Pubacks()
    first = Connection(options(broker, "gw"))
    await first.open()
    async with Connection(options(broker, "gw"), on_puback=pubacks) as second:
        async with asyncio.timeout(5):
            await first.wait_closed()
        second.publish("a", b"x")
        await pubacks.wait_for(1)


async def test_the_brokers_good_bye_is_named() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        # CONNACK, then a DISCONNECT with "session taken over".
        writer.write(bytes.fromhex("20 03 00 00 00 E0 02 8E 00"))
        await reader.read(1000)

    async with peer(serve) as port:
        address = BrokerAddress("127.0.0.1", port, tls=False)
        connection = Connection(ConnectOptions(address=address, client_id="a"))
        await connection.open()
        async with asyncio.timeout(5):
            closed = await connection.wait_closed()
    assert closed == Closed(Reason.SESSION_TAKEN_OVER, "Session taken over", by_broker=True)
    assert "client id" in hint_for(closed.code)


async def test_the_will_is_published_on_abort_and_not_on_a_polite_end(broker: Broker) -> None:
    will = Message("gw/state", b"offline", retain=True)
    async with Connection(options(broker, "watcher")) as watcher:
        await watcher.subscribe(Subscription("gw/state"))
        polite = Connection(options(broker, "gw", will=will))
        await polite.open()
        assert (await polite.disconnect()).code == Reason.SUCCESS
        crashed = Connection(options(broker, "gw", will=will))
        await crashed.open()
        crashed.publish("gw/state", b"online")
        assert [message.payload for message in await take(watcher, 1)] == [b"online"]
        crashed.abort()
        assert [message.payload for message in await take(watcher, 1)] == [b"offline"]


async def test_a_retained_message_is_kept_marked_and_cleared(broker: Broker) -> None:
    pubacks = Pubacks()
    async with Connection(options(broker, "gw"), on_puback=pubacks) as writer:
        writer.publish("t", b"kept", retain=True)
        await pubacks.wait_for(1)
        async with Connection(options(broker, "reader")) as reader:
            await reader.subscribe(Subscription("t"))
            (kept,) = await take(reader, 1)
            assert (kept.payload, kept.retain) == (b"kept", True)
            writer.publish("t", b"", retain=True)
            (cleared,) = await take(reader, 1)
            assert (cleared.payload, cleared.retain) == (b"", False)
        async with Connection(options(broker, "later")) as later:
            await later.subscribe(Subscription("t"), Subscription("end"))
            writer.publish("end", b"end")
            assert [message.topic for message in await take(later, 1)] == ["end"]


async def test_a_request_carries_where_to_answer(broker: Broker) -> None:
    async with Connection(options(broker, "server")) as server, Connection(options(broker, "client")) as client:
        await server.subscribe(Subscription("cmd/+"))
        await client.subscribe(Subscription("answers"))
        client.publish("cmd/status", b"{}", properties=MessageProperties(None, "answers", b"\x00\x01", 30))
        (request,) = await take(server, 1)
        assert request.properties.correlation_data == b"\x00\x01"
        assert request.properties.response_topic == "answers"
        assert request.properties.expiry_s is not None
        answer = MessageProperties(correlation_data=request.properties.correlation_data)
        server.publish("answers", b"done", properties=answer)
        assert (await take(client, 1))[0].properties.correlation_data == b"\x00\x01"


async def test_nobody_listens() -> None:
    connection = Connection(ConnectOptions(address=BrokerAddress(HOST, free_port(HOST), tls=False), client_id="gw"))
    with pytest.raises(BrokerUnreachableError) as caught:
        await connection.open()
    assert "running" in caught.value.hint
    assert connection.closed is not None
    with pytest.raises(RuntimeError, match="used once"):
        await connection.open()


async def test_a_peer_that_never_answers_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = BrokerAddress("127.0.0.1", silent.getsockname()[1], tls=False)
        connection = Connection(ConnectOptions(address=address, client_id="gw", connect_timeout_s=0.2))
        with pytest.raises(BrokerUnreachableError, match=r"0\.2 s"):
            await connection.open()


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x20\x02\x00", b"\x20\xff\xff\xff\xff\xff", b""])
async def test_a_peer_that_is_no_broker(greeting: bytes) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(greeting)

    async with peer(greet) as port:
        address = BrokerAddress("127.0.0.1", port, tls=False)
        connection = Connection(ConnectOptions(address=address, client_id="gw", connect_timeout_s=2))
        with pytest.raises(BrokerUnreachableError):
            await connection.open()


@pytest.mark.parametrize("turns", range(6))
async def test_cancelled_while_it_dials_it_leaves_no_socket(turns: int) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = BrokerAddress("127.0.0.1", silent.getsockname()[1], tls=False)
        connection = Connection(ConnectOptions(address=address, client_id="gw"))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(connection.open())
            accepted, _ = await loop.run_in_executor(None, silent.accept)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
        with accepted:
            accepted.settimeout(5)
            # CONNECT may have been written; then the end of the stream must come.
            while await loop.run_in_executor(None, accepted.recv, 100):
                pass
    assert connection.closed is not None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("paho")]


async def test_a_half_open_link_is_noticed_by_the_keepalive(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "MISC_INTERVAL_S", 0.05)
    pubacks = Pubacks()
    async with chaos_proxy(broker.port) as network:
        through = ConnectOptions(
            address=BrokerAddress("127.0.0.1", network.port, tls=False), client_id="gw", keepalive_s=1
        )
        connection = Connection(through, on_puback=pubacks)
        await connection.open()
        connection.publish("a", b"x")
        await pubacks.wait_for(1)
        network.mute(*Way)
        connection.publish("a", b"into the hole")
        async with asyncio.timeout(5):
            closed = await connection.wait_closed()
    assert closed.code == Reason.KEEP_ALIVE_TIMEOUT
    assert len(pubacks.codes) == 1


async def test_an_idle_connection_is_kept_alive(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "MISC_INTERVAL_S", 0.05)
    async with Connection(options(broker, "gw", keepalive_s=1)) as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await connection.wait_closed()
        assert connection.closed is None


async def test_a_slow_taker_holds_the_broker_back_and_loses_nothing(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_WAITING_MESSAGES", 10)
    pubacks = Pubacks()
    async with (
        Connection(options(broker, "slow")) as slow,
        Connection(options(broker, "gw"), on_puback=pubacks) as sender,
    ):
        await slow.subscribe(Subscription("a"))
        for number in range(300):
            sender.publish("a", b"%d" % number)
        await pubacks.wait_for(300)
        assert len(slow._inbox) <= 10
        messages = await take(slow, 300)
    assert [int(message.payload) for message in messages] == list(range(300))


def certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


async def test_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    pubacks = Pubacks()
    trusted = ssl.create_default_context(cafile=str(cert))
    async with Broker(tmp_path / "broker", tls=(cert, key)) as secure:
        receiver = Connection(options(secure, "receiver", tls=trusted))
        sender = Connection(options(secure, "sender", tls=trusted), on_puback=pubacks)
        async with receiver, sender:
            await receiver.subscribe(Subscription("a"))
            # Larger than a TLS record, and many in one: what is decrypted already must not wait for the next byte.
            sender.publish("a", bytes(100_000))
            for number in range(100):
                sender.publish("a", b"%d" % number)
            messages = await take(receiver, 101)
            await pubacks.wait_for(101)
        assert [len(messages[0].payload), messages[-1].payload] == [100_000, b"99"]
        with pytest.raises(BrokerUnreachableError) as caught:
            await Connection(options(secure, "sender")).open()
        assert "ca_file" in caught.value.hint
        plain = BrokerAddress("127.0.0.1", secure.port, tls=False)
        with pytest.raises(BrokerUnreachableError):
            await Connection(ConnectOptions(address=plain, client_id="a", connect_timeout_s=2)).open()
