"""Sessions on one line, joined to simulated readers without a port."""

from collections.abc import Sequence

from readers.chafon.interpreter import Known
from readers.chafon.messages import Region
from readers.chafon.session import Session
from readers.chafon.settings import ChafonSettings
from readers.chafon.sharing import SharedLine
from readers.model import Fault, ReadBatch, ReaderCondition, ReaderEvent, ReaderNotice, ReaderState
from readers.port.settings import PortSettings
from simulators.field import FixedField
from simulators.serial.chafon import ChafonDevice, Habits, Rs485
from tests.readers.port.loopback import Loopback, TurnedClock

PORT = PortSettings("/dev/serial/by-id/rs485")
TAGS = {n: [bytes([0x30, n, k]) + bytes(9) for k in range(12)] for n in (1, 2, 3)}


def settings(address: int = 0, antennas: tuple[int, ...] = (1, 2), **more: object) -> ChafonSettings:
    usual = {"region": Region.EU, "power_dbm": 26, **more}
    return ChafonSettings(PORT, antennas, bus_address=address, **usual)  # type: ignore[arg-type]  # a test's shorthand


class Party:
    """What the driver's line does with its sessions, as one session of the port."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.line = SharedLine()
        self.sessions = list(sessions)
        self.fault: Fault | None = None

    def start(self, now_us: int) -> None:
        for session in self.sessions:
            self.line.add(session, now_us)

    def receive(self, data: bytes, now_us: int) -> None:
        self.line.receive(data, now_us)
        self._part(now_us)

    def tick(self, now_us: int) -> None:
        self.line.tick(now_us)
        self._part(now_us)

    def close(self, now_us: int) -> None:
        for session in self.sessions:
            session.close(now_us)
        self._part(now_us)

    def take_bytes(self) -> bytes:
        return self.line.take_bytes()

    def take_events(self) -> Sequence[ReaderEvent]:
        return [event for session in self.sessions for event in session.take_events()]

    def state(self, condition: ReaderCondition, fault: Fault | None = None) -> ReaderState:
        return self.sessions[0].state(condition, fault)

    @property
    def deadline_us(self) -> int | None:
        return self.line.deadline_us

    @property
    def is_over(self) -> bool:
        return all(session.is_over for session in self.sessions)

    def _part(self, now_us: int) -> None:
        for session in self.sessions:
            if session.is_over:
                self.line.remove(session, now_us)


class Stage:
    """Readers at addresses 0, 1, ... on one line, each with the tags in front of it, and our session for each."""

    def __init__(
        self,
        *habits: Habits,
        ours: Sequence[ChafonSettings] | None = None,
        known: Known | None = None,
        field: FixedField | None = None,
    ) -> None:
        self.clock = TurnedClock()
        shown = field or FixedField(TAGS)
        self.devices = [ChafonDevice(shown, self.clock, at, each) for at, each in enumerate(habits or (Habits(),))]
        wanted = ours or [settings(address) for address in range(len(self.devices))]
        self.sessions = [Session(f"r{one.bus_address}", one, known or Known()) for one in wanted]
        self.loop = Loopback(Party(self.sessions), Rs485(self.devices), self.clock)

    @property
    def device(self) -> ChafonDevice:
        return self.devices[0]

    @property
    def session(self) -> Session:
        return self.sessions[0]

    def states(self, reader: str = "r0") -> list[ReaderState]:
        return [event for event in self.loop.states if event.reader == reader]

    def notices(self, reader: str = "r0") -> list[ReaderNotice]:
        return [event for event in self.loop.notices if event.reader == reader]

    def batches(self, reader: str = "r0") -> list[ReadBatch]:
        return [event for event in self.loop.batches if event.reader == reader]

    def seen(self, reader: str = "r0") -> set[tuple[bytes, int]]:
        return {(read[0], read[1]) for batch in self.batches(reader) for read in batch.reads}

    def reading(self, reader: str = "r0") -> bool:
        states = self.states(reader)
        return bool(states) and states[-1].condition is ReaderCondition.READING

    @property
    def fault(self) -> Fault:
        assert self.session.fault is not None
        return self.session.fault

    def commands(self) -> list[int]:
        return [command for command, _ in self.device.heard]
