# SPDX-License-Identifier: Apache-2.0
"""What the rule of a consumer wants done; all of it data."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.consumer.stock import Position
from gateway.payloads import Delta, Digest, Row


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply these consecutive deltas and keep `position`, in one transaction."""

    deltas: tuple[Delta, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Replace:
    """Put these rows in the place of the whole stock and keep `position`, in one transaction."""

    rows: tuple[Row, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep `position`; the stock is the same."""

    position: Position


@dataclass(frozen=True, slots=True)
class Compare:
    """Compare the stock with this digest; if they differ, say so with `disagreed`."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class RequestReplay:
    """Ask the gateway for deltas; feed the answer to `replayed` or `refused`."""

    epoch: str
    from_seq: int
    limit: int


@dataclass(frozen=True, slots=True)
class RequestSnapshot:
    """Ask the gateway to publish its snapshot."""


class FindingKind(StrEnum):
    """What a consumer has to say to people."""

    EPOCH_CHANGED = "epoch_changed"
    STOCK_DIFFERS = "stock_differs"
    SNAPSHOT_BROKEN = "snapshot_broken"
    REPLAY_FAILED = "replay_failed"
    MESSAGES_DROPPED = "messages_dropped"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth a line in a log; the rule has already seen to it."""

    kind: FindingKind
    text: str


Output = Apply | Replace | Remember | Compare | RequestReplay | RequestSnapshot | Finding
