"""`tallygate run`: the daemon. SIGTERM and SIGINT stop it cleanly, SIGHUP applies a changed configuration."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer

from config import Config, ConfigError, Problem, load
from gateway.alerts import AlertKind
from gateway.broker import BrokerError
from gateway.cli.check_config import show_problems
from gateway.cli.output import ExitCode, fail
from gateway.clock import SystemClock
from gateway.daemon import Gateway, open_gateway
from gateway.ledger import LedgerError
from gateway.parts import TlsFilesError
from gateway.systemd import Notifier
from gateway.tasks import beside

log = logging.getLogger(__name__)

STDIN = 0
DEFAULT_CONFIG = Path("/etc/tallygate/tallygate.toml")


class LogLevel(StrEnum):
    """How much the daemon says."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def run(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The configuration.")] = DEFAULT_CONFIG,
    log_level: Annotated[LogLevel, typer.Option(help="How much to log, on stderr.")] = LogLevel.INFO,
) -> None:
    """Runs the gateway until it is told to stop.

    SIGHUP applies a changed configuration; closing the terminal that it was started on ends it. Under systemd it
    reports READY, WATCHDOG and STOPPING. The broker need not be reachable at the start: what is counted waits in the
    ledger.
    """
    # The journal stamps each line itself; a terminal shows the seconds.
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    try:
        loaded = load(config)
    except ConfigError as error:
        show_problems(error.problems)
        raise typer.Exit(ExitCode.FINDING) from None
    show_problems(loaded.warnings)
    try:
        asyncio.run(_serve(loaded))
    except TlsFilesError as error:
        fail(ExitCode.FINDING, str(error), error.hint)
    except (LedgerError, BrokerError) as error:
        fail(ExitCode.UNREACHABLE, str(error), error.hint)


async def _serve(config: Config) -> None:
    stop, reload, started = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    on_terminal = os.isatty(STDIN)

    def hang_up() -> None:
        # Whoever has closed the terminal that this was started on wants an end, not a gateway that nobody sees.
        (stop if on_terminal and not os.isatty(STDIN) else reload).set()

    loop.add_signal_handler(signal.SIGHUP, hang_up)
    notifier = Notifier()
    async with (
        open_gateway(config, SystemClock(), SystemRandom()) as gateway,
        beside(_reload_on_demand(gateway, started, reload)),
        _saying_goodbye(notifier, stop),
    ):

        def say_ready() -> None:
            notifier.say("READY=1", f"STATUS=counting for {config.client_id}")
            started.set()

        await gateway.run(say_ready, stop)


@asynccontextmanager
async def _saying_goodbye(notifier: Notifier, stop: asyncio.Event) -> AsyncIterator[None]:
    """Tell systemd as soon as the stop begins, not when it is done."""

    async def watch() -> None:
        await stop.wait()
        notifier.say("STOPPING=1")

    async with beside(watch()):
        yield


async def _reload_on_demand(gateway: Gateway, started: asyncio.Event, reload: asyncio.Event) -> None:
    await started.wait()
    while True:
        await reload.wait()
        reload.clear()
        path = gateway.config.path
        try:
            changed = load(path)
        except ConfigError as error:
            text = "; ".join(_in_file(problem) for problem in error.problems[:3])
            hint = f"nothing was changed; run tallygate check-config {path}"
            gateway.alerts.once(AlertKind.CONFIG_REJECTED, "config", f"{path} has problems: {text}", hint)
            continue
        later = await gateway.reconfigure(changed)
        log.info("configuration applied from %s", path)
        if later:
            log.warning("these sections take effect after a restart: %s", ", ".join(later))


def _in_file(problem: Problem) -> str:
    """A problem as it is told where the file is known."""
    place = [f"line {problem.line}"] if problem.line else []
    return ": ".join([*place, f"{problem.key} {problem.text}".lstrip()])
