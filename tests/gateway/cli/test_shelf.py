"""`tallygate shelf`: by a running gateway, and straight from the port."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.domain.zones import ZoneState
from simulators.serial.bench import SerialBench, serial_bench
from simulators.serial.scales import MtSicsScale, Pan
from tests.broker import Broker
from tests.rig import GTIN, HOST, SCALE, UNIT_G, Rig, eventually, hurry, in_step, ours, theirs

OTHER = "04012345678901"
# A measurement takes three seconds, for a scale in a shop; this one has settled after one.
PROGRAM = (
    "from gateway.domain import calibration; calibration.MEASURE_US = 1_000_000; from gateway.cli import main; main()"
)


class Verb:
    """`tallygate shelf ...` as a program of its own; `say` types a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.shown = ""

    async def until(self, words: str, times: int = 1) -> None:
        """Until it has asked for it."""
        assert self._process.stderr is not None
        async with asyncio.timeout(60):
            while self.shown.count(words) < times:
                line = await self._process.stderr.readline()
                assert line, self.shown
                self.shown += line.decode()

    async def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def end(self) -> tuple[int | None, str, str]:
        """Exit code, stdout, stderr."""
        async with asyncio.timeout(60):
            out, more = await self._process.communicate()
        return self._process.returncode, out.decode(), self.shown + more.decode()


async def shelf(*arguments: str) -> Verb:
    command = (sys.executable, "-c", PROGRAM, "shelf", *arguments)
    pipe = asyncio.subprocess.PIPE
    environ = {**os.environ, "COLUMNS": "80"}
    return Verb(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=environ))


async def at_once(*arguments: str) -> tuple[int, str, str]:
    """The verb in this process, beside what it looks at: exit code, stdout, stderr."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["shelf", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def pan() -> Pan:
    return Pan(0.0)


@pytest.fixture
async def scale(tmp_path: Path, pan: Pan) -> AsyncIterator[SerialBench]:
    with serial_bench(tmp_path / "port", MtSicsScale(pan)) as bench:
        yield bench


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tallygate.toml"
    head = '[site]\nid = "s"\ngateway = "g"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n'
    path.write_text(head + SCALE.format(port=tmp_path / "port"))
    return path


@pytest.mark.usefixtures("scale")
async def test_what_a_running_gateway_counts(tmp_path: Path, pan: Pan, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    pan.grams = 6 * UNIT_G
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, readers=0) as rig:
        text = rig.text() + SCALE.format(port=tmp_path / "port")
        async with rig.gateway(text) as gateway:
            await eventually(lambda: ours(gateway) == {(GTIN, "shelf-7"): 6} and not gateway.shelves.blind)
            assert gateway.http_address is not None
            there = ("--http", "{}:{}".format(*gateway.http_address))
            code, out, _ = await at_once("show", *there)
            assert code == 0
            assert "gondola-7:1" in out
            assert f"6 of {GTIN}" in out
            assert all(len(line) <= 80 for line in out.splitlines())
            code, out, _ = await at_once("show", *there, "--json")
            assert json.loads(out)["products"] == [{"gtin": GTIN, "pieces": 6, "confirmed": 6}]
            pan.trouble = "overload"
            await eventually(lambda: bool(gateway.shelves.blind))
            code, out, _ = await at_once("show", "gondola-7:1", *there)
            out_of_one = out
            assert code == 1
            assert "more than it can weigh" in " ".join(out.split())
            code, _, error = await at_once("show", "gondola-7:2", *there)
            assert (code, "no such bin" in error) == (1, True)
            assert "hint: one of gondola-7:1" in error
            assert (await at_once("show", "gondola-7", *there))[1] == out_of_one


async def test_who_has_counted_a_shelf_says_so(
    tmp_path: Path, scale: SerialBench, pan: Pan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zero key with goods on: the count stands, marked, until somebody says what lies there."""
    hurry(monkeypatch)
    pan.grams = 6 * UNIT_G
    key = GTIN, "shelf-7"
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, readers=0) as rig:
        text = rig.text() + SCALE.format(port=tmp_path / "port")
        async with rig.gateway(text) as gateway, rig.consumer() as consumer:
            zone = gateway.inventory.zones["shelf-7"]
            await eventually(lambda: ours(gateway) == {key: 6} and zone.state is ZoneState.OK)
            assert gateway.http_address is not None
            here = ("--http", "{}:{}".format(*gateway.http_address), "--timeout", "10")
            pan.grams = 0
            await eventually(lambda: zone.state is ZoneState.STALE)
            code, out, error = await at_once("recount", "gondola-7:1", "5", *here)
            assert (code, error) == (0, "")
            assert f"5 of {GTIN} (was 6); its zero has moved by -910 g" in out
            assert (ours(gateway), zone.state) == ({key: 5}, ZoneState.OK), "on disk before it is told"
            delta = json.loads((await gateway.ledger.deltas(0, 10))[-1].payload)
            assert delta["causes"] == {"recounted": 1}
            assert "stale" not in delta["changes"][0]
            await in_step(gateway, consumer)
            assert theirs(consumer) == {key: 5}

            code, out, _ = await at_once("empty", "gondola-7:1", *here, "--json")
            found = json.loads(out)
            assert (code, found["before"], found["products"][0]["pieces"]) == (0, {GTIN: 5}, 0)
            assert found["zero_moved_g"] == pytest.approx(5 * UNIT_G, abs=1)
            await in_step(gateway, consumer)
            assert theirs(consumer) == {}

            pan.trouble = "overload"
            await eventually(lambda: bool(gateway.shelves.blind))
            code, _, error = await at_once("recount", "gondola-7:1", "5", *here[:2], "--timeout", "0.5")
            assert (code, "more than it can weigh" in " ".join(error.split())) == (1, True)
            pan.trouble = ""
            await eventually(lambda: not gateway.shelves.blind)
            for code, wanted, words in (
                (1, ["recount", "gondola-7:2", "5"], "no such bin"),
                (1, ["recount", "gondola-7:1", f"{OTHER}=5"], f"no GTIN {OTHER} lies there"),
                (1, ["recount", "gondola-7:1", "99999"], "holds 10000 at most"),
                (2, ["recount", "gondola-7:1"], "needs the number of pieces"),
                (2, ["recount", "gondola-7:1", "half"], "no count of pieces"),
                (2, ["recount", "gondola-7:1", "5", "6"], "no count of pieces"),
                (2, ["recount", "5"], "no READER:CHANNEL"),
                (2, ["empty"], "needs a READER:CHANNEL"),
                (2, ["empty", "gondola-7:1", "5"], "takes no number"),
            ):
                refused = await at_once(*wanted, *here)
                assert refused[:2] == (code, ""), wanted
                assert words in " ".join(refused[2].split()), wanted
            assert theirs(consumer) == {}
        scale.unplug()
    code, _, error = await at_once("empty", "gondola-7:1", *here)
    assert (code, "no daemon answers" in error) == (3, True)


@pytest.mark.usefixtures("scale")
async def test_what_a_scale_says_without_a_gateway(file: Path, pan: Pan) -> None:
    pan.grams = 4 * UNIT_G
    code, out, error = await at_once("show", "--direct", "--config", str(file))
    assert (code, error) == (0, "")
    assert f"4 of {GTIN}" in out


async def test_a_port_that_is_not_there_is_out_of_reach(file: Path) -> None:
    for arguments in (["show", "--direct"], ["calibrate", "gondola-7:1"]):
        code, out, error = await at_once(*arguments, "--config", str(file))
        assert (code, out) == (3, "")
        assert "gondola-7" in error
        assert "Traceback" not in error


async def test_no_daemon_no_bin_no_channel(file: Path) -> None:
    code, _, error = await at_once("show", "--http", f"{HOST}:9")
    assert (code, "no daemon answers" in error) == (3, True)
    code, _, error = await at_once("calibrate", "--config", str(file))
    assert (code, "READER:CHANNEL" in error) == (2, True)
    code, _, error = await at_once("calibrate", "gondola-7:9", "--config", str(file))
    assert (code, "gondola-7:1" in error) == (2, True)


@pytest.mark.usefixtures("scale")
async def test_counted_fills_become_a_line_of_the_configuration(file: Path, pan: Pan) -> None:
    pan.grams = 310.0
    verb = await shelf("calibrate", "gondola-7:1", "--config", str(file))
    await verb.until("Empty the bin")
    await verb.say("")
    for number, pieces in enumerate((10, 5, 5), 1):
        await verb.until("Add pieces", number)
        pan.grams += pieces * UNIT_G * (1 + 0.001 * number)
        if number == 2:
            await verb.say("five")
            await verb.until("is no number of pieces")
            await verb.until("Add pieces", 3)
        await verb.say(str(pieces))
        await verb.until(f"  {pieces} pieces:", 1 if number < 3 else 2)
    await verb.say("")
    code, out, error = await verb.end()
    assert code == 0, error
    values = dict(line.split(" = ") for line in out.splitlines() if not line.startswith("#"))
    assert float(values["unit_weight_g"]) == pytest.approx(UNIT_G, rel=0.003)
    assert float(values["zero_g"]) == pytest.approx(310, abs=0.5)
    assert set(values) == {"unit_weight_g", "variation", "tolerance", "noise_g", "zero_g"}
    assert "learnt from 20 pieces" in out
    assert all(len(line) <= 80 for line in (out + error).splitlines())


@pytest.mark.usefixtures("scale")
async def test_a_product_that_cannot_be_counted_is_a_finding(file: Path, pan: Pan) -> None:
    verb = await shelf("calibrate", "gondola-7:1", "--config", str(file), "--json")
    await verb.until("Empty the bin")
    await verb.say("")
    await verb.until("Add pieces")
    pan.grams = 0.5
    await verb.say("10")
    await verb.until("Add pieces", 2)
    await verb.say("")
    code, out, error = await verb.end()
    told = json.loads(out)
    assert (code, told["pieces"], told["variation"]) == (1, 10, None)
    assert told["refused"]
    assert "cannot be counted on this scale" in error
