"""The status page: one HTML document without scripts, made anew at each request, renewed by the browser."""

from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from html import escape
from typing import Any

from gateway.parts import Parts
from gateway.shelf_view import shows
from gateway.spoken import duration
from gateway.web import views

RENEW_S = 2
# Of the stock: whoever wants all of ten thousands of rows does not want them in a browser every two seconds.
MOST_ROWS = 200
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
p { margin: .2rem 0; opacity: .8; }
table { border-collapse: collapse; width: 100%; }
td:not(:last-child) { white-space: nowrap; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number + td, th.number + th { padding-left: 1rem; }
.wide { overflow-x: auto; }
@media (max-width: 40rem) {
  body { margin: 1rem auto; padding: 0 .7rem; } th, td { padding-right: .4rem; }
  td:not(:last-child) { white-space: normal; } td.number + td, th.number + th { padding-left: .3rem; }
}
.good { color: #1a7f37; } .bad { color: #cf222e; font-weight: 600; } .wait { color: #9a6700; }
@media (prefers-color-scheme: dark) { .good { color: #3fb950; } .bad { color: #ff7b72; } .wait { color: #d29922; } }
"""
CLASSES = {
    "ok": "good", "reading": "good", "connected": "good",
    "stale": "bad", "blind": "bad", "failed": "bad", "critical": "bad", "warning": "wait",
    "learning": "wait", "degraded": "wait", "connecting": "wait",
}  # fmt: skip
NUMBERS = {"quantity", "confirmed", "items", "reads/s", "grams"}


def page(gateway: Parts) -> str:
    """The whole document."""
    status = views.status(gateway)
    broker = status["broker"]
    link = f"connected to {broker['address']}" if broker["connected"] else f"no connection to {broker['address']}"
    title = f"{status['site']} / {status['gateway']}"
    readers = [
        (name, state["state"], state["model"], state["address"], state["reads_per_s"], _trouble(state["error"]))
        for name, state in views.readers(gateway).items()
    ]
    rows = list(gateway.stock)
    items = Counter[str]()
    for row in rows:
        items[row.zone] += row.quantity
    zones = [
        (name, items[name], zone["state"], ", ".join(zone["readers"]), zone["text"])
        for name, zone in views.zones(gateway).items()
    ]
    shown = nsmallest(MOST_ROWS, rows, key=lambda row: (row.gtin, row.zone))
    stock = [(row.gtin, row.zone, row.quantity, row.confirmed) for row in shown]
    more = len(rows) - len(shown)
    shelves = [
        (f"{each['reader']}:{each['channel']}", each["zone"], each["state"], shows(each), _pieces(each), each["text"])
        for each in views.shelves(gateway)
    ]
    alerts = [
        (alert["severity"], alert["kind"], alert["subject"], f"{alert['text']}: {alert['hint']}")
        for alert in views.alerts(gateway)
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{RENEW_S}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>{escape(status['software'])}, running for {duration(status['uptime_s'])}</p>"
        f"<p>Counted: {items.total():,} items of {len({row.gtin for row in rows}):,} products.</p>"
        f"<p>Broker: {escape(link)}. {status['seq']:,} deltas written, {broker['backlog']:,} waiting to be taken.</p>"
        + _table("Alerts", ("severity", "kind", "subject", "what to do"), alerts, empty="None.")
        + _table("Zones", ("zone", "items", "state", "readers", "note"), zones)
        + _table("Readers", ("reader", "state", "model", "address", "reads/s", "trouble"), readers)
        + (_table("Shelves", ("bin", "zone", "state", "shows", "pieces", "note"), shelves) if shelves else "")
        + _table("Stock", ("gtin", "zone", "quantity", "confirmed"), stock, empty="Nothing counted yet.")
        + (f'<p>{more} more rows: <a href="/api/stock">/api/stock</a></p>' if more else "")
        + "</body></html>"
    )


def _pieces(shelf: dict[str, Any]) -> str:
    return ", ".join(f"{product['pieces']} of {product['gtin']}" for product in shelf["products"])


def _trouble(error: dict[str, str] | None) -> str:
    return f"{error['text']}: {error['hint']}" if error else ""


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "") -> str:
    """A titled table; every cell is escaped, a known word of state gets its colour."""
    body = "".join(
        "<tr>" + "".join(_cell(head, value) for head, value in zip(heads, row, strict=True)) + "</tr>" for row in rows
    )
    if not body:
        return f"<h2>{escape(title)}</h2><p>{escape(empty)}</p>"
    head = "".join(f"<th{_class('number' if name in NUMBERS else '')}>{escape(name)}</th>" for name in heads)
    return f'<h2>{escape(title)}</h2><div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _cell(head: str, value: object) -> str:
    text = str(value)
    return f"<td{_class('number' if head in NUMBERS else CLASSES.get(text, ''))}>{escape(text)}</td>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
