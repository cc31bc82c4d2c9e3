"""Many recorded reads in little memory (24 bytes each), in the order in which they were received."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from operator import le

from gateway.offline import RecordedRead


class Reads:
    """Columns of equal length. `reader` and `tag` are indexes into `readers` and `tags`."""

    def __init__(self) -> None:
        self.readers: list[str] = []
        self.tags: list[bytes] = []
        self.received_us = array("q")
        self.taken_us = array("q")
        self.reader = array("H")
        self.antenna = array("H")
        self.tag = array("I")
        self.dbm = array("b")

    def __len__(self) -> int:
        return len(self.received_us)

    def sort(self) -> bool:
        """Bring them into the order in which they were received; False where they were in it already.

        Reads that were received at once stay as they were.
        """
        received = self.received_us
        if all(map(le, received, islice(received, 1, None))):
            return False
        order = sorted(range(len(self)), key=received.__getitem__)
        for name in ("received_us", "taken_us", "reader", "antenna", "tag", "dbm"):
            column = getattr(self, name)
            setattr(self, name, array(column.typecode, map(column.__getitem__, order)))
        return True

    def until(self, start: int, at_us: int) -> int:
        """From `start` on, the index of the first that was received at `at_us` or later."""
        return bisect_left(self.received_us, at_us, start)

    def between(self, start: int, stop: int) -> Iterator[RecordedRead]:
        """Some of them, one by one."""
        columns = [column[start:stop] for column in (self.received_us, self.taken_us, self.antenna, self.dbm)]
        received, taken, antenna, dbm = columns
        readers = map(self.readers.__getitem__, self.reader[start:stop])
        tags = map(self.tags.__getitem__, self.tag[start:stop])
        return zip(received, taken, readers, antenna, tags, dbm, strict=True)
