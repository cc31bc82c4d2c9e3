"""llrpkit: its command line as a client of the simulated reader, its emulator as a reader for our driver."""

import re
from pathlib import Path

from readers.model import ReaderCondition
from simulators.llrp.names import MessageType
from tests.interop.driving import driven
from tests.interop.peers import command, environment
from tests.interop.stage import ALL_TAGS, foreign_reader, ran, staged
from tests.readers.llrp.driving import outcome
from tests.readers.running import Collector

PEER = "llrpkit"
LLRPKIT = command(PEER, "llrpkit")


async def test_its_inventory_reads_the_simulated_reader(tmp_path: Path) -> None:
    async with staged() as stage:
        arguments = [*LLRPKIT, "inventory", "127.0.0.1", "--port", str(stage.port), "--count", "20", "--power", "27"]
        status, said = await ran(arguments, environment(PEER))
        assert status == 0, said
        assert "20 tag report(s)" in said
        assert {word for word in said.split() if word in ALL_TAGS} == ALL_TAGS
        signals = [float(found) for found in re.findall(r"(-\d+\.\d+) dBm", said)]
        assert len(signals) == 20
        assert all(abs(signal + 61) < 1 for signal in signals)
        assert stage.refusals() == [("DELETE_ROSPEC_RESPONSE", "there is no ROSpec 1")]
        assert stage.kinds()[-1] is MessageType.CLOSE_CONNECTION
        assert stage.server.device.operations.rospec_parameters() == ()
        assert stage.malformed(tmp_path) == []


async def test_it_reads_the_capabilities(tmp_path: Path) -> None:
    async with staged() as stage:
        status, said = await ran([*LLRPKIT, "capabilities", "127.0.0.1", "--port", str(stage.port)], environment(PEER))
        assert status == 0, said
        assert "10.00 to 32.50 dBm (91 steps)" in said
        assert "mode  1005" in said
        assert stage.refusals() == []
        assert stage.malformed(tmp_path) == []


async def test_our_driver_reads_its_emulator() -> None:
    """It refuses to delete all ROSpecs at once, knows no ENABLE_EVENTS_AND_REPORTS, and starts only when told to."""
    arguments = [*LLRPKIT, "emulate", "--port", "0", "--tags", "8", "--rate", "400", "--antennas", "2"]
    async with foreign_reader(arguments, environment(PEER)) as reader:
        for _ in range(2):
            async with driven(reader.port) as sink:
                await sink.until(lambda: len(sink.seen()) == 8)
                state = sink.states[-1]
                assert state.condition is ReaderCondition.READING
                assert (state.model, state.firmware) == ("Impinj model 700", "llrpkit-emu 0.1")
                assert {antenna for _, antenna in sink.seen()} == {1, 2}
                assert all(-90 < read[2] < -20 for batch in sink.batches for read in batch.reads)
            assert sink.conditions[-1] is ReaderCondition.STOPPED
            refused = [notice.fault.text for notice in sink.notices if notice.fault.kind == "refused_setting"]
            assert any("no ROSpec 0" in text for text in refused)


async def test_its_emulator_refuses_our_second_connection_and_serves_the_third() -> None:
    arguments = [*LLRPKIT, "emulate", "--port", "0", "--rate", "400"]
    async with foreign_reader(arguments, environment(PEER)) as reader:
        async with driven(reader.port) as first:
            await first.until(lambda: bool(first.seen()))
            turned_away = await outcome(reader.port, Collector())
            assert turned_away.fault.kind == "already_connected"
        async with driven(reader.port) as third:
            await third.until(lambda: bool(third.seen()))
