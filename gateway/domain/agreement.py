"""Where tags and a shelf count the same product in the same zone: do they agree, and for how long have they not?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.domain.delta import StockKey
from gateway.domain.stock import Tally
from gateway.domain.zones import US_PER_S, LiveZone


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row of which tags and shelf have said different counts for too long."""

    key: StockKey
    read: int
    shelved: int
    since_us: int


class Agreement:
    """Fed both counts of every row now and then. A row of which no tag was ever read is no business of the tags.

    While its zone cannot be trusted a row's time stands still: there departures wait, and shelves are blind.
    """

    def __init__(self) -> None:
        self.standing: set[StockKey] = set()
        self._met: set[StockKey] = set()
        self._differs_s: dict[StockKey, float] = {}
        self._looked_us = 0

    def look(
        self,
        now_us: int,
        both: Iterable[tuple[StockKey, Tally, Tally]],
        zones: Mapping[str, LiveZone],
        limits_s: Mapping[StockKey, float],
    ) -> tuple[list[Disagreement], list[StockKey]]:
        """(rows that have differed for longer than their limit, since this look; rows that agree again)"""
        elapsed_s = (now_us - self._looked_us) / US_PER_S if self._looked_us else 0.0
        self._looked_us = now_us
        raised: list[Disagreement] = []
        seen: set[StockKey] = set()
        for key, read, shelved in both:
            seen.add(key)
            if read.quantity:
                self._met.add(key)
            if read.quantity == shelved.quantity or key not in self._met:
                self._differs_s.pop(key, None)
                continue
            zone = zones.get(key[1])
            waits = zone is None or not zone.trusted
            differs_s = self._differs_s[key] = self._differs_s.get(key, 0.0) + (0.0 if waits else elapsed_s)
            if key not in self.standing and differs_s >= limits_s.get(key, 0.0):
                self.standing.add(key)
                raised.append(Disagreement(key, read.quantity, shelved.quantity, now_us - round(differs_s * US_PER_S)))
        self._met &= seen
        self._differs_s = {key: differs_s for key, differs_s in self._differs_s.items() if key in seen}
        cleared = [key for key in self.standing if key not in self._differs_s]
        self.standing.difference_update(cleared)
        return raised, cleared
