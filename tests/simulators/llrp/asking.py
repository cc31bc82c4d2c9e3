"""A client's side of the conversation, for tests of the reader without I/O."""

from collections.abc import Sequence

from simulators.field import Field, FixedField
from simulators.llrp.device import Output, ReaderDevice
from simulators.llrp.names import (
    AISpecStop,
    EventType,
    MessageType,
    ReportTrigger,
    ROSpecState,
    StartTrigger,
    StopTrigger,
)
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Element, Splitter, Value, element, pack_message, read_message
from simulators.llrp.personality import Personality
from simulators.llrp.reports import report_spec

EPCS = tuple(bytes.fromhex(f"3074257bf7194e40000000{n:02x}") for n in range(1, 251))
START_US = 1_700_000_000_000_000

ALL_FIELDS = frozenset(
    {
        "EnableROSpecID",
        "EnableSpecIndex",
        "EnableInventoryParameterSpecID",
        "EnableAntennaID",
        "EnableChannelIndex",
        "EnablePeakRSSI",
        "EnableFirstSeenTimestamp",
        "EnableLastSeenTimestamp",
        "EnableTagSeenCount",
        "EnableAccessSpecID",
        "EnableCRC",
        "EnablePCBits",
    }
)


def rospec(
    rospec_id: int = 1,
    *more: Element,
    start: StartTrigger = StartTrigger.IMMEDIATE,
    period_ms: tuple[int, int] | None = None,
    duration_ms: int | None = None,
    antennas: Sequence[tuple[int, ...]] = ((1,),),
    ai_duration_ms: int | None = None,
    observation: dict[str, Value] | None = None,
    trigger: ReportTrigger = ReportTrigger.N_TAGS_OR_END_OF_ROSPEC,
    n: int = 1,
    on: frozenset[str] = frozenset({"EnableAntennaID"}),
    reported: bool = True,
    priority: int = 0,
    configuration: Sequence[Element] = (),
) -> Element:
    ai_kind = AISpecStop.DURATION if ai_duration_ms is not None else AISpecStop.NULL
    if observation is not None:
        ai_kind = AISpecStop.TAG_OBSERVATION
    stop = element(
        P.AISpecStopTrigger,
        *([element(P.TagObservationTrigger, **observation)] if observation is not None else []),
        AISpecStopTriggerType=ai_kind,
        DurationTrigger=ai_duration_ms or 0,
    )
    inventory = element(P.InventoryParameterSpec, *configuration, InventoryParameterSpecID=7, ProtocolID=1)
    periodic = [element(P.PeriodicTriggerValue, Offset=period_ms[0], Period=period_ms[1])] if period_ms else []
    return element(
        P.ROSpec,
        element(
            P.ROBoundarySpec,
            element(P.ROSpecStartTrigger, *periodic, ROSpecStartTriggerType=start),
            element(
                P.ROSpecStopTrigger,
                ROSpecStopTriggerType=StopTrigger.NULL if duration_ms is None else StopTrigger.DURATION,
                DurationTriggerValue=duration_ms or 0,
            ),
        ),
        *(element(P.AISpec, stop, inventory, AntennaIDs=ids) for ids in antennas),
        *([report_spec(trigger, n, on)] if reported else []),
        *more,
        ROSpecID=rospec_id,
        Priority=priority,
        CurrentState=ROSpecState.DISABLED,
    )


def read_all(data: bytes) -> list[Element]:
    return [read_message(frame) for frame in Splitter().feed(data)]


def status(answer: Element) -> int:
    return answer.one(P.LLRPStatus).num("StatusCode")


def tags(messages: Sequence[Element]) -> list[Element]:
    reports = [m for m in messages if m.type is MessageType.RO_ACCESS_REPORT]
    return [tag for report in reports for tag in report.every(P.TagReportData)]


def events(messages: Sequence[Element]) -> list[Element]:
    notes = [m for m in messages if m.type is MessageType.READER_EVENT_NOTIFICATION]
    return [note.one(P.ReaderEventNotificationData).children[1] for note in notes]


class Client:
    """A client and its reader; `now_us` goes on only by `wait`."""

    def __init__(self, personality: Personality | None = None, field: Field | None = None) -> None:
        self.now_us = START_US
        world = field or FixedField({1: EPCS[:3], 2: EPCS[3:5]})
        self.device = ReaderDevice(world, personality)
        self.sent: list[bytes] = []
        self.closed = False

    def connect(self) -> list[Element]:
        return self._take(self.device.connect(self.now_us))

    def ask(self, kind: MessageType, *children: Element, message_id: int = 77, **fields: Value) -> list[Element]:
        return self.send(pack_message(element(kind, *children, **fields), message_id))

    def send(self, data: bytes) -> list[Element]:
        return self._take(self.device.feed(data, self.now_us))

    def wait(self, ms: float) -> list[Element]:
        """Let time pass as a server would: tick whenever the reader wants it."""
        end_us = self.now_us + round(ms * 1000)
        messages: list[Element] = []
        while (wakeup_us := self.device.next_wakeup_us) is not None and wakeup_us <= end_us:
            self.now_us = max(self.now_us, wakeup_us)
            messages += self._take(self.device.tick(self.now_us))
        self.now_us = end_us
        return messages

    def run(self, spec: Element) -> list[Element]:
        """Add and enable."""
        answers = self.ask(MessageType.ADD_ROSPEC, spec)
        assert status(answers[0]) == 0
        answers += self.ask(MessageType.ENABLE_ROSPEC, ROSpecID=spec.num("ROSpecID"))
        return answers

    def states(self) -> dict[int, int]:
        (answer,) = self.ask(MessageType.GET_ROSPECS)
        return {spec.num("ROSpecID"): spec.num("CurrentState") for spec in answer.every(P.ROSpec)}

    def _take(self, output: Output) -> list[Element]:
        self.sent.append(output.data)
        self.closed = self.closed or output.close
        return read_all(output.data)


def connected(personality: Personality | None = None) -> Client:
    client = Client(personality)
    client.connect()
    return client


def listen(client: Client, *kinds: EventType) -> None:
    states = [element(P.EventNotificationState, EventType=kind, NotificationState=1) for kind in kinds]
    (answer,) = client.ask(
        MessageType.SET_READER_CONFIG, element(P.ReaderEventNotificationSpec, *states), ResetToFactoryDefault=0
    )
    assert status(answer) == 0


def event_kinds(messages: list[Element]) -> list[str]:
    return [event.type.name for event in events(messages)]
