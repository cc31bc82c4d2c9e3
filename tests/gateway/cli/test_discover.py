"""`tallygate discover` among simulated readers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

import pytest
from typer.testing import CliRunner
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from gateway.announced import SERVICE
from gateway.broker import free_port
from gateway.cli import app
from gateway.discover import Found, Kind, Place, discover, probe
from simulators.llrp.device import ReaderDevice
from simulators.llrp.personality import Personality
from simulators.llrp.server import serve_reader
from simulators.store import Store
from tests.daemon import PROGRAM
from tests.peer import peer
from tests.rig import HOST, STILL, eventually

# Patience of a loaded machine; what answers does so at once.
LIMIT_S = 10.0


def device() -> ReaderDevice:
    shop = Store.demo(1, items=1, certain=True, traffic=STILL)
    return ReaderDevice(shop.field(next(iter(shop.layout.readers()))), Personality(reader_id=bytes(range(8))))


async def test_a_reader_tells_who_it_is_and_is_free_again() -> None:
    async with serve_reader(device()) as server:
        for _ in range(2):
            found = await probe(HOST, server.port, LIMIT_S)
            assert found is not None
            assert found == Found(HOST, server.port, Kind.READER, "eui64:0001020304050607")
            await eventually(lambda: not server.connected)


async def test_a_reader_in_use_stays_in_use() -> None:
    async with serve_reader(device()) as server:
        reader, writer = await asyncio.open_connection(HOST, server.port)
        await reader.read(1)
        found = await probe(HOST, server.port, LIMIT_S)
        assert found == Found(HOST, server.port, Kind.BUSY)
        assert server.connected
        writer.close()


async def test_what_is_no_reader() -> None:
    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with peer(other) as port:
        told: list[tuple[Place, Found | None]] = []
        await discover([(HOST, port)], LIMIT_S, lambda place, found: told.append((place, found)))
        assert told == [((HOST, port), Found(HOST, port, Kind.OTHER))]
        result = await asyncio.to_thread(
            CliRunner().invoke, app, ["discover", HOST, "--port", str(port), "--timeout", str(LIMIT_S)]
        )
    assert result.exit_code == 1
    assert "something else" in result.stdout
    assert "no reader answers" in result.stderr
    assert await probe(HOST, free_port(HOST), LIMIT_S) is None


async def test_the_verb() -> None:
    async with serve_reader(device()) as server:
        where = ["127.0.0.0/29", "--port", str(server.port), "--timeout", str(LIMIT_S)]
        shown = await asyncio.to_thread(CliRunner().invoke, app, ["discover", *where])
        told = await asyncio.to_thread(CliRunner().invoke, app, ["discover", HOST, "--json", *where[1:]])
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert f"llrp://{HOST}:{server.port}" in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
    assert json.loads(told.stdout)["kind"] == "reader"


@asynccontextmanager
async def announcing(*ports: int) -> AsyncIterator[list[str]]:
    """A responder on this machine that says of each port that a reader listens there; gives their names."""
    names = [f"shop \x9b2J{token_hex(4)}" for _ in ports]
    async with AsyncZeroconf(ip_version=IPVersion.V4Only) as network:
        for name, port in zip(names, ports, strict=True):
            server = f"{token_hex(4)}.local."
            info = AsyncServiceInfo(SERVICE, f"{name}.{SERVICE}", port, server=server, parsed_addresses=[HOST])
            # Names made by chance are nobody else's: they need not be asked for.
            await (await network.async_register_service(info, cooperating_responders=True))
        yield [name.replace("\x9b", "?") for name in names]


async def told(where: list[str]) -> bytes:
    """What the verb says, as a program of its own."""
    process = await asyncio.create_subprocess_exec(*PROGRAM, *where, stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0]


async def test_readers_that_announce_themselves() -> None:
    async with serve_reader(device()) as server, announcing(server.port, free_port(HOST)) as names:
        # What has just been said to all is not said again for a second (RFC 6762, 6).
        where = ["discover", "--timeout", str(LIMIT_S), "--listen", "2.5"]
        shown, lines = await asyncio.gather(asyncio.to_thread(CliRunner().invoke, app, where), told([*where, "--json"]))
    assert (shown.exit_code, shown.stderr) == (0, "")
    rows = {name: line for name in names for line in shown.stdout.splitlines() if name in line}
    url = f"llrp://{HOST}:{server.port}"
    assert url in rows[names[0]]
    assert "a reader" in rows[names[0]]
    assert "does not answer" in rows[names[1]]
    assert "\x9b" not in shown.stdout
    kinds = {one["name"]: one["kind"] for one in map(json.loads, lines.splitlines())}
    assert kinds[names[0]] in {"reader", "busy"}
    assert kinds[names[1]] == "silent"


@pytest.mark.parametrize("network", ["shop", "10.0.0.0/8", "10.0.0.300"])
def test_what_is_no_network_or_too_large(network: str) -> None:
    assert CliRunner().invoke(app, ["discover", network]).exit_code == 2


def test_too_many_together() -> None:
    assert CliRunner().invoke(app, ["discover", "10.0.0.0/23", "10.1.0.0/22"]).exit_code == 2
