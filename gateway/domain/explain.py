"""Why an item counts where it counts: every number that the decision stands on, as plain values."""

from dataclasses import dataclass

from gateway.domain.items import Item
from gateway.domain.presence import COUNTED
from gateway.domain.tags import key_epc


@dataclass(frozen=True, slots=True)
class Heard:
    """What one antenna has read of the item since it is known; `last_us` on the gateway's monotonic clock."""

    reader: str
    antenna: int
    zone: str
    reads: int
    last_us: int


@dataclass(frozen=True, slots=True)
class ForZone:
    """What speaks for one zone: reads per second, weighted by strength, halving every `half_life_s`.

    `before` is the same since the item last moved, over a time that is longer. `often` and `level_dbm` are how the zone
    is used to hear the item: reads per second, mean strength. `nats` is what has changed since, as a log likelihood
    ratio for the item's having been carried here; None for the zone that it is counted in. `usual` is the most evidence
    that one bout of hearing brought while the item was elsewhere; None where people do not just pass.
    """

    zone: str
    state: str
    evidence: float
    half_life_s: float
    before: float
    often: float
    level_dbm: float
    nats: float | None
    usual: float | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What its zone asks for. Silences in seconds.

    So many `nats` of another zone move it (0: none do), or `margin` times the evidence of its own zone, either for
    `dwell_s`. `followed_from`: the zone that it left to be with others of its product; that one takes it back from so
    much evidence (`as_before`) on.

    `silence_s` is counted only while the whole zone is looked at (`counting`); `deaf` are the antennas that are up and
    suddenly hear nothing. `leaves_silent`: silence of `departed_after_s` is leaving; elsewhere it is first missing.
    """

    silence_s: float
    counting: bool
    deaf: tuple[str, ...]
    missing_after_s: float
    departed_after_s: float
    leaves_silent: bool
    nats: float
    margin: float
    followed_from: str | None
    as_before: float | None
    dwell_s: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """What its zone has learnt of items that are read as often, fading by half in a day of looking.

    `silences` have ended that the pace does not explain, after `mean_s` in the mean, both as they count today. One item
    leaves unseen in `stay_s` of looking at items. `patience_s` is the unexplained silence that one is given up after.
    """

    silences: float
    mean_s: float
    stay_s: float
    patience_s: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """One item. Times are microseconds of the gateway's monotonic clock; `bounds` is None where it does not count.

    `read_chance`: the learnt probability that a healthy second brings a read. `reads` of `reads_needed` have come of an
    item that does not count (yet), or counts by its first read only (`by_first_read`). `longest_s` is its own longest
    silence where it is now, beyond what its pace explains; from `unexplained_s` on a silence is more than chance.
    `learnt` is None where silence is judged by nothing learnt. `stir_db`: how much its strength jumps from look to look
    of late; `carried`: that is much more than is usual. `rival`: the zone that has the margin, since `rival_since_us`.
    """

    gtin: str
    serial: str
    epcs: tuple[str, ...]
    presence: str
    zone: str | None
    changed_us: int
    seen_us: int
    read_chance: float
    reads_every_s: float
    reads: int
    reads_needed: int
    by_first_read: bool
    unexplained_s: float
    longest_s: float
    stir_db: float
    carried: bool
    learnt: Learnt | None
    heard: tuple[Heard, ...]
    zones: tuple[ForZone, ...]
    bounds: Bounds | None
    rival: str | None
    rival_since_us: int


def explain(item: Item) -> Explanation:
    """The state of `item` as the last tick left it."""
    location = item.location
    place = item.zone or location.strongest()
    rival = location.rival
    heard = (Heard(*cell.ear.antenna, cell.ear.zone.id, cell.total, cell.last_us) for cell in item.cells if cell.total)
    zones = (
        ForZone(
            evidence.zone.id,
            evidence.zone.state.value,
            fast,
            evidence.fast_s,
            slow,
            evidence.often,
            evidence.level_dbm,
            None if evidence is location.own else evidence.nats,
            None if evidence.habit is None else evidence.habit.usual,
        )
        for evidence in location.evidence
        for fast, slow in (evidence.now(location.reach_s(evidence.zone.tick_us)),)
    )
    return Explanation(
        gtin=item.identity.gtin,
        serial=item.identity.serial,
        epcs=tuple(key_epc(key).hex().upper() for key in item.keys),
        presence=item.presence.value,
        zone=item.zone.id if item.zone is not None else None,
        changed_us=item.changed_us,
        seen_us=item.seen_us,
        read_chance=item.read_chance,
        reads_every_s=location.pace_s,
        reads=item.reads,
        reads_needed=place.params.presence.observed_reads if place is not None else 0,
        by_first_read=item.presence in COUNTED and item.unproven,
        unexplained_s=item.unexplained_s,
        longest_s=item.longest_s,
        stir_db=item.stir_db,
        carried=item.carried,
        learnt=_learnt(item),
        heard=tuple(sorted(heard, key=lambda one: -one.reads)),
        zones=tuple(sorted(zones, key=lambda one: -one.evidence)),
        bounds=_bounds(item),
        rival=rival.id if rival is not None else None,
        rival_since_us=location.rival_since_us,
    )


def _learnt(item: Item) -> Learnt | None:
    pool = item.pool
    if pool is None or item.zone is None or item.zone.params.presence.leaves_silent:
        return None
    return Learnt(pool.silences, pool.mean_excess_s, 1.0 / pool.leave_rate, pool.patience_s)


def _bounds(item: Item) -> Bounds | None:
    zone = item.zone
    if zone is None or item.presence not in COUNTED:
        return None
    params = zone.params.presence
    followed_from = item.location.followed_from
    return Bounds(
        silence_s=zone.clock_s - item.seen_clock_s,
        counting=zone.clock.running,
        deaf=tuple(f"{reader}:{port}" for reader, port in sorted(zone.deaf)),
        missing_after_s=item.missing_after_s(params),
        departed_after_s=item.departed_after_s(zone),
        leaves_silent=params.leaves_silent,
        nats=params.move_nats,
        margin=params.move_margin,
        followed_from=followed_from.id if followed_from is not None else None,
        as_before=item.location.as_before if followed_from is not None else None,
        dwell_s=params.move_dwell_s,
    )
