"""What verbs ask of a running daemon: its HTTP API on this machine."""

import http.client
import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlsplit

import typer

from config.secrets import SecretError, read_secret
from gateway.cli.output import ExitCode, fail

DEFAULT_HTTP = "127.0.0.1:9477"
# No answer is longer: a hundred thousand rows of stock.
MAX_ANSWER_BYTES = 64_000_000

HttpOption = Annotated[
    str, typer.Option("--http", metavar="HOST:PORT", help="Where the daemon listens: http.listen of its configuration.")
]
TimeoutOption = Annotated[
    float, typer.Option(min=0.1, max=3_600, metavar="SECONDS", help="How long the daemon may take to answer.")
]
TokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        envvar="TALLYGATE_TOKEN_FILE",
        help="From another machine: a file with the token of the daemon's http.token_file.",
    ),
]


class RefusedError(Exception):
    """The daemon has answered that it will not; `status` is that of HTTP."""

    def __init__(self, status: int, answer: Any) -> None:
        told = answer if isinstance(answer, dict) else {}
        super().__init__(str(told.get("text") or f"HTTP {status}"))
        self.status = status
        self.hint = str(told.get("hint") or "")


def ask(
    address: str,
    path: str,
    timeout_s: float,
    token_file: Path | None = None,
    *,
    told: Collection[int] = (),
    body: Any = None,
) -> Any:
    """The JSON behind `/api/PATH`. Ends the verb with 3 where no daemon answers, or one that refuses.

    A `body` is posted there. `told` are the refusals (of HTTP) that are the verb's own matter: for these RefusedError.
    """
    token = None if token_file is None else token_of(token_file)
    try:
        return fetch(address, path, timeout_s, token, body)
    except RefusedError as error:
        if error.status in told:
            raise
        refused(address, error, has_token=token is not None)
    except OSError as error:
        unreachable(address, error)
    except ValueError:
        fail(ExitCode.UNREACHABLE, f"what answers on {address} is no tallygate", "name its http.listen with --http")


def fetch(address: str, path: str, timeout_s: float, token: str | None = None, body: Any = None) -> Any:
    """The same, raising OSError where nobody answers, ValueError where it is somebody else, and RefusedError."""
    host, port = address_of(address)
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        # As bytes: the library would write a text in Latin-1, and refuse others.
        headers = {} if token is None else {"Authorization": b"Bearer " + token.encode()}
        if body is None:
            connection.request("GET", "/api/" + quote(path), headers=headers)
        else:
            headers["Content-Type"] = b"application/json"
            connection.request("POST", "/api/" + quote(path), json.dumps(body), headers)
        answer = connection.getresponse()
        value = json.loads(answer.read(MAX_ANSWER_BYTES))
    except http.client.HTTPException as error:
        raise ValueError(f"no HTTP: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise RefusedError(answer.status, value)
    return value


def token_of(file: Path) -> str:
    """The token in a file. Ends the verb where it cannot be used."""
    try:
        return read_secret(file).get_secret_value()
    except SecretError as error:
        fail(ExitCode.USAGE, error.text, error.hint)


def address_of(address: str) -> tuple[str, int]:
    """Host and port. Ends the verb where the address is none."""
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        fail(ExitCode.USAGE, f"{address!r} is no address", f"write HOST:PORT, like {DEFAULT_HTTP}")
    return host, port


def unreachable(address: str, error: Exception) -> NoReturn:
    """Ends the verb: nobody answers."""
    # asyncio puts the address where the reason should be.
    number = getattr(error, "errno", None)
    reason = os.strerror(number) if number is not None and number > 0 else str(error) or type(error).__name__
    fail(ExitCode.UNREACHABLE, f"no daemon answers on {address}: {reason}", "start it, or name its http.listen: --http")


def refused(address: str, error: RefusedError, *, has_token: bool = False) -> NoReturn:
    """Ends the verb: the daemon answers, and will not."""
    if error.status != http.client.UNAUTHORIZED:
        fail(ExitCode.UNREACHABLE, f"the daemon on {address} refuses: {error}", error.hint)
    if has_token:
        fail(ExitCode.UNREACHABLE, f"the daemon on {address} does not know this token", "copy its http.token_file")
    hint = "--token-file FILE, or TALLYGATE_TOKEN_FILE, with what its http.token_file holds"
    fail(ExitCode.UNREACHABLE, f"the daemon on {address} asks for its token", hint)
