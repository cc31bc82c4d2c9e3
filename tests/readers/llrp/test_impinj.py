import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SystemClock
from readers.llrp.control import AddRoSpec, Answer, EnableExtensions, GetTemperature, VendorContent
from readers.llrp.details import DetailDecoder, TagDetail, detail_of
from readers.llrp.driver import LlrpDriver
from readers.llrp.extensions import unsupported
from readers.llrp.messages import decode, encode
from readers.llrp.parameters import walk_fields
from readers.llrp.reports import ReportDecoder
from readers.llrp.rospec import merge_air, plan_rospec
from readers.llrp.settings import AirSettings, LlrpSettings, SearchMode
from readers.llrp.wire import Frame
from simulators.llrp.capabilities import Capabilities as Described
from simulators.llrp.impinj import tid_of
from simulators.llrp.names import MessageType
from simulators.llrp.personality import Personality
from tests.readers.llrp.driving import TAGS, settings, simulated
from tests.readers.llrp.frames import cuts, epc_data, frame, split, status, tlv, tv, usual_fields, usual_read
from tests.readers.llrp.test_rospec import DEVICE
from tests.readers.running import Collector, eventually, running

IMPINJ = 25882
TID = b"\xe2\x80\x11\x60" + bytes(range(8))


def custom(subtype: int, data: bytes, vendor: int = IMPINJ) -> bytes:
    return tlv(1023, struct.pack(">II", vendor, subtype) + data)


def report(number: int, rssi: int = -5512, phase: int = 100, doppler: int = -7, tid: bytes = TID) -> bytes:
    extras = (
        custom(55, struct.pack(">H", len(tid) // 2) + tid)
        + custom(56, struct.pack(">H", phase))
        + custom(57, struct.pack(">h", rssi))
        + custom(68, struct.pack(">h", doppler))
    )
    return tlv(240, usual_fields(number) + extras)


def detail(number: int, rssi: int = -5512, phase: int = 100, doppler: int = -7, tid: bytes = TID) -> TagDetail:
    return TagDetail(number.to_bytes(12, "big"), 1, 3, rssi, phase, doppler, tid)


# What is asked --------------------------------------------------------------------------------------------------


def test_extensions_are_enabled_by_the_message_of_the_octane_guide() -> None:
    assert encode(EnableExtensions(), 7) == frame(1023, struct.pack(">IBI", IMPINJ, 21, 0), 7)
    assert encode(GetTemperature(), 7) == frame(2, bytes(7) + custom(21, struct.pack(">I", 2004)), 7)


@pytest.mark.parametrize(("body", "ok"), [(status(), True), (status(401, b"no"), False)], ids=["enabled", "refused"])
def test_the_answer_to_it_is_an_answer(body: bytes, ok: bool) -> None:
    answer = decode(Frame(1023, 9, struct.pack(">IB", IMPINJ, 22) + body))
    assert isinstance(answer, Answer)
    assert (answer.kind, answer.message_id, answer.status.ok) == (1023, 9, ok)


@pytest.mark.parametrize(
    "body", [b"", bytes(5), struct.pack(">IB", IMPINJ, 99), struct.pack(">IB", 161, 22) + status()]
)
def test_other_custom_messages_answer_nothing(body: bytes) -> None:
    assert not isinstance(decode(Frame(1023, 9, body)), Answer)


def test_search_mode_and_content_stand_in_the_rospec() -> None:
    air = AirSettings(search_mode=SearchMode.SINGLE, session=2)
    wanted = LlrpSettings(
        "r", (1, 2), air=air, per_antenna={2: AirSettings(tag_focus=True)}, fast_id=True, rf_details=True
    )
    planned = plan_rospec(wanted, replace(DEVICE, manufacturer=IMPINJ))
    assert [plan.search_type for plan in planned.antennas] == [1, 3]
    assert planned.vendor_content == tuple(VendorContent)
    sent = encode(AddRoSpec(planned), 1)
    assert custom(23, b"\x00\x01") in sent
    assert custom(23, b"\x00\x03") in sent
    assert custom(50, b"".join(custom(switch, b"\x00\x01") for switch in (51, 52, 53, 67))) in sent


def test_an_antenna_s_own_search_mode_comes_first() -> None:
    base = AirSettings(search_mode=SearchMode.DUAL, tag_focus=True)
    assert merge_air(base, AirSettings(search_mode=SearchMode.SINGLE, tag_focus=False)) == AirSettings(
        search_mode=SearchMode.SINGLE, tag_focus=False
    )
    assert merge_air(base, AirSettings()) == base


# What is reported -----------------------------------------------------------------------------------------------


def test_the_walker_and_the_shape_path_agree() -> None:
    body = b"".join(report(number, -5000 - number, number, -number) for number in range(1, 21))
    expected = [detail(number, -5000 - number, number, -number) for number in range(1, 21)]
    decoder = DetailDecoder()
    assert decoder.decode(body) == expected
    assert decoder.decode(body) == expected
    walked, error = walk_fields(body)
    assert error is None
    assert [detail_of(fields) for fields in walked] == expected


def test_reads_stay_reads_and_their_shape_stays_hot() -> None:
    decoder = ReportDecoder()
    body = b"".join(report(number) for number in range(20))
    for _ in range(2):
        reads: list[Any] = []
        assert decoder.decode(body, reads) is None
        assert reads == [usual_read(number) for number in range(20)]
    assert len(body) in decoder._masks


def test_two_vendor_parameters_of_one_size_are_two_shapes() -> None:
    decoder = DetailDecoder()
    phase = tlv(240, usual_fields(1) + custom(56, b"\x00\x09"))
    rssi = tlv(240, usual_fields(1) + custom(57, b"\xff\xff"))
    for _ in range(2):
        (first,), (second,) = decoder.decode(phase), decoder.decode(rssi)
        assert (first.phase, first.rssi_cdbm) == (9, None)
        assert (second.phase, second.rssi_cdbm) == (None, -1)


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        (custom(709, b"\xa0\xd4", 161), {"phase": -24364}),
        (custom(57, b"\x00"), {}),
        (custom(55, b"\x00\x09\x01\x02"), {}),
        (custom(999, b"\x01\x02"), {}),
        (tlv(1023, b"\x00\x00"), {}),
    ],
    ids=["zebra phase", "short", "lying count", "unknown", "no vendor"],
)
def test_what_is_strange_costs_nothing_else(extra: bytes, found: dict[str, int]) -> None:
    body = tlv(240, usual_fields(3) + extra)
    decoder = DetailDecoder()
    for _ in range(2):
        (told,) = decoder.decode(body)
        assert told == TagDetail(usual_read(3)[0], 1, 3, **found)


def test_lengths_of_epcs_and_an_error_in_between() -> None:
    decoder = DetailDecoder()
    odd = tlv(240, epc_data(b"\x12\x30", 12) + tv(1, "H", 2))
    assert decoder.decode(odd + report(1) + odd) == [TagDetail(b"\x12\x30", 2), detail(1), TagDetail(b"\x12\x30", 2)]
    assert decoder.decode(report(1) + b"\x00\xf0\xff\xff") == [detail(1)]
    assert decoder.decode(b"") == []


@given(
    st.lists(st.tuples(st.integers(0, 2**90), st.integers(-9000, 0), st.integers(0, 4095)), max_size=5),
    st.binary(max_size=6),
    st.lists(st.integers(0, 400), max_size=4),
)
def test_both_ways_give_the_same_whatever_comes(
    tags: list[tuple[int, int, int]], tail: bytes, points: list[int]
) -> None:
    body = b"".join(report(number, rssi, phase) for number, rssi, phase in tags)
    decoder = DetailDecoder()
    for piece in (body, body, body + tail, *cuts(body, points), body):
        walked, _ = walk_fields(piece)
        assert decoder.decode(piece) == [each for each in map(detail_of, walked) if each is not None]


# With the simulated reader ---------------------------------------------------------------------------------------


async def test_an_impinj_reader_tells_what_it_is_asked_to() -> None:
    sink = Collector()
    told: list[TagDetail] = []
    async with simulated(Personality(temperature_c=53)) as server:
        wanted = settings(server.port, fast_id=True, rf_details=True, air=AirSettings(tag_focus=True, session=1))
        driver = LlrpDriver("r", wanted, SystemClock())
        driver.on_details = told.extend
        async with running(driver, sink):
            await sink.until(lambda: len(sink.seen()) == 8 and sink.states[-1].temperature_c == 53)
    assert not sink.notices
    assert {each.epc: each.tid for each in told} == {epc: tid_of(epc) for epcs in TAGS.values() for epc in epcs}
    assert {each.rssi_cdbm for each in told} == {-5500}
    assert all(each.phase is not None and each.doppler_16hz is not None for each in told)


async def test_another_maker_s_reader_reads_without_and_it_is_said() -> None:
    sink = Collector()
    async with simulated(Personality(capabilities=Described(manufacturer=161))) as server:
        driver = LlrpDriver("r", settings(server.port, fast_id=True), SystemClock())
        async with running(driver, sink):
            await sink.until(lambda: len(sink.seen()) == 8)
    assert [notice.fault.kind for notice in sink.notices] == ["refused_setting"]
    assert sink.states[-1].temperature_c is None


async def test_a_reader_that_refuses_its_extensions_reads_on() -> None:
    sink = Collector()
    async with simulated(Personality(refuses=frozenset({MessageType.CUSTOM_MESSAGE}))) as server:
        async with running(LlrpDriver("r", settings(server.port, rf_details=True), SystemClock()), sink):
            await sink.until(lambda: len(sink.seen()) == 8)
        await eventually(lambda: not server.connected)


def test_nothing_is_said_where_nothing_was_asked() -> None:
    assert unsupported(LlrpSettings("r", (1,)), DEVICE) is None
    assert split(encode(EnableExtensions(), 1))[0][0] == 1023
