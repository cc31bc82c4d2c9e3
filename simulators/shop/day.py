"""What happens in a store, whatever the readers see of it: the result of a simulated day of people."""

from dataclasses import dataclass, field
from typing import NamedTuple

from simulators.shelf import Hand
from simulators.shop.gondola_plan import GondolaPlan
from simulators.shop.plan import Place


class Motion(NamedTuple):
    """Tags begin to move at `at_us` and are at `end` from `until_us` on; a rest has both moments equal.

    `fixture` is where they lie, None while they are carried; `spread_m` is how far apart they lie; `loss_db` is what
    the body that carries them takes away. What is not `present` has left the store.
    """

    at_us: int
    tags: tuple[int, ...]
    start: Place
    end: Place
    until_us: int
    fixture: int | None
    spread_m: float = 0.0
    loss_db: float = 0.0
    present: bool = True


class Block(NamedTuple):
    """Somebody stands before a fixture, seen from it at `bearing_rad`, and takes `loss_db` from the signal there."""

    at_us: int
    until_us: int
    fixture: int
    bearing_rad: float
    loss_db: float


class Fact(NamedTuple):
    """From this moment on the tag is in this zone; None: it has left the store."""

    at_us: int
    tag: int
    zone: str | None


class Lying(NamedTuple):
    """From this moment on so many pieces of a product lie in a bin; both count in their gondola's plan."""

    at_us: int
    bin: int
    product: int
    pieces: int


class Visit(NamedTuple):
    """A hand on a bin (its times are seconds from the opening), and where on the plate it works."""

    hand: Hand
    at_mm: float


@dataclass(slots=True)
class GondolaDay:
    """What happens to a gondola: visits bin by bin, and what lies there, in the order of time.

    `first_g`: what lies in each bin at the opening, as (grams, place in mm) piece by piece.
    """

    plan: GondolaPlan
    first_g: list[list[tuple[float, float]]]
    visits: list[list[Visit]]
    truth: list[Lying] = field(default_factory=list)


@dataclass(slots=True)
class Day:
    """All tags by index, and everything that happens to them; lists in order of time once the day is over."""

    epcs: list[bytes] = field(default_factory=list)
    gtins: list[str] = field(default_factory=list)
    motions: list[Motion] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    truth: list[Fact] = field(default_factory=list)
    gondolas: list[GondolaDay] = field(default_factory=list)

    def sort(self) -> None:
        """Bring everything into the order of time; what happens at one moment stays in the order of its telling."""
        self.motions.sort(key=lambda motion: motion.at_us)
        self.blocks.sort(key=lambda block: block.at_us)
        self.truth.sort(key=lambda fact: fact.at_us)
        for gondola in self.gondolas:
            gondola.truth.sort(key=lambda lying: lying.at_us)
            for visits in gondola.visits:
                visits.sort(key=lambda visit: visit.hand.start_s)
