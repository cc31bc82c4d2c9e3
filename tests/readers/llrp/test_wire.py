import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.llrp.wire import (
    EVIDENCE_BYTES,
    MAX_FRAME_BYTES,
    READ_ROOM_BYTES,
    Frame,
    FrameBuffer,
    FrameError,
    MessageType,
    NotLlrp,
    feed,
    pack_frame,
)
from tests.readers.llrp.frames import cuts, frame, split, vectors

EVENT = frame(63, b"\x00\xf6\x00\x04", 1)
frames_strategy = st.lists(
    st.builds(
        frame, st.sampled_from([int(kind) for kind in MessageType]), st.binary(max_size=200), st.integers(0, 2**32 - 1)
    ),
    max_size=12,
)


def as_tuples(frames: list[Frame]) -> list[tuple[int, int, bytes]]:
    return [(each.kind, each.message_id, each.body) for each in frames]


def received(pieces: list[bytes]) -> tuple[list[tuple[int, int, bytes]], FrameBuffer]:
    buffer = FrameBuffer()
    found: list[Frame] = []
    for piece in pieces:
        found += feed(buffer, piece)
    return as_tuples(found), buffer


@given(frames_strategy, st.lists(st.integers(0, 5000), max_size=20))
def test_the_same_frames_come_out_of_any_cut(packed: list[bytes], points: list[int]) -> None:
    stream = b"".join(packed)
    found, buffer = received(cuts(stream, points))
    assert found == split(stream)
    assert buffer.broken is None
    assert buffer.pending_bytes == 0


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_garbage_never_raises_and_ends_alike_in_any_cut(garbage: bytes, points: list[int]) -> None:
    stream = EVENT + garbage
    whole, one = received([stream])
    in_pieces, other = received(cuts(stream, points))
    assert whole == in_pieces
    assert (one.broken is None) == (other.broken is None)


def test_whole_single_bytes_and_a_tail() -> None:
    stream = EVENT + frame(62, b"", 7) + frame(61, bytes(1000), 8)
    expected = split(stream)
    for pieces in ([stream], [bytes((byte,)) for byte in stream]):
        found, buffer = received(pieces)
        assert found == expected
        assert buffer.pending_bytes == 0
    found, buffer = received([stream + frame(62, b"", 9)[:6]])
    assert found == expected
    assert buffer.pending_bytes == 6


def test_any_header_version_is_tolerated() -> None:
    buffer = FrameBuffer()
    found = [version for v in range(8) for version in feed(buffer, frame(62, b"", v, version=v))]
    assert [each.version for each in found] == list(range(8))


@pytest.mark.parametrize(
    "garbage",
    [
        bytes.fromhex("a55a00098d01850d0a"),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        bytes.fromhex("15030300020228") + bytes(8),
        bytes(10),
    ],
    ids=["serial", "http", "ssh", "tls", "zeros"],
)
def test_what_is_no_llrp_is_told_at_once(garbage: bytes) -> None:
    for pieces in ([garbage], [bytes((byte,)) for byte in garbage]):
        found, buffer = received(pieces)
        assert not found
        assert isinstance(buffer.broken, NotLlrp)
        assert "not an LLRP reader" in buffer.broken.text
        assert garbage.startswith(buffer.broken.evidence)


def test_one_byte_is_enough_to_know_a_stranger() -> None:
    _, buffer = received([b"\xa5"])
    assert isinstance(buffer.broken, NotLlrp)


@pytest.mark.parametrize("length", [0, 9, MAX_FRAME_BYTES + 1, 2**32 - 1])
def test_a_lying_length_breaks_the_stream_but_not_what_came_before(length: int) -> None:
    stream = EVENT + struct.pack(">HII", 0x0400 | 62, length, 5) + bytes(100)
    for pieces in ([stream], [bytes((byte,)) for byte in stream]):
        found, buffer = received(pieces)
        assert found == split(EVENT)
        assert type(buffer.broken) is FrameError
        assert str(length) in buffer.broken.text
        assert 0 < len(buffer.broken.evidence) <= EVIDENCE_BYTES
        assert buffer.broken.hint
        assert not feed(buffer, frame(62))


def test_reserved_bits_later_in_the_stream_are_a_frame_error() -> None:
    _, buffer = received([EVENT + b"\xff"])
    assert type(buffer.broken) is FrameError


def test_a_frame_far_beyond_the_buffer_arrives_and_the_buffer_shrinks_again() -> None:
    big = frame(61, bytes(range(256)) * 4000, 3)
    found, buffer = received([EVENT + big[:100_000], big[100_000:] + frame(62, b"", 4)])
    assert found == split(EVENT + big + frame(62, b"", 4))
    assert len(buffer.get_buffer()) == READ_ROOM_BYTES


def test_the_buffer_never_offers_an_empty_room() -> None:
    buffer = FrameBuffer()
    feed(buffer, EVENT)
    stream = frame(61, bytes(300_000), 1)
    for start in range(0, len(stream), 30_000):
        assert len(buffer.get_buffer()) >= 1
        feed(buffer, stream[start : start + 30_000])
    assert buffer.pending_bytes == 0


@given(st.sampled_from(list(MessageType)), st.integers(0, 2**32 - 1), st.binary(max_size=50))
def test_packing_is_the_standard_s_layout(kind: MessageType, message_id: int, body: bytes) -> None:
    assert pack_frame(Frame(kind, message_id, body)) == frame(kind, body, message_id)


@pytest.mark.parametrize("name", ["dx101_a.bin", "dx101_b.bin"])
def test_reference_frames_whole_by_the_byte_and_with_a_tail(name: str) -> None:
    stream = (vectors() / name).read_bytes()
    expected = split(stream)
    assert len(expected) in {934, 24}
    assert received([stream])[0] == expected
    assert received([stream[at : at + 1] for at in range(len(stream))])[0] == expected
    found, buffer = received([stream + stream[:15]])
    assert found == expected
    assert buffer.pending_bytes == 15
