import itertools
import random
from collections.abc import Iterable

import pytest

from readers.chafon.interpreter import Known
from readers.chafon.session import MISSES_TO_DOWN, PING_US, UnexpectedEvent
from readers.chafon.states import ANSWERING, ASKING, OPEN, TABLE, Command, Event, State
from readers.chafon.wire import IDLE_US
from readers.model import NO_RSSI_DBM, AntennaCondition, ReaderCondition
from simulators.field import FixedField
from simulators.serial.chafon import UHFREADER18, Habits
from tests.readers.chafon.party import TAGS, Stage, settings
from tests.readers.chafon.test_wire import reply, tags288
from tests.readers.port.loopback import SECOND

UP, DOWN = AntennaCondition.UP, AntennaCondition.DOWN
NUMBER = "1a2b3c4d"
EVERY = {(epc, antenna) for antenna in (1, 2) for epc in TAGS[antenna]}


def test_from_the_first_byte_to_reads() -> None:
    stage = Stage()
    stage.loop.turn(2)
    assert (stage.device.habits.region, stage.device.habits.power_dbm) == ((0x4E, 0), 26)
    assert [state.condition for state in stage.states()][:2] == [ReaderCondition.CONNECTED, ReaderCondition.READING]
    last = stage.states()[-1]
    assert (last.model, last.firmware, last.antennas) == ("UHFReader288M", "2.22", {1: UP, 2: UP})
    assert stage.seen() == EVERY
    read = stage.batches()[0].reads[0]
    assert read[2] == NO_RSSI_DBM, "its signal has no unit"
    assert read[3] == read[4] == stage.batches()[0].received_us
    assert stage.session.known.name == NUMBER
    assert stage.notices() == []


def test_the_older_dialect() -> None:
    habits = Habits(kind=UHFREADER18, scan_time=10)
    stage = Stage(habits, ours=[settings(antennas=(3,))])
    stage.loop.turn(2)
    assert habits.scan_time == 3
    assert stage.seen() == {(epc, 3) for epc in TAGS[1]}
    assert stage.states()[-1].model == "UHFReader18"
    assert stage.session.known.name == "UHFReader18"


def test_the_older_dialect_has_one_antenna() -> None:
    stage = Stage(Habits(kind=UHFREADER18))
    stage.loop.turn(2)
    assert stage.fault.kind == "unsuited"


def test_flash_is_written_only_where_something_differs() -> None:
    stage = Stage(Habits(region=(0x4E, 0), power_dbm=26))
    stage.loop.turn(10)
    assert stage.reading()
    assert stage.device.flash_writes == 0
    some_channels = Stage(Habits(region=(0x45, 2), power_dbm=20))
    some_channels.loop.turn(10)
    assert (some_channels.device.flash_writes, some_channels.device.habits.region) == (1, (0x45, 2))


def test_more_tags_than_a_frame_takes() -> None:
    field = FixedField({1: [bytes([0x30, n]) + bytes(10) for n in range(100)]})
    stage = Stage(Habits(tags_per_frame=7), field=field, ours=[settings(antennas=(1,))])
    stage.loop.turn(2)
    assert len(stage.seen()) == 100


def test_an_empty_field_is_a_look_that_saw_nothing() -> None:
    stage = Stage(field=FixedField({}))
    stage.loop.turn(5)
    assert stage.states()[-1].antennas == {1: UP, 2: UP}
    old = Stage(Habits(kind=UHFREADER18), field=FixedField({}), ours=[settings(antennas=(1,))])
    old.loop.turn(5)
    assert old.states()[-1].antennas == {1: UP}
    assert stage.seen() | old.seen() == set()


def test_an_antenna_that_is_not_there_is_down_at_once_and_comes_back() -> None:
    stage = Stage(Habits(missing_antennas=frozenset({2})))
    stage.loop.turn(1)
    assert stage.states()[-1].antennas == {1: UP, 2: DOWN}
    assert {notice.fault.kind for notice in stage.notices()} == {"look_failed"}
    stage.device.habits.missing_antennas = frozenset()
    stage.loop.turn(1)
    assert stage.states()[-1].antennas == {1: UP, 2: UP}


def test_an_antenna_whose_looks_fail_again_and_again_is_down() -> None:
    stage = Stage()
    stage.loop.turn(1)
    stage.device.habits.refuses = frozenset({1})
    stage.loop.until(lambda: stage.states()[-1].antennas == {1: DOWN, 2: DOWN})
    assert stage.reading()
    assert MISSES_TO_DOWN == 2


def test_a_reader_that_falls_silent_ends_the_connection() -> None:
    stage = Stage()
    stage.loop.turn(1)
    stage.device.habits.mute = True
    start_us = stage.clock.at_us
    stage.loop.until(lambda: stage.session.is_over)
    assert stage.fault.kind == "timeout"
    assert stage.clock.at_us - start_us < 2 * SECOND


@pytest.mark.parametrize("lost", range(9))
def test_one_lost_answer_ends_nothing(lost: int) -> None:
    stage = Stage()
    said = itertools.count()
    stage.loop.wire = lambda data: () if next(said) == lost else (data,)
    stage.loop.turn(5)
    assert not stage.session.is_over
    assert stage.seen() == EVERY
    assert stage.states()[-1].antennas == {1: UP, 2: UP}


@pytest.mark.parametrize("command", [0x22, 0x2F, 0x21])
def test_without_region_and_power_nothing_is_read(command: int) -> None:
    stage = Stage(Habits(refuses=frozenset({command})))
    stage.loop.turn(5)
    assert stage.fault.kind == "rejected"
    assert 1 not in stage.commands()


def test_what_was_set_is_read_back() -> None:
    stage = Stage()
    stage.device._set_region = lambda _: b""  # type: ignore[method-assign]  # it says yes, and does nothing
    stage.loop.turn(5)
    assert stage.fault.kind == "rejected"
    assert "region" in stage.fault.text
    more = Stage(Habits(power_dbm=30))
    more.device._set_power = lambda _: b""  # type: ignore[method-assign]
    more.loop.turn(5)
    assert "30 dBm, not 26" in more.fault.text
    less = Stage(Habits(power_dbm=20))
    less.device._set_power = lambda _: b""  # type: ignore[method-assign]
    less.loop.turn(5)
    assert less.reading()
    assert [notice.fault.kind for notice in less.notices()] == ["refused_setting"]
    untold = Stage(Habits(power_dbm=0xFF))
    untold.device._set_power = lambda _: b""  # type: ignore[method-assign]
    untold.loop.turn(5)
    assert untold.reading()


def test_another_reader_under_the_address_is_refused_before_it_reads() -> None:
    stage = Stage(known=Known("00000001"))
    stage.loop.turn(2)
    assert stage.fault.kind == "another_device"
    assert not {0x22, 0x2F, 1} & set(stage.commands())
    right = Stage(ours=[settings(serial_number=NUMBER)])
    right.loop.turn(2)
    assert right.reading()
    wrong = Stage(ours=[settings(serial_number="00000001")])
    wrong.loop.turn(2)
    assert wrong.fault.kind == "another_device"


def test_a_reader_that_was_exchanged_while_it_was_away_is_noticed() -> None:
    stage = Stage()
    stage.loop.turn(1)
    stage.device.habits.mute = True
    stage.loop.until(lambda: stage.session.at is State.IDENTIFYING)
    stage.device.habits.mute = False
    stage.device.habits.serial_number = bytes(4)
    stage.loop.turn(2)
    assert stage.fault.kind == "another_device"


def test_a_number_that_must_be_known_and_is_not_told() -> None:
    stage = Stage(Habits(serial_number=None), ours=[settings(serial_number=NUMBER)])
    stage.loop.turn(2)
    assert stage.fault.kind == "another_device"
    without = Stage(Habits(serial_number=None))
    without.loop.turn(2)
    assert without.reading()


# Readers that report by themselves


def test_a_reader_that_reports_by_itself_is_told_once_to_answer() -> None:
    stage = Stage(Habits(mode=1))
    stage.loop.turn(5)
    assert stage.device.habits.mode == 0
    assert stage.commands().count(0x76) == 1
    assert stage.seen() == EVERY
    assert stage.session.known == Known(NUMBER, quieted=True)


def test_one_that_reports_to_an_empty_field_is_found_too() -> None:
    stage = Stage(Habits(mode=1), field=FixedField({}))
    stage.loop.turn(5)
    assert stage.device.habits.mode == 0
    assert stage.states()[-1].antennas == {1: UP, 2: UP}


@pytest.mark.parametrize("kind", [UHFREADER18, 0x0C])
def test_one_that_does_not_obey_is_listened_to(kind: int) -> None:
    habits = Habits(kind=kind, mode=1, obeys_mode=False, region=(0x4E, 0), power_dbm=26)
    stage = Stage(habits, ours=[settings(antennas=(1,))])
    stage.loop.turn(10)
    assert stage.session.at in {State.LISTENING, State.PINGING}
    assert stage.seen() == {(epc, 1) for epc in TAGS[1]}
    assert stage.states()[-1].antennas == {1: UP}
    assert stage.commands().count(0x76) <= 1
    habits.mute = True
    stage.loop.turn(2 * PING_US / SECOND + 2)
    assert stage.fault.kind == "timeout"


def test_heartbeats_of_one_that_is_listened_to_are_looks() -> None:
    habits = Habits(mode=1, obeys_mode=False, region=(0x4E, 0), power_dbm=26, pushes_heartbeats=True)
    stage = Stage(habits, field=FixedField({}))
    stage.loop.turn(20)
    assert stage.states()[-1].antennas == {1: UP, 2: UP}
    quiet = Stage(Habits(mode=1, obeys_mode=False, region=(0x4E, 0), power_dbm=26), ours=[settings(antennas=(1,))])
    quiet.loop.turn(5)
    quiet.device._field = FixedField({})
    quiet.loop.turn(60)
    assert quiet.reading(), "it answers whenever it is asked whether it lives"


def test_one_that_cannot_be_told_its_region_is_not_used() -> None:
    stage = Stage(Habits(mode=1, obeys_mode=False))
    stage.loop.turn(10)
    assert stage.fault.kind == "rejected"
    assert stage.seen() == set()


def test_one_that_was_told_once_is_not_told_again() -> None:
    habits = Habits(mode=1, region=(0x4E, 0), power_dbm=26)
    stage = Stage(habits, known=Known(quieted=True), ours=[settings(antennas=(1,))])
    stage.loop.turn(5)
    assert 0x76 not in stage.commands()
    assert stage.seen() == {(epc, 1) for epc in TAGS[1]}


# The line


def test_four_readers_share_a_line() -> None:
    stage = Stage(*(Habits(serial_number=bytes([0, 0, 0, n])) for n in range(4)))
    stage.loop.turn(5)
    for number in range(4):
        assert stage.seen(f"r{number}") == EVERY
        assert stage.states(f"r{number}")[-1].antennas == {1: UP, 2: UP}
    looks = [device.heard.count((1, device.heard[-1][1])) for device in stage.devices]
    assert max(looks) - min(looks) <= 2
    assert stage.loop.notices == []


def looks_in(stage: Stage, seconds: float) -> int:
    before = len(stage.device.heard)
    stage.loop.turn(seconds)
    return len(stage.device.heard) - before


def test_a_dead_reader_slows_no_other() -> None:
    stage = Stage(Habits(), Habits(serial_number=bytes(4)))
    stage.loop.turn(3)
    stage.devices[1].habits.mute = True
    stage.loop.until(lambda: stage.sessions[1].is_over, 5)
    alone = Stage(Habits())
    alone.loop.turn(3)
    assert looks_in(stage, 10) >= looks_in(alone, 10) - 1
    assert stage.reading("r0")
    assert stage.states("r0")[-1].antennas == {1: UP, 2: UP}


def test_a_reader_that_never_was_there_costs_its_patience_once() -> None:
    stage = Stage(Habits(), ours=[settings(0), settings(7)])
    stage.loop.turn(2)
    assert stage.sessions[1].is_over
    assert stage.sessions[1].fault is not None
    assert "bus_address" in stage.sessions[1].fault.hint
    assert stage.seen("r0") == EVERY


def test_a_late_answer_of_a_reader_that_was_given_up_disturbs_nobody() -> None:
    stage = Stage(Habits(lag_s=2), Habits(serial_number=bytes(4)))
    stage.loop.turn(30)
    assert stage.sessions[0].is_over
    assert stage.seen("r1") == EVERY
    assert stage.reading("r1")


def test_a_stranger_on_the_line_is_named() -> None:
    stage = Stage()
    stage.loop.turn(1)
    stage.loop.say(reply(0x21, 0, bytes(8), address=9))
    assert "bus_address 9" in stage.notices()[0].fault.text


def test_noise_is_counted_and_ends_nothing() -> None:
    stage = Stage()
    stage.loop.turn(1)
    for _ in range(20):
        stage.loop.say(b"\x07\xff\x00noise")
        stage.loop.turn(0.3)
    assert stage.reading()
    assert any(notice.fault.kind == "frame_error" for notice in stage.notices())


def test_an_answer_nobody_asked_for() -> None:
    stage = Stage()
    stage.loop.turn(1)
    stage.loop.say(reply(0x2F, 0))
    stage.loop.say(reply(0x01, 0x26, bytes(7)))
    assert {notice.fault.kind for notice in stage.notices()} == {"stray_message"}


def test_an_inventory_that_does_not_add_up_is_a_look_without_tags() -> None:
    stage = Stage(field=FixedField({}))
    stage.loop.until(lambda: stage.session.at is State.LOOKING and stage.session.holds_line)
    stage.loop.say(reply(1, 1, tags288(TAGS[1])[:-3]))
    assert [notice.fault.kind for notice in stage.notices()] == ["frame_error"]
    assert stage.seen() == set()


def test_a_false_length_costs_what_follows_it_a_moment() -> None:
    stage = Stage(Habits(look_s=0.3))
    stage.loop.until(lambda: stage.session.at is State.LOOKING and stage.session.holds_line)
    stage.loop.say(b"\xff" + reply(0x01, 0x01, tags288(TAGS[3][:1])))
    assert stage.seen() == set()
    stage.loop.turn(IDLE_US / SECOND)
    assert stage.seen() == {(TAGS[3][0], 1)}


@pytest.mark.parametrize("seed", range(3))
def test_any_cutting_of_a_whole_conversation_gives_the_same_reads(seed: int) -> None:
    rng = random.Random(seed)

    def cut(data: bytes) -> Iterable[bytes]:
        size = 1 if seed == 0 else rng.randint(1, 7)
        return [data[at : at + size] for at in range(0, len(data), size)]

    whole, pieces = Stage(), Stage()
    pieces.loop.wire = cut
    whole.loop.turn(3)
    pieces.loop.turn(3)
    reads = [[read for batch in stage.batches() for read in batch.reads] for stage in (whole, pieces)]
    assert reads[0] == reads[1] != []
    assert pieces.notices() == []


def test_resting_at_its_turn() -> None:
    stage = Stage()
    stage.session.rests = True
    stage.loop.turn(2)
    assert (stage.reading(), stage.states()[-1].resting) == (True, True)
    assert 1 not in stage.commands()
    stage.session.rests = False
    stage.loop.turn(1)
    assert stage.seen() == EVERY
    assert not stage.states()[-1].resting
    stage.session.rests = True
    stage.loop.turn(1)
    assert stage.states()[-1].resting
    before = len(stage.device.heard)
    stage.loop.turn(5)
    assert len(stage.device.heard) == before


def test_it_ends_at_once_when_it_is_asked_to() -> None:
    stage = Stage()
    stage.loop.turn(1)
    stage.loop.close()
    assert stage.session.is_over
    assert stage.session.fault is None


# The table


def stage_in(state: State) -> Stage:
    """A session that has come to `state` in its own way."""
    match state:
        case State.QUIETING:
            stage = Stage(Habits(mode=1, lag_s=0.02))
        case State.LISTENING | State.PINGING:
            stage = Stage(Habits(mode=1, obeys_mode=False, region=(0x4E, 0), power_dbm=26, lag_s=0.02))
            stage.loop.turn(2)
            if state is State.PINGING:
                stage.device._field = FixedField({})
        case State.RESTING:
            stage = Stage()
            stage.session.rests = True
        case State.CLOSED:
            stage = Stage()
            stage.session.close(stage.clock.at_us)
        case _:
            stage = Stage(Habits(lag_s=0.02))
    stage.loop.until(lambda: stage.session.at is state)
    return stage


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("status", [0x00, 0x01, 0x03, 0x26, 0xF8, 0xFB, 0xFE, 0xFF])
@pytest.mark.parametrize("command", [0x00, 0x01, 0x21, 0x2F, 0x4C, 0x76, 0xEE])
def test_anything_may_come_at_any_time(state: State, command: int, status: int) -> None:
    stage = stage_in(state)
    for data in (b"", bytes.fromhex("00160c034e001e0a"), tags288(TAGS[1][:2]), b"\x01\x02\xe2\x00\x50"):
        stage.loop.say(reply(command, status, data))
    stage.loop.turn(0.5)
    assert stage.session.is_over or stage.session.at in State


COMES_IN = {
    **dict.fromkeys((Event.ODD, Event.STOP), tuple(State)),
    Event.REJECTED: OPEN,
    Event.ANSWERED: ASKING,
    Event.TIMED_OUT: (*ASKING, State.LOOKING),
    Event.GAVE_UP: ASKING,
    Event.REFUSED: (State.NAMING,),
    Event.DONE: (State.SETTING,),
    Event.UNCHANGED: (State.SETTING,),
    **dict.fromkeys((Event.MORE, Event.LOOKED, Event.LOOK_FAILED, Event.REST), (State.LOOKING,)),
    Event.PUSHED: tuple(State),
    Event.UNTAMED: (*ANSWERING, State.QUIETING),
    Event.DUE: (State.LISTENING,),
    Event.RESUME: (State.RESTING,),
}


def test_every_pair_of_the_table_is_whole() -> None:
    """What the session can meet is in it, and all else is refused loudly."""
    assert {(state, event) for event, states in COMES_IN.items() for state in states} == set(TABLE)
    for state in State:
        for event in Event:
            if (state, event) not in TABLE:
                with pytest.raises(UnexpectedEvent):
                    stage_in(state).session._step(event, None)


def test_every_command_is_used() -> None:
    assert {command for commands, _ in TABLE.values() for command in commands} == set(Command)


LIVES = [*range(10), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 150))]
HOSTILE = [
    reply(0x01, 0x01, tags288(TAGS[1][:2])),
    reply(0x01, 0x03, tags288(TAGS[2][:2], 2)),
    reply(0x01, 0xFB),
    reply(0x01, 0xF8),
    reply(0x21, 0x00, bytes.fromhex("00160c034e001e0a")),
    reply(0x4C, 0x00, bytes.fromhex(NUMBER)),
    reply(0xEE, 0x28, bytes(9)),
    reply(0x00, 0xFE),
    reply(0x76, 0x00, address=5),
    reply(0x21, 0x00, bytes(3))[:6],
    b"\xff" + bytes(40),
    b"\x56" + bytes(5),
]


@pytest.mark.parametrize("seed", LIVES)
def test_any_life_ends_in_reads_or_in_a_fault(seed: int) -> None:
    """Whatever comes, mutes, lags, changes its mode and rests in any order: no defect, and no read of no antenna."""
    rng = random.Random(seed)
    stage = Stage(Habits(), Habits(serial_number=bytes(4)))
    stage.loop.wire = lambda data: () if rng.random() < 0.01 else (data,)
    for _ in range(60):
        device = rng.choice(stage.devices)
        match rng.randrange(8):
            case 0:
                stage.loop.say(rng.choice(HOSTILE))
            case 1:
                rng.choice(stage.sessions).rests = rng.random() < 0.5
            case 2:
                device.habits.mute = rng.random() < 0.2
            case 3:
                device.habits.lag_s = rng.choice((0.0, 0.0, 0.01, 0.2))
            case 4:
                device.habits.missing_antennas = frozenset(rng.sample((1, 2), rng.randrange(3)))
            case 5:
                device.habits.mode = int(rng.random() < 0.1)
            case 6:
                device.habits.refuses = frozenset(rng.sample((0x4C, 0x2F), rng.randrange(2)))
            case _:
                device.habits.tags_per_frame = rng.choice((1, 8))
        stage.loop.turn(rng.choice((0.001, 0.02, 0.3, 1.0)))
    for device, session in zip(stage.devices, stage.sessions, strict=True):
        device.habits.mute, device.habits.lag_s, device.habits.mode = False, 0.0, 0
        device.habits.missing_antennas = device.habits.refuses = frozenset()
        session.rests = False
    stage.loop.wire = lambda data: (data,)
    stage.loop.turn(20)
    for session, name in zip(stage.sessions, ("r0", "r1"), strict=True):
        if session.is_over:
            assert session.fault is not None
            assert session.fault.kind in {"timeout", "rejected", "another_device"}
        elif session.at is not State.LISTENING:
            assert stage.reading(name)
            assert stage.states(name)[-1].antennas == {1: UP, 2: UP}
            assert not stage.states(name)[-1].resting
        assert {antenna for _, antenna in stage.seen(name)} <= {1, 2}
