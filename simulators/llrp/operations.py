"""The reader's ROSpecs and AccessSpecs: who may add, start and stop them, and the one that is running."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from simulators.field import Field
from simulators.llrp.configuration import Configuration
from simulators.llrp.flood import FloodSource
from simulators.llrp.inventory import Finished, Inventory, Observed, SpecEnded
from simulators.llrp.names import (
    EventType,
    MessageType,
    ReportTrigger,
    ROSpecEventType,
    ROSpecState,
    StartTrigger,
    StatusCode,
)
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import BadMessageError, Element, element
from simulators.llrp.personality import Personality
from simulators.llrp.reports import Reporter
from simulators.llrp.rospec import LIFE_CYCLE, Command, Event, ROSpec, leftover_rospec, read_rospec
from simulators.llrp.selection import is_selected


class Outlet(NamedTuple):
    """Where it all goes: events (kind, parameter, moment), reports (tags, body), and whole messages made in advance."""

    event: Callable[[EventType, Element, int], None]
    report: Callable[[int, bytes], None]
    stream: Callable[[bytes], None]


Handler = Callable[[Element, int], tuple[Element, ...]]


@dataclass(slots=True)
class _Slot:
    """A ROSpec that the reader knows, its state, and when its periodic trigger fires next."""

    rospec: ROSpec
    state: ROSpecState = ROSpecState.DISABLED
    trigger_us: int | None = None


class Operations:
    """All that happens between ADD_ROSPEC and RO_ACCESS_REPORT."""

    def __init__(
        self,
        personality: Personality,
        field: Field,
        configuration: Configuration,
        outlet: Outlet,
    ) -> None:
        self.antennas = personality.antennas_connected
        # Whether a client is there; what is made in advance is not made for nobody.
        self.listened = False
        self._personality = personality
        self._field = field
        self._configuration = configuration
        self._outlet = outlet
        self._leftovers = personality.leftover_rospecs
        self._slots: dict[int, _Slot] = {}
        self._access: dict[int, Element] = {}
        self._inventory: Inventory | None = None
        self._reporter: Reporter | None = None
        self._flood: FloodSource | None = None

    def handlers(self) -> dict[MessageType, Handler]:
        """The messages that are for ROSpecs and AccessSpecs."""
        return {
            MessageType.ADD_ROSPEC: self._add,
            MessageType.DELETE_ROSPEC: self._on_each(Event.DELETE),
            MessageType.ENABLE_ROSPEC: self._on_each(Event.ENABLE),
            MessageType.DISABLE_ROSPEC: self._on_each(Event.DISABLE),
            MessageType.START_ROSPEC: self._on_one(Event.START),
            MessageType.STOP_ROSPEC: self._on_one(Event.STOP),
            MessageType.GET_ROSPECS: lambda _request, _now_us: self.rospec_parameters(),
            MessageType.ADD_ACCESSSPEC: self._add_access,
            MessageType.DELETE_ACCESSSPEC: self._delete_access,
            MessageType.ENABLE_ACCESSSPEC: self._set_access(active=1),
            MessageType.DISABLE_ACCESSSPEC: self._set_access(active=0),
            MessageType.GET_ACCESSSPECS: lambda _request, _now_us: tuple(self._access.values()),
        }

    def adopt_leftovers(self, now_us: int) -> None:
        """Put in place what an earlier client left behind, running from the first moment that the reader knows."""
        leftovers, self._leftovers = self._leftovers, ()
        for rospec_id in leftovers:
            self._slots[rospec_id] = _Slot(self._read(leftover_rospec(rospec_id)))
            self._apply(self._slots[rospec_id], Event.ENABLE, now_us)

    def rospec_parameters(self) -> tuple[Element, ...]:
        """All ROSpecs as they were given, with the state they are in."""
        return tuple(
            replace(slot.rospec.source, fields={**slot.rospec.source.fields, "CurrentState": slot.state})
            for slot in self._slots.values()
        )

    def set_input(self, port: int, *, high: bool, now_us: int) -> None:
        """An input changes; one that is on is told of if the client asked for that, and starts and stops ROSpecs."""
        self._configuration.inputs[port] = high
        if not self._configuration.is_enabled(port):
            return
        self._outlet.event(EventType.GPI, element(P.GPIEvent, GPIPortNumber=port, GPIEvent=int(high)), now_us)
        self._run(now_us)
        for slot in self._slots.values():
            if slot.state is ROSpecState.ACTIVE and slot.rospec.stop_input == (port, high):
                self._apply(slot, Event.FINISH, now_us)
            elif slot.state is ROSpecState.INACTIVE and slot.rospec.start_input == (port, high):
                self._apply(slot, Event.START, now_us)

    def set_antenna(self, antenna: int, *, connected: bool, now_us: int) -> None:
        """Plug an antenna in or pull it; the client is told if it asked for that."""
        if connected == (antenna in self.antennas):
            return
        self.antennas = self.antennas | {antenna} if connected else self.antennas - {antenna}
        self._outlet.event(
            EventType.ANTENNA, element(P.AntennaEvent, EventType=int(connected), AntennaID=antenna), now_us
        )

    @property
    def flooded_reads(self) -> int:
        """What the running flood has sent."""
        return self._flood.sent_reads if self._flood else 0

    def stop_all(self, now_us: int) -> None:
        """Somebody stops the inventory on the reader itself."""
        for slot in self._slots.values():
            self._apply(slot, Event.STOP, now_us)

    def forget(self) -> None:
        """Power off: nothing is left, and nobody is told."""
        self._slots.clear()
        self._access.clear()
        self._inventory = self._reporter = self._flood = None

    @property
    def next_us(self) -> int | None:
        """When `advance` has something to do."""
        moments = [slot.trigger_us for slot in self._slots.values() if slot.trigger_us is not None]
        if self._flood:
            moments += [self._flood.next_us] if self.listened else []
        elif self._inventory:
            moments.append(self._inventory.next_us)
        return min(moments, default=None)

    def advance(self, now_us: int) -> None:
        """Run the inventory up to `now_us`, and the triggers that fall due on the way."""
        for slot in list(self._slots.values()):
            while slot.trigger_us is not None and slot.trigger_us <= now_us:
                at_us = slot.trigger_us
                slot.trigger_us = at_us + slot.rospec.period_us if slot.rospec.period_us else None
                self._run(at_us)
                self._apply(slot, Event.START, at_us)
        self._run(now_us)

    def flush(self) -> Iterator[tuple[int, bytes]]:
        """What has accumulated and was not reported yet, as (tags, body)."""
        if self._reporter:
            yield from self._reporter.flush()

    def _run(self, now_us: int) -> None:
        if self._flood and self.listened:
            data = self._flood.due(now_us, self._personality.clock.stamp(now_us))
            self._outlet.stream(data)
            return
        inventory, reporter = self._inventory, self._reporter
        if self._flood or inventory is None or reporter is None:
            return
        for step in inventory.advance(now_us, self.antennas):
            match step:
                case Observed(sighting=sighting) if not is_selected(sighting.epc, inventory.rospec.filters):
                    continue
                case Observed(sighting, spec_index, inventory_spec_id, antenna):
                    stamp_us = self._personality.clock.stamp(sighting.at_us)
                    if reporter.add(sighting, stamp_us, (spec_index, inventory_spec_id, antenna)):
                        self._flush()
                case SpecEnded(at_us, spec_index):
                    if reporter.spec.trigger is ReportTrigger.N_TAGS_OR_END_OF_AISPEC:
                        self._flush()
                    self._spec_ended(inventory.rospec.id, spec_index, at_us)
                case Finished(at_us):
                    self._apply(self._slots[inventory.rospec.id], Event.FINISH, at_us)

    def _flush(self) -> None:
        for tags, body in self.flush():
            self._outlet.report(tags, body)

    def _spec_ended(self, rospec_id: int, spec_index: int, at_us: int) -> None:
        event = element(P.AISpecEvent, EventType=0, ROSpecID=rospec_id, SpecIndex=spec_index)
        self._outlet.event(EventType.AISPEC, event, at_us)

    # --- the life cycle ---------------------------------------------------------------------------------------------

    def _apply(self, slot: _Slot, event: Event, now_us: int, *, preempting: int = 0) -> None:
        commands, following = LIFE_CYCLE[slot.state, event]
        if Command.BEGIN in commands and not self._make_room(slot.rospec, now_us):
            return
        if Command.REFUSE in commands:
            text = f"ROSpec {slot.rospec.id} is disabled"
            raise BadMessageError(StatusCode.A_Invalid, text, field_num=0)
        slot.state = following
        for command in commands:
            match command:
                case Command.ARM:
                    self._arm(slot, now_us)
                case Command.DISARM:
                    slot.trigger_us = None
                case Command.BEGIN:
                    self._begin(slot.rospec, now_us)
                case Command.END:
                    self._end(slot.rospec, now_us, preempting)

    def _arm(self, slot: _Slot, now_us: int) -> None:
        match slot.rospec.start:
            case StartTrigger.IMMEDIATE:
                self._apply(slot, Event.START, now_us)
            case StartTrigger.PERIODIC:
                slot.trigger_us = now_us + slot.rospec.offset_us

    def _make_room(self, rospec: ROSpec, now_us: int) -> bool:
        """Whether `rospec` may run now: only one does, and a lower number takes over from a higher one."""
        if self._inventory is None:
            return True
        running = self._slots[self._inventory.rospec.id]
        if running.rospec.priority <= rospec.priority:
            return False
        self._apply(running, Event.PREEMPT, now_us, preempting=rospec.id)
        return True

    def _begin(self, rospec: ROSpec, now_us: int) -> None:
        personality = self._personality
        spec = rospec.report or self._configuration.report_spec
        self._inventory = Inventory(
            rospec,
            self._field,
            started_us=now_us,
            dwell_us=personality.dwell_us,
            loops=personality.loops_specs and rospec.start is StartTrigger.IMMEDIATE,
        )
        self._reporter = Reporter(
            rospec.id,
            spec,
            uptime=personality.clock.uptime,
            omits_unchanged=personality.omits_unchanged,
            counts_each_as=personality.counts_each_as,
            trailer=personality.report_trailer,
        )
        if personality.flood:
            self._flood = FloodSource(personality, rospec.id, spec, flood=personality.flood, started_us=now_us)
        self._rospec_event(ROSpecEventType.START, rospec.id, now_us)

    def _end(self, rospec: ROSpec, now_us: int, preempting: int) -> None:
        if self._reporter and self._reporter.spec.trigger is not ReportTrigger.NONE:
            self._flush()
        self._inventory = self._reporter = self._flood = None
        kind = ROSpecEventType.PREEMPTION if preempting else ROSpecEventType.END
        self._rospec_event(kind, rospec.id, now_us, preempting)

    def _rospec_event(self, kind: ROSpecEventType, rospec_id: int, now_us: int, preempting: int = 0) -> None:
        event = element(P.ROSpecEvent, EventType=kind, ROSpecID=rospec_id, PreemptingROSpecID=preempting)
        self._outlet.event(EventType.ROSPEC, event, now_us)

    # --- requests ---------------------------------------------------------------------------------------------------

    def _read(self, parameter: Element) -> ROSpec:
        personality = self._personality
        return read_rospec(parameter, personality.capabilities, knows_tag_observation=personality.knows_tag_observation)

    def _add(self, request: Element, _now_us: int) -> tuple[Element, ...]:
        self._check_liked(request.one(P.ROSpec), ())
        rospec = self._read(request.one(P.ROSpec))
        path = (int(P.ROSpec),)
        if rospec.id in self._slots:
            raise BadMessageError(StatusCode.A_Invalid, f"ROSpec {rospec.id} exists", path=path, field_num=0)
        limit = self._personality.capabilities.max_rospecs
        if len(self._slots) >= limit:
            raise BadMessageError(StatusCode.P_OverflowParameter, f"no room for more than {limit} ROSpecs", path=path)
        self._slots[rospec.id] = _Slot(rospec)
        return ()

    def _check_liked(self, parameter: Element, trail: tuple[int, ...]) -> None:
        """A reader of another maker, or of an older firmware."""
        here = (*trail, int(parameter.type))
        if parameter.type in self._personality.dislikes:
            path = here if self._personality.blames else ()
            raise BadMessageError(StatusCode.P_UnsupportedParameter, "not supported", path=path)
        for child in parameter.children:
            self._check_liked(child, here)

    def _on_each(self, event: Event) -> Handler:
        """A request about one ROSpec, or about all of them when it names ROSpec 0."""

        def handle(request: Element, now_us: int) -> tuple[Element, ...]:
            rospec_id = request.num("ROSpecID")
            slots = [self._slot(rospec_id)] if rospec_id else list(self._slots.values())
            self._run(now_us)
            for slot in slots:
                self._apply(slot, event, now_us)
                if event is Event.DELETE:
                    del self._slots[slot.rospec.id]
            return ()

        return handle

    def _on_one(self, event: Event) -> Handler:
        def handle(request: Element, now_us: int) -> tuple[Element, ...]:
            slot = self._slot(request.num("ROSpecID"))
            self._run(now_us)
            self._apply(slot, event, now_us)
            return ()

        return handle

    def _slot(self, rospec_id: int) -> _Slot:
        if rospec_id not in self._slots:
            raise BadMessageError(StatusCode.A_Invalid, f"there is no ROSpec {rospec_id}", field_num=0)
        return self._slots[rospec_id]

    def _add_access(self, request: Element, _now_us: int) -> tuple[Element, ...]:
        spec = request.one(P.AccessSpec)
        access_id = spec.num("AccessSpecID")
        path = (int(P.AccessSpec),)
        if access_id == 0 or access_id in self._access:
            raise BadMessageError(StatusCode.A_Invalid, f"AccessSpec {access_id} exists", path=path, field_num=0)
        if len(self._access) >= self._personality.capabilities.max_accessspecs:
            raise BadMessageError(StatusCode.P_OverflowParameter, "no room for more AccessSpecs", path=path)
        self._access[access_id] = spec
        return ()

    def _delete_access(self, request: Element, _now_us: int) -> tuple[Element, ...]:
        for access_id in self._chosen_access(request):
            del self._access[access_id]
        return ()

    def _set_access(self, *, active: int) -> Handler:
        def handle(request: Element, _now_us: int) -> tuple[Element, ...]:
            for access_id in self._chosen_access(request):
                spec = self._access[access_id]
                self._access[access_id] = replace(spec, fields={**spec.fields, "CurrentState": active})
            return ()

        return handle

    def _chosen_access(self, request: Element) -> list[int]:
        access_id = request.num("AccessSpecID")
        if access_id and access_id not in self._access:
            raise BadMessageError(StatusCode.A_Invalid, f"there is no AccessSpec {access_id}", field_num=0)
        return [access_id] if access_id else list(self._access)
