import asyncio
import logging
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import payloads, uplink, window
from gateway.alerts import AlertKind
from gateway.consumer.broker import ConnectOptions, Message, MessageProperties
from gateway.consumer.mqtt import Connection
from gateway.consumer.store import SqliteStore
from gateway.daemon import Gateway
from gateway.domain.delta import Change, Step
from gateway.domain.items import Cause
from gateway.ledger_group import Commit
from gateway.payloads import Manifest, State
from gateway.snapshots import Snapshots
from tests.broker import Broker
from tests.rig import GTIN, Rig, cut_uplinks, eventually, hurry, in_step, running, theirs, write, written

pytestmark = pytest.mark.usefixtures("_quick")


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(window, "FIRST_REST_S", 0.1)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(tmp_path / "broker") as one:
        yield one


@pytest.fixture
async def rig(tmp_path: Path, broker: Broker) -> AsyncIterator[Rig]:
    """Without readers: deltas are written by the test."""
    async with Rig(tmp_path, broker, readers=0) as one:
        yield one


def standing(gateway: Gateway, kind: AlertKind) -> list[str]:
    return [alert.subject for alert in gateway.alerts if alert.kind is kind]


# -- what is said on a connect ----------------------------------------------------------------------------------------


async def test_on_connect_the_state_comes_first_and_the_manifest_after_its_parts(rig: Rig) -> None:
    topics = rig.topics
    async with rig.listener() as heard, rig.gateway() as gateway:
        await write(gateway, 3)
        await heard.until(lambda: bool(heard.said(topics.manifest)) and heard.seqs() == [1, 2, 3])
        assert heard.messages[0].topic == topics.state
        state = State.model_validate_json(heard.messages[0].payload)
        assert state.online
        assert state.session == 1
        assert state.boot == gateway.ledger.position.boot
        assert state.epoch == gateway.ledger.position.epoch
        assert state.software.startswith("tallygate ")
        assert state.config == gateway.config.fingerprint
        for zone in gateway.inventory.zones:
            assert heard.said(topics.zone_health(zone))
        assert all(message.properties.content_type == "application/json" for message in heard.messages)


async def test_boot_grows_with_each_start_and_session_with_each_connect(rig: Rig) -> None:
    async with rig.listener() as heard:
        async with rig.gateway():
            await heard.until(lambda: len(heard.said(rig.topics.state)) == 1)
        await heard.until(lambda: len(heard.said(rig.topics.state)) == 2)
        async with rig.gateway() as gateway:
            await heard.until(lambda: len(heard.said(rig.topics.state)) == 3)
            lives = [State.model_validate_json(one.payload).life for one in heard.said(rig.topics.state)]
            boot = gateway.ledger.position.boot
            assert lives == [(boot - 1, 1), (boot - 1, 1), (boot, 1)]
        states = [State.model_validate_json(one.payload).online for one in heard.said(rig.topics.state)]
        assert states == [True, False, True, False]
    await rig.broker.restart()


async def test_everything_retained_is_said_again_after_the_broker_has_forgotten_it(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await write(gateway, 5)
        await in_step(gateway, consumer)
        before = set(gateway.retained.topics)
        await rig.broker.restart()
        await eventually(lambda: gateway.uplink.session == 2 and gateway.uplink.connected)
        async with rig.listener() as heard:
            await heard.until(lambda: before <= {one.topic for one in heard.messages})
            assert heard.latest(rig.topics.state, State).session == 2
        async with rig.listener("later") as later:
            await later.until(lambda: before <= {one.topic for one in later.messages if one.retain})
        await write(gateway, 5)
        await in_step(gateway, consumer)


async def test_a_clean_stop_says_the_stock_as_it_leaves_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that has only just come needs a snapshot, however soon after the first delta the stop comes."""
    monkeypatch.setattr(Snapshots, "run", lambda _: asyncio.Event().wait())
    async with rig.consumer() as consumer:
        async with rig.gateway() as gateway:
            await consumer.wait_until(lambda one: bool(one.rule.online))
            await write(gateway, 3)
            left = await written(gateway)
        await consumer.wait_until(lambda one: one.store.position is not None and one.store.position.seq == 3)
        assert theirs(consumer) == left


async def test_a_stop_while_still_greeting_the_broker_keeps_what_online_has_promised(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = asyncio.Event()

    async def subscribe(*_: object) -> None:
        await stopping.wait()

    monkeypatch.setattr(uplink.Uplink, "_subscribe", subscribe)
    async with rig.consumer() as consumer:
        async with rig.opened() as gateway, running(gateway):
            await write(gateway, 3)
            await consumer.wait_until(lambda one: bool(one.rule.online))
            assert not gateway.uplink.connected
            asyncio.get_running_loop().call_later(0.1, stopping.set)
        await consumer.wait_until(lambda one: one.store.position is not None and one.store.position.seq == 3)
        assert theirs(consumer) == {(GTIN, "floor"): 3}


async def test_the_will_says_offline_for_a_gateway_that_dies(rig: Rig) -> None:
    async with rig.listener() as heard, rig.gateway() as gateway:
        await heard.until(lambda: bool(heard.said(rig.topics.state)))
        cut_uplinks()
        await heard.until(lambda: not heard.latest(rig.topics.state, State).online)
        dead = heard.latest(rig.topics.state, State)
        assert dead.life == (gateway.ledger.position.boot, 1)
        await heard.until(lambda: heard.latest(rig.topics.state, State).online)
        assert heard.latest(rig.topics.state, State).session == 2


async def test_a_stop_is_told_even_by_a_broker_that_hangs_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last word waits behind what is in flight; a DISCONNECT that overtook it would discard the will as well."""
    monkeypatch.setattr(uplink, "GOODBYE_LIMIT_S", 0.2)
    async with (
        Broker(tmp_path / "broker", extra=["max_inflight_messages 1"]) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.listener() as heard,
    ):
        assert broker.process is not None
        async with rig.gateway() as gateway:
            await write(gateway, 300)
            await heard.until(lambda: heard.seqs() == list(range(1, 301)))
            await eventually(lambda: gateway.backlog == 0)
            broker.process.send_signal(signal.SIGSTOP)
            for number in range(10):
                gateway.retained.put(rig.topics.zone_health(f"zone-{number}"), b"{}")
            await eventually(lambda: not gateway.retained._dirty)
        broker.process.send_signal(signal.SIGCONT)
        await heard.until(lambda: not heard.latest(rig.topics.state, State).online)


async def test_the_broker_may_be_absent_at_the_start(rig: Rig) -> None:
    rig.broker.kill()
    async with rig.gateway(online=False) as gateway:
        assert gateway.health.ready
        await write(gateway, 20)
        assert not gateway.uplink.connected
        await rig.broker.start()
        async with rig.consumer() as consumer:
            await in_step(gateway, consumer)
            assert theirs(consumer) == {(GTIN, "floor"): 20}


# -- refusals ---------------------------------------------------------------------------------------------------------


async def test_a_refused_delta_stops_the_line_until_it_is_allowed_and_nothing_is_lost(tmp_path: Path) -> None:
    closed = ["topic readwrite #", "topic deny tallygate/v1/store/gw/stock/delta"]
    async with (
        Broker(tmp_path / "broker", acl=closed) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway() as gateway,
    ):
        async with rig.listener() as heard:
            await write(gateway, 250)
            await heard.until(lambda: bool(heard.alerts("publish_refused")))
            raised = heard.alerts("publish_refused")[0]
            assert raised.status == "raised"
            assert raised.severity == "critical"
            assert "0x87" in raised.text
            assert "access rules" in raised.hint
            # What was in flight was answered; then one at a time is tried, not the whole window again and again.
            sent = gateway.sender.sent
            await eventually(lambda: gateway.sender.sent > sent)
            assert gateway.sender.window.acknowledged == 0
            assert gateway.sender.sent <= sent + 2
            assert standing(gateway, AlertKind.PUBLISH_REFUSED) == ["stock/delta"]
        broker.acl = ["topic readwrite #"]
        await broker.restart()
        async with rig.consumer() as consumer:
            await in_step(gateway, consumer)
            assert theirs(consumer) == {(GTIN, "floor"): 250}
        await eventually(lambda: not standing(gateway, AlertKind.PUBLISH_REFUSED))
        await eventually(lambda: gateway.backlog == 0)


async def test_a_refused_retained_topic_is_an_alert_and_the_deltas_go_on(tmp_path: Path) -> None:
    closed = ["topic readwrite #", "topic deny tallygate/v1/store/gw/zones/floor/health"]
    async with (
        Broker(tmp_path / "broker", acl=closed) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway() as gateway,
        rig.consumer() as consumer,
    ):
        await eventually(lambda: standing(gateway, AlertKind.PUBLISH_REFUSED) == ["zones/floor/health"])
        await write(gateway, 5)
        await in_step(gateway, consumer)
        assert gateway.uplink.refused == 1


async def test_commands_that_may_not_be_subscribed_are_an_alert(tmp_path: Path) -> None:
    closed = ["topic readwrite #", "topic deny tallygate/v1/store/gw/cmd/+"]
    async with (
        Broker(tmp_path / "broker", acl=closed) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway() as gateway,
        rig.consumer() as consumer,
    ):
        await write(gateway, 5)
        await in_step(gateway, consumer)
        # Mosquitto grants the subscription and refuses each message instead, unless it is told otherwise.
        assert gateway.uplink.connected


# -- losing the broker ------------------------------------------------------------------------------------------------


async def test_a_broker_that_dies_with_deltas_in_flight_loses_nothing(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer() as one, rig.consumer("other") as other:
        await in_step(gateway, one, other)
        for round_ in range(3):
            await write(gateway, 1_000, at_a_time=50)
            assert gateway.backlog > 0, "some are in flight"
            await rig.broker.restart()
            await eventually(lambda session=round_ + 2: gateway.uplink.session >= session)  # type: ignore[misc]
        await write(gateway, 10)
        await in_step(gateway, one, other)
        assert theirs(one) == {(GTIN, "floor"): 3_010}
        assert not one.counters.findings


@pytest.mark.parametrize("count", [5_000, pytest.param(50_000, marks=pytest.mark.slow)])
async def test_an_outage_of_thousands_of_deltas_is_worked_off_in_order(rig: Rig, count: int) -> None:
    async with rig.gateway() as gateway:
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        await write(gateway, count)
        await rig.broker.start()
        async with rig.listener() as heard:
            await heard.until(lambda: heard.seqs()[-1:] == [count], limit_s=60)
            seqs = heard.seqs()
            assert seqs == sorted(seqs)
            assert seqs[-1] - seqs[0] == len(seqs) - 1
        await eventually(lambda: gateway.backlog == 0)
        await eventually(lambda: gateway.ledger.position.acknowledged == count)


async def test_what_was_acknowledged_is_not_sent_again_after_a_restart(rig: Rig) -> None:
    async with rig.gateway() as gateway:
        await write(gateway, 100)
        await eventually(lambda: gateway.backlog == 0)
    async with rig.listener() as heard, rig.gateway() as gateway:
        await write(gateway, 1)
        await heard.until(lambda: bool(heard.seqs()))
        assert heard.seqs() == [101]
        assert gateway.sender.sent == 1


# -- limits of a broker -----------------------------------------------------------------------------------------------


async def test_receive_maximum_and_maximum_packet_size_are_respected(tmp_path: Path) -> None:
    limits = ["max_inflight_messages 7", "max_packet_size 5000"]
    async with (
        Broker(tmp_path / "broker", extra=limits) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway() as gateway,
        rig.listener() as heard,
    ):
        for zone in gateway.inventory.zones:
            await write(gateway, 200, zone=zone)
        await heard.until(lambda: len(heard.seqs()) >= 1_200)
        # A broker that gets more than it granted ends the connection (MQTT 5, section 3.3.4): this is still the first.
        assert gateway.uplink.session == 1
        assert max(len(one.payload) for one in heard.messages) < 5_000
        assert not list(gateway.alerts)


async def test_pages_of_a_replay_fit_the_brokers_packets(tmp_path: Path) -> None:
    async with (
        Broker(tmp_path / "broker", extra=["max_packet_size 20000"]) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway() as gateway,
    ):
        store = rig.consumer()
        async with store as consumer:
            await in_step(gateway, consumer)
        await write(gateway, 1_000)
        await eventually(lambda: gateway.backlog == 0)
        async with rig.consumer(store=store.store) as consumer:
            await in_step(gateway, consumer)
            assert consumer.counters.snapshots == 0
            assert consumer.counters.applied == 1_000
        assert gateway.uplink.session == 1
        assert not list(gateway.alerts)


async def test_a_delta_that_no_packet_takes_stops_the_line_with_a_hint(tmp_path: Path) -> None:
    async with (
        Broker(tmp_path / "broker", extra=["max_packet_size 2000"]) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway(online=False) as gateway,
    ):
        changes = tuple(
            Change(f"{number:014}", "floor", "sellable_accessible", 1, 1, 1, stale=False) for number in range(30)
        )
        await write(gateway, 2)
        await gateway.ledger.commit(Commit(gateway.clock.utc_us(), [Step(changes, {Cause.ARRIVED: 30})]))
        await write(gateway, 2)
        await eventually(lambda: "stock/delta" in standing(gateway, AlertKind.PUBLISH_REFUSED))
        (alert,) = [one for one in gateway.alerts if one.subject == "stock/delta"]
        assert "0x95" in alert.text
        assert "raise its limit" in alert.hint
        assert "delta 3" in alert.text
        await eventually(lambda: gateway.backlog == 3)
        assert gateway.uplink.session == 1


async def test_the_alert_of_a_topic_too_large_is_cleared_when_it_fits_again(tmp_path: Path) -> None:
    async with (
        Broker(tmp_path / "broker", extra=["max_packet_size 2000"]) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway() as gateway,
    ):
        # One that nothing else writes.
        topic = rig.topics.reader_state("elsewhere")
        gateway.retained.put(topic, b"x" * 3_000)
        await eventually(lambda: standing(gateway, AlertKind.PUBLISH_REFUSED) == ["readers/elsewhere/state"])
        gateway.retained.put(topic, b"x")
        await eventually(lambda: not standing(gateway, AlertKind.PUBLISH_REFUSED))


# -- the ledger goes back, or is lost ---------------------------------------------------------------------------------


def _copy(ledger: Path, to: Path) -> None:
    """A consistent copy, as a backup makes it."""
    with sqlite3.connect(ledger) as source, sqlite3.connect(to) as sink:
        source.backup(sink)
    source.close()
    sink.close()


def _lose(ledger: Path) -> None:
    """The file and what SQLite keeps beside it."""
    for path in ledger.parent.glob(f"{ledger.name}*"):
        path.unlink()


async def test_a_ledger_from_a_backup_starts_a_new_epoch_and_consumers_follow(rig: Rig, tmp_path: Path) -> None:
    ledger, backup = tmp_path / "ledger.db", tmp_path / "backup.db"
    async with rig.consumer() as consumer, rig.listener() as heard:
        async with rig.gateway() as gateway:
            await write(gateway, 10)
            await in_step(gateway, consumer)
            _copy(ledger, backup)
            await write(gateway, 10)
            await in_step(gateway, consumer)
            old = gateway.ledger.position
        _lose(ledger)
        shutil.copy(backup, ledger)
        async with rig.gateway() as gateway:
            new = gateway.ledger.position
            assert new.epoch != old.epoch
            assert new.boot > old.boot
            assert new.seq == 0
            await in_step(gateway, consumer)
            assert theirs(consumer) == {(GTIN, "floor"): 10}
            await write(gateway, 4)
            await in_step(gateway, consumer)
            assert theirs(consumer) == {(GTIN, "floor"): 14}
            await heard.until(lambda: len(heard.alerts("epoch_changed")) == 2)
            raised, cleared = heard.alerts("epoch_changed")
            assert (raised.status, cleared.status) == ("raised", "cleared")
            assert "published" in raised.text
            assert consumer.counters.findings == {"epoch_changed": 1}
        # The new epoch is on disk: the next start keeps it.
        async with rig.gateway() as gateway:
            assert gateway.ledger.position.epoch == new.epoch
            await in_step(gateway, consumer)


async def test_a_lost_ledger_starts_a_new_epoch_with_a_newer_boot(rig: Rig, tmp_path: Path) -> None:
    async with rig.consumer() as consumer:
        async with rig.gateway() as gateway:
            await write(gateway, 10)
            await in_step(gateway, consumer)
            old = gateway.ledger.position
        _lose(tmp_path / "ledger.db")
        async with rig.gateway() as gateway:
            assert gateway.ledger.position.epoch != old.epoch
            assert gateway.ledger.position.boot > old.boot
            await in_step(gateway, consumer)
            assert theirs(consumer) == {}
            assert gateway.alerts.raised[AlertKind.EPOCH_CHANGED] == 1
            await write(gateway, 2)
            await in_step(gateway, consumer)


async def test_a_new_epoch_while_deltas_are_being_written(rig: Rig, tmp_path: Path) -> None:
    ledger, backup = tmp_path / "ledger.db", tmp_path / "backup.db"
    async with rig.gateway() as gateway:
        await write(gateway, 10)
        _copy(ledger, backup)
        await write(gateway, 10)
        await eventually(lambda: gateway.backlog == 0)
    _lose(ledger)
    shutil.copy(backup, ledger)
    async with rig.consumer() as consumer, rig.gateway(online=False) as gateway:
        epoch = gateway.ledger.position.epoch
        while gateway.ledger.position.epoch == epoch:
            await write(gateway, 1)
        await write(gateway, 5)
        await in_step(gateway, consumer)


# -- leftovers --------------------------------------------------------------------------------------------------------


async def test_retained_topics_of_an_earlier_life_are_cleared_however_many(tmp_path: Path) -> None:
    async with (
        Broker(tmp_path / "broker", extra=["max_inflight_messages 5"]) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
    ):
        topics = rig.topics
        stale = [topics.zone_health(f"old-{n}") for n in range(30)]
        stale += [topics.reader_state("old"), *(topics.part(n) for n in range(40))]
        async with rig.listener("earlier") as earlier:
            left = [*stale, topics.command("status"), "tallygate/v1/store/other/state"]
            await earlier.say(*((topic, b"{}") for topic in left), retain=True)
        async with rig.gateway() as gateway, rig.listener() as heard:
            await heard.until(lambda: all(_forgotten(heard.said(topic)) for topic in stale))
            await eventually(lambda: gateway.backlog == 0)
        async with rig.listener("later") as later:
            await later.until(lambda: bool(later.said(topics.command("status"))), limit_s=5)
            assert not {one.topic for one in later.messages} & set(stale)


def _forgotten(said: list[Message]) -> bool:
    return not said or not said[-1].payload


async def test_parts_that_a_smaller_stock_leaves_over_are_cleared(rig: Rig) -> None:
    async with rig.gateway() as gateway:
        gateway.snapshots.limit_bytes = payloads.ENVELOPE_BYTES + 10
        for zone in gateway.inventory.zones:
            await write(gateway, 1, zone=zone)
        # Whoever comes later gets what is retained in the broker's own order.
        async with rig.listener() as heard:
            await heard.first(rig.topics.manifest)
            gateway.snapshots.ask()
            await heard.until(lambda: heard.latest(rig.topics.manifest, Manifest).parts == 6)
            parts = [heard.index(rig.topics.part(n)) for n in range(6)]
            manifests = [i for i, one in enumerate(heard.messages) if one.topic == rig.topics.manifest]
            assert manifests[-1] > max(parts)
            gateway.snapshots.limit_bytes = payloads.MAX_PAYLOAD_BYTES
            await write(gateway, 1)
            gateway.snapshots.ask()
            await heard.until(lambda: all(_forgotten(heard.said(rig.topics.part(n))) for n in range(1, 6)))
            assert heard.latest(rig.topics.manifest, Manifest).parts == 1
        async with rig.consumer() as consumer:
            await in_step(gateway, consumer)


# -- consumers --------------------------------------------------------------------------------------------------------


async def test_a_consumer_that_was_away_catches_up_by_replay_and_by_snapshot_where_that_is_gone(
    rig: Rig, tmp_path: Path
) -> None:
    path = tmp_path / "central.db"
    async with rig.gateway() as gateway:
        async with await SqliteStore.open(path, rig.topics.root) as store, rig.consumer(store=store) as consumer:
            await write(gateway, 5)
            await in_step(gateway, consumer)
        await write(gateway, 1_200)
        await eventually(lambda: gateway.backlog == 0)
        async with await SqliteStore.open(path, rig.topics.root) as store, rig.consumer(store=store) as consumer:
            await in_step(gateway, consumer)
            assert consumer.counters.applied == 1_200
            assert consumer.counters.snapshots == 0
        await write(gateway, 500)
        await eventually(lambda: gateway.ledger.position.acknowledged == 1_705)
        trimmed = await gateway.ledger.trim(gateway.clock.utc_us() + 1_000_000, 0)
        gateway.sender.trimmed()
        assert trimmed.acknowledged == 1_705
        async with await SqliteStore.open(path, rig.topics.root) as store, rig.consumer(store=store) as consumer:
            await in_step(gateway, consumer)
            assert consumer.counters.snapshots == 1
            assert theirs(consumer) == {(GTIN, "floor"): 1_705}


async def test_unsent_deltas_that_were_trimmed_are_skipped_and_the_snapshot_serves(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await write(gateway, 5)
        await in_step(gateway, consumer)
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        await write(gateway, 4_000)
        async with gateway.ledger._writing, gateway.ledger._transaction():
            await gateway.ledger._writer.execute("DELETE FROM deltas WHERE seq <= 3500")
        # The file has lost them and the window does not know it yet, as when a trim meets a send.
        await rig.broker.start()
        await eventually(lambda: gateway.backlog == 0)
        await in_step(gateway, consumer)
        assert theirs(consumer) == {(GTIN, "floor"): 4_005}


async def test_cold_and_warm_consumers_agree(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer("first") as first:
        for _ in range(10):
            await write(gateway, 30, at_a_time=7)
        async with rig.consumer("second") as second:
            await write(gateway, 100, at_a_time=10)
            await in_step(gateway, first, second)
            assert first.store.hash() == second.store.hash()


# -- alerts, tasks, ends ----------------------------------------------------------------------------------------------


async def test_alerts_of_an_outage_are_said_when_it_is_over(rig: Rig) -> None:
    async with rig.gateway() as gateway:
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        gateway.alerts.once(AlertKind.CLOCK_JUMP, "reader-1", "it jumped", "look at it")
        await rig.broker.start()
        async with rig.listener() as heard:
            await eventually(lambda: gateway.uplink.connected)
            await eventually(lambda: not gateway.uplink._waiting_alerts)
            gateway.alerts.once(AlertKind.CLOCK_JUMP, "reader-2", "it jumped", "look at it")
            await heard.until(lambda: len(heard.alerts("clock_jump")) >= 2)
            assert {alert.status for alert in heard.alerts("clock_jump")} == {"raised", "cleared"}


async def test_a_stop_leaves_no_task_behind(rig: Rig) -> None:
    before = asyncio.all_tasks()
    async with rig.gateway() as gateway:
        await write(gateway, 100)
        assert len(asyncio.all_tasks()) > len(before)
    assert asyncio.all_tasks() == before


async def test_a_stop_while_the_broker_is_gone_is_quick(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    async with rig.gateway() as gateway:
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        await write(gateway, 100)
        before_s = loop.time()
    assert loop.time() - before_s < 3
    await rig.broker.start()
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await in_step(gateway, consumer)
        assert theirs(consumer) == {(GTIN, "floor"): 100}


async def test_a_broker_that_never_comes_is_a_warning_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.broker.kill()
    caplog.set_level(logging.WARNING, "gateway.uplink")
    async with rig.gateway(online=False) as gateway:
        await eventually(lambda: gateway.uplink._backoff.attempts >= 4)
    assert len([one for one in caplog.records if one.name == "gateway.uplink"]) == 1


async def test_another_client_with_our_name_does_not_make_us_spin(rig: Rig) -> None:
    async with rig.gateway() as gateway:
        gateway.uplink._backoff.longest_s = 30
        thefts = 0
        async with asyncio.timeout(10):
            while thefts < 3:
                async with Connection(ConnectOptions(address=rig.broker.address, client_id="store-gw")):
                    await eventually(lambda: not gateway.uplink.connected)
                thefts += 1
                await eventually(lambda: gateway.uplink.connected)
        assert gateway.uplink._backoff.attempts >= 3, "the pauses grow"


async def test_properties_of_a_delta(rig: Rig) -> None:
    async with rig.listener() as heard, rig.gateway() as gateway:
        await write(gateway, 1)
        await heard.until(lambda: bool(heard.seqs()))
        (delta,) = heard.said(rig.topics.delta)
        assert delta.qos == 1
        assert not delta.retain
        assert delta.properties == MessageProperties(content_type="application/json")
