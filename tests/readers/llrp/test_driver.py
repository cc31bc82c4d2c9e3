import asyncio
import struct
import time

import pytest

from gateway.clock import SystemClock
from readers.driver import ReaderError
from readers.llrp.driver import Link, LlrpDriver
from readers.llrp.settings import AirSettings, LlrpSettings
from readers.model import AntennaCondition, ReadBatch, ReaderCondition
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.personality import Personality, ReaderClock
from simulators.llrp.server import serve_reader
from tests.peer import peer
from tests.readers.llrp.driving import SECOND, TAGS, gone, outcome, settings, simulated
from tests.readers.llrp.frames import (
    NOW,
    connection_event,
    epc96,
    epc_data,
    frame,
    split,
    status,
    tlv,
    tv,
    usual_read,
    usual_report,
)
from tests.readers.llrp.loopback import TurnedClock
from tests.readers.running import Collector, eventually, running

# Against the simulated reader -----------------------------------------------------------------------------------


async def test_it_connects_reads_and_leaves_politely() -> None:
    sink = Collector()
    async with simulated() as server:
        driver = LlrpDriver("ceiling-1", settings(server.port, air=AirSettings(power_dbm=27, session=2)), SystemClock())
        everything = {(epc, antenna) for antenna, epcs in TAGS.items() for epc in epcs}
        async with running(driver, sink):
            await sink.until(lambda: sink.seen() == everything)
            assert server.connected
            tasks = asyncio.all_tasks()
            assert len(tasks) == 2
        await gone(server)
    assert sink.conditions == [
        ReaderCondition.CONNECTING,
        ReaderCondition.CONNECTED,
        ReaderCondition.READING,
        ReaderCondition.STOPPED,
    ]
    reading = sink.states[2]
    assert reading.model == "Impinj Speedway R420"
    assert reading.address == f"127.0.0.1:{server.port}"
    assert reading.firmware
    assert reading.antennas == {1: AntennaCondition.UP, 2: AntennaCondition.UP}
    assert reading.clock_offset_ms is not None
    assert abs(reading.clock_offset_ms) < 1000
    assert not sink.notices
    for batch in sink.batches:
        assert batch.reader == "ceiling-1"
        assert batch.epc_bits is None
        for _, _, rssi, first, last, count in batch.reads:
            assert -2 * SECOND < last + batch.offset_us - batch.received_us < SECOND
            assert (rssi, count >= 1, first <= last) == (-55, True, True)


@pytest.mark.parametrize(
    "personality",
    [Personality(header_version=2), Personality(omits_unchanged=True), Personality(report_buffer_tags=0)],
    ids=["version 2", "absent fields", "no memory"],
)
async def test_readers_with_habits(personality: Personality) -> None:
    sink = Collector()
    everything = {(epc, antenna) for antenna, epcs in TAGS.items() for epc in epcs}
    async with simulated(personality) as server, running(LlrpDriver("r", settings(server.port), SystemClock()), sink):
        await sink.until(lambda: sink.seen() == everything and len(sink.batches) > 5)
    assert sink.seen() == everything
    for batch in sink.batches:
        assert {read[2] for read in batch.reads} == {-55}
        assert all(-2 * SECOND < read[4] + batch.offset_us - batch.received_us < SECOND for read in batch.reads)
    assert not sink.notices


async def test_what_another_client_left_behind_is_cleared() -> None:
    sink = Collector()
    async with simulated(Personality(leftover_rospecs=(77,))) as server:
        async with running(LlrpDriver("r", settings(server.port), SystemClock()), sink):
            await sink.until(lambda: ReaderCondition.READING in sink.conditions)
        for _ in range(2):
            async with running(LlrpDriver("r", settings(server.port), SystemClock()), sink):
                await sink.until(lambda: sink.conditions[-1] is ReaderCondition.READING)
        assert server.connections == 3


@pytest.mark.parametrize(
    ("clock", "offset_s"),
    [
        (ReaderClock(offset_us=-3 * 3600 * SECOND), -3 * 3600),
        (ReaderClock(uptime=True, booted_us=int(time.time() - 5000) * SECOND), None),
    ],
    ids=["three hours slow", "uptime"],
)
async def test_reads_are_dated_right_whatever_the_reader_s_clock_shows(
    clock: ReaderClock, offset_s: int | None
) -> None:
    sink = Collector()
    async with (
        simulated(Personality(clock=clock)) as server,
        running(LlrpDriver("r", settings(server.port), SystemClock()), sink),
    ):
        await sink.until(lambda: len(sink.batches) > 3)
    for batch in sink.batches:
        assert all(-2 * SECOND < read[4] + batch.offset_us - batch.received_us < SECOND for read in batch.reads)
    offset_ms = sink.states[2].clock_offset_ms
    if offset_s is None:
        assert offset_ms is None
    else:
        assert offset_ms == pytest.approx(offset_s * 1000, abs=1000)


async def test_a_frozen_reader_is_noticed_by_its_missing_keepalives() -> None:
    sink = Collector()
    async with simulated() as server:

        async def freeze() -> None:
            await sink.until(lambda: len(sink.batches) > 0)
            server.freeze()

        async with asyncio.TaskGroup() as group:
            group.create_task(freeze())
            error = await outcome(server.port, sink)
    assert error.fault.kind == "silent"
    assert ReaderCondition.READING in sink.conditions


async def test_keepalives_alone_keep_a_connection_alive() -> None:
    sink = Collector()
    clock = WallClock()
    device = ReaderDevice(FixedField({}), Personality(unacknowledged_keepalives=2))
    async with (
        serve_reader(device, clock=clock) as server,
        running(LlrpDriver("r", settings(server.port, keepalive_s=0.05), SystemClock()), sink) as task,
    ):
        await sink.until(lambda: ReaderCondition.READING in sink.conditions)
        sent = server.sent_bytes
        # Ten keepalives: four times the patience with a silent reader.
        await eventually(lambda: server.sent_bytes >= sent + 100)
        assert not task.done()
        assert not sink.batches


async def test_the_second_client_is_told_so_and_the_first_hears_of_it() -> None:
    first, second = Collector(), Collector()
    async with simulated() as server, running(LlrpDriver("r", settings(server.port), SystemClock()), first):
        await first.until(lambda: ReaderCondition.READING in first.conditions)
        error = await outcome(server.port, second)
        assert error.fault.kind == "already_connected"
        await first.until(lambda: len(first.notices) > 0)
        assert first.notices[0].fault.kind == "rival_client"


async def test_a_cut_link_is_lost() -> None:
    sink = Collector()
    async with simulated() as server:

        async def cut() -> None:
            await sink.until(lambda: len(sink.batches) > 0)
            server.cut()

        async with asyncio.TaskGroup() as group:
            group.create_task(cut())
            error = await outcome(server.port, sink)
    assert error.fault.kind == "link_lost"


async def test_an_antenna_is_pulled_and_plugged() -> None:
    sink = Collector()
    async with simulated() as server, running(LlrpDriver("r", settings(server.port), SystemClock()), sink):
        await sink.until(lambda: ReaderCondition.READING in sink.conditions)
        server.set_antenna(2, connected=False)
        await sink.until(lambda: sink.states[-1].antennas[2] is AntennaCondition.DOWN)
        server.set_antenna(2, connected=True)
        await sink.until(lambda: sink.states[-1].antennas[2] is AntennaCondition.UP)
        assert sink.states[-1].condition is ReaderCondition.READING


async def test_settings_that_the_device_cannot_follow() -> None:
    sink = Collector()
    async with simulated() as server:
        error = await outcome(server.port, sink, antennas=(1, 9))
        assert error.fault.kind == "unsuited"
        assert "antenna 9" in error.fault.text
        await gone(server)


async def test_several_readers_at_once() -> None:
    sinks = [Collector() for _ in range(6)]
    everything = {(epc, antenna) for antenna, epcs in TAGS.items() for epc in epcs}
    async with (
        simulated() as a,
        simulated() as b,
        simulated() as c,
        simulated() as d,
        simulated() as e,
        simulated() as f,
    ):
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(LlrpDriver(f"r{number}", settings(server.port), SystemClock()).run(sink))
                for number, (server, sink) in enumerate(zip((a, b, c, d, e, f), sinks, strict=True))
            ]
            for sink in sinks:
                await sink.until(lambda sink=sink: sink.seen() == everything)  # type: ignore[misc]  # bound early
            for task in tasks:
                task.cancel()
        for server in (a, b, c, d, e, f):
            await gone(server)
    for number, sink in enumerate(sinks):
        assert {batch.reader for batch in sink.batches} == {f"r{number}"}


# Against other things that listen -------------------------------------------------------------------------------


async def test_nothing_listens() -> None:
    sink = Collector()
    async with peer() as port:
        pass
    assert (await outcome(port, sink)).fault.kind == "refused"


async def test_a_name_that_is_none() -> None:
    with pytest.raises(ReaderError) as caught:
        await LlrpDriver("r", LlrpSettings("no-such-host.invalid", (1,)), SystemClock()).run(Collector())
    assert caught.value.fault.kind == "unreachable"


@pytest.mark.parametrize("garbage", [bytes.fromhex("a55a00098d01850d0a"), b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_what_listens_is_not_llrp(garbage: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        await reader.read()

    sink = Collector()
    async with peer(talk) as port:
        started = time.monotonic()
        error = await outcome(port, sink)
        assert error.fault.kind == "not_llrp"
        assert garbage[:1].hex() in error.fault.text
        assert time.monotonic() - started < 1


async def test_a_peer_that_says_nothing() -> None:
    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(talk) as port:
        error = await outcome(port, Collector(), connect_timeout_s=0.1)
        assert error.fault.kind == "timeout"
        assert "connection event" in error.fault.text


async def test_a_reader_that_stops_answering() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in connection_event():
            writer.write(bytes((byte,)))
            await writer.drain()
        await reader.read()

    async with peer(talk) as port:
        error = await outcome(port, Collector(), answer_timeout_s=0.1)
        assert error.fault.kind == "timeout"
        assert "GET_READER_CAPABILITIES_RESPONSE" in error.fault.text


async def test_a_link_cut_inside_a_frame_leaves_nothing_for_the_next() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(connection_event() + frame(61, usual_report(1))[:30])
        await writer.drain()

    sink = Collector()
    async with peer(talk) as port:
        driver = LlrpDriver("r", settings(port), SystemClock())
        for _ in range(2):
            with pytest.raises(ReaderError) as caught:
                async with asyncio.timeout(5):
                    await driver.run(sink)
            assert caught.value.fault.kind == "link_lost"
    assert not sink.batches


async def test_a_stream_that_loses_step() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(connection_event() + frame(61, usual_report(1)) + b"\xff" * 20)
        await reader.read()

    sink = Collector()
    async with peer(talk) as port:
        error = await outcome(port, sink)
    assert error.fault.kind == "frame_error"
    assert [list(batch.reads) for batch in sink.batches] == [[usual_read(1)]]


async def test_cancelled_at_any_moment_it_leaves_nothing() -> None:
    async with simulated() as server:
        for pause_s in (0, 0, 0.001, 0.002, 0.004, 0.008, 0.016):
            sink = Collector()
            async with running(LlrpDriver("r", settings(server.port), SystemClock()), sink):
                await asyncio.sleep(pause_s)
            assert sink.conditions[-1:] in ([], [ReaderCondition.STOPPED])
            await gone(server)


async def test_the_goodbye_is_close_connection_and_its_answer_is_waited_for() -> None:
    heard: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(connection_event())
        for kind, _, _ in split(await reader.read(1000)):
            heard.append(kind)
        for kind, message_id, _ in split(await reader.read(1000)):
            heard.append(kind)
            writer.write(frame(4, status(), message_id))
        assert await reader.read() == b""
        heard.append(-1)

    sink = Collector()
    async with peer(talk) as port:
        async with running(LlrpDriver("r", settings(port), SystemClock()), sink):
            await eventually(lambda: len(heard) == 1)
            started = time.monotonic()
        assert time.monotonic() - started < 0.9
        await eventually(lambda: len(heard) == 3)
    assert heard == [1, 14, -1]
    assert sink.conditions == [ReaderCondition.CONNECTING, ReaderCondition.STOPPED]


async def test_a_reader_that_ignores_the_goodbye_does_not_hold_us_up() -> None:
    sink = Collector()
    async with simulated() as server:
        async with running(LlrpDriver("r", settings(server.port, keepalive_s=60), SystemClock()), sink):
            await sink.until(lambda: ReaderCondition.READING in sink.conditions)
            server.freeze()
        await gone(server)


# A link without a socket ----------------------------------------------------------------------------------------


def push(link: Link, data: bytes) -> None:
    room = link.get_buffer(-1)
    room[: len(data)] = data
    link.buffer_updated(len(data))


async def linked() -> tuple[Link, Collector, TurnedClock]:
    sink, clock = Collector(), TurnedClock()
    link = Link("r", settings(1), clock, sink)
    push(link, connection_event(utc=NOW))
    return link, sink, clock


async def test_all_frames_of_one_delivery_are_one_batch() -> None:
    link, sink, clock = await linked()
    push(link, b"".join(frame(61, usual_report(n)) for n in range(3)) + frame(62) + frame(61, usual_report(3)))
    (batch,) = sink.batches
    assert batch == ReadBatch("r", clock.now_us, clock.now_us - NOW, [usual_read(n) for n in range(4)])
    push(link, frame(61))
    assert len(sink.batches) == 1
    link.abort()


async def test_odd_bit_counts_have_batches_of_their_own() -> None:
    link, sink, _ = await linked()
    nine = tlv(240, epc_data(b"\xea\x80", 9) + tv(4, "Q", NOW))
    push(link, frame(61, nine + usual_report(1) + nine) + frame(61, tlv(240, epc_data(b"\x80", 1) + tv(4, "Q", NOW))))
    assert [(batch.epc_bits, [read[0] for read in batch.reads]) for batch in sink.batches] == [
        (None, [bytes(11) + b"\x01"]),
        (9, [b"\xea\x80", b"\xea\x80"]),
        (1, [b"\x80"]),
    ]
    link.abort()


async def test_bad_reports_are_counted_and_reads_before_them_kept() -> None:
    link, sink, _ = await linked()
    bad = frame(61, usual_report(1) + tlv(240, epc96(2) + tv(21, "H", 1)))
    push(link, bad + bad + frame(61, usual_report(3)))
    (batch,) = sink.batches
    assert batch.reads == [usual_read(1), usual_read(1), usual_read(3)]
    (notice,) = sink.notices
    assert (notice.fault.kind, notice.count) == ("frame_error", 2)
    assert "unknown TV parameter 21" in notice.fault.text
    link.abort()


async def test_a_reader_without_stamps_has_its_reads_dated_by_their_arrival() -> None:
    link, sink, clock = await linked()
    clock.now_us += 7 * SECOND
    push(link, frame(61, tlv(240, epc96(2) + tv(1, "H", 1))))
    (batch,) = sink.batches
    assert [read[4] + batch.offset_us for read in batch.reads] == [clock.now_us]
    link.abort()


async def test_a_clock_jump_is_told_and_followed() -> None:
    link, sink, clock = await linked()
    for _ in range(20):
        clock.now_us += SECOND // 5
        at = NOW + clock.now_us - 1000 * SECOND + 3600 * SECOND
        push(link, frame(61, usual_report(1, at=at - 5)))
    assert [notice.fault.kind for notice in sink.notices] == ["clock_jump"]
    assert "3600.0 s ahead" in sink.notices[0].fault.text
    assert sink.batches[-1].reads[0][4] + sink.batches[-1].offset_us == clock.now_us
    link.abort()


async def test_a_peer_that_never_reads_is_given_up() -> None:
    """Keepalives without end whose acknowledgements nobody takes must not fill our memory."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(connection_event())
        while True:
            writer.write(frame(62) * 10_000)
            await writer.drain()

    sink = Collector()
    async with peer(talk) as port:
        error = await outcome(port, sink, answer_timeout_s=60)
    assert error.fault.kind == "link_lost"
    assert "unread" in error.fault.text


def test_helpers_pack_what_the_standard_says() -> None:
    assert frame(62, b"", 5) == struct.pack(">HII", 0x043E, 10, 5)
    assert status() == bytes.fromhex("011f000800000000")
