"""What real readers were seen to do in shops, each played by the simulator, and what we make of it."""

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from random import Random

import pytest

from gateway import supervise as supervising
from gateway.clock import SystemClock
from gateway.domain.presence import Presence
from gateway.supervise import Backoff, supervise
from gateway.tasks import beside
from readers.llrp.driver import LlrpDriver
from readers.llrp.settings import AirSettings
from readers.model import AntennaCondition, ReaderCondition
from simulators.field import FixedField, Sighting
from simulators.hostile import Wire, hostile_wire
from simulators.llrp.capabilities import Capabilities
from simulators.llrp.device import ReaderDevice
from simulators.llrp.names import MessageType
from simulators.llrp.names import ParameterType as P
from simulators.llrp.personality import Flood, Personality, ReaderClock
from simulators.llrp.server import ReaderServer, serve_reader
from tests.gateway.shop import READER, HandClock, Shop, identity, tag
from tests.readers.llrp.driving import TAGS, gone, outcome, settings, simulated
from tests.readers.llrp.frames import split, tv
from tests.readers.llrp.loopback import SECOND, START_UTC, Loopback
from tests.readers.running import Collector, running
from tests.readers.said import Said

EVERYTHING = {(epc, antenna) for antenna, epcs in TAGS.items() for epc in epcs}
HOUR_S = 3600
NO_HOLDING = Capabilities(can_hold_reports=False)


class Diary(FixedField):
    """Fixed tags, and a note of every single sighting: (EPC, antenna, moment)."""

    def __init__(self, tags: dict[int, list[bytes]]) -> None:
        super().__init__(tags)
        self.written: list[tuple[bytes, int, int]] = []

    def sightings(self, antenna: int, start_us: int, end_us: int) -> Iterable[Sighting]:
        for sighting in super().sightings(antenna, start_us, end_us):
            self.written.append((sighting.epc, antenna, sighting.at_us))
            yield sighting


@asynccontextmanager
async def reads_everything(
    personality: Personality, **more: object
) -> AsyncIterator[tuple[ReaderServer, Collector, asyncio.Task[None]]]:
    """A driver on such a reader that has read all tags there are."""
    sink = Collector()
    async with (
        simulated(personality) as server,
        running(LlrpDriver("r", settings(server.port, **more), SystemClock()), sink) as task,
    ):
        await sink.until(lambda: sink.seen() >= EVERYTHING and ReaderCondition.READING in sink.conditions)
        yield server, sink, task


@asynccontextmanager
async def supervised(personality: Personality) -> AsyncIterator[tuple[ReaderServer, Collector]]:
    """A reader that is kept alive as in a shop, and reads."""
    sink = Collector()
    async with simulated(personality) as server:
        driver = LlrpDriver("r", settings(server.port), SystemClock())
        async with beside(supervise(driver, sink, SystemClock(), Random(1))):
            await sink.until(lambda: ReaderCondition.READING in sink.conditions)
            yield server, sink
        await gone(server)


def kinds(sink: Said) -> list[str]:
    return [notice.fault.kind for notice in sink.notices]


def errors_us(sink: Collector) -> list[int]:
    """How far each batch's newest read is dated from its arrival."""
    return [batch.reads[-1][4] + batch.offset_us - batch.received_us for batch in sink.batches]


# The link -------------------------------------------------------------------------------------------------------


async def test_frozen_reader() -> None:
    sink = Collector()
    personality = Personality(freezes_after_us=300_000)
    async with simulated(personality) as server:
        error = await outcome(server.port, sink)
    assert error.fault.kind == "silent"
    assert sink.conditions[-2:] == [ReaderCondition.READING, ReaderCondition.FAILED]


async def test_backoff_is_reset_by_a_good_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight failures make pauses of half a minute; after a connection that held, the next pause is a short one."""
    pauses: list[float] = []
    pause_s = Backoff.pause_s

    def noted(backoff: Backoff) -> float:
        pauses.append(pause_s(backoff))
        return 0.0

    monkeypatch.setattr(supervising.Backoff, "pause_s", noted)
    monkeypatch.setattr(supervising, "PROVEN_AFTER_S", 0.2)
    sink = Collector()
    async with simulated() as server, hostile_wire(server.port, Wire(not_llrp=True, bad_connections=8)) as wire:
        driver = LlrpDriver("r", settings(wire.port), SystemClock())
        async with beside(supervise(driver, sink, SystemClock(), Random(1))):
            await sink.until(lambda: ReaderCondition.READING in sink.conditions)
            assert len(pauses) == 8
            assert pauses[-1] > 10
            await sink.until(lambda: len(sink.batches) > 0)
            since_us = sink.batches[0].received_us
            await sink.until(lambda: sink.batches[-1].received_us - since_us > 300_000)
            server.cut()
            await sink.until(lambda: sink.conditions.count(ReaderCondition.READING) == 2)
        assert len(pauses) == 9
        assert pauses[-1] <= 0.5


async def test_link_cut_inside_a_frame() -> None:
    """Wherever the cut falls, the next connection starts clean."""
    sink = Collector()
    async with simulated() as server, hostile_wire(server.port) as wire:
        driver = LlrpDriver("r", settings(wire.port), SystemClock())
        for cut_after in (7, 33, 200, 1500, 2009):
            wire.wire = Wire(cut_after=cut_after)
            error = await outcome(wire.port, Collector())
            assert error.fault.kind == "link_lost"
            await gone(server)
        wire.wire = Wire()
        async with running(driver, sink):
            await sink.until(lambda: sink.seen() == EVERYTHING)
    assert not sink.notices


async def test_connection_already_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the trouble, tries again, and is in as soon as the other client has left."""
    monkeypatch.setattr(supervising.Backoff, "pause_s", lambda _: 0.01)
    first, second = Collector(), Collector()
    async with simulated() as server:
        driver = LlrpDriver("second", settings(server.port), SystemClock())
        async with running(LlrpDriver("first", settings(server.port), SystemClock()), first):
            await first.until(lambda: ReaderCondition.READING in first.conditions)
            watching = beside(supervise(driver, second, SystemClock(), Random(1)))
            await watching.__aenter__()
            await second.until(lambda: second.conditions.count(ReaderCondition.FAILED) >= 3)
            assert {state.fault.kind for state in second.states if state.fault} == {"already_connected"}
            assert "rival_client" in kinds(first)
        await second.until(lambda: ReaderCondition.READING in second.conditions)
        await watching.__aexit__(None, None, None)
        await gone(server)


async def test_every_way_out_says_close_connection() -> None:
    """Turned away, refused, silent or cancelled: the reader is told, so that it keeps no dead client."""
    heard: list[bytes] = []
    close = struct.pack(">HI", 0x040E, 10)
    for personality, more in (
        (Personality(refuses=frozenset({MessageType.ENABLE_ROSPEC})), {}),
        (Personality(), {"antennas": (9,)}),
        (Personality(freezes_after_us=200_000), {}),
    ):
        device = ReaderDevice(FixedField(TAGS), personality)
        said = bytearray()
        async with serve_reader(device, record=lambda r, s=said: s.extend(b"" if r.from_server else r.data)) as server:  # type: ignore[misc]  # bound early
            await outcome(server.port, Collector(), **more)
            await gone(server)
        heard.append(bytes(said))
    assert [said.count(close) for said in heard] == [1, 1, 1]


async def test_answers_raced_by_events() -> None:
    async with reads_everything(Personality(races_answers=True)) as (_, sink, _task):
        assert sink.conditions[-1] is ReaderCondition.READING
        assert not sink.notices


async def test_starved_acknowledgements() -> None:
    """A reader that sends as fast as it can, and closes after two keepalives without an answer, keeps us."""
    personality = Personality(unacknowledged_keepalives=2, flood=Flood(None, 20, 1000))
    sink = Collector()
    async with (
        simulated(personality) as server,
        running(LlrpDriver("r", settings(server.port, keepalive_s=1.5), SystemClock()), sink) as task,
    ):
        await sink.until(lambda: len(sink.batches) > 0)
        began_us = sink.batches[0].received_us
        await sink.until(lambda: sink.batches[-1].received_us - began_us > 6 * SECOND)
        assert not task.done()
        assert server.connections == 1


async def test_not_llrp() -> None:
    sink = Collector()
    async with simulated() as server, hostile_wire(server.port, Wire(not_llrp=True)) as wire:
        error = await outcome(wire.port, sink)
    assert error.fault.kind == "not_llrp"
    assert "a55a00098d01850d0a" in error.fault.text


# Clean-up, settings and refusals --------------------------------------------------------------------------------


async def test_leftover_rospecs_where_there_is_room_for_one() -> None:
    personality = Personality(leftover_rospecs=(77,), capabilities=Capabilities(max_rospecs=1))
    async with reads_everything(personality) as (server, sink, _task):
        assert [spec.num("ROSpecID") for spec in server.device.operations.rospec_parameters()] == [1]
        assert not sink.notices


OPTIONAL = (
    MessageType.GET_READER_CONFIG,
    MessageType.DELETE_ACCESSSPEC,
    MessageType.GET_ROSPECS,
    MessageType.DELETE_ROSPEC,
)


@pytest.mark.parametrize("refused", OPTIONAL, ids=lambda kind: kind.name)
async def test_a_refused_clean_up_is_survived_and_reported(refused: MessageType) -> None:
    async with reads_everything(Personality(refuses=frozenset({refused}))) as (_, sink, _task):
        assert kinds(sink) == ["refused_setting"]
        assert refused.name in sink.notices[0].fault.text


async def test_a_leftover_that_cannot_be_cleared_is_explained() -> None:
    personality = Personality(leftover_rospecs=(77,), refuses=frozenset({MessageType.DELETE_ROSPEC}))
    sink = Collector()
    async with simulated(personality) as server:
        error = await outcome(server.port, sink)
    assert error.fault.kind == "rejected"
    assert "room for one ROSpec" in error.fault.hint
    assert "refused_setting" in kinds(sink)


async def test_refused_stop_triggers() -> None:
    """A reader without tag observation triggers reads: none is asked for."""
    async with reads_everything(Personality(knows_tag_observation=False)) as (_, sink, _task):
        assert not sink.notices


@pytest.mark.parametrize(
    "capabilities",
    [
        Capabilities(strict_channel=True),
        Capabilities(fixed_frequencies_khz=(865_700, 866_300, 866_900, 867_500), hop_frequencies_khz=()),
    ],
    ids=["hopping", "fixed channels"],
)
async def test_hop_table_and_channel_come_from_the_capabilities(capabilities: Capabilities) -> None:
    personality = Personality(capabilities=capabilities)
    async with reads_everything(personality, air=AirSettings(power_dbm=20)) as (_, sink, _task):
        assert not sink.notices


async def test_the_channel_that_is_asked_for_is_the_one_that_is_used() -> None:
    capabilities = Capabilities(fixed_frequencies_khz=(865_700, 866_300, 866_900, 867_500), hop_frequencies_khz=())
    air = AirSettings(power_dbm=20, channel=3)
    async with reads_everything(Personality(capabilities=capabilities), air=air) as (server, sink, _task):
        (spec,) = server.device.operations.rospec_parameters()
        inventory = spec.one(P.AISpec).one(P.InventoryParameterSpec)
        used = [conf.one(P.RFTransmitter).num("ChannelIndex") for conf in inventory.every(P.AntennaConfiguration)]
        assert used == [3, 3]
        assert not sink.notices


@pytest.mark.parametrize(("ports", "used"), [(32, (1, 17, 32)), (52, (1, 52))], ids=["hub", "xArray"])
async def test_antennas_renumbered(ports: int, used: tuple[int, ...]) -> None:
    tags = {port: [bytes([0x30, port]) + bytes(10)] for port in range(1, ports + 1)}
    everywhere = frozenset(tags)
    personality = Personality(capabilities=Capabilities(antennas=ports), antennas_connected=everywhere, dwell_us=5000)
    sink = Collector()
    async with (
        serve_reader(ReaderDevice(FixedField(tags), personality)) as server,
        running(LlrpDriver("r", settings(server.port, antennas=used), SystemClock()), sink),
    ):
        await sink.until(lambda: {antenna for _, antenna in sink.seen()} == set(used))
        assert sink.states[-1].antennas == dict.fromkeys(used, AntennaCondition.UP)


# Reports --------------------------------------------------------------------------------------------------------


async def test_absent_fields_are_as_they_were() -> None:
    async with reads_everything(Personality(omits_unchanged=True)) as (_, sink, _task):
        await sink.until(lambda: len(sink.batches) > 10)
        assert sink.seen() == EVERYTHING
        assert {read[2] for batch in sink.batches for read in batch.reads} == {-55}
        assert all(-SECOND < error < SECOND for error in errors_us(sink))


async def test_empty_reports_and_counts_beyond_belief() -> None:
    async with reads_everything(Personality(empty_reports=True, counts_each_as=5374)) as (_, sink, _task):
        assert all(batch.reads for batch in sink.batches)
        assert {read[5] for batch in sink.batches for read in batch.reads} == {5374}
        assert not sink.notices


async def test_fewer_tags_in_view_than_a_report_waits_for() -> None:
    """Told to report every hundred tags, a reader that sees eight would wait for ever."""
    async with reads_everything(Personality(), report_every_tags=100) as (_, sink, _task):
        assert {len(batch.reads) for batch in sink.batches} <= set(range(1, 9))
        assert not sink.notices


async def test_xpc_words_are_known() -> None:
    trailer = tv(19, "H", 0x0200) + tv(20, "H", 1)
    async with reads_everything(Personality(report_trailer=trailer)) as (_, sink, _task):
        assert not sink.notices


async def test_unknown_parameters() -> None:
    """An unknown TLV is stepped over; an unknown TV costs its frame, counted, and never the session."""
    unknown_tlv = struct.pack(">HHIIH", 1023, 14, 99, 7, 1)
    async with reads_everything(Personality(report_trailer=unknown_tlv)) as (_, sink, _task):
        assert not sink.notices
    sink = Collector()
    async with (
        simulated(Personality(report_trailer=tv(21, "H", 1))) as server,
        running(LlrpDriver("r", settings(server.port), SystemClock()), sink) as task,
    ):
        await sink.until(lambda: sum(notice.count for notice in sink.notices) > 5)
        assert set(kinds(sink)) == {"frame_error"}
        assert "unknown TV parameter 21" in sink.notices[0].fault.text
        assert not task.done()


@pytest.mark.parametrize(("size", "bits"), [(16, None), (18, None)], ids=["128 bits", "144 bits"])
async def test_long_epcs(size: int, bits: int | None) -> None:
    epc = bytes(range(size))
    sink = Collector()
    async with (
        serve_reader(ReaderDevice(FixedField({1: [epc]}), Personality())) as server,
        running(LlrpDriver("r", settings(server.port), SystemClock()), sink),
    ):
        await sink.until(lambda: len(sink.batches) > 2)
    assert {read[0] for batch in sink.batches for read in batch.reads} == {epc}
    assert {batch.epc_bits for batch in sink.batches} == {bits}


async def test_odd_epc_lengths_carry_their_bits() -> None:
    class OddField:
        def sightings(self, antenna: int, start_us: int, end_us: int) -> Iterable[Sighting]:
            assert start_us < end_us
            return [Sighting(b"\xea\x80", 9, -50, start_us, 1)] if antenna == 1 else []

    sink = Collector()
    async with (
        serve_reader(ReaderDevice(OddField(), Personality())) as server,
        running(LlrpDriver("r", settings(server.port), SystemClock()), sink),
    ):
        await sink.until(lambda: len(sink.batches) > 2)
    assert {(batch.epc_bits, read[0]) for batch in sink.batches for read in batch.reads} == {(9, b"\xea\x80")}


# Clocks ---------------------------------------------------------------------------------------------------------

DWELL_US = 50_000
TAG = {1: [tag(1)]}
YEAR_2000 = 946_684_800 * SECOND - START_UTC


@pytest.mark.parametrize(
    ("clock", "notices"),
    [
        (ReaderClock(), []),
        (ReaderClock(offset_us=YEAR_2000), ["clock_wrong"]),
        (ReaderClock(offset_us=-3 * HOUR_S * SECOND), ["clock_wrong"]),
        (ReaderClock(offset_us=3 * HOUR_S * SECOND), ["clock_wrong"]),
        (ReaderClock(uptime=True, booted_us=START_UTC), []),
    ],
    ids=["right", "year 2000", "3 h behind", "3 h ahead", "uptime"],
)
async def test_clock_wrong_or_uptime(clock: ReaderClock, notices: list[str]) -> None:
    wire = Loopback(FixedField(TAG), Personality(clock=clock))
    wire.connect()
    wire.turn(60, 0.25)
    assert len(wire.batches) == 240
    assert all(-2 * DWELL_US <= error <= 0 for error in wire.errors_us())
    assert kinds(wire) == notices


@pytest.mark.parametrize("ahead_s", [HOUR_S, -HOUR_S, 30 * 86_400, -20 * 365 * 86_400])
async def test_clock_jumps(ahead_s: int) -> None:
    """Somebody sets the clock: one notice, and soon every read is dated right again."""
    at_us = START_UTC + 1060 * SECOND
    wire = Loopback(FixedField(TAG), Personality(clock=ReaderClock(jumps=((at_us, ahead_s * SECOND),))))
    wire.connect()
    wire.turn(180, 0.25)
    assert kinds(wire) == ["clock_jump"]
    assert all(-2 * DWELL_US <= error <= 0 for error in wire.errors_us()[-300:])
    assert wire.reading


class AtTheEnd(FixedField):
    """Tags that answer when a dwell ends: what is reported has just been read, however long the dwell."""

    def sightings(self, antenna: int, start_us: int, end_us: int) -> Iterable[Sighting]:
        return super().sightings(antenna, end_us - 1, end_us) if start_us < end_us else []


@pytest.mark.parametrize("ppm", [50.0, -50.0])
async def test_clock_drifts_for_days(ppm: float) -> None:
    """50 ppm are 13 s in three days: never a jump, and every read is dated within a tenth of a second."""
    clock = ReaderClock(drift_ppm=ppm, booted_us=START_UTC)
    wire = Loopback(AtTheEnd(TAG), Personality(clock=clock, dwell_us=20 * SECOND))
    wire.connect()
    wire.turn(3 * 86_400, 20.0)
    assert len(wire.batches) == 3 * 86_400 / 20
    assert not wire.notices
    assert all(-SECOND // 10 < error < SECOND // 10 for error in wire.errors_us())


async def test_a_reader_that_has_no_utc_is_not_told_to_be_wrong() -> None:
    capabilities = Capabilities(has_utc_clock=False)
    clock = ReaderClock(offset_us=YEAR_2000)
    async with reads_everything(Personality(capabilities=capabilities, clock=clock)) as (_, sink, _task):
        assert sink.states[-1].clock_offset_ms is None
        assert not sink.notices
        assert all(-SECOND < error < SECOND for error in errors_us(sink))


# Outages --------------------------------------------------------------------------------------------------------


class Cleared(FixedField):
    """The tags until `until_us`, then nothing: the shelf was emptied."""

    def __init__(self, tags: dict[int, list[bytes]], until_us: int, staying: bytes) -> None:
        super().__init__(tags)
        self._until_us = until_us
        self._staying = staying

    def sightings(self, antenna: int, start_us: int, end_us: int) -> Iterable[Sighting]:
        for sighting in super().sightings(antenna, start_us, end_us):
            if sighting.at_us < self._until_us or sighting.epc == self._staying:
                yield sighting


@pytest.mark.parametrize("clock", [ReaderClock(), ReaderClock(offset_us=YEAR_2000)], ids=["right", "year 2000"])
async def test_66_000_held_reports_after_an_outage(clock: ReaderClock) -> None:
    """Ten minutes are replayed: dated when they were read, history, and no arrival of what has left meanwhile."""
    tags = [tag(number) for number in range(1, 56)]
    connected_us = START_UTC + 1000 * SECOND
    field = Cleared({1: tags}, connected_us + 540 * SECOND, staying=tags[0])
    personality = Personality(clock=clock, capabilities=NO_HOLDING, report_buffer_tags=70_000, dwell_us=450_000)
    wire = Loopback(field, personality)
    wire.connect()
    wire.cut()
    replay_from = len(wire.events)
    wire.turn(600, 1.0)
    assert not wire.batches[replay_from:]
    wire.connect()
    wire.turn(30, 0.5)
    assert wire.reading
    replayed = [read[4] + batch.offset_us for batch in wire.batches for read in batch.reads]
    assert len(replayed) > 66_000
    now_us = wire.clock.now_us
    assert min(replayed) < 1002 * SECOND
    assert all(stamp <= now_us for stamp in replayed)
    assert "clock_jump" not in kinds(wire)

    hand = HandClock(wire.clock.now_us)
    shop = Shop(clock=hand, antennas={"a": (1,), "b": (2,), "door": (3,)})
    for batch in wire.batches:
        shop.inventory.ingest(batch._replace(reader=READER))
        hand.now_us = max(hand.now_us, batch.received_us)
        shop.tick()
    counted = [item for item in shop.inventory if item.presence is Presence.PRESENT]
    assert [item.identity for item in counted] == [identity(1)]


# Our own restart ------------------------------------------------------------------------------------------------


async def lives(port: int, sinks: list[Collector], clock: SystemClock) -> None:
    """One driver after another, each until it has read something, with a break in between."""
    for sink in sinks:
        async with running(LlrpDriver("r", settings(port), clock), sink):
            await sink.until(lambda sink=sink: len(sink.batches) > 5 and ReaderCondition.READING in sink.conditions)  # type: ignore[misc]  # bound early
        await asyncio.sleep(0.15)  # what the reader holds has to come from somewhere


def told(sinks: Iterable[Collector]) -> Counter[tuple[bytes, int, int]]:
    return Counter((read[0], read[1], read[4]) for sink in sinks for batch in sink.batches for read in batch.reads)


async def test_no_read_is_lost_by_our_restart() -> None:
    """Every sighting of the reader, while we were there and while we were not, is told exactly once."""
    field = Diary(TAGS)
    sinks = [Collector() for _ in range(4)]
    said = bytearray()
    device = ReaderDevice(field, Personality())
    async with serve_reader(device, record=lambda r: said.extend(b"" if r.from_server else r.data)) as server:
        await lives(server.port, sinks, SystemClock())
        assert server.connections == 4
        assert device.configuration.holds
        adopted = server.device.operations.rospec_parameters()
        assert [spec.num("CurrentState") for spec in adopted] == [2]
    # Nothing was deleted, added or started after the first life.
    asked = Counter(kind for kind, _, _ in split(bytes(said)))
    assert (asked[MessageType.DELETE_ROSPEC], asked[MessageType.ADD_ROSPEC], asked[MessageType.START_ROSPEC]) == (
        1,
        1,
        1,
    )
    assert asked[MessageType.GET_ROSPECS] == asked[MessageType.CLOSE_CONNECTION] == 4
    reads = told(sinks)
    assert set(reads.values()) == {1}
    last_us = max(stamp for _, _, stamp in reads)
    assert set(reads) == {entry for entry in field.written if entry[2] <= last_us}
    for sink in sinks[1:]:
        assert not sink.notices
        first = sink.batches[0]
        assert first.reads[0][4] + first.offset_us < first.received_us - 100_000


async def test_a_shared_reader_is_left_idle_and_holds_nothing() -> None:
    sinks = [Collector(), Collector()]
    async with simulated() as server:
        driver = LlrpDriver("r", settings(server.port, hold=False), SystemClock())
        for sink in sinks:
            async with running(driver, sink):
                await sink.until(lambda sink=sink: sink.seen() == EVERYTHING)  # type: ignore[misc]  # bound early
            await gone(server)
            assert server.device.operations.rospec_parameters() == ()
            assert not server.device.configuration.holds
    assert not [notice for sink in sinks for notice in sink.notices]


async def test_a_reader_that_is_ours_no_longer_is_freed() -> None:
    async with simulated() as server:
        driver, sink = LlrpDriver("r", settings(server.port), SystemClock()), Collector()
        async with running(driver, sink):
            await sink.until(lambda: ReaderCondition.READING in sink.conditions)
            driver.free()
        await gone(server)
        assert server.device.operations.rospec_parameters() == ()


async def test_a_changed_inventory_is_not_adopted() -> None:
    sinks = [Collector(), Collector()]
    async with serve_reader(ReaderDevice(FixedField(TAGS), Personality())) as server:
        for sink, antennas in zip(sinks, [(1, 2), (1,)], strict=True):
            async with running(LlrpDriver("r", settings(server.port, antennas=antennas), SystemClock()), sink):
                await sink.until(lambda sink=sink: ReaderCondition.READING in sink.conditions)  # type: ignore[misc]  # bound early
        (spec,) = server.device.operations.rospec_parameters()
        assert spec.children[1].nums("AntennaIDs") == (1,)


async def test_holding_that_is_refused_is_done_without() -> None:
    """A reader that claims to hold and does not: keepalives and events stay."""
    async with reads_everything(Personality(refuses_holding=True)) as (server, sink, _task):
        assert kinds(sink) == ["refused_setting"]
        assert "EventsAndReports" in sink.notices[0].fault.text
        server.set_antenna(2, connected=False)
        await sink.until(lambda: sink.states[-1].antennas[2] is AntennaCondition.DOWN)


async def test_a_buffer_that_ran_over_is_told() -> None:
    sink = Collector()
    async with simulated(Personality(report_buffer_tags=3)) as server:
        driver = LlrpDriver("r", settings(server.port), SystemClock())
        async with running(driver, sink):
            await sink.until(lambda: sink.seen() == EVERYTHING)
        await gone(server)
        await asyncio.sleep(0.12)  # a dwell on each antenna
        async with running(driver, sink):
            await sink.until(lambda: bool(sink.notices))
        assert kinds(sink) == ["reader_overflow"]


# Events ---------------------------------------------------------------------------------------------------------


async def test_a_reboot_is_told_and_survived() -> None:
    async with supervised(Personality()) as (server, sink):
        server.reboot()
        await sink.until(lambda: sink.conditions.count(ReaderCondition.READING) == 2)
        assert kinds(sink) == ["rebooted"]
        seen = len(sink.batches)
        await sink.until(lambda: len(sink.batches) > seen)


async def test_an_inventory_that_somebody_stops_is_started_again() -> None:
    async with supervised(Personality()) as (server, sink):
        server.stop_inventory()
        await sink.until(lambda: sink.conditions.count(ReaderCondition.READING) == 2)
        assert [state.fault.kind for state in sink.states if state.fault] == ["stopped"]
        seen = len(sink.batches)
        await sink.until(lambda: len(sink.batches) > seen)
        assert not sink.notices


async def test_the_reader_s_own_words_are_passed_on() -> None:
    async with reads_everything(Personality()) as (server, sink, task):
        server.complain("PA temperature high")
        await sink.until(lambda: bool(sink.notices))
        assert kinds(sink) == ["reader_exception"]
        assert "PA temperature high" in sink.notices[0].fault.text
        assert not task.done()
