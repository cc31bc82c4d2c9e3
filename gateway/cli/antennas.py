"""`tallygate antennas`: what each antenna looks at, whether it works, and how many tags it has read."""

import typer

from gateway.cli.api import DEFAULT_HTTP, HttpOption, TimeoutOption, TokenOption, ask
from gateway.cli.output import ExitCode, JsonOption, print_json, table


def antennas(
    http: HttpOption = DEFAULT_HTTP,
    timeout: TimeoutOption = 5.0,
    token_file: TokenOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Shows every antenna of the gateway that runs here. One that does not work is a finding (exit 1)."""
    found = ask(http, "antennas", timeout, token_file)
    if as_json:
        for antenna in found:
            print_json(antenna)
    else:
        rows = [
            (
                one["reader"],
                str(one["antenna"]),
                one["zone"],
                f"{one['tags']:,}",
                ("works" if one["works"] else "does not work") + (", rests" if one["resting"] else ""),
                one["state"],
            )
            for one in found
        ]
        print(table(("reader", "antenna", "zone", "tags", "", "its reader says"), rows))
    if not all(one["works"] for one in found):
        raise typer.Exit(ExitCode.FINDING)
