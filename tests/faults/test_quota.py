"""A broker that has had enough: what is over its quota is refused by its code (0x97), and waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway import window
from tests.broker import Broker
from tests.faults.shop import Witness, missing
from tests.rig import HOST, Rig, eventually, hurry, in_step, write

PUBLISH, PUBACK = 3, 4
QUOTA_EXCEEDED = 0x97
DELTA_TOPIC = b"stock/delta"


async def packets(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
    """MQTT control packets, as (fixed header, rest), until the stream ends (MQTT 5, sections 1.5.5 and 2.1)."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            header = await reader.readexactly(1)
            length, shift, more = 0, 0, True
            while more:
                byte = await reader.readexactly(1)
                header += byte
                length |= (byte[0] & 0x7F) << shift
                shift, more = shift + 7, byte[0] >= 0x80
            yield header, await reader.readexactly(length)


class Quota:
    """Stands before a real broker, which has no quota of its own, and lets `left` more deltas pass."""

    def __init__(self, target_port: int) -> None:
        self.left = 0
        self.refused = 0
        self._target_port = target_port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HOST, self._target_port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(reader, writer, far_writer))
                group.create_task(self._down(far_reader, writer))
        finally:
            writer.close()
            far_writer.close()

    async def _up(self, source: asyncio.StreamReader, back: asyncio.StreamWriter, sink: asyncio.StreamWriter) -> None:
        async for header, rest in packets(source):
            end = 2 + int.from_bytes(rest[:2], "big")
            if header[0] >> 4 == PUBLISH and rest[:end].endswith(DELTA_TOPIC):
                if not self.left:
                    self.refused += 1
                    # The packet's identifier follows the topic; a PUBACK without properties has three bytes.
                    back.write(bytes([PUBACK << 4, 3, *rest[end : end + 2], QUOTA_EXCEEDED]))
                    continue
                self.left -= 1
            sink.write(header + rest)
        sink.close()

    async def _down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        async for header, rest in packets(source):
            sink.write(header + rest)
        sink.close()


@asynccontextmanager
async def quota_before(target_port: int) -> AsyncIterator[tuple[Quota, int]]:
    """The quota, and the port to connect to."""
    quota = Quota(target_port)
    server = await asyncio.start_server(quota.serve, HOST, 0)
    try:
        yield quota, server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_quota_holds_deltas_up_and_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(window, "FIRST_REST_S", 0.1)
    witness = Witness()
    async with (
        Broker(tmp_path / "broker") as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        quota_before(broker.port) as (quota, port),
        rig.consumer(on_change=witness) as consumer,
        rig.listener() as heard,
        rig.gateway(rig.text().replace(broker.url, f"mqtt://{HOST}:{port}")) as gateway,
    ):
        for allowed in (40, 0, 1, 130):
            refused = quota.refused
            quota.left = allowed
            await write(gateway, 100)
            await eventually(lambda refused=refused: not quota.left and quota.refused > refused)
        await heard.until(lambda: bool(heard.alerts("publish_refused")))
        assert "0x97" in heard.alerts("publish_refused")[0].text
        assert "quota" in heard.alerts("publish_refused")[0].hint
        assert gateway.uplink.session == 1, "a refusal is no reason to leave"
        quota.left = 1_000
        await eventually(lambda: gateway.backlog == 0)
        await in_step(gateway, consumer)
        last = gateway.ledger.position.seq
        await heard.until(lambda: last in heard.seqs())
        assert missing(heard, last) == []
        assert witness.whole
