"""What the status page and `/api/{view}` show, as plain JSON values."""

from collections.abc import Callable
from typing import Any

from gateway.parts import Parts


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


def alerts(gateway: Parts) -> list[dict[str, Any]]:
    """The alerts that stand."""
    return [gateway.alerts.payload(alert).model_dump(mode="json") for alert in gateway.alerts]


VIEWS: dict[str, Callable[[Parts], Any]] = {
    "status": status,
    "stock": stock,
    "readers": readers,
    "zones": zones,
    "alerts": alerts,
}
