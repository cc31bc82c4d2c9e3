"""The readers as a whole: what each last said of itself, told to the zones, to the world and to the alerts."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway import payloads
from gateway.alerts import AlertBoard, AlertKind
from gateway.domain.zones import US_PER_S, Antenna, LiveZone, antenna_works
from gateway.intake import Intake
from readers.driver import Clock, Sink
from readers.model import (
    AntennaCondition,
    InputSample,
    ReadBatch,
    ReaderCondition,
    ReaderEvent,
    ReaderNotice,
    ReaderState,
    WeightSample,
)

# A rate is told over this long; shorter ones jump with every inventory round.
RATE_US = 5 * US_PER_S
# ... and told anew when it has changed by this much, or has begun or ended.
RATE_STEP_PER_S = 5.0
RATE_STEP_SHARE = 0.2
# What a reader's notices of these kinds are to a person; all others are what a device says, and lose no bytes.
NOTICE_ALERTS = {
    "clock_jump": AlertKind.CLOCK_JUMP,
    "clock_wrong": AlertKind.CLOCK_JUMP,
    "reader_overflow": AlertKind.READS_DROPPED,
    **dict.fromkeys(("bad_tag", "frame_error", "lines_lost", "stray_message"), AlertKind.FRAME_ERRORS),
}
# Their ports are channels with a scale or a sensor on them, not antennas.
DRIVERS_WITH_CHANNELS = frozenset({"modbus", "scale"})


@dataclass(slots=True)
class Member:
    """One reader: its last state, its reads, and the zones its antennas look into."""

    driver: str
    zone_of: Mapping[int, LiveZone]
    state: ReaderState
    since_us: int
    reads: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    reads_per_s: float = 0.0
    told_per_s: float = 0.0
    counted_reads: int = 0
    counted_us: int = 0


class Fleet:
    """The sink of every driver."""

    def __init__(
        self,
        intake: Intake,
        clock: Clock,
        alerts: AlertBoard,
        on_state: Callable[[str, payloads.ReaderStatus], None],
        is_blind: Callable[[Antenna], bool] = lambda _: False,
    ) -> None:
        """`is_blind`: channels that answer, and whose shelf still cannot be counted."""
        self.members: dict[str, Member] = {}
        self._is_blind = is_blind
        self._intake = intake
        self._clock = clock
        self._alerts = alerts
        self._on_state = on_state
        # Whoever wants to hear everything too; none of them blocks or raises.
        self.listeners: list[Sink] = []

    def join(self, reader: str, driver: str, zone_of: Mapping[int, LiveZone], address: str) -> None:
        """A configured reader, before its first connection."""
        state = ReaderState(reader, ReaderCondition.CONNECTING, address=address)
        now_us = self._clock.monotonic_us()
        if reader in self.members:
            self._forgive_antennas(reader)
        self.members[reader] = Member(driver, zone_of, state, now_us, counted_us=now_us)
        self._tell(reader)

    def remap(self, reader: str, zone_of: Mapping[int, LiveZone]) -> None:
        """Its antennas look into other zones from now on."""
        member = self.members[reader]
        member.zone_of = zone_of
        self._tell_zones(member)

    def look_again(self, reader: str) -> None:
        """Some of its channels can be relied upon now, or cannot any more."""
        member = self.members.get(reader)
        if member is not None:
            self._tell_zones(member)

    def leave(self, reader: str) -> None:
        """It is configured no longer."""
        self._forgive_antennas(reader)
        del self.members[reader]
        self._alerts.clear(AlertKind.READER_DOWN, reader)

    def put(self, event: ReaderEvent) -> None:
        """What a driver says: reads and weights go to the line's queues, the rest is kept here."""
        member = self.members[event.reader]
        for listener in self.listeners:
            listener(event)
        match event:
            case ReadBatch():
                member.reads += len(event.reads)
                self._intake.put(event)
            case WeightSample() | InputSample():
                member.reads += 1
                self._intake.put_sample(event)
            case ReaderState():
                self._change(member, event)
            case ReaderNotice():
                member.notices[event.fault.kind] += event.count
                kind = NOTICE_ALERTS.get(event.fault.kind, AlertKind.READER_NOTICE)
                self._alerts.once(kind, event.reader, event.fault.text, event.fault.hint)

    def _change(self, member: Member, state: ReaderState) -> None:
        now_us = self._clock.monotonic_us()
        if state.condition is not member.state.condition:
            member.since_us = now_us
        member.state = state
        self._tell_zones(member)
        if state.condition is ReaderCondition.READING:
            self._alerts.clear(AlertKind.READER_DOWN, state.reader)
        elif state.fault is not None:
            fault = state.fault
            member.failures[fault.kind] += 1
            self._alerts.raise_(AlertKind.READER_DOWN, state.reader, f"{fault.kind}: {fault.text}", fault.hint)
        self._tell(state.reader)

    def _tell_zones(self, member: Member) -> None:
        state, now_us = member.state, self._clock.monotonic_us()
        for port, zone in member.zone_of.items():
            antenna = state.reader, port
            works = antenna_works(state.condition, state.antennas, port) and not self._is_blind(antenna)
            zone.observe(antenna, working=works, now_us=now_us, resting=state.resting)
            self._alert_antenna(member, port)

    def _alert_antenna(self, member: Member, port: int) -> None:
        subject = f"{member.state.reader}:{port}"
        if member.state.antennas.get(port) is not AntennaCondition.DOWN:
            self._alerts.clear(AlertKind.ANTENNA_DOWN, subject)
        elif member.driver in DRIVERS_WITH_CHANNELS:
            hint = "check its cable, power and address; what it counts stands still, marked, until it is back"
            self._alerts.raise_(AlertKind.ANTENNA_DOWN, subject, "nothing comes from this channel", hint)
        else:
            hint = "check its cable and the antenna; its zone is marked, and departures wait, until it is back"
            self._alerts.raise_(AlertKind.ANTENNA_DOWN, subject, "its reader gets nothing from this antenna", hint)

    def _forgive_antennas(self, reader: str) -> None:
        """Its ports may be others from now on: what was said of them is taken back."""
        for port in self.members[reader].zone_of:
            self._alerts.clear(AlertKind.ANTENNA_DOWN, f"{reader}:{port}")

    def states(self) -> list[ReaderState]:
        """What every reader last said of itself."""
        return [member.state for member in self.members.values()]

    def measure(self) -> None:
        """Bring the rates up to date; a rate that changed much is told."""
        now_us = self._clock.monotonic_us()
        for reader, member in self.members.items():
            elapsed_us = now_us - member.counted_us
            if elapsed_us < RATE_US:
                continue
            rate = (member.reads - member.counted_reads) * US_PER_S / elapsed_us
            member.reads_per_s = rate
            member.counted_reads, member.counted_us = member.reads, now_us
            told = member.told_per_s
            if abs(rate - told) > max(RATE_STEP_PER_S, RATE_STEP_SHARE * told) or (rate == 0.0) != (told == 0.0):
                self._tell(reader)

    def _tell(self, reader: str) -> None:
        member = self.members[reader]
        member.told_per_s = member.reads_per_s
        self._on_state(reader, self.status(reader))

    def status(self, reader: str) -> payloads.ReaderStatus:
        """A reader's state as the contract wants it."""
        member = self.members[reader]
        state = member.state
        since_utc_us = self._clock.utc_us() - (self._clock.monotonic_us() - member.since_us)
        fault = state.fault
        error = payloads.ReaderErrorText(kind=fault.kind, text=fault.text, hint=fault.hint) if fault else None
        return payloads.ReaderStatus(
            state=state.condition.value,
            driver=member.driver,
            model=state.model,
            firmware=state.firmware,
            address=state.address,
            antennas={str(port): condition.value for port, condition in sorted(state.antennas.items())},
            reads_per_s=round(member.reads_per_s, 1),
            clock_offset_ms=state.clock_offset_ms,
            error=error,
            since=payloads.rfc3339(since_utc_us),
        )
