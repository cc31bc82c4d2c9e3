import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.modbus.codec import Function, Query
from readers.modbus.profiles import celsius_of, query_of, weight_of
from readers.modbus.settings import ModbusChannel, Profile, Quantity, Registers, WordOrder
from readers.model import WeightCondition, WeightUnit
from simulators.serial.modbus import dini_argeo, laumas
from simulators.serial.scales import Pan

STABLE, MOVING = WeightCondition.STABLE, WeightCondition.MOVING
OVERLOAD, UNDERLOAD, FAULT = WeightCondition.OVERLOAD, WeightCondition.UNDERLOAD, WeightCondition.FAULT
GRAM = WeightUnit.GRAM
LAUMAS = ModbusChannel(1, 3, Profile.LAUMAS, unit=GRAM, decimals=0)
LAUMAS_NET = ModbusChannel(1, 3, Profile.LAUMAS, Quantity.NET, unit=GRAM, decimals=0)
DINI = ModbusChannel(1, 3, Profile.DINI_ARGEO, unit=GRAM, decimals=0)
DINI_NET = ModbusChannel(1, 3, Profile.DINI_ARGEO, Quantity.NET, unit=GRAM, decimals=0)
FLOAT = ModbusChannel(1, 3, Profile.FLOAT, unit=WeightUnit.KILOGRAM, address=0x1000)


def test_what_is_asked() -> None:
    holding = Function.READ_HOLDING_REGISTERS
    assert query_of(LAUMAS) == Query(3, holding, 6, 5)
    assert query_of(DINI) == Query(3, Function.READ_INPUT_REGISTERS, 0, 5)
    assert query_of(FLOAT) == Query(3, holding, 0x1000, 2)
    assert query_of(ModbusChannel(1, 9, Profile.INPUTS, address=4)) == Query(9, Function.READ_DISCRETE_INPUTS, 4, 1)
    cold = ModbusChannel(1, 9, Profile.TEMPERATURE, address=7, registers=Registers.INPUT)
    assert query_of(cold) == Query(9, Function.READ_INPUT_REGISTERS, 7, 1)


@pytest.mark.parametrize(
    ("channel", "registers", "condition", "grams"),
    [
        (LAUMAS, (0x0800, 0, 1007, 0, 1000), STABLE, 1007.0),
        (LAUMAS_NET, (0x0800, 0, 1007, 0, 1000), STABLE, 1000.0),
        (LAUMAS, (0x0000, 1, 2, 0, 0), MOVING, 65_538.0),
        (LAUMAS, (0x0880, 0, 5, 0, 0), STABLE, -5.0),
        (LAUMAS_NET, (0x0880, 0, 5, 0, 6), STABLE, 6.0),
        (LAUMAS_NET, (0x0900, 0, 5, 0, 6), STABLE, -6.0),
        (LAUMAS, (0x0801, 0, 5, 0, 6), FAULT, None),
        (LAUMAS, (0x0802, 0, 5, 0, 6), FAULT, None),
        (LAUMAS, (0x0804, 0, 5, 0, 6), OVERLOAD, None),
        (LAUMAS, (0x0808, 0, 5, 0, 6), OVERLOAD, None),
        (LAUMAS, (0x0810, 0, 5, 0, 6), OVERLOAD, None),
        (LAUMAS, (0x0820, 0, 5, 0, 6), STABLE, 5.0),
        (LAUMAS_NET, (0x0820, 0, 5, 0, 6), OVERLOAD, None),
        (DINI, (0, 1007, 0, 1000, 0b100), STABLE, 1007.0),
        (DINI, (0, 1007, 0, 1000, 0b001), MOVING, 1007.0),
        (DINI, (0, 1007, 0, 1000, 0b110), STABLE, -1007.0),
        (DINI_NET, (0, 1007, 0, 1000, 0b101), STABLE, -1000.0),
        (DINI, (0, 1007, 0, 1000, 0b1100), UNDERLOAD, None),
        (DINI, (0, 1007, 0, 1000, 0b10100), OVERLOAD, None),
    ],
)
def test_what_transmitters_keep(
    channel: ModbusChannel, registers: tuple[int, ...], condition: WeightCondition, grams: float | None
) -> None:
    assert weight_of(channel, registers) == (condition, grams)


@pytest.mark.parametrize("word_order", WordOrder)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.25, (STABLE, 1250.0)),
        (-0.5, (STABLE, -500.0)),
        (0.0, (STABLE, 0.0)),
        (float("nan"), (FAULT, None)),
        (float("inf"), (FAULT, None)),
        (3e38, (FAULT, None)),
    ],
)
def test_floats(value: float, expected: tuple[WeightCondition, float | None], word_order: WordOrder) -> None:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    channel = ModbusChannel(1, 3, Profile.FLOAT, unit=WeightUnit.KILOGRAM, address=0, word_order=word_order)
    assert weight_of(channel, (high, low) if word_order is WordOrder.BIG else (low, high)) == expected


@given(tenths=st.integers(-500_000, 500_000), stable=st.booleans(), unit=st.sampled_from(["g", "kg", "lb"]))
def test_what_simulated_transmitters_say_is_understood(tenths: int, stable: bool, unit: str) -> None:
    pan = Pan(tenths / 10, stable)
    for profile, slave in (
        (Profile.LAUMAS, laumas(3, pan, unit=unit, decimals=4)),
        (Profile.DINI_ARGEO, dini_argeo(3, pan, unit=unit, decimals=4)),
    ):
        channel = ModbusChannel(1, 3, profile, unit=WeightUnit(unit), decimals=4)
        query = query_of(channel)
        words = slave.words[query.function]()
        condition, grams = weight_of(channel, [words[query.address + at] for at in range(query.count)])
        assert condition is (STABLE if stable else MOVING)
        assert grams == pytest.approx(pan.grams, abs=0.05)


def test_temperatures_are_signed() -> None:
    cold = ModbusChannel(1, 9, Profile.TEMPERATURE, address=0, scale=0.1)
    assert [round(celsius_of(cold, register), 3) for register in (0, 215, 0xFFFF, 0x8000)] == [0.0, 21.5, -0.1, -3276.8]
    assert celsius_of(ModbusChannel(1, 9, Profile.TEMPERATURE, address=0), 21) == 21.0


@pytest.mark.parametrize(
    "keys",
    [
        {"slave": 0, "profile": Profile.INPUTS, "address": 0},
        {"slave": 248, "profile": Profile.INPUTS, "address": 0},
        {"profile": Profile.INPUTS},
        {"profile": Profile.INPUTS, "address": 0, "unit": GRAM},
        {"profile": Profile.INPUTS, "address": 0, "scale": 0.1},
        {"profile": Profile.INPUTS, "address": 0, "registers": Registers.INPUT},
        {"profile": Profile.TEMPERATURE, "address": 0, "word_order": WordOrder.LITTLE},
        {"profile": Profile.LAUMAS, "unit": GRAM},
        {"profile": Profile.LAUMAS, "unit": GRAM, "decimals": 0, "cell": 1},
        {"profile": Profile.DINI_ARGEO_4, "unit": GRAM, "decimals": 0},
        {"profile": Profile.LAUMAS, "decimals": 0},
        {"profile": Profile.LAUMAS, "unit": GRAM, "decimals": 0, "address": 6},
        {"profile": Profile.FLOAT, "unit": GRAM},
        {"profile": Profile.FLOAT, "unit": GRAM, "address": 0, "quantity": Quantity.NET},
    ],
)
def test_channels_that_cannot_be(keys: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        ModbusChannel(**{"channel": 1, "slave": 1, **keys})  # type: ignore[arg-type]
