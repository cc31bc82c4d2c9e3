from collections.abc import Iterator

import pytest
from click import Command, Context, Group
from rich.text import Text
from typer.main import get_command

from gateway.cli import app


def commands(command: Command, *names: str) -> Iterator[tuple[str, Command]]:
    yield " ".join(names), command
    if isinstance(command, Group):
        for name in command.list_commands(Context(command)):
            inner = command.get_command(Context(command), name)
            assert inner is not None
            yield from commands(inner, *names, name)


@pytest.mark.parametrize("command", [pytest.param(each, id=name) for name, each in commands(get_command(app))])
def test_help_is_shown_as_it_is_written(command: Command) -> None:
    """Typer takes square brackets in a help text for markup, and leaves them out."""
    said = [command.help, *(getattr(option, "help", None) for option in command.params)]
    for text in said:
        assert Text.from_markup(text or "").plain == (text or "")
