"""What a reader's table may ask of the air, of inputs and outputs, and of other readers."""

from pathlib import Path

import pytest

from config import Config
from config.effective import Group
from config.loader import parse
from config.problems import ConfigError
from readers.llrp.settings import EpcMask, InputTrigger, Level, Output, OutputUse, SearchMode

HEAD = '[site]\nid = "s"\ngateway = "g"\n[mqtt]\nurl = "mqtt://b"\n[[zones]]\nid = "floor"\nkind = "sales_floor"\n'


def reader(name: str, port: int = 5084, more: str = "") -> str:
    url = f"llrp://10.0.0.11:{port}"
    return f'[[readers]]\nid = "{name}"\ndriver = "llrp"\nurl = "{url}"\nantennas = {{ 1 = "floor" }}\n{more}\n'


def config(text: str) -> Config:
    return parse(HEAD + text, Path("/nowhere/t.toml"), {})


def test_every_new_key_reaches_the_settings() -> None:
    more = """\
search_mode = "single_reset"
tag_focus = false
channel = 3
power_dbm = 30
hold = false
fast_id = true
rf_details = true
epc_filters = [{ mask = "3034257bF4", bits = 38 }, { mask = "3" }]
start_gpi = { port = 1 }
stop_gpi = { port = 2, level = "low", timeout_s = 9 }
outputs = [{ port = 1 }, { port = 2, on = "zone_stale", zone = "floor" }]
"""
    (only,) = config(reader("r", more=more)).readers
    settings = only.settings
    assert (settings.air.search_mode, settings.air.tag_focus) == (SearchMode.SINGLE_RESET, False)
    assert (settings.fast_id, settings.rf_details, settings.hold) == (True, True, False)
    assert (settings.air.channel, settings.air.power_dbm) == (3, 30.0)
    assert settings.epc_filters == (EpcMask(bytes.fromhex("3034257bf4"), 38), EpcMask(b"\x30", 4))
    assert (settings.start_gpi, settings.stop_gpi) == (InputTrigger(1), InputTrigger(2, Level.LOW, 9.0))
    assert settings.outputs == (Output(1), Output(2, OutputUse.ZONE_STALE, "floor"))


def test_groups_and_their_part_in_the_fingerprint() -> None:
    two = reader("a") + reader("b", 5085)
    turns = config(two + '[[groups]]\nreaders = ["a", "b"]\n')
    assert turns.groups == (Group(("a", "b"), 5.0),)
    assert config(two).groups == ()
    assert config(two).fingerprint != turns.fingerprint


def test_a_channel_needs_a_power_from_wherever_it_comes() -> None:
    (only,) = config(reader("a", more="channel = 2\n[readers.antenna.1]\npower_dbm = 20")).readers
    assert only.settings.air.channel == 2


def through_a_door(timeout: str, zone: str = 'kind = "exit"') -> str:
    more = f"start_gpi = {{ port = 1 }}\nstop_gpi = {{ port = 1, level = 'low'{timeout} }}"
    return f'[[zones]]\nid = "door"\n{zone}\n' + reader("a", more=more).replace(
        '1 = "floor"', '1 = "floor", 2 = "door"'
    )


@pytest.mark.parametrize(
    ("timeout", "zone"),
    [
        ("", 'kind = "exit"'),
        (", timeout_s = 0", 'kind = "exit"'),
        (", timeout_s = 6.5", 'kind = "exit"'),
        (", timeout_s = 3", 'kind = "exit"\nexit_silence_s = 2'),
        (", timeout_s = 3", 'kind = "exit"\nleaves_silent = false'),
        (", timeout_s = 3", 'kind = "exit"\nprofile = "rack"'),
    ],
)
def test_a_reader_that_looks_long_enough_after_its_trigger_is_fine(timeout: str, zone: str) -> None:
    (only,) = config(through_a_door(timeout, zone)).readers
    assert only.settings.stop_gpi is not None


@pytest.mark.parametrize(
    ("timeout_s", "zone", "silence"),
    [
        ("6", 'kind = "exit"', "more than 6"),
        ("5.9", 'kind = "checkout"', "more than 6"),
        ("29", 'kind = "shelf"\nleaves_silent = true', "more than 30"),
        ("9", 'kind = "backroom"\nprofile = "door"\nexit_silence_s = 9.5', "more than 9.5"),
    ],
)
def test_a_reader_that_stops_before_silence_means_leaving_is_an_error(timeout_s: str, zone: str, silence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(through_a_door(f", timeout_s = {timeout_s}", zone))
    assert f"expected {silence}, the exit_silence_s of 'door'" in str(caught.value)
    (only,) = caught.value.problems
    assert only.line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (reader("a", more='epc_filters = [{ mask = "30", bits = 9 }]'), "at most 8 bits"),
        (reader("a", more='epc_filters = [{ mask = "xyz" }]'), "hex digits"),
        (reader("a", more="start_gpi = { port = 1 }"), "start_gpi and stop_gpi together"),
        (reader("a", more='outputs = [{ port = 1, on = "zone_stale" }]'), "expected zone where"),
        (reader("a", more='outputs = [{ port = 1, on = "zone_stale", zone = "flor" }]'), "no zone 'flor'"),
        (reader("a", more="duty_percent = 0"), "duty_percent"),
        (reader("a", more="channel = 0\npower_dbm = 30"), "channel"),
        (reader("a", more="channel = 2"), "channel without power_dbm"),
        (reader("a", more="[readers.antenna.1]\nchannel = 2"), "channel without power_dbm"),
        (reader("a") + '[[groups]]\nreaders = ["a", "x"]', "no reader 'x'"),
        (reader("a") + '[[groups]]\nreaders = ["a"]', "readers"),
        (reader("a") + '[[groups]]\nreaders = ["a", "a"]', "is in groups[0] already"),
        (reader("a", more="duty_percent = 50") + '[[groups]]\nreaders = ["a", "a"]', "starts by itself"),
    ],
)
def test_what_makes_no_sense_is_an_error(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(text)
    assert words in str(caught.value)
