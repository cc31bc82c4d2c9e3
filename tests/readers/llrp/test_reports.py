import random
import struct
from binascii import hexlify
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sllurp.llrp_proto import Message_struct

from readers.llrp.parameters import Field, ReportError, walk_fields
from readers.llrp.reports import MAX_MASKED_BYTES, MAX_MASKS, MAX_SHAPES, ReportDecoder
from readers.model import NO_RSSI_DBM, RawRead
from tests.readers.llrp.frames import (
    NOW,
    epc96,
    epc_data,
    split,
    tlv,
    tv,
    usual_fields,
    usual_read,
    usual_report,
    vectors,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Walker:
    """Reads as the standard defines them, from the field-by-field walker alone: what the fast paths must equal."""

    def __init__(self) -> None:
        self.last: dict[int, int] = {}

    def decode(self, body: bytes) -> tuple[list[RawRead], list[tuple[int, RawRead]], bool]:
        reads: list[RawRead] = []
        odd: list[tuple[int, RawRead]] = []
        reports, error = walk_fields(body)
        for fields in reports:
            epcs = [field for field in fields if field.kind in {13, 241}]
            if not epcs:
                return reads, odd, True
            read = self._read(fields, epcs[-1])
            if epcs[-1].bits % 8:
                odd.append((epcs[-1].bits, read))
            else:
                reads.append(read)
        return reads, odd, error is not None

    def _read(self, fields: list[Field], epc: Field) -> RawRead:
        assert isinstance(epc.value, bytes)
        sent = {field.kind: field.value for field in fields if isinstance(field.value, int)}
        for uptime, utc in ((3, 2), (5, 4)):
            if uptime in sent:
                sent.setdefault(utc, sent[uptime])
        self.last.update(sent)
        get = self.last.get
        value = epc.value
        if epc.bits % 8:
            spare = -epc.bits % 8
            value = value[:-1] + bytes([value[-1] >> spare << spare])
        first, last = get(2), get(4)
        return (
            value,
            get(1, 0),
            get(6, NO_RSSI_DBM),
            (last or 0) if first is None else first,
            (first or 0) if last is None else last,
            get(8, 1),
        )


def decode(decoder: ReportDecoder, body: bytes) -> tuple[list[RawRead], ReportError | None]:
    reads: list[RawRead] = []
    error = decoder.decode(body, reads)
    return reads, error


@pytest.mark.parametrize("count", [1, 2, 20, 100, 300])
def test_the_usual_report_first_and_again(count: int) -> None:
    decoder = ReportDecoder()
    body = b"".join(usual_report(number, 1 + number % 4, -40 - number % 30) for number in range(count))
    wanted = [usual_read(number, 1 + number % 4, -40 - number % 30) for number in range(count)]
    for _ in range(3):
        assert decode(decoder, body) == (wanted, None)


def test_reads_are_appended_and_other_lengths_of_the_shape_follow() -> None:
    decoder = ReportDecoder()
    reads: list[RawRead] = []
    for count in (1, 3, 2, 3, 1):
        assert decoder.decode(b"".join(usual_report(n) for n in range(count)), reads) is None
    assert reads == [usual_read(n) for count in (1, 3, 2, 3, 1) for n in range(count)]


def test_no_report_at_all() -> None:
    decoder = ReportDecoder()
    assert decode(decoder, b"") == ([], None)
    assert decode(decoder, usual_report(1)) == ([usual_read(1)], None)
    assert decode(decoder, b"") == ([], None)


def test_a_body_of_the_hot_size_and_another_shape_is_not_taken_for_it() -> None:
    decoder = ReportDecoder()
    decode(decoder, usual_report(1))
    fields = usual_fields(2)
    # The same size: antenna and channel change places.
    swapped = (
        fields.replace(tv(1, "H", 1), b"?" * 3).replace(tv(7, "H", 3), tv(1, "H", 9)).replace(b"???", tv(7, "H", 3))
    )
    assert len(swapped) == len(fields)
    for _ in range(3):
        assert decode(decoder, tlv(240, swapped)) == ([usual_read(2, antenna=9)], None)
        assert decode(decoder, usual_report(3)) == ([usual_read(3)], None)


@pytest.mark.parametrize("kind", [1, 2, 4, 6, 8, 13, 127])
def test_a_tlv_with_the_number_of_a_tv_is_an_error_and_what_came_before_is_kept(kind: int) -> None:
    body = usual_report(1) + tlv(240, epc96(2) + tlv(kind, bytes(12)))
    check_against_walker([body, body])
    reads, error = decode(ReportDecoder(), body)
    assert reads == [usual_read(1)]
    assert error is not None
    assert "number of a TV" in error.text


def test_of_a_field_that_is_sent_twice_the_last_counts() -> None:
    for kinds, wanted in (((3, 3), 2), ((2, 2), 2), ((2, 3), 1), ((3, 2), 2), ((3, 2, 3), 2)):
        stamps = b"".join(tv(kind, "Q", number) for number, kind in enumerate(kinds, 1))
        body = tlv(240, epc96(1) + stamps)
        check_against_walker([body, body])
        assert decode(ReportDecoder(), body)[0][0][3] == wanted


def test_an_absent_field_has_the_last_value_of_its_type() -> None:
    decoder = ReportDecoder()
    short = tlv(240, epc96(2) + tv(6, "b", -50))
    decode(decoder, usual_report(1, antenna=3, rssi=-60, count=7))
    for body in (short, short, short * 3):
        reads, _ = decode(decoder, body)
        assert set(reads) == {(bytes(11) + b"\x02", 3, -50, NOW, NOW + 5, 7)}
    for count in (8, 9):
        decode(decoder, usual_report(1, antenna=4, count=count))
    assert decode(decoder, short)[0] == [(bytes(11) + b"\x02", 4, -50, NOW, NOW + 5, 9)]


def test_fields_that_no_report_ever_had() -> None:
    decoder = ReportDecoder()
    bare = tlv(240, epc96(2))
    for _ in range(3):
        assert decode(decoder, bare)[0] == [(bytes(11) + b"\x02", 0, NO_RSSI_DBM, 0, 0, 1)]


@pytest.mark.parametrize("kind", [2, 3, 4, 5])
def test_one_stamp_serves_for_both_until_the_other_is_seen(kind: int) -> None:
    decoder = ReportDecoder()
    body = tlv(240, epc96(2) + tv(kind, "Q", 77))
    for _ in range(3):
        (read,) = decode(decoder, body)[0]
        assert read[3:5] == (77, 77)
    decode(decoder, usual_report(1, at=50))
    (read,) = decode(decoder, body)[0]
    assert read[3:5] == ((77, 55) if kind in {2, 3} else (50, 77))


def test_uptime_stamps_are_read_and_utc_wins() -> None:
    decoder = ReportDecoder()
    body = tlv(240, epc96(1) + tv(3, "Q", 5) + tv(5, "Q", 6))
    for _ in range(2):
        assert decode(decoder, body)[0][0][3:5] == (5, 6)
    both = tlv(240, epc96(1) + tv(2, "Q", 100) + tv(3, "Q", 5) + tv(5, "Q", 6) + tv(4, "Q", 200))
    for _ in range(2):
        assert decode(decoder, both)[0][0][3:5] == (100, 200)


@pytest.mark.parametrize("size", [0, 1, 7, 16, 18, 25, 62])
def test_epcs_of_any_whole_size(size: int) -> None:
    decoder = ReportDecoder()
    epc = bytes(range(1, size + 1))
    for _ in range(3):
        reads, error = decode(decoder, tlv(240, epc_data(epc) + tv(1, "H", 2)) * 2)
        assert error is None
        assert [read[:2] for read in reads] == [(epc, 2)] * 2
    assert not decoder.take_odd()


def test_epcs_of_odd_bits_are_grouped_and_their_padding_cleared() -> None:
    decoder = ReportDecoder()
    nine = tlv(240, epc_data(b"\xea\xff", 9) + tv(1, "H", 1))
    one = tlv(240, epc_data(b"\x54", 1) + tv(1, "H", 1))
    for _ in range(2):
        reads, error = decode(decoder, nine + usual_report(5) + one + nine)
        assert reads == [usual_read(5)]
        assert error is None
        odd = dict(decoder.take_odd())
        assert [read[0] for read in odd[9]] == [b"\xea\x80", b"\xea\x80"]
        assert [read[0] for read in odd[1]] == [b"\x00"]
        assert not decoder.take_odd()


def test_unknown_parameters_are_stepped_over() -> None:
    decoder = ReportDecoder()
    custom = tlv(1023, struct.pack(">II", 25882, 56) + b"\x08\x00")
    unknown = tlv(900, b"whatever")
    body = tlv(240, usual_fields(1) + custom + unknown) + tlv(242, b"survey") + tlv(1023, bytes(8))
    for _ in range(3):
        assert decode(decoder, body) == ([usual_read(1)], None)
    assert decode(decoder, body + usual_report(2)) == ([usual_read(1), usual_read(2)], None)


@pytest.mark.parametrize(
    "bad",
    [
        tlv(240, epc96(2) + tv(21, "H", 1)),
        tlv(240, epc96(2) + b"\x81\x00"),
        tlv(240, epc96(2) + struct.pack(">HH", 1023, 3)),
        tlv(240, tv(1, "H", 1)),
        struct.pack(">HH", 240, 3000),
        b"\xf0",
    ],
    ids=["unknown TV", "cut TV", "short TLV", "no EPC", "long report", "a TV outside"],
)
def test_an_error_ends_its_frame_and_keeps_the_reads_before_it(bad: bytes) -> None:
    decoder = ReportDecoder()
    for _ in range(2):
        reads, error = decode(decoder, usual_report(1) + bad + usual_report(3))
        assert reads == [usual_read(1)]
        assert error is not None
        assert error.evidence
        assert decode(decoder, usual_report(4)) == ([usual_read(4)], None)


def test_a_flip_of_any_type_or_length_byte_never_raises_nor_goes_unseen() -> None:
    decoder = ReportDecoder()
    body = usual_report(1) + usual_report(2)
    decode(decoder, body)
    for at in range(len(body)):
        for bit in range(8):
            changed = bytearray(body)
            changed[at] ^= 1 << bit
            fresh, fresh_error = decode(ReportDecoder(), bytes(changed))
            warm, warm_error = decode(decoder, bytes(changed))
            assert (fresh_error is None) == (warm_error is None)
            assert [read[0] for read in fresh] == [read[0] for read in warm]
            decode(decoder, body)


# Reports of every make, for the fast paths against the walker ---------------------------------------------------

optional = st.one_of(
    st.builds(lambda v: tv(1, "H", v), st.integers(0, 65535)),
    st.builds(lambda v: tv(6, "b", v), st.integers(-128, 127)),
    st.builds(lambda k, v: tv(k, "Q", v), st.sampled_from([2, 4]), st.integers(1, 2**64 - 1)),
    st.builds(lambda v: tv(8, "H", v), st.integers(0, 65535)),
    st.builds(lambda v: tv(9, "I", v), st.integers(0, 2**32 - 1)),
    st.builds(lambda k, v: tv(k, "H", v), st.sampled_from([7, 10, 11, 12, 14, 19, 20]), st.integers(0, 65535)),
    st.builds(lambda b: tlv(1023, bytes(8) + b), st.binary(max_size=6)),
)
epcs = st.one_of(
    st.builds(epc96, st.integers(0, 2**96 - 1)),
    st.binary(max_size=20).map(epc_data),
    st.builds(
        lambda b, cut: epc_data(b, max(0, 8 * len(b) - cut)), st.binary(min_size=1, max_size=4), st.integers(0, 7)
    ),
)
reports = st.builds(lambda epc, rest: tlv(240, epc + b"".join(rest)), epcs, st.lists(optional, max_size=6))
bodies = st.lists(
    st.builds(lambda some, times: b"".join(some) * times, st.lists(reports, max_size=4), st.integers(1, 3)), max_size=8
)


def check_against_walker(stream: list[bytes]) -> None:
    decoder, walker = ReportDecoder(), Walker()
    for body in stream:
        reads, odd, failed = walker.decode(body)
        found, error = decode(decoder, body)
        assert found == reads
        assert (error is not None) == failed
        grouped = {bits: [read for size, read in odd if size == bits] for bits, _ in odd}
        assert dict(decoder.take_odd()) == grouped


@given(bodies)
def test_all_paths_give_what_the_walker_gives(stream: list[bytes]) -> None:
    check_against_walker([body for body in stream for _ in range(2)])


@given(st.lists(st.binary(max_size=80), max_size=6), st.booleans())
def test_garbage_never_raises(garbage: list[bytes], framed: bool) -> None:
    decoder = ReportDecoder()
    decode(decoder, usual_report(1))
    for body in garbage:
        decode(decoder, tlv(240, body) if framed else body)
    assert decode(decoder, usual_report(2)) == ([usual_read(2)], None)


def test_memory_stays_bounded_whatever_shapes_come() -> None:
    decoder = ReportDecoder()
    for extra in range(3 * MAX_SHAPES):
        custom = tlv(1023, bytes(8 + extra))
        decode(decoder, tlv(240, usual_fields(1) + custom))
    for count in range(1, 2 * MAX_MASKS):
        decode(decoder, tlv(240, epc_data(b"")) * count)
    assert sum(map(len, decoder._shapes.values())) <= MAX_SHAPES
    assert len(decoder._masks) <= MAX_MASKS
    huge = usual_report(1) * (MAX_MASKED_BYTES // 50)
    assert len(decode(decoder, huge)[0]) == MAX_MASKED_BYTES // 50
    assert max(decoder._masks) <= MAX_MASKED_BYTES


# Against an independent decoder ---------------------------------------------------------------------------------


def by_sllurp(body: bytes) -> list[tuple[object, ...]]:
    message = Message_struct["RO_ACCESS_REPORT"]["decode"](body, "RO_ACCESS_REPORT")
    return [
        (
            bytes.fromhex(tag["EPC"].decode()),
            tag["AntennaID"],
            tag["PeakRSSI"],
            tag["FirstSeenTimestampUTC"],
            tag["LastSeenTimestampUTC"],
            tag["TagSeenCount"],
        )
        for tag in message["TagReportData"]
    ]


def random_report(rng: random.Random) -> bytes:
    size = rng.choice([12, 12, 12, 16, 18])
    epc = rng.randbytes(size)
    head = tv(13, "12s", epc) if size == 12 else epc_data(epc)
    fields = [
        tv(9, "I", rng.getrandbits(32)),
        tv(1, "H", rng.randint(1, 32)),
        tv(6, "b", rng.randint(-90, -20)),
        tv(2, "Q", rng.getrandbits(63)),
        tv(4, "Q", rng.getrandbits(63)),
        tv(8, "H", rng.getrandbits(16)),
    ]
    extra: list[Callable[[], bytes]] = [
        lambda: tv(7, "H", rng.getrandbits(16)),
        lambda: tv(12, "H", rng.getrandbits(16)),
        lambda: tlv(1023, struct.pack(">II", 25882, 56) + rng.randbytes(2)),
    ]
    fields += [make() for make in extra if rng.random() < 0.2]
    if rng.random() < 0.2:
        rng.shuffle(fields)
    return tlv(240, head + b"".join(fields))


def test_every_field_equals_sllurp_s_on_random_reports() -> None:
    rng = random.Random(20)
    decoder = ReportDecoder()
    total = 0
    for _ in range(400):
        body = b"".join(random_report(rng) for _ in range(rng.choice([1, 1, 2, 20])))
        reads, error = decode(decoder, body)
        assert error is None
        assert reads == by_sllurp(body)
        total += len(reads)
    assert total > 1500


def test_the_reference_reports_through_the_fast_paths() -> None:
    for name, count in (("dx101_a.bin", 3), ("dx101_b.bin", 24)):
        stream = [body for kind, _, body in split((vectors() / name).read_bytes()) if kind == 61]
        assert len(stream) == count
        check_against_walker([body for body in stream for _ in range(3)])


def test_the_reference_epcs_are_what_sllurp_reads_too() -> None:
    for kind, _, body in split((vectors() / "dx101_b.bin").read_bytes()):
        assert kind == 61
        message = Message_struct["RO_ACCESS_REPORT"]["decode"](body, "RO_ACCESS_REPORT")
        theirs = [tag["EPC"] for tag in message["TagReportData"]]
        ours = [
            hexlify(field.value)
            for report in walk_fields(body)[0]
            for field in report
            if field.kind in {13, 241} and isinstance(field.value, bytes)
        ]
        assert ours == theirs
