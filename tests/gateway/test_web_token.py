"""Who may look at the pages: this machine, and whoever shows the token."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner, Result

from config import ConfigError
from gateway.broker import free_port
from gateway.cli import app
from tests.broker import Broker
from tests.daemon import PROGRAM
from tests.peer import peer
from tests.rig import HOST, Rig, hurry

TOKEN = "0123456789abcdef0123"
# Asked under another name than this machine's own, as through a proxy: not from here.
ELSEWHERE = {"Host": "store-0042.example"}


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, readers=0) as one:
        yield one


def with_token(rig: Rig, listen: str, token: str = TOKEN) -> str:
    (rig.folder / "token").write_text(token + "\n")
    (rig.folder / "token").chmod(0o600)
    return rig.text().replace('listen = "127.0.0.1:0"', f'listen = "{listen}"\ntoken_file = "token"')


@asynccontextmanager
async def asker(rig: Rig, text: str) -> AsyncIterator["Asker"]:
    async with rig.gateway(text) as gateway, aiohttp.ClientSession() as session:
        assert gateway.http_address is not None
        yield Asker(session, gateway.http_address[1])


class Asker:
    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.session = session
        self.port = port

    async def status(self, path: str, body: bytes | None = None, /, **headers: str) -> int:
        url = f"http://127.0.0.1:{self.port}{path}"
        method = "GET" if body is None else "POST"
        async with self.session.request(method, url, data=body, headers={**ELSEWHERE, **headers}) as answer:
            return answer.status


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (basic(TOKEN), 200),
        ("", 401),
        ("Bearer", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (basic("wrong"), 401),
        ("Basic !!!", 401),
        ("Basic " + base64.b64encode(TOKEN.encode()).decode(), 401),
        ("Bearer \udcff\udcfe", 401),
        (f"Digest {TOKEN}", 401),
    ],
)
async def test_from_elsewhere_only_with_the_token(rig: Rig, header: str, status: int) -> None:
    async with asker(rig, with_token(rig, "0.0.0.0:0")) as ask:
        headers = {"Authorization": header} if header else {}
        for path in ("/", "/metrics", "/api/status", "/api/nothing"):
            wanted = 404 if status == 200 and path == "/api/nothing" else status
            assert await ask.status(path, **headers) == wanted, path
        assert await ask.status("/healthz", **headers) == 200
        # Serial numbers are for this machine, token or not.
        for path in ("/api/items/30340789000C0E42DFDC1C35", "/api/capture"):
            assert await ask.status(path, **headers) == 403


async def test_this_machine_needs_no_token(rig: Rig) -> None:
    async with asker(rig, with_token(rig, "0.0.0.0:0")) as ask:
        assert await ask.status("/api/status", Host=f"127.0.0.1:{ask.port}") == 200
        forwarded = {"Host": f"127.0.0.1:{ask.port}", "X-Forwarded-For": "10.0.0.7"}
        assert await ask.status("/api/status", **forwarded) == 401


def own_address() -> str:
    """One of this machine's addresses that others could reach it at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network, and so no address but its own")
        name = probe.getsockname()[0]
    assert isinstance(name, str)
    return name


async def test_on_another_address_this_machine_has_its_own_door(rig: Rig) -> None:
    """There a token is needed even from here, and serial numbers are not told; on 127.0.0.1 all is as it always is."""
    path = rig.folder / "tallygate.toml"
    path.write_text(with_token(rig, f"{own_address()}:{free_port(HOST)}"))
    item = "/api/items/30340789000C0E42DFDC1C35"
    async with asker(rig, path.read_text()) as ask:
        outside, here = f"http://{own_address()}:{ask.port}", f"127.0.0.1:{ask.port}"
        shown = {"Authorization": f"Bearer {TOKEN}"}
        for way, headers, status in (("/", {}, 401), ("/", shown, 200), (item, shown, 403)):
            async with ask.session.get(outside + way, headers=headers) as answer:
                assert answer.status == status, way
        assert await ask.status("/api/status", Host=here) == 200
        assert await ask.status(item, Host=here) == 404
        told = await verb("doctor", "--config", str(path))
    assert "runs: tallygate" in told.stdout


async def test_without_a_token_nobody_comes_in_by_another_name(rig: Rig) -> None:
    async with asker(rig, rig.text()) as ask:
        assert await ask.status("/api/stock", Authorization="Bearer ") == 401
        assert await ask.status("/api/stock", Host="localhost") == 200


async def test_a_count_is_changed_from_this_machine_only_and_by_no_page(rig: Rig) -> None:
    """A page in a browser on this machine may post what a form can, and must not be heard."""
    async with asker(rig, with_token(rig, "0.0.0.0:0")) as ask:
        here, shown = {"Host": f"127.0.0.1:{ask.port}"}, {"Authorization": f"Bearer {TOKEN}"}
        json_type = {"Content-Type": "application/json"}
        path, body = "/api/shelves/scale/1", b'{"pieces": {}}'
        assert await ask.status(path, body, **shown, **json_type) == 403
        assert await ask.status(path, body, **json_type) == 403
        assert await ask.status(path, body, **here, **{"Content-Type": "text/plain"}) == 415
        assert await ask.status(path, body, **here, **json_type) == 404
        assert await ask.status("/api/shelves/scale/one", body, **here, **json_type) == 404
        for bad in (b"", b"{", b"[]", b'{"pieces": 5}', b'{"pieces": {"a": true}}', b'{"pieces": {"a": 1.0}}', b"\xff"):
            assert await ask.status(path, bad, **here, **json_type) == 400, bad
        assert await ask.status(path, b" " * 5_000, **here, **json_type) == 413


@asynccontextmanager
async def proxy(port: int) -> AsyncIterator[str]:
    """The address of a proxy before the gateway: whoever asks there comes from elsewhere."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        answers, asked = await asyncio.open_connection("127.0.0.1", port)
        asked.write(head.replace(b"\r\n", b"\r\nX-Forwarded-For: 10.0.0.7\r\nConnection: close\r\n", 1))
        writer.write(await answers.read())
        await writer.drain()
        asked.close()

    async with peer(pass_on) as front:
        yield f"127.0.0.1:{front}"


async def verb(name: str, *arguments: str, file: Path | None = None) -> Result:
    environ = {"TALLYGATE_TOKEN_FILE": "" if file is None else str(file)}
    return await asyncio.to_thread(CliRunner(env=environ).invoke, app, [name, *arguments, "--timeout", "20"])


async def test_verbs_from_elsewhere_show_the_token(rig: Rig) -> None:
    async with asker(rig, with_token(rig, "0.0.0.0:0")) as ask, proxy(ask.port) as there:
        token, wrong = rig.folder / "token", rig.folder / "wrong"
        wrong.write_text("no token \N{SNOWMAN}\n")
        wrong.chmod(0o600)
        for name in ("status", "antennas"):
            for shown in (
                await verb(name, "--http", there, "--json", "--token-file", str(token)),
                await verb(name, "--http", there, "--json", file=token),
                await verb(name, "--http", f"127.0.0.1:{ask.port}", "--json"),
            ):
                assert (shown.exit_code, shown.stderr) == (0, "")
            without = await verb(name, "--http", there)
            assert (without.exit_code, without.stdout) == (3, "")
            assert "asks for its token" in without.stderr
            assert "--token-file" in without.stderr
            other = await verb(name, "--http", there, "--token-file", str(wrong))
            assert (other.exit_code, other.stdout) == (3, "")
            assert "does not know this token" in other.stderr
        missing = await verb("status", "--http", there, "--token-file", str(rig.folder / "nowhere"))
        assert (missing.exit_code, missing.stdout) == (2, "")
        token.chmod(0o644)
        assert "chmod" in (await verb("status", "--http", there, file=token)).stderr


async def test_verbs_from_elsewhere_hear_of_no_serial_numbers(rig: Rig) -> None:
    async with asker(rig, with_token(rig, "0.0.0.0:0")) as ask, proxy(ask.port) as there:
        for name, *arguments in (["why", "80614141123458+1"], ["locate", "3034"]):
            refused = await verb(name, *arguments, "--http", there)
            assert (refused.exit_code, refused.stdout) == (3, ""), name
            assert "told to this machine only" in " ".join(refused.stderr.split())
            assert "hint: ask on the gateway's own machine" in refused.stderr
        pipe = asyncio.subprocess.PIPE
        command = [*PROGRAM, "reads", "--http", there]
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        out, err = await process.communicate()
        assert (process.returncode, out) == (3, b"")
        assert b"hint: ask on the gateway's own machine" in err


async def test_a_doctor_finds_the_daemon_that_listens_everywhere(rig: Rig) -> None:
    path = rig.folder / "tallygate.toml"
    path.write_text(with_token(rig, f"0.0.0.0:{free_port(HOST)}"))
    async with rig.gateway(path.read_text()):
        told = await verb("doctor", "--config", str(path))
    assert "runs: tallygate" in told.stdout


@pytest.mark.parametrize("listen", ["0.0.0.0:9477", "10.0.0.5:9477", "[::]:9477", "store.example:9477"])
async def test_another_address_needs_a_token(rig: Rig, listen: str) -> None:
    with pytest.raises(ConfigError, match="token_file"):
        rig.config(rig.text().replace("127.0.0.1:0", listen))
    assert rig.config(with_token(rig, listen)).http.token is not None


@pytest.mark.parametrize("listen", ["127.0.0.1:9477", "127.0.0.9:9477", "[::1]:9477", "localhost:9477"])
async def test_this_machine_s_own_address_needs_none(rig: Rig, listen: str) -> None:
    assert rig.config(rig.text().replace("127.0.0.1:0", listen)).http.token is None


async def test_a_token_is_long_private_and_shown_nowhere(rig: Rig) -> None:
    text = with_token(rig, "0.0.0.0:0", "short")
    with pytest.raises(ConfigError, match="guessed") as caught:
        rig.config(text)
    assert "short" not in str(caught.value)
    config = rig.config(with_token(rig, "0.0.0.0:0"))
    assert TOKEN not in repr(config)
    (rig.folder / "token").chmod(0o644)
    with pytest.raises(ConfigError, match="every user"):
        rig.config(text)
