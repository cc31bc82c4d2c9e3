"""What we ask, in the dictionary form that the codec behind messages.py takes. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from readers.llrp.control import (
    AddRoSpec,
    AntennaPlan,
    CloseConnection,
    DeleteAccessSpec,
    DeleteRoSpec,
    EnableEventsAndReports,
    EnableExtensions,
    EnableRoSpec,
    GetCapabilities,
    GetConfig,
    GetReport,
    GetRoSpecs,
    GetTemperature,
    KeepaliveAck,
    NotificationKind,
    Request,
    RoSpec,
    SetConfig,
    SetOutputs,
    StartRoSpec,
    StopRoSpec,
)
from readers.llrp.filters import filter_fields
from readers.llrp.gpio import boundary_fields, output_fields
from readers.llrp.impinj import RequestedData, enable_extensions
from readers.llrp.wire import MessageType

EPC_GLOBAL_CLASS1_GEN2: Final = 1
"""AirProtocols, LLRP 1.0.1 section 16.2.2.3 (ProtocolID)."""

PERIODIC: Final = 1
"""KeepaliveTriggerType, LLRP 1.0.1 section 16.2.6.4."""

NOTIFICATIONS: Final = {
    NotificationKind.ANTENNA: "AntennaEvent",
    NotificationKind.READER_EXCEPTION: "ReaderExceptionEvent",
    NotificationKind.BUFFER_FILL: "ReportBufferFillWarning",
    NotificationKind.INPUT: "GPIEvent",
    NotificationKind.ROSPEC: "ROSpecEvent",
}

Fields = dict[str, Any]


def request_fields(request: Request) -> tuple[MessageType, Fields]:
    """The message type of `request` and its parameters."""
    return _REQUESTS[type(request)](request)


def _config_fields(request: SetConfig) -> Fields:
    fields: Fields = {"KeepaliveSpec": {"KeepaliveTriggerType": PERIODIC, "TimeInterval": request.keepalive_ms}}
    if request.inputs:
        fields["GPIPortCurrentState"] = [{"GPIPortNum": port, "GPIConfig": True} for port in request.inputs]
    if request.notifications:
        states = {NOTIFICATIONS[kind]: True for kind in sorted(request.notifications)}
        fields["ReaderEventNotificationSpec"] = {"EventNotificationState": states}
    return fields


def _antenna_fields(plan: AntennaPlan) -> Fields:
    fields: Fields = {"AntennaID": plan.antenna}
    if plan.power_index is not None:
        fields["RFTransmitter"] = {
            "HopTableId": plan.hop_table_id,
            "ChannelIndex": plan.channel_index,
            "TransmitPower": plan.power_index,
        }
    command: Fields = {}
    if plan.filters:
        command["C1G2Filter"] = filter_fields(plan.filters)
    if plan.search_type is not None:
        command["ImpinjInventorySearchMode"] = {"InventorySearchMode": plan.search_type}
    if plan.mode is not None:
        command["C1G2RFControl"] = {"ModeIndex": plan.mode, "Tari": 0}
    if plan.session is not None and plan.population is not None:
        command["C1G2SingulationControl"] = {
            "Session": plan.session,
            "TagPopulation": plan.population,
            "TagTransitTime": 0,
        }
    if command:
        fields["C1G2InventoryCommand"] = [{"TagInventoryStateAware": False, **command}]
    return fields


def _rospec_fields(rospec: RoSpec) -> Fields:
    inventory = {
        "InventoryParameterSpecID": 1,
        "ProtocolID": EPC_GLOBAL_CLASS1_GEN2,
        "AntennaConfiguration": [fields for fields in map(_antenna_fields, rospec.antennas) if len(fields) > 1],
    }
    return {
        "ROSpecID": rospec.rospec_id,
        "Priority": 0,
        "CurrentState": "Disabled",
        "ROBoundarySpec": boundary_fields(rospec.boundary),
        "AISpec": [
            {
                "AntennaID": [plan.antenna for plan in rospec.antennas],
                "AISpecStopTrigger": {"AISpecStopTriggerType": "Null", "DurationTriggerValue": 0},
                "InventoryParameterSpec": [inventory],
            }
        ],
        "ROReportSpec": {
            "ROReportTrigger": "Upon_N_Tags_Or_End_Of_AISpec",
            "N": rospec.report_every_tags,
            "TagReportContentSelector": {
                "EnableROSpecID": True,
                "EnableAntennaID": True,
                "EnablePeakRSSI": True,
                "EnableFirstSeenTimestamp": True,
                "EnableLastSeenTimestamp": True,
                "EnableTagSeenCount": True,
            },
            **_vendor_content_fields(rospec),
        },
    }


def _vendor_content_fields(rospec: RoSpec) -> Fields:
    """Impinj's TagReportContentSelector: one switch for each kind of content."""
    switches = {f"ImpinjEnable{content}": {f"{content}Mode": 1} for content in rospec.vendor_content}
    return {"ImpinjTagReportContentSelector": switches} if switches else {}


# All of the standard part too: the codec writes this message's fields in another order than the standard has them, and
# only 0 is the same in both.
_TEMPERATURE: Final = {
    "RequestedData": 0,
    "ImpinjRequestedData": {"RequestedData": RequestedData.READER_TEMPERATURE},
}

_REQUESTS: Final[Mapping[type, Callable[[Any], tuple[MessageType, Fields]]]] = {
    GetCapabilities: lambda _: (MessageType.GET_READER_CAPABILITIES, {"RequestedData": 0}),
    GetConfig: lambda _: (MessageType.GET_READER_CONFIG, {"RequestedData": 0}),
    SetConfig: lambda r: (MessageType.SET_READER_CONFIG, _config_fields(r)),
    GetRoSpecs: lambda _: (MessageType.GET_ROSPECS, {}),
    DeleteAccessSpec: lambda r: (MessageType.DELETE_ACCESSSPEC, {"AccessSpecID": r.accessspec_id}),
    DeleteRoSpec: lambda r: (MessageType.DELETE_ROSPEC, {"ROSpecID": r.rospec_id}),
    AddRoSpec: lambda r: (MessageType.ADD_ROSPEC, {"ROSpec": _rospec_fields(r.rospec)}),
    EnableRoSpec: lambda r: (MessageType.ENABLE_ROSPEC, {"ROSpecID": r.rospec_id}),
    StartRoSpec: lambda r: (MessageType.START_ROSPEC, {"ROSpecID": r.rospec_id}),
    StopRoSpec: lambda r: (MessageType.STOP_ROSPEC, {"ROSpecID": r.rospec_id}),
    SetOutputs: lambda r: (MessageType.SET_READER_CONFIG, {"GPOWriteData": output_fields(r.outputs)}),
    EnableExtensions: lambda _: (MessageType.CUSTOM_MESSAGE, {"Payload": enable_extensions()}),
    GetTemperature: lambda _: (MessageType.GET_READER_CONFIG, _TEMPERATURE),
    GetReport: lambda _: (MessageType.GET_REPORT, {}),
    EnableEventsAndReports: lambda _: (MessageType.ENABLE_EVENTS_AND_REPORTS, {}),
    KeepaliveAck: lambda _: (MessageType.KEEPALIVE_ACK, {}),
    CloseConnection: lambda _: (MessageType.CLOSE_CONNECTION, {}),
}


ANSWER_KINDS: Final[Mapping[type, MessageType]] = {
    GetCapabilities: MessageType.GET_READER_CAPABILITIES_RESPONSE,
    GetConfig: MessageType.GET_READER_CONFIG_RESPONSE,
    SetConfig: MessageType.SET_READER_CONFIG_RESPONSE,
    GetRoSpecs: MessageType.GET_ROSPECS_RESPONSE,
    DeleteAccessSpec: MessageType.DELETE_ACCESSSPEC_RESPONSE,
    DeleteRoSpec: MessageType.DELETE_ROSPEC_RESPONSE,
    AddRoSpec: MessageType.ADD_ROSPEC_RESPONSE,
    EnableRoSpec: MessageType.ENABLE_ROSPEC_RESPONSE,
    StartRoSpec: MessageType.START_ROSPEC_RESPONSE,
    StopRoSpec: MessageType.STOP_ROSPEC_RESPONSE,
    SetOutputs: MessageType.SET_READER_CONFIG_RESPONSE,
    EnableExtensions: MessageType.CUSTOM_MESSAGE,
    GetTemperature: MessageType.GET_READER_CONFIG_RESPONSE,
    CloseConnection: MessageType.CLOSE_CONNECTION_RESPONSE,
}
"""Which message answers which request; an ERROR_MESSAGE with the request's id answers any."""
