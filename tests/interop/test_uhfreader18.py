"""uhfreader18, a protocol library: as the host of the simulated reader, and as a reader for our driver, over TCP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.clock import SystemClock
from readers.chafon.driver import ChafonDriver
from readers.chafon.settings import ChafonSettings, Region
from readers.model import AntennaCondition
from readers.port.settings import PortSettings
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.serial.chafon import UHFREADER18, ChafonDevice, Habits
from tests.interop.peers import command, environment
from tests.interop.stage import foreign_reader, ran
from tests.readers.running import Collector, running

PEER = "uhfreader18"
CLIENT = command(PEER, "uhfreader18_client.py", runner=True)
READER = command(PEER, "uhfreader18_reader.py", runner=True)
TAGS = [bytes([0x30, n]) + bytes(10) for n in range(5)]
EPCS = {bytes.fromhex(f"e28011606000020{n:09x}") for n in range(1, 8)}


@asynccontextmanager
async def behind_tcp(device: ChafonDevice) -> AsyncIterator[int]:
    """The device behind a device server: the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            for delay_s, said in device.feed(data):
                await asyncio.sleep(delay_s)
                writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_it_sets_and_reads_the_simulated_reader() -> None:
    device = ChafonDevice(FixedField({1: TAGS}), WallClock(), 4, Habits(kind=UHFREADER18))
    async with behind_tcp(device) as port:
        status, said = await ran([*CLIENT, str(port)], environment(PEER))
    assert status == 0, said
    told = b"".join(bytes([12]) + epc for epc in TAGS)
    assert said.splitlines() == [
        "address 4 band FreqBand.US power 20 scan 10",
        "now band FreqBand.KOREAN channels 0 to 31 power 17 scan 5",
        f"status 01 data 05{told.hex()}",
    ]


async def test_our_driver_reads_a_reader_made_of_it() -> None:
    async with foreign_reader(READER, environment(PEER)) as reader:
        port = PortSettings(f"socket://127.0.0.1:{reader.port}")
        driver = ChafonDriver("r", ChafonSettings(port, (1,), Region.CN, 22, scan_s=0.4), SystemClock())
        sink = Collector()
        async with running(driver, sink):
            await sink.until(lambda: sink.seen() == {(epc, 1) for epc in EPCS})
        assert sink.states[-1].antennas == {1: AntennaCondition.UP}
        assert sink.states[-1].firmware == "2.36"
        assert not sink.notices, "its heartbeats between two frames are none"
        assert reader.lines[:6] == [
            "command 21",
            "command 4c",
            "command 22 1340",
            "command 2f 16",
            "command 25 04",
            "command 21",
        ]
        assert not [line for line in reader.lines if line.startswith("refused")]
