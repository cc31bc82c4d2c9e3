"""What `tallygate watch` shows: a view of a consumer's stock, a line of text or of JSON per change. Pure."""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.consumer.client import Applied, Change, Consumer, Replaced
from gateway.consumer.decode import ZoneSays
from gateway.consumer.outputs import Finding
from gateway.payloads import Delta, Row, State, ZoneHealth

# The last deltas and findings that are shown.
SHOWN_DELTAS = 6
SHOWN_FINDINGS = 2
# Lines of the view that are not rows of the stock: headings, zones are counted apart.
FRAME_LINES = 7
# Cut, a GTIN is of no use.
GTIN_CHARACTERS = 14
# A delta's line tells its first changes.
SHOWN_CHANGES = 2

STATE_STYLES = {"ok": "green", "learning": "yellow", "degraded": "yellow", "stale": "red"}


class Watched:
    """What a consumer told lately, beyond the stock in its store."""

    def __init__(self) -> None:
        self.state: State | None = None
        self.zones: dict[str, ZoneHealth] = {}
        self.deltas: deque[Delta] = deque(maxlen=SHOWN_DELTAS)
        self.findings: deque[Finding] = deque(maxlen=SHOWN_FINDINGS)

    def take(self, change: Change) -> None:
        """Remembers one change."""
        match change:
            case Applied(delta):
                self.deltas.append(delta)
            case State():
                self.state = change
            case ZoneSays(zone, health):
                self.zones[zone] = health
            case Finding():
                self.findings.append(change)
            case Replaced():
                self.deltas.clear()


def view(watched: Watched, consumer: Consumer, height_lines: int) -> RenderableType:
    """The whole screen, within `height_lines`: who and how, stock per GTIN and zone, zones, last deltas."""
    rows = list(consumer.store.rows())
    deltas = [Text(f"  {delta_text(delta)}", no_wrap=True, overflow="ellipsis") for delta in reversed(watched.deltas)]
    findings = [Text(f"  {finding.kind}: {finding.text}", style="yellow") for finding in watched.findings]
    room = height_lines - FRAME_LINES - len(watched.zones) - SHOWN_DELTAS - SHOWN_FINDINGS
    return Group(
        _heading(watched, consumer),
        stock_table(rows, max(3, room)),
        _zone_table(watched.zones),
        Text("last deltas", style="bold"),
        *deltas,
        *findings,
    )


def _heading(watched: Watched, consumer: Consumer) -> Text:
    online = consumer.rule.online
    link = "broker gone" if not consumer.connected else "online" if online else "offline"
    seq = consumer.rule.applied
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(link, style="green" if link == "online" else "red")
    text.append(f"  {consumer.rule.mode.replace('_', ' ')}")
    if seq is not None:
        text.append(f"  delta {seq}")
    if watched.state is not None:
        text.append(f"  {watched.state.software}")
    return text


def stock_table(rows: Iterable[Row], limit: int) -> Table:
    """GTIN by zone; the `limit` largest GTINs, and how many more there are."""
    levels = {(row.gtin, row.zone): row for row in rows}
    totals = Counter[str]()
    for (gtin, _), row in levels.items():
        totals[gtin] += row.quantity
    zones = sorted({zone for _, zone in levels})
    table = Table(box=None, pad_edge=False, title_justify="left")
    table.add_column("GTIN", no_wrap=True, min_width=GTIN_CHARACTERS)
    for name in (*zones, "total"):
        table.add_column(name, justify="right", overflow="ellipsis", no_wrap=True)
    shown = sorted(totals, key=lambda gtin: (-totals[gtin], gtin))[:limit]
    for gtin in shown:
        cells = [_level(levels.get((gtin, zone))) for zone in zones]
        table.add_row(gtin, *cells, str(totals[gtin]))
    if len(totals) > len(shown):
        table.add_row(f"{len(totals) - len(shown)} more", *("" for _ in zones), "")
    sums = [sum(row.quantity for (_, where), row in levels.items() if where == zone) for zone in zones]
    table.add_row("all", *map(str, sums), str(sum(sums)), style="bold")
    return table


def _level(row: Row | None) -> str:
    """Quantity, and how much of it was read lately where that is less."""
    if row is None:
        return ""
    return str(row.quantity) if row.confirmed == row.quantity else f"{row.quantity} ({row.confirmed})"


def _zone_table(zones: dict[str, ZoneHealth]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, min_width=max(map(len, zones), default=0))
    table.add_column(no_wrap=True, min_width=max(map(len, STATE_STYLES)))
    table.add_column(no_wrap=True, overflow="ellipsis")
    for zone, health in sorted(zones.items()):
        table.add_row(zone, Text(health.state, style=STATE_STYLES[health.state]), health.text)
    return table


def delta_text(delta: Delta) -> str:
    """A delta in one line: number, first changes, causes."""
    changes = [f"{change.gtin} {change.zone} {change.change:+d}={change.quantity}" for change in delta.changes]
    more = f", {len(changes) - SHOWN_CHANGES} more" if len(changes) > SHOWN_CHANGES else ""
    causes = " ".join(f"{cause}:{count}" for cause, count in sorted(delta.causes.items()))
    return f"{delta.seq}  {', '.join(changes[:SHOWN_CHANGES])}{more}  {causes}"


def as_text(change: Change) -> str:
    """A change in one line, for a pipe or a log."""
    match change:
        case Applied(delta):
            return f"delta {delta_text(delta)}"
        case Replaced(_, as_of, rows):
            return f"snapshot {as_of}  {len(rows)} rows, {sum(row.quantity for row in rows)} items"
        case State():
            return f"gateway {'online' if change.online else 'offline'}  delta {change.seq}  {change.software}"
        case ZoneSays(zone, health):
            return f"zone {zone} {health.state}  {health.text}".rstrip()
        case Finding(kind, text):
            return f"finding {kind}  {text}"


def as_json_line(change: Change) -> dict[str, Any]:
    """A change as an object: `type`, and what its message says."""
    match change:
        case Applied(delta):
            return {"type": "delta", **delta.model_dump(exclude_none=True)}
        case Replaced(epoch, as_of, rows):
            return {"type": "snapshot", "epoch": epoch, "as_of": as_of, "rows": [row.model_dump() for row in rows]}
        case State():
            return {"type": "state", **change.model_dump()}
        case ZoneSays(zone, health):
            return {"type": "zone", "zone": zone, **health.model_dump()}
        case Finding(kind, text):
            return {"type": "finding", "kind": kind, "text": text}
