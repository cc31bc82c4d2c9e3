import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.systemd import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The end of the socket that systemd holds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(str(tmp_path / "notify"))
        link.settimeout(5)
        yield link


def test_lines_arrive_as_one_message(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.say("READY=1", "STATUS=reading")
    assert manager.recv(1000) == b"READY=1\nSTATUS=reading"
    notifier.say("STOPPING=1")
    assert manager.recv(1000) == b"STOPPING=1"


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind("")  # the kernel draws an abstract name
        link.settimeout(5)
        Notifier({"NOTIFY_SOCKET": "@" + link.getsockname()[1:].decode()}).say("READY=1")
        assert link.recv(1000) == b"READY=1"


def test_without_systemd_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({})
    notifier.say("READY=1")
    assert notifier.watchdog_s is None
    assert caplog.records == []


def test_a_socket_that_is_gone_is_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).say("READY=1")
    assert "READY=1" in caplog.text


def test_the_watchdog_interval_comes_in_microseconds() -> None:
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog_s == 30.0
    assert Notifier({"WATCHDOG_USEC": ""}).watchdog_s is None


def test_a_watchdog_that_watches_the_parent_is_not_ours() -> None:
    watched = {"WATCHDOG_USEC": "30000000"}
    assert Notifier({**watched, "WATCHDOG_PID": str(os.getpid())}).watchdog_s == 30.0
    assert Notifier({**watched, "WATCHDOG_PID": str(os.getppid())}).watchdog_s is None
    assert Notifier(watched).watchdog_s == 30.0
