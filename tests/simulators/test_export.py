import csv
import tomllib
from pathlib import Path

import pytest

from simulators.export import export, shop_toml
from tests.simulators.shops import BUSY, GONDOLA, shop


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    faults = [
        {"kind": "network", "reader": "ceiling", "at_s": 100.0},
        {"kind": "cable", "reader": "ceiling", "antenna": 1, "told": True, "at_s": 200.0},
    ]
    scenario = shop(BUSY, hours=0.1, faults=faults)
    recording = scenario.record(1)
    told: list[float] = []
    paths = export(recording, scenario.plan, tmp_path / "new", told.append)
    assert told[-1] == 1.0
    reads = _rows(paths[0])
    assert len(reads) == len(recording.tag)
    last = reads[-1]
    assert int(last["time_taken"]) == recording.taken_us[-1]
    assert int(last["time_received"]) == recording.received_us[-1]
    assert bytes.fromhex(last["epc"]) == recording.epcs[recording.tag[-1]]
    assert int(last["rssi"]) == recording.rssi_dbm[-1]
    truth = _rows(paths[2])
    assert len(truth) == len(recording.truth)
    assert any(row["zone"] == "gone" for row in truth)
    return {path.name: path for path in paths}


def test_the_files(files: dict[str, Path]) -> None:
    assert sorted(files) == ["links.csv", "reads.csv", "shop.toml", "truth.csv"]
    links = _rows(files["links.csv"])
    assert [(row["state"], row["antenna"]) for row in links] == [("down", ""), ("up", ""), ("down", "1"), ("up", "1")]
    assert [int(row["time"]) for row in links] == sorted(int(row["time"]) for row in links)
    assert {row["reader"] for row in _rows(files["reads.csv"])} == {"ceiling"}


def test_what_shelves_said_and_what_lay_there(tmp_path: Path) -> None:
    scenario = shop(GONDOLA, hours=0.05)
    recording = scenario.record(1)
    paths = {path.name: path for path in export(recording, scenario.plan, tmp_path, lambda _: None)}
    values, lying = _rows(paths["weights.csv"]), _rows(paths["shelves.csv"])
    assert len(values) == len(recording.weighing.at_us)
    assert {row["what"] for row in values} == {"stable", "moving", "input"}
    assert {int(row["channel"]) for row in values} == set(range(1, 9))
    assert len(lying) == len(recording.weighing.days[0].truth)
    assert {row["gtin"] for row in lying if row["channel"] == "1"} >= {"04012345678901"}


def test_the_configuration() -> None:
    plan = shop(BUSY).plan
    bare = tomllib.loads(shop_toml(plan))
    assert {zone["id"]: zone["kind"] for zone in bare["zones"]}["exit"] == "exit"
    assert bare["readers"] == [{"id": "ceiling", "antennas": {"1": "floor"}}]
    live = tomllib.loads(shop_toml(plan, {"ceiling": "llrp://127.0.0.1:5084"}))
    assert live["readers"][0]["url"] == "llrp://127.0.0.1:5084"
