"""TLS to readers that we dial, on real sockets with real certificates."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from readers.driver import ReaderError
from readers.llrp.driver import LlrpDriver
from readers.llrp.settings import LlrpSettings, TlsSettings
from readers.model import ReaderCondition
from simulators.field import FixedField
from simulators.hostile import Wire, hostile_wire
from simulators.llrp.device import ReaderDevice
from simulators.llrp.server import ReaderServer, serve_reader
from tests.certificates import LONG_AGO, Authority, Signed
from tests.peer import peer
from tests.readers.llrp.driving import TAGS, gone, outcome, settings, simulated
from tests.readers.running import Collector, running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def good(authority: Authority) -> Signed:
    return authority.sign("reader", "IP:127.0.0.1,DNS:localhost")


@asynccontextmanager
async def secured(context: ssl.SSLContext) -> AsyncIterator[ReaderServer]:
    async with serve_reader(ReaderDevice(FixedField(TAGS)), tls=context) as server:
        yield server


async def reads_over(server: ReaderServer, how: TlsSettings, host: str = "127.0.0.1") -> None:
    """A whole life of a connection: every tag is read, and the end is polite."""
    sink = Collector()
    wanted = {(epc, antenna) for antenna, epcs in TAGS.items() for epc in epcs}
    configured = LlrpSettings(host, (1, 2), port=server.port, keepalive_s=1, tls=how)
    async with running(LlrpDriver("r", configured, SystemClock()), sink):
        await sink.until(lambda: sink.seen() >= wanted and ReaderCondition.READING in sink.conditions)
    assert sink.conditions[0] is ReaderCondition.CONNECTING
    assert sink.conditions[-2:] == [ReaderCondition.READING, ReaderCondition.STOPPED]
    await gone(server)


async def failure(port: int, how: TlsSettings, host: str = "127.0.0.1", timeout_s: float = 2.0) -> ReaderError:
    sink = Collector()
    configured = LlrpSettings(host, (1,), port=port, connect_timeout_s=timeout_s, tls=how)
    with pytest.raises(ReaderError) as caught:
        async with asyncio.timeout(5):
            await LlrpDriver("r", configured, SystemClock()).run(sink)
    assert sink.conditions == [ReaderCondition.CONNECTING, ReaderCondition.FAILED]
    assert caught.value.fault.hint
    return caught.value


async def test_a_certificate_that_the_authority_signed_is_accepted_by_address_and_by_name(
    authority: Authority, good: Signed
) -> None:
    async with secured(good.server()) as server:
        await reads_over(server, TlsSettings(ca_file=authority.cert))
        await reads_over(server, TlsSettings(ca_file=authority.cert), "localhost")


async def test_tls_through_a_wire_that_gives_one_byte_at_a_time(authority: Authority, good: Signed) -> None:
    how = TlsSettings(ca_file=authority.cert)
    async with secured(good.server()) as server, hostile_wire(server.port, Wire(chunk_bytes=1)) as wire:
        sink = Collector()
        async with running(LlrpDriver("r", settings(wire.port, keepalive_s=2, tls=how), SystemClock()), sink):
            await sink.until(lambda: len(sink.seen()) == sum(map(len, TAGS.values())))
        assert not sink.notices


async def test_a_pin_accepts_what_is_self_signed_expired_or_of_another_name(authority: Authority) -> None:
    for odd in (authority.self_signed("alone"), authority.sign("old", "DNS:elsewhere.example", LONG_AGO)):
        async with secured(odd.server()) as server:
            await reads_over(server, TlsSettings(pin_sha256=odd.sha256))


async def test_a_certificate_that_nobody_signed_is_shown_with_its_fingerprint(authority: Authority) -> None:
    alone = authority.self_signed("nobody")
    async with secured(alone.server()) as server:
        for how in (TlsSettings(), TlsSettings(ca_file=authority.cert)):
            error = await failure(server.port, how)
            assert error.fault.kind == "not_trusted"
            assert alone.sha256 in error.fault.text
            assert "pin_sha256" in error.fault.hint
        # What was shown can be copied.
        await reads_over(server, TlsSettings(pin_sha256=alone.sha256))


async def test_a_certificate_of_another_name(authority: Authority) -> None:
    other = authority.sign("other", "DNS:elsewhere.example")
    async with secured(other.server()) as server:
        for host in ("127.0.0.1", "localhost"):
            error = await failure(server.port, TlsSettings(ca_file=authority.cert), host)
            assert error.fault.kind == "wrong_name"
            assert host in error.fault.text
            assert other.sha256 in error.fault.text


async def test_an_expired_certificate(authority: Authority) -> None:
    old = authority.sign("expired", "IP:127.0.0.1", LONG_AGO)
    async with secured(old.server()) as server:
        error = await failure(server.port, TlsSettings(ca_file=authority.cert))
    assert error.fault.kind == "certificate_expired"
    assert "clock" in error.fault.hint


async def test_a_certificate_that_is_not_the_pinned_one(authority: Authority, good: Signed) -> None:
    pinned = authority.self_signed("pinned")
    async with secured(good.server()) as server:
        error = await failure(server.port, TlsSettings(pin_sha256=pinned.sha256))
        assert error.fault.kind == "pin_differs"
        assert good.sha256 in error.fault.text
        assert pinned.sha256 in error.fault.text
        # Nothing was said to it.
        assert server.received_bytes == 0


async def test_a_client_certificate_is_shown_to_who_asks(authority: Authority, good: Signed) -> None:
    ours = authority.sign("gw-1", "DNS:gw-1")
    async with secured(good.server(ca=authority.cert)) as server:
        await reads_over(server, TlsSettings(ca_file=authority.cert, cert_file=ours.cert, key_file=ours.key))
        error = await outcome(server.port, Collector(), tls=TlsSettings(ca_file=authority.cert))
        assert error.fault.kind == "link_lost"
        assert server.connections == 1


async def test_who_asks_in_vain_for_a_client_certificate_says_so(authority: Authority, good: Signed) -> None:
    context = good.server(ca=authority.cert)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection, pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
                context.wrap_socket(connection, server_side=True)

        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(refuse))
            port = listener.getsockname()[1]
            error = await outcome(port, Collector(), tls=TlsSettings(ca_file=authority.cert))
    assert "certificate required" in error.fault.text


@pytest.mark.parametrize("missing", [False, True])
async def test_files_that_cannot_be_used(authority: Authority, good: Signed, tmp_path: Path, missing: bool) -> None:
    other = authority.sign("mismatched", "DNS:x")
    wrong = TlsSettings(cert_file=tmp_path / "gone.pem" if missing else good.cert, key_file=other.key)
    error = await failure(1, wrong)
    assert error.fault.kind == "tls_files"
    assert "PEM" in error.fault.hint


async def test_a_plain_reader_where_tls_is_expected(authority: Authority) -> None:
    async with simulated() as server:
        error = await failure(server.port, TlsSettings(ca_file=authority.cert))
        assert error.fault.kind == "not_tls"
        assert "5085" in error.fault.hint


async def test_a_tls_reader_where_plain_is_expected(good: Signed) -> None:
    async with secured(good.server()) as server:
        error = await outcome(server.port, Collector(), connect_timeout_s=0.2)
        assert error.fault.kind == "timeout"
        assert server.connections == 0


async def test_a_peer_that_closes_during_the_handshake(authority: Authority) -> None:
    async def leave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with peer(leave) as port:
        error = await failure(port, TlsSettings(ca_file=authority.cert))
    assert error.fault.kind == "tls_failed"


async def test_a_handshake_without_an_end_is_bounded(authority: Authority) -> None:
    closed = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        closed.set()
        writer.close()

    async with peer(listen) as port:
        began = time.monotonic()
        error = await failure(port, TlsSettings(ca_file=authority.cert), timeout_s=0.2)
        assert error.fault.kind == "timeout"
        assert time.monotonic() - began < 1
        async with asyncio.timeout(2):
            await closed.wait()


async def test_tls_1_1_is_too_old(authority: Authority, good: Signed) -> None:
    context = good.server()
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with secured(context) as server:
        error = await failure(server.port, TlsSettings(ca_file=authority.cert))
    assert error.fault.kind in {"tls_failed", "not_tls"}
    assert "TLS" in error.fault.hint


async def upon_reads(sink: Collector, act: Callable[[], None]) -> None:
    await sink.until(lambda: bool(sink.batches))
    act()


async def test_a_tls_link_that_is_cut_and_a_reader_that_hangs(authority: Authority, good: Signed) -> None:
    how = TlsSettings(ca_file=authority.cert)
    async with secured(good.server()) as server:
        for act, kind in ((server.cut, "link_lost"), (server.freeze, "silent")):
            sink = Collector()
            async with asyncio.TaskGroup() as group:
                group.create_task(upon_reads(sink, act))
                error = await outcome(server.port, sink, tls=how)
            assert error.fault.kind == kind


async def test_a_handshake_is_given_up_when_the_driver_is_stopped(authority: Authority) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            asked.set()
        closed.set()
        writer.close()

    async with peer(listen) as port:
        sink = Collector()
        configured = settings(port, tls=TlsSettings(ca_file=authority.cert), connect_timeout_s=60.0)
        async with running(LlrpDriver("r", configured, SystemClock()), sink):
            await asked.wait()
        async with asyncio.timeout(2):
            await closed.wait()
    assert sink.conditions == [ReaderCondition.CONNECTING, ReaderCondition.STOPPED]
