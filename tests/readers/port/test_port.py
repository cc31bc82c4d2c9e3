import asyncio
import fcntl
import os
import resource
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from readers.driver import ReaderError
from readers.model import Fault
from readers.port.port import MAX_UNSENT_BYTES, Port, open_port
from readers.port.settings import LineFormat, PortSettings
from simulators.serial.bench import TIOCVHANGUP
from tests.peer import HOST, peer
from tests.readers.port.terminal import Terminal, needs_root

USUAL = LineFormat(115_200)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path / "port")
    yield made
    made.close()


class Ears:
    """What a port has said."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.faults: list[Fault] = []
        self.calls = 0
        self._news = asyncio.Event()

    def hear(self, data: bytes) -> None:
        self.calls += 1
        self.data += data
        self._news.set()

    def lose(self, fault: Fault) -> None:
        self.faults.append(fault)
        self._news.set()

    async def until(self, size: int = 0, lost: int = 0) -> None:
        async with asyncio.timeout(20):
            while len(self.data) < size or len(self.faults) < lost:
                self._news.clear()
                await self._news.wait()

    async def open(self, device: object, *, echo: bool = False) -> Port:
        return await open_port(PortSettings(str(device), echo=echo), USUAL, self.hear, self.lose)


async def fault_of(device: object) -> Fault:
    with pytest.raises(ReaderError) as caught:
        await Ears().open(device)
    return caught.value.fault


async def test_bytes_go_both_ways_untouched(terminal: Terminal) -> None:
    ears = Ears()
    port = await ears.open(terminal.path)
    every = bytes(range(256))
    os.write(terminal.master, every)
    await ears.until(256)
    assert bytes(ears.data) == every
    port.write(every)
    await port.drained()
    assert os.read(terminal.master, 1000) == every
    port.close()
    assert not port.is_open
    assert ears.faults == []


async def test_more_than_the_kernel_takes_at_once_goes_out_in_order(terminal: Terminal) -> None:
    os.set_blocking(terminal.master, False)
    ears = Ears()
    port = await ears.open(terminal.path)
    sent = bytes(i * 7 % 251 for i in range(MAX_UNSENT_BYTES - 1))
    for at in range(0, len(sent), 5000):
        port.write(sent[at : at + 5000])
    got = bytearray()
    async with asyncio.timeout(20):
        while len(got) < len(sent):
            try:
                got += os.read(terminal.master, 65536)
            except BlockingIOError:
                await asyncio.sleep(0.001)
    assert bytes(got) == sent
    port.close()


async def test_a_device_that_never_reads_costs_the_port_and_not_the_memory(terminal: Terminal) -> None:
    ears = Ears()
    port = await ears.open(terminal.path)
    for _ in range(200):
        port.write(bytes(1000))
    await ears.until(lost=1)
    (fault,) = ears.faults
    assert (fault.kind, port.is_open) == ("link_lost", False)
    assert "could not be sent" in fault.text
    port.write(b"into the void")


@pytest.mark.parametrize("how", ["closed", pytest.param("hung up", marks=needs_root)])
async def test_a_port_that_goes_away_is_told_once_and_burns_no_time(terminal: Terminal, how: str) -> None:
    ears = Ears()
    port = await ears.open(terminal.path)
    os.write(terminal.master, b"last words")
    await ears.until(10)
    if how == "hung up":
        fcntl.ioctl(terminal.slave, TIOCVHANGUP)
    else:
        terminal.close()
    await ears.until(lost=1)
    assert ears.faults[0].kind == "link_lost"
    assert not port.is_open
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    await asyncio.sleep(0.2)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 0.1
    assert (ears.calls, len(ears.faults)) == (1, 1)


@needs_root
async def test_a_loss_while_bytes_wait_to_go_out(terminal: Terminal) -> None:
    ears = Ears()
    port = await ears.open(terminal.path)
    port.write(bytes(MAX_UNSENT_BYTES // 2))
    fcntl.ioctl(terminal.slave, TIOCVHANGUP)
    await ears.until(lost=1)
    assert not port.is_open


async def test_nobody_else_gets_the_port(terminal: Terminal) -> None:
    port = await Ears().open(terminal.path)
    fault = await fault_of(terminal.path)
    assert (fault.kind, "fuser" in fault.hint) == ("port_busy", True)
    port.close()
    again = await Ears().open(terminal.path)
    again.close()


async def test_closing_does_not_drop_the_lines_that_reset_a_board(terminal: Terminal) -> None:
    attributes = termios.tcgetattr(terminal.slave)
    attributes[2] |= termios.HUPCL
    termios.tcsetattr(terminal.slave, termios.TCSANOW, attributes)
    port = await Ears().open(terminal.path)
    _, _, cflag, lflag, _, speed, _ = termios.tcgetattr(terminal.slave)
    assert not cflag & termios.HUPCL
    assert not lflag & (termios.ECHO | termios.ICANON)
    assert speed == termios.B115200
    port.close()


async def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    missing = await fault_of(tmp_path / "nothing")
    assert (missing.kind, "is not there" in missing.text) == ("no_device", True)
    file = tmp_path / "file"
    file.write_text("")
    assert (await fault_of(file)).kind == "not_a_port"
    assert (await fault_of("loop://")).kind == "unsuited"


async def test_a_cancelled_opening_leaves_no_port_behind(terminal: Terminal) -> None:
    opening = asyncio.get_running_loop().create_task(Ears().open(terminal.path))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with asyncio.timeout(20):
        while True:
            # Busy until the thread is through, and then free again.
            with suppress(ReaderError):
                (await Ears().open(terminal.path)).close()
                break
            await asyncio.sleep(0.01)


async def test_own_words_that_come_back_are_dropped(terminal: Terminal) -> None:
    ears = Ears()
    port = await ears.open(terminal.path, echo=True)
    port.write(b"request")
    await port.drained()
    os.write(terminal.master, os.read(terminal.master, 100) + b"answer")
    await ears.until(6)
    assert bytes(ears.data) == b"answer"
    port.close()


async def test_a_defect_in_the_driver_ends_the_connection(terminal: Terminal) -> None:
    ears = Ears()
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(str(context.get("exception"))))

    def fail(_: bytes) -> None:
        raise RuntimeError("oh")

    await open_port(PortSettings(str(terminal.path)), USUAL, fail, ears.lose)
    os.write(terminal.master, b"x")
    await ears.until(lost=1)
    assert (ears.faults[0].kind, said) == ("internal", ["oh"])


async def test_a_port_behind_tcp() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5)).upper())
        await enough.wait()

    enough, ears = asyncio.Event(), Ears()
    async with peer(serve) as number:
        port = await ears.open(f"socket://{HOST}:{number}")
        port.write(b"hello")
        await ears.until(5)
        assert bytes(ears.data) == b"HELLO"
        enough.set()
        await ears.until(lost=1)
        assert ears.faults[0].kind == "link_lost"
    assert (await fault_of(f"socket://{HOST}:{number}")).kind == "refused"


async def test_a_host_that_is_none() -> None:
    assert (await fault_of("socket://no-such-host.invalid:1")).kind == "unreachable"


async def test_a_flood_does_not_starve_the_others(terminal: Terminal) -> None:
    os.set_blocking(terminal.master, False)
    ears = Ears()
    port = await ears.open(terminal.path)
    turns = 0
    junk = bytes(range(256)) * 16
    async with asyncio.timeout(30):
        while len(ears.data) < 1_000_000:
            with suppress(BlockingIOError):
                os.write(terminal.master, junk)
            turns += 1
            await asyncio.sleep(0)
    assert turns > 100
    port.close()
