"""Where each key of a TOML text stands, against tomllib's own idea of what the keys are."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.lines import KeyPath, key_lines, line_of

DOCUMENT = '''# a comment with = and [brackets]
top = "a # no comment"     # line 2

[site]
id = 'x'
"quoted key" = 1_000
site.sub = 2024-01-01 10:00:00

[[zones]]
id = "one"
text = """
[not.a.table]
key = 1
""" # line 15 ends it
after = """quotes "" inside and at its end"""""
[[zones]]
id = "two"
[zones.deep."a.b"]
list = [ 1, 2,   # line 20
  { x = 1, y = [ "]" ] },
  3, ]
inline = { 1 = "floor", 2 = { z = true } }
literal = \'\'\'
it's \'\'\'
last = -inf
'''


def paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Every path in a parsed document."""
    found = [path] if path else []
    if isinstance(value, dict):
        return found + [inner for key, entry in value.items() for inner in paths(entry, (*path, key))]
    if isinstance(value, list):
        return found + [inner for index, entry in enumerate(value) for inner in paths(entry, (*path, index))]
    return found


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("site",), 4),
        (("site", "quoted key"), 6),
        (("site", "site", "sub"), 7),
        (("zones",), 9),
        (("zones", 0), 9),
        (("zones", 0, "text"), 11),
        (("zones", 0, "after"), 15),
        (("zones", 1), 16),
        (("zones", 1, "id"), 17),
        (("zones", 1, "deep", "a.b"), 18),
        (("zones", 1, "deep", "a.b", "list", 0), 19),
        (("zones", 1, "deep", "a.b", "list", 2, "y", 0), 20),
        (("zones", 1, "deep", "a.b", "list", 3), 21),
        (("zones", 1, "deep", "a.b", "inline", "2", "z"), 22),
        (("zones", 1, "deep", "a.b", "last"), 25),
    ],
)
def test_lines_of_a_document(path: KeyPath, line: int) -> None:
    assert key_lines(DOCUMENT)[path] == line
    assert key_lines(DOCUMENT.replace("\n", "\r\n"))[path] == line


def test_every_key_of_the_document_is_found_and_nothing_else() -> None:
    assert set(key_lines(DOCUMENT)) == set(paths(tomllib.loads(DOCUMENT)))


def test_what_is_missing_is_told_at_what_is_around_it() -> None:
    lines = key_lines(DOCUMENT)
    assert line_of(lines, ("zones", 1, "kind")) == 16
    assert line_of(lines, ("mqtt", "url")) == 1
    assert line_of(lines, ()) == 1


KEYS = st.sampled_from(["a", "b-1", "3", '"x y"', "'.'", '"\\u0041\\""', "c"])
SCALARS = st.sampled_from(
    ["1", "-2.5e3", "true", '"s"', "'#]'", "1979-05-27", '"\\""', '""', '"""\n"x\n"""', "'''\n}\n'''", "07:32:00"]
)
SPACES = st.sampled_from(["", " ", "\t"])
BREAKS = st.sampled_from(["", " ", "\n", " # ,]}\n"])


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.sampled_from(["scalar", "array", "inline"])) if depth else "scalar"
    if kind == "array":
        entries = draw(st.lists(values(depth - 1), max_size=3))
        return "[" + draw(BREAKS) + "".join(f"{entry}{draw(BREAKS)},{draw(BREAKS)}" for entry in entries) + "]"
    if kind == "inline":
        keys = draw(st.lists(KEYS, max_size=3, unique=True))
        return "{" + ", ".join(f"{key}{draw(SPACES)}={draw(values(depth - 1))}" for key in keys) + " }"
    return draw(SCALARS)


@st.composite
def documents(draw: st.DrawFn) -> str:
    text = ""
    for header in draw(st.lists(st.sampled_from(["[[t]]", "[[ t . u ]]", "[t.v]", "[w]", ""]), max_size=5)):
        text += header + draw(st.sampled_from(["\n", " # x\n"]))
        for key in draw(st.lists(KEYS, max_size=3, unique=True)):
            text += f"{key}{draw(SPACES)}={draw(SPACES)}{draw(values())}\n"
    return text


@given(documents())
def test_every_key_of_any_document_is_found(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = key_lines(text)
    assert set(lines) == set(paths(data))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
