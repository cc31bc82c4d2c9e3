"""Which registers weighing devices have and what they mean, as data. Pure.

Each stands in its maker's communication manual; addresses are counted from 0 ("register 40007" is address 6).
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from readers.modbus.codec import Answer, Function, Query
from readers.modbus.settings import CELLS, ModbusChannel, Profile, Quantity, Registers, WordOrder
from readers.model import GRAMS_OF, WeightCondition

MAX_GRAMS: Final = 1e9
"""A thousand tonnes: what is more is no weight of a shelf, but a register that was read wrongly."""

OVERLOAD, UNDERLOAD, FAULT = WeightCondition.OVERLOAD, WeightCondition.UNDERLOAD, WeightCondition.FAULT


@dataclass(frozen=True, slots=True)
class IdentityMap:
    """Where a device keeps what it is: name -> offset from `start` of each register that tells it from another one."""

    function: Function
    start: int
    names: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """Where a transmitter keeps its weights: 32 bits each, without sign, point and unit, and a word of status bits.

    Offsets count from `start`. `troubles`: bit -> what it means, the gravest first; `troubles_of`: those of one of the
    weights alone. `identity`: None where no register tells the device from another one of its kind.
    """

    function: Function
    start: int
    count: int
    value: Mapping[Quantity, int]
    status: int
    stable: int
    negative: Mapping[Quantity, int]
    troubles: tuple[tuple[int, WeightCondition], ...]
    troubles_of: Mapping[Quantity, tuple[tuple[int, WeightCondition], ...]] = field(default_factory=dict)
    identity: IdentityMap | None = None


def _of_four(cell: int) -> RegisterMap:
    """DGT4 as four scales: from 40202 on status and gross of each, from 40214 on net of each."""
    status = 3 * (cell - 1)
    return RegisterMap(
        Function.READ_HOLDING_REGISTERS,
        start=201,
        count=20,
        value={Quantity.GROSS: status + 1, Quantity.NET: 12 + 2 * (cell - 1)},
        status=status,
        stable=1,
        negative={Quantity.GROSS: 0, Quantity.NET: 5},
        troubles=((2, UNDERLOAD), (3, OVERLOAD)),
    )


FOUR: Final = {cell: _of_four(cell) for cell in range(1, CELLS + 1)}

MAPS: Final[Mapping[Profile, RegisterMap]] = {
    # TLB, TLM, W100, TLU and their relatives: 40007 status, 40008 gross, 40010 net.
    Profile.LAUMAS: RegisterMap(
        Function.READ_HOLDING_REGISTERS,
        start=6,
        count=5,
        value={Quantity.GROSS: 1, Quantity.NET: 3},
        status=0,
        stable=11,
        negative={Quantity.GROSS: 7, Quantity.NET: 8},
        troubles=((0, FAULT), (1, FAULT), (2, OVERLOAD), (3, OVERLOAD), (4, OVERLOAD)),
        troubles_of={Quantity.NET: ((5, OVERLOAD),)},
        # 40002 what it is, 40004 its serial number.
        identity=IdentityMap(Function.READ_HOLDING_REGISTERS, 1, {"type": 0, "serial": 2}),
    ),
    # DGT1 and DGT4 with one scale: 30001 gross, 30003 net, 30005 status.
    Profile.DINI_ARGEO: RegisterMap(
        Function.READ_INPUT_REGISTERS,
        start=0,
        count=5,
        value={Quantity.GROSS: 0, Quantity.NET: 2},
        status=4,
        stable=2,
        negative={Quantity.NET: 0, Quantity.GROSS: 1},
        troubles=((3, UNDERLOAD), (4, OVERLOAD)),
    ),
}


def _map_of(channel: ModbusChannel) -> RegisterMap | None:
    return MAPS.get(channel.profile) if channel.cell is None else FOUR[channel.cell]


def _function_of(registers: Registers) -> Function:
    holding = registers is Registers.HOLDING
    return Function.READ_HOLDING_REGISTERS if holding else Function.READ_INPUT_REGISTERS


def query_of(channel: ModbusChannel) -> Query:
    """What has to be read for a channel."""
    if (known := _map_of(channel)) is not None:
        return Query(channel.slave, known.function, known.start, known.count)
    address = channel.address or 0
    if channel.profile is Profile.INPUTS:
        return Query(channel.slave, Function.READ_DISCRETE_INPUTS, address, 1)
    return Query(channel.slave, _function_of(channel.registers), address, 2 if channel.profile is Profile.FLOAT else 1)


def identity_query_of(channel: ModbusChannel) -> Query:
    """What has to be asked to know which device it is: its registers, or else its identification, if it has one."""
    where = _identity_map_of(channel)
    if where is None:
        return Query(channel.slave, Function.READ_DEVICE_IDENTIFICATION)
    return Query(channel.slave, where.function, where.start, max(where.names.values()) + 1)


def identity_of(channel: ModbusChannel, answer: Answer) -> str:
    """What the answer to its identity query says that it is."""
    where = _identity_map_of(channel)
    if where is None:
        return answer.identification
    return " ".join(f"{name} {answer.registers[at]}" for name, at in where.names.items())


def _identity_map_of(channel: ModbusChannel) -> IdentityMap | None:
    if channel.identity_address is not None:
        names = {f"register {channel.identity_address + at}": at for at in range(channel.identity_count)}
        return IdentityMap(_function_of(channel.identity_registers), channel.identity_address, names)
    known = _map_of(channel)
    return None if known is None else known.identity


def weight_of(channel: ModbusChannel, registers: Sequence[int]) -> tuple[WeightCondition, float | None]:
    """What the registers of its query mean for a channel that weighs: condition, and grams where there are some."""
    assert channel.unit is not None
    condition = WeightCondition.STABLE
    known = _map_of(channel)
    if known is None:
        high, low = registers if channel.word_order is WordOrder.BIG else reversed(registers)
        value = float(struct.unpack(">f", struct.pack(">HH", high, low))[0])
    else:
        status, at = registers[known.status], known.value[channel.quantity]
        for bit, trouble in (*known.troubles, *known.troubles_of.get(channel.quantity, ())):
            if status >> bit & 1:
                return trouble, None
        if not status >> known.stable & 1:
            condition = WeightCondition.MOVING
        value = (registers[at] << 16 | registers[at + 1]) / 10 ** (channel.decimals or 0)
        if status >> known.negative[channel.quantity] & 1:
            value = -value
    grams = value * GRAMS_OF[channel.unit]
    if not math.isfinite(grams) or abs(grams) > MAX_GRAMS:
        return FAULT, None
    return condition, grams


def celsius_of(channel: ModbusChannel, register: int) -> float:
    """The temperature that a register means, in two's complement."""
    signed = register - 0x10000 if register & 0x8000 else register
    return signed * (1.0 if channel.scale is None else channel.scale)
