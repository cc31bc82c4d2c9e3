import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "tallygate.service"


def _analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    return found


def _copy(folder: Path) -> Path:
    """The unit with a program that exists here in the place of the installed one."""
    lines = [
        f"ExecStart={sys.executable} --version" if line.startswith("ExecStart=") else line
        for line in UNIT.read_text().splitlines()
    ]
    copy = folder / UNIT.name
    copy.write_text("\n".join(lines) + "\n")
    return copy


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    done = subprocess.run(
        [_analyze(), "verify", "--man=no", str(_copy(tmp_path))], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert done.returncode == 0, done.stderr
    assert complaints == []


def test_the_service_is_hardened(tmp_path: Path) -> None:
    command = [_analyze(), "security", "--offline=true", "--threshold=20", str(_copy(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2_000:]


def test_what_the_unit_promises_is_what_the_daemon_does() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert "run --config" in service["ExecStart"]
    assert "-HUP" in service["ExecReload"]
    assert int(service["WatchdogSec"]) > 15, "longer than the line may stand still before it is called stuck"
    assert int(service["TimeoutStopSec"]) > 10, "a clean stop says goodbye to readers and to the broker"
