import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.alerts import AlertKind
from gateway.broker import free_port
from gateway.daemon import Gateway
from gateway.health import STUCK_AFTER_US
from gateway.web import page as page_module
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
    return f"http://{gateway.http_address[0]}:{gateway.http_address[1]}"


async def get(gateway: Gateway, path: str) -> tuple[int, str, str]:
    """Status, content type, body."""
    async with aiohttp.ClientSession() as session, session.get(address(gateway) + path) as answer:
        return answer.status, answer.content_type, await answer.text()


async def test_the_page_shows_everything_and_escapes_it(gateway: Gateway, rig: Rig) -> None:
    gateway.alerts.raise_(AlertKind.FRAME_ERRORS, "reader-<b>", '<script>alert("x")</script>', "a & b")
    status, kind, body = await get(gateway, "/")
    assert (status, kind) == (200, "text/html")
    assert "<script" not in body
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in body
    assert "reader-&lt;b&gt;" in body
    assert "a &amp; b" in body
    for name in [*gateway.inventory.zones, *gateway.fleet.members, "store / gw"]:
        assert name in body
    assert f"Counted: {sum(rig.truth().values())} items of {len({gtin for gtin, _ in rig.truth()})} products." in body
    for zone in gateway.inventory.zones:
        held = sum(quantity for (_, where), quantity in ours(gateway).items() if where == zone)
        assert f'<td>{zone}</td><td class="number">{held}</td>' in body
    for (gtin, _), quantity in ours(gateway).items():
        assert f"{gtin}</td>" in body
        assert f">{quantity}</td>" in body


async def test_healthz_tells_when_the_line_stands_still(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await get(gateway, "/healthz") == (200, "text/plain", "ok\n")
    assert await get(gateway, "/readyz") == (200, "text/plain", "ok\n")
    now_us = gateway.clock.monotonic_us()
    monkeypatch.setattr(gateway.health, "_ticked_us", lambda: now_us - STUCK_AFTER_US - 1_000_000)
    status, _, body = await get(gateway, "/healthz")
    assert status == 503
    assert "has not ticked" in body


async def test_readyz_says_starting_until_reads_count(gateway: Gateway) -> None:
    gateway.health.ready = False
    assert await get(gateway, "/readyz") == (503, "text/plain", "starting\n")
    gateway.health.ready = True


async def _json(gateway: Gateway, view: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{address(gateway)}/api/{view}") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        return await answer.json()


async def test_the_page_shows_no_more_stock_than_a_person_reads(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "MOST_ROWS", 2)
    _, _, body = await get(gateway, "/")
    first, second, third, *_ = sorted(ours(gateway))
    assert first[0] in body
    assert f"<td>{second[0]}</td><td>{second[1]}</td>" in body
    assert f"<td>{third[0]}</td><td>{third[1]}</td>" not in body
    assert f"{len(ours(gateway)) - 2} more rows" in body


async def test_the_api_behind_the_page(gateway: Gateway) -> None:
    status = await _json(gateway, "status")
    assert status["site"] == "store"
    assert status["broker"]["connected"] is True
    assert status["broker"]["backlog"] == gateway.backlog
    assert status["seq"] == gateway.ledger.position.seq
    stock = await _json(gateway, "stock")
    assert {(row["gtin"], row["zone"]): row["quantity"] for row in stock} == ours(gateway)
    readers = await _json(gateway, "readers")
    assert {name: reader["state"] for name, reader in readers.items()} == dict.fromkeys(
        gateway.fleet.members, "reading"
    )
    zones = await _json(gateway, "zones")
    assert {name: zone["state"] for name, zone in zones.items()} == {
        name: zone.state.value for name, zone in gateway.inventory.zones.items()
    }
    assert await _json(gateway, "alerts") == []
    code, kind, body = await get(gateway, "/api/nothing")
    assert (code, kind) == (404, "application/json")
    assert "known: alerts, antennas, readers, shelves, status, stock, zones" in body


async def test_nothing_can_be_changed_over_http(gateway: Gateway) -> None:
    async with aiohttp.ClientSession() as session:
        for method in ("POST", "PUT", "DELETE"):
            async with session.request(method, f"{address(gateway)}/api/stock") as answer:
                assert answer.status == 405
    assert (await get(gateway, "/../../etc/passwd"))[0] == 404


async def test_a_taken_port_is_logged_and_counting_goes_on(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port(HOST)
    async with peer(port=port):
        async with rig.gateway(rig.text().replace(f'"{HOST}:0"', f'"{HOST}:{port}"')) as gateway:
            await eventually(lambda: ours(gateway) == rig.truth())
            assert gateway.http_address is None
        assert "choose another http.listen" in caplog.text


async def test_a_client_that_takes_nothing_does_not_hold_up_a_stop(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    async with rig.gateway() as gateway:
        host, port = (gateway.http_address or ("", 0))[:2]
        _, writer = await asyncio.open_connection(host, port, limit=1_024)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        await writer.drain()
        before_s = loop.time()
    assert loop.time() - before_s < 6
    writer.close()
