"""Where a serial device is and how its line is set, and the url that says both. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

DEVICE_SCHEME: Final = "serial"
"""`serial:///dev/serial/by-id/...?baudrate=9600`."""

SOCKET_SCHEME: Final = "socket"
"""`socket://host:port`: a serial port behind TCP, bytes and nothing else (ser2net's `raw`)."""

SOCKET_PREFIX: Final = f"{SOCKET_SCHEME}://"

MIN_BAUDRATE: Final = 50
MAX_BAUDRATE: Final = 4_000_000
"""What Linux has names for."""


class Parity(StrEnum):
    """The parity bit of each character."""

    NONE = "N"
    EVEN = "E"
    ODD = "O"
    MARK = "M"
    SPACE = "S"


@dataclass(frozen=True, slots=True)
class LineFormat:
    """How characters look on the wire; every kind of device has its own usual one."""

    baudrate: int = 9600
    bytesize: int = 8
    parity: Parity = Parity.NONE
    stopbits: float = 1
    xonxoff: bool = False


@dataclass(frozen=True, slots=True)
class PortSettings:
    """One serial port. What is None is as the kind of device usually has it.

    `device`: a device path, best a stable one under /dev/serial/by-id or by-path, or `socket://host:port`.
    `rtscts`: flow control by wire. `dtr`, `rts`: the level of these lines while the port is open; some boards are
    switched on or reset by them. `echo`: an RS-485 adapter hears what it says; exactly that is dropped again.
    """

    device: str
    baudrate: int | None = None
    bytesize: int | None = None
    parity: Parity | None = None
    stopbits: float | None = None
    xonxoff: bool | None = None
    rtscts: bool = False
    dtr: bool | None = None
    rts: bool | None = None
    echo: bool = False

    def line_format(self, usual: LineFormat) -> LineFormat:
        """The format in use: what is set here, else as `usual`."""
        return LineFormat(
            baudrate=usual.baudrate if self.baudrate is None else self.baudrate,
            bytesize=usual.bytesize if self.bytesize is None else self.bytesize,
            parity=usual.parity if self.parity is None else self.parity,
            stopbits=usual.stopbits if self.stopbits is None else self.stopbits,
            xonxoff=usual.xonxoff if self.xonxoff is None else self.xonxoff,
        )

    @property
    def address(self) -> str:
        """Where the device is, for people."""
        return self.device.removeprefix(SOCKET_PREFIX)

    @property
    def is_socket(self) -> bool:
        """The port is behind TCP."""
        return self.device.startswith(SOCKET_PREFIX)

    @classmethod
    def of(cls, url: str) -> "PortSettings":
        """The port that `url` names. Raises ValueError, in words for a person, where it names none."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in {DEVICE_SCHEME, SOCKET_SCHEME}:
            raise ValueError(f"expected an address that starts with {DEVICE_SCHEME}:/// or {SOCKET_PREFIX}")
        # Not by urlsplit alone: names below /dev/serial may have a # in them.
        place, _, query = rest.partition("?")
        if not place.isprintable():
            raise ValueError("expected an address of printable characters")
        try:
            options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        except ValueError as error:
            raise ValueError(f"expected {scheme}://...?name=value&name=value") from error
        if scheme == DEVICE_SCHEME:
            if not place.startswith("/") or place == "/":
                raise ValueError("expected serial:// and a whole path: serial:///dev/serial/by-id/...")
            return cls(place, **_options(options, DEVICE_OPTIONS))
        return cls(f"{SOCKET_PREFIX}{_host_and_port(place)}", **_options(options, SOCKET_OPTIONS))


def _host_and_port(place: str) -> str:
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"expected socket://host:port, {error}") from error
    if not host or not port or parts.path.strip("/") or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected socket://host:port")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _options(given: Mapping[str, str], known: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    if unknown := sorted(given.keys() - known.keys()):
        raise ValueError(f"expected of {', '.join(known)} what is needed, and no {', '.join(unknown)}")
    return {name: known[name](text) for name, text in given.items()}


def _baudrate(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not MIN_BAUDRATE <= int(text) <= MAX_BAUDRATE:
        raise ValueError(f"expected a baudrate from {MIN_BAUDRATE} to {MAX_BAUDRATE}")
    return int(text)


def _one_of(name: str, choices: Mapping[str, Any]) -> Callable[[str], Any]:
    def chosen(text: str) -> Any:
        if text not in choices:
            raise ValueError(f"expected {name} as one of {', '.join(choices)}")
        return choices[text]

    return chosen


SWITCH: Final = MappingProxyType({"true": True, "false": False, "1": True, "0": False})

SOCKET_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType({"echo": _one_of("echo", SWITCH)})

DEVICE_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "baudrate": _baudrate,
        "bytesize": _one_of("bytesize", {"7": 7, "8": 8}),
        "parity": _one_of("parity", {parity.value: parity for parity in Parity}),
        "stopbits": _one_of("stopbits", {"1": 1, "1.5": 1.5, "2": 2}),
        "xonxoff": _one_of("xonxoff", SWITCH),
        "rtscts": _one_of("rtscts", SWITCH),
        "dtr": _one_of("dtr", SWITCH),
        "rts": _one_of("rts", SWITCH),
        "echo": _one_of("echo", SWITCH),
    }
)
"""The names are pyserial's, echo aside."""
