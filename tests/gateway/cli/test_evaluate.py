"""`tallygate evaluate` as a command: tables of 80 columns, JSON, exit codes, files, the cache."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.evaluate.grids import GRIDS
from simulators.recording import load_scenario
from tests.simulators.shops import GONDOLA

TINY = """
about = "Two racks and a back room for a quarter of an hour."
hours = 0.25

[[zones]]
id = "floor"
kind = "sales_floor"
area = [0.0, 0.0, 4.0, 4.0]
fixtures = 2
items = 12

[[zones]]
id = "back"
kind = "backroom"
area = [4.5, 0.0, 8.0, 4.0]
fixtures = 1
items = 6

[[readers]]
id = "ceiling"
antennas = [{ port = 1, zone = "floor", at = [2.0, 2.0, 3.0] }, { port = 2, zone = "back", at = [6.0, 2.0, 3.0] }]

[people]
customers_per_hour = 12.0
refills_per_hour = 6.0
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)], env={"COLUMNS": "80"})


@pytest.fixture(name="scenario")
def write_scenario(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


def test_a_table_on_80_columns(scenario: Path) -> None:
    result = run(scenario, "--seeds", "2", "--rules", "window", "--rules", "EdgeX a")
    assert result.exit_code in {0, 1}
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert re.search(r"development seeds 1-2, \d+ items, 0.2 h each", result.stdout.replace("\n", " "))
    assert lines.count("ours") == lines.count("floor") == 1
    for rule in ("EdgeX asset tracking: ", "window 10 s: ", "window 600 s: "):
        assert sum(line.startswith(rule) for line in lines) == 1
    assert "Intel RSP" not in result.stdout
    assert "best single rival over all: " in result.stdout


def test_the_whole_grid_is_shown_when_asked_for(scenario: Path) -> None:
    result = run(scenario, "--seeds", "1", "--rules", "window 10 s", "--grid")
    assert sum(line.startswith("window 10 s: ") for line in result.stdout.splitlines()) == len(GRIDS["window 10 s"])
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_json_and_the_exit_code_agree(scenario: Path) -> None:
    result = run(
        scenario, "--seeds", "2", "--first-seed", "1001", "--rules", "EdgeX asset", "--rules", "window 10", "--json"
    )
    one, whole = map(json.loads, result.stdout.splitlines())
    assert (one["seeds"], one["kind_of_seeds"], one["counted"]) == ([1001, 1002], "reporting", "product")
    assert one["zones"] == ["floor", "back"]
    assert len(one["rivals"]) == len(GRIDS["EdgeX asset tracking"]) + len(GRIDS["window 10 s"])
    best = min(one["rivals"], key=lambda rival: rival["error_items"][0])
    assert one["best_rival"] == f"{best['rule']}: {best['setting']}"
    assert one["ours_is"] == best["ours_is"]
    for standing in (one["ours"], one["floor"], *one["rivals"]):
        value, low, high = standing["error_items"]
        assert low <= value <= high
        assert standing["excess_items"][0] == pytest.approx(value - one["floor"]["error_items"][0], abs=1e-3)
    assert whole["excess_items"]["ours"] == pytest.approx(one["ours"]["excess_items"][0], abs=1e-3)
    assert whole["worse_in"] == ([] if one["no_worse"] else [str(scenario)])
    assert result.exit_code == (0 if one["no_worse"] else 1)


def test_processes_and_the_cache_change_nothing(scenario: Path, tmp_path: Path) -> None:
    asked = (scenario, "--seeds", "2", "--rules", "window 600", "--json")
    plain = run(*asked).stdout
    cache = tmp_path / "cache"
    assert run(*asked, "--cache", cache).stdout == plain
    kept = sorted(path.name for path in cache.iterdir())
    assert len(kept) == 2 * (1 + 1 + len(GRIDS["window 600 s"]))
    assert run(*asked, "--cache", cache, "--jobs", "2").stdout == plain
    assert sorted(path.name for path in cache.iterdir()) == kept


def test_rivals_from_the_cache_are_not_run_again(scenario: Path, tmp_path: Path) -> None:
    asked = (scenario, "--seeds", "1", "--rules", "window 600", "--json", "--cache", tmp_path)
    run(*asked)
    for path in tmp_path.glob("*.json"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        kept["ghosts"] = 77
        path.write_text(json.dumps(kept), encoding="utf-8")
    found = json.loads(run(*asked).stdout.splitlines()[0])
    assert {rival["ghosts"] for rival in found["rivals"]} == {77.0}
    assert found["ours"]["ghosts"] != 77.0


def test_ours_alone(scenario: Path) -> None:
    result = run(scenario, "--seeds", "1", "--rules", "none")
    assert result.exit_code == 0
    assert "best single rival" not in result.stdout


def test_shelves_are_scored_beside_the_tags(tmp_path: Path) -> None:
    path = tmp_path / "shelf.toml"
    path.write_text(GONDOLA.replace("hours = 0.5", "hours = 0.05"), encoding="utf-8")
    result = run(path, "--seeds", "2", "--rules", "none")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert re.search(r"shelves +looks +misled% ", result.stdout)
    (end,) = re.findall(r"at the end (\d+) of (\d+) pieces on shelves", result.stdout)
    told = json.loads(run(path, "--seeds", "2", "--rules", "none", "--json").stdout.splitlines()[0])["shelves"]
    assert (told["wrong_at_the_end"], told["pieces_at_the_end"]) == tuple(map(int, end))
    assert set(told["bins"]) == {"all bins", "scale", "mixed bin", "plate, lanes", "pusher", "slots"}
    assert told["bins"]["all bins"]["looks"] == sum(told["bins"][kind]["looks"] for kind in told["bins"]) / 2


def test_a_picture(scenario: Path, tmp_path: Path) -> None:
    picture = tmp_path / "score.png"
    assert run(scenario, "--seeds", "1", "--rules", "window", "--plot", picture).exit_code in {0, 1}
    assert picture.read_bytes().startswith(b"\x89PNG")
    result = run(scenario, "--seeds", "1", "--rules", "none", "--plot", tmp_path / "score.nonsense")
    assert result.exit_code == 2
    assert ".png" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nosuch",), "nosuch"),
        (("--rules", "nosuch"), "no rule is called 'nosuch'"),
        (("--truth", "x.csv"), "come together"),
        (("--transitions", "x.csv", "--truth", "y.csv"), "cannot be read"),
        (("--seeds", "0"), "greater than"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_without_numpy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gateway.cli.find_spec", lambda name: None if name == "numpy" else importlib.util.find_spec(name)
    )
    result = run("quiet-rack")
    assert result.exit_code == 2
    assert "tallygate[lab]" in result.stderr
    assert "evaluate" not in CliRunner().invoke(app, ["--help"]).stdout


# -- files of one's own -----------------------------------------------------------------------------------------

ITEM, OTHER = "3034257BF7194E4000000001", "3034257BF7194E4000000002"


def write(path: Path, *rows: str) -> Path:
    path.write_text("time_us,epc,zone\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_pair_of_files(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.csv", f"0,{ITEM},floor", f"0,{OTHER},back", f"50000000,{OTHER},gone")
    said = write(tmp_path / "said.csv", f"10000000,{ITEM},floor", f"0,{OTHER},back", f"100000000,{OTHER.lower()},gone")
    result = run("--transitions", said, "--truth", truth, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    # 10 s of 100 too late, and 50 s of 100 too long.
    assert found["error_items"] == pytest.approx(0.6)
    assert found["zones"] == {
        "back": {"error_items": 0.5, "true_items": 0.5},
        "floor": {"error_items": 0.1, "true_items": 1.0},
    }
    assert (found["transitions"], found["missed"], found["false_departures"]) == (1, 0, 0)
    assert found["delay_p50_p90_p99_s"] == [50.0, 50.0, 50.0]
    text = run("--transitions", said, "--truth", truth).stdout
    assert "0.6 items" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_replay_says_of_an_exported_scenario_scores_as_ours_does(scenario: Path, tmp_path: Path) -> None:
    """Two ways to the same number: in memory, and through every file that others would use."""
    runner, folder = CliRunner(), tmp_path / "files"
    exported = runner.invoke(app, ["simulate", str(scenario), "--seed", "3", "--export", str(folder)])
    assert exported.exit_code == 0, exported.output
    said = tmp_path / "said.csv"
    replayed = runner.invoke(
        app,
        [
            *("replay", str(folder / "reads.csv"), "--config", str(folder / "shop.toml")),
            *("--links", str(folder / "links.csv"), "--transitions", str(said)),
        ],
    )
    assert replayed.exit_code == 0, replayed.output
    until = str(load_scenario(scenario).record(3).end_us)
    files = json.loads(run("--transitions", said, "--truth", folder / "truth.csv", "--until", until, "--json").stdout)
    memory = json.loads(
        run(scenario, "--seeds", "1", "--first-seed", "3", "--rules", "none", "--json").stdout.splitlines()[0]
    )["ours"]
    assert files["error_items"] == pytest.approx(memory["error_items"][0], abs=1e-3)
    assert files["ghosts"] == memory["ghosts"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("5,zz,floor", "said.csv:2: 'zz' is no EPC"),
        ("soon,3034257BF7194E4000000001,floor", "said.csv:2: 'soon' is no time in microseconds"),
        ("5,3034257BF7194E4000000001", "said.csv:2: has 2 columns, not 3"),
        (f"{1 << 63},3034257BF7194E4000000001,floor", "said.csv:2: 9223372036854775808 microseconds are more than"),
        (f"-{1 << 62},3034257BF7194E4000000001,floor", "said.csv:2: -4611686018427387904 microseconds are more than"),
        ("9" * 5_000 + ",3034257BF7194E4000000001,floor", "microseconds are more than 146,000 years"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, words: str) -> None:
    truth = write(tmp_path / "truth.csv", f"0,{ITEM},floor", f"9,{ITEM},gone")
    result = run("--transitions", write(tmp_path / "said.csv", row), "--truth", truth)
    assert result.exit_code == 2
    assert words.replace(" ", "") in "".join(result.stderr.split()), "wherever the lines were broken"
    assert "hint" in result.stderr


@pytest.mark.parametrize("change", ["bom", "crlf", "semicolons", "uri"])
def test_files_that_other_programs_wrote(tmp_path: Path, change: str) -> None:
    truth = write(tmp_path / "truth.csv", f"0,{ITEM},floor", f"50000000,{OTHER},back", f"90000000,{OTHER},gone")
    text = truth.read_text(encoding="utf-8")
    uri = text.replace(ITEM, "urn:epc:tag:sgtin-96:1.0614141.812345.1")
    other = {
        "bom": "\ufeff" + text,
        "crlf": text.replace("\n", "\r\n"),
        "semicolons": text.replace(",", ";"),
        "uri": uri,
    }
    said = tmp_path / "said.csv"
    said.write_bytes(other[change].encode())
    for files in ((said, truth), (truth, said)):
        result = run("--transitions", files[0], "--truth", files[1], "--json")
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["error_items"] == 0.0


@pytest.mark.parametrize(("zone", "delimiter"), [("a;b;c;d", ","), ("a, b, c, d", ";")])
def test_the_name_of_a_zone_may_hold_other_delimiters(tmp_path: Path, zone: str, delimiter: str) -> None:
    truth = write(tmp_path / "truth.csv", f'0,{ITEM},"{zone}"', f"90000000,{ITEM},gone")
    said = tmp_path / "said.csv"
    said.write_text(f'0{delimiter}{ITEM}{delimiter}"{zone}"\n90000000{delimiter}{ITEM}{delimiter}gone\n')
    result = run("--transitions", said, "--truth", truth, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["error_items"], list(found["zones"])) == (0.0, [zone])


@pytest.mark.parametrize(("said_s", "truth_s"), [(1_700_000_000, 1_700_000_000_000_000), (1_700_000_000_000_000, 0)])
def test_files_that_count_otherwise_are_not_compared(tmp_path: Path, said_s: int, truth_s: int) -> None:
    truth = write(tmp_path / "truth.csv", f"{truth_s},{ITEM},floor", f"{truth_s + 9},{ITEM},gone")
    result = run("--transitions", write(tmp_path / "said.csv", f"{said_s},{ITEM},floor"), "--truth", truth)
    assert result.exit_code == 2
    assert "microseconds of one clock" in " ".join(result.stderr.split())


def test_a_truth_without_rows(tmp_path: Path) -> None:
    result = run("--transitions", write(tmp_path / "said.csv"), "--truth", write(tmp_path / "truth.csv"))
    assert result.exit_code == 2
    assert "no rows" in result.stderr
