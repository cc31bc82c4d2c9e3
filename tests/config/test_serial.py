"""Readers on serial lines: scales, Modbus devices, serial RFID readers."""

import re
import tomllib
from pathlib import Path

import pytest

from config import Config, ConfigError
from config.loader import parse
from config.problems import Severity
from config.schema import SCHEMA_PATH
from config.serial_checks import serial_checks
from readers.chafon.settings import ChafonSettings
from readers.m100.settings import M100Settings, Region
from readers.modbus.settings import ModbusChannel, ModbusSettings, Profile
from readers.model import WeightUnit
from readers.port.settings import Parity, PortSettings
from readers.scales.settings import Dialect, LineProfile, ScaleSettings

HEAD = """\
[site]
id = "s"
gateway = "g"
[mqtt]
url = "mqtt://b"
[[zones]]
id = "shelf-7"
kind = "shelf"
"""
SCALE = """\
[[readers]]
id = "gondola-7"
driver = "scale"
url = "serial:///dev/serial/by-id/usb-FTDI_X-if00-port0?baudrate=2400&parity=E&bytesize=7"
dialect = "mt-sics"
[[readers.channels]]
channel = 1
zone = "shelf-7"
gtin = "09506000134352"
unit_weight_g = 182.0
"""
MODBUS = """\
[[readers]]
id = "line-1"
driver = "modbus"
url = "modbus://10.0.0.9"
[[readers.channels]]
channel = 1
zone = "shelf-7"
slave = 3
profile = "laumas"
unit = "kg"
decimals = 2
[[readers.channels]]
channel = 2
zone = "shelf-7"
slave = 4
profile = "inputs"
address = 0
"""
M100 = """\
[[readers]]
id = "uhf-1"
driver = "m100"
url = "serial:///dev/ttyS1"
antennas = { 1 = "shelf-7" }
region = "eu"
power_dbm = 20
"""
CHAFON = """\
[[readers]]
id = "uhf-2"
driver = "chafon"
url = "socket://10.0.0.5:4001"
antennas = { 1 = "shelf-7", 2 = "shelf-7" }
region = "us"
power_dbm = 26
bus_address = 3
"""
PROFILE = """\
[[readers]]
id = "own"
driver = "scale"
url = "serial:///dev/ttyS0"
dialect = "profile"
unit = "kg"
[[readers.channels]]
channel = 1
zone = "shelf-7"
[readers.profile]
separator = ","
fields = 2
weight_at = [2]
state_at = [1]
stable_words = ["ST"]
"""


def config(text: str) -> Config:
    return parse(HEAD + text, Path("/nowhere/t.toml"), {})


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config(text)
    return str(caught.value)


def test_every_driver_gets_its_settings() -> None:
    scale, modbus, m100, chafon = config(SCALE + MODBUS + M100 + CHAFON).readers
    port = PortSettings("/dev/serial/by-id/usb-FTDI_X-if00-port0", baudrate=2400, parity=Parity.EVEN, bytesize=7)
    assert scale.settings == ScaleSettings(port, (1,), Dialect.MT_SICS)
    assert scale.antennas == {1: "shelf-7"}
    assert isinstance(scale.settings, ScaleSettings)
    assert scale.settings.address == "/dev/serial/by-id/usb-FTDI_X-if00-port0"
    assert modbus.settings == ModbusSettings(
        PortSettings("socket://10.0.0.9:502"),
        (
            ModbusChannel(1, 3, Profile.LAUMAS, unit=WeightUnit.KILOGRAM, decimals=2),
            ModbusChannel(2, 4, Profile.INPUTS, address=0),
        ),
        is_tcp=True,
    )
    assert (modbus.settings.address, modbus.antennas) == ("10.0.0.9:502", {1: "shelf-7", 2: "shelf-7"})
    assert isinstance(m100.settings, M100Settings)
    assert (m100.settings.region, m100.settings.power_dbm) == (Region.EU, 20)
    assert isinstance(chafon.settings, ChafonSettings)
    assert (chafon.settings.bus_address, chafon.antennas) == (3, {1: "shelf-7", 2: "shelf-7"})


def test_a_layout_of_ones_own() -> None:
    (own,) = config(PROFILE).readers
    assert isinstance(own.settings, ScaleSettings)
    assert own.settings.profile == LineProfile((2,), separator=",", fields=2, state_at=(1,), stable_words=("ST",))


def test_the_commented_tables_of_the_example_can_be_used() -> None:
    example = SCHEMA_PATH.with_name("example.toml").read_text()
    start, end = example.index("# A scale."), example.index("# Readers that disturb")
    text = (
        "\n".join(line[4:] for line in example[start:end].splitlines() if line.startswith("#   "))
        .replace('zone = "floor"', 'zone = "shelf-7"')
        .replace('1 = "floor"', '1 = "shelf-7"')
    )
    tables = tomllib.loads(text)["readers"]
    assert [table["driver"] for table in tables] == ["scale", "modbus", "m100", "chafon"]
    # Its one scale shows the keys of every dialect at once.
    text = re.sub(r"(?ms)^\[readers.profile\].*?(?=^\[\[readers\]\])", "", text)
    text = re.sub(r"(?m)^poll_s = 0.2.*\n", "", text)
    assert [reader.driver for reader in config(text).readers] == ["scale", "modbus", "m100", "chafon"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SCALE.replace("mt-sics", "mt-sic"), "did you mean mt-sics?"),
        (SCALE.replace('dialect = "mt-sics"\n', ""), "readers[0].dialect: this key is missing"),
        (SCALE.replace("serial:///dev", "/dev"), "readers[0].url"),
        (SCALE.replace("baudrate=2400", "baudrate=x"), "a baudrate from 50"),
        (SCALE.replace("channel = 1", "channel = -1"), "readers[0].channels[0].channel"),
        (SCALE.replace('zone = "shelf-7"', 'zone = "shelf-8"'), "no zone 'shelf-8'"),
        (SCALE.replace("unit_weight_g", "unit_weight"), "did you mean unit_weight_g?"),
        (SCALE.replace("unit_weight_g = 182.0", "unit_weight_g = 0"), "above 0"),
        (SCALE.replace("134352", "134353"), "check digit 2"),
        (SCALE.replace("134352", "13435X"), "a GTIN of"),
        (SCALE + '[[readers.channels]]\nchannel = 2\nzone = "shelf-7"\n', "one channel"),
        (SCALE.replace('dialect = "mt-sics"', 'dialect = "mt-sics"\npoll_s = 1'), "no poll_s"),
        (SCALE[: SCALE.index("[[readers.channels]]")], "readers[0].channels: this key is missing"),
        (SCALE[: SCALE.index("[[readers.channels]]")] + "channels = []\n", "at least one"),
        (MODBUS[: MODBUS.index("[[readers.channels]]")] + "channels = []\n", "at least one"),
        (SCALE.replace('driver = "scale"\n', ""), "readers[0].driver: this key is missing"),
        (SCALE.replace('"scale"', '"scales"'), "did you mean scale?"),
        (SCALE.replace('dialect = "mt-sics"', "antennas = {}"), "unknown key"),
        (MODBUS.replace('unit = "kg"\n', ""), "unit beside a profile that weighs"),
        (MODBUS.replace("decimals = 2\n", ""), "decimals"),
        (MODBUS.replace("address = 0\n", ""), "address"),
        (MODBUS.replace("slave = 3", "slave = 0"), "readers[0].channels[0].slave"),
        (MODBUS.replace("channel = 2", "channel = 1"), "each channel once"),
        (MODBUS.replace("slave = 3", "slav = 3"), "did you mean slave?"),
        (MODBUS.replace("modbus://", "http://"), "readers[0].url"),
        (M100.replace('region = "eu"\n', ""), "readers[0].region: this key is missing"),
        (M100.replace("power_dbm = 20\n", ""), "readers[0].power_dbm: this key is missing"),
        (CHAFON.replace('region = "us"\n', ""), "readers[0].region: this key is missing"),
        (M100.replace('{ 1 = "shelf-7" }', '{ 1 = "shelf-7", 2 = "shelf-7" }'), "switch_pins"),
        (PROFILE.replace("weight_at = [2]", "weight_at = [3]"), "a field from 1 to 2"),
        (PROFILE.replace("weight_at = [2]", "weight_at = 2"), "a list in brackets"),
        (PROFILE.replace("fields = 2", "columns = 2"), "beside a separator"),
        (PROFILE.replace('separator = ","\n', "").replace("fields = 2", "columns = 9"), "first and last column"),
        (PROFILE.replace("state_at = [1]\n", ""), "state_at"),
        (PROFILE.replace("fields = 2\n", "fields = 2\nregex = 'x'\n"), "readers[0].profile.regex: unknown key"),
        (PROFILE[: PROFILE.index("[readers.profile]")], "a profile where dialect"),
    ],
)
def test_what_makes_no_sense_is_an_error(text: str, words: str) -> None:
    assert words in refused(text)


def test_two_readers_on_one_port(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    by_name = M100.replace("/dev/ttyS1", str(tmp_path / "link"))
    real = SCALE.replace("/dev/serial/by-id/usb-FTDI_X-if00-port0", str(tmp_path / "real"))
    assert "readers[0] is on this port already" in refused(by_name + real)
    again = CHAFON.replace("uhf-2", "uhf-3")
    assert "bus_address each" in refused(CHAFON + again)
    assert len(config(CHAFON + again.replace("bus_address = 3", "bus_address = 4")).readers) == 2
    third = again.replace("bus_address = 3", "bus_address = 4")
    assert "readers[1] is on this port already" in refused(CHAFON + third + third.replace("uhf-3", "uhf-4"))
    assert "is on this port already" in refused(MODBUS + MODBUS.replace("line-1", "line-2"))


def test_a_name_that_changes_is_a_warning(tmp_path: Path) -> None:
    unstable = M100.replace("/dev/ttyS1", "/dev/ttyUSB0")
    (warning,) = config(unstable).warnings
    assert (warning.key, warning.severity) == ("readers[0].url", Severity.WARNING)
    assert "by-id" in warning.hint
    for folder in ("by-id", "by-path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "usb-A").symlink_to("/dev/ttyUSB1")
        (tmp_path / folder / "usb-B").symlink_to("/dev/ttyUSB0")
    (found,) = serial_checks([(0, {"driver": "m100", "url": "serial:///dev/ttyUSB0"})], tmp_path)
    assert str(tmp_path / "by-id" / "usb-B") in found.hint
