"""A module with an M100 or R200 chip, from its protocol description V2.3.3: what it answers and says itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from simulators.clock import Clock
from simulators.field import Field

# (first byte, last byte)
M100_FORM = (0xBB, 0x7E)
R200_FORM = (0xAA, 0xDD)
POWER_UP_REGION = 1
POWER_UP_CDBM = 2000
POWER_UP_QUERY = 0x1020
ERROR = 0xFF
NO_TAG, COMMAND_ERROR, CHANNELS_BUSY = 0x15, 0x17, 0x20
REGIONS = (1, 2, 3, 4, 6)
PINS = 4


def storedcrc(words: bytes) -> int:
    """The CRC that a Gen2 tag keeps over PC and EPC, bit by bit as the standard draws it (annex F)."""
    register = 0xFFFF
    for byte in words:
        for place in range(7, -1, -1):
            feedback = (register >> 15) ^ (byte >> place & 1)
            register = (register << 1 & 0xFFFF) ^ (0x1021 if feedback else 0)
    return register ^ 0xFFFF


@cache
def tag_words(epc: bytes) -> bytes:
    """PC, EPC and CRC as a tag backscatters them."""
    words = (len(epc) // 2 << 11).to_bytes(2, "big") + epc
    return words + storedcrc(words).to_bytes(2, "big")


@dataclass(slots=True)
class Habits:
    """What a module of this kind may be like; may be changed at any time."""

    form: tuple[int, int] = M100_FORM
    hardware: str = "M100 26dBm V1.0"
    software: str = "V2.3.5"
    max_power_cdbm: int = 2600
    round_s: float = 0.02
    # Commands that are answered with an error.
    refuses: frozenset[int] = frozenset()
    # Commands that are not answered at all.
    ignores: frozenset[int] = frozenset()
    # Firmware V2.3.4 answers 12 as if it were 0C.
    answers_select_as_0c: bool = False
    # Each answer comes so much later.
    lag_s: float = 0.0
    # Every so manieth tag has a wrong CRC of its own, in a frame whose sum is right; 0: none.
    bad_tag_every: int = 0
    # All channels are busy.
    jammed: bool = False
    # Behind these a round never ends.
    dead_antennas: frozenset[int] = frozenset()
    # Powered, and says nothing.
    mute: bool = False
    # The region it says it has, whatever it was told.
    stuck_region: int | None = None


class M100Device:
    """One module and its antenna switch: the first of its `switch_pins` is worth 1, antenna 1 is all low."""

    def __init__(
        self,
        field: Field,
        clock: Clock,
        habits: Habits | None = None,
        switch_pins: tuple[int, ...] = (),
        *,
        asleep: bool = False,
    ) -> None:
        self.wake_s: float | None = None
        self.habits = habits or Habits()
        # Frames of the host that were understood: (command, payload).
        self.heard: list[tuple[int, bytes]] = []
        self._field = field
        self._clock = clock
        self._switch_pins = switch_pins
        self._pending = bytearray()
        self._tags = 0
        self.power_up()
        self._asleep = asleep

    def power_up(self) -> None:
        """As it is after its power came: everything that it was told is forgotten."""
        self.region = POWER_UP_REGION
        self.power_cdbm = POWER_UP_CDBM
        self.query = POWER_UP_QUERY
        self.hops = False
        self.selects = 0
        self.outputs: set[int] = set()
        self.levels = dict.fromkeys(range(1, PINS + 1), 0)
        self.rounds_left = 0
        self.wake_s = None
        self._asleep = False
        self._pending.clear()
        self._since_us = self._clock.now_us()

    def sleep(self) -> None:
        """It sleeps; the next command wakes it and is lost, and so is what it was told."""
        self.power_up()
        self._asleep = True

    @property
    def antenna(self) -> int:
        """Where the switch leads."""
        return 1 + sum(self.levels[pin] << place for place, pin in enumerate(self._switch_pins) if pin in self.outputs)

    def feed(self, data: bytes) -> list[tuple[float, bytes]]:
        """What the host says, or nothing when the time for a round has come."""
        said: list[tuple[float, bytes]] = []
        if self._asleep and data:
            self._asleep = False
        elif data:
            self._pending += data
            for command, payload in self._take_commands():
                self.heard.append((command, payload))
                if command in self.habits.ignores:
                    continue
                said += [(self.habits.lag_s, answer) for answer in self._obey(command, payload)]
        elif self.rounds_left:
            said = [(0.0, frame) for frame in self._inventory()]
            self.rounds_left -= 1
        self.wake_s = self.habits.round_s if self.rounds_left else None
        return [] if self.habits.mute else said

    # Frames

    def frame(self, kind: int, command: int, payload: bytes) -> bytes:
        """As it goes out."""
        first, last = self.habits.form
        inner = bytes([kind, command, len(payload) >> 8, len(payload) & 0xFF, *payload])
        return bytes([first, *inner, sum(inner) % 256, last])

    def notification(self, epc: bytes, rssi_dbm: int) -> bytes:
        """A tag."""
        self._tags += 1
        words = bytearray(tag_words(epc))
        every = self.habits.bad_tag_every
        if every and self._tags % every == 0:
            words[-1] ^= 0x01
        return self.frame(2, 0x22, bytes([rssi_dbm & 0xFF]) + words)

    def _take_commands(self) -> Iterable[tuple[int, bytes]]:
        """A chip of this kind waits for its first byte and drops what does not add up."""
        first, last = self.habits.form
        while (start := self._pending.find(first)) >= 0:
            del self._pending[:start]
            if len(self._pending) < 5:
                return
            end = 5 + int.from_bytes(self._pending[3:5], "big") + 2
            if end > 300:
                del self._pending[:1]
                continue
            if len(self._pending) < end:
                return
            frame = bytes(self._pending[:end])
            if frame[1] == 0 and frame[-1] == last and frame[-2] == sum(frame[1:-2]) % 256:
                del self._pending[:end]
                yield frame[2], frame[5:-2]
            else:
                del self._pending[:1]
        self._pending.clear()

    # Commands

    def _obey(self, command: int, payload: bytes) -> list[bytes]:
        obey = self._commands().get(command)
        if obey is None or command in self.habits.refuses:
            return [self._error(COMMAND_ERROR)]
        if command == 0x27:
            self.rounds_left = int.from_bytes(payload[1:3], "big")
            self._since_us = self._clock.now_us()
            return []
        if command == 0x28:
            # What the round has already seen goes out first.
            late = self._inventory() if self.rounds_left else []
            self.rounds_left = 0
            return [*late, self.frame(1, 0x28, b"\x00")]
        if command == 0x22:
            self._since_us = self._clock.now_us() - round(self.habits.round_s * 1e6)
            return self._inventory()
        answer = obey(payload)
        if answer is None:
            return [self._error(COMMAND_ERROR)]
        reply_as = 0x0C if command == 0x12 and self.habits.answers_select_as_0c else command
        return [self.frame(1, reply_as, answer)]

    def _error(self, code: int) -> bytes:
        return self.frame(1, ERROR, bytes([code]))

    def _commands(self) -> dict[int, Callable[[bytes], bytes | None]]:
        habits = self.habits
        return {
            0x03: self._info,
            0x07: self._set_region,
            0x08: lambda _: bytes([self.region if habits.stuck_region is None else habits.stuck_region]),
            0x0D: lambda _: self.query.to_bytes(2, "big"),
            0x0E: self._set_query,
            0x12: self._set_select,
            0x1A: self._gpio,
            0x22: lambda _: None,
            0x27: lambda _: None,
            0x28: lambda _: None,
            0xAD: self._set_hopping,
            0xB6: self._set_power,
            0xB7: lambda _: self.power_cdbm.to_bytes(2, "big"),
        }

    def _info(self, payload: bytes) -> bytes | None:
        texts = {0: self.habits.hardware, 1: self.habits.software, 2: "MagicRf"}
        return payload + texts[payload[0]].encode() if len(payload) == 1 and payload[0] in texts else None

    def _set_region(self, payload: bytes) -> bytes | None:
        if len(payload) != 1 or payload[0] not in REGIONS:
            return None
        self.region = payload[0]
        return b"\x00"

    def _set_power(self, payload: bytes) -> bytes | None:
        if len(payload) != 2:
            return None
        self.power_cdbm = min(int.from_bytes(payload, "big"), self.habits.max_power_cdbm)
        return b"\x00"

    def _set_query(self, payload: bytes) -> bytes | None:
        if len(payload) != 2:
            return None
        self.query = int.from_bytes(payload, "big")
        return b"\x00"

    def _set_select(self, payload: bytes) -> bytes | None:
        if len(payload) != 1 or payload[0] > 2:
            return None
        self.selects = payload[0]
        return b"\x00"

    def _set_hopping(self, payload: bytes) -> bytes | None:
        self.hops = payload == b"\xff"
        return b"\x00"

    def _gpio(self, payload: bytes) -> bytes | None:
        if len(payload) != 3 or payload[0] > 2 or not 1 <= payload[1] <= PINS:
            return None
        action, pin, value = payload
        if action == 0:
            (self.outputs.add if value else self.outputs.discard)(pin)
        elif action == 1:
            self.levels[pin] = value
        else:
            value = self.levels[pin]
        return bytes([action, pin, value if action == 2 else 1])

    # The air

    def _inventory(self) -> list[bytes]:
        """One round: who answers, or that nobody does."""
        now_us = self._clock.now_us()
        start_us, self._since_us = self._since_us, now_us
        if self.antenna in self.habits.dead_antennas:
            return []
        if self.habits.jammed:
            return [self._error(CHANNELS_BUSY)]
        seen = {sighting.epc: sighting.rssi_dbm for sighting in self._field.sightings(self.antenna, start_us, now_us)}
        return [self.notification(epc, rssi) for epc, rssi in seen.items()] or [self._error(NO_TAG)]
