from pathlib import Path

import pytest

from config import ConfigError
from config.layout import OverrideError, load_layout
from config.schema import SCHEMA_PATH
from gateway.domain.params import PROFILES, Profile

SMALL = """\
[[zones]]
id = "floor"
kind = "sales_floor"
[[zones]]
id = "door"
kind = "exit"
exit_silence_s = 8.0
[[readers]]
id = "r1"
antennas = { 1 = "floor", 2 = "door" }
"""


def written(folder: Path, text: str = SMALL) -> Path:
    path = folder / "layout.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_zones_and_antennas_suffice(tmp_path: Path) -> None:
    layout = load_layout(written(tmp_path))
    assert [zone.id for zone in layout.zones] == ["floor", "door"]
    assert layout.antennas == {("r1", 1): "floor", ("r1", 2): "door"}
    assert layout.readers == ("r1",)


SHELF = """\
[[zones]]
id = "shelf-7"
kind = "shelf"
[[readers]]
id = "gondola-7"
[[readers.channels]]
channel = 1
zone = "shelf-7"
gtin = "09506000134352"
unit_weight_g = 182.0
"""


def test_shelves_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    without, layout = load_layout(written(tmp_path, SHELF)), load_layout(written(tmp_path, SHELF), shelves=True)
    assert (without.antennas, without.bins) == ({}, ())
    assert layout.antennas == {("gondola-7", 1): "shelf-7"}
    assert [(each.channel, each.skus[0].unit_weight_g) for each in layout.bins] == [(1, 182.0)]


def test_shelves_of_any_driver_are_taken_from_a_whole_configuration(tmp_path: Path) -> None:
    text = SHELF.replace(
        'id = "gondola-7"', 'id = "gondola-7"\ndriver = "modbus"\nurl = "serial:///dev/ttyS0"'
    ).replace("channel = 1", 'channel = 1\nprofile = "laumas"\nslave = 1\nunit = "g"\ndecimals = 1')
    assert len(load_layout(written(tmp_path, text), shelves=True).bins) == 1


def test_a_whole_configuration_serves_too_without_its_files(tmp_path: Path) -> None:
    text = SCHEMA_PATH.with_name("example.toml").read_text(encoding="utf-8")
    text = text.replace('# prefix = "tallygate/v1"', 'username = "gw"\npassword_file = "not-on-this-machine"')
    layout = load_layout(written(tmp_path, text))
    assert layout.antennas["ceiling-1", 3] == "door"


def test_readers_that_read_no_tags_are_left_out(tmp_path: Path) -> None:
    scale = '[[readers]]\nid = "s"\ndriver = "scale"\nurl = "serial:///dev/x"\n[[readers.channels]]\nchannel = 1\n'
    assert load_layout(written(tmp_path, SMALL + scale)).readers == ("r1",)


def test_presence_parameters_can_be_replaced(tmp_path: Path) -> None:
    layout = load_layout(written(tmp_path), ["*.observed_reads=5", " door.exit_silence_s = 3", 'floor.profile="shelf"'])
    floor, door = layout.zones
    assert floor.presence.observed_reads == door.presence.observed_reads == 5
    assert door.presence.exit_silence_s == 3.0
    assert floor.presence.missing_floor_s == PROFILES[Profile.SHELF].missing_floor_s


@pytest.mark.parametrize("text", ["floor", "floor=3", "=", "flor.observed_reads=3", "observed_reads=3"])
def test_an_override_that_is_none_says_what_would_be(tmp_path: Path, text: str) -> None:
    with pytest.raises(OverrideError) as caught:
        load_layout(written(tmp_path), [text])
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("floor.observed_reads=0", "observed_reads: ", "expected "),
        ("floor.observed_reads=many", "observed_reads: ", "expected "),
        ("floor.observed_read=3", "no parameter 'observed_read'", "observed_reads"),
        ("door.evidence_shortest_s=10", "does not go together", "evidence_longest_s"),
    ],
)
def test_a_replaced_value_is_judged_like_one_in_the_file(tmp_path: Path, text: str, words: str, hint: str) -> None:
    with pytest.raises(OverrideError, match=words) as caught:
        load_layout(written(tmp_path), [text])
    assert hint in caught.value.hint
    assert "layout" not in str(caught.value), "the file is well"


@pytest.mark.parametrize("text", ["", SMALL.replace('"door" }', '"attic" }'), "surprise = 1\n" + SMALL, "[[zones]\n"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    if text:
        with pytest.raises(ConfigError):
            load_layout(written(tmp_path, text))
    else:
        assert load_layout(written(tmp_path, text)).zones == ()
