import itertools

import pytest

from readers.model import AntennaCondition, ReaderCondition, ReaderNotice, ReaderState, WeightCondition, WeightSample
from readers.port.settings import PortSettings
from readers.scales.mtsics import ANSWER_US, ATTEMPTS, TABLE, Command, Event, MtSicsSession, State, read_weight
from readers.scales.settings import Dialect, ScaleSettings
from simulators.serial.scales import MtSicsScale, Pan
from tests.readers.port.loopback import Loopback, TurnedClock
from tests.readers.port.vectors import Vector, needs_vectors, vectors

STABLE, MOVING = WeightCondition.STABLE, WeightCondition.MOVING
FAULT = WeightCondition.FAULT
CONDITIONS = {
    "underload": WeightCondition.UNDERLOAD,
    "overload": WeightCondition.OVERLOAD,
    "busy": WeightCondition.BUSY,
}


def settings(serial_number: str | None = None) -> ScaleSettings:
    return ScaleSettings(PortSettings("/dev/x"), (1,), Dialect.MT_SICS, serial_number=serial_number)


def connected(scale: MtSicsScale, serial_number: str | None = None, known: str | None = None) -> Loopback:
    return Loopback(MtSicsSession("r", settings(serial_number), known), scale, TurnedClock())


def weights(loop: Loopback) -> list[WeightSample]:
    return [event for event in loop.events if isinstance(event, WeightSample)]


@needs_vectors
@pytest.mark.parametrize("vector", vectors("MT-SICS", text=True), ids=lambda vector: vector.name)
def test_published_lines(vector: Vector) -> None:
    reading = read_weight(vector.data.decode())
    if "g" in vector.expect:
        assert reading is not None
        assert (reading.condition, reading.grams) == (STABLE, vector.expect["g"])
    elif "fault" in vector.expect:
        assert reading is not None
        assert (reading.condition, reading.grams) == (CONDITIONS[vector.expect["fault"]], None)
    else:
        assert reading is None
        session = MtSicsSession("r", settings())
        session.start(0)
        session.receive(vector.data + b"\r\n", 0)
        assert session.identity == vector.expect.get("serial")
        assert not any(isinstance(event, WeightSample) for event in session.take_events())


@pytest.mark.parametrize(
    ("line", "condition", "grams"),
    [
        ("S S     100.00 g", STABLE, 100.0),
        ("S D      -0.10 kg", MOVING, -100.0),
        ("SI S     1.234 g", STABLE, 1.234),  # as an emulator has it
        ("S S 0.00 g", STABLE, 0.0),
        ("S +", WeightCondition.OVERLOAD, None),
        ("S -", WeightCondition.UNDERLOAD, None),
        ("S I", WeightCondition.BUSY, None),
        ("S L", FAULT, None),
        ("S S Error 5b", FAULT, None),
        ("S S    100.00 PCS", FAULT, None),
        ("S S       1e9 g", FAULT, None),
        ("S S " + "9" * 60 + " g", None, None),
        ("S S 999999999999 t", FAULT, None),
        ("S S       nan g", FAULT, None),
        ("S S     100.00", None, None),
        ("T S     100.00 g", None, None),
        ("100.00 g", None, None),
        ("s s     100.00 g", None, None),
    ],
)
def test_weights(line: str, condition: WeightCondition | None, grams: float | None) -> None:
    reading = read_weight(line)
    assert (None if reading is None else reading.condition) is condition
    assert reading is None or reading.grams == grams


def test_the_table_knows_every_pair() -> None:
    assert set(TABLE) == set(itertools.product(State, Event))
    assert {command for commands, _ in TABLE.values() for command in commands} == set(Command)


@pytest.mark.parametrize(("at", "event"), TABLE)
def test_every_pair_leads_where_the_table_says(at: State, event: Event) -> None:
    session = MtSicsSession("r", settings())
    session.start(0)
    session.at = at
    lines = {
        Event.SERIAL: b'I4 A "1"\r\n',
        Event.TEXT: b'I2 A "x"\r\n',
        Event.WEIGHT: b"S S 1.0 g\r\n",
        Event.REFUSED: b"ES\r\n",
    }
    if event is Event.TIMED_OUT:
        session.tick(ANSWER_US)
    else:
        session.receive(lines[event], 1)
    commands, after = TABLE[at, event]
    assert session.at is after
    said = session.take_bytes().removeprefix(b"@\r\n")
    asked = {Command.ASK_MODEL: b"I2", Command.ASK_VERSION: b"I3", Command.STREAM: b"SIR", Command.ASK_WEIGHT: b"SI"}
    wanted = b"".join(asked[command] + b"\r\n" for command in commands if command in asked)
    assert said == (wanted if Command.RESET not in commands else b"@\r\n")
    told = any(isinstance(entry, WeightSample) for entry in session.take_events())
    assert told == (Command.TELL in commands)


def test_a_scale_comes_to_streaming_and_says_who_it_is() -> None:
    scale = MtSicsScale(Pan(182.0))
    loop = connected(scale)
    loop.turn(2)
    assert scale.heard == ["@", "I2", "I3", "SIR"]
    last = loop.states[-1]
    assert (last.condition, last.antennas) == (ReaderCondition.READING, {1: AntennaCondition.UP})
    assert (last.model, last.firmware) == ("PBA220 Standard 6.1 kg", "1.10 19.2.33.65")
    assert {(each.condition, each.grams) for each in weights(loop)} == {(STABLE, 182.0)}
    assert len(weights(loop)) >= 19
    scale.pan.stable = False
    scale.pan.grams = -3.0
    loop.turn(0.2)
    assert (weights(loop)[-1].condition, weights(loop)[-1].grams) == (MOVING, -3.0)
    loop.close()
    assert scale.heard[-1] == "@"
    assert loop.session.fault is None


@pytest.mark.parametrize("trouble", ["overload", "underload", "busy", "error"])
def test_trouble_is_never_zero(trouble: str) -> None:
    pan = Pan(50.0)
    loop = connected(MtSicsScale(pan))
    loop.turn(1)
    pan.trouble = trouble
    before = len(weights(loop))
    loop.turn(1)
    later = weights(loop)[before:]
    assert {each.condition for each in later} == {CONDITIONS.get(trouble, FAULT)}
    assert {each.grams for each in later} == {None}


def test_one_that_cannot_stream_is_asked_never_before_it_has_answered() -> None:
    scale = MtSicsScale(Pan(7.0), refuses=frozenset({"SIR"}), lag_s=1.2)
    loop = connected(scale)
    loop.turn(30)
    asked = scale.heard.count("SI")
    assert 18 <= asked <= 24
    assert len(weights(loop)) in {asked, asked - 1}
    assert loop.states[-1].condition is ReaderCondition.READING


def test_one_that_keeps_its_model_to_itself() -> None:
    scale = MtSicsScale(Pan(7.0), refuses=frozenset({"I2", "I3"}))
    loop = connected(scale)
    loop.turn(1)
    assert weights(loop)
    assert loop.states[-1].model == ""


def test_a_stream_that_ends_is_begun_anew() -> None:
    scale = MtSicsScale(Pan(7.0))
    loop = connected(scale)
    loop.turn(1)
    loop.say(scale.power_cycle())
    before = len(weights(loop))
    loop.turn(1)
    assert len(weights(loop)) > before, "it has said its number, and is asked to stream again"
    scale.wake_s = None
    scale.feed(b"@\r\n")
    loop.ask(b"")
    before = len(weights(loop))
    loop.turn(4)
    assert scale.heard[-4:] == ["@", "I2", "I3", "SIR"]
    assert len(weights(loop)) > before


def test_a_dead_scale_ends_the_connection() -> None:
    scale = MtSicsScale(Pan(7.0))
    loop = connected(scale)
    loop.turn(1)
    scale.mute = True
    loop.turn(20)
    assert loop.session.is_over
    assert loop.session.fault is not None
    assert loop.session.fault.kind == "silent"


def test_nothing_at_all_is_given_up_after_a_few_resets() -> None:
    scale = MtSicsScale(Pan(7.0))
    scale.mute = True
    loop = connected(scale)
    loop.turn(20)
    assert 1 < scale.heard.count("@") <= ATTEMPTS
    assert loop.session.is_over


@pytest.mark.parametrize(("serial_number", "known"), [("OTHER", None), (None, "OTHER"), ("OTHER", "B123456789")])
def test_another_scale_is_not_used(serial_number: str | None, known: str | None) -> None:
    scale = MtSicsScale(Pan(7.0))
    loop = connected(scale, serial_number, known)
    loop.turn(5)
    assert loop.session.fault is not None
    assert loop.session.fault.kind == "another_device"
    assert (weights(loop), scale.heard) == ([], ["@"])


def test_a_scale_that_changes_under_way_is_not_used_any_more() -> None:
    scale = MtSicsScale(Pan(7.0))
    loop = connected(scale)
    loop.turn(1)
    scale.serial = "OTHER"
    loop.say(scale.power_cycle())
    assert loop.session.fault is not None
    assert loop.session.fault.kind == "another_device"


def test_noise_is_counted_and_told_once() -> None:
    loop = connected(MtSicsScale(Pan(7.0)))
    loop.turn(1)
    for _ in range(50):
        loop.say(b"\xffS S 1\r\n" + b"boot v1.2\r\n")
    notices = [event for event in loop.events if isinstance(event, ReaderNotice)]
    assert [notice.fault.kind for notice in notices] == ["frame_error"]
    loop.turn(61)
    total = sum(event.count for event in loop.events if isinstance(event, ReaderNotice))
    loop.close()
    assert total >= 99
    assert all(each.grams == 7.0 for each in weights(loop))


def test_every_stream_cut_at_every_byte_means_the_same() -> None:
    stream = b'\x00I4 A "7"\r\nI2 A "m"\r\nI3 A "f"\r\nS S     1.00 g\r\nS D     2.00 g\r\nS +\r\nS S    3.00 kg\r\n'
    whole = told(stream, [len(stream)])
    assert [each[1] for each in whole] == [1.0, 2.0, None, 3000.0]
    for at in range(len(stream)):
        assert told(stream, [at, len(stream)]) == whole
    assert told(stream, list(range(1, len(stream) + 1))) == whole


def told(stream: bytes, cuts: list[int]) -> list[tuple[WeightCondition, float | None]]:
    session = MtSicsSession("r", settings())
    session.start(0)
    before = 0
    for cut in cuts:
        session.receive(stream[before:cut], 1000)
        before = cut
    samples = [event for event in session.take_events() if isinstance(event, WeightSample)]
    return [(sample.condition, sample.grams) for sample in samples]


def test_states_are_told_when_they_change_and_not_with_every_line() -> None:
    loop = connected(MtSicsScale(Pan(7.0)))
    loop.turn(60)
    states = [event for event in loop.events if isinstance(event, ReaderState)]
    assert len(states) <= 5
