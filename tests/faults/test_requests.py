"""Requests from anybody who may publish below `cmd/`: whatever they hold, an answer, and the daemon goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway import command_desk, payloads
from gateway.commands import Commands
from gateway.ledger import Ledger
from gateway.payloads import Topics
from gateway.snapshots import Snapshots
from tests.broker import Broker
from tests.gateway.ledgers import commit, life
from tests.rig import Rig, eventually, hurry, write

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
REQUESTS = st.dictionaries(st.sampled_from(["v", "transaction", "epoch", "from", "limit", "x"]), JSON, max_size=6)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with life(tmp_path / "ledger.db") as one:
        for level in range(1, 8):
            await one.commit(commit(level))
        yield one


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verb=st.sampled_from(["status", "snapshot", "replay"]) | st.text(max_size=80), payload=st.binary() | REQUESTS)
@example(verb="replay", payload=b'{"epoch":"' + b"\\ud800" * 9 + b'","from":1}')
@example(verb="replay", payload=b'{"epoch":"e","from":1e999}')
async def test_any_request_has_an_answer(ledger: Ledger, verb: str, payload: object) -> None:
    answer = await answered(ledger, verb, payload)
    assert len(answer.encode()) < payloads.MAX_REPLAY_BYTES
    assert isinstance(answer, payloads.Payload)


async def answered(ledger: Ledger, verb: str, payload: object) -> payloads.Payload:
    clock = SimpleNamespace(monotonic_us=lambda: 0, utc_us=lambda: 0)
    retained = SimpleNamespace(say=lambda *_: None, clear=lambda *_: None)
    snapshots = Snapshots(ledger, Topics.of("t", "s", "g"), retained, clock)
    commands = Commands(ledger, snapshots, lambda transaction: payloads.ErrorAnswer(transaction=transaction, error="x"))
    raw = payload if isinstance(payload, bytes) else json.dumps(payload, default=str).encode()
    return await commands.answer(verb, raw)


async def test_who_asks_without_end_does_not_stop_the_deltas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    async with (
        Broker(tmp_path / "broker") as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway() as gateway,
        rig.listener() as asker,
    ):
        await write(gateway, 1_000)
        request = f'{{"epoch":"{gateway.ledger.position.epoch}","from":1,"limit":500}}'.encode()
        began_s = asyncio.get_running_loop().time()
        for _ in range(300):
            asker.connection.publish(rig.topics.command("replay"), request)
        await write(gateway, 100)
        await eventually(lambda: gateway.backlog == 0)
        assert gateway.uplink.desk.dropped > 0, "more than can wait are dropped, and counted"
        took_s = asyncio.get_running_loop().time() - began_s
        assert gateway.commands.answered["replay"] <= took_s / command_desk.LEAST_REST_S + 1
