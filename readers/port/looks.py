"""The antennas of a reader that looks through them in turn: whose turn it is, and which can be counted on. Pure."""

from collections.abc import Sequence

from readers.model import AntennaCondition


class Looks:
    """An antenna is up while its looks come to an end, and down after `most_misses` in a row that did not."""

    def __init__(self, antennas: Sequence[int], most_misses: int) -> None:
        self.conditions = dict.fromkeys(antennas, AntennaCondition.UNKNOWN)
        self._misses = dict.fromkeys(antennas, 0)
        self._antennas = antennas
        self._most_misses = most_misses
        self._turn = 0

    @property
    def antenna(self) -> int:
        """The one that looks, or looks next."""
        return self._antennas[self._turn]

    def turn(self) -> None:
        """The next one looks."""
        self._turn = (self._turn + 1) % len(self._antennas)

    def seen(self, antenna: int) -> bool:
        """A look came to its end, with or without tags; True where that is news."""
        self._misses[antenna] = 0
        return self._learn(antenna, AntennaCondition.UP)

    def missed(self, antenna: int, *, for_certain: bool = False) -> bool:
        """A look failed; `for_certain`: no antenna is there. True where it is down and was not."""
        self._misses[antenna] += 1
        return (for_certain or self._misses[antenna] >= self._most_misses) and self._learn(
            antenna, AntennaCondition.DOWN
        )

    def _learn(self, antenna: int, found: AntennaCondition) -> bool:
        is_news = self.conditions[antenna] is not found
        self.conditions[antenna] = found
        return is_news
