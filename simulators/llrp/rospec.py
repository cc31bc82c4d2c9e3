"""ROSpecs: what a client asked for, checked against what the reader can do, and their life cycle as a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from simulators.llrp.capabilities import Capabilities
from simulators.llrp.names import AISpecStop, ReportTrigger, ROSpecState, StartTrigger, StatusCode, StopTrigger
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import BadMessageError, Element, element
from simulators.llrp.reports import ReportSpec, report_spec

_GEN2 = 1
_PRIORITIES = 8  # section 10.2.1: 0 is the highest, 7 the lowest


class Event(StrEnum):
    """What can happen to a ROSpec."""

    ENABLE = "enable"
    DISABLE = "disable"
    START = "start"  # by START_ROSPEC or by its start trigger
    STOP = "stop"  # by STOP_ROSPEC
    FINISH = "finish"  # by its stop trigger, or because all specs are done
    PREEMPT = "preempt"
    DELETE = "delete"


class Command(StrEnum):
    """What the reader then has to do."""

    ARM = "arm"  # watch the start trigger
    DISARM = "disarm"
    BEGIN = "begin"  # take up the inventory
    END = "end"
    REFUSE = "refuse"


_D, _I, _A = ROSpecState.DISABLED, ROSpecState.INACTIVE, ROSpecState.ACTIVE

# Section 6.2, figure 4. DELETE leads to DISABLED; the reader then drops the ROSpec.
LIFE_CYCLE: dict[tuple[ROSpecState, Event], tuple[tuple[Command, ...], ROSpecState]] = {
    (_D, Event.ENABLE): ((Command.ARM,), _I),
    (_D, Event.DISABLE): ((), _D),
    (_D, Event.START): ((Command.REFUSE,), _D),
    (_D, Event.STOP): ((Command.REFUSE,), _D),
    (_D, Event.DELETE): ((), _D),
    (_I, Event.ENABLE): ((), _I),
    (_I, Event.DISABLE): ((Command.DISARM,), _D),
    (_I, Event.START): ((Command.BEGIN,), _A),
    (_I, Event.STOP): ((), _I),
    (_I, Event.DELETE): ((Command.DISARM,), _D),
    (_A, Event.ENABLE): ((), _A),
    (_A, Event.DISABLE): ((Command.END, Command.DISARM), _D),
    (_A, Event.START): ((), _A),
    (_A, Event.STOP): ((Command.END,), _I),
    (_A, Event.FINISH): ((Command.END,), _I),
    (_A, Event.PREEMPT): ((Command.END,), _I),
    (_A, Event.DELETE): ((Command.END, Command.DISARM), _D),
}


@dataclass(frozen=True, slots=True)
class TagObservation:
    """When an AISpec has seen enough (section 10.2.2.1.1); times in us, 0 means none."""

    kind: int
    tags: int
    attempts: int
    quiet_us: int
    timeout_us: int


@dataclass(frozen=True, slots=True)
class AISpec:
    """One antenna inventory operation: antennas in order, and when it stops (None: not by itself)."""

    antennas: tuple[int, ...]
    inventory_spec_id: int
    duration_us: int | None
    observation: TagObservation | None


@dataclass(frozen=True, slots=True)
class ROSpec:
    """A ROSpec as the client gave it; `source` is its parameter, given back by GET_ROSPECS."""

    id: int
    priority: int
    start: StartTrigger
    offset_us: int
    period_us: int
    duration_us: int | None
    specs: tuple[AISpec, ...]
    report: ReportSpec | None
    source: Element
    # (port, level) that starts or stops it.
    start_input: tuple[int, bool] | None = None
    stop_input: tuple[int, bool] | None = None
    filters: tuple[Element, ...] = ()


def read_rospec(parameter: Element, capabilities: Capabilities, *, knows_tag_observation: bool) -> ROSpec:
    """Check a ROSpec parameter and take it apart. Raises BadMessageError."""
    path = (int(P.ROSpec),)
    if parameter.num("ROSpecID") == 0:
        raise _refused("ROSpecID 0 stands for all ROSpecs", path, 0)
    if parameter.num("Priority") >= _PRIORITIES:
        raise _refused(f"priority {parameter.num('Priority')}", path, 1, StatusCode.A_OutOfRange)
    if parameter.num("CurrentState") != ROSpecState.DISABLED:
        raise _refused("a ROSpec is added in state Disabled", path, 2)
    boundary = parameter.one(P.ROBoundarySpec)
    start, period = _start(boundary.one(P.ROSpecStartTrigger), (*path, int(P.ROBoundarySpec)))
    stop = boundary.one(P.ROSpecStopTrigger)
    stop_kind = stop.num("ROSpecStopTriggerType")
    stop_input = stop.maybe(P.GPITriggerValue)
    if stop_kind not in {StopTrigger.NULL, StopTrigger.DURATION} and stop_input is None:
        trail = (*path, int(P.ROBoundarySpec), int(P.ROSpecStopTrigger))
        raise _refused(f"stop trigger {stop_kind}", trail, 0, StatusCode.P_UnsupportedParameter)
    specs = parameter.every(P.AISpec)
    if len(specs) > capabilities.max_specs_per_rospec:
        raise BadMessageError(StatusCode.P_OverflowParameter, "too many AISpecs", path=(*path, int(P.AISpec)))
    report = parameter.maybe(P.ROReportSpec)
    return ROSpec(
        id=parameter.num("ROSpecID"),
        priority=parameter.num("Priority"),
        start=start,
        offset_us=period[0],
        period_us=period[1],
        duration_us=_duration_us(stop, stop_input),
        specs=tuple(_ai_spec(spec, capabilities, knows_tag_observation=knows_tag_observation) for spec in specs),
        report=read_report_spec(report, path) if report else None,
        source=parameter,
        start_input=_input(boundary.one(P.ROSpecStartTrigger).maybe(P.GPITriggerValue)),
        stop_input=_input(stop_input),
        filters=tuple(_filters(specs)),
    )


def _input(trigger: Element | None) -> tuple[int, bool] | None:
    return None if trigger is None else (trigger.num("GPIPortNum"), bool(trigger.num("GPIEvent")))


def _duration_us(stop: Element, stop_input: Element | None) -> int | None:
    """How long it runs at most; the timeout of an input that should stop it is such a limit too."""
    if stop.num("ROSpecStopTriggerType") == StopTrigger.DURATION:
        return stop.num("DurationTriggerValue") * 1000
    return stop_input.num("Timeout") * 1000 or None if stop_input else None


def _filters(specs: list[Element]) -> Iterator[Element]:
    """Of the first antenna that has any: simulated ROSpecs filter alike on all antennas."""
    for spec in specs:
        for inventory in spec.every(P.InventoryParameterSpec):
            for antenna in inventory.every(P.AntennaConfiguration):
                for command in antenna.every(P.C1G2InventoryCommand):
                    if command.maybe(P.C1G2Filter):
                        yield from command.every(P.C1G2Filter)
                        return


def read_report_spec(parameter: Element, path: tuple[int, ...]) -> ReportSpec:
    """Check a ROReportSpec and take it apart. Raises BadMessageError."""
    trigger = parameter.num("ROReportTrigger")
    if trigger not in set(ReportTrigger):
        raise _refused(f"report trigger {trigger}", (*path, int(P.ROReportSpec)), 0)
    return ReportSpec.of(parameter)


def check_antenna_configuration(conf: Element, capabilities: Capabilities, path: tuple[int, ...]) -> None:
    """Hold an AntennaConfiguration against the reader's tables. Raises BadMessageError."""
    here = (*path, int(P.AntennaConfiguration))
    _check(conf.num("AntennaID") <= capabilities.antennas, "no such antenna", here, 0)
    transmitter = conf.maybe(P.RFTransmitter)
    if transmitter:
        trail = (*here, int(P.RFTransmitter))
        fixed = capabilities.fixed_frequencies_khz
        hop_tables, channels = ({0}, len(fixed)) if fixed else ({1}, len(capabilities.hop_frequencies_khz))
        _check(transmitter.num("HopTableID") in hop_tables, "no such hop table", trail, 0)
        channel = transmitter.num("ChannelIndex")
        # Most hopping readers do not look at the channel, and 0 is what they show themselves.
        _check((not fixed or channel > 0) and channel <= channels, "no such channel", trail, 1)
        _check(not (capabilities.strict_channel and not fixed and channel), "no channel while hopping", trail, 1)
        power = transmitter.num("TransmitPower")
        _check(0 < power <= len(capabilities.power_levels_cdbm), "not an index of the power table", trail, 2)
    for command in conf.every(P.C1G2InventoryCommand):
        trail = (*here, int(P.C1G2InventoryCommand))
        if len(command.every(P.C1G2Filter)) > capabilities.max_select_filters:
            raise BadMessageError(StatusCode.P_OverflowParameter, "too many filters", path=(*trail, int(P.C1G2Filter)))
        control = command.maybe(P.C1G2RFControl)
        if control:
            mode = control.num("ModeIndex")
            known = any(mode == row.id for row in capabilities.modes)
            _check(known, f"no RF mode {mode}", (*trail, int(P.C1G2RFControl)), 0)


def leftover_rospec(rospec_id: int) -> Element:
    """A ROSpec as some earlier client may have left it: all antennas, for ever, every tag reported at once."""
    return element(
        P.ROSpec,
        element(
            P.ROBoundarySpec,
            element(P.ROSpecStartTrigger, ROSpecStartTriggerType=StartTrigger.IMMEDIATE),
            element(P.ROSpecStopTrigger, ROSpecStopTriggerType=StopTrigger.NULL, DurationTriggerValue=0),
        ),
        element(
            P.AISpec,
            element(P.AISpecStopTrigger, AISpecStopTriggerType=AISpecStop.NULL, DurationTrigger=0),
            element(P.InventoryParameterSpec, InventoryParameterSpecID=1, ProtocolID=_GEN2),
            AntennaIDs=(0,),
        ),
        report_spec(ReportTrigger.N_TAGS_OR_END_OF_ROSPEC, 1, frozenset({"EnableAntennaID"})),
        ROSpecID=rospec_id,
        Priority=0,
        CurrentState=ROSpecState.DISABLED,
    )


def _start(trigger: Element, path: tuple[int, ...]) -> tuple[StartTrigger, tuple[int, int]]:
    """The start trigger and its (offset, period) in us."""
    trail = (*path, int(P.ROSpecStartTrigger))
    kind = trigger.num("ROSpecStartTriggerType")
    by_input = kind == StartTrigger.GPI and trigger.maybe(P.GPITriggerValue) is not None
    if kind not in {StartTrigger.NULL, StartTrigger.IMMEDIATE, StartTrigger.PERIODIC} and not by_input:
        raise _refused(f"start trigger {kind}", trail, 0, StatusCode.P_UnsupportedParameter)
    periodic = trigger.maybe(P.PeriodicTriggerValue)
    if kind == StartTrigger.PERIODIC and periodic is None:
        raise BadMessageError(
            StatusCode.P_MissingParameter, "a periodic start has no period", path=(*trail, int(P.PeriodicTriggerValue))
        )
    times = (periodic.num("Offset") * 1000, periodic.num("Period") * 1000) if periodic else (0, 0)
    return StartTrigger(kind), times


def _ai_spec(spec: Element, capabilities: Capabilities, *, knows_tag_observation: bool) -> AISpec:
    path: tuple[int, ...] = (int(P.ROSpec), int(P.AISpec))
    antennas = spec.nums("AntennaIDs")
    known = bool(antennas) and all(antenna <= capabilities.antennas for antenna in antennas)
    _check(known, f"no such antennas: {antennas}", path, 0)
    inventories = spec.every(P.InventoryParameterSpec)
    if len(inventories) > capabilities.max_inventory_specs:
        trail = (*path, int(P.InventoryParameterSpec))
        raise BadMessageError(StatusCode.P_OverflowParameter, "too many InventoryParameterSpecs", path=trail)
    inventory = inventories[0]
    trail = (*path, int(P.InventoryParameterSpec))
    _check(inventory.num("ProtocolID") == _GEN2, "the air protocol is Gen2 (1)", trail, 1)
    for conf in inventory.every(P.AntennaConfiguration):
        check_antenna_configuration(conf, capabilities, trail)
    duration_us, observation = _ai_stop(spec.one(P.AISpecStopTrigger), knows_tag_observation=knows_tag_observation)
    return AISpec(
        # Antenna 0 stands for all of them (section 10.2.2).
        antennas=tuple(range(1, capabilities.antennas + 1)) if 0 in antennas else antennas,
        inventory_spec_id=inventory.num("InventoryParameterSpecID"),
        duration_us=duration_us,
        observation=observation,
    )


def _ai_stop(stop: Element, *, knows_tag_observation: bool) -> tuple[int | None, TagObservation | None]:
    """The duration or the tag observation that ends an AISpec, or neither."""
    path = (int(P.ROSpec), int(P.AISpec), int(P.AISpecStopTrigger))
    kind = stop.num("AISpecStopTriggerType")
    if kind == AISpecStop.DURATION:
        return stop.num("DurationTrigger") * 1000, None
    if kind == AISpecStop.TAG_OBSERVATION and knows_tag_observation:
        observation = stop.maybe(P.TagObservationTrigger)
        if observation is None:
            text = "a tag observation stop has no trigger"
            raise BadMessageError(StatusCode.P_MissingParameter, text, path=(*path, int(P.TagObservationTrigger)))
        return None, _observation(observation)
    if kind != AISpecStop.NULL:
        raise _refused(f"AISpec stop trigger {kind}", path, 0, StatusCode.P_UnsupportedParameter)
    return None, None


def _observation(trigger: Element) -> TagObservation:
    return TagObservation(
        kind=trigger.num("TriggerType"),
        tags=trigger.num("NumberOfTags"),
        attempts=trigger.num("NumberOfAttempts"),
        quiet_us=trigger.num("T") * 1000,
        timeout_us=trigger.num("Timeout") * 1000,
    )


def _check(fits: bool, text: str, path: tuple[int, ...], field_num: int) -> None:
    if not fits:
        raise _refused(text, path, field_num)


def _refused(
    text: str, path: tuple[int, ...], field_num: int, code: StatusCode = StatusCode.A_Invalid
) -> BadMessageError:
    return BadMessageError(code, text, path=path, field_num=field_num)
