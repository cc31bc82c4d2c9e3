import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from gateway import health as module
from gateway.clock import SystemClock
from gateway.domain.zones import US_PER_S
from gateway.health import STUCK_AFTER_US, Health
from gateway.systemd import Notifier
from gateway.tasks import beside
from tests.gateway.shop import HandClock


async def test_systemd_hears_a_sign_of_life_while_the_line_moves_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, stuck, refused = SystemClock(), False, False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "400000"})

        def ticked_us() -> int:
            return clock.monotonic_us() - (STUCK_AFTER_US + US_PER_S if stuck else 0)

        health = Health(clock, ticked_us, lambda: refused, notifier)
        health.ready = True
        loop = asyncio.get_running_loop()
        async with beside(health.run()), asyncio.timeout(10):
            assert [await loop.sock_recv(manager, 100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        assert health.trouble() is None
        stuck = True
        with contextlib.suppress(BlockingIOError):
            while True:
                manager.recv(100)
        withheld = asyncio.Event()
        monkeypatch.setattr(module.log, "error", lambda *_: withheld.set())
        async with beside(health.run()), asyncio.timeout(10):
            await withheld.wait()
        with pytest.raises(BlockingIOError):
            manager.recv(100)
        refused = True  # a disk that says no hangs nothing, and a restart would not help it
        async with beside(health.run()), asyncio.timeout(10):
            assert await loop.sock_recv(manager, 100) == b"WATCHDOG=1"
        assert "disk" in (health.trouble() or "")


def test_a_line_that_has_not_ticked_for_long_is_in_trouble_once_it_was_ready() -> None:
    clock = HandClock()
    started_us = clock.now_us
    health = Health(clock, lambda: started_us, lambda: False, Notifier({}))
    clock.turn(STUCK_AFTER_US / 1e6 + 1)
    assert health.trouble() is None
    health.ready = True
    trouble = health.trouble()
    assert trouble is not None
    assert "16 s" in trouble
    health = Health(clock, lambda: clock.now_us - STUCK_AFTER_US, lambda: False, Notifier({}))
    health.ready = True
    assert health.trouble() is None


async def test_the_lag_of_the_loop_is_measured() -> None:
    clock = SystemClock()
    health = Health(clock, clock.monotonic_us, lambda: False, Notifier({}))
    measured = asyncio.Event()
    async with beside(health.run()), asyncio.timeout(10):
        await asyncio.sleep(0)
        until_us = clock.monotonic_us() + 400_000
        while clock.monotonic_us() < until_us:
            pass  # this is the lag
        asyncio.get_running_loop().call_later(0.3, measured.set)
        await measured.wait()
    assert 0.1 < health.worst_lag_s < 5.0
