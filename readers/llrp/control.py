"""The control messages of a session as values: what we ask, what a reader answers or tells. Pure.

messages.py turns them into frames and back; nothing else knows how.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from readers.llrp.gpio import WHEN_TOLD, Boundary
from readers.llrp.settings import EpcMask
from readers.llrp.wire import MessageType

EVERY_SPEC = 0
"""LLRP 1.0.1 sections 10.1 and 11.1: as a spec's id in a DELETE, all of them."""


class ConnectionStatus(IntEnum):
    """LLRP 1.0.1 section 13.2.6.10, ConnectionAttemptEvent."""

    SUCCESS = 0
    READER_INITIATED_EXISTS = 1
    CLIENT_INITIATED_EXISTS = 2
    OTHER_FAILURE = 3
    ANOTHER_ATTEMPTED = 4


class NotificationKind(StrEnum):
    """The events a session asks a reader to tell."""

    ANTENNA = "antenna"
    READER_EXCEPTION = "reader_exception"
    BUFFER_FILL = "buffer_fill"
    ROSPEC = "rospec"
    INPUT = "input"


# What we ask ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GetCapabilities:
    """GET_READER_CAPABILITIES: all of them."""


@dataclass(frozen=True, slots=True)
class GetConfig:
    """GET_READER_CONFIG: all of it."""


@dataclass(frozen=True, slots=True)
class SetConfig:
    """SET_READER_CONFIG: a keepalive every `keepalive_ms`, and the named events (none: leave them as they are).

    `inputs` are switched on: no trigger works without. `hold`: keep events and reports from the end of this connection
    until the next client asks for them (None: leave that as it is).
    """

    keepalive_ms: int
    notifications: frozenset[NotificationKind] = frozenset()
    inputs: tuple[int, ...] = ()
    hold: bool | None = None


@dataclass(frozen=True, slots=True)
class GetRoSpecs:
    """GET_ROSPECS: all of them."""


@dataclass(frozen=True, slots=True)
class DeleteAccessSpec:
    """DELETE_ACCESSSPEC."""

    accessspec_id: int = EVERY_SPEC


@dataclass(frozen=True, slots=True)
class DeleteRoSpec:
    """DELETE_ROSPEC."""

    rospec_id: int = EVERY_SPEC


@dataclass(frozen=True, slots=True)
class AntennaPlan:
    """How one antenna inventories, in the device's own indices; None leaves it to the device.

    `power_index`, `hop_table_id` and `channel_index` go together (RFTransmitter carries all three).
    """

    antenna: int
    power_index: int | None = None
    hop_table_id: int = 0
    channel_index: int = 0
    mode: int | None = None
    session: int | None = None
    population: int | None = None
    search_type: int | None = None
    filters: tuple[EpcMask, ...] = ()


class VendorContent(StrEnum):
    """What reports carry beyond the standard: the codec's words for Impinj's switches."""

    SERIALIZED_TID = "SerializedTID"
    RF_PHASE_ANGLE = "RFPhaseAngle"
    PEAK_RSSI = "PeakRSSI"
    RF_DOPPLER_FREQUENCY = "RFDopplerFrequency"


@dataclass(frozen=True, slots=True)
class RoSpec:
    """An inventory over antennas that are listed one by one; it runs until it is stopped, or as `boundary` says."""

    rospec_id: int
    antennas: tuple[AntennaPlan, ...]
    report_every_tags: int
    boundary: Boundary = WHEN_TOLD
    vendor_content: tuple[VendorContent, ...] = ()


@dataclass(frozen=True, slots=True)
class AddRoSpec:
    """ADD_ROSPEC."""

    rospec: RoSpec


@dataclass(frozen=True, slots=True)
class EnableRoSpec:
    """ENABLE_ROSPEC."""

    rospec_id: int


@dataclass(frozen=True, slots=True)
class StartRoSpec:
    """START_ROSPEC."""

    rospec_id: int


@dataclass(frozen=True, slots=True)
class StopRoSpec:
    """STOP_ROSPEC."""

    rospec_id: int


@dataclass(frozen=True, slots=True)
class SetOutputs:
    """SET_READER_CONFIG: these outputs (port -> high), and nothing else."""

    outputs: Mapping[int, bool]


@dataclass(frozen=True, slots=True)
class EnableExtensions:
    """Impinj's CUSTOM_MESSAGE that makes its extensions known for this connection."""


@dataclass(frozen=True, slots=True)
class GetTemperature:
    """GET_READER_CONFIG with Impinj's request for the reader's temperature."""


@dataclass(frozen=True, slots=True)
class GetReport:
    """GET_REPORT: the reports that have gathered, in an RO_ACCESS_REPORT."""


@dataclass(frozen=True, slots=True)
class EnableEventsAndReports:
    """ENABLE_EVENTS_AND_REPORTS: what the reader held back while nobody was connected may come. Has no answer."""


@dataclass(frozen=True, slots=True)
class KeepaliveAck:
    """KEEPALIVE_ACK; has no answer."""


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """CLOSE_CONNECTION."""


Request = (
    GetCapabilities
    | GetConfig
    | SetConfig
    | GetRoSpecs
    | DeleteAccessSpec
    | DeleteRoSpec
    | AddRoSpec
    | EnableRoSpec
    | StartRoSpec
    | StopRoSpec
    | SetOutputs
    | EnableExtensions
    | GetTemperature
    | GetReport
    | EnableEventsAndReports
    | KeepaliveAck
    | CloseConnection
)


# What a reader says --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """LLRPStatus, section 16.2.8.1: `code` is the standard's name of it, `text` all the reader said about it.

    `blamed` are the parameters that it found wrong, each within the one before it, by the standard's names.
    """

    ok: bool
    code: str
    text: str = ""
    blamed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.code}: {self.text}" if self.text else self.code


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a device can do, as far as a session needs it. Sections 16.2.3.1 (general) to 16.2.3.4 (regulatory).

    `power_dbm` maps each transmit power index to dBm; `modes` are the mode identifiers; `hop_table_ids` is empty
    where the device does not hop, `fixed_channels_khz` where it does: there, channel 1 is the first of them.
    """

    manufacturer: int = 0
    model: int = 0
    firmware: str = ""
    max_antennas: int = 0
    has_utc_clock: bool = True
    max_rospecs: int = 0
    can_hold: bool = False
    can_warn_buffer_fill: bool = False
    power_dbm: Mapping[int, float] = field(default_factory=dict)
    modes: tuple[int, ...] = ()
    hop_table_ids: tuple[int, ...] = ()
    fixed_channels_khz: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one of our requests, told by `message_id`; an ERROR_MESSAGE is one too."""

    kind: MessageType
    message_id: int
    status: Status


@dataclass(frozen=True, slots=True)
class CapabilitiesAnswer(Answer):
    """GET_READER_CAPABILITIES_RESPONSE."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class ConfigAnswer(Answer):
    """GET_READER_CONFIG_RESPONSE: which antennas are connected and which inputs are high, as far as it knows."""

    antennas: Mapping[int, bool]
    inputs: Mapping[int, bool] = field(default_factory=dict)
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class RoSpecsAnswer(Answer):
    """GET_ROSPECS_RESPONSE: the ROSpecs that the reader knows, as the bytes of each parameter."""

    rospecs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment on the reader's clock: microseconds since 1970 (`utc`), or since it was switched on."""

    us: int
    utc: bool


@dataclass(frozen=True, slots=True)
class ConnectionAttempt:
    """The reader accepts or turns away a connection."""

    status: ConnectionStatus


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The reader is about to close the connection."""


@dataclass(frozen=True, slots=True)
class AntennaChange:
    """An antenna was plugged or unplugged."""

    antenna: int
    connected: bool


@dataclass(frozen=True, slots=True)
class ReaderException:
    """The device says in words what went wrong."""

    text: str


@dataclass(frozen=True, slots=True)
class BufferFill:
    """The device's report buffer fills up; at 100 it has overflowed and lost reports."""

    percent: int


@dataclass(frozen=True, slots=True)
class RoSpecEnded:
    """A ROSpec runs no longer: it was stopped, or `by` (0: none) took over from it."""

    rospec_id: int
    by: int = 0


@dataclass(frozen=True, slots=True)
class RoSpecStarted:
    """A ROSpec has begun to run, by whatever trigger."""

    rospec_id: int


@dataclass(frozen=True, slots=True)
class InputChange:
    """An input has changed: a door, a light barrier."""

    port: int
    high: bool


Happening = (
    ConnectionAttempt
    | ConnectionClosed
    | AntennaChange
    | ReaderException
    | BufferFill
    | RoSpecStarted
    | RoSpecEnded
    | InputChange
)


@dataclass(frozen=True, slots=True)
class Notification:
    """READER_EVENT_NOTIFICATION: what happened (of that which we act on), and when."""

    message_id: int
    stamp: Stamp | None
    happenings: tuple[Happening, ...]


@dataclass(frozen=True, slots=True)
class Keepalive:
    """KEEPALIVE."""

    message_id: int


@dataclass(frozen=True, slots=True)
class Unneeded:
    """A message that is LLRP but none that a session waits for."""

    kind: int
    message_id: int


Message = Answer | Notification | Keepalive | Unneeded
