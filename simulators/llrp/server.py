"""Puts a simulated reader on a TCP port: the only I/O of the LLRP simulator."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from simulators.clock import Clock, WallClock
from simulators.llrp.device import Output, ReaderDevice
from simulators.pcap import Record


class ReaderPort:
    """A reader's network side, whoever opens the connection: one link at a time, bytes and time to the device."""

    def __init__(self, device: ReaderDevice, clock: Clock, record: Callable[[Record], None] | None) -> None:
        self.device = device
        self.clock = clock
        self._record = record
        # Over all connections.
        self.received_bytes = 0
        self.sent_bytes = 0
        self.connections = 0
        self._link: Link | None = None
        self._running = False
        self._timer: asyncio.TimerHandle | None = None
        self._blocked = False

    @property
    def connected(self) -> bool:
        """Whether a client is connected."""
        return self._link is not None

    def switch_on(self) -> None:
        """Time begins to pass for the reader."""
        self._running = True
        self.pump()

    def switch_off(self) -> None:
        """It stands still, and the link is cut."""
        self._running = False
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self.cut()

    def cut(self) -> None:
        """Drop the client without a word, as a pulled cable does once TCP notices."""
        if self._link:
            self._link.transport.abort()

    def freeze(self) -> None:
        """The reader hangs; the link stays up."""
        self.device.freeze()

    def thaw(self) -> None:
        """The reader goes on."""
        self.device.thaw()
        self.pump()

    def set_antenna(self, antenna: int, *, connected: bool) -> None:
        """Plug an antenna in or pull it."""
        self._deliver(self.device.set_antenna(antenna, connected=connected, now_us=self.clock.now_us()))

    def set_input(self, port: int, *, high: bool) -> None:
        """A door switch or a light barrier changes."""
        self._deliver(self.device.set_input(port, high=high, now_us=self.clock.now_us()))
        self.pump()

    def complain(self, text: str) -> None:
        """The reader tells of an exception."""
        self._deliver(self.device.complain(text, self.clock.now_us()))

    def stop_inventory(self) -> None:
        """Somebody stops the inventory on the reader itself."""
        self._deliver(self.device.stop_inventory(self.clock.now_us()))

    def reboot(self) -> None:
        """The power fails and comes back."""
        self.cut()
        self.device.reboot()

    def pump(self) -> None:
        """Let the reader catch up with the clock, and set the alarm for the next time."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if not self._running or self._blocked:
            return
        self._deliver(self.device.tick(self.clock.now_us()))
        wakeup_us = self.device.next_wakeup_us
        if wakeup_us is not None:
            delay_s = self.clock.seconds_until(wakeup_us)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.pump)

    def opened(self, link: "Link") -> None:
        """A client is there: greet it, or refuse the second one."""
        now_us = self.clock.now_us()
        if self._link is None:
            self._link = link
            self.connections += 1
            self._deliver(self.device.connect(now_us))
            self.pump()
            return
        refusal, notice = self.device.refuse(now_us)
        link.transport.write(refusal.data)
        link.transport.close()
        self._deliver(notice)

    def received(self, link: "Link", data: bytes) -> None:
        """Bytes from a client; a refused one is not listened to."""
        if link is self._link:
            self.received_bytes += len(data)
            if self._record:
                self._record(Record(self.clock.now_us(), from_server=False, data=data))
            self._deliver(self.device.feed(data, self.clock.now_us()))
            self.pump()

    def closed(self, link: "Link") -> None:
        """A client is gone."""
        if link is self._link:
            self._link = None
            self._blocked = False
            self.device.disconnect()
            self.pump()

    def blocked(self, link: "Link", *, blocked: bool) -> None:
        """The client reads slower than the reader sends; the reader waits, as it would on its socket."""
        if link is self._link:
            self._blocked = blocked
            if not blocked:
                self.pump()

    def _deliver(self, output: Output) -> None:
        if self._link is None or self._link.transport.is_closing():
            return
        if output.data:
            self.sent_bytes += len(output.data)
            if self._record:
                self._record(Record(self.clock.now_us(), from_server=True, data=output.data))
            self._link.transport.write(output.data)
        if output.close:
            self._link.transport.close()


class Link(asyncio.Protocol):
    """One connection; all sense is in the port."""

    transport: asyncio.Transport

    def __init__(self, port: ReaderPort) -> None:
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._port.opened(self)

    def data_received(self, data: bytes) -> None:
        self._port.received(self, data)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._port.closed(self)

    def pause_writing(self) -> None:
        self._port.blocked(self, blocked=True)

    def resume_writing(self) -> None:
        self._port.blocked(self, blocked=False)


class ReaderServer(ReaderPort):
    """A reader on the network. It takes one client after another; `host` and `port` say where it listens."""

    def __init__(self, device: ReaderDevice, clock: Clock, record: Callable[[Record], None] | None) -> None:
        super().__init__(device, clock, record)
        self.host = ""
        self.port = 0
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen, over TLS if its context is given; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Link(self), host, port, ssl=tls)
        self.host, self.port = self._listener.sockets[0].getsockname()[:2]
        self.switch_on()

    async def stop(self) -> None:
        """Cut the link and listen no more."""
        if self._listener:
            self._listener.close()
            self.switch_off()
            await self._listener.wait_closed()
            self._listener = None


@asynccontextmanager
async def serve_reader(
    device: ReaderDevice,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Clock | None = None,
    record: Callable[[Record], None] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ReaderServer]:
    """Serve `device` on `server.host` and `server.port` while the context lasts; port 0 takes a free one.

    `record` is given all that passes, as `pcap` takes it; `tls` makes it a reader on port 5085.
    """
    server = ReaderServer(device, clock or WallClock(), record)
    await server.start(host, port, tls)
    try:
        yield server
    finally:
        await server.stop()
