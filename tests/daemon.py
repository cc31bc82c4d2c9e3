"""`tallygate run` as a process of its own, for tests."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.rig import LIMIT_S

# What the unit allows it; where the broker has just died it takes some eight.
STOP_LIMIT_S = 30.0
PROGRAM = (sys.executable, "-c", "from gateway.cli import main; main()")


class Daemon:
    """A running `tallygate run`; what it logs is kept."""

    def __init__(self, process: asyncio.subprocess.Process, notices: asyncio.Queue[str]) -> None:
        self.process = process
        self.notices = notices
        self.log = ""

    async def read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.log += line.decode()

    async def told(self, wanted: str) -> str:
        """The next notice that holds `wanted`."""
        async with asyncio.timeout(LIMIT_S):
            while wanted not in (notice := await self.notices.get()):
                pass
        return notice

    async def stop(self, number: signal.Signals = signal.SIGTERM, limit_s: float = STOP_LIMIT_S) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(limit_s):
            return await self.process.wait()


@asynccontextmanager
async def daemon(
    folder: Path, text: str, environ: Mapping[str, str] | None = None, stdin: int | None = None
) -> AsyncIterator[Daemon]:
    """Started, and READY; killed at the end if it still runs. `stdin` is what it reads from, else ours."""
    path = folder / "tallygate.toml"
    path.write_text(text)
    notices: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        (folder / "notify").unlink(missing_ok=True)
        notified.bind(str(folder / "notify"))
        notified.setblocking(False)
        loop.add_reader(notified, lambda: notices.put_nowait(notified.recv(4_096).decode()))
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            "run",
            "--config",
            str(path),
            stdin=stdin,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), **(environ or {})},
        )
        one = Daemon(process, notices)
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(one.read())
                try:
                    assert "STATUS=counting for store-gw" in await one.told("READY=1")
                    yield one
                finally:
                    if process.returncode is None:
                        process.kill()
                    await process.wait()
                    await reading
        finally:
            loop.remove_reader(notified)
