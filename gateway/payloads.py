# SPDX-License-Identifier: Apache-2.0
"""Every topic and payload of the MQTT contract, pure: what the gateway says and what a consumer understands.

Payloads are JSON in UTF-8, times are RFC 3339 in UTC with milliseconds, `v` is the version of the contract. Models
ignore keys they do not know, so that a consumer of today understands a gateway of tomorrow; they refuse what lacks
or breaks a key they know (`ValidationError`).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

CONTENT_TYPE = "application/json"

# A broker or a phone-line modem that takes no more than this is common; larger steps and snapshots are split.
MAX_PAYLOAD_BYTES = 64_000
# Room for the keys around a list of changes, rows or deltas: epoch, seq, at, causes, part and their quotes.
ENVELOPE_BYTES = 1_000
# One answer to a replay: fixed by the contract.
MAX_REPLAY_DELTAS = 500
# A page of deltas is also bounded in bytes, so that 500 large ones do not make one message of 32 MB.
MAX_REPLAY_BYTES = 256_000

BaseModelT = TypeVar("BaseModelT", bound=BaseModel)
Version = Literal[1]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
Gtin = Annotated[str, StringConstraints(pattern=r"^[0-9]{14}$")]
Sequence64 = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=0, lt=2**53)]


class Payload(BaseModel):
    """What all payloads share: the version first, immutable, unknown keys ignored."""

    # Moments and hashes never come again: pydantic would keep the last 16,384 of them.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null", cache_strings="keys")

    v: Version = 1

    def encode(self) -> bytes:
        """The payload as JSON, every key in it."""
        return self.model_dump_json().encode()


class State(Payload):
    """Topic `state`, retained, and the will: who is online, in which life, and how far the ledger reaches."""

    online: bool
    boot: Sequence64
    session: Sequence64
    epoch: str
    seq: Sequence64
    at: str
    software: str
    config: str

    @property
    def life(self) -> tuple[int, int]:
        """(boot, session): grows with every start and connect, so the newest of two states is known."""
        return (self.boot, self.session)


class Row(BaseModel):
    """The stock of one GTIN in one zone; `confirmed` of the `quantity` were read lately."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    gtin: Gtin
    zone: Identifier
    disposition: str
    quantity: Count
    confirmed: Count


class Change(Row):
    """A row after a change: `old + change == quantity`. `stale`: the zone was not healthy when it was made."""

    change: int
    stale: Literal[True] | None = None


class Delta(Payload):
    """Topic `stock/delta`: one step of the stock, numbered without gaps within its epoch."""

    epoch: str
    seq: Sequence64
    at: str
    changes: tuple[Change, ...]
    causes: dict[str, Count]

    def encode(self) -> bytes:
        """The delta as JSON, `stale` only where it is true."""
        return self.model_dump_json(exclude_none=True).encode()


class SnapshotPart(Payload):
    """Topic `stock/snapshot/{part}`, retained: a slice of the whole stock as of `as_of`."""

    epoch: str
    as_of: Sequence64
    part: Count
    rows: tuple[Row, ...]


class Manifest(Payload):
    """Topic `stock/snapshot`, retained, published after its parts: what a complete snapshot must add up to."""

    epoch: str
    as_of: Sequence64
    parts: Count
    rows: Count
    hash: str
    at: str


class Digest(Payload):
    """Topic `stock/digest`, retained: lets a consumer in step check that it holds the same stock."""

    epoch: str
    seq: Sequence64
    rows: Count
    quantity: Count
    hash: str


class ZoneHealth(Payload):
    """Topic `zones/{zone}/health`, retained."""

    state: Literal["ok", "learning", "degraded", "stale"]
    readers: tuple[str, ...]
    since: str
    text: str


class ReaderErrorText(BaseModel):
    """What ails a reader, for a person."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    text: str
    hint: str


class ReaderStatus(Payload):
    """Topic `readers/{reader}/state`, retained."""

    state: Literal["connecting", "connected", "reading", "failed", "stopped"]
    driver: str
    model: str
    firmware: str
    address: str
    antennas: dict[str, str]
    reads_per_s: float
    clock_offset_ms: float | None
    error: ReaderErrorText | None
    since: str


class Alert(Payload):
    """Topic `alerts`: raised once, cleared once, with the same `id`."""

    id: str
    kind: str
    severity: Literal["info", "warning", "critical"]
    status: Literal["raised", "cleared"]
    at: str
    subject: str
    text: str
    hint: str


class Request(BaseModel):
    """What any command may carry; `transaction` is echoed in the answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Version = 1
    transaction: Annotated[str, StringConstraints(max_length=128)] | None = None


class ReplayRequest(Request):
    """`cmd/replay`: the deltas of `epoch` from number `from` on, at most `limit` of them."""

    epoch: Annotated[str, StringConstraints(max_length=64)]
    from_seq: Annotated[int, Field(ge=1, lt=2**63, alias="from")]
    limit: Annotated[int, Field(ge=1, le=MAX_REPLAY_DELTAS)] = MAX_REPLAY_DELTAS


class ReplayPage(Payload):
    """The answer to `replay`: consecutive deltas, and the number to ask for next."""

    transaction: str | None = None
    epoch: str
    deltas: tuple[Delta, ...]
    next: Sequence64

    def encode(self) -> bytes:
        """The page as JSON, each delta exactly as it was published."""
        return self.model_dump_json(exclude_none=True).encode()


class ErrorAnswer(Payload):
    """Any command's answer when it could not be done: `error` is a word, `text` a sentence."""

    transaction: str | None = None
    error: str
    text: str = ""
    oldest: Sequence64 | None = None

    def encode(self) -> bytes:
        """The answer as JSON without what does not apply."""
        return self.model_dump_json(exclude_none=True).encode()


class StatusAnswer(Payload):
    """The answer to `status`: the gateway at a glance."""

    transaction: str | None = None
    site: str
    gateway: str
    software: str
    epoch: str
    boot: Sequence64
    seq: Sequence64
    acknowledged: Sequence64
    items: Count
    zones: dict[str, str]
    readers: dict[str, str]
    alerts: tuple[str, ...]


class SnapshotAnswer(Payload):
    """The answer to `snapshot`: the state of the stock that is being published."""

    transaction: str | None = None
    epoch: str
    as_of: Sequence64
    published: bool


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of one gateway's topics; `root` ends with a slash."""

    root: str

    @classmethod
    def of(cls, prefix: str, site: str, gateway: str) -> "Topics":
        """The tree of `gateway` at `site`."""
        return cls(f"{prefix}/{site}/{gateway}/")

    @property
    def everything(self) -> str:
        """A subscription to the whole tree."""
        return self.root + "#"

    @property
    def state(self) -> str:
        return self.root + "state"

    @property
    def delta(self) -> str:
        return self.root + "stock/delta"

    @property
    def manifest(self) -> str:
        return self.root + "stock/snapshot"

    def part(self, number: int) -> str:
        return f"{self.root}stock/snapshot/{number}"

    @property
    def parts(self) -> str:
        """A subscription to all parts; it matches no manifest."""
        return self.root + "stock/snapshot/+"

    @property
    def digest(self) -> str:
        return self.root + "stock/digest"

    def zone_health(self, zone: str) -> str:
        return f"{self.root}zones/{zone}/health"

    @property
    def zones(self) -> str:
        """A subscription to every zone's health."""
        return self.root + "zones/+/health"

    def reader_state(self, reader: str) -> str:
        return f"{self.root}readers/{reader}/state"

    @property
    def item_events(self) -> str:
        return self.root + "items/event"

    @property
    def alerts(self) -> str:
        return self.root + "alerts"

    def command(self, verb: str) -> str:
        return f"{self.root}cmd/{verb}"

    @property
    def commands(self) -> str:
        """A subscription to every command."""
        return self.root + "cmd/+"

    def reply(self, verb: str) -> str:
        return f"{self.root}reply/{verb}"


def rfc3339(utc_us: int) -> str:
    """Microseconds since 1970 as RFC 3339 in UTC with milliseconds: `2026-01-31T08:15:00.250Z`."""
    moment = datetime.fromtimestamp(utc_us // 1000 / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


StockLine = tuple[str, str, int, int]
"""(gtin, zone, quantity, confirmed): what a hash is made of."""


def stock_hash(lines: Iterable[StockLine]) -> str:
    r"""Hex SHA-256 over `gtin|zone|quantity|confirmed\n` of all lines with a quantity, sorted bytewise."""
    texts = sorted(
        f"{gtin}|{zone}|{quantity}|{confirmed}\n".encode() for gtin, zone, quantity, confirmed in lines if quantity > 0
    )
    return hashlib.sha256(b"".join(texts)).hexdigest()


def rows_hash(rows: Iterable[Row]) -> str:
    """`stock_hash` of a snapshot's rows."""
    return stock_hash((row.gtin, row.zone, row.quantity, row.confirmed) for row in rows)


def split_by_bytes(entries: Sequence[BaseModelT], limit_bytes: int) -> Iterator[tuple[BaseModelT, ...]]:
    """Consecutive slices of `entries`, each of which fits `limit_bytes` as a JSON list within its envelope."""
    room = limit_bytes - ENVELOPE_BYTES
    start, used = 0, 0
    for index, entry in enumerate(entries):
        size = len(entry.model_dump_json(exclude_none=True)) + 1
        if used + size > room and index > start:
            yield tuple(entries[start:index])
            start, used = index, 0
        used += size
    if start < len(entries):
        yield tuple(entries[start:])


def snapshot(
    rows: Sequence[Row], epoch: str, as_of: int, at: str, limit_bytes: int = MAX_PAYLOAD_BYTES
) -> tuple[list[SnapshotPart], Manifest]:
    """A whole stock as parts of at most `limit_bytes` and the manifest that is published after them."""
    present = sorted((row for row in rows if row.quantity > 0), key=lambda row: (row.gtin, row.zone))
    parts = [
        SnapshotPart(epoch=epoch, as_of=as_of, part=number, rows=chunk)
        for number, chunk in enumerate(split_by_bytes(present, limit_bytes))
    ]
    manifest = Manifest(epoch=epoch, as_of=as_of, parts=len(parts), rows=len(present), hash=rows_hash(present), at=at)
    return parts, manifest


def explain(error: ValidationError) -> str:
    """A validation error as one line for an answer or a log: where, and what was expected."""
    first: Mapping[str, Any] = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "payload"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}{more}"
