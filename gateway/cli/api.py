"""What verbs ask of a running daemon: its HTTP API on this machine."""

import http.client
import json
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlsplit

import typer

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


class RefusedError(Exception):
    """The daemon has answered that it will not; `status` is that of HTTP."""

    def __init__(self, status: int, answer: Any) -> None:
        told = answer if isinstance(answer, dict) else {}
        super().__init__(str(told.get("text") or f"HTTP {status}"))
        self.status = status
        self.hint = str(told.get("hint") or "")


def ask(address: str, path: str, timeout_s: float) -> Any:
    """The JSON behind `/api/PATH`. Ends the verb with 3 where no daemon answers; raises RefusedError."""
    try:
        return fetch(address, path, timeout_s)
    except OSError as error:
        unreachable(address, error)
    except ValueError:
        fail(ExitCode.UNREACHABLE, f"what answers on {address} is no tallygate", "name its http.listen with --http")


def fetch(address: str, path: str, timeout_s: float) -> Any:
    """The same, raising OSError where nobody answers and ValueError where it is somebody else."""
    connection = connect(address, timeout_s)
    try:
        connection.request("GET", "/api/" + quote(path))
        answer = connection.getresponse()
        value = json.loads(answer.read(MAX_ANSWER_BYTES))
    except http.client.HTTPException as error:
        raise ValueError(f"no HTTP: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise RefusedError(answer.status, value)
    return value


def connect(address: str, timeout_s: float) -> http.client.HTTPConnection:
    """A connection to the daemon, not dialled yet. Ends the verb where the address is none."""
    host, port = address_of(address)
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


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
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    fail(ExitCode.UNREACHABLE, f"no daemon answers on {address}: {reason}", "start it, or name its http.listen: --http")
