"""The event IDs that GS1's reference implementation gives the events of an EPCIS document: `epcis_hash.py FILE`."""

import sys
from pathlib import Path

from epcis_event_hash_generator.hash_generator import epcis_hashes_from_events
from epcis_event_hash_generator.json_to_py import event_list_from_epcis_document_str

for hashed in epcis_hashes_from_events(event_list_from_epcis_document_str(Path(sys.argv[1]).read_text())):
    print(hashed)
