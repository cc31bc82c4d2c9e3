"""What lies on the channels of shelf devices."""

from pathlib import Path

import pytest

from config import Config, ConfigError
from config.loader import parse
from gateway.domain.params import Bin, Precedence, Sensor, ShelfParams, Sku
from tests.config.test_serial import HEAD, M100, MODBUS, SCALE

BOARD = """\
[[readers]]
id = "board-1"
driver = "scale"
url = "serial:///dev/ttyS3"
dialect = "shelf-line"
"""
GTIN, OTHER = "09506000134352", "04012345678901"


def channel(number: int, *lines: str) -> str:
    return "\n".join(("[[readers.channels]]", f"channel = {number}", 'zone = "shelf-7"', *lines, ""))


PRODUCT = channel(1, f'gtin = "{GTIN}"', "unit_weight_g = 182")
PLATE = channel(
    1,
    "cell_mm = 0",
    f'skus = [{{ gtin = "{GTIN}", unit_weight_g = 182, lane_mm = [0, 300] }},'
    f' {{ gtin = "{OTHER}", unit_weight_g = 185, most = 12, lane_mm = [300, 600] }}]',
) + channel(2, "cell_mm = 600", "part_of = 1")
SLOTS = channel(4, f'gtin = "{GTIN}"', 'sensor = "slots"') + channel(5, "part_of = 4") + channel(6, "part_of = 4")
PUSHER = channel(9, f'gtin = "{GTIN}"', 'sensor = "pusher"', "empty_mm = 400", "pitch_mm = 50")


def config(text: str) -> Config:
    return parse(HEAD + text, Path("/nowhere/t.toml"), {})


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config(text)
    return str(caught.value)


def test_the_shortest_channel_is_a_bin() -> None:
    assert config(SCALE + MODBUS + M100).bins == (Bin("gondola-7", 1, "shelf-7", (Sku(GTIN, 182.0),)),)


def test_everything_that_can_be_said_of_a_bin() -> None:
    lines = (
        f'gtin = "{GTIN[1:]}"',
        "unit_weight_g = 182",
        "variation = 0.02",
        "tolerance = 0.004",
        "most = 20",
        "noise_g = 0.5",
        "division_g = 1",
        "capacity_g = 6000",
        "zero_g = 310.5",
        "rest_s = 1",
        "quiet_s = 4",
        "empty_s = 30",
        "blind_s = 9",
        'precedence = "rfid"',
        "disagree_s = 600",
    )
    params = ShelfParams(0.5, 1.0, 6000.0, 310.5, 1.0, 4.0, 30.0, 9.0, Precedence.RFID, 600.0)
    assert config(BOARD + channel(3, *lines)).bins == (
        Bin("board-1", 3, "shelf-7", (Sku(GTIN, 182.0, 0.02, 0.004, 20),), params=params),
    )


DOOR = channel(12, 'sensor = "door"', "open_value = 1")
CELSIUS = channel(13, 'sensor = "temperature"')


def test_doors_and_temperatures_count_nothing_and_are_no_antennas() -> None:
    told = config(BOARD + PUSHER + DOOR + CELSIUS)
    assert [(each.sensor, each.skus, each.open_value) for each in told.bins[1:]] == [
        (Sensor.DOOR, (), 1),
        (Sensor.TEMPERATURE, (), 0),
    ]
    assert told.readers[0].antennas == {9: "shelf-7"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (channel(12, 'sensor = "door"', f'gtin = "{GTIN}"'), "no product"),
        (channel(12, 'sensor = "door"', "unit_weight_g = 5"), "unit_weight_g, beside sensor door"),
        (channel(12, 'sensor = "door"', "part_of = 9"), "part_of"),
        (CELSIUS + "open_value = 1", "beside sensor door only"),
        (channel(9, f'gtin = "{GTIN}"', "unit_weight_g = 182", "open_value = 1"), "beside sensor door only"),
        (channel(12, 'sensor = "door"', "open_value = 2"), "1"),
        (DOOR + channel(13, "part_of = 12"), "part_of to name a channel with a product"),
    ],
)
def test_what_no_door_or_temperature_has(text: str, words: str) -> None:
    assert words in refused(BOARD + PRODUCT + text)


def test_plates_slots_and_pushers() -> None:
    plate, slots, pusher = config(BOARD + PLATE + SLOTS + PUSHER + channel(11)).bins
    assert (plate.cells, plate.channels) == (((1, 0.0), (2, 600.0)), (1, 2))
    assert [sku.lane_mm for sku in plate.skus] == [(0.0, 300.0), (300.0, 600.0)]
    assert (slots.sensor, slots.slots) == (Sensor.SLOTS, (4, 5, 6))
    assert (pusher.sensor, pusher.empty_mm, pusher.pitch_mm) == (Sensor.PUSHER, 400.0, 50.0)


def test_what_lies_there_is_part_of_what_a_configuration_means() -> None:
    assert config(BOARD + PRODUCT).fingerprint != config(BOARD + PRODUCT.replace("182", "183")).fingerprint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PRODUCT.replace("182", "5"), "one piece of 5 g cannot be told on a scale of noise 1 g"),
        (PRODUCT.replace("unit_weight_g = 182", "unit_weight_g = 182\nvariation = 0.1"), "this scale counts 2 of them"),
        (PRODUCT.replace("unit_weight_g = 182\n", ""), "has no unit_weight_g"),
        (PRODUCT + channel(2, f'gtin = "{OTHER}"', "skus = []", "unit_weight_g = 0"), "above 0"),
        (PLATE.replace("lane_mm = [0, 300]", "lane_mm = [0, 400]"), "weigh too much alike"),
        (PLATE.replace("lane_mm = [0, 300]", "lane_mm = [300, 0]"), "lane_mm as [from, to]"),
        (PLATE.replace("cell_mm = 600", "cell_mm = 0"), "at places of their own"),
        (PLATE[: PLATE.rindex("[[readers")], "two at least"),
        (PLATE.replace("cell_mm = 600\n", ""), "or a cell with a cell_mm"),
        (PLATE.replace(OTHER, GTIN), "each product once"),
        (PLATE.replace("part_of = 1", "part_of = 7"), "part_of to name a channel with a product"),
        (PLATE.replace("part_of = 1", "part_of = 1\nnoise_g = 2"), "nothing but zone and cell_mm beside part_of"),
        (PLATE.replace('"shelf-7"', '"shelf-8"', 1), "no zone 'shelf-8'"),
        (SLOTS.replace("part_of = 4", "part_of = 4\ncell_mm = 3", 1), "a slot of slots"),
        (PUSHER + channel(10, "part_of = 9"), "a slot of slots"),
        (PUSHER.replace("pitch_mm = 50\n", ""), "empty_mm and pitch_mm beside sensor pusher"),
        (PRODUCT.replace("182", "182\nempty_mm = 4"), "empty_mm and pitch_mm beside sensor pusher"),
        (PUSHER.replace("pitch_mm = 50", "pitch_mm = 50\ncell_mm = 1"), "one product and no cell_mm"),
        (PRODUCT + channel(2, "noise_g = 1"), "gtin or skus beside what is said of a product"),
        (PLATE.replace("cell_mm = 0", "cell_mm = 0\nmost = 3"), "within skus"),
        (PLATE.replace("cell_mm = 0", f'cell_mm = 0\ngtin = "{GTIN}"'), "gtin or skus"),
        (PRODUCT.replace("unit_weight_g", "unit_weight"), "did you mean unit_weight_g?"),
        (PRODUCT.replace("182", '182\nprecedence = "tags"'), "one of 'shelf', 'rfid'"),
        (PLATE.replace("unit_weight_g = 185, most = 12", "unit_weight_g = 185, mots = 12"), "did you mean most?"),
    ],
)
def test_what_cannot_be_counted_is_an_error(text: str, words: str) -> None:
    assert words in refused(BOARD + text)
