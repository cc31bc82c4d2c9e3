"""`tallygate capture`: what the readers say, into a file that `tallygate replay` reads."""

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer

from config import Config, ConfigError, load
from gateway.alerts import AlertBoard
from gateway.cli.api import DEFAULT_HTTP, HttpOption, TimeoutOption
from gateway.cli.check_config import show_problems
from gateway.cli.output import ExitCode, JsonOption, complain, fail, print_json
from gateway.cli.stream import run_until_stopped, stream
from gateway.clock import SystemClock
from gateway.crew import Crew
from gateway.fleet import Fleet
from gateway.intake import Intake
from gateway.parts import SOFTWARE
from gateway.tasks import beside
from gateway.trace.capture import HEAD, Alive, CaptureError, EntryReader, Sample, block_of
from gateway.trace.capturefile import CaptureFile
from gateway.trace.layouts import layout_as_json, layout_of
from gateway.trace.recorder import BLOCK_S, Recorder
from readers.model import ReadBatch


@dataclass(slots=True)
class Captured:
    """How much has been captured."""

    reads: int = 0
    samples: int = 0
    dropped: int = 0
    bytes: int = 0
    ended: bool = False


def capture(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The capture; one that exists is continued.")],
    http: HttpOption = DEFAULT_HTTP,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="No daemon runs: connect to the readers of this configuration.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long; without it: until Ctrl-C.")] = None,
    timeout: TimeoutOption = 5.0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Captures reads, weights, inputs and the readers' connections, from the gateway that runs here.

    The file is only appended to, and what was written survives a kill. Readers take one connection each: with --config
    no daemon may be connected to them.
    """
    captured = Captured()
    try:
        loaded = None if config is None else load(config)
        with CaptureFile(file) as out:
            if out.cut:
                complain(f"tallygate: {file}: its last {out.cut:,} bytes were torn, and are cut off")
            if loaded is None:
                work = _from_daemon(out, http, timeout, captured)
            else:
                work = _from_readers(out, loaded, captured)
            finished = asyncio.run(run_until_stopped(work, seconds))
    except ConfigError as error:
        show_problems(error.problems)
        raise typer.Exit(ExitCode.FINDING) from None
    except CaptureError as error:
        fail(ExitCode.USAGE, str(error), error.hint)
    except OSError as error:
        fail(ExitCode.FINDING, f"{file}: cannot be written: {error.strerror}", "name a file where there is room for it")
    if as_json:
        told = {
            "reads": captured.reads,
            "samples": captured.samples,
            "dropped": captured.dropped,
            "bytes": captured.bytes,
        }
        print_json({"file": str(file), **told})
    else:
        samples = f" {captured.samples:,} weights and inputs," if captured.samples else ""
        print(f"{file}: {captured.reads:,} reads more,{samples} {captured.bytes:,} bytes")
    if loaded is None and finished and not captured.ended:
        fail(ExitCode.UNREACHABLE, "the daemon has gone", "look at its log; the capture is kept, and can be continued")
    if loaded is not None and not captured.reads and not captured.samples:
        hint = "do they reach any tag? a reader takes one connection: stop the daemon that is connected to it"
        fail(ExitCode.FINDING, "nothing was read", hint)
    if captured.dropped:
        complain(f"tallygate: {captured.dropped:,} reads were not captured: this machine was too slow")
        raise typer.Exit(ExitCode.FINDING)


async def _from_daemon(out: CaptureFile, address: str, timeout_s: float, captured: Captured) -> None:
    async with aclosing(stream(address, timeout_s)) as contents:
        entries = EntryReader()
        async for content in contents:
            _keep(out, block_of(content), entries, captured)


async def _from_readers(out: CaptureFile, config: Config, captured: Captured) -> None:
    """The readers alone, without zones, ledger and broker."""
    clock = SystemClock()
    intake = Intake()
    fleet = Fleet(intake, clock, AlertBoard(clock.utc_us, lambda _: None), lambda _reader, _state: None)
    crew = Crew(fleet, clock, SystemRandom())
    crew.plan(config, {}, ())
    about = {
        "software": SOFTWARE,
        "site": config.site.id,
        "gateway": config.site.gateway,
        "layout": layout_as_json(layout_of(config)),
    }
    recorder = Recorder(clock, about, ())
    fleet.listeners.append(recorder.put)

    async def forget() -> None:
        """Nobody counts here."""
        while True:
            await asyncio.sleep(BLOCK_S)
            while intake.take() is not None:
                pass

    entries, refused = EntryReader(), None
    async with crew.running(config), beside(forget()):
        try:
            async for block in recorder.blocks():
                _keep(out, block, entries, captured)
        except asyncio.CancelledError:
            with suppress(OSError):
                _keep(out, recorder.last(), entries, captured)
            raise
        except OSError as error:
            refused = error  # told when every reader has been closed
    if refused is not None:
        raise refused


def _keep(out: CaptureFile, block: bytes, entries: EntryReader, captured: Captured) -> None:
    out.append(block)
    captured.bytes += len(block)
    for entry in entries.entries(block[HEAD.size :]):
        if isinstance(entry, ReadBatch):
            captured.reads += len(entry.reads)
        elif isinstance(entry, Sample):
            captured.samples += 1
        elif isinstance(entry, Alive):
            captured.dropped += entry.dropped
            captured.ended = entry.ended
