"""Where an item is: evidence per zone (`evidence.py`), and when another zone takes the item over.

An item moves when it was carried, as far as its reads can tell: its own zone hears less of it than it used to, another
one more; or its own zone has been silent for so long that it is rather where it is heard. And it moves when another
zone has had more evidence for long, or its own zone has all but lost it: then it was in the wrong place. Which company
an item keeps is another reason (`company.py`).
"""

import math
from collections.abc import Collection, Mapping

from gateway.domain.evidence import NEVER_HEARD_DB, NEVER_S, NEVER_US, Evidence, fast_half_life_s
from gateway.domain.params import PresenceParams
from gateway.domain.records import PlaceRecord
from gateway.domain.silence import SHORTEST_S, UNEXPLAINED_PACES, pool_of
from gateway.domain.zones import LN2, US_PER_S, LiveZone

# A zone has lost a tag of which it hears less than this share of what it used to hear: fading alone seldom does that.
LOST_SHARE = 1 / 30
# A fade goes by in this share of the time within which looks are alike, which counts before and after a look.
FADE_SHARE = 0.3
FIRST_MEMORY_S = PresenceParams().memory_s
# By so many nats more than asked for it is believed at once: who is heard by two antennas alike is seldom so sure.
MORE_NATS = 1.0
# More for long: so many standard errors of the looks that it was learnt from.
SURE_ERRORS = 2.0
# It is where it is heard once that is likelier, by so many nats, than that its own zone is silent for so long ...
GONE_NATS = 3.0
# ... to which what that zone hears adds so much at most: when bodies come and go, cross-reads come and go, too.
MOST_SURPRISE = 3.0
# An item that went where others are may be carried back: its own zone is silent for so many times what is unexplained.
LONG_TIMES = 4.0
# Its place is sure where its own zone hears it so many times better than any other: whoever counts the others, too,
# counts what followed from counting.
SURE_TIMES = 10.0
# The slow evidence goes back half of the time since the last move.
TWO_S_US = 2 * US_PER_S


class Location:
    """One item's evidence for every zone that has read it, and the rival that may take it over.

    `pace_s` is the mean time between two reads of this item, as learnt; `since_us` is when it last moved, and
    `memory_s` how far back the slow evidence goes at most where it is now. `own` is the evidence for the zone that it
    is counted in. Where it followed others here, out of the zone `followed_from`, that zone takes it back when it hears
    `as_before` of it, and no other one by having heard more for long unless it hears as much. `told`: its own reads
    have brought it here from another zone.
    """

    __slots__ = (
        "as_before",
        "evidence",
        "followed_from",
        "memory_s",
        "own",
        "pace_s",
        "rival",
        "rival_since_us",
        "since_us",
        "told",
    )

    def __init__(self, pace_s: float, now_us: int) -> None:
        self.evidence: tuple[Evidence, ...] = ()
        self.pace_s = pace_s
        self.own: Evidence | None = None
        self.followed_from: LiveZone | None = None
        self.as_before = 0.0
        self.memory_s = FIRST_MEMORY_S
        self.rival: LiveZone | None = None
        self.rival_since_us = 0
        self.since_us = now_us
        self.told = False

    def set_pace(self, pace_s: float) -> None:
        """The item is read this often, as it turns out."""
        self.pace_s = pace_s
        for evidence in self.evidence:
            evidence.fast_s = fast_half_life_s(evidence.zone.params.presence, pace_s)

    def add(self, zone: LiveZone, weight: float, dbm: float) -> None:
        """Reads of this weight in all came from `zone`, now, at this mean strength."""
        own = self.own
        evidence = own if own is not None and own.zone is zone else self.of(zone)
        if own is not None and len(self.evidence) > 1:
            silent_s = zone.clock_s - evidence.clock_s
            if evidence is own:
                for rival in self.evidence:
                    if rival is not own:
                        rival.own_heard(own, silent_s, dbm)
                        rival.looks = 0
            else:
                evidence.unheard(own, silent_s)
                evidence.heard(own, dbm)
                evidence.looks += 1
        evidence.add(weight, dbm, self.reach_s(zone.tick_us))
        if evidence.habit is not None and evidence is not own:
            evidence.habit.hear(evidence.fast, zone.tick_us)

    def reach_s(self, now_us: int) -> float:
        """How far back the slow evidence goes now."""
        half_s = (now_us - self.since_us) / TWO_S_US
        return half_s if half_s < self.memory_s else self.memory_s

    def of(self, zone: LiveZone) -> Evidence:
        """The evidence for `zone`; a zone that is new here starts with none."""
        for evidence in self.evidence:
            if evidence.zone is zone:
                return evidence
        own = self.own
        evidence = (
            Evidence(zone, self.pace_s) if own is None else Evidence(zone, self.pace_s, own.level_dbm - NEVER_HEARD_DB)
        )
        self.evidence = (*self.evidence, evidence)
        return evidence

    @property
    def is_sure(self) -> bool:
        """Whether no other zone hears it nearly as well as its own."""
        own = self.own
        if own is None or len(self.evidence) == 1:
            return len(self.evidence) == 1
        return all(rival is own or SURE_TIMES * rival.slow <= own.slow for rival in self.evidence)

    def strongest(self, *, doors: bool = True) -> LiveZone | None:
        """The zone with most evidence, None where nothing was read; without `doors` one that nobody leaves by."""
        watched = (
            evidence for evidence in self.evidence if evidence.zone.antennas and (doors or not _is_door(evidence.zone))
        )
        best = max(watched, key=lambda evidence: evidence.now(self.reach_s(evidence.zone.tick_us))[1], default=None)
        if best is None:
            return None
        if best.zone is self.followed_from and self.own is not None and best.fast < self.as_before:
            return self.own.zone
        return best.zone

    def passes(self, door: LiveZone, *, carried: bool) -> bool:
        """Whether an item that is no stock stands in a door which hears it, and does not only lie near by."""
        evidence = self.of(door)
        return _is_enough(evidence) and _is_unusual(evidence, carried=carried)

    def decide(self, current: LiveZone, now_us: int, *, carried: bool = False) -> LiveZone:
        """The zone to count the item in: `current`, or a rival that has beaten it for its dwell.

        That it is being `carried` speaks for a door that hears it.
        """
        if len(self.evidence) == 1 and self.evidence[0].zone is current:
            return current
        own = self.own
        if own is None or own.zone is not current:
            own = self.own = self.of(current)
        self._bring_up(own, now_us)
        # Of a zone that is not fully looked at even strong evidence may be old.
        least = own.fast if current.clock.running else 0.0
        best = None
        for rival in self.evidence:
            if rival is not own:
                fast = rival.fast * rival.zone.odds(current)
                if fast > least and self._takes_over(rival, own, carried=carried):
                    best, least = rival, fast
        if best is None:
            self.rival = None
            return current
        if best.zone is not self.rival:
            self.rival, self.rival_since_us = best.zone, now_us
        presence = best.zone.params.presence
        # Where its sequential test has said it surely, another look would say no more; all else may be a moment's.
        surely = presence.move_nats and best.says(presence.move_nats + MORE_NATS)
        if surely or now_us - self.rival_since_us >= presence.move_dwell_s * US_PER_S:
            return best.zone
        return current

    def _takes_over(self, rival: Evidence, own: Evidence, *, carried: bool) -> bool:
        """Whether the item belongs to the zone of `rival` now.

        Evidence of a zone that is not fully looked at stands still, so it cannot be outgrown: there, as much of it is
        enough to move, if the rival had not heard as much before. A zone without antennas holds nothing any more.
        """
        if not rival.zone.antennas:
            return False
        if not own.zone.clock.running:
            return not own.zone.antennas or (rival.fast > own.slow and _is_news(rival, carried=carried))
        # Any reason asks for so much at least.
        if not _is_enough(rival):
            return False
        if rival.zone is self.followed_from and rival.fast < self.as_before:
            return self._has_long_been_silent(own) and _was_carried(rival, own, carried=carried)
        if _was_carried(rival, own, carried=carried) or self._is_gone(rival, own):
            return True
        # What lies near a door may be heard best there for ever, and has not gone.
        lies_near = not carried and _is_door(rival.zone) and not _is_door(own.zone)
        return not lies_near and self._was_misplaced(rival, own)

    def _was_misplaced(self, rival: Evidence, own: Evidence) -> bool:
        """Whether the rival has had more for long, or the own zone has all but lost the item.

        Cross-reads that have always been there are all that is left when a body takes the own reads away. One that
        followed others was misplaced if the zone that these left hears it as before. Most of what two zones hear alike
        lies in the one that surely holds most.
        """
        params = rival.zone.params.presence
        odds = rival.zone.odds(own.zone)
        if rival.fast * odds <= params.move_margin * own.fast:
            return False
        if self.followed_from is not None:
            return rival.zone is self.followed_from or rival.slow > self.as_before
        sure = 1.0
        if params.move_nats:
            looks = (own.often + rival.often) * max(rival.fast_s, self.reach_s(own.zone.tick_us)) / LN2
            sure += SURE_ERRORS / math.sqrt(looks) if looks else SURE_ERRORS
        return rival.slow * odds > sure * own.slow or _has_lost_it(own)

    def _has_long_been_silent(self, own: Evidence) -> bool:
        """Whether its own zone, which has read it since it came, does not for much longer than chance explains."""
        silent_s = own.zone.clock_s - own.heard_s
        if own.heard_s == NEVER_S or silent_s <= SHORTEST_S:
            return False
        return silent_s > LONG_TIMES * UNEXPLAINED_PACES * own.pace_s(silent_s, self.reach_s(own.zone.tick_us))

    def _is_gone(self, rival: Evidence, own: Evidence) -> bool:
        """Whether its own zone is silent for so long that it is rather where it is heard.

        How rarely an item that is there falls silent for so long has been learnt (`silence.py`), and so has how often
        one is carried to another zone. One that followed others may never have been heard where it is.
        """
        zone = own.zone
        silent_s = zone.clock_s - own.heard_s
        if silent_s <= SHORTEST_S or self.followed_from is not None or own.heard_s == NEVER_S or _is_door(rival.zone):
            return False
        reach_s = self.reach_s(zone.tick_us)
        pace_s = own.pace_s(silent_s, reach_s)
        excess_s = silent_s - max(SHORTEST_S, UNEXPLAINED_PACES * pace_s)
        if excess_s <= 0.0:
            return False
        stays_per_s = pool_of(zone.silences, pace_s, carried=False).lasting_per_s(excess_s)
        surprise = rival.surprise(silent_s, reach_s)
        return math.log(zone.moves_per_s / stays_per_s) + min(MOST_SURPRISE, surprise) >= GONE_NATS

    def _bring_up(self, own: Evidence, now_us: int) -> None:
        """All evidence as of now; that nothing was read says something, too."""
        reach_s = self.reach_s(now_us)
        own_silent_s = own.zone.clock_s - own.clock_s
        for evidence in self.evidence:
            if evidence is not own:
                if own_silent_s > 0.0:
                    evidence.own_unheard(own, own_silent_s)
                if evidence.news:
                    evidence.unheard(own, evidence.zone.clock_s - evidence.clock_s)
                evidence.fade(reach_s)
        if own.tick_us != now_us:
            own.fade(reach_s)

    def settle(self, zone: LiveZone, now_us: int, *, taken_back: float = 0.0) -> None:
        """The item is in `zone` from now on: what was before says nothing about it there.

        The old zone and the new one have exchanged their parts. An item that went where others are may go on being
        heard from where it was, as long as that is less than `taken_back` times what it used to be; 0: it went alone.
        """
        own, old = self.of(zone), self.own
        if old is not own:
            self.followed_from = None
            self.told = old is not None and not taken_back
        if old is not None and old is not own:
            if taken_back:
                self.followed_from, self.as_before = old.zone, taken_back * old.slow
                own.heard_s, own.heard_us = NEVER_S, NEVER_US
                for evidence in self.evidence:
                    evidence.fast = 0.0
            own.often, old.often = old.often, own.often
            own.level_dbm, old.level_dbm = old.level_dbm, own.level_dbm
            if old.habit is not None:
                old.habit.left(now_us, passed=_is_door(zone))
        self.own = own
        self.rival = None
        self.since_us = now_us
        self.memory_s = zone.params.presence.memory_s
        if own.habit is not None:
            own.habit.entered(own.fast)
        for evidence in self.evidence:
            evidence.slow = evidence.fast
            evidence.news = evidence.absence = 0.0

    def keep(self, zones: Collection[str]) -> None:
        """Only these zones exist from now on."""
        self.evidence = tuple(evidence for evidence in self.evidence if evidence.zone.id in zones)
        if self.rival is not None and self.rival.id not in zones:
            self.rival = None
        if self.own is not None and self.own.zone.id not in zones:
            self.own = None
        if self.followed_from is not None and self.followed_from.id not in zones:
            self.followed_from = None

    # -- what outlives the process ----------------------------------------------------------------------------

    def record(self, shift_us: int) -> PlaceRecord:
        """As the ledger keeps it; UTC is `shift_us` more than the gateway's own clock."""
        return PlaceRecord(
            own=self.own.zone.id if self.own is not None else None,
            since_utc_us=self.since_us + shift_us,
            followed_from=self.followed_from.id if self.followed_from is not None else None,
            as_before=self.as_before,
            heard=tuple(evidence.record() for evidence in self.evidence),
            told=self.told,
        )

    def restore(
        self,
        record: PlaceRecord,
        zones: Mapping[str, LiveZone],
        shift_us: int,
        written_us: int,
        aged_s: float,
        now_us: int,
    ) -> None:
        """Go on with what an earlier life had heard: written at `written_us` and `aged_s` older by now; of zones that
        there are no more, nothing. The gateway's own clock is `shift_us` more than UTC.

        The longer nobody looked, the sooner what was heard before gives way to what is heard now: it may have been
        carried meanwhile.
        """
        self.evidence = ()
        for heard in record.heard:
            if heard.zone in zones:
                self.of(zones[heard.zone]).restore(heard, written_us, aged_s)
        own, followed_from = (None if name is None else zones.get(name) for name in (record.own, record.followed_from))
        self.told = record.told
        if own is not None:
            self.own = self.of(own)
            self.memory_s = own.params.presence.memory_s
            memory_us = self.memory_s * US_PER_S
            age_us = min(2.0 * memory_us, max(0, written_us - record.since_utc_us - shift_us))
            self.since_us = now_us - int(age_us * memory_us / (memory_us + max(0, now_us - written_us)))
        if followed_from is not None:
            self.followed_from, self.as_before = followed_from, record.as_before


def _is_door(zone: LiveZone) -> bool:
    return zone.params.presence.leaves_silent


def _is_enough(rival: Evidence) -> bool:
    """Whether so much was heard as its zone asks for."""
    return rival.fast * rival.fast_s >= rival.zone.params.presence.move_weight * LN2


def _is_unusual(rival: Evidence, *, carried: bool) -> bool:
    """Whether a zone that people pass hears more of the item than when it lay near by."""
    if rival.habit is None:
        return True
    times = rival.zone.params.presence.move_change
    return rival.fast > (min(1.0, times) if carried else times) * rival.habit.usual


def _has_lost_it(own: Evidence) -> bool:
    """Whether a zone hears next to nothing of what it used to, and has not heard it for longer than a fade lasts."""
    return own.fast < own.slow * LOST_SHARE and own.zone.clock_s - own.heard_s >= FADE_SHARE * own.zone.fading.same_s


def _is_news(rival: Evidence, *, carried: bool) -> bool:
    """Whether this zone hears so much more of the item than it used to that nothing need be asked of its own zone."""
    params = rival.zone.params.presence
    return rival.news >= params.move_nats if params.move_nats else _is_unusual(rival, carried=carried)


def _was_carried(rival: Evidence, own: Evidence, *, carried: bool) -> bool:
    """Whether what has changed speaks for a move.

    Bodies and fading take reads away, so that own evidence goes down says little: the rival's must be news by itself.
    """
    params = rival.zone.params.presence
    if not params.move_nats:
        return rival.fast > params.move_margin * own.fast and _is_unusual(rival, carried=carried)
    return rival.says(params.move_nats)
