"""Who moves items in a simulated store: staff who refill, customers who try and buy, lorries that bring."""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from simulators.layout import Layout, ZoneKind
from simulators.stock import Stock, Thing, demo_gtins

_S_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """How busy the store is; the spans are (shortest, longest) stays of carried items."""

    customers_per_hour: float = 120.0
    refills_per_hour: float = 40.0
    deliveries_per_hour: float = 6.0
    fitting_share: float = 0.4
    buying_share: float = 0.5
    items_per_customer: int = 3
    items_per_refill: int = 8
    items_per_delivery: int = 20
    fitting_s: tuple[float, float] = (60.0, 240.0)
    checkout_s: tuple[float, float] = (20.0, 60.0)
    exit_s: tuple[float, float] = (6.0, 12.0)
    receiving_s: tuple[float, float] = (60.0, 180.0)

    def faster(self, factor: float) -> "Traffic":
        """The same people, coming `factor` times as often; they stay as long as before."""
        return replace(
            self,
            customers_per_hour=self.customers_per_hour * factor,
            refills_per_hour=self.refills_per_hour * factor,
            deliveries_per_hour=self.deliveries_per_hour * factor,
        )


class _Appointment(NamedTuple):
    at_us: int
    number: int
    act: Callable[[int], None]


class Hop(NamedTuple):
    """A stay on a trip: in which zone (None: out of the store), for how long."""

    zone: str | None
    stay_s: float


class People:
    """The trips of everyone; `advance` makes them happen up to a moment."""

    def __init__(self, layout: Layout, stock: Stock, traffic: Traffic, rng: random.Random) -> None:
        self.under_way = 0
        self._layout = layout
        self._stock = stock
        self._traffic = traffic
        self._rng = rng
        self._diary: list[_Appointment] = []
        self._number = 0
        self._closed = False

    def open(self, now_us: int) -> None:
        """Let people come from now on."""
        traffic = self._traffic
        for per_hour, come in (
            (traffic.customers_per_hour, self._customer),
            (traffic.refills_per_hour, self._refill),
            (traffic.deliveries_per_hour, self._delivery),
        ):
            if per_hour > 0:
                self._expect(now_us, per_hour, come)

    def close(self) -> None:
        """Let nobody come any more; who is on the way ends the trip."""
        self._closed = True

    def advance(self, now_us: int) -> None:
        """Everything up to `now_us`, in order."""
        while self._diary and self._diary[0].at_us <= now_us:
            appointment = heapq.heappop(self._diary)
            appointment.act(appointment.at_us)

    def _note(self, at_us: int, act: Callable[[int], None]) -> None:
        self._number += 1
        heapq.heappush(self._diary, _Appointment(at_us, self._number, act))

    def _expect(self, now_us: int, per_hour: float, come: Callable[[int], None]) -> None:
        def arrive(at_us: int) -> None:
            if not self._closed:
                come(at_us)
                self._expect(at_us, per_hour, come)

        self._note(now_us + _us(self._rng.expovariate(per_hour / _S_PER_HOUR)), arrive)

    def _customer(self, now_us: int) -> None:
        """Takes some items from the floor; tries them on or not; buys them or puts them back."""
        traffic, rng = self._traffic, self._rng
        floor = self._some(ZoneKind.SALES_FLOOR, ZoneKind.SHELF)
        if floor is None:
            return
        tries = rng.random() < traffic.fitting_share
        buys = rng.random() < traffic.buying_share
        items = self._stock.pick(floor, rng.randint(1, traffic.items_per_customer))
        hops: list[Hop] = []
        if tries:
            hops += self._stay(traffic.fitting_s, ZoneKind.FITTING_ROOM)
        if buys:
            hops += self._stay(traffic.checkout_s, ZoneKind.CHECKOUT)
            hops += self._stay(traffic.exit_s, ZoneKind.EXIT)
        hops.append(Hop(None if buys else floor, 0.0))
        self._go(items, hops, now_us)

    def _refill(self, now_us: int) -> None:
        backroom, floor = self._some(ZoneKind.BACKROOM), self._some(ZoneKind.SALES_FLOOR, ZoneKind.SHELF)
        if backroom and floor:
            self._go(self._stock.pick(backroom, self._traffic.items_per_refill), [Hop(floor, 0.0)], now_us)

    def _delivery(self, now_us: int) -> None:
        """New items of one article: into receiving where there is one, then into the backroom."""
        backroom = self._some(ZoneKind.BACKROOM)
        if backroom is None:
            return
        gtin = self._rng.choice(demo_gtins())
        stays = self._stay(self._traffic.receiving_s, ZoneKind.RECEIVING)
        first = stays[0].zone if stays and stays[0].zone else backroom
        items = [self._stock.new_item(gtin, first) for _ in range(self._traffic.items_per_delivery)]
        if stays:
            self._go(items, [*stays, Hop(backroom, 0.0)], now_us)

    def _go(self, items: Sequence[Thing], hops: Sequence[Hop], now_us: int) -> None:
        """Carry items along: into the first zone now, and on after each stay."""
        if not items:
            return
        self.under_way += 1
        for item in items:
            item.carried = True
        self._hop(items, hops, now_us)

    def _hop(self, items: Sequence[Thing], hops: Sequence[Hop], now_us: int) -> None:
        hop, *rest = hops
        for item in items:
            if item.zone != hop.zone:
                self._stock.move(item, hop.zone)
        if rest:
            self._note(now_us + _us(hop.stay_s), lambda at_us: self._hop(items, rest, at_us))
            return
        for item in items:
            item.carried = False
        self.under_way -= 1

    def _stay(self, span_s: tuple[float, float], kind: ZoneKind) -> list[Hop]:
        zone = self._some(kind)
        return [Hop(zone, self._rng.uniform(*span_s))] if zone else []

    def _some(self, *kinds: ZoneKind) -> str | None:
        zones = [zone for kind in kinds for zone in self._layout.of_kind(kind)]
        return self._rng.choice(zones) if zones else None


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
