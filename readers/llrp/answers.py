"""What a reader says, from the dictionary form that the codec behind messages.py gives. Pure.

The functions here raise KeyError or TypeError where a parameter is missing or malformed; messages.py makes of it a
FrameError with the frame as evidence.
"""

from collections.abc import Iterator
from typing import Any, Final

from readers.llrp.control import (
    Answer,
    AntennaChange,
    BufferFill,
    Capabilities,
    CapabilitiesAnswer,
    ConfigAnswer,
    ConnectionAttempt,
    ConnectionClosed,
    ConnectionStatus,
    Happening,
    InputChange,
    Notification,
    ReaderException,
    RoSpecEnded,
    RoSpecsAnswer,
    RoSpecStarted,
    Stamp,
    Status,
)
from readers.llrp.wire import MessageType

MAX_TEXT_CHARS: Final = 500
"""As much of a reader's own words as is passed on."""

BUFFER_FULL_PERCENT: Final = 100

INPUT_LEVELS: Final = (0, 1)
"""GPIPortState, LLRP 1.0.1 section 12.2.6.3: low and high; 2 is unknown."""

CONNECTION_STATUSES: Final = {
    "Success": ConnectionStatus.SUCCESS,
    "Failed (a Reader initiated connection already exists)": ConnectionStatus.READER_INITIATED_EXISTS,
    "Failed (a Client initiated connection already exists)": ConnectionStatus.CLIENT_INITIATED_EXISTS,
    "Failed (any reason other than a connection already exists)": ConnectionStatus.OTHER_FAILURE,
    "Another connection attempted": ConnectionStatus.ANOTHER_ATTEMPTED,
}

ANSWER_KINDS: Final = frozenset(
    {
        MessageType.GET_READER_CAPABILITIES_RESPONSE,
        MessageType.GET_READER_CONFIG_RESPONSE,
        MessageType.SET_READER_CONFIG_RESPONSE,
        MessageType.ADD_ROSPEC_RESPONSE,
        MessageType.DELETE_ROSPEC_RESPONSE,
        MessageType.START_ROSPEC_RESPONSE,
        MessageType.STOP_ROSPEC_RESPONSE,
        MessageType.ENABLE_ROSPEC_RESPONSE,
        MessageType.DISABLE_ROSPEC_RESPONSE,
        MessageType.ADD_ACCESSSPEC_RESPONSE,
        MessageType.DELETE_ACCESSSPEC_RESPONSE,
        MessageType.ENABLE_ACCESSSPEC_RESPONSE,
        MessageType.DISABLE_ACCESSSPEC_RESPONSE,
        MessageType.CLOSE_CONNECTION_RESPONSE,
        MessageType.ERROR_MESSAGE,
    }
)
"""The messages that answer a request."""

Fields = dict[str, Any]


def _text(raw: Any) -> str:
    return bytes(raw).decode("utf-8", "replace").rstrip("\0")[:MAX_TEXT_CHARS]


def _status(fields: Fields) -> Status:
    found = fields["LLRPStatus"]
    code = str(found.get("StatusCode", "unknown status"))
    words = [_text(found.get("ErrorDescription", b"")), *_error_details(found)]
    text = ", ".join(filter(None, words))[:MAX_TEXT_CHARS]
    return Status(code == "Success", code, text, tuple(_blamed(found)))


def _blamed(found: Fields) -> Iterator[str]:
    """The parameters on the way to what was wrong."""
    inner = found.get("ParameterError")
    while isinstance(inner, dict):
        yield str(inner["ParameterType"])
        inner = inner.get("ParameterError")


def _error_details(found: Fields) -> list[str]:
    details: list[str] = []
    error = found.get("FieldError")
    if isinstance(error, dict):
        details.append(f"field {error['FieldNum']}: {error['ErrorCode']}")
    inner = found.get("ParameterError")
    if isinstance(inner, dict):
        details += [f"{inner['ParameterType']}: {inner['ErrorCode']}", *_error_details(inner)]
    return details


def answer_of(kind: MessageType, message_id: int, fields: Fields) -> Answer:
    """An answer, with what it carries besides the status where that is of use."""
    status = _status(fields)
    if status.ok and kind is MessageType.GET_READER_CAPABILITIES_RESPONSE:
        return CapabilitiesAnswer(kind, message_id, status, _capabilities(fields))
    if status.ok and kind is MessageType.GET_READER_CONFIG_RESPONSE:
        properties = fields.get("AntennaProperties", [])
        antennas = {int(entry["AntennaID"]): bool(entry["AntennaConnected"]) for entry in properties}
        levels = {entry["GPIPortNum"]: entry["GPIState"] for entry in fields.get("GPIPortCurrentState", [])}
        inputs = {port: bool(level) for port, level in levels.items() if level in INPUT_LEVELS}
        heat = fields.get("ImpinjReaderTemperature", {}).get("Temperature")
        return ConfigAnswer(kind, message_id, status, antennas, inputs, None if heat is None else float(heat))
    return Answer(kind, message_id, status)


def rospecs_answer_of(message_id: int, fields: Fields, rospecs: tuple[bytes, ...]) -> RoSpecsAnswer:
    """A GET_ROSPECS_RESPONSE, from its status and what was cut out of it."""
    return RoSpecsAnswer(MessageType.GET_ROSPECS_RESPONSE, message_id, _status(fields), rospecs)


def _capabilities(fields: Fields) -> Capabilities:
    # All of them were asked for; of a reader that leaves some out the least is assumed, and it is used all the same.
    general, llrp = fields.get("GeneralDeviceCapabilities", {}), fields.get("LLRPCapabilities", {})
    # Regulatory capabilities may be absent (a reader with no region set): then there is no table to choose from.
    band = fields.get("RegulatoryCapabilities", {}).get("UHFBandCapabilities", {})
    powers = band.get("TransmitPowerLevelTableEntry", [])
    modes = band.get("UHFC1G2RFModeTable", {}).get("UHFC1G2RFModeTableEntry", [])
    frequencies = band.get("FrequencyInformation", {})
    hop_tables = frequencies.get("FrequencyHopTable", []) if frequencies.get("Hopping") else []
    fixed = {} if hop_tables else frequencies.get("FixedFrequencyTable", {})
    return Capabilities(
        manufacturer=general.get("DeviceManufacturerName", 0),
        model=general.get("ModelName", 0),
        firmware=_text(general.get("ReaderFirmwareVersion", b"")),
        max_antennas=general.get("MaxNumberOfAntennaSupported", 0),
        has_utc_clock=general.get("HasUTCClockCapability", True),
        max_rospecs=llrp.get("MaxNumROSpec", 0),
        can_hold=llrp.get("SupportsEventAndReportHolding", False),
        can_warn_buffer_fill=llrp.get("CanReportBufferFillWarning", False),
        power_dbm={entry["Index"]: _signed(entry["TransmitPowerValue"]) / 100 for entry in powers},
        modes=tuple(entry["ModeIdentifier"] for entry in modes),
        hop_table_ids=tuple(table["HopTableId"] for table in hop_tables),
        fixed_channels_khz=tuple(fixed.get("Frequency", ())),
    )


def _signed(value: int) -> int:
    """TransmitPowerValue is signed, 0.01 dBm (section 16.2.3.4.1.1); the codec takes it for unsigned."""
    return value - 0x10000 if value >= 0x8000 else value


def notification_of(message_id: int, fields: Fields) -> Notification:
    """A reader's event, with its time."""
    data = fields["ReaderEventNotificationData"]
    if any(entry["Name"] == "ConnectionAttemptEvent" for entry in data.get("SllurpDecodeError", ())):
        raise KeyError("a connection status that is none")
    stamp: Stamp | None = None
    for name in ("Uptime", "UTCTimestamp"):
        if name in data:
            stamp = Stamp(data[name]["Microseconds"], name == "UTCTimestamp")
    return Notification(message_id, stamp, tuple(_happenings(data)))


def _happenings(data: Fields) -> list[Happening]:
    found: list[Happening] = []
    if "ConnectionAttemptEvent" in data:
        found.append(ConnectionAttempt(CONNECTION_STATUSES[data["ConnectionAttemptEvent"]["Status"]]))
    if "AntennaEvent" in data:
        event = data["AntennaEvent"]
        found.append(AntennaChange(event["AntennaID"], event["EventType"] == "Connected"))
    if "GPIEvent" in data:
        found.append(InputChange(data["GPIEvent"]["GPIPortNumber"], data["GPIEvent"]["GPIEvent"]))
    if "ROSpecEvent" in data and data["ROSpecEvent"]["EventType"] == "Start_of_ROSpec":
        found.append(RoSpecStarted(data["ROSpecEvent"]["ROSpecID"]))
    if "ReaderExceptionEvent" in data:
        found.append(ReaderException(_text(data["ReaderExceptionEvent"]["Message"])))
    if "ReportBufferLevelWarning" in data:
        found.append(BufferFill(data["ReportBufferLevelWarning"]["ReportBufferPercentageFull"]))
    if "ReportBufferOverflowErrorEvent" in data:
        found.append(BufferFill(BUFFER_FULL_PERCENT))
    if "ROSpecEvent" in data and data["ROSpecEvent"]["EventType"] != "Start_of_ROSpec":
        event = data["ROSpecEvent"]
        preempted = event["EventType"] == "Preemption_of_ROSpec"
        found.append(RoSpecEnded(event["ROSpecID"], event["PreemptingROSpecID"] if preempted else 0))
    if "ConnectionCloseEvent" in data:
        found.append(ConnectionClosed())
    return found
