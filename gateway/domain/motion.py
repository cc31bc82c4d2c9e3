"""Whether a tag is being carried: then its strength jumps from look to look.

The field in a room changes within half a wavelength (17 cm), so a tag in a hand is heard now strong, now weak, while
one that lies still fades within many seconds. How much lying tags jump differs from reader to reader, so it is learnt
of all tags of the shop: nearly all of them lie.
"""

from gateway.domain.items import Cell, Item
from gateway.domain.zones import US_PER_S
from readers.model import NO_RSSI_DBM

# Two looks of one antenna are compared when so much time lies between: in less nobody gets anywhere, after more even
# a tag that lies has faded.
SHORTEST_US = US_PER_S // 2
LONGEST_US = 30 * US_PER_S
# Another antenna takes over when the one that was followed has not read the tag for so long.
FOLLOWED_US = 3 * US_PER_S
# The mean goes back some five looks.
LOOK_SHARE = 0.2
# It is carried where it jumps so many times as much as is usual, and by so many dB at least.
CARRIED_TIMES = 2.0
CARRIED_DB = 3.0
# What is usual is the mean over so many looks; at first it is this.
USUAL_LOOKS = 2000.0
FIRST_USUAL_DB = 1.5


class Motion:
    """How much tags of this shop usually jump between two looks: `usual_db`."""

    __slots__ = ("usual_db",)

    def __init__(self) -> None:
        self.expect(FIRST_USUAL_DB)

    def expect(self, usual_db: float) -> None:
        """So much is usual."""
        self.usual_db = usual_db

    def look(self, item: Item, cell: Cell, dbm: int, at_us: int) -> None:
        """An antenna has read the item at this strength."""
        gap_us = at_us - item.look_us
        if cell is item.look_cell:
            if gap_us < SHORTEST_US:
                return
        elif gap_us < FOLLOWED_US:
            return
        if dbm == NO_RSSI_DBM:
            return
        if gap_us > LONGEST_US:
            item.stir_db -= LOOK_SHARE * item.stir_db
        elif cell is item.look_cell:
            jump_db = abs(dbm - item.look_dbm)
            item.stir_db += LOOK_SHARE * (jump_db - item.stir_db)
            self.usual_db += (jump_db - self.usual_db) / USUAL_LOOKS
        item.look_cell, item.look_us, item.look_dbm = cell, at_us, dbm
        carried = item.stir_db > CARRIED_DB and item.stir_db > CARRIED_TIMES * self.usual_db
        if carried is not item.carried:
            item.carried = carried
            item.find_pool()
