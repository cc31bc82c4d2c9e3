"""What a technician may set for a scale. Plain dataclasses: the configuration validates them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from readers.model import WeightUnit
from readers.port.settings import PortSettings

MAX_LINE_BYTES: Final = 512
"""No scale says more in one line; what is longer is another baud rate, or not a scale."""

MAX_SEPARATOR_CHARACTERS: Final = 4
MAX_PREFIX_CHARACTERS: Final = 32
MAX_REQUEST_CHARACTERS: Final = 32


class Dialect(StrEnum):
    """How a scale words its weight; `dialects.py` has the layouts."""

    MT_SICS = "mt-sics"
    AND = "and"
    CAS_10 = "cas-10"
    CAS_18 = "cas-18"
    CAS_22 = "cas-22"
    OHAUS = "ohaus"
    SARTORIUS = "sartorius"
    RADWAG = "radwag"
    OPENSCALE = "openscale"
    HX711 = "hx711"
    SHELF_LINE = "shelf-line"
    PROFILE = "profile"


MANY_CHANNELS: Final = frozenset({Dialect.SHELF_LINE})
"""Whose lines say which channel they are of; all others have one."""

ASKED: Final = frozenset(
    {Dialect.AND, Dialect.OHAUS, Dialect.SARTORIUS, Dialect.RADWAG, Dialect.HX711, Dialect.PROFILE}
)
"""What can be asked, every `poll_s`, instead of speaking by itself."""

Place = tuple[int, ...]
"""Where something stands in a line: (the number of a field, from 1), or (first column, last column), from 1."""


@dataclass(frozen=True, slots=True)
class LineProfile:
    r"""How a scale that is no dialect words its weight: `separator` and the numbers of fields, or fixed columns.

    `weight_at`, `unit_at` and `state_at`: where they stand. `fields` or `columns`: how many a line has, exactly; any
    other line is none of it. `prefix`: how each line begins; columns and fields count from behind it. The words are
    what the state may say; a scale without a state counts as stable, and what is no word of these makes the line junk.
    `factor`: units in one count of the number. `request`: what to send where it must be asked, `\r` and `\n` included.
    """

    weight_at: Place
    separator: str = ""
    fields: int | None = None
    columns: int | None = None
    unit_at: Place | None = None
    state_at: Place | None = None
    prefix: str = ""
    stable_words: tuple[str, ...] = ()
    moving_words: tuple[str, ...] = ()
    overload_words: tuple[str, ...] = ()
    underload_words: tuple[str, ...] = ()
    factor: float = 1.0
    request: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError, in words for a person."""
        places = [place for place in (self.weight_at, self.unit_at, self.state_at) if place is not None]
        if self.separator:
            _check_fields(places, self.fields, self.columns)
        else:
            _check_columns(places, self.fields, self.columns)
        words = (*self.stable_words, *self.moving_words, *self.overload_words, *self.underload_words)
        if (self.state_at is None) == bool(words):
            raise ValueError("expected the words that the state may say, and only where there is a state_at")
        if len(set(words)) != len(words):
            raise ValueError("expected each word of the state once")
        if self.factor == 0.0:
            raise ValueError("expected a factor that is not zero")


def _check_fields(places: list[Place], fields: int | None, columns: int | None) -> None:
    if fields is None or columns is not None:
        raise ValueError("expected fields, and no columns, beside a separator: how many there are in a line")
    numbers = [place[0] for place in places]
    if any(len(place) != 1 for place in places) or not all(1 <= number <= fields for number in numbers):
        raise ValueError(f"expected weight_at, unit_at and state_at like [1], a field from 1 to {fields}")
    if len(set(numbers)) != len(numbers):
        raise ValueError("expected a field of its own for each of weight_at, unit_at and state_at")


def _check_columns(places: list[Place], fields: int | None, columns: int | None) -> None:
    if columns is None or fields is not None:
        raise ValueError("expected columns, and no fields, without a separator: how long a line is")
    if any(len(place) != 2 for place in places):
        raise ValueError("expected weight_at, unit_at and state_at like [1, 8], first and last column")
    last = 0
    for first, end in sorted(places):
        if not last < first <= end <= columns:
            raise ValueError(f"expected columns from 1 to {columns}, first before last, none used twice")
        last = end


@dataclass(frozen=True, slots=True)
class ScaleSettings:
    """One scale, or one board with several cells.

    `unit`: what lines mean that name no unit. `poll_s`: ask so often; None: it speaks by itself. `silence_s`: after so
    long without a line that makes sense its channels are down, and the port is opened anew. `serial_number`: what the
    device must say of itself (MT-SICS, shelf-line); any other one is refused (None: any other than the first one met).
    `profile`: the layout of dialect "profile".
    """

    port: PortSettings
    channels: tuple[int, ...]
    dialect: Dialect
    unit: WeightUnit | None = None
    poll_s: float | None = None
    silence_s: float = 5.0
    serial_number: str | None = None
    profile: LineProfile | None = None

    def __post_init__(self) -> None:
        """Raises ValueError, in words for a person, where these do not fit each other."""
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("expected each channel once")
        if not self.channels:
            raise ValueError("expected at least one [[readers.channels]] table")
        if self.dialect not in MANY_CHANNELS and len(self.channels) != 1:
            raise ValueError(f"expected one channel: a scale of dialect {self.dialect} has one")
        if (self.dialect is Dialect.PROFILE) != (self.profile is not None):
            raise ValueError('expected a profile where dialect = "profile", and only there')
        if self.poll_s is not None and self.dialect not in ASKED:
            raise ValueError(f"expected no poll_s: dialect {self.dialect} cannot be asked")
        if self.poll_s is not None and self.profile is not None and not self.profile.request:
            raise ValueError("expected a request in the profile beside poll_s")
        if self.dialect is Dialect.HX711 and self.poll_s is None:
            raise ValueError("expected poll_s: this board speaks only when it is asked")
        if self.poll_s is not None and self.poll_s >= self.silence_s:
            raise ValueError("expected poll_s below silence_s")
        if self.serial_number is not None and self.dialect not in {Dialect.MT_SICS, Dialect.SHELF_LINE}:
            raise ValueError(f"expected no serial_number: a scale of dialect {self.dialect} does not tell its own")

    @property
    def address(self) -> str:
        """Where the scale is, for people."""
        return self.port.address
