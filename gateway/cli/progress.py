"""A progress bar on a terminal, for what takes over a second; nothing elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

# What is done by then needs no bar.
QUIET_S = 1.0


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float], None]]:
    """Gives a function that takes the share (0 to 1) that is done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    begun = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, disable=False) as bar:
        task = bar.add_task(what, total=1.0, visible=False)

        def show(done: float) -> None:
            bar.update(task, completed=done, visible=time.monotonic() - begun > QUIET_S)

        yield show
