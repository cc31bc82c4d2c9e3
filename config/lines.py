"""On which line of a TOML text each key stands. Pure; tomllib, which does not tell, has already accepted the text."""

import re
import tomllib
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""The way to a value: table keys and, in arrays, indexes."""

SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
PART = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
KEY = re.compile(rf"{PART}(?:[ \t]*\.[ \t]*{PART})*")
STRING = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""(?!")"{0,2}|\'\'\'.*?\'\'\'(?!')'{0,2}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*\'''',
    re.DOTALL,
)
PLAIN = re.compile(r"[^,\]}\n#]*")


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, on which every key, table and array element of valid TOML `text` first appears."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of `path`, or of the nearest thing around it that is in the file; 1 when nothing of it is."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1


def _split(key: str) -> tuple[str, ...]:
    """A key as it is written, dotted and quoted, as its parts."""
    parts: list[str] = []
    table = tomllib.loads(f"{key} = 0")
    while True:
        part, inner = next(iter(table.items()))
        parts.append(part)
        if not isinstance(inner, dict):
            return tuple(parts)
        table = inner


class _Scanner:
    """Walks over a valid document once and notes where keys stand; it judges nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[KeyPath, int] = {}
        self._arrays: dict[KeyPath, int] = {}
        self._line = 1
        self._counted = 0

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip():
            if self.text[self.position] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        """`[table]` or `[[array of tables]]`: the path that the pairs after it belong to."""
        is_array = self.text.startswith("[[", self.position)
        self.position += 2 if is_array else 1
        self._skip()
        parts = self._key()
        path: KeyPath = ()
        for part in parts[:-1]:
            path = self._enter((*path, part))
        path = (*path, parts[-1])
        if is_array:
            self._note(path)
            self._arrays[path] = self._arrays.get(path, 0) + 1
        path = self._enter(path)
        self._note(path)
        self.position = self.text.index("]", self.position) + (2 if is_array else 1)
        return path

    def _enter(self, path: KeyPath) -> KeyPath:
        """Into an array of tables means into its last table."""
        self._note(path)
        return (*path, self._arrays[path] - 1) if path in self._arrays else path

    def _pair(self, table: KeyPath) -> None:
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path)
        self._skip()
        self.position += 1  # the equals sign
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._skip()
        start = self.text[self.position]
        if start in "\"'":
            self.position = _end(STRING, self.text, self.position)
        elif start == "[":
            self._elements(path)
        elif start == "{":
            self._inline_table(path)
        else:
            self.position = _end(PLAIN, self.text, self.position)

    def _elements(self, path: KeyPath) -> None:
        index = 0
        self.position += 1
        while self._next_entry("]"):
            self._note((*path, index))
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.position += 1
        while self._next_entry("}"):
            self._pair(path)

    def _next_entry(self, closing: str) -> bool:
        """Over spaces and a comma to the next entry; False, and over `closing`, when there is none."""
        self._skip()
        if self.text[self.position] == ",":
            self.position += 1
            self._skip()
        if self.text[self.position] == closing:
            self.position += 1
            return False
        return True

    def _key(self) -> tuple[str, ...]:
        start = self.position
        self.position = _end(KEY, self.text, start)
        return _split(self.text[start : self.position])

    def _skip(self) -> bool:
        """Over spaces, line ends and comments; False at the end of the text."""
        self.position = _end(SPACE, self.text, self.position)
        return self.position < len(self.text)

    def _note(self, path: KeyPath) -> None:
        self._line += self.text.count("\n", self._counted, self.position)
        self._counted = self.position
        self.lines.setdefault(path, self._line)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    assert match is not None, "the text is valid TOML"
    return match.end()
