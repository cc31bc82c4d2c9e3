from collections.abc import Iterator

import pytest
from rich.text import Text
from typer.core import TyperCommand
from typer.main import get_command
from typer.testing import CliRunner

from gateway.cli import GROUP_OF, GROUPS, LazyVerbs, app


def verbs() -> Iterator[TyperCommand]:
    group = get_command(app)
    assert isinstance(group, LazyVerbs)
    for name in group.list_commands(None):
        verb = group.get_command(None, name)
        assert verb is not None
        yield verb


def test_every_verb_stands_in_one_group() -> None:
    assert sum(map(len, GROUPS.values())) == len(GROUP_OF)
    assert {verb.name: getattr(verb, "rich_help_panel", None) for verb in verbs()} == GROUP_OF


def test_a_misspelt_verb_is_recognised() -> None:
    result = CliRunner().invoke(app, ["chek-config"])
    assert result.exit_code == 2
    assert "Did you mean 'check-config'?" in result.output


@pytest.mark.parametrize("verb", [pytest.param(verb, id=verb.name) for verb in verbs()])
def test_help_is_shown_as_it_is_written(verb: TyperCommand) -> None:
    """Typer takes square brackets in a help text for markup, and leaves them out."""
    said = [verb.help, *(getattr(option, "help", None) for option in verb.params)]
    assert len(said) > 1
    for text in said:
        assert Text.from_markup(text or "").plain == (text or "")


@pytest.mark.parametrize("verb", [pytest.param(verb, id=verb.name) for verb in verbs()])
def test_help_is_wrapped_by_the_terminal_alone(verb: TyperCommand) -> None:
    """Typer keeps the line ends of all paragraphs but the first."""
    assert "\n" not in (verb.help or "").replace("\n\n", "")
