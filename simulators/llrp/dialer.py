"""A simulated reader that opens the connection itself (LLRP 1.0.1, section 11.1.2: reader-initiated connections)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from simulators.clock import Clock, WallClock
from simulators.llrp.device import ReaderDevice
from simulators.llrp.server import Link, ReaderPort
from simulators.pcap import Record


class ReaderDialer(ReaderPort):
    """A reader that dials its client, again and again: `retry_s` after it was refused or the link has ended."""

    def __init__(self, device: ReaderDevice, clock: Clock, record: Callable[[Record], None] | None) -> None:
        super().__init__(device, clock, record)
        self.refusals = 0

    async def dial(self, host: str, port: int, *, retry_s: float, local: str, tls: ssl.SSLContext | None) -> None:
        """Call `host` for ever, from the address `local`; over TLS if its context is given."""
        loop = asyncio.get_running_loop()
        while True:
            ended = asyncio.Event()
            try:
                await loop.create_connection(
                    partial(_EndingLink, self, ended),
                    host,
                    port,
                    ssl=tls,
                    server_hostname=None if tls is None else host,
                    local_addr=(local, 0),
                )
                await ended.wait()
            except OSError:
                self.refusals += 1
            await asyncio.sleep(retry_s)


class _EndingLink(Link):
    """A link whose end can be waited for."""

    def __init__(self, port: ReaderPort, ended: asyncio.Event) -> None:
        super().__init__(port)
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._ended.set()


@asynccontextmanager
async def dial_out(
    device: ReaderDevice,
    port: int,
    *,
    host: str = "127.0.0.1",
    local: str = "127.0.0.1",
    retry_s: float = 0.05,
    clock: Clock | None = None,
    record: Callable[[Record], None] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ReaderDialer]:
    """`device` dials `host:port` while the context lasts, coming from the address `local`."""
    dialer = ReaderDialer(device, clock or WallClock(), record)
    dialer.switch_on()
    async with asyncio.TaskGroup() as group:
        calling = group.create_task(dialer.dial(host, port, retry_s=retry_s, local=local, tls=tls))
        try:
            yield dialer
        finally:
            calling.cancel()
            with suppress(asyncio.CancelledError):
                await calling
            dialer.switch_off()
