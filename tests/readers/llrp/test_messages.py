import logging
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.llrp.control import (
    AddRoSpec,
    Answer,
    AntennaChange,
    AntennaPlan,
    BufferFill,
    Capabilities,
    CapabilitiesAnswer,
    CloseConnection,
    ConfigAnswer,
    ConnectionAttempt,
    ConnectionClosed,
    ConnectionStatus,
    DeleteAccessSpec,
    DeleteRoSpec,
    EnableEventsAndReports,
    EnableRoSpec,
    GetCapabilities,
    GetConfig,
    GetRoSpecs,
    Keepalive,
    KeepaliveAck,
    Notification,
    NotificationKind,
    ReaderException,
    Request,
    RoSpec,
    RoSpecEnded,
    RoSpecsAnswer,
    SetConfig,
    Stamp,
    StartRoSpec,
    Status,
    Unneeded,
)
from readers.llrp.messages import MAX_CONTROL_BYTES, EncodeError, decode, encode, encode_body
from readers.llrp.wire import Frame, FrameBuffer, FrameError, MessageType, feed
from tests.readers.llrp.frames import NOW, connection_event, frame, notification, split, status, tlv, vectors


class Printer(logging.Handler):
    """Stands where an application's log output would."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def printed() -> Iterator[list[str]]:
    printer = Printer()
    logging.getLogger().addHandler(printer)
    yield printer.lines
    logging.getLogger().removeHandler(printer)


def one(data: bytes) -> Frame:
    (found,) = feed(FrameBuffer(), data)
    return found


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (GetCapabilities(), frame(1, b"\x00", 7)),
        (GetConfig(), frame(2, bytes(7), 7)),
        (DeleteAccessSpec(), frame(41, bytes(4), 7)),
        (DeleteRoSpec(), frame(21, bytes(4), 7)),
        (EnableRoSpec(1), frame(24, b"\x00\x00\x00\x01", 7)),
        (StartRoSpec(1), frame(22, b"\x00\x00\x00\x01", 7)),
        (EnableEventsAndReports(), frame(64, b"", 7)),
        (KeepaliveAck(), frame(72, b"", 7)),
        (CloseConnection(), frame(14, b"", 7)),
        (GetRoSpecs(), frame(26, b"", 7)),
        (SetConfig(5000, hold=True), frame(3, b"\x00" + tlv(220, b"\x01\x00\x00\x13\x88") + tlv(226, b"\x80"), 7)),
        (SetConfig(5000), frame(3, b"\x00" + tlv(220, b"\x01\x00\x00\x13\x88"), 7)),
        (
            SetConfig(1, frozenset({NotificationKind.ANTENNA})),
            frame(3, b"\x00" + tlv(244, tlv(245, b"\x00\x08\x80")) + tlv(220, b"\x01\x00\x00\x00\x01"), 7),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_requests_by_the_standard_s_layout(request_: Request, expected: bytes) -> None:
    assert encode(request_, 7) == expected


def test_an_add_rospec_by_the_standard_s_layout() -> None:
    plans = (AntennaPlan(1, 81, 1, 1, mode=1000, session=2, population=64), AntennaPlan(3))
    inventory = tlv(330, b"\x00" + tlv(335, struct.pack(">HH", 1000, 0)) + tlv(336, struct.pack(">BHI", 2 << 6, 64, 0)))
    antenna = tlv(222, b"\x00\x01" + tlv(224, struct.pack(">HHH", 1, 1, 81)) + inventory)
    rospec = tlv(
        177,
        struct.pack(">IBB", 1, 0, 0)
        + tlv(178, tlv(179, b"\x00") + tlv(182, bytes(5)))
        + tlv(183, struct.pack(">HHH", 2, 1, 3) + tlv(184, bytes(5)) + tlv(186, b"\x00\x01\x01" + antenna))
        + tlv(237, b"\x01\x00\x05" + tlv(238, struct.pack(">H", 0b1001011110000000))),
    )
    assert encode(AddRoSpec(RoSpec(1, plans, 5)), 9) == frame(20, rospec, 9)


def test_what_the_codec_would_leave_out_is_an_error(printed: list[str]) -> None:
    with pytest.raises(EncodeError, match="EventsAndReports"):
        encode_body(MessageType.SET_READER_CONFIG, {"EventsAndReports": {"HoldEventsAndReportsUponReconnect": True}})
    with pytest.raises(EncodeError, match="ROSpecID"):
        encode_body(MessageType.DELETE_ROSPEC, {})
    assert not printed
    assert encode(KeepaliveAck(), 1) == frame(72, b"", 1)


def test_the_codec_s_complaints_count_even_where_the_root_logger_is_deaf() -> None:
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with pytest.raises(EncodeError):
            encode_body(MessageType.SET_READER_CONFIG, {"EventsAndReports": {}})
    finally:
        root.setLevel(level)


@pytest.mark.parametrize("code", list(ConnectionStatus))
def test_connection_events(code: ConnectionStatus) -> None:
    assert decode(one(connection_event(code))) == Notification(0, Stamp(NOW, utc=True), (ConnectionAttempt(code),))


def test_events_of_every_kind_that_matters() -> None:
    happenings = (
        tlv(255, b"\x01\x00\x03"),
        tlv(252, struct.pack(">H", 5) + b"fan\xff!"),
        tlv(250, b"\x50"),
        tlv(257),
    )
    assert decode(one(notification(*happenings))) == Notification(
        0,
        Stamp(NOW, utc=True),
        (AntennaChange(3, connected=True), ReaderException("fan�!"), BufferFill(80), ConnectionClosed()),
    )
    assert decode(one(notification(tlv(255, b"\x00\x00\x02"), tlv(251)))) == Notification(
        0, Stamp(NOW, utc=True), (AntennaChange(2, connected=False), BufferFill(100))
    )


@pytest.mark.parametrize(
    ("event", "expected"),
    [((1, 7, 0), RoSpecEnded(7)), ((2, 7, 9), RoSpecEnded(7, by=9))],
    ids=["ended", "preempted"],
)
def test_a_rospec_that_runs_no_longer(event: tuple[int, int, int], expected: RoSpecEnded) -> None:
    message = decode(one(notification(tlv(249, struct.pack(">BII", *event)))))
    assert message == Notification(0, Stamp(NOW, utc=True), (expected,))


def test_the_rospecs_of_a_reader_come_as_their_bytes() -> None:
    rospecs = (tlv(177, struct.pack(">IBB", 1, 0, 2) + tlv(178)), tlv(177, struct.pack(">IBB", 5, 0, 0)))
    answer = decode(one(frame(36, status() + rospecs[0] + tlv(1023, bytes(8)) + rospecs[1], 3)))
    assert isinstance(answer, RoSpecsAnswer)
    assert (answer.kind, answer.message_id, answer.status.ok) == (36, 3, True)
    assert answer.rospecs == rospecs
    refusal = decode(one(frame(36, status(109, b"not here"), 3)))
    assert isinstance(refusal, RoSpecsAnswer)
    assert (refusal.status.ok, str(refusal.status)) == (False, "UnsupportedMessage: not here")


def test_an_uptime_stamp_and_an_event_that_is_of_no_use() -> None:
    body = tlv(246, tlv(129, struct.pack(">Q", 12)) + tlv(253, struct.pack(">BIH", 0, 1, 1)) + tlv(1023, bytes(8)))
    assert decode(one(frame(63, body, 4))) == Notification(4, Stamp(12, utc=False), ())


def test_an_error_names_field_parameter_and_the_reader_s_words() -> None:
    inner = tlv(289, struct.pack(">HH", 222, 100) + tlv(288, struct.pack(">HH", 2, 301)))
    body = tlv(287, struct.pack(">HH", 100, 8) + b"no power" + inner)
    answer = decode(one(frame(30, body, 5)))
    assert isinstance(answer, Answer)
    assert answer.message_id == 5
    assert not answer.status.ok
    assert str(answer.status) == "ParameterError: no power, AntennaConfiguration: ParameterError, field 2: A_OutOfRange"


def test_an_unknown_status_code_is_a_refusal_and_not_printed(printed: list[str]) -> None:
    answer = decode(one(frame(30, status(999, b"hm"), 5)))
    assert isinstance(answer, Answer)
    assert (answer.status.ok, str(answer.status)) == (False, "unknown status: hm")
    assert not printed


def test_keepalive_and_what_nobody_needs() -> None:
    assert decode(one(frame(62, b"", 3))) == Keepalive(3)
    assert decode(Frame(61, 3, b"junk")) == Unneeded(61, 3)
    assert decode(Frame(777, 3, b"junk")) == Unneeded(777, 3)


@pytest.mark.parametrize(
    "bad",
    [
        frame(63, b"", 1),
        frame(63, tlv(246), 1)[:-2],
        connection_event(9),
        frame(30, b"", 1),
        frame(30, tlv(287, b"\x00"), 1),
        frame(30, b"\x01\x1f\x00\x02", 1),
        frame(11, status() + tlv(137, b"\x00"), 1),
        frame(4, bytes(MAX_CONTROL_BYTES + 1), 1),
        frame(30, status() + tlv(900) * 5000, 1),
        frame(36, b"", 1),
        frame(36, tlv(177, bytes(6)), 1),
        frame(36, status() + b"\x00\xb1\x00\x20", 1),
    ],
)
def test_what_cannot_be_understood_is_a_frame_error(bad: bytes, printed: list[str]) -> None:
    (kind, message_id, body) = split(bad)[0]
    with pytest.raises(FrameError) as caught:
        decode(Frame(kind, message_id, body))
    assert len(caught.value.evidence) <= 64
    assert caught.value.hint
    assert MessageType(kind).name in str(caught.value)
    assert not printed


ANSWERS = [11, 12, 13, 30, 31, 32, 34, 36, 4, 51, 63, 100]
NESTED = [137, 142, 143, 144, 146, 147, 148, 217, 218, 221, 222, 240, 241, 244, 245, 246, 250, 255, 256, 287, 288, 289]
parameter = st.recursive(
    st.builds(tlv, st.sampled_from(NESTED), st.binary(max_size=30)),
    lambda inner: st.builds(
        lambda kind, head, some: tlv(kind, head + b"".join(some)),
        st.sampled_from(NESTED),
        st.binary(max_size=8),
        st.lists(inner, max_size=4),
    ),
    max_leaves=8,
)


@given(st.sampled_from(ANSWERS), st.one_of(st.binary(max_size=120), st.lists(parameter, max_size=4).map(b"".join)))
def test_nothing_but_frame_errors_leaves_this_door(kind: int, body: bytes) -> None:
    for candidate in (body, status() + body):
        with suppress(FrameError):
            assert decode(Frame(kind, 1, candidate)).message_id == 1


def test_parameters_nested_without_end_do_not_take_the_process_along() -> None:
    body = b""
    while len(body) < 65_000:
        body = tlv(289, struct.pack(">HH", 1, 100) + body)
    started = time.monotonic()
    with pytest.raises(FrameError):
        decode(Frame(30, 1, tlv(287, bytes(4) + body)[:65_535]))
    assert time.monotonic() - started < 5


def test_every_reference_frame_is_decoded() -> None:
    kinds: dict[str, int] = {}
    for name in ("dx101_a.bin", "dx101_b.bin"):
        for kind, message_id, body in split((vectors() / name).read_bytes()):
            message = decode(Frame(kind, message_id, body))
            assert message.message_id == message_id
            kinds[type(message).__name__] = kinds.get(type(message).__name__, 0) + 1
    # The requests among them, for which sllurp has no decoder, and the reports are not for a session.
    assert kinds == {"Notification": 891, "Answer": 16, "CapabilitiesAnswer": 1, "ConfigAnswer": 3, "Unneeded": 47}


def test_a_reader_that_tells_nothing_of_itself_is_taken_for_the_least() -> None:
    assert decode(Frame(11, 1, status())) == CapabilitiesAnswer(
        MessageType.GET_READER_CAPABILITIES_RESPONSE, 1, Status(ok=True, code="Success", text=""), Capabilities()
    )


def test_an_r420_as_it_really_answers() -> None:
    folder = vectors("r420")
    answer = decode(Frame(11, 1, (folder / "GetReaderCapabilitiesResponse-000.bytes").read_bytes()))
    assert isinstance(answer, CapabilitiesAnswer)
    device = answer.capabilities
    assert (device.manufacturer, device.model, device.firmware) == (25882, 2001002, "5.14.0.240")
    assert (device.max_antennas, device.max_rospecs, device.can_hold) == (4, 1, True)
    assert device.has_utc_clock
    assert device.can_warn_buffer_fill
    assert len(device.power_dbm) == 81
    assert (device.power_dbm[1], device.power_dbm[2], device.power_dbm[81]) == (10.0, 10.25, 30.0)
    assert device.modes == (0, 1, 2, 3, 4, 1000, 1002, 1003, 1004, 1005)
    assert (device.hop_table_ids, device.fixed_channels_khz) == ((1,), ())
    config = decode(Frame(12, 1, (folder / "GetReaderConfigResponse-000.bytes").read_bytes()))
    assert isinstance(config, ConfigAnswer)
    assert config.antennas == {1: True, 2: False, 3: False, 4: False}
    event = decode(Frame(63, 1, (folder / "ReaderEventNotification-000.bytes").read_bytes()))
    assert event == Notification(1, Stamp(1596721689842138, utc=True), (ConnectionClosed(),))
