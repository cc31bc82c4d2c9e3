import json
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.params import ZoneKind
from gateway.epcis import Passage, object_event
from tests.gateway.events import AT_US, GTIN, OFFSETS, PLACES, SERIAL, every_passage, place

FLOOR, BACKROOM = place(ZoneKind.SALES_FLOOR), place(ZoneKind.BACKROOM)


def told(passage: Passage, offset: timedelta = OFFSETS[0]) -> dict[str, Any]:
    event = json.loads(object_event(passage, offset))
    assert isinstance(event, dict)
    return event


def test_a_move_as_the_reference_implementation_of_the_event_id_sees_it() -> None:
    """The ID is what GS1's own program gives this event; tests/interop compares many more."""
    assert told(Passage(GTIN, SERIAL, BACKROOM, FLOOR, AT_US)) == {
        "@context": "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
        "type": "ObjectEvent",
        "eventID": "ni:///sha-256;74d1daa2c61045c46f9967720b707d4babcd83d638f52746c49bc7dadddb681f?ver=CBV2.0",
        "eventTime": "2023-11-14T22:13:20.123Z",
        "eventTimeZoneOffset": "+01:00",
        "epcList": ["https://id.gs1.org/01/09506000134352/21/32a%2Fb"],
        "action": "OBSERVE",
        "bizStep": "stocking",
        "disposition": "sellable_accessible",
        "readPoint": {"id": PLACES + "sales-floor"},
        "bizLocation": {"id": PLACES + "sales-floor"},
    }


def test_what_left_is_nowhere_and_of_unknown_condition() -> None:
    event = told(Passage(GTIN, SERIAL, FLOOR, None, AT_US), timedelta(hours=-3, minutes=-30))
    assert event["eventID"] == (
        "ni:///sha-256;d6df893a25c5e3859064ce215c7f261a57e86701f800585711ae5a7886efa482?ver=CBV2.0"
    )
    assert event["eventTimeZoneOffset"] == "-03:30"
    assert event["readPoint"] == {"id": FLOOR.uri}
    assert event["disposition"] == "unknown"
    assert "bizLocation" not in event


@pytest.mark.parametrize(
    ("left", "entered", "step"),
    [
        (None, ZoneKind.SALES_FLOOR, "cycle_counting"),
        (None, ZoneKind.RECEIVING, "receiving"),
        (ZoneKind.RECEIVING, ZoneKind.BACKROOM, "storing"),
        (ZoneKind.BACKROOM, ZoneKind.SHELF, "stocking"),
        (ZoneKind.SALES_FLOOR, ZoneKind.FITTING_ROOM, "other"),
        (ZoneKind.FITTING_ROOM, ZoneKind.CHECKOUT, "retail_selling"),
        (ZoneKind.CHECKOUT, ZoneKind.EXIT, "entering_exiting"),
        (ZoneKind.EXIT, None, "entering_exiting"),
        (ZoneKind.CHECKOUT, None, "retail_selling"),
        (ZoneKind.SHELF, None, "cycle_counting"),
    ],
)
def test_the_step_follows_from_the_zone(left: ZoneKind | None, entered: ZoneKind | None, step: str) -> None:
    ends = [None if kind is None else place(kind) for kind in (left, entered)]
    assert told(Passage(GTIN, SERIAL, *ends, AT_US))["bizStep"] == step


def test_the_gateway_commissions_and_retires_nothing() -> None:
    assert {told(passage)["action"] for passage in every_passage()} == {"OBSERVE"}
