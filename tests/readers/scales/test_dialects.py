import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.model import GRAMS_OF, WeightCondition, WeightUnit
from readers.scales.dialects import LAYOUTS, LineReader, layout_of
from readers.scales.readings import Reading, number, unit
from readers.scales.settings import ASKED, Dialect, LineProfile
from simulators.serial.scales import FORMATS, REQUESTS, Pan
from tests.readers.port.vectors import Vector, needs_vectors, vectors

STABLE, MOVING = WeightCondition.STABLE, WeightCondition.MOVING
OVERLOAD, UNDERLOAD = WeightCondition.OVERLOAD, WeightCondition.UNDERLOAD
BUSY, FAULT = WeightCondition.BUSY, WeightCondition.FAULT
FAMILIES = {"A&D": Dialect.AND, "CAS": Dialect.CAS_18, "OHAUS": Dialect.OHAUS, "OPENSCALE": Dialect.OPENSCALE}
VECTORS = [(dialect, vector) for family, dialect in FAMILIES.items() for vector in vectors(family, text=True)]


def read(dialect: Dialect, line: str | bytes, default: WeightUnit | None = None) -> Reading | None:
    data = line if isinstance(line, bytes) else line.encode("latin-1")
    readings = LineReader(LAYOUTS[dialect], default).read(data)
    return readings[0] if readings else None


@needs_vectors
@pytest.mark.parametrize(("dialect", "vector"), VECTORS, ids=[vector.name for _, vector in VECTORS])
def test_published_lines(dialect: Dialect, vector: Vector) -> None:
    reading = read(dialect, vector.data)
    assert reading is not None
    expect = vector.expect
    if "pcs" in expect:
        assert (reading.condition, reading.grams) == (FAULT, None)
        return
    grams = expect["kg"] * 1000 if "kg" in expect else expect["g"]
    assert reading.grams == pytest.approx(grams)
    assert reading.condition is (STABLE if expect.get("stable", True) else MOVING)
    assert reading.raw == expect.get("raw")


def test_the_published_lines_are_all_there() -> None:
    assert len(VECTORS) in {0, 7}


@pytest.mark.parametrize(
    ("dialect", "line", "condition", "grams"),
    [
        (Dialect.AND, "ST,-000012.5  g", STABLE, -12.5),
        (Dialect.AND, "US,+00001.234 kg", None, None),
        (Dialect.AND, "US,+0001.234 kg", MOVING, 1234.0),
        (Dialect.AND, "OL,+9999999E+19", OVERLOAD, None),
        (Dialect.AND, "QT,+00012345 PC", FAULT, None),
        (Dialect.CAS_22, "ST,GS,1\xc4,   13.5 kg", None, None),
        (Dialect.CAS_22, "ST,GS,1\xc4,    13.5 kg", STABLE, 13_500.0),
        (Dialect.CAS_22, "US,NT,1\x84,   -13.5 kg", MOVING, -13_500.0),
        (Dialect.CAS_22, "OL,GS,1\x84,         kg", OVERLOAD, None),
        (Dialect.CAS_18, "ST,GS,000013.5kg", STABLE, 13_500.0),
        (Dialect.OHAUS, "     -176.30 g", STABLE, -176.3),
        (Dialect.OHAUS, "-    176.30 kg ? NET", MOVING, -176_300.0),
        (Dialect.OHAUS, "       0.00 g", STABLE, 0.0),
        (Dialect.SARTORIUS, "+   123.45 g  ", STABLE, 123.45),
        (Dialect.SARTORIUS, "N     -   123.45 kg ", STABLE, -123_450.0),
        (Dialect.SARTORIUS, "     High     ", OVERLOAD, None),
        (Dialect.SARTORIUS, "     Low      ", UNDERLOAD, None),
        (Dialect.SARTORIUS, "Stat       Cal.  ", BUSY, None),
        (Dialect.SARTORIUS, "Stat     Cal.Int.   ", BUSY, None),
        (Dialect.SARTORIUS, "   Err 054    ", FAULT, None),
        (Dialect.SARTORIUS, "   APP.ERR    ", FAULT, None),
        (Dialect.RADWAG, "SI       123.450 g  ", STABLE, 123.45),
        (Dialect.RADWAG, "SI  ? -   12.345 kg ", MOVING, -12_345.0),
        (Dialect.RADWAG, "SU  ^        0.0 g  ", OVERLOAD, None),
        (Dialect.RADWAG, "SI  v        0.0 g  ", UNDERLOAD, None),
        (Dialect.OPENSCALE, "0.512,lbs,", STABLE, 0.512 * 453.59237),
        (Dialect.OPENSCALE, "12345,-0.512,kg,8431267,24.50,21.00,", STABLE, -512.0),
        (Dialect.OPENSCALE, "12345,0.512,kg,8388607,24.50,", FAULT, None),
        (Dialect.OPENSCALE, "Readings:", None, None),
        (Dialect.OPENSCALE, "SparkFun OpenScale", None, None),
        (Dialect.HX711, "<SerialWeighingScale>", None, None),
    ],
)
def test_lines_as_the_manuals_have_them(
    dialect: Dialect, line: str, condition: WeightCondition | None, grams: float | None
) -> None:
    reading = read(dialect, line)
    if condition is None:
        assert reading is None
    else:
        assert reading is not None
        assert (reading.condition, reading.grams) == (condition, pytest.approx(grams) if grams is not None else None)


@pytest.mark.parametrize("dialect", FORMATS)
@pytest.mark.parametrize("stable", [True, False])
@given(tenths=st.integers(-40_000, 400_000))
def test_what_a_simulated_scale_says_is_understood(dialect: str, stable: bool, tenths: int) -> None:
    pan = Pan(tenths / 10, stable)
    unit_word = "kg" if dialect == "openscale" else "g"
    reader = LineReader(LAYOUTS[Dialect(dialect)], WeightUnit.GRAM)
    readings = reader.read(FORMATS[dialect](pan, unit_word).encode("latin-1"))
    assert readings is not None
    assert readings[0].grams == pytest.approx(pan.grams, abs=0.06)
    tells = dialect not in {"cas-10", "openscale", "hx711"}
    assert readings[0].condition is (STABLE if stable or not tells else MOVING)


@pytest.mark.parametrize("dialect", FORMATS)
def test_one_changed_character_is_never_a_wild_weight_without_its_frame(dialect: str) -> None:
    line = FORMATS[dialect](Pan(123.4), "kg" if dialect == "openscale" else "g").encode("latin-1")
    reader = LineReader(LAYOUTS[Dialect(dialect)], WeightUnit.GRAM)
    for at in range(len(line)):
        for byte in (0x00, 0x20, 0x2D, 0x3F, 0x41, 0x65, 0xFF):
            readings = reader.read(line[:at] + bytes([byte]) + line[at + 1 :])
            for reading in readings or ():
                assert reading.condition not in {STABLE, MOVING} or reading.grams is not None


@pytest.mark.parametrize("dialect", [Dialect.AND, Dialect.CAS_10, Dialect.CAS_18, Dialect.CAS_22, Dialect.RADWAG])
def test_a_line_that_lost_a_byte_is_no_weight_where_columns_are_fixed(dialect: Dialect) -> None:
    line = FORMATS[dialect](Pan(123.4), "kg" if dialect is Dialect.RADWAG else "g").encode("latin-1")
    for at in range(len(line)):
        reading = read(dialect, line[:at] + line[at + 1 :], WeightUnit.GRAM)
        assert reading is None or reading.grams is None


def test_a_moving_sartorius_keeps_the_unit_it_had() -> None:
    reader = LineReader(LAYOUTS[Dialect.SARTORIUS], None)
    lines = [b"+   123.45 kg ", b"+   120.00    ", b"+   119.00 g  ", b"+   118.00    "]
    readings = [each for line in lines for each in reader.read(line) or ()]
    assert [(each.condition, each.grams) for each in readings] == [
        (STABLE, 123_450.0),
        (MOVING, 120_000.0),
        (STABLE, 119.0),
        (MOVING, 118.0),
    ]


def test_a_number_without_a_unit_is_told_and_not_guessed() -> None:
    reading = read(Dialect.CAS_10, "   123.4")
    assert reading is not None
    assert (reading.condition, reading.grams) == (FAULT, None)
    assert reading.fault is not None
    assert reading.fault.kind == "no_unit"
    known = read(Dialect.CAS_10, "   123.4", WeightUnit.POUND)
    assert known is not None
    assert known.grams == pytest.approx(123.4 * 453.59237)


@pytest.mark.parametrize("text", ["", ".", "-", "1e309", "nan", "inf", "1_0", "0x1", "1" * 60, "1,5", "--1", "१"])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


def test_numbers_and_units() -> None:
    assert [number(text) for text in ("12", "+ 1.50", " -  7.", "000123.4")] == [12.0, 1.5, -7.0, 123.4]
    assert [unit(text) for text in ("g", " KG", "lbs", "t", "PC", "%", "")] == [
        WeightUnit.GRAM,
        WeightUnit.KILOGRAM,
        WeightUnit.POUND,
        WeightUnit.TONNE,
        None,
        None,
        None,
    ]
    assert set(GRAMS_OF) == set(WeightUnit)
    assert GRAMS_OF[WeightUnit.OUNCE] * 16 == pytest.approx(GRAMS_OF[WeightUnit.POUND])


def test_whatever_can_be_asked_has_a_question() -> None:
    asked = {dialect for dialect, layout in LAYOUTS.items() if layout.request}
    assert asked == ASKED - {Dialect.PROFILE}
    assert {dialect.value: LAYOUTS[dialect].request for dialect in asked} == REQUESTS
    assert set(LAYOUTS) == set(Dialect) - {Dialect.MT_SICS, Dialect.SHELF_LINE, Dialect.PROFILE}


@pytest.mark.parametrize("dialect", LAYOUTS)
def test_a_hostile_line_takes_no_time(dialect: Dialect) -> None:
    reader = LineReader(LAYOUTS[dialect], WeightUnit.GRAM)
    lines = [b" " * 512, b"1" * 512, b"-" * 512, b"+ " * 256, b"1." * 256, b"Cal " * 128, b"SI   " + b" 0" * 250]
    started = time.process_time()
    for line in lines:
        reader.read(line)
    assert time.process_time() - started < 0.1


@given(st.sampled_from(list(LAYOUTS)), st.binary(max_size=60))
def test_any_line_is_a_reading_or_nothing(dialect: Dialect, line: bytes) -> None:
    for reading in LineReader(LAYOUTS[dialect], None).read(line) or ():
        assert (reading.condition in {STABLE, MOVING}) == (reading.grams is not None)


FIELDS = LineProfile(
    (2,),
    separator=",",
    fields=3,
    unit_at=(3,),
    state_at=(1,),
    prefix="W:",
    stable_words=("ST",),
    moving_words=("US",),
    overload_words=("OL",),
    underload_words=("UL",),
)


@pytest.mark.parametrize(
    ("line", "condition", "grams"),
    [
        (b"W:ST, 12.5 ,g", STABLE, 12.5),
        (b"W:US,-1.5,kg", MOVING, -1500.0),
        (b"W:OL,,", OVERLOAD, None),
        (b"W:UL,xxx,g", UNDERLOAD, None),
        (b"W:XX,12.5,g", None, None),
        (b"W:ST,12.5", None, None),
        (b"W:ST,12.5,g,", None, None),
        (b"ST,12.5,g", None, None),
        (b"W:ST,twelve,g", None, None),
        (b"W:ST,12.5,stone", FAULT, None),
    ],
)
def test_a_layout_of_fields(line: bytes, condition: WeightCondition | None, grams: float | None) -> None:
    readings = LineReader(layout_of(FIELDS), None).read(line)
    if condition is None:
        assert readings is None
    else:
        assert readings is not None
        assert (readings[0].condition, readings[0].grams) == (condition, grams)


def test_a_layout_of_columns_and_a_factor() -> None:
    profile = LineProfile((3, 10), columns=12, unit_at=(11, 12), factor=0.001)
    reader = LineReader(layout_of(profile), None)
    readings = reader.read(b"R:   12500 g")
    assert readings is not None
    assert (readings[0].condition, readings[0].grams) == (STABLE, pytest.approx(12.5))
    assert reader.read(b"R:   12500 g ") is None


@pytest.mark.parametrize(
    "keys",
    [
        {"weight_at": (1,)},
        {"weight_at": (1, 2)},
        {"weight_at": (1,), "separator": ","},
        {"weight_at": (1, 2), "separator": ",", "fields": 2},
        {"weight_at": (3,), "separator": ",", "fields": 2},
        {"weight_at": (1,), "unit_at": (1,), "separator": ",", "fields": 2},
        {"weight_at": (1, 9), "columns": 8},
        {"weight_at": (5, 4), "columns": 8},
        {"weight_at": (1, 4), "unit_at": (4, 5), "columns": 8},
        {"weight_at": (1, 4), "columns": 8, "state_at": (5, 6)},
        {"weight_at": (1, 4), "columns": 8, "stable_words": ("ST",)},
        {"weight_at": (1, 4), "columns": 8, "state_at": (5, 6), "stable_words": ("A",), "moving_words": ("A",)},
        {"weight_at": (1, 4), "columns": 8, "factor": 0.0},
    ],
)
def test_a_layout_that_cannot_be(keys: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        LineProfile(**keys)  # type: ignore[arg-type]
