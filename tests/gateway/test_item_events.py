import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import item_events
from gateway.daemon import Gateway
from gateway.domain import epc
from gateway.domain.items import Cause, Identity, Item, Transition
from gateway.domain.params import Zone, ZoneKind
from gateway.domain.presence import Presence
from gateway.domain.zones import LiveZone
from gateway.item_events import ItemEvents, local_offset
from gateway.tasks import beside
from simulators.stock import Thing
from tests.broker import Broker
from tests.gateway.events import AT_US, GTIN, PLACES
from tests.rig import Listener, Rig, cut_uplinks, eventually, hurry, in_step, ours

TABLE = f'[epcis]\nplaces = "{PLACES}"\n'


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, items=20) as one:
        yield one


def text(rig: Rig) -> str:
    return TABLE + rig.text()


def events(listener: Listener) -> list[dict[str, Any]]:
    said = listener.said(listener.topics.item_events)
    assert not any(message.retain for message in said)
    assert {message.properties.content_type for message in said} <= {"application/json"}
    return [json.loads(message.payload) for message in said]


def uri_of(thing: Thing) -> str:
    link = epc.decode(thing.epc, 96).digital_link
    assert link is not None
    return link


def places(listener: Listener) -> Counter[str]:
    """Zone -> how many items the events leave there, each item by its last event."""
    last = {event["epcList"][0]: event.get("bizLocation", {"id": PLACES})["id"] for event in events(listener)}
    return Counter(where.removeprefix(PLACES) for where in last.values())


def totals(gateway: Gateway) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, zone), quantity in ours(gateway).items():
        found[zone] += quantity
    return found


async def test_each_item_that_comes_or_moves_is_told_once(rig: Rig) -> None:
    async with rig.listener() as heard, rig.gateway(text(rig)) as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        await heard.until(lambda: places(heard) == totals(gateway))
        assert all(event["action"] == "OBSERVE" for event in events(heard))
        before = len(events(heard))
        moved = rig.shop.stock.pick("floor", 3)
        for thing in moved:
            rig.shop.stock.move(thing, "backroom")
        await rig.counted(gateway, consumer)
        await heard.until(lambda: places(heard) == totals(gateway))
        told = {event["epcList"][0]: event for event in events(heard)[before:]}
        assert told.keys() == {uri_of(thing) for thing in moved}
        assert {(one["bizStep"], one["disposition"], one["readPoint"]["id"]) for one in told.values()} == {
            ("storing", "sellable_not_accessible", PLACES + "backroom")
        }
        ids = [event["eventID"] for event in events(heard)]
        assert len(set(ids)) == len(ids)
        assert gateway.item_events is not None
        await eventually(lambda: gateway.item_events is not None and gateway.item_events.taken == len(ids))
        assert gateway.item_events.dropped == 0


async def test_nothing_is_said_unless_it_is_asked_for(rig: Rig) -> None:
    async with rig.listener() as heard, rig.gateway() as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        assert gateway.item_events is None
        assert events(heard) == []


async def test_what_a_lost_connection_may_have_lost_is_the_same_event_again(rig: Rig) -> None:
    async with rig.listener() as heard, rig.gateway(text(rig)) as gateway, rig.consumer() as consumer:
        await rig.counted(gateway, consumer)
        await heard.until(lambda: places(heard) == totals(gateway))
        for _ in range(4):
            for thing in rig.shop.stock.pick("floor", 2):
                rig.shop.stock.move(thing, "backroom")
            cut_uplinks()
            await rig.counted(gateway, consumer)
            await heard.until(lambda: places(heard) == totals(gateway))
        by_id: dict[str, dict[str, Any]] = {}
        for event in events(heard):
            assert by_id.setdefault(event["eventID"], event) == event
        assert len(by_id) == sum(totals(gateway).values()) + 8


async def test_the_oldest_go_where_too_many_wait(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker is away while the shop is counted for the first time; stock is exact all the same."""
    monkeypatch.setattr(item_events, "MAX_WAITING_EVENTS", 5)
    rig.broker.kill()
    async with rig.gateway(text(rig), online=False) as gateway:
        await eventually(
            lambda: gateway.item_events is not None and gateway.item_events.dropped == sum(rig.truth().values()) - 5
        )
        await rig.broker.start()
        async with rig.listener() as heard, rig.consumer() as consumer:
            await in_step(gateway, consumer)
            await eventually(lambda: gateway.item_events is not None and gateway.item_events.taken == 5)
            assert len(events(heard)) <= 5


class Wire:
    """A connection's side of the events: what was published, by token."""

    def __init__(self, events: ItemEvents) -> None:
        self.said: dict[int, str] = {}
        self.deltas_gone = asyncio.Event()
        self._running = events.run(self._publish, self._until_deltas_gone)

    def _publish(self, payload: bytes) -> int:
        self.said[len(self.said)] = json.loads(payload)["epcList"][0].rpartition("/")[2]
        return len(self.said) - 1

    async def _until_deltas_gone(self) -> None:
        await self.deltas_gone.wait()

    def running(self) -> AbstractAsyncContextManager[None]:
        return beside(self._running)


def arrivals(*serials: str) -> list[Transition]:
    zone = LiveZone(Zone("floor", ZoneKind.SALES_FLOOR), (), learning=False, now_us=0)
    return [
        Transition(Item(Identity(GTIN, serial), [], 0), Presence.GLIMPSED, None, Presence.PRESENT, zone, Cause.ARRIVED)
        for serial in serials
    ]


async def idle() -> None:
    """Until all that can run has run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_deltas_go_first_and_few_are_in_flight() -> None:
    events = ItemEvents(PLACES)
    events.tell(arrivals(*(str(number) for number in range(30))), AT_US)
    wire = Wire(events)
    async with wire.running():
        await idle()
        assert not wire.said
        wire.deltas_gone.set()
        await idle()
        assert list(wire.said.values()) == [str(number) for number in range(item_events.MAX_EVENTS_IN_FLIGHT)]
        wire.deltas_gone.clear()
        events.settled(0, taken=True)
        await idle()
        assert len(wire.said) == item_events.MAX_EVENTS_IN_FLIGHT
        wire.deltas_gone.set()
        await idle()
        assert len(wire.said) == item_events.MAX_EVENTS_IN_FLIGHT + 1
    assert events.taken == 1


async def test_what_was_not_acknowledged_goes_over_the_next_connection_in_order() -> None:
    events = ItemEvents(PLACES)
    events.tell(arrivals("a", "b", "c"), AT_US)
    first, second = Wire(events), Wire(events)
    first.deltas_gone.set()
    async with first.running():
        await idle()
        events.settled(1, taken=True)
    events.tell(arrivals("d"), AT_US)
    second.deltas_gone.set()
    async with second.running():
        await idle()
        assert list(second.said.values()) == ["a", "c", "d"]


async def test_what_only_falls_silent_goes_nowhere() -> None:
    events = ItemEvents(PLACES)
    (made,) = arrivals("a")
    zone = made.entered
    quiet = Transition(made.item, Presence.PRESENT, zone, Presence.MISSING, zone, Cause.CONFIRMED)
    left = Transition(made.item, Presence.MISSING, zone, Presence.DEPARTED, None, Cause.DEPARTED)
    again = Transition(made.item, Presence.DEPARTED, None, Presence.GLIMPSED, zone, Cause.RETURNED)
    events.tell([quiet, left, again], AT_US)
    wire = Wire(events)
    wire.deltas_gone.set()
    async with wire.running():
        await idle()
        assert list(wire.said.values()) == ["a"]


def test_the_local_time_is_that_of_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """Berlin, in November and in July."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        assert local_offset(AT_US) == timedelta(hours=1)
        assert local_offset(AT_US - 120 * 86_400_000_000) == timedelta(hours=2)
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_events_that_the_broker_refuses_hold_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    acl = ("topic readwrite #", "topic deny +/+/+/+/items/event")
    async with (
        Broker(tmp_path / "broker", acl=acl) as broker,
        Rig(tmp_path, broker, items=20) as rig,
        rig.listener() as heard,
        rig.gateway(text(rig)) as gateway,
        rig.consumer() as consumer,
    ):
        await rig.counted(gateway, consumer)
        await eventually(lambda: gateway.item_events is not None and gateway.item_events.dropped == 20)
        await heard.until(lambda: bool(heard.alerts("publish_refused")))
        assert {alert.subject for alert in heard.alerts("publish_refused")} == {"items/event"}
        assert events(heard) == []
