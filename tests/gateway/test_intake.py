from hypothesis import given
from hypothesis import strategies as st

from gateway.intake import MAX_WAITING_SAMPLES, Intake
from readers.model import InputSample, RawRead, ReadBatch


def batch(reader: str, reads: int, mark: int = 0) -> ReadBatch:
    raw: RawRead = (b"\x30", 1, -50, mark, mark, 1)
    return ReadBatch(reader, mark, 0, [raw] * reads)


def taken(intake: Intake) -> list[ReadBatch]:
    return list(iter(intake.take, None))


def test_batches_leave_in_the_order_in_which_they_came() -> None:
    intake = Intake()
    batches = [batch("a", 3), batch("b", 1), batch("a", 0)]
    for one in batches:
        intake.put(one)
    assert intake.waiting_reads == 4
    assert taken(intake) == batches
    assert (intake.waiting_reads, intake.take(), intake.dropped) == (0, None, {})


def test_the_oldest_make_room_and_are_counted_by_reader() -> None:
    intake = Intake(max_reads=10)
    for mark, reader in enumerate("abc"):
        intake.put(batch(reader, 4, mark))
    assert intake.dropped == {"a": 4}
    intake.put(batch("d", 9, 3))
    assert intake.dropped == {"a": 4, "b": 4, "c": 4}
    assert [one.reader for one in taken(intake)] == ["d"]


def test_a_batch_that_is_too_large_alone_is_still_taken() -> None:
    intake = Intake(max_reads=10)
    intake.put(batch("a", 2))
    intake.put(batch("b", 50))
    assert [len(one.reads) for one in taken(intake)] == [50]


@given(st.lists(st.one_of(st.none(), st.integers(0, 30))), st.integers(1, 50))
def test_every_read_is_taken_waiting_or_counted_as_dropped(plan: list[int | None], limit: int) -> None:
    intake = Intake(max_reads=limit)
    put = got = 0
    for size in plan:
        if size is None:
            one = intake.take()
            got += len(one.reads) if one else 0
        else:
            intake.put(batch("a", size))
            put += size
        assert put == got + intake.waiting_reads + intake.dropped.get("a", 0)
        assert intake.waiting_reads <= max(limit, 30)


def test_samples_wait_in_order_and_the_oldest_make_room() -> None:
    intake = Intake()
    assert not intake.take_samples()
    for at_us in range(MAX_WAITING_SAMPLES + 5):
        intake.put_sample(InputSample("a", 1, at_us, 1.0))
    assert intake.dropped_samples == 5
    samples = intake.take_samples()
    assert [samples[0].at_us, samples[-1].at_us] == [5, MAX_WAITING_SAMPLES + 4]
    assert not intake.take_samples()
