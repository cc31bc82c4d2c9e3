"""What the drivers that others built on sllurp, one a vendor, must do against the simulated reader."""

from pathlib import Path

from tests.interop.peers import environment
from tests.interop.stage import ALL_TAGS, ran, staged


async def check(peer: str, start: list[str], tmp_path: Path) -> str:
    async with staged() as stage:
        status, said = await ran([*start, peer.split("-", maxsplit=1)[0], str(stage.port)], environment(peer))
        assert status == 0, said
        assert said.splitlines()[0] == "enough"
        assert said.splitlines()[-1] == "done"
        tags = {tuple(line.split()[1:]) for line in said.splitlines() if line.startswith("tag")}
        assert {epc for epc, _, _ in tags} == ALL_TAGS
        assert {(antenna, rssi) for _, antenna, rssi in tags} == {("1", "-61"), ("2", "-61")}
        assert stage.refusals() == []
        assert stage.malformed(tmp_path) == []
    return said
