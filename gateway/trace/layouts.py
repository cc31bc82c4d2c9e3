"""A layout as JSON values, as a capture carries it along."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from pydantic import TypeAdapter

from config.effective import Config
from config.layout import Layout
from gateway.domain.params import Bin, ItemParams, PresenceParams, Zone, ZoneKind
from gateway.domain.records import BinRecord

# They pass over what they do not know.
BINS: Final = TypeAdapter(tuple[Bin, ...])
RECORDS: Final = TypeAdapter(tuple[BinRecord, ...])


def layout_of(config: Config) -> Layout:
    """The layout of a whole configuration."""
    antennas = {(reader.id, port): zone for reader in config.readers for port, zone in reader.antennas.items()}
    return Layout(config.zones, antennas, config.item_params, bins=config.bins)


def layout_as_json(layout: Layout) -> dict[str, Any]:
    """JSON values that `layout_from_json` understands."""
    return {
        "zones": [asdict(zone) for zone in layout.zones],
        "antennas": [[reader, port, zone] for (reader, port), zone in layout.antennas.items()],
        "bins": [asdict(each) for each in layout.bins],
        "company_prefixes": list(layout.item_params.company_prefixes),
        "filter_values": sorted(layout.item_params.filter_values),
    }


def layout_from_json(value: Mapping[str, Any]) -> Layout:
    """The layout again. Parameters that this version does not know are passed over, new ones are as usual.

    Raises KeyError, TypeError or ValueError for what is none.
    """
    known = {field.name for field in fields(PresenceParams)}
    zones = []
    for zone in value["zones"]:
        presence = {name: given for name, given in zone["presence"].items() if name in known}
        zones.append(Zone(str(zone["id"]), ZoneKind(zone["kind"]), PresenceParams(**presence)))
    names = {zone.id for zone in zones}
    antennas = {(str(reader), int(port)): str(zone) for reader, port, zone in value["antennas"] if zone in names}
    items = ItemParams(tuple(value["company_prefixes"]), frozenset(value["filter_values"]))
    bins = BINS.validate_python(value.get("bins", ()))
    return Layout(tuple(zones), antennas, items, bins=tuple(each for each in bins if each.zone in names))


def records_as_json(records: Iterable[BinRecord]) -> list[dict[str, Any]]:
    """What lies on the shelves, as JSON values."""
    return [asdict(record) for record in records]


def records_from_json(value: Any) -> tuple[BinRecord, ...]:
    """What `records_as_json` was given. Raises ValueError for what is none."""
    return RECORDS.validate_python(value)
