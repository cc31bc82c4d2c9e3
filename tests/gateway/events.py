"""Places and passages for the tests of item events."""

from datetime import timedelta

from gateway.domain.params import DISPOSITIONS, ZoneKind
from gateway.epcis import Passage, Place

PLACES = "https://id.gs1.org/414/9506000134369/254/"
GTIN = "09506000134352"
SERIAL = "32a/b"
AT_US = 1_700_000_000_123_456
OFFSETS = (timedelta(hours=1), timedelta(hours=-3, minutes=-30), timedelta())


def place(kind: ZoneKind) -> Place:
    return Place(PLACES + kind.value.replace("_", "-"), kind, DISPOSITIONS[kind])


def every_passage() -> list[Passage]:
    """From every kind of zone, and from nowhere, to every other."""
    ends = [None, *map(place, ZoneKind)]
    return [Passage(GTIN, SERIAL, left, entered, AT_US) for left in ends for entered in ends if left is not entered]
