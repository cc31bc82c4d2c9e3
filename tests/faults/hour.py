"""An hour of a shop, simulated whole: readers, gateway, broker, two consumers, and everything that can go wrong.

The same seed is the same hour; `hours` lives through many of them.
"""

import asyncio
import hashlib
import json
import shutil
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast
from unittest.mock import patch

from config.loader import parse
from gateway import daemon, housekeeping, line, sender
from gateway.consumer import client as client_module
from gateway.consumer.broker import BrokerAddress
from gateway.consumer.client import Applied, Change, Consumer, ConsumerOptions, Replaced
from gateway.consumer.outputs import FindingKind
from gateway.consumer.store import MemoryStore
from gateway.daemon import Gateway, open_gateway
from gateway.health import Health
from gateway.ledger import LedgerError
from gateway.payloads import State, Topics
from simulators.layout import Antenna, Coverage, Layout, Zone, ZoneKind
from simulators.llrp.device import ReaderDevice
from simulators.llrp.personality import Personality, ReaderClock
from simulators.llrp.server import ReaderPort
from simulators.people import Traffic
from simulators.stock import demo_gtins
from simulators.store import Air, Store
from tests.faults.fakenet import UTC_US, BoxClock, FakeBroker, FakeDisk, FakeLan, FakeTimeLoop, TrueClock

HOUR_S = 3_600.0
ITEMS = 50
# After the last fault everything must be right within this.
SETTLE_LIMIT_S = 3_600.0
FAULT_EVERY_S = 45.0
# A stop takes seconds, a commit that is waited for a minute and a half.
FAULT_LIMIT_S = 600.0
STEP_EVERY_S = 20.0
# As the unit file has it.
RESTART_S = 2.0
ZONES = ("floor", "back", "fitting")
PORTS = {"reader-a": 1, "reader-b": 2}
# Two antennas a reader; an antenna looks for 16 seconds, so that an hour has few enough reads to be simulated.
LAYOUT = Layout(
    zones=(
        Zone("floor", ZoneKind.SALES_FLOOR),
        Zone("back", ZoneKind.BACKROOM),
        Zone("fitting", ZoneKind.FITTING_ROOM),
    ),
    antennas=tuple(
        Antenna(reader, number, (Coverage(zone, 1.0, -52.0),))
        for reader, number, zone in (
            ("reader-a", 1, "floor"),
            ("reader-a", 2, "back"),
            ("reader-b", 1, "fitting"),
            ("reader-b", 2, "floor"),
        )
    ),
)
DWELL_US = 16_000_000
PRESENCE = """
missing_floor_s = 120
departed_floor_s = 300
first_read_chance = 1.0
silence_ceiling_s = 300
settle_s = 40
"""
CONFIG = f"""
[site]
id = "store"
gateway = "gw"
[mqtt]
url = "mqtt://broker:1883"
[ledger]
path = "ledger.db"
{
    "".join(
        f'''
[[zones]]
id = "{zone.id}"
kind = "{zone.kind.value}"
{PRESENCE}'''
        for zone in LAYOUT.zones
    )
}
{
    "".join(
        f'''
[[readers]]
id = "{name}"
driver = "llrp"
url = "llrp://{name}:{PORTS[name]}"
keepalive_s = 20
antennas = {{ {", ".join(f'{port} = "{zone}"' for port, zone in antennas.items())} }}
'''
        for name, antennas in LAYOUT.readers().items()
    )
}
"""


class HourError(AssertionError):
    """Something is wrong; the text begins with the seed and the moment."""


class Follower:
    """A consumer that comes and goes; its stock stays."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.store = MemoryStore()
        self.applied = 0
        self.consumer: Consumer | None = None
        self.stop = asyncio.Event()
        self._next: tuple[str, int] | None = None

    async def run(self) -> None:
        """One life after another."""
        options = ConsumerOptions(
            address=BrokerAddress("broker", 1883, tls=False), topics=self.world.topics, client_id=self.name
        )
        loop = asyncio.get_running_loop()
        while True:
            self.stop.clear()
            async with Consumer(options, self.store, self.world.rng, on_change=self._note, clock=loop.time) as consumer:
                self.consumer = consumer
                await self.stop.wait()
            self.consumer = None
            await asyncio.sleep(self.world.rng.uniform(0.0, 120.0))

    def _note(self, change: Change) -> None:
        match change:
            case Applied(delta):
                if self._next is not None and (delta.epoch, delta.seq) != self._next:
                    self.world.fail(f"{self.name} applied {delta.epoch} {delta.seq}, {self._next} was next")
                self._next = delta.epoch, delta.seq + 1
                self.applied += 1
            case Replaced(epoch, as_of, _):
                self._next = epoch, as_of + 1
            case _ if getattr(change, "kind", None) is FindingKind.STOCK_DIFFERS:
                self.world.fail(f"{self.name}: {change}")

    def stock(self) -> dict[tuple[str, str], int]:
        return {(row.gtin, row.zone): row.quantity for row in self.store.rows()}


class World:
    """Everything, and the seed's misfortune."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.rng = Random(seed)
        self.loop = cast("FakeTimeLoop", asyncio.get_running_loop())
        self.clock = BoxClock(self.loop)
        self.broker = FakeBroker(self.rng)
        self.broker.on_delta = self._published
        self.lan = FakeLan(self.rng)
        self.disk = FakeDisk(self.rng)
        self.config = parse(CONFIG, folder / "tallygate.toml")
        self.topics = Topics.of("tallygate/v1", "store", "gw")
        self.shop = Store(LAYOUT, seed, air=Air(certain=True), traffic=Traffic(0, 0, 0))
        for number in range(ITEMS):
            self.shop.stock.new_item(demo_gtins()[number % 6], ZONES[number % 3])
        for name, port in PORTS.items():
            clock = ReaderClock(
                offset_us=self.rng.randint(-(10**8), 10**8), drift_ppm=self.rng.uniform(-50, 50), booted_us=UTC_US
            )
            device = ReaderDevice(self.shop.field(name), Personality(dwell_us=DWELL_US, clock=clock))
            self.lan.readers[port] = ReaderPort(device, TrueClock(self.loop), None)
        self.followers = [Follower(self, name) for name in ("central", "second")]
        self.gateway: Gateway | None = None
        self.backup: Path | None = None
        self.kinds = list(FAULTS)
        self.faults: Counter[str] = Counter()
        self.done: list[str] = []
        self.settled_s = 0.0
        self.rolled_back_boot = 0
        self.trace = hashlib.blake2b(digest_size=8)
        """Of all deltas that the broker took, and when: two runs of a seed that agree in it were the same hour."""
        self._escaped: BaseException | None = None
        self._deltas: dict[tuple[str, int], bytes] = {}
        self._life: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    def hear(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's own handler would log what a callback (a protocol, a timer) raised, and go on."""
        if "handle" in context:
            self._escaped = self._escaped or context.get("exception")

    def fail(self, text: str) -> None:
        last = "; ".join(self.done[-8:])
        raise HourError(f"seed {self.seed}, second {self.loop.time() - 1_000:.1f}: {text} (before: {last})")

    def _published(self, payload: bytes) -> None:
        """A number is published again, but never with another content."""
        self.trace.update(b"%a %b" % (self.loop.time(), payload))
        delta = json.loads(payload)
        key = delta["epoch"], delta["seq"]
        if self._deltas.setdefault(key, payload) != payload:
            self.fail(f"delta {key} has two contents")

    # The hour

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group, self.opened(group):
            await self.hour(group)
            self.count_deltas()
        self.left_behind()

    @asynccontextmanager
    async def opened(self, group: asyncio.TaskGroup) -> AsyncIterator[None]:
        """The shop is open: gateway, readers and consumers run, until they are stopped as they should be."""
        tasks = [group.create_task(follower.run()) for follower in self.followers]
        self.start(group)
        for port in self.lan.readers.values():
            port.switch_on()
        yield
        self._stop.set()
        assert self._life is not None
        await self._life
        for port in self.lan.readers.values():
            port.switch_off()
        for task in tasks:
            task.cancel()

    async def hour(self, group: asyncio.TaskGroup) -> None:
        """An hour of misfortunes, and then until all is right again."""
        end_s = self.loop.time() + HOUR_S
        self.loop.until_s = end_s + 2 * SETTLE_LIMIT_S
        fault_s, step_s = self.loop.time() + 60.0, self.loop.time()
        while self.loop.time() < end_s:
            await asyncio.sleep(max(0.0, min(fault_s, step_s) - self.loop.time()))
            self.check()
            if self.loop.time() >= step_s:
                self.shuffle()
                step_s += self.rng.expovariate(1 / STEP_EVERY_S)
            if self.loop.time() >= fault_s:
                await self.misfortune(group)
                fault_s = max(fault_s, self.loop.time()) + self.rng.expovariate(1 / FAULT_EVERY_S)
        began_s = self.loop.time()
        await self.settle(group)
        self.settled_s = self.loop.time() - began_s

    def check(self) -> None:
        """Nothing may escape from a callback."""
        if self._escaped is not None:
            error, self._escaped = self._escaped, None
            raise HourError(f"seed {self.seed}: {error!r}") from error

    def shuffle(self) -> None:
        """People carry things about, bring and take them."""
        stock, rng = self.shop.stock, self.rng
        for thing in stock.pick(rng.choice(ZONES), rng.randint(1, 3)):
            stock.move(thing, rng.choice(ZONES))
        if rng.random() < 0.2:
            stock.new_item(rng.choice(demo_gtins()), rng.choice(ZONES))
        if rng.random() < 0.15:
            for thing in stock.pick(rng.choice(ZONES), 1):
                stock.move(thing, None)

    def start(self, group: asyncio.TaskGroup) -> None:
        self._life = group.create_task(self._live())

    async def _live(self) -> None:
        """The daemon from its start to its end; where it does not come up, systemd tries again."""
        while not self._stop.is_set():
            try:
                async with open_gateway(self.config, self.clock, self.rng) as gateway:
                    self.gateway = gateway
                    await gateway.run(lambda: None, self._stop)
            except LedgerError:
                await asyncio.sleep(RESTART_S)
        self.gateway = None

    async def die(self) -> None:
        """kill -9: the network and the disk have heard the last of it; what its tasks still do reaches nobody."""
        self.disk.die()
        client = self.broker.clients.get(self.config.client_id)
        if client is not None:
            client.cut(will=True)
        for wire in list(self.lan.wires.values()):
            wire.end()
        assert self._life is not None
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)
        self.gateway = None

    async def misfortune(self, group: asyncio.TaskGroup) -> None:
        rng = self.rng
        fault = rng.choice(self.kinds)
        self.faults[fault] += 1
        self.done.append(f"{fault} at {self.loop.time() - 1_000:.1f}")
        try:
            async with asyncio.timeout(FAULT_LIMIT_S):
                await FAULTS[fault](self, group, rng)
        except TimeoutError:
            self.fail(f"{fault} does not end")

    async def kill(self, group: asyncio.TaskGroup, rng: Random) -> None:
        await self.die()
        await asyncio.sleep(rng.uniform(0.0, 60.0))
        self.start(group)

    async def kill_within_a_commit(self, group: asyncio.TaskGroup, rng: Random) -> None:
        """Between two statements, or between the commit and the first that hears of it."""
        self.disk.blown.clear()
        self.disk.fuse = rng.randint(1, 20)
        self.shuffle()
        with suppress(TimeoutError):
            async with asyncio.timeout(90.0):
                await self.disk.blown.wait()
        self.disk.fuse = 0
        await self.kill(group, rng)

    async def restart(self, group: asyncio.TaskGroup, _rng: Random) -> None:
        assert self._life is not None
        self._stop.set()
        await self._life
        self._stop.clear()
        self.start(group)

    async def lose_or_roll_back(self, group: asyncio.TaskGroup, rng: Random) -> None:
        """Somebody restores an old ledger, or removes it; the broker still knows what was said."""
        known = self.retained_state()
        if known is None or self.gateway is None:
            return
        position = self.gateway.ledger.position
        if (known.epoch, known.boot) != (position.epoch, position.boot) or not self.broker.running:
            return  # nobody is left who could tell
        self.rolled_back_boot = known.boot
        await self.die()
        for file in self.folder.glob("ledger.db*"):
            file.unlink()
        if self.backup is not None and rng.random() < 0.6:
            shutil.copy(self.backup, self.folder / "ledger.db")
        else:
            self.backup = None
        self.start(group)

    async def back_up(self, group: asyncio.TaskGroup, _rng: Random) -> None:
        await self.die()
        if (self.folder / "ledger.db").exists():
            self.backup = self.folder / "backup"
            shutil.copy(self.folder / "ledger.db", self.backup)
        self.start(group)

    async def cut_gateway(self, _group: asyncio.TaskGroup, _rng: Random) -> None:
        for client in list(self.broker.clients.values()):
            if client.options.client_id == self.config.client_id:
                client.cut(will=True)

    async def mute_somebody(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        clients = list(self.broker.clients.values())
        if clients:
            rng.choice(clients).mute()

    def retained_state(self) -> State | None:
        """What the broker knows of the gateway."""
        said = self.broker.retained.get(self.topics.state)
        return None if said is None else State.model_validate_json(said.payload)

    async def kill_broker(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        known = self.retained_state()
        # Of a ledger that was rolled back only the broker can tell; until the gateway has asked it, it remembers.
        told = known is None or known.boot > self.rolled_back_boot
        self.broker.stop(forgets=rng.random() < 0.5 and told)
        self.loop.call_later(rng.uniform(0.1, 200.0), setattr, self.broker, "running", True)

    async def refuse(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        self.broker.refuses_deltas = rng.randint(1, 12)

    async def lose_for_consumers(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        self.broker.loses_for_consumers = 0.3
        self.loop.call_later(rng.uniform(5.0, 60.0), setattr, self.broker, "loses_for_consumers", 0.0)

    async def restart_consumer(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        rng.choice(self.followers).stop.set()

    async def take_name(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        """Another client comes with the gateway's own id."""
        if self.gateway is not None and self.broker.running:
            thief = self.broker.connection(self.gateway.uplink._options)
            try:
                await thief.open()
            finally:
                await thief.disconnect()
        await asyncio.sleep(rng.uniform(0.0, 1.0))

    async def cut_reader(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        for wire in [wire for wire in self.lan.wires.values() if rng.random() < 0.6]:
            wire.end()

    async def mute_reader(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        for wire in [wire for wire in self.lan.wires.values() if rng.random() < 0.6]:
            wire.mute()

    async def garble_reader(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        for wire in self.lan.wires.values():
            wire.garble = rng.randint(1, 3)

    async def reboot_reader(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        number, port = rng.choice(list(self.lan.readers.items()))
        self.lan.unreachable.add(number)
        port.reboot()
        self.loop.call_later(rng.uniform(1.0, 90.0), self.lan.unreachable.discard, number)

    async def pull_antenna(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        port = rng.choice(list(self.lan.readers.values()))
        port.set_antenna(rng.randint(1, 2), connected=False)
        self.loop.call_later(rng.uniform(1.0, 200.0), self.plug_antennas)

    def plug_antennas(self) -> None:
        for port in self.lan.readers.values():
            for antenna in (1, 2):
                port.set_antenna(antenna, connected=True)

    async def fill_disk(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        self.disk.full = True
        self.loop.call_later(rng.uniform(1.0, 60.0), setattr, self.disk, "full", False)

    async def set_clock(self, _group: asyncio.TaskGroup, rng: Random) -> None:
        """The box's clock jumps, to either side: summer time, a wrong year, an NTP server that is back."""
        self.clock.wrong_us += round(rng.choice([-1, 1]) * 10 ** rng.uniform(5, 11))

    # The end

    async def settle(self, group: asyncio.TaskGroup) -> None:
        """All is well again; everybody must end with the truth."""
        self.disk.full = False
        self.broker.running, self.broker.refuses_deltas, self.broker.loses_for_consumers = True, 0, 0.0
        self.lan.unreachable.clear()
        self.plug_antennas()
        if self._life is None or self._life.done():
            self.start(group)
        end_s = self.loop.time() + SETTLE_LIMIT_S
        while not await self.agrees():
            self.check()
            if self.loop.time() > end_s:
                self.fail(f"no agreement: {self.views()}")
            await asyncio.sleep(10.0)

    async def agrees(self) -> bool:
        truth, gateway = self.shop.truth(), self.gateway
        if gateway is None or gateway.backlog:
            return False
        ours = {(row.gtin, row.zone): row.quantity for row in gateway.stock if row.quantity}
        on_disk = {(row.gtin, row.zone): row.quantity for row in (await gateway.ledger.stock()).rows}
        position = gateway.ledger.position
        theirs = [
            follower.stock() == truth
            and follower.store.position is not None
            and (follower.store.position.epoch, follower.store.position.seq) == (position.epoch, position.seq)
            for follower in self.followers
        ]
        return ours == truth == on_disk and all(theirs)

    def count_deltas(self) -> None:
        """The broker has got every number of the present epoch."""
        assert self.gateway is not None
        position = self.gateway.ledger.position
        lost = [seq for seq in range(1, position.seq + 1) if (position.epoch, seq) not in self._deltas]
        if lost:
            self.fail(f"deltas {lost[:5]} never came to the broker")

    def views(self) -> str:
        truth = self.shop.truth()

        def differs(stock: dict[tuple[str, str], int]) -> list[tuple[tuple[str, str], int, int]]:
            return [
                (key, truth.get(key, 0), stock.get(key, 0)) for key in truth | stock if truth.get(key) != stock.get(key)
            ]

        ours = {} if self.gateway is None else {(row.gtin, row.zone): row.quantity for row in self.gateway.stock}
        parts = [f"gateway {differs(ours)}"]
        parts += [f"{one.name} {one.store.position} {differs(one.stock())}" for one in self.followers]
        if self.gateway is not None:
            parts += [f"ledger {self.gateway.ledger.position} backlog {self.gateway.backlog}"]
            parts += [f"{zone.id} {zone.state}" for zone in self.gateway.inventory.zones.values()]
        return "; ".join(parts)

    def left_behind(self) -> None:
        """After the end nobody is left."""
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if tasks:
            self.fail(f"tasks that nobody ended: {tasks}")


FAULTS: dict[str, Callable[..., object]] = {
    "kill": World.kill,
    "kill within a commit": World.kill_within_a_commit,
    "restart": World.restart,
    "rollback": World.lose_or_roll_back,
    "backup": World.back_up,
    "cut gateway": World.cut_gateway,
    "mute a client": World.mute_somebody,
    "kill broker": World.kill_broker,
    "refuse deltas": World.refuse,
    "lose for consumers": World.lose_for_consumers,
    "restart consumer": World.restart_consumer,
    "take the name": World.take_name,
    "cut readers": World.cut_reader,
    "mute readers": World.mute_reader,
    "garble readers": World.garble_reader,
    "reboot reader": World.reboot_reader,
    "pull antenna": World.pull_antenna,
    "fill disk": World.fill_disk,
    "set clock": World.set_clock,
}


@asynccontextmanager
async def _no_http(*_: object) -> AsyncIterator[None]:
    yield


WorldT = TypeVar("WorldT", bound=World)


async def _live_through(kind: Callable[[int, Path], WorldT], seed: int, folder: Path, stack: ExitStack) -> WorldT:
    """What is replaced meanwhile is left to the stack."""
    world = kind(seed, folder)
    world.loop.set_exception_handler(world.hear)
    for target, name, value in (
        (daemon, "serve_http", _no_http),
        (sys.modules["gateway.ledger"].aiosqlite, "connect", world.disk.connect),
        (sys.modules["gateway.uplink"], "Connection", world.broker.connection),
        (client_module, "Connection", world.broker.connection),
        (sys.modules["readers.llrp.driver"], "dial", world.lan.dial),
        (uuid, "uuid4", lambda: uuid.UUID(int=world.rng.getrandbits(128), version=4)),
        # Whoever only looks now and then looks less often: an hour shall take a second.
        (line, "DRAIN_S", 4.0),
        (line, "TICK_US", 8_000_000),
        (sender, "HOUSEKEEPING_S", 5.0),
        (housekeeping, "MEASURE_EVERY_S", 20.0),
        (sys.modules[Health.__module__], "PULSE_S", 20.0),
        (client_module, "TICK_INTERVAL_S", 10.0),
    ):
        stack.enter_context(patch.object(target, name, value))
    await world.run()
    world.check()
    return world


def live_in(kind: Callable[[int, Path], WorldT], seed: int) -> WorldT:
    """All that happens in a world of this seed. Raises HourError (perhaps in a group), or whatever else ended it."""
    # A disk of memory: what a power cut leaves is another test's business.
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    try:
        with (
            ExitStack() as stack,
            tempfile.TemporaryDirectory(dir=place) as folder,
            asyncio.Runner(loop_factory=FakeTimeLoop) as runner,
        ):
            return runner.run(_live_through(kind, seed, Path(folder), stack))
    except TimeoutError as error:
        raise HourError(f"seed {seed}: {error!r}") from error


def live_through(seed: int) -> World:
    """The hour of this seed; raises as `live_in` does."""
    return live_in(World, seed)
