"""What must hold between the tables of a file. It works on the file's plain data, so that a fault in one key does not
hide the faults of others; values of a wrong type are passed over, the models tell about those.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from config.addresses import Address, parse_url
from config.lines import KeyPath
from config.models import LLRP_PORTS
from config.problems import Severity


class Finding(NamedTuple):
    """A problem that does not know its file and line yet."""

    key: KeyPath
    text: str
    expected: str = ""
    hint: str = ""
    severity: Severity = Severity.ERROR


def cross_check(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything that is wrong or odd between the tables of `data`, the file as tomllib gives it."""
    zones = tables(data, "zones")
    readers = tables(data, "readers")
    yield from _duplicates("zones", zones)
    yield from _duplicates("readers", readers)
    yield from _unknown_zones(zones, readers)
    yield from _overridden_antennas(readers)
    yield from _shared_addresses(readers)
    yield from _idle(data, zones, readers)


def tables(data: Mapping[str, Any], name: str) -> list[tuple[int, Mapping[str, Any]]]:
    """(index, table) of an array of tables, whatever else is wrong with it."""
    array = data.get(name)
    if not isinstance(array, list):
        return []
    return [(index, table) for index, table in enumerate(array) if isinstance(table, dict)]


def _texts(table: Mapping[str, Any], name: str) -> dict[str, str]:
    """The texts in an inner table: antenna port -> zone."""
    inner = table.get(name)
    return {key: value for key, value in inner.items() if isinstance(value, str)} if isinstance(inner, dict) else {}


def _duplicates(name: str, found: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, table in found:
        identifier = table.get("id")
        if not isinstance(identifier, str):
            continue
        if identifier in first:
            yield Finding(
                (name, index, "id"),
                f"{identifier!r} is the id of {name}[{first[identifier]}] already",
                "an id of its own",
            )
        first.setdefault(identifier, index)


def _unknown_zones(
    zones: list[tuple[int, Mapping[str, Any]]], readers: list[tuple[int, Mapping[str, Any]]]
) -> Iterator[Finding]:
    known = [table["id"] for _, table in zones if isinstance(table.get("id"), str)]
    for index, reader in readers:
        for port, zone in _texts(reader, "antennas").items():
            if zone in known:
                continue
            expected = f"one of {', '.join(known)}" if known else "a [[zones]] table with that id"
            yield Finding(("readers", index, "antennas", port), f"no zone {zone!r}", expected, nearest(zone, known))


def _overridden_antennas(readers: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Finding]:
    for index, reader in readers:
        overrides, used = reader.get("antenna"), reader.get("antennas")
        if not isinstance(overrides, dict) or not isinstance(used, dict):
            continue
        for port in overrides:
            if port not in used:
                yield Finding(
                    ("readers", index, "antenna", port),
                    f"antenna {port} is not in use",
                    f"one of {', '.join(used)}",
                    "name its zone in antennas, or remove this table",
                )


def _shared_addresses(readers: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Finding]:
    first: dict[tuple[str, int], int] = {}
    for index, reader in readers:
        address = _address(reader.get("url"))
        if address is None:
            continue
        place = (address.host, address.port)
        if place in first:
            yield Finding(
                ("readers", index, "url"),
                f"readers[{first[place]}] has this address already",
                "one [[readers]] table for each device",
                "a reader takes one connection: list all of its antennas in one table",
            )
        first.setdefault(place, index)


def _address(url: object) -> Address | None:
    if not isinstance(url, str):
        return None
    try:
        return parse_url(url, LLRP_PORTS)
    except ValueError:
        return None


def _idle(
    data: Mapping[str, Any], zones: list[tuple[int, Mapping[str, Any]]], readers: list[tuple[int, Mapping[str, Any]]]
) -> Iterator[Finding]:
    """Warnings: what is legal and yet does nothing."""
    if "readers" not in data:
        yield Finding((), "no readers: nothing will be counted", "a [[readers]] table", severity=Severity.WARNING)
    read = {zone for _, reader in readers for zone in _texts(reader, "antennas").values()}
    for _, reader in readers:
        read.update(zone for _, channel in tables(reader, "channels") if isinstance(zone := channel.get("zone"), str))
    for index, zone in zones:
        identifier = zone.get("id")
        if isinstance(identifier, str) and identifier not in read and readers:
            yield Finding(
                ("zones", index, "id"),
                f"no reader reads zone {identifier!r}",
                hint="its stock stays empty: name it in a reader's antennas, or remove it",
                severity=Severity.WARNING,
            )


def nearest(word: str, words: list[str]) -> str:
    """A hint at the word that was meant, or nothing."""
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""
