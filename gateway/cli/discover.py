"""`tallygate discover`: LLRP readers on a network."""

import asyncio
from ipaddress import ip_network
from itertools import count
from typing import Annotated

import typer

from gateway.cli.output import ExitCode, JsonOption, complain, fail, print_json, table
from gateway.cli.progress import progress_bar
from gateway.discover import Found, Kind
from gateway.discover import discover as discover_readers
from readers.llrp.settings import LLRP_PORT

# More is no shop's network, and would take long: a /22.
MAX_ADDRESSES = 1_024
WORDS = {
    Kind.READER: "a reader, free",
    Kind.BUSY: "a reader, connected to somebody",
    Kind.OTHER: "something else",
}


def discover(
    networks: Annotated[
        list[str], typer.Argument(metavar="NETWORK", help="Addresses or networks: 10.0.0.11, 10.0.0.0/24.")
    ],
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port that readers listen on.")] = LLRP_PORT,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=60, metavar="SECONDS", help="How long each address may take to answer.")
    ] = 1.0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Looks for LLRP readers: dials every address once and asks who it is. A reader in use stays in use.

    Ask on your own network only. No reader found is a finding (exit 1).
    """
    hosts = list(dict.fromkeys(host for network in networks for host in _hosts(network)))
    if len(hosts) > MAX_ADDRESSES:
        fail(ExitCode.USAGE, f"{len(hosts):,} addresses are too many", f"at most {MAX_ADDRESSES:,} at a time: a /22")
    found = asyncio.run(_look(hosts, port, timeout, as_json=as_json))
    readers = [one for one in found if one.kind is not Kind.OTHER]
    if not as_json and found:
        print(table(("address", "url", "identity", "what it is"), [_row(one) for one in sorted(found, key=_order)]))
    if not readers:
        complain(
            f"tallygate: no reader answers on port {port}", "is it switched on, in this network, and LLRP enabled?"
        )
        raise typer.Exit(ExitCode.FINDING)


def _hosts(network: str) -> list[str]:
    try:
        parsed = ip_network(network, strict=False)
    except ValueError:
        fail(ExitCode.USAGE, f"{network!r} is no network", "write 10.0.0.11 or 10.0.0.0/24")
    if parsed.num_addresses > 2 * MAX_ADDRESSES:
        fail(ExitCode.USAGE, f"{network} has {parsed.num_addresses:,} addresses", f"at most {MAX_ADDRESSES:,}: a /22")
    return [str(host) for host in parsed.hosts()]


async def _look(hosts: list[str], port: int, timeout_s: float, *, as_json: bool) -> list[Found]:
    found: list[Found] = []
    asked = count(1)
    with progress_bar("dialling") as progress:

        def tell(one: Found | None) -> None:
            progress(next(asked) / len(hosts))
            if one is not None:
                found.append(one)
                if as_json:
                    print_json({"host": one.host, "port": one.port, "kind": one.kind, "identity": one.identity})

        await discover_readers(hosts, port, timeout_s, tell)
    return found


def _row(found: Found) -> tuple[str, str, str, str]:
    place = found.host if found.port == LLRP_PORT else f"{found.host}:{found.port}"
    url = "" if found.kind is Kind.OTHER else f"llrp://{place}"
    return found.host, url, found.identity or "", WORDS[found.kind]


def _order(found: Found) -> tuple[bool, str]:
    return found.kind is Kind.OTHER, found.host
