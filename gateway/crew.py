"""The supervised readers of a configuration: who runs, who is new, who has to go."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from config.effective import Config, Group, Reader
from gateway.domain.zones import Antenna, LiveZone
from gateway.fleet import Fleet
from gateway.supervise import LONGEST_PAUSE_S, LONGEST_PORT_PAUSE_S, supervise
from gateway.turns import TurnKeeper
from readers.chafon.driver import ChafonDriver, Lines
from readers.chafon.settings import ChafonSettings
from readers.driver import Clock, Driver, Frees, Rests, Signals, Sink
from readers.llrp.driver import LlrpDriver
from readers.llrp.lobby import Lobby
from readers.llrp.settings import LlrpSettings, OutputUse
from readers.m100.driver import M100Driver
from readers.m100.settings import M100Settings
from readers.modbus.driver import ModbusDriver
from readers.modbus.settings import ModbusSettings
from readers.model import ReaderEvent, ReaderState
from readers.scales.driver import ScaleDriver
from readers.scales.settings import ScaleSettings


@dataclass(frozen=True, slots=True)
class Shared:
    """What drivers have in common: the lobby that readers dial in to, the lines that Chafon readers are on."""

    lobby: Lobby
    lines: Lines


def _llrp(reader: Reader, clock: Clock, shared: Shared) -> Driver:
    assert isinstance(reader.settings, LlrpSettings)
    return LlrpDriver(reader.id, reader.settings, clock, shared.lobby)


def _scale(reader: Reader, clock: Clock, _shared: Shared) -> Driver:
    assert isinstance(reader.settings, ScaleSettings)
    return ScaleDriver(reader.id, reader.settings, clock)


def _modbus(reader: Reader, clock: Clock, _shared: Shared) -> Driver:
    assert isinstance(reader.settings, ModbusSettings)
    return ModbusDriver(reader.id, reader.settings, clock)


def _m100(reader: Reader, clock: Clock, _shared: Shared) -> Driver:
    assert isinstance(reader.settings, M100Settings)
    return M100Driver(reader.id, reader.settings, clock)


def _chafon(reader: Reader, clock: Clock, shared: Shared) -> Driver:
    assert isinstance(reader.settings, ChafonSettings)
    return ChafonDriver(reader.id, reader.settings, clock, shared.lines)


DRIVERS: dict[str, Callable[[Reader, Clock, Shared], Driver]] = {
    "llrp": _llrp,
    "scale": _scale,
    "modbus": _modbus,
    "m100": _m100,
    "chafon": _chafon,
}
"""How each kind of device comes to life; a new kind is one entry."""


class Crew:
    """One supervised task a reader."""

    def __init__(self, fleet: Fleet, clock: Clock, rng: Random) -> None:
        self._fleet = fleet
        self._clock = clock
        self._rng = rng
        self._shared = Shared(Lobby(clock), Lines(clock))
        self._zone_of: dict[Antenna, LiveZone] = {}
        self._zones: dict[str, LiveZone] = {}
        self._drivers: dict[str, Driver] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[Group, asyncio.Task[None]] = {}
        self._lamps: list[tuple[Signals, int, str]] = []
        self._group: asyncio.TaskGroup | None = None

    def plan(
        self, config: Config, present: Mapping[str, LiveZone], learnt: Collection[str]
    ) -> tuple[list[LiveZone], dict[Antenna, LiveZone]]:
        """The zones of a configuration, those that are there already kept, and the zone of every antenna."""
        now_us = self._clock.monotonic_us()
        antennas: dict[str, list[Antenna]] = {zone.id: [] for zone in config.zones}
        for reader in config.readers:
            for port, zone_id in reader.antennas.items():
                antennas[zone_id].append((reader.id, port))
        zones: dict[str, LiveZone] = {}
        for params in config.zones:
            zone = present.get(params.id)
            if zone is None:
                learning = params.id not in learnt
                zone = LiveZone(params, antennas[params.id], learning=learning, now_us=now_us)
            else:
                zone.reform(params, antennas[params.id], now_us)
            zones[params.id] = zone
        self._zones = zones
        self._zone_of = {antenna: zones[zone_id] for zone_id, ports in antennas.items() for antenna in ports}
        return list(zones.values()), self._zone_of

    @asynccontextmanager
    async def running(self, config: Config) -> AsyncIterator[None]:
        """All readers run while the context lasts; at its end each has closed its device."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._start(config.readers, config.groups)
            yield
            self._group = None
            for task in (*self._tasks.values(), *self._turns.values()):
                task.cancel()

    async def apply(self, old: Config, new: Config) -> list[str]:
        """Stop what is gone or changed, start what is new or changed; gives the names of those that are gone.

        The members of a group come and go together.
        """
        before = {reader.id: reader for reader in old.readers}
        after = {reader.id: reader for reader in new.readers}
        changed = {name for name in before | after if before.get(name) != after.get(name)}
        groups = {group for group in (*old.groups, *new.groups) if _is_touched(group, changed, old, new)}
        changed.update(name for group in groups for name in group.readers)
        for name in before.keys() - after.keys():
            driver = self._drivers.pop(name)
            if isinstance(driver, Frees):
                driver.free()
        ending = [name for name in before if name in changed]
        tasks = [self._tasks.pop(name) for name in ending]
        tasks += [self._turns.pop(group) for group in groups if group in self._turns]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._start(
            [reader for name, reader in after.items() if name in changed],
            [group for group in new.groups if group in groups],
        )
        for name in after:
            if name not in changed:
                self._fleet.remap(name, self._zones_of(name))
        self._signal_lamps()
        gone = [name for name in before if name not in after]
        for name in gone:
            self._fleet.leave(name)
        return gone

    def _start(self, readers: Collection[Reader], groups: Collection[Group]) -> None:
        """Whole groups, and readers that are in none."""
        if self._group is None:
            return
        drivers = {reader.id: DRIVERS[reader.driver](reader, self._clock, self._shared) for reader in readers}
        self._drivers |= drivers
        sinks: dict[str, Sink] = {}
        for group in groups:
            members = {name: drivers[name] for name in group.readers}
            keeper = TurnKeeper(
                {name: driver for name, driver in members.items() if isinstance(driver, Rests)},
                group.turn_s,
                self._clock,
            )
            sinks.update(dict.fromkeys(members, keeper.watched(self._put)))
            self._turns[group] = self._group.create_task(keeper.run(), name=f"turns of {', '.join(group.readers)}")
        for reader in readers:
            self._fleet.join(reader.id, reader.driver, self._zones_of(reader.id), reader.settings.address)
            work = self._work(reader, drivers[reader.id], sinks.get(reader.id, self._put))
            self._tasks[reader.id] = self._group.create_task(work, name=f"reader {reader.id}")

    async def _work(self, reader: Reader, driver: Driver, sink: Sink) -> None:
        outputs = reader.settings.outputs if isinstance(reader.settings, LlrpSettings) else ()
        lamps = [
            (driver, output.port, output.zone)
            for output in outputs
            if output.on is OutputUse.ZONE_STALE and output.zone is not None and isinstance(driver, Signals)
        ]
        self._lamps += lamps
        try:
            longest_pause_s = LONGEST_PAUSE_S if _is_remote(reader) else LONGEST_PORT_PAUSE_S
            await supervise(driver, sink, self._clock, self._rng, longest_pause_s=longest_pause_s)
        finally:
            self._lamps = [lamp for lamp in self._lamps if lamp not in lamps]
            self._shared.lobby.leave(reader.id)

    def _put(self, event: ReaderEvent) -> None:
        """The fleet hears everything; what a reader says of itself may change a signal lamp at another one."""
        self._fleet.put(event)
        if isinstance(event, ReaderState):
            self._signal_lamps()

    def _signal_lamps(self) -> None:
        for driver, port, zone in self._lamps:
            if zone in self._zones:
                driver.signal(port, high=self._zones[zone].stale)

    def _zones_of(self, reader: str) -> dict[int, LiveZone]:
        return {port: zone for (name, port), zone in self._zone_of.items() if name == reader}


def _is_remote(reader: Reader) -> bool:
    """It is reached over a network; or else on a serial port of this machine."""
    return isinstance(reader.settings, LlrpSettings) or reader.settings.port.is_socket


def _is_touched(group: Group, changed: set[str], old: Config, new: Config) -> bool:
    """A group that is new or gone, or has a member that changes."""
    return group not in old.groups or group not in new.groups or not changed.isdisjoint(group.readers)
