"""Several products in one bin: every account of what may lie there is carried along until the weight refutes it.

A story is a count of each product, and perhaps a foreign thing. Each step between two rests makes of every story those
that may follow, each as likely as its move is common and its weight fits: to what the pieces weigh on the average, and
to what the story has left over of the whole weight. Taking pieces away takes their share of that with it, so a story
with a wrong count drifts off and falls behind; nothing else is needed to let the whole weight decide.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.domain.countable import MOST_PIECES, level_sd_g, step_sd_g
from gateway.domain.counting import Counting, Verdict
from gateway.domain.moves import MOST_PIECES_EACH, MOST_PRODUCTS, Move, Moves, Shift, lies_there, weight_g
from gateway.domain.params import Bin
from gateway.domain.product import Product
from gateway.domain.records import Story

# So many stories are carried along, and none that is less likely than the best by this (natural logarithms).
MOST_STORIES = 48
FURTHEST_SCORE = 18.0
# A count is confirmed when all stories that say otherwise have this chance together.
DOUBT = 0.01
# A change is booked at once when it is so much likelier than any other (20 to 1), else when it has been quiet.
CLEAR_LEAD = 3.0
# A foreign thing, or somebody who leans on the shelf: once in ten pieces, of any weight up to ten kilograms.
FOREIGN_COST = math.log(10) + math.log(10_000)
# What leans sways, and its weight is known by a share of the lightest piece; less than nothing where somebody lifts.
SWAY_COST = math.log(1_000)
LEAN_SHARE = 0.03
LIFT_COST = 4.0
# It leaves as often as a piece comes. Few such things are still there when it has been quiet, fewer after a minute.
LEAVE_COST = 0.5
STAY_COST = 1.5
LINGER_COST = 2.0
# Pieces that differ from their mean by this share do occur, this much more rarely (another batch, an opened pack).
ODD_SHARE = 0.08
ODD_COST = 9.0
# Moves are looked for that differ from the change by these shares of the lightest piece, and of the change.
REACH_SHARE = 0.35
REACH_OF_CHANGE = 0.02
# How well the zero of a bin is known, in shares of the lightest piece.
ZERO_SHARE = 0.025
# Foreign things that differ by less than this share of the lightest piece are the same.
SAME_SHARE = 0.05
# The whole weight agrees with a count within so many standard deviations.
WHOLE_SDS = 4.0

_Way = tuple[tuple[int, ...] | None, Story]
"""The pieces that were moved, None where it is something foreign, and the story then."""


class _Rest(NamedTuple):
    """What a story had left over of the whole weight, the variance of that, and the scale's own in the next step."""

    grams: float
    var: float
    step_var: float


class Mixture(Counting):
    """Fed the steps of a bin of several products; `stories` are those it had before a restart, none: not counted."""

    def __init__(
        self, params: Bin, products: Sequence[Product], stories: Sequence[Story] = (), *, doubtful: bool = False
    ) -> None:
        super().__init__(products, counted=bool(stories))
        self.stories, self.doubtful = tuple(stories), doubtful
        self._level_sd_g = level_sd_g(params.params)
        self._step_sd_g = step_sd_g(params.params)
        self._lanes = [product.sku.lane_mm for product in products]
        self._most = [MOST_PIECES if product.sku.most is None else product.sku.most for product in products]
        self._lightest_g = min(product.unit_g for product in products)
        heaviest_g = sorted((product.unit_g for product in products), reverse=True)[:MOST_PRODUCTS]
        self._handful_g = MOST_PIECES_EACH * sum(heaviest_g)
        # What was confirmed before a restart stays so until its scale says otherwise.
        self._agreed = self.counted
        self._units_g: tuple[float, ...] = ()
        self._moves = Moves([])
        # The variance (g^2) of a piece of each product, and of the mean of all of them.
        self._piece_vars: list[float] = []
        self._mean_vars: list[float] = []

    @property
    def unexplained_g(self) -> float:
        return self.stories[0].foreign_g if self.stories else 0.0

    @property
    def expected_g(self) -> float:
        return sum(product.unit_g * count for product, count in zip(self.products, self.stories[0].pieces, strict=True))

    @property
    def certain(self) -> tuple[bool, ...]:
        if self.doubtful or not self._agreed or not self.counted:
            return (False,) * len(self.products)
        return tuple(
            sum(chance for story, chance in self.chances() if story.foreign_g or story.pieces[index] != product.pieces)
            <= DOUBT
            for index, product in enumerate(self.products)
        )

    def chances(self) -> list[tuple[Story, float]]:
        """How likely each story is, the likeliest first; together they are certain."""
        weights = [math.exp(story.score - self.stories[0].score) for story in self.stories]
        return [(story, weight / sum(weights)) for story, weight in zip(self.stories, weights, strict=True)]

    # -- a step -----------------------------------------------------------------------------------------------

    def step(self, load_g: float, change_g: float, shift: Shift | None) -> None:
        self._weigh_moves()
        alone = not self.unexplained_g
        ways = [way for story in self.stories for way in self._ways(story, load_g, change_g, shift)]
        move, lead = _clearest(ways)
        self._keep(story for _, story in ways)
        if self._lead() >= CLEAR_LEAD:
            self._book()
        if move is None:
            self.verdicts[Verdict.UNEXPLAINED] += 1
        else:
            self.verdicts[Verdict.SURE if lead >= CLEAR_LEAD else Verdict.AMBIGUOUS] += 1
            if alone and lead >= -math.log(DOUBT):
                self._learn(change_g, move)
        self.check(load_g + change_g)

    def _weigh_moves(self) -> None:
        """Pieces teach their weight: what the moves weigh follows, and how well that is known."""
        self._piece_vars = [(each.sku.variation * each.unit_g) ** 2 for each in self.products]
        self._mean_vars = [(each.tolerance(self._step_sd_g) * each.unit_g) ** 2 for each in self.products]
        units_g = tuple(product.unit_g for product in self.products)
        if units_g != self._units_g:
            self._units_g, self._moves = units_g, Moves(units_g)

    def _ways(self, story: Story, load_g: float, change_g: float, shift: Shift | None) -> Iterator[_Way]:
        """What may have happened, and what becomes of the story then."""
        rest_g = load_g - story.foreign_g - weight_g(self._units_g, story.pieces)
        leaning = self._step_sd_g**2 + (LEAN_SHARE * self._lightest_g if story.foreign_g else 0.0) ** 2
        rest = _Rest(rest_g, self._whole_var(story.pieces), leaning)
        for move in self._near(change_g):
            if shift is None or lies_there(move, self._units_g, self._lanes, shift):
                yield from self._moved(story, move, change_g, rest)
        foreign_g = story.foreign_g + change_g
        cost = SWAY_COST if story.foreign_g else FOREIGN_COST
        if foreign_g < 0:
            cost += LIFT_COST
        if abs(foreign_g) > SAME_SHARE * self._lightest_g:
            yield None, Story(story.pieces, foreign_g, story.score - cost)
        if story.foreign_g:
            alone = Story(story.pieces, 0.0, story.score - LEAVE_COST)
            for move in self._near(foreign_g):
                yield from self._moved(alone, move, foreign_g, rest)

    def _near(self, change_g: float) -> Sequence[Move]:
        return self._moves.near(change_g, REACH_SHARE * self._lightest_g + REACH_OF_CHANGE * abs(change_g))

    def _moved(self, story: Story, move: Move, change_g: float, rest: _Rest) -> Iterator[_Way]:
        """The story after a move, if there were as many pieces, and room for them."""
        if all(0 <= story.pieces[index] + count <= self._most[index] for index, count in move.moved):
            pieces = tuple(map(int.__add__, story.pieces, move.pieces))
            score = story.score + self._fit(story.pieces, move, change_g - move.grams, rest) - move.cost
            yield move.pieces, Story(pieces, story.foreign_g, score)

    def _whole_var(self, pieces: Sequence[int]) -> float:
        """The variance of what is left over of the whole weight: pieces, means of products, zero and level."""
        var = (ZERO_SHARE * self._lightest_g) ** 2 + self._level_sd_g**2
        for count, piece_var, mean_var in zip(pieces, self._piece_vars, self._mean_vars, strict=True):
            var += count * piece_var + count**2 * mean_var
        return var

    def _fit(self, pieces: Sequence[int], move: Move, off_g: float, rest: _Rest) -> float:
        """The log-density of a change that is off by so much from what the move weighs."""
        shared, var, odd_var = -(self._level_sd_g**2), rest.step_var, 0.0
        for index, count in move.moved:
            piece_var, mean_var = self._piece_vars[index], self._mean_vars[index]
            shared += count * pieces[index] * mean_var + min(count, 0) * piece_var
            var += abs(count) * piece_var + count**2 * mean_var
            odd_var += abs(count) * (ODD_SHARE * self._units_g[index]) ** 2
        # What goes takes its share of the rest with it, as far as the two are of the same pieces.
        off_g -= shared / rest.var * rest.grams
        var -= shared**2 / rest.var
        usual = _log_density(off_g, var)
        return _log_sum(usual, _log_density(off_g, var + odd_var) - ODD_COST) if odd_var else usual

    # -- which stories are carried along ----------------------------------------------------------------------

    def _keep(self, stories: Iterable[Story]) -> None:
        """The likeliest ones; those that say the same become one."""
        merged: dict[tuple[tuple[int, ...], int], Story] = {}
        for story in stories:
            key = story.pieces, round(story.foreign_g / (SAME_SHARE * self._lightest_g))
            known = merged.get(key)
            if known is None:
                merged[key] = story
            else:
                likelier = max(known, story, key=_score)
                merged[key] = replace(likelier, score=_log_sum(known.score, story.score))
        ranked = sorted(merged.values(), key=_score, reverse=True)
        best = ranked[0].score
        if any(best - story.score < -math.log(DOUBT) for story in ranked[MOST_STORIES:]):
            self.doubtful = True
        self.stories = tuple(
            replace(story, score=story.score - best)
            for story in ranked[:MOST_STORIES]
            if best - story.score < FURTHEST_SCORE
        )

    def _lead(self) -> float:
        """How much likelier the best story is than all that count otherwise."""
        best = self.stories[0]
        others = [story.score for story in self.stories if story.pieces != best.pieces]
        return best.score - max(others, default=-math.inf)

    def _book(self) -> None:
        for product, count in zip(self.products, self.stories[0].pieces, strict=True):
            product.pieces = count

    def _learn(self, change_g: float, move: Sequence[int]) -> None:
        """A single piece of a single product shows what it weighs, whatever else lies there."""
        moved = [(product, count) for product, count in zip(self.products, move, strict=True) if count]
        if len(moved) == 1 and abs(moved[0][1]) == 1:
            moved[0][0].learn(abs(change_g), self._step_sd_g)

    # -- at rest ----------------------------------------------------------------------------------------------

    def check(self, load_g: float) -> None:
        best = self.stories[0]
        self._weigh_moves()
        rest_g = load_g - best.foreign_g - weight_g(self._units_g, best.pieces)
        self._agreed = abs(rest_g) <= WHOLE_SDS * math.sqrt(self._whole_var(best.pieces))

    def look(self, load_g: float) -> None:
        if self.counted:
            self._settle(STAY_COST)
            self.check(load_g)

    def linger(self) -> None:
        if self.counted:
            self._settle(LINGER_COST)

    def _settle(self, cost: float) -> None:
        """Nobody has moved it for a while: what leans or foreign lies there has become less likely."""
        was = self.stories[0]
        self._keep([_costlier(each, cost * bool(each.foreign_g)) for each in self.stories])
        # What weighs more than a hand moves of several products was perhaps filled in by many: no story tells of that.
        if abs(was.foreign_g) > self._handful_g and self.stories[0].pieces != was.pieces:
            self.doubtful = True
        self._book()

    def take(self, pieces: Sequence[int]) -> None:
        super().take(pieces)
        self.stories = (Story(self.pieces),)
        self.doubtful, self._agreed = False, True


def _clearest(ways: Iterable[_Way]) -> tuple[tuple[int, ...] | None, float]:
    """The likeliest move whatever story it is told in, None for a foreign thing, and by how much it leads."""
    chances: dict[tuple[int, ...] | None, float] = {}
    for move, story in ways:
        known = chances.get(move)
        chances[move] = story.score if known is None else _log_sum(known, story.score)
    best = max(chances, key=lambda move: chances[move])
    others = [chance for move, chance in chances.items() if move != best]
    return best, chances[best] - max(others, default=-math.inf)


def _costlier(story: Story, cost: float) -> Story:
    return replace(story, score=story.score - cost)


def _score(story: Story) -> float:
    return story.score


def _log_density(off_g: float, variance: float) -> float:
    return -(off_g**2) / (2 * variance) - math.log(2 * math.pi * variance) / 2


def _log_sum(one: float, other: float) -> float:
    """The logarithm of the sum of two chances that are given by theirs."""
    high, low = max(one, other), min(one, other)
    return high + math.log1p(math.exp(low - high))
