"""What a technician may set for a Chafon reader. Plain dataclasses: the configuration validates them."""

import re
from dataclasses import dataclass
from enum import StrEnum

from readers.port.settings import PortSettings

MAX_BUS_ADDRESS = 0xFE
"""0xFF speaks to all readers of a line at once."""

MAX_POWER_DBM = 33
"""Most of them end at 26, 30 or 33 dBm; what is above cannot be meant. Each refuses what it cannot do."""

MAX_ANTENNA = 16
"""The largest of them has so many ports."""

SERIAL_NUMBER = re.compile(r"[0-9a-f]{8}")


class Region(StrEnum):
    """Where the radio is allowed to be. There is no default: it is the law of the place."""

    CN = "cn"
    US = "us"
    KR = "kr"
    EU = "eu"


@dataclass(frozen=True, slots=True)
class ChafonSettings:
    """One reader: the line it is on, its address there, and how it inventories.

    Readers of one RS-485 line have the same `port` and a `bus_address` each. `region` and `power_dbm` (whole dBm) have
    no default; the reader keeps both in its flash, which is written only where it differs. `session` 0..3 and `q` 0..15
    are Gen2's; `scan_s` is how long one look of one antenna may take, in steps of 0.1 s. `serial_number`: the reader's
    own, as 8 hex digits; any other reader that comes back on this port is refused (None: any other than the first one
    met).
    """

    port: PortSettings
    antennas: tuple[int, ...]
    region: Region
    power_dbm: int
    bus_address: int = 0
    session: int = 0
    q: int = 4
    scan_s: float = 0.3
    serial_number: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError, in words for a person."""
        if not 0 <= self.power_dbm <= MAX_POWER_DBM:
            raise ValueError(f"expected a power_dbm from 0 to {MAX_POWER_DBM}")
        if not 0 <= self.bus_address <= MAX_BUS_ADDRESS:
            raise ValueError(f"expected a bus_address from 0 to {MAX_BUS_ADDRESS}")
        if not self.antennas or not all(1 <= antenna <= MAX_ANTENNA for antenna in self.antennas):
            raise ValueError(f"expected antennas from 1 to {MAX_ANTENNA}")
        if self.serial_number is not None and not SERIAL_NUMBER.fullmatch(self.serial_number):
            raise ValueError("expected a serial_number of 8 hex digits, as the log shows it")

    @property
    def address(self) -> str:
        """Where the reader is, for people."""
        return f"{self.port.address} address {self.bus_address}"
