"""All frames of the toolkit's test data (LLRP_VECTORS) against its reference XML, there and back again.

The report frames' fields are compared in test_parameters.py.
"""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from readers.llrp.control import (
    Answer,
    CapabilitiesAnswer,
    CloseConnection,
    ConfigAnswer,
    ConnectionAttempt,
    ConnectionStatus,
    DeleteRoSpec,
    EnableRoSpec,
    GetCapabilities,
    GetConfig,
    InputChange,
    Notification,
    Request,
    RoSpecEnded,
    RoSpecStarted,
    SetOutputs,
    Stamp,
)
from readers.llrp.messages import decode, encode
from readers.llrp.wire import Frame, MessageType, pack_frame
from tests.readers.llrp.frames import frame, split, vectors

LTK = "{http://www.llrp.org/ltk/schema/core/encoding/xml/1.0}"
COUNTS = {"dx101_a": 934, "dx101_b": 24}


def frames(name: str) -> list[Frame]:
    found = split((vectors() / f"{name}.bin").read_bytes())
    assert len(found) == COUNTS[name]
    return [Frame(*found_frame) for found_frame in found]


def reference(name: str) -> list[ET.Element]:
    """The messages of the XML, in the order of the frames."""
    text = (vectors() / f"{name}.xml").read_text()
    root = ET.fromstring(re.sub(r"<\?xml.*?\?>", "", text))
    names = {kind.name for kind in MessageType}
    return [found for found in root.iter() if found.tag.removeprefix(LTK) in names]


def pairs(name: str) -> list[tuple[Frame, ET.Element]]:
    return list(zip(frames(name), reference(name), strict=True))


def text(element: ET.Element, path: str) -> str:
    found = element.find("/".join(f"{LTK}{step}" for step in path.split("/")))
    assert found is not None, path
    return found.text or ""


def microseconds(stamp: str) -> int:
    moment = datetime.fromisoformat(stamp)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000 + moment.microsecond


@pytest.mark.parametrize("name", COUNTS)
def test_every_frame_is_that_message(name: str) -> None:
    for received, wanted in pairs(name):
        assert MessageType(received.kind).name == wanted.tag.removeprefix(LTK)
        assert str(received.message_id) == wanted.get("MessageID")
        message = decode(received)
        assert message.message_id == received.message_id


@pytest.mark.parametrize("name", COUNTS)
def test_every_frame_is_packed_as_it_was(name: str) -> None:
    stream = (vectors() / f"{name}.bin").read_bytes()
    assert b"".join(pack_frame(received) for received in frames(name)) == stream


def test_every_event_happened_then_and_was_that() -> None:
    kinds: Counter[str] = Counter()
    for received, wanted in pairs("dx101_a"):
        if received.kind != MessageType.READER_EVENT_NOTIFICATION:
            continue
        message = decode(received)
        assert isinstance(message, Notification)
        data = wanted.find(f"{LTK}ReaderEventNotificationData")
        assert data is not None
        assert message.stamp == Stamp(microseconds(text(data, "UTCTimestamp/Microseconds")), utc=True)
        for event in data[1:]:
            kind = event.tag.removeprefix(LTK)
            kinds[kind] += 1
            if kind == "ConnectionAttemptEvent":
                assert message.happenings == (ConnectionAttempt(ConnectionStatus.SUCCESS),)
            elif kind == "GPIEvent":
                high = text(event, "GPIEvent") == "true"
                assert message.happenings == (InputChange(int(text(event, "GPIPortNumber")), high),)
            elif kind == "ROSpecEvent":
                started = text(event, "EventType") == "Start_Of_ROSpec"
                rospec_id = int(text(event, "ROSpecID"))
                assert message.happenings == (RoSpecStarted(rospec_id) if started else RoSpecEnded(rospec_id, 0),)
            else:
                assert message.happenings == ()
    assert kinds == {
        "ConnectionAttemptEvent": 1,
        "HoppingEvent": 884,
        "GPIEvent": 1,
        "AISpecEvent": 3,
        "ROSpecEvent": 2,
    }


def test_every_answer_says_what_the_reference_says() -> None:
    answers: Counter[str] = Counter()
    for received, wanted in pairs("dx101_a"):
        message = decode(received)
        if not isinstance(message, Answer):
            continue
        answers[type(message).__name__] += 1
        status = text(wanted, "LLRPStatus/StatusCode")
        assert message.status.code == status.removeprefix("M_")
        assert message.status.ok == (status == "M_Success")
        if isinstance(message, ConfigAnswer):
            told = {
                int(text(found, "AntennaID")): text(found, "AntennaConnected") == "true"
                for found in wanted.iter(f"{LTK}AntennaProperties")
            }
            assert message.antennas == told
        if isinstance(message, CapabilitiesAnswer):
            device = message.capabilities
            general, llrp = "GeneralDeviceCapabilities/", "LLRPCapabilities/"
            assert str(device.max_antennas) == text(wanted, general + "MaxNumberOfAntennaSupported")
            assert str(device.manufacturer) == text(wanted, general + "DeviceManufacturerName")
            assert str(device.model) == text(wanted, general + "ModelName")
            assert device.firmware == text(wanted, general + "ReaderFirmwareVersion")
            assert str(device.max_rospecs) == text(wanted, llrp + "MaxNumROSpecs")
            levels = {
                int(text(found, "Index")): int(text(found, "TransmitPowerValue")) / 100
                for found in wanted.iter(f"{LTK}TransmitPowerLevelTableEntry")
            }
            assert device.power_dbm == levels
    assert answers == {"Answer": 16, "CapabilitiesAnswer": 1, "ConfigAnswer": 3}


def number(message: ET.Element, name: str) -> int:
    return int(text(message, name))


def outputs_of(message: ET.Element) -> SetOutputs | None:
    """None where more than outputs is set."""
    outputs = message.findall(f"{LTK}GPOWriteData")
    if len(outputs) != len(message) - 1 or not outputs:
        return None
    return SetOutputs({number(each, "GPOPortNumber"): text(each, "GPOData") == "true" for each in outputs})


# Our own request that means the same as a reference message.
AS_WE_ASK: dict[MessageType, Callable[[ET.Element], Request | None]] = {
    MessageType.GET_READER_CAPABILITIES: lambda _: GetCapabilities(),
    MessageType.GET_READER_CONFIG: lambda _: GetConfig(),
    MessageType.SET_READER_CONFIG: outputs_of,
    MessageType.DELETE_ROSPEC: lambda message: DeleteRoSpec(number(message, "ROSpecID")),
    MessageType.ENABLE_ROSPEC: lambda message: EnableRoSpec(number(message, "ROSpecID")),
    MessageType.CLOSE_CONNECTION: lambda _: CloseConnection(),
}


def test_what_we_encode_too_are_the_same_bytes() -> None:
    same: Counter[MessageType] = Counter()
    for received, wanted in pairs("dx101_a"):
        kind = MessageType(received.kind)
        request = AS_WE_ASK[kind](wanted) if kind in AS_WE_ASK else None
        if request is not None:
            assert encode(request, received.message_id) == frame(received.kind, received.body, received.message_id)
            same[kind] += 1
    assert same == {
        MessageType.GET_READER_CAPABILITIES: 1,
        MessageType.GET_READER_CONFIG: 3,
        MessageType.DELETE_ROSPEC: 3,
        MessageType.ENABLE_ROSPEC: 4,
        MessageType.CLOSE_CONNECTION: 1,
        MessageType.SET_READER_CONFIG: 2,
    }
