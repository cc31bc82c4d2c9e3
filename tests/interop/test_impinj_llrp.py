"""impinj-llrp, a driver built on sllurp, against the simulated reader."""

from pathlib import Path

from tests.interop.peers import command
from tests.interop.vendor_drivers import check

PEER = "impinj-llrp"
CLIENT = command(PEER, "vendor_client.py", runner=True)


async def test_it_reads_the_simulated_reader(tmp_path: Path) -> None:
    said = await check(PEER, CLIENT, tmp_path)
    assert "max_tx_power_dbm=32.5" in said
