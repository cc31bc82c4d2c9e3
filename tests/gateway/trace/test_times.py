from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.trace.times import READ, READ_FAST, TimeUnit, TimeUnitError, detect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# 2001 to 2100, where numbers since 1970 tell their unit by their size.
AT_US = st.integers(1_000_000_000_000_000, 4_100_000_000_000_000)


def written(at_us: int, unit: TimeUnit) -> str:
    match unit:
        case TimeUnit.SECONDS:
            return f"{at_us // 1_000_000}.{at_us % 1_000_000:06d}"
        case TimeUnit.MILLISECONDS:
            return f"{at_us // 1_000}.{at_us % 1_000:03d}"
        case TimeUnit.MICROSECONDS:
            return str(at_us)
        case TimeUnit.NANOSECONDS:
            return f"{at_us}000"
        case TimeUnit.ISO:
            return (EPOCH + timedelta(microseconds=at_us)).isoformat()


@given(at_us=AT_US, unit=st.sampled_from(TimeUnit))
def test_every_unit_is_told_and_read_to_the_microsecond(at_us: int, unit: TimeUnit) -> None:
    text = written(at_us, unit)
    assert detect("time", [text, "", text]) is unit
    assert READ[unit](text) == READ_FAST[unit](text) == at_us


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("2026-09-21T14:26:40Z", 1_790_000_800_000_000),
        ("2026-09-21 14:26:40", 1_790_000_800_000_000),
        ("2026-09-21T16:26:40.5+02:00", 1_790_000_800_500_000),
    ],
)
def test_iso_times_with_and_without_a_zone(text: str, at_us: int) -> None:
    assert READ[TimeUnit.ISO](text) == at_us


@pytest.mark.parametrize(
    ("name", "texts", "fallback", "unit"),
    [
        ("time_us", ["0", "250000"], None, TimeUnit.MICROSECONDS),
        ("Time_MS", ["0", "250"], None, TimeUnit.MILLISECONDS),
        ("time", ["0.0", "0.25"], None, TimeUnit.SECONDS),
        ("time", ["0", "250"], TimeUnit.NANOSECONDS, TimeUnit.NANOSECONDS),
        ("time", ["x", "y"], None, TimeUnit.SECONDS),
        ("time", ["nan", "1790000000", "-inf", "0", "1790000001"], None, TimeUnit.SECONDS),
    ],
)
def test_times_from_a_start_of_their_own(name: str, texts: list[str], fallback: TimeUnit, unit: TimeUnit) -> None:
    assert detect(name, texts, fallback) is unit


def test_what_could_be_anything_is_not_guessed() -> None:
    with pytest.raises(TimeUnitError, match="could count in any unit"):
        detect("time", ["0", "250"])
