import pytest

from readers.model import (
    AntennaCondition,
    InputSample,
    ReaderCondition,
    WeightCondition,
    WeightSample,
    WeightUnit,
)
from readers.port.settings import PortSettings
from readers.scales.line_session import session_of
from readers.scales.settings import Dialect, ScaleSettings
from simulators.serial.bench import SerialDevice
from simulators.serial.scales import FORMATS, REQUESTS, Cell, LineScale, Pan, ShelfBoard
from tests.readers.port.loopback import Loopback, TurnedClock

PORT = PortSettings("/dev/x")
UP, DOWN = AntennaCondition.UP, AntennaCondition.DOWN


def connected(settings: ScaleSettings, device: SerialDevice, known: str | None = None) -> Loopback:
    loop = Loopback(session_of("r", settings, known), device, TurnedClock())
    loop.ask(b"")  # its power is on
    return loop


def scale(dialect: str, *, poll_s: float | None = None) -> ScaleSettings:
    return ScaleSettings(PORT, (1,), Dialect(dialect), unit=WeightUnit.GRAM, poll_s=poll_s)


def board(channels: tuple[int, ...], serial_number: str | None = None) -> ScaleSettings:
    return ScaleSettings(PORT, channels, Dialect.SHELF_LINE, serial_number=serial_number)


def weights(loop: Loopback, channel: int | None = None) -> list[WeightSample]:
    every = [event for event in loop.events if isinstance(event, WeightSample)]
    return [sample for sample in every if channel is None or sample.channel == channel]


def kinds(loop: Loopback) -> list[str]:
    return [notice.fault.kind for notice in loop.notices]


@pytest.mark.parametrize("dialect", sorted(FORMATS.keys() - {"hx711"}))
def test_scales_that_speak_by_themselves(dialect: str) -> None:
    device = LineScale(Pan(123.4), dialect, unit="kg" if dialect == "openscale" else "g")
    loop = connected(scale(dialect), device)
    loop.turn(3)
    assert {round(each.grams or 0, 1) for each in weights(loop)} == {123.4}
    assert loop.states[-1].condition is ReaderCondition.READING
    assert loop.up == b"", "they are not spoken to"


@pytest.mark.parametrize("dialect", ["cas-18", "cas-22"])
def test_a_scale_that_is_switched_to_another_unit_says_the_same_weight(dialect: str) -> None:
    """The number is another one from one line to the next, and so is its unit; both are taken together."""
    device = LineScale(Pan(4535.9), dialect, unit="kg")
    loop = connected(scale(dialect), device)
    loop.turn(1)
    device.unit = "lb"
    loop.turn(1)
    found = [each.grams or 0 for each in weights(loop)]
    assert len(found) > 15
    assert all(abs(grams - 4535.9) < 60 for grams in found), "rounded to the places that its display has"
    assert kinds(loop) == []


@pytest.mark.parametrize("dialect", sorted(REQUESTS))
def test_scales_that_are_asked(dialect: str) -> None:
    device = LineScale(Pan(123.4), dialect, interval_s=None)
    loop = connected(scale(dialect, poll_s=0.2), device)
    loop.turn(4.05)
    assert 18 <= len(weights(loop)) <= 21
    device.mute = True
    loop.turn(4)
    assert not loop.session.is_over
    loop.turn(2)
    assert loop.session.fault is not None
    assert loop.session.fault.kind == "silent"


def test_a_scale_of_another_dialect_is_silent_for_us_with_a_hint() -> None:
    loop = connected(scale("radwag"), LineScale(Pan(1.0), "ohaus"))
    loop.turn(10)
    assert weights(loop) == []
    assert set(kinds(loop)) == {"frame_error"}
    assert "dialect" in loop.notices[0].fault.hint
    assert loop.session.fault is not None
    assert loop.session.fault.kind == "silent"


@pytest.mark.parametrize("as_csv", [False, True])
def test_a_board_with_cells_and_inputs(as_csv: bool) -> None:
    cells = [Cell(0, Pan(512.3)), Cell(1, Pan(20.0)), Cell(7, Pan(1.0), is_input=True)]
    loop = connected(board((0, 1, 7)), ShelfBoard(cells, as_csv=as_csv))
    loop.turn(5)
    assert {each.grams for each in weights(loop, 0)} == {512.3}
    assert {each.grams for each in weights(loop, 1)} == {20.0}
    assert {event.value for event in loop.events if isinstance(event, InputSample)} == {1.0}
    assert loop.states[-1].antennas == {0: UP, 1: UP, 7: UP}
    # Its numbers and its milliseconds have both begun anew meanwhile, and nothing was lost.
    assert kinds(loop) == []
    cells[2].pan.trouble = "error"
    loop.turn(0.2)
    inputs = [event for event in loop.events if isinstance(event, InputSample)]
    assert inputs[-1].value is None


def test_a_cell_that_falls_silent_is_down_and_the_others_go_on() -> None:
    cells = [Cell(0, Pan(1.0)), Cell(1, Pan(2.0))]
    loop = connected(board((0, 1)), ShelfBoard(cells))
    loop.turn(1)
    cells[1].mute = True
    loop.turn(6)
    assert loop.states[-1].antennas == {0: UP, 1: DOWN}
    assert loop.states[-1].condition is ReaderCondition.READING
    cells[1].mute = False
    loop.turn(1)
    assert loop.states[-1].antennas == {0: UP, 1: UP}


def test_a_channel_that_never_speaks_keeps_nobody_waiting_for_ever() -> None:
    loop = connected(board((0, 9)), ShelfBoard([Cell(0, Pan(1.0))]))
    loop.turn(3)
    assert loop.states[-1].condition is ReaderCondition.CONNECTED
    loop.turn(3)
    assert loop.states[-1].condition is ReaderCondition.READING
    assert loop.states[-1].antennas == {0: UP, 9: DOWN}


def test_a_cell_that_nobody_has_configured_is_told_once() -> None:
    loop = connected(board((0,)), ShelfBoard([Cell(0), Cell(3), Cell(4)]))
    loop.turn(30)
    assert kinds(loop) == ["strange_channel", "strange_channel"]
    assert {sample.channel for sample in weights(loop)} == {0}


def test_lost_lines_and_restarts_are_told_apart() -> None:
    device = ShelfBoard([Cell(0, Pan(1.0))])
    device._ms, device._sequence = 5000, 100
    loop = connected(board((0,)), device)
    loop.turn(1)
    loop.plugged = False
    loop.turn(0.45)
    loop.plugged = True
    loop.turn(0.2)
    assert kinds(loop) == ["lines_lost"]
    loop.say(device.restart())
    loop.turn(0.5)
    assert kinds(loop) == ["lines_lost", "frame_error", "rebooted"]
    assert {sample.grams for sample in weights(loop)} == {1.0}


def test_a_greeting_before_the_first_weight_is_no_complaint() -> None:
    device = ShelfBoard([Cell(0, Pan(1.0))], interval_s=0.5)
    loop = Loopback(session_of("r", board((0,)), None), device, TurnedClock())
    loop.say(device.restart() + b"x" * 2000 + b"\r\nReadings:\r\n")
    loop.ask(b"")
    loop.turn(20)
    assert weights(loop)
    assert kinds(loop) == []
    loop.say(b"nonsense\n")
    assert kinds(loop) == ["frame_error"]


def test_another_board_on_the_line_is_not_used() -> None:
    device = ShelfBoard([Cell(0, Pan(1.0))], "bay8")
    for loop in (connected(board((0,), "bay7"), device), connected(board((0,)), device, known="bay7")):
        loop.turn(2)
        assert loop.session.fault is not None
        assert loop.session.fault.kind == "another_device"
        assert weights(loop) == []


def test_a_board_complains() -> None:
    device = ShelfBoard([Cell(0, Pan(1.0))])
    loop = connected(board((0,)), device)
    device.complaints = ["sat0", "cold"]
    loop.turn(1)
    assert {each.condition for each in weights(loop)[1:]} == {WeightCondition.FAULT}
    assert sorted(set(kinds(loop))) == ["device_error", "saturated"]


def test_a_raw_number_that_never_changes_is_a_dead_input() -> None:
    line = b'{"v":1,"seq":%d,"ch":[{"c":0,"raw":4711,"g":5.0}]}\n'
    clock = TurnedClock()
    loop = Loopback(session_of("r", board((0,)), None), ShelfBoard([], interval_s=1000), clock)
    loop.say(b"\n")
    for number in range(300):
        clock.at_us += 100_000
        loop.say(line % number)
    conditions = [sample.condition for sample in weights(loop)]
    assert conditions.index(WeightCondition.FAULT) == 200
    assert set(conditions[200:]) == {WeightCondition.FAULT}
    assert weights(loop)[-1].grams is None
    loop.say(b'{"v":1,"seq":300,"ch":[{"c":0,"raw":4712,"g":5.0}]}\n')
    assert weights(loop)[-1].condition is WeightCondition.STABLE


def test_a_stream_cut_at_every_byte_means_the_same() -> None:
    device = ShelfBoard([Cell(0, Pan(1.5)), Cell(1, Pan(2.5))])
    stream = b"\n" + b"".join(data for _ in range(3) for _, data in device.feed(b""))

    def told(cut: int) -> list[tuple[int, float | None]]:
        session = session_of("r", board((0, 1)), None)
        session.start(0)
        session.receive(stream[:cut], 1)
        session.receive(stream[cut:], 2)
        return [(each.channel, each.grams) for each in session.take_events() if isinstance(each, WeightSample)]

    assert told(len(stream)) == [(0, 1.5), (1, 2.5)] * 3
    for cut in range(len(stream)):
        assert told(cut) == told(len(stream))
