"""What the drivers that others built on sllurp, one a vendor, must do against the simulated reader."""

from pathlib import Path

from tests.interop.peers import environment
from tests.interop.stage import ALL_TAGS, ran, staged

# They start by leaving a connection that they have just made. On a busy machine sllurp's two threads get into each
# other's way then: it fails by itself, or waits for ever. What it says when it comes through is held to the same.
ATTEMPTS = 4
ATTEMPT_S = 30


async def check(peer: str, start: list[str], tmp_path: Path) -> str:
    """Give what it said."""
    arguments = [*start, peer.split("-", maxsplit=1)[0]]
    tripped: list[str] = []
    for _ in range(ATTEMPTS):
        async with staged() as stage:
            try:
                status, said = await ran([*arguments, str(stage.port)], environment(peer), patience_s=ATTEMPT_S)
            except TimeoutError:
                tripped.append(f"nothing more after {ATTEMPT_S} s")
                continue
            if status != 0:
                tripped.append(said)
                continue
            assert said.splitlines()[0] == "enough"
            assert said.splitlines()[-1] == "done"
            tags = {tuple(line.split()[1:]) for line in said.splitlines() if line.startswith("tag")}
            assert {epc for epc, _, _ in tags} == ALL_TAGS
            assert {(antenna, rssi) for _, antenna, rssi in tags} == {("1", "-61"), ("2", "-61")}
            assert stage.refusals() == []
            assert stage.malformed(tmp_path) == []
            return said
    raise AssertionError("\n".join(tripped))
