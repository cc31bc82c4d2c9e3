# SPDX-License-Identifier: Apache-2.0
"""The consumer's side of the exactly-once rule, pure: payloads and time in, what to do with the stock out.

Nothing here knows of MQTT or of a database. Whoever calls it carries out what it returns, in order, and reports back
what could not be done (`disagreed`). What the topics promise is in docs/mqtt.md.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from random import Random
from typing import ClassVar

from gateway.consumer.assembly import Assembly, SnapshotBrokenError
from gateway.consumer.outputs import (
    Apply,
    Compare,
    Finding,
    FindingKind,
    Output,
    Remember,
    Replace,
    RequestReplay,
    RequestSnapshot,
)
from gateway.consumer.stock import Position
from gateway.payloads import (
    MAX_REPLAY_DELTAS,
    Delta,
    Digest,
    ErrorAnswer,
    Manifest,
    ReplayPage,
    SnapshotPart,
    State,
)

# Live deltas that wait while a gap is replayed: fixed by the contract.
MAX_PENDING_DELTAS = 10_000
# Messages of an epoch nobody has named yet; it is named within a round trip, and a snapshot replaces what is lost.
MAX_HELD_MESSAGES = 1_000
# Epochs change when a disk is lost; a hundred of them are more than a gateway's life.
MAX_LEFT_EPOCHS = 100
# A state or digest may overtake deltas on their way; only what is still missing then is asked for.
BEHIND_GRACE_S = 2.0
# An answer to `replay` comes in milliseconds, or the gateway is away.
REPLAY_TIMEOUT_S = 10.0
# So long without a single delta out of a replay: the snapshot is the way out.
REPLAY_PATIENCE_S = 60.0
# After every connect a snapshot is published anyway: wait for it before asking.
SNAPSHOT_GRACE_S = 5.0
# The gateway publishes one every 10 s at most, and it serves everyone; then the pauses grow.
FIRST_SNAPSHOT_WAIT_S = 15.0
MAX_SNAPSHOT_WAIT_S = 300.0
# Digests come every 60 s. One that is behind what was applied this long ago proves that the gateway forgot it.
DIGEST_LAG_S = 150.0


class Mode(StrEnum):
    """How a consumer stands."""

    WAITING = "waiting"
    IN_STEP = "in_step"
    REPLAYING = "replaying"
    RESYNCING = "resyncing"


class Event(StrEnum):
    """What changes it."""

    NAMED = "named"
    GAP = "gap"
    FILLED = "filled"
    GONE = "gone"
    FAILED = "failed"
    OVERFLOW = "overflow"
    DIFFERENT = "different"
    REPLACED = "replaced"


class Act(StrEnum):
    """What is done about it."""

    FORGET = "forget"
    EXPECT_SNAPSHOT = "expect_snapshot"
    NEED_SNAPSHOT = "need_snapshot"
    ASK_REPLAY = "ask_replay"
    DISTRUST = "distrust"
    TRUST = "trust"


# (mode, event) -> (what to do, next mode). An absent pair cannot happen.
TABLE: dict[tuple[Mode, Event], tuple[tuple[Act, ...], Mode]] = {
    (Mode.WAITING, Event.NAMED): ((Act.FORGET, Act.EXPECT_SNAPSHOT), Mode.RESYNCING),
    (Mode.IN_STEP, Event.NAMED): ((Act.FORGET, Act.EXPECT_SNAPSHOT), Mode.RESYNCING),
    (Mode.IN_STEP, Event.GAP): ((Act.ASK_REPLAY,), Mode.REPLAYING),
    (Mode.IN_STEP, Event.DIFFERENT): ((Act.DISTRUST, Act.NEED_SNAPSHOT), Mode.RESYNCING),
    (Mode.REPLAYING, Event.NAMED): ((Act.FORGET, Act.EXPECT_SNAPSHOT), Mode.RESYNCING),
    (Mode.REPLAYING, Event.FILLED): ((), Mode.IN_STEP),
    (Mode.REPLAYING, Event.GONE): ((Act.NEED_SNAPSHOT,), Mode.RESYNCING),
    (Mode.REPLAYING, Event.FAILED): ((Act.NEED_SNAPSHOT,), Mode.RESYNCING),
    (Mode.REPLAYING, Event.OVERFLOW): ((Act.NEED_SNAPSHOT,), Mode.RESYNCING),
    (Mode.REPLAYING, Event.DIFFERENT): ((Act.DISTRUST, Act.NEED_SNAPSHOT), Mode.RESYNCING),
    (Mode.RESYNCING, Event.NAMED): ((Act.FORGET, Act.EXPECT_SNAPSHOT), Mode.RESYNCING),
    (Mode.RESYNCING, Event.DIFFERENT): ((Act.DISTRUST,), Mode.RESYNCING),
    (Mode.RESYNCING, Event.REPLACED): ((Act.TRUST,), Mode.IN_STEP),
}


Numbered = Delta | SnapshotPart | Manifest | Digest
"""Everything that belongs to an epoch."""


class Rule:
    """One gateway as seen by one consumer. `position` is what its store remembers; times are monotonic seconds."""

    def __init__(self, position: Position | None, rng: Random, now_s: float) -> None:
        self.mode = Mode.WAITING if position is None else Mode.IN_STEP
        self.epoch = position.epoch if position is not None else None
        # None: nothing of the named epoch is applied yet.
        self.applied = position.seq if position is not None else None
        self.online: bool | None = None
        self.duplicates = 0
        self.gaps = 0
        self._stored = position
        self._life = position.life if position is not None else (0, 0)
        # In the order of leaving; a dict, for membership is asked for every message.
        self._left: dict[str, None] = dict.fromkeys(position.left if position is not None else ())
        self._rng = rng
        self._held: deque[Numbered] = deque()
        self._pending: dict[int, Delta] = {}
        self._assembly = Assembly()
        self._distrusted = False
        # The highest number that something of this epoch has spoken of, and since when it has been out of reach.
        self._known = 0
        self._behind_since_s: float | None = None
        self._moved_s = now_s
        self._online_since_s = now_s
        self._due_s = now_s
        self._snapshot_wait_s = FIRST_SNAPSHOT_WAIT_S
        self._out: list[Output] = []

    def connected(self, now_s: float) -> list[Output]:
        """A new connection: questions that were open on the old one are asked again soon."""
        self._due_s = min(self._due_s, now_s + SNAPSHOT_GRACE_S)
        self._online_since_s = now_s
        return self._flush()

    def state(self, state: State, now_s: float) -> list[Output]:
        """Topic `state`: the newest online one names the epoch; whatever is older than the newest is ignored."""
        if state.life < self._life:
            return []
        self._life = state.life
        if state.online and self.online is not True:
            self._online_since_s = now_s
        self.online = state.online
        if state.online:
            self._follow(state, now_s)
        if self._stored is not None and self._stored.life != self._life:
            self._remember(replace(self._stored, life=self._life))
        return self._flush()

    def message(self, message: Numbered, now_s: float) -> list[Output]:
        """A delta, a part or manifest of a snapshot, a digest."""
        self._sort(message, now_s)
        return self._flush()

    def replayed(self, page: ReplayPage, now_s: float) -> list[Output]:
        """The answer to a RequestReplay."""
        if page.epoch != self.epoch or self.mode is not Mode.REPLAYING or self.applied is None:
            return []
        before = self.applied
        self._pending.update({delta.seq: delta for delta in page.deltas if delta.seq > before})
        if not page.deltas and page.next <= before + 1 and not self._pending:
            self._known = before  # The gateway has no more than we have.
        self._absorb(now_s)
        if self.applied > before:
            self._ask_replay(now_s)
        return self._flush()

    def refused(self, answer: ErrorAnswer, now_s: float) -> list[Output]:
        """The error answer to a RequestReplay."""
        if self.mode is Mode.REPLAYING:
            if answer.error != "gone":
                self._find(FindingKind.REPLAY_FAILED, f"{answer.error}: {answer.text}")
            self._handle(Event.GONE if answer.error == "gone" else Event.FAILED, now_s)
        return self._flush()

    def disagreed(self, position: Position | None, text: str, now_s: float) -> list[Output]:
        """The stock is not the gateway's: a digest differs, or a delta did not fit. `position` is the store's."""
        if position is not None and position.epoch == self.epoch:
            self.applied, self._stored = position.seq, position
        self._disagree(text, now_s)
        return self._flush()

    def tick(self, now_s: float) -> list[Output]:
        """Call it every second or so: requests are repeated, gaps without a following delta noticed."""
        match self.mode:
            case Mode.IN_STEP if self.applied is not None and self._known > self.applied:
                if self._behind_since_s is None:
                    self._behind_since_s = now_s
                elif now_s - self._behind_since_s >= BEHIND_GRACE_S:
                    self._gap(now_s)
            case Mode.REPLAYING if now_s >= self._due_s:
                if now_s - self._moved_s >= REPLAY_PATIENCE_S:
                    self._find(FindingKind.REPLAY_FAILED, f"no answer for {REPLAY_PATIENCE_S:g} s")
                    self._handle(Event.FAILED, now_s)
                else:
                    self._ask_replay(now_s)
            case Mode.RESYNCING if now_s >= self._due_s:
                self._ask_snapshot(now_s)
        return self._flush()

    def _follow(self, state: State, now_s: float) -> None:
        if state.epoch != self.epoch:
            self._enter(state.epoch, now_s)
        self._hear_of(state.seq)

    def _sort(self, message: Numbered, now_s: float) -> None:
        if message.epoch in self._left:
            self.duplicates += isinstance(message, Delta)
        elif message.epoch != self.epoch:
            self._hold(message)
        elif isinstance(message, Delta):
            self._take_delta(message, now_s)
        elif isinstance(message, Digest):
            self._take_digest(message, now_s)
        else:
            self._take_snapshot(message, now_s)

    def _hold(self, message: Numbered) -> None:
        if len(self._held) == MAX_HELD_MESSAGES:
            self._held.popleft()
            self._find(FindingKind.MESSAGES_DROPPED, "too many messages of an epoch that no state has named")
        self._held.append(message)

    def _enter(self, epoch: str, now_s: float) -> None:
        if self.epoch is not None:
            self._left[self.epoch] = None
            self._find(FindingKind.EPOCH_CHANGED, f"from {self.epoch[:64]} to {epoch[:64]}")
        # A ledger that was brought back to an epoch left long ago is followed: the newest state alone decides.
        self._left.pop(epoch, None)
        while len(self._left) > MAX_LEFT_EPOCHS:
            del self._left[next(iter(self._left))]
        self.epoch, self.applied = epoch, None
        self._handle(Event.NAMED, now_s)
        held, self._held = self._held, deque()
        for message in held:
            self._sort(message, now_s)

    def _take_delta(self, delta: Delta, now_s: float) -> None:
        self._hear_of(delta.seq)
        if self.applied is not None and delta.seq <= self.applied and not self._distrusted:
            self.duplicates += 1
            return
        if self.mode is Mode.RESYNCING and len(self._pending) >= MAX_PENDING_DELTAS:
            del self._pending[next(iter(self._pending))]  # A snapshot will be newer than the oldest.
        self._pending[delta.seq] = delta
        if self.mode is Mode.RESYNCING:
            return
        self._absorb(now_s)
        if self.mode is Mode.IN_STEP and self._pending:
            self._gap(now_s)
        elif len(self._pending) > MAX_PENDING_DELTAS:
            self._find(FindingKind.REPLAY_FAILED, f"{MAX_PENDING_DELTAS} newer deltas came meanwhile")
            self._pending.clear()
            self._handle(Event.OVERFLOW, now_s)

    def _take_snapshot(self, message: SnapshotPart | Manifest, now_s: float) -> None:
        self._hear_of(message.as_of)
        if self.applied is not None and message.as_of <= self.applied and not self._distrusted:
            return
        if isinstance(message, Manifest):
            self._assembly.add_manifest(message)
        else:
            self._assembly.add_part(message)
        if self.mode is Mode.RESYNCING:
            self._adopt(now_s)

    def _take_digest(self, digest: Digest, now_s: float) -> None:
        self._hear_of(digest.seq)
        if self.applied is None or digest.seq > self.applied:
            return
        quiet_s = now_s - max(self._moved_s, self._online_since_s)
        if self.mode is Mode.IN_STEP and digest.seq == self.applied:
            self._out.append(Compare(digest))
        elif self.online and quiet_s >= DIGEST_LAG_S and not self._distrusted:
            self._disagree(f"the gateway ends at delta {digest.seq}, {self.applied} is applied", now_s)

    def _hear_of(self, seq: int) -> None:
        self._known = max(self._known, seq)

    def _absorb(self, now_s: float) -> None:
        """Applies what follows on; a gap that is filled is over."""
        if self.applied is None:
            return
        run: list[Delta] = []
        while (delta := self._pending.pop(self.applied + 1, None)) is not None:
            run.append(delta)
            self.applied += 1
        if run:
            self._moved_s, self._behind_since_s = now_s, None
            self._stored = self._position(self.applied)
            self._out.append(Apply(tuple(run), self._stored))
            self._assembly.drop(self.applied)
        if self.mode is Mode.REPLAYING and not self._pending and self._known <= self.applied:
            self._handle(Event.FILLED, now_s)

    def _adopt(self, now_s: float) -> bool:
        """Takes a complete snapshot if there is one to take."""
        try:
            found = self._assembly.take(None if self._distrusted else self.applied)
        except SnapshotBrokenError as error:
            self._find(FindingKind.SNAPSHOT_BROKEN, str(error))
            return False
        if found is None:
            return False
        manifest, rows = found
        self.applied = manifest.as_of
        self._moved_s, self._behind_since_s = now_s, None
        self._stored = self._position(manifest.as_of)
        self._out.append(Replace(rows, self._stored))
        self._handle(Event.REPLACED, now_s)
        self._assembly.drop(manifest.as_of)
        self._pending = {seq: delta for seq, delta in self._pending.items() if seq > manifest.as_of}
        self._absorb(now_s)
        if self._pending:
            self._gap(now_s)
        return True

    def _disagree(self, text: str, now_s: float) -> None:
        self._find(FindingKind.STOCK_DIFFERS, text)
        if self.mode is not Mode.WAITING:
            self._handle(Event.DIFFERENT, now_s)

    def _gap(self, now_s: float) -> None:
        self.gaps += 1
        self._moved_s = now_s
        self._handle(Event.GAP, now_s)

    def _handle(self, event: Event, now_s: float) -> None:
        acts, self.mode = TABLE[self.mode, event]
        for act in acts:
            self._acts[act](self, now_s)

    def _forget(self, _now_s: float) -> None:
        self._pending.clear()
        self._assembly.clear()
        self._known = 0
        self._distrusted = False

    def _expect_snapshot(self, now_s: float) -> None:
        self._snapshot_wait_s = FIRST_SNAPSHOT_WAIT_S
        self._due_s = now_s + SNAPSHOT_GRACE_S

    def _need_snapshot(self, now_s: float) -> None:
        self._snapshot_wait_s = FIRST_SNAPSHOT_WAIT_S
        if not self._adopt(now_s):
            self._ask_snapshot(now_s)

    def _distrust(self, _now_s: float) -> None:
        """What came before is of a history that is not the gateway's."""
        self._pending.clear()
        self._assembly.clear()
        self._distrusted = True

    def _trust(self, _now_s: float) -> None:
        if self._distrusted and self.applied is not None:
            self._known = self.applied
        self._distrusted = False

    def _ask_replay(self, now_s: float) -> None:
        if self.mode is not Mode.REPLAYING or self.epoch is None or self.applied is None:
            return
        self._due_s = now_s + REPLAY_TIMEOUT_S
        self._out.append(RequestReplay(self.epoch, self.applied + 1, MAX_REPLAY_DELTAS))

    def _ask_snapshot(self, now_s: float) -> None:
        self._due_s = now_s + self._snapshot_wait_s * self._rng.uniform(0.8, 1.2)
        self._snapshot_wait_s = min(MAX_SNAPSHOT_WAIT_S, self._snapshot_wait_s * 2)
        self._out.append(RequestSnapshot())

    def _position(self, seq: int) -> Position:
        assert self.epoch is not None
        return Position(self.epoch, seq, tuple(self._left), self._life)

    def _remember(self, position: Position) -> None:
        self._stored = position
        self._out.append(Remember(position))

    def _find(self, kind: FindingKind, text: str) -> None:
        self._out.append(Finding(kind, text))

    def _flush(self) -> list[Output]:
        out, self._out = self._out, []
        return out

    _acts: ClassVar[dict[Act, Callable[["Rule", float], None]]] = {
        Act.FORGET: _forget,
        Act.EXPECT_SNAPSHOT: _expect_snapshot,
        Act.NEED_SNAPSHOT: _need_snapshot,
        Act.ASK_REPLAY: _ask_replay,
        Act.DISTRUST: _distrust,
        Act.TRUST: _trust,
    }
