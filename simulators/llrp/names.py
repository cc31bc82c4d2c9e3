"""The numbers of LLRP 1.0.1 that the simulated reader speaks, under the names that the standard gives them."""

from enum import IntEnum


class MessageType(IntEnum):
    """Message types (section 16.1)."""

    GET_READER_CAPABILITIES = 1
    GET_READER_CONFIG = 2
    SET_READER_CONFIG = 3
    CLOSE_CONNECTION_RESPONSE = 4
    GET_READER_CAPABILITIES_RESPONSE = 11
    GET_READER_CONFIG_RESPONSE = 12
    SET_READER_CONFIG_RESPONSE = 13
    CLOSE_CONNECTION = 14
    ADD_ROSPEC = 20
    DELETE_ROSPEC = 21
    START_ROSPEC = 22
    STOP_ROSPEC = 23
    ENABLE_ROSPEC = 24
    DISABLE_ROSPEC = 25
    GET_ROSPECS = 26
    ADD_ROSPEC_RESPONSE = 30
    DELETE_ROSPEC_RESPONSE = 31
    START_ROSPEC_RESPONSE = 32
    STOP_ROSPEC_RESPONSE = 33
    ENABLE_ROSPEC_RESPONSE = 34
    DISABLE_ROSPEC_RESPONSE = 35
    GET_ROSPECS_RESPONSE = 36
    ADD_ACCESSSPEC = 40
    DELETE_ACCESSSPEC = 41
    ENABLE_ACCESSSPEC = 42
    DISABLE_ACCESSSPEC = 43
    GET_ACCESSSPECS = 44
    ADD_ACCESSSPEC_RESPONSE = 50
    DELETE_ACCESSSPEC_RESPONSE = 51
    ENABLE_ACCESSSPEC_RESPONSE = 52
    DISABLE_ACCESSSPEC_RESPONSE = 53
    GET_ACCESSSPECS_RESPONSE = 54
    GET_REPORT = 60
    RO_ACCESS_REPORT = 61
    KEEPALIVE = 62
    READER_EVENT_NOTIFICATION = 63
    ENABLE_EVENTS_AND_REPORTS = 64
    KEEPALIVE_ACK = 72
    ERROR_MESSAGE = 100
    CUSTOM_MESSAGE = 1023


class ParameterType(IntEnum):
    """Parameter types (section 16.2); below 128 they are TV encoded, else TLV."""

    AntennaID = 1
    FirstSeenTimestampUTC = 2
    FirstSeenTimestampUptime = 3
    LastSeenTimestampUTC = 4
    LastSeenTimestampUptime = 5
    PeakRSSI = 6
    ChannelIndex = 7
    TagSeenCount = 8
    ROSpecID = 9
    InventoryParameterSpecID = 10
    C1G2_CRC = 11
    C1G2_PC = 12
    EPC_96 = 13
    SpecIndex = 14
    AccessSpecID = 16
    UTCTimestamp = 128
    Uptime = 129
    GeneralDeviceCapabilities = 137
    ReceiveSensitivityTableEntry = 139
    PerAntennaAirProtocol = 140
    GPIOCapabilities = 141
    LLRPCapabilities = 142
    RegulatoryCapabilities = 143
    UHFBandCapabilities = 144
    TransmitPowerLevelTableEntry = 145
    FrequencyInformation = 146
    FrequencyHopTable = 147
    FixedFrequencyTable = 148
    ROSpec = 177
    ROBoundarySpec = 178
    ROSpecStartTrigger = 179
    PeriodicTriggerValue = 180
    GPITriggerValue = 181
    ROSpecStopTrigger = 182
    AISpec = 183
    AISpecStopTrigger = 184
    TagObservationTrigger = 185
    InventoryParameterSpec = 186
    AccessSpec = 207
    AccessSpecStopTrigger = 208
    AccessCommand = 209
    LLRPConfigurationStateValue = 217
    Identification = 218
    GPOWriteData = 219
    KeepaliveSpec = 220
    AntennaProperties = 221
    AntennaConfiguration = 222
    RFReceiver = 223
    RFTransmitter = 224
    GPIPortCurrentState = 225
    EventsAndReports = 226
    ROReportSpec = 237
    TagReportContentSelector = 238
    AccessReportSpec = 239
    TagReportData = 240
    EPCData = 241
    ReaderEventNotificationSpec = 244
    EventNotificationState = 245
    ReaderEventNotificationData = 246
    GPIEvent = 248
    ROSpecEvent = 249
    ReportBufferOverflowErrorEvent = 251
    AISpecEvent = 254
    ReaderExceptionEvent = 252
    AntennaEvent = 255
    ConnectionAttemptEvent = 256
    ConnectionCloseEvent = 257
    LLRPStatus = 287
    FieldError = 288
    ParameterError = 289
    C1G2LLRPCapabilities = 327
    C1G2UHFRFModeTable = 328
    C1G2UHFRFModeTableEntry = 329
    C1G2InventoryCommand = 330
    C1G2Filter = 331
    C1G2TagInventoryMask = 332
    C1G2TagInventoryStateAwareFilterAction = 333
    C1G2TagInventoryStateUnawareFilterAction = 334
    C1G2RFControl = 335
    C1G2SingulationControl = 336
    C1G2TagInventoryStateAwareSingulationAction = 337
    C1G2EPCMemorySelector = 348
    Custom = 1023


class StatusCode(IntEnum):
    """LLRPStatus codes (section 14.2.1)."""

    M_Success = 0
    M_ParameterError = 100
    M_FieldError = 101
    M_UnexpectedParameter = 102
    M_MissingParameter = 103
    M_DuplicateParameter = 104
    M_OverflowParameter = 105
    M_OverflowField = 106
    M_UnknownParameter = 107
    M_UnknownField = 108
    M_UnsupportedMessage = 109
    M_UnsupportedVersion = 110
    M_UnsupportedParameter = 111
    P_ParameterError = 200
    P_FieldError = 201
    P_UnexpectedParameter = 202
    P_MissingParameter = 203
    P_DuplicateParameter = 204
    P_OverflowParameter = 205
    P_OverflowField = 206
    P_UnknownParameter = 207
    P_UnknownField = 208
    P_UnsupportedParameter = 209
    A_Invalid = 300
    A_OutOfRange = 301
    R_DeviceError = 401


class ROSpecState(IntEnum):
    """CurrentState of a ROSpec (section 10.2.1)."""

    DISABLED = 0
    INACTIVE = 1
    ACTIVE = 2


class StartTrigger(IntEnum):
    """ROSpecStartTriggerType (section 10.2.1.1.1)."""

    NULL = 0
    IMMEDIATE = 1
    PERIODIC = 2
    GPI = 3


class StopTrigger(IntEnum):
    """ROSpecStopTriggerType (section 10.2.1.1.2); the first two are also those of an AISpec."""

    NULL = 0
    DURATION = 1
    GPI_WITH_TIMEOUT = 2


class AISpecStop(IntEnum):
    """AISpecStopTriggerType (section 10.2.2.1)."""

    NULL = 0
    DURATION = 1
    GPI_WITH_TIMEOUT = 2
    TAG_OBSERVATION = 3


class ReportTrigger(IntEnum):
    """ROReportTriggerType (section 13.2.1)."""

    NONE = 0
    N_TAGS_OR_END_OF_AISPEC = 1
    N_TAGS_OR_END_OF_ROSPEC = 2


class EventType(IntEnum):
    """NotificationEventType (section 13.2.5.1)."""

    HOPPING = 0
    GPI = 1
    ROSPEC = 2
    REPORT_BUFFER_FILL_WARNING = 3
    READER_EXCEPTION = 4
    RF_SURVEY = 5
    AISPEC = 6
    AISPEC_WITH_DETAILS = 7
    ANTENNA = 8


class ROSpecEventType(IntEnum):
    """EventType of a ROSpecEvent (section 13.2.6.4)."""

    START = 0
    END = 1
    PREEMPTION = 2


class ConnectionStatus(IntEnum):
    """ConnectionAttemptStatusType (section 13.2.6.11)."""

    SUCCESS = 0
    READER_INITIATED_EXISTS = 1
    CLIENT_INITIATED_EXISTS = 2
    OTHER_REASON = 3
    ANOTHER_ATTEMPTED = 4


class CapabilitiesRequest(IntEnum):
    """GetReaderCapabilitiesRequestedData (section 9.1.1)."""

    ALL = 0
    GENERAL = 1
    LLRP = 2
    REGULATORY = 3
    AIR_PROTOCOL = 4


class ConfigRequest(IntEnum):
    """GetReaderConfigRequestedData (section 12.1.1)."""

    ALL = 0
    IDENTIFICATION = 1
    ANTENNA_PROPERTIES = 2
    ANTENNA_CONFIGURATION = 3
    RO_REPORT_SPEC = 4
    READER_EVENT_NOTIFICATION_SPEC = 5
    ACCESS_REPORT_SPEC = 6
    CONFIGURATION_STATE_VALUE = 7
    KEEPALIVE_SPEC = 8
    GPI_PORT_CURRENT_STATE = 9
    GPO_WRITE_DATA = 10
    EVENTS_AND_REPORTS = 11
