"""Beside other people's work: an emulator of a scale that follows the manual less closely than a scale does."""

from pathlib import Path

import pytest
from mtsics.core.state import ScaleState
from mtsics.protocol.engine import MTSICSEngine

from gateway.clock import SystemClock
from readers.model import ReaderCondition, WeightCondition
from readers.port.settings import PortSettings
from readers.scales.driver import ScaleDriver
from readers.scales.settings import Dialect, ScaleSettings
from simulators.serial.bench import serial_bench
from tests.readers.running import Collector, running

STABLE, MOVING = WeightCondition.STABLE, WeightCondition.MOVING


class Emulated:
    """The emulator's engine at the end of a line; the streaming is its transports' business, so it is done here."""

    wake_s: float | None = None

    def __init__(self, *, streams: bool) -> None:
        self.state = ScaleState()
        self._engine = MTSICSEngine(self.state)
        self._streams = streams
        self._pending = b""

    def feed(self, data: bytes) -> list[tuple[float, bytes]]:
        said: list[str] = []
        *lines, self._pending = (self._pending + data).split(b"\r\n")
        for line in lines:
            command = line.decode()
            said.append("ES\r\n" if command == "SIR" and not self._streams else self._engine.handle(command))
        if not data and self._engine.sir_active:
            said.append(self._engine.handle("S"))
        self.wake_s = 0.05 if self._engine.sir_active else None
        return [(0.0, text.encode()) for text in said]


@pytest.mark.parametrize("streams", [True, False], ids=["streaming", "asked, and answering SI S"])
async def test_an_emulated_scale(tmp_path: Path, streams: bool) -> None:
    sink, scale = Collector(), Emulated(streams=streams)
    unit_grams = {"kg": 1000.0, "g": 1.0}[scale.state.config.unit]
    scale.state.set_weight(12.5)
    settings = ScaleSettings(PortSettings(str(tmp_path / "port")), (1,), Dialect.MT_SICS)
    with serial_bench(tmp_path / "port", scale):
        async with running(ScaleDriver("r", settings, SystemClock()), sink):
            await sink.until(lambda: len(sink.weights) > 3)
            scale.state.set_weight(7.25, stable=False)
            await sink.until(lambda: any(sample.condition is MOVING for sample in sink.weights))
            scale.state.set_weight(1e6)
            await sink.until(lambda: any(sample.condition is WeightCondition.OVERLOAD for sample in sink.weights))
    told = {(sample.condition, sample.grams) for sample in sink.weights}
    assert told == {
        (STABLE, 12.5 * unit_grams),
        (MOVING, 7.25 * unit_grams),
        (WeightCondition.OVERLOAD, None),
    }
    assert sink.conditions[-1] is ReaderCondition.STOPPED
    assert sink.states[-1].firmware == scale.state.config.sw_version
    assert sink.notices == []
