import os
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.llrp.layouts import MESSAGES, PARAMETERS, Child, Layout
from simulators.llrp.names import MessageType, ParameterType, StatusCode
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import (
    BadFrameError,
    BadMessageError,
    Bits,
    Element,
    Frame,
    Splitter,
    element,
    frame,
    pack_message,
    pack_parameter,
    read_message,
    read_parameter,
)

VECTORS = os.environ.get("LLRP_VECTORS")
needs_vectors = pytest.mark.skipif(not VECTORS, reason="LLRP_VECTORS does not name the folder of LLRP vectors")
NAMESPACE = "{http://www.llrp.org/ltk/schema/core/encoding/binary/1.0}"

# (parameter, its bytes as the tables of section 16.2 give them)
BY_HAND = [
    (element(P.AntennaID, AntennaID=0x0102), "81 0102"),
    (element(P.PeakRSSI, PeakRSSI=-55), "86 c9"),
    (element(P.LastSeenTimestampUTC, Microseconds=0x0005AC35BD20D1DA), "84 0005ac35bd20d1da"),
    (element(P.EPC_96, EPC=bytes.fromhex("3074257bf7194e4000001a85")), "8d 3074257bf7194e4000001a85"),
    (element(P.EPCData, EPC=Bits(12, b"\xab\xc0")), "00f1 0008 000c abc0"),
    (element(P.ConnectionAttemptEvent, Status=2), "0100 0006 0002"),
    (element(P.ROSpecEvent, EventType=1, ROSpecID=9, PreemptingROSpecID=0), "00f9 000d 01 00000009 00000000"),
    (element(P.AISpec, AntennaIDs=(1, 4)), "00b7 000a 0002 0001 0004"),
    (element(P.C1G2EPCMemorySelector, EnableCRC=0, EnablePCBits=1), "015c 0005 40"),
    (element(P.AntennaProperties, AntennaConnected=1, AntennaID=3, AntennaGain=-2), "00dd 0009 80 0003 fffe"),
    (
        element(
            P.LLRPStatus,
            element(P.FieldError, FieldNum=3, ErrorCode=300),
            StatusCode=101,
            ErrorDescription="no",
        ),
        "011f 0012 0065 0002 6e6f 0120 0008 0003 012c",
    ),
    (element(P.KeepaliveSpec, KeepaliveTriggerType=1, PeriodicTriggerValue=5000), "00dc 0009 01 00001388"),
    (
        element(P.FrequencyHopTable, HopTableID=1, Frequency=(902750, 903250)),
        "0093 0010 01 00 0002 000dc65e 000dc852",
    ),
]


@pytest.mark.parametrize(("parameter", "written"), BY_HAND, ids=lambda v: getattr(v, "type", ""))
def test_packs_as_written_by_hand(parameter: Element, written: str) -> None:
    assert pack_parameter(parameter).hex() == written.replace(" ", "")


@pytest.mark.parametrize(("parameter", "written"), BY_HAND, ids=lambda v: getattr(v, "type", ""))
def test_reads_what_it_packs(parameter: Element, written: str) -> None:
    if parameter.type is P.AISpec:
        with pytest.raises(BadMessageError) as caught:
            read_parameter(bytes.fromhex(written))
        assert caught.value.code is StatusCode.P_MissingParameter
        assert caught.value.path == (P.AISpec, P.AISpecStopTrigger)
    else:
        assert read_parameter(bytes.fromhex(written)) == parameter


def test_message_header() -> None:
    assert pack_message(element(MessageType.KEEPALIVE), 0x01020304).hex() == "043e0000000a01020304"
    start = element(MessageType.START_ROSPEC, ROSpecID=5)
    assert pack_message(start, 1, version=2).hex() == "08160000000e0000000100000005"


def _frames(data: bytes, size: int) -> list[Frame]:
    splitter = Splitter()
    return [got for at in range(0, len(data), size) for got in splitter.feed(data[at : at + size])]


def test_splits_whole_byte_by_byte_and_with_a_tail() -> None:
    one = pack_message(element(MessageType.KEEPALIVE), 1)
    two = pack_message(element(MessageType.START_ROSPEC, ROSpecID=5), 2)
    expected = [Frame(1, 62, 1, b""), Frame(1, 22, 2, b"\0\0\0\5")]
    data = one + two
    assert _frames(data, len(data)) == expected
    assert _frames(data, 1) == expected
    splitter = Splitter()
    assert list(splitter.feed(data + one[:7])) == expected
    assert list(splitter.feed(one[7:])) == expected[:1]


@pytest.mark.parametrize("length", [0, 9, (1 << 20) + 1, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_the_stream(length: int) -> None:
    header = bytes.fromhex("043e") + length.to_bytes(4, "big") + bytes(4)
    with pytest.raises(BadFrameError) as caught:
        list(Splitter().feed(header))
    assert caught.value.evidence == header


@pytest.mark.parametrize(
    ("kind", "body", "code", "path"),
    [
        (22, "0000", StatusCode.P_FieldError, ()),
        (30, "", StatusCode.P_MissingParameter, (P.LLRPStatus,)),
        (30, "011f000800000000 011f000800000000", StatusCode.P_DuplicateParameter, (P.LLRPStatus,)),
        (30, "011f000800000000 810001", StatusCode.P_UnexpectedParameter, (P.AntennaID,)),
        (30, "011f000800000000 03e70004", StatusCode.P_UnknownParameter, (999,)),
        (30, "011f00ff00000000", StatusCode.P_ParameterError, (P.LLRPStatus,)),
        (30, "011f000400000000", StatusCode.P_FieldError, (P.LLRPStatus,)),
        (30, "011f0008000000", StatusCode.P_ParameterError, (P.LLRPStatus,)),
        (30, "011f", StatusCode.P_ParameterError, ()),
        (30, "011f000800000009", StatusCode.P_FieldError, (P.LLRPStatus,)),
        (999, "", StatusCode.M_UnsupportedMessage, ()),
    ],
)
def test_says_what_is_wrong_and_where(kind: int, body: str, code: StatusCode, path: tuple[int, ...]) -> None:
    with pytest.raises(BadMessageError) as caught:
        read_message(Frame(1, kind, 1, bytes.fromhex(body)))
    assert (caught.value.code, caught.value.path) == (code, path)


def test_vendor_extensions_may_stand_in_a_list_of_parameters() -> None:
    custom = element(P.Custom, VendorIdentifier=25882, ParameterSubtype=1, Data=b"xyz")
    content = element(MessageType.SET_READER_CONFIG, custom, ResetToFactoryDefault=0)
    packed = pack_message(content, 1)
    assert read_message(next(Splitter().feed(packed))) == content


@given(kind=st.sampled_from(sorted(MESSAGES)), body=st.binary(max_size=200))
def test_any_body_is_read_or_refused(kind: MessageType, body: bytes) -> None:
    content = _read(Frame(1, kind, 1, body))
    if isinstance(content, Element):
        assert _read(next(Splitter().feed(pack_message(content, 1)))) == content
    else:
        assert len(content.evidence) <= 64


def _read(received: Frame) -> Element | BadMessageError:
    try:
        return read_message(received)
    except BadMessageError as error:
        return error


@given(data=st.binary(max_size=300), size=st.integers(1, 50))
def test_any_stream_is_split_the_same_however_it_is_cut(data: bytes, size: int) -> None:
    def outcome(step: int) -> tuple[list[Frame], bool]:
        splitter, frames = Splitter(), list[Frame]()
        try:
            for at in range(0, len(data), step):
                frames += list(splitter.feed(data[at : at + step]))
        except BadFrameError:
            return frames, True
        return frames, False

    whole, broken = outcome(max(len(data), 1))
    pieces, pieces_broken = outcome(size)
    assert broken == pieces_broken
    # A list that an error interrupts is lost with the call; the frames before it in earlier calls are the same.
    assert pieces == whole or (broken and pieces[: len(whole)] == whole)


Plain = tuple[list[tuple[str, str]], list[tuple[set[P], int, int | None]]]


def _definition() -> tuple[dict[str, tuple[int, Plain]], dict[str, tuple[int, Plain]]]:
    """The layouts that the definition file gives: (messages, parameters) by name."""
    assert VECTORS
    root = ET.parse(Path(VECTORS) / "llrp-1x0-def.xml").getroot()
    choices = {
        node.attrib["name"]: [item.attrib["type"] for item in node.iter(f"{NAMESPACE}parameter")]
        for node in root.iter(f"{NAMESPACE}choiceDefinition")
    }
    repeats: dict[str, tuple[int, int | None]] = {"1": (1, 1), "0-1": (0, 1), "0-N": (0, None), "1-N": (1, None)}

    def read(tag: str) -> dict[str, tuple[int, Plain]]:
        return {node.attrib["name"]: (int(node.attrib["typeNum"]), plain(node)) for node in root.iter(tag)}

    def plain(node: ET.Element) -> Plain:
        fields, children = list[tuple[str, str]](), list[tuple[set[P], int, int | None]]()
        for item in node:
            kind = item.tag.removeprefix(NAMESPACE)
            if kind == "field":
                fields.append((item.attrib["type"].replace("bytesToEnd", "rest"), item.attrib["name"]))
            elif kind == "reserved":
                fields.append((f"r{item.attrib['bitCount']}", ""))
            elif kind in {"parameter", "choice"}:
                name = item.attrib["type"]
                names = choices[name] if kind == "choice" else [name]
                known = [P[n] for n in names if n in P.__members__ and n != "Custom"]
                least, most = repeats[item.attrib["repeat"]]
                # What the simulator leaves out must be something that nobody has to send, else this is a difference.
                if known or (least > 0 and name != "Custom"):
                    children.append((set(known), least, most))
        return fields, children

    return read(f"{NAMESPACE}messageDefinition"), read(f"{NAMESPACE}parameterDefinition")


def _plain(shape: Layout) -> Plain:
    def child(place: Child) -> tuple[set[P], int, int | None]:
        return set(place.types), place.least, place.most

    return [(item.kind, item.name) for item in shape.fields], [child(place) for place in shape.children]


@needs_vectors
def test_every_layout_is_that_of_the_definition() -> None:
    messages, parameters = _definition()
    for kind, shape in MESSAGES.items():
        assert (kind.name, messages[kind.name]) == (kind.name, (kind, _plain(shape)))
    # Its operations are kept unread.
    opaque = {P.AccessCommand}
    for parameter, shape in PARAMETERS.items():
        if parameter not in opaque:
            assert (parameter.name, parameters[parameter.name]) == (parameter.name, (parameter, _plain(shape)))


def test_every_type_that_has_a_name_has_a_layout() -> None:
    assert set(PARAMETERS) == set(ParameterType)
    assert set(MESSAGES) == set(MessageType)


@needs_vectors
def test_real_bodies_survive_reading_and_packing() -> None:
    assert VECTORS
    folder = Path(VECTORS).parent / "r420"
    for name, kind in (
        ("GetReaderCapabilitiesResponse-000", MessageType.GET_READER_CAPABILITIES_RESPONSE),
        ("GetReaderConfigResponse-000", MessageType.GET_READER_CONFIG_RESPONSE),
        ("ReaderEventNotification-000", MessageType.READER_EVENT_NOTIFICATION),
    ):
        body = (folder / f"{name}.bytes").read_bytes()
        content = read_message(Frame(1, kind, 9, body))
        assert pack_message(content, 9) == frame(kind, 9, body)


@needs_vectors
def test_toolkit_frames_survive_or_hold_what_the_simulator_does_not_speak() -> None:
    assert VECTORS
    outcomes: Counter[str] = Counter()
    for received in Splitter().feed((Path(VECTORS) / "dx101_a.bin").read_bytes()):
        content = _read(received)
        if isinstance(content, Element):
            packed = pack_message(content, received.id, received.version)
            assert packed == frame(MessageType(received.type), received.id, received.body, received.version)
            outcomes["same"] += 1
        else:
            # Hopping and GPI events, which the simulated reader never has.
            assert content.path[-1] in {247, 248}
            outcomes["not spoken"] += 1
    assert outcomes == {"not spoken": 884, "same": 50}
