import asyncio
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.tags import tag_key
from gateway.trace import capture, recorder
from gateway.trace.capture import (
    MAGIC,
    Alive,
    BlockReader,
    Captured,
    CaptureError,
    CaptureWriter,
    Condition,
    EntryReader,
    Session,
    block_of,
)
from gateway.trace.capturefile import Capture, CaptureFile, is_capture
from gateway.trace.recorder import Recorder
from readers.model import (
    AntennaCondition,
    Fault,
    InputSample,
    ReadBatch,
    ReaderCondition,
    ReaderNotice,
    ReaderState,
    WeightCondition,
    WeightSample,
)
from tests.gateway.shop import UTC_US, HandClock, tag

READING = ReaderState("r1", ReaderCondition.READING, antennas={1: AntennaCondition.UP, 2: AntennaCondition.DOWN})


def batch(rng: Random, now_us: int, *, bits: int | None = None) -> ReadBatch:
    offset_us = rng.randint(-(10**12), 10**12)
    reads = []
    for _ in range(rng.randint(1, 6)):
        last_us = now_us - rng.randint(0, 10**10) - offset_us
        epc = bytes([rng.randint(0, 3)]) * 12 if bits is None else b"\x30\x80"
        first_us = last_us - rng.randint(0, 10**6)
        reads.append((epc, rng.randint(1, 4), rng.randint(-128, 127), first_us, last_us, rng.randint(0, 300)))
    return ReadBatch("r1", now_us, offset_us, reads, bits)


def blocks(seed: int = 1) -> tuple[list[bytes], list[ReadBatch]]:
    rng, writer = Random(seed), CaptureWriter(UTC_US)
    made, batches = [], []
    writer.session(0, {"site": "store"})
    writer.condition(1, READING)
    for n in range(1, 9):
        batches.append(batch(rng, n * 1_000_000, bits=13 if n == 5 else None))
        writer.batch(batches[-1])
        if n % 2:
            made.append(writer.take())
    writer.dropped(9_000_000, 17)
    writer.alive(9_500_000)
    writer.end(10_000_000)
    made.append(writer.take())
    assert writer.take() == b""
    return made, batches


def entries(data: bytes, portion: int = 1 << 20) -> tuple[list[Captured], BlockReader]:
    reader, understood = BlockReader(), EntryReader()
    found: list[Captured] = []
    for start in range(0, len(data), portion):
        for content in reader.feed(data[start : start + portion]):
            found += understood.entries(content)
    return found, reader


def in_utc(one: ReadBatch) -> ReadBatch:
    shift_us = one.offset_us + UTC_US
    reads = [
        (epc, port, dbm, first + shift_us, last + shift_us, count) for epc, port, dbm, first, last, count in one.reads
    ]
    return ReadBatch(one.reader, one.received_us + UTC_US, 0, reads, one.epc_bits)


@pytest.mark.parametrize("portion", [1, 7, 1 << 20])
def test_everything_comes_back_in_any_portions(portion: int) -> None:
    made, batches = blocks()
    found, reader = entries(MAGIC + b"".join(made), portion)
    assert [one for one in found if isinstance(one, ReadBatch)] == [in_utc(one) for one in batches]
    assert isinstance(found[0], Session)
    assert (found[0].at_us, found[0].about["site"]) == (UTC_US, "store")
    assert found[1] == Condition(UTC_US + 1, READING)
    assert found[-3:] == [
        Alive(UTC_US + 9_000_000, dropped=17),
        Alive(UTC_US + 9_500_000),
        Alive(UTC_US + 10_000_000, ended=True),
    ]
    assert not reader.damaged
    assert reader.left == 0


def test_torn_at_every_byte_it_keeps_what_was_whole_and_goes_on(tmp_path: Path) -> None:
    made, _ = blocks()
    whole = MAGIC + b"".join(made)
    everything, _ = entries(whole)
    more = CaptureWriter(UTC_US)
    more.session(20_000_000, {})
    last = more.take()
    path = tmp_path / "torn.capture"
    for length in range(len(whole)):
        ends = [len(MAGIC) + sum(map(len, made[:n])) for n in range(len(made) + 1)]
        good = max((end for end in ends if end <= length), default=0)
        path.write_bytes(whole[:length])
        before = Capture(path)
        found = list(before.entries())
        assert found == everything[: len(found)]
        assert (before.good, before.left, before.damaged) == (good, length - good, False)
        with CaptureFile(path) as out:
            assert out.cut == length - good
            out.append(last)
        again = Capture(path)
        assert list(again.entries()) == [*found, Session(UTC_US + 20_000_000, {"at_us": UTC_US + 20_000_000})]
        assert again.left == 0


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    made, _ = blocks()
    whole = bytearray(MAGIC + b"".join(made))
    everything, _ = entries(bytes(whole))
    path = tmp_path / "bad.capture"
    for place in range(len(MAGIC), len(whole), 3):
        whole[place] ^= 0x10
        path.write_bytes(whole)
        one = Capture(path)
        found = list(one.entries())
        assert found == everything[: len(found)]
        assert one.left > 0
        whole[place] ^= 0x10


def test_what_is_no_capture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reads.csv"
    path.write_text("time,reader,antenna,epc\n")
    assert not is_capture(path)
    for call in (lambda: list(Capture(path).entries()), lambda: CaptureFile(path)):
        with pytest.raises(CaptureError, match="no capture") as caught:
            call()
        assert caught.value.hint
    assert path.read_text() == "time,reader,antenna,epc\n"
    path.write_bytes(b"tallygate capture 2\n")
    assert is_capture(path)
    with pytest.raises(CaptureError) as caught:
        list(Capture(path).entries())
    assert "newer" in caught.value.hint


def test_a_file_that_is_damaged_long_before_its_end_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.trace.capturefile.MAX_BLOCK_BYTES", 100)
    made, _ = blocks()
    path = tmp_path / "bad.capture"
    damaged = MAGIC + b"\x05\x00\x00\x00" + b"".join(made)
    path.write_bytes(damaged)
    with pytest.raises(CaptureError, match="damaged at byte 20"):
        CaptureFile(path)
    assert path.read_bytes() == damaged


@given(noise=st.binary(max_size=200), packed=st.booleans())
def test_any_content_is_entries_or_an_error(noise: bytes, *, packed: bool) -> None:
    content = zlib.compress(noise) if packed else noise
    found, reader = [], BlockReader()
    for block in reader.feed(MAGIC + block_of(content) if content else MAGIC):
        try:
            found += EntryReader().entries(block)
        except CaptureError:
            found.clear()
    assert not reader.damaged


def test_a_bomb_does_not_fill_the_memory() -> None:
    with pytest.raises(CaptureError, match="too much"):
        list(EntryReader().entries(zlib.compress(bytes(70_000_000), 1)))


def test_numbers_of_tags_start_anew_before_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MAX_TAGS", 10)
    writer = CaptureWriter(0)
    writer.session(0, {})
    for serial in range(50):
        writer.batch(ReadBatch("r1", serial, 0, [(tag(serial), 1, -50, 0, 0, 1)]))
        assert len(writer._tags) <= 10
    found, _ = entries(MAGIC + writer.take())
    assert [one.reads[0][0] for one in found if isinstance(one, ReadBatch)] == [tag(serial) for serial in range(50)]
    assert sum(isinstance(one, Session) for one in found) == 1


def test_epcs_whose_bits_end_within_a_byte_keep_them() -> None:
    writer = CaptureWriter(0)
    writer.batch(ReadBatch("r1", 0, 0, [(b"\x30\x80", 1, -50, 0, 0, 1)], 13))
    writer.batch(ReadBatch("r1", 0, 0, [(b"\x30\x80", 1, -50, 0, 0, 1)]))
    found, _ = entries(MAGIC + writer.take())
    assert [(one.reads[0][0], one.epc_bits) for one in found if isinstance(one, ReadBatch)] == [
        (b"\x30\x80", 13), (b"\x30\x80", None),
    ]  # fmt: skip
    assert tag_key(b"\x30\x80", 13) != b"\x30\x80"


async def recorded(one: Recorder) -> list[Captured]:
    found: list[Captured] = []
    understood = EntryReader()
    async for block in one.blocks():
        found += understood.entries(next(contents(block)))
    return found


def contents(block: bytes) -> Iterator[bytes]:
    return BlockReader().feed(MAGIC + block)


async def test_a_recorder_tells_everything_and_that_it_ends() -> None:
    clock = HandClock()
    one = Recorder(clock, {"site": "store"}, [READING])
    one.put(ReadBatch("r1", clock.now_us, 0, [(tag(1), 1, -50, clock.now_us, clock.now_us, 1)]))
    one.put(ReaderNotice("r1", Fault("odd", "odd", "")))
    one.put(ReaderState("r1", ReaderCondition.FAILED))
    one.close()
    found = await recorded(one)
    assert [type(each) for each in found] == [Session, Condition, ReadBatch, Condition, Alive]
    assert one.reads == 1


async def test_weights_and_inputs_come_back_as_they_were() -> None:
    clock = HandClock()
    one = Recorder(clock, {}, ())
    now_us = clock.now_us
    said = [
        WeightSample("shelf", 1, now_us, WeightCondition.MOVING, 512.25),
        InputSample("shelf", 7, now_us, 0.0),
        WeightSample("shelf", 2, now_us, WeightCondition.OVERLOAD),
        InputSample("shelf", 8, now_us, None),
        WeightSample("other", 1, now_us, WeightCondition.STABLE, -0.5),
        WeightSample("shelf", 1, now_us + 200_000, WeightCondition.FAULT),
    ]
    for sample in said:
        one.put(sample)
    one.close()
    found = [each for each in await recorded(one) if isinstance(each, WeightSample | InputSample)]
    shift_us = clock.utc_us() - clock.monotonic_us()
    in_file = [replace(each, at_us=each.at_us + shift_us) for each in said]
    # Of one moment weights stand before inputs; what follows stays behind.
    assert found == [in_file[index] for index in (0, 2, 1, 3, 4, 5)]


@pytest.mark.parametrize("condition", WeightCondition)
def test_every_condition_of_a_scale_has_its_number(condition: WeightCondition) -> None:
    writer = CaptureWriter(0)
    writer.samples([WeightSample("shelf", 1, 5, condition, 1.0)])
    found, _ = entries(MAGIC + writer.take())
    assert found == [WeightSample("shelf", 1, 5, condition, 1.0)]


async def test_a_recorder_that_is_not_emptied_drops_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MAX_WAITING_READS", 10)
    one = Recorder(HandClock(), {}, ())
    for serial in range(15):
        one.put(ReadBatch("r1", 0, 0, [(tag(serial), 1, -50, 0, 0, 1)]))
    one.close()
    found = await recorded(one)
    assert sum(isinstance(each, ReadBatch) for each in found) == 10
    assert sum(each.dropped for each in found if isinstance(each, Alive)) == 5


async def test_silence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "BLOCK_S", 0.001)
    clock = HandClock()
    one = Recorder(clock, {}, ())

    async def pass_time() -> None:
        for _ in range(4):
            clock.turn(recorder.ALIVE_S)
            await asyncio.sleep(0.02)
        one.close()

    async with asyncio.TaskGroup() as group:
        passing = group.create_task(pass_time())
        found = await recorded(one)
    assert passing.done()
    assert sum(isinstance(each, Alive) and not each.ended for each in found) >= 1
