"""LLRP readers that announce themselves on the local network: DNS-SD (RFC 6763) over multicast DNS (RFC 6762)."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from zeroconf import BadTypeInNameException, DNSQuestionType, IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

SERVICE: Final = "_llrp._tcp.local."
# An answer to one alone may go to another program of this machine: Avahi has the same port.
TO_ALL: Final = DNSQuestionType.QM
# Anybody on the network can announce; more is no shop.
MAX_NAMES: Final = 1_024
# A reader that has said its name says its address at once.
ADDRESS_LIMIT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Announced:
    """A reader as it calls itself, and where it says that it can be dialled: an IPv4 address and a port."""

    name: str
    host: str
    port: int


async def listen(seconds: float) -> list[Announced]:
    """Those that answer within this time, on any of this machine's networks. Raises OSError where none can be asked."""
    names: dict[str, None] = {}

    def hear(name: str, state_change: ServiceStateChange, **_: Any) -> None:
        if state_change is not ServiceStateChange.Removed and len(names) < MAX_NAMES:
            names[name] = None

    async with AsyncZeroconf(ip_version=IPVersion.V4Only) as network:
        async with AsyncServiceBrowser(network.zeroconf, SERVICE, handlers=[hear], question_type=TO_ALL):
            await asyncio.sleep(seconds)
        found = await asyncio.gather(*(_ask(network, name) for name in names))
    return sorted((one for one in found if one is not None), key=lambda one: (one.name, one.host))


async def _ask(network: AsyncZeroconf, name: str) -> Announced | None:
    """Where a name can be dialled; None where nobody tells."""
    try:
        info = AsyncServiceInfo(SERVICE, name)
        known = await info.async_request(network.zeroconf, ADDRESS_LIMIT_S * 1000, question_type=TO_ALL)
    except BadTypeInNameException:
        return None
    addresses = info.parsed_addresses(IPVersion.V4Only)
    if not known or not addresses or not info.port:
        return None
    # What others say of themselves must not play with the terminal.
    spoken = "".join(letter if letter.isprintable() else "?" for letter in name.removesuffix(f".{SERVICE}"))
    return Announced(spoken, addresses[0], info.port)
