"""Who moves items, as one would tell it: each trip is a generator that yields the seconds until it goes on."""

import heapq
import random
from collections.abc import Callable, Generator
from typing import NamedTuple

from simulators.layout import ZoneKind
from simulators.shop.day import Day
from simulators.shop.floor import Floor
from simulators.shop.hands import Hands, Trip
from simulators.shop.plan import Delivery, Place, ShopPlan
from simulators.shop.section import Span
from simulators.shop.shoppers import Gondola

_S_PER_HOUR = 3600.0
_US_PER_S = 1e6
# A thief holds it under the jacket: more body than a bag has.
_HIDDEN_DB = 6.0
_STROLL_M = (0.5, 1.5)
_STROLL_S = (3.0, 20.0)
_PICK_S = (4.0, 20.0)
# After closing time staff walk through the fitting rooms.
_LAST_COLLECTION_S = 300.0


class _Turn(NamedTuple):
    at_us: int
    number: int
    trip: Trip


class People:
    """Plans a day; the plan does not depend on what any reader sees."""

    def __init__(self, plan: ShopPlan, floor: Floor, rng: random.Random) -> None:
        self._plan = plan
        self._habits = plan.people
        self._floor = floor
        self._rng = rng
        self._hands = Hands(plan, floor, rng)
        stores = [fixture.number for zone in floor.of_kind(ZoneKind.BACKROOM) for fixture in floor.within[zone]]
        self._gondolas = [
            Gondola(
                gondola,
                [fixture.number for fixture in floor.within[gondola.zone]],
                rng.choice(stores) if stores else None,
                self._hands,
                rng,
                self._pay,
            )
            for gondola in plan.gondolas
        ]
        self._hands.day.gondolas += [gondola.day for gondola in self._gondolas]
        self._sold: list[int] = []
        self._turns: list[_Turn] = []
        self._number = 0
        self._start_us = self._hands.now_us
        self._end_us = self._start_us + round(plan.hours * _S_PER_HOUR * _US_PER_S)

    def live(self) -> Day:
        """The whole day, from the opening to the end."""
        self._stock_up()
        self._expect_people()
        while self._turns and self._turns[0].at_us <= self._end_us:
            turn = heapq.heappop(self._turns)
            self._hands.now_us = turn.at_us
            delay_s = next(turn.trip, None)
            if delay_s is not None:
                self._schedule(turn.trip, delay_s)
        self._hands.day.sort()
        return self._hands.day

    # --- who comes --------------------------------------------------------------------------------------------------

    def _stock_up(self) -> None:
        for zone in self._plan.zones:
            fixtures = self._floor.within[zone.id]
            # A fixture holds few articles, as it does in a shop.
            shown = {
                f.number: self._rng.sample(range(self._hands.goods.articles), min(3, self._hands.goods.articles))
                for f in fixtures
            }
            for number in range(zone.items):
                fixture = fixtures[number % len(fixtures)].number
                self._hands.put_down([self._hands.new_item(zone.id, self._rng.choice(shown[fixture]))], fixture)

    def _expect_people(self) -> None:
        habits = self._habits
        rhythm = habits.rhythm
        self._come(habits.customers_per_hour * max(rhythm), self._customer, self._is_busy)
        self._come(habits.refills_per_hour, self._refill)
        self._come(habits.collections_per_hour, self._collection)
        self._come(habits.returns_per_hour, self._return, lambda: not self._is_closed())
        for fixture in self._floor.fixtures:
            per_hour = self._floor.zones[fixture.zone].blocks_per_hour
            self._schedule(self._onlookers(fixture.number, per_hour), 0.0)
        for gondola in self._gondolas:
            shoppers = gondola.day.plan.shoppers
            self._come(shoppers.per_hour, gondola.shopper, lambda: not self._is_closed())
            self._come(shoppers.refills_per_hour, gondola.refill)
        for delivery in self._plan.deliveries:
            self._schedule(self._delivery(delivery), delivery.at_s)
        if habits.closing_s is not None:
            self._schedule(self._collection(), habits.closing_s + _LAST_COLLECTION_S)

    def _come(self, per_hour: float, trip: Callable[[], Trip], comes: Callable[[], bool] = lambda: True) -> None:
        """Start a trip again and again, at random."""

        def again() -> Trip:
            while True:
                yield self._rng.expovariate(per_hour / _S_PER_HOUR)
                if comes():
                    self._schedule(trip(), 0.0)

        if per_hour > 0:
            self._schedule(again(), 0.0)

    def _is_closed(self) -> bool:
        closing_s = self._habits.closing_s
        return closing_s is not None and self._hands.now_us > self._start_us + closing_s * _US_PER_S

    def _is_busy(self) -> bool:
        """Whether a customer of the busiest hour comes at this hour, too."""
        rhythm = self._habits.rhythm
        if self._is_closed():
            return False
        open_s = self._habits.closing_s or self._plan.hours * _S_PER_HOUR
        part = int((self._hands.now_us - self._start_us) / _US_PER_S / open_s * len(rhythm))
        return self._rng.random() < rhythm[min(part, len(rhythm) - 1)] / max(rhythm)

    def _schedule(self, trip: Trip, delay_s: float) -> None:
        self._number += 1
        heapq.heappush(self._turns, _Turn(self._hands.now_us + round(delay_s * _US_PER_S), self._number, trip))

    # --- trips ------------------------------------------------------------------------------------------------------

    def _customer(self) -> Trip:
        """Takes things, tries them on or not, and buys, steals or puts back each of them."""
        rng, habits = self._rng, self._habits
        home = self._hands.some_fixture(ZoneKind.SALES_FLOOR, ZoneKind.SHELF)
        if home is None:
            return
        place = self._hands.place(home)
        homes: dict[int, int] = {}
        for _ in range(rng.randint(1, habits.items_per_customer)):
            picked = self._hands.some_fixture(ZoneKind.SALES_FLOOR, ZoneKind.SHELF)
            if picked is None:
                break
            to = self._hands.place(picked)
            if homes:
                yield from self._hands.walk(list(homes), place, to, self._floor.fixtures[picked].zone)
            place = to
            pause_s = rng.uniform(*_PICK_S)
            self._hands.stand_before(picked, pause_s)
            if not self._hands.on[picked]:
                break  # somebody was faster
            item = self._hands.on[picked].pop(rng.randrange(len(self._hands.on[picked])))
            homes[item] = picked
            self._hands.jostle(picked)
            self._hands.hold(list(homes), place)
            yield pause_s
        if not homes:
            return
        items = list(homes)
        if rng.random() < habits.stealing_share:
            yield from self._leave(items, place, hidden_db=_HIDDEN_DB)
            return
        place = yield from self._look_around(items, place)
        place, items = yield from self._try_on(items, place)
        bought = items if rng.random() < habits.buying_share else []
        for item in [item for item in items if item not in bought]:
            goal = self._where_back(homes[item])
            yield from self._hands.walk(items, place, self._hands.place(goal), self._floor.fixtures[goal].zone)
            place = self._hands.place(goal)
            self._hands.put_down([item], goal)
            items = [other for other in items if other != item]
        if bought:
            yield from self._pay(bought, place)

    def _look_around(self, items: list[int], place: Place) -> Generator[float, None, Place]:
        """Walk about with things in the hand, perhaps close by another zone."""
        rng, floor = self._rng, self._floor
        strolls = rng.random() < self._habits.strolling_share
        others = floor.of_kind(ZoneKind.EXIT, ZoneKind.FITTING_ROOM, ZoneKind.CHECKOUT)
        if strolls and others:
            to = floor.beside(rng.choice(others), place, rng.uniform(*_STROLL_M))
            yield from self._hands.walk(items, place, to, None)
            self._hands.hold(items, to)
            yield rng.uniform(*_STROLL_S)
            yield from self._hands.walk(items, to, place, None)
        self._hands.hold(items, place)
        yield rng.uniform(*self._habits.browsing_s)
        return place

    def _try_on(self, items: list[int], place: Place) -> Generator[float, None, tuple[Place, list[int]]]:
        """Some go to a fitting room, and leave things there; the place afterwards, and what is still in the hand."""
        rng, habits = self._rng, self._habits
        rooms = self._floor.of_kind(ZoneKind.FITTING_ROOM)
        if not rooms or rng.random() >= habits.fitting_share:
            return place, items
        room = rng.choice(rooms)
        place = yield from self._visit(items, place, habits.fitting_s, ZoneKind.FITTING_ROOM, zone=room)
        left = [item for item in items if rng.random() < habits.left_behind_share]
        self._hands.put_down(left, rng.choice(self._floor.within[room]).number)
        return place, [item for item in items if item not in left]

    def _refill(self) -> Trip:
        """Staff bring a trolley from the back room to one or two fixtures of the floor."""
        start = self._hands.some_fixture(ZoneKind.BACKROOM)
        goals = [
            f for zone in self._floor.of_kind(ZoneKind.SALES_FLOOR, ZoneKind.SHELF) for f in self._floor.within[zone]
        ]
        if start is None or not goals:
            return
        load = self._hands.take_from(self._floor.fixtures[start].zone, self._habits.items_per_refill)
        goal = self._rng.choice(goals)
        yield from self._haul(load, self._hands.place(start), goal.number)

    def _collection(self) -> Trip:
        """Staff bring what lies in the fitting rooms back to the floor."""
        for room in self._floor.of_kind(ZoneKind.FITTING_ROOM):
            left = self._hands.take_from(room, 1000)
            goals = self._floor.of_kind(ZoneKind.SALES_FLOOR, ZoneKind.SHELF)
            if not left or not goals:
                continue
            goal = self._rng.choice(self._floor.within[self._rng.choice(goals)])
            yield from self._haul(left, self._floor.point(room, self._rng), goal.number)

    def _delivery(self, delivery: Delivery) -> Trip:
        """Boxes stand in receiving, then go to the back room in loads."""
        rng = self._rng
        piles = self._floor.within[self._floor.of_kind(ZoneKind.RECEIVING)[0]]
        stores = self._floor.of_kind(ZoneKind.BACKROOM)
        boxes: list[tuple[list[int], int]] = []
        for first in range(0, delivery.items, delivery.load):
            pile = rng.choice(piles).number
            article = rng.randrange(self._hands.goods.articles)
            count = min(delivery.load, delivery.items - first)
            box = [self._hands.new_item(self._floor.fixtures[pile].zone, article) for _ in range(count)]
            self._hands.put_down(box, pile)
            boxes.append((box, pile))
        for box, pile in boxes:
            yield rng.uniform(*delivery.standing_s)
            if stores:
                shelf = rng.choice(self._floor.within[rng.choice(stores)])
                self._hands.on[pile] = [item for item in self._hands.on[pile] if item not in set(box)]
                yield from self._haul(box, self._hands.place(pile), shelf.number)

    def _return(self) -> Trip:
        """Somebody brings a thing back: in by the door, to the checkout, and staff put it on the floor."""
        goal = self._hands.some_fixture(ZoneKind.SALES_FLOOR, ZoneKind.SHELF)
        doors = self._floor.of_kind(ZoneKind.EXIT)
        if not self._sold or goal is None or not doors:
            return
        item = self._sold.pop(self._rng.randrange(len(self._sold)))
        door = self._rng.choice(doors)
        place = self._floor.point(door, self._rng)
        yield from self._hands.walk([item], self._floor.outside(), place, door)
        place = yield from self._visit([item], place, self._habits.queue_s, ZoneKind.CHECKOUT)
        yield from self._haul([item], place, goal)

    # --- what trips are made of -------------------------------------------------------------------------------------

    def _visit(
        self, items: list[int], place: Place, stay_s: Span, kind: ZoneKind, zone: str | None = None
    ) -> Generator[float, None, Place]:
        """Walk into a zone of a kind, stand there, and give the place; where there is none, stay."""
        zones = self._floor.of_kind(kind)
        if not zones:
            return place
        zone = zone or self._rng.choice(zones)
        to = self._floor.point(zone, self._rng)
        yield from self._hands.walk(items, place, to, zone)
        self._hands.hold(items, to)
        yield self._rng.uniform(*stay_s)
        return to

    def _pay(self, items: list[int], place: Place) -> Trip:
        """To the till and out."""
        place = yield from self._visit(items, place, self._habits.queue_s, ZoneKind.CHECKOUT)
        yield from self._leave(items, place)

    def _leave(self, items: list[int], place: Place, hidden_db: float = 0.0) -> Trip:
        """Out by the door, where there is one, and into the street."""
        doors = self._floor.of_kind(ZoneKind.EXIT)
        if doors:
            door = self._rng.choice(doors)
            to = self._floor.point(door, self._rng)
            yield from self._hands.walk(items, place, to, door, hidden_db)
            self._hands.hold(items, to, hidden_db)
            yield self._rng.uniform(*self._habits.door_s)
            place = to
        street = self._floor.outside()
        gone_us = self._hands.now_us
        yield from self._hands.walk(items, place, street, None, hidden_db)
        at_us = gone_us if doors else self._hands.now_us
        self._hands.leave(items, street, at_us)
        self._sold += items

    def _haul(self, items: list[int], place: Place, goal: int) -> Trip:
        """Bring things to a fixture."""
        if not items:
            return
        yield from self._hands.walk(items, place, self._hands.place(goal), self._floor.fixtures[goal].zone)
        self._hands.put_down(items, goal)

    def _where_back(self, home: int) -> int:
        """Where something is put back: mostly where it was."""
        if self._rng.random() >= self._habits.misplaced_share:
            return home
        kinds = (ZoneKind.SALES_FLOOR, ZoneKind.SHELF)
        return self._rng.choice([f for zone in self._floor.of_kind(*kinds) for f in self._floor.within[zone]]).number

    # --- people who carry nothing -----------------------------------------------------------------------------------

    def _onlookers(self, fixture: int, per_hour: float) -> Trip:
        """People who look at a fixture, perhaps turn something over, and take nothing."""
        rng = self._rng
        shortest_s, longest_s = self._plan.noise.block_s
        while per_hour > 0:
            yield rng.expovariate(per_hour / _S_PER_HOUR)
            if self._is_closed():
                return
            self._hands.stand_before(fixture, shortest_s * (longest_s / shortest_s) ** rng.random())
            if rng.random() < self._habits.touching_share:
                self._hands.jostle(fixture)
