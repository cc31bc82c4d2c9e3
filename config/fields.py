"""Keys that come from other rooms' plain dataclasses: their names and defaults from there, their bounds from here.

A dataclass says what a parameter means and what it is by default. What a file may set it to, and one line for whoever
edits the file, stand in `RULES`. `keys_of` makes pydantic fields of both, so a new parameter is a new key at once.
"""

from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from pydantic import Field
from pydantic.fields import FieldInfo

from readers.modbus.settings import CELLS, MAX_ADDRESS, MAX_SLAVE
from readers.scales.settings import (
    MAX_LINE_BYTES,
    MAX_PREFIX_CHARACTERS,
    MAX_REQUEST_CHARACTERS,
    MAX_SEPARATOR_CHARACTERS,
)

# A year: no duration of this gateway is longer, and sums of them stay far from any overflow.
MAX_DURATION_S = 31_536_000.0
# Ten tons, a kilometre: no shelf carries more or is longer.
MAX_GRAMS = 10_000_000.0
MAX_MM = 1_000_000.0


def _duration(description: str) -> dict[str, Any]:
    return {"gt": 0, "le": MAX_DURATION_S, "description": description}


def _place(what: str) -> dict[str, Any]:
    words = f"Where {what} stands: [field], or [first, last] column; from 1."
    return {"strict": False, "min_length": 1, "max_length": 2, "description": words}


def _words(what: str) -> dict[str, Any]:
    return {"strict": False, "description": f"What the state says to mean {what}."}


RULES: dict[str, dict[str, Any]] = {
    # readers.llrp.settings.AirSettings
    "power_dbm": {"ge": -20, "le": 40, "description": "Transmit power; the nearest the device has, never more."},
    "session": {"ge": 0, "le": 3, "description": "Gen2 session."},
    "mode": {"ge": 0, "le": 65_535, "description": "Index of a mode that the device lists."},
    "population": {"ge": 1, "le": 65_535, "description": "Tags expected in view."},
    "search_mode": {"strict": False, "description": "Whether a tag that was read answers again at once; Impinj."},
    "tag_focus": {"description": "A tag answers once and is kept quiet; Impinj, session 1."},
    "channel": {
        "ge": 1,
        "le": 65_535,
        "description": "Entry of the frequency table of a reader that does not hop; with power_dbm.",
    },
    # readers.llrp.settings.LlrpSettings
    "hold": {
        "description": "The reader goes on, and keeps its reports, while this gateway is away; false: it is idle."
    },
    "fast_id": {"description": "Reads TIDs too; Impinj."},
    "rf_details": {"description": "Phase, Doppler shift and fine signal in reports, for diagnosis; Impinj."},
    "duty_percent": {"ge": 1, "le": 100, "description": "The part of each period that the reader inventories."},
    "duty_period_s": {"ge": 0.1, "le": 3600, "description": "That period."},
    "report_every_tags": {"ge": 1, "le": 65_535, "description": "Tag reports that the reader gathers into a message."},
    "connect_timeout_s": _duration("How long a connection may take to come about."),
    "answer_timeout_s": _duration("How long the reader may take to answer a command."),
    "keepalive_s": {"ge": 1, "le": 3600, "description": "How often the reader proves that it lives."},
    # readers.scales.settings
    "dialect": {"strict": False, "description": "How the scale words its weight."},
    "unit": {"strict": False, "description": "What a value means that names no unit."},
    "poll_s": {"ge": 0.01, "le": 3600, "description": "How often the device is asked."},
    "silence_s": {"gt": 0, "le": 3600, "description": "After so long without an answer it is down."},
    "serial_number": {"min_length": 1, "max_length": 64, "description": "What the device must say its own number is."},
    "weight_at": _place("the weight"),
    "unit_at": _place("the unit"),
    "state_at": _place("the state"),
    "separator": {"max_length": MAX_SEPARATOR_CHARACTERS, "description": "What stands between fields; none: columns."},
    "fields": {"ge": 1, "le": 64, "description": "How many fields a line has."},
    "columns": {"ge": 1, "le": MAX_LINE_BYTES, "description": "How many characters a line has."},
    "prefix": {"max_length": MAX_PREFIX_CHARACTERS, "description": "How each line begins."},
    "stable_words": _words("that the weight is settled"),
    "moving_words": _words("that it is not"),
    "overload_words": _words("that it is too heavy"),
    "underload_words": _words("that the pan is missing"),
    "factor": {"description": "Units in one count of the number."},
    "request": {"max_length": MAX_REQUEST_CHARACTERS, "description": "What is sent to ask for a line."},
    # readers.modbus.settings
    "slave": {"ge": 1, "le": MAX_SLAVE, "description": "The device's address on the line."},
    "profile": {"strict": False, "description": "Which registers the device has."},
    "quantity": {"strict": False, "description": "Which of the device's weights."},
    "decimals": {"ge": 0, "le": 6, "description": "Digits behind the point of its display."},
    "address": {"ge": 0, "le": MAX_ADDRESS, "description": "The register or input, from 0."},
    "registers": {"strict": False, "description": "Which of the device's tables of registers."},
    "word_order": {"strict": False, "description": "Which half of a float comes first."},
    "cell": {"ge": 1, "le": CELLS, "description": "Which of the four scales of the transmitter."},
    "identity_address": {
        "ge": 0,
        "le": MAX_ADDRESS,
        "description": "Where the device keeps its serial number, from 0.",
    },
    "identity_count": {"ge": 1, "le": 16, "description": "How many registers that takes."},
    "identity_registers": {"strict": False, "description": "In which of its tables of registers."},
    "scale": {"description": "Degrees Celsius in one count of the register."},
    "timeout_s": {"ge": 0.02, "le": 60, "description": "How long a device may take to answer."},
    # readers.m100.settings, readers.chafon.settings
    "region": {"strict": False, "description": "The radio law of this place; without it nothing is sent."},
    "q": {"ge": 0, "le": 15, "description": "Gen2 Q: 2 to the power of q slots a round."},
    "switch_pins": {"strict": False, "description": "Pins that an external antenna switch hangs on."},
    "switch_coding": {"strict": False, "description": "How these pins name an antenna."},
    "dwell_s": {"ge": 0.2, "le": 60, "description": "How long each antenna looks at a time."},
    "bus_address": {"ge": 0, "le": 254, "description": "The reader's address on its line."},
    "scan_s": {"ge": 0.1, "le": 25.5, "description": "How long one look of one antenna may take."},
    # gateway.domain.params: Sku, ShelfParams, Bin
    "unit_weight_g": {"gt": 0, "le": MAX_GRAMS, "description": "The mean weight of one piece."},
    "variation": {"ge": 0, "le": 0.5, "description": "How much pieces vary: relative standard deviation."},
    "tolerance": {"ge": 0, "le": 0.5, "description": "How well their mean weight is known: the same of the mean."},
    "most": {"ge": 1, "le": 10_000, "description": "Pieces that the bin holds at most."},
    "lane_mm": {"strict": False, "description": "[from, to]: where it lies on a plate of several cells."},
    "noise_g": {"gt": 0, "le": MAX_GRAMS, "description": "Standard deviation of one value while nothing moves."},
    "division_g": {"ge": 0, "le": MAX_GRAMS, "description": "The step of the scale's display."},
    "capacity_g": {"gt": 0, "le": MAX_GRAMS, "description": "What the scale can weigh."},
    "zero_g": {"ge": -MAX_GRAMS, "le": MAX_GRAMS, "description": "What the scale shows when the bin is empty."},
    "rest_s": {"ge": 0.2, "le": 10, "description": "Weight is settled when it was still for so long."},
    "quiet_s": {"ge": 1, "le": 3600, "description": "... and is compared with the whole count after so long."},
    "empty_s": {"ge": 1, "le": MAX_DURATION_S, "description": "An empty bin's zero follows after so long."},
    "blind_s": {"ge": 1, "le": 3600, "description": "After so long without a weight the zone is not relied upon."},
    "precedence": {"strict": False, "description": "Whose count is stock where tags are read too."},
    "disagree_s": _duration("How long tags and shelf may differ before an alert."),
    "sensor": {"strict": False, "description": "What the bin counts with."},
    "empty_mm": {"ge": 0, "le": MAX_MM, "description": "Where a pusher stands when nothing is left."},
    "open_value": {"ge": 0, "le": 1, "description": "What the contact of an open door says."},
    "pitch_mm": {"gt": 0, "le": MAX_MM, "description": "How much closer it stands for each piece."},
    # gateway.domain.params.PresenceParams
    "observed_reads": {"ge": 1, "le": 1000, "description": "Reads after which a tag counts."},
    "observed_span_ms": {"ge": 0, "le": 3_600_000, "description": "Time that these reads must span."},
    "first_read_chance": {
        "gt": 0,
        "le": 1,
        "description": "It counts before, where another read is likelier than this; 1: never.",
    },
    "withdrawn_after_s": _duration("... and is withdrawn after so long without one."),
    "glimpsed_timeout_s": _duration("A tag that is not read again within it is forgotten."),
    "missing_chance": {"gt": 0, "lt": 1, "description": "Chance of a silence below which an item is missing."},
    "missing_floor_s": _duration("An item is never missing after a shorter silence."),
    "unseen_stay_s": _duration("Until more is known, an item leaves the zone unseen after so long."),
    "false_departures": {
        "gt": 0,
        "le": 1_000_000,
        "description": "How many of 10,000 items that are there may be given up in a day.",
    },
    "false_share": {
        "ge": 0,
        "le": 1,
        "description": "... or so many for each that leaves unseen, where that is more.",
    },
    "carried_share": {
        "ge": 0,
        "le": 1,
        "description": "... of those that were being carried when they were read last.",
    },
    "departed_floor_s": _duration("An item never departs after a shorter silence."),
    "silence_ceiling_s": _duration("The longest silence that either bound can ask for."),
    "leaves_silent": {"description": "Silence in this zone is the evidence of leaving."},
    "exit_silence_s": _duration("How long that silence lasts."),
    "evidence_reads": {"gt": 0, "le": 1000, "description": "Evidence halves in the time that so many reads take."},
    "evidence_shortest_s": _duration("It never halves faster."),
    "evidence_longest_s": _duration("It never halves slower."),
    "memory_s": _duration("How far back goes what a zone used to hear of an item."),
    "move_nats": {
        "ge": 0,
        "le": 1000,
        "description": "An item moves when its reads speak by so much for its having been carried; 0: by move_change.",
    },
    "move_margin": {"ge": 1, "le": 1000, "description": "It moves to a zone that has so many times the evidence ..."},
    "move_change": {
        "ge": 0,
        "le": 1000,
        "description": "... and, by 0 nats, so many times the most that it heard of the item while that was elsewhere.",
    },
    "move_weight": {"ge": 0, "le": 1000, "description": "A zone must have heard so much: 1 is a read of -60 dBm."},
    "move_dwell_s": {
        "ge": 0,
        "le": MAX_DURATION_S,
        "description": "How long that must last, if it is not by a nat more; 0: one look is enough.",
    },
    "settle_s": _duration("A zone has learnt its stock when nothing new came for so long."),
    "learning_limit_s": _duration("A zone has learnt its stock after this time at the latest."),
    "missing_alert_s": _duration("An item that is missing for so long raises an alert."),
}


def keys_of(dataclass: type[Any], *, without: frozenset[str] = frozenset()) -> dict[str, tuple[Any, FieldInfo]]:
    """Key -> (type, field) of the parameters of `dataclass`.

    A key is optional, and None when it is not given, where its parameter has a default.
    """
    hints = get_type_hints(dataclass)
    return {
        field.name: (hints[field.name], Field(**RULES.get(field.name, {})))
        if field.default is MISSING and field.default_factory is MISSING
        else (hints[field.name] | None, Field(default=None, **RULES.get(field.name, {})))
        for field in fields(dataclass)
        if field.name not in without
    }


def given(section: object, names: frozenset[str]) -> dict[str, Any]:
    """Those of `names` that the file sets in `section`: the arguments for the dataclass they belong to."""
    return {name: value for name in sorted(names) if (value := getattr(section, name)) is not None}


def names_of(dataclass: type[Any], *, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """The names of the parameters of `dataclass`."""
    return frozenset(field.name for field in fields(dataclass)) - without
