"""pyllrp, which validates all that it packs: as a client of the simulated reader, and as a reader for our driver."""

import asyncio
from pathlib import Path

import pytest

from readers.model import NO_RSSI_DBM, ReaderCondition
from simulators.llrp.names import MessageType
from tests.interop.driving import driven
from tests.interop.peers import command, environment
from tests.interop.stage import ALL_TAGS, PATIENCE_S, foreign_reader, ran, staged
from tests.readers.llrp.frames import frame, split

PEER = "pyllrp"
CLIENT = command(PEER, "pyllrp_client.py", runner=True)
READER = command(PEER, "pyllrp_reader.py", runner=True)
EPCS = {bytes.fromhex(f"3034257bf7194e4000000{n:03x}") for n in range(1, 4)}


async def test_its_inventory_reads_the_simulated_reader(tmp_path: Path) -> None:
    async with staged() as stage:
        status, said = await ran([*CLIENT, str(stage.port)], environment(PEER))
        assert status == 0, said
        assert {word.lower() for word in said.split() if word.lower() in ALL_TAGS} == ALL_TAGS
        assert "antenna 1 rssi -61" in said
        # It deletes its ROSpec before it adds it, just in case.
        assert stage.refusals() == [("DELETE_ROSPEC_RESPONSE", "there is no ROSpec 123")]
        assert stage.kinds()[-1] is MessageType.CLOSE_CONNECTION
        assert stage.malformed(tmp_path) == []


@pytest.mark.parametrize("bare", [False, True], ids=["all that is usual", "the least"])
async def test_our_driver_reads_a_reader_made_of_it(*, bare: bool) -> None:
    async with foreign_reader([*READER, *(["bare"] if bare else [])], environment(PEER)) as reader:
        async with driven(reader.port) as sink:
            await sink.until(lambda: {epc for epc, _ in sink.seen()} == EPCS)
            await sink.until(lambda: sum(len(batch.reads) for batch in sink.batches) > 60)
            batch = sink.batches[-1]
            read = batch.reads[-1]
            if bare:
                # No antenna, no signal, no stamp: what has just arrived was read just now.
                assert read[1:3] == (0, NO_RSSI_DBM)
                assert read[4] + batch.offset_us == batch.received_us
            else:
                assert {antenna for _, antenna in sink.seen()} == {1, 2}
                assert read[2] in range(-52, -49)
        assert sink.conditions[-1] is ReaderCondition.STOPPED
        # pyllrp found nothing wrong with what we sent, and every keepalive was acknowledged.
        assert not [line for line in reader.lines if line.startswith("refused")]
        assert reader.lines.count("KEEPALIVE_ACK") >= 2
        assert reader.lines[-1] == "CLOSE_CONNECTION"


async def test_that_reader_would_refuse_what_is_not_well_made() -> None:
    async with foreign_reader(READER, environment(PEER)) as reader:
        stream, link = await asyncio.open_connection("127.0.0.1", reader.port)
        async with asyncio.timeout(PATIENCE_S):
            greeting = split(await read_frame(stream))
            link.write(frame(MessageType.ADD_ROSPEC, b"", 6))
            (kind, message_id, body), *_ = split(await read_frame(stream))
        link.close()
        await link.wait_closed()
        assert [kind for kind, _, _ in greeting] == [MessageType.READER_EVENT_NOTIFICATION]
        assert (kind, message_id) == (MessageType.ADD_ROSPEC_RESPONSE, 6)
        assert b"Missing Parameter" in body


async def read_frame(stream: asyncio.StreamReader) -> bytes:
    head = await stream.readexactly(10)
    return head + await stream.readexactly(int.from_bytes(head[2:6]) - 10)
