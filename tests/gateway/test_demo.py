"""`tallygate demo` as a process, the way people start and end it."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.broker import find_mosquitto

LIMIT_S = 100.0
# The demo itself; with shorter waits after closing time, and without Mosquitto.
WHOLE = "from gateway.cli import main; main()"
QUICK = "from gateway.cli import demo, main; demo.SETTLE_LIMIT_S = 0.5; demo.LAST_TRIPS_LIMIT_S = 1; main()"
IOTCORE = f"from gateway import broker; broker.mosquitto = lambda: None; {QUICK}"


class Demo:
    """A demo in a session of its own, so that signals can go to all of it as a terminal's do."""

    def __init__(self, folder: Path, code: str) -> None:
        self.folder = folder
        self._code = code
        self.lines: list[dict[str, Any]] = []
        self.errors = b""
        self.process: asyncio.subprocess.Process

    async def start(self, *arguments: str) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            self._code,
            "demo",
            "--json",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(self.folder)},
            start_new_session=True,
        )

    async def until(self, condition: str) -> None:
        """Until a report has more than nothing of this."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            while line := await self.process.stdout.readline():
                self.lines.append(json.loads(line))
                if self.lines[-1][condition]:
                    return
        raise AssertionError("it ended early")

    async def ended(self) -> int:
        """Its exit code; nothing of it is left."""
        async with asyncio.timeout(LIMIT_S):
            out, self.errors = await self.process.communicate()
        self.lines += [json.loads(line) for line in out.splitlines()]
        assert self.process.returncode is not None
        assert not self.members(), "children are left"
        assert not [path.name for path in self.folder.iterdir()], "files are left"
        return self.process.returncode

    def members(self) -> set[int]:
        """Processes whose temporary files lie in this demo's folder."""
        wanted = f"TMPDIR={self.folder}".encode()
        found = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    if wanted in (entry / "environ").read_bytes().split(b"\0"):
                        found.add(int(entry.name))
                except OSError:
                    continue
        return found


def check(last: dict[str, Any]) -> None:
    """What the last line promises."""
    assert last["consumer_equals_gateway"] is True
    assert type(last["count_error"]) is int
    assert last["reads"] > 0
    assert last["deltas"] > 0
    assert last["items_gateway"] == last["items_consumer"]
    assert last["differences"] or not last["count_error"]


@pytest.mark.slow
async def test_the_whole_demo(tmp_path: Path) -> None:
    find_mosquitto()
    demo = Demo(tmp_path, WHOLE)
    await demo.start("--seconds", "3")
    assert await demo.ended() == 0
    check(demo.lines[-1])
    assert demo.lines[-1]["phase"] == "done"
    assert (demo.lines[-1]["count_error"] == 0) is (demo.lines[-1]["differences"] == {})
    assert demo.lines[-1]["count_error"] <= 3
    assert demo.errors == b""


@pytest.mark.parametrize("code", [QUICK, IOTCORE], ids=["mosquitto", "iotcore"])
async def test_it_ends_by_itself_and_leaves_nothing(tmp_path: Path, code: str) -> None:
    if code is QUICK:
        find_mosquitto()
    else:
        pytest.importorskip("iotcore", reason="the package iotcore is not installed (pip install 'tallygate[demo]')")
    demo = Demo(tmp_path, code)
    await demo.start("--seconds", "1", "--items", "60")
    assert await demo.ended() == 0
    check(demo.lines[-1])


@pytest.mark.parametrize("code", [QUICK, IOTCORE], ids=["mosquitto", "iotcore"])
async def test_ctrl_c_ends_it_cleanly(tmp_path: Path, code: str) -> None:
    """A terminal sends SIGINT to the whole group, the broker's process included."""
    if code is QUICK:
        find_mosquitto()
    else:
        pytest.importorskip("iotcore", reason="the package iotcore is not installed (pip install 'tallygate[demo]')")
    demo = Demo(tmp_path, code)
    await demo.start("--items", "60")
    await demo.until("deltas")
    os.killpg(demo.process.pid, signal.SIGINT)
    assert await demo.ended() == 0
    check(demo.lines[-1])
    assert b"Traceback" not in demo.errors
