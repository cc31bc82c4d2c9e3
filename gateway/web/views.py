"""What the status page and `/api/{view}` show, as plain JSON values."""

from collections.abc import Callable
from typing import Any

from gateway.domain.epctext import EpcTextError, identity_of, parse_item
from gateway.domain.zones import antenna_works
from gateway.explain import known_item
from gateway.parts import SOFTWARE, Parts
from gateway.shelf_view import bin_view
from gateway.trace.layouts import layout_as_json, layout_of, records_as_json
from readers.model import AntennaCondition, ReaderCondition, ReaderState


def status(gateway: Parts) -> dict[str, Any]:
    """The gateway at a glance, and its link to the broker."""
    return {
        **gateway.status().model_dump(mode="json", exclude={"transaction"}),
        "broker": {
            "connected": gateway.uplink.connected,
            "address": f"{gateway.config.mqtt.host}:{gateway.config.mqtt.port}",
            "backlog": gateway.backlog,
        },
        "uptime_s": (gateway.clock.monotonic_us() - gateway.started_us) // 1_000_000,
        "loop_lag_ms": round(gateway.health.lag_s * 1000, 1),
    }


def about(gateway: Parts) -> dict[str, Any]:
    """Whose capture it is, and where its antennas look."""
    site = gateway.config.site
    layout = layout_as_json(layout_of(gateway.config))
    shelves = records_as_json(each.record() for each in gateway.shelves.bins.values())
    return {
        "software": SOFTWARE,
        "site": site.id,
        "gateway": site.gateway,
        "layout": layout,
        "shelves": shelves,
    }


def stock(gateway: Parts) -> list[dict[str, Any]]:
    """Every row of stock."""
    rows = sorted(gateway.stock, key=lambda row: (row.gtin, row.zone))
    return [
        {
            "gtin": row.gtin,
            "zone": row.zone,
            "disposition": row.disposition,
            "quantity": row.quantity,
            "confirmed": row.confirmed,
        }
        for row in rows
    ]


def readers(gateway: Parts) -> dict[str, Any]:
    """Every reader's state, as it is published."""
    return {reader: gateway.fleet.status(reader).model_dump(mode="json") for reader in gateway.fleet.members}


def zones(gateway: Parts) -> dict[str, Any]:
    """Every zone's health, as it is published."""
    return {zone.id: gateway.zone_health(zone).model_dump(mode="json") for zone in gateway.inventory.zones.values()}


def antennas(gateway: Parts) -> list[dict[str, Any]]:
    """Every antenna: what its reader says of it, where it looks, and how many tags it has read."""
    heard = gateway.inventory.tags_heard()
    found = []
    for reader, member in gateway.fleet.members.items():
        state = member.state
        for port, zone in sorted(member.zone_of.items()):
            found.append(
                {
                    "reader": reader,
                    "antenna": port,
                    "zone": zone.id,
                    "works": antenna_works(state.condition, state.antennas, port),
                    "state": _antenna_state(state, port),
                    "resting": state.resting,
                    "tags": heard.get((reader, port), 0),
                }
            )
    return found


def _antenna_state(state: ReaderState, port: int) -> str:
    """What its reader says of it, or of itself where it does not read."""
    told = state.antennas.get(port, AntennaCondition.UNKNOWN)
    reading = state.condition is ReaderCondition.READING
    return told.value if reading or told is AntennaCondition.DOWN else state.condition.value


def item(gateway: Parts, name: str) -> dict[str, Any] | None:
    """All that is known of the item that `name` names; None where nothing is. Raises EpcTextError."""
    named = parse_item(name)
    identity = identity_of(named)
    if identity is None:
        raise EpcTextError("this EPC is no item: it holds no SGTIN", "tallygate decode tells what it holds")
    now_us, utc_us = gateway.clock.monotonic_us(), gateway.clock.utc_us()
    return known_item(gateway.inventory, gateway.line.recent, identity, now_us, utc_us)


def shelves(gateway: Parts) -> list[dict[str, Any]]:
    """Every bin: what lies on it, what it weighs, and whether that can be relied upon."""
    return [bin_view(each, gateway.shelves.blind.get(antenna)) for antenna, each in gateway.shelves.bins.items()]


def alerts(gateway: Parts) -> list[dict[str, Any]]:
    """The alerts that stand."""
    return [gateway.alerts.payload(alert).model_dump(mode="json") for alert in gateway.alerts]


VIEWS: dict[str, Callable[[Parts], Any]] = {
    "status": status,
    "stock": stock,
    "readers": readers,
    "zones": zones,
    "antennas": antennas,
    "alerts": alerts,
    "shelves": shelves,
}
