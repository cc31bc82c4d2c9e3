"""sllurp 2.0.1's command line, the newest that works, against the simulated reader."""

import asyncio
import re
from pathlib import Path

from simulators.llrp.names import MessageType
from tests.interop.peers import command, environment
from tests.interop.stage import ALL_TAGS, Stage, ran, staged
from tests.readers.running import eventually

PEER = "sllurp2"
SLLURP = command(PEER, "sllurp")


async def run(
    stage: Stage, verb: str, *options: str, ends_itself: bool = False, expected: set[str] = ALL_TAGS
) -> tuple[int, str]:
    """Its exit status, and what it said; until it was interrupted, where it has to be: its threads may trip then."""
    arguments = [*SLLURP, verb, "-p", str(stage.port), *options, "127.0.0.1"]
    until_then: list[str] = []

    def enough(said: str) -> bool:
        if not all(epc in said for epc in expected):
            return False
        until_then.append(said)
        return True

    # Its -t stops the ROSpec, not the program: a person would press Ctrl-C.
    status, said = await ran(arguments, environment(PEER), until=None if ends_itself else enough)
    return status, until_then[0] if until_then else said


async def test_inventory(tmp_path: Path) -> None:
    async with staged() as stage:
        status, said = await run(stage, "inventory", "-a", "1,2", "-n", "1", "--keepalive-interval", "50")
        assert status == 0, said
        assert "ERROR" not in said
        assert "Traceback" not in said, said
        assert stage.refusals() == []
        kinds = stage.kinds()
        assert {MessageType.ADD_ROSPEC, MessageType.ENABLE_ROSPEC, MessageType.SET_READER_CONFIG} <= set(kinds)
        # It began to clean up; how far it came depends on which of its threads is quicker.
        assert kinds[-1] in {MessageType.DELETE_ACCESSSPEC, MessageType.DELETE_ROSPEC}
        assert stage.malformed(tmp_path) == []


async def test_inventory_for_a_while_reports_each_tag_once_at_its_end(tmp_path: Path) -> None:
    async with staged() as stage:
        status, said = await run(stage, "inventory", "-a", "1,2", "-t", "0.2", "-s", "1", "-P", "64")
        assert status == 0, said
        assert {said.count(f"'EPC': b'{epc}'") for epc in ALL_TAGS} == {1}
        assert stage.refusals() == []
        assert stage.malformed(tmp_path) == []


async def test_inventory_with_a_filter_and_impinj_s_extensions(tmp_path: Path) -> None:
    async with staged() as stage:
        options = ("-a", "0", "-n", "1", "--tag-filter-mask", "3074", "--impinj-reports", "--impinj-search-mode", "1")
        wanted = {epc for epc in ALL_TAGS if epc.startswith("3074")}
        status, said = await run(stage, "inventory", *options, expected=wanted)
        assert status == 0, said
        assert "Traceback" not in said, said
        assert set(re.findall(r"'EPC': b'(\w+)'", said)) == wanted
        assert "'ImpinjRFPhaseAngle'" in said
        assert stage.refusals() == []
        # tshark takes the value of a vendor's parameter short; it finds nothing else.
        assert all("Incorrect length of parameter" in finding for finding in stage.malformed(tmp_path))


async def test_reset_deletes_what_another_client_left(tmp_path: Path) -> None:
    async with staged() as stage:
        await run(stage, "inventory", "-a", "1,2", "-n", "1")
        status, said = await run(stage, "reset", ends_itself=True)
        assert status == 0, said
        assert "ERROR" not in said
        assert stage.server.connections == 2
        assert stage.server.device.operations.rospec_parameters() == ()
        assert stage.refusals() == []
        assert stage.malformed(tmp_path) == []


async def test_a_second_client_is_told_that_the_reader_is_taken() -> None:
    async with staged() as stage, asyncio.TaskGroup() as group:
        # It never has enough.
        group.create_task(ran([*SLLURP, "inventory", "-p", str(stage.port), "127.0.0.1"], environment(PEER)))
        await eventually(lambda: stage.server.connected)
        _, said = await run(stage, "reset", ends_itself=True)
        assert "Could not start session on reader" in said, said
        stage.server.cut()
