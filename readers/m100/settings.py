"""What a technician may set for an M100 or R200 module. Plain dataclasses: the configuration validates them."""

from dataclasses import dataclass
from enum import StrEnum

from readers.port.settings import PortSettings

MIN_POWER_DBM = 0.0
MAX_POWER_DBM = 33.0
"""Modules of this family end at 20, 26 or 30 dBm; what is above cannot be meant. Each tells what it has taken."""

MAX_SWITCH_PINS = 4
"""The chip has GPIO pins 1 to 4."""


class Region(StrEnum):
    """Where the radio is allowed to be. There is no default: it is the law of the place."""

    CN900 = "cn900"
    CN800 = "cn800"
    US = "us"
    EU = "eu"
    KR = "kr"


class SwitchCoding(StrEnum):
    """How the pins of an external antenna switch name an antenna.

    `binary`: the first pin is worth 1, the second 2, the third 4; antenna 1 is all low. `one_hot`: the first pin is
    high for antenna 1, the second for antenna 2, and so on.
    """

    BINARY = "binary"
    ONE_HOT = "one_hot"


@dataclass(frozen=True, slots=True)
class M100Settings:
    """One module: the port it is on, where it stands and how it inventories.

    `region` and `power_dbm` (dBm at the module's own connector) have no default; both are written at every connection
    and read back. `session` 0..3 and `q` 0..15 are Gen2's; a round has 2 to the power of `q` slots. More than one
    antenna needs an external switch on the module's `switch_pins`; each antenna then looks for `dwell_s` at a time.
    """

    port: PortSettings
    antennas: tuple[int, ...]
    region: Region
    power_dbm: float
    session: int = 0
    q: int = 4
    switch_pins: tuple[int, ...] = ()
    switch_coding: SwitchCoding = SwitchCoding.BINARY
    dwell_s: float = 0.5

    def __post_init__(self) -> None:
        """Raises ValueError, in words for a person, where antennas and switch do not fit each other."""
        if not MIN_POWER_DBM <= self.power_dbm <= MAX_POWER_DBM:
            raise ValueError(f"expected a power_dbm from {MIN_POWER_DBM:g} to {MAX_POWER_DBM:g}")
        pins = self.switch_pins
        if len(set(pins)) != len(pins) or not all(1 <= pin <= MAX_SWITCH_PINS for pin in pins):
            raise ValueError(f"expected switch_pins from 1 to {MAX_SWITCH_PINS}, each once")
        if pins or len(self.antennas) != 1:
            room = 2 ** len(pins) if self.switch_coding is SwitchCoding.BINARY else len(pins)
            beyond = [antenna for antenna in self.antennas if not 1 <= antenna <= room]
            if beyond and not pins:
                raise ValueError("expected one antenna, or the switch_pins of an antenna switch")
            if beyond:
                raise ValueError(f"expected antennas from 1 to {room}: {len(pins)} switch_pins tell no more apart")

    @property
    def address(self) -> str:
        """Where the module is, for people."""
        return self.port.address
