from pathlib import Path
from typing import Any

import pytest

from simulators.recording import load_scenario, scenario_names
from simulators.shop.plan import ScenarioError, parse_plan
from tests.simulators.shops import ROOM, table


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_loads(name: str) -> None:
    assert load_scenario(name).plan.about


def test_an_unknown_scenario_names_those_there_are() -> None:
    with pytest.raises(ScenarioError, match="quiet-rack"):
        load_scenario("no-such-rack")


def _with_antenna(**keys: Any) -> dict[str, Any]:
    room = table()
    room["readers"][0]["antennas"][0] |= keys
    return room


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (table(hour=1), "hour: no such key; did you mean 'hours'"),
        (_with_antenna(prot=1), "readers.0.antennas.0.prot: no such key; did you mean 'port'"),
        (_with_antenna(zone="flor"), "no zone 'flor'; did you mean 'floor'"),
        (_with_antenna(port=2), "two antennas have the same port"),
        (table(people={"customers_per_hours": 3}), "did you mean 'customers_per_hour'"),
        (table(noise={"fading_db": -1}), "noise.fading_db"),
        (table(walls=[{"form": [0, 0], "to": [1, 1]}]), "did you mean 'from'"),
        (table(faults=[{"kind": "reboot", "at_s": 1}]), "a reboot fault needs reader"),
        (table(faults=[{"kind": "cable", "at_s": 1, "reader": "ceiling"}]), "needs antenna"),
        (table(faults=[{"kind": "reboot", "at_s": 1, "reader": "celing"}]), "no reader 'celing'; did you mean"),
        (table(faults=[{"kind": "cable", "at_s": 1, "reader": "ceiling", "antenna": 7}]), "has no antenna 7"),
        (table(deliveries=[{"at_s": 1, "items": 5}]), "deliveries need a zone of kind receiving"),
        (table(zones=[*table()["zones"], *table()["zones"]]), "two zones have the same id"),
        (table(readers=[*table()["readers"], *table()["readers"]]), "two readers have the same id"),
        (table(zones=[table()["zones"][0] | {"area": [1, 1, 0, 2]}]), "left < right"),
        (table(hours=float("inf")), "hours"),
    ],
)
def test_a_bad_file_is_refused_with_the_key_and_a_hint(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_plan(bad, "test.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("test.toml: ")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_plan(table(hour=1, hours=-1, seeds=2), "test.toml")
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["about = ", "about = 'x'\nabout = 'y'"])
def test_a_file_that_is_no_toml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=r"mine\.toml: no TOML"):
        load_scenario(path)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(ROOM)
    assert load_scenario(path).name == "mine"
    assert len(load_scenario(str(path)).record(3).tag) > 1000
