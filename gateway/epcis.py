"""What `items/event` says, pure: a GS1 EPCIS 2.0 ObjectEvent (JSON-LD) for each item that comes, moves or leaves.

Words are those of the GS1 Core Business Vocabulary (CBV) 2.0: business steps (7.1), dispositions (7.2), and the EPCIS
Event Hash ID, which makes two tellings of one event the same event to whoever stores them.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from gateway.domain.identity import DIGITAL_LINK_ROOT
from gateway.domain.params import Disposition, ZoneKind
from gateway.payloads import rfc3339

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
CBV = "https://ref.gs1.org/cbv/"
# A gateway hears items; it neither puts tags on them (ADD) nor retires tags for good (DELETE).
ACTION = "OBSERVE"
# What happens to an item in a zone of this kind. CBV has no step for trying on.
STEPS = {
    ZoneKind.RECEIVING: "receiving",
    ZoneKind.BACKROOM: "storing",
    ZoneKind.SALES_FLOOR: "stocking",
    ZoneKind.SHELF: "stocking",
    ZoneKind.FITTING_ROOM: "other",
    ZoneKind.CHECKOUT: "retail_selling",
    ZoneKind.EXIT: "entering_exiting",
}
# On these an item that comes or goes out of nowhere was not carried past a reader: counting has found or missed it.
COUNTED_ON = frozenset({ZoneKind.BACKROOM, ZoneKind.SALES_FLOOR, ZoneKind.SHELF})
COUNTING = "cycle_counting"
# An item that is gone may be sold, stolen or hidden: that is for others to say.
GONE = "unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """A zone as an event names it: its URI, its kind and what its stock is."""

    uri: str
    kind: ZoneKind
    disposition: Disposition


@dataclass(frozen=True, slots=True)
class Passage:
    """One item went from `left` to `entered`, at `at_us` UTC; None: from or to where nobody reads it. Never both."""

    gtin: str
    serial: str
    left: Place | None
    entered: Place | None
    at_us: int


def object_event(passage: Passage, offset: timedelta) -> bytes:
    """The event as JSON in UTF-8; `offset` is the local time's ahead of UTC.

    It is where the item is from now on (`bizLocation`), if anywhere; `readPoint` is where that was noticed. There is no
    `recordTime`: whoever stores the event sets it.
    """
    where = passage.entered or passage.left
    assert where is not None, "an item that was nowhere and is nowhere has not passed"
    time, zone = rfc3339(passage.at_us), _signed(offset)
    item = f"{DIGITAL_LINK_ROOT}01/{passage.gtin}/21/{quote(passage.serial, safe='')}"
    unseen = passage.left is None or passage.entered is None
    step = COUNTING if unseen and where.kind in COUNTED_ON else STEPS[where.kind]
    disposition = GONE if passage.entered is None else passage.entered.disposition.value
    after = {} if passage.entered is None else {"bizLocation": {"id": passage.entered.uri}}
    # The hash is over name and value of every field in the order of the standard, nothing in between (CBV 2.0).
    hashed = (
        f"eventType=ObjectEventeventTime={time}eventTimeZoneOffset={zone}epcListepc={item}action={ACTION}"
        f"bizStep={CBV}BizStep-{step}disposition={CBV}Disp-{disposition}readPointid={where.uri}"
        + (f"bizLocationid={passage.entered.uri}" if passage.entered is not None else "")
    )
    event = {
        "@context": CONTEXT,
        "type": "ObjectEvent",
        "eventID": f"ni:///sha-256;{hashlib.sha256(hashed.encode()).hexdigest()}?ver=CBV2.0",
        "eventTime": time,
        "eventTimeZoneOffset": zone,
        "epcList": [item],
        "action": ACTION,
        "bizStep": step,
        "disposition": disposition,
        "readPoint": {"id": where.uri},
        **after,
    }
    return json.dumps(event, separators=(",", ":")).encode()


def _signed(offset: timedelta) -> str:
    """`+02:00`."""
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
