"""Shops that others would draw: each a published model of RFID reads, or a figure that users repeat, stated outright.

Every family is a function of (name, seed) to a trace. What is not said in its docstring is the same everywhere: 4 dB
of RSSI around a mean, reports within 150 ms, products of ten items.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from simulators.plain.trace import NOBODY, Floats, Item, Outage, Trace, fading, log_uniform, on_off
from simulators.recording import Recording
from simulators.shop.board import NO_WEIGHING, Weighing

HOUR = 3600
FLOOR = {"floor": "sales_floor"}
FLOOR_PLACE: Mapping[str, str | None] = {"floor": "floor"}
TWO = {"floor": "sales_floor", "backroom": "backroom"}


def static(
    name: str,
    seed: int,
    *,
    hours: float = 2.0,
    tags: int = 150,
    low: float = 0.005,
    leavers: float = 0.0,
    newcomers: float = 0.0,
    bursts: bool = False,
    ghosts: int = 0,
    of_product: int = 10,
    every_read: bool = False,
) -> Trace:
    """Independent draws (Bernoulli), the chance of each tag log-uniform; some leave unseen, some come.

    `bursts`: Gilbert and Elliott's channel for each tag, and one more for all of a rack: bodies.
    """
    trace = Trace(name, seed, round(hours * HOUR), FLOOR, FLOOR_PLACE, [("r", 1, "floor")], every_read=every_read)
    rng, seconds = trace.rng, trace.seconds
    racks = [on_off(rng, seconds, rng.uniform(300, 1200), rng.uniform(20, 240)) for _ in range(8)]
    for tag in range(tags):
        until_s = rng.uniform(0, seconds) if rng.random() < leavers else math.inf
        from_s = rng.uniform(0, seconds / 2) if rng.random() < newcomers else 0.0
        place = trace.course((from_s, 0), *([(until_s, NOBODY)] if from_s < until_s < seconds else []))
        shade = None
        if bursts:
            own = on_off(rng, seconds, log_uniform(rng, 20, 600), log_uniform(rng, 5, 200))
            shade = (own * racks[tag % len(racks)])[:, None]
        trace.add(Item(tag // of_product, place, _one(log_uniform(rng, low, 0.95)), _one(-60.0), shade))
    for _ in range(ghosts):
        trace.ghost(rng.uniform(0, seconds), 0)
    return trace


def crossed(
    name: str,
    seed: int,
    *,
    hours: float = 2.0,
    tags: int = 120,
    moves_per_hour: float = 0.3,
    perverse: float = 0.0,
    correlated: bool = True,
    grain_us: int = 1,
    constant_dbm: int | None = None,
) -> Trace:
    """Two zones, both antennas read all: rates 1:1 to 1:10, levels 0 to 10 dB apart, moves at Poisson times.

    `perverse`: that share of the tags is read better by the wrong antenna wherever it lies. `correlated`: fading is a
    Gauss-Markov process of 5 to 60 s and moves the chance, too.
    """
    trace = Trace(
        name, seed, round(hours * HOUR), TWO, _same(TWO), [("r", 1, "floor"), ("s", 1, "backroom")],
        grain_us=grain_us, constant_dbm=constant_dbm,
    )  # fmt: skip
    rng, seconds = trace.rng, trace.seconds
    for tag in range(tags):
        at_s, here = 0.0, int(rng.integers(2))
        stays = [(0.0, here)]
        while (at_s := at_s + rng.exponential(HOUR / moves_per_hour)) < seconds:
            here = 1 - here
            stays.append((at_s, here))
        chance, dbm = np.empty((2, 2)), np.empty((2, 2))
        for place in range(2):
            own, ratio, apart = log_uniform(rng, 0.02, 0.95), log_uniform(rng, 1, 10), rng.uniform(0, 10)
            level = rng.uniform(-65, -50)
            better, other = (place, 1 - place) if rng.random() >= perverse else (1 - place, place)
            chance[place, better], chance[place, other] = own, own / ratio
            dbm[place, better], dbm[place, other] = level, level - apart
        fade = fading(rng, seconds, 2, 4.0, log_uniform(rng, 5, 60)) if correlated else None
        shade = 10 ** (fade / 20) if fade is not None else None
        trace.add(Item(tag // 10, trace.course(*stays), chance, dbm, shade, fade))
    return trace


def portal(name: str, seed: int, *, hours: float = 2.0, tags: int = 150, exit_antenna: bool = True) -> Trace:
    """A shop with a door: what is bought passes it in 3 to 10 s, strays walk by and go back."""
    kinds = FLOOR | ({"door": "exit"} if exit_antenna else {})
    antennas = [("r", 1, "floor"), *([("d", 1, "door")] if exit_antenna else [])]
    places = {"floor": "floor", "by": "floor", "through": "door" if exit_antenna else "floor"}
    trace = Trace(name, seed, round(hours * HOUR), kinds, places, antennas)
    rng, seconds = trace.rng, trace.seconds
    for tag in range(tags):
        own = log_uniform(rng, 0.02, 0.9)
        chance = np.array([[own, 0.001], [0.2, rng.uniform(0.1, 0.5)], [0.05, rng.uniform(0.5, 0.95)]])
        dbm = np.array([[-58.0, -72.0], [-64.0, -66.0], [-68.0, -52.0]])
        stays = [(0.0, 0)]
        bought_s = rng.uniform(300, seconds) if rng.random() < 0.35 else math.inf
        for _ in range(rng.poisson(0.3)):
            by_s = rng.uniform(60, min(bought_s, seconds) - 30)
            stays += [(by_s, 1), (by_s + rng.uniform(3, 10), 0)]
        if bought_s < seconds - 20:
            stays = [stay for stay in stays if stay[0] < bought_s]
            stays += [(bought_s, 2), (bought_s + rng.uniform(3, 10), NOBODY)]
        width = len(antennas)
        trace.add(Item(tag // 10, trace.course(*sorted(stays)), chance[:, :width], dbm[:, :width]))
    return trace


def rooms(name: str, seed: int, *, hours: float = 2.0, tags: int = 120) -> Trace:
    """Fitting rooms behind a thin wall: in for 2 to 10 minutes, back or out of the shop by an exit nobody reads."""
    kinds = FLOOR | {"fitting": "fitting_room"}
    trace = Trace(name, seed, round(hours * HOUR), kinds, _same(kinds), [("r", 1, "floor"), ("f", 1, "fitting")])
    rng, seconds = trace.rng, trace.seconds
    for tag in range(tags):
        own = log_uniform(rng, 0.02, 0.9)
        leak = own / log_uniform(rng, 3, 100)
        room = rng.uniform(0.2, 0.9)
        chance = np.array([[own, leak], [room / log_uniform(rng, 2, 20), room]])
        dbm = np.array([[-58.0, -68.0], [-66.0, -56.0]])
        stays, at_s = [(0.0, 0)], 0.0
        while (at_s := at_s + rng.exponential(HOUR / 0.5)) < seconds - 700:
            stays.append((at_s, 1))
            at_s += rng.uniform(120, 600)
            if rng.random() < 0.3:
                stays.append((at_s, NOBODY))
                break
            stays.append((at_s, 0))
        trace.add(Item(tag // 10, trace.course(*stays), chance, dbm))
    return trace


def delivery(name: str, seed: int, *, hours: float = 2.0, tags: int = 100) -> Trace:
    """Three hundred pieces come at once, stand in receiving, go to the back room in boxes, a part on to the floor."""
    kinds = {"receiving": "receiving"} | {"backroom": "backroom", "floor": "sales_floor"}
    antennas = [(zone, 1, zone) for zone in kinds]
    trace = Trace(name, seed, round(hours * HOUR), kinds, _same(kinds), antennas)
    rng, seconds = trace.rng, trace.seconds

    def draw() -> tuple[Floats, Floats]:
        chance = np.empty((3, 3))
        for place in range(3):
            own = log_uniform(rng, 0.01, 0.8)
            chance[place] = [own / log_uniform(rng, 3, 200) for _ in range(3)]
            chance[place, place] = own
        return chance, np.where(np.eye(3) == 1, -58.0, -66.0) + rng.normal(0, 2, (3, 3))

    for tag in range(tags):
        trace.add(Item(tag // 10, trace.resting(2), *draw()))
    for box in range(15):
        come_s, back_s = rng.uniform(900, 1200), rng.uniform(2000, 3600)
        floor_s = rng.uniform(4000, seconds - 600) if rng.random() < 0.5 else math.inf
        for _ in range(20):
            stays = [(come_s + rng.uniform(0, 10), 0), (back_s + rng.uniform(0, 20), 1)]
            if floor_s < seconds:
                stays.append((floor_s + rng.uniform(0, 120), 2))
            trace.add(Item(10 + box, trace.course(*stays), *draw()))
    return trace


def silent(name: str, seed: int, *, hours: float = 2.0, tags: int = 120) -> Trace:
    """Sessions S2 and S3: a tag answers in short bursts, and is silent for minutes because it was read."""
    trace = Trace(name, seed, round(hours * HOUR), FLOOR, FLOOR_PLACE, [("r", 1, "floor")])
    rng, seconds = trace.rng, trace.seconds
    for tag in range(tags):
        until_s = rng.uniform(0, seconds) if rng.random() < 0.1 else math.inf
        place = trace.course((0, 0), *([(until_s, NOBODY)] if until_s < seconds else []))
        shade = on_off(rng, seconds, 3.0, log_uniform(rng, 30, 600))[:, None]
        trace.add(Item(tag // 10, place, _one(rng.uniform(0.3, 0.9)), _one(-58.0), shade))
    return trace


def outages(name: str, seed: int, *, hours: float = 3.0) -> Trace:
    """`crossed`, with a reader lost, a network with a backlog, and an antenna that dies and does not say so."""
    trace = crossed(name, seed, hours=hours, moves_per_hour=0.1, tags=100)
    trace.outages += [
        Outage("r", 2400, 3600),
        Outage("s", 4800, 5700, late=True),
        Outage("r", 7200, 8100, told=False),
    ]
    return trace


def walking(name: str, seed: int, *, hours: float = 1.0, tags: int = 50) -> Trace:
    """SMURF's detection field: 0.8 in the major region, then falling to nothing; tags pause, and move at 0.3 to 1 m/s.

    Two readers 6 m apart, each with 4.6 m of range; a tag is where the nearer reader is.
    """
    trace = Trace(name, seed, round(hours * HOUR), TWO, _metres(), [("r", 1, "floor"), ("s", 1, "backroom")])
    rng, seconds = trace.rng, trace.seconds
    metres = np.arange(61) / 10.0
    chance = np.stack([_smurf(metres), _smurf(6.0 - metres)], axis=1)
    dbm = np.stack([-50.0 - 3.0 * metres, -50.0 - 3.0 * (6.0 - metres)], axis=1)
    for tag in range(tags):
        at_m, at, place = rng.uniform(0, 6), 0, np.empty(seconds, dtype=np.int64)
        while at < seconds:
            to_m, speed = rng.uniform(0, 6), rng.uniform(0.3, 1.0)
            walk = max(1, round(abs(to_m - at_m) / speed))
            rest = round(rng.exponential(300))
            way = np.concatenate([np.linspace(at_m, to_m, walk), np.full(rest, to_m)])[: seconds - at]
            place[at : at + len(way)] = np.rint(way * 10)
            at, at_m = at + len(way), to_m
        trace.add(Item(tag // 10, place, chance, dbm))
    return trace


def passing(name: str, seed: int, *, hours: float = 1.0, tags: int = 50) -> Trace:
    """SMURF's field again, one reader at a passage: tags that come for minutes and leave, over and over.

    The zone is configured as a till: whoever sets it up knows that it is passed. On a rack these reads are those of
    `bursts`, and no rule can tell both apart.
    """
    trace = Trace(name, seed, round(hours * HOUR), {"till": "checkout"}, {"till": "till"}, [("r", 1, "till")])
    rng, seconds = trace.rng, trace.seconds
    for tag in range(tags):
        here = on_off(rng, seconds, 200.0, 200.0)
        place = np.where(here > 0, 0, NOBODY)
        trace.add(Item(tag // 10, place, _one(_smurf(np.array([rng.uniform(0, 4.2)]))[0]), _one(-60.0)))
    return trace


def _smurf(metres: Floats) -> Floats:
    """Chance of a read at this distance: major region to 60 % of the range of 4.6 m."""
    return np.clip(0.8 * (4.6 - metres) / (0.4 * 4.6), 0.0, 0.8)


def _metres() -> dict[str, str | None]:
    return {f"{decimetre}": "floor" if decimetre <= 30 else "backroom" for decimetre in range(61)}


def _same(kinds: Mapping[str, str]) -> dict[str, str | None]:
    return {zone: zone for zone in kinds}


def _one(value: float) -> Floats:
    return np.array([[value]])


@dataclass(frozen=True, slots=True)
class Family:
    """Shops of one kind, one for each seed; what a `Scenario` is to the store."""

    name: str
    draw: Callable[[str, int], Trace]

    @property
    def plan(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.name, repr(self.draw.keywords) if isinstance(self.draw, partial) else ""

    def record(self, seed: int) -> Recording:
        """The recording of a seed; the same everywhere."""
        return self.draw(self.name, seed).recording()

    def weigh(self, seed: int) -> Weighing:  # noqa: ARG002 - as scenarios have it
        """Nothing here is weighed."""
        return NO_WEIGHING


_DRAWN: Mapping[str, Callable[[str, int], Trace]] = {
    "plain-static": static,
    "plain-static-every-read": partial(static, every_read=True, tags=60, hours=1.0),
    "plain-half-hour": partial(static, hours=0.5, leavers=0.1, newcomers=0.1),
    "plain-leavers": partial(static, leavers=0.2, newcomers=0.2),
    "plain-bursts": partial(static, bursts=True),
    "plain-bursts-leavers": partial(static, bursts=True, leavers=0.2, newcomers=0.2),
    "plain-ghosts": partial(static, ghosts=60, newcomers=0.3, leavers=0.05),
    "plain-one-product": partial(static, of_product=150, leavers=0.2, low=0.02),
    "plain-many-products": partial(static, of_product=1, leavers=0.2, low=0.02),
    "plain-two-days": partial(static, hours=48.0, tags=60, low=0.002, bursts=True, leavers=0.4, newcomers=0.4),
    "plain-crossed": crossed,
    "plain-crossed-independent": partial(crossed, correlated=False),
    "plain-crossed-perverse": partial(crossed, perverse=0.15),
    "plain-crossed-still": partial(crossed, moves_per_hour=0.01),
    "plain-crossed-coarse": partial(crossed, grain_us=1_000_000),
    "plain-crossed-no-rssi": partial(crossed, constant_dbm=-60),
    "plain-portal": portal,
    "plain-portal-unread": partial(portal, exit_antenna=False),
    "plain-rooms": rooms,
    "plain-delivery": delivery,
    "plain-silent": silent,
    "plain-outages": outages,
    "plain-walking": walking,
    "plain-passing": passing,
}
FAMILIES = {name: Family(name, draw) for name, draw in _DRAWN.items()}
