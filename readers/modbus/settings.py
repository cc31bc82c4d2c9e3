"""What a technician may set for Modbus devices. Plain dataclasses: the configuration validates them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from readers.model import WeightUnit
from readers.port.settings import SOCKET_PREFIX, PortSettings

MODBUS_TCP_SCHEME: Final = "modbus"
MODBUS_TCP_PORT: Final = 502
"""Modbus over TCP/IP (MODBUS Messaging Implementation Guide 3.1.3)."""

MAX_SLAVE: Final = 247
"""MODBUS over Serial Line 2.2; 0 speaks to all and 248 to 255 are reserved."""

MAX_ADDRESS: Final = 0xFFFF


class Profile(StrEnum):
    """Which registers a device has, and what they mean; `profiles.py` has the tables."""

    LAUMAS = "laumas"
    DINI_ARGEO = "dini-argeo"
    DINI_ARGEO_4 = "dini-argeo-4"
    FLOAT = "float"
    INPUTS = "inputs"
    TEMPERATURE = "temperature"


class Quantity(StrEnum):
    """Which of a transmitter's weights; net follows whoever presses the tare key."""

    GROSS = "gross"
    NET = "net"


class Registers(StrEnum):
    """Which of a device's two tables of registers: those that can be written (FC 03), or those that cannot (FC 04)."""

    HOLDING = "holding"
    INPUT = "input"


class WordOrder(StrEnum):
    """Which half of a float comes first: nothing in the standard says so."""

    BIG = "big"
    LITTLE = "little"


CELLS: Final = 4
"""Scales that a DGT4 keeps apart."""

WITHOUT_POINT: Final = frozenset({Profile.LAUMAS, Profile.DINI_ARGEO, Profile.DINI_ARGEO_4})
"""Whose registers carry neither unit nor decimal point: both have to be configured."""

WEIGHING: Final = WITHOUT_POINT | {Profile.FLOAT}

ADDRESSED: Final = frozenset({Profile.FLOAT, Profile.INPUTS, Profile.TEMPERATURE})
"""Of which every maker has its own register."""


@dataclass(frozen=True, slots=True)
class ModbusChannel:
    """One value of one device on the line.

    `slave` 1..247; `profile` says which registers. `unit` and `decimals`: what a weight's register means (12345 with 1
    decimal and unit g: 1234.5 g). `address`: the register or input, counted from 0, where the profile has none of its
    own; `registers` and `word_order`: which table it is in, and how a float's halves follow each other. `scale`:
    degrees Celsius in one count of a temperature register. `cell` 1..4: which scale of a transmitter for four.
    `identity_address`: the first of `identity_count` registers, in the table `identity_registers`, that tell the device
    from another one of its kind, such as a serial number.
    """

    channel: int
    slave: int
    profile: Profile
    quantity: Quantity = Quantity.GROSS
    unit: WeightUnit | None = None
    decimals: int | None = None
    address: int | None = None
    registers: Registers = Registers.HOLDING
    word_order: WordOrder = WordOrder.BIG
    scale: float | None = None
    cell: int | None = None
    identity_address: int | None = None
    identity_count: int = 2
    identity_registers: Registers = Registers.HOLDING

    def __post_init__(self) -> None:
        """Raises ValueError, in words for a person, where these do not fit each other."""
        if not 1 <= self.slave <= MAX_SLAVE:
            raise ValueError(f"expected a slave from 1 to {MAX_SLAVE}")
        weighs = self.profile in WEIGHING
        if weighs != (self.unit is not None):
            raise ValueError("expected unit beside a profile that weighs, and only there")
        if (self.profile in WITHOUT_POINT) != (self.decimals is not None):
            raise ValueError(
                "expected decimals beside profile laumas or dini-argeo(-4), and only there: see its display"
            )
        if (self.profile in ADDRESSED) != (self.address is not None):
            raise ValueError("expected address beside profile float, inputs or temperature, and only there")
        if self.scale is not None and self.profile is not Profile.TEMPERATURE:
            raise ValueError("expected scale beside profile temperature only")
        if self.registers is Registers.INPUT and self.profile not in {Profile.FLOAT, Profile.TEMPERATURE}:
            raise ValueError("expected registers beside profile float or temperature only")
        if self.word_order is WordOrder.LITTLE and self.profile is not Profile.FLOAT:
            raise ValueError("expected word_order beside profile float only")
        if (self.profile is Profile.DINI_ARGEO_4) != (self.cell is not None):
            raise ValueError(f"expected cell, 1 to {CELLS}, beside profile dini-argeo-4, and only there")
        if self.quantity is Quantity.NET and self.profile not in WITHOUT_POINT:
            raise ValueError("expected quantity beside profile laumas or dini-argeo(-4) only")


@dataclass(frozen=True, slots=True)
class ModbusSettings:
    """One line and what hangs on it.

    Frames are those of Modbus RTU, or of Modbus TCP where `is_tcp`. Each device is asked every `poll_s`, and has
    `timeout_s` to answer; one that does not for `silence_s` is down, and asked less often, so that it slows none of
    the others.
    """

    port: PortSettings
    devices: tuple[ModbusChannel, ...]
    is_tcp: bool = False
    poll_s: float = 0.1
    timeout_s: float = 0.25
    silence_s: float = 3.0

    def __post_init__(self) -> None:
        """Raises ValueError, in words for a person."""
        numbers = [device.channel for device in self.devices]
        if len(set(numbers)) != len(numbers):
            raise ValueError("expected each channel once")
        told = {(one.slave, one.identity_address) for one in self.devices if one.identity_address is not None}
        if len({slave for slave, _ in told}) != len(told):
            raise ValueError("expected one identity_address a slave")
        if self.timeout_s >= self.silence_s:
            raise ValueError("expected timeout_s below silence_s")

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(device.channel for device in self.devices)

    @property
    def address(self) -> str:
        """Where the line is, for people."""
        return self.port.address


def line_of(url: str) -> tuple[PortSettings, bool]:
    """The port that `url` names, and whether it speaks Modbus TCP (`modbus://host:502`).

    Raises ValueError, in words for a person, where it names none.
    """
    scheme = f"{MODBUS_TCP_SCHEME}://"
    if not url.startswith(scheme):
        return PortSettings.of(url), False
    place = url.removeprefix(scheme).rstrip("/")
    if place.rpartition("]")[2].count(":") == 0:
        place = f"{place}:{MODBUS_TCP_PORT}"
    return PortSettings.of(f"{SOCKET_PREFIX}{place}"), True
