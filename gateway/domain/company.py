"""What came together goes together: items of one product that are carried from zone to zone at once.

A box of the same product is wheeled to the back room. Of most of its items the reads say so; others hang where the old
zone's antennas hear them better still, or are read once in minutes. That the others went is evidence for these, too. A
box may also stand where hardly anything reads it: then all of it falls silent at once, and some of it is heard where it
never was.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import NamedTuple

from gateway.domain.evidence import Evidence
from gateway.domain.hearing import LATE_READ_US
from gateway.domain.homes import SETTLED_US, Homes, go_together
from gateway.domain.items import Item
from gateway.domain.loads import SEEMS_SHARE, Loads, seems_gone
from gateway.domain.presence import COUNTED
from gateway.domain.silence import SHORTEST_S, UNEXPLAINED_PACES
from gateway.domain.zones import LN2, US_PER_S, LiveZone

# A move speaks for the others by as much less as it is longer ago (e-fold time); a hint speaks for as long.
FADES_S = 60.0
FADES_US = int(FADES_S * US_PER_S)
# So many must have gone, and such a share of those that are still there: one that is carried off alone has no company.
LEAST_MOVES = 2.0
LEAST_SHARE = 0.1
# A hint is an item of which its own zone hears so many times less than it used to, and another zone, which has read it
# so often at most in all that it remembers, as many times more. It takes more of them, but no move.
HINT_TIMES = 3.0
HINT_LOOKS = 2.0
LEAST_HINTS = 3.0
# Before an item has been somewhere for so long, it is not known how it is heard there.
LEARNT_US = 300 * US_PER_S
# Whoever is still heard must be heard by the new zone, too: by this share of what the old one has.
LEAST_HEARD = 0.02
# ... and its reads must not speak so much (nats) for its still lying where it did.
LEAST_NATS = -2.0
# Whoever fell silent when the others went (or `FADES_S` off) follows when it has been silent for so many times what is
# unexplained, as it is looked at again and again; that is waited for so long.
SILENT_TIMES = 2.0
AWAITED_US = 600 * US_PER_S
# For as long whoever is heard follows where its reads speak by so much (nats) for its having gone.
LATE_NATS = 2.0
# An item that followed others may be heard as well as this by the zone that it left (a share of what that used to hear)
# before it is taken to be there still.
AS_BEFORE = 1 / 3
# They had not gone when so many of the followers, and such a share of them, were found where they had been.
LEAST_MISTAKES = 2
MISTAKEN_SHARE = 0.4
# That is known for so long.
REMEMBERED_US = 3600 * US_PER_S
# How often those that are silent are looked through.
LOOK_US = 2 * US_PER_S
# Whoever is read is not silent enough to follow before so much time has passed.
HEARD_US = int(SILENT_TIMES * SHORTEST_S * US_PER_S)
# Nothing is missed for a sum that was rounded up.
EARLY_US = 1_000
# So many follow in one look at most: the rest can wait for the next.
MOST_AT_ONCE = 200
# Fewer than this is nobody.
FORGOTTEN_MOVES = 0.2


class Way(NamedTuple):
    """Of one product, from zone to zone."""

    gtin: str
    left: LiveZone
    entered: LiveZone


class Wave:
    """Those that go one way: `moves` fade since `moved_us`, `hints` are items and when they gave one.

    `going`: so many that others have gone along, since `began_us`. Those who `followed`, of whom so many `returned`.
    Unless something happens nothing can come of it before `due_us`, and nobody has been silent for long enough to
    follow before `silent_us`.
    """

    __slots__ = ("began_us", "due_us", "followed", "going", "hints", "moved_us", "moves", "returned", "silent_us")

    def __init__(self, now_us: int) -> None:
        self.moves = 0.0
        self.moved_us = now_us
        self.hints: dict[Item, int] = {}
        self.going = False
        self.began_us: int | None = None
        self.followed: dict[Item, None] = {}
        self.returned = 0
        self.due_us = self.silent_us = 0.0

    def add(self, now_us: int) -> None:
        """One more has moved."""
        self.moves = self.moves_at(now_us) + 1.0
        self.moved_us = now_us

    def moves_at(self, now_us: int) -> float:
        """Those that have moved, by now."""
        return self.moves * math.exp((self.moved_us - now_us) / FADES_US)

    def look(self, way: Way, there: Mapping[Item, None], now_us: int) -> None:
        """Are there enough now? `there` are those of the product that have not gone."""
        if self.hints:
            self.hints = {
                item: at_us
                for item, at_us in self.hints.items()
                if now_us - at_us <= FADES_US and (item.zone is way.left or item.zone is way.entered)
            }
        moves = self.moves_at(now_us)
        going = moves >= LEAST_MOVES and moves >= LEAST_SHARE * len(there)
        if not going and moves + len(self.hints) >= LEAST_HINTS:
            silent = sum(_is_silent(item, way.left, now_us) for item in there)
            going = moves + len(self.hints) >= LEAST_SHARE * silent
        if going and not self.going:
            self.began_us = now_us
            self.silent_us = 0.0
        self.going = going

    def rest(self, now_us: int) -> None:
        """After a look: when the next one may find something.

        It may be too early, never too late: what is found, and when, is the same as if each look were made.
        """
        moves = self.moves_at(now_us)
        if moves >= LEAST_MOVES or moves + len(self.hints) >= LEAST_HINTS:
            self.due_us = 0.0
            return
        # Too few go, and moves and hints only fade: it waits for those that are silent, and for its end.
        over_us: float = self._known_until_us
        if moves >= FORGOTTEN_MOVES:
            over_us = max(over_us, now_us + FADES_US * math.log(moves / FORGOTTEN_MOVES) - EARLY_US)
        if self.hints:
            over_us = max(over_us, max(self.hints.values()) + FADES_US)
        self.due_us = min(self.silent_us, over_us) if self.awaits(now_us) else over_us

    def asks_nats(self, now_us: int) -> float:
        """So much the reads of an item must say at least for its having gone along; infinite where nobody went."""
        if self.going:
            return LEAST_NATS
        return LATE_NATS if self.awaits(now_us) else math.inf

    def is_over(self, now_us: int) -> bool:
        """Nobody goes any more, and what became of those that did is of no account."""
        return self.moves_at(now_us) < FORGOTTEN_MOVES and not self.hints and now_us > self._known_until_us

    @property
    def _known_until_us(self) -> int:
        known_us = REMEMBERED_US if self.followed else AWAITED_US if self.began_us is not None else 0
        return known_us + (self.moved_us if self.began_us is None else self.began_us)

    def awaits(self, now_us: int) -> bool:
        """Whether those that fell silent when the others went may follow yet."""
        return self.began_us is not None and now_us - self.began_us <= AWAITED_US

    @property
    def is_mistaken(self) -> bool:
        """So many of the followers were found where they had been that the others are there, too."""
        return self.returned >= LEAST_MISTAKES and self.returned >= MISTAKEN_SHARE * len(self.followed)


class Company:
    """Who went where of late, and who is left."""

    __slots__ = ("_homes", "_loads", "_looked_us", "_waves", "due_us", "products")

    def __init__(self, homes: Homes) -> None:
        self._homes = homes
        self._loads = Loads()
        self._waves: dict[Way, Wave] = {}
        # When waves were looked at last, or the first of them began.
        self._looked_us = 0
        self.due_us: float = math.inf
        """When waves are looked at next; infinite where nobody went of late."""
        self.products: set[str] = set()
        """The GTINs of those that went of late."""

    def went(self, item: Item, left: LiveZone, entered: LiveZone, now_us: int) -> bool:
        """The item's own reads say that it went. False: it followed others, is back, and never went."""
        if not go_together(left, entered):
            return True
        gtin = item.identity.gtin
        if item.location.followed_from is entered:
            # It is back, and had never gone: that is no move, but speaks against those that it followed.
            if (mistaken := self._waves.get(Way(gtin, entered, left))) is not None and item in mistaken.followed:
                mistaken.returned += 1
                self._wake(mistaken, now_us)
                return False
            return True
        wave = self._wave(Way(gtin, left, entered), now_us)
        wave.add(now_us)
        self._wake(wave, now_us)
        self._load(item, left, entered, now_us, 1.0)
        return True

    def settled(self, item: Item, now_us: int) -> None:
        """The item counts in another zone now: it may hint no more."""
        if item.identity.gtin in self.products:
            for wave in self._waves.values():
                if item in wave.hints:
                    self._wake(wave, now_us)

    def read_late(self, item: Item, now_us: int) -> None:
        """The item was read later than had been known, though not now: it may have fallen silent with others."""
        if item.identity.gtin in self.products:
            for way, wave in self._waves.items():
                if way.gtin == item.identity.gtin:
                    wave.silent_us = 0.0
                    self._wake(wave, now_us)

    def _wake(self, wave: Wave, now_us: int) -> None:
        """Look at it at the next occasion."""
        wave.due_us = 0.0
        self._look_at(now_us)

    def _look_at(self, due_us: float) -> None:
        """Look at all then, if not before."""
        if due_us < math.inf:
            self.due_us = min(self.due_us, _next_look_us(max(self._looked_us, int(due_us) - 1)))

    def _load(self, item: Item, left: LiveZone, entered: LiveZone, now_us: int, share: float) -> None:
        """It was on a load, as surely as that; the others of that are looked for at the next occasion."""
        self._loads.went(item, left, entered, now_us, share)
        self._look_at(max(now_us, self._loads.due_us))

    def hear(self, item: Item, zone: LiveZone, now_us: int) -> None:
        """An item that is counted in `zone` was read, and more zones than that have read it: may it be on its way?"""
        location, own = item.location, item.location.own
        if own is None or now_us - location.since_us < SETTLED_US:
            return
        for rival in location.evidence:
            if rival.looks and rival is not own and seems_gone(rival) and go_together(zone, rival.zone):
                self._load(item, zone, rival.zone, now_us, SEEMS_SHARE)
        if own.fast * HINT_TIMES > own.slow or now_us - location.since_us < LEARNT_US:
            return
        reach_s = location.reach_s(now_us)
        for rival in location.evidence:
            if rival is own or rival.fast <= HINT_TIMES * rival.slow or not go_together(zone, rival.zone):
                continue
            if rival.often * max(reach_s, rival.fast_s) < HINT_LOOKS * LN2:
                wave = self._wave(Way(item.identity.gtin, zone, rival.zone), now_us)
                wave.hints[item] = now_us
                if wave.moves + len(wave.hints) >= LEAST_HINTS:
                    self._wake(wave, now_us)

    def follow(self, item: Item, left: LiveZone, entered: LiveZone, now_us: int) -> None:
        """The item is to be where others of its product, or of its load, went."""
        self._wave(Way(item.identity.gtin, left, entered), now_us).followed[item] = None

    def calls(self, item: Item, zone: LiveZone, now_us: int) -> LiveZone | None:
        """The zone that an item which was just read in `zone` has followed others to, if any."""
        location, own = item.location, item.location.own
        if own is None or now_us - location.since_us < SETTLED_US:
            return None
        for rival in location.evidence:
            if rival is own or rival.fast <= LEAST_HEARD * own.fast:
                continue
            wave = self._waves.get(Way(item.identity.gtin, zone, rival.zone))
            nats = rival.nats
            if wave is not None and nats >= wave.asks_nats(now_us):
                return rival.zone
            if self._loads.hold(item, zone, rival.zone, nats, now_us):
                self._go(item, zone, rival, now_us)
                return rival.zone
        return None

    def followers(self, now_us: int) -> Iterator[tuple[Item, LiveZone, LiveZone]]:
        """Items that fell silent where others left, that zone, and the one that these went to; to be settled there."""
        if now_us < self.due_us:
            return
        self._looked_us = now_us
        yield from islice(chain(self._silent(now_us), self._laden(now_us)), MOST_AT_ONCE)
        self._loads.forget(now_us)
        self._forgot()

    def _go(self, item: Item, left: LiveZone, rival: Evidence, now_us: int) -> None:
        """The item was on a load; where its own reads nearly say so it speaks for the others of its product, too."""
        if seems_gone(rival):
            wave = self._wave(Way(item.identity.gtin, left, rival.zone), now_us)
            wave.add(now_us)
            self._wake(wave, now_us)

    def _laden(self, now_us: int) -> Iterator[tuple[Item, LiveZone, LiveZone]]:
        """Those that were on a load of which more is known now."""
        grown = self._loads.grown
        for load, (left, entered) in list(grown.items()):
            for gtin in load.products:
                for item in list(self._homes.of(gtin, left)):
                    rival = _rival(item, entered, now_us)
                    if rival is None:
                        continue
                    if self._loads.hold(item, left, entered, rival.nats, now_us):
                        self._go(item, left, rival, now_us)
                        yield item, left, entered
            # Not before all of them have been looked through: this look may be too short for that.
            del grown[load]

    def _silent(self, now_us: int) -> Iterator[tuple[Item, LiveZone, LiveZone]]:
        for way, wave in list(self._waves.items()):
            if wave.due_us > now_us:
                continue
            # Should this look be too short for all of them, the next one goes on.
            wave.due_us = 0.0
            if wave.is_mistaken:
                for item in list(self._homes.of(way.gtin, way.entered)):
                    if item.location.followed_from is way.left and item in wave.followed:
                        yield item, way.entered, way.left
                del self._waves[way]
                continue
            there = self._homes.of(way.gtin, way.left)
            wave.look(way, there, now_us)
            if wave.is_over(now_us):
                del self._waves[way]
                continue
            if wave.began_us is not None and wave.silent_us <= now_us and wave.awaits(now_us):
                wave.silent_us = 0.0
                if way.left.clock.running:
                    yield from self._fallen(way, wave, wave.began_us, now_us)
            wave.rest(now_us)

    def _fallen(self, way: Way, wave: Wave, began_us: int, now_us: int) -> Iterator[tuple[Item, LiveZone, LiveZone]]:
        """Those that fell silent when a wave began; and when others of them will have been silent for long enough."""
        left, latest_us = way.left, began_us + FADES_US
        # Whoever is read by then may fall silent in time once more, and later nobody.
        silent_us: float = now_us + HEARD_US if now_us <= latest_us + LATE_READ_US else began_us + AWAITED_US
        for item in list(self._homes.of(way.gtin, left)):
            if item.seen_us > latest_us:
                continue
            waits_us = _waits_us(item, left, now_us)
            if waits_us > 0:
                from_us = now_us + waits_us - EARLY_US
                if from_us < silent_us and _fell_silent(item, began_us):
                    silent_us = from_us
            elif _is_silent(item, left, now_us) and _fell_silent(item, began_us):
                yield item, left, way.entered
        wave.silent_us = silent_us

    def configure(self, zones: Mapping[str, LiveZone]) -> None:
        """Only these zones exist from now on."""
        for way in list(self._waves):
            if zones.get(way.left.id) is not way.left or zones.get(way.entered.id) is not way.entered:
                del self._waves[way]
        self._loads.configure(zones)
        self._forgot()

    def _wave(self, way: Way, now_us: int) -> Wave:
        """Those that go this way, from now on if nobody did."""
        wave = self._waves.get(way)
        if wave is None:
            if not self._waves:
                self._looked_us = now_us
            wave = self._waves[way] = Wave(now_us)
            self.products.add(way.gtin)
            self._wake(wave, now_us)
        return wave

    def _forgot(self) -> None:
        self.products = {way.gtin for way in self._waves}
        self.products.update(self._loads.products())
        self.due_us = math.inf
        self._look_at(min((wave.due_us for wave in self._waves.values()), default=math.inf))
        self._look_at(self._loads.due_us)


def _next_look_us(now_us: int) -> int:
    """At fixed moments, so that ticks which are left out because nothing happens change nothing."""
    return (now_us // LOOK_US + 1) * LOOK_US


def _rival(item: Item, entered: LiveZone, now_us: int) -> Evidence | None:
    """What that zone hears of an item that counts elsewhere; None where it never did, or the item is new."""
    location = item.location
    if location.own is None or now_us - location.since_us < SETTLED_US or item.presence not in COUNTED:
        return None
    return next((rival for rival in location.evidence if rival.zone is entered), None)


def _fell_silent(item: Item, began_us: int) -> bool:
    """Whether an item was read last at about that time."""
    pace_us = int(item.unexplained_s * US_PER_S)
    return began_us - FADES_US - pace_us < item.seen_us <= began_us + FADES_US


def _waits_us(item: Item, zone: LiveZone, now_us: int) -> float:
    """How long it takes at least until an item that is not read is silent for long enough; not above 0: it may be."""
    silent_s = zone.clock_s - item.seen_clock_s
    # The cheaper half of `unexplained_s` first: nearly all are looked at in vain.
    left_s = SILENT_TIMES * UNEXPLAINED_PACES * item.location.pace_s - silent_s
    if left_s <= 0.0:
        left_s = SILENT_TIMES * item.unexplained_s - silent_s
    return max(left_s * US_PER_S, item.location.since_us + SETTLED_US - now_us)


def _is_silent(item: Item, zone: LiveZone, now_us: int) -> bool:
    """Whether an item that has long been in `zone`, and was read there, is silent for longer than chance explains."""
    silent_s = zone.clock_s - item.seen_clock_s
    if silent_s < SILENT_TIMES * UNEXPLAINED_PACES * item.location.pace_s:
        return False
    since_us = item.location.since_us
    if item.presence not in COUNTED or item.unproven or now_us - since_us < SETTLED_US or item.seen_us <= since_us:
        return False
    return silent_s >= SILENT_TIMES * item.unexplained_s
