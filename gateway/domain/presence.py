"""The rules' words for an item: glimpsed, present, missing, departed.

They follow GS1 ALE 1.1 (glimpsed, observed, lost), with one more: an item that is silent for longer than its own
read rate explains is MISSING, still counted but no longer confirmed; only evidence that it is gone makes it DEPARTED.
"""

from enum import StrEnum


class Presence(StrEnum):
    """How far an item is believed to be here."""

    GLIMPSED = "glimpsed"
    PRESENT = "present"
    MISSING = "missing"
    DEPARTED = "departed"


COUNTED = frozenset({Presence.PRESENT, Presence.MISSING})
"""Part of the stock: a missing item is not yet gone."""
