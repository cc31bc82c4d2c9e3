"""The exactly-once rules, model-checked: the pure cores of both sides over a network that does everything wrong.

Every schedule is a seed. While the faults go on, a consumer's stock must always be a state that the gateway had
committed; when they stop, every consumer must end with the gateway's stock. MODEL_SCHEDULES sets how many are run.
"""

import copy
import os
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from random import Random
from typing import ClassVar

import pytest

from gateway import opening as opening_module
from gateway import window as window_module
from gateway.consumer import rule as rule_module
from gateway.consumer.assembly import Assembly
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
from gateway.consumer.rule import Event, Mode, Rule
from gateway.consumer.stock import Patch, Position, Stock, StockMismatchError
from gateway.opening import LedgerMark
from gateway.payloads import (
    Change,
    Delta,
    Digest,
    ErrorAnswer,
    Manifest,
    Payload,
    ReplayPage,
    Row,
    SnapshotPart,
    State,
    Topics,
    rows_hash,
    snapshot,
)
from gateway.window import Acked, Command, Line, Send, Window

SCHEDULES = int(os.environ.get("MODEL_SCHEDULES", "2000"))
STEPS = 120
TOPICS = Topics.of("t", "s", "g")
KEYS = [(f"{number:014}", zone) for number in range(4) for zone in ("floor", "back")]
# Small parts and pages, so that snapshots have several and replays go on.
PART_BYTES = 1_250
PAGE_DELTAS = 4


@dataclass
class Ledger:
    """What survives: one commit at a time."""

    epoch: str
    boot: int = 0
    seq: int = 0
    acked: int = 0
    oldest: int = 1
    levels: dict[tuple[str, str], int] = field(default_factory=dict)
    deltas: dict[int, Delta] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        return [
            Row(gtin=gtin, zone=zone, disposition="", quantity=level, confirmed=level)
            for (gtin, zone), level in self.levels.items()
            if level
        ]

    def copy(self) -> "Ledger":
        twin = copy.copy(self)
        twin.levels, twin.deltas = dict(self.levels), dict(self.deltas)
        return twin


class ModelError(AssertionError):
    """A rule is broken; the text begins with the seed."""


class Consumer:
    """The rule on a stock that survives restarts; the link to it loses, doubles, swaps and delays."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.stock = Stock()
        self.link: list[Payload] = []
        self.connected = False
        self.rule = world.rule_class(None, world.rng, world.now_s)

    def restart(self) -> None:
        self.disconnect()
        self.rule = self.world.rule_class(self.stock.position, self.world.rng, self.world.now_s)

    def connect(self) -> None:
        self.connected = True
        self.follow(self.rule.connected(self.world.now_s))
        self.link = list(self.world.retained.values())

    def disconnect(self) -> None:
        self.connected = False
        self.link.clear()

    def offer(self, message: Payload) -> None:
        if self.connected:
            self.link.append(message)

    def deliver(self) -> None:
        """One message of the link, with the faults of the moment."""
        if not self.link:
            return
        rng, faults = self.world.rng, self.world.faults
        index = rng.randrange(min(len(self.link), 6)) if faults and rng.random() < 0.3 else 0
        message = self.link[index] if faults and rng.random() < 0.1 else self.link.pop(index)
        if faults and rng.random() < 0.08:
            return
        now_s = self.world.now_s
        match message:
            case State():
                self.follow(self.rule.state(message, now_s))
            case ReplayPage():
                self.follow(self.rule.replayed(message, now_s))
            case ErrorAnswer():
                self.follow(self.rule.refused(message, now_s))
            case Delta() | SnapshotPart() | Manifest() | Digest():
                self.follow(self.rule.message(message, now_s))

    def tick(self) -> None:
        if self.connected:
            self.follow(self.rule.tick(self.world.now_s))

    def follow(self, outputs: list[Output]) -> None:
        waiting = list(outputs)
        while waiting:
            output = waiting.pop(0)
            differs = ""
            match output:
                case Apply():
                    try:
                        self.commit(self.stock.plan_apply(output.deltas, output.position))
                    except StockMismatchError as error:
                        differs = str(error)
                case Replace():
                    self.commit(self.stock.plan_replace(output.rows, output.position))
                case Remember():
                    self.stock.commit(Patch(position=output.position))
                case Compare():
                    differs = "" if self.stock.hash() == output.digest.hash else "digest"
                case RequestReplay() | RequestSnapshot():
                    self.world.requests.append((self, output))
                case Finding():
                    if output.kind is FindingKind.STOCK_DIFFERS:
                        self.world.differs(output.text)
            if differs:
                waiting = self.rule.disagreed(self.stock.position, differs, self.world.now_s)

    def commit(self, patch: Patch) -> None:
        self.world.commit_consumer(self.stock, patch)
        self.world.check(self.stock, self.number)


class World:
    """One gateway, one broker, two consumers and the seed's misfortune."""

    rule_class: ClassVar[type[Rule]] = Rule
    window_class: ClassVar[type[Window]] = Window

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.now_s = 1_000.0
        self.faults = True
        # A rollback that nothing retained gives away: then histories may mix until the consumers notice.
        self.blind = False
        self.history: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.retained: dict[str, Payload] = {}
        self.uplink: deque[tuple[str, Payload, bool, int]] = deque()
        self.pubacks: deque[tuple[int, int]] = deque()
        self.requests: list[tuple[Consumer, RequestReplay | RequestSnapshot]] = []
        self.refusing = 0
        self.sent = 0
        self.session = 0
        self.online = False
        self.ledger = self.new_ledger()
        self.backup = self.ledger.copy()
        self.window = self.window_class(0, 0, self.rng)
        self.start(None)
        self.will = self.state(online=False)
        self.consumers = [Consumer(self, number) for number in range(2)]

    # The gateway

    def new_epoch(self) -> str:
        return f"{self.rng.getrandbits(64):016x}"

    def new_ledger(self) -> Ledger:
        # A ledger made anew starts from the clock, above any boot that the lost one has ever counted to.
        return Ledger(epoch=self.new_epoch(), boot=int(self.now_s))

    def start(self, lost: Ledger | None) -> None:
        """A start of the process: from the ledger and what is retained. `lost`: the ledger that was replaced."""
        ledger = self.ledger
        encoded = {topic: payload.encode() for topic, payload in self.retained.items()}
        mark = LedgerMark(ledger.epoch, ledger.boot, ledger.seq)
        found = opening_module.opening(mark, encoded, TOPICS, zones=[], readers=[], parts=100)
        ledger.boot = found.boot
        if self.draw_new_epoch(found):
            ledger.epoch = self.new_epoch()
            ledger.deltas.clear()
            ledger.seq = ledger.acked = self.rng.choice([0, ledger.seq])
            ledger.oldest = ledger.seq + 1
        elif lost is not None and lost.epoch == ledger.epoch and lost.seq > ledger.seq and not found.rolled_back:
            self.blind = True
        self.remember()
        self.session = 0
        self.window = self.window_class(ledger.acked, ledger.seq, self.rng)
        self.window.trimmed(ledger.oldest)

    def draw_new_epoch(self, found: opening_module.Opening) -> bool:
        return found.epoch is None

    def remember(self) -> None:
        self.history[self.ledger.epoch, self.ledger.seq].add(rows_hash(self.ledger.rows()))

    def crash(self, instead: Ledger | None = None) -> None:
        self.cut()
        lost, self.ledger = self.ledger, instead or self.ledger
        self.start(lost if instead is not None else None)

    def connect(self) -> None:
        if self.online:
            return
        self.online = True
        self.session += 1
        self.will = self.state(online=False)
        self.uplink.append((TOPICS.state, self.state(online=True), True, 0))
        self.publish_snapshot()
        self.publish_digest()
        self.follow(self.window.connected(self.rng.choice([1, 3, 20])))

    def cut(self) -> None:
        """The link to the broker breaks; what is on it is partly there, partly lost."""
        if not self.online:
            return
        for _ in range(self.rng.randrange(len(self.uplink) + 1)):
            self.take_uplink()
        self.uplink.clear()
        self.pubacks.clear()
        self.online = False
        self.broker_takes(TOPICS.state, self.will, retain=True)
        self.follow(self.window.disconnected())

    def state(self, *, online: bool) -> State:
        ledger = self.ledger
        return State(
            online=online,
            boot=ledger.boot,
            session=self.session,
            epoch=ledger.epoch,
            seq=ledger.seq,
            at="",
            software="",
            config="",
        )

    def publish_snapshot(self) -> None:
        ledger = self.ledger
        parts, manifest = snapshot(ledger.rows(), ledger.epoch, ledger.seq, "", PART_BYTES)
        for part in parts:
            self.uplink.append((TOPICS.part(part.part), part, True, 0))
        self.uplink.append((TOPICS.manifest, manifest, True, 0))

    def publish_digest(self) -> None:
        ledger = self.ledger
        rows = ledger.rows()
        total = sum(row.quantity for row in rows)
        digest = Digest(epoch=ledger.epoch, seq=ledger.seq, rows=len(rows), quantity=total, hash=rows_hash(rows))
        self.uplink.append((TOPICS.digest, digest, True, 0))

    def make_delta(self) -> Delta:
        ledger = self.ledger
        changes = []
        for gtin, zone in self.rng.sample(KEYS, self.rng.randint(1, 3)):
            old = ledger.levels.get((gtin, zone), 0)
            new = self.rng.randint(0, 5)
            change = Change(gtin=gtin, zone=zone, disposition="", quantity=new, confirmed=new, change=new - old)
            changes.append(change)
        return Delta(epoch=ledger.epoch, seq=ledger.seq + 1, at="", changes=tuple(changes), causes={"moved": 1})

    def commit_delta(self, delta: Delta) -> None:
        ledger = self.ledger
        for change in delta.changes:
            ledger.levels[change.gtin, change.zone] = change.quantity
        ledger.seq = delta.seq
        ledger.deltas[delta.seq] = delta
        self.remember()

    def work(self, *, crash: bool) -> None:
        """A few commits; `crash`: the process dies before anything of them is handed to the broker."""
        for _ in range(self.rng.randint(1, 4)):
            self.commit_delta(self.make_delta())
        if crash:
            self.crash()
        else:
            self.follow(self.window.committed(self.ledger.seq))

    def trim(self) -> None:
        """Acknowledged deltas go first, and sometimes ones that were never sent."""
        ledger = self.ledger
        most = ledger.seq if self.rng.random() < 0.3 else max(ledger.acked, ledger.oldest - 1)
        through = self.rng.randint(ledger.oldest - 1, most)
        for seq in range(ledger.oldest, through + 1):
            del ledger.deltas[seq]
        ledger.oldest = max(ledger.oldest, through + 1)
        self.follow(self.window.trimmed(ledger.oldest))

    def follow(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Send():
                    for seq in range(command.first, command.last + 1):
                        if seq in self.ledger.deltas:
                            self.uplink.append((TOPICS.delta, self.ledger.deltas[seq], False, seq))
                        else:
                            raise ModelError(f"seed {self.seed}: delta {seq} is to be sent, but is not in the ledger")
                case Acked():
                    self.ledger.acked = max(self.ledger.acked, command.through)

    def answer(self) -> None:
        """One request of a consumer, perhaps lost on its way, perhaps its answer."""
        if not self.requests:
            return
        consumer, request = self.requests.pop(0)
        if not self.online or not consumer.connected or (self.faults and self.rng.random() < 0.2):
            return
        if isinstance(request, RequestSnapshot):
            self.publish_snapshot()
            return
        ledger = self.ledger
        if request.epoch != ledger.epoch or request.from_seq < ledger.oldest:
            consumer.offer(ErrorAnswer(error="gone", oldest=ledger.oldest))
            return
        last = min(ledger.seq, request.from_seq + min(request.limit, PAGE_DELTAS) - 1)
        deltas = tuple(ledger.deltas[seq] for seq in range(request.from_seq, last + 1))
        consumer.offer(ReplayPage(epoch=ledger.epoch, deltas=deltas, next=request.from_seq + len(deltas)))

    # The broker

    def take_uplink(self) -> None:
        if not self.uplink:
            return
        topic, payload, retain, seq = self.uplink.popleft()
        code = 0
        if seq and self.refusing > 0:
            self.refusing -= 1
            code = self.rng.choice([0x87, 0x97])
        else:
            self.broker_takes(topic, payload, retain=retain)
        if seq:
            self.pubacks.append((seq, code))

    def broker_takes(self, topic: str, payload: Payload, *, retain: bool) -> None:
        if retain:
            self.retained[topic] = payload
        for consumer in getattr(self, "consumers", ()):
            consumer.offer(payload)

    def take_puback(self) -> None:
        if self.pubacks:
            self.follow(self.window.answered(*self.pubacks.popleft(), self.now_s))

    def restart_broker(self) -> None:
        self.cut()
        if self.rng.random() < 0.5:
            self.retained.clear()
        for consumer in self.consumers:
            consumer.disconnect()

    # The checks

    def commit_consumer(self, stock: Stock, patch: Patch) -> None:
        stock.commit(patch)

    def check(self, stock: Stock, number: int) -> None:
        position = stock.position
        if position is None or self.blind:
            return
        if stock.hash() not in self.history[position.epoch, position.seq]:
            raise ModelError(f"seed {self.seed}: consumer {number} at {position} holds what was never committed")

    def differs(self, text: str) -> None:
        if not self.blind:
            raise ModelError(f"seed {self.seed}: the stock differs without a reason: {text}")

    # The schedule

    def run(self) -> None:
        for _ in range(STEPS):
            self.step()
        self.settle()

    def step(self) -> None:
        rng = self.rng
        self.now_s += rng.random() * 2
        dice = rng.random()
        if dice < 0.20:
            self.work(crash=rng.random() < 0.05)
        elif dice < 0.50:
            for _ in range(rng.randint(1, 6)):
                self.take_uplink()
        elif dice < 0.62:
            self.take_puback()
        elif dice < 0.86:
            consumer = rng.choice(self.consumers)
            for _ in range(rng.randint(1, 8)):
                consumer.deliver()
            consumer.tick()
        elif dice < 0.92:
            self.answer()
            self.follow(self.window.tick(self.now_s))
        else:
            self.misfortune()
        if rng.random() < 0.3:
            self.connect()
            for consumer in self.consumers:
                if not consumer.connected and rng.random() < 0.5:
                    consumer.connect()

    def misfortune(self) -> None:
        rng = self.rng
        consumer = rng.choice(self.consumers)
        match rng.choice(
            [
                "cut",
                "crash",
                "broker",
                "consumer",
                "link",
                "trim",
                "backup",
                "rollback",
                "lost",
                "refuse",
                "digest",
                "cold",
            ]
        ):
            case "cut":
                self.cut()
            case "crash":
                self.crash()
            case "broker":
                self.restart_broker()
            case "consumer":
                consumer.restart()
            case "link":
                consumer.disconnect()
            case "trim":
                self.trim()
            case "backup":
                self.backup = self.ledger.copy()
            # A rolled back ledger AND a broker that has lost what the gateway said: nobody is left who knows better.
            case "rollback" if TOPICS.state in self.retained:
                self.crash(self.backup.copy())
            case "lost" if rng.random() < 0.3:
                self.crash(self.new_ledger())
                self.backup = self.ledger.copy()
            case "refuse":
                self.refusing = rng.randint(1, 5)
            case "digest" if self.online:
                self.publish_digest()
            case "cold" if rng.random() < 0.5:
                consumer.stock = Stock()
                consumer.restart()

    def settle(self) -> None:
        """The faults are over: everything that waits is delivered, digests come every minute."""
        self.faults = False
        self.refusing = 0
        for consumer in self.consumers:
            consumer.disconnect()  # TCP loses nothing without breaking; here ends what has lost something.
        for _ in range(250):
            self.connect()
            for consumer in self.consumers:
                if not consumer.connected:
                    consumer.connect()
            self.drain()
            if self.converged():
                return
            self.now_s += 10.0
            self.follow(self.window.tick(self.now_s))
            for consumer in self.consumers:
                consumer.tick()
            if int(self.now_s) % 60 < 10:
                self.publish_digest()
        views = [(consumer.rule.mode, consumer.stock.position) for consumer in self.consumers]
        ledger = self.ledger
        raise ModelError(
            f"seed {self.seed}: no convergence: {ledger.epoch} {ledger.seq} acked {ledger.acked}, consumers {views}"
        )

    def drain(self) -> None:
        while self.uplink or self.pubacks or self.requests or any(consumer.link for consumer in self.consumers):
            self.take_uplink()
            self.take_puback()
            self.answer()
            for consumer in self.consumers:
                consumer.deliver()

    def converged(self) -> bool:
        ledger = self.ledger
        wanted = rows_hash(ledger.rows())
        return self.window.backlog == 0 and all(
            consumer.rule.mode is Mode.IN_STEP
            and consumer.stock.position is not None
            and (consumer.stock.position.epoch, consumer.stock.position.seq) == (ledger.epoch, ledger.seq)
            and consumer.stock.hash() == wanted
            for consumer in self.consumers
        )


class WatchedRule(Rule):
    """Notes which pairs of its table are used."""

    seen: ClassVar[set[tuple[Mode, Event]]] = set()

    def _handle(self, event: Event, now_s: float) -> None:
        self.seen.add((self.mode, event))
        super()._handle(event, now_s)


class WatchedWindow(Window):
    """Likewise."""

    seen: ClassVar[set[tuple[Line, window_module.Event]]] = set()

    def _handle(self, event: window_module.Event, seq: int = 0, code: int = 0, now_s: float = 0.0) -> list[Command]:
        self.seen.add((self.line, event))
        return super()._handle(event, seq, code, now_s)


class WatchedWorld(World):
    rule_class = WatchedRule
    window_class = WatchedWindow


def test_every_schedule_converges_and_no_consumer_ever_holds_half_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    # A gap that is long for a schedule is short for the real bound.
    monkeypatch.setattr(rule_module, "MAX_PENDING_DELTAS", 5)
    monkeypatch.setattr(rule_module, "REPLAY_PATIENCE_S", 8.0)
    monkeypatch.setattr(rule_module, "REPLAY_TIMEOUT_S", 3.0)
    blind = 0
    for seed in range(SCHEDULES):
        world = WatchedWorld(seed)
        world.run()
        blind += world.blind
    assert blind < SCHEDULES / 4, "most schedules must be checked to the full"
    if SCHEDULES >= 1_000:
        assert set(rule_module.TABLE) == WatchedRule.seen, "a transition that no schedule reaches is not checked"
        # A link that is down does not break once more.
        twice_down = {(line, window_module.Event.DISCONNECTED) for line in (Line.DOWN, Line.BARRED)}
        assert set(window_module.TABLE) - WatchedWindow.seen == twice_down


# What the checker must notice: each of these breaks one rule.


class SendsBeforeCommit(World):
    """Rule 1: nothing is sent before it is committed."""

    def work(self, *, crash: bool) -> None:
        delta = self.make_delta()
        if crash and self.online:
            self.uplink.append((TOPICS.delta, delta, False, 0))
            self.take_uplink()
            self.crash()
        else:
            self.commit_delta(delta)
            self.follow(self.window.committed(self.ledger.seq))


class KeepsItsEpoch(World):
    """Rules 3 and 4: a ledger that was rolled back takes a new epoch."""

    def draw_new_epoch(self, found: opening_module.Opening) -> bool:
        return found.epoch is None and not found.rolled_back


class ForgetfulWindow(Window):
    """Rule 5: a new connection begins at the lowest one that was not acknowledged."""

    def _rewind(self) -> None:
        further = self._next
        super()._rewind()
        self._next = further


class LosesWhatWasInFlight(World):
    window_class = ForgetfulWindow


class TrustingRule(Rule):
    """Rule 7: what is applied already is dropped."""

    def _take_delta(self, delta: Delta, now_s: float) -> None:
        if self.applied is not None and delta.seq <= self.applied and self.mode is Mode.IN_STEP:
            assert self._stored is not None
            self._out.append(Apply((delta,), self._stored))
            return
        super()._take_delta(delta, now_s)


class AppliesTwice(World):
    rule_class = TrustingRule


class HastyRule(Rule):
    """Rule 7: a gap is replayed before anything newer is applied."""

    def _take_delta(self, delta: Delta, now_s: float) -> None:
        if self.mode is Mode.IN_STEP and self.applied is not None:
            self.applied = max(self.applied, delta.seq - 1)
        super()._take_delta(delta, now_s)


class SkipsGaps(World):
    rule_class = HastyRule


class CommitsInTwo(World):
    """Rule 7: the position is kept in the transaction of its stock."""

    def commit_consumer(self, stock: Stock, patch: Patch) -> None:
        late = self.rng.random() < 0.1 and stock.position is not None
        stock.commit(replace(patch, position=stock.position) if late else patch)


class PatchworkAssembly(Assembly):
    """Rule 7: a snapshot is applied only if all its parts are of the same number and equal to its hash."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[int, SnapshotPart] = {}
        self.manifest: Manifest | None = None

    def clear(self) -> None:
        self.parts.clear()
        self.manifest = None

    def add_part(self, part: SnapshotPart) -> None:
        self.parts[part.part] = part

    def add_manifest(self, manifest: Manifest) -> None:
        self.manifest = manifest

    def take(self, above: int | None) -> tuple[Manifest, tuple[Row, ...]] | None:
        manifest = self.manifest
        if manifest is None or (above is not None and manifest.as_of <= above):
            return None
        rows = {(row.gtin, row.zone): row for part in self.parts.values() for row in part.rows}
        return manifest, tuple(rows.values())


class PatchworkRule(Rule):
    def __init__(self, position: Position | None, rng: Random, now_s: float) -> None:
        super().__init__(position, rng, now_s)
        self._assembly = PatchworkAssembly()


class MixesSnapshots(World):
    rule_class = PatchworkRule


@pytest.mark.parametrize(
    "mutant",
    [SendsBeforeCommit, KeepsItsEpoch, LosesWhatWasInFlight, AppliesTwice, SkipsGaps, CommitsInTwo, MixesSnapshots],
)
def test_the_checker_catches_a_broken_rule(mutant: type[World]) -> None:
    def run_some() -> None:
        for seed in range(400):
            mutant(seed).run()

    with pytest.raises(ModelError, match="seed"):
        run_some()
