"""What every test of this folder needs: a simulated reader that writes down what passed, and processes to meet it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.names import MessageType
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Element
from simulators.llrp.personality import Personality
from simulators.llrp.server import ReaderServer, serve_reader
from simulators.pcap import Record
from tests.simulators.judge import TSHARK, malformed
from tests.simulators.llrp.asking import EPCS, read_all

TAGS = {1: EPCS[:2], 2: (EPCS[2], bytes(range(0x10, 0x20)))}
ALL_TAGS = {epc.hex() for tags in TAGS.values() for epc in tags}
# Other people's programs start slowly on a busy machine, and are waited for by what they say, not by the clock.
PATIENCE_S = 90


@dataclass(slots=True)
class Stage:
    """A simulated reader on a port, and all that went over its wire."""

    server: ReaderServer
    records: list[Record] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.server.port

    def sent(self, *, by_reader: bool) -> list[Element]:
        return read_all(b"".join(record.data for record in self.records if record.from_server is by_reader))

    def kinds(self) -> list[MessageType]:
        """What the client sent, in order."""
        return [message.type for message in self.sent(by_reader=False) if isinstance(message.type, MessageType)]

    def refusals(self) -> list[tuple[str, str]]:
        """Every answer of the reader that is no success: its name and the reader's words."""
        return [
            (message.type.name, str(status.fields["ErrorDescription"]))
            for message in self.sent(by_reader=True)
            for status in message.every(P.LLRPStatus)
            if status.num("StatusCode") != 0
        ]

    def malformed(self, folder: Path) -> list[str]:
        """tshark's findings; nothing where tshark is not installed, as its own tests say that it is missing."""
        return malformed(folder, self.records) if TSHARK else []


@asynccontextmanager
async def staged(personality: Personality | None = None) -> AsyncIterator[Stage]:
    records: list[Record] = []
    device = ReaderDevice(FixedField(TAGS, rssi_dbm=-61), personality or Personality(dwell_us=10_000))
    async with serve_reader(device, record=records.append) as server:
        yield Stage(server, records)


async def ran(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    until: Callable[[str], bool] | None = None,
    patience_s: float = PATIENCE_S,
) -> tuple[int, str]:
    """A program from its start to its end: exit status and all that it said.

    Where it does not end by itself, it is interrupted, as by Ctrl-C, once `until` holds for what it has said. Raises
    TimeoutError where it takes longer than `patience_s`.
    """
    # A shell that starts the tests in the background has them ignore Ctrl-C, and whoever they start would, too.
    listening = ("env", "--default-signal=INT", *arguments)
    process = await asyncio.create_subprocess_exec(
        *listening, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(patience_s):
            async for line in process.stdout:
                said += line.decode()
                if until is not None and until(said):
                    process.send_signal(signal.SIGINT)
                    until = None
            status = await process.wait()
    finally:
        await _end(process)
    return status, said


@dataclass(slots=True)
class Foreign:
    """A reader that is not ours: its port, and what it has said so far, line by line."""

    port: int
    lines: list[str]


@asynccontextmanager
async def foreign_reader(arguments: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[Foreign]:
    """Start a reader that says `port N` in its first line; it is stopped at the end."""
    process = await asyncio.create_subprocess_exec(
        *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            first = (await process.stdout.readline()).decode()
        words = first.split()
        assert "port" in words, f"no port, but {first!r}"
        foreign = Foreign(int(words[words.index("port") + 1]), [])
        async with asyncio.TaskGroup() as group:
            group.create_task(_listen(process.stdout, foreign.lines))
            try:
                yield foreign
            finally:
                await _end(process)
    finally:
        await _end(process)


async def _listen(stream: asyncio.StreamReader, lines: list[str]) -> None:
    async for line in stream:
        lines.append(line.decode().rstrip())  # noqa: PERF401 - it is watched while it grows


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
