"""`tallygate doctor`: is everything there that a gateway needs? Looks, and changes nothing."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from config import Config, ConfigError, load
from config.addresses import is_loopback
from config.effective import Reader
from gateway.cli.api import RefusedError, fetch
from gateway.cli.check_config import show_problems
from gateway.cli.output import ExitCode, JsonOption, print_json, table
from gateway.cli.run import DEFAULT_CONFIG
from gateway.discover import Kind, probe
from gateway.ledger import LedgerError
from gateway.ledger_file import summarise
from readers.llrp.settings import LlrpSettings

# A box without a battery wakes up in 1970, one that was asleep in the shop's past: before this software was written.
OLDEST_UTC_S = 1_735_689_600
# Deltas of some days; below it the ledger's limit is not the first to be reached.
LOW_DISK_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `ok` None: it could not be told, and that is no fault."""

    of: str
    ok: bool | None
    text: str
    hint: str = ""


def doctor(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The configuration.")] = DEFAULT_CONFIG,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=60, metavar="SECONDS", help="How long each device may take to answer.")
    ] = 3.0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Looks at configuration, clock, disk, ledger, broker and readers, with the daemon running or not.

    What is wrong is a finding (exit 1), each with a hint.
    """
    try:
        loaded = load(config)
    except ConfigError as error:
        show_problems(error.problems)
        raise typer.Exit(ExitCode.FINDING) from None
    show_problems(loaded.warnings)
    checks = [Check("configuration", ok=True, text=f"{config} is fine"), _clock(), *_disk(loaded)]
    checks += asyncio.run(_devices(loaded, _daemon(loaded, timeout), timeout))
    if as_json:
        for check in checks:
            print_json(asdict(check))
    else:
        words = {True: "ok", False: "NOT OK", None: "?"}
        rows = [
            (check.of, words[check.ok], check.text + (f" ({check.hint})" if check.hint else "")) for check in checks
        ]
        print(table(("what", "", "how it is"), rows))
    if any(check.ok is False for check in checks):
        raise typer.Exit(ExitCode.FINDING)


def _clock() -> Check:
    now_s = time.time()
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    hint = "" if now_s > OLDEST_UTC_S else "set it, and keep it by NTP: every delta carries it"
    return Check("clock", now_s > OLDEST_UTC_S, f"it is {at}", hint)


def _disk(config: Config) -> Iterator[Check]:
    path = config.ledger.path
    folder = path.parent
    if not folder.is_dir():
        there = next(place for place in (folder, *folder.parents) if place.exists())
        if there.is_dir() and os.access(there, os.W_OK):
            yield Check("ledger", ok=None, text=f"{folder} is not there yet", hint="the first start makes it")
        else:
            yield Check("ledger", ok=False, text=f"{folder} does not exist", hint="create it for the gateway's user")
        return
    if not os.access(folder, os.W_OK):
        yield Check("ledger", ok=False, text=f"{folder} cannot be written", hint="give it to the gateway's user")
    free = shutil.disk_usage(folder).free
    hint = "" if free > LOW_DISK_BYTES else "make room: what cannot be written is not counted"
    yield Check("disk", free > LOW_DISK_BYTES, f"{free / 1e9:,.1f} GB free for the ledger", hint)
    if not path.exists():
        yield Check("ledger", ok=None, text=f"{path} is not there yet", hint="the first start makes it")
        return
    try:
        found = summarise(path)
    except LedgerError as error:
        yield Check("ledger", ok=False, text=str(error), hint=error.hint)
        return
    mine = (found.site, found.gateway) == (config.site.id, config.site.gateway)
    hint = "" if mine else "a ledger belongs to one gateway: name another file, or that gateway"
    text = f"of {found.site} / {found.gateway}: {found.items:,} items, {found.unsent:,} deltas wait for the broker"
    yield Check("ledger", mine, text, hint)


def _daemon(config: Config, timeout_s: float) -> dict[str, Any] | None:
    """What a running daemon says of its broker and readers; None where none runs."""
    host, port = config.http.listen
    # Wherever it listens, this machine's own address is one of them, and asks for no token.
    here = host if is_loopback(host) else "127.0.0.1"
    address = f"[{here}]:{port}" if ":" in here else f"{here}:{port}"
    token = config.http.token.get_secret_value() if config.http.token is not None else None
    try:
        return {view: fetch(address, view, timeout_s, token) for view in ("status", "readers")}
    except (OSError, ValueError, RefusedError):
        return None


async def _devices(config: Config, daemon: dict[str, Any] | None, timeout_s: float) -> list[Check]:
    """The broker and the readers: by the daemon's words, or dialled where none runs."""
    if daemon is None:
        checks = [Check("daemon", ok=None, text="does not run", hint="so broker and readers are dialled from here")]
        return checks + await _dialled_from_here(config, timeout_s)
    status = daemon["status"]
    if (status["site"], status["gateway"]) != (config.site.id, config.site.gateway):
        text = f"{status['site']} / {status['gateway']} has its http.listen, so this one does not run, or has no page"
        checks = [Check("daemon", ok=False, text=text, hint="stop that one, or give each a port of its own")]
        return checks + await _dialled_from_here(config, timeout_s)
    checks = [Check("daemon", ok=True, text=f"runs: {status['software']}")]
    broker = status["broker"]
    told = "connected" if broker["connected"] else "not connected"
    checks.append(Check("broker", broker["connected"], f"{broker['address']}: {told}"))
    for name, reader in daemon["readers"].items():
        error = reader["error"] or {"text": reader["state"], "hint": ""}
        fine = reader["state"] == "reading"
        text = f"{reader['address']}: {'reading' if fine else error['text']}"
        checks.append(Check(f"reader {name}", fine, text, "" if fine else error["hint"]))
    return checks


async def _dialled_from_here(config: Config, timeout_s: float) -> list[Check]:
    broker = await _broker(config, timeout_s)
    return [broker, *await asyncio.gather(*(_reader(reader, timeout_s) for reader in config.readers))]


async def _broker(config: Config, timeout_s: float) -> Check:
    mqtt = config.mqtt
    if mqtt.is_embedded:
        return Check("broker", ok=None, text="built-in: it starts with the daemon", hint="for first steps alone")
    return await _dialled("broker", mqtt.host, mqtt.port, timeout_s, "check address, port, firewall, and that it runs")


async def _reader(reader: Reader, timeout_s: float) -> Check:
    name, settings = f"reader {reader.id}", reader.settings
    if not isinstance(settings, LlrpSettings):
        from gateway.cli.doctor_serial import serial_device  # noqa: PLC0415 - every driver, only where needed

        return Check(name, *await serial_device(reader, settings.port, timeout_s))
    if settings.listens:
        return Check(name, ok=None, text=f"{settings.address}: it dials in")
    hint = "check power, cable and address; is LLRP enabled?"
    if settings.tls is not None:
        return await _dialled(name, settings.host, settings.port, timeout_s, hint)
    found = await probe(settings.host, settings.port, timeout_s)
    if found is None:
        return Check(name, ok=False, text=f"{settings.address}: nobody answers", hint=hint)
    words = {
        Kind.READER: ("a reader, free", ""),
        Kind.BUSY: ("a reader that is connected to somebody else", "it takes one connection: end the other"),
        Kind.OTHER: ("something else than an LLRP reader answers", hint),
    }
    text, hint = words[found.kind]
    return Check(name, found.kind is Kind.READER, f"{settings.address}: {text}", hint)


async def _dialled(name: str, host: str, port: int, timeout_s: float, hint: str) -> Check:
    """Whether somebody answers there at all."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or "no answer in time"
        return Check(name, ok=False, text=f"{host}:{port}: {reason}", hint=hint)
    writer.close()
    return Check(name, ok=True, text=f"{host}:{port} answers")
