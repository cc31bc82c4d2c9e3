"""The verbs that ask a running gateway: status, antennas, locate, why."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner, Result

from gateway.broker import free_port
from gateway.cli import app
from gateway.cli.status import duration
from gateway.daemon import Gateway
from gateway.domain.items import Item
from gateway.domain.presence import Presence
from gateway.domain.tags import key_epc
from gateway.ledger_file import read_item
from tests.broker import Broker
from tests.peer import peer
from tests.rig import HOST, Rig, eventually, hurry, ours


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, items=12) as one:
        yield one


@pytest.fixture
async def gateway(rig: Rig) -> AsyncIterator[Gateway]:
    async with rig.gateway() as one:
        await eventually(lambda: ours(one) == rig.truth())
        yield one


def address(gateway: Gateway) -> str:
    assert gateway.http_address is not None
    return f"{gateway.http_address[0]}:{gateway.http_address[1]}"


async def run(gateway: Gateway, verb: str, *arguments: str) -> Result:
    command = [verb, *arguments, "--http", address(gateway), "--timeout", "30"]
    return await asyncio.to_thread(CliRunner().invoke, app, command)


def some_item(gateway: Gateway) -> tuple[Item, str]:
    item = next(item for item in gateway.inventory if item.presence is Presence.PRESENT)
    return item, key_epc(item.keys[0]).hex()


async def test_status(gateway: Gateway) -> None:
    shown = await run(gateway, "status")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
    for name in [*gateway.inventory.zones, *gateway.fleet.members, "store / gw"]:
        assert name in shown.stdout
    told = json.loads((await run(gateway, "status", "--json")).stdout)
    assert told["status"]["site"] == "store"
    assert set(told["zones"]) == set(gateway.inventory.zones)


async def test_a_standing_alert_is_a_finding(gateway: Gateway, rig: Rig) -> None:
    next(iter(rig.servers.values())).set_antenna(2, connected=False)
    await eventually(lambda: len(list(gateway.alerts)) > 0)
    shown = await run(gateway, "status")
    assert shown.exit_code == 1
    assert "antenna_down" in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
    listed = await run(gateway, "antennas")
    assert listed.exit_code == 1
    assert "does not work" in listed.stdout


async def test_antennas(gateway: Gateway, rig: Rig) -> None:
    shown = await run(gateway, "antennas")
    assert shown.exit_code == 0
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
    told = [json.loads(line) for line in (await run(gateway, "antennas", "--json")).stdout.splitlines()]
    wanted = {(name, port, zone) for name, ports in rig.shop.layout.readers().items() for port, zone in ports.items()}
    assert {(one["reader"], one["antenna"], one["zone"]) for one in told} == wanted
    assert all(one["works"] for one in told)
    assert sum(one["tags"] for one in told) >= 12


async def test_locate_and_why_by_every_name(gateway: Gateway) -> None:
    item, epc = some_item(gateway)
    assert item.zone is not None
    serial = item.identity.serial
    for name in (epc, epc.upper(), f"{item.identity.gtin}+{serial}", f"(01){item.identity.gtin}(21){serial}"):
        shown = await run(gateway, "locate", name)
        assert (shown.exit_code, shown.stderr) == (0, "")
        assert f"is in {item.zone.id} since" in shown.stdout
    told = json.loads((await run(gateway, "locate", epc, "--json")).stdout)
    assert (told["gtin"], told["serial"], told["zone"]) == (item.identity.gtin, serial, item.zone.id)
    reasons = await run(gateway, "why", epc)
    assert reasons.exit_code == 0
    assert "arrived" in reasons.stdout
    assert "of healthy time" in reasons.stdout
    assert all(len(line) <= 80 for line in reasons.stdout.splitlines())
    told = json.loads((await run(gateway, "why", epc, "--json")).stdout)
    assert told["transitions"][0]["cause"] == "arrived"
    assert told["heard"][0]["reads"] > 0


async def test_what_is_unknown_and_what_is_no_item(gateway: Gateway) -> None:
    for verb in ("locate", "why"):
        unknown = await run(gateway, verb, "80614141123458+nobody")
        assert (unknown.exit_code, unknown.stdout) == (1, "")
        assert "unknown to this gateway" in unknown.stderr
        for nonsense in ("nonsense", "", "E2801160600002054CC2096F", "80614141123450+1"):
            assert (await run(gateway, verb, nonsense)).exit_code == 2


@pytest.mark.parametrize("command", [["status"], ["antennas"], ["locate", "3034"], ["why", "3034"]])
def test_nobody_there(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--http", f"{HOST}:{free_port(HOST)}"])
    assert (result.exit_code, result.stdout) == (3, "")
    assert "hint:" in result.stderr
    assert CliRunner().invoke(app, [*command, "--http", "nowhere"]).exit_code == 2


async def test_somebody_else_is_there() -> None:
    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()

    async with peer(other) as port:
        place = f"{HOST}:{port}"
        result = await asyncio.to_thread(CliRunner().invoke, app, ["status", "--http", place])
    assert result.exit_code == 3
    assert "no tallygate" in result.stderr


@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-For": "10.0.0.9"}, {"Forwarded": "for=10.0.0.9"}, {"Host": "shop.example"}, {"Host": "["}]
)
async def test_serial_numbers_are_told_to_this_machine_only(gateway: Gateway, headers: dict[str, str]) -> None:
    _, epc = some_item(gateway)
    async with aiohttp.ClientSession() as session:
        for path in (f"items/{epc}", "capture"):
            async with session.get(f"http://{address(gateway)}/api/{path}", headers=headers) as answer:
                assert answer.status in {400, 401, 403}
                assert epc.upper() not in await answer.text()
        async with session.get(f"http://{address(gateway)}/api/items/{epc}") as answer:
            assert answer.status == 200


async def test_a_ledger_tells_what_it_has_kept(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig.gateway() as one:
        await eventually(lambda: ours(one) == rig.truth())
        item, epc = some_item(one)
        path, name = rig.folder / "ledger.db", item.identity
        await eventually(lambda: read_item(path, name.gtin, name.serial) is not None)
        while_running = await asyncio.to_thread(
            CliRunner().invoke, app, ["why", epc, "--ledger", str(rig.folder / "ledger.db")]
        )
        assert while_running.exit_code == 0
    kept = CliRunner().invoke(app, ["why", epc, "--ledger", str(rig.folder / "ledger.db"), "--json"])
    assert kept.exit_code == 0
    told = json.loads(kept.stdout)
    assert (told["gtin"], told["serial"]) == (item.identity.gtin, item.identity.serial)
    assert told["presence"] in {"present", "missing"}
    assert "is in" in while_running.stdout
    monkeypatch.chdir(rig.folder)
    assert CliRunner().invoke(app, ["why", epc, "--ledger", "ledger.db"]).exit_code == 0
    unknown = CliRunner().invoke(app, ["why", "80614141123458+1", "--ledger", str(rig.folder / "ledger.db")])
    assert unknown.exit_code == 1
    (rig.folder / "tallygate.toml").write_text("no ledger")
    for file in ("nowhere.db", "tallygate.toml"):
        assert CliRunner().invoke(app, ["why", epc, "--ledger", str(rig.folder / file)]).exit_code == 3
    assert CliRunner().invoke(app, ["why", "nonsense", "--ledger", str(rig.folder / "ledger.db")]).exit_code == 2
    assert CliRunner().invoke(app, ["why", "E280", "--ledger", str(rig.folder / "ledger.db")]).exit_code == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
