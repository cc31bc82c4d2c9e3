"""The send window of the uplink, pure: which deltas to hand to the broker when, and which it has taken.

Deltas go out in order, a bounded number in flight; a new connection starts again at the lowest one that was not
acknowledged. A refusal stops the line: what is in flight gets its answers, then one delta after a pause tries whether
the broker takes it now (docs/mqtt.md, rule 5). The caller maps packet identifiers to numbers and forgets them with
their connection.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

# Measured: at 30 ms round trip 100 in flight carry 2,400 deltas/s; more gains little and is resent after every loss.
MAX_IN_FLIGHT = 100
# Reason codes from here on are refusals (MQTT 5, section 2.4); 0x10, "no matching subscribers", is not.
FIRST_REFUSAL_CODE = 0x80
# After a refusal: soon at first, for it may be a broker that is just loading its rules, then rarely.
FIRST_REST_S = 1.0
MAX_REST_S = 60.0


@dataclass(frozen=True, slots=True)
class Send:
    """Publish the deltas `first` to `last`, both included, in this order."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Acked:
    """The broker has taken every delta up to `through`."""

    through: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker refused `seq`; said once per reason code until the line moves again."""

    seq: int
    code: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """After a refusal the broker has taken a delta again."""


Command = Send | Acked | Refused | Resumed


class Line(StrEnum):
    """The condition of the line. `barred`: it is down, and what it last heard was a refusal."""

    DOWN = "down"
    FLOWING = "flowing"
    SETTLING = "settling"
    RESTING = "resting"
    PROBING = "probing"
    BARRED = "barred"


class Event(StrEnum):
    """What can happen to it."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    GREW = "grew"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    SETTLED = "settled"
    RESTED = "rested"


class Act(StrEnum):
    """What is done about it, in the order of the table."""

    REWIND = "rewind"
    FORGET = "forget"
    CREDIT = "credit"
    REPORT = "report"
    REST = "rest"
    RESUME = "resume"
    FILL = "fill"


# (condition, event) -> (what to do, next condition). An absent pair cannot happen.
TABLE: dict[tuple[Line, Event], tuple[tuple[Act, ...], Line]] = {
    (Line.DOWN, Event.CONNECTED): ((Act.REWIND, Act.FILL), Line.FLOWING),
    (Line.DOWN, Event.DISCONNECTED): ((), Line.DOWN),
    (Line.DOWN, Event.GREW): ((), Line.DOWN),
    (Line.FLOWING, Event.DISCONNECTED): ((Act.FORGET,), Line.DOWN),
    (Line.FLOWING, Event.GREW): ((Act.FILL,), Line.FLOWING),
    (Line.FLOWING, Event.ACCEPTED): ((Act.CREDIT, Act.FILL), Line.FLOWING),
    (Line.FLOWING, Event.REFUSED): ((Act.REPORT,), Line.SETTLING),
    (Line.SETTLING, Event.DISCONNECTED): ((Act.FORGET,), Line.BARRED),
    (Line.SETTLING, Event.GREW): ((), Line.SETTLING),
    (Line.SETTLING, Event.ACCEPTED): ((Act.CREDIT,), Line.SETTLING),
    (Line.SETTLING, Event.REFUSED): ((Act.REPORT,), Line.SETTLING),
    (Line.SETTLING, Event.SETTLED): ((Act.REST,), Line.RESTING),
    (Line.RESTING, Event.DISCONNECTED): ((Act.FORGET,), Line.BARRED),
    (Line.RESTING, Event.GREW): ((), Line.RESTING),
    (Line.RESTING, Event.RESTED): ((Act.REWIND, Act.FILL), Line.PROBING),
    (Line.PROBING, Event.DISCONNECTED): ((Act.FORGET,), Line.BARRED),
    (Line.PROBING, Event.GREW): ((Act.FILL,), Line.PROBING),
    (Line.PROBING, Event.ACCEPTED): ((Act.CREDIT, Act.RESUME, Act.FILL), Line.FLOWING),
    (Line.PROBING, Event.REFUSED): ((Act.REPORT,), Line.SETTLING),
    (Line.BARRED, Event.CONNECTED): ((Act.REWIND, Act.FILL), Line.PROBING),
    (Line.BARRED, Event.DISCONNECTED): ((), Line.BARRED),
    (Line.BARRED, Event.GREW): ((), Line.BARRED),
}


class Window:
    """Feed it what happens, do what it returns. Times are monotonic seconds; `rng` spreads the pauses of many boxes."""

    def __init__(self, acknowledged: int, committed: int, rng: Random) -> None:
        self.line = Line.DOWN
        self.acknowledged = acknowledged
        self._committed = committed
        self._rng = rng
        self._limit = MAX_IN_FLIGHT
        self._oldest = 1
        self._next = acknowledged + 1
        # In flight and unanswered, ascending; a dict, for the lowest is asked for at every acknowledgement.
        self._flying: dict[int, None] = {}
        self._lowest_refused: int | None = None
        self._said: set[int] = set()
        self._rests = 0
        self.rest_until_s: float | None = None

    @property
    def in_flight(self) -> int:
        """How many deltas wait for their PUBACK."""
        return len(self._flying)

    @property
    def backlog(self) -> int:
        """How many committed deltas the broker has not taken."""
        return max(0, self._committed - max(self.acknowledged, self._oldest - 1))

    def connected(self, receive_maximum: int) -> list[Command]:
        """A new connection stands; whatever was in flight on another is sent again."""
        if self.line not in {Line.DOWN, Line.BARRED}:
            self.disconnected()
        self._limit = max(1, min(MAX_IN_FLIGHT, receive_maximum))
        return self._handle(Event.CONNECTED)

    def disconnected(self) -> list[Command]:
        """The connection is gone, and with it every answer still owed."""
        return self._handle(Event.DISCONNECTED)

    def committed(self, through: int) -> list[Command]:
        """The ledger holds the deltas up to `through` now."""
        self._committed = max(self._committed, through)
        return self._handle(Event.GREW)

    def trimmed(self, oldest: int) -> list[Command]:
        """The ledger has dropped everything before `oldest`, sent or not; what is in flight stays in flight."""
        self._oldest = max(self._oldest, oldest)
        self._next = max(self._next, oldest)
        return self._handle(Event.GREW)

    def answered(self, seq: int, code: int, now_s: float) -> list[Command]:
        """The PUBACK of `seq`; one that is not in flight is ignored."""
        if seq not in self._flying:
            return []
        del self._flying[seq]
        event = Event.REFUSED if code >= FIRST_REFUSAL_CODE else Event.ACCEPTED
        commands = self._handle(event, seq, code, now_s)
        if self.line is Line.SETTLING and not self._flying:
            commands += self._handle(Event.SETTLED, now_s=now_s)
        return commands

    def tick(self, now_s: float) -> list[Command]:
        """Call it when `rest_until_s` has come; earlier or later does no harm."""
        if self.line is not Line.RESTING or self.rest_until_s is None or now_s < self.rest_until_s:
            return []
        return self._handle(Event.RESTED)

    def _handle(self, event: Event, seq: int = 0, code: int = 0, now_s: float = 0.0) -> list[Command]:
        acts, self.line = TABLE[self.line, event]
        commands: list[Command] = []
        for act in acts:
            match act:
                case Act.REWIND | Act.FORGET:
                    self._rewind()
                case Act.CREDIT:
                    commands += self._credit()
                case Act.REPORT:
                    commands += self._report(seq, code)
                case Act.REST:
                    self._rest(now_s)
                case Act.RESUME:
                    self._said.clear()
                    self._rests = 0
                    commands.append(Resumed())
                case Act.FILL:
                    commands += self._fill()
        return commands

    def _rewind(self) -> None:
        self._flying.clear()
        self._lowest_refused = None
        self.rest_until_s = None
        self._next = max(self.acknowledged + 1, self._oldest)

    def _credit(self) -> list[Command]:
        lowest_open = next(iter(self._flying), self._next)
        if self._lowest_refused is not None:
            lowest_open = min(lowest_open, self._lowest_refused)
        if lowest_open - 1 <= self.acknowledged:
            return []
        self.acknowledged = lowest_open - 1
        return [Acked(self.acknowledged)]

    def _report(self, seq: int, code: int) -> list[Command]:
        self._lowest_refused = seq if self._lowest_refused is None else min(seq, self._lowest_refused)
        if code in self._said:
            return []
        self._said.add(code)
        return [Refused(seq, code)]

    def _rest(self, now_s: float) -> None:
        pause_s = min(MAX_REST_S, FIRST_REST_S * 2.0**self._rests)
        self._rests = min(self._rests + 1, 16)
        self.rest_until_s = now_s + pause_s * self._rng.uniform(0.8, 1.2)

    def _fill(self) -> list[Command]:
        # A broker that refused is asked with one delta, not with a hundred.
        room = (1 if self.line is Line.PROBING else self._limit) - len(self._flying)
        first, last = self._next, min(self._committed, self._next + room - 1)
        if last < first:
            return []
        self._next = last + 1
        self._flying.update(dict.fromkeys(range(first, last + 1)))
        return [Send(first, last)]
