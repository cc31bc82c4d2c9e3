"""The daemon at its most talkative: neither the broker's password nor the pages' token is in what it says."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.daemon import PROGRAM
from tests.rig import LIMIT_S, Rig, hurry

WORD = "hushhush-1-hushhush"
TOKEN = "hushhush-2-hushhush"


async def test_no_secret_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    for name, secret in (("word", WORD), ("token", TOKEN)):
        (tmp_path / name).write_text(secret + "\n")
        (tmp_path / name).chmod(0o600)
    async with (
        Broker(tmp_path / "broker", users={"gw": WORD, "other": "other"}) as broker,
        Rig(tmp_path, broker, readers=1) as rig,
    ):
        text = rig.text(mqtt='username = "gw"\npassword_file = "word"')
        config = tmp_path / "tallygate.toml"
        config.write_text(text.replace('listen = "127.0.0.1:0"', 'listen = "127.0.0.1:0"\ntoken_file = "token"'))
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "run", "--config", str(config), "--log-level", "debug", stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        said = bytearray()

        async def until(wanted: bytes) -> None:
            assert process.stderr is not None
            while wanted not in said:
                line = await process.stderr.readline()
                assert line, said.decode()
                said.extend(line)

        async with asyncio.timeout(3 * LIMIT_S):
            await until(b"broker: connected")
            # A configuration that is read again, one that is bad, a broker that goes: reasons to talk.
            process.send_signal(signal.SIGHUP)
            await until(b"configuration applied")
            _spoil(config)
            process.send_signal(signal.SIGHUP)
            await until(b"surprise")
            broker.kill()
            await until(b"broker: ")
            process.send_signal(signal.SIGTERM)
            said += (await process.communicate())[1]
    assert b"hushhush" not in said


def _spoil(config: Path) -> None:
    config.write_text("surprise = 1\n" + config.read_text())
