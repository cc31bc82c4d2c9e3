"""The supervised readers of a configuration: who runs, who is new, who has to go."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from random import Random

from config.effective import Config, Reader
from gateway.domain.zones import Antenna, LiveZone
from gateway.fleet import Fleet
from gateway.supervise import supervise
from readers.driver import Clock, Driver
from readers.llrp.driver import LlrpDriver
from readers.llrp.lobby import Lobby

DRIVERS: dict[str, Callable[[Reader, Clock, Lobby], Driver]] = {
    "llrp": lambda reader, clock, lobby: LlrpDriver(reader.id, reader.settings, clock, lobby),
}
"""How each kind of device comes to life; a new kind is one entry. Readers that dial in use the lobby."""


class Crew:
    """One supervised task a reader."""

    def __init__(self, fleet: Fleet, clock: Clock, rng: Random) -> None:
        self._fleet = fleet
        self._clock = clock
        self._rng = rng
        self._lobby = Lobby(clock)
        self._zone_of: dict[Antenna, LiveZone] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
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
        self._zone_of = {antenna: zones[zone_id] for zone_id, ports in antennas.items() for antenna in ports}
        return list(zones.values()), self._zone_of

    @asynccontextmanager
    async def running(self, config: Config) -> AsyncIterator[None]:
        """All readers run while the context lasts; at its end each has closed its device."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for reader in config.readers:
                self._start(reader)
            yield
            self._group = None
            for task in self._tasks.values():
                task.cancel()

    async def apply(self, old: Config, new: Config) -> list[str]:
        """Stop what is gone or changed, start what is new or changed; gives the names of those that are gone."""
        before = {reader.id: reader for reader in old.readers}
        after = {reader.id: reader for reader in new.readers}
        ending = [name for name, reader in before.items() if after.get(name) != reader]
        tasks = [self._tasks.pop(name) for name in ending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name, reader in after.items():
            if before.get(name) != reader:
                self._start(reader)
            else:
                self._fleet.remap(name, self._zones_of(name))
        gone = [name for name in before if name not in after]
        for name in gone:
            self._fleet.leave(name)
        return gone

    def _start(self, reader: Reader) -> None:
        if self._group is None:
            return
        self._fleet.join(reader.id, reader.driver, self._zones_of(reader.id), reader.settings.address)
        self._tasks[reader.id] = self._group.create_task(self._work(reader), name=f"reader {reader.id}")

    async def _work(self, reader: Reader) -> None:
        driver = DRIVERS[reader.driver](reader, self._clock, self._lobby)
        try:
            await supervise(driver, self._fleet.put, self._clock, self._rng)
        finally:
            self._lobby.leave(reader.id)

    def _zones_of(self, reader: str) -> dict[int, LiveZone]:
        return {port: zone for (name, port), zone in self._zone_of.items() if name == reader}
