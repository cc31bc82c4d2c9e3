"""A scenario in real time: the field that LLRP readers look into, and the faults that befall them."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from simulators.chaos import ChaosProxy, chaos_proxy
from simulators.clock import Clock
from simulators.field import Sighting
from simulators.llrp.device import ReaderDevice
from simulators.llrp.personality import Personality, ReaderClock
from simulators.llrp.server import ReaderServer, serve_reader
from simulators.recording import Scenario
from simulators.shop.board import Weighing, weighing
from simulators.shop.goods import ghost_of
from simulators.shop.plan import Fault, ReaderMount

_US_PER_S = 1_000_000
_US_PER_HOUR = 3600 * _US_PER_S
# FCC hopping: 50 channels, at most 0.4 s on each in 20 s (47 CFR 15.247).
_CHANNELS = 50
_CHANNEL_US = 400_000
_GHOST_DBM = (-72, -66)


class LiveStore:
    """A scenario that opens at `opened_us` (true UTC) instead of at its own hour. It ends as the scenario does."""

    def __init__(self, scenario: Scenario, seed: int, opened_us: int) -> None:
        self.plan = scenario.plan
        self.opened_us = opened_us
        self.ends_us = opened_us + round(self.plan.hours * _US_PER_HOUR)
        self.day, self.air = scenario.world(seed)
        self.ahead_us = opened_us - round(self.plan.start.timestamp() * _US_PER_S)
        self.rng = random.Random(f"{scenario.name}/{seed}/live")
        self._named = f"{scenario.name}/{seed}"
        # (reader, port) of antennas that are pulled though their reader does not notice.
        self.pulled: set[tuple[str, int]] = set()

    def field(self, reader: ReaderMount) -> "_LiveField":
        """What the antennas of a reader see."""
        return _LiveField(self, reader)

    def truth(self, now_us: int) -> dict[tuple[str, str], int]:
        """Tagged items by GTIN-14 and zone at a moment."""
        where: dict[int, str | None] = {}
        for fact in self.day.truth:
            if fact.at_us + self.ahead_us > now_us:
                break
            where[fact.tag] = fact.zone
        return dict(Counter((self.day.gtins[tag], zone) for tag, zone in where.items() if zone))

    def weighing(self) -> Weighing:
        """What the boards of its gondolas say, from its own hour on."""
        return weighing(self.plan, self.day, self._named)

    def lying(self, now_us: int) -> dict[tuple[str, int], int]:
        """Pieces by gondola and channel of their bin at a moment."""
        pieces: Counter[tuple[str, int]] = Counter()
        for day in self.day.gondolas:
            last = {
                (lying.bin, lying.product): lying.pieces for lying in day.truth if lying.at_us + self.ahead_us <= now_us
            }
            for (number, _), count in last.items():
                pieces[day.plan.id, day.plan.bins[number].channel] += count
        return dict(pieces)


class _LiveField:
    """A `Field`: the reader's own turns decide when each antenna transmits."""

    def __init__(self, store: LiveStore, reader: ReaderMount) -> None:
        self._store = store
        self._reader = reader
        self._index = {
            mount.port: number for number, (owner, mount) in enumerate(store.air.antennas) if owner.id == reader.id
        }

    def sightings(self, antenna: int, start_us: int, end_us: int) -> Iterable[Sighting]:
        """The air's reads in this dwell; nothing once the scenario is over."""
        store, index = self._store, self._index.get(antenna)
        if index is None or (self._reader.id, antenna) in store.pulled or end_us > store.ends_us:
            return
        ahead_us, epcs = store.ahead_us, store.day.epcs
        reads = store.air.dwell(index, start_us - ahead_us, end_us - ahead_us)
        for at_us, tag, dbm in zip(reads.at_us.tolist(), reads.tag.tolist(), reads.rssi_dbm.tolist(), strict=True):
            yield Sighting(epcs[tag], 96, dbm, at_us + ahead_us, _channel(at_us))
        if store.rng.random() < store.plan.noise.ghosts_per_hour * (end_us - start_us) / _US_PER_HOUR:
            ghost = ghost_of(store.rng.choice(epcs), store.rng.getrandbits(32))
            yield Sighting(ghost, 96, store.rng.randrange(*_GHOST_DBM), end_us - 1, _channel(end_us))


@dataclass(frozen=True, slots=True)
class LiveReader:
    """A reader on a port of its own: the device, and the network before it."""

    mount: ReaderMount
    server: ReaderServer
    network: ChaosProxy

    @property
    def url(self) -> str:
        """Where a gateway finds it."""
        return f"llrp://{self.network.host}:{self.network.port}"


@asynccontextmanager
async def serve_store(
    store: LiveStore, clock: Clock, host: str, first_port: int = 0
) -> AsyncIterator[list[LiveReader]]:
    """Serve every LLRP reader of the store; ports are consecutive from `first_port`, or any free ones for 0.

    Faults happen at their time as long as the context lasts. Raises OSError where a port is taken.
    """
    async with AsyncExitStack() as stack:
        readers = []
        for number, mount in enumerate(mount for mount in store.plan.readers if mount.wire == "llrp"):
            device = ReaderDevice(store.field(mount), _personality(store, mount))
            server = await stack.enter_async_context(serve_reader(device, host=host, clock=clock))
            port = first_port + number if first_port else 0
            network = await stack.enter_async_context(chaos_proxy(server.port, host=host, port=port))
            readers.append(LiveReader(mount, server, network))
        by_id = {reader.mount.id: reader for reader in readers}
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(_befall(fault, store, by_id, clock)) for fault in store.plan.faults]
        try:
            yield readers
        finally:
            for task in tasks:
                task.cancel()


async def _befall(fault: Fault, store: LiveStore, readers: Mapping[str, LiveReader], clock: Clock) -> None:
    """One fault: it comes, it lasts, it goes. A gateway's own downtime and clocks are not a reader's business here."""
    reader = readers.get(fault.reader or "")
    if reader is None or fault.kind in {"gateway", "clock"}:
        return
    begins_us = store.opened_us + round(fault.at_s * _US_PER_S)
    await asyncio.sleep(clock.seconds_until(begins_us))
    _break(fault, store, reader)
    await asyncio.sleep(clock.seconds_until(begins_us + round(fault.for_s * _US_PER_S)))
    _mend(fault, store, reader)


def _break(fault: Fault, store: LiveStore, reader: LiveReader) -> None:
    match fault.kind:
        case "cable" if fault.told:
            reader.server.set_antenna(fault.antenna or 0, connected=False)
        case "cable":
            store.pulled.add((reader.mount.id, fault.antenna or 0))
        case "frozen":
            reader.server.freeze()
        case _:
            reader.network.refusing = True
            reader.network.reset()
            if fault.kind == "reboot":
                reader.server.reboot()


def _mend(fault: Fault, store: LiveStore, reader: LiveReader) -> None:
    match fault.kind:
        case "cable" if fault.told:
            reader.server.set_antenna(fault.antenna or 0, connected=True)
        case "cable":
            store.pulled.discard((reader.mount.id, fault.antenna or 0))
        case "frozen":
            reader.server.thaw()
        case _:
            reader.network.calm()


def _personality(store: LiveStore, mount: ReaderMount) -> Personality:
    """A reader whose antennas take the scenario's turns, with the scenario's clock."""
    plan, clock = store.plan, mount.clock
    jumps = tuple(
        (store.opened_us + round(fault.at_s * _US_PER_S), round(fault.jump_s * _US_PER_S))
        for fault in plan.faults
        if fault.kind == "clock" and fault.reader == mount.id
    )
    return Personality(
        clock=ReaderClock(
            offset_us=round(clock.offset_s * _US_PER_S),
            drift_ppm=clock.drift_ppm,
            uptime=clock.uptime,
            booted_us=store.opened_us - _US_PER_HOUR,
            jumps=jumps,
        ),
        antennas_connected=frozenset(antenna.port for antenna in mount.antennas),
        dwell_us=mount.antennas[0].dwell_ms * 1000,
    )


def _channel(at_us: int) -> int:
    return at_us // _CHANNEL_US % _CHANNELS + 1
