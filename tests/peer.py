"""Whatever else may listen on a port, played by a test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

HOST = "127.0.0.1"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Takes a connection, and nothing else happens on it."""
    await reader.read()


@asynccontextmanager
async def peer(talk: Talk = says_nothing, port: int = 0) -> AsyncIterator[int]:
    """Listens on `port` (0: any) and talks to whoever connects, until `talk` returns; gives the port.

    At the end all connections are over and their sockets given back: what is left to the garbage collector is found
    by another test.
    """
    talks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            # Cancelled at the end; asyncio logs a handler that says so (Python 3.11).
            with suppress(ConnectionError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # As small as a device's: what is left unread is felt at once on the other side.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind((HOST, port))
    async with await asyncio.start_server(serve, sock=listener):
        try:
            yield listener.getsockname()[1]
        finally:
            for talking in talks:
                talking.cancel()
            await asyncio.gather(*talks, return_exceptions=True)
