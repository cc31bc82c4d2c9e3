"""`tallygate demo`: a simulated store, the gateway, a broker and a consumer, side by side on a terminal."""

import asyncio
import logging
import signal
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from config.loader import parse
from gateway.broker import BrokerError, free_port
from gateway.cli.demo_rest import GHOST, differences, lying
from gateway.cli.output import ExitCode, JsonOption, fail, print_json
from gateway.clock import SystemClock
from gateway.consumer.broker import BrokerAddress
from gateway.consumer.client import Applied, Change, Consumer, ConsumerOptions
from gateway.consumer.store import MemoryStore
from gateway.daemon import Gateway, open_gateway
from gateway.payloads import Delta
from gateway.tasks import beside
from simulators.layout import Layout
from simulators.llrp.device import ReaderDevice
from simulators.llrp.server import serve_reader
from simulators.people import Traffic
from simulators.store import Store

HOST = "127.0.0.1"
# How often the view is drawn, and JSON is printed.
DRAW_S = 0.25
REPORT_S = 1.0
# After closing time: the last trips end within it; then reads have to tell where things lie now, and silence who left.
LAST_TRIPS_LIMIT_S = 20.0
SETTLE_LIMIT_S = 40.0
# The consumer is at most this far behind when everything is quiet.
CONSUMER_LIMIT_S = 5.0
ONLINE_LIMIT_S = 10.0
# Of one item by one antenna at best, while that antenna transmits: some 500 reads/s a reader, as real ones give.
READS_PER_S = 9.0
LAST_DELTAS = 6
# A busy hour in a minute: trips of seconds, so that there is something to see.
TRAFFIC = Traffic(
    customers_per_hour=900.0,
    refills_per_hour=240.0,
    deliveries_per_hour=60.0,
    items_per_delivery=8,
    fitting_s=(3.0, 6.0),
    checkout_s=(3.0, 5.0),
    exit_s=(2.0, 4.0),
    receiving_s=(4.0, 8.0),
)


@dataclass
class Demo:
    """All that runs, for the view."""

    store: Store
    gateway: Gateway
    consumer: Consumer
    deltas: deque[Delta] = field(default_factory=lambda: deque(maxlen=LAST_DELTAS))
    phase: str = "opening"
    elapsed_s: float = 0.0
    errors: list[int] = field(default_factory=list)
    settled_s: float | None = None
    """How long after the last trip every count was right; None where one is not, or the store is open."""

    @property
    def reads(self) -> int:
        return sum(member.reads for member in self.gateway.fleet.members.values())

    def ours(self) -> dict[tuple[str, str], int]:
        """The gateway's stock."""
        return {(row.gtin, row.zone): row.quantity for row in self.gateway.stock if row.quantity}

    def theirs(self) -> dict[tuple[str, str], int]:
        """The consumer's stock."""
        return {(row.gtin, row.zone): row.quantity for row in self.consumer.store.rows() if row.quantity}

    def count_error(self) -> int:
        """Items that the gateway counts wrong, summed over GTIN and zone."""
        truth, ours = self.store.truth(), self.ours()
        return sum(abs(truth.get(key, 0) - ours.get(key, 0)) for key in truth.keys() | ours.keys())

    def report(self) -> dict[str, Any]:
        """The state of things as JSON values."""
        return {
            "phase": self.phase,
            "elapsed_s": round(self.elapsed_s, 1),
            "reads": self.reads,
            "deltas": self.gateway.ledger.position.seq,
            "acknowledged": self.gateway.sender.window.acknowledged,
            "items_truth": sum(self.store.truth().values()),
            "items_gateway": sum(self.ours().values()),
            "items_consumer": sum(self.theirs().values()),
            "consumer_equals_gateway": self.ours() == self.theirs(),
            "count_error": self.count_error(),
        }

    def differences(self) -> dict[str, int]:
        """Why items count elsewhere than they lie, and how many."""
        zones, stock = self.gateway.inventory.zones, self.store.stock
        epcs = ((thing.epc, zone) for zone in zones for thing in stock.within(zone) if thing.gtin is not None)
        return differences(lying(epcs), self.gateway.inventory)


def demo(
    seconds: Annotated[
        float | None, typer.Option(min=1.0, help="How long the store is open; without it: until Ctrl-C.")
    ] = None,
    items: Annotated[int, typer.Option(min=1, max=5000, help="Items in the store at the start.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed gives the same store and the same people.")] = 1,
    *,
    as_json: JsonOption = False,
) -> None:
    """Shows the whole line at work on a simulated store.

    Two simulated LLRP readers, the gateway, a broker and a consumer; its stock is compared with the gateway's and with
    the truth. After SECONDS the store closes: the last customers leave, the counts settle, the comparison is printed,
    and why a count still differs, if one does.
    """
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(message)s")
    try:
        asyncio.run(_demo(seconds, items, seed, as_json=as_json))
    except BrokerError as error:
        fail(ExitCode.UNREACHABLE, str(error), error.hint)


async def _demo(seconds: float | None, items: int, seed: int, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with _running(items, seed) as demo_parts:
        show = _print_reports if as_json else _draw
        async with beside(show(demo_parts), _keep_time(demo_parts)):
            await _play(demo_parts, stop, seconds)
    summary = demo_parts.report()
    summary["mean_count_error"] = round(sum(demo_parts.errors) / max(1, len(demo_parts.errors)), 2)
    summary["settled_s"] = demo_parts.settled_s
    summary["differences"] = demo_parts.differences()
    if as_json:
        print_json(summary)
    else:
        # Where the view is no terminal's, its last line has no end.
        Console(highlight=False).print(f"\n{_summary(summary)}", soft_wrap=True)


@asynccontextmanager
async def _running(items: int, seed: int) -> AsyncIterator[Demo]:
    """Store, readers, broker, gateway and consumer, each real but the store."""
    store = Store.demo(seed, items=items, traffic=TRAFFIC, reads_per_s=READS_PER_S)
    rng = Random(seed)  # noqa: S311 - it spreads retries, it guards nothing
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallygate-demo-")))
        ports = {
            reader: (await stack.enter_async_context(serve_reader(ReaderDevice(store.field(reader))))).port
            for reader in store.layout.readers()
        }
        broker_port = free_port(HOST)
        config = parse(_configuration(store.layout, ports, broker_port), folder / "demo.toml")
        gateway = await stack.enter_async_context(open_gateway(config, SystemClock(), rng))
        parts: list[Demo] = []

        def note(change: Change) -> None:
            if isinstance(change, Applied) and parts:
                parts[0].deltas.appendleft(change.delta)

        options = ConsumerOptions(
            address=BrokerAddress(HOST, broker_port, tls=False), topics=gateway.topics, client_id="demo-consumer"
        )
        consumer = Consumer(options, MemoryStore(), rng, on_change=note)
        parts.append(Demo(store, gateway, consumer))
        stopping, started = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(gateway.run(started.set, stopping))
            await started.wait()
            async with consumer:
                await _until_online(consumer)
                yield parts[0]
                # The gateway says its last word before the consumer is compared with it.
                stopping.set()
                await running
                await _until_in_step(parts[0])


async def _play(parts: Demo, stop: asyncio.Event, seconds: float | None) -> None:
    """Open the store; close it after its time; wait for the last to leave and for the counts to settle."""
    parts.phase = "open"
    if await _passed(stop, seconds):
        return
    parts.phase = "closing"
    parts.store.quiet()
    waited_s = 0.0
    while parts.store.moving and waited_s < LAST_TRIPS_LIMIT_S:
        if await _passed(stop, DRAW_S):
            return
        waited_s += DRAW_S
    parts.phase = "settling"
    waited_s = 0.0
    while any(GHOST not in why for why in parts.differences()) and waited_s < SETTLE_LIMIT_S:
        if await _passed(stop, DRAW_S):
            return
        waited_s += DRAW_S
    parts.settled_s = None if parts.count_error() else waited_s


async def _passed(stop: asyncio.Event, seconds: float | None) -> bool:
    """Wait; True when told to stop before the time was over."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def _until_online(consumer: Consumer) -> None:
    """Until the consumer has heard of the gateway: a first start makes sure that the broker remembers none before."""
    try:
        async with asyncio.timeout(ONLINE_LIMIT_S):
            await consumer.wait_until(lambda consumer: bool(consumer.rule.online))
    except TimeoutError:
        return


async def _until_in_step(parts: Demo) -> None:
    """Until the consumer has what the gateway has published, for a moment at most."""
    parts.phase = "done"
    try:
        async with asyncio.timeout(CONSUMER_LIMIT_S):
            await parts.consumer.wait_until(lambda consumer: consumer.rule.applied == parts.gateway.ledger.position.seq)
    except TimeoutError:
        return


async def _keep_time(parts: Demo) -> None:
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    while True:
        parts.elapsed_s = loop.time() - start_s
        if parts.phase == "open":
            parts.errors.append(parts.count_error())
        await asyncio.sleep(DRAW_S)


async def _print_reports(parts: Demo) -> None:
    while True:
        print_json(parts.report())
        await asyncio.sleep(REPORT_S)


async def _draw(parts: Demo) -> None:
    console = Console(highlight=False)
    reads, since_s, rate = parts.reads, 0.0, 0.0
    with Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            if parts.elapsed_s - since_s >= 1.0:
                rate = (parts.reads - reads) / (parts.elapsed_s - since_s)
                reads, since_s = parts.reads, parts.elapsed_s
            live.update(_view(parts, rate), refresh=True)
            await asyncio.sleep(DRAW_S)


def _view(parts: Demo, rate: float) -> Group:
    """What fits 80 columns and 24 lines."""
    gateway = parts.gateway
    readers = " ".join(f"{name} {member.state.condition.value}" for name, member in gateway.fleet.members.items())
    head = Text(f"tallygate demo: {parts.phase}, {parts.elapsed_s:.0f} s", style="bold")
    facts = Text(
        f"{rate:,.0f} reads/s, {parts.reads:,} in all; {gateway.ledger.position.seq} deltas written, "
        f"{gateway.sender.window.acknowledged} acknowledged\n{readers}"
    )
    if gateway.http_address:
        facts.append(f"\nstatus page: http://{HOST}:{gateway.http_address[1]}/", style="dim")
    return Group(head, facts, _zone_table(parts), _delta_table(parts), Text(_footer(parts), style="dim"))


def _footer(parts: Demo) -> str:
    if parts.phase == "settling":
        return "closed: waiting until the reads have told where everything lies; Ctrl-C ends it"
    if parts.phase == "done":
        return "closed"
    return "yellow: something was just carried, its reads have yet to tell; Ctrl-C ends it"


def _zone_table(parts: Demo) -> Table:
    """Items per zone: the truth, the gateway, the consumer."""
    totals: list[dict[str, int]] = []
    for stock in (parts.store.truth(), parts.ours(), parts.theirs()):
        zones = dict.fromkeys(parts.gateway.inventory.zones, 0)
        for (_, zone), quantity in stock.items():
            zones[zone] += quantity
        totals.append(zones)
    truth, ours, theirs = totals
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("zone", "state"):
        table.add_column(name)
    for name in ("truth", "gateway", "consumer"):
        table.add_column(name, justify="right")
    for live in parts.gateway.inventory.zones.values():
        style = "" if truth[live.id] == ours[live.id] == theirs[live.id] else "yellow"
        numbers = (str(total[live.id]) for total in totals)
        table.add_row(live.id, live.state.value, *numbers, style=style)
    table.add_row("all", "", *(str(sum(total.values())) for total in totals), style="bold")
    return table


def _delta_table(parts: Demo) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name, width in (("delta", 5), ("causes", 14), ("changes", 20)):
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=width)
    for delta in parts.deltas:
        causes = ", ".join(f"{count} {cause}" for cause, count in delta.causes.items())
        shown = "; ".join(f"{change.gtin[-6:]} {change.zone} {change.change:+d}" for change in delta.changes[:3])
        more = f"; {len(delta.changes) - 3} more" if len(delta.changes) > 3 else ""
        table.add_row(str(delta.seq), causes, shown + more)
    for _ in range(LAST_DELTAS - len(parts.deltas)):
        table.add_row("", "", "")
    return table


def _summary(summary: dict[str, Any]) -> str:
    rest = ""
    if summary["settled_s"] is not None:
        rest = f"\nEvery item counted where it lay, {summary['settled_s']:.0f} s after the last was carried."
    elif summary["differences"]:
        rest = "\nNot where they lie:" + "".join(f"\n  {count} {why}" for why, count in summary["differences"].items())
    equal = "equals" if summary["consumer_equals_gateway"] else "DIFFERS FROM"
    return (
        f"{summary['reads']:,} reads became {summary['deltas']} deltas; the consumer's stock {equal} the gateway's.\n"
        f"In the store: {summary['items_truth']} items; counted: {summary['items_gateway']}.{rest}"
    )


def _configuration(layout: Layout, ports: dict[str, int], broker_port: int) -> str:
    """The demo's configuration file, as a technician would write it."""
    lines = [
        '[site]\nid = "demo-store"\ngateway = "gw-1"',
        f'[mqtt]\nurl = "embedded://{HOST}:{broker_port}"',
        '[ledger]\npath = "ledger.db"',
        f'[http]\nlisten = "{HOST}:0"',
    ]
    lines += [f'[[zones]]\nid = "{zone.id}"\nkind = "{zone.kind.value}"\nsettle_s = 8' for zone in layout.zones]
    for reader, antennas in layout.readers().items():
        mapping = ", ".join(f'{port} = "{zone}"' for port, zone in antennas.items())
        lines.append(
            f'[[readers]]\nid = "{reader}"\ndriver = "llrp"\nurl = "llrp://{HOST}:{ports[reader]}"\n'
            f"antennas = {{ {mapping} }}"
        )
    return "\n".join(lines)
