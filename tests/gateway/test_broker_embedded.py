import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from gateway import broker as broker_module
from gateway.broker import BrokerError, embedded_broker, free_port
from gateway.consumer.broker import BrokerAddress, ConnectOptions, Message, MessageProperties, Subscription
from gateway.consumer.mqtt import Connection
from tests.broker import find_mosquitto
from tests.peer import peer
from tests.rig import HOST, eventually


@pytest.fixture(params=["mosquitto", "iotcore"])
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    wanted = str(request.param)
    if wanted == "mosquitto":
        find_mosquitto()
    else:
        pytest.importorskip("iotcore", reason="the package iotcore is not installed (pip install 'tallygate[demo]')")
        monkeypatch.setattr(broker_module, "mosquitto", lambda: None)
    return wanted


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


async def test_it_speaks_mqtt_5_keeps_what_is_retained_and_goes(name: str) -> None:
    before = children()
    port = free_port(HOST)
    got: list[Message] = []
    options = ConnectOptions(address=BrokerAddress(HOST, port, tls=False), client_id="one", will=Message("w", b"gone"))
    async with embedded_broker(HOST, port) as running:
        assert running == name
        assert len(children() - before) >= 1
        async with Connection(options, on_message=got.append) as connection:
            connection.publish("a/b", b"kept", retain=True)
            assert await connection.subscribe(Subscription("a/#")) == (1,)
            await eventually(lambda: bool(got))
            properties = MessageProperties("text/plain", "reply/here", b"\x00\xff")
            connection.publish("a/c", b"live", properties=properties)
            await eventually(lambda: got[-1].payload == b"live")
            assert got[-1].properties == properties
        later: list[Message] = []
        async with Connection(options, on_message=later.append) as connection:
            await connection.subscribe(Subscription("a/#"))
            await eventually(lambda: [one.payload for one in later if one.retain] == [b"kept"])
    assert children() == before
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection(HOST, port)


async def test_an_interrupt_from_the_terminal_is_not_for_it(name: str) -> None:
    """Ctrl-C goes to the whole foreground group; the broker is stopped last, by us."""
    assert name
    port = free_port(HOST)
    before = children()
    async with embedded_broker(HOST, port):
        (child,) = children() - before
        reached = os.getpgid(child) == os.getpgid(0)
        if reached:
            os.kill(child, signal.SIGINT)
        async with Connection(ConnectOptions(address=BrokerAddress(HOST, port, tls=False), client_id="x")) as link:
            assert await link.subscribe(Subscription("a")) == (1,)


async def test_a_taken_port_is_said_and_nothing_starts(name: str) -> None:
    assert name
    before = children()
    port = free_port(HOST)
    async with peer(port=port):
        with pytest.raises(BrokerError, match="taken") as caught:
            async with embedded_broker(HOST, port):
                pass
    assert "another port" in caught.value.hint
    assert children() == before


async def test_no_broker_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "mosquitto", lambda: None)
    monkeypatch.setitem(__import__("sys").modules, "iotcore", None)
    with pytest.raises(BrokerError, match="no built-in broker") as caught:
        async with embedded_broker(HOST, free_port(HOST)):
            pass
    assert "apt-get install mosquitto" in caught.value.hint


def test_mosquitto_is_found_where_debian_keeps_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    hidden = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    assert broker_module.mosquitto() == hidden
