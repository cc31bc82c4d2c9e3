"""The shape of every message and parameter that the simulated reader reads or writes (LLRP 1.0.1, section 16).

Fields are written as `kind Name`: uN and sN are integers of N bits, rN are N reserved bits, uNv is a vector with a
16-bit count, u1v a bit string, utf8v text, `rest` all bytes that are left. Sub-parameters are written as `Type repeat`,
with `A|B` where the standard offers a choice and `+`, `*`, `?` for 1-N, 0-N and 0-1. Vendor extensions (Custom) may
stand in any parameter that has sub-parameters and are not listed.
"""

from dataclasses import dataclass

from simulators.llrp.names import MessageType as M
from simulators.llrp.names import ParameterType as P


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its kind (see the module's docstring), its name (reserved bits have none), its bits where fixed."""

    kind: str
    name: str = ""
    bits: int = 0


@dataclass(frozen=True, slots=True)
class Child:
    """A place for sub-parameters: any of `types`, at least `least` and at most `most` of them (None: no limit)."""

    types: tuple[P, ...]
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands in one message or parameter, in this order."""

    fields: tuple[Field, ...]
    children: tuple[Child, ...]


_REPEATS: dict[str, tuple[int, int | None]] = {"1": (1, 1), "?": (0, 1), "*": (0, None), "+": (1, None)}


def layout(fields: str = "", children: str = "") -> Layout:
    """The layout written as two comma-separated lists."""
    return Layout(
        tuple(_field(*item.split()) for item in fields.split(",") if item.strip()),
        tuple(_child(*item.split()) for item in children.split(",") if item.strip()),
    )


def _field(kind: str, name: str = "") -> Field:
    return Field(kind, name, int(kind[1:]) if kind[1:].isdecimal() else 0)


def _child(types: str, repeat: str) -> Child:
    return Child(tuple(P[name] for name in types.split("|")), *_REPEATS[repeat])


_STATUS_ONLY = layout(children="LLRPStatus 1")
_ONE_ROSPEC = layout("u32 ROSpecID")
_ONE_ACCESSSPEC = layout("u32 AccessSpecID")

MESSAGES: dict[M, Layout] = {
    M.GET_READER_CAPABILITIES: layout("u8 RequestedData"),
    M.GET_READER_CAPABILITIES_RESPONSE: layout(
        children="LLRPStatus 1, GeneralDeviceCapabilities ?, LLRPCapabilities ?, RegulatoryCapabilities ?,"
        " C1G2LLRPCapabilities ?"
    ),
    M.GET_READER_CONFIG: layout("u16 AntennaID, u8 RequestedData, u16 GPIPortNum, u16 GPOPortNum"),
    M.GET_READER_CONFIG_RESPONSE: layout(
        children="LLRPStatus 1, Identification ?, AntennaProperties *, AntennaConfiguration *,"
        " ReaderEventNotificationSpec ?, ROReportSpec ?, AccessReportSpec ?, LLRPConfigurationStateValue ?,"
        " KeepaliveSpec ?, GPIPortCurrentState *, GPOWriteData *, EventsAndReports ?"
    ),
    M.SET_READER_CONFIG: layout(
        "u1 ResetToFactoryDefault, r7",
        "ReaderEventNotificationSpec ?, AntennaProperties *, AntennaConfiguration *, ROReportSpec ?,"
        " AccessReportSpec ?, KeepaliveSpec ?, GPOWriteData *, GPIPortCurrentState *, EventsAndReports ?",
    ),
    M.SET_READER_CONFIG_RESPONSE: _STATUS_ONLY,
    M.CLOSE_CONNECTION: layout(),
    M.CLOSE_CONNECTION_RESPONSE: _STATUS_ONLY,
    M.ADD_ROSPEC: layout(children="ROSpec 1"),
    M.ADD_ROSPEC_RESPONSE: _STATUS_ONLY,
    M.DELETE_ROSPEC: _ONE_ROSPEC,
    M.DELETE_ROSPEC_RESPONSE: _STATUS_ONLY,
    M.START_ROSPEC: _ONE_ROSPEC,
    M.START_ROSPEC_RESPONSE: _STATUS_ONLY,
    M.STOP_ROSPEC: _ONE_ROSPEC,
    M.STOP_ROSPEC_RESPONSE: _STATUS_ONLY,
    M.ENABLE_ROSPEC: _ONE_ROSPEC,
    M.ENABLE_ROSPEC_RESPONSE: _STATUS_ONLY,
    M.DISABLE_ROSPEC: _ONE_ROSPEC,
    M.DISABLE_ROSPEC_RESPONSE: _STATUS_ONLY,
    M.GET_ROSPECS: layout(),
    M.GET_ROSPECS_RESPONSE: layout(children="LLRPStatus 1, ROSpec *"),
    M.ADD_ACCESSSPEC: layout(children="AccessSpec 1"),
    M.ADD_ACCESSSPEC_RESPONSE: _STATUS_ONLY,
    M.DELETE_ACCESSSPEC: _ONE_ACCESSSPEC,
    M.DELETE_ACCESSSPEC_RESPONSE: _STATUS_ONLY,
    M.ENABLE_ACCESSSPEC: _ONE_ACCESSSPEC,
    M.ENABLE_ACCESSSPEC_RESPONSE: _STATUS_ONLY,
    M.DISABLE_ACCESSSPEC: _ONE_ACCESSSPEC,
    M.DISABLE_ACCESSSPEC_RESPONSE: _STATUS_ONLY,
    M.GET_ACCESSSPECS: layout(),
    M.GET_ACCESSSPECS_RESPONSE: layout(children="LLRPStatus 1, AccessSpec *"),
    M.GET_REPORT: layout(),
    M.RO_ACCESS_REPORT: layout(children="TagReportData *"),
    M.KEEPALIVE: layout(),
    M.KEEPALIVE_ACK: layout(),
    M.READER_EVENT_NOTIFICATION: layout(children="ReaderEventNotificationData 1"),
    M.ENABLE_EVENTS_AND_REPORTS: layout(),
    M.ERROR_MESSAGE: _STATUS_ONLY,
    M.CUSTOM_MESSAGE: layout("u32 VendorIdentifier, u8 MessageSubtype, rest Data"),
}

_REPORT_VALUES: dict[P, Layout] = {
    P.AntennaID: layout("u16 AntennaID"),
    P.FirstSeenTimestampUTC: layout("u64 Microseconds"),
    P.FirstSeenTimestampUptime: layout("u64 Microseconds"),
    P.LastSeenTimestampUTC: layout("u64 Microseconds"),
    P.LastSeenTimestampUptime: layout("u64 Microseconds"),
    P.PeakRSSI: layout("s8 PeakRSSI"),
    P.ChannelIndex: layout("u16 ChannelIndex"),
    P.TagSeenCount: layout("u16 TagCount"),
    P.ROSpecID: layout("u32 ROSpecID"),
    P.InventoryParameterSpecID: layout("u16 InventoryParameterSpecID"),
    P.C1G2_CRC: layout("u16 CRC"),
    P.C1G2_PC: layout("u16 PC_Bits"),
    P.EPC_96: layout("u96 EPC"),
    P.SpecIndex: layout("u16 SpecIndex"),
    P.AccessSpecID: layout("u32 AccessSpecID"),
    P.EPCData: layout("u1v EPC"),
    P.TagReportData: layout(
        children="EPCData|EPC_96 1, ROSpecID ?, SpecIndex ?, InventoryParameterSpecID ?, AntennaID ?, PeakRSSI ?,"
        " ChannelIndex ?, FirstSeenTimestampUTC ?, FirstSeenTimestampUptime ?, LastSeenTimestampUTC ?,"
        " LastSeenTimestampUptime ?, TagSeenCount ?, C1G2_PC|C1G2_CRC *, AccessSpecID ?"
    ),
}

_CAPABILITIES: dict[P, Layout] = {
    P.GeneralDeviceCapabilities: layout(
        "u16 MaxNumberOfAntennaSupported, u1 CanSetAntennaProperties, u1 HasUTCClockCapability, r14,"
        " u32 DeviceManufacturerName, u32 ModelName, utf8v ReaderFirmwareVersion",
        "ReceiveSensitivityTableEntry +, GPIOCapabilities 1, PerAntennaAirProtocol +",
    ),
    P.ReceiveSensitivityTableEntry: layout("u16 Index, s16 ReceiveSensitivityValue"),
    P.PerAntennaAirProtocol: layout("u16 AntennaID, u8v ProtocolID"),
    P.GPIOCapabilities: layout("u16 NumGPIs, u16 NumGPOs"),
    P.LLRPCapabilities: layout(
        "u1 CanDoRFSurvey, u1 CanReportBufferFillWarning, u1 SupportsClientRequestOpSpec,"
        " u1 CanDoTagInventoryStateAwareSingulation, u1 SupportsEventAndReportHolding, r3,"
        " u8 MaxNumPriorityLevelsSupported, u16 ClientRequestOpSpecTimeout, u32 MaxNumROSpecs,"
        " u32 MaxNumSpecsPerROSpec, u32 MaxNumInventoryParameterSpecsPerAISpec, u32 MaxNumAccessSpecs,"
        " u32 MaxNumOpSpecsPerAccessSpec"
    ),
    P.RegulatoryCapabilities: layout("u16 CountryCode, u16 CommunicationsStandard", "UHFBandCapabilities ?"),
    P.UHFBandCapabilities: layout(
        children="TransmitPowerLevelTableEntry +, FrequencyInformation 1, C1G2UHFRFModeTable +"
    ),
    P.TransmitPowerLevelTableEntry: layout("u16 Index, s16 TransmitPowerValue"),
    P.FrequencyInformation: layout("u1 Hopping, r7", "FrequencyHopTable *, FixedFrequencyTable ?"),
    P.FrequencyHopTable: layout("u8 HopTableID, r8, u32v Frequency"),
    P.FixedFrequencyTable: layout("u32v Frequency"),
    P.C1G2LLRPCapabilities: layout(
        "u1 CanSupportBlockErase, u1 CanSupportBlockWrite, r6, u16 MaxNumSelectFiltersPerQuery"
    ),
    P.C1G2UHFRFModeTable: layout(children="C1G2UHFRFModeTableEntry +"),
    P.C1G2UHFRFModeTableEntry: layout(
        "u32 ModeIdentifier, u1 DRValue, u1 EPCHAGTCConformance, r6, u8 MValue, u8 ForwardLinkModulation,"
        " u8 SpectralMaskIndicator, u32 BDRValue, u32 PIEValue, u32 MinTariValue, u32 MaxTariValue, u32 StepTariValue"
    ),
}

_SPECS: dict[P, Layout] = {
    P.ROSpec: layout("u32 ROSpecID, u8 Priority, u8 CurrentState", "ROBoundarySpec 1, AISpec +, ROReportSpec ?"),
    P.ROBoundarySpec: layout(children="ROSpecStartTrigger 1, ROSpecStopTrigger 1"),
    P.ROSpecStartTrigger: layout("u8 ROSpecStartTriggerType", "PeriodicTriggerValue ?, GPITriggerValue ?"),
    P.PeriodicTriggerValue: layout("u32 Offset, u32 Period", "UTCTimestamp ?"),
    P.GPITriggerValue: layout("u16 GPIPortNum, u1 GPIEvent, r7, u32 Timeout"),
    P.ROSpecStopTrigger: layout("u8 ROSpecStopTriggerType, u32 DurationTriggerValue", "GPITriggerValue ?"),
    P.AISpec: layout("u16v AntennaIDs", "AISpecStopTrigger 1, InventoryParameterSpec +"),
    P.AISpecStopTrigger: layout(
        "u8 AISpecStopTriggerType, u32 DurationTrigger", "GPITriggerValue ?, TagObservationTrigger ?"
    ),
    P.TagObservationTrigger: layout("u8 TriggerType, r8, u16 NumberOfTags, u16 NumberOfAttempts, u16 T, u32 Timeout"),
    P.InventoryParameterSpec: layout("u16 InventoryParameterSpecID, u8 ProtocolID", "AntennaConfiguration *"),
    P.AccessSpec: layout(
        "u32 AccessSpecID, u16 AntennaID, u8 ProtocolID, u1 CurrentState, r7, u32 ROSpecID",
        "AccessSpecStopTrigger 1, AccessCommand 1, AccessReportSpec ?",
    ),
    P.AccessSpecStopTrigger: layout("u8 AccessSpecStopTrigger, u16 OperationCountValue"),
    # The operations inside are kept and given back as they came; no simulated tag has memory beyond its EPC.
    P.AccessCommand: layout("rest Operations"),
    P.ROReportSpec: layout("u8 ROReportTrigger, u16 N", "TagReportContentSelector 1"),
    P.TagReportContentSelector: layout(
        "u1 EnableROSpecID, u1 EnableSpecIndex, u1 EnableInventoryParameterSpecID, u1 EnableAntennaID,"
        " u1 EnableChannelIndex, u1 EnablePeakRSSI, u1 EnableFirstSeenTimestamp, u1 EnableLastSeenTimestamp,"
        " u1 EnableTagSeenCount, u1 EnableAccessSpecID, r6",
        "C1G2EPCMemorySelector *",
    ),
    P.C1G2EPCMemorySelector: layout("u1 EnableCRC, u1 EnablePCBits, r6"),
    P.AccessReportSpec: layout("u8 AccessReportTrigger"),
}

_CONFIGURATION: dict[P, Layout] = {
    P.LLRPConfigurationStateValue: layout("u32 LLRPConfigurationStateValue"),
    P.Identification: layout("u8 IDType, u8v ReaderID"),
    P.GPOWriteData: layout("u16 GPOPortNumber, u1 GPOData, r7"),
    P.KeepaliveSpec: layout("u8 KeepaliveTriggerType, u32 PeriodicTriggerValue"),
    P.AntennaProperties: layout("u1 AntennaConnected, r7, u16 AntennaID, s16 AntennaGain"),
    P.AntennaConfiguration: layout("u16 AntennaID", "RFReceiver ?, RFTransmitter ?, C1G2InventoryCommand *"),
    P.RFReceiver: layout("u16 ReceiverSensitivity"),
    P.RFTransmitter: layout("u16 HopTableID, u16 ChannelIndex, u16 TransmitPower"),
    P.GPIPortCurrentState: layout("u16 GPIPortNum, u1 Config, r7, u8 State"),
    P.EventsAndReports: layout("u1 HoldEventsAndReportsUponReconnect, r7"),
    P.ReaderEventNotificationSpec: layout(children="EventNotificationState +"),
    P.EventNotificationState: layout("u16 EventType, u1 NotificationState, r7"),
    P.C1G2InventoryCommand: layout(
        "u1 TagInventoryStateAware, r7", "C1G2Filter *, C1G2RFControl ?, C1G2SingulationControl ?"
    ),
    P.C1G2Filter: layout(
        "u2 T, r6",
        "C1G2TagInventoryMask 1, C1G2TagInventoryStateAwareFilterAction ?, C1G2TagInventoryStateUnawareFilterAction ?",
    ),
    P.C1G2TagInventoryMask: layout("u2 MB, r6, u16 Pointer, u1v TagMask"),
    P.C1G2TagInventoryStateAwareFilterAction: layout("u8 Target, u8 Action"),
    P.C1G2TagInventoryStateUnawareFilterAction: layout("u8 Action"),
    P.C1G2RFControl: layout("u16 ModeIndex, u16 Tari"),
    P.C1G2SingulationControl: layout(
        "u2 Session, r6, u16 TagPopulation, u32 TagTransitTime", "C1G2TagInventoryStateAwareSingulationAction ?"
    ),
    P.C1G2TagInventoryStateAwareSingulationAction: layout("u1 I, u1 S, r6"),
}

_EVENTS: dict[P, Layout] = {
    P.UTCTimestamp: layout("u64 Microseconds"),
    P.Uptime: layout("u64 Microseconds"),
    P.ReaderEventNotificationData: layout(
        children="UTCTimestamp|Uptime 1, GPIEvent ?, ROSpecEvent ?, ReportBufferOverflowErrorEvent ?,"
        " ReaderExceptionEvent ?, AISpecEvent ?, AntennaEvent ?, ConnectionAttemptEvent ?, ConnectionCloseEvent ?"
    ),
    P.GPIEvent: layout("u16 GPIPortNumber, u1 GPIEvent, r7"),
    P.ROSpecEvent: layout("u8 EventType, u32 ROSpecID, u32 PreemptingROSpecID"),
    P.ReportBufferOverflowErrorEvent: layout(),
    P.AISpecEvent: layout("u8 EventType, u32 ROSpecID, u16 SpecIndex"),
    P.ReaderExceptionEvent: layout(
        "utf8v Message", "ROSpecID ?, SpecIndex ?, InventoryParameterSpecID ?, AntennaID ?, AccessSpecID ?"
    ),
    P.AntennaEvent: layout("u8 EventType, u16 AntennaID"),
    P.ConnectionAttemptEvent: layout("u16 Status"),
    P.ConnectionCloseEvent: layout(),
    P.LLRPStatus: layout("u16 StatusCode, utf8v ErrorDescription", "FieldError ?, ParameterError ?"),
    P.FieldError: layout("u16 FieldNum, u16 ErrorCode"),
    P.ParameterError: layout("u16 ParameterType, u16 ErrorCode", "FieldError ?, ParameterError ?"),
    P.Custom: layout("u32 VendorIdentifier, u32 ParameterSubtype, rest Data"),
}

PARAMETERS: dict[P, Layout] = {**_REPORT_VALUES, **_CAPABILITIES, **_SPECS, **_CONFIGURATION, **_EVENTS}
