"""What systemd wants to hear: READY, WATCHDOG, STOPPING (sd_notify(3)). Without systemd nothing is said."""

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)

US_PER_S = 1_000_000


class Notifier:
    """Speaks to the socket that NOTIFY_SOCKET names; `watchdog_s` is how often systemd wants a sign of life."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the NUL of an abstract socket.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog_us = int(environ.get("WATCHDOG_USEC", "0") or "0")
        # Inherited from a parent that systemd watches, it is the parent's (sd_watchdog_enabled(3)).
        is_ours = environ.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        self.watchdog_s = watchdog_us / US_PER_S if watchdog_us and is_ours else None

    def say(self, *lines: str) -> None:
        """Send `KEY=value` lines as one message. Nobody listening (a socket inherited from a shell) is no failure."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as link:
                link.connect(self._address)
                link.sendall("\n".join(lines).encode())
        except OSError as error:
            log.warning("systemd does not hear %s: %s", lines[0], error)
