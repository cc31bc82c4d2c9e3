import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import housekeeping, ledger, payloads
from gateway.alerts import AlertKind
from gateway.consumer.client import Consumer
from gateway.daemon import Gateway
from gateway.domain.records import PoolRecord, TailRecord
from gateway.domain.silence import Silences
from gateway.domain.zones import ZoneState
from gateway.ledger_group import Commit
from gateway.parts import connect_options
from gateway.payloads import Delta, ReaderStatus, ZoneHealth
from gateway.tasks import beside
from simulators.hostile import Wire, hostile_wire
from tests.broker import Broker
from tests.rig import Listener, Rig, eventually, hurry, in_step, ours, theirs, write

BACK = ("receiving", "backroom", "fitting")
FRONT = ("floor", "checkout", "exit")


@pytest.fixture
async def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Broker]:
    hurry(monkeypatch)
    monkeypatch.setattr(housekeeping, "STALE_ALERT_S", 0.2)
    monkeypatch.setattr(housekeeping, "MEASURE_EVERY_S", 0.1)
    async with Broker(tmp_path / "broker") as one:
        yield one


@pytest.fixture
async def rig(tmp_path: Path, broker: Broker) -> AsyncIterator[Rig]:
    async with Rig(tmp_path, broker) as one:
        yield one


def state(gateway: Gateway, zone: str) -> ZoneState:
    return gateway.inventory.zones[zone].state


def standing(gateway: Gateway) -> set[tuple[str, str]]:
    return {(alert.kind.value, alert.subject) for alert in gateway.alerts}


async def all_ok(gateway: Gateway) -> None:
    await eventually(lambda: all(zone.state is ZoneState.OK for zone in gateway.inventory.zones.values()))


def health(heard: Listener, zone: str) -> list[str]:
    """The states that a zone has told."""
    said = heard.said(heard.topics.zone_health(zone))
    return [ZoneHealth.model_validate_json(one.payload).state for one in said if one.payload]


# -- from reads to a consumer -----------------------------------------------------------------------------------------


async def test_what_lies_in_the_shop_is_what_the_consumer_holds(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer() as consumer, rig.listener() as heard:
        await rig.counted(gateway, consumer)
        await all_ok(gateway)
        # People act: items move, arrive and leave.
        stock = rig.shop.stock
        floor = [thing for thing in stock.within("floor") if thing.gtin]
        for thing in floor[:4]:
            stock.move(thing, "backroom")
        stock.new_item(floor[0].gtin or "", "receiving")
        await eventually(lambda: ours(gateway) == rig.truth())
        await rig.counted(gateway, consumer)
        assert consumer.store.hash() == payloads.stock_hash(
            (row.gtin, row.zone, row.quantity, row.confirmed) for row in (await gateway.ledger.stock()).rows
        )
        assert not consumer.counters.findings
        seqs = heard.seqs()
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        state = heard.latest(rig.topics.reader_state("reader-back"), ReaderStatus)
        assert state.state == "reading"
        assert state.antennas == dict.fromkeys("1234", "up")


async def test_what_leaves_by_the_exit_departs(rig: Rig) -> None:
    door = "settle_s = 1\nexit_silence_s = 1\nmove_weight = 0.0\nmove_dwell_s = 0.2"
    async with rig.gateway(rig.text(zone={"exit": door})) as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        thing = next(thing for thing in rig.shop.stock.within("floor") if thing.gtin)
        rig.shop.stock.move(thing, "exit")
        await rig.counted(gateway, consumer)
        rig.shop.stock.move(thing, None)
        await rig.counted(gateway, consumer)
        assert gateway.line.transitions["departed"] == 1


# -- trouble with readers ---------------------------------------------------------------------------------------------


async def trouble_comes(rig: Rig, gateway: Gateway, heard: Listener) -> None:
    """While the front reader is away its zones are stale, nothing departs, people are told."""
    seq = gateway.ledger.position.seq
    await eventually(lambda: all(state(gateway, zone) is ZoneState.STALE for zone in FRONT))
    assert all(state(gateway, zone) is ZoneState.OK for zone in BACK)
    wanted = {("reader_down", "reader-front"), *(("zone_stale", zone) for zone in FRONT)}
    await eventually(lambda: standing(gateway) == wanted)
    await heard.until(lambda: health(heard, "floor")[-1] == "stale")
    await heard.until(lambda: {alert.subject for alert in heard.alerts("zone_stale")} == set(FRONT))
    # Between two attempts it is connecting, and nothing is wrong with that.
    topic = rig.topics.reader_state("reader-front")
    statuses = [ReaderStatus.model_validate_json(one.payload) for one in heard.said(topic)]
    assert [status.error.hint for status in statuses if status.error is not None]
    assert ours(gateway) == rig.truth()
    assert gateway.ledger.position.seq == seq, "an outage changes no stock"


async def well_again(rig: Rig, gateway: Gateway, consumer: Consumer, heard: Listener) -> None:
    await all_ok(gateway)
    await eventually(lambda: not standing(gateway))
    await heard.until(lambda: health(heard, "floor")[-1] == "ok")
    statuses = [alert.status for alert in heard.alerts("reader_down")]
    assert statuses == ["raised", "cleared"] * (len(statuses) // 2)
    await rig.counted(gateway, consumer)
    assert "departed" not in gateway.line.transitions


async def test_a_reader_that_is_cut_off_and_comes_back(rig: Rig) -> None:
    # Silence would be a departure within a second, were it not for the zone's health.
    quick = "settle_s = 1\nmissing_floor_s = 0.5\ndeparted_floor_s = 0.6\nsilence_ceiling_s = 0.7\nexit_silence_s = 1"
    async with rig.gateway(rig.text(zone={"floor": quick})) as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        await all_ok(gateway)
        async with rig.listener() as heard:
            server = rig.servers["reader-front"]
            await server.stop()
            await trouble_comes(rig, gateway, heard)
            await server.start("127.0.0.1", rig.ports["reader-front"])
            await well_again(rig, gateway, consumer, heard)


async def test_a_reader_that_hangs_with_its_link_up(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        await all_ok(gateway)
        async with rig.listener() as heard:
            rig.servers["reader-front"].freeze()
            await trouble_comes(rig, gateway, heard)
            rig.servers["reader-front"].thaw()
            await well_again(rig, gateway, consumer, heard)


async def test_an_antenna_that_is_pulled_makes_its_zone_wait(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer() as consumer, rig.listener() as heard:
        await rig.counted(gateway, consumer)
        await all_ok(gateway)
        server = rig.servers["reader-front"]
        server.set_antenna(1, connected=False)
        await heard.until(lambda: health(heard, "floor")[-1] == "degraded")
        server.set_antenna(2, connected=False)
        await eventually(lambda: state(gateway, "floor") is ZoneState.STALE)
        await eventually(
            lambda: (
                standing(gateway)
                == {("antenna_down", "reader-front:1"), ("antenna_down", "reader-front:2"), ("zone_stale", "floor")}
            )
        )
        assert state(gateway, "checkout") is ZoneState.OK
        await heard.until(lambda: health(heard, "floor")[-1] == "stale")
        for antenna in (1, 2):
            server.set_antenna(antenna, connected=True)
        await well_again(rig, gateway, consumer, heard)


@pytest.mark.parametrize(
    "wire",
    [
        Wire(not_llrp=True),
        Wire(garbage=bytes(range(256)), garbage_at=700),
        Wire(cut_after=333),
        Wire(garbage=b"\xff" * 5_000, garbage_at=0),
    ],
    ids=["not-llrp", "garbage", "cut-in-a-frame", "garbage-at-once"],
)
async def test_a_bad_wire_hurts_one_reader_alone(rig: Rig, wire: Wire) -> None:
    front = {key: count for key, count in rig.truth().items() if key[1] in FRONT}
    async with hostile_wire(rig.ports["reader-back"], wire) as hostile:
        text = rig.text().replace(f":{rig.ports['reader-back']}", f":{hostile.port}")
        async with rig.gateway(text) as gateway, rig.consumer() as consumer:
            await eventually(lambda: front.items() <= ours(gateway).items())
            await eventually(lambda: hostile.connections >= 2)
            member = gateway.fleet.members["reader-back"]
            assert sum(member.failures.values()) >= 1
            assert member.state.fault is None or member.state.fault.hint
            assert ("reader_down", "reader-back") in standing(gateway)
            await in_step(gateway, consumer)
            # The wire is mended: the rest is counted too.
            hostile.wire = Wire()
            hostile.cut()
            await rig.counted(gateway, consumer)


async def test_one_byte_at_a_time_changes_nothing(rig: Rig) -> None:
    async with hostile_wire(rig.ports["reader-back"], Wire(chunk_bytes=1)) as hostile:
        text = rig.text().replace(f":{rig.ports['reader-back']}", f":{hostile.port}")
        async with rig.gateway(text) as gateway, rig.consumer() as consumer:
            await rig.counted(gateway, consumer)
            assert not gateway.fleet.members["reader-back"].failures


# -- another configuration --------------------------------------------------------------------------------------------


async def test_a_zone_that_is_removed_goes_to_zero_before_its_topic_is_cleared(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        sessions = rig.servers["reader-front"].connections
        async with rig.listener() as heard:
            later = await gateway.reconfigure(rig.config(rig.text(without_zones=("backroom",))))
            assert later == []
            topic = rig.topics.zone_health("backroom")
            await heard.until(lambda: bool(heard.said(topic)) and not heard.said(topic)[-1].payload)
            cleared = max(i for i, one in enumerate(heard.messages) if one.topic == topic)
            deltas = [
                (i, Delta.model_validate_json(one.payload))
                for i, one in enumerate(heard.messages)
                if one.topic == rig.topics.delta
            ]
            leaving = [(i, delta) for i, delta in deltas if "config" in delta.causes]
            assert leaving
            assert max(i for i, _ in leaving) < cleared
            gone = [change for _, delta in leaving for change in delta.changes]
            assert {change.zone for change in gone} == {"backroom"}
            assert {change.quantity for change in gone} == {0}
        await in_step(gateway, consumer)
        assert "backroom" not in {zone for _, zone in theirs(consumer)}
        assert rig.servers["reader-front"].connections == sessions, "an unchanged reader is left alone"


async def test_its_topic_waits_for_deltas_that_the_broker_has_not_taken(rig: Rig, broker: Broker) -> None:
    broker.acl = ["topic readwrite #", "topic deny tallygate/v1/store/gw/stock/delta"]
    await broker.restart()
    topic = rig.topics.zone_health("backroom")
    async with rig.gateway() as gateway:
        await eventually(lambda: ours(gateway) == rig.truth())
        await eventually(lambda: gateway.backlog > 0)
        await gateway.reconfigure(rig.config(rig.text(without_zones=("backroom",))))
        async with rig.listener() as heard:
            await heard.until(lambda: rig.topics.zone_health("floor") in {one.topic for one in heard.messages})
            assert all(one.payload for one in heard.said(topic))
        broker.acl = ["topic readwrite #"]
        await broker.restart()
        async with rig.listener("second") as heard, rig.consumer() as consumer:
            await eventually(lambda: gateway.retained.payload(topic) == b"")
            assert gateway.backlog == 0
            await in_step(gateway, consumer)
            await eventually(lambda: not gateway.retained._dirty)
        async with rig.listener("third") as heard:
            await heard.first(rig.topics.zone_health("floor"))
            assert not heard.said(topic)


async def test_a_zone_that_is_renamed_while_the_gateway_is_down_goes_to_zero_at_the_start(rig: Rig) -> None:
    async with rig.consumer() as consumer:
        async with rig.gateway() as gateway:
            await rig.counted(gateway, consumer)
            boot = gateway.ledger.position.boot
        async with rig.listener() as heard:
            text = rig.text(rename={"floor": "ground"})
            async with rig.gateway(text) as gateway:
                await eventually(lambda: "ground" in {zone for _, zone in ours(gateway)})
                topic = rig.topics.zone_health("floor")
                await heard.until(lambda: bool(heard.said(topic)) and not heard.said(topic)[-1].payload)
                cleared = max(i for i, one in enumerate(heard.messages) if one.topic == topic)
                assert heard.index(rig.topics.delta) < cleared
                await in_step(gateway, consumer)
                assert "floor" not in {zone for _, zone in theirs(consumer)}
                renamed = {(gtin, "ground" if zone == "floor" else zone): n for (gtin, zone), n in rig.truth().items()}
                await eventually(lambda: ours(gateway) == renamed)
                await in_step(gateway, consumer)
                assert gateway.ledger.position.boot == boot + 1


async def test_readers_and_zones_come_and_go(rig: Rig) -> None:
    async with rig.gateway(rig.text(without_readers=("reader-back",))) as gateway, rig.consumer() as consumer:
        await eventually(lambda: bool(ours(gateway)))
        await eventually(lambda: ("zone_stale", "backroom") in standing(gateway))
        await gateway.reconfigure(rig.config())
        await rig.counted(gateway, consumer)
        await all_ok(gateway)
        await gateway.reconfigure(rig.config(rig.text(without_readers=("reader-back",), without_zones=BACK)))
        assert set(gateway.fleet.members) == {"reader-front"}
        await eventually(lambda: not standing(gateway))
        await eventually(lambda: gateway.retained.payload(rig.topics.reader_state("reader-back")) == b"")
        await in_step(gateway, consumer)
        assert {zone for _, zone in theirs(consumer)} <= set(FRONT)
        # And back again: what was about to be cleared is spoken of again.
        await gateway.reconfigure(rig.config())
        await rig.counted(gateway, consumer)
        assert gateway.retained.payload(rig.topics.zone_health("backroom"))


async def test_what_needs_a_restart_is_told_and_left_as_it_is(rig: Rig) -> None:
    async with rig.gateway() as gateway:
        text = rig.text(mqtt='prefix = "other"\nkeepalive_s = 7').replace('id = "store"', 'id = "shop"')
        text = text.replace("settle_s = 1\n", "settle_s = 2\n")
        later = await gateway.reconfigure(rig.config(text))
        assert later == ["site", "mqtt"]
        assert gateway.status().site == "store"
        assert gateway.config.mqtt.keepalive_s == 15
        assert gateway.inventory.zones["floor"].params.presence.settle_s == 2
        # Told again until somebody restarts it or takes it back.
        assert await gateway.reconfigure(rig.config(text)) == ["site", "mqtt"]
        assert await gateway.reconfigure(rig.config()) == []


async def test_another_configuration_shows_in_the_state(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.listener() as heard:
        await heard.first(rig.topics.state)
        changed = rig.config(rig.text(zone={"floor": "settle_s = 9"}))
        await gateway.reconfigure(changed)
        await heard.until(lambda: heard.latest(rig.topics.state, payloads.State).config == changed.fingerprint)
        assert heard.latest(rig.topics.state, payloads.State).session == 1


# -- lives ------------------------------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_it_was(rig: Rig) -> None:
    async with rig.consumer() as consumer:
        async with rig.gateway() as gateway:
            await rig.counted(gateway, consumer)
            await all_ok(gateway)
        before = theirs(consumer)
        for server in rig.servers.values():
            await server.stop()
        async with rig.gateway() as again:
            position = again.ledger.position
            assert position.epoch == gateway.ledger.position.epoch
            assert position.boot == gateway.ledger.position.boot + 1
            assert position.seq >= gateway.ledger.position.seq
            assert ours(again) == before
            await in_step(again, consumer)
            assert theirs(consumer) == before == rig.truth()
            for name, server in rig.servers.items():
                await server.start("127.0.0.1", rig.ports[name])
            await all_ok(again)
            await rig.counted(again, consumer)
            # Learnt zones do not learn again.
            assert "arrived" not in again.line.transitions


async def test_a_restart_takes_up_what_silence_has_come_to_mean(rig: Rig) -> None:
    async with rig.opened() as gateway, beside(gateway.ledger.run()):
        here = next(iter(gateway.inventory.zones))
        tail = (TailRecord(0.0, 40.0, 9_000.0), TailRecord(15.0, 30.0, 8_000.0))
        learnt, strange = PoolRecord(here, 512.0, 1e6, 1.0, 2e-6, tail), PoolRecord(here, 3.0, 1e6, 1.0, 2e-6, tail)
        gone = PoolRecord("gone", 512.0, 1e6, 1.0, 2e-6, tail)
        await gateway.ledger.commit(Commit(pools=[learnt, strange, gone], learnt_zones=[here, "gone"]))
    async with rig.gateway() as again:
        pool = again.inventory.zones[here].pool(512.0, carried=False)
        assert pool is not None
        assert pool.saved == learnt
        assert pool.patience_s != Silences(512.0).patience_s
        await eventually(lambda: "gone" not in again.line.remembered)
    async with rig.opened() as last:
        assert {record.zone for record in await last.ledger.pools()} == {here}
        assert "gone" not in await last.ledger.learnt_zones()


async def test_another_name_is_refused_by_the_ledger(rig: Rig) -> None:
    async with rig.gateway():
        pass
    with pytest.raises(ledger.LedgerError, match="belongs to store/gw") as caught:
        async with rig.opened(rig.text().replace('gateway = "gw"', 'gateway = "gw-2"')):
            pass
    assert "names back" in caught.value.hint


async def test_the_limit_of_the_ledger_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "TRIM_EVERY_S", 0.1)
    rig.broker.kill()
    text = rig.text(ledger="max_bytes = 10_000_000")
    async with rig.gateway(text, online=False) as gateway:
        monkeypatch.setattr(ledger, "TRIM_AT_SHARE", 0.05)
        await write(gateway, 4_000)
        await eventually(lambda: gateway.alerts.raised[AlertKind.LEDGER_TRIMMED] > 0)
        assert gateway.trimmed.unsent > 0
        assert gateway.ledger.position.trimmed > 0
        await rig.broker.start()
        async with rig.consumer() as consumer:
            await eventually(lambda: gateway.backlog == 0)
            await in_step(gateway, consumer)


async def test_a_311_broker_does_too_and_its_weakness_is_said(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    text = rig.text(mqtt='protocol = "3.1.1"')
    assert connect_options(rig.config(text)).version == 311
    async with rig.gateway(text) as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
    assert "cannot say that it refuses" in caplog.text


async def test_dropped_reads_are_an_alert_that_clears(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.listener() as heard:
        await eventually(lambda: ours(gateway) == rig.truth())
        gateway.intake.dropped["reader-back"] = 1_000
        await heard.until(lambda: [one.status for one in heard.alerts("reads_dropped")] == ["raised", "cleared"])
        assert "1000 reads" in heard.alerts("reads_dropped")[0].text


async def test_nothing_stays_behind(rig: Rig, tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    sockets = _sockets()
    async with rig.gateway() as gateway:
        await eventually(lambda: ours(gateway) == rig.truth())
        assert _sockets() > sockets
    assert asyncio.all_tasks() == before
    await eventually(lambda: _sockets() <= sockets)
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(("-wal", "-shm"))]  # noqa: ASYNC240


def _sockets() -> int:
    """Open sockets of this process."""
    return sum("socket:" in str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())
