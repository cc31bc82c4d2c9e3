"""`tallygate why`: an item's history, and the decision behind its present state."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.api import DEFAULT_HTTP, HttpOption, TimeoutOption
from gateway.cli.locate import ItemArgument, item_of, sentence
from gateway.cli.output import ExitCode, JsonOption, fail, print_json, table
from gateway.clock import SystemClock
from gateway.domain.epctext import EpcTextError, identity_of, parse_item
from gateway.explain import recorded_item
from gateway.ledger import LedgerError
from gateway.ledger_file import read_item
from gateway.spoken import duration

# A zone that reads an item more seldom (reads per second) does not hear it, for a person.
LEAST_OFTEN = 0.005


def why(
    item: ItemArgument,
    http: HttpOption = DEFAULT_HTTP,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="No daemon runs: what this ledger has kept of the item.")
    ] = None,
    timeout: TimeoutOption = 5.0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Explains why an item counts where it counts: reads per antenna, evidence, thresholds, last transitions.

    An item that is not known is a finding (exit 1).
    """
    found = item_of(http, item, timeout) if ledger is None else _kept(ledger.absolute(), item)
    if as_json:
        print_json(found)
    else:
        print(in_words(found))


def _kept(ledger: Path, item: str) -> dict[str, Any]:
    try:
        identity = identity_of(parse_item(item))
        record = read_item(ledger, identity.gtin, identity.serial) if identity is not None else None
    except EpcTextError as error:
        fail(ExitCode.USAGE, str(error), error.hint)
    except LedgerError as error:
        fail(ExitCode.UNREACHABLE, str(error), error.hint)
    if record is None:
        fail(ExitCode.FINDING, f"{item}: unknown to this ledger", "it keeps items that count, and some that have left")
    return recorded_item(record, SystemClock().utc_us())


def in_words(found: dict[str, Any]) -> str:
    """What is known of an item, for a person."""
    parts = [sentence(found)]
    if "heard" in found:
        parts += [_reasons(found), _heard(found), _evidence(found)]
    elif "silence_s" in found:
        parts.append(f"  silent for {duration(found['silence_s'])} of healthy time; {_chance(found)}")
    if past := found.get("transitions"):
        rows = [
            (one["at"], one["cause"], _place(one["was"], one["left"]), _place(one["now"], one["entered"]))
            for one in past
        ]
        parts.append(table(("at", "cause", "from", "to"), rows))
    return "\n\n".join(part for part in parts if part)


def _place(presence: str, zone: str | None) -> str:
    return presence if zone is None else f"{presence} in {zone}"


def _chance(found: dict[str, Any]) -> str:
    return f"a healthy second brings a read with a chance of {found['read_chance']:.0%}"


def _reasons(found: dict[str, Any]) -> str:
    """The rule that holds it where it is, and what would move it."""
    bounds = found["bounds"]
    lines = [_chance(found)]
    if bounds is None:
        if found["presence"] == "glimpsed":
            lines.append(f"it has been read {found['reads']} times of the {found['reads_needed']} that it takes")
        return _bullets(lines)
    if found["by_first_read"]:
        lines.append("it counts by its first read only, and is withdrawn if no second one comes for so long")
    lines.append(f"silent for {duration(bounds['silence_s'])} of healthy time{_stopped(bounds)}")
    if bounds["leaves_silent"]:
        lines.append(f"it has left after {duration(bounds['departed_after_s'])} of silence, as items do in this zone")
    else:
        lines.append(
            f"it is missing after {duration(bounds['missing_after_s'])} of silence,"
            f" and has left after {duration(bounds['departed_after_s'])}"
        )
    lines += _learnt(found)
    lines += _moves(bounds)
    if found["rival"] is not None:
        lines.append(f"{found['rival']} has had that for {duration(found['rival_for_s'])}")
    return _bullets(lines)


def _moves(bounds: dict[str, Any]) -> list[str]:
    """What another zone needs to take it over."""
    carried = f"its reads have changed by {bounds['nats']:g} nats in favour of that, or " if bounds["nats"] else ""
    enough = f"{carried}it has {bounds['margin']:g} times the evidence, for {duration(bounds['dwell_s'])}"
    lines = [f"another zone takes it over when {enough}"]
    if bounds["followed_from"] is not None:
        lines.append(
            "it went where others of its product went, or are:"
            f" {bounds['followed_from']} takes it back when its evidence is {bounds['as_before']:.3g}"
        )
    return lines


def _stopped(bounds: dict[str, Any]) -> str:
    """Why its zone's clock stands still."""
    if bounds["counting"]:
        return ""
    if deaf := ", ".join(bounds["deaf"]):
        return f" (not counted just now: {deaf} is up, but suddenly hears nothing)"
    return " (not counted just now: an antenna of the zone is down or rests)"


def _learnt(found: dict[str, Any]) -> list[str]:
    """What its own silences and those of its like have taught."""
    lines = []
    if found["longest_s"] and not found["bounds"]["leaves_silent"]:
        lines.append(
            f"its own longest silence here: {duration(found['longest_s'])} more than its pace explains"
            f" ({duration(found['unexplained_s'])}); it is given twice that at least"
        )
    if found["carried"]:
        lines.append(
            f"when it was read last it was being carried: its strength jumped by {found['stir_db']:.1f} dB from look to"
            " look; so it is judged beside others that were carried"
        )
    learnt = found["learnt"]
    if learnt is None:
        return lines
    if not round(learnt["silences"]):
        lines.append(f"of {_alike(found)} its zone has not seen a silence end: it is patient")
    else:
        lines.append(
            f"silences of {_alike(found)} last {duration(learnt['mean_s'])} longer than their pace explains,"
            f" {round(learnt['silences']):,} ended; one item in {duration(learnt['stay_s'])} of presence leaves unseen;"
            f" so {duration(learnt['patience_s'])} more than explained is patience enough"
        )
    return lines


def _alike(found: dict[str, Any]) -> str:
    return "items that were being carried" if found["carried"] else "items read as often"


def _bullets(lines: list[str]) -> str:
    return table(("", "why"), [("-", line) for line in lines]).partition("\n")[2]


def _heard(found: dict[str, Any]) -> str:
    rows = [
        (heard["reader"], str(heard["antenna"]), heard["zone"], f"{heard['reads']:,}", heard["last"])
        for heard in found["heard"]
    ]
    return table(("reader", "antenna", "zone", "reads", "last"), rows)


def _evidence(found: dict[str, Any]) -> str:
    rows = [
        (
            zone["zone"],
            f"{zone['evidence']:.3f}",
            duration(zone["half_life_s"]),
            f"{zone['before']:.3f}",
            f"{zone['often']:.2f}/s, {zone['level_dbm']:.0f} dBm" if zone["often"] >= LEAST_OFTEN else "not heard",
            "" if zone["nats"] is None else f"{zone['nats']:.1f}",
            "" if zone["usual"] is None else f"{zone['usual']:.3f}",
            zone["state"],
        )
        for zone in found["zones"]
    ]
    return table(("zone", "evidence", "halves in", "before", "usually", "nats", "at most", "state"), rows)
