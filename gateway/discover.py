"""LLRP readers on a network: each address is dialled once, and what answers is asked who it is."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from readers.llrp.introduction import QUESTION_ID, Introduction
from readers.llrp.wire import Frame, MessageType, pack_frame

# Connections under way at a time: few enough for a cheap switch's table.
AT_ONCE: Final = 64
PORTION_BYTES: Final = 65_536
CLOSE: Final = pack_frame(Frame(MessageType.CLOSE_CONNECTION, QUESTION_ID, b""))

Place = tuple[str, int]
"""(host, port)"""


class Kind(StrEnum):
    """What answers at an address; SILENT: nothing does, and yet something is said to be there."""

    READER = "reader"
    BUSY = "busy"
    OTHER = "other"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Found:
    """Something that answers. `identity`: `eui64:HEX` or `epc:HEX`, where it is a reader that tells."""

    host: str
    port: int
    kind: Kind
    identity: str | None = None


async def discover(places: Iterable[Place], timeout_s: float, tell: Callable[[Place, Found | None], None]) -> None:
    """Ask at every place; `tell` hears of each in turn: who answers there, or None.

    An address gets `timeout_s` to connect, and as long to introduce itself.
    """
    waiting = iter(places)

    async def dial() -> None:
        for place in waiting:
            tell(place, await probe(*place, timeout_s))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(dial())


async def probe(host: str, port: int, timeout_s: float) -> Found | None:
    """What answers at one address; None where nothing does. A reader that is connected to somebody stays so."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return None
    introduction = Introduction(asks=True)
    heard = False
    try:
        async with asyncio.timeout(timeout_s):
            while not introduction.done and not introduction.failed:
                data = await reader.read(PORTION_BYTES)
                if not data:
                    break
                answer = introduction.receive(data)
                heard = heard or bool(answer)
                writer.write(answer)
            if introduction.done:
                writer.write(CLOSE)
                await writer.drain()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()
    if introduction.done:
        return Found(host, port, Kind.READER, introduction.identity)
    # A reader with a client says that it has one, and hangs up.
    return Found(host, port, Kind.BUSY if heard else Kind.OTHER)
