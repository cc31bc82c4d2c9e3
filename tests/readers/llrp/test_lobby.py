"""Readers that dial in, on real sockets: who is let in, who is told apart, what is left behind."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from readers.driver import ReaderError
from readers.llrp import lobby as module
from readers.llrp import tls
from readers.llrp.driver import LlrpDriver
from readers.llrp.lobby import CLOSE_CONNECTION, Lobby
from readers.llrp.settings import LlrpSettings, TlsSettings
from readers.model import ReaderCondition
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.dialer import dial_out
from simulators.llrp.personality import Personality
from tests.certificates import Authority
from tests.readers.llrp.frames import connection_event
from tests.readers.running import Collector, eventually, running

LOCALHOST = "127.0.0.1"


def eui(number: int) -> bytes:
    return (0x001625FFFE000000 + number).to_bytes(8, "big")


def name(number: int) -> str:
    return f"eui64:{eui(number).hex()}"


def epc(number: int) -> bytes:
    return bytes([0x30]) + number.to_bytes(11, "big")


def device(number: int | None, *, tag: int | None = None) -> ReaderDevice:
    """A reader that sees one tag, by which its reads are known."""
    reader_id = None if number is None else eui(number)
    return ReaderDevice(FixedField({1: [epc(tag or number or 0)]}), Personality(reader_id=reader_id))


@pytest.fixture
def port() -> int:
    with socket.create_server((LOCALHOST, 0)) as listener:
        found: int = listener.getsockname()[1]
        return found


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def lobby() -> Lobby:
    return Lobby(SystemClock())


def awaited(port: int, identity: str, **more: object) -> LlrpSettings:
    base = LlrpSettings(LOCALHOST, (1,), port=port, listens=True, identity=identity, keepalive_s=1)
    return replace(base, **more)  # type: ignore[arg-type]  # a test's shorthand


class Run:
    """Drivers of one lobby, each run once, and what they said."""

    def __init__(self, lobby: Lobby) -> None:
        self.lobby = lobby
        self.sinks: dict[str, Collector] = {}
        self.tasks: dict[str, asyncio.Task[ReaderError | None]] = {}
        self._group = asyncio.TaskGroup()

    @classmethod
    @asynccontextmanager
    async def of(cls, lobby: Lobby) -> AsyncIterator["Run"]:
        run = cls(lobby)
        async with run._group:
            try:
                yield run
            finally:
                servers = [door._server for door in lobby._doors.values()]
                for reader, task in run.tasks.items():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                    lobby.leave(reader)
                # Who was in the middle of a handshake is let go at its end; the loop must live until then.
                await eventually(lambda: not any(server and server._active_count for server in servers))

    def start(self, reader: str, settings: LlrpSettings) -> Collector:
        sink = self.sinks[reader] = Collector()
        driver = LlrpDriver(reader, settings, SystemClock(), self.lobby)
        self.tasks[reader] = self._group.create_task(self._once(driver, sink))
        return sink

    async def end(self, reader: str) -> ReaderError:
        async with asyncio.timeout(5):
            error = await self.tasks[reader]
        assert error is not None
        return error

    @staticmethod
    async def _once(driver: LlrpDriver, sink: Collector) -> ReaderError | None:
        try:
            await driver.run(sink)
        except ReaderError as error:
            return error
        return None


def reads_only(sink: Collector, number: int) -> Callable[[], bool]:
    return lambda: sink.seen() == {(epc(number), 1)}


async def listening(port: int) -> None:
    """A listener has no event of its own."""
    await eventually(lambda: not is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
            probe.listen()
        except OSError:
            return False
        return True


async def test_several_readers_on_one_port_are_told_apart(lobby: Lobby, port: int) -> None:
    async with AsyncExitStack() as stack, Run.of(lobby) as run:
        for number, local in ((1, LOCALHOST), (2, LOCALHOST), (3, "127.0.0.3")):
            dialer = dial_out(device(number if number != 3 else None, tag=number), port, local=local)
            await stack.enter_async_context(dialer)
        first = run.start("one", awaited(port, name(1)))
        second = run.start("two", awaited(port, name(2)))
        third = run.start("three", awaited(port, "ip:127.0.0.3"))
        for number, sink in ((1, first), (2, second), (3, third)):
            await sink.until(reads_only(sink, number))
            assert sink.conditions[:2] == [ReaderCondition.CONNECTING, ReaderCondition.CONNECTED]
            assert not sink.notices
            assert not any(state.fault for state in sink.states)
    assert is_free(port)
    assert [sink.conditions[-1] for sink in run.sinks.values()] == [ReaderCondition.STOPPED] * 3


async def test_a_reader_that_is_late_is_told_of_and_still_welcome(lobby: Lobby, port: int) -> None:
    async with Run.of(lobby) as run:
        sink = run.start("one", awaited(port, name(1), connect_timeout_s=0.05))
        await sink.until(lambda: len(sink.states) == 2)
        overdue = sink.states[1]
        assert (overdue.condition, overdue.fault and overdue.fault.kind) == (
            ReaderCondition.CONNECTING,
            "not_dialled_in",
        )
        assert overdue.address == f"{name(1)} at {LOCALHOST}:{port}"
        async with dial_out(device(1), port):
            await sink.until(reads_only(sink, 1))
            assert sink.states[-1].fault is None


async def test_a_driver_that_is_stopped_while_it_waits(lobby: Lobby, port: int) -> None:
    async with Run.of(lobby) as run:
        sink = run.start("one", awaited(port, name(1)))
        await listening(port)
    assert sink.conditions == [ReaderCondition.CONNECTING, ReaderCondition.STOPPED]
    assert is_free(port)


async def test_an_unknown_reader_is_refused_and_named_once(lobby: Lobby, port: int) -> None:
    async with Run.of(lobby) as run:
        connected = run.start("a", awaited(port, name(1)))
        waiting = run.start("b", awaited(port, name(2)))
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(dial_out(device(1), port))
            await connected.until(reads_only(connected, 1))
            stranger = await stack.enter_async_context(dial_out(device(7), port, retry_s=0.01))
            await eventually(lambda: stranger.connections >= 5)
            # Whoever waits may be the one that is meant; the one that reads has nothing to do with it.
            (notice,) = waiting.notices
            assert notice.fault.kind == "unknown_reader"
            assert f'identity = "{name(7)}" or identity = "ip:127.0.0.1"' in notice.fault.hint
            assert not connected.notices
            assert connected.states[-1].condition is ReaderCondition.READING
        # What the notice says works.
        run.start("c", awaited(port, name(7)))
        async with dial_out(device(7), port):
            await run.sinks["c"].until(reads_only(run.sinks["c"], 7))


async def test_the_overdue_fault_names_who_came_instead(lobby: Lobby, port: int) -> None:
    async with Run.of(lobby) as run, dial_out(device(7), port):
        sink = run.start("one", awaited(port, name(1), connect_timeout_s=0.3))
        await sink.until(lambda: len(sink.states) == 2)
        fault = sink.states[1].fault
        assert fault is not None
        assert fault.text.endswith(f", but {name(7)} did")


async def test_a_reader_that_comes_between_two_runs_waits_for_the_next(lobby: Lobby, port: int) -> None:
    async with Run.of(lobby) as run:
        first = run.start("one", awaited(port, name(1)))
        async with dial_out(device(1), port) as reader:
            await first.until(reads_only(first, 1))
            reader.cut()
            assert (await run.end("one")).fault.kind == "link_lost"
            await eventually(lambda: reader.connections == 2)
            second = run.start("one", awaited(port, name(1)))
            await second.until(reads_only(second, 1))
            assert reader.connections == 2


class SkippingClock(WallClock):
    """The clocks of a reader and of a gateway, which run as they do, but for seconds that can be skipped."""

    skipped_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.skipped_us

    def utc_us(self) -> int:
        return self.now_us()

    def monotonic_us(self) -> int:
        return SystemClock().monotonic_us() + self.skipped_us


async def test_the_time_at_the_door_does_not_set_a_reader_s_clock_wrong(port: int) -> None:
    clock = SkippingClock()
    lobby, settings = Lobby(clock), awaited(port, name(1), hold=False)
    driver = LlrpDriver("one", settings, clock, lobby)
    sinks = [Collector(), Collector()]
    async with dial_out(device(1), port, clock=clock) as reader:
        for sink in sinks:
            async with running(driver, sink):
                await sink.until(lambda sink=sink: len(sink.batches) > 3)  # type: ignore[misc]  # bound early
            # The driver pauses; the reader dials in again, says its first words, and waits.
            seat = lobby._doors[LOCALHOST, port].seats["one"]
            await eventually(lambda seat=seat: seat._arrival is not None)  # type: ignore[misc]  # bound early
            clock.skipped_us += 30_000_000
        assert reader.connections == 3
        lobby.leave("one")
    for batch in sinks[1].batches:
        assert abs(batch.reads[-1][4] + batch.offset_us - batch.received_us) < 1_000_000


async def test_a_reader_that_dials_in_again_replaces_its_former_connection(lobby: Lobby, port: int) -> None:
    async with Run.of(lobby) as run:
        first = run.start("one", awaited(port, name(1)))
        async with dial_out(device(1), port) as old:
            await first.until(reads_only(first, 1))
            old.freeze()
            async with dial_out(device(1, tag=9), port, retry_s=60):
                assert (await run.end("one")).fault.kind == "link_lost"
                second = run.start("one", awaited(port, name(1)))
                await second.until(reads_only(second, 9))


async def test_who_waits_is_replaced_by_who_comes_later_and_parted_with_at_the_end(lobby: Lobby, port: int) -> None:
    async with Run.of(lobby) as run:
        first = run.start("one", awaited(port, "ip:127.0.0.1"))
        _, writer = await dialled(port)
        writer.write(connection_event())
        await eventually(lambda: run.lobby._doors[LOCALHOST, port].seats["one"]._current is not None)
        writer.close()
        await run.end("one")
        assert first.conditions[-1] is ReaderCondition.FAILED
        waiting = [await dialled(port) for _ in range(2)]
        for _reader, writer in waiting:
            writer.write(connection_event())
            await writer.drain()
            await eventually(lambda: run.lobby._doors[LOCALHOST, port].seats["one"]._arrival is not None)
        assert await until_closed(waiting[0][0]) == CLOSE_CONNECTION
        lobby.leave("one")
        assert await until_closed(waiting[1][0]) == CLOSE_CONNECTION
        assert is_free(port)
        for _, writer in waiting:
            writer.close()


async def dialled(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    await listening(port)
    return await asyncio.open_connection(LOCALHOST, port)


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """All that is said until the end."""
    said = b""
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            while data := await reader.read(1000):
                said += data
    return said


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", "not an LLRP reader"),
        (b"", "did not introduce itself"),
        (connection_event()[:20], "did not introduce itself"),
        (connection_event(), "did not introduce itself"),
    ],
    ids=["http", "silent", "cut-short", "no-answer"],
)
async def test_who_is_no_reader_is_refused(
    lobby: Lobby, port: int, say: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTRODUCTION_S", 0.1)
    async with Run.of(lobby) as run:
        sink = run.start("one", awaited(port, name(1)))
        reader, writer = await dialled(port)
        writer.write(say)
        await until_closed(reader)
        writer.close()
        (notice,) = sink.notices
        assert notice.fault.kind == "strange_caller"
        assert reason in notice.fault.text
        async with dial_out(device(1), port):
            await sink.until(reads_only(sink, 1))


async def test_a_crowd_at_the_door_is_bounded(lobby: Lobby, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ARRIVALS", 2)
    async with Run.of(lobby) as run:
        run.start("one", awaited(port, name(1)))
        calls = [await dialled(port) for _ in range(3)]
        assert await until_closed(calls[2][0]) == b""
        assert len(run.lobby._doors[LOCALHOST, port]._arrivals) == 2
        calls[0][1].close()
        async with dial_out(device(1), port):
            await run.sinks["one"].until(reads_only(run.sinks["one"], 1))
        # Those who stand there when the last seat goes are parted with.
        run.tasks["one"].cancel()
        await asyncio.wait([run.tasks["one"]])
        lobby.leave("one")
        assert await until_closed(calls[1][0]) == CLOSE_CONNECTION
        for _, writer in calls:
            writer.close()


def test_only_so_many_strangers_are_remembered() -> None:
    class Clock(SystemClock):
        now_us = 0

        def monotonic_us(self) -> int:
            return self.now_us

    clock = Clock()
    door = module.Door((LOCALHOST, 1), clock)
    sink = Collector()
    door.seats["one"] = module.Seat(door, awaited(1, name(1)), sink)

    def come(number: int) -> None:
        door.refused(f"10.0.0.{number}", module.faults.strange_caller(f"10.0.0.{number}", door.place, "-"))

    for number in range(module.MAX_STRANGERS + 1):
        come(number)
        come(number)
    assert len(door.strangers) == module.MAX_STRANGERS
    assert len(sink.notices) == module.MAX_STRANGERS + 1
    clock.now_us = int(module.NOTICE_EVERY_S * 1e6)
    come(5)
    assert len(sink.notices) == module.MAX_STRANGERS + 2


async def test_a_port_that_is_taken(lobby: Lobby) -> None:
    with socket.create_server((LOCALHOST, 0)) as other:
        async with Run.of(lobby) as run:
            port = other.getsockname()[1]
            sink = run.start("one", awaited(port, name(1)))
            error = await run.end("one")
            assert error.fault.kind == "cannot_listen"
            assert f"{LOCALHOST}:{port}" in error.fault.text
            assert sink.states[-1].fault == error.fault
            other.close()
            # The next run tries again.
            sink = run.start("one", awaited(port, name(1)))
            async with dial_out(device(1), port):
                await sink.until(reads_only(sink, 1))


async def test_leaving_while_others_stay_keeps_the_listener(lobby: Lobby, port: int) -> None:
    async with Run.of(lobby) as run:
        one = run.start("one", awaited(port, name(1)))
        two = run.start("two", awaited(port, name(2)))
        async with dial_out(device(1), port), dial_out(device(2), port) as second:
            await two.until(reads_only(two, 2))
            await one.until(reads_only(one, 1))
            run.tasks["one"].cancel()
            await asyncio.wait([run.tasks["one"]])
            lobby.leave("one")
            assert not is_free(port)
            count = len(two.batches)
            await two.until(lambda: len(two.batches) > count)
            assert second.connections == 1


async def test_a_driver_without_a_lobby_leaves_no_listener_behind(port: int) -> None:
    sink = Collector()
    async with dial_out(device(1), port):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(LlrpDriver("one", awaited(port, name(1)), SystemClock()).run(sink))
            await sink.until(reads_only(sink, 1))
            task.cancel()
        assert is_free(port)
    assert sink.conditions[-1] is ReaderCondition.STOPPED


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_fifty_readers_at_once(lobby: Lobby, port: int, authority: Authority, secure: bool) -> None:
    ours = authority.sign("gateway-50", "IP:127.0.0.1")
    how = TlsSettings(cert_file=ours.cert, key_file=ours.key) if secure else None
    theirs = ours.client(ca=authority.cert) if secure else None
    async with Run.of(lobby) as run, AsyncExitStack() as stack:
        for number in range(1, 51):
            run.start(f"r{number}", awaited(port, name(number), tls=how))
        await listening(port)
        for number in range(1, 51):
            await stack.enter_async_context(dial_out(device(number), port, tls=theirs))
        for number in range(1, 51):
            sink = run.sinks[f"r{number}"]
            await sink.until(reads_only(sink, number))


# --- TLS -----------------------------------------------------------------------------------------------------------


async def test_readers_that_dial_in_over_tls_show_their_certificates(
    lobby: Lobby, port: int, authority: Authority
) -> None:
    ours = authority.sign("gateway", "IP:127.0.0.1")
    theirs = authority.sign("reader-1", "DNS:reader-1")
    how = TlsSettings(ca_file=authority.cert, cert_file=ours.cert, key_file=ours.key)
    foreign = authority.self_signed("foreign")
    async with Run.of(lobby) as run:
        sink = run.start("one", awaited(port, name(1), tls=how))
        async with dial_out(device(2), port, tls=foreign.client(ca=authority.cert)):
            await sink.until(lambda: bool(sink.notices))
        async with dial_out(device(3), port):
            await sink.until(lambda: len(sink.notices) == 2)
        assert [notice.fault.kind for notice in sink.notices] == ["tls_failed"] * 2
        assert "CERTIFICATE_VERIFY_FAILED" in sink.notices[0].fault.text
        async with dial_out(device(1), port, tls=theirs.client(ca=authority.cert)):
            await sink.until(reads_only(sink, 1))
    assert is_free(port)


async def test_a_tls_reader_that_comes_between_two_runs(lobby: Lobby, port: int, authority: Authority) -> None:
    ours = authority.sign("gateway-2", "IP:127.0.0.1")
    how = TlsSettings(cert_file=ours.cert, key_file=ours.key)
    async with Run.of(lobby) as run:
        first = run.start("one", awaited(port, name(1), tls=how))
        async with dial_out(device(1), port, tls=ours.client(ca=authority.cert)) as reader:
            await first.until(reads_only(first, 1))
            reader.cut()
            await run.end("one")
            await eventually(lambda: reader.connections == 2)
            second = run.start("one", awaited(port, name(1), tls=how))
            await second.until(reads_only(second, 1))
            assert reader.connections == 2


async def test_a_tls_reader_that_hangs_up_while_it_waits_leaves_no_socket(
    lobby: Lobby, port: int, authority: Authority
) -> None:
    ours = authority.sign("gateway", "IP:127.0.0.1")
    how = TlsSettings(cert_file=ours.cert, key_file=ours.key)
    async with Run.of(lobby) as run:
        first = run.start("one", awaited(port, name(1), tls=how))
        async with dial_out(device(1), port, tls=ours.client(ca=authority.cert)) as reader:
            await first.until(reads_only(first, 1))
            reader.cut()
            await run.end("one")
            seat = lobby._doors[LOCALHOST, port].seats["one"]
            await eventually(lambda: seat._arrival is not None)
            waiting = seat._arrival
        server = lobby._doors[LOCALHOST, port]._server
        assert server is not None
        assert waiting is not None
        assert waiting._transport is not None
        await eventually(lambda: waiting._transport._ssl_protocol._eof_received)  # type: ignore[union-attr]  # asyncio's own
        assert server._active_count == 1  # type: ignore[attr-defined]  # asyncio's own
        lobby.leave("one")
        await eventually(lambda: server._active_count == 0)  # type: ignore[attr-defined]  # asyncio's own


async def test_a_handshake_that_never_ends_is_cut(
    lobby: Lobby, port: int, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_S", 0.1)
    ours = authority.sign("gateway-3", "IP:127.0.0.1")
    async with Run.of(lobby) as run:
        sink = run.start("one", awaited(port, name(1), tls=TlsSettings(cert_file=ours.cert, key_file=ours.key)))
        reader, writer = await dialled(port)
        assert await until_closed(reader) == b""
        writer.close()
        async with dial_out(device(1), port, tls=ours.client(ca=authority.cert)):
            await sink.until(reads_only(sink, 1))


async def test_files_that_cannot_be_used(lobby: Lobby, port: int, tmp_path: Path) -> None:
    async with Run.of(lobby) as run:
        gone = TlsSettings(cert_file=tmp_path / "gone.pem", key_file=tmp_path / "gone.key")
        run.start("one", awaited(port, name(1), tls=gone))
        assert (await run.end("one")).fault.kind == "tls_files"
        assert is_free(port)
