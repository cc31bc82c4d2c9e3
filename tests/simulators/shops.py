"""Small stores for tests: one room, one reader, and whatever a test adds."""

import tomllib
from typing import Any

from simulators.recording import Scenario
from simulators.shop.plan import parse_plan

ROOM = """
about = "One room."
hours = 0.05
[[zones]]
id = "floor"
kind = "sales_floor"
area = [0.0, 0.0, 4.0, 4.0]
fixtures = 4
items = 40
blocks_per_hour = 0.0
metal_share = 0.0
[[readers]]
id = "ceiling"
[[readers.antennas]]
port = 1
zone = "floor"
at = [1.0, 2.0, 3.0]
[[readers.antennas]]
port = 2
zone = "floor"
at = [3.0, 2.0, 3.0]
"""

# A whole shop in a few metres: things move through all its zones.
BUSY = """
about = "A small shop with too many customers."
hours = 0.5
[[zones]]
id = "receiving"
kind = "receiving"
area = [9.0, 0.0, 11.0, 4.0]
[[zones]]
id = "backroom"
kind = "backroom"
area = [6.0, 0.0, 8.5, 4.0]
fixtures = 3
items = 60
[[zones]]
id = "floor"
kind = "sales_floor"
area = [2.0, 0.0, 5.5, 4.0]
fixtures = 4
items = 80
[[zones]]
id = "fitting"
kind = "fitting_room"
area = [2.0, 5.0, 3.5, 6.5]
[[zones]]
id = "checkout"
kind = "checkout"
area = [0.5, 5.0, 1.5, 6.0]
[[zones]]
id = "exit"
kind = "exit"
area = [0.0, 1.0, 1.0, 3.0]
[[readers]]
id = "ceiling"
[[readers.antennas]]
port = 1
zone = "floor"
at = [4.0, 2.0, 3.0]
[people]
customers_per_hour = 300.0
stealing_share = 0.1
returns_per_hour = 60.0
refills_per_hour = 30.0
collections_per_hour = 20.0
closing_s = 1200.0
[[deliveries]]
at_s = 60.0
items = 90
load = 30
standing_s = [20.0, 60.0]
"""


def table(text: str = ROOM, **keys: Any) -> dict[str, Any]:
    """The parsed file with some of its keys replaced."""
    return tomllib.loads(text) | keys


def shop(text: str = ROOM, **keys: Any) -> Scenario:
    """The scenario of such a file."""
    return Scenario("test", parse_plan(table(text, **keys), "test.toml"))
