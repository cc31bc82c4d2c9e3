"""What must hold between readers on serial lines, and what is said of the names of their ports."""

import re
from collections.abc import Iterator, Mapping
from os.path import realpath
from pathlib import Path
from typing import Any

from config.checks import Finding
from config.problems import Severity
from readers.modbus.settings import line_of
from readers.port.settings import PortSettings

# The kernel hands these numbers out in the order in which adapters come, and another one after each hiccup.
UNSTABLE = re.compile(r"/dev/tty(?:USB|ACM)\d+")
STABLE_FOLDERS = ("by-id", "by-path")


def serial_checks(readers: list[tuple[int, Mapping[str, Any]]], names: Path = Path("/dev/serial")) -> Iterator[Finding]:
    """Two readers on one port, and ports named by chance; `names` is where udev keeps the stable ones."""
    on_port: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for index, reader in readers:
        port = _port(reader)
        if port is None:
            continue
        key = ("readers", index, "url")
        if UNSTABLE.fullmatch(port.device):
            yield _unstable(port.device, key, names)
        place = port.device if port.is_socket else realpath(port.device)
        earlier = on_port.setdefault(place, [])
        rival = next((number for number, table in earlier if not _share_a_line(table, reader)), None)
        earlier.append((index, reader))
        if rival is not None:
            yield Finding(
                key,
                f"readers[{rival}] is on this port already",
                "one [[readers]] table for each port",
                "list all of its channels in one table; Chafon readers of one line need a bus_address each",
            )


def _unstable(device: str, key: tuple[str | int, ...], names: Path) -> Finding:
    links = [
        str(link)
        for folder in STABLE_FOLDERS
        for link in sorted((names / folder).glob("*"))
        if realpath(link) == realpath(device)
    ]
    hint = f"{links[0]} is the same port" if links else "see /dev/serial/by-id and by-path while it is plugged in"
    return Finding(key, f"{device} may be another device tomorrow", "a stable name", hint, Severity.WARNING)


def _share_a_line(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Chafon readers have addresses of their own."""
    return (
        one.get("driver") == other.get("driver") == "chafon"
        and one.get("url") == other.get("url")
        and one.get("bus_address", 0) != other.get("bus_address", 0)
    )


def _port(reader: Mapping[str, Any]) -> PortSettings | None:
    url = reader.get("url")
    if not isinstance(url, str) or reader.get("driver") == "llrp":
        return None
    try:
        return line_of(url)[0]
    except ValueError:
        return None
