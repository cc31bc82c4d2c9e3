"""`tallygate simulate` as a command."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner, Result

from config.loader import load
from gateway.cli import app
from simulators.recording import scenario_names
from tests.simulators.shops import ROOM

LIMIT_S = 40.0


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments])


def test_it_lists_the_scenarios_in_80_columns() -> None:
    result = run()
    assert result.exit_code == 0
    assert all(name in result.stdout for name in scenario_names())
    assert max(map(len, result.stdout.splitlines())) <= 80
    listed = [json.loads(line)["scenario"] for line in run("--json").stdout.splitlines()]
    assert listed == scenario_names()


def test_a_scenario_that_is_none(tmp_path: Path) -> None:
    assert run("no-such").exit_code == 2
    (tmp_path / "mine.toml").write_text(ROOM.replace("hours", "hour"))
    result = run(str(tmp_path / "mine.toml"))
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert "    mine.toml: hour: no such key; did you mean 'hours'?" in lines
    assert "    mine.toml: hours: Field required" in lines


def test_what_is_exported_can_be_replayed_and_scored(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(ROOM)
    made = run(str(tmp_path / "mine.toml"), "--export", str(tmp_path / "out"), "--seed", "7", "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert (told["scenario"], told["seed"]) == ("mine", 7)
    out = tmp_path / "out"
    arguments = ["--config", str(out / "shop.toml"), "--links", str(out / "links.csv"), "--json"]
    replayed = CliRunner().invoke(
        app, ["replay", str(out / "reads.csv"), *arguments, "--transitions", str(out / "said.csv")]
    )
    assert replayed.exit_code == 0, replayed.output
    with (out / "said.csv").open() as file:
        said = {row["epc"] for row in csv.DictReader(file)}
    with (out / "truth.csv").open() as file:
        true = {row["epc"] for row in csv.DictReader(file)}
    assert len(true) == 40
    assert len(said & true) > 20
    scored = CliRunner().invoke(
        app, ["evaluate", "--transitions", str(out / "said.csv"), "--truth", str(out / "truth.csv"), "--json"]
    )
    assert scored.exit_code in {0, 1}, scored.output
    assert json.loads(scored.stdout)["true_items"] > 0


def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(ROOM)
    code = "from gateway.cli import main; main()"
    config = tmp_path / "gw.toml"
    arguments = ["simulate", str(tmp_path / "mine.toml"), "--config", str(config), "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        assert process.stdout is not None
        opened = json.loads(process.stdout.readline())
        told = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    assert opened["readers"]["ceiling"].startswith("llrp://127.0.0.1:")
    assert told["truth"] == {"floor": 40}
    assert told["connected"] == []
    loaded = load(config)
    assert [reader.id for reader in loaded.readers] == ["ceiling"]


def test_it_ends_by_itself() -> None:
    result = run("quiet-rack", "--seconds", "0.2")
    assert result.exit_code == 0
    assert "--config FILE" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
