"""zebra-llrp, a driver built on sllurp, against the simulated reader."""

from pathlib import Path

from tests.interop.peers import command
from tests.interop.vendor_drivers import check

PEER = "zebra-llrp"
CLIENT = command(PEER, "vendor_client.py", runner=True)


async def test_it_reads_the_simulated_reader(tmp_path: Path) -> None:
    said = await check(PEER, CLIENT, tmp_path)
    assert "firmware_version='5.14.0.240'" in said
    assert said.count("mode_id") == 10
