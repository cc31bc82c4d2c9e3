"""People at a gondola: they look, press, lean, take, put back, also where it does not belong; staff fill and tidy."""

import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass

from simulators.shelf import HAND_S, LEAN_G, LEAN_S, Hand, presses
from simulators.shop.day import GondolaDay, Lying, Visit
from simulators.shop.gondola_plan import BinPlan, GondolaPlan
from simulators.shop.hands import Hands, Trip
from simulators.shop.plan import Place

_US_PER_S = 1e6
# Staff between two handfuls.
_HANDFUL_S = (1.0, 4.0)
# Bins that are this full are left alone by staff.
_FULL_SHARE = 0.5
# Nothing weighs less than this share of its product.
_LIGHTEST_SHARE = 0.1


@dataclass(eq=False, slots=True)
class Piece:
    """One piece: of which product of the gondola, its weight, its tag where it has one, where on a plate it stands.

    One that a hand still holds over its bin is not `free` for another.
    """

    product: int
    grams: float
    item: int | None
    at_mm: float = 0.0
    free: bool = True


class Gondola:
    """A gondola while the day is lived. `pay` brings tagged items from a place to the till and out."""

    def __init__(
        self,
        plan: GondolaPlan,
        fixtures: list[int],
        store: int | None,
        hands: Hands,
        rng: random.Random,
        pay: Callable[[list[int], Place], Trip],
    ) -> None:
        """`fixtures` of its zone; `store`: a fixture of the back room, where spare pieces stand."""
        self._plan = plan
        self._people = plan.shoppers
        self._hands = hands
        self._rng = rng
        self._pay = pay
        self._store = store
        self._opened_us = hands.now_us
        names = [product.id for product in plan.products]
        self._own = [tuple(names.index(name) for name in each.products) for each in plan.bins]
        self._fixture = [fixtures[number % len(fixtures)] for number in range(len(plan.bins))]
        # A delivery weighs a little more or less than the data sheet says.
        self._mean_g = [product.unit_g * rng.gauss(1.0, product.batch) for product in plan.products]
        self._on: list[list[Piece]] = [self._filled(number, each) for number, each in enumerate(plan.bins)]
        self._spare: list[list[Piece]] = [self._stored(number) for number in range(len(plan.products))]
        first_g = [[(piece.grams, piece.at_mm) for piece in pieces] for pieces in self._on]
        self.day = GondolaDay(plan, first_g, [[] for _ in plan.bins])
        self._lies: list[Counter[int]] = [Counter() for _ in plan.bins]
        for number, own in enumerate(self._own):
            for product in own:
                self._book(number, product, plan.bins[number].pieces)

    def _filled(self, number: int, each: BinPlan) -> list[Piece]:
        """What a bin holds at the opening."""
        pieces = []
        for product in self._own[number]:
            for _ in range(each.pieces):
                piece = self._made(product, self._plan.zone)
                piece.at_mm = self._spot(number, product)
                pieces.append(piece)
        self._lay(pieces, number)
        return pieces

    def _stored(self, product: int) -> list[Piece]:
        """Spare tagged pieces, which stand in the back room."""
        plan = self._plan.products[product]
        if not plan.tagged or self._store is None:
            return []
        zone = self._hands.zone_of(self._store)
        pieces = [self._made(product, zone) for _ in range(plan.spare)]
        self._hands.set_down([piece.item for piece in pieces if piece.item is not None], self._store)
        return pieces

    def _made(self, product: int, zone: str) -> Piece:
        plan = self._plan.products[product]
        grams = self._mean_g[product] * max(_LIGHTEST_SHARE, self._rng.gauss(1.0, plan.variation))
        item = self._hands.new_item_of(zone, plan.prefix, plan.reference) if plan.tagged else None
        return Piece(product, grams, item)

    # --- trips ------------------------------------------------------------------------------------------------------

    def shopper(self) -> Trip:
        """Somebody looks at a bin or some, and goes, perhaps with something."""
        rng, people = self._rng, self._people
        kept: list[Piece] = []
        number = 0
        for _ in range(rng.randint(1, people.looks)):
            number = rng.randrange(len(self._on))
            self._hands.stand_before(self._fixture[number], rng.uniform(*people.reading_s))
            kept += yield from self._look(number)
            yield rng.uniform(*people.between_s)
        items = [piece.item for piece in kept if piece.item is not None]
        if items:
            yield from self._pay(items, self._hands.place(self._fixture[number]))

    def _look(self, number: int) -> Generator[float, None, list[Piece]]:
        """One bin: touched, leant on, or taken from; what is kept of that."""
        rng, people = self._rng, self._people
        own = [piece for piece in self._on[number] if piece.free and piece.product in self._own[number]]
        chance = rng.random()
        if chance < people.leaning_share:
            yield from self._visit(number, rng.uniform(*LEAN_S), lean_g=rng.uniform(*LEAN_G))
            return []
        if chance < people.leaning_share + people.touching_share or not own:
            yield from self._visit(number, rng.uniform(*HAND_S))
            return []
        product = rng.choice(own).product
        several = rng.random()
        count = 3 if several < people.three_share else 2 if several < people.three_share + people.two_share else 1
        taken = [piece for piece in own if piece.product == product][:count]
        yield from self._take(number, taken)
        yield rng.uniform(*people.reading_s)
        kept = []
        for piece in taken:
            goal = self._where_back(number) if rng.random() < people.back_share else None
            if goal is None or self._room(goal, piece.product) <= 0:
                kept.append(piece)
            else:
                yield from self._put(goal, [piece])
        return kept

    def _where_back(self, home: int) -> int:
        if self._rng.random() >= self._people.wrong_bin_share:
            return home
        return self._rng.randrange(len(self._on))

    def refill(self) -> Trip:
        """Staff go along the bins, bring home what lies wrong, and fill what is half empty."""
        for number in range(len(self._on)):
            for piece in [piece for piece in self._on[number] if piece.product not in self._own[number]]:
                if self._rng.random() < self._people.tidying_share and piece.free and piece in self._on[number]:
                    yield from self._bring_home(number, piece)
            for product in self._own[number]:
                count = sum(piece.product == product for piece in self._on[number])
                most = self._plan.bins[number].most
                if count <= _FULL_SHARE * most:
                    yield from self._fill(number, product, most - count)

    def _bring_home(self, number: int, piece: Piece) -> Trip:
        home = next(index for index, own in enumerate(self._own) if piece.product in own)
        if self._room(home, piece.product) <= 0:
            return
        yield from self._take(number, [piece])
        yield self._rng.uniform(*_HANDFUL_S)
        if self._room(home, piece.product) > 0:
            yield from self._put(home, [piece])

    def _fill(self, number: int, product: int, count: int) -> Trip:
        if self._plan.products[product].tagged:
            load = [self._spare[product].pop() for _ in range(min(count, len(self._spare[product])))]
            items = [piece.item for piece in load if piece.item is not None]
            if self._store is not None:
                goal = self._hands.place(self._fixture[number])
                yield from self._hands.walk(items, self._hands.place(self._store), goal, self._plan.zone)
        else:
            load = [self._made(product, self._plan.zone) for _ in range(count)]
        while load and (room := self._room(number, product)) > 0:
            handful = min(room, self._rng.randint(1, self._people.handful))
            now, load = load[:handful], load[handful:]
            yield from self._put(number, now)
            yield self._rng.uniform(*_HANDFUL_S)
        self._spare[product] += load

    # --- hands ------------------------------------------------------------------------------------------------------

    def _room(self, number: int, product: int) -> int:
        """How many more go in; at inputs what lies wrong takes the room of one that does not."""
        each, coming = self._plan.bins[number], [piece for piece in self._on[number] if not piece.free]
        if each.sensor != "weight":
            return each.most - self._lies[number].total() - len(coming)
        return each.most - self._lies[number][product] - sum(piece.product == product for piece in coming)

    def _take(self, number: int, pieces: list[Piece]) -> Trip:
        """Take pieces of one product out of a bin."""
        for piece in pieces:
            self._on[number].remove(piece)
        grams = sum(piece.grams for piece in pieces)
        yield from self._visit(number, self._rng.uniform(*HAND_S), -grams, pieces[0].at_mm)
        items = [piece.item for piece in pieces if piece.item is not None]
        if items:
            self._hands.hold(items, self._hands.place(self._fixture[number]))
        self._book(number, pieces[0].product, -len(pieces))

    def _put(self, number: int, pieces: list[Piece]) -> Trip:
        """Put pieces of one product into a bin."""
        at_mm = self._spot(number, pieces[0].product)
        for piece in pieces:
            piece.at_mm, piece.free = at_mm, False
        self._on[number] += pieces
        yield from self._visit(number, self._rng.uniform(*HAND_S), sum(piece.grams for piece in pieces), at_mm)
        for piece in pieces:
            piece.free = True
        self._lay(pieces, number)
        self._book(number, pieces[0].product, len(pieces))

    def _visit(
        self, number: int, for_s: float, change_g: float = 0.0, at_mm: float | None = None, lean_g: float = 0.0
    ) -> Trip:
        start_s = (self._hands.now_us - self._opened_us) / _US_PER_S
        hand = Hand(start_s, start_s + for_s, presses(start_s, start_s + for_s, self._rng), change_g, lean_g)
        anywhere_mm = self._rng.uniform(0.0, self._width_mm(number))
        self.day.visits[number].append(Visit(hand, anywhere_mm if at_mm is None else at_mm))
        yield for_s

    def _lay(self, pieces: list[Piece], number: int) -> None:
        self._hands.set_down([piece.item for piece in pieces if piece.item is not None], self._fixture[number])

    def _book(self, number: int, product: int, change: int) -> None:
        """So many more lie in a bin now that the hand has left it."""
        self._lies[number][product] += change
        self.day.truth.append(Lying(self._hands.now_us, number, product, self._lies[number][product]))

    def _width_mm(self, number: int) -> float:
        return max((cell.at_mm for cell in self._plan.bins[number].cells), default=0.0)

    def _spot(self, number: int, product: int) -> float:
        """Where a piece is set down: in its lane, or anywhere."""
        each = self._plan.bins[number]
        if each.lanes_mm and product in self._own[number]:
            return self._rng.uniform(*each.lanes_mm[self._own[number].index(product)])
        return self._rng.uniform(0.0, self._width_mm(number))
