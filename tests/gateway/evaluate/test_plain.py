"""Ours beside its rivals where nothing of the store is known: recordings drawn from published models."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.domain.inventory import TICK_US
from gateway.evaluate.cache import Cache
from gateway.evaluate.grids import FLOOR, OURS
from gateway.evaluate.measure import Job, entries, measure
from gateway.evaluate.readings import Readings
from gateway.evaluate.rules.ours import Ours
from simulators.plain.families import FAMILIES

RIVALS = ("EdgeX asset tracking", "EdgeX retail garment", "Intel RSP", "window 600 s", "HMM")
SEEDS = (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["crossed", "crossed-independent", "crossed-no-rssi", "delivery", "outages", "portal"])
def test_ours_is_far_ahead_of_the_best_setting_of_every_rival(name: str) -> None:
    """Three quarters of their excess at most: cross-reads, deliveries and doors are told by what has changed."""
    wrong: dict[tuple[str, str], float] = {}
    for seed in SEEDS:
        for outcome in measure(Job(f"plain-{name}", seed, entries(RIVALS), Cache())):
            key = outcome.rule, outcome.setting
            wrong[key] = wrong.get(key, 0.0) + outcome.score.products.error / len(SEEDS)
    ours, floor = wrong.pop((OURS, "")), wrong.pop((FLOOR, ""))
    assert ours - floor <= 0.75 * (min(wrong.values()) - floor)


def test_what_others_replay_from_files_is_what_is_scored_in_memory(tmp_path: Path) -> None:
    name, seed, runner = "plain-half-hour", 2, CliRunner()
    exported = runner.invoke(app, ["simulate", name, "--seed", str(seed), "--export", str(tmp_path)])
    assert exported.exit_code == 0, exported.output
    said = tmp_path / "said.csv"
    files = [
        str(tmp_path / "reads.csv"),
        "--config",
        str(tmp_path / "shop.toml"),
        "--links",
        str(tmp_path / "links.csv"),
    ]
    replayed = runner.invoke(app, ["replay", *files, "--transitions", str(said), "--json"])
    assert replayed.exit_code == 0, replayed.output
    readings = Readings.of(FAMILIES[name].record(seed))
    tracks = Ours()(readings)
    epcs, zones = readings.recording.epcs, [*readings.zone_ids, "gone"]
    memory = [
        (at, epcs[tag].hex().upper(), zones[zone])
        for at, tag, zone in zip(*map(np.ndarray.tolist, tracks), strict=True)
    ]
    with said.open(encoding="utf-8", newline="") as file:
        rows = [(int(at), epc, zone) for at, epc, zone in list(csv.reader(file))[1:]]
    last_us = max(at for at, _, _ in rows)
    rows.sort(key=lambda row: (row[1], row[0]))
    memory = sorted((row for row in memory if row[0] <= last_us), key=lambda row: (row[1], row[0]))
    # Files begin with the first read, a moment after the recording: silences may be rounded up to another tick.
    assert [row[1:] for row in rows] == [row[1:] for row in memory]
    assert max(abs(row[0] - other[0]) for row, other in zip(rows, memory, strict=True)) <= TICK_US
    assert len(rows) > 100


def test_all_families_go_by_one_word_and_need_files_to_be_replayed() -> None:
    refused = CliRunner().invoke(app, ["simulate", "plain-crossed"])
    assert refused.exit_code == 2
    assert "--export" in refused.output
    scored = CliRunner().invoke(app, ["evaluate", "plain-half-hour", "--seeds", "1", "--rules", "none", "--json"])
    assert json.loads(scored.stdout.splitlines()[0])["scenario"] == "plain-half-hour"
