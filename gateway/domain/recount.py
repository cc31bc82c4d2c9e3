"""What a person has counted on a shelf, and why it cannot be taken."""

from dataclasses import dataclass


class RecountError(Exception):
    """This bin cannot be told what lies in it; `hint` says what to do instead."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class NotAtRestError(RecountError):
    """Not now: the weight that the count belongs to is not known. It may be a moment later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "take your hands off it, and say it again when it rests")


@dataclass(frozen=True, slots=True)
class Recount:
    """What became of it: the pieces of each GTIN before (None: it was not counted) and since, and by how many grams the
    bin's zero has moved.
    """

    before: dict[str, int | None]
    pieces: dict[str, int]
    zero_moved_g: float
