"""`tallygate simulate`: a simulated store, as readers and shelves to connect to or as files to replay."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from gateway.cli.output import ExitCode, JsonOption, complain, fail, pairs, print_json, table
from gateway.cli.progress import progress_bar
from simulators.clock import WallClock
from simulators.export import export, shop_toml
from simulators.plain.families import FAMILIES, Family
from simulators.recording import Recording, Scenario, load_scenario, scenario_names
from simulators.shop.live import LiveReader, LiveStore, serve_store
from simulators.shop.plan import ScenarioError
from simulators.shop.ports import LivePort, serve_ports

HOST = "127.0.0.1"
# How often the truth is told to machines.
REPORT_S = 1.0


def simulate(
    scenario: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="A name, or a TOML file; without it: which there are.")
    ] = None,
    *,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same store; else the scenario's own.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--export", metavar="FOLDER", help="Write reads, links, truth and configuration.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a gateway's configuration that reaches these readers.")
    ] = None,
    first_port: Annotated[
        int, typer.Option("--port", min=0, max=65_000, help="The first reader's port, others follow; 0: any free ones.")
    ] = 0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after this time; else with the scenario.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulates a store whose truth is known: people, fading, walls, faults.

    Serves the scenario's readers over LLRP on this machine, its shelves on serial ports, in real time, until Ctrl-C; or
    writes the whole scenario into CSV files at once (--export), for `replay` and `evaluate`.
    """
    if scenario is None:
        _list(as_json=as_json)
        return
    if scenario in FAMILIES:
        if folder is None:
            fail(ExitCode.USAGE, f"{scenario} has no readers that could be served", "write it into files with --export")
        _export(FAMILIES[scenario], 1 if seed is None else seed, folder, as_json=as_json)
        return
    try:
        loaded = load_scenario(scenario)
    except ScenarioError as error:
        hint = "`tallygate simulate` lists the scenarios that come along; docs/accuracy.md explains the keys"
        complain(f"tallygate: {scenario} cannot be simulated", hint, str(error).splitlines())
        raise typer.Exit(ExitCode.USAGE) from None
    number = loaded.plan.seed if seed is None else seed
    try:
        if folder is not None:
            _export(loaded, number, folder, as_json=as_json)
        else:
            asyncio.run(_serve(loaded, number, config, first_port, seconds, as_json=as_json))
    except OSError as error:
        fail(ExitCode.UNREACHABLE, str(error), "choose another --port, or a folder that can be written")


def _list(*, as_json: bool) -> None:
    plans = {name: load_scenario(name).plan for name in scenario_names()}
    if as_json:
        for name, plan in plans.items():
            print_json({"scenario": name, "hours": plan.hours, "about": plan.about})
        return
    rows = [(name, f"{plan.hours:g} h", plan.about) for name, plan in plans.items()]
    print(table(("scenario", "lasts", "about"), rows))


def _export(scenario: Scenario | Family, seed: int, folder: Path, *, as_json: bool) -> None:
    with progress_bar("simulating") as progress:
        recording = scenario.record(seed, progress) if isinstance(scenario, Scenario) else scenario.record(seed)
    plan = scenario.plan if isinstance(scenario, Scenario) else None
    try:
        with progress_bar("writing") as progress:
            paths = export(recording, plan, folder, progress)
    except OSError as error:
        fail(ExitCode.UNREACHABLE, str(error), "choose a folder that can be written")
    if as_json:
        print_json({**_numbers(recording), "files": [str(path) for path in paths]})
        return
    print(pairs(_numbers(recording).items()))
    print(pairs(("", path) for path in paths))


def _numbers(recording: Recording) -> dict[str, Any]:
    return {
        "scenario": recording.name,
        "seed": recording.seed,
        "reads": len(recording.tag),
        "tags": len(recording.epcs),
        "moves": sum(fact.at_us > recording.start_us for fact in recording.truth),
    }


async def _serve(
    scenario: Scenario, seed: int, config: Path | None, first_port: int, seconds: float | None, *, as_json: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    clock = WallClock()
    store = LiveStore(scenario, seed, clock.now_us())
    async with serve_store(store, clock, HOST, first_port) as readers, _serial_ports(store, clock) as ports:
        _announce(scenario, seed, readers, ports, config, as_json=as_json)
        left_s = clock.seconds_until(store.ends_us)
        ends = loop.time() + (left_s if seconds is None else min(left_s, seconds))
        while not stop.is_set() and loop.time() < ends:
            try:
                async with asyncio.timeout_at(min(ends, loop.time() + REPORT_S)):
                    await stop.wait()
            except TimeoutError:
                if as_json:
                    print_json(_report(store, readers, clock.now_us()))


@asynccontextmanager
async def _serial_ports(store: LiveStore, clock: WallClock) -> AsyncIterator[list[LivePort]]:
    """The store's serial devices, under names that last as long as they do."""
    with TemporaryDirectory(prefix="tallygate-") as folder, serve_ports(store, clock, Path(folder)) as ports:
        yield ports


def _configuration(scenario: Scenario, readers: Sequence[LiveReader], ports: Sequence[LivePort] = ()) -> str:
    """A gateway of its own with the built-in broker, all on this machine."""
    head = (
        f'[site]\nid = "{scenario.name}"\ngateway = "gw-1"\n\n'
        f'[mqtt]\nurl = "embedded://{HOST}:1883"\n\n'
        '[ledger]\npath = "ledger.db"\n\n'
    )
    return head + shop_toml(scenario.plan, _urls(readers, ports))


def _urls(readers: Sequence[LiveReader], ports: Sequence[LivePort]) -> dict[str, str]:
    return {reader.mount.id: reader.url for reader in readers} | {port.id: port.url for port in ports}


def _announce(
    scenario: Scenario,
    seed: int,
    readers: Sequence[LiveReader],
    ports: Sequence[LivePort],
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    if config is not None:
        config.write_text(_configuration(scenario, readers, ports), encoding="utf-8")
    if as_json:
        urls = _urls(readers, ports)
        print_json(
            {"scenario": scenario.name, "seed": seed, "readers": urls, "config": str(config) if config else None}
        )
        return
    print(f"{scenario.name}, seed {seed}: open for {scenario.plan.hours:g} h, or until Ctrl-C\n")
    rows = [
        (reader.mount.id, reader.url, ", ".join(f"{mount.port}: {mount.zone}" for mount in reader.mount.antennas))
        for reader in readers
    ]
    rows += [(port.id, port.url, port.about) for port in ports]
    print(table(("reader", "url", "antennas"), rows))
    if config is not None:
        print(f"\nconfiguration written; in another terminal: tallygate run --config {config}")
    else:
        print("\n--config FILE writes a configuration that fits")


def _report(store: LiveStore, readers: Sequence[LiveReader], now_us: int) -> dict[str, Any]:
    """The truth by zone and by bin, and who is connected."""
    zones = {zone.id: 0 for zone in store.plan.zones}
    for (_, zone), quantity in store.truth(now_us).items():
        zones[zone] += quantity
    shelves = {f"{gondola}:{channel}": pieces for (gondola, channel), pieces in store.lying(now_us).items()}
    return {
        "elapsed_s": round((now_us - store.opened_us) / 1e6, 1),
        "connected": [reader.mount.id for reader in readers if reader.server.connected],
        "truth": zones,
        **({"shelves": shelves} if shelves else {}),
    }
