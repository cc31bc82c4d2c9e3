"""`tallygate decode` as a command: shapes of EPCs, exit codes, 80 columns, and what it does not import."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app

SGTIN_96 = "3074257BF7194E4000001A85"
SGTIN_198 = "3674257BF6B7A659B2C2BF1000000000000000000000000000"
UNENCODED = "E2801160600002054CC2096F"


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def test_one_epc_for_people() -> None:
    result = run("decode", SGTIN_96)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        SGTIN_96,
        "  scheme          sgtin-96",
        "  GTIN            80614141123458",
        "  serial          6789",
        "  company prefix  0614141",
        "  filter          3",
        "  identity        urn:epc:id:sgtin:0614141.812345.6789",
        "  tag URI         urn:epc:tag:sgtin-96:3.0614141.812345.6789",
        "  element string  (01)80614141123458(21)6789",
        "  Digital Link    https://id.gs1.org/01/80614141123458/21/6789",
    ]


@pytest.mark.parametrize(
    "text",
    [
        SGTIN_96.lower(),
        f"0x{SGTIN_96}",
        f"0X{SGTIN_96.lower()}",
        " ".join(SGTIN_96[index : index + 2] for index in range(0, 24, 2)),
        "-".join(SGTIN_96[index : index + 4] for index in range(0, 24, 4)),
        f"  {SGTIN_96}\t",
    ],
)
def test_the_ways_to_write_an_epc(text: str) -> None:
    result = run("decode", "--json", text)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "epc": SGTIN_96,
        "bits": 96,
        "scheme": "sgtin-96",
        "gtin": "80614141123458",
        "serial": "6789",
        "company_prefix": "0614141",
        "reference": "812345",
        "filter": 3,
        "tag_uri": "urn:epc:tag:sgtin-96:3.0614141.812345.6789",
        "pure_identity_uri": "urn:epc:id:sgtin:0614141.812345.6789",
        "element_string": "(01)80614141123458(21)6789",
        "digital_link": "https://id.gs1.org/01/80614141123458/21/6789",
    }


def test_a_bad_epc_is_a_finding_and_the_others_are_shown() -> None:
    result = run("decode", SGTIN_96, UNENCODED, "no hex", SGTIN_198)
    assert result.exit_code == 1
    assert "80614141123458" in result.stdout
    assert "70614141123451" in result.stdout
    assert UNENCODED not in result.stdout
    assert UNENCODED in result.stderr
    assert "un-encoded tag" in result.stderr
    assert result.stderr.count("hint:") == 2


def test_findings_for_machines() -> None:
    result = run("decode", "--json", UNENCODED, "abc", SGTIN_96)
    assert result.exit_code == 1
    first, second, third = map(json.loads, result.stdout.splitlines())
    assert (first["epc"], first["bits"], first["error"]["kind"]) == (UNENCODED, 96, "unencoded")
    assert (second["epc"], second["error"]["kind"]) == ("abc", "not_hex")
    assert first["error"]["text"]
    assert first["error"]["hint"]
    assert third["gtin"] == "80614141123458"
    assert result.stderr == ""


def test_epcs_from_stdin() -> None:
    result = run("decode", "--json", "-", SGTIN_198, stdin=f"# today's tags\n\n{SGTIN_96}  # shirt\n30 1C\r\n")
    kinds = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line.get("gtin") or line["error"]["kind"] for line in kinds] == [
        "80614141123458",
        "length",
        "70614141123451",
    ]
    assert result.exit_code == 1


def test_bits_that_count() -> None:
    assert json.loads(run("decode", "--json", "--bits", "198", SGTIN_198).stdout)["serial"] == "32a/b"
    cut = run("decode", "--json", "--bits", "95", SGTIN_96)
    assert (cut.exit_code, json.loads(cut.stdout)["error"]["kind"]) == (1, "length")
    long = run("decode", "--json", "--bits", "97", SGTIN_96)
    assert (long.exit_code, json.loads(long.stdout)["error"]["kind"]) == (1, "length")


@pytest.mark.parametrize(
    "arguments", [["decode"], ["decode", "--bits", "0", SGTIN_96], ["decode", "--bogus"], ["nope"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage:" in result.stderr


def test_eighty_columns() -> None:
    epcs = [SGTIN_96, "3174257BF4499602D2000000", "3376451FD40C0E400000162E", "3474257BF40000000000162E", UNENCODED]
    result = run("decode", *epcs, "x" * 1000 + "\x1b[2J")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stderr
    assert "x" * 129 not in result.stderr
    assert all(len(line) <= 80 or " " not in line.strip() for line in result.stderr.splitlines())


def test_it_starts_without_what_it_does_not_need() -> None:
    code = (
        "import sys\nfrom gateway.cli import main\nsys.argv = ['tallygate', 'decode', '" + SGTIN_96 + "']\n"
        "try:\n    main()\nfinally:\n    print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    modules = set(done.stdout.splitlines()[-1].split())
    assert "gateway.domain.epc" in modules
    assert modules.isdisjoint({"aiohttp", "paho", "paho.mqtt", "sllurp", "aiosqlite", "rich", "asyncio"})


def test_help_lists_the_verbs() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(verb in result.stdout for verb in ("decode", "check-config", "watch"))
    assert max(map(len, result.stdout.splitlines())) <= 80
