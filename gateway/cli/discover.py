"""`tallygate discover`: LLRP readers on a network."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from ipaddress import ip_network
from itertools import count
from typing import Annotated

import typer

from gateway.cli.output import ExitCode, JsonOption, complain, fail, print_json, table
from gateway.cli.progress import progress_bar
from gateway.discover import Found, Kind, Place
from gateway.discover import discover as discover_readers
from readers.llrp.settings import LLRP_PORT

# More is no shop's network, and would take long: a /22.
MAX_ADDRESSES = 1_024
WORDS = {
    Kind.READER: "a reader, free",
    Kind.BUSY: "a reader, connected to somebody",
    Kind.OTHER: "something else",
    Kind.SILENT: "does not answer",
}


def discover(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NETWORK",
            help="Addresses or networks: 10.0.0.11, 10.0.0.0/24. None: readers that announce themselves here.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port that readers listen on.")] = LLRP_PORT,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=60, metavar="SECONDS", help="How long each address may take to answer.")
    ] = 1.0,
    listen_s: Annotated[
        float,
        typer.Option("--listen", min=0.1, max=600, metavar="SECONDS", help="How long to listen for announcements."),
    ] = 3.0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Looks for LLRP readers: dials every address once and asks who it is. A reader in use stays in use.

    Without NETWORK it asks by multicast DNS who is there (_llrp._tcp), on this machine's own networks: not all readers
    announce themselves. Ask on your own network only. No reader found is a finding (exit 1).
    """
    if networks:
        names: dict[Place, str] = {}
        places = [(host, port) for host in _all_hosts(networks)]
        hint = "is it switched on, in this network, and LLRP enabled?"
    else:
        names = _announced(listen_s)
        places = list(names)
        hint = "not all do, and none beyond a router: name the network, like 10.0.0.0/24"
    found = asyncio.run(_look(places, names, timeout, as_json=as_json))
    if not as_json and found:
        header = ("address", "url", "identity", "what it is")
        if names:
            header = ("name", *header[1:])
        print(table(header, [_row(one, names) for one in sorted(found, key=_order)]))
    if not any(one.kind in {Kind.READER, Kind.BUSY} for one in found):
        what = f"no reader answers on port {port}" if networks else "no reader that answers has announced itself"
        complain(f"tallygate: {what}", hint)
        raise typer.Exit(ExitCode.FINDING)


def _announced(seconds: float) -> dict[Place, str]:
    """Place -> name of the readers that announce themselves."""
    from gateway.announced import listen  # noqa: PLC0415 - a library that only this needs

    try:
        return {(one.host, one.port): one.name for one in asyncio.run(listen(seconds))}
    except OSError as error:
        reason = error.strerror or str(error)
        fail(ExitCode.UNREACHABLE, f"nothing can be heard here: {reason}", "name a network, like 10.0.0.0/24")


def _all_hosts(networks: list[str]) -> list[str]:
    hosts = list(dict.fromkeys(host for network in networks for host in _hosts(network)))
    if len(hosts) > MAX_ADDRESSES:
        fail(ExitCode.USAGE, f"{len(hosts):,} addresses are too many", f"at most {MAX_ADDRESSES:,} at a time: a /22")
    return hosts


def _hosts(network: str) -> list[str]:
    try:
        parsed = ip_network(network, strict=False)
    except ValueError:
        fail(ExitCode.USAGE, f"{network!r} is no network", "write 10.0.0.11 or 10.0.0.0/24")
    if parsed.num_addresses > 2 * MAX_ADDRESSES:
        fail(ExitCode.USAGE, f"{network} has {parsed.num_addresses:,} addresses", f"at most {MAX_ADDRESSES:,}: a /22")
    return [str(host) for host in parsed.hosts()]


async def _look(places: list[Place], names: Mapping[Place, str], timeout_s: float, *, as_json: bool) -> list[Found]:
    """What is at these places; where one has a name, also that nothing is."""
    found: list[Found] = []
    asked = count(1)
    with progress_bar("dialling") as progress:

        def tell(place: Place, one: Found | None) -> None:
            progress(next(asked) / len(places))
            if one is None and place in names:
                one = Found(*place, Kind.SILENT)
            if one is not None:
                found.append(one)
                if as_json:
                    print_json({**asdict(one), "name": names.get(place)})

        await discover_readers(places, timeout_s, tell)
    return found


def _row(found: Found, names: Mapping[Place, str]) -> tuple[str, str, str, str]:
    place = found.host if found.port == LLRP_PORT else f"{found.host}:{found.port}"
    url = "" if found.kind is Kind.OTHER else f"llrp://{place}"
    return names.get((found.host, found.port), found.host), url, found.identity or "", WORDS[found.kind]


def _order(found: Found) -> tuple[bool, str]:
    return found.kind not in {Kind.READER, Kind.BUSY}, found.host
