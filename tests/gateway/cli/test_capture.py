"""`tallygate capture` and `reads` against a running gateway, and what `replay` makes of the capture."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.broker import free_port
from gateway.cli import app
from gateway.daemon import Gateway
from gateway.domain.presence import Presence
from gateway.trace.capture import Alive, Condition, Session
from gateway.trace.capturefile import Capture
from gateway.web import server
from readers.model import ReadBatch, ReaderCondition
from tests.broker import Broker
from tests.daemon import PROGRAM
from tests.rig import HOST, LIMIT_S, Rig, eventually, hurry, ours


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, items=12) as one:
        yield one


def address(gateway: Gateway) -> str:
    assert gateway.http_address is not None
    return f"{gateway.http_address[0]}:{gateway.http_address[1]}"


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A verb as a process of its own; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(process: asyncio.subprocess.Process, number: signal.Signals | None = None) -> tuple[int, str, str]:
    """Its exit code and what it said."""
    if number is not None:
        process.send_signal(number)
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def captured(path: Path) -> list[object]:
    return list(Capture(path).entries()) if path.exists() else []


def reads_in(path: Path) -> int:
    return sum(len(one.reads) for one in captured(path) if isinstance(one, ReadBatch))


def replay(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["replay", str(path), *arguments])


async def test_a_capture_replayed_counts_what_the_gateway_counted(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "shop.capture"
    async with rig.gateway() as gateway:
        async with running("capture", str(path), "--http", address(gateway)) as process:
            await eventually(lambda: any(isinstance(one, Condition) for one in captured(path)))
            for server_ in rig.servers.values():
                server_.cut()
            thing = next(iter(rig.shop.stock.within("floor")))
            rig.shop.stock.move(thing, "backroom")
            await eventually(lambda: ours(gateway) == rig.truth())
            seen = reads_in(path)
            await eventually(lambda: reads_in(path) > seen + 200)
            code, out, err = await ended(process, signal.SIGINT)
        assert (code, err) == (0, "")
        assert "reads more" in out
        await eventually(lambda: gateway.fleet.listeners == [])
        counted = {
            zone: sum(item.zone is not None and item.zone.id == zone for item in gateway.inventory)
            for zone in gateway.inventory.zones
        }
    assert {one.state.condition for one in captured(path) if isinstance(one, Condition)} >= {
        ReaderCondition.READING, ReaderCondition.FAILED,
    }  # fmt: skip
    first = replay(path, "--json", "--transitions", str(tmp_path / "a.csv"))
    assert first.exit_code == 0
    assert "tags that are no stock" in first.stderr
    told = json.loads(first.stdout)
    assert told["items"] == counted
    assert told["reads"] == reads_in(path)
    replay(path, "--speed", "500", "--transitions", str(tmp_path / "b.csv"))
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    moved = [
        line.split(",")[2] for line in (tmp_path / "a.csv").read_text().splitlines() if thing.epc.hex().upper() in line
    ]
    assert moved[-1] == "backroom"


async def test_it_is_continued_after_a_kill(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "shop.capture"
    async with rig.gateway() as gateway:
        for number in (signal.SIGKILL, signal.SIGTERM):
            before = reads_in(path)
            async with running("capture", str(path), "--http", address(gateway)) as process:
                await eventually(lambda: reads_in(path) > before + 50)  # noqa: B023 - asked before it changes
                code, _, err = await ended(process, number)
            if number is signal.SIGKILL:
                with path.open("ab") as file:
                    file.write(b"\x40\x00")
        assert code == 0
        assert "its last" in err
    assert sum(isinstance(one, Session) for one in captured(path)) == 2
    assert Capture(path).left == 0
    assert replay(path, "--json").exit_code == 0


async def test_it_ends_with_the_daemon(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "shop.capture"
    async with rig.gateway() as gateway:
        process_ = running("capture", str(path), "--json", "--http", address(gateway))
        process = await process_.__aenter__()
        await eventually(lambda: reads_in(path) > 50)
    code, out, _ = await ended(process)
    await process_.__aexit__(None, None, None)
    assert code == 0
    assert json.loads(out)["reads"] == reads_in(path)
    last = captured(path)[-1]
    assert isinstance(last, Alive)
    assert last.ended


async def test_readers_can_be_captured_without_a_daemon(rig: Rig, tmp_path: Path) -> None:
    path, config = tmp_path / "shop.capture", tmp_path / "shop.toml"
    config.write_text(rig.text(), encoding="utf-8")
    async with running("capture", str(path), "--config", str(config)) as process:
        await eventually(lambda: reads_in(path) > 300)
        code, _, err = await ended(process, signal.SIGTERM)
    assert (code, err) == (0, "")
    assert all(not server_.connected for server_ in rig.servers.values())
    last = captured(path)[-1]
    assert isinstance(last, Alive)
    assert last.ended
    told = json.loads(replay(path, "--json").stdout)
    truth = Counter[str]()
    for (_, zone), count in rig.truth().items():
        truth[zone] += count
    assert {zone: count for zone, count in told["items"].items() if count} == dict(truth)


async def test_reads_line_by_line(rig: Rig) -> None:
    async with rig.gateway() as gateway:
        await eventually(lambda: ours(gateway) == rig.truth())
        item = next(item for item in gateway.inventory if item.presence is Presence.PRESENT)
        where = ["--http", address(gateway)]
        async with running("reads", "--count", "30", *where) as process:
            code, out, err = await ended(process)
        assert (code, err) == (0, "")
        assert len(out.splitlines()) == 30
        assert all(len(line) <= 80 and " dBm  " in line for line in out.splitlines())
        name = f"{item.identity.gtin}+{item.identity.serial}"
        async with running("reads", "--json", "--count", "3", "--item", name, *where) as process:
            code, out, _ = await ended(process)
        told = [json.loads(line) for line in out.splitlines()]
        assert [(one["gtin"], one["serial"]) for one in told] == [(item.identity.gtin, item.identity.serial)] * 3
        reader, port = item.cells[0].ear.antenna
        async with running(
            "reads", "--json", "--seconds", "1", "--reader", reader, "--antenna", str(port), *where
        ) as process:
            code, out, _ = await ended(process)
        assert code == 0
        assert {(one["reader"], one["antenna"]) for one in map(json.loads, out.splitlines())} == {(reader, port)}
        async with running("reads", "--reader", "nobody", *where) as process:
            code, out, err = await ended(process)
        assert (code, out) == (1, "")
        assert "no reader 'nobody'" in err
        assert reader in err


async def test_readers_that_somebody_else_is_connected_to_are_a_finding(rig: Rig, tmp_path: Path) -> None:
    path, config = tmp_path / "shop.capture", tmp_path / "shop.toml"
    config.write_text(rig.text(), encoding="utf-8")
    async with rig.gateway() as gateway:
        await eventually(lambda: all(server_.connected for server_ in rig.servers.values()))
        assert gateway.fleet.members
        async with running("capture", str(path), "--config", str(config), "--seconds", "1") as process:
            code, _, err = await ended(process)
    assert code == 1
    assert "nothing was read" in err


async def test_only_so_many_at_a_time(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CAPTURES", 0)
    async with rig.gateway() as gateway, running("capture", str(tmp_path / "x"), "--http", address(gateway)) as process:
        code, _, err = await ended(process)
    assert code == 3
    assert "captures are running" in err


def test_nobody_there_and_wrong_usage(tmp_path: Path) -> None:
    place = f"{HOST}:{free_port(HOST)}"
    (tmp_path / "reads.csv").write_text("time,epc\n")
    (tmp_path / "bad.toml").write_text("[zones]\n")
    for arguments, wanted in (
        (["capture", str(tmp_path / "a"), "--http", place], 3),
        (["reads", "--http", place], 3),
        (["reads", "--item", "nonsense"], 2),
        (["capture", str(tmp_path / "reads.csv"), "--http", place], 2),
        (["capture", str(tmp_path / "no" / "folder"), "--http", place], 1),
        (["capture", str(tmp_path / "b"), "--config", str(tmp_path / "bad.toml")], 1),
    ):
        result = CliRunner().invoke(app, arguments)
        assert (result.exit_code, result.stdout) == (wanted, ""), result.stderr
        assert "hint:" in result.stderr or wanted == 1
    assert (tmp_path / "reads.csv").read_text() == "time,epc\n"


def test_a_capture_needs_a_whole_block(tmp_path: Path) -> None:
    (tmp_path / "x.capture").write_bytes(b"tallygate capture 1\n")
    result = replay(tmp_path / "x.capture")
    assert result.exit_code == 2
    assert "holds no whole block" in result.stderr
    assert replay(tmp_path / "x.capture", "--set", "a.b=1").exit_code == 2
