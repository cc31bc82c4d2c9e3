"""What rules can be scored on, by name: the store, shops drawn from published models, and files of one's own."""

from simulators.plain.families import FAMILIES, Family
from simulators.recording import Scenario, load_scenario

# All that are drawn from published models, in one word.
PLAIN = "plain"


def find_scenario(name: str) -> Scenario | Family:
    """What is called `name`, or stands in a file of that name; ScenarioError where there is neither."""
    return FAMILIES.get(name) or load_scenario(name)


def spelt_out(names: list[str]) -> list[str]:
    """Each name once, with all families in the place of `PLAIN`."""
    return list(dict.fromkeys(each for name in names for each in (FAMILIES if name == PLAIN else (name,))))
