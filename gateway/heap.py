"""Spares the garbage collector the search through a shop's items, which would stop the event loop again and again."""

import gc
from collections.abc import Iterator, Sized
from contextlib import contextmanager

# The search takes 4 us an item, on a small box 20: so many new ones, or this share of all, are soon searched.
LEAST_NEW_ITEMS = 5_000
NEW_SHARE = 0.1


class Heap:
    """Whenever there are more items than ever before, what is in memory then is never searched again.

    What dies of it is freed by its count of references. Only what dies in a circle stays, and a shop grows rarely.
    """

    def __init__(self, items: Sized) -> None:
        self._items = items
        self._most = 0

    @contextmanager
    def filling(self) -> Iterator[None]:
        """What is made in here stays: to look for garbage among a hundred thousand new items doubles the time."""
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            self._keep()

    def watch(self) -> None:
        """To be called often."""
        if len(self._items) >= self._most + max(LEAST_NEW_ITEMS, self._most * NEW_SHARE):
            self._keep()

    def _keep(self) -> None:
        gc.freeze()
        self._most = len(self._items)
