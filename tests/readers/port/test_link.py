"""The life of a connection, with sessions that do what none of ours should."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from readers.driver import ReaderError
from readers.model import Fault, ReaderCondition, ReaderEvent, ReaderState
from readers.port.link import POLITE_CLOSE_S, converse
from readers.port.settings import LineFormat, PortSettings
from tests.readers.port.terminal import Terminal
from tests.readers.running import Collector

OVER = Fault("over", "enough", "")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path / "port")
    yield made
    made.close()


class Plain:
    """Says hello, repeats what it hears, and says goodbye at once or, where it is `clingy`, never."""

    def __init__(self) -> None:
        self.deadline_us: int | None = None
        self.is_over = False
        self.fault: Fault | None = None
        self.ticks: list[int] = []
        self.on_tick: Callable[[], None] = lambda: None
        self.clingy = False
        self._out = b""

    def start(self, now_us: int) -> None:
        self._out = b"hello"
        self.deadline_us = now_us + 20_000

    def receive(self, data: bytes, _now_us: int) -> None:
        if data == b"die":
            raise RuntimeError("oh")
        if data == b"end":
            self.fault, self.is_over = OVER, True
        self._out += data

    def tick(self, now_us: int) -> None:
        self.ticks.append(now_us)
        self.deadline_us = None
        self.on_tick()

    def close(self, _now_us: int) -> None:
        self._out = b"bye"
        self.is_over = not self.clingy

    def take_bytes(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def take_events(self) -> Sequence[ReaderEvent]:
        return ()

    def state(self, condition: ReaderCondition, fault: Fault | None = None) -> ReaderState:
        return ReaderState("r", condition, fault=fault)


class Talk:
    """A conversation under way; the test holds the far end."""

    def __init__(self, terminal: Terminal, session: Plain, sink: Collector) -> None:
        self.terminal = terminal
        os.set_blocking(terminal.master, False)
        self.heard = bytearray()
        self.task = asyncio.get_running_loop().create_task(
            converse(PortSettings(str(terminal.path)), LineFormat(), session, SystemClock(), sink)
        )

    async def until(self, heard: bytes) -> None:
        async with asyncio.timeout(20):
            while heard not in self.heard:
                try:
                    self.heard += os.read(self.terminal.master, 1000)
                except BlockingIOError:
                    await asyncio.sleep(0.005)

    async def fault(self) -> Fault:
        with pytest.raises(ReaderError) as caught:
            async with asyncio.timeout(20):
                await self.task
        return caught.value.fault


async def test_a_session_that_ends_by_itself(terminal: Terminal) -> None:
    sink = Collector()
    talk = Talk(terminal, Plain(), sink)
    await talk.until(b"hello")
    os.write(terminal.master, b"end")
    assert await talk.fault() == OVER
    assert [(state.condition, state.fault) for state in sink.states] == [
        (ReaderCondition.CONNECTING, None),
        (ReaderCondition.FAILED, OVER),
    ]


async def test_a_goodbye_reaches_the_device(terminal: Terminal) -> None:
    sink = Collector()
    talk = Talk(terminal, Plain(), sink)
    await talk.until(b"hello")
    talk.task.cancel()
    await talk.until(b"bye")
    with pytest.raises(asyncio.CancelledError):
        await talk.task
    assert sink.conditions[-1] is ReaderCondition.STOPPED


async def test_a_goodbye_without_answer_takes_no_longer_than_it_may(terminal: Terminal) -> None:
    session = Plain()
    session.clingy = True
    talk = Talk(terminal, session, Collector())
    await talk.until(b"hello")
    began = asyncio.get_running_loop().time()
    talk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talk.task
    assert POLITE_CLOSE_S <= asyncio.get_running_loop().time() - began < POLITE_CLOSE_S + 5


@pytest.mark.parametrize("place", ["bytes", "time"])
async def test_a_mistake_of_a_session_ends_the_connection_and_is_logged(terminal: Terminal, place: str) -> None:
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(repr(context.get("exception"))))
    session = Plain()

    def fail() -> None:
        raise RuntimeError("oh")

    if place == "time":
        session.on_tick = fail
    talk = Talk(terminal, session, Collector())
    await talk.until(b"hello")
    if place == "bytes":
        os.write(terminal.master, b"die")
    assert (await talk.fault()).kind == "internal"
    assert said == ["RuntimeError('oh')"]


async def test_a_deadline_is_kept_and_not_before(terminal: Terminal) -> None:
    session, ticked = Plain(), asyncio.Event()
    session.on_tick = ticked.set
    began = SystemClock().monotonic_us()
    talk = Talk(terminal, session, Collector())
    await talk.until(b"hello")
    async with asyncio.timeout(20):
        await ticked.wait()
    assert session.ticks[0] - began >= 19_000
    talk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talk.task
