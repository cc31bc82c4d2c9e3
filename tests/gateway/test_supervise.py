import asyncio
import logging
from collections.abc import Callable
from random import Random

import pytest

from gateway import supervise as module
from gateway.alerts import AlertBoard
from gateway.fleet import Fleet
from gateway.intake import Intake
from gateway.supervise import LONGEST_PAUSE_S, PROVEN_AFTER_S, Backoff, supervise
from gateway.tasks import beside
from readers.driver import ReaderError, Sink
from readers.model import Fault, ReadBatch, ReaderCondition, ReaderEvent, ReaderState
from tests.gateway.shop import HandClock

REFUSED = Fault("refused", "connection refused", "is it on?")


class Device:
    """A driver whose every life is told by a script; lives are counted."""

    reader = "ceiling-1"

    def __init__(self, life: Callable[[int, Sink], None]) -> None:
        self._life = life
        self.lives = 0
        self.running = asyncio.Event()
        self.closed = False

    async def run(self, sink: Sink) -> None:
        self.lives += 1
        self._life(self.lives, sink)
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.closed = True


class Pauses:
    """Backoff without the waiting: every pause is written down and over at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds: list[float] = []
        pause_s = Backoff.pause_s

        def noted(backoff: Backoff) -> float:
            self.seconds.append(pause_s(backoff))
            return 0.0

        monkeypatch.setattr(module.Backoff, "pause_s", noted)


def refuse(_life: int, _sink: Sink) -> None:
    raise ReaderError(REFUSED)


def test_pauses_double_with_jitter_up_to_a_limit_and_begin_again() -> None:
    backoff = Backoff(Random(7))
    pauses = [backoff.pause_s() for _ in range(200)]
    ceilings = [min(LONGEST_PAUSE_S, 0.5 * 2**n) for n in range(200)]
    assert all(ceiling / 2 <= pause <= ceiling for pause, ceiling in zip(pauses, ceilings, strict=True))
    assert len(set(pauses)) > 190
    assert max(pauses) - min(pauses[10:]) > LONGEST_PAUSE_S / 3
    backoff.reset()
    assert backoff.pause_s() <= 0.5


async def test_a_port_of_this_machine_is_looked_for_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses, device, clock = Pauses(monkeypatch), Device(refuse), HandClock()
    many = asyncio.Event()

    def count(_event: ReaderEvent) -> None:
        if device.lives > 30:
            many.set()

    longest_s = module.LONGEST_PORT_PAUSE_S
    async with asyncio.timeout(10), beside(supervise(device, count, clock, Random(1), longest_pause_s=longest_s)):
        await many.wait()
    assert longest_s / 2 <= max(pauses.seconds) <= longest_s


def test_fifty_readers_do_not_knock_at_once() -> None:
    first = sorted(Backoff(Random(seed)).pause_s() for seed in range(50))
    assert first[-1] - first[0] > 0.2


async def test_a_driver_that_fails_is_run_again_and_told_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch)
    said: list[ReaderEvent] = []

    def life(number: int, sink: Sink) -> None:
        sink(ReaderState("ceiling-1", ReaderCondition.CONNECTING, address="10.0.0.11"))
        if number < 4:
            raise ReaderError(REFUSED)

    device = Device(life)
    async with beside(supervise(device, said.append, HandClock(), Random(1))), asyncio.timeout(5):
        await device.running.wait()
    assert device.lives == 4
    assert [pause <= limit for pause, limit in zip(pauses.seconds, [0.5, 1.0, 2.0], strict=True)] == [True] * 3
    states = [event for event in said if isinstance(event, ReaderState)]
    assert [state.condition for state in states] == [
        *[ReaderCondition.CONNECTING, ReaderCondition.FAILED] * 3,
        "connecting",
    ]
    assert (states[1].fault, states[1].address) == (REFUSED, "10.0.0.11")


async def test_a_failure_that_the_driver_has_told_is_not_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    Pauses(monkeypatch)
    said: list[ReaderEvent] = []

    def life(number: int, sink: Sink) -> None:
        if number == 1:
            sink(ReaderState("ceiling-1", ReaderCondition.FAILED, fault=REFUSED))
            raise ReaderError(REFUSED)

    device = Device(life)
    async with beside(supervise(device, said.append, HandClock(), Random(1))), asyncio.timeout(5):
        await device.running.wait()
    assert len(said) == 1


async def test_a_defect_of_a_driver_costs_one_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Pauses(monkeypatch)
    said: list[ReaderEvent] = []

    def life(number: int, _sink: Sink) -> None:
        if number == 1:
            raise KeyError("x" * 5000)

    device = Device(life)
    async with beside(supervise(device, said.append, HandClock(), Random(1))), asyncio.timeout(5):
        await device.running.wait()
    (failed,) = said
    assert isinstance(failed, ReaderState)
    assert failed.fault is not None
    assert (failed.condition, failed.fault.kind) == (ReaderCondition.FAILED, "internal")
    assert len(failed.fault.text) < 300
    assert "Traceback" in caplog.text


async def test_a_driver_that_just_ends_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    Pauses(monkeypatch)
    said: list[ReaderEvent] = []

    class Quitter:
        reader = "ceiling-1"
        lives = 0

        async def run(self, _sink: Sink) -> None:
            self.lives += 1
            if self.lives == 3:
                third.set()

    third = asyncio.Event()
    async with beside(supervise(Quitter(), said.append, HandClock(), Random(1))), asyncio.timeout(5):
        await third.wait()
    assert all(isinstance(event, ReaderState) and event.fault and event.fault.kind == "ended" for event in said)


@pytest.mark.parametrize(("lasted_s", "attempts"), [(PROVEN_AFTER_S - 1, 5), (PROVEN_AFTER_S + 1, 1)])
async def test_only_a_connection_that_read_for_a_while_makes_pauses_short_again(
    monkeypatch: pytest.MonkeyPatch, lasted_s: float, attempts: int
) -> None:
    pauses = Pauses(monkeypatch)
    clock = HandClock()

    def life(number: int, sink: Sink) -> None:
        if number == 5:
            sink(ReaderState("ceiling-1", ReaderCondition.READING))
            clock.turn(lasted_s)
        if number < 6:
            raise ReaderError(REFUSED)

    device = Device(life)
    async with beside(supervise(device, lambda _: None, clock, Random(1))), asyncio.timeout(5):
        await device.running.wait()
    ceiling_s = 0.5 * 2.0 ** (attempts - 1)
    assert ceiling_s / 2 <= pauses.seconds[-1] <= ceiling_s


async def test_the_first_failure_is_logged_once_as_its_alert_and_then_only_another_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Pauses(monkeypatch)
    clock = HandClock()
    board = AlertBoard(clock.utc_us, lambda _: None)
    fleet = Fleet(Intake(), clock, board, lambda _reader, _status: None)
    fleet.join("ceiling-1", "llrp", {}, "10.0.0.11")

    def life(number: int, _sink: Sink) -> None:
        if number < 6:
            raise ReaderError(REFUSED if number < 4 else Fault("not_llrp", "this is not an LLRP reader", "the port?"))

    device = Device(life)
    with caplog.at_level(logging.INFO):
        async with beside(supervise(device, fleet.put, clock, Random(1))), asyncio.timeout(5):
            await device.running.wait()
    assert [(record.levelno, record.getMessage().count("refused")) for record in caplog.records] == [
        (logging.WARNING, 2),
        (logging.INFO, 0),
    ]


async def test_cancelling_closes_the_device_and_what_it_read_was_passed_on() -> None:
    batch = ReadBatch("ceiling-1", 0, 0, [])
    said: list[ReaderEvent] = []
    device = Device(lambda _life, sink: sink(batch))
    async with beside(supervise(device, said.append, HandClock(), Random(1))), asyncio.timeout(5):
        await device.running.wait()
        assert not device.closed
    assert device.closed
    assert said == [batch]
