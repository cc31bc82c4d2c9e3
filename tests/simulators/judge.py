"""tshark as a judge of what was recorded."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from simulators.pcap import Record, pcap

TSHARK = shutil.which("tshark")
PORT = 5084
MALFORMED = '_ws.expert.group == "Malformed"'


def tshark(capture: Path, *arguments: str) -> list[str]:
    """What tshark prints about a capture, line by line."""
    assert TSHARK
    done = subprocess.run(
        [TSHARK, "-r", str(capture), "-d", f"tcp.port=={PORT},llrp", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "HOME": str(capture.parent)},
    )
    return done.stdout.split("\n")[:-1]


def malformed(folder: Path, records: Sequence[Record]) -> list[str]:
    """The frames of a session that tshark finds malformed, and why."""
    capture = folder / "session.pcap"
    capture.write_bytes(pcap(records, server_port=PORT))
    return tshark(capture, "-Y", MALFORMED, "-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message")
