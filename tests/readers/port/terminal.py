"""A pty held by hand."""

import os
import tty
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="hanging up a tty needs root")


class Terminal:
    """A pty whose far end the test holds."""

    def __init__(self, path: Path) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = path
        path.symlink_to(os.ttyname(self.slave))

    def close(self) -> None:
        """The far end goes away."""
        self.path.unlink(missing_ok=True)
        if self.master >= 0:
            os.close(self.master)
            os.close(self.slave)
            self.master = -1
