import itertools
import random
from binascii import crc_hqx

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.m100.messages import Command, decode_tag, decode_text, query_parameters
from readers.m100.wire import MAX_PAYLOAD_BYTES, Form, Frame, FrameBuffer, FrameType, encode
from simulators.serial.m100 import storedcrc, tag_words
from tests.readers.port.vectors import Vector, needs_vectors, vectors

EPC = bytes.fromhex("30751FEB705C5904E3D50D70")
FORMS = (Form.M100, Form.R200)


def frame(kind: int, command: int, payload: bytes = b"", form: Form = Form.M100) -> bytes:
    body = bytes([kind, command]) + len(payload).to_bytes(2, "big") + payload
    return bytes([form.value[0], *body, sum(body) % 256, form.value[1]])


def tag(epc: bytes = EPC, rssi_dbm: int = -55, form: Form = Form.M100) -> bytes:
    return frame(2, 0x22, bytes([rssi_dbm & 0xFF]) + tag_words(epc), form)


def rcp(payload: bytes, code: int = 0x22) -> bytes:
    body = bytes([2, code]) + len(payload).to_bytes(2, "big") + payload + b"\x7e"
    return b"\xbb" + body + crc_hqx(body, 0xFFFF).to_bytes(2, "big")


def read(data: bytes) -> list[Frame]:
    """What comes out of the wire, fed whole; byte by byte it must be the same."""
    buffer, pieces = FrameBuffer(), FrameBuffer()
    frames = buffer.feed(data)
    singles = [found for byte in data for found in pieces.feed(bytes([byte]))]
    assert singles == frames
    assert (pieces.junk_bytes, pieces.pending_bytes) == (buffer.junk_bytes, buffer.pending_bytes)
    assert buffer.junk_bytes + buffer.pending_bytes + sum(len(each.payload) + 7 for each in frames) == len(data)
    return frames


VECTORS = vectors("M100")


@needs_vectors
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_each_published_frame_is_read_or_refused(vector: Vector) -> None:
    frames = read(vector.data)
    assert len(frames) == vector.valid
    if not frames:
        return
    found = frames[0]
    assert found.form is (Form.R200 if vector.data[0] == 0xAA else Form.M100)
    if not vector.from_device:
        assert encode(found.form, found.command, found.payload) == vector.data
    expect = vector.expect
    if "error" in expect:
        assert (found.command, found.payload[0]) == (0xFF, expect["error"])
    if "text" in expect:
        assert decode_text(found.payload) == expect["text"]
    if "power_cdbm" in expect:
        assert int.from_bytes(found.payload, "big") == expect["power_cdbm"]
    if "q" in expect:
        assert found.payload == query_parameters(expect["session"], expect["q"])
    if "epc" in expect:
        told = decode_tag(found.payload)
        assert (told.epc.hex().upper(), told.rssi_dbm) == (expect["epc"], expect.get("rssi_dbm", -60))
        assert told.sound is expect.get("tag_crc_ok", True)


@needs_vectors
@pytest.mark.parametrize("vector", [each for each in VECTORS if each.valid], ids=lambda vector: vector.name)
def test_each_published_frame_cut_at_every_byte(vector: Vector) -> None:
    for at in range(len(vector.data) + 1):
        buffer = FrameBuffer()
        assert len(buffer.feed(vector.data[:at]) + buffer.feed(vector.data[at:])) == 1
        assert (buffer.junk_bytes, buffer.pending_bytes) == (0, 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [0, 2, 4, 12, 16, 62])
def test_tags_of_every_size(size: int, form: Form) -> None:
    epc = bytes(range(0xA0, 0xA0 + size))
    (found,) = read(tag(epc, -70, form))
    assert decode_tag(found.payload)[:1] + decode_tag(found.payload)[2:] == (epc, -70, True)


def test_a_tag_whose_own_checksum_is_wrong_is_flagged() -> None:
    payload = bytearray(read(tag())[0].payload)
    for at in range(1, len(payload)):
        payload[at] ^= 0x10
        (found,) = read(frame(2, 0x22, bytes(payload)))
        assert not decode_tag(found.payload).sound
        payload[at] ^= 0x10
    longer = b"\xc9\x28\x00" + EPC + storedcrc(b"\x28\x00" + EPC).to_bytes(2, "big")
    assert not decode_tag(longer).sound, "the PC says five words, there are six"
    with pytest.raises(ValueError, match="4 bytes"):
        decode_tag(bytes(4))


def test_header_and_end_inside_a_payload() -> None:
    epc = bytes.fromhex("BB7EBB0222007EBB7EAADDBB")
    for form in FORMS:
        assert [decode_tag(found.payload).epc for found in read(tag(epc, form=form) * 3)] == [epc] * 3


@pytest.mark.parametrize("noise", [b"\x00", b"\xbb", b"\xaa\xbb\xbb", b"boot v1.2\r\n", bytes(range(256))])
def test_noise_before_between_and_after(noise: bytes) -> None:
    buffer = FrameBuffer()
    found = buffer.feed(noise + tag() + noise + tag() + noise) + buffer.idle()
    assert [decode_tag(each.payload).epc for each in found] == [EPC, EPC]
    assert buffer.junk_bytes + buffer.pending_bytes == 3 * len(noise)


def test_a_false_header_swallows_at_most_until_the_line_is_idle() -> None:
    buffer = FrameBuffer()
    false = bytes([0xBB, 2, 0x22, 1, 0xF0])
    assert buffer.feed(false + tag() + tag(bytes(12))) == []
    assert [decode_tag(found.payload).epc for found in buffer.idle()] == [EPC, bytes(12)]
    assert (buffer.pending_bytes, buffer.junk_bytes) == (0, len(false))


def test_a_false_header_ends_where_its_length_does() -> None:
    buffer = FrameBuffer()
    false = bytes([0xBB, 2, 0x22, 0, 40])
    assert len(buffer.feed(false + tag() * 3)) == 3


def test_half_a_frame_and_much_later_a_new_one() -> None:
    buffer = FrameBuffer()
    assert buffer.feed(tag()[:14]) == []
    assert buffer.idle() == []
    found = buffer.feed(tag()) + buffer.idle()
    assert len(found) == 1
    assert buffer.junk_bytes == 14


def test_a_slow_link_loses_nothing_to_the_idle_rule() -> None:
    buffer = FrameBuffer()
    found = []
    for byte in tag():
        found += buffer.feed(bytes([byte])) + buffer.idle()
    assert len(found) == 1
    assert buffer.junk_bytes == 0


def test_a_length_beyond_reason_is_no_header() -> None:
    assert len(read(bytes([0xBB, 1, 3]) + (MAX_PAYLOAD_BYTES + 1).to_bytes(2, "big") + tag())) == 1


def test_only_the_form_of_the_module_once_it_is_known() -> None:
    buffer = FrameBuffer()
    buffer.form = Form.R200
    assert buffer.feed(tag() + tag(form=Form.R200)) == [*FrameBuffer().feed(tag(form=Form.R200))]


def test_the_other_protocol_that_begins_alike_is_told_apart() -> None:
    buffer = FrameBuffer()
    data = rcp(b"\x01\x02") + rcp(bytes(20)) + rcp(b"", 3)
    found = [each for byte in data for each in buffer.feed(bytes([byte]))]
    assert (found, buffer.foreign_frames, buffer.junk_bytes) == ([], 3, 0)
    assert len(buffer.feed(tag())) == 1
    hurt = bytearray(rcp(b"\x01\x02"))
    hurt[-1] ^= 1
    assert buffer.feed(bytes(hurt)) == []
    assert buffer.foreign_frames == 3


@given(st.binary(max_size=120), st.integers(0, 3))
def test_any_noise_never_hides_what_comes_after_it(noise: bytes, count: int) -> None:
    buffer = FrameBuffer()
    found = buffer.feed(noise) + buffer.idle()
    found += buffer.feed(tag() * count) + buffer.idle() + buffer.idle()
    assert sum(each.payload == tag()[5:-2] for each in found) == count


@given(st.lists(st.sampled_from([tag(), tag(bytes(4)), frame(1, 0xFF, b"\x15"), frame(1, 3, b"\x00M100")]), max_size=8))
def test_any_cutting_gives_the_same_frames(frames: list[bytes]) -> None:
    data = b"".join(frames)
    rng = random.Random(len(data))
    cuts = sorted(rng.sample(range(len(data) + 1), min(len(data), 5)))
    buffer = FrameBuffer()
    found = [each for a, b in itertools.pairwise([0, *cuts, len(data)]) for each in buffer.feed(data[a:b])]
    assert [frame(each.kind, each.command, each.payload) for each in found] == frames


def test_a_command_of_ours() -> None:
    assert encode(Form.M100, Command.INFO, b"\x00").hex() == "bb000300010004" + "7e"
    assert encode(Form.R200, Command.STOP_POLL).hex() == "aa00280000" + "28dd"
    assert FrameBuffer().feed(encode(Form.M100, 0x28))[0].kind is FrameType.COMMAND
