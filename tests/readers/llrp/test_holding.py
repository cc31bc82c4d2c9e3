import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.llrp.holding import pack_hold, runs_unchanged, split_rospecs
from readers.llrp.wire import FrameError
from tests.readers.llrp.frames import status, tlv


def rospec(state: int, rest: bytes = b"rest") -> bytes:
    return tlv(177, struct.pack(">IBB", 1, 0, state) + rest)


def test_the_flag_is_the_highest_bit() -> None:
    assert pack_hold(hold=True) == tlv(226, b"\x80")
    assert pack_hold(hold=False) == tlv(226, b"\x00")


def test_status_and_rospecs_are_told_apart_from_what_else_there_is() -> None:
    body = status() + rospec(2) + tlv(1023, bytes(8)) + rospec(0, b"")
    assert split_rospecs(body) == (status(), (rospec(2), rospec(0, b"")))
    assert split_rospecs(b"") == (b"", ())


@pytest.mark.parametrize("cut", [1, 3, 7, 9, 17])
def test_a_body_that_ends_inside_a_parameter_is_an_error_with_its_bytes(cut: int) -> None:
    body = (status() + rospec(2))[:cut]
    with pytest.raises(FrameError) as caught:
        split_rospecs(body)
    assert caught.value.evidence
    assert caught.value.hint


@given(st.binary(max_size=80))
def test_nothing_else_is_raised(body: bytes) -> None:
    with suppress(FrameError):
        found, rospecs = split_rospecs(body)
        assert len(found) + sum(map(len, rospecs)) <= len(body)


@given(st.binary(max_size=40), st.integers(0, 255), st.integers(0, 60))
def test_only_the_state_may_differ(rest: bytes, state: int, at: int) -> None:
    ours = rospec(0, rest)
    assert runs_unchanged(rospec(state, rest), ours) is (state == 2)
    running = bytearray(rospec(2, rest))
    at %= len(running)
    running[at] ^= 0x55
    assert not runs_unchanged(bytes(running), ours)
    assert not runs_unchanged(rospec(2, rest + b"\0"), ours)
