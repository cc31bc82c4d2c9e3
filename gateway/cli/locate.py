"""`tallygate locate`: where an item is."""

from typing import Annotated, Any

import typer

from gateway.cli.api import DEFAULT_HTTP, HttpOption, RefusedError, TimeoutOption, ask
from gateway.cli.output import ExitCode, JsonOption, fail, print_json
from gateway.domain.epctext import EpcTextError, parse_item
from gateway.domain.presence import COUNTED
from gateway.spoken import duration

ItemArgument = Annotated[
    str, typer.Argument(metavar="ITEM", help="An EPC in hexadecimal, urn:epc:id:sgtin:..., or GTIN+SERIAL.")
]
# Statuses of HTTP that say something of the item.
NO_ITEM = 400
NOT_FOUND = 404


def locate(
    item: ItemArgument, http: HttpOption = DEFAULT_HTTP, timeout: TimeoutOption = 5.0, *, as_json: JsonOption = False
) -> None:
    """Says in which zone an item counts, by the gateway that runs here. An item that counts nowhere is a finding."""
    found = item_of(http, item, timeout)
    place = {name: found.get(name) for name in ("gtin", "serial", "presence", "zone", "changed", "seen")}
    if as_json:
        print_json(place)
    else:
        print(sentence(found))
    if found["presence"] not in COUNTED:
        raise typer.Exit(ExitCode.FINDING)


def item_of(address: str, item: str, timeout_s: float) -> dict[str, Any]:
    """What a daemon knows of an item; ends the verb where that is nothing."""
    try:
        parse_item(item)
    except EpcTextError as error:
        fail(ExitCode.USAGE, str(error), error.hint)
    try:
        found = ask(address, f"items/{item}", timeout_s, told={NOT_FOUND, NO_ITEM})
    except RefusedError as error:
        if error.status == NOT_FOUND:
            fail(
                ExitCode.FINDING, f"{item}: unknown to this gateway: {error}", "tallygate reads shows what is read now"
            )
        fail(ExitCode.USAGE, f"{item}: {error}", error.hint)
    assert isinstance(found, dict), "that is what the daemon answers"
    return found


def sentence(found: dict[str, Any]) -> str:
    """Where an item is, in a line or two."""
    name = f"GTIN {found['gtin']} serial {found['serial']}"
    seen = f"last read {duration(found['seen_ago_s'])} ago" if "seen_ago_s" in found else "no longer remembered"
    match found["presence"]:
        case "present":
            where = f"is in {found['zone']} since {found['changed']}"
        case "missing":
            where = f"counts in {found['zone']}, and is missing since {found['changed']}"
        case "departed":
            where = f"has left, at {found['changed']}"
        case "glimpsed":
            where = "was glimpsed, and does not count yet"
        case _:
            where = "is not known any more"
    return f"{name}\n  {where}; {seen}"
