"""An independent judge of what we send: Wireshark's LLRP dissector."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from readers.llrp.control import AddRoSpec, AntennaPlan, GetReport, NotificationKind, RoSpec, SetConfig, SetOutputs
from readers.llrp.gpio import Boundary
from readers.llrp.messages import encode
from readers.llrp.settings import AirSettings, InputTrigger, Level, LlrpSettings, mask_of
from readers.llrp.states import State
from tests.readers.llrp.frames import frame, status, tlv
from tests.readers.llrp.test_session import Bench

LLRP_PORT = 5084
MASKS = (mask_of("3034257BF4", 38), mask_of("30"))
BARRIER = Boundary(start=InputTrigger(1), stop=InputTrigger(2, Level.LOW, 30.0))
DUTY = Boundary(period_ms=4000, on_ms=1000)


def pcap(segments: list[bytes]) -> bytes:
    """A capture (raw IPv4) of one TCP stream to the LLRP port."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    sequence = 1
    for number, segment in enumerate(segments):
        tcp = struct.pack(">HHIIBBHHH", 50000, LLRP_PORT, sequence, 1, 5 << 4, 0x18, 65535, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(segment), number, 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
        packet = ip + tcp + segment
        data += struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet
        sequence += len(segment)
    return data


def judged(tmp_path: Path, segments: list[bytes], *, fields: tuple[str, ...], only: str) -> list[str]:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed (Debian package tshark)")
    capture = tmp_path / "sent.pcap"
    capture.write_bytes(pcap(segments))
    command = [tshark, "-r", str(capture), "-d", f"tcp.port=={LLRP_PORT},llrp", "-Y", only, "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def everything_we_send() -> list[bytes]:
    air = AirSettings(power_dbm=29.0, session=2, mode=None, population=64)
    bench = Bench(LlrpSettings("reader", (1, 2, 4), air=air, per_antenna={4: AirSettings(power_dbm=12)}))
    bench.reach(State.READING)
    bench.hear(frame(62, b"", 9))
    bench.session.close(bench.now)
    bench.collect()
    return [frame(kind, body, message_id) for kind, message_id, body in bench.asked]


def test_nothing_that_we_send_is_malformed(tmp_path: Path) -> None:
    sent = [
        *everything_we_send(),
        encode(SetConfig(1, frozenset(NotificationKind), inputs=(1, 4), hold=True), 99),
        encode(GetReport(), 100),
        encode(SetOutputs({1: True, 4: False}), 101),
        encode(AddRoSpec(RoSpec(1, (AntennaPlan(1, 5, 0, 3, filters=MASKS),), 9, BARRIER)), 102),
        encode(
            AddRoSpec(RoSpec(1, (AntennaPlan(1, mode=2, session=1, population=9, filters=MASKS[:1]),), 9, DUTY)), 103
        ),
    ]
    types = judged(tmp_path, sent, fields=("llrp.type",), only="llrp")
    assert [int(kind) for kind in types] == [1, 1023, 2, 3, 41, 26, 21, 20, 24, 22, 72, 14, 3, 60, 3, 20, 20]
    malformed = '_ws.expert.group == "Malformed"'
    assert judged(tmp_path, sent, fields=("frame.number", "_ws.expert.message"), only=malformed) == []


def test_the_judge_would_find_something(tmp_path: Path) -> None:
    cut_inside = frame(30, tlv(287, status()[4:]) + b"\x01\x20\x00\x40", 1)
    malformed = '_ws.expert.group == "Malformed"'
    assert judged(tmp_path, [cut_inside], fields=("frame.number",), only=malformed)
