"""Where things can stand: the fixtures of each zone, and the way from one place to another."""

import math
import random
from dataclasses import dataclass

from simulators.layout import ZoneKind
from simulators.shop.plan import Place, Point, ShopPlan, ZoneArea

# Hands and bags are this high.
CARRIED_M = 1.0


@dataclass(frozen=True, slots=True)
class Fixture:
    """A rack, a shelf or a pile; `number` counts over the whole store, `metal_db` is what its metal takes away."""

    number: int
    zone: str
    at: Point
    metal_db: float


class Floor:
    """The fixtures and the zones by id."""

    def __init__(self, plan: ShopPlan, rng: random.Random) -> None:
        self.zones = {zone.id: zone for zone in plan.zones}
        self.fixtures: list[Fixture] = []
        self.within: dict[str, list[Fixture]] = {}
        self._gondolas = {gondola.zone for gondola in plan.gondolas}
        for zone in plan.zones:
            for at in _spread(zone):
                metal = rng.random() < zone.metal_share
                metal_db = rng.uniform(*plan.noise.metal_db) if metal else 0.0
                fixture = Fixture(len(self.fixtures), zone.id, at, metal_db)
                self.fixtures.append(fixture)
                self.within.setdefault(zone.id, []).append(fixture)

    def of_kind(self, *kinds: ZoneKind) -> list[str]:
        """The ids of the zones of some kinds; a gondola's is a matter of those who come to it."""
        return [zone.id for zone in self.zones.values() if zone.kind in kinds and zone.id not in self._gondolas]

    def point(self, zone: str, rng: random.Random) -> Place:
        """Somewhere in a zone, at the height of hands."""
        left, bottom, right, top = self.zones[zone].area
        return rng.uniform(left, right), rng.uniform(bottom, top), CARRIED_M

    def beside(self, zone: str, near: Place, distance_m: float) -> Place:
        """A point that far outside the zone, on the side of `near`."""
        left, bottom, right, top = self.zones[zone].area
        x, y = min(max(near[0], left), right), min(max(near[1], bottom), top)
        away = math.dist((x, y), near[:2])
        if away < distance_m:
            return near
        return x + (near[0] - x) / away * distance_m, y + (near[1] - y) / away * distance_m, CARRIED_M

    def outside(self) -> Place:
        """A point in the street: past the exit, or past the whole plan where there is none."""
        exits = self.of_kind(ZoneKind.EXIT)
        zones = [self.zones[zone] for zone in exits] or list(self.zones.values())
        left = min(zone.area[0] for zone in self.zones.values())
        bottom = min(zone.area[1] for zone in zones)
        top = max(zone.area[3] for zone in zones)
        return left - 4.0, (bottom + top) / 2, CARRIED_M

    def entered(self, zone: str, start: Place, end: Place) -> float:
        """The part of a straight way (0 to 1) after which the zone is reached; 1 where it never is."""
        left, bottom, right, top = self.zones[zone].area
        first, last = 0.0, 1.0
        for low, high, begin, finish in ((left, right, start[0], end[0]), (bottom, top, start[1], end[1])):
            step = finish - begin
            if step == 0.0:
                if not low <= begin <= high:
                    return 1.0
                continue
            near, far = sorted(((low - begin) / step, (high - begin) / step))
            first, last = max(first, near), min(last, far)
        return first if first <= last else 1.0


def _spread(zone: ZoneArea) -> list[Point]:
    """The zone's fixtures on a grid that fits its shape."""
    left, bottom, right, top = zone.area
    width, depth = right - left, top - bottom
    columns = max(1, min(zone.fixtures, round(math.sqrt(zone.fixtures * width / depth))))
    rows = math.ceil(zone.fixtures / columns)
    return [
        (left + (number % columns + 0.5) * width / columns, bottom + (number // columns + 0.5) * depth / rows)
        for number in range(zone.fixtures)
    ]
