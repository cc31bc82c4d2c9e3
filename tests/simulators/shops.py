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


# A gondola with one bin of each kind.
GONDOLA = """
about = "A gondola, and nothing else."
hours = 0.5
[[zones]]
id = "backroom"
kind = "backroom"
area = [6.0, 0.0, 8.0, 2.0]
[[zones]]
id = "shelf"
kind = "shelf"
area = [0.0, 0.0, 2.0, 1.0]
[[readers]]
id = "module"
wire = "m100"
[[readers.antennas]]
port = 1
zone = "shelf"
at = [1.0, -0.5, 1.0]
aim = [1.0, 1.0, 1.0]
[[gondolas]]
id = "board"
zone = "shelf"
products = [
    { id = "tea", prefix = "4012345", reference = "067890", unit_g = 118.0 },
    { id = "cream", prefix = "9506000", reference = "013435", unit_g = 286.0, tagged = true, spare = 5 },
    { id = "soap", prefix = "9506000", reference = "013437", unit_g = 104.0 },
    { id = "balm", prefix = "614141", reference = "0123450", unit_g = 62.0 },
    { id = "razor", prefix = "614141", reference = "0123451", unit_g = 135.0 },
    { id = "candle", prefix = "614141", reference = "0123452", unit_g = 224.0 },
    { id = "wine", prefix = "614141", reference = "0123453", unit_g = 1250.0 },
]
[[gondolas.bins]]
channel = 1
products = ["tea"]
pieces = 9
most = 12
[[gondolas.bins]]
channel = 2
products = ["cream", "soap"]
pieces = 4
most = 6
[[gondolas.bins]]
channel = 3
products = ["balm", "razor"]
pieces = 5
most = 8
cells = [{ channel = 4, at_mm = 400.0 }]
lanes_mm = [[0.0, 190.0], [210.0, 400.0]]
[[gondolas.bins]]
channel = 5
sensor = "pusher"
products = ["candle"]
pieces = 6
most = 8
empty_mm = 420.0
pitch_mm = 50.0
[[gondolas.bins]]
channel = 6
sensor = "slots"
products = ["wine"]
pieces = 2
most = 3
slots = [7, 8]
[gondolas.shoppers]
per_hour = 240.0
refills_per_hour = 30.0
back_share = 0.4
wrong_bin_share = 0.3
"""
