import json
from functools import reduce
from operator import xor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.model import WeightCondition
from readers.scales.readings import Reading
from readers.scales.shelf_line import read_line

STABLE, MOVING, FAULT = WeightCondition.STABLE, WeightCondition.MOVING, WeightCondition.FAULT
LINE = (
    b'{"v":1,"id":"bay7","seq":812,"ms":123456,"ch":[{"c":0,"raw":8331267,"g":512.3,"st":1},{"c":1,"in":1}],'
    b'"err":["sat4","cold"]}'
)


def csv(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode()):02x}".encode()


def test_a_line_of_json() -> None:
    told = read_line(LINE)
    assert told is not None
    assert (told.board, told.sequence, told.uptime_ms, told.complaints) == ("bay7", 812, 123_456, ("cold",))
    assert told.readings == [
        Reading(STABLE, 512.3, 0, 8_331_267),
        Reading(STABLE, channel=1, is_input=True, value=1.0),
    ]


@pytest.mark.parametrize(
    ("entry", "condition", "grams"),
    [
        ({"c": 4, "g": 1}, FAULT, None),  # err says that its converter is saturated
        ({"c": 1, "g": 1, "st": 0}, MOVING, 1.0),
        ({"c": 1, "g": -0.5}, STABLE, -0.5),
        ({"c": 1, "raw": 0x7FFFFF, "g": 1}, FAULT, None),
        ({"c": 1, "raw": -0x800000, "g": 1}, FAULT, None),
        ({"c": 1, "e": "over"}, WeightCondition.OVERLOAD, None),
        ({"c": 1, "e": "under"}, WeightCondition.UNDERLOAD, None),
        ({"c": 1, "e": "busy", "g": 5}, WeightCondition.BUSY, None),
        ({"c": 1, "e": "fault"}, FAULT, None),
    ],
)
def test_what_a_cell_can_say(entry: dict[str, object], condition: WeightCondition, grams: float | None) -> None:
    told = read_line(json.dumps({"v": 1, "id": "b", "seq": 0, "ch": [entry], "err": ["sat4"]}).encode())
    assert told is not None
    assert (told.readings[0].condition, told.readings[0].grams) == (condition, grams)


def test_an_input_that_cannot_be_told() -> None:
    told = read_line(b'{"v":1,"seq":1,"ch":[{"c":3,"in":null}]}')
    assert told is not None
    assert told.readings == [Reading(STABLE, channel=3, is_input=True, value=None)]


@pytest.mark.parametrize(
    "line",
    [
        LINE[:-1],
        LINE[1:],
        b"",
        b"[]",
        b"null",
        b'{"v":2,"seq":1,"ch":[]}',
        b'{"v":1,"ch":[]}',
        b'{"v":1,"seq":65536,"ch":[]}',
        b'{"v":1,"seq":true,"ch":[]}',
        b'{"v":1,"seq":1,"ms":-1}',
        b'{"v":1,"seq":1,"ms":4294967296}',
        b'{"v":1,"seq":1,"ch":{}}',
        b'{"v":1,"seq":1,"ch":[1]}',
        b'{"v":1,"seq":1,"ch":[{"g":1}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"g":"1"}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"g":true}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"g":NaN}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"g":1e309}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"in":Infinity}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"in":1e400}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"g":' + b"9" * 60 + b"}]}",
        b'{"v":1,"seq":1,"ch":[{"c":1,"g":' + b"9" * 400 + b"}]}",
        b'{"v":1,"seq":1,"ch":[{"c":1,"g":1,"st":2}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"g":1,"raw":1.5}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"e":"odd"}]}',
        b'{"v":1,"seq":1,"ch":[{"c":1,"e":1}]}',
        b'{"v":1,"seq":1,"id":7}',
        b'{"v":1,"seq":1,"err":"sat0"}',
        b'{"v":1,"seq":1,"err":[1]}',
        b'{"v":1,"seq":1,"ch":[' + b",".join([b'{"c":1,"in":1}'] * 17) + b"]}",
        b"[" * 500,
        b'{"v":1,"id":"\xff","seq":1}',
    ],
)
def test_what_is_no_line_of_json(line: bytes) -> None:
    assert read_line(line) is None


@pytest.mark.parametrize(
    ("body", "reading"),
    [
        ("SL,bay7,812,0,512.3,g,S", Reading(STABLE, 512.3, 0)),
        ("SL,bay7,812,0,-0.5123,kg,D", Reading(MOVING, -512.3, 0)),
        ("SL,bay7,812,0,,g,O", Reading(WeightCondition.OVERLOAD, channel=0)),
        ("SL,bay7,812,0,1.0,g,U", Reading(WeightCondition.UNDERLOAD, channel=0)),
        ("SL,bay7,812,0,0,g,E", Reading(FAULT, channel=0)),
        ("SL,bay7,812,3,1,in,S", Reading(STABLE, channel=3, is_input=True, value=1.0)),
        ("SL,bay7,812,3,,in,E", Reading(FAULT, channel=3, is_input=True)),
    ],
)
def test_a_line_of_csv(body: str, reading: Reading) -> None:
    told = read_line(csv(body))
    assert told is not None
    assert (told.board, told.sequence) == ("bay7", 812)
    assert (told.readings[0].condition, told.readings[0].channel) == (reading.condition, reading.channel)
    assert told.readings[0].grams == (None if reading.grams is None else pytest.approx(reading.grams))
    assert (told.readings[0].is_input, told.readings[0].value) == (reading.is_input, reading.value)


def test_pieces_are_no_weight() -> None:
    told = read_line(csv("SL,b,1,0,5,pcs,S"))
    assert told is not None
    assert told.readings[0].condition is FAULT


@pytest.mark.parametrize(
    "line",
    [
        csv("SL,bay7,812,0,512.3,g,S")[:-2] + b"00",
        csv("SL,bay7,812,0,512.3,g,S").lower(),
        csv("SL,bay7,65536,0,512.3,g,S"),
        csv("SL,bay7,1,65536,512.3,g,S"),
        csv("SL,bay7,1,0,,g,S"),
        csv("SL,bay7,1,0,1e3,g,S"),
        csv("SL,bay7,1,0,1,g,X"),
        csv("SL,bay7,1,0,1,g"),
        csv("SX,bay7,1,0,1,g,S"),
        b"$",
    ],
)
def test_what_is_no_line_of_csv(line: bytes) -> None:
    assert read_line(line) is None


@pytest.mark.parametrize("good", [csv("SL,bay7,812,0,512.3,g,S")])
def test_every_hurt_bit_of_a_csv_line_is_seen(good: bytes) -> None:
    for at in range(len(good)):
        for bit in range(8):
            told = read_line(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :])
            # Only a digit of the sum may change its case, and mean the same.
            assert told is None or told == read_line(good)


@given(st.binary(max_size=200))
def test_any_line(line: bytes) -> None:
    for reading in getattr(read_line(line), "readings", ()):
        assert isinstance(reading, Reading)


def test_the_documented_lines_are_lines() -> None:
    page = (Path(__file__).parents[3] / "docs" / "shelves.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith(('{"v"', "$SL"))]
    assert len(lines) == 2
    for line in lines:
        told = read_line(line.encode())
        assert told is not None
        assert told.readings[0].grams == 512.3
