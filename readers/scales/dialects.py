"""The layouts of scales that say a line per weight, as data, and what a line means by them. Pure.

Each layout stands in the maker's interface manual; a weight comes only from a line that fits the whole of it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from readers.model import WeightCondition, WeightUnit
from readers.port.settings import LineFormat, Parity
from readers.scales import faults
from readers.scales.readings import WEIGHS, Reading, grams_of, number, saturated, unit
from readers.scales.settings import Dialect, LineProfile, Place

Parts = Mapping[str, str | None]
"""What stands in a line: weight, and where the layout has them unit, state and raw."""

STABLE, MOVING = WeightCondition.STABLE, WeightCondition.MOVING
OVERLOAD, UNDERLOAD = WeightCondition.OVERLOAD, WeightCondition.UNDERLOAD
BUSY, FAULT = WeightCondition.BUSY, WeightCondition.FAULT

USUAL_FORMAT: Final = LineFormat()
"""9600 8N1."""

HEADERS: Final = {"ST": STABLE, "US": MOVING, "OL": OVERLOAD}


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of line. `states`: what its state says; without a state it is stable. `words`: lines without a weight.

    `moves_without_unit`: the unit is left out while the weight is not settled. `request` asks for a line, `line_format`
    is how the maker sets his scales.
    """

    parts_of: Callable[[str], Parts | None]
    line_format: LineFormat = USUAL_FORMAT
    states: Mapping[str, WeightCondition] = field(default_factory=dict)
    words: tuple[tuple[re.Pattern[str], WeightCondition], ...] = ()
    request: bytes = b""
    moves_without_unit: bool = False
    factor: float = 1.0


def _matching(pattern: str) -> Callable[[str], Parts | None]:
    """Every repetition in it is bounded: a hostile line costs no more than its length."""
    compiled = re.compile(pattern, re.DOTALL)

    def parts_of(line: str) -> Parts | None:
        match = compiled.fullmatch(line)
        return match.groupdict() if match else None

    return parts_of


LAYOUTS: Final[Mapping[Dialect, Layout]] = {
    # Header, comma, sign and eight places, unit of three. QT: pieces, in counting mode.
    Dialect.AND: Layout(
        _matching(r"(?P<state>ST|US|OL|QT),(?P<weight>.{9})(?P<unit>.{3})"),
        LineFormat(2400, 7, Parity.EVEN),
        {**HEADERS, "QT": STABLE},
        request=b"Q\r\n",
    ),
    # The 10-byte format: eight places, nothing else.
    Dialect.CAS_10: Layout(_matching(r"(?P<weight>[-+ .\d]{8})")),
    # The 18-byte format that CAS calls AND.
    Dialect.CAS_18: Layout(_matching(r"(?P<state>ST|US|OL),(?:GS|NT),(?P<weight>.{8})(?P<unit>.{2})"), states=HEADERS),
    # The 22-byte format: id and lamp byte between two commas.
    Dialect.CAS_22: Layout(
        _matching(r"(?P<state>ST|US|OL),(?:GS|NT),.[\x80-\xff],(?P<weight>.{8}) (?P<unit>.{2})"), states=HEADERS
    ),
    # Weight right-aligned, unit, a question mark while it moves, a legend, the time of interval printing.
    Dialect.OHAUS: Layout(
        _matching(
            r"(?P<weight>[-+ ]{0,12}\d{1,12}(?:\.\d{0,9})?) (?P<unit>[A-Za-z:]{1,5}) {0,4}(?P<state>\??) {0,2}"
            r"(?:NET|GROSS|N|G|B|PT|T)? {0,2}(?:\d{1,2}:\d{2}:\d{2})? {0,4}"
        ),
        states={"": STABLE, "?": MOVING},
        request=b"IP\r\n",
    ),
    # SBI: sign, nine places, blank, unit of three; in the longer form behind six places that say what it is.
    Dialect.SARTORIUS: Layout(
        _matching(r"(?:[A-Za-z0-9 #*.]{6})?(?P<weight>[-+ ][ .\d]{9}) (?P<unit>.{3})"),
        words=(
            (re.compile(r"(?:\S{1,6} {1,5})? {0,12}(?:High|H) {0,12}"), OVERLOAD),
            (re.compile(r"(?:\S{1,6} {1,5})? {0,12}(?:Low|L) {0,12}"), UNDERLOAD),
            (re.compile(r"(?:\S{1,6} {1,5})? {0,12}Cal\.(?:Int\.|Ext\.)? {0,12}"), BUSY),
            (re.compile(r"(?:\S{1,6} {1,5})? {0,12}(?:Err {1,3}\d{1,3}|(?:APP|DIS|PRT)\.ERR) {0,12}"), FAULT),
        ),
        request=b"\x1bP\r\n",
        moves_without_unit=True,
    ),
    # Command of up to three, blank, stability marker, blank, sign, nine places, blank, unit of three.
    Dialect.RADWAG: Layout(
        _matching(r"S[IU ][I ] (?P<state>[ ?^v]) (?P<weight>[- ].{9}) (?P<unit>.{3})"),
        states={" ": STABLE, "?": MOVING, "^": OVERLOAD, "v": UNDERLOAD},
        request=b"SI\r\n",
    ),
    # SparkFun OpenScale: its columns depend on its settings. Any byte sent to it may open its menu: none is.
    Dialect.OPENSCALE: Layout(
        _matching(
            r"(?:\d{1,10},)?(?P<weight>-?\d{1,9}(?:\.\d{1,6})?),(?P<unit>lbs|kg),"
            r"(?:(?P<raw>-?\d{1,10}),)?(?:-?\d{1,3}\.\d{1,4},){0,2}"
        )
    ),
    # An Arduino sketch that answers <w> with a number, in whatever it was calibrated to.
    Dialect.HX711: Layout(_matching(r"(?P<weight>-?\d{1,10}(?:\.\d{1,9})?)"), request=b"<w>"),
}
"""Of every dialect that says one weight a line; MT-SICS and shelf-line have modules of their own."""


def layout_of(profile: LineProfile) -> Layout:
    """The layout that a technician has described."""
    said = (
        (profile.stable_words, STABLE),
        (profile.moving_words, MOVING),
        (profile.overload_words, OVERLOAD),
        (profile.underload_words, UNDERLOAD),
    )
    return Layout(
        _cut(profile),
        states={word: condition for words, condition in said for word in words},
        request=profile.request.encode(),
        factor=profile.factor,
    )


def _cut(profile: LineProfile) -> Callable[[str], Parts | None]:
    places: dict[str, Place] = {"weight": profile.weight_at}
    if profile.unit_at is not None:
        places["unit"] = profile.unit_at
    if profile.state_at is not None:
        places["state"] = profile.state_at

    def parts_of(line: str) -> Parts | None:
        if not line.startswith(profile.prefix):
            return None
        rest = line.removeprefix(profile.prefix)
        if profile.separator:
            fields = rest.split(profile.separator)
            return (
                {name: fields[at[0] - 1].strip() for name, at in places.items()}
                if len(fields) == profile.fields
                else None
            )
        return (
            {name: rest[at[0] - 1 : at[1]].strip() for name, at in places.items()}
            if len(rest) == profile.columns
            else None
        )

    return parts_of


class LineReader:
    """What lines of one layout mean; `unit` is that of lines that name none."""

    def __init__(self, layout: Layout, default: WeightUnit | None) -> None:
        self._layout = layout
        self._unit = default

    def read(self, line: bytes) -> list[Reading] | None:
        """The reading of a line; None where it is no line of this layout."""
        text, layout = line.decode("latin-1"), self._layout
        for pattern, condition in layout.words:
            if pattern.fullmatch(text):
                return [Reading(condition)]
        parts = layout.parts_of(text)
        if parts is None:
            return None
        state = parts.get("state")
        condition_said = layout.states.get(state) if state is not None else STABLE
        if condition_said is None:
            return None
        return self._weight(parts, condition_said) if condition_said in WEIGHS else [Reading(condition_said)]

    def _weight(self, parts: Parts, condition: WeightCondition) -> list[Reading] | None:
        value = number(parts["weight"] or "")
        if value is None:
            return None
        digits = parts.get("raw")
        raw = int(digits) if digits else None
        if raw is not None and saturated(raw):
            return [Reading(FAULT, raw=raw, fault=faults.SATURATED)]
        named = (parts.get("unit") or "").strip()
        if named:
            found = unit(named)
            if found is None:
                return [Reading(FAULT, fault=faults.unknown_unit(named))]
            self._unit = found
        elif self._layout.moves_without_unit:
            condition = MOVING
        if self._unit is None:
            return [Reading(FAULT, fault=faults.NO_UNIT)]
        grams = grams_of(value * self._layout.factor, self._unit)
        return None if grams is None else [Reading(condition, grams, raw=raw)]
