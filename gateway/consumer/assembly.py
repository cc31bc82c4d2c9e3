# SPDX-License-Identifier: Apache-2.0
"""Putting a snapshot together from its parts and its manifest, in whatever order they come, pure."""

from collections import OrderedDict
from dataclasses import dataclass, field

from gateway.payloads import Manifest, Row, SnapshotPart, rows_hash

# The one that is complete and the one on its way; more are only left-overs of lost connections.
MAX_ASSEMBLIES = 2
# 4,096 parts of 64 kB are over two million rows: a site holds less, and a lying manifest must not fill the memory.
MAX_PARTS = 4_096


@dataclass(slots=True)
class _Heap:
    """What has come of the snapshot as of one number."""

    parts: dict[int, SnapshotPart] = field(default_factory=dict)
    manifest: Manifest | None = None


class Assembly:
    """The snapshots of one epoch on their way; each is kept until a newer one pushes it out."""

    def __init__(self) -> None:
        self._heaps: OrderedDict[int, _Heap] = OrderedDict()

    def clear(self) -> None:
        """Forgets everything: another epoch, or nothing that came before can be trusted."""
        self._heaps.clear()

    def add_part(self, part: SnapshotPart) -> None:
        """Takes a part; one with an absurd number is ignored, for no manifest can ask for it."""
        if part.part < MAX_PARTS:
            self._heap(part.as_of).parts[part.part] = part

    def add_manifest(self, manifest: Manifest) -> None:
        """Takes a manifest; the newest for its number counts."""
        self._heap(manifest.as_of).manifest = manifest

    def take(self, above: int | None) -> tuple[Manifest, tuple[Row, ...]] | None:
        """The newest complete snapshot, as of more than `above` (None: of any number), which is then forgotten.

        Raises SnapshotBrokenError for one that is complete but not what its manifest says, and forgets it.
        """
        for as_of in sorted(self._heaps, reverse=True):
            heap = self._heaps[as_of]
            manifest = heap.manifest
            if manifest is None or (above is not None and as_of <= above) or not _has_all(heap, manifest):
                continue
            del self._heaps[as_of]
            rows = tuple(row for number in range(manifest.parts) for row in heap.parts[number].rows)
            keys = {(row.gtin, row.zone) for row in rows}
            if len(rows) != manifest.rows or len(keys) != len(rows) or rows_hash(rows) != manifest.hash:
                raise SnapshotBrokenError(manifest, len(rows))
            return manifest, rows
        return None

    def drop(self, through: int) -> None:
        """Forgets what is as of `through` or older: the stock is there already."""
        for as_of in [as_of for as_of in self._heaps if as_of <= through]:
            del self._heaps[as_of]

    def _heap(self, as_of: int) -> _Heap:
        heap = self._heaps.setdefault(as_of, _Heap())
        self._heaps.move_to_end(as_of)
        while len(self._heaps) > MAX_ASSEMBLIES:
            self._heaps.popitem(last=False)
        return heap


class SnapshotBrokenError(Exception):
    """All parts are there, but they do not add up to the manifest; ask for another snapshot."""

    def __init__(self, manifest: Manifest, rows: int) -> None:
        super().__init__(
            f"the snapshot as of {manifest.as_of} has {rows} rows and another hash than its manifest, "
            f"which says {manifest.rows} rows, {manifest.hash[:16]}"
        )
        self.manifest = manifest


def _has_all(heap: _Heap, manifest: Manifest) -> bool:
    return len(heap.parts) >= manifest.parts and all(number in heap.parts for number in range(manifest.parts))
