from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from gateway.alerts import AlertKind
from gateway.daemon import Gateway
from tests.broker import Broker
from tests.rig import Rig, eventually, hurry, in_step, ours

BOUNDED_LABELS = {"reader", "antenna", "zone", "reason", "state", "cause", "input", "kind", "verb"}
# What the client library tells of the process itself.
OF_THE_PROCESS = ("process_", "python_")


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, items=12) as one:
        yield one


async def scrape(gateway: Gateway) -> dict[str, Metric]:
    """Every family, as Prometheus reads it."""
    assert gateway.http_address is not None
    url = "http://{}:{}/metrics".format(*gateway.http_address)
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family: Metric) -> dict[str, float]:
    return {",".join(sample.labels.values()): sample.value for sample in family.samples}


async def test_what_prometheus_sees_is_what_the_gateway_counts(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        await eventually(lambda: gateway.backlog == 0)
        gateway.alerts.once(AlertKind.CLOCK_JUMP, "reader-back", "it jumped", "look at it")
        families = await scrape(gateway)
        for name, family in families.items():
            assert name.startswith(("tallygate_", *OF_THE_PROCESS))
            assert family.documentation
            if name.startswith(OF_THE_PROCESS):
                continue
            for sample in family.samples:
                assert set(sample.labels) <= BOUNDED_LABELS
                if family.type == "counter":
                    assert sample.name.endswith("_total")
        gtins = {gtin for gtin, _ in ours(gateway)}
        labels = {value for family in families.values() for one in family.samples for value in one.labels.values()}
        assert not gtins & labels
        assert not {label for label in labels if len(label) > 64}
        per_zone: dict[str, float] = dict.fromkeys(gateway.inventory.zones, 0.0)
        for (_, zone), quantity in ours(gateway).items():
            per_zone[zone] += quantity
        assert values(families["tallygate_stock_items"]) == per_zone
        assert values(families["tallygate_reader_up"]) == dict.fromkeys(gateway.fleet.members, 1.0)
        reads = values(families["tallygate_reader_reads"])
        assert all(reads[name] > 0 for name in gateway.fleet.members)
        assert values(families["tallygate_uplink_up"]) == {"": 1.0}
        assert values(families["tallygate_uplink_backlog_deltas"]) == {"": 0.0}
        assert values(families["tallygate_ledger_seq"]) == {"": float(gateway.ledger.position.seq)}
        assert values(families["tallygate_alerts"])["clock_jump"] == 1.0
        health = families["tallygate_zone_health"].samples
        for zone in gateway.inventory.zones:
            assert sum(sample.value for sample in health if sample.labels["zone"] == zone) == 1.0


async def test_temperature_and_inputs_show_as_the_readers_tell_them(rig: Rig) -> None:
    barrier = "start_gpi = { port = 3 }\nstop_gpi = { port = 3, level = 'low' }"
    text = rig.text().replace("keepalive_s = 1", f"keepalive_s = 1\n{barrier}", 1)
    first, second = rig.servers
    async with rig.gateway(text) as gateway:
        members = gateway.fleet.members
        await eventually(lambda: all(member.state.temperature_c is not None for member in members.values()))
        server = rig.servers[first]
        for high in (True, False):
            server.set_input(3, high=high)
            await eventually(lambda high=high: members[first].state.inputs == {3: high})  # type: ignore[misc]  # bound early
            families = await scrape(gateway)
            assert values(families["tallygate_reader_temperature_celsius"]) == {first: 41.0, second: 41.0}
            assert values(families["tallygate_reader_input_state"]) == {f"3,{first}": float(high)}


async def test_events_of_items_show_where_they_are_asked_for(rig: Rig) -> None:
    names = {"tallygate_item_events", "tallygate_item_events_dropped"}
    async with rig.gateway() as gateway:
        assert not names & (await scrape(gateway)).keys()
    async with rig.gateway('[epcis]\nplaces = "https://shop.example/"\n' + rig.text()) as gateway:
        rig.shop.stock.move(rig.shop.stock.pick("floor", 1)[0], "backroom")
        await eventually(lambda: gateway.item_events is not None and gateway.item_events.taken > 0)
        families = await scrape(gateway)
        assert values(families["tallygate_item_events"])[""] >= 1.0
        assert values(families["tallygate_item_events_dropped"]) == {"": 0.0}


async def test_what_is_no_stock_is_counted_by_its_reason(rig: Rig) -> None:
    async with rig.gateway() as gateway:
        await eventually(lambda: sum(gateway.ignored_tags.values()) >= 3)
        ignored = values((await scrape(gateway))["tallygate_tags_ignored"])
        assert sum(ignored.values()) == sum(gateway.ignored_tags.values())
        assert len(ignored) > 1


async def test_a_broker_that_is_gone_shows(rig: Rig) -> None:
    async with rig.gateway() as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        rig.broker.kill()
        await eventually(lambda: not gateway.uplink.connected)
        tried = gateway.uplink.session
        families = await scrape(gateway)
        assert values(families["tallygate_uplink_up"]) == {"": 0.0}
        # It goes on trying meanwhile.
        assert tried <= values(families["tallygate_uplink_sessions"])[""] <= gateway.uplink.session
        await rig.broker.start()
        await in_step(gateway, consumer)
