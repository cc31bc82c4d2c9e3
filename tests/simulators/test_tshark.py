"""tshark as an independent judge of what the simulated reader says."""

import os
from pathlib import Path

import pytest

from simulators.llrp.device import Output
from simulators.llrp.names import EventType, MessageType, ReportTrigger
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Element, element, frame, pack_message
from simulators.llrp.personality import Personality, ReaderClock
from simulators.pcap import Record, pcap
from tests.simulators.judge import PORT, TSHARK, malformed, tshark
from tests.simulators.llrp.asking import ALL_FIELDS, Client, rospec

pytestmark = pytest.mark.skipif(not TSHARK, reason="tshark is not installed (Debian package tshark)")


class Recorder(Client):
    """A client that remembers both sides with their moments."""

    def __init__(self, personality: Personality | None = None) -> None:
        super().__init__(personality)
        self.records: list[Record] = []

    def send(self, data: bytes) -> list[Element]:
        self.records.append(Record(self.now_us, from_server=False, data=data))
        return super().send(data)

    def _take(self, output: Output) -> list[Element]:
        messages = super()._take(output)
        self.records.append(Record(self.now_us, from_server=True, data=self.sent[-1]))
        return messages


def _session(personality: Personality) -> list[Record]:
    """Everything the reader can be asked, once."""
    client = Recorder(personality)
    client.connect()
    client.ask(MessageType.GET_READER_CAPABILITIES, RequestedData=0)
    client.ask(MessageType.GET_READER_CONFIG, AntennaID=0, RequestedData=0, GPIPortNum=0, GPOPortNum=0)
    states = [element(P.EventNotificationState, EventType=kind, NotificationState=1) for kind in EventType]
    client.ask(
        MessageType.SET_READER_CONFIG,
        element(P.ReaderEventNotificationSpec, *states),
        element(P.KeepaliveSpec, KeepaliveTriggerType=1, PeriodicTriggerValue=1000),
        ResetToFactoryDefault=1,
    )
    client.ask(MessageType.DELETE_ACCESSSPEC, AccessSpecID=0)
    client.ask(MessageType.DELETE_ROSPEC, ROSpecID=0)
    client.ask(MessageType.ADD_ROSPEC, rospec(priority=8))
    client.ask(MessageType.START_ROSPEC, ROSpecID=9)
    client.run(
        rospec(
            antennas=((1,), (2,)),
            ai_duration_ms=200,
            n=2,
            on=ALL_FIELDS,
            trigger=ReportTrigger.N_TAGS_OR_END_OF_AISPEC,
        )
    )
    client.wait(2500)
    client.ask(MessageType.KEEPALIVE_ACK)
    client.ask(MessageType.GET_ROSPECS)
    client.ask(MessageType.GET_ACCESSSPECS)
    client.ask(MessageType.GET_REPORT)
    client.ask(MessageType.ENABLE_EVENTS_AND_REPORTS)
    client.send(bytes.fromhex("07e70000000a00000009"))
    client.ask(MessageType.STOP_ROSPEC, ROSpecID=1)
    client.ask(MessageType.DISABLE_ROSPEC, ROSpecID=1)
    client.ask(MessageType.DELETE_ROSPEC, ROSpecID=1)
    client.ask(MessageType.CLOSE_CONNECTION)
    return client.records


@pytest.mark.parametrize(
    "personality",
    [
        Personality(),
        Personality(clock=ReaderClock(uptime=True)),
        Personality(leftover_rospecs=(7,), omits_unchanged=True),
    ],
    ids=["r420", "uptime", "terse"],
)
def test_nothing_in_a_session_is_malformed(tmp_path: Path, personality: Personality) -> None:
    assert malformed(tmp_path, _session(personality)) == []
    capture = tmp_path / "session.pcap"
    kinds = {
        int(kind)
        for line in tshark(capture, "-Y", "llrp", "-T", "fields", "-e", "llrp.type")
        for kind in line.split(",")
    }
    answered = {kind for kind in MessageType if kind.name.endswith("_RESPONSE")} - {
        MessageType.ADD_ACCESSSPEC_RESPONSE,
        MessageType.ENABLE_ACCESSSPEC_RESPONSE,
        MessageType.DISABLE_ACCESSSPEC_RESPONSE,
    }
    assert answered <= kinds
    assert {61, 62, 63, 100} <= kinds


@pytest.mark.skipif(not os.environ.get("LLRP_VECTORS"), reason="LLRP_VECTORS does not name the folder of LLRP vectors")
def test_the_one_false_alarm_is_raised_for_a_real_reader_too(tmp_path: Path) -> None:
    """tshark takes Identification's content two bytes short; its verdict on ours is that on a recorded reader's."""
    recorded = Path(os.environ["LLRP_VECTORS"]).parent / "r420" / "GetReaderConfigResponse-000.bytes"
    client = Recorder(Personality(reader_id=bytes.fromhex("001625fffe112233")))
    client.connect()
    client.ask(MessageType.GET_READER_CONFIG, AntennaID=0, RequestedData=0, GPIPortNum=0, GPOPortNum=0)
    alarms = []
    for body in (recorded.read_bytes(), client.sent[-1][10:]):
        message = frame(MessageType.GET_READER_CONFIG_RESPONSE, 1, body)
        alarms.append(malformed(tmp_path, [Record(1, from_server=True, data=message)]))
    assert alarms[0] == alarms[1] != []


def test_the_judge_can_say_no(tmp_path: Path) -> None:
    lying = bytes.fromhex("043f 00000018 00000001 00f6 00ff 0080 000c 0005ac35bd20".replace(" ", ""))
    keepalive = pack_message(element(MessageType.KEEPALIVE), 2)
    assert malformed(tmp_path, [Record(1, from_server=True, data=lying + keepalive)])


def test_a_capture_is_one_unbroken_tcp_stream(tmp_path: Path) -> None:
    capture = tmp_path / "stream.pcap"
    records = [
        Record(1_000_000, from_server=False, data=b"a" * 40_000),
        Record(2_500_000, from_server=True, data=b"b" * 10),
        Record(3_000_000, from_server=False, data=b"c"),
    ]
    capture.write_bytes(pcap(records, server_port=PORT))
    assert tshark(capture, "-Y", "tcp.analysis.flags") == []
    lengths = tshark(
        capture, "-T", "fields", "-e", "tcp.srcport", "-e", "tcp.len", "-e", "tcp.seq", "-e", "frame.time_epoch"
    )
    rows = [line.split("\t")[:3] for line in lengths]
    assert rows == [
        ["49152", "0", "0"],
        ["5084", "0", "0"],
        ["49152", "0", "1"],
        ["49152", "32768", "1"],
        ["49152", "7232", "32769"],
        ["5084", "10", "1"],
        ["49152", "1", "40001"],
    ]
    assert float(lengths[5].split("\t")[3]) == pytest.approx(2.5)
