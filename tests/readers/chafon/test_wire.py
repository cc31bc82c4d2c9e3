import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.chafon.messages import (
    BANDS,
    Band,
    Dialect,
    antenna_of,
    decode_info,
    decode_inventory,
    decode_pushed,
    inventory_payload,
    region_payload,
)
from readers.chafon.settings import ChafonSettings, Region
from readers.chafon.wire import HEARTBEAT, Frame, FrameBuffer, crc, encode
from readers.port.settings import PortSettings
from simulators.clock import WallClock
from simulators.field import FixedField
from simulators.serial.chafon import ChafonDevice, checksum
from tests.readers.port.vectors import Vector, needs_vectors, vectors

READER = ChafonDevice(FixedField({}), WallClock())
EPCS = [bytes([0x30, n]) + bytes(10) for n in range(3)]
VECTORS = vectors("CHAFON")


def reply(command: int = 1, status: int = 1, data: bytes = b"", address: int = 0) -> bytes:
    return ChafonDevice(FixedField({}), WallClock(), address).frame(command, status, data)


def tags288(epcs: list[bytes], ports: int = 1, rssi: int = 0x64) -> bytes:
    return bytes([ports, len(epcs)]) + b"".join(bytes([len(epc)]) + epc + bytes([rssi]) for epc in epcs)


def read(data: bytes) -> list[Frame]:
    """What comes out of the wire, fed whole; byte by byte it must be the same."""
    buffer, pieces = FrameBuffer(), FrameBuffer()
    frames = buffer.feed(data)
    assert [found for byte in data for found in pieces.feed(bytes([byte]))] == frames
    assert (pieces.junk_bytes, pieces.pending_bytes) == (buffer.junk_bytes, buffer.pending_bytes)
    return frames


@needs_vectors
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_each_published_frame(vector: Vector) -> None:
    assert vector.valid
    if not vector.from_device:
        assert encode(vector.data[1], vector.data[2], vector.data[3:-2]) == vector.data
        return
    (found,) = read(vector.data)
    expect = vector.expect
    if "type" in expect:
        info = decode_info(found.data)
        assert (info.kind, info.power_dbm, info.scan_time) == (expect["type"], expect["power"], expect["scan"])
        assert info.band == BANDS[Region(expect["band"].lower())].code
    elif "dialect" in expect:
        dialect = Dialect.READER18 if expect["dialect"] == "18" else Dialect.READER288
        tags = decode_inventory(dialect, found.data)
        told = [[tag.epc.hex().upper(), port(tag.ports), tag.rssi_raw] for tag in tags]
        assert told == expect["tags"]
    else:
        tag = decode_pushed(found.data)
        assert [[tag.epc.hex().upper(), port(tag.ports), tag.rssi_raw]] == expect["tags"]


def port(ports: int | None) -> int | None:
    return None if ports is None else antenna_of(ports, (1, 2, 3, 4))


@needs_vectors
@pytest.mark.parametrize("vector", [each for each in VECTORS if each.from_device], ids=lambda vector: vector.name)
def test_each_published_frame_cut_at_every_byte_and_hurt_at_every_bit(vector: Vector) -> None:
    for at in range(len(vector.data) + 1):
        buffer = FrameBuffer()
        assert len(buffer.feed(vector.data[:at]) + buffer.feed(vector.data[at:])) == 1
        assert (buffer.junk_bytes, buffer.pending_bytes) == (0, 0)
    for bit in range(8, 8 * len(vector.data)):
        hurt = bytearray(vector.data)
        hurt[bit // 8] ^= 1 << bit % 8
        assert FrameBuffer().feed(bytes(hurt)) == []


def test_the_looks_that_are_asked_for() -> None:
    payload = inventory_payload(Dialect.READER288, antenna=4, session=1, q=4, scan_time=10)
    assert encode(0, 1, payload).hex().upper() == "09000104010083" + "0AF1EC"
    assert inventory_payload(Dialect.READER18, antenna=1, session=1, q=4, scan_time=10) == b""
    assert region_payload(Band(4, 14)) == bytes.fromhex("4e00")
    assert region_payload(Band(3, 31)) == bytes([31, 0xC0])


@pytest.mark.parametrize("size", [0, 2, 4, 12, 16, 62])
def test_tags_of_every_size(size: int) -> None:
    epc = bytes(range(size))
    (found,) = read(reply(data=tags288([epc])))
    assert decode_inventory(Dialect.READER288, found.data)[0][:2] == (epc, 1)
    (plain,) = decode_inventory(Dialect.READER18, bytes([1, size]) + epc)
    assert plain == (epc, None, None)


def test_trailers_of_a_tag_are_passed_over() -> None:
    epc, tid = EPCS[1], bytes(12)
    with_phase = bytes([1, 2, 0x40 | 12]) + epc + b"\x50" + bytes(7) + bytes([12]) + EPCS[2] + b"\x51"
    assert [tag.epc for tag in decode_inventory(Dialect.READER288, with_phase)] == [epc, EPCS[2]]
    with_tid = bytes([1, 1, 0x80 | 24]) + epc + tid + b"\x50"
    assert [(tag.epc, tag.rssi_raw) for tag in decode_inventory(Dialect.READER288, with_tid)] == [(epc, 0x50)]


def test_what_does_not_add_up_is_not_believed() -> None:
    whole = tags288(EPCS)
    for cut in range(1, len(whole)):
        with pytest.raises(ValueError, match=r"tag|count"):
            decode_inventory(Dialect.READER288, whole[:cut])
    with pytest.raises(ValueError, match="the frame has"):
        decode_inventory(Dialect.READER288, whole + b"\x00")
    plain = bytes([2, 2, 0xE2, 0x00, 2, 0xE2, 0x01])
    for cut in range(1, len(plain)):
        with pytest.raises(ValueError, match="tag"):
            decode_inventory(Dialect.READER18, plain[:cut])
    with pytest.raises(ValueError, match="the frame has"):
        decode_inventory(Dialect.READER18, plain + b"\x00")
    assert decode_inventory(Dialect.READER18, b"") == decode_inventory(Dialect.READER288, b"") == []
    with pytest.raises(ValueError, match="tag"):
        decode_inventory(Dialect.READER288, bytes([1, 1, 0x80 | 4, *bytes(5)]))
    for pushed in (b"", b"\x01\x0c", b"\x01\x02\xe2\x00"):
        with pytest.raises(ValueError, match="length"):
            decode_pushed(pushed)
    with pytest.raises(ValueError, match="8"):
        decode_info(bytes(7))


@given(st.binary(max_size=300))
def test_no_content_makes_a_decoder_fall(data: bytes) -> None:
    for dialect in Dialect:
        try:
            tags = decode_inventory(dialect, data)
        except ValueError:
            continue
        assert sum(len(tag.epc) for tag in tags) <= len(data)


def test_antennas_of_readers_with_few_and_with_many_ports() -> None:
    assert [antenna_of(ports, (1, 3)) for ports in (1, 2, 4, 5, 0)] == [1, None, 3, None, None]
    assert [antenna_of(ports, (1, 12)) for ports in (0, 11, 12, 1)] == [1, 12, None, None]


@pytest.mark.parametrize("noise", [b"\x00", b"\x05", b"\x13\x00\x01", bytes(range(60)), b"\xff" * 7])
def test_noise_before_between_and_after(noise: bytes) -> None:
    buffer = FrameBuffer()
    one = reply(data=tags288(EPCS))
    found = buffer.feed(noise + one + noise + one + noise) + buffer.idle() + buffer.idle()
    assert [frame.data for frame in found] == [one[4:-2]] * 2
    assert buffer.junk_bytes + buffer.pending_bytes == 3 * len(noise)


def test_a_false_length_swallows_only_until_the_line_is_idle() -> None:
    buffer = FrameBuffer()
    assert buffer.feed(b"\xff\x00" + reply()) == []
    assert len(buffer.idle()) == 1
    assert (buffer.junk_bytes, buffer.pending_bytes) == (2, 0)


def test_half_a_frame_and_much_later_a_new_one() -> None:
    buffer = FrameBuffer()
    assert buffer.feed(reply(data=tags288(EPCS))[:20]) + buffer.idle() == []
    assert len(buffer.feed(reply()) + buffer.idle()) == 1


def test_heartbeats_that_are_no_frames() -> None:
    assert len(read(HEARTBEAT + reply() + HEARTBEAT * 2 + reply() + HEARTBEAT)) == 2
    buffer = FrameBuffer()
    buffer.feed(HEARTBEAT)
    assert (buffer.junk_bytes, buffer.pending_bytes) == (0, 0)
    long = reply(data=bytes(0x56 - 5))
    assert (long[0], len(read(long))) == (0x56, 1)


@given(st.binary(max_size=80), st.integers(0, 3))
def test_any_noise_never_hides_what_comes_after_it(noise: bytes, count: int) -> None:
    buffer = FrameBuffer()
    one = reply(data=tags288(EPCS))
    found = buffer.feed(noise) + buffer.idle()
    found += buffer.feed(one * count) + buffer.idle() + buffer.idle()
    assert sum(frame.data == one[4:-2] for frame in found) == count


@given(st.lists(st.sampled_from([reply(), reply(0x21, 0, bytes(8)), reply(0xEE, 0, bytes(4), 7)]), max_size=8))
def test_any_cutting_gives_the_same_frames(frames: list[bytes]) -> None:
    data = b"".join(frames)
    rng = random.Random(len(data))
    cuts = sorted(rng.sample(range(len(data) + 1), min(len(data), 5)))
    buffer = FrameBuffer()
    found = [each for a, b in itertools.pairwise([0, *cuts, len(data)]) for each in buffer.feed(data[a:b])]
    assert [reply(each.command, each.status, each.data, each.address) for each in found] == frames


def test_the_checksum_of_the_standard_example() -> None:
    assert crc(b"123456789") == bytes.fromhex("916f")
    assert crc(encode(0xFF, 0x21)) == bytes(2)
    for size in range(60):
        data = bytes(range(7, 7 + size))
        assert int.from_bytes(crc(data), "little") == checksum(data), "as the simulator reckons it"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"power_dbm": 34}, "power_dbm"),
        ({"power_dbm": -1}, "power_dbm"),
        ({"bus_address": 255}, "bus_address"),
        ({"serial_number": "12"}, "serial_number"),
        ({"antennas": (0,)}, "antennas"),
        ({"antennas": ()}, "antennas"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object], words: str) -> None:
    usual = {"antennas": (1,), "region": Region.EU, "power_dbm": 26, **wrong}
    with pytest.raises(ValueError, match=words):
        ChafonSettings(PortSettings("/dev/x"), **usual)  # type: ignore[arg-type]  # what a file may say


def test_there_is_no_default_for_region_and_power() -> None:
    with pytest.raises(TypeError, match="region"):
        ChafonSettings(PortSettings("/dev/x"), (1,))  # type: ignore[call-arg]  # that is the point
