"""MT-SICS: its answers, and one connection to a scale that speaks it. Pure.

Source: "Reference Manual MT-SICS" of Mettler-Toledo. What happens when is TABLE.
"""

import re
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from readers.model import WeightCondition
from readers.port import faults as port_faults
from readers.scales import faults
from readers.scales.readings import Reading, grams_of, number, unit
from readers.scales.session import ScaleSession
from readers.scales.settings import ScaleSettings

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_US: Final = 2_000_000
"""A scale may take a second and more to answer, and a stream that pauses for so long has been ended by somebody."""

POLL_US: Final = 100_000
"""Where it cannot stream: ten times a second, but never before it has answered."""

ATTEMPTS: Final = 3
"""Resets without an answer, after which the port is opened anew."""

WEIGHT: Final = re.compile(r"(?:S|SI|SU|SIU|SIR|SIRU) +([SDA]) +([-+]?.{1,24}?) +([A-Za-z%]{1,5}) *")
ERROR: Final = re.compile(r"S +[SDA] +Error +(\S{1,8}).*")
REFUSAL: Final = re.compile(r"(?:S|SI|SU|SIU|SIR|SIRU) +([-+IL]) *")
TEXT: Final = re.compile(r'(I[234]) +A +"(.{0,128})" *')
NO_TEXT: Final = re.compile(r"(I[234]) +[IL] *")
SYNTAX_ERRORS: Final = frozenset({"ES", "EL", "ET"})
"""The command is unknown, its parameters are wrong, or a parity bit was hurt."""

REFUSALS: Final = {
    "+": WeightCondition.OVERLOAD,
    "-": WeightCondition.UNDERLOAD,
    "I": WeightCondition.BUSY,
    "L": WeightCondition.FAULT,
}


def read_weight(line: str) -> Reading | None:
    """The reading that a reply to S, SI or SIR means; None where it is no such reply.

    What is no number where the weight should be is a fault, never zero.
    """
    if match := REFUSAL.fullmatch(line):
        return Reading(REFUSALS[match[1]])
    if match := ERROR.fullmatch(line):
        return Reading(WeightCondition.FAULT, fault=faults.scale_error(f"Error {match[1]}"))
    match = WEIGHT.fullmatch(line)
    return None if match is None else _weight(match[1], match[2], match[3])


def _weight(status: str, digits: str, unit_word: str) -> Reading:
    value, found = number(digits), unit(unit_word)
    if found is None:
        return Reading(WeightCondition.FAULT, fault=faults.unknown_unit(unit_word))
    grams = None if value is None else grams_of(value, found)
    if grams is None:
        return Reading(WeightCondition.FAULT, fault=faults.scale_error(digits))
    return Reading(WeightCondition.MOVING if status == "D" else WeightCondition.STABLE, grams)


class State(StrEnum):
    """Where a connection is."""

    RESETTING = "resetting"
    NAMING = "naming"
    VERSIONING = "versioning"
    STREAMING = "streaming"
    ASKING = "asking"


class Event(StrEnum):
    """What can happen to it."""

    SERIAL = "serial"
    TEXT = "text"
    WEIGHT = "weight"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"


class Command(StrEnum):
    """What is done about it."""

    RESET = "reset"
    ASK_MODEL = "ask_model"
    ASK_VERSION = "ask_version"
    STREAM = "stream"
    ASK_WEIGHT = "ask_weight"
    TELL = "tell"
    IGNORE = "ignore"
    NOTE_REFUSAL = "note_refusal"


_RESET = (Command.RESET,), State.RESETTING
_TABLE: Final = {
    (State.RESETTING, Event.SERIAL): ((Command.ASK_MODEL,), State.NAMING),
    (State.RESETTING, Event.TEXT): ((Command.IGNORE,), State.RESETTING),
    # A stream of before, which the reset has not reached yet.
    (State.RESETTING, Event.WEIGHT): ((Command.IGNORE,), State.RESETTING),
    (State.RESETTING, Event.REFUSED): ((Command.NOTE_REFUSAL,), State.RESETTING),
    (State.RESETTING, Event.TIMED_OUT): _RESET,
    # Who somebody is may be kept to himself: reading goes on without it.
    (State.NAMING, Event.SERIAL): ((Command.IGNORE,), State.NAMING),
    (State.NAMING, Event.TEXT): ((Command.ASK_VERSION,), State.VERSIONING),
    (State.NAMING, Event.WEIGHT): ((Command.IGNORE,), State.NAMING),
    (State.NAMING, Event.REFUSED): ((Command.ASK_VERSION,), State.VERSIONING),
    (State.NAMING, Event.TIMED_OUT): ((Command.ASK_VERSION,), State.VERSIONING),
    (State.VERSIONING, Event.SERIAL): ((Command.IGNORE,), State.VERSIONING),
    (State.VERSIONING, Event.TEXT): ((Command.STREAM,), State.STREAMING),
    (State.VERSIONING, Event.WEIGHT): ((Command.IGNORE,), State.VERSIONING),
    (State.VERSIONING, Event.REFUSED): ((Command.STREAM,), State.STREAMING),
    (State.VERSIONING, Event.TIMED_OUT): ((Command.STREAM,), State.STREAMING),
    # Its power came back, or somebody pressed a key: it says who it is, and streams no more.
    (State.STREAMING, Event.SERIAL): ((Command.STREAM,), State.STREAMING),
    (State.STREAMING, Event.TEXT): ((Command.IGNORE,), State.STREAMING),
    (State.STREAMING, Event.WEIGHT): ((Command.TELL,), State.STREAMING),
    (State.STREAMING, Event.REFUSED): ((Command.ASK_WEIGHT,), State.ASKING),
    (State.STREAMING, Event.TIMED_OUT): _RESET,
    (State.ASKING, Event.SERIAL): ((Command.ASK_WEIGHT,), State.ASKING),
    (State.ASKING, Event.TEXT): ((Command.IGNORE,), State.ASKING),
    (State.ASKING, Event.WEIGHT): ((Command.TELL,), State.ASKING),
    (State.ASKING, Event.REFUSED): ((Command.NOTE_REFUSAL,), State.ASKING),
    (State.ASKING, Event.TIMED_OUT): _RESET,
}
TABLE: Final = MappingProxyType(_TABLE)
"""(state, event) -> (commands, next state)."""


class MtSicsSession(ScaleSession):
    """A scale that speaks MT-SICS: reset, asked for its number, then streaming, or asked where it cannot stream."""

    def __init__(self, reader: str, settings: ScaleSettings, known: str | None = None) -> None:
        super().__init__(reader, settings, known)
        self.at = State.RESETTING
        self._until_us = 0
        self._ask_us: int | None = None
        self._resets = 0
        self._text = ""
        self._weight: Reading | None = None
        self._acts: dict[Command, Callable[[], None]] = {
            Command.RESET: self._reset,
            Command.ASK_MODEL: lambda: self._ask("I2"),
            Command.ASK_VERSION: lambda: self._ask("I3"),
            Command.STREAM: lambda: self._ask("SIR"),
            Command.ASK_WEIGHT: lambda: self._ask("SI"),
            Command.TELL: self._tell_weight,
            Command.IGNORE: lambda: None,
            Command.NOTE_REFUSAL: lambda: self.notices.note(faults.refused(self._asked, self._text)),
        }
        self._asked = ""

    def begin(self) -> None:
        # The reset ends whatever was streaming, and nothing but its answer is listened to until then.
        self.splitter.trust()
        self._reset()

    def goodbye(self) -> bytes:
        return b"@\r\n"

    def line(self, line: bytes) -> None:
        text = self._text = line.decode("latin-1")
        self._weight = read_weight(text)
        if self._weight is not None:
            self._step(Event.WEIGHT)
        elif match := TEXT.fullmatch(text):
            self._take_text(match[1], match[2])
        elif text.strip() in SYNTAX_ERRORS or NO_TEXT.fullmatch(text):
            self.sense()
            self._step(Event.REFUSED)
        else:
            self.junk(line)

    def due(self) -> None:
        if self._ask_us is not None and self.now_us >= self._ask_us:
            self._ask_us = None
            self._ask("SI")
        elif self.now_us >= self._until_us:
            self._step(Event.TIMED_OUT)

    def next_due_us(self) -> int | None:
        return self._until_us if self._ask_us is None else self._ask_us

    def _take_text(self, name: str, words: str) -> None:
        if name == "I4":
            if self.identify(words):
                self.sense()
                self._step(Event.SERIAL)
            return
        if name == "I2":
            self.channels.model = words
        else:
            self.channels.firmware = words
        self._step(Event.TEXT)

    def _step(self, event: Event) -> None:
        commands, self.at = TABLE[self.at, event]
        for command in commands:
            self._acts[command]()

    def _reset(self) -> None:
        if self._resets >= ATTEMPTS:
            self.end(port_faults.silent(self.settings.address, self._resets * ANSWER_US / 1e6))
            return
        self._resets += 1
        self._ask("@")

    def _ask(self, command: str) -> None:
        self._asked = command
        self._ask_us = None
        self.send(f"{command}\r\n".encode())
        self._until_us = self.now_us + ANSWER_US

    def _tell_weight(self) -> None:
        if self._weight is None:
            return
        self._resets = 0
        self._until_us = self.now_us + ANSWER_US
        self.tell_readings([self._weight])
        if self.at is State.ASKING:
            self._ask_us = self.now_us + POLL_US
