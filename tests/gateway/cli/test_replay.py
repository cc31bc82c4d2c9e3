"""`tallygate replay` as a command: the same answer always, at any speed; what it says of a recording that is odd."""

import csv
import gzip
import json
import time
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.trace.capture import MAGIC

LAYOUT = """\
[[zones]]
id = "floor"
kind = "sales_floor"
[[zones]]
id = "back"
kind = "backroom"
[[zones]]
id = "door"
kind = "exit"
[[readers]]
id = "r1"
antennas = { 1 = "floor", 2 = "door" }
[[readers]]
id = "r2"
antennas = { 1 = "back" }
"""
START_US = 1_790_000_000_000_000
GTIN = "80614141123458"
Row = tuple[int, str, int, str]


def epc(serial: int) -> str:
    return f"3034257BF7194E4{serial:09X}"


def run(folder: Path, *arguments: str, layout: str = LAYOUT) -> Result:
    (folder / "layout.toml").write_text(layout, encoding="utf-8")
    return CliRunner().invoke(
        app, ["replay", str(folder / "reads.csv"), "--config", str(folder / "layout.toml"), *arguments]
    )


def record(folder: Path, rows: list[Row]) -> None:
    with (folder / "reads.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time_received", "reader", "antenna", "epc"])
        writer.writerows(rows)


def stay(reader: str, antenna: int, start_s: float, seconds: float, serial: int = 1) -> list[Row]:
    return [
        (START_US + round((start_s + n / 2) * 1e6), reader, antenna, epc(serial)) for n in range(round(seconds * 2))
    ]


def visit(rng: Random) -> list[Row]:
    """Some items come, are carried about, and leave."""
    rows: list[Row] = []
    for serial in range(1, 9):
        at_s = rng.uniform(0, 60)
        for reader, antenna in (("r2", 1), ("r1", 1), ("r1", 2))[: rng.randint(1, 3)]:
            seconds = rng.uniform(5, 40)
            rows += stay(reader, antenna, at_s, seconds, serial)
            at_s += seconds
    return sorted(rows)


def said(folder: Path, name: str) -> list[list[str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_what_was_said_and_when(tmp_path: Path) -> None:
    record(tmp_path, stay("r2", 1, 0, 30) + stay("r1", 1, 30, 30) + stay("r1", 2, 60, 5))
    files = ["--transitions", str(tmp_path / "t.csv"), "--levels", str(tmp_path / "l.csv")]
    result = run(tmp_path, *files, "--idle", "600")
    assert (result.exit_code, result.stderr) == (0, "")
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    header, *rows = said(tmp_path, "t.csv")
    assert header == ["time_us", "epc", "zone"]
    assert [row[1:] for row in rows] == [[epc(1), zone] for zone in ("back", "floor", "door", "gone")]
    header, *levels = said(tmp_path, "l.csv")
    assert header == ["time_us", "gtin", "zone", "quantity"]
    assert [(row[1], row[2], row[3]) for row in levels[:3]] == [
        (GTIN, "back", "1"), (GTIN, "back", "0"), (GTIN, "floor", "1"),
    ]  # fmt: skip
    assert all(START_US < int(row[0]) < START_US + 700_000_000 for row in rows + levels)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_recording_gives_the_same_answer_at_any_speed_and_in_any_order(tmp_path: Path, seed: int) -> None:
    rows = visit(Random(seed))
    record(tmp_path, rows)
    answers = []
    for name, options in (("a", []), ("b", []), ("c", ["--speed", "1000"])):
        files = ["--transitions", str(tmp_path / f"{name}.csv"), "--levels", str(tmp_path / f"{name}.levels.csv")]
        assert run(tmp_path, *files, *options).exit_code == 0
        answers.append(((tmp_path / f"{name}.csv").read_bytes(), (tmp_path / f"{name}.levels.csv").read_bytes()))
    shuffled = rows[:]
    Random(seed).shuffle(shuffled)
    record(tmp_path, shuffled)
    result = run(tmp_path, "--transitions", str(tmp_path / "d.csv"), "--levels", str(tmp_path / "d.levels.csv"))
    assert "it was sorted" in result.stderr
    # Reads of one moment may come in another order, and so may what is said at one moment.
    assert sorted((tmp_path / "d.csv").read_bytes().split()) == sorted(answers[0][0].split())
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0][0].splitlines()) > 8


def test_real_time_takes_its_time(tmp_path: Path) -> None:
    record(tmp_path, stay("r2", 1, 0, 60))
    begun = time.monotonic()
    assert run(tmp_path, "--speed", "100").exit_code == 0
    assert time.monotonic() - begun >= 0.55


def test_connections_that_were_lost_hold_back_departures(tmp_path: Path) -> None:
    record(tmp_path, stay("r2", 1, 0, 30) + stay("r1", 1, 20_000, 10, serial=2))
    (tmp_path / "links.csv").write_text(f"time,reader,state\n{START_US + 40_000_000},r2,lost\n", encoding="utf-8")
    files = ["--transitions", str(tmp_path / "t.csv")]
    run(tmp_path, *files)
    assert [row[1:] for row in said(tmp_path, "t.csv")[1:]] == [[epc(1), "back"], [epc(1), "gone"], [epc(2), "floor"]]
    result = run(tmp_path, *files, "--links", str(tmp_path / "links.csv"))
    assert result.exit_code == 0
    assert [row[1:] for row in said(tmp_path, "t.csv")[1:]] == [[epc(1), "back"], [epc(2), "floor"]]


def test_parameters_can_be_tried(tmp_path: Path) -> None:
    record(tmp_path, stay("r2", 1, 0, 30) + stay("r1", 1, 200, 10, serial=2))
    files = ["--transitions", str(tmp_path / "t.csv")]
    run(tmp_path, *files, "--set", "back.leaves_silent=true", "--set", "back.exit_silence_s=20")
    assert [row[2] for row in said(tmp_path, "t.csv")[1:]] == ["back", "gone", "floor"]
    assert run(tmp_path, "--set", "attic.settle_s=1").exit_code == 2
    assert run(tmp_path, "--set", "back.settle_s=-1").exit_code == 2


def test_json_for_machines(tmp_path: Path) -> None:
    record(tmp_path, [*stay("r2", 1, 0, 10), (START_US + 20_000_000, "r2", 9, epc(3)), (START_US, "r2", 1, "E280")])
    result = run(tmp_path, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["items"] == {"floor": 0, "back": 1, "door": 0}
    assert found["reads"] == 22
    assert found["unmapped_reads"] == {"r2:9": 1}
    assert found["ignored_tags"] == {"unencoded": 1}
    assert "r2:9 (1)" in result.stderr


def test_a_file_on_stdout_stands_alone(tmp_path: Path) -> None:
    record(tmp_path, stay("r2", 1, 0, 10))
    assert run(tmp_path, "--transitions", "-").stdout.splitlines()[0] == "time_us,epc,zone"
    assert len(run(tmp_path, "--transitions", "-").stdout.splitlines()) == 2


def test_tags_are_written_as_the_recording_writes_them(tmp_path: Path) -> None:
    spelt = "urn:epc:id:sgtin:0614141.812345.1"
    record(tmp_path, [(*row[:3], spelt) for row in stay("r2", 1, 0, 10)])
    assert run(tmp_path, "--transitions", "-").stdout.splitlines()[1].split(",")[1:] == [spelt, "back"]


def test_any_epc_can_be_an_item(tmp_path: Path) -> None:
    record(tmp_path, [(*row[:3], "E28011") for row in stay("r2", 1, 0, 10)])
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "unencoded 1" in result.stderr
    assert run(tmp_path, "--any-epc", "--transitions", "-").stdout.splitlines()[1].split(",")[1:] == ["E28011", "back"]


def test_bad_rows_are_a_finding(tmp_path: Path) -> None:
    record(tmp_path, stay("r2", 1, 0, 10))
    with (tmp_path / "reads.csv").open("a", encoding="utf-8") as file:
        file.write("x\n" * 9)
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "9 rows were not understood" in result.stderr
    assert "reads.csv:22: has 1 column, the header 4" in result.stderr.replace("\n    ", " ")
    assert "and 4 more" in result.stderr
    assert all(len(line) <= 80 for line in result.stderr.splitlines() if str(tmp_path) not in line)


def test_wrong_usage(tmp_path: Path) -> None:
    assert run(tmp_path).exit_code == 2
    record(tmp_path, stay("r2", 1, 0, 10))
    assert run(tmp_path, "--epc", "tag").exit_code == 2
    assert run(tmp_path, "--transitions", str(tmp_path / "no" / "folder.csv")).exit_code == 2
    assert run(tmp_path, layout="[[zones]]\n").exit_code == 1


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("empty.csv", b"", "is empty"),
        ("rubbish", bytes(range(256)), "is no text"),
        ("utf16.csv", "time_received,reader,antenna,epc\n".encode("utf-16"), "is no text"),
        ("torn.csv.gz", gzip.compress(b"time_received,reader,antenna,epc\n" * 100, mtime=0)[:40], "cannot be unpacked"),
        ("plain.csv.gz", b"time_received,reader,antenna,epc\n", "cannot be unpacked"),
        ("wrong.csv", b"time,tag\n", "no column epc; no column antenna; no column reader; no column time_taken"),
        ("begun.capture", MAGIC[:7], "begun.capture: holds no whole block"),
        ("newer.capture", MAGIC[:-2] + b"9\n" + bytes(100), "newer.capture: no capture that can be read here"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "layout.toml").write_text(LAYOUT, encoding="utf-8")
    result = CliRunner().invoke(app, ["replay", str(tmp_path / name), "--config", str(tmp_path / "layout.toml")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in " ".join(result.stderr.split())
    assert "hint: " in result.stderr
    assert result.stderr.replace("\n", "").isprintable()


@pytest.mark.parametrize("option", ["--links", "--epc", "--time-unit", "--reader-id"])
def test_a_capture_takes_nothing_that_is_for_csv(tmp_path: Path, option: str) -> None:
    (tmp_path / "shop.capture").write_bytes(MAGIC)
    value = "ms" if option == "--time-unit" else "other"
    result = CliRunner().invoke(app, ["replay", str(tmp_path / "shop.capture"), option, value])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is a capture" in result.stderr


def test_nothing_that_counts_is_a_finding(tmp_path: Path) -> None:
    record(tmp_path, [])
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "it holds no reads" in result.stderr
    record(tmp_path, stay("r9", 1, 0, 10))
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "r9:1 (20)" in result.stderr


def test_times_that_are_years_apart_are_refused_at_once(tmp_path: Path) -> None:
    record(tmp_path, stay("r2", 1, 0, 10))
    (tmp_path / "links.csv").write_text("time,reader,state\n12.5,r2,down\n", encoding="utf-8")
    result = run(tmp_path, "--links", str(tmp_path / "links.csv"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "from 1970-01-01 to 2026-09-21" in " ".join(result.stderr.split())
    assert "--time-unit" in result.stderr


def test_more_reads_than_can_be_tell_a_wrong_unit(tmp_path: Path) -> None:
    rows = [(number, *row[1:]) for number, row in enumerate(stay("r2", 1, 0, 1_000))]
    record(tmp_path, rows)
    result = run(tmp_path, "--time-unit", "us")
    told = " ".join(result.stderr.split())
    assert "2,000 reads of 1 antenna in 0.002 s are more than can be: in which --time-unit are the times?" in told
    assert run(tmp_path, "--time-unit", "s").stderr == ""
    # What one report brings may be stamped with one moment, or nearly so.
    record(tmp_path, rows[:100])
    assert run(tmp_path, "--time-unit", "us").stderr == ""
    record(tmp_path, [(START_US, *row[1:]) for row in rows])
    assert run(tmp_path).stderr == ""


def test_a_reader_whose_clock_was_set_back_goes_on_counting(tmp_path: Path) -> None:
    rows = [
        (at_us, at_us - 7_200_000_000 * (number > 120), epc(1))
        for number, (at_us, *_) in enumerate([*stay("r2", 1, 0, 120), *stay("r2", 1, 4_000, 120)])
    ]
    with (tmp_path / "reads.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [
                ("time_received", "time_taken", "reader", "antenna", "epc"),
                *((at, was, "r2", 1, tag) for at, was, tag in rows),
            ]
        )
    result = run(tmp_path, "--why", epc(1))
    assert result.exit_code == 0
    assert "r2 by up to 2 h behind" in " ".join(result.stderr.split())
    found = json.loads(run(tmp_path, "--why", epc(1), "--json").stdout)
    assert found["why"]["presence"] == "present"


def test_why_at_the_end(tmp_path: Path) -> None:
    record(tmp_path, stay("r2", 1, 0, 30) + stay("r1", 1, 30, 30))
    result = run(tmp_path, "--why", epc(1))
    assert result.exit_code == 0
    assert "is in floor since" in result.stdout
    assert "moved" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    told = json.loads(run(tmp_path, "--json", "--why", f"{GTIN}+1").stdout)
    assert [one["entered"] for one in told["why"]["transitions"]] == ["back", "floor"]
    assert run(tmp_path, "--why", epc(2)).exit_code == 1
    assert run(tmp_path, "--why", "nonsense").exit_code == 2
    assert run(tmp_path, "--any-epc", "--why", epc(1)).exit_code == 0
