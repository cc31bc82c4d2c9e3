import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from config import Config
from config.effective import Reader
from config.loader import parse
from gateway import crew as module
from gateway.alerts import AlertBoard
from gateway.clock import SystemClock
from gateway.crew import Crew, Shared
from gateway.domain.zones import LiveZone, ZoneState
from gateway.fleet import Fleet
from gateway.intake import Intake
from readers.driver import Clock, Driver, Sink
from readers.model import ReaderCondition, ReaderState
from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.dialer import dial_out
from simulators.llrp.names import ROSpecState
from simulators.llrp.personality import Personality
from simulators.llrp.server import serve_reader
from tests.gateway.shop import HandClock
from tests.rig import eventually

TEXT = """\
[site]
id = "store-0042"
gateway = "gw-1"
[mqtt]
url = "mqtt://broker.example"
[[zones]]
id = "floor"
kind = "sales_floor"
[[zones]]
id = "back"
kind = "backroom"
[[readers]]
id = "ceiling-1"
driver = "llrp"
url = "llrp://10.0.0.11"
antennas = { 1 = "floor", 2 = "back" }
[[readers]]
id = "ceiling-2"
driver = "llrp"
url = "llrp://10.0.0.12"
antennas = { 1 = "floor" }
"""

THIRD = """\
[[readers]]
id = "ceiling-3"
driver = "llrp"
url = "llrp://10.0.0.13"
antennas = { 1 = "floor" }
"""


def config(text: str = TEXT) -> Config:
    return parse(text, Path("/nowhere/tallygate.toml"), {})


class Device:
    """A driver that reads from its first moment to its cancellation."""

    def __init__(self, reader: str, log: list[str], woken: asyncio.Event) -> None:
        self.reader = reader
        self._log = log
        self._woken = woken

    async def run(self, sink: Sink) -> None:
        self._log.append(f"+{self.reader}")
        sink(ReaderState(self.reader, ReaderCondition.READING))
        self._woken.set()
        try:
            await asyncio.Event().wait()
        finally:
            sink(ReaderState(self.reader, ReaderCondition.STOPPED))
            self._log.append(f"-{self.reader}")


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.woken = asyncio.Event()
        self.clock = HandClock()
        alerts = AlertBoard(self.clock.utc_us, lambda _: None)
        self.fleet = Fleet(Intake(), self.clock, alerts, lambda _reader, _status: None)
        self.crew = Crew(self.fleet, self.clock, Random(1))
        monkeypatch.setitem(module.DRIVERS, "llrp", self.device)

    def device(self, reader: Reader, _clock: Clock, _shared: Shared) -> Driver:
        return Device(reader.id, self.log, self.woken)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():
                self.woken.clear()
                await self.woken.wait()


def test_the_plan_maps_antennas_to_zones_and_remembers_who_has_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Bench(monkeypatch).crew
    zones, zone_of = crew.plan(config(), {}, {"floor"})
    floor, back = zones
    assert zone_of == {("ceiling-1", 1): floor, ("ceiling-1", 2): back, ("ceiling-2", 1): floor}
    assert (floor.learning, back.learning) == (False, True)
    assert floor.antennas == {("ceiling-1", 1), ("ceiling-2", 1)}
    assert floor.state is ZoneState.STALE


def test_a_new_plan_keeps_the_zones_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Bench(monkeypatch).crew
    zones, _ = crew.plan(config(), {}, ())
    present: dict[str, LiveZone] = {zone.id: zone for zone in zones}
    text = TEXT.replace('2 = "back"', '2 = "floor"').replace('id = "back"', 'id = "till"')
    again, zone_of = crew.plan(config(text), present, ())
    assert again[0] is zones[0]
    assert [zone.id for zone in again] == ["floor", "till"]
    assert zone_of["ceiling-1", 2] is zones[0]
    assert len(zones[0].antennas) == 3


async def test_all_readers_run_while_the_context_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    test = Bench(monkeypatch)
    zones, _ = test.crew.plan(config(), {}, {"floor", "back"})
    async with test.crew.running(config()):
        await test.until(lambda: len(test.log) == 2)
        assert [zone.state for zone in zones] == [ZoneState.OK, ZoneState.OK]
        assert test.fleet.members["ceiling-1"].state.condition is ReaderCondition.READING
    assert sorted(test.log) == ["+ceiling-1", "+ceiling-2", "-ceiling-1", "-ceiling-2"]
    assert [zone.state for zone in zones] == [ZoneState.STALE, ZoneState.STALE]


async def test_only_readers_that_changed_are_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    test = Bench(monkeypatch)
    old = config()
    zones, _ = test.crew.plan(old, {}, ())
    async with test.crew.running(old):
        await test.until(lambda: len(test.log) == 2)
        test.log.clear()
        new = config(TEXT.replace("10.0.0.12", "10.0.0.99") + THIRD)
        test.crew.plan(new, {zone.id: zone for zone in zones}, ())
        assert await test.crew.apply(old, new) == []
        await test.until(lambda: len(test.log) == 3)
        assert (test.log[0], sorted(test.log[1:])) == ("-ceiling-2", ["+ceiling-2", "+ceiling-3"])
        test.log.clear()
        fewer = replace(new, readers=new.readers[:1])
        test.crew.plan(fewer, {zone.id: zone for zone in zones}, ())
        assert sorted(await test.crew.apply(new, fewer)) == ["ceiling-2", "ceiling-3"]
        assert sorted(test.log) == ["-ceiling-2", "-ceiling-3"]
        assert list(test.fleet.members) == ["ceiling-1"]
        assert zones[0].antennas == {("ceiling-1", 1)}
    assert test.log[-1] == "-ceiling-1"


async def test_a_zone_that_moved_to_another_reader_does_not_wait_for_the_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reader that is being stopped still says so to the zones that it used to look into."""
    test = Bench(monkeypatch)
    old = config()
    zones, _ = test.crew.plan(old, {}, {"floor", "back"})
    floor, back = zones
    async with test.crew.running(old):
        await test.until(lambda: len(test.log) == 2)
        new = config(TEXT.replace('{ 1 = "floor", 2 = "back" }', '{ 2 = "back" }'))
        test.crew.plan(new, {zone.id: zone for zone in zones}, ())
        await test.crew.apply(old, new)
        await test.until(lambda: len(test.log) == 4)
        assert [floor.state, back.state] == [ZoneState.OK, ZoneState.OK]


# --- Real readers --------------------------------------------------------------------------------------------------


def at_ports(first: int, second: int) -> str:
    """`ceiling-1` looks into the back room and has a lamp for the floor, which `ceiling-2` looks at."""
    lamps = 'outputs = [{ port = 2, on = "zone_stale", zone = "floor" }]'
    text = TEXT.replace('{ 1 = "floor", 2 = "back" }', f'{{ 2 = "back" }}\n{lamps}')
    return text.replace("10.0.0.11", f"127.0.0.1:{first}").replace("10.0.0.12", f"127.0.0.1:{second}")


async def test_a_lamp_is_lit_at_one_reader_while_the_zone_of_another_is_stale() -> None:
    clock = SystemClock()
    fleet = Fleet(Intake(), clock, AlertBoard(clock.utc_us, lambda _: None), lambda _reader, _status: None)
    crew = Crew(fleet, clock, Random(1))
    async with serve_reader(ReaderDevice(FixedField({}))) as lit, serve_reader(ReaderDevice(FixedField({}))) as seen:
        both = config(at_ports(lit.port, seen.port))
        zones, _ = crew.plan(both, {}, ())
        floor = zones[0]
        outputs = lit.device.configuration
        async with crew.running(both):
            await eventually(lambda: floor.state is not ZoneState.STALE and lit.connected and outputs.outputs[2] == 0)
            await seen.stop()
            await eventually(lambda: floor.state is ZoneState.STALE and outputs.outputs[2] == 1)
            await seen.start("127.0.0.1", seen.port)
            await eventually(lambda: floor.state is not ZoneState.STALE and outputs.outputs[2] == 0)
            # A configuration that takes the floor's reader away leaves the lamp on, and that reader idle.
            alone = replace(both, readers=both.readers[:1])
            crew.plan(alone, {zone.id: zone for zone in zones}, ())
            assert await crew.apply(both, alone) == ["ceiling-2"]
            await eventually(lambda: outputs.outputs[2] == 1 and not seen.connected)
            assert seen.device.operations.rospec_parameters() == ()
        await eventually(lambda: not lit.connected)
        # Dark once we have left.
        assert set(outputs.outputs.values()) == {0}
        (kept,) = lit.device.operations.rospec_parameters()
        assert kept.num("CurrentState") == ROSpecState.ACTIVE


# --- Readers that dial in ------------------------------------------------------------------------------------------

EUI = "001625fffe00000{}"


def listening(port: int, *numbers: int, keepalive_s: int = 5) -> Config:
    readers = "".join(
        f"""
[[readers]]
id = "dials-{number}"
driver = "llrp"
url = "llrp+listen://127.0.0.1:{port}"
identity = "eui64:{EUI.format(number)}"
antennas = {{ 1 = "floor" }}
keepalive_s = {keepalive_s}
"""
        for number in numbers
    )
    return config(TEXT[: TEXT.index("[[readers]]")] + readers)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


async def test_readers_that_dial_in_come_and_go_with_the_configuration() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    clock, news = SystemClock(), asyncio.Event()
    fleet = Fleet(Intake(), clock, AlertBoard(clock.utc_us, lambda _: None), lambda _reader, _status: news.set())
    crew = Crew(fleet, clock, Random(1))

    async def until_reading(*numbers: int) -> None:
        async with asyncio.timeout(10):
            while {name for name, one in fleet.members.items() if one.state.condition is ReaderCondition.READING} != {
                f"dials-{number}" for number in numbers
            }:
                news.clear()
                await news.wait()

    first, fewer, more = listening(port, 1, 2), listening(port, 1), listening(port, 1, 2, 3)
    changed = listening(port, 1, 2, 3, keepalive_s=9)
    async with AsyncExitStack() as stack:
        dialers = []
        for number in (1, 2, 3):
            device = ReaderDevice(FixedField({}), Personality(reader_id=bytes.fromhex(EUI.format(number))))
            dialers.append(await stack.enter_async_context(dial_out(device, port)))
        zones, _ = crew.plan(first, {}, ())
        present = {zone.id: zone for zone in zones}
        async with crew.running(first):
            await until_reading(1, 2)
            assert fleet.members["dials-1"].state.address == f"eui64:{EUI.format(1)} at 127.0.0.1:{port}"
            untouched = dialers[0].connections
            for old, new, numbers in ((first, fewer, (1,)), (fewer, more, (1, 2, 3))):
                crew.plan(new, present, ())
                await crew.apply(old, new)
                await until_reading(*numbers)
            assert dialers[0].connections == untouched
            crew.plan(changed, present, ())
            await crew.apply(more, changed)
            await until_reading(1, 2, 3)
            assert dialers[0].connections == untouched + 1
        assert is_free(port)
        assert {member.state.condition for member in fleet.members.values()} == {ReaderCondition.STOPPED}
