"""What hands do to things: carry, hold, lay down, push aside. Here the day is written, and its truth."""

import math
import random
from collections.abc import Generator

from simulators.layout import ZoneKind
from simulators.shop.day import Block, Day, Fact, Motion
from simulators.shop.floor import CARRIED_M, Floor
from simulators.shop.goods import Goods
from simulators.shop.plan import Place, ShopPlan

_US_PER_S = 1e6
# People with something in their hands.
_WALK_M_PER_S = (0.8, 1.5)
# Items of one fixture lie this far around its middle (standard deviation).
_SPREAD_M = 0.35
# What is carried in one hand or on one trolley.
_HANDFUL_M, _TROLLEY_M = 0.1, 0.3
# Who takes something, or looks for a size, moves so many of its neighbours at most.
_JOSTLED = 6
MEAN_JOSTLED = (1 + _JOSTLED) / 2

Trip = Generator[float, None, None]


class Hands:
    """All things of a store and where they are; `now_us` is set by whoever keeps the time."""

    def __init__(self, plan: ShopPlan, floor: Floor, rng: random.Random) -> None:
        self.goods = Goods(plan.articles, rng)
        self.day = Day()
        self.on: dict[int, list[int]] = {fixture.number: [] for fixture in floor.fixtures}
        self.now_us = round(plan.start.timestamp() * _US_PER_S)
        self._plan = plan
        self._habits = plan.people
        self._floor = floor
        self._rng = rng
        self._zone_of: dict[int, str | None] = {}

    def new_item(self, zone: str, article: int | None) -> int:
        return self._enter(zone, *self.goods.make(article))

    def new_item_of(self, zone: str, prefix: str, reference: str) -> int:
        """One of a product that the shop's articles know nothing of."""
        return self._enter(zone, *self.goods.make_of(prefix, reference))

    def _enter(self, zone: str, epc: bytes, gtin: str) -> int:
        self.day.epcs.append(epc)
        self.day.gtins.append(gtin)
        item = len(self.day.epcs) - 1
        self._say(self.now_us, item, zone)
        return item

    def walk(self, items: list[int], start: Place, end: Place, zone: str | None, hidden_db: float = 0.0) -> Trip:
        """Carry things from place to place; they are in `zone` from the moment that its border is crossed."""
        if not items:
            return
        walk_s = max(0.5, math.dist(start, end) / self._rng.uniform(*_WALK_M_PER_S))
        until_us = self.now_us + round(walk_s * _US_PER_S)
        loss_db = self._rng.uniform(*self._plan.noise.body_db) + hidden_db
        spread_m = _HANDFUL_M if len(items) < self._habits.items_per_refill else _TROLLEY_M
        self.day.motions.append(Motion(self.now_us, tuple(items), start, end, until_us, None, spread_m, loss_db))
        if zone is not None:
            entered_us = self.now_us + round(walk_s * self._floor.entered(zone, start, end) * _US_PER_S)
            for item in items:
                self._say(entered_us, item, zone)
        yield walk_s

    def hold(self, items: list[int], place: Place, hidden_db: float = 0.0) -> None:
        """Stand somewhere with things in the hand."""
        loss_db = self._rng.uniform(*self._plan.noise.body_db) + hidden_db
        self.day.motions.append(Motion(self.now_us, tuple(items), place, place, self.now_us, None, _HANDFUL_M, loss_db))

    def put_down(self, items: list[int], fixture: int) -> None:
        if not items:
            return
        self.on[fixture] += items
        self.set_down(items, fixture)

    def set_down(self, items: list[int], fixture: int) -> None:
        """Put them where no other hand looks for things."""
        self.lay(items, fixture)
        for item in items:
            self._say(self.now_us, item, self._floor.fixtures[fixture].zone)

    def lay(self, items: list[int], fixture: int) -> None:
        """Let things lie on a fixture, each somehow."""
        if items:
            at = self.place(fixture)
            self.day.motions.append(Motion(self.now_us, tuple(items), at, at, self.now_us, fixture, _SPREAD_M))

    def jostle(self, fixture: int) -> None:
        """Some things on a fixture are pushed aside or turned: from now on they are read quite differently."""
        rng = self._rng
        there = self.on[fixture]
        self.lay(rng.sample(there, min(len(there), rng.randint(1, _JOSTLED))), fixture)

    def take_from(self, zone: str, count: int) -> list[int]:
        """Up to `count` items of a zone, fixture by fixture, as one fills a trolley."""
        taken: list[int] = []
        fixtures = [fixture.number for fixture in self._floor.within[zone]]
        self._rng.shuffle(fixtures)
        for fixture in fixtures:
            room = count - len(taken)
            taken += self.on[fixture][:room]
            self.on[fixture] = self.on[fixture][room:]
        return taken

    def stand_before(self, fixture: int, for_s: float) -> None:
        rng = self._rng
        until_us = self.now_us + round(for_s * _US_PER_S)
        loss_db = rng.uniform(*self._plan.noise.block_db)
        self.day.blocks.append(Block(self.now_us, until_us, fixture, rng.uniform(-math.pi, math.pi), loss_db))

    def some_fixture(self, *kinds: ZoneKind) -> int | None:
        """A fixture with something on it."""
        full = [f.number for zone in self._floor.of_kind(*kinds) for f in self._floor.within[zone] if self.on[f.number]]
        return self._rng.choice(full) if full else None

    def zone_of(self, fixture: int) -> str:
        return self._floor.fixtures[fixture].zone

    def place(self, fixture: int) -> Place:
        x, y = self._floor.fixtures[fixture].at
        return x, y, CARRIED_M

    def _say(self, at_us: int, item: int, zone: str | None) -> None:
        """The truth, where it changes."""
        if item not in self._zone_of or self._zone_of[item] != zone:
            self._zone_of[item] = zone
            self.day.truth.append(Fact(at_us, item, zone))

    def leave(self, items: list[int], place: Place, at_us: int) -> None:
        """They have left the store, at `at_us`; now they are out of reach."""
        for item in items:
            self._say(at_us, item, None)
        self.day.motions.append(Motion(self.now_us, tuple(items), place, place, self.now_us, None, present=False))
