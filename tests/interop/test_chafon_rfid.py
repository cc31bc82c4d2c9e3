"""chafon_rfid, which reads such readers at races: as the host of the simulated reader, on a real serial port."""

from pathlib import Path

import pytest

from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.serial.bench import serial_bench
from simulators.serial.chafon import UHFREADER18, UHFREADER288M, ChafonDevice, Habits
from tests.interop.peers import command, environment
from tests.interop.stage import ran

PEER = "chafon-rfid"
CLIENT = command(PEER, "chafon_client.py", runner=True)
TAGS = {n: [bytes([0x30, n, k]) + bytes(9) for k in range(20)] for n in (1, 2)}


@pytest.mark.parametrize(
    ("kind", "name", "antennas"), [(UHFREADER288M, "UHFReader288M", 2), (UHFREADER18, "UHFReader18", 1)]
)
async def test_it_reads_the_simulated_reader(tmp_path: Path, kind: int, name: str, antennas: int) -> None:
    device = ChafonDevice(FixedField(TAGS), WallClock(), 3, Habits(kind=kind, region=(0x4E, 0)))
    with serial_bench(tmp_path / "port", device):
        status, said = await ran([*CLIENT, str(tmp_path / "port"), "3"], environment(PEER))
    assert status == 0, said
    lines = said.split("\n")
    assert lines[0] == f"type {name} band EU power 20 address 3"
    assert lines[1] == "from 865.1 to 867.9 MHz"
    assert lines[2] == "power set 00"
    assert device.habits.power_dbm == 24
    seen = {tuple(line.split()[1:]) for line in lines if line.startswith("tag")}
    signal = "None" if kind == UHFREADER18 else str(-55 + 157)
    assert seen == {(epc.hex(), str(antenna), signal) for antenna in range(1, antennas + 1) for epc in TAGS[antenna]}
