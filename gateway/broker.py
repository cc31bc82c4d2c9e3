"""The built-in broker for the demo, the bench and first steps: Mosquitto where it is installed, else iotcore."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

# A broker on loopback listens within a fraction of it.
START_LIMIT_S = 10.0
STOP_LIMIT_S = 3.0
POLL_S = 0.02


class BrokerError(Exception):
    """The built-in broker did not start; `hint` says what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def free_port(host: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _is_free(host: str, port: int) -> bool:
    """Whether a broker could listen there; what cannot be resolved it may find out itself."""
    try:
        with socket.create_server((host, port)):
            return True
    except socket.gaierror:
        return True
    except OSError:
        return False


def mosquitto() -> str | None:
    """The path of Mosquitto; Debian keeps it where users' PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@asynccontextmanager
async def embedded_broker(host: str, port: int) -> AsyncIterator[str]:
    """A broker on host:port while the context lasts; gives its name. Raises BrokerError."""
    if not _is_free(host, port):
        raise BrokerError(
            f"{host}:{port} is taken: no built-in broker can listen there",
            "stop the other broker, choose another port, or name that broker in mqtt.url (mqtt://...)",
        )
    program = mosquitto()
    run = _mosquitto(program, host, port) if program else _iotcore(host, port)
    async with run:
        yield "mosquitto" if program else "iotcore"


@asynccontextmanager
async def _mosquitto(program: str, host: str, port: int) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory(prefix="tallygate-broker-") as folder:
        config = _write(folder, "mosquitto.conf", f"listener {port} {host}\nallow_anonymous true\npersistence false\n")
        # In a session of its own: a terminal's Ctrl-C is ours to take, and the broker goes last.
        process = await asyncio.create_subprocess_exec(
            program,
            "-c",
            config,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            await _listening(host, port, process)
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _write(folder: str, name: str, text: str) -> str:
    """A configuration file for a broker; gives its path."""
    config = Path(folder, name)
    config.write_text(text, encoding="utf-8")
    return str(config)


async def _listening(host: str, port: int, process: asyncio.subprocess.Process) -> None:
    """Until it takes connections."""
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(host, port)
                except OSError:
                    await asyncio.sleep(POLL_S)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return
    except TimeoutError:
        pass
    raise BrokerError(f"the built-in broker does not listen on {host}:{port}", "is the port taken? choose another one")


@asynccontextmanager
async def _iotcore(host: str, port: int) -> AsyncIterator[None]:
    try:
        from iotcore import Broker  # noqa: PLC0415 - an optional package, needed only here
    except ImportError as error:
        raise BrokerError(
            "no built-in broker: neither Mosquitto nor the package iotcore is installed",
            "apt-get install mosquitto, or pip install 'tallygate[demo]', or name a broker in mqtt.url",
        ) from error
    with tempfile.TemporaryDirectory(prefix="tallygate-broker-") as folder:
        # It knows the format of a file by the end of its name.
        config = _write(folder, "rumqttd.toml", RUMQTTD.format(host=host, port=port))
        try:
            broker = Broker(config_path=config)
            await asyncio.to_thread(broker.start, START_LIMIT_S)
        except (OSError, RuntimeError, ValueError) as error:
            raise BrokerError(f"the built-in broker did not start: {error}", "is the port taken?") from error
        try:
            yield
        finally:
            await asyncio.to_thread(broker.stop, STOP_LIMIT_S)


# rumqttd's own configuration: one MQTT 5 listener, in memory only.
RUMQTTD = """
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 1000
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "v5"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = 1048576
max_inflight_count = 200
dynamic_filters = true
"""
