"""A real Mosquitto for tests: on a free port of 127.0.0.1, killed and started again on the same one."""

import asyncio
import getpass
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from gateway.broker import free_port, mosquitto
from gateway.consumer.broker import BrokerAddress

START_TIMEOUT_S = 10.0
HOST = "127.0.0.1"


def find_mosquitto() -> str:
    """The path of the binary; the test is skipped with a reason where there is none."""
    found = mosquitto()
    if found is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    return found


@dataclass
class Broker:
    """`async with Broker(tmp_path) as broker`. `users` (name -> password) switches anonymous access off.

    `acl` are the lines of an access file, `extra` lines of the configuration, `tls` (certificate, key) files.
    """

    folder: Path
    users: dict[str, str] = field(default_factory=dict)
    acl: Sequence[str] = ()
    extra: Sequence[str] = ()
    tls: tuple[Path, Path] | None = None
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress("localhost" if self.tls else HOST, self.port, tls=self.tls is not None)

    @property
    def url(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.address.host}:{self.port}"

    async def start(self) -> None:
        """Starts it on its port and returns when it takes connections."""
        program = find_mosquitto()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port(HOST)
        config = self._write_config()
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)  # noqa: ASYNC220 (it forks at once)
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await self._listens():
                assert self.process.poll() is None, (self.folder / "mosquitto.log").read_text()
                await asyncio.sleep(0.01)

    def kill(self) -> None:
        """As a power cut does it: SIGKILL, nothing is said, what was only in memory is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def restart(self) -> None:
        """Killed and started again on the same port, without retained messages."""
        self.kill()
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    def _write_config(self) -> Path:
        lines = [
            f"listener {self.port} {HOST}",
            f"allow_anonymous {'false' if self.users else 'true'}",
            "log_dest stdout",
            # Started as root it would become another user, who cannot read the test's folder.
            f"user {getpass.getuser()}",
            "persistence false",
            "max_queued_messages 100000",
            *self.extra,
        ]
        if self.users:
            passwords = self.folder / "passwords"
            passwords.write_text("".join(f"{name}:{word}\n" for name, word in self.users.items()))
            passwords.chmod(0o600)
            # Turns the plain words into salted hashes in place.
            subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
            lines.append(f"password_file {passwords}")
        if self.acl:
            acl = self.folder / "acl"
            acl.write_text("\n".join(self.acl) + "\n")
            acl.chmod(0o600)
            lines.append(f"acl_file {acl}")
        if self.tls is not None:
            lines += [f"certfile {self.tls[0]}", f"keyfile {self.tls[1]}"]
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        return config
