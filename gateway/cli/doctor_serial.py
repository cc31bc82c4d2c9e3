"""What `tallygate doctor` can tell of a device on a serial port while no daemon has it."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from config.effective import Reader
from gateway.clock import SystemClock
from gateway.crew import DRIVERS, Shared
from gateway.tasks import beside
from readers.chafon.driver import Lines
from readers.driver import ReaderError
from readers.llrp.lobby import Lobby
from readers.modbus.settings import ModbusSettings
from readers.model import AntennaCondition, Fault, ReaderCondition, ReaderEvent, ReaderState
from readers.port.settings import PortSettings
from readers.scales.settings import ScaleSettings

Finding = tuple[bool | None, str, str]
"""Whether it is well, in words, and what to do."""

SILENT_HINT = "power, cable, baudrate, and the address or dialect that it is set to"


async def serial_device(reader: Reader, port: PortSettings, timeout_s: float) -> Finding:
    """What weighs or senses is listened to. What reads tags is not: it would be set up, and transmit."""
    if isinstance(reader.settings, ScaleSettings | ModbusSettings):
        return await _heard(reader, timeout_s)
    if port.is_socket:
        return None, f"{port.address}: only the daemon can tell", ""
    return await asyncio.to_thread(_there, port.device)


def _there(device: str) -> Finding:
    """Whether a port is there at all; it is not opened, which resets some boards."""
    if not Path(device).exists():
        return False, f"{device} is not there", "plug it in, or name its link in /dev/serial/by-id or by-path"
    if not os.access(device, os.R_OK | os.W_OK):
        return False, f"{device} may not be opened by you", "the gateway's user must be in the group dialout"
    return None, f"{device} is there; only the daemon can tell what answers", ""


async def _heard(reader: Reader, timeout_s: float) -> Finding:
    """Its own driver runs until all channels have spoken, it fails, or the time is up."""
    clock, ended = SystemClock(), asyncio.Event()
    states: list[ReaderState] = []
    faults: list[Fault] = []

    def hear(event: ReaderEvent) -> None:
        if isinstance(event, ReaderState):
            states.append(event)
            if event.condition is ReaderCondition.READING:
                ended.set()

    async def run() -> None:
        try:
            await DRIVERS[reader.driver](reader, clock, Shared(Lobby(clock), Lines(clock))).run(hear)
        except ReaderError as error:
            faults.append(error.fault)
            ended.set()

    async with beside(run()):
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await ended.wait()
        said = [each for each in states if each.antennas]
    if faults:
        return False, faults[0].text, faults[0].hint
    return _of_channels(reader.settings.address, said[-1] if said else None)


def _of_channels(address: str, state: ReaderState | None) -> Finding:
    """Which of its channels have said something."""
    antennas = {} if state is None else state.antennas
    silent = [str(channel) for channel, condition in antennas.items() if condition is not AntennaCondition.UP]
    if state is None or len(silent) == len(antennas):
        return False, f"{address}: nothing was heard", SILENT_HINT
    if silent:
        return False, f"{address}: nothing was heard of channel {', '.join(silent)}", SILENT_HINT
    return True, f"{address}: {state.model or 'a device'}, all {len(antennas)} channels heard", ""
