import itertools
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.llrp.control import ConnectionStatus
from readers.llrp.session import Session, UnexpectedEvent
from readers.llrp.settings import AirSettings, InputTrigger, Level, LlrpSettings, mask_of
from readers.llrp.states import OPEN, TABLE, WATCHED, Command, Event, State
from readers.llrp.wire import Frame, MessageType
from readers.model import AntennaCondition, Fault, ReaderCondition, ReaderNotice, ReaderState
from tests.readers.llrp.frames import NOW, connection_event, frame, notification, split, status, tlv

SETTINGS = LlrpSettings("10.0.0.11", (1, 2), air=AirSettings(power_dbm=29.0), keepalive_s=5, answer_timeout_s=3)
SECOND = 1_000_000


def capabilities(antennas: int = 4, *, hold: bool = False) -> bytes:
    general = tlv(137, struct.pack(">HHIIH", antennas, 0x4000, 25882, 2001002, 3) + b"5.1")
    llrp = tlv(142, struct.pack(">BBHIIIII", 0x40 | hold << 3, 1, 0, 1, 32, 1, 8, 8))
    powers = b"".join(tlv(145, struct.pack(">HH", n, 1000 + 25 * n)) for n in range(80))
    band = tlv(144, powers + tlv(146, b"\x80" + tlv(147, struct.pack(">BBHI", 1, 0, 1, 909250))))
    return general + llrp + tlv(143, struct.pack(">HH", 840, 1) + band)


ANTENNAS = tlv(221, b"\x80\x00\x01\x00\x00") + tlv(221, b"\x00\x00\x02\x00\x00") + tlv(221, b"\x80\x00\x09\x00\x00")

# Request -> the body of its answer when all goes well.
ANSWERS = {
    MessageType.GET_READER_CAPABILITIES: (11, status() + capabilities()),
    MessageType.GET_READER_CONFIG: (12, status() + ANTENNAS),
    MessageType.SET_READER_CONFIG: (13, status()),
    MessageType.DELETE_ACCESSSPEC: (51, status()),
    MessageType.GET_ROSPECS: (36, status()),
    MessageType.DELETE_ROSPEC: (31, status()),
    MessageType.ADD_ROSPEC: (30, status()),
    MessageType.ENABLE_ROSPEC: (34, status()),
    MessageType.START_ROSPEC: (32, status()),
    MessageType.CLOSE_CONNECTION: (4, status()),
}
STATES = {
    MessageType.GET_READER_CAPABILITIES: State.ASKING_CAPABILITIES,
    MessageType.GET_READER_CONFIG: State.ASKING_CONFIG,
    MessageType.SET_READER_CONFIG: State.CONFIGURING,
    MessageType.DELETE_ACCESSSPEC: State.CLEARING_ACCESSSPECS,
    MessageType.GET_ROSPECS: State.ASKING_ROSPECS,
    MessageType.DELETE_ROSPEC: State.CLEARING_ROSPECS,
    MessageType.ADD_ROSPEC: State.ADDING,
    MessageType.ENABLE_ROSPEC: State.ENABLING,
    MessageType.START_ROSPEC: State.STARTING,
}


# (where, where to): the ways that only a refusal opens.
REFUSALS = {
    (State.CONFIGURING, State.CONFIGURING_EVENTS),
    (State.CONFIGURING, State.CONFIGURING_KEEPALIVE),
    (State.CONFIGURING_EVENTS, State.CONFIGURING_KEEPALIVE),
    (State.ADDING, State.ADDING_LESS),
}


class Bench:
    """A session, and the reader's side of it by hand."""

    def __init__(self, settings: LlrpSettings = SETTINGS, *, left_running: bool = False) -> None:
        self.now = 100 * SECOND
        self.session = Session("r", settings, self.now, "10.0.0.11:5084", left_running=left_running)
        self.asked: list[tuple[int, int, bytes]] = []
        self.events: list[ReaderState | ReaderNotice] = []

    def hear(self, data: bytes) -> list[int]:
        """Feed frames; the types of what the session sends back."""
        for kind, message_id, body in split(data):
            self.session.receive(Frame(kind, message_id, body), self.now)
        return self.collect()

    def collect(self) -> list[int]:
        sent = split(self.session.take_bytes())
        self.asked += sent
        self.events += self.session.take_events()
        return [kind for kind, _, _ in sent]

    def answer(self, kind: int | None = None, body: bytes | None = None) -> list[int]:
        """Answer the newest request."""
        asked, message_id, _ = self.asked[-1]
        usual_kind, usual_body = ANSWERS[MessageType(asked)]
        return self.hear(frame(kind or usual_kind, usual_body if body is None else body, message_id))

    def reach(self, state: State) -> "Bench":
        if state is State.AWAITING_EVENT:
            return self
        self.hear(connection_event())
        while self.session.state is not state:
            if (self.session.state, state) in REFUSALS:
                self.answer(body=status(111))
            elif state is State.RESTING and self.session.state is State.READING:
                self.session.rest(self.now)
                self.collect()
            elif state in {State.CLOSING, State.CLOSED} and self.session.state is State.READING:
                self.session.close(self.now)
                self.collect()
            else:
                self.answer()
        return self

    def wait(self, seconds: float) -> list[int]:
        self.now += int(seconds * SECOND)
        self.session.tick(self.now)
        return self.collect()

    @property
    def notices(self) -> list[Fault]:
        return [event.fault for event in self.events if isinstance(event, ReaderNotice)]

    @property
    def states(self) -> list[ReaderState]:
        return [event for event in self.events if isinstance(event, ReaderState)]


def fault_of(bench: Bench) -> Fault:
    assert bench.session.fault is not None
    return bench.session.fault


def test_the_way_to_reading() -> None:
    bench = Bench()
    bench.hear(connection_event(utc=NOW))
    while bench.session.state is not State.READING:
        bench.answer()
    asked = [MessageType(kind) for kind, _, _ in bench.asked]
    # Beside the way: an Impinj reader is asked for its extensions, which its temperature is one of.
    asked.remove(MessageType.CUSTOM_MESSAGE)
    assert asked == list(STATES)
    assert len({message_id for _, message_id, _ in bench.asked}) == len(bench.asked)
    assert [event.condition for event in bench.states] == [ReaderCondition.CONNECTED, ReaderCondition.READING]
    last = bench.states[-1]
    assert (last.model, last.firmware, last.address) == ("Impinj Speedway R420", "5.1", "10.0.0.11:5084")
    assert last.antennas == {1: AntennaCondition.UP, 2: AntennaCondition.DOWN}
    assert bench.session.clock.offset_us == bench.now - NOW
    assert not bench.notices
    assert bench.session.fault is None


def test_what_is_cleared_and_configured() -> None:
    bench = Bench().reach(State.READING)
    bodies = {MessageType(kind): body for kind, _, body in bench.asked}
    assert bodies[MessageType.DELETE_ACCESSSPEC] == bodies[MessageType.DELETE_ROSPEC] == bytes(4)
    assert tlv(220, b"\x01" + struct.pack(">I", 5000)) in bodies[MessageType.SET_READER_CONFIG]
    for event in (2, 3, 4, 8):
        assert tlv(245, struct.pack(">HB", event, 0x80)) in bodies[MessageType.SET_READER_CONFIG]
    assert tlv(224, struct.pack(">HHH", 1, 0, 76)) in bodies[MessageType.ADD_ROSPEC]


HOLD = tlv(226, b"\x80")


def test_where_a_reader_can_hold_it_is_asked_to_and_what_it_held_is_released_before_anything_is_deleted() -> None:
    bench = Bench()
    bench.hear(connection_event())
    bench.answer(body=status() + capabilities(hold=True))
    assert bench.answer() == [MessageType.ENABLE_EVENTS_AND_REPORTS, MessageType.SET_READER_CONFIG]
    assert bench.asked[-1][2].endswith(HOLD)
    while bench.session.state is not State.READING:
        bench.answer()
    assert MessageType.ENABLE_EVENTS_AND_REPORTS not in [kind for kind, _, _ in bench.asked[4:]]


def test_a_reader_that_cannot_hold_is_not_asked_to() -> None:
    bench = Bench().reach(State.READING)
    assert MessageType.ENABLE_EVENTS_AND_REPORTS not in [kind for kind, _, _ in bench.asked]
    assert not any(HOLD in body for _, _, body in bench.asked)


def added(bench: Bench) -> bytes:
    """The ROSpec that the session has added."""
    return next(body for kind, _, body in bench.asked if kind == MessageType.ADD_ROSPEC)


def in_state(rospec: bytes, state: int) -> bytes:
    return rospec[:9] + bytes((state,)) + rospec[10:]


def test_our_own_rospec_that_still_runs_is_left_to_run() -> None:
    ours = added(Bench().reach(State.READING))
    bench = Bench(left_running=True).reach(State.ASKING_ROSPECS)
    assert bench.answer(body=status() + in_state(ours, 2)) == []
    assert bench.session.state is State.READING
    assert bench.states[-1].condition is ReaderCondition.READING
    assert not bench.notices
    bench.wait(12.5)
    assert fault_of(bench).kind == "silent"


OURS = added(Bench().reach(State.READING))


@pytest.mark.parametrize(
    "found",
    [
        in_state(OURS, 1),
        in_state(OURS, 0),
        in_state(OURS, 2)[:-1] + b"\xff",
        in_state(OURS, 2) + in_state(OURS, 2),
        in_state(tlv(177, OURS[4:] + b"\0"), 2),
        tlv(177, OURS[4:8]),
        tlv(177),
        b"",
    ],
    ids=["inactive", "disabled", "changed", "two", "longer", "stub", "empty", "none"],
)
def test_any_other_rospec_is_deleted_and_ours_added(found: bytes) -> None:
    bench = Bench(left_running=True).reach(State.ASKING_ROSPECS)
    assert bench.answer(body=status() + found) == [MessageType.DELETE_ROSPEC]
    while bench.session.state is not State.READING:
        bench.answer()
    assert added(bench) == OURS
    assert [fault.kind for fault in bench.notices] == ([] if found else ["rebooted"])


def test_on_a_first_connection_an_empty_reader_is_no_news() -> None:
    bench = Bench().reach(State.ASKING_ROSPECS)
    bench.answer()
    assert not bench.notices


def test_a_rospec_that_ends_by_itself_ends_the_connection_and_the_next_starts_anew() -> None:
    bench = Bench().reach(State.READING)
    ended = tlv(249, struct.pack(">BII", 1, 1, 0))
    assert bench.hear(notification(tlv(249, struct.pack(">BII", 1, 77, 0)) + tlv(249, bytes(9)))) == []
    assert bench.session.state is State.READING
    assert bench.hear(notification(ended)) == [MessageType.CLOSE_CONNECTION]
    assert fault_of(bench).kind == "stopped"
    early = Bench().reach(State.ADDING)
    assert early.hear(notification(ended)) == []
    assert early.session.state is State.ADDING


def test_a_rospec_that_another_one_preempts_is_told_with_its_number() -> None:
    bench = Bench().reach(State.READING)
    bench.hear(notification(tlv(249, struct.pack(">BII", 2, 1, 77))))
    assert [(fault.kind, "ROSpec 77" in fault.text) for fault in bench.notices] == [("preempted", True)]
    assert fault_of(bench).kind == "stopped"


def test_a_rospec_that_is_refused_is_asked_for_again_without_what_is_optional() -> None:
    bench = Bench().reach(State.ADDING)
    assert bench.answer(body=status(111, b"no mode")) == [MessageType.ADD_ROSPEC]
    assert [fault.kind for fault in bench.notices] == ["refused_setting"]
    assert tlv(224, struct.pack(">HHH", 1, 0, 76)) in bench.asked[-2][2]
    assert tlv(224, struct.pack(">HHH", 1, 0, 76)) not in bench.asked[-1][2]
    assert struct.pack(">HHH", 2, 1, 2) in bench.asked[-1][2]
    while bench.session.state is not State.READING:
        bench.answer()


def refused_at(*types: int, words: bytes = b"") -> bytes:
    """An LLRPStatus with nested ParameterErrors; 307 is "unsupported parameter"."""
    inner = b""
    for kind in reversed(types):
        inner = tlv(289, struct.pack(">HH", kind, 307) + inner)
    return tlv(287, struct.pack(">HH", 100, len(words)) + words + inner)


def test_what_the_reader_names_is_left_out_and_told_once_it_reads() -> None:
    air = AirSettings(power_dbm=29.0, session=1)
    bench = Bench(LlrpSettings("r", (1, 2), air=air, epc_filters=(mask_of("30"),))).reach(State.ADDING)
    assert bench.answer(body=refused_at(177, 183, 186, 222, 330, 331)) == [MessageType.ADD_ROSPEC]
    sent = bench.asked[-1][2]
    assert tlv(224, struct.pack(">HHH", 1, 0, 76)) in sent
    assert struct.pack(">HH", 331, 17) not in sent
    assert bench.answer() == [MessageType.ENABLE_ROSPEC]
    assert [fault.kind for fault in bench.notices] == ["refused_setting"] * 2
    assert "C1G2Filter" in bench.notices[0].text
    assert "without epc_filters" in bench.notices[1].text
    while bench.session.state is not State.READING:
        bench.answer()


def test_a_rospec_with_nothing_to_leave_out_is_not_asked_for_twice() -> None:
    bench = Bench(LlrpSettings("r", (1,))).reach(State.ADDING)
    assert bench.answer(body=status(111)) == [MessageType.CLOSE_CONNECTION]
    assert fault_of(bench).kind == "rejected"


def test_an_answer_behind_a_backlog_of_reports_is_waited_for() -> None:
    bench = Bench().reach(State.ASKING_CAPABILITIES)
    for _ in range(19):
        bench.wait(2.9)
        bench.session.reported(bench.now)
    assert bench.session.state is State.ASKING_CAPABILITIES
    bench.session.heard(bench.now)
    bench.wait(2.9)
    assert bench.session.state is State.ASKING_CAPABILITIES
    bench.wait(0.2)
    assert fault_of(bench).kind == "timeout"


def test_reports_without_end_do_not_hide_that_an_answer_never_comes() -> None:
    bench = Bench().reach(State.ASKING_CAPABILITIES)
    waited = 0
    while bench.session.state is State.ASKING_CAPABILITIES:
        bench.session.reported(bench.now)
        bench.wait(1)
        waited += 1
    assert waited == 60
    assert fault_of(bench).kind == "timeout"


def test_keepalives_are_no_backlog() -> None:
    bench = Bench().reach(State.ASKING_CAPABILITIES)
    for _ in range(3):
        bench.hear(frame(62, b"", 9))
        bench.wait(1)
    assert fault_of(bench).kind == "timeout"


def started(rospec_id: int = 1) -> bytes:
    return notification(tlv(249, struct.pack(">BII", 0, rospec_id, 0)))


def test_a_duty_cycle_that_does_not_go_on_was_stopped_by_somebody() -> None:
    bench = Bench(LlrpSettings("r", (1,), duty_percent=50, duty_period_s=4)).reach(State.READING)
    for _ in range(5):
        bench.hear(started())
        bench.wait(4)
    bench.wait(7.9)
    assert bench.session.state is State.READING
    assert bench.session.deadline_us is not None
    bench.wait(0.1)
    assert fault_of(bench).kind == "stopped"


def test_a_reader_that_tells_nothing_of_its_periods_is_believed() -> None:
    bench = Bench(LlrpSettings("r", (1,), duty_percent=50)).reach(State.READING)
    for _ in range(20):
        bench.wait(10)
        bench.hear(frame(62, b"", 9))
    assert bench.session.state is State.READING


INPUTS = tlv(225, b"\x00\x01\x80\x01") + tlv(225, b"\x00\x02\x80\x00") + tlv(225, b"\x00\x03\x00\x02")


@pytest.mark.parametrize(
    ("trigger", "state"),
    [
        (InputTrigger(1), State.READING),
        (InputTrigger(1, Level.LOW), State.RESTING),
        (InputTrigger(2), State.RESTING),
        (InputTrigger(2, Level.LOW), State.READING),
        (InputTrigger(3), State.RESTING),
        (InputTrigger(4, Level.LOW), State.RESTING),
    ],
    ids=["high", "high for low", "low", "low for low", "unknown", "untold"],
)
def test_inputs_are_switched_on_and_one_that_is_there_already_starts_it(trigger: InputTrigger, state: State) -> None:
    """A door that stands open when we come makes no change that a trigger could see."""
    bench = Bench(LlrpSettings("r", (1,), start_gpi=trigger, stop_gpi=InputTrigger(9))).reach(State.ASKING_CONFIG)
    bench.answer(body=status() + INPUTS)
    switched = tlv(225, struct.pack(">HBB", trigger.port, 0x80, 0)) + tlv(225, b"\x00\x09\x80\x00")
    assert switched in bench.asked[-1][2]
    while bench.session.state not in {State.READING, State.RESTING}:
        bench.answer()
    assert bench.session.state is state
    assert bench.states[-1].inputs == {port: high for port, high in {1: True, 2: False}.items() if port == trigger.port}
    assert bench.states[-1].resting is (state is State.RESTING)


def test_a_reader_that_starts_by_its_trigger_alone_waits_for_it() -> None:
    bench = Bench(LlrpSettings("r", (1,), start_gpi=InputTrigger(1), stop_gpi=InputTrigger(9)))
    bench.reach(State.ASKING_CONFIG).answer(body=status() + INPUTS)
    while bench.session.state is not State.STARTING:
        bench.answer()
    assert bench.answer(body=status(109)) == []
    assert bench.session.state is State.RESTING
    assert [fault.kind for fault in bench.notices] == ["refused_setting"]
    bench.hear(started())
    assert bench.session.state is State.READING


def test_gathered_reports_are_asked_for() -> None:
    bench = Bench(LlrpSettings("r", (1,), report_every_tags=50, keepalive_s=60)).reach(State.READING)
    asked = [kind for _ in range(40) for kind in bench.wait(0.1)]
    assert asked.count(MessageType.GET_REPORT) == 4
    bench = Bench(LlrpSettings("r", (1,), keepalive_s=60)).reach(State.READING)
    assert MessageType.GET_REPORT not in [kind for _ in range(40) for kind in bench.wait(0.1)]


@pytest.mark.parametrize("hold", [True, False])
def test_a_reader_that_is_not_to_hold_is_told_so_and_left_idle(hold: bool) -> None:
    bench = Bench(LlrpSettings("r", (1,), hold=hold)).reach(State.ASKING_CAPABILITIES)
    bench.answer(body=status() + capabilities(hold=True))
    # What it holds from another life comes all the same.
    assert bench.answer() == [MessageType.ENABLE_EVENTS_AND_REPORTS, MessageType.SET_READER_CONFIG]
    assert bench.asked[-1][2].endswith(HOLD if hold else tlv(226, b"\x00"))
    while bench.session.state is not State.READING:
        bench.answer()
    bench.session.close(bench.now)
    assert bench.collect() == [*([] if hold else [MessageType.DELETE_ROSPEC]), MessageType.CLOSE_CONNECTION]
    assert bench.session.freed is not hold
    if not hold:
        assert bench.asked[-2][2] == struct.pack(">I", 1)


def extended(**more: object) -> Bench:
    """A session that reads and whose reader has its extensions enabled."""
    bench = Bench(LlrpSettings("r", (1,), keepalive_s=600, **more)).reach(State.READING)  # type: ignore[arg-type]  # a test's shorthand
    (message_id,) = (number for kind, number, _ in bench.asked if kind == MessageType.CUSTOM_MESSAGE)
    bench.hear(frame(1023, struct.pack(">IB", 25882, 22) + status(), message_id))
    return bench


def warm(celsius: int) -> bytes:
    return status() + tlv(1023, struct.pack(">IIh", 25882, 37, celsius))


def test_a_hot_reader_is_told_once_until_it_has_cooled_down() -> None:
    bench = extended()
    told = []
    for celsius in (-5, 55, 70, 75, 66, 71, 64, 69, 70):
        assert bench.wait(60) == [MessageType.GET_READER_CONFIG]
        bench.answer(body=warm(celsius))
        assert bench.states[-1].temperature_c == celsius
        told.append(len(bench.notices))
    assert told == [0, 0, 1, 1, 1, 1, 1, 1, 2]
    assert {fault.kind for fault in bench.notices} == {"reader_hot"}
    assert "70 °C" in bench.notices[0].text
    assert bench.notices[0].hint


def test_an_antenna_whose_event_was_lost_is_found_with_the_next_temperature() -> None:
    bench = extended()
    bench.wait(60)
    bench.answer(body=warm(40) + tlv(221, b"\x00\x00\x01\x00\x00"))
    assert bench.states[-1].antennas == {1: AntennaCondition.DOWN}


def test_a_stop_that_is_refused_hides_no_later_end() -> None:
    bench = Bench().reach(State.RESTING)
    bench.hear(frame(33, status(109), bench.asked[-1][1]))
    assert [fault.kind for fault in bench.notices] == ["refused_setting"]
    bench.session.resume(bench.now)
    bench.collect()
    bench.hear(frame(32, status(), bench.asked[-1][1]))
    bench.hear(notification(tlv(249, struct.pack(">BII", 1, 1, 0))))
    assert fault_of(bench).kind == "stopped"


def test_a_reader_that_refuses_what_nobody_asked_for_is_not_complained_of_nor_asked_again() -> None:
    bench = extended()
    assert bench.wait(60) == [MessageType.GET_READER_CONFIG]
    bench.answer(body=status(109))
    assert bench.wait(120) == []
    assert not bench.notices


def test_no_room_for_our_rospec_is_said_with_a_hint() -> None:
    bench = Bench().reach(State.ADDING_LESS)
    bench.answer(body=status(101))
    assert "room for one ROSpec" in fault_of(bench).hint


def test_the_reader_s_buffer_runs_full_and_over() -> None:
    bench = Bench().reach(State.READING)
    bench.hear(notification(tlv(250, b"\x5a")) + notification(tlv(251)))
    assert [fault.kind for fault in bench.notices] == ["reader_buffer", "reader_overflow"]
    assert all(fault.hint for fault in bench.notices)


@pytest.mark.parametrize("request_", list(STATES), ids=lambda kind: kind.name)
def test_answers_are_told_by_id_whatever_comes_in_between(request_: MessageType) -> None:
    bench = Bench().reach(STATES[request_])
    usual_kind, usual_body = ANSWERS[request_]
    message_id = bench.asked[-1][1]
    noise = [
        frame(usual_kind, usual_body, message_id + 1000),
        frame(usual_kind, usual_body, 0),
        frame(100, status(109), message_id + 1000),
        frame(4 if usual_kind != 4 else 30, status(), message_id),
        frame(1023, bytes(5), message_id),
        frame(61, b"", message_id),
        notification(tlv(255, b"\x01\x00\x02")),
    ]
    assert bench.hear(b"".join(noise)) == []
    assert bench.session.state is STATES[request_]
    assert bench.hear(frame(62, b"", 77)) == [MessageType.KEEPALIVE_ACK]
    assert bench.asked.pop() == (72, 77, b"")
    assert [fault.kind for fault in bench.notices] == ["stray_message"] * 6
    assert "ERROR_MESSAGE" in bench.notices[2].text
    assert "UnsupportedMessage" in bench.notices[2].text
    bench.answer()
    assert bench.session.state is not STATES[request_]
    assert bench.session.fault is None


def test_a_keepalive_is_acknowledged_before_anything_else_is_said() -> None:
    bench = Bench()
    assert bench.hear(connection_event() + frame(62, b"", 9)) == [
        MessageType.KEEPALIVE_ACK,
        MessageType.GET_READER_CAPABILITIES,
    ]


@pytest.mark.parametrize(
    "request_",
    [
        MessageType.GET_READER_CONFIG,
        MessageType.SET_READER_CONFIG,
        MessageType.DELETE_ACCESSSPEC,
        MessageType.GET_ROSPECS,
        MessageType.DELETE_ROSPEC,
        MessageType.ADD_ROSPEC,
    ],
    ids=lambda kind: kind.name,
)
@pytest.mark.parametrize("kind", [None, 100], ids=["status", "error message"])
def test_a_refusal_of_what_is_dispensable_is_noted_and_survived(request_: MessageType, kind: int | None) -> None:
    bench = Bench().reach(STATES[request_])
    bench.answer(kind, status(109, b"cannot"))
    (notice,) = bench.notices
    assert notice.kind == "refused_setting"
    assert "UnsupportedMessage: cannot" in notice.text
    while bench.session.state is not State.READING:
        bench.answer()


def test_what_is_refused_is_asked_for_again_with_less_down_to_the_keepalive() -> None:
    bench = Bench()
    bench.hear(connection_event())
    bench.answer(body=status() + capabilities(hold=True))
    bench.answer()
    assert bench.answer(body=status(111)) == [MessageType.SET_READER_CONFIG]
    assert HOLD not in bench.asked[-1][2]
    assert tlv(245, struct.pack(">HB", 8, 0x80)) in bench.asked[-1][2]
    assert bench.answer(body=status(111)) == [MessageType.SET_READER_CONFIG]
    assert bench.asked[-1][2] == b"\x00" + tlv(220, b"\x01" + struct.pack(">I", 5000))


@pytest.mark.parametrize(
    "state",
    [State.ASKING_CAPABILITIES, State.CONFIGURING_KEEPALIVE, State.ADDING_LESS, State.ENABLING, State.STARTING],
)
@pytest.mark.parametrize("kind", [None, 100], ids=["status", "error message"])
def test_a_refusal_of_what_is_indispensable_ends_it_with_the_reader_s_words(state: State, kind: int | None) -> None:
    bench = Bench().reach(state)
    assert bench.answer(kind, status(401, b"no region")) == [MessageType.CLOSE_CONNECTION]
    assert fault_of(bench).kind == "rejected"
    assert "DeviceError: no region" in fault_of(bench).text
    bench.answer()
    assert bench.session.state is State.CLOSED
    assert bench.session.deadline_us is None


def test_an_answer_that_cannot_be_read_is_not_waited_for() -> None:
    bench = Bench().reach(State.ASKING_CAPABILITIES)
    bench.answer(body=status() + tlv(137, b"\x00"))
    assert fault_of(bench).kind == "rejected"
    assert "undecodable" in fault_of(bench).text


def test_settings_that_the_device_cannot_follow_end_it_before_anything_is_touched() -> None:
    bench = Bench().reach(State.ASKING_CAPABILITIES)
    assert bench.answer(body=status() + capabilities(antennas=1)) == [MessageType.CLOSE_CONNECTION]
    assert fault_of(bench).kind == "unsuited"
    assert "antenna 2" in fault_of(bench).text


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ConnectionStatus.READER_INITIATED_EXISTS, "already_connected"),
        (ConnectionStatus.CLIENT_INITIATED_EXISTS, "already_connected"),
        (ConnectionStatus.OTHER_FAILURE, "rejected"),
        (ConnectionStatus.ANOTHER_ATTEMPTED, "rejected"),
    ],
)
def test_being_turned_away_has_a_name(code: ConnectionStatus, kind: str) -> None:
    bench = Bench()
    assert bench.hear(connection_event(code)) == [MessageType.CLOSE_CONNECTION]
    assert bench.session.state is State.CLOSED
    assert fault_of(bench).kind == kind
    assert fault_of(bench).hint


def test_a_rival_is_noticed() -> None:
    bench = Bench().reach(State.READING)
    bench.hear(connection_event(ConnectionStatus.ANOTHER_ATTEMPTED))
    assert [fault.kind for fault in bench.notices] == ["rival_client"]
    assert bench.session.state is State.READING


def test_antenna_and_other_events_while_reading() -> None:
    bench = Bench().reach(State.READING)
    told = len(bench.states)
    bench.hear(notification(tlv(255, b"\x00\x00\x01")))
    assert bench.states[-1].antennas[1] is AntennaCondition.DOWN
    assert bench.states[-1].condition is ReaderCondition.READING
    bench.hear(notification(tlv(255, b"\x00\x00\x01")) + notification(tlv(255, b"\x01\x00\x09")))
    assert len(bench.states) == told + 1
    bench.hear(notification(tlv(252, struct.pack(">H", 3) + b"hot")) + notification(tlv(250, b"\x5a")))
    assert [fault.kind for fault in bench.notices] == ["reader_exception", "reader_buffer"]
    assert "hot" in bench.notices[0].text
    assert "90 %" in bench.notices[1].text


def test_an_undecodable_frame_is_noted_and_the_session_goes_on() -> None:
    bench = Bench().reach(State.READING)
    bench.hear(frame(63, b"\x00\xf6\x00\x03", 1))
    (notice,) = bench.notices
    assert notice.kind == "frame_error"
    assert "00f60003" in notice.text
    assert bench.session.state is State.READING


def test_the_reader_closes() -> None:
    bench = Bench().reach(State.READING)
    bench.hear(notification(tlv(257)))
    assert bench.session.state is State.CLOSED
    assert fault_of(bench).kind == "link_lost"


@pytest.mark.parametrize("state", [state for state in OPEN if state not in {State.READING, State.RESTING}])
def test_answers_are_waited_for_only_so_long(state: State) -> None:
    bench = Bench().reach(state)
    limit_s = 10 if state is State.AWAITING_EVENT else 3
    bench.wait(limit_s - 0.001)
    assert bench.session.state is state
    assert bench.session.deadline_us == bench.now + 1000
    assert bench.wait(0.001) == [MessageType.CLOSE_CONNECTION]
    assert fault_of(bench).kind == "timeout"
    bench.wait(1)
    assert bench.session.state is State.CLOSED


def test_two_missed_keepalives_are_a_lost_link_and_any_message_proves_life() -> None:
    bench = Bench().reach(State.READING)
    for _ in range(10):
        bench.wait(12.4)
        bench.session.heard(bench.now)
    assert bench.session.state is State.READING
    bench.wait(12.4)
    bench.hear(notification(tlv(253, bytes(7))))
    bench.wait(12.4)
    assert bench.session.deadline_us == bench.now + SECOND // 10
    bench.wait(0.1)
    assert bench.session.state is State.CLOSED
    assert fault_of(bench).kind == "silent"
    assert "12.5 s" in fault_of(bench).text


def test_a_polite_close_is_answered_or_given_up() -> None:
    bench = Bench().reach(State.CLOSING)
    assert bench.asked[-1][0] == MessageType.CLOSE_CONNECTION
    bench.answer()
    assert bench.session.state is State.CLOSED
    assert bench.session.fault is None
    bench = Bench().reach(State.CLOSING)
    bench.wait(1)
    assert bench.session.state is State.CLOSED
    assert bench.session.fault is None


def test_what_was_asked_before_the_goodbye_may_still_be_answered() -> None:
    bench = Bench().reach(State.ADDING)
    message_id = bench.asked[-1][1]
    bench.session.close(bench.now)
    bench.collect()
    assert bench.hear(frame(30, status(), message_id)) == []
    assert bench.session.state is State.CLOSING
    assert not bench.notices
    bench.answer()
    assert bench.session.state is State.CLOSED


def test_nothing_is_heard_after_the_end() -> None:
    bench = Bench().reach(State.CLOSING)
    bench.answer()
    before = len(bench.events)
    noise = frame(62, b"", 1) + connection_event() + frame(30, status(), 1) + notification(tlv(257)) + frame(63, b"", 1)
    assert bench.hear(noise) == []
    bench.session.close(bench.now)
    assert len(bench.events) == before
    assert bench.collect() == []
    assert bench.session.state is State.CLOSED


# The table ------------------------------------------------------------------------------------------------------


def sources() -> Iterator[tuple[State, Event]]:
    yield from itertools.product(State, Event)


@pytest.mark.parametrize(("state", "event"), list(sources()), ids=str)
def test_the_whole_product_of_states_and_events(state: State, event: Event) -> None:
    """Every pair steps to where the table says, or is a defined error that changes nothing."""
    session = Session("r", SETTINGS, 0)
    session.state = state
    if (state, event) in TABLE:
        commands, following = TABLE[state, event]
        if Command.ADD in commands:
            session = Bench().reach(state).session
        session._step(event, None)
        assert session.state is following
        assert (following is State.CLOSED) <= (session.deadline_us is None)
    else:
        with pytest.raises(UnexpectedEvent) as caught:
            session._step(event, None)
        assert (caught.value.state, caught.value.event) == (state, event)
        assert session.state is state
        assert session.take_bytes() == b""


def test_the_table_has_no_dead_ends_and_no_dead_entries() -> None:
    reached = {State.AWAITING_EVENT}
    while True:
        more = {following for (state, _), (_, following) in TABLE.items() if state in reached}
        if more <= reached:
            break
        reached |= more
    assert reached == set(State)
    used = {command for commands, _ in TABLE.values() for command in commands}
    assert used == set(Command)
    for state in State:
        assert (state, Event.STOP) in TABLE
        assert (state, Event.KEEPALIVE) in TABLE
    for state in OPEN:
        assert (state, Event.TIMED_OUT) in TABLE or state in WATCHED


@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.sampled_from([4, 11, 12, 13, 30, 31, 32, 34, 36, 51, 62, 63, 100, 1023, 500]),
                st.integers(0, 12),
                st.one_of(
                    st.just(status()),
                    st.just(status(100)),
                    st.just(status() + capabilities()),
                    st.builds(lambda c: split(connection_event(c))[0][2], st.integers(0, 5)),
                    st.just(split(notification(tlv(257)))[0][2]),
                    st.binary(max_size=20),
                ),
            ),
            st.floats(0.1, 20),
            st.just("answer"),
        ),
        max_size=40,
    )
)
def test_no_peer_can_make_a_session_fail(script: list[tuple[int, int, bytes] | float | str]) -> None:
    bench = Bench()
    bench.hear(connection_event())
    for move in script:
        if isinstance(move, float):
            bench.wait(move)
        elif isinstance(move, str):
            if bench.asked and bench.asked[-1][0] in ANSWERS:
                bench.answer()
        else:
            bench.hear(frame(move[0], move[2], move[1]))
        if bench.session.state is State.CLOSED:
            assert bench.session.deadline_us is None
        else:
            assert bench.session.deadline_us is not None
