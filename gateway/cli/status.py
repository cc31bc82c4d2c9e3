"""`tallygate status`: a running gateway at a glance."""

from typing import Any

import typer

from gateway.cli.api import DEFAULT_HTTP, HttpOption, TimeoutOption, TokenOption, ask
from gateway.cli.output import ExitCode, JsonOption, pairs, print_json, table
from gateway.spoken import duration


def status(
    http: HttpOption = DEFAULT_HTTP,
    timeout: TimeoutOption = 5.0,
    token_file: TokenOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Shows readers, zones, stock, broker and alerts of the gateway that runs here.

    Standing alerts are a finding (exit 1).
    """
    views = ("status", "readers", "zones", "stock", "alerts")
    found = {view: ask(http, view, timeout, token_file) for view in views}
    if as_json:
        print_json(found)
    else:
        print(_for_people(found))
    if found["alerts"]:
        raise typer.Exit(ExitCode.FINDING)


def _for_people(found: dict[str, Any]) -> str:
    status, stock = found["status"], found["stock"]
    broker = status["broker"]
    connected = "connected" if broker["connected"] else "not connected"
    facts = pairs(
        (
            ("gateway", f"{status['site']} / {status['gateway']}, {status['software']}"),
            ("running for", duration(status["uptime_s"])),
            ("broker", f"{broker['address']}, {connected}, {broker['backlog']:,} deltas wait"),
            ("deltas", f"{status['seq']:,} written, {status['acknowledged']:,} acknowledged"),
            ("items", f"{sum(row['quantity'] for row in stock):,} counted, {status['items']:,} known"),
        )
    )
    readers = [
        (name, reader["state"], f"{reader['reads_per_s']:g}", _trouble(reader))
        for name, reader in found["readers"].items()
    ]
    items = {zone: sum(row["quantity"] for row in stock if row["zone"] == zone) for zone in found["zones"]}
    zones = [(name, f"{items[name]:,}", zone["state"], zone["text"]) for name, zone in found["zones"].items()]
    alerts = [(alert["severity"], alert["kind"], alert["subject"], alert["text"]) for alert in found["alerts"]]
    parts = [facts, table(("reader", "state", "reads/s", "trouble"), readers)]
    parts.append(table(("zone", "items", "state", "why"), zones))
    if alerts:
        parts.append(table(("severity", "alert", "of", "text"), alerts))
    return "\n\n".join(parts)


def _trouble(reader: dict[str, Any]) -> str:
    error = reader["error"]
    return f"{error['text']} ({error['hint']})" if error else ""
