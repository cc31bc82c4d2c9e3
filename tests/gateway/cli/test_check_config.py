"""`tallygate check-config` as a command."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from config.schema import SCHEMA_PATH
from gateway.cli import app

EXAMPLE = SCHEMA_PATH.with_name("example.toml")
BAD = """\
[site]
id = "Store 42"
gateway = "gw-1"
[mqtt]
url = "mqtt://broker"
pasword_file = "x"
[[zones]]
id = "attic"
kind = "sales_flor"
[[readers]]
id = "r"
driver = "llrp"
url = "llrp://h"
antennas = { 1 = "floor" }
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check-config", *arguments])


SHELF = """
[site]
id = "s"
gateway = "g"
[mqtt]
url = "mqtt://h"
[[zones]]
id = "shelf-7"
kind = "shelf"
[[readers]]
id = "gondola-7"
driver = "scale"
url = "socket://10.0.0.5:4001"
dialect = "shelf-line"
[[readers.channels]]
channel = 1
zone = "shelf-7"
gtin = "9506000134352"
unit_weight_g = 182
[[readers.channels]]
channel = 2
zone = "shelf-7"
gtin = "04012345678901"
sensor = "pusher"
empty_mm = 400
pitch_mm = 50
[[readers.channels]]
channel = 3
zone = "shelf-7"
sensor = "temperature"
"""


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.toml"
    path.write_text(BAD)
    return path


def test_a_fine_file_is_summed_up() -> None:
    result = run(str(EXAMPLE))
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"{EXAMPLE} is fine", "site store-0042, gateway gw-1, broker mqtt://127.0.0.1:1883"]
    assert "  floor  sales_floor  ceiling-1" in lines
    assert "  ceiling-1  llrp    10.0.0.11:5084  1=floor, 2=floor, 3=door" in lines


def test_a_fine_file_for_machines() -> None:
    result = run(str(EXAMPLE), "--json")
    (answer,) = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, answer["ok"], answer["problems"]) == (0, True, [])
    assert len(answer["fingerprint"]) == 64
    assert answer["zones"][1] == {"id": "door", "kind": "exit", "readers": ["ceiling-1"]}
    assert answer["readers"][0]["antennas"] == {"1": "floor", "2": "floor", "3": "door"}


def test_what_lies_on_shelves_and_how_far_it_can_be_counted(tmp_path: Path) -> None:
    path = tmp_path / "shelf.toml"
    path.write_text(SHELF)
    lines = [" ".join(line.split()) for line in run(str(path)).stdout.splitlines()]
    assert "gondola-7:1 shelf-7 weight 09506000134352 (up to 45)" in lines
    assert "gondola-7:2 shelf-7 pusher 04012345678901" in lines
    assert "gondola-7:3 shelf-7 temperature -" in lines
    answer = json.loads(run(str(path), "--json").stdout)
    assert [each["products"] for each in answer["bins"]] == [{"09506000134352": 45}, {"04012345678901": None}, {}]


def test_every_problem_with_its_line(bad: Path) -> None:
    result = run(str(bad))
    assert (result.exit_code, result.stdout) == (1, "")
    for line, key in (
        (2, "site.id"),
        (6, "mqtt.pasword_file"),
        (9, "zones[0].kind"),
        (14, "readers[0].antennas.1"),
    ):
        assert f"{bad}:{line}: error: {key}:" in " ".join(result.stderr.split())
    assert f"{bad}:8: warning: zones[0].id:" in " ".join(result.stderr.split())
    assert "hint: did you mean password_file?" in result.stderr


def test_every_problem_for_machines(bad: Path) -> None:
    result = run("--json", str(bad))
    (answer,) = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, answer["ok"], result.stderr) == (1, False, "")
    assert [problem["line"] for problem in answer["problems"]] == [2, 6, 8, 9, 14]
    assert answer["problems"][1] == {
        "path": str(bad),
        "line": 6,
        "key": "mqtt.pasword_file",
        "text": "unknown key",
        "expected": answer["problems"][1]["expected"],
        "hint": "did you mean password_file?",
        "severity": "error",
    }


def test_a_warning_alone_is_no_finding(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[site]\nid = "s"\ngateway = "g"\n[mqtt]\nurl = "mqtt://b"\n')
    result = run(str(path))
    assert result.exit_code == 0
    assert "warning: no readers" in " ".join(result.stderr.split())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = run(str(tmp_path / "nothing.toml"))
    assert result.exit_code == 1
    assert "No such file" in " ".join(result.stderr.split())
    assert "hint:" in result.stderr


def test_usage() -> None:
    assert run().exit_code == 2


def test_eighty_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text(BAD)
    assert max(map(len, run("bad.toml").stderr.splitlines())) <= 80
    zones = "".join(f'[[zones]]\nid = "zone-{number}"\nkind = "backroom"\n' for number in range(32))
    ports = ", ".join(f'{number + 1} = "zone-{number}"' for number in range(32))
    reader = f'[[readers]]\nid = "r"\ndriver = "llrp"\nurl = "llrp://h"\nantennas = {{ {ports} }}\n'
    Path("big.toml").write_text(f'[site]\nid = "s"\ngateway = "g"\n[mqtt]\nurl = "mqtt://b"\n{zones}{reader}')
    result = run("big.toml")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "32=zone-31" in result.stdout
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, run("big.toml").stdout.splitlines())) <= 60
