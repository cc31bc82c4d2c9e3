import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.modbus.codec import Answer, Function, Query, RtuCodec, TcpCodec
from simulators.serial.modbus import ModbusLine, Slave, crc16
from tests.readers.port.vectors import Vector, needs_vectors, vectors

HOLDING, INPUT, INPUTS = (
    Function.READ_HOLDING_REGISTERS,
    Function.READ_INPUT_REGISTERS,
    Function.READ_DISCRETE_INPUTS,
)
VECTORS = vectors("MODBUS")
QUERY = Query(3, HOLDING, 6, 5)
WORDS = (2048, 0, 3007, 0, 3000)


def frame(body: bytes) -> bytes:
    return body + crc16(body)


def reply(slave: int, words: tuple[int, ...], function: int = 3) -> bytes:
    data = b"".join(word.to_bytes(2, "big") for word in words)
    return frame(bytes([slave, function, len(data)]) + data)


ANSWER = reply(3, WORDS)


def awaiting(query: Query = QUERY) -> RtuCodec:
    codec = RtuCodec()
    codec.request(query)
    return codec


@needs_vectors
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_published_frames(vector: Vector) -> None:
    data = vector.data
    if not vector.from_device:
        query = Query(data[0], Function(data[1]), data[2] << 8 | data[3], data[4] << 8 | data[5])
        assert RtuCodec().request(query) == data
        return
    count = 2 if data[1] & 0x80 else data[2] // 2
    query = Query(data[0], Function(data[1] & 0x7F), 6, count)
    answer = awaiting(query).answer(data, query)
    if not vector.valid:
        assert answer is None
    elif "exception" in vector.expect:
        assert answer == Answer(exception=vector.expect["exception"])
    else:
        assert answer == Answer(registers=tuple(vector.expect["regs"]))


def test_the_published_frames_are_all_there() -> None:
    assert len(VECTORS) in {0, 6}


def test_the_crc_of_both_sides_is_that_of_the_standard() -> None:
    assert crc16(b"123456789") == b"\x37\x4b"


def test_cut_at_every_byte() -> None:
    for at in range(len(ANSWER) + 1):
        codec = awaiting()
        first, second = codec.answer(ANSWER[:at], QUERY), codec.answer(ANSWER[at:], QUERY)
        assert (first or second) == Answer(registers=WORDS)
    codec = awaiting()
    found = [codec.answer(ANSWER[at : at + 1], QUERY) for at in range(len(ANSWER))]
    assert found == [None] * (len(ANSWER) - 1) + [Answer(registers=WORDS)]
    assert codec.junk_bytes == 0


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00",
        b"\x03",
        b"\x03\x03",
        b"\x03\x03\x0a",  # the head of an answer that would swallow the real one
        b"\x03\x83",
        b"\xff" * 3000,
        ANSWER[:-1],
        RtuCodec().request(QUERY),  # the adapter hears what it says
        reply(4, WORDS),
        reply(3, WORDS, 4),
        reply(3, (1, 2)),
    ],
)
def test_noise_before_an_answer_costs_nothing_but_itself(noise: bytes) -> None:
    codec = awaiting()
    assert codec.answer(noise, QUERY) is None
    assert codec.answer(ANSWER, QUERY) == Answer(registers=WORDS)
    assert codec.junk_bytes == len(noise)


def test_noise_behind_an_answer_goes_with_the_next_request() -> None:
    codec = awaiting()
    assert codec.answer(ANSWER + b"\x03\x03\x0a\x00", QUERY) == Answer(registers=WORDS)
    codec.request(QUERY)
    assert codec.answer(ANSWER, QUERY) == Answer(registers=WORDS)
    assert codec.junk_bytes == 4


def test_what_answers_nothing_is_counted() -> None:
    codec = RtuCodec()
    assert codec.answer(ANSWER, None) is None
    assert codec.junk_bytes == len(ANSWER)


def test_every_hurt_bit_is_seen() -> None:
    for at in range(len(ANSWER)):
        for bit in range(8):
            hurt = ANSWER[:at] + bytes([ANSWER[at] ^ 1 << bit]) + ANSWER[at + 1 :]
            assert awaiting().answer(hurt, QUERY) is None


def test_inputs_and_exceptions() -> None:
    query = Query(9, INPUTS, 3, 10)
    assert awaiting(query).answer(frame(b"\x09\x02\x02\x05\x02"), query) == Answer(
        inputs=(True, False, True, False, False, False, False, False, False, True)
    )
    assert awaiting(query).answer(frame(b"\x09\x82\x06"), query) == Answer(exception=6)


@given(
    words=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125),
    function=st.sampled_from([HOLDING, INPUT]),
    slave=st.integers(1, 247),
    start=st.integers(0, 60_000),
    before=st.binary(max_size=20),
)
def test_the_simulated_line_and_pymodbus_agree(
    words: list[int], function: Function, slave: int, start: int, before: bytes
) -> None:
    line = ModbusLine([Slave(slave, {function: lambda: dict(enumerate(words, start))})])
    query, codec = Query(slave, function, start, len(words)), RtuCodec()
    ((_, said),) = line.feed(codec.request(query))
    codec.answer(before, query)
    assert codec.answer(said, query) == Answer(registers=tuple(words))


@given(bits=st.lists(st.booleans(), min_size=1, max_size=300), start=st.integers(0, 1000))
def test_inputs_of_the_simulated_line(bits: list[bool], start: int) -> None:
    line = ModbusLine([Slave(1, inputs=lambda: dict(enumerate(bits, start)))])
    query, codec = Query(1, INPUTS, start, len(bits)), RtuCodec()
    ((_, said),) = line.feed(codec.request(query))
    assert codec.answer(said, query) == Answer(inputs=tuple(bits))


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_any_bytes(pieces: list[bytes]) -> None:
    codec = awaiting()
    for piece in pieces:
        assert codec.answer(piece, QUERY) is None
    total = sum(map(len, pieces))
    codec.request(QUERY)
    assert codec.junk_bytes == total


def tcp_reply(transaction: int, words: tuple[int, ...], slave: int = 3) -> bytes:
    body = reply(slave, words)[:-2]
    return transaction.to_bytes(2, "big") + b"\x00\x00" + len(body).to_bytes(2, "big") + body


def test_tcp_matches_answers_by_their_transaction() -> None:
    codec = TcpCodec()
    assert codec.request(QUERY) == bytes.fromhex("0001 0000 0006 03 03 0006 0005")
    assert codec.request(QUERY)[:2] == b"\x00\x02"
    late, right = tcp_reply(1, (9, 9, 9, 9, 9)), tcp_reply(2, WORDS)
    assert codec.answer(late + right, QUERY) == Answer(registers=WORDS)
    assert codec.junk_bytes == len(late)
    codec.request(QUERY)
    third = tcp_reply(3, WORDS)
    found = [codec.answer(third[at : at + 1], QUERY) for at in range(len(third))]
    assert found[-1] == Answer(registers=WORDS)
    assert not any(found[:-1])


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad", b"\x00\x01\x00\x00\x10\x00\x03", b"\x00\x01\x00\x00\x00\x01\x03"]
)
def test_a_stream_that_is_no_modbus_tcp(data: bytes) -> None:
    codec = TcpCodec()
    codec.request(QUERY)
    assert codec.answer(data, QUERY) is None
    assert codec.broken


NAMES = Query(7, Function.READ_DEVICE_IDENTIFICATION)


def test_what_a_device_calls_itself_cut_at_every_byte() -> None:
    """The frame of the standard's own example (6.21), with the CRC of a line."""
    said = bytes.fromhex("072b0e010100000300") + b"\x16Company identification" + b"\x01\x0fProduct code XX"
    said += b"\x02\x05V2.11"
    said += crc16(said)
    for at in range(len(said) + 1):
        codec = awaiting(NAMES)
        first, second = codec.answer(b"\x07" + said[:at], NAMES), codec.answer(said[at:], NAMES)
        assert (first or second) == Answer(identification="Company identification Product code XX V2.11")
        assert codec.junk_bytes == 1


@pytest.mark.parametrize("count", [0, 3, 255])
def test_a_device_that_says_more_of_itself_than_there_is_says_nothing(count: int) -> None:
    body = bytes.fromhex("072b0e01010000") + bytes([count]) + b"\x00\xffA" * count
    codec = awaiting(NAMES)
    found = codec.answer(body + crc16(body), NAMES)
    assert found == (Answer() if count == 0 else None)
    assert codec.answer(bytes(2_000), NAMES) is None
    refusal = bytes([7, 0xAB, 1])
    assert codec.answer(refusal + crc16(refusal), NAMES) == Answer(exception=1)
