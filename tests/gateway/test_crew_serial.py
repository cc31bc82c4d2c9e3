"""Serial devices as the gateway keeps them: unplugged, back again, exchanged, and what their zones know of it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from config import Config
from config.loader import parse
from gateway import supervise
from gateway.alerts import AlertBoard
from gateway.clock import SystemClock
from gateway.crew import Crew
from gateway.domain.zones import ZoneState
from gateway.fleet import Fleet
from gateway.intake import Intake
from readers.model import ReaderCondition
from simulators.serial.bench import SerialBench, serial_bench
from simulators.serial.modbus import ModbusLine, laumas
from simulators.serial.scales import MtSicsScale, Pan

TEXT = """\
[site]
id = "s"
gateway = "g"
[mqtt]
url = "mqtt://b"
[[zones]]
id = "top"
kind = "shelf"
[[zones]]
id = "bottom"
kind = "shelf"
[[readers]]
id = "scale"
driver = "scale"
url = "serial://{folder}/scale"
dialect = "mt-sics"
[[readers.channels]]
channel = 1
zone = "top"
[[readers]]
id = "line"
driver = "modbus"
url = "serial://{folder}/line"
silence_s = 1.0
[[readers.channels]]
channel = 1
zone = "top"
slave = 1
profile = "laumas"
unit = "g"
decimals = 0
[[readers.channels]]
channel = 2
zone = "bottom"
slave = 2
profile = "laumas"
unit = "g"
decimals = 0
"""


class Shop:
    """The readers of TEXT, with what they are plugged into."""

    def __init__(self, config: Config) -> None:
        clock = SystemClock()
        self._news = asyncio.Event()
        self.fleet = Fleet(
            Intake(), clock, AlertBoard(clock.utc_us, lambda _: None), lambda _reader, _status: self._news.set()
        )
        self.crew = Crew(self.fleet, clock, Random(1))
        zones, _ = self.crew.plan(config, {}, {"top", "bottom"})
        self.top, self.bottom = zones

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def condition(self, reader: str) -> ReaderCondition:
        return self.fleet.members[reader].state.condition

    def fault(self, reader: str) -> str:
        fault = self.fleet.members[reader].state.fault
        return "" if fault is None else fault.kind


async def test_what_zones_know_of_their_serial_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise.Backoff, "pause_s", lambda _: 0.05)
    config = parse(TEXT.format(folder=tmp_path), tmp_path / "t.toml", {})
    shop, slaves = Shop(config), [laumas(1, Pan(1.0)), laumas(2, Pan(2.0))]
    with (
        serial_bench(tmp_path / "scale", MtSicsScale(Pan(5.0), "A")) as scale,
        serial_bench(tmp_path / "line", ModbusLine(slaves)) as line,
    ):
        async with shop.crew.running(config):
            await shop.until(lambda: shop.top.state is shop.bottom.state is ZoneState.OK)
            await exchanged(shop, scale)
            slaves[0].dead = True
            await shop.until(lambda: shop.top.state is ZoneState.DEGRADED)
            assert shop.condition("line") is ReaderCondition.READING, "its other device goes on"
            slaves[1].dead = True
            await shop.until(lambda: shop.bottom.state is ZoneState.STALE)
            await shop.until(lambda: shop.fault("line") == "silent")
            slaves[0].dead = slaves[1].dead = False
            await shop.until(lambda: shop.top.state is shop.bottom.state is ZoneState.OK)
            line.unplug()
            await shop.until(lambda: shop.bottom.state is ZoneState.STALE)
    assert shop.condition("scale") is ReaderCondition.STOPPED
    assert shop.condition("line") is ReaderCondition.FAILED


async def exchanged(shop: Shop, scale: SerialBench) -> None:
    """The scale is pulled out, another one is plugged in by mistake, then the right one again."""
    scale.unplug()
    await shop.until(lambda: shop.fault("scale") == "no_device")
    assert shop.top.state is ZoneState.DEGRADED
    scale.plug(MtSicsScale(Pan(999.0), "B"))
    await shop.until(lambda: shop.fault("scale") == "another_device")
    assert shop.top.state is ZoneState.DEGRADED
    scale.plug(MtSicsScale(Pan(5.0), "A"))
    await shop.until(lambda: shop.top.state is ZoneState.OK)
