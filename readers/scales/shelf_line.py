"""The lines of boards that people build themselves: JSON, or CSV with a checksum, as docs/shelves.md has it. Pure."""

import json
import math
import re
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import Any, Final

from readers.model import WeightCondition, WeightUnit
from readers.scales import faults
from readers.scales.readings import Reading, grams_of, number, saturated, unit

VERSION: Final = 1
MAX_CHANNEL: Final = 65_535
SEQUENCE_NUMBERS: Final = 65_536
"""A board counts its lines from 0 to 65535 and then anew."""

MOST_LOST: Final = 1000
"""A larger step of its numbers is a board that started anew, not so many lost lines."""

MS_WRAP: Final = 2**32
"""Milliseconds since a board's start, as Arduinos count them: after 49.7 days they begin again."""

MOST_CHANNELS: Final = 16
"""As many as fit a line."""

CSV: Final = re.compile(
    r"\$(?P<body>SL,(?P<id>[!-)+-~]{1,32}),(?P<seq>\d{1,5}),(?P<channel>\d{1,5}),(?P<value>[-+ .\d]{0,20}),"
    r"(?P<unit>[A-Za-z]{1,3}),(?P<state>[SDOUE]))\*(?P<sum>[0-9A-Fa-f]{2})"
)
CSV_STATES: Final = {
    "S": WeightCondition.STABLE,
    "D": WeightCondition.MOVING,
    "O": WeightCondition.OVERLOAD,
    "U": WeightCondition.UNDERLOAD,
    "E": WeightCondition.FAULT,
}
INPUT_UNIT: Final = "in"

CHANNEL_ERRORS: Final = {
    "over": WeightCondition.OVERLOAD,
    "under": WeightCondition.UNDERLOAD,
    "busy": WeightCondition.BUSY,
    "fault": WeightCondition.FAULT,
}
SATURATED: Final = re.compile(r"sat(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Told:
    """One line: who says it, its number, the board's own time, its readings, and its complaints."""

    board: str
    sequence: int
    uptime_ms: int | None
    readings: list[Reading] = field(default_factory=list)
    complaints: tuple[str, ...] = ()


def read_line(line: bytes) -> Told | None:
    """What a line says; None where it is none."""
    return _read_csv(line) if line.startswith(b"$") else _read_json(line)


def _read_csv(line: bytes) -> Told | None:
    match = CSV.fullmatch(line.decode("latin-1"))
    if match is None or reduce(xor, match["body"].encode("latin-1")) != int(match["sum"], 16):
        return None
    sequence, channel = int(match["seq"]), int(match["channel"])
    if sequence >= SEQUENCE_NUMBERS or channel > MAX_CHANNEL:
        return None
    reading = _csv_reading(match, channel)
    return None if reading is None else Told(match["id"], sequence, None, [reading])


def _csv_reading(match: re.Match[str], channel: int) -> Reading | None:
    condition = CSV_STATES[match["state"]]
    is_input = match["unit"] == INPUT_UNIT
    if condition not in {WeightCondition.STABLE, WeightCondition.MOVING}:
        return Reading(condition, channel=channel, is_input=is_input)
    value = number(match["value"])
    if value is None:
        return None
    if is_input:
        return Reading(condition, channel=channel, is_input=True, value=value)
    found = unit(match["unit"])
    if found is None:
        return Reading(WeightCondition.FAULT, channel=channel, fault=faults.unknown_unit(match["unit"]))
    grams = grams_of(value, found)
    return None if grams is None else Reading(condition, grams, channel)


class _WrongLineError(ValueError):
    """Valid JSON, and not a line of this format."""


def _read_json(line: bytes) -> Told | None:
    try:
        return _told(DECODER.decode(line.decode()))
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> float:
    raise _WrongLineError(name)


DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


def _told(said: Any) -> Told:
    if not isinstance(said, dict) or said.get("v") != VERSION:
        raise _WrongLineError
    board, entries, complaints = said.get("id", ""), said.get("ch", []), said.get("err", [])
    if not isinstance(board, str) or not isinstance(entries, list) or len(entries) > MOST_CHANNELS:
        raise _WrongLineError
    if not isinstance(complaints, list) or not all(isinstance(words, str) for words in complaints):
        raise _WrongLineError
    uptime = said.get("ms")
    broken = {int(match[1]) for words in complaints if (match := SATURATED.fullmatch(words))}
    return Told(
        board,
        _whole(said.get("seq"), SEQUENCE_NUMBERS - 1),
        None if uptime is None else _whole(uptime, MS_WRAP - 1),
        [_json_reading(entry, broken) for entry in entries],
        tuple(words for words in complaints if not SATURATED.fullmatch(words)),
    )


def _json_reading(entry: Any, broken: set[int]) -> Reading:
    if not isinstance(entry, dict):
        raise _WrongLineError
    channel = _whole(entry.get("c"), MAX_CHANNEL)
    if "in" in entry:
        value = entry["in"]
        known = None if value is None else _real(value)
        return Reading(WeightCondition.STABLE, channel=channel, is_input=True, value=known)
    raw = entry.get("raw")
    if raw is not None and (isinstance(raw, bool) or not isinstance(raw, int)):
        raise _WrongLineError
    if channel in broken or (raw is not None and saturated(raw)):
        return Reading(WeightCondition.FAULT, channel=channel, raw=raw, fault=faults.SATURATED)
    if "e" in entry:
        condition = CHANNEL_ERRORS.get(entry["e"]) if isinstance(entry["e"], str) else None
        if condition is None:
            raise _WrongLineError
        return Reading(condition, channel=channel, raw=raw)
    grams = grams_of(_real(entry.get("g")), WeightUnit.GRAM)
    if grams is None:
        raise _WrongLineError
    moving = _whole(entry.get("st", 1), 1) == 0
    return Reading(WeightCondition.MOVING if moving else WeightCondition.STABLE, grams, channel, raw)


def _whole(value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise _WrongLineError
    return value


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _WrongLineError
    try:
        real = float(value)
    except OverflowError as error:
        raise _WrongLineError from error
    if not math.isfinite(real):
        raise _WrongLineError
    return real
