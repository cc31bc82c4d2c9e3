"""What must hold between the tables of a file. It works on the file's plain data, so that a fault in one key does not
hide the faults of others; values of a wrong type are passed over, the models tell about those.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from config.addresses import GLN_PLACES, Address, parse_identity, parse_url
from config.lines import KeyPath
from config.models import LISTEN_SCHEMES, LLRP_PORTS
from config.problems import Severity
from gateway.domain.params import DEFAULT_PROFILES, PROFILES, Profile, ZoneKind

# GS1 General Specifications, AI (254).
MAX_EXTENSION_CHARACTERS = 20


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
    yield from _channels_without_power(readers)
    yield from _shared_addresses(readers)
    yield from _shared_listeners(readers)
    yield from _unknown_outputs(zones, readers)
    yield from _short_triggers(zones, readers)
    yield from _groups(readers, tables(data, "groups"))
    yield from _long_extensions(data, zones)
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
        for number, channel in tables(reader, "channels"):
            named = channel.get("zone")
            if isinstance(named, str) and named not in known:
                expected = f"one of {', '.join(known)}" if known else "a [[zones]] table with that id"
                key: KeyPath = ("readers", index, "channels", number, "zone")
                yield Finding(key, f"no zone {named!r}", expected, nearest(named, known))


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


def _channels_without_power(readers: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Finding]:
    """One parameter of LLRP carries both: to set the one, for an antenna, is to set the other."""
    for index, reader in readers:
        overrides = reader.get("antenna")
        own = overrides if isinstance(overrides, dict) else {}
        lacking: set[KeyPath] = set()
        for port in _texts(reader, "antennas"):
            air = own.get(port)
            air = air if isinstance(air, dict) else {}
            place: KeyPath = ("readers", index, "antenna", port) if "channel" in air else ("readers", index)
            if "channel" in {*air, *reader} and "power_dbm" not in {*air, *reader}:
                lacking.add((*place, "channel"))
        for key in sorted(lacking, key=str):
            yield Finding(key, "channel without power_dbm", "both: a reader is told the two together")


def _shared_addresses(readers: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Finding]:
    first: dict[tuple[str, int], int] = {}
    for index, reader in readers:
        address = _address(reader.get("url"))
        if address is None or address.scheme in LISTEN_SCHEMES:
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


def _shared_listeners(readers: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Finding]:
    """Readers that dial in to one port: each known by its own name, all by the same TLS."""
    first: dict[tuple[str, int], tuple[int, list[object]]] = {}
    known: dict[tuple[str, int, str], int] = {}
    for index, reader in readers:
        address = _address(reader.get("url"))
        if address is None or address.scheme not in LISTEN_SCHEMES:
            continue
        place = (address.host, address.port)
        tls = [address.scheme, *(reader.get(key) for key in ("ca_file", "cert_file", "key_file"))]
        earliest, agreed = first.setdefault(place, (index, tls))
        if tls != agreed:
            yield Finding(
                ("readers", index, "url"),
                f"readers[{earliest}] listens on this port with other TLS settings",
                "the same scheme, ca_file, cert_file and key_file for all readers that dial in to one port",
                "or another port",
            )
        identity = _identity(reader.get("identity"))
        if identity is not None and known.setdefault((*place, identity), index) != index:
            yield Finding(
                ("readers", index, "identity"),
                f"readers[{known[*place, identity]}] is known by this identity already",
                "an identity of its own for each reader that dials in to one port",
            )


def _unknown_outputs(
    zones: list[tuple[int, Mapping[str, Any]]], readers: list[tuple[int, Mapping[str, Any]]]
) -> Iterator[Finding]:
    known = [table["id"] for _, table in zones if isinstance(table.get("id"), str)]
    for index, reader in readers:
        for number, output in tables(reader, "outputs"):
            zone = output.get("zone")
            if isinstance(zone, str) and zone not in known:
                key = ("readers", index, "outputs", number, "zone")
                yield Finding(key, f"no zone {zone!r}", f"one of {', '.join(known)}", nearest(zone, known))


def _short_triggers(
    zones: list[tuple[int, Mapping[str, Any]]], readers: list[tuple[int, Mapping[str, Any]]]
) -> Iterator[Finding]:
    """A reader that stops by itself looks for longer than the silence that means leaving: nobody else hears it."""
    silence_s = {
        name: seconds
        for _, zone in zones
        if isinstance(name := zone.get("id"), str) and (seconds := _leaving_silence_s(zone))
    }
    for index, reader in readers:
        trigger = reader.get("stop_gpi")
        timeout_s = trigger.get("timeout_s") if isinstance(trigger, dict) else None
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or timeout_s <= 0:
            continue
        watched = {zone: silence_s[zone] for zone in _texts(reader, "antennas").values() if zone in silence_s}
        zone = max(watched, key=lambda name: watched[name], default=None)
        if zone is not None and timeout_s <= watched[zone]:
            yield Finding(
                ("readers", index, "stop_gpi", "timeout_s"),
                f"the reader stops after {timeout_s:g} s, and who leaves through {zone!r} is silent for "
                f"{watched[zone]:g} s before that counts",
                f"more than {watched[zone]:g}, the exit_silence_s of {zone!r}; 0: never by time",
                "or shorten exit_silence_s of that zone",
            )


def _leaving_silence_s(zone: Mapping[str, Any]) -> float | None:
    """How long silence lasts before it means leaving; None where it does not, or where the table is wrong."""
    try:
        params = PROFILES[Profile(zone["profile"]) if "profile" in zone else DEFAULT_PROFILES[ZoneKind(zone["kind"])]]
    except (KeyError, ValueError, TypeError):
        return None
    leaves, silence_s = (zone.get(key, getattr(params, key)) for key in ("leaves_silent", "exit_silence_s"))
    return silence_s if leaves is True and isinstance(silence_s, int | float) else None


def _groups(
    readers: list[tuple[int, Mapping[str, Any]]], groups: list[tuple[int, Mapping[str, Any]]]
) -> Iterator[Finding]:
    """Members are readers that exist, stand in one group, and start and stop when they are told to."""
    known = {table["id"]: table for _, table in readers if isinstance(table.get("id"), str)}
    first: dict[str, int] = {}
    for index, group in groups:
        members = group.get("readers")
        for number, name in enumerate(members if isinstance(members, list) else ()):
            if not isinstance(name, str):
                continue
            key: KeyPath = ("groups", index, "readers", number)
            if name not in known:
                yield Finding(key, f"no reader {name!r}", f"one of {', '.join(known)}", nearest(name, list(known)))
            elif name in first:
                yield Finding(key, f"{name!r} is in groups[{first[name]}] already", "a reader in one group, once")
            elif "start_gpi" in known[name] or known[name].get("duty_percent", 100) != 100:
                yield Finding(
                    key, f"{name!r} starts by itself", "a reader without start_gpi and duty_percent", "one or the other"
                )
            first.setdefault(name, index)


def _long_extensions(data: Mapping[str, Any], zones: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Finding]:
    """A zone that is named by a GLN and its own id as the GLN's extension."""
    epcis = data.get("epcis")
    places = epcis.get("places") if isinstance(epcis, dict) else None
    if not isinstance(places, str) or not GLN_PLACES.fullmatch(places):
        return
    for index, zone in zones:
        name = zone.get("id")
        if isinstance(name, str) and len(name) > MAX_EXTENSION_CHARACTERS:
            yield Finding(
                ("zones", index, "id"),
                f"{name!r} is no extension of the GLN in epcis.places",
                f"at most {MAX_EXTENSION_CHARACTERS} characters",
                "or places of your own, that have no GLN",
            )


def _identity(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    try:
        return parse_identity(text)
    except ValueError:
        return None


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
