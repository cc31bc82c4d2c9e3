"""pydantic's findings in the words of whoever edits the file."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from config.checks import Finding, nearest
from config.lines import KeyPath
from config.models import PATTERNS_IN_WORDS, READER_SECTIONS, ConfigFile

# A value is shown to be recognised, not to be read.
SHOWN_CHARACTERS = 64
# Nothing of this table is ever shown: users write passwords into its addresses and make up keys for them.
HIDDEN_TABLE = "mqtt"

TYPES_IN_WORDS = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list in brackets",
    "frozen_set_type": "a list in brackets",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
LIMITS_IN_WORDS = {
    "greater_than": ("gt", "a number above {}"),
    "greater_than_equal": ("ge", "a number of at least {}"),
    "less_than": ("lt", "a number below {}"),
    "less_than_equal": ("le", "a number of at most {}"),
    "too_short": ("min_length", "at least {} of them"),
    "string_too_short": ("min_length", "at least {} character"),
    "string_too_long": ("max_length", "at most {} characters"),
}


def in_words(error: ValidationError) -> Iterator[Finding]:
    """Every finding of the models, each with its key, what was expected, and the nearest valid key or word."""
    for detail in error.errors(include_url=False):
        place = tuple(part for part in detail["loc"] if part != "[key]")
        key = _as_written(place)
        if detail["type"] == "extra_forbidden":
            yield _unknown_key(key, model_at(place[:-1]))
        elif detail["type"] == "missing":
            yield Finding(key, "this key is missing", _description(place))
        elif detail["type"] == "union_tag_not_found":
            yield Finding(
                (*key, "driver"),
                "this key is missing",
                f"one of {', '.join(READER_SECTIONS)}",
                _misspelt("driver", detail["input"]),
            )
        elif detail["type"] == "union_tag_invalid":
            given = detail["ctx"]["tag"]
            yield Finding(
                (*key, "driver"),
                f"'{given:.{SHOWN_CHARACTERS}}' cannot stand here",
                f"one of {', '.join(READER_SECTIONS)}",
                nearest(given, list(READER_SECTIONS)),
            )
        elif detail["type"] == "value_error":
            reason = str(detail["ctx"]["error"])
            expected = reason.removeprefix("expected ")
            yield Finding(key, _shown(key, detail["input"]), expected) if expected != reason else Finding(key, reason)
        else:
            expected = _expected(detail)
            choices = [word.strip("'") for word in expected.removeprefix("one of ").split(", ")]
            given = detail["input"]
            hint = nearest(given, choices) if isinstance(given, str) and expected.startswith("one of") else ""
            yield Finding(key, _shown(key, given), expected, hint)


def _as_written(place: KeyPath) -> KeyPath:
    """A place in the models as the file has it: there, a driver is no level of its own."""
    return (*place[:2], *place[3:]) if place[:1] == ("readers",) and len(place) > 2 else place


def _unknown_key(key: KeyPath, model: type[BaseModel] | None) -> Finding:
    names = list(model.model_fields) if model is not None else []
    return Finding(key, "unknown key", f"one of {', '.join(names)}", nearest(str(key[-1]), names))


def _misspelt(name: str, table: object) -> str:
    """A hint at the key of a table that was meant to be `name`, or nothing."""
    close = get_close_matches(name, map(str, table), n=1) if isinstance(table, dict) else []
    return f"{close[0]} is unknown: did you mean {name}?" if close else ""


def _expected(detail: Mapping[str, Any]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return PATTERNS_IN_WORDS[context["pattern"]]
    if kind in {"enum", "literal_error"}:
        return f"one of {str(context['expected']).replace(' or ', ', ')}"
    if kind in LIMITS_IN_WORDS:
        name, words = LIMITS_IN_WORDS[kind]
        limit = context[name]
        return words.format(int(limit) if limit == int(limit) else limit)
    return TYPES_IN_WORDS.get(kind, str(detail["msg"]))


def _shown(key: KeyPath, value: object) -> str:
    """The value that was refused, where it says more than its key."""
    if key[:1] == (HIDDEN_TABLE,) or isinstance(value, (dict, list, BaseModel)):
        return "this cannot stand here"
    try:
        text = repr(value)
    except ValueError:  # a number of more digits than Python writes
        text = "a huge number"
    return f"{text[:SHOWN_CHARACTERS]} cannot stand here"


def _description(place: KeyPath) -> str:
    model = model_at(place[:-1])
    field = model.model_fields.get(str(place[-1])) if model is not None else None
    if field is None:
        return ""
    return field.description or f"a table [{place[-1]}]"


def model_at(place: KeyPath) -> type[BaseModel] | None:
    """The model of the table at `place`, with the driver behind a reader's index; None where no model has one."""
    current: Any = ConfigFile
    for number, part in enumerate(place):
        if place[:1] == ("readers",) and number == 2:
            current = READER_SECTIONS.get(str(part))
        elif isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            if field is None:
                return None
            current = _plain(field.annotation)
        else:
            current = _inner(current)
    found = current if isinstance(current, type) else None
    return found if found is not None and issubclass(found, BaseModel) else None


def _plain(annotation: Any) -> Any:
    """A type without what says that it may be absent, or how it is checked."""
    if get_origin(annotation) in {Annotated, UnionType, Union}:
        return _plain(get_args(annotation)[0])
    return annotation


def _inner(annotation: Any) -> Any:
    """What a container holds: the last of its types that is not the ellipsis of a tuple."""
    annotation = _plain(annotation)
    return next((part for part in reversed(get_args(annotation)) if part is not Ellipsis), None)
