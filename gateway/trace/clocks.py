"""Readers' own clocks in a recording that has both times: read as the gateway reads them, where they are wrong.

When a read was taken may be told by a reader's clock that was set to another hour, jumps, or counts from its start. Its
offset is followed as that of a living reader (`readers/llrp/clock.py`): a backlog does not move it. Clocks that are
right stay as they were recorded.

That follower is made for reports that come as soon as there are reads. Where somebody else wrote them once a minute,
reads that happen to be equally late look like a clock that was set back. So it is asked only where waiting for a
delivery does not explain what a clock says. A read may have waited since the delivery before. A clock is right of whose
reads, leaving out those said to be taken after they were received,

- one in every ten minutes of reception waited no longer than that, to `JUMP_US`,
- one in every half minute waited no more than ten minutes longer: so much a backlog does, and a wrong hour does more,
- one at all came at once, however seldom there is a read.

A clock that jumps for a while leaves half minutes without any such read. A backlog that is worked off slowly may do so
too; the follower knows it for what it is.
"""

from array import array
from operator import sub

from gateway.trace.reads import Reads
from readers.llrp.clock import BEHIND_CONFIRM_US, JUMP_US, SECOND_US, WINDOW_US, ReaderClock

# How the clock stood when the recording begins is told by the read that was under way for the shortest time: in this
# time some are fresh, even if a backlog comes first.
FIRST_US = 60 * SECOND_US
# Longer than any read has waited: those of a clock that is ahead.
NEVER_US = 1 << 62


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
        most_us = 0 if _is_right(reads, of_reader) else _straighten(reads, of_reader)
        if most_us:
            wrong[reads.readers[reader]] = most_us
    return wrong


def _is_right(reads: Reads, rows: "array[int]") -> bool:
    """Does waiting for deliveries explain what this reader's clock says?"""
    received, taken = reads.received_us, reads.taken_us
    came_us = received[rows[0]]
    # Nobody knows when the delivery before the first was.
    before_us = came_us - WINDOW_US
    any_fresh = False
    # By how much longer each has waited than since the delivery before its own.
    waited = array("q")
    for row in rows:
        at_us = received[row]
        if at_us != came_us:
            before_us, came_us = came_us, at_us
        apart_us = at_us - taken[row]
        if apart_us < -JUMP_US:
            waited.append(NEVER_US)
        else:
            any_fresh = any_fresh or apart_us <= JUMP_US
            waited.append(apart_us - (at_us - before_us))
    if not any_fresh:
        return False
    for span_us, most_us in ((WINDOW_US, JUMP_US), (BEHIND_CONFIRM_US, WINDOW_US)):
        least: dict[int, int] = {}
        for row, waited_us in zip(rows, waited, strict=True):
            span = received[row] // span_us
            least[span] = min(waited_us, least.get(span, waited_us))
        if max(least.values()) > most_us:
            return False
    return True


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
    # Of each delivery the newest stamp tells how the clock stands.
    newest: dict[int, int] = {}
    for row in rows:
        newest[received[row]] = max(taken[row], newest.get(received[row], taken[row]))
    most_us = 0
    came_us = -1
    for row in rows:
        if received[row] != came_us:
            came_us = received[row]
            clock.observe(newest[came_us], came_us)
        offset_us = clock.offset_us
        if not -JUMP_US <= offset_us <= JUMP_US:
            taken[row] += offset_us
            if abs(offset_us) > abs(most_us):
                most_us = offset_us
    return most_us
