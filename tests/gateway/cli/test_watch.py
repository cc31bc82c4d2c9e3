"""`tallygate watch` against a real broker, and its view by itself."""

import asyncio
import json
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gateway.broker import free_port
from gateway.cli import app
from gateway.cli.watch_view import Watched, as_json_line, as_text, delta_text, view
from gateway.consumer.broker import BrokerAddress, ConnectOptions
from gateway.consumer.client import Applied, Change, Consumer, ConsumerOptions, Replaced
from gateway.consumer.decode import ZoneSays
from gateway.consumer.mqtt import Connection
from gateway.consumer.outputs import Finding, FindingKind
from gateway.consumer.stock import Position
from gateway.consumer.store import MemoryStore
from gateway.payloads import Change as StockChange
from gateway.payloads import Delta, Row, State, Topics, ZoneHealth, snapshot
from tests.broker import HOST, Broker

TOPICS = Topics.of("tallygate/v1", "store-1", "gw-1")
AT = "2026-01-31T08:15:00.250Z"
EPOCH = "5b0cbd0e-6f1f-4a4b-9a7c-0a0a0a0a0a0a"
GTIN = "09506000134352"
VERB = "from gateway.cli import main; main()"
TIMEOUT_S = 30


def row(gtin: str, zone: str, quantity: int, confirmed: int | None = None) -> Row:
    known = quantity if confirmed is None else confirmed
    return Row(gtin=gtin, zone=zone, disposition="sellable_accessible", quantity=quantity, confirmed=known)


def state(*, online: bool = True, seq: int = 7) -> State:
    return State(
        online=online, boot=1, session=1, epoch=EPOCH, seq=seq, at=AT, software="tallygate 0.1.0", config="0" * 64
    )


def delta(seq: int, quantity: int, change: int) -> Delta:
    changes = (
        StockChange(
            gtin=GTIN,
            zone="floor",
            disposition="sellable_accessible",
            quantity=quantity,
            confirmed=quantity,
            change=change,
        ),
    )
    return Delta(epoch=EPOCH, seq=seq, at=AT, changes=changes, causes={"arrived": 1})


HEALTH = ZoneHealth(state="stale", readers=("ceiling-1",), since=AT, text="ceiling-1 is down")


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(tmp_path / "broker") as running:
        yield running


async def publish(broker: Broker, *messages: tuple[str, bytes, bool]) -> None:
    async with Connection(ConnectOptions(address=broker.address, client_id="a-gateway")) as connection:
        acknowledged = asyncio.Event()
        waiting = len(messages)

        def count(_token: int, code: int) -> None:
            nonlocal waiting
            assert code < 0x80
            waiting -= 1
            if not waiting:
                acknowledged.set()

        connection._on_puback = count
        for topic, payload, retain in messages:
            connection.publish(topic, payload, retain=retain)
        async with asyncio.timeout(TIMEOUT_S):
            await acknowledged.wait()


async def publish_stock(broker: Broker) -> None:
    parts, manifest = snapshot([row(GTIN, "floor", 3)], EPOCH, 7, AT)
    await publish(
        broker,
        (TOPICS.state, state().encode(), True),
        (TOPICS.zone_health("floor"), HEALTH.encode(), True),
        *((TOPICS.part(part.part), part.encode(), True) for part in parts),
        (TOPICS.manifest, manifest.encode(), True),
    )


def arguments(broker: Broker | int, *more: str) -> list[str]:
    url = f"mqtt://127.0.0.1:{broker}" if isinstance(broker, int) else broker.url
    return ["watch", "--url", url, "--site", "store-1", "--gateway", "gw-1", *more]


async def start(*argv: str, stdout: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", VERB, *argv, stdout=stdout, stderr=asyncio.subprocess.PIPE
    )


async def until(process: asyncio.subprocess.Process, wanted: str) -> dict[str, Any]:
    """The next JSON line of type `wanted`."""
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT_S):
        while line := await process.stdout.readline():
            found: dict[str, Any] = json.loads(line)
            if found["type"] == wanted:
                return found
    raise AssertionError(f"no {wanted} before the end")


async def ended(process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(TIMEOUT_S):
        return await process.wait()


async def test_a_json_line_per_change(broker: Broker) -> None:
    await publish_stock(broker)
    process = await start(*arguments(broker, "--json"))
    assert (await until(process, "snapshot"))["rows"] == [row(GTIN, "floor", 3).model_dump()]
    await publish(broker, (TOPICS.delta, delta(8, 4, 1).encode(), False))
    told = await until(process, "delta")
    assert (told["seq"], told["changes"][0]["quantity"], told["causes"]) == (8, 4, {"arrived": 1})
    process.send_signal(signal.SIGINT)
    assert await ended(process) == 0


async def test_plain_lines_in_a_pipe_and_sigterm(broker: Broker) -> None:
    await publish_stock(broker)
    process = await start(*arguments(broker))
    assert process.stdout is not None
    seen = ""
    async with asyncio.timeout(TIMEOUT_S):
        while "snapshot 7  1 rows, 3 items" not in seen:
            seen += (await process.stdout.readline()).decode()
    process.terminate()
    assert await ended(process) == 0


async def test_a_reader_of_the_pipe_that_goes_away_ends_it(broker: Broker) -> None:
    await publish_stock(broker)
    readable, writable = os.pipe()
    process = await start(*arguments(broker, "--json"), stdout=writable)
    os.close(writable)
    os.close(readable)
    assert await ended(process) == 0
    assert process.stderr is not None
    assert b"Traceback" not in await process.stderr.read()


async def test_the_live_view_on_a_terminal(broker: Broker) -> None:
    await publish_stock(broker)
    leader, follower = pty.openpty()
    process = await start(*arguments(broker), stdout=follower)
    os.close(follower)
    seen = asyncio.Queue[bytes]()

    def readable() -> None:
        try:
            seen.put_nowait(os.read(leader, 65_536))
        except OSError:
            asyncio.get_running_loop().remove_reader(leader)

    asyncio.get_running_loop().add_reader(leader, readable)
    screen = b""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while not (GTIN.encode() in screen and b"stale" in screen):
                screen += await seen.get()
        process.send_signal(signal.SIGINT)
        assert await ended(process) == 0
    finally:
        asyncio.get_running_loop().remove_reader(leader)
        os.close(leader)


async def test_no_broker_is_exit_3() -> None:
    process = await start(*arguments(free_port(HOST), "--timeout", "0.5"))
    assert await ended(process) == 3
    assert process.stderr is not None
    said = (await process.stderr.read()).decode()
    assert "no connection to the broker" in " ".join(said.split())
    assert "hint:" in said


async def test_no_gateway_is_exit_3(broker: Broker) -> None:
    process = await start(*arguments(broker, "--timeout", "1"))
    assert await ended(process) == 3
    assert process.stderr is not None
    said = " ".join((await process.stderr.read()).decode().split())
    assert "knows no gateway at tallygate/v1/store-1/gw-1/" in said


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["watch"], "Missing option"),
        (["watch", "--url", "http://x", "--site", "s", "--gateway", "g"], "no broker's address"),
        (["watch", "--url", "mqtt://u:p@x", "--site", "s", "--gateway", "g"], "no user or password"),
        (["watch", "--url", "mqtt://x", "--site", "s", "--gateway", "g", "--password-file", "/none"], "no file"),
        (["watch", "--url", "mqtts://x", "--site", "s", "--gateway", "g", "--ca-file", __file__], "no certificate"),
        (["watch", "--url", "mqtt://x", "--site", "s", "--gateway", "g", "--timeout", "0"], "timeout"),
    ],
)
def test_wrong_usage(argv: list[str], said: str) -> None:
    result = CliRunner().invoke(app, argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


# --- The view ----------------------------------------------------------------------------------------------------

CHANGES: list[tuple[Change, str, dict[str, Any]]] = [
    (Applied(delta(8, 4, 1)), f"delta 8  {GTIN} floor +1=4  arrived:1", {"type": "delta", "seq": 8}),
    (Replaced(EPOCH, 7, (row(GTIN, "floor", 3),)), "snapshot 7  1 rows, 3 items", {"type": "snapshot", "as_of": 7}),
    (state(online=False), "gateway offline  delta 7  tallygate 0.1.0", {"type": "state", "online": False}),
    (ZoneSays("floor", HEALTH), "zone floor stale  ceiling-1 is down", {"type": "zone", "zone": "floor"}),
    (
        Finding(FindingKind.STOCK_DIFFERS, "another hash"),
        "finding stock_differs  another hash",
        {"type": "finding", "kind": "stock_differs"},
    ),
]


@pytest.mark.parametrize(("change", "text", "keys"), CHANGES)
def test_each_change_as_text_and_json(change: Change, text: str, keys: dict[str, Any]) -> None:
    assert as_text(change) == text
    line = json.loads(json.dumps(as_json_line(change)))
    assert {key: line[key] for key in keys} == keys


def test_a_delta_of_many_changes_is_one_short_line() -> None:
    many = delta(9, 4, 1).model_copy(update={"changes": delta(9, 4, 1).changes * 5})
    assert delta_text(many).count(GTIN) == 2
    assert "3 more" in delta_text(many)


async def test_the_view_fits_a_terminal_of_80_by_24() -> None:
    store = MemoryStore()
    rows = [row(f"{number:014d}", zone, number % 7 + 1, 1) for number in range(200) for zone in ("floor", "backroom")]
    await store.replace(rows, Position(epoch=EPOCH, seq=7, life=(1, 1), left=()))
    options = ConsumerOptions(address=BrokerAddress("h", 1883, tls=False), topics=TOPICS, client_id="c")
    consumer = Consumer(options, store, Random(1))
    watched = Watched()
    for change, _, _ in CHANGES:
        watched.take(change)
    for number in range(20):
        watched.take(Applied(delta(8 + number, 4, 1)))
    watched.take(ZoneSays("backroom", HEALTH.model_copy(update={"state": "ok", "text": "x" * 200})))
    console = Console(width=80, height=24, force_terminal=False)
    with console.capture() as capture:
        console.print(view(watched, consumer, 24))
    lines = capture.get().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    total = sum(entry.quantity for entry in rows)
    assert str(total) in text
    assert "7 (1)" in text
    assert "more" in text
    assert "27  " in text
    assert re.search("floor +stale", text)
    assert "broker gone" in text
