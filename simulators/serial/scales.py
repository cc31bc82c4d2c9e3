"""Scales, from their makers' interface manuals: what they say by themselves and what they answer."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import Protocol


@dataclass(slots=True)
class Pan:
    """What lies on a scale; may be changed at any time. `trouble`: overload, underload, busy or error, or nothing."""

    grams: float = 0.0
    stable: bool = True
    trouble: str = ""


class MtSicsScale:
    """A Mettler-Toledo scale: level 0 of MT-SICS and its inquiries I2 to I4."""

    def __init__(
        self,
        pan: Pan,
        serial: str = "B123456789",
        *,
        unit: str = "g",
        decimals: int = 2,
        interval_s: float = 0.1,
        lag_s: float = 0.0,
        refuses: frozenset[str] = frozenset(),
    ) -> None:
        self.pan = pan
        self.serial = serial
        self.unit = unit
        self.decimals = decimals
        self.lag_s = lag_s
        # Commands that it does not know.
        self.refuses = refuses
        self.mute = False
        self.wake_s: float | None = None
        # What it was asked, in order.
        self.heard: list[str] = []
        self._interval_s = interval_s
        self._pending = b""
        self._streams = False

    def power_cycle(self) -> bytes:
        """The power fails and comes back; gives what it says then."""
        self._streams = False
        self.wake_s = None
        self._pending = b""
        return b"\x00\x00" + self._text("I4", self.serial)

    def feed(self, data: bytes) -> list[tuple[float, bytes]]:
        """Commands of the host, or nothing when the next value of a stream is due."""
        said: list[bytes] = []
        if data:
            *lines, self._pending = (self._pending + data).split(b"\r\n")
            for line in lines:
                command = line.decode("latin-1")
                self.heard.append(command)
                said.append(self._answer(command))
        elif self._streams:
            said.append(self._value())
        self.wake_s = self._interval_s if self._streams else None
        return [] if self.mute else [(self.lag_s, answer) for answer in said]

    def _answer(self, command: str) -> bytes:
        if command in self.refuses or command not in {"@", "S", "SI", "SIR", "I2", "I3", "I4"}:
            return b"ES\r\n"
        if command in {"@", "S", "SI", "SIR"}:
            self._streams = command == "SIR"
        if command == "@":
            return self._text("I4", self.serial)
        texts = {"I2": "PBA220 Standard 6.1 kg", "I3": "1.10 19.2.33.65", "I4": self.serial}
        return self._text(command, texts[command]) if command in texts else self._value()

    def _text(self, name: str, words: str) -> bytes:
        return f'{name} A "{words}"\r\n'.encode()

    def _value(self) -> bytes:
        signs = {"overload": "+", "underload": "-", "busy": "I"}
        if self.pan.trouble in signs:
            return f"S {signs[self.pan.trouble]}\r\n".encode()
        if self.pan.trouble:
            return b"S S Error 5b\r\n"
        status = "S" if self.pan.stable else "D"
        return f"S {status} {self.pan.grams / UNIT_GRAMS[self.unit]:>10.{self.decimals}f} {self.unit}\r\n".encode()


UNIT_GRAMS = {"g": 1.0, "kg": 1000.0, "lb": 453.59237, "lbs": 453.59237, "oz": 28.349523125, "mg": 0.001}


def and_line(pan: Pan, unit: str) -> str:
    """A&D's standard format: header, comma, sign and eight places, unit of three."""
    header = {"overload": "OL"}.get(pan.trouble, "ST" if pan.stable else "US")
    if header == "OL":
        return "OL,+9999999E+19"
    return f"{header},{pan.grams / UNIT_GRAMS[unit]:+09.1f}{unit:>3}"


def cas22_line(pan: Pan, unit: str) -> str:
    """CAS's 22 bytes: state, gross, device 1, a lamp byte, eight places, unit."""
    header = {"overload": "OL"}.get(pan.trouble, "ST" if pan.stable else "US")
    lamp = 0x80 | 0x04 | (0x40 if pan.stable else 0)
    return f"{header},GS,1{chr(lamp)},{pan.grams / UNIT_GRAMS[unit]:>8.1f} {unit:>2}"


def cas18_line(pan: Pan, unit: str) -> str:
    """CAS's 18 bytes."""
    header = {"overload": "OL"}.get(pan.trouble, "ST" if pan.stable else "US")
    return f"{header},GS,{pan.grams / UNIT_GRAMS[unit]:08.1f}{unit:>2}"


def cas10_line(pan: Pan, unit: str) -> str:
    """CAS's 10 bytes: the number alone."""
    return f"{pan.grams / UNIT_GRAMS[unit]:>8.1f}"


def ohaus_line(pan: Pan, unit: str) -> str:
    """Ohaus: eleven places, unit, a question mark while it moves."""
    return f"{pan.grams / UNIT_GRAMS[unit]:>11.2f} {unit}{'' if pan.stable else ' ?'}"


def sartorius_line(pan: Pan, unit: str) -> str:
    """Sartorius SBI in 16 bytes: no unit while it moves."""
    words = {"overload": "High", "underload": "Low", "busy": "Cal.", "error": "Err 054"}
    if pan.trouble:
        return f"{words[pan.trouble]:^14}"
    sign = "-" if pan.grams < 0 else "+"
    return f"{sign}{abs(pan.grams) / UNIT_GRAMS[unit]:>9.2f} {unit if pan.stable else '':<3}"


def radwag_line(pan: Pan, unit: str) -> str:
    """Radwag's answer to SI."""
    marker = {"overload": "^", "underload": "v"}.get(pan.trouble, " " if pan.stable else "?")
    sign = "-" if pan.grams < 0 else " "
    return f"SI  {marker} {sign}{abs(pan.grams) / UNIT_GRAMS[unit]:>9.3f} {unit:<3}"


def openscale_line(pan: Pan, unit: str) -> str:
    """SparkFun OpenScale with time stamp, raw reading and its own temperature."""
    raw = 0x7FFFFF if pan.trouble else 8_388_608 // 2 + round(pan.grams * 431) + random.Random(pan.grams).randint(-9, 9)
    return f"12345,{pan.grams / UNIT_GRAMS[unit]:.4f},{unit},{raw},24.50,"


def hx711_line(pan: Pan, unit: str) -> str:
    """A sketch that prints a float."""
    return f"{pan.grams / UNIT_GRAMS[unit]:.2f}"


FORMATS: dict[str, Callable[[Pan, str], str]] = {
    "and": and_line,
    "cas-10": cas10_line,
    "cas-18": cas18_line,
    "cas-22": cas22_line,
    "ohaus": ohaus_line,
    "sartorius": sartorius_line,
    "radwag": radwag_line,
    "openscale": openscale_line,
    "hx711": hx711_line,
}
REQUESTS = {
    "and": b"Q\r\n",
    "ohaus": b"IP\r\n",
    "sartorius": b"\x1bP\r\n",
    "radwag": b"SI\r\n",
    "hx711": b"<w>",
}


class LineScale:
    """A scale that says a line per weight: every `interval_s`, or (None) when it is asked in its maker's words."""

    def __init__(self, pan: Pan, dialect: str, *, unit: str = "g", interval_s: float | None = 0.1) -> None:
        self.pan = pan
        self.mute = False
        self.wake_s = interval_s
        self._dialect = dialect
        # Somebody may switch it to another one.
        self.unit = unit
        self._pending = b""

    def feed(self, data: bytes) -> list[tuple[float, bytes]]:
        """A request of the host, or nothing when the next line is due."""
        asked = 0
        if self._dialect in REQUESTS:
            self._pending += data
            asked = self._pending.count(REQUESTS[self._dialect])
            if asked:
                self._pending = b""
        times = asked if self.wake_s is None else int(not data)
        line = FORMATS[self._dialect](self.pan, self.unit).encode("latin-1") + b"\r\n"
        return [] if self.mute else [(0.0, line)] * times


@dataclass(slots=True)
class Cell:
    """One cell of a board, or (`is_input`) one input of it, which shows `pan.grams`."""

    channel: int
    pan: Pan = field(default_factory=Pan)
    is_input: bool = False
    mute: bool = False


class Fixture(Protocol):
    """What has cells of a board under it."""

    cells: list[Cell]

    def sense(self) -> None: ...


class ShelfBoard:
    """A board with several cells that speaks shelf-line, as JSON or as CSV with a checksum; `fixtures` bring theirs."""

    def __init__(
        self,
        cells: Sequence[Cell] = (),
        name: str = "bay7",
        *,
        fixtures: Sequence[Fixture] = (),
        as_csv: bool = False,
        interval_s: float = 0.1,
        seed: int = 1,
    ) -> None:
        self.cells = [*cells, *(cell for fixture in fixtures for cell in fixture.cells)]
        self._fixtures = fixtures
        self.name = name
        self.mute = False
        self.complaints: list[str] = []
        self.wake_s: float | None = interval_s
        self._interval_s = interval_s
        self._as_csv = as_csv
        self._sequence = 65_500
        self._ms = 2**32 - 2000
        self._rng = random.Random(seed)

    def restart(self) -> bytes:
        """Its power fails and comes back; gives what its boot loader says."""
        self._sequence = self._ms = 0
        return b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET)\r\n"

    def feed(self, data: bytes) -> list[tuple[float, bytes]]:
        """Nothing, when the next line is due; it does not listen."""
        if data or self.mute:
            return []
        self._ms = (self._ms + round(self._interval_s * 1000)) % 2**32
        for fixture in self._fixtures:
            fixture.sense()
        lines = [self._csv(cell) for cell in self.cells if not cell.mute] if self._as_csv else [self._json()]
        return [(0.0, line) for line in lines]

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) % 65_536
        return self._sequence

    def _csv(self, cell: Cell) -> bytes:
        pan = cell.pan
        state = {"overload": "O", "underload": "U", "error": "E"}.get(pan.trouble, "S" if pan.stable else "D")
        value = "" if pan.trouble else f"{pan.grams:.1f}"
        body = f"SL,{self.name},{self._next()},{cell.channel},{value},{'in' if cell.is_input else 'g'},{state}"
        return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode()

    def _json(self) -> bytes:
        entries: list[dict[str, object]] = []
        for cell in self.cells:
            pan = cell.pan
            raw = round(1_000_000 + pan.grams * 431 + self._rng.gauss(0, 20))
            if cell.mute:
                continue
            if cell.is_input:
                entries.append({"c": cell.channel, "in": None if pan.trouble else pan.grams})
            elif pan.trouble:
                word = {"overload": "over", "underload": "under", "error": "fault"}[pan.trouble]
                entries.append({"c": cell.channel, "raw": raw, "e": word})
            else:
                entries.append({"c": cell.channel, "raw": raw, "g": round(pan.grams, 1), "st": int(pan.stable)})
        line: dict[str, object] = {"v": 1, "id": self.name, "seq": self._next(), "ms": self._ms, "ch": entries}
        if self.complaints:
            line["err"] = self.complaints
        return json.dumps(line, separators=(",", ":")).encode() + b"\n"
