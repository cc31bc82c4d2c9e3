import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.llrp.introduction import MAX_INTRODUCTION_BYTES, QUESTION_ID, Introduction, address_identity
from readers.llrp.wire import MessageType
from tests.readers.llrp.frames import connection_event, frame, status, tlv, usual_report

EUI = bytes.fromhex("001625fffe123456")
EVENT = connection_event()
REPORT = frame(MessageType.RO_ACCESS_REPORT, usual_report(1))


def identification(kind: int = 0, name: bytes = EUI, count: int | None = None) -> bytes:
    return tlv(218, struct.pack(">BH", kind, len(name) if count is None else count) + name)


def answer(*parts: bytes, message_id: int = QUESTION_ID) -> bytes:
    return frame(MessageType.GET_READER_CONFIG_RESPONSE, status() + b"".join(parts), message_id)


def introduced(*pieces: bytes, asks: bool = True) -> tuple[Introduction, bytes]:
    introduction = Introduction(asks=asks)
    return introduction, b"".join(introduction.receive(piece) for piece in pieces)


def test_a_reader_is_asked_once_it_has_spoken() -> None:
    introduction, said = introduced(EVENT, EVENT)
    assert said == struct.pack(">HIIHBHH", 0x0400 | 2, 17, QUESTION_ID, 0, 1, 0, 0)
    assert not introduction.done
    introduction.receive(answer(identification()))
    assert (introduction.done, introduction.identity) == (True, "eui64:001625fffe123456")


@pytest.mark.parametrize("pieces", ["whole", "bytes", "tail"])
def test_what_it_says_beside_the_answer_is_kept_in_order(pieces: str) -> None:
    other = answer(identification(name=b"\1\2"), message_id=7)
    before, after = EVENT + REPORT + other, REPORT
    stream = before + answer(identification()) + after + (REPORT[:15] if pieces == "tail" else b"")
    cut = [stream] if pieces != "bytes" else [bytes([byte]) for byte in stream]
    # In one piece the answer comes before the question went out; to us it is the same.
    introduction, _ = introduced(*cut)
    assert introduction.identity == "eui64:001625fffe123456"
    assert introduction.replay == before + after + (REPORT[:15] if pieces == "tail" else b"")


@pytest.mark.parametrize(
    ("parts", "identity"),
    [
        ((identification(1, bytes.fromhex("3074257bf7194e4000001a85")),), "epc:3074257bf7194e4000001a85"),
        ((tlv(221, bytes(5)), identification()), "eui64:001625fffe123456"),
        ((), None),
        ((identification(2),), None),
        ((identification(count=9),), None),
        ((identification(name=b""),), None),
        ((tlv(218, b"\0"),), None),
        ((b"\x01\x02\x03",), None),
        ((tlv(221, bytes(5))[:-3],), None),
    ],
)
def test_what_it_calls_itself(parts: tuple[bytes, ...], identity: str | None) -> None:
    introduction, _ = introduced(EVENT, answer(*parts))
    assert (introduction.done, introduction.identity, introduction.failed) == (True, identity, "")


def test_a_reader_that_refuses_the_question_has_no_name() -> None:
    introduction, _ = introduced(EVENT, frame(MessageType.ERROR_MESSAGE, status(100, b"no"), QUESTION_ID))
    assert (introduction.done, introduction.identity) == (True, None)


def test_where_the_address_tells_enough_nothing_is_asked() -> None:
    introduction, said = introduced(EVENT[:10], asks=False)
    assert not introduction.done
    said += introduction.receive(EVENT[10:] + REPORT[:5])
    assert (introduction.done, said, introduction.replay) == (True, b"", EVENT + REPORT[:5])


def test_what_is_no_reader_fails() -> None:
    introduction, said = introduced(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
    assert introduction.failed
    assert (introduction.done, said) == (False, b"")


def test_who_talks_without_end_fails() -> None:
    report = frame(MessageType.RO_ACCESS_REPORT, bytes(1_000_000))
    introduction, _ = introduced(EVENT, *[report] * (MAX_INTRODUCTION_BYTES // len(report)))
    assert not introduction.failed
    introduction.receive(report)
    assert "did not say who it is" in introduction.failed


@given(data=st.binary(max_size=200), head=st.booleans())
def test_any_bytes(data: bytes, head: bool) -> None:
    introduction, _ = introduced((EVENT if head else b"") + data)
    if not introduction.failed:
        assert introduction.replay.endswith(data[-1:] if not introduction.done else b"")


@pytest.mark.parametrize(
    ("host", "identity"),
    [
        ("10.0.0.11", "ip:10.0.0.11"),
        ("::ffff:10.0.0.11", "ip:10.0.0.11"),
        ("2001:DB8::1", "ip:2001:db8::1"),
        ("fe80::1%eth0", "ip:fe80::1"),
    ],
)
def test_an_address_is_an_identity(host: str, identity: str) -> None:
    assert address_identity(host) == identity
