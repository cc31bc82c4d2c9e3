import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.clock import SystemClock
from readers.llrp.control import AddRoSpec, AntennaPlan, InputChange, Notification, RoSpec, SetOutputs
from readers.llrp.driver import LlrpDriver
from readers.llrp.extensions import boundary_of
from readers.llrp.gpio import Boundary
from readers.llrp.messages import decode, encode
from readers.llrp.settings import InputTrigger, Level, LlrpSettings, Output, OutputUse
from readers.llrp.wire import Frame
from readers.model import ReaderCondition
from simulators.llrp.server import ReaderServer
from tests.readers.llrp.driving import settings, simulated
from tests.readers.llrp.frames import NOW, frame, notification, split, tlv
from tests.readers.running import Collector, eventually, running

BARRIER = {"start_gpi": InputTrigger(2), "stop_gpi": InputTrigger(2, Level.LOW, timeout_s=30.0)}


@asynccontextmanager
async def reading(**more: object) -> AsyncIterator[tuple[ReaderServer, LlrpDriver, Collector, Callable[[], bool]]]:
    sink = Collector()

    def looks() -> bool:
        last = sink.states[-1]
        return last.condition is ReaderCondition.READING and not last.resting

    async with simulated() as server:
        driver = LlrpDriver("r", settings(server.port, **more), SystemClock())
        async with running(driver, sink):
            await sink.until(lambda: ReaderCondition.READING in sink.conditions)
            yield server, driver, sink, looks


def test_triggers_by_the_standard_s_layout() -> None:
    start, stop = InputTrigger(2), InputTrigger(3, Level.LOW, 1.5)
    sent = encode(AddRoSpec(RoSpec(1, (AntennaPlan(1),), 1, Boundary(start=start, stop=stop))), 1)
    begin = tlv(179, b"\x03" + tlv(181, struct.pack(">HBI", 2, 0x80, 0)))
    end = tlv(182, b"\x02" + bytes(4) + tlv(181, struct.pack(">HBI", 3, 0, 1500)))
    assert tlv(178, begin + end) in sent


def test_duty_is_a_periodic_start_with_a_duration() -> None:
    boundary = boundary_of(LlrpSettings("r", (1,), duty_percent=25, duty_period_s=4.0))
    assert (boundary.period_ms, boundary.on_ms, boundary.starts_itself, boundary.watched) == (4000, 1000, True, False)
    sent = encode(AddRoSpec(RoSpec(1, (AntennaPlan(1),), 1, boundary)), 1)
    begin = tlv(179, b"\x02" + tlv(180, struct.pack(">II", 0, 4000)))
    assert tlv(178, begin + tlv(182, b"\x01" + struct.pack(">I", 1000))) in sent


def test_outputs_and_nothing_else() -> None:
    sent = encode(SetOutputs({2: False, 1: True}), 1)
    assert sent == frame(3, b"\x00" + tlv(219, b"\x00\x01\x80") + tlv(219, b"\x00\x02\x00"), 1)


@pytest.mark.parametrize(("flag", "high"), [(b"\x80", True), (b"\x00", False)])
def test_an_input_that_changes_is_told(flag: bytes, high: bool) -> None:
    ((kind, message_id, body),) = split(notification(tlv(248, b"\x00\x04" + flag), utc=NOW))
    told = decode(Frame(kind, message_id, body))
    assert isinstance(told, Notification)
    assert told.happenings == (InputChange(4, high),)


async def test_a_light_barrier_starts_and_stops_it() -> None:
    async with reading(**BARRIER) as (server, _driver, sink, looks):
        assert not looks()
        assert not sink.batches
        for _ in range(2):
            server.set_input(2, high=True)
            await sink.until(looks)
            before = len(sink.batches)
            await sink.until(lambda before=before: len(sink.batches) > before + 2)  # type: ignore[misc]  # bound early
            assert sink.states[-1].inputs == {2: True}
            server.set_input(2, high=False)
            await sink.until(lambda: not looks())
        assert sink.states[-1].inputs == {2: False}
        assert sink.states[-1].condition is ReaderCondition.READING
        assert not sink.notices


async def test_it_stops_by_its_timeout_where_the_barrier_stays_broken() -> None:
    stop = InputTrigger(2, Level.LOW, timeout_s=0.2)
    async with reading(start_gpi=InputTrigger(2), stop_gpi=stop) as (server, _driver, sink, looks):
        server.set_input(2, high=True)
        await sink.until(looks)
        await sink.until(lambda: not looks())
        assert sink.batches


async def test_duty_goes_on_by_itself_and_is_no_rest() -> None:
    async with reading(duty_percent=50, duty_period_s=0.2) as (_server, _driver, sink, looks):
        await sink.until(lambda: len(sink.batches) > 8)
        assert looks()
        assert not sink.notices


async def test_lamps_show_reading_and_what_they_are_told() -> None:
    lamps = (Output(1), Output(2, OutputUse.ZONE_STALE, "door"))
    async with reading(outputs=lamps) as (server, driver, sink, _looks):
        shown = server.device.configuration
        await eventually(lambda: shown.outputs[1] == 1)
        assert shown.outputs[2] == 0
        driver.signal(2, high=True)
        await eventually(lambda: shown.outputs[2] == 1)
        driver.rest()
        await eventually(lambda: shown.outputs[1] == 0)
        driver.resume()
        await eventually(lambda: shown.outputs[1] == 1)
    await eventually(lambda: shown.outputs == {1: 0, 2: 0, 3: 0, 4: 0})
    assert not sink.notices


async def test_a_reader_told_to_rest_before_it_is_connected_never_looks_until_its_turn() -> None:
    sink = Collector()
    async with simulated() as server:
        driver = LlrpDriver("r", settings(server.port), SystemClock())
        driver.rest()
        async with running(driver, sink):
            await sink.until(lambda: any(state.resting for state in sink.states))
            assert not sink.batches
            driver.resume()
            await sink.until(lambda: bool(sink.batches) and not sink.states[-1].resting)
            driver.rest()
            await sink.until(lambda: sink.states[-1].resting)
            assert server.connected
    assert not sink.notices
