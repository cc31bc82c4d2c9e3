from collections.abc import Callable
from pathlib import Path

import pytest

from config import Config, ConfigError, Problem, load

GOOD = """\
[site]
id = "store-0042"
gateway = "gw-1"
[mqtt]
url = "mqtt://broker.example"
[[zones]]
id = "floor"
kind = "sales_floor"
[[readers]]
id = "ceiling-1"
driver = "llrp"
url = "llrp://10.0.0.11"
antennas = { 1 = "floor" }
"""


@pytest.fixture
def good() -> str:
    return GOOD


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], Config]:
    def of(text: str) -> Config:
        path = tmp_path / "tallygate.toml"
        path.write_text(text)
        return load(path, {})

    return of


@pytest.fixture
def problems(loaded: Callable[[str], Config]) -> Callable[[str], list[Problem]]:
    def of(text: str) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            loaded(text)
        return list(caught.value.problems)

    return of
