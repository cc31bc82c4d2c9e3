"""Power cuts for a SQLite file: SQLite runs on a VFS that notes what it does to the disk; any moment is made again.

What a disk holds after a cut at some moment: all that was synced before, and of what was written since then any part,
sector by sector, in any order, one of them perhaps torn (`images`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import apsw

SECTOR_BYTES = 512
Files = dict[str, bytes]
"""What is on the disk: name -> content."""


@dataclass(frozen=True, slots=True)
class Write:
    file: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    file: str


@dataclass(frozen=True, slots=True)
class Delete:
    """`synced`: SQLite had the folder synced too, so that the file stays gone."""

    file: str
    synced: bool


Op = Write | Truncate | Sync | Delete


class RecordingVfs(apsw.VFS):
    """SQLite's own access to files, with a note of every change in `ops`; the shared memory is none of the disk's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ops: list[Op] = []
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> "RecordingFile":  # noqa: N802 - SQLite's names
        return RecordingFile(self.ops, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self.ops.append(Delete(Path(filename).name, syncdir))


class RecordingFile(apsw.VFSFile):
    def __init__(self, ops: list[Op], name: Any, flags: list[int]) -> None:
        self._ops = ops
        self._file = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "temporary").name
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._ops.append(Write(self._file, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._ops.append(Truncate(self._file, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._ops.append(Sync(self._file))


@dataclass
class Disk:
    """What was synced, and what was only written."""

    durable: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Op]] = field(default_factory=dict)

    def take(self, op: Op) -> None:
        if isinstance(op, Delete) and op.synced:
            self.pending.pop(op.file, None)
            self.durable.pop(op.file, None)
        elif isinstance(op, Sync):
            for done in self.pending.pop(op.file, []):
                _apply(self.durable, done)
        else:
            self.pending.setdefault(op.file, []).append(op)

    def all_written(self) -> Files:
        """As a killed process leaves it: the system writes the rest."""
        return self._with([op for ops in self.pending.values() for op in ops])

    def only_synced(self) -> Files:
        return self._with([])

    def scattered(self, rng: Random) -> Files:
        """Some sectors of what was not synced are there, others not, in any order; one is torn."""
        share = rng.choice([0.1, 0.5, 0.9])
        kept: list[Op] = []
        for ops in self.pending.values():
            for op in ops:
                pieces = list(_sectors(op)) if isinstance(op, Write) else [op]
                kept += [piece for piece in pieces if rng.random() < share]
        torn = [index for index, op in enumerate(kept) if isinstance(op, Write)]
        if torn and rng.random() < 0.5:
            index = rng.choice(torn)
            op = kept[index]
            assert isinstance(op, Write)
            half = rng.randrange(len(op.data) + 1)
            noise = rng.randbytes(len(op.data) - half) if rng.random() < 0.5 else b""
            kept[index] = Write(op.file, op.offset, op.data[:half] + noise)
        if rng.random() < 0.5:
            rng.shuffle(kept)
        return self._with(kept)

    def _with(self, ops: Sequence[Op]) -> Files:
        files = {name: bytearray(content) for name, content in self.durable.items()}
        for op in ops:
            _apply(files, op)
        return {name: bytes(content) for name, content in files.items()}


def _sectors(op: Write) -> Iterator[Write]:
    at, end = op.offset, op.offset + len(op.data)
    while at < end:
        until = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Write(op.file, at, op.data[at - op.offset : until - op.offset])
        at = until


def _apply(files: dict[str, bytearray], op: Op) -> None:
    match op:
        case Write(file, offset, data):
            content = files.setdefault(file, bytearray())
            if len(content) < offset:
                content.extend(bytes(offset - len(content)))
            content[offset : offset + len(data)] = data
        case Truncate(file, size):
            content = files.setdefault(file, bytearray())
            del content[size:]
            content.extend(bytes(size - len(content)))
        case Delete(file):
            files.pop(file, None)
        case Sync():
            pass


def images(ops: Sequence[Op], rng: Random, scattered: int) -> Iterator[tuple[int, Files]]:
    """(how many of `ops` had happened, what the disk may hold): a cut after each of them, in several ways."""
    disk = Disk()
    for done in range(len(ops) + 1):
        yield done, disk.all_written()
        yield done, disk.only_synced()
        for _ in range(scattered if disk.pending else 0):
            yield done, disk.scattered(rng)
        if done < len(ops):
            disk.take(ops[done])
