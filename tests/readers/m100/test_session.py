import itertools
import random
from collections.abc import Iterable

import pytest

from readers.m100.session import (
    ATTEMPTS,
    CONFIGURE_EVERY_US,
    FRUITLESS_TURNS,
    POLL_US,
    SILENCE_US,
    Session,
    UnexpectedEvent,
)
from readers.m100.settings import M100Settings, Region, SwitchCoding
from readers.m100.states import ASKING, OPEN, STOPS, TABLE, Command, Event, State
from readers.m100.wire import IDLE_US
from readers.model import AntennaCondition, Fault, ReaderCondition
from readers.port.settings import PortSettings
from simulators.field import FixedField
from simulators.serial.m100 import R200_FORM, Habits, M100Device
from tests.readers.m100.test_wire import frame, rcp, tag
from tests.readers.port.loopback import SECOND, Loopback, TurnedClock

PORT = PortSettings("/dev/serial/by-id/m100")
ONE = M100Settings(PORT, (1,), Region.EU, 26.0)
FOUR = M100Settings(PORT, (1, 2, 3, 4), Region.EU, 20.0, switch_pins=(2, 3), dwell_s=0.5)
TAGS = {n: [bytes([0x30, n, k]) + bytes(9) for k in range(3)] for n in (1, 2, 4)}
SELECTING = "reading tags without a mask"
UP, DOWN = AntennaCondition.UP, AntennaCondition.DOWN


def joined(
    settings: M100Settings = ONE, habits: Habits | None = None, *, known: str | None = None, asleep: bool = False
) -> tuple[Loopback, M100Device]:
    clock = TurnedClock()
    device = M100Device(FixedField(TAGS), clock, habits, settings.switch_pins, asleep=asleep)
    return Loopback(Session("r", settings, known), device, clock), device


def session_of(loop: Loopback) -> Session:
    assert isinstance(loop.session, Session)
    return loop.session


def reading(loop: Loopback) -> bool:
    return bool(loop.states) and loop.states[-1].condition is ReaderCondition.READING


def fault_of(loop: Loopback) -> Fault:
    assert loop.session.fault is not None
    return loop.session.fault


@pytest.mark.parametrize("form", [Habits().form, R200_FORM])
def test_from_the_first_byte_to_reads(form: tuple[int, int]) -> None:
    loop, device = joined(habits=Habits(form=form))
    loop.turn(2)
    assert (device.region, device.power_cdbm, device.hops, device.selects) == (3, 2600, True, 1)
    assert [state.condition for state in loop.states] == [ReaderCondition.CONNECTED, ReaderCondition.READING]
    last = loop.states[-1]
    assert (last.model, last.firmware, last.antennas) == ("M100 26dBm V1.0", "V2.3.5", {1: UP})
    assert loop.seen() == {(epc, 1) for epc in TAGS[1]}
    first = loop.batches[0]
    assert first.offset_us == 0
    assert first.reads[0][2] == -55
    assert first.reads[0][3] == first.reads[0][4] == first.received_us
    assert loop.notices == []


def test_a_sleeping_module_loses_the_first_command() -> None:
    loop, device = joined(asleep=True)
    loop.turn(2)
    assert reading(loop)
    assert device.heard[0][0] == 3


def test_a_module_left_polling_is_stopped_first() -> None:
    loop, device = joined()
    device.rounds_left = 1000
    device.wake_s = 0.01
    loop.turn(2)
    assert reading(loop)
    assert device.heard[0][0] == 0x28
    assert {command for command, _ in device.heard[:10]} >= {0x07, 0x08, 0xB6, 0xB7}


def test_an_empty_field_is_a_look_that_saw_nothing() -> None:
    loop, device = joined(M100Settings(PORT, (7,), Region.EU, 26.0))
    device._field = FixedField({})
    loop.turn(25)
    assert loop.states[-1].antennas == {7: UP}
    assert loop.seen() == set()
    assert [command for command, _ in device.heard].count(0x27) == 1, "FF/15 is a heartbeat: no restart"


def test_the_poll_is_started_anew_before_it_can_run_out() -> None:
    loop, device = joined(habits=Habits(round_s=0.2))
    loop.turn(3 * POLL_US / SECOND - 5)
    polls = [payload for command, payload in device.heard if command == 0x27]
    assert len(polls) == 3
    assert polls[0] == bytes.fromhex("22ffff")
    assert device.rounds_left > 0


def test_a_poll_that_ran_out_is_started_again_within_a_second() -> None:
    loop, device = joined()
    loop.turn(2)
    device.rounds_left, device.wake_s = 1, 0.01
    loop.ask(b"")
    before = len(loop.batches)
    loop.turn(SILENCE_US / SECOND + 0.5)
    assert len(loop.batches) > before
    assert loop.states[-1].antennas == {1: UP}
    assert len(loop.states) == 2


def test_a_module_that_restarts_is_told_everything_again() -> None:
    loop, device = joined()
    loop.turn(2)
    device.power_up()
    loop.ask(b"")
    loop.turn(2)
    assert (device.region, device.power_cdbm, device.selects) == (3, 2600, 1)
    assert device.rounds_left > 0


def test_a_restart_within_a_turn_is_made_good_within_seconds() -> None:
    loop, device = joined(FOUR)
    loop.turn(3)
    device.region = 1
    loop.turn(CONFIGURE_EVERY_US / SECOND + 1)
    assert device.region == 3


def test_antennas_take_turns_behind_the_switch() -> None:
    loop, device = joined(FOUR)
    loop.turn(10)
    assert loop.seen() == {(epc, antenna) for antenna, epcs in TAGS.items() for epc in epcs}
    assert loop.states[-1].antennas == {1: UP, 2: UP, 3: UP, 4: UP}
    levels = [payload[1:] for command, payload in device.heard if command == 0x1A and payload[0] == 1]
    assert levels[:8] == [bytes(pair) for pair in ((2, 0), (3, 0), (2, 1), (3, 0), (2, 0), (3, 1), (2, 1), (3, 1))]


def test_one_pin_for_each_antenna() -> None:
    one_hot = M100Settings(PORT, (1, 2), Region.US, 20.0, switch_pins=(4, 1), switch_coding=SwitchCoding.ONE_HOT)
    loop, device = joined(one_hot)
    loop.turn(3)
    levels = [payload[1:] for command, payload in device.heard if command == 0x1A and payload[0] == 1]
    assert levels[:4] == [bytes(pair) for pair in ((4, 1), (1, 0), (4, 0), (1, 1))]


def test_what_comes_before_the_stop_is_answered_belongs_to_the_antenna_before() -> None:
    loop, _ = joined(FOUR, Habits(lag_s=0.05))
    late = bytes.fromhex("300101010101010101010101")
    loop.until(lambda: session_of(loop).at is State.STOPPING)
    antenna = session_of(loop).antenna
    loop.say(tag(late))
    loop.until(lambda: session_of(loop).at is State.POLLING)
    assert session_of(loop).antenna == antenna + 1
    assert {(late, antenna)} == {one for one in loop.seen() if one[0] == late}


def test_the_switch_settles_before_the_next_poll() -> None:
    loop, _ = joined(FOUR)
    loop.until(lambda: session_of(loop).at is State.SETTLING)
    start_us = loop.clock.at_us
    loop.up.clear()
    loop.turn(0.0099)
    assert not loop.up
    loop.until(lambda: b"\x00\x27" in loop.up)
    assert loop.clock.at_us - start_us < 20_000


def test_an_antenna_whose_looks_fail_is_down_until_one_succeeds() -> None:
    loop, device = joined(FOUR)
    loop.turn(5)
    device.habits.dead_antennas = frozenset({3})
    loop.until(lambda: loop.states[-1].antennas[3] is DOWN)
    assert loop.states[-1].condition is ReaderCondition.READING
    assert [loop.states[-1].antennas[n] for n in (1, 2, 4)] == [UP] * 3
    device.habits.dead_antennas = frozenset()
    loop.until(lambda: loop.states[-1].antennas[3] is UP)


def test_busy_channels_are_no_look() -> None:
    loop, device = joined(habits=Habits(jammed=True))
    loop.until(lambda: reading(loop))
    assert loop.states[-1].antennas == {1: DOWN}
    assert loop.clock.at_us < 1000 * SECOND + (FRUITLESS_TURNS + 1) * 1.5 * SECOND
    assert loop.notices[0].fault.kind == "channels_busy"
    device.habits.jammed = False
    loop.until(lambda: loop.states[-1].antennas == {1: UP})


def test_a_silent_module_ends_the_connection() -> None:
    loop, device = joined()
    loop.turn(2)
    device.habits.mute = True
    loop.until(lambda: loop.session.is_over, 10)
    assert fault_of(loop).kind == "timeout"
    never, _ = joined(habits=Habits(mute=True))
    never.turn(10)
    assert never.session.is_over
    assert "silent" in fault_of(never).text
    assert never.states == []


def test_what_speaks_no_protocol_of_ours_is_said_to() -> None:
    loop, device = joined(habits=Habits(mute=True))
    for _ in range(10):
        loop.say(bytes(range(200)))
        loop.turn(0.3)
    assert loop.session.is_over
    assert "no frames" in fault_of(loop).text
    assert device.heard


def test_a_red_rcp_module_is_named() -> None:
    loop, _ = joined(habits=Habits(mute=True))
    loop.turn(0.1)
    loop.say(rcp(b"\x01\x02\x03", 3))
    assert fault_of(loop).kind == "not_m100"


def test_noise_while_reading_is_counted_and_ends_nothing() -> None:
    loop, _ = joined(habits=Habits(round_s=0.5))
    loop.turn(2)
    for _ in range(50):
        loop.say(b"\x00\xff\xbb\x13")
        loop.turn(5)
    assert reading(loop)
    assert 4 <= len(loop.notices) <= 6, "a minute apart"
    loop.close()
    assert {notice.fault.kind for notice in loop.notices} == {"frame_error"}
    assert sum(notice.count for notice in loop.notices) >= 49


def test_a_tag_whose_own_checksum_is_wrong_is_not_counted() -> None:
    loop, device = joined(habits=Habits(bad_tag_every=1))
    loop.turn(3)
    assert loop.batches == []
    assert {notice.fault.kind for notice in loop.notices} == {"bad_tag"}
    device.habits.bad_tag_every = 4
    loop.turn(3)
    assert loop.seen() == {(epc, 1) for epc in TAGS[1]}


def test_what_is_refused_and_can_be_spared_is_noted_once() -> None:
    loop, _ = joined(
        M100Settings(PORT, (1,), Region.EU, 26.0, session=1), Habits(refuses=frozenset({0xAD, 0x0E, 0x12}))
    )
    loop.turn(2 * POLL_US / SECOND + 5)
    assert reading(loop)
    texts = [notice.fault.text.partition(":")[0] for notice in loop.notices]
    assert texts == ["hopping between channels", "setting session and q", "session and q that it uses", SELECTING]


def test_what_is_not_answered_and_can_be_spared_is_asked_once() -> None:
    loop, device = joined(FOUR, Habits(ignores=frozenset({0xAD, 0x0D})))
    loop.turn(60)
    assert reading(loop)
    assert [command for command, _ in device.heard].count(0xAD) == ATTEMPTS
    assert {notice.fault.kind for notice in loop.notices} == {"refused_setting"}
    vital, _ = joined(FOUR, Habits(ignores=frozenset({0xB7})))
    vital.turn(10)
    assert fault_of(vital).kind == "timeout"


def test_a_false_header_costs_what_follows_it_a_moment() -> None:
    loop, device = joined(habits=Habits(round_s=0.5))
    loop.turn(2)
    device.habits.mute = True
    late = bytes.fromhex("300101010101010101010101")
    loop.say(b"\xbb\x02\x22\x01\xf0" + tag(late))
    assert (late, 1) not in loop.seen()
    loop.turn(IDLE_US / SECOND)
    assert (late, 1) in loop.seen()


@pytest.mark.parametrize("command", [0x07, 0x08, 0xB7])
def test_without_region_and_power_nothing_is_read(command: int) -> None:
    loop, device = joined(habits=Habits(refuses=frozenset({command})))
    loop.turn(5)
    assert fault_of(loop).kind == "rejected"
    assert 0x27 not in [heard for heard, _ in device.heard]


def test_a_region_that_is_not_taken_is_seen_by_reading_it_back() -> None:
    loop, device = joined(habits=Habits(stuck_region=1))
    loop.turn(5)
    assert fault_of(loop).kind == "rejected"
    assert "region" in fault_of(loop).text
    assert 0x27 not in [heard for heard, _ in device.heard]


def test_more_power_than_was_asked_for_is_not_read_with_less_is_noted() -> None:
    loop, device = joined(ONE, Habits(refuses=frozenset({0xB6}), max_power_cdbm=2000))
    device.power_cdbm = 3000
    loop.turn(5)
    assert fault_of(loop).kind == "rejected"
    less, _ = joined(ONE, Habits(max_power_cdbm=2000))
    less.turn(5)
    assert reading(less)
    assert [notice.fault.text for notice in less.notices] == ["the power that it uses: 20 dBm is less than 26 dBm"]


def test_old_firmware_answers_the_select_mode_under_another_number() -> None:
    loop, _ = joined(habits=Habits(answers_select_as_0c=True))
    loop.turn(3)
    assert reading(loop)
    assert loop.notices == []


def test_another_module_on_the_same_port_is_refused_before_it_reads() -> None:
    loop, device = joined(known="M100 20dBm V2.0")
    loop.turn(5)
    assert fault_of(loop).kind == "another_device"
    assert not {0x07, 0xB6, 0x27} & {heard for heard, _ in device.heard}
    same, _ = joined(known="M100 26dBm V1.0")
    same.turn(5)
    assert reading(same)


def test_a_lost_answer_is_asked_for_again() -> None:
    loop, _ = joined()
    rng = random.Random(3)

    def lossy(data: bytes) -> Iterable[bytes]:
        return () if rng.random() < 0.3 else (data,)

    loop.wire = lossy
    loop.turn(30)
    assert reading(loop)


def test_late_answers_to_earlier_commands_do_no_harm() -> None:
    loop, device = joined(FOUR, Habits(lag_s=0.6))
    loop.turn(60)
    assert reading(loop)
    assert device.region == 3
    found = {antenna for _, antenna in loop.seen()}
    assert found == {1, 2, 4}
    assert all(epc[1] == antenna for epc, antenna in loop.seen()), "a read under another antenna's number"
    assert {notice.fault.kind for notice in loop.notices} == {"stray_message"}


def test_an_answer_to_another_command_is_no_answer() -> None:
    loop, _ = joined(habits=Habits(mute=True))
    loop.turn(0.4)
    assert session_of(loop).at is State.IDENTIFYING
    loop.say(frame(1, 0x08, b"\x03") + frame(1, 3, b"\x01V2") + frame(0, 3, b"\x00"))
    assert session_of(loop).at is State.IDENTIFYING
    assert session_of(loop).model == ""
    loop.say(frame(1, 3, b"\x00M100"))
    assert session_of(loop).model == "M100"


def test_a_poll_that_is_refused_ends_the_connection() -> None:
    loop, _ = joined(habits=Habits(refuses=frozenset({0x27})))
    loop.turn(5)
    assert fault_of(loop).kind == "rejected"


def test_it_leaves_the_module_quiet() -> None:
    loop, device = joined()
    loop.turn(2)
    loop.close()
    assert loop.session.is_over
    assert loop.session.fault is None
    assert device.rounds_left == 0
    early, _ = joined(habits=Habits(mute=True))
    early.close()
    assert early.session.is_over


def test_resting_at_its_turn() -> None:
    loop, device = joined()
    session_of(loop).rests = True
    loop.turn(2)
    assert (loop.states[-1].condition, loop.states[-1].resting) == (ReaderCondition.READING, True)
    assert 0x27 not in [heard for heard, _ in device.heard]
    session_of(loop).rests = False
    loop.turn(1)
    assert not loop.states[-1].resting
    assert loop.seen()
    session_of(loop).rests = True
    loop.turn(1)
    assert loop.states[-1].resting
    assert device.rounds_left == 0
    assert loop.states[-1].antennas == {1: UP}


@pytest.mark.parametrize("seed", range(3))
def test_any_cutting_of_a_whole_conversation_gives_the_same_reads(seed: int) -> None:
    rng = random.Random(seed)

    def cut(data: bytes) -> Iterable[bytes]:
        size = 1 if seed == 0 else rng.randint(1, 7)
        return [data[at : at + size] for at in range(0, len(data), size)]

    whole, _ = joined(FOUR)
    pieces, _ = joined(FOUR)
    pieces.wire = cut
    whole.turn(8)
    pieces.turn(8)
    reads = [[read for batch in each.batches for read in batch.reads] for each in (whole, pieces)]
    assert reads[0] == reads[1] != []
    assert pieces.notices == []


# The table


def sessions_in(state: State) -> Loopback:
    """A session that has come to `state` in its own way."""
    if state is State.RECOVERING:
        loop, device = joined(FOUR)
        loop.until(lambda: session_of(loop).at is State.POLLING)
        device.habits.mute = True
    elif state is State.RESTING:
        loop, _ = joined(FOUR)
        session_of(loop).rests = True
    elif state in {State.CLOSING, State.CLOSED}:
        loop, device = joined(FOUR, Habits(mute=True))
        session_of(loop).close(loop.clock.at_us)
    else:
        loop, _ = joined(FOUR, Habits(lag_s=0.02))
    loop.until(lambda: session_of(loop).at is state)
    return loop


def test_every_state_is_reached() -> None:
    for state in State:
        assert session_of(sessions_in(state)).at is state


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "data",
    [
        tag(),
        frame(1, 0xFF, b"\x15"),
        frame(1, 0xFF, b"\x20"),
        frame(1, 0xFF, b"\x17"),
        frame(1, 0xFF),
        frame(1, 0x28, b"\x00"),
        frame(1, 0x03, b"\x00M100"),
        frame(1, 0x1A, b"\x01\x02\x01"),
        frame(2, 0x22, b"\x00"),
        frame(0, 0x22),
        rcp(b"\x01"),
        b"\x00\xbb\x7e",
    ],
    ids=["tag", "empty", "jammed", "error", "no code", "stop", "info", "pin", "short", "command", "rcp", "noise"],
)
def test_anything_may_come_at_any_time(state: State, data: bytes) -> None:
    loop = sessions_in(state)
    loop.say(data)
    loop.turn(3)
    assert loop.session.is_over or session_of(loop).at in State


def test_every_pair_of_the_table_is_whole() -> None:
    """What the session can meet is in it, what is in it leads on, and all else is refused loudly."""
    possible = {(state, event) for event, states in COMES_IN.items() for state in states}
    assert possible == set(TABLE)
    for state, event in itertools.product(State, Event):
        if (state, event) not in TABLE:
            loop = sessions_in(state)
            with pytest.raises(UnexpectedEvent):
                session_of(loop)._step(event, None)


ANYWHERE = tuple(State)
COMES_IN = {
    **dict.fromkeys((Event.ODD, Event.LOOKED, Event.JAMMED, Event.FOREIGN, Event.STOP), ANYWHERE),
    **dict.fromkeys((Event.ANSWERED, Event.REJECTED), ASKING),
    **dict.fromkeys((Event.TIMED_OUT, Event.DONE), (*ASKING, *STOPS, State.WAKING, State.CLOSING)),
    Event.REFUSED: (*ASKING, *STOPS, State.WAKING, State.POLLING, State.CLOSING),
    Event.GAVE_UP: (*ASKING, *STOPS),
    Event.DUE: (State.SETTLING, State.POLLING),
    Event.SILENT: (State.POLLING,),
    Event.OUTDATED: (State.STOPPING,),
    Event.RESTED: (State.CONFIGURING, *STOPS),
    Event.REST: (State.SETTLING, State.POLLING),
    Event.RESUME: (State.RESTING,),
}


def test_every_command_is_used_and_every_way_out_of_an_open_state_is_there() -> None:
    assert {command for commands, _ in TABLE.values() for command in commands} == set(Command)
    for state in OPEN:
        assert TABLE[state, Event.STOP][1] is State.CLOSING
    assert ATTEMPTS > 1


LIVES = [*range(10), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 150))]
HOSTILE = [
    tag(),
    tag()[:9],
    frame(1, 0xFF, b"\x15"),
    frame(1, 0xFF, b"\x17"),
    frame(1, 0x28, b"\x00"),
    frame(1, 0x07, b"\x00"),
    frame(1, 0x1A, b"\x01\x02\x01"),
    frame(2, 0x22, bytes(7)),
    rcp(b"\x01\x02"),
    b"\xbb\x01\x03\x01\xff",
    bytes(range(0x90, 0xC0)),
]


@pytest.mark.parametrize("seed", LIVES)
def test_any_life_ends_in_reads_or_in_a_fault(seed: int) -> None:
    """Whatever comes, mutes, lags, restarts and rests in any order: no defect, and no read of no antenna."""
    rng = random.Random(seed)
    loop, device = joined(rng.choice((ONE, FOUR)), asleep=rng.random() < 0.3)
    habits = device.habits
    loop.wire = lambda data: () if rng.random() < 0.02 else (data,)
    for _ in range(60):
        match rng.randrange(9):
            case 0:
                loop.say(rng.choice(HOSTILE))
            case 1:
                session_of(loop).rests = rng.random() < 0.5
            case 2:
                device.power_up()
            case 3:
                device.sleep()
            case 4:
                habits.mute = rng.random() < 0.2
            case 5:
                habits.lag_s = rng.choice((0.0, 0.0, 0.01, 0.3))
            case 6:
                habits.jammed = rng.random() < 0.3
            case 7:
                habits.dead_antennas = frozenset(rng.sample((1, 2, 3, 4), rng.randrange(3)))
            case _:
                habits.bad_tag_every = rng.choice((0, 0, 2))
        loop.turn(rng.choice((0.001, 0.02, 0.3, 2.0)))
    device.habits = Habits()
    session_of(loop).rests = False
    loop.wire = lambda data: (data,)
    seen_before = len(loop.batches)
    loop.turn(20)
    if loop.session.is_over:
        assert fault_of(loop).kind in {"timeout", "rejected", "not_m100", "another_device"}
    else:
        assert reading(loop)
        assert not loop.states[-1].resting
        assert set(loop.states[-1].antennas.values()) == {UP}
        assert len(loop.batches) > seen_before
        assert device.region == 3
    assert {antenna for _, antenna in loop.seen()} <= {1, 2, 3, 4}
