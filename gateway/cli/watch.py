"""`tallygate watch`: a consumer on the terminal, or one JSON line per change."""

import asyncio
import os
import secrets
import signal
import ssl
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.live import Live

from config.secrets import SecretError, find_file, read_secret
from gateway.cli.output import ExitCode, JsonOption, fail, print_json
from gateway.cli.watch_view import Watched, as_json_line, as_text, view
from gateway.consumer.broker import BrokerUrlError, parse_url
from gateway.consumer.client import Change, Consumer, ConsumerOptions
from gateway.consumer.rule import Mode
from gateway.consumer.store import MemoryStore
from gateway.payloads import Topics

# As often as an eye can follow.
REFRESH_S = 0.25


class Protocol(StrEnum):
    """A version of MQTT."""

    FIVE = "5"
    THREE = "3.1.1"


class Problem(NamedTuple):
    """Why there is nothing to watch."""

    text: str
    hint: str


def watch(
    *,
    url: Annotated[str, typer.Option(help="The broker: mqtts://host:8883 or mqtt://host:1883.")],
    site: Annotated[str, typer.Option(help="The site, as in the gateway's configuration.")],
    gateway: Annotated[str, typer.Option(help="The gateway at that site.")],
    prefix: Annotated[str, typer.Option(help="The first levels of the topics.")] = "tallygate/v1",
    username: Annotated[str | None, typer.Option(help="The user that the broker knows.")] = None,
    password_file: Annotated[str | None, typer.Option(help="A file with the password, readable by few.")] = None,
    ca_file: Annotated[str | None, typer.Option(help="The authority of the broker's certificate.")] = None,
    protocol: Annotated[Protocol, typer.Option(help="The version of MQTT.")] = Protocol.FIVE,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=86_400, metavar="SECONDS", help="How long the whole stock may take to come.")
    ] = 15.0,
    as_json: JsonOption = False,
) -> None:
    """Follows a gateway's stock: live per GTIN and zone, the last deltas, the health of zones. Ctrl-C ends it.

    Ends with 3 when the broker cannot be reached, or the stock has not come within --timeout.
    """
    try:
        options = ConsumerOptions(
            address=parse_url(url),
            topics=Topics.of(prefix, site, gateway),
            client_id=f"watch-{secrets.token_hex(6)}",
            username=username,
            password=_password(password_file),
            tls=_tls(ca_file),
            version=5 if protocol is Protocol.FIVE else 311,
        )
    except (BrokerUrlError, SecretError) as error:
        fail(ExitCode.USAGE, error.text, error.hint)
    problem = asyncio.run(_watch(options, timeout, as_json=as_json))
    if problem is not None:
        fail(ExitCode.UNREACHABLE, problem.text, problem.hint)


async def _watch(options: ConsumerOptions, timeout_s: float, *, as_json: bool) -> Problem | None:
    return await _Watch(options, as_json=as_json).run(timeout_s)


def _password(name: str | None) -> str | None:
    return None if name is None else read_secret(find_file(name, Path.cwd(), os.environ)).get_secret_value()


def _tls(name: str | None) -> ssl.SSLContext | None:
    if name is None:
        return None
    path = find_file(name, Path.cwd(), os.environ)
    try:
        return ssl.create_default_context(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise SecretError(f"{path} holds no certificate: {error}", "name a file in PEM format") from error


class _Watch:
    """One watching, from its first look at the broker to the signal that ends it."""

    def __init__(self, options: ConsumerOptions, *, as_json: bool) -> None:
        self._options = options
        self._as_json = as_json
        self._is_live = not as_json and sys.stdout.isatty()
        self._watched = Watched()
        self._stop = asyncio.Event()
        self._consumer = Consumer(
            options,
            MemoryStore(),
            secrets.SystemRandom(),
            on_change=self._watched.take if self._is_live else self._print,
        )

    async def run(self, timeout_s: float) -> Problem | None:
        """Watches until it is told to stop, and ends early when the stock does not come in time."""
        loop = asyncio.get_running_loop()
        async with self._consumer, asyncio.TaskGroup() as group:
            arrival = group.create_task(self._arrive(timeout_s))
            self._stopped_by(loop, arrival)
            if self._is_live:
                await self._draw()
            await self._stop.wait()
            arrival.cancel()
        return None if arrival.cancelled() else arrival.result()

    def _stopped_by(self, loop: asyncio.AbstractEventLoop, arrival: asyncio.Task[Problem | None]) -> None:
        def end() -> None:
            self._stop.set()
            arrival.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)

    async def _arrive(self, timeout_s: float) -> Problem | None:
        """Waits for the whole stock; stops everything, and says why, when it has not come in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._consumer.wait_until(lambda consumer: consumer.rule.mode is Mode.IN_STEP)
        except TimeoutError:
            self._stop.set()
            return self._why_nothing_came(timeout_s)
        return None

    def _why_nothing_came(self, timeout_s: float) -> Problem:
        address = f"{self._options.address.host}:{self._options.address.port}"
        if self._consumer.counters.connects == 0:
            return Problem(
                f"no connection to the broker {address} within {timeout_s:g} s",
                "check the address, the port, the password, and that the broker runs",
            )
        if self._consumer.rule.online is None:
            return Problem(
                f"the broker {address} knows no gateway at {self._options.topics.root}",
                "check --site, --gateway and --prefix against the gateway's configuration, and that it runs",
            )
        return Problem(
            f"the gateway's stock did not come within {timeout_s:g} s",
            "it is online: try a longer --timeout" if self._consumer.rule.online else "it is offline: start it",
        )

    def _print(self, change: Change) -> None:
        """A line per change. A slow reader of the pipe holds the watch back; one that is gone ends it."""
        try:
            if self._as_json:
                print_json(as_json_line(change))
            else:
                print(as_text(change), flush=True)
        except BrokenPipeError:
            # What is still in the buffer cannot be written at the end either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._stop.set()

    async def _draw(self) -> None:
        console = Console()
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while not self._stop.is_set():
                live.update(view(self._watched, self._consumer, console.height), refresh=True)
                with suppress(TimeoutError):
                    async with asyncio.timeout(REFRESH_S):
                        await self._stop.wait()
