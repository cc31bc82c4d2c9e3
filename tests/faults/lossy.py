"""A network that drops packets: the kernel's own TCP between two addresses, and a coin for each packet.

A TUN device hands what is sent to the far address to us; sender and receiver change places (which leaves every checksum
right), and it comes back in as if from there. So both directions of a connection to the far address pass here.
"""

import asyncio
import fcntl
import os
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import pytest

TUN = Path("/dev/net/tun")
# linux/if_tun.h: bare IP packets of one interface.
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU_BYTES = 1_500
# RFC 2544 keeps these for tests of network devices; each process takes four of them.
FIRST_ADDRESS, NETWORKS = IPv4Address("198.18.0.0"), 1 << 15
SOURCE, DESTINATION = slice(12, 16), slice(16, 20)


class LossyNetwork:
    """`near` is an address of this machine, `far` the same machine beyond the network. `loss` may change any time."""

    def __init__(self, tun: int, rng: Random) -> None:
        network = FIRST_ADDRESS + 4 * (os.getpid() % NETWORKS)
        self.near, self.far = str(network + 1), str(network + 2)
        self.loss = 0.0
        self.passed = self.dropped = 0
        self._tun = tun
        self._rng = rng

    def turn_back(self) -> None:
        """The packets that wait: each is dropped or comes back in."""
        while True:
            try:
                packet = bytearray(os.read(self._tun, MTU_BYTES))
            except BlockingIOError:
                return
            if packet[0] >> 4 != 4:
                continue  # IPv6 introduces itself to every new interface
            if self._rng.random() < self.loss:
                self.dropped += 1
                continue
            self.passed += 1
            packet[SOURCE], packet[DESTINATION] = packet[DESTINATION], packet[SOURCE]
            os.write(self._tun, packet)


@asynccontextmanager
async def lossy_network(rng: Random) -> AsyncIterator[LossyNetwork]:
    """Comes up without loss and is gone at the end; the test is skipped where no interface can be made."""
    try:
        tun = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        pytest.skip(f"a network of its own needs root and {TUN}: {error.strerror}")
    try:
        network, name = LossyNetwork(tun, rng), f"lossy{os.getpid()}"
        try:
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
            for words in (["addr", "add", f"{network.near}/30", "dev", name], ["link", "set", name, "up"]):
                subprocess.run(["ip", *words], check=True, capture_output=True)  # noqa: ASYNC221 (it is done at once)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"a network of its own needs root and iproute2: {error}")
        loop = asyncio.get_running_loop()
        loop.add_reader(tun, network.turn_back)
        try:
            yield network
        finally:
            loop.remove_reader(tun)
    finally:
        os.close(tun)
