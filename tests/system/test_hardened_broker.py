"""The broker's configuration that is shipped as an example, on a real Mosquitto: who may do what, and who may not."""

import getpass
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from gateway.consumer.broker import (
    BrokerAddress,
    BrokerRefusedError,
    BrokerUnreachableError,
    ConnectOptions,
    Message,
    MqttError,
    Reason,
    Subscription,
)
from gateway.consumer.client import Consumer, ConsumerOptions
from gateway.consumer.mqtt import Connection
from gateway.consumer.store import MemoryStore
from gateway.daemon import Gateway
from gateway.payloads import Topics
from tests.broker import Broker
from tests.certificates import Authority
from tests.rig import Rig, eventually, hurry, in_step, theirs, write

EXAMPLE = Path(__file__).parents[2] / "config" / "mosquitto"
USERS = ("gw-1", "gw-2", "erp", "dashboard", "epcis", "operator")
Login = Callable[[str], Awaitable["User"]]
TOPICS = Topics.of("tallygate/v1", "store-0042", "gw-1")


class Hardened(Broker):
    """The example as it is shipped, but for its port and where its files are."""

    authority: Authority

    def _write_config(self) -> Path:
        self.authority = Authority(self.folder)
        signed = self.authority.sign("broker", "DNS:localhost,IP:127.0.0.1")
        passwords, acl = self.folder / "passwords", self.folder / "acl"
        passwords.write_text("".join(f"{user}:word of {user}\n" for user in USERS))
        passwords.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
        acl.write_text((EXAMPLE / "tallygate.acl").read_text())
        acl.chmod(0o600)
        text = (EXAMPLE / "tallygate.conf").read_text()
        for shipped, here in (
            ("listener 8883", f"listener {self.port} 127.0.0.1"),
            ("/etc/mosquitto/certs/broker.pem", str(signed.cert)),
            ("/etc/mosquitto/certs/broker.key", str(signed.key)),
            ("/etc/mosquitto/tallygate.passwords", str(passwords)),
            ("/etc/mosquitto/tallygate.acl", str(acl)),
            ("/var/lib/mosquitto/", f"{self.folder}/"),
        ):
            assert shipped in text
            text = text.replace(shipped, here)
        config = self.folder / "mosquitto.conf"
        # Started as root it would become another user, who cannot read the test's folder.
        config.write_text(f"{text}\nlog_dest stdout\nuser {getpass.getuser()}\n")
        return config

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress("localhost", self.port, tls=True)

    @property
    def url(self) -> str:
        return f"mqtts://localhost:{self.port}"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Hardened]:
    async with Hardened(tmp_path / "broker") as one:
        yield one


@pytest.fixture
async def gateway(broker: Hardened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    """Gateway gw-1 of store-0042, with a few deltas published."""
    hurry(monkeypatch)
    (tmp_path / "word").write_text("word of gw-1")
    (tmp_path / "word").chmod(0o600)
    mqtt = f'username = "gw-1"\npassword_file = "word"\nca_file = "{broker.authority.cert}"'
    async with Rig(tmp_path, broker, readers=0) as rig:
        text = rig.text(mqtt=mqtt).replace('id = "store"\ngateway = "gw"', 'id = "store-0042"\ngateway = "gw-1"')
        async with rig.gateway(text) as one:
            await write(one, 20)
            await eventually(lambda: one.backlog == 0)
            yield one


class User:
    """Somebody who is logged in; what the broker says to each publish is noted."""

    def __init__(self, broker: Hardened, name: str) -> None:
        self.heard: list[Message] = []
        self.codes: dict[int, int] = {}
        options = ConnectOptions(
            address=broker.address,
            client_id=f"client of {name}",
            username=name,
            password=f"word of {name}",
            tls=ssl.create_default_context(cafile=str(broker.authority.cert)),
        )
        self.connection = Connection(options, on_message=self.heard.append, on_puback=self.codes.__setitem__)

    async def publish(self, topic: str, payload: bytes = b"{}") -> int:
        """The reason code."""
        token = self.connection.publish(topic, payload)
        await eventually(lambda: token in self.codes)
        return self.codes[token]


@pytest.fixture
async def login(broker: Hardened) -> AsyncIterator[Login]:
    async with AsyncExitStack() as stack:

        async def log_in(name: str) -> User:
            user = User(broker, name)
            await stack.enter_async_context(user.connection)
            return user

        yield log_in


async def test_gateway_and_consumer_have_what_they_need(broker: Hardened, gateway: Gateway) -> None:
    assert not gateway.uplink.refused
    options = ConsumerOptions(
        address=broker.address,
        topics=TOPICS,
        client_id="erp-1",
        username="erp",
        password="word of erp",
        tls=ssl.create_default_context(cafile=str(broker.authority.cert)),
    )
    store = MemoryStore()
    async with Consumer(options, store, Random(1)) as consumer:
        await in_step(gateway, consumer)
    await write(gateway, 30)
    await eventually(lambda: gateway.backlog == 0)
    before = consumer.counters.snapshots
    async with Consumer(options, store, Random(1)) as consumer:
        # It was away: it asks for what it has missed, and hears the answer.
        await write(gateway, 5)
        await in_step(gateway, consumer)
        assert sum(theirs(consumer).values()) == 55
    assert before == 1
    assert gateway.commands.answered["replay"] + consumer.counters.snapshots > 0
    assert not gateway.uplink.refused
    assert not list(gateway.alerts)


MAY_SAY = (
    ("gw-1", TOPICS.delta, True),
    ("gw-1", "tallygate/v1/store-0042/gw-2/stock/delta", False),
    ("gw-1", "tallygate/v1/store-0043/gw-1/state", False),
    ("gw-2", TOPICS.delta, False),
    ("gw-2", TOPICS.command("snapshot"), False),
    ("erp", TOPICS.command("replay"), True),
    ("erp", TOPICS.command("snapshot"), True),
    ("erp", TOPICS.command("status"), False),
    ("erp", TOPICS.delta, False),
    ("erp", TOPICS.state, False),
    ("erp", TOPICS.manifest, False),
    ("erp", TOPICS.reply("replay"), False),
    ("dashboard", TOPICS.command("snapshot"), False),
    ("dashboard", TOPICS.delta, False),
    ("epcis", TOPICS.item_events, False),
    ("epcis", TOPICS.command("snapshot"), False),
    ("operator", TOPICS.command("status"), True),
    ("operator", TOPICS.delta, False),
    ("operator", "elsewhere", False),
)


async def test_who_may_say_what(login: Login) -> None:
    users = {name: await login(name) for name in USERS}
    for name, topic, allowed in MAY_SAY:
        code = await users[name].publish(topic)
        assert (code == Reason.NOT_AUTHORIZED) is not allowed, f"{name} on {topic}: 0x{code:02X}"


async def test_a_command_of_the_wrong_user_never_arrives(gateway: Gateway, login: Login) -> None:
    before = dict(gateway.commands.answered)
    for name in ("dashboard", "gw-2"):
        assert await (await login(name)).publish(TOPICS.command("snapshot")) == Reason.NOT_AUTHORIZED
    # One that may comes after them, so they would have been here.
    operator = await login("operator")
    await operator.publish(TOPICS.command("status"))
    await eventually(lambda: gateway.commands.answered["status"] > before["status"])
    assert gateway.commands.answered["snapshot"] == before["snapshot"]


async def test_who_may_hear_what(gateway: Gateway, login: Login) -> None:
    assert gateway.uplink.connected
    dashboard, stranger = await login("dashboard"), await login("gw-2")
    erp, keeper = await login("erp"), await login("epcis")
    for user in (dashboard, stranger, erp, keeper):
        await user.connection.subscribe(Subscription("tallygate/v1/#"), Subscription(TOPICS.everything))
    gateway_user = await login("gw-1")
    assert await gateway_user.publish(TOPICS.item_events, b"a serial number") < 0x80
    assert await gateway_user.publish(TOPICS.reply("status"), b"an answer") < 0x80
    assert await gateway_user.publish(TOPICS.alerts, b"the last word") < 0x80
    await eventually(lambda: any(one.payload == b"the last word" for one in dashboard.heard))
    heard = {message.topic for message in dashboard.heard}
    assert {TOPICS.state, TOPICS.manifest, TOPICS.digest} <= heard
    assert not any("/items/" in topic or "/reply/" in topic or "/cmd/" in topic for topic in heard)
    assert stranger.heard == []
    assert {(message.topic, message.payload) for message in keeper.heard} == {(TOPICS.item_events, b"a serial number")}
    await eventually(lambda: any(one.payload == b"the last word" for one in erp.heard))
    assert not any("/items/" in message.topic for message in erp.heard)


async def test_nobody_comes_in_without_a_name_a_password_and_tls(broker: Hardened) -> None:
    trusting = ssl.create_default_context(cafile=str(broker.authority.cert))
    cases: list[tuple[type[MqttError], ConnectOptions]] = [
        (BrokerRefusedError, ConnectOptions(address=broker.address, client_id="x", tls=trusting)),
        (
            BrokerRefusedError,
            ConnectOptions(address=broker.address, client_id="x", tls=trusting, username="erp", password="wrong"),
        ),
        (
            BrokerUnreachableError,
            ConnectOptions(
                address=BrokerAddress("localhost", broker.port, tls=False),
                client_id="x",
                username="erp",
                password="word of erp",
                connect_timeout_s=3.0,
            ),
        ),
        (BrokerUnreachableError, ConnectOptions(address=broker.address, client_id="x", username="erp")),
    ]
    for error, options in cases:
        with pytest.raises(error):
            await Connection(options).open()
    old = ssl.create_default_context(cafile=str(broker.authority.cert))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    async with Connection(
        ConnectOptions(address=broker.address, client_id="x", tls=old, username="erp", password="word of erp")
    ):
        pass
