"""What GET_READER_CONFIG tells and SET_READER_CONFIG changes (LLRP 1.0.1, section 12)."""

from binascii import crc32
from collections.abc import Callable, Iterable, Iterator

from simulators.llrp.names import ConfigRequest, EventType, ReportTrigger, StatusCode
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import BadMessageError, Element, element, pack_parameter
from simulators.llrp.personality import Personality
from simulators.llrp.reports import ReportSpec, report_spec
from simulators.llrp.rospec import check_antenna_configuration, read_report_spec

_GPI_PORTS = range(1, 5)
_DEFAULT_EVENTS = frozenset({EventType.READER_EXCEPTION, EventType.ANTENNA})
# What a R420 reports until told otherwise, tag by tag.
_DEFAULT_REPORT = frozenset({"EnableAntennaID", "EnablePeakRSSI", "EnableFirstSeenTimestamp"})
_PERIODIC = 1  # KeepaliveTriggerType, section 12.2.4
_UNKNOWN = 2  # GPIPortState, section 12.2.6.3


class Configuration:
    """The reader's settings; they outlive connections."""

    def __init__(self, personality: Personality) -> None:
        self._personality = personality
        self.inputs = dict.fromkeys(_GPI_PORTS, False)
        self.reset()

    def reset(self) -> None:
        """Back to factory default."""
        self._antennas = {n: self._default_antenna(n) for n in range(1, self._personality.capabilities.antennas + 1)}
        self._events: frozenset[int] = frozenset(_DEFAULT_EVENTS)
        self._report = report_spec(ReportTrigger.N_TAGS_OR_END_OF_ROSPEC, 1, _DEFAULT_REPORT)
        self._access_report = element(P.AccessReportSpec, AccessReportTrigger=1)
        self._keepalive = element(P.KeepaliveSpec, KeepaliveTriggerType=0, PeriodicTriggerValue=0)
        self._gpo = dict.fromkeys(_GPI_PORTS, 0)
        # Inputs do nothing until a client switches them on (section 12.2.6.3).
        self._gpi_enabled: frozenset[int] = frozenset()
        self.holds = False

    @property
    def outputs(self) -> dict[int, int]:
        """What each output shows."""
        return dict(self._gpo)

    @property
    def keepalive_us(self) -> int | None:
        """The period of keepalives, None when they are off."""
        period_ms = self._keepalive.num("PeriodicTriggerValue")
        on = self._keepalive.num("KeepaliveTriggerType") == _PERIODIC and period_ms > 0
        return period_ms * 1000 if on else None

    @property
    def report_spec(self) -> ReportSpec:
        """What a ROSpec without a ROReportSpec of its own reports."""
        return ReportSpec.of(self._report)

    def wants(self, event: EventType) -> bool:
        """Whether the client asked to be told of such events."""
        return event in self._events

    def is_enabled(self, port: int) -> bool:
        """Whether an input is looked at."""
        return port in self._gpi_enabled

    def apply(self, request: Element) -> None:
        """Take over a SET_READER_CONFIG, all of it or nothing. Raises BadMessageError."""
        for conf in request.every(P.AntennaConfiguration):
            check_antenna_configuration(conf, self._personality.capabilities, ())
        report = request.maybe(P.ROReportSpec)
        if report:
            read_report_spec(report, ())
        holding = request.maybe(P.EventsAndReports)
        hold = bool(holding and holding.num("HoldEventsAndReportsUponReconnect"))
        if hold and (self._personality.refuses_holding or not self._personality.capabilities.can_hold_reports):
            path = (int(P.EventsAndReports),)
            raise BadMessageError(StatusCode.P_UnsupportedParameter, "this reader holds nothing", path=path)
        if request.num("ResetToFactoryDefault"):
            self.reset()
        if holding:
            self.holds = hold
        self._report = report or self._report
        self._access_report = request.maybe(P.AccessReportSpec) or self._access_report
        self._keepalive = request.maybe(P.KeepaliveSpec) or self._keepalive
        for conf in request.every(P.AntennaConfiguration):
            self._configure_antenna(conf)
        for gpo in request.every(P.GPOWriteData):
            self._gpo[gpo.num("GPOPortNumber")] = gpo.num("GPOData")
        for gpi in request.every(P.GPIPortCurrentState):
            port = {gpi.num("GPIPortNum")}
            self._gpi_enabled = self._gpi_enabled | port if gpi.num("Config") else self._gpi_enabled - port
        events = request.maybe(P.ReaderEventNotificationSpec)
        for state in events.every(P.EventNotificationState) if events else ():
            kind = {state.num("EventType")}
            self._events = self._events | kind if state.num("NotificationState") else self._events - kind

    def parameters(
        self, request: ConfigRequest, antenna: int, connected: frozenset[int], rospecs: Iterable[Element]
    ) -> tuple[Element, ...]:
        """The parameters that answer GET_READER_CONFIG; antenna 0 asks for all."""
        antennas = [n for n in self._antennas if antenna in {0, n}]
        parts: dict[ConfigRequest, Callable[[], Iterable[Element]]] = {
            ConfigRequest.IDENTIFICATION: self._identification,
            ConfigRequest.ANTENNA_PROPERTIES: lambda: (
                element(P.AntennaProperties, AntennaConnected=int(n in connected), AntennaID=n, AntennaGain=0)
                for n in antennas
            ),
            ConfigRequest.ANTENNA_CONFIGURATION: lambda: (self._antennas[n] for n in antennas),
            ConfigRequest.READER_EVENT_NOTIFICATION_SPEC: lambda: (self._notification_spec(),),
            ConfigRequest.RO_REPORT_SPEC: lambda: (self._report,),
            ConfigRequest.ACCESS_REPORT_SPEC: lambda: (self._access_report,),
            ConfigRequest.CONFIGURATION_STATE_VALUE: lambda: (self._state_value(rospecs),),
            ConfigRequest.KEEPALIVE_SPEC: lambda: (self._keepalive,),
            ConfigRequest.GPI_PORT_CURRENT_STATE: self._input_states,
            ConfigRequest.GPO_WRITE_DATA: lambda: (
                element(P.GPOWriteData, GPOPortNumber=port, GPOData=data) for port, data in self._gpo.items()
            ),
            ConfigRequest.EVENTS_AND_REPORTS: lambda: (
                element(P.EventsAndReports, HoldEventsAndReportsUponReconnect=int(self.holds)),
            ),
        }
        wanted = parts if request is ConfigRequest.ALL else (request,)
        return tuple(parameter for kind in wanted for parameter in parts[kind]())

    def _input_states(self) -> Iterator[Element]:
        for port, high in self.inputs.items():
            enabled = self.is_enabled(port)
            state = int(high) if enabled else _UNKNOWN
            yield element(P.GPIPortCurrentState, GPIPortNum=port, Config=int(enabled), State=state)

    def _identification(self) -> tuple[Element, ...]:
        reader_id = self._personality.reader_id
        return () if reader_id is None else (element(P.Identification, IDType=0, ReaderID=reader_id),)

    def _state_value(self, rospecs: Iterable[Element]) -> Element:
        """A number that changes when any setting or ROSpec does (section 12.2.1.1)."""
        parts = (*self._antennas.values(), self._report, self._keepalive, self._notification_spec(), *rospecs)
        value = crc32(b"".join(map(pack_parameter, parts)))
        return element(P.LLRPConfigurationStateValue, LLRPConfigurationStateValue=value)

    def _notification_spec(self) -> Element:
        return element(
            P.ReaderEventNotificationSpec,
            *(
                element(P.EventNotificationState, EventType=event, NotificationState=int(event in self._events))
                for event in EventType
            ),
        )

    def _configure_antenna(self, conf: Element) -> None:
        """Merge one AntennaConfiguration into one antenna's, or into all for antenna 0."""
        chosen = [n for n in self._antennas if conf.num("AntennaID") in {0, n}]
        for antenna in chosen:
            kept = {child.type: child for child in self._antennas[antenna].children}
            kept.update({child.type: child for child in conf.children if child.type is not P.Custom})
            self._antennas[antenna] = element(P.AntennaConfiguration, *kept.values(), AntennaID=antenna)

    def _default_antenna(self, antenna: int) -> Element:
        capabilities = self._personality.capabilities
        fixed = bool(capabilities.fixed_frequencies_khz)
        singulation = element(P.C1G2SingulationControl, Session=1, TagPopulation=32, TagTransitTime=0)
        control = element(P.C1G2RFControl, ModeIndex=capabilities.modes[-1].id, Tari=0)
        return element(
            P.AntennaConfiguration,
            element(P.RFReceiver, ReceiverSensitivity=1),
            element(
                P.RFTransmitter,
                HopTableID=0 if fixed else 1,
                ChannelIndex=1 if fixed else 0,
                TransmitPower=len(capabilities.power_levels_cdbm),
            ),
            element(P.C1G2InventoryCommand, control, singulation, TagInventoryStateAware=0),
            AntennaID=antenna,
        )
