"""A small reader on pyllrp's codec: strict about what it gets, or (`bare`) tells the least that the standard allows.

It says `port N`, then the name of each message it gets, and refuses what pyllrp's own validation refuses.
"""

import select
import socket
import sys
import time
from typing import Any

from pyllrp import pyllrp as ll

BARE = "bare" in sys.argv[1:]
REPORT_EVERY_S = 0.02
TAGS = [bytes.fromhex(f"3034257bf7194e4000000{n:03x}") for n in range(1, 4)]


def status(text: str | None = None) -> Any:
    code = ll.StatusCode.M_Success if text is None else ll.StatusCode.M_ParameterError
    return ll.LLRPStatus_Parameter(StatusCode=code, ErrorDescription=text or "")


def stamp() -> Any:
    if BARE:
        return ll.Uptime_Parameter(Microseconds=int(time.monotonic() * 1e6))
    return ll.UTCTimestamp_Parameter(Microseconds=int(time.time() * 1e6))


def greeting() -> Any:
    event = ll.ConnectionAttemptEvent_Parameter(Status=ll.ConnectionAttemptStatusType.Success)
    data = ll.ReaderEventNotificationData_Parameter(Parameters=[stamp(), event])
    return ll.READER_EVENT_NOTIFICATION_Message(MessageID=0, Parameters=[data])


def report() -> Any:
    tags = []
    for number, epc in enumerate(TAGS):
        now = int(time.time() * 1e6)
        about = [
            ll.AntennaID_Parameter(AntennaID=1 + number % 2),
            ll.PeakRSSI_Parameter(PeakRSSI=-50 - number),
            ll.FirstSeenTimestampUTC_Parameter(Microseconds=now),
            ll.LastSeenTimestampUTC_Parameter(Microseconds=now),
            ll.TagSeenCount_Parameter(TagCount=1),
        ]
        identity = ll.EPCData_Parameter(EPC=epc) if BARE else ll.EPC_96_Parameter(EPC=int.from_bytes(epc, "big"))
        tags.append(ll.TagReportData_Parameter(Parameters=[identity, *([] if BARE else about)]))
    return ll.RO_ACCESS_REPORT_Message(MessageID=0, Parameters=tags)


def capabilities() -> list[Any]:
    if BARE:
        return []
    general = ll.GeneralDeviceCapabilities_Parameter(
        MaxNumberOfAntennaSupported=2,
        CanSetAntennaProperties=False,
        HasUTCClockCapability=True,
        DeviceManufacturerName=25882,
        ModelName=7,
        ReaderFirmwareVersion="pyllrp",
        Parameters=[
            ll.ReceiveSensitivityTableEntry_Parameter(Index=1, ReceiveSensitivityValue=0),
            ll.GPIOCapabilities_Parameter(NumGPIs=0, NumGPOs=0),
            ll.PerAntennaAirProtocol_Parameter(AntennaID=1, ProtocolID=[1]),
            ll.PerAntennaAirProtocol_Parameter(AntennaID=2, ProtocolID=[1]),
        ],
    )
    return [general]


class Reader:
    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.reading = False
        self.closed = False

    def answer(self, request: Any) -> None:
        name = type(request).__name__.removesuffix("_Message")
        print(name, flush=True)
        if name in {"KEEPALIVE_ACK", "ENABLE_EVENTS_AND_REPORTS"}:
            return
        try:
            request._validate()
            parameters = [status()]
        except (AssertionError, AttributeError, KeyError, ValueError) as error:
            print("refused", name, error, flush=True)
            parameters = [status(str(error)[:60])]
        response = getattr(ll, f"{name}_RESPONSE_Message", None)
        if response is None:
            response, parameters = ll.ERROR_MESSAGE_Message, [status("not spoken")]
        if name == "GET_READER_CAPABILITIES":
            parameters += capabilities()
        self.send(response(MessageID=request.MessageID, Parameters=parameters))
        if name == "START_ROSPEC":
            self.reading = True
        if name in {"STOP_ROSPEC", "DELETE_ROSPEC"}:
            self.reading = False
        self.closed = name == "CLOSE_CONNECTION"

    def send(self, message: Any) -> None:
        message.send(self.link)

    def serve(self) -> None:
        self.send(greeting())
        while not self.closed:
            ready, _, _ = select.select([self.link], [], [], REPORT_EVERY_S)
            if ready:
                self.answer(ll.UnpackMessageFromSocket(self.link))
            elif self.reading:
                self.send(report())
                self.send(ll.KEEPALIVE_Message(MessageID=9))


listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    with connection:
        try:
            Reader(connection).serve()
        except (OSError, RuntimeError) as error:
            print("gone", error, flush=True)
