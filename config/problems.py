"""What can be wrong with a configuration file, told so that it can be put right without a manual."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error keeps the file from being used; a warning is only worth a look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right: where (`path`, `line`, `key`), `text`, what was `expected`, and a `hint` if there is one.

    `line` counts from 1 and is that of the key, or of the table that lacks it; 0 where it is the file itself. `key`
    reads like `readers[0].session`.
    """

    path: str
    line: int
    key: str
    text: str
    expected: str = ""
    hint: str = ""
    severity: Severity = Severity.ERROR

    @property
    def place(self) -> str:
        """The file, and the line where there is one."""
        return f"{self.path}:{self.line}" if self.line else self.path

    def __str__(self) -> str:
        mark = "warning: " if self.severity is Severity.WARNING else ""
        parts = [f"{self.place}: {mark}", f"{self.key}: " if self.key else "", self.text]
        if self.expected:
            parts.append(f"; expected {self.expected}")
        if self.hint:
            parts.append(f" ({self.hint})")
        return "".join(parts)


class ConfigError(Exception):
    """A configuration that cannot be used; `problems` holds every error and warning found, in the file's order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)
