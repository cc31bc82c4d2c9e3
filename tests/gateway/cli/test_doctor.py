"""`tallygate doctor`, with the daemon running and without."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.broker import free_port
from gateway.cli import app
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.serial.bench import serial_bench
from simulators.serial.m100 import M100Device
from simulators.serial.scales import Cell, Pan, ShelfBoard
from tests.broker import Broker
from tests.rig import HOST, Rig, eventually, hurry, ours


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, items=6) as one:
        yield one


async def ask(rig: Rig, text: str, *arguments: str) -> Result:
    path = rig.folder / "tallygate.toml"
    path.write_text(text, encoding="utf-8")
    return await asyncio.to_thread(
        CliRunner().invoke, app, ["doctor", "--config", str(path), "--timeout", "20", *arguments]
    )


def listening(rig: Rig) -> str:
    return rig.text().replace(f'"{HOST}:0"', f'"{HOST}:{free_port(HOST)}"')


async def test_all_is_well_before_the_first_start(rig: Rig) -> None:
    result = await ask(rig, listening(rig))
    assert (result.exit_code, result.stderr) == (0, ""), result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if str(rig.folder) not in line)
    for name in rig.ports:
        assert f"reader {name}" in result.stdout
    assert "does not run" in result.stdout
    assert "NOT OK" not in result.stdout


async def test_all_is_well_while_it_runs(rig: Rig) -> None:
    text = listening(rig)
    async with rig.gateway(text) as gateway:
        await eventually(lambda: ours(gateway) == rig.truth())
        result = await ask(rig, text, "--json")
    told = {one["of"]: one for one in map(json.loads, result.stdout.splitlines())}
    assert result.exit_code == 0, result.stdout
    assert told["daemon"]["text"].startswith("runs: tallygate")
    assert told["broker"]["ok"] is True
    assert "6 items" in told["ledger"]["text"] or "items" in told["ledger"]["text"]
    assert all(told[f"reader {name}"]["ok"] for name in rig.ports)


async def test_another_gateway_is_not_taken_for_this_one(rig: Rig) -> None:
    text = listening(rig)
    async with rig.gateway(text) as gateway:
        await eventually(lambda: ours(gateway) == rig.truth())
        result = await ask(rig, text.replace('gateway = "gw"', 'gateway = "other"'), "--json")
    told = {one["of"]: one for one in map(json.loads, result.stdout.splitlines())}
    assert result.exit_code == 1
    assert told["daemon"]["ok"] is False
    assert told["daemon"]["text"].startswith("store / gw has its http.listen")
    # What that one says of its readers is no word on ours: they are dialled, and are busy with it.
    assert all("connected to somebody else" in told[f"reader {name}"]["text"] for name in rig.ports)


async def test_everything_that_is_wrong_is_named(rig: Rig) -> None:
    names = list(rig.ports)
    _, writer = await asyncio.open_connection(HOST, rig.ports[names[0]])
    await eventually(lambda: rig.servers[names[0]].connected)
    text = listening(rig).replace(f":{rig.ports[names[1]]}", f":{free_port(HOST)}")
    text = text.replace(rig.broker.url, f"mqtt://{HOST}:{free_port(HOST)}")
    (rig.folder / "ledger.db").write_text("no ledger")
    result = await ask(rig, text, "--json")
    told = {one["of"]: one for one in map(json.loads, result.stdout.splitlines())}
    assert result.exit_code == 1
    assert {name for name, one in told.items() if one["ok"] is False} == {
        "ledger", "broker", f"reader {names[0]}", f"reader {names[1]}",
    }  # fmt: skip
    assert all(one["hint"] for one in told.values() if one["ok"] is False)
    assert "connected to somebody else" in told[f"reader {names[0]}"]["text"]
    writer.close()


async def test_a_ledger_of_another_gateway_and_a_folder_that_is_not_there(rig: Rig) -> None:
    text = listening(rig)
    async with rig.gateway(text):
        pass
    result = await ask(rig, text.replace('gateway = "gw"', 'gateway = "other"'))
    assert result.exit_code == 1
    assert "belongs to one gateway" in result.stdout.replace("\n", " ")
    result = await ask(rig, text.replace('"ledger.db"', '"no/where/ledger.db"'), "--json")
    told = {one["of"]: one for one in map(json.loads, result.stdout.splitlines())}
    # A start would make it where it may.
    assert (result.exit_code, told["ledger"]["ok"]) == (0, None)
    assert "the first start makes it" in told["ledger"]["hint"]
    result = await ask(rig, text.replace('"ledger.db"', '"tallygate.toml/ledger.db"'), "--json")
    assert result.exit_code == 1
    assert "does not exist" in result.stdout


def test_a_configuration_that_is_none(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--config", str(tmp_path / "none.toml")])
    assert result.exit_code == 1
    assert "none.toml: error: cannot be read" in " ".join(result.stderr.split())


SHELVES = """
[[readers]]
id = "board"
driver = "scale"
url = "serial://{folder}/board"
dialect = "shelf-line"
[[readers.channels]]
channel = 1
zone = "floor"
[[readers.channels]]
channel = 2
zone = "floor"
[[readers]]
id = "gone"
driver = "scale"
url = "serial://{folder}/gone"
dialect = "mt-sics"
[[readers.channels]]
channel = 1
zone = "floor"
[[readers]]
id = "tags"
driver = "m100"
url = "serial://{folder}/tags"
antennas = {{ 1 = "floor" }}
region = "eu"
power_dbm = 20
[[readers]]
id = "no-tags"
driver = "m100"
url = "serial://{folder}/no-tags"
antennas = {{ 1 = "floor" }}
region = "eu"
power_dbm = 20
"""


async def test_what_hangs_on_serial_ports(rig: Rig, tmp_path: Path) -> None:
    """What weighs is listened to; what transmits is not touched."""
    cells = [Cell(1, Pan(1.0)), Cell(2, Pan(2.0))]
    module = M100Device(FixedField({}), WallClock())
    text = listening(rig) + SHELVES.format(folder=tmp_path)

    async def told() -> dict[str, dict[str, object]]:
        result = await ask(rig, text, "--json")
        return {one["of"]: one for one in map(json.loads, result.stdout.splitlines())}

    with serial_bench(tmp_path / "board", ShelfBoard(cells)) as board, serial_bench(tmp_path / "tags", module):
        found = await told()
        assert found["reader board"]["ok"] is True
        assert str(found["reader board"]["text"]).endswith("all 2 channels heard")
        assert (found["reader gone"]["ok"], found["reader no-tags"]["ok"]) == (False, False)
        assert str(found["reader gone"]["text"]).endswith("gone is not there")
        assert (found["reader tags"]["ok"], module.heard) == (None, [])
        cells[1].mute = True
        found = await told()
        assert (found["reader board"]["ok"], found["reader board"]["text"]) == (
            False,
            f"{tmp_path}/board: nothing was heard of channel 2",
        )
        board.unplug()
        assert str((await told())["reader board"]["text"]).endswith("board is not there")
