"""What all verbs share: exit codes, JSON for machines, problems on stderr with a hint, tables of 80 columns."""

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Annotated, Any, NoReturn

import typer

# What a terminal has at least, and what a file gets.
LINE_COLUMNS = 80


class ExitCode(IntEnum):
    """How a verb ended."""

    FINE = 0
    FINDING = 1
    USAGE = 2
    UNREACHABLE = 3


JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines, an object a line.")]


def print_json(value: Any) -> None:
    """One object as one line, at once: a pipe's other end need not wait."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def complain(text: str, hint: str = "", details: Sequence[str] = ()) -> None:
    """A problem on stderr: what, more about it, and what to do."""
    lines = _wrapped(text, "")
    for detail in details:
        lines += _wrapped(detail, "    ")
    if hint:
        lines += _wrapped(f"hint: {hint}", "    ")
    print("\n".join(lines), file=sys.stderr, flush=True)


def fail(code: ExitCode, text: str, hint: str = "") -> NoReturn:
    """Ends the verb with a problem."""
    complain(f"tallygate: {text}", hint)
    raise typer.Exit(code)


def pairs(rows: Iterable[tuple[str, object]]) -> str:
    """Names and values below each other, indented; a value is never broken, so that it can be copied."""
    shown = [(name, value) for name, value in rows if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in shown)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A plain table; the last column is wrapped within its own bounds where a line would get too long."""
    cells = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header) - 1)]
    indent = "  " * len(header) + " " * sum(widths)
    lines = []
    for row in cells:
        start = "".join(f"  {cell:<{width}}" for cell, width in zip(row, widths, strict=False)) + "  "
        text = textwrap.wrap(row[-1], max(20, columns() - len(indent)), break_on_hyphens=False) or [""]
        lines.append((start + text[0]).rstrip())
        lines += [indent + more for more in text[1:]]
    return "\n".join(lines)


def columns() -> int:
    """The width to write for: what the environment says, else 80."""
    text = os.environ.get("COLUMNS", "")
    return max(40, int(text)) if text.isdecimal() and len(text) < 5 else LINE_COLUMNS


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        columns(),
        initial_indent=indent,
        subsequent_indent=indent or "    ",
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent]
