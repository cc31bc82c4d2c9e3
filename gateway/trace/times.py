"""Times as recordings write them: seconds, milliseconds, microseconds, nanoseconds or ISO 8601, as microseconds."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite

# Beyond it (the year 2255) numbers of seconds cannot be told to the microsecond, and nothing was recorded.
MAX_TIME_US = 1 << 53
# A number below it is counted from a start of its own, not from 1970 (it would be 1973 in seconds).
RELATIVE_BELOW = 1e8


class TimeUnit(StrEnum):
    """How a column's times are written."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    NANOSECONDS = "ns"
    ISO = "iso"


class TimeUnitError(ValueError):
    """Nobody can tell how a column's times are written."""


# From these on a number since 1970 must be of that unit: 2001 in one is 33,658 in the next.
SINCE_1970 = (
    (1e17, TimeUnit.NANOSECONDS),
    (1e14, TimeUnit.MICROSECONDS),
    (1e11, TimeUnit.MILLISECONDS),
    (RELATIVE_BELOW, TimeUnit.SECONDS),
)


def _from_seconds(text: str) -> int:
    return round(float(text) * 1e6)


def _from_milliseconds(text: str) -> int:
    return round(float(text) * 1e3)


def _from_microseconds(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return round(float(text))


def _from_nanoseconds(text: str) -> int:
    return int(text) // 1000


def _from_iso(text: str) -> int:
    """A time without a zone is UTC."""
    at = datetime.fromisoformat(text.strip())
    return round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1e6)


READ: dict[TimeUnit, Callable[[str], int]] = {
    TimeUnit.SECONDS: _from_seconds,
    TimeUnit.MILLISECONDS: _from_milliseconds,
    TimeUnit.MICROSECONDS: _from_microseconds,
    TimeUnit.NANOSECONDS: _from_nanoseconds,
    TimeUnit.ISO: _from_iso,
}
"""Text -> microseconds; ValueError or OverflowError for what is no time of that unit."""


# For many texts at once; where one of them fails, `READ` may still understand it.
READ_FAST: dict[TimeUnit, Callable[[str], int]] = {**READ, TimeUnit.MICROSECONDS: int}


def detect(name: str, sample: Iterable[str], fallback: TimeUnit | None = None) -> TimeUnit:
    """The unit of a column, from its name and some of its texts. Raises TimeUnitError where they do not tell.

    Numbers since 1970 tell by their size. Times that count from a start of their own do so by the column's name
    (`time_us`) or by a decimal point, which stands for seconds; else `fallback` says.
    """
    texts = [text.strip() for text in sample if text.strip()]
    numbers = _numbers(texts)
    if not numbers:
        return TimeUnit.ISO if any(_is_iso(text) for text in texts) else fallback or TimeUnit.SECONDS
    typical = sorted(numbers)[len(numbers) // 2]
    if typical >= RELATIVE_BELOW:
        return next(unit for bound, unit in SINCE_1970 if typical >= bound)
    suffix = name.strip().lower().rpartition("_")[2]
    named = {"s": "s", "sec": "s", "seconds": "s", "ms": "ms", "us": "us", "usec": "us", "ns": "ns"}.get(suffix)
    if named is not None:
        return TimeUnit(named)
    if fallback is not None:
        return fallback
    if any("." in text for text in texts):
        return TimeUnit.SECONDS
    raise TimeUnitError(f"column {name!r} could count in any unit: {texts[0]}, ...")


def _numbers(texts: Sequence[str]) -> list[float]:
    found = []
    for text in texts:
        try:
            number = float(text)
        except ValueError:
            continue
        if isfinite(number):
            found.append(number)
    return found


def _is_iso(text: str) -> bool:
    try:
        _from_iso(text)
    except (ValueError, OverflowError):
        return False
    return True
