"""Readers' own clocks in a recording that has both times: read as the gateway reads them, where they are wrong.

When a read was taken may be told by a reader's clock that was set to another hour, jumps, or counts from its start. Its
offset is followed as that of a living reader (`readers/llrp/clock.py`): a backlog does not move it. Clocks that are
right stay as they were recorded.
"""

from array import array
from operator import sub

from gateway.trace.reads import Reads
from readers.llrp.clock import JUMP_US, SECOND_US, ReaderClock

# How the clock stood when the recording begins is told by the read that was under way for the shortest time: in this
# time some are fresh, even if a backlog comes first.
FIRST_US = 60 * SECOND_US


def straighten(reads: Reads) -> dict[str, int]:
    """Put what wrong clocks say of when reads were taken on the clock of reception, in the order of which they are.

    Readers whose clocks were wrong -> by how many microseconds at the most, above 0 where they were behind.
    """
    wrong: dict[str, int] = {}
    if all(-JUMP_US <= apart_us <= JUMP_US for apart_us in map(sub, reads.received_us, reads.taken_us)):
        return wrong
    rows: dict[int, array[int]] = {}
    for row, reader in enumerate(reads.reader):
        rows.setdefault(reader, array("Q")).append(row)
    for reader, of_reader in rows.items():
        most_us = _straighten(reads, of_reader)
        if most_us:
            wrong[reads.readers[reader]] = most_us
    return wrong


def _straighten(reads: Reads, rows: "array[int]") -> int:
    """The same for the rows of one reader; the largest offset, 0 where its clock was right."""
    received, taken = reads.received_us, reads.taken_us
    clock = ReaderClock()
    begun_us = received[rows[0]]
    first_us = 0
    for number, row in enumerate(rows):
        if received[row] - begun_us > FIRST_US:
            break
        apart_us = received[row] - taken[row]
        if not number or abs(apart_us) < abs(first_us):
            first_us = apart_us
    clock.seed(begun_us - (first_us if abs(first_us) > JUMP_US else 0), begun_us)
    most_us = 0
    for row in rows:
        clock.observe(taken[row], received[row])
        offset_us = clock.offset_us
        if not -JUMP_US <= offset_us <= JUMP_US:
            taken[row] += offset_us
            if abs(offset_us) > abs(most_us):
                most_us = offset_us
    return most_us
