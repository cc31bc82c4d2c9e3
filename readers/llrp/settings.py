"""What a technician may set for an LLRP reader. Plain dataclasses: the configuration validates them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LLRP_PORT = 5084
"""LLRP 1.0.1 section 5: the port IANA assigned for plain TCP."""


@dataclass(frozen=True, slots=True)
class AirSettings:
    """How an antenna inventories; None leaves it to the reader's setting above, and then to the device.

    `power_dbm`: transmit power, mapped to the nearest entry of the device's table that does not exceed it.
    `session`: Gen2 session 0..3. `mode`: the index of a mode the device lists. `population`: tags expected in view.
    """

    power_dbm: float | None = None
    session: int | None = None
    mode: int | None = None
    population: int | None = None


@dataclass(frozen=True, slots=True)
class LlrpSettings:
    """One LLRP reader: where it is, which antenna ports it uses, how they inventory."""

    host: str
    antennas: tuple[int, ...]
    port: int = LLRP_PORT
    air: AirSettings = AirSettings()
    per_antenna: Mapping[int, AirSettings] = field(default_factory=dict)
    report_every_tags: int = 1
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 5.0
    keepalive_s: float = 5.0
