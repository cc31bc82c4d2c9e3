"""What a technician may set for an LLRP reader. Plain dataclasses: the configuration validates them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

LLRP_PORT = 5084
"""LLRP 1.0.1 section 5: the port IANA assigned for plain TCP."""

LLRP_TLS_PORT = 5085
"""The same, for TLS."""


MAX_MASK_BITS = 255
"""The length of a mask is one byte of Gen2's Select command (section 6.3.2.12.1.1)."""


class SearchMode(StrEnum):
    """Whether a tag that was read answers again at once (dual), or only after its session forgets (single).

    `single_reset` also turns tags back that others have turned over. Impinj's words; other readers have one mode.
    """

    READER = "reader"
    DUAL = "dual"
    SINGLE = "single"
    SINGLE_RESET = "single_reset"


class Level(StrEnum):
    """What an input shows."""

    HIGH = "high"
    LOW = "low"


class OutputUse(StrEnum):
    """What an output tells people."""

    READING = "reading"
    ZONE_STALE = "zone_stale"


@dataclass(frozen=True, slots=True)
class EpcMask:
    """EPCs that begin with the first `bits` bits of `data` (left-aligned). Raises ValueError where it cannot be."""

    data: bytes
    bits: int

    def __post_init__(self) -> None:
        if not 0 < self.bits <= min(8 * len(self.data), MAX_MASK_BITS):
            raise ValueError(f"a mask of {self.bits} bits in {len(self.data)} bytes; 1 to {MAX_MASK_BITS} can be sent")


def mask_of(digits: str, bits: int | None = None) -> EpcMask:
    """The mask that hex `digits` write, or its first `bits` bits. Raises ValueError where it is none."""
    wanted = 4 * len(digits) if bits is None else bits
    if wanted > 4 * len(digits):
        raise ValueError(f"expected at most {4 * len(digits)} bits, as many as the mask has")
    return EpcMask(bytes.fromhex(digits + "0" * (len(digits) % 2)), wanted)


@dataclass(frozen=True, slots=True)
class InputTrigger:
    """An input that comes to `level`. `timeout_s`: as a stop, it comes to that by itself after so long (0: never)."""

    port: int
    level: Level = Level.HIGH
    timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Output:
    """An output that is high while its reader reads, or while `zone` is stale."""

    port: int
    on: OutputUse = OutputUse.READING
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class AirSettings:
    """How an antenna inventories; None leaves it to the reader's setting above, and then to the device.

    `power_dbm`: transmit power, mapped to the nearest entry of the device's table that does not exceed it.
    `session`: Gen2 session 0..3. `mode`: the index of a mode the device lists. `population`: tags expected in view.
    `search_mode`, and `tag_focus` (a tag answers once and is kept quiet; session 1): on Impinj readers. `channel`: an
    entry of the frequency table of a reader that does not hop, counted from 1 (None: the first); needs `power_dbm`.
    """

    power_dbm: float | None = None
    session: int | None = None
    mode: int | None = None
    population: int | None = None
    search_mode: SearchMode | None = None
    tag_focus: bool | None = None
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS 1.2 or newer. The peer's certificate must be signed by `ca_file` (None: by an authority that the system
    trusts) and, where we dial, name the host.

    `pin_sha256`: the SHA-256 of the peer's certificate in hex; it alone decides then, as for self-signed ones.
    `cert_file` and `key_file` (PEM) are our own; whoever is dialled into needs them. A listener without `ca_file`
    asks readers for no certificate.
    """

    pin_sha256: str | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class LlrpSettings:
    """One LLRP reader: where it is, which antenna ports it uses, how they inventory.

    `tls` is None for plain TCP. Where `listens`, the reader dials in to `host:port`, which is ours, and is known by
    its `identity`: `ip:ADDRESS`, or the Identification it tells, `eui64:HEX` or `epc:HEX` (lower case, no
    separators).

    Only tags that fit one of `epc_filters` answer (none: all). `fast_id` reads TIDs too, and `rf_details` phase,
    Doppler shift and signal in 1/100 dBm, for diagnosis: on Impinj readers. The reader inventories for `duty_percent`
    of each `duty_period_s`, or from `start_gpi` to `stop_gpi`; `outputs` are its signal lamps. `hold`: while nobody is
    connected it goes on, and keeps its reports for us; else a stop leaves it idle, free for other programs.
    """

    host: str
    antennas: tuple[int, ...]
    port: int = LLRP_PORT
    air: AirSettings = AirSettings()
    per_antenna: Mapping[int, AirSettings] = field(default_factory=dict)
    report_every_tags: int = 1
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 5.0
    keepalive_s: float = 5.0
    tls: TlsSettings | None = None
    listens: bool = False
    identity: str | None = None
    epc_filters: tuple[EpcMask, ...] = ()
    fast_id: bool = False
    rf_details: bool = False
    duty_percent: int = 100
    duty_period_s: float = 2.0
    start_gpi: InputTrigger | None = None
    stop_gpi: InputTrigger | None = None
    outputs: tuple[Output, ...] = ()
    hold: bool = True

    @property
    def address(self) -> str:
        """Where the reader is, for people: `host:port`, or who is awaited where."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        place = f"{host}:{self.port}"
        return f"{self.identity} at {place}" if self.listens else place
