"""llrpjs (node): as a client of the simulated reader, and as a reader for our driver."""

from pathlib import Path

from readers.model import ReaderCondition
from simulators.llrp.names import MessageType
from tests.interop.driving import driven
from tests.interop.peers import command, environment
from tests.interop.stage import ALL_TAGS, foreign_reader, ran, staged
from tests.readers.running import eventually

PEER = "llrpjs"
CLIENT = command(PEER, "llrpjs_client.js", runner=True)
READER = command(PEER, "llrpjs_reader.js", runner=True)


async def test_it_reads_the_simulated_reader(tmp_path: Path) -> None:
    async with staged() as stage:
        status, said = await ran([*CLIENT, str(stage.port)], environment(PEER))
        assert status == 0, said
        tags = {line.split()[1].lower(): line.split()[2] for line in said.splitlines() if line.startswith("tag")}
        assert tags == dict.fromkeys(ALL_TAGS, "-61")
        assert said.count("_RESPONSE M_Success") == 9
        assert stage.refusals() == []
        assert stage.kinds()[-1] is MessageType.CLOSE_CONNECTION
        assert stage.malformed(tmp_path) == []


async def test_our_driver_reads_a_reader_made_of_it() -> None:
    """It tells its antenna and first sighting only, and nothing of its power or frequencies."""
    async with foreign_reader(READER, environment(PEER)) as reader:
        for turn in (1, 2):
            async with driven(reader.port) as sink:
                await sink.until(lambda: len(sink.seen()) == 2)
                assert {(read[1], read[2], read[5]) for batch in sink.batches for read in batch.reads} == {
                    (1, -40, 3),
                    (2, -41, 3),
                }
                assert all(read[3] == read[4] > 0 for batch in sink.batches for read in batch.reads)
                assert sink.states[-1].firmware == "llrpjs"
            assert sink.conditions[-1] is ReaderCondition.STOPPED
            # llrpjs would take the new link for the old one's end.
            await eventually(lambda: reader.lines.count("left") == turn)  # noqa: B023 - awaited within its own turn
        assert not [line for line in reader.lines if line.startswith("gone")]
        assert reader.lines.count("START_ROSPEC") == 2
