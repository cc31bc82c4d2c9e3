"""A Chafon reader of the UHFReader18 or 288 family, from their manuals; and several of them on one RS-485 line."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from simulators.clock import Clock
from simulators.field import Field

UHFREADER18 = 0x09
UHFREADER288M = 0x0C
OLD_TYPES = (0x03, 0x08, 0x09)
BROADCAST = 0xFF
SUCCESS, DONE, MORE, NO_TAG, ANTENNA_ERROR, LENGTH, ILLEGAL, PARAMETER = 0x00, 0x01, 0x03, 0xFB, 0xF8, 0xFD, 0xFE, 0xFF
# Bytes of tags that fit one frame beside its header, antenna, count and CRC.
ROOM_BYTES = 240
GAP_US = 20_000


def checksum(data: bytes) -> int:
    """As the manuals' C example has it: preset FFFF, polynomial 8408, the low bit first."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0x8408 if value & 1 else value >> 1
    return value


@dataclass(slots=True)
class Habits:
    """What a reader of this kind may be like; may be changed at any time."""

    kind: int = UHFREADER288M
    firmware: tuple[int, int] = (2, 22)
    serial_number: bytes | None = bytes.fromhex("1a2b3c4d")
    max_power_dbm: int = 30
    # What is in its flash: (highest, lowest) channel with the band's code, power, scan time in 0.1 s, work mode.
    region: tuple[int, int] = (0x31, 0x80)
    power_dbm: int = 20
    scan_time: int = 10
    mode: int = 0
    # How long a look takes that finds whatever there is.
    look_s: float = 0.04
    push_every_s: float = 0.1
    pushes_heartbeats: bool = False
    obeys_mode: bool = True
    # Commands that are answered with an error.
    refuses: frozenset[int] = frozenset()
    missing_antennas: frozenset[int] = frozenset()
    # Ports that a reader of more than eight tells as a number.
    many_ports: bool = False
    tags_per_frame: int = 8
    # Each answer comes so much later.
    lag_s: float = 0.0
    mute: bool = False


class ChafonDevice:
    """One reader at `address`."""

    def __init__(self, field: Field, clock: Clock, address: int = 0, habits: Habits | None = None) -> None:
        self.wake_s: float | None = None
        self.address = address
        self.habits = habits or Habits()
        # Frames of the host that were for it: (command, data).
        self.heard: list[tuple[int, bytes]] = []
        self.flash_writes = 0
        self._field = field
        self._clock = clock
        self._pending = bytearray()
        self._heard_us = 0
        self._push_us = self._looked_us = clock.now_us()
        self._packets = 0
        self._wind()

    def feed(self, data: bytes) -> list[tuple[float, bytes]]:
        """What the host says, or nothing when it is time to speak by itself."""
        now_us = self._clock.now_us()
        said: list[tuple[float, bytes]] = []
        if data:
            if now_us - self._heard_us > GAP_US:
                self._pending.clear()
            self._heard_us = now_us
            self._pending += data
            for address, command, payload in self._take_commands():
                if address in {self.address, BROADCAST}:
                    self.heard.append((command, payload))
                    said += self._obey(command, payload)
        elif self.habits.mode and now_us >= self._push_us:
            said = [(0.0, frame) for frame in self._push()]
            self._push_us = now_us + round(self.habits.push_every_s * 1e6)
        self._wind()
        if self.habits.mute:
            return []
        return [(delay_s + self.habits.lag_s, frame) for delay_s, frame in said]

    @property
    def is_old(self) -> bool:
        """It speaks the older dialect."""
        return self.habits.kind in OLD_TYPES

    # Frames

    def frame(self, command: int, status: int, data: bytes = b"") -> bytes:
        """As it goes out."""
        body = bytes([len(data) + 5, self.address, command, status]) + data
        value = checksum(body)
        return body + bytes([value & 0xFF, value >> 8])

    def _take_commands(self) -> Iterator[tuple[int, int, bytes]]:
        while self._pending:
            length = self._pending[0] + 1
            if length < 5:
                del self._pending[0]
            elif len(self._pending) < length:
                return
            else:
                frame = bytes(self._pending[:length])
                if checksum(frame[:-2]) == frame[-2] + 256 * frame[-1]:
                    del self._pending[:length]
                    yield frame[1], frame[2], frame[3:-2]
                else:
                    del self._pending[0]

    def _wind(self) -> None:
        left_us = self._push_us - self._clock.now_us()
        self.wake_s = max(0.001, left_us / 1e6) if self.habits.mode else None

    # Commands

    def _obey(self, command: int, payload: bytes) -> list[tuple[float, bytes]]:
        habits = self.habits
        if habits.mode and command not in {0x21, 0x76}:
            return []
        if command == 0x01 and command not in habits.refuses:
            return [(habits.look_s, frame) for frame in self._inventory(payload)]
        obey = self._commands().get(command)
        if obey is None or command in habits.refuses:
            return [(0.0, self.frame(0, ILLEGAL))]
        answer = obey(payload)
        return [(0.0, self.frame(command, PARAMETER if answer is None else SUCCESS, answer or b""))]

    def _commands(self) -> dict[int, Callable[[bytes], bytes | None]]:
        commands: dict[int, Callable[[bytes], bytes | None]] = {
            0x21: lambda _: self._info(),
            0x22: self._set_region,
            0x25: self._set_scan_time,
            0x2F: self._set_power,
        }
        if not self.is_old:
            number = self.habits.serial_number
            commands[0x76] = self._set_mode
            if number is not None:
                commands[0x4C] = lambda _: number
        return commands

    def _info(self) -> bytes:
        habits = self.habits
        return bytes([*habits.firmware, habits.kind, 3, *habits.region, habits.power_dbm, habits.scan_time, 1, 0, 0, 0])

    def _set_region(self, payload: bytes) -> bytes | None:
        if len(payload) != 2:
            return None
        self.flash_writes += 1
        self.habits.region = (payload[0], payload[1])
        return b""

    def _set_power(self, payload: bytes) -> bytes | None:
        if len(payload) != 1 or payload[0] > self.habits.max_power_dbm:
            return None
        self.flash_writes += 1
        self.habits.power_dbm = payload[0]
        return b""

    def _set_scan_time(self, payload: bytes) -> bytes | None:
        if len(payload) != 1 or payload[0] < 3:
            return None
        self.flash_writes += 1
        self.habits.scan_time = payload[0]
        return b""

    def _set_mode(self, payload: bytes) -> bytes | None:
        if len(payload) != 1 or payload[0] > 2:
            return None
        self.flash_writes += 1
        if self.habits.obeys_mode:
            self.habits.mode = payload[0]
        return b""

    # The air

    def _ports(self, antenna: int) -> int:
        return antenna - 1 if self.habits.many_ports else 1 << (antenna - 1)

    def _see(self, antenna: int) -> dict[bytes, int]:
        now_us = self._clock.now_us()
        start_us, self._looked_us = self._looked_us, now_us
        return {sighting.epc: sighting.rssi_dbm for sighting in self._field.sightings(antenna, start_us, now_us)}

    def _inventory(self, payload: bytes) -> list[bytes]:
        antenna = 1
        if not self.is_old:
            # Q and session, perhaps a mask (bank, bit address, its length in bits), perhaps target, antenna, scan time.
            rest = payload[2:]
            if len(rest) in {4, 7}:
                if rest[3]:
                    return [self.frame(1, PARAMETER)]
                rest = rest[4:]
            if len(payload) < 2 or len(rest) not in {0, 3}:
                return [self.frame(1, LENGTH)]
            if rest:
                antenna = rest[1] - 0x7F
        if antenna in self.habits.missing_antennas:
            return [self.frame(1, ANTENNA_ERROR)]
        entries = [
            bytes([len(epc)]) + epc + (b"" if self.is_old else bytes([rssi + 157 & 0xFF]))
            for epc, rssi in self._see(antenna).items()
        ]
        if not entries:
            if self.is_old:
                return [self.frame(1, NO_TAG)]
            return [self.frame(1, DONE, bytes([self._ports(antenna), 0]))]
        groups = list(_grouped(entries, self.habits.tags_per_frame))
        head = b"" if self.is_old else bytes([self._ports(antenna)])
        return [
            self.frame(1, DONE if group is groups[-1] else MORE, head + bytes([len(group)]) + b"".join(group))
            for group in groups
        ]

    def _push(self) -> list[bytes]:
        self._packets += 1
        frames = [
            self.frame(0xEE, SUCCESS, bytes([self._ports(1), len(epc)]) + epc + bytes([rssi + 157 & 0xFF]))
            for epc, rssi in self._see(1).items()
        ]
        if self.habits.pushes_heartbeats:
            beat = self._packets.to_bytes(4, "big") + b"\x01" + bytes(4)
            frames.append(self.frame(0xEE, 0x28, beat))
        return frames


def _grouped(entries: Sequence[bytes], limit: int) -> Iterator[list[bytes]]:
    """As many as one frame takes."""
    group: list[bytes] = []
    for entry in entries:
        if group and (len(group) == limit or sum(map(len, group)) + len(entry) > ROOM_BYTES):
            yield group
            group = []
        group.append(entry)
    yield group


class Rs485:
    """Several readers on one pair of wires: all hear the host."""

    def __init__(self, devices: Sequence[ChafonDevice]) -> None:
        self.devices = list(devices)

    @property
    def wake_s(self) -> float | None:
        return min((device.wake_s for device in self.devices if device.wake_s is not None), default=None)

    def feed(self, data: bytes) -> list[tuple[float, bytes]]:
        """What the host says, or nothing when it is time to speak by itself."""
        return [said for device in self.devices for said in device.feed(data)]
