"""`tallygate run` as a process: signals, systemd's socket, sudden death."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import payloads
from gateway.consumer.client import Consumer
from gateway.payloads import State
from tests.broker import Broker
from tests.daemon import PROGRAM, daemon
from tests.rig import LIMIT_S, Listener, Rig, eventually, hurry, theirs

BROKEN = '[site]\nid = "store"\ngateway = "gw"\nsurprise = 1\n'


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker) as one:
        yield one


async def has_everything(rig: Rig, consumer: Consumer, zones: tuple[str, ...] = ()) -> None:
    wanted = {key: count for key, count in rig.truth().items() if not zones or key[1] in zones}
    async with asyncio.timeout(LIMIT_S):
        await consumer.wait_until(lambda one: theirs(one) == wanted)


async def test_it_tells_systemd_of_its_life_and_stops_cleanly(rig: Rig, tmp_path: Path) -> None:
    async with rig.consumer() as consumer, rig.listener() as heard:
        async with daemon(tmp_path, rig.text(), {"WATCHDOG_USEC": "1000000"}) as one:
            await one.told("WATCHDOG=1")
            await has_everything(rig, consumer)
            await one.told("WATCHDOG=1")
            assert await one.stop() == 0
            await one.told("STOPPING=1")
            assert "Traceback" not in one.log
        await heard.until(lambda: not heard.latest(rig.topics.state, State).online)
        assert [State.model_validate_json(one.payload).online for one in heard.said(rig.topics.state)] == [True, False]
        seq = heard.latest(rig.topics.state, State).seq
        async with daemon(tmp_path, rig.text()) as one:
            await heard.until(lambda: heard.latest(rig.topics.state, State).online)
            assert heard.latest(rig.topics.state, State).seq >= seq
            assert await one.stop(signal.SIGINT) == 0
        await has_everything(rig, consumer)
        assert not consumer.counters.findings
    assert all(server.connected is False for server in rig.servers.values())


async def test_closing_the_terminal_that_it_was_started_on_ends_it(rig: Rig, tmp_path: Path) -> None:
    """While the terminal is there, SIGHUP applies the configuration as ever."""
    near_end, far_end = os.openpty()
    try:
        async with daemon(tmp_path, rig.text(), stdin=far_end) as one:
            one.process.send_signal(signal.SIGHUP)
            await eventually(lambda: "configuration applied" in one.log)
            os.close(near_end)
            assert await one.stop(signal.SIGHUP) == 0
            assert one.log.count("configuration applied") == 1
    finally:
        os.close(far_end)


async def test_it_is_ready_without_a_broker_and_delivers_later(rig: Rig, tmp_path: Path) -> None:
    rig.broker.kill()
    async with daemon(tmp_path, rig.text()) as one:
        await eventually(lambda: all(server.connected for server in rig.servers.values()))
        await rig.broker.start()
        async with rig.consumer() as consumer:
            await has_everything(rig, consumer)
        rig.broker.kill()
        assert await one.stop() == 0


def _rejected(heard: Listener) -> list[payloads.Alert]:
    return heard.alerts("config_rejected")


async def test_sighup_applies_a_changed_file_and_only_a_good_one(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "tallygate.toml"
    async with (
        rig.consumer() as consumer,
        rig.listener() as heard,
        daemon(tmp_path, rig.text(without_readers=("reader-back",))) as one,
    ):
        await has_everything(rig, consumer, ("floor", "checkout", "exit"))
        path.write_text(BROKEN)
        one.process.send_signal(signal.SIGHUP)
        await heard.until(lambda: len(_rejected(heard)) == 2)
        rejected = _rejected(heard)[0]
        assert "surprise" in rejected.text
        assert "line 4" in rejected.text
        assert "check-config" in rejected.hint
        connections = rig.servers["reader-front"].connections
        path.write_text(rig.text())
        one.process.send_signal(signal.SIGHUP)
        await has_everything(rig, consumer)
        assert rig.servers["reader-front"].connections == connections
        # A zone that goes: to zero first, by deltas.
        path.write_text(rig.text(without_zones=("backroom",)))
        one.process.send_signal(signal.SIGHUP)
        topic = rig.topics.zone_health("backroom")
        await heard.until(lambda: heard.said(topic)[-1].payload == b"")
        await has_everything(rig, consumer, tuple(zone.id for zone in rig.shop.layout.zones if zone.id != "backroom"))
        path.unlink()
        one.process.send_signal(signal.SIGHUP)
        await heard.until(lambda: len(_rejected(heard)) == 4)
        assert f"{path} has problems: cannot be read: " in _rejected(heard)[2].text
        assert await one.stop() == 0
        assert "Traceback" not in one.log


async def test_sudden_death_under_load_loses_nothing_that_was_said(rig: Rig, tmp_path: Path) -> None:
    stock = rig.shop.stock
    things = [thing for thing in stock.within("floor") if thing.gtin]
    async with rig.consumer("one") as first, rig.consumer("two") as second:
        for round_ in range(2):
            async with daemon(tmp_path, rig.text()) as one:
                await eventually(lambda: all(server.connected for server in rig.servers.values()))
                await first.wait_until(lambda one: bool(one.rule.online))
                to = ("backroom", "receiving")[round_]
                applied = first.counters.applied
                for thing in things:
                    stock.move(thing, to)
                await first.wait_until(lambda one, applied=applied: one.counters.applied > applied)  # type: ignore[misc]
                assert await one.stop(signal.SIGKILL) == -signal.SIGKILL
        async with daemon(tmp_path, rig.text()) as one:
            await has_everything(rig, first)
            await has_everything(rig, second)
            assert first.store.position is not None
            assert second.store.position is not None
            assert first.rule.epoch == second.rule.epoch
            assert await one.stop() == 0
        assert not first.counters.findings
        assert not second.counters.findings


async def test_a_bad_configuration_is_a_finding_and_a_foreign_ledger_is_not_opened(rig: Rig, tmp_path: Path) -> None:
    async def outcome(text: str) -> tuple[int | None, str]:
        path = tmp_path / "tallygate.toml"
        path.write_text(text)
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "run", "--config", str(path), stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(LIMIT_S):
            _, errors = await process.communicate()
        return process.returncode, errors.decode()

    code, errors = await outcome(BROKEN)
    assert code == 1
    assert "surprise" in errors
    (tmp_path / "ledger.db").write_bytes(b"this is no database" * 100)
    code, errors = await outcome(rig.text())
    assert code == 3
    assert "hint:" in errors
    assert "Traceback" not in errors


async def test_certificates_that_are_none_are_a_finding_of_check_config_and_of_run(tmp_path: Path) -> None:
    path = tmp_path / "tallygate.toml"
    (tmp_path / "ca.pem").write_text("this is no certificate")
    path.write_text(
        '[site]\nid = "s"\ngateway = "g"\n[mqtt]\nurl = "mqtts://127.0.0.1:1"\nca_file = "ca.pem"\n'
        '[ledger]\npath = "ledger.db"\n'
    )
    for verb in (["check-config", str(path)], ["run", "--config", str(path)]):
        process = await asyncio.create_subprocess_exec(*PROGRAM, *verb, stderr=asyncio.subprocess.PIPE)
        async with asyncio.timeout(LIMIT_S):
            _, errors = await process.communicate()
        assert process.returncode == 1, verb
        assert b"ca_file" in errors
        assert b"Traceback" not in errors
