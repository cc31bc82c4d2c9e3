"""Zones at run time: whether a zone can be believed, and the clock that silence in it is measured by."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from math import exp2, inf, log

from gateway.domain.fading import Fading
from gateway.domain.params import Zone, ZoneKind
from gateway.domain.records import ZoneRecord
from gateway.domain.silence import HALF_LIFE_S, Silences, new_pools
from readers.model import AntennaCondition, ReaderCondition

US_PER_S = 1_000_000
# What halves in T fades at a rate of LN2 / T.
LN2 = log(2.0)

# Whoever has not looked at the clock for longer (a disk that was stuck) has not looked at the reads either: by then
# they are late or dropped, and their absence says nothing.
LONGEST_LOOK_US = 30 * US_PER_S

# Before anything is learnt: one move, in so much looking at items.
FIRST_MOVES = 1.0
FIRST_LOOKED_S = 1e5

# How many items zones surely hold says little before there are many, and so much at most: a full store room beside a
# small rack does not take what the rack hears well.
FEW_ITEMS = 100.0
MOST_ODDS = 3.0

Antenna = tuple[str, int]
"""(reader id, antenna port)"""


class ZoneState(StrEnum):
    """What a consumer may make of a zone's numbers, as `zones/{zone}/health` tells."""

    OK = "ok"
    LEARNING = "learning"
    DEGRADED = "degraded"
    STALE = "stale"


class ZoneClock:
    """Seconds during which a zone was healthy, and nothing else.

    Silence is counted on it. While an antenna is down, and while the gateway itself is not running or does not
    get on, it stands still: an outage is never a departure. Where antennas take turns it counts what each of them
    has looked at: while the one rests that has looked least, it stands still too. At `at_us` it has counted
    `elapsed_us`.
    """

    __slots__ = (
        "_behind_us",
        "_blind_us",
        "_healthy",
        "_lost_us",
        "at_us",
        "elapsed_us",
        "resting",
        "resumed_s",
        "running",
    )

    def __init__(self) -> None:
        self.elapsed_us = 0
        # How long each antenna has rested; those that never do are not in here.
        self._behind_us: dict[Antenna, int] = {}
        self.resting: set[Antenna] = set()
        self.at_us = 0
        self._healthy = False
        # When the last outage began; how long it was, with what was left of those before.
        self._lost_us: int | None = None
        self._blind_us = 0
        self.resumed_s = -1.0
        """The reading at its end; negative: there was none."""
        self.running = False

    def run(self, *, healthy: bool, now_us: int) -> None:
        """From `now_us` on the zone is healthy, or is not."""
        self.now_s(now_us)
        if self._healthy and not healthy:
            self._lost_us = now_us
        elif healthy and not self._healthy and self._lost_us is not None:
            self._resume(self._lost_us, now_us)
        self._healthy = healthy
        self._set_running()

    def miss(self, since_us: int, now_us: int) -> None:
        """Nobody has looked since then, in an earlier life: an outage that ends when the zone is healthy."""
        if since_us < now_us:
            self._lost_us = since_us
            if self._healthy:
                self._resume(since_us, now_us)

    def _resume(self, lost_us: int, now_us: int) -> None:
        elapsed_s = self.elapsed_us / US_PER_S
        left_us = max(0, self._blind_us - int((elapsed_s - self.resumed_s) * US_PER_S))
        self._blind_us = left_us + now_us - lost_us
        self.resumed_s = elapsed_s

    def blind_s(self, since_s: float) -> float:
        """How long nobody looked, in a silence that began at this reading: what was done there nobody saw."""
        return self._blind_us / US_PER_S if since_s <= self.resumed_s else 0.0

    def _set_running(self) -> None:
        self.running = self._healthy and not self.resting

    def rest(self, antenna: Antenna, *, resting: bool, now_us: int) -> None:
        """From `now_us` on the antenna does not look, or looks again."""
        if resting is (antenna in self.resting):
            return
        self.now_s(now_us)
        if resting:
            # Whoever rests for the first time has looked no more than any other: the clock must not jump ahead.
            self._behind_us.setdefault(antenna, self._furthest_behind_us)
            self.resting.add(antenna)
        else:
            self.resting.discard(antenna)
        self._set_running()

    def keep(self, antennas: Collection[Antenna], now_us: int) -> None:
        """Only these antennas belong to the zone from now on."""
        self.now_s(now_us)
        self.resting.intersection_update(antennas)
        self._set_running()
        self._behind_us = {antenna: us for antenna, us in self._behind_us.items() if antenna in antennas}

    @property
    def _furthest_behind_us(self) -> int:
        return max(self._behind_us.values(), default=0)

    def now_s(self, now_us: int) -> float:
        """The reading of this clock at the gateway's monotonic `now_us`."""
        step_us = now_us - self.at_us
        if step_us > 0:
            self.at_us = now_us
            if self._healthy:
                if step_us > LONGEST_LOOK_US:
                    step_us = LONGEST_LOOK_US
                self.elapsed_us += self._looked_us(step_us) if self.resting else step_us
        return self.elapsed_us / US_PER_S

    def _looked_us(self, step_us: int) -> int:
        """How far the antenna that has looked least gets in this time; those that rest fall behind."""
        before_us = self._furthest_behind_us
        for antenna in self.resting:
            self._behind_us[antenna] += step_us
        return step_us - (self._furthest_behind_us - before_us)


class LiveZone:
    """A zone with its antennas and its clock; `clock_s` is the clock's reading at the present tick (`tick_us`).

    At `due_s` on its clock the silence of one of its items is to be looked at. `moved` items were carried from it to
    another zone in `looked_s` of looking at items; both fade. `saved` is what the ledger has of this. An item
    that counts by its first read is a ghost after `hopeless_s` without a second one, as the shop's last ones teach.
    `held` is how many items surely lay there when they were last counted, and a few; 0: never, or where people pass.
    """

    __slots__ = (
        "antennas",
        "clock",
        "clock_s",
        "deaf",
        "down",
        "due_s",
        "fading",
        "held",
        "hopeless_s",
        "id",
        "learning",
        "looked_s",
        "moved",
        "newest_s",
        "params",
        "reckoned_s",
        "saved",
        "silences",
        "since_us",
        "tick_us",
    )

    def __init__(self, params: Zone, antennas: Iterable[Antenna], *, learning: bool, now_us: int) -> None:
        self.id = params.id
        self.params = params
        self.antennas = frozenset(antennas)
        self.down = set(self.antennas)
        # Antennas that say that they are up, and hear nothing all of a sudden.
        self.deaf: set[Antenna] = set()
        self.clock = ZoneClock()
        self.clock_s = 0.0
        self.due_s = inf
        self.learning = learning
        self.newest_s = 0.0
        self.silences = new_pools()
        self.fading = Fading()
        self.held = 0.0
        self.moved = 0.0
        self.looked_s = 0.0
        self.reckoned_s = 0.0
        self.hopeless_s = inf
        self.saved: ZoneRecord | None = None
        self.since_us = now_us
        self.tick_us = now_us

    @property
    def moves_per_s(self) -> float:
        """How often an item of it is carried to another zone, 1/s, as learnt."""
        return (FIRST_MOVES + self.moved) / (FIRST_LOOKED_S + self.looked_s)

    def odds(self, other: "LiveZone") -> float:
        """How much likelier any item lies here than in another zone, by how many surely lie in each."""
        if not (self.held and other.held):
            return 1.0
        odds = self.held / other.held
        if odds > MOST_ODDS:
            return MOST_ODDS
        return odds if odds > 1.0 / MOST_ODDS else 1.0 / MOST_ODDS

    def hold(self, items: int) -> None:
        """So many items surely lie here."""
        self.held = FEW_ITEMS + items if self.params.presence.move_nats else 0.0

    def reckon(self, elapsed_s: float) -> None:
        """After `elapsed_s` more of looking: what is known of fading and of moves."""
        self.fading.reckon(elapsed_s)
        kept = exp2(-elapsed_s / HALF_LIFE_S)
        self.moved *= kept
        # What they are looked at meanwhile fades as well: the same, however often this is reckoned.
        items = sum(pool.items for pool in self.silences)
        self.looked_s = self.looked_s * kept + items * (1.0 - kept) * HALF_LIFE_S / LN2

    def record(self) -> ZoneRecord:
        """As the ledger keeps what its items have taught."""
        return ZoneRecord(self.id, *self.fading.sums, self.moved, self.looked_s)

    def restore(self, record: ZoneRecord) -> None:
        """Go on with what an earlier life had learnt; to be reckoned."""
        self.fading.restore(record.products, record.squares)
        self.moved, self.looked_s = record.moved, record.looked_s
        self.saved = record

    @classmethod
    def gone(cls, zone_id: str, now_us: int) -> "LiveZone":
        """A zone that is configured no longer, for the transitions that empty it."""
        return cls(Zone(zone_id, ZoneKind.BACKROOM), (), learning=False, now_us=now_us)

    def reform(self, params: Zone, antennas: Iterable[Antenna], now_us: int) -> None:
        """The configuration has changed; antennas that are new here count as down until their reader reports."""
        before = self.state
        kept = self.antennas - self.down
        self.params = params
        if not params.presence.move_nats:
            self.held = 0.0
        self.antennas = frozenset(antennas)
        self.down = set(self.antennas - kept)
        self.deaf &= kept
        self.clock.keep(self.antennas, now_us)
        self.clock.run(healthy=self.healthy, now_us=now_us)
        self._settled(before, now_us)

    def pool(self, pace_s: float, *, carried: bool) -> Silences | None:
        """The pool that begins at this pace; None where none does (another version had others)."""
        return next((pool for pool in self.silences if pool.pace_s == pace_s and pool.carried is carried), None)

    @property
    def stale(self) -> bool:
        """No antenna of it works: nothing is known of what happens in it."""
        return len(self.down | self.deaf) == len(self.antennas)

    @property
    def healthy(self) -> bool:
        """All of it is looked at; silence in it means something."""
        return bool(self.antennas) and not self.down and not self.deaf

    @property
    def state(self) -> ZoneState:
        if self.stale:
            return ZoneState.STALE
        if self.learning:
            return ZoneState.LEARNING
        return ZoneState.DEGRADED if self.down or self.deaf else ZoneState.OK

    @property
    def trusted(self) -> bool:
        """A change in this zone needs no `stale` mark."""
        return self.state is ZoneState.OK

    def observe(self, antenna: Antenna, *, working: bool, now_us: int, resting: bool = False) -> bool:
        """An antenna has come up or gone down; True when the zone's state changed by it.

        One dead antenna stops the clock too: its tags are silent, and no other rule can tell them from leavers.
        One that is `resting` works, and awaits its turn or its trigger.
        """
        if antenna not in self.antennas:
            return False  # its reader has not yet heard that the antenna looks elsewhere now
        before = self.state
        if working:
            self.down.discard(antenna)
        else:
            self.down.add(antenna)
            self.deaf.discard(antenna)
        self.clock.rest(antenna, resting=working and resting, now_us=now_us)
        self.clock.run(healthy=self.healthy, now_us=now_us)
        return self._settled(before, now_us)

    def hear(self, antenna: Antenna, *, deaf: bool, now_us: int) -> bool:
        """An antenna that is up has fallen deaf, or hears again; True when the zone's state changed by it."""
        if antenna not in self.antennas or antenna in self.down:
            return False
        before = self.state
        (self.deaf.add if deaf else self.deaf.discard)(antenna)
        self.clock.run(healthy=self.healthy, now_us=now_us)
        return self._settled(before, now_us)

    def advance(self, now_us: int) -> bool:
        """Read the clock for this tick; True when the zone has just finished learning."""
        clock, self.tick_us = self.clock, now_us
        step_us = now_us - clock.at_us
        if clock.running and 0 < step_us <= LONGEST_LOOK_US:
            # As `now_s` says, without a call: four times a second, of every zone.
            clock.at_us = now_us
            clock.elapsed_us += step_us
            self.clock_s = clock.elapsed_us / US_PER_S
        else:
            self.clock_s = clock.now_s(now_us)
        if not self.learning or self.stale:
            return False
        before = self.state
        presence = self.params.presence
        quiet_s = self.clock_s - self.newest_s
        self.learning = quiet_s < presence.settle_s and self.clock_s < presence.learning_limit_s
        return self._settled(before, now_us)

    @property
    def due_us(self) -> float:
        """When its clock gets to `due_s`, if all goes on as it does; infinite: never. Never too late."""
        # Where antennas take turns the clock gets on by bits, though it does not run.
        return self.tick_us + (self.due_s - self.clock_s) * US_PER_S - 1.0 if self.healthy else inf

    def _settled(self, before: ZoneState, now_us: int) -> bool:
        if self.state is before:
            return False
        self.since_us = now_us
        return True

    def describe(self) -> str:
        """Its state in words, for a person."""
        if not self.antennas:
            return "no reader covers this zone"
        names = _names(self.down) or _names(self.deaf)
        what = "down" if self.down else "up, but suddenly hear nothing"
        match self.state:
            case ZoneState.STALE:
                return f"no antenna of this zone works ({what}: {names}); its departures wait"
            case ZoneState.DEGRADED:
                return f"some antennas are {what} ({names}); departures wait"
            case ZoneState.LEARNING:
                return "first count is still settling; not to be used as availability yet"
            case ZoneState.OK:
                return "all antennas work"


def _names(antennas: Iterable[Antenna]) -> str:
    return ", ".join(f"{reader}:{port}" for reader, port in sorted(antennas))


def antenna_works(condition: ReaderCondition, antennas: Mapping[int, AntennaCondition], port: int) -> bool:
    """Whether a port delivers reads: its reader is reading and has not said that the port is down."""
    return condition is ReaderCondition.READING and antennas.get(port) is not AntennaCondition.DOWN
