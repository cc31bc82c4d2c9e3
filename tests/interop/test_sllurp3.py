"""More of sllurp 3.0.5's client library against the simulated reader; tests/simulators/llrp has the plain session."""

import asyncio
from pathlib import Path
from threading import Event
from typing import Any

from sllurp.llrp import C1G2Read, LLRPReaderClient, LLRPReaderConfig, LLRPReaderState

from simulators.llrp.names import MessageType
from tests.interop.driving import driven
from tests.interop.stage import ALL_TAGS, Stage, staged
from tests.readers.running import eventually

PATIENCE_S = 60


class Visit:
    """One connection of the library, steered from its own thread: from another, an answer can overtake its question."""

    def __init__(self, port: int, **settings: Any) -> None:
        self.epcs: list[str] = []
        self.states: list[str] = []
        self.gone = Event()
        self.config = LLRPReaderConfig({"antennas": [1, 2], "report_every_n_tags": 1, "reconnect": False, **settings})
        self.client = LLRPReaderClient("127.0.0.1", port, self.config, timeout=30)
        self.client.add_tag_report_callback(lambda _reader, tags: self._take(tags))
        self.client.add_disconnected_callback(lambda _reader: self.gone.set())
        for state in (
            LLRPReaderState.STATE_INVENTORYING,
            LLRPReaderState.STATE_PAUSING,
            LLRPReaderState.STATE_PAUSED,
        ):
            self.client.add_state_callback(state, lambda _reader, new: self._enter(new))

    def run(self) -> None:
        self.client.connect()
        assert self.gone.wait(PATIENCE_S), self.states
        self.client.join(PATIENCE_S)
        assert not self.client.is_alive()

    def _take(self, tags: list[dict[str, Any]]) -> None:
        self.epcs += [tag["EPC"].decode() for tag in tags]
        self.reported()

    def _enter(self, state: int) -> None:
        self.states.append(LLRPReaderState.getStateName(state).removeprefix("STATE_"))
        self.entered(state)

    def reported(self) -> None:
        if set(self.epcs) >= ALL_TAGS:
            self.leave()

    def entered(self, state: int) -> None:
        """For visits that do more."""

    def leave(self) -> None:
        if not self.client.disconnect_requested.is_set():
            self.client.disconnect()


class PausingVisit(Visit):
    """It reads, pauses, resumes, and reads again."""

    resumed_after = 0

    def reported(self) -> None:
        if not set(self.epcs) >= ALL_TAGS:
            return
        if self.states == ["INVENTORYING"]:
            self.client.llrp.pause()
        elif self.states[-1] == "INVENTORYING" and len(self.epcs) > self.resumed_after + len(ALL_TAGS):
            self.leave()

    def entered(self, state: int) -> None:
        if state == LLRPReaderState.STATE_PAUSED:
            self.resumed_after = len(self.epcs)
            self.client.llrp.resume()


class AccessVisit(Visit):
    """It reads, adds an AccessSpec that reads memory, and goes on reading."""

    def entered(self, state: int) -> None:
        if state == LLRPReaderState.STATE_INVENTORYING and len(self.states) == 1:
            self.client.start_access_spec(C1G2Read(MB=2, WordPtr=0, WordCount=2), stop_after_count=3)


class RudeVisit(Visit):
    """It goes without a word, and leaves its ROSpec running."""

    def leave(self) -> None:
        self.client.disconnect_requested.set()
        self.client.hard_disconnect()
        self.gone.set()


def clean(stage: Stage, folder: Path) -> None:
    assert stage.refusals() == []
    assert stage.server.device.operations.rospec_parameters() == ()
    assert stage.malformed(folder) == []


async def test_it_pauses_and_resumes(tmp_path: Path) -> None:
    async with staged() as stage:
        visit = PausingVisit(stage.port)
        await asyncio.to_thread(visit.run)
        assert visit.states == ["INVENTORYING", "PAUSING", "PAUSED", "INVENTORYING"]
        kinds = stage.kinds()
        assert kinds.count(MessageType.DISABLE_ROSPEC) == 1
        assert kinds.count(MessageType.ENABLE_ROSPEC) == 2
        clean(stage, tmp_path)


async def test_an_access_spec_that_reads_memory_is_taken(tmp_path: Path) -> None:
    async with staged() as stage:
        visit = AccessVisit(stage.port)
        await asyncio.to_thread(visit.run)
        assert set(visit.epcs) == ALL_TAGS
        assert MessageType.ADD_ACCESSSPEC in stage.kinds()
        clean(stage, tmp_path)


async def test_two_clients_in_turn_and_each_finds_the_reader_clean(tmp_path: Path) -> None:
    async with staged() as stage:
        for _ in range(2):
            visit = Visit(stage.port, session=1, tag_population=8)
            await asyncio.to_thread(visit.run)
            assert set(visit.epcs) == ALL_TAGS
        assert stage.server.connections == 2
        clean(stage, tmp_path)


async def test_our_driver_takes_over_from_a_client_that_left_its_rospec_running(tmp_path: Path) -> None:
    async with staged() as stage:
        await asyncio.to_thread(RudeVisit(stage.port).run)
        await eventually(lambda: not stage.server.connected)
        assert len(stage.server.device.operations.rospec_parameters()) == 1
        async with driven(stage.port) as sink:
            await sink.until(lambda: {epc.hex() for epc, _ in sink.seen()} == ALL_TAGS)
        assert stage.refusals() == []
        assert stage.malformed(tmp_path) == []
