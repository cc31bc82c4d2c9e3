"""`tallygate VERB`: one file a verb, imported only when it is called, so that a small verb starts fast."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from gateway.cli.output import ExitCode, fail

# The verb's function has the name of its module: `gateway.cli.run.run`. In the help they stand in these groups.
GROUPS = {
    "See it work, and run it": ("demo", "run", "check-config", "doctor"),
    "The gateway that runs here": ("status", "antennas", "reads", "locate", "why", "shelf", "ledger"),
    "Readers, tags and consumers": ("discover", "decode", "watch"),
    "Recorded and simulated shops": ("capture", "replay", "simulate", "evaluate"),
}
GROUP_OF = {verb: group for group, verbs in GROUPS.items() for verb in verbs}
# These simulate and score, which a gateway in a shop has no use for.
LAB_VERBS = frozenset({"evaluate", "simulate"})


class LazyVerbs(TyperGroup):
    """Knows every verb by name and imports the one that is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class's signature
        lab = find_spec("numpy") is not None
        return [verb for verb in GROUP_OF if lab or verb not in LAB_VERBS]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # A verb that is none is compared with the names of these.
        self.commands = dict.fromkeys(self.list_commands(ctx), self)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        if cmd_name in LAB_VERBS and find_spec("numpy") is None:
            fail(ExitCode.USAGE, f"{cmd_name} needs numpy and matplotlib", "pip install 'tallygate[lab]'")
        if cmd_name not in self.list_commands(ctx):
            return None
        module = cmd_name.replace("-", "_")
        function = getattr(import_module(f"{__name__}.{module}"), module)
        verb = typer.Typer(add_completion=False)
        verb.command(cmd_name, help=_unwrapped(function.__doc__ or ""), rich_help_panel=GROUP_OF[cmd_name])(function)
        command = get_command(verb)
        assert isinstance(command, TyperCommand), "an app of one verb is that verb"
        return command


def _unwrapped(text: str) -> str:
    """Paragraphs as one line each: a terminal's width is another than the source's."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


app = typer.Typer(cls=LazyVerbs, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def tallygate() -> None:
    """Counts tagged items: RFID readers in, exact stock changes over MQTT out.

    Exit codes: 0 fine, 1 a finding, 2 wrong usage, 3 the daemon, broker or device cannot be reached.
    """


def main() -> None:
    """The entry point `tallygate`."""
    app(prog_name="tallygate")
