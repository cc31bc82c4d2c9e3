"""Modbus devices on an RS-485 line, from the standard, with what weighing transmitters keep in their registers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simulators.serial.scales import UNIT_GRAMS, Pan

READ_INPUTS, READ_HOLDING, READ_INPUT_REGISTERS = 2, 3, 4
# "Encapsulated interface transport", whose sub-function 14 reads what a device calls itself.
TRANSPORT, READ_IDENTIFICATION = 0x2B, 0x0E
REQUEST_BYTES = 8
IDENTIFICATION_REQUEST_BYTES = 7


def crc16(data: bytes) -> bytes:
    """The CRC of a frame as it goes out, bit by bit as the standard's appendix draws it: low byte first."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return register.to_bytes(2, "little")


@dataclass(slots=True)
class Slave:
    """One device: its registers and inputs by function, asked for afresh each time. All may be changed at any time."""

    address: int
    words: dict[int, Callable[[], dict[int, int]]] = field(default_factory=dict)
    inputs: Callable[[], dict[int, bool]] = dict
    lag_s: float = 0.0
    # It hears nothing and says nothing.
    dead: bool = False
    # It refuses everything with this code.
    exception: int | None = None
    # This many of its next answers have a bit wrong.
    hurt: int = 0
    # Its next answers carry this function instead of the one that was asked.
    answers_as: int | None = None
    # Vendor, product code and revision; without them it refuses the question, or does not even do that.
    names: Sequence[str] = ()
    ignores_names: bool = False
    asked: int = 0

    def identification(self) -> bytes:
        """The PDU that says what it is."""
        self.asked += 1
        if not self.names:
            return bytes([TRANSPORT | 0x80, 1])
        objects = b"".join(bytes([number, len(name)]) + name.encode() for number, name in enumerate(self.names))
        return bytes([TRANSPORT, READ_IDENTIFICATION, 1, 1, 0, 0, len(self.names)]) + objects

    def answer(self, function: int, start: int, count: int) -> bytes:
        """The PDU that it sends back."""
        self.asked += 1
        if self.exception is not None:
            return bytes([function | 0x80, self.exception])
        if function == READ_INPUTS:
            known = self.inputs()
            if any(at not in known for at in range(start, start + count)):
                return bytes([function | 0x80, 2])
            packed = bytearray((count + 7) // 8)
            for place in range(count):
                packed[place // 8] |= known[start + place] << place % 8
            return bytes([function, len(packed)]) + packed
        if function not in self.words:
            return bytes([function | 0x80, 1])
        words = self.words[function]()
        if any(at not in words for at in range(start, start + count)):
            return bytes([function | 0x80, 2])
        data = b"".join(words[at].to_bytes(2, "big") for at in range(start, start + count))
        return bytes([self.answers_as or function, len(data)]) + data


def _magnitude(grams: float, unit: str, decimals: int) -> tuple[int, int]:
    counts = round(abs(grams) / UNIT_GRAMS[unit] * 10**decimals)
    return counts >> 16, counts & 0xFFFF


def laumas(
    address: int, pan: Pan, *, unit: str = "g", decimals: int = 1, tare_g: float = 0.0, serial: int | None = 1234
) -> Slave:
    """A LAUMAS transmitter: status in 40007, gross in 40008 and 40009, net in 40010 and 40011; 40002 says what it is,
    40004 its serial number (None: it has no such registers).
    """

    def words() -> dict[int, int]:
        net = pan.grams - tare_g
        status = 0x0800 if pan.stable else 0
        status |= {"error": 0x0001, "overload": 0x0008}.get(pan.trouble, 0)
        status |= (0x0080 if pan.grams < 0 else 0) | (0x0100 if net < 0 else 0)
        gross_words, net_words = _magnitude(pan.grams, unit, decimals), _magnitude(net, unit, decimals)
        itself = {} if serial is None else {1: 13, 2: 2024, 3: serial}
        return itself | dict(enumerate((status, *gross_words, *net_words), 6))

    return Slave(address, {READ_HOLDING: words})


def dini_argeo(address: int, pan: Pan, *, unit: str = "g", decimals: int = 1) -> Slave:
    """A Dini Argeo DGT: gross in 30001 and 30002, net in 30003 and 30004, status in 30005."""

    def words() -> dict[int, int]:
        status = (0b11 if pan.grams < 0 else 0) | (0b100 if pan.stable else 0)
        status |= {"underload": 0b1000, "overload": 0b10000}.get(pan.trouble, 0)
        weight = _magnitude(pan.grams, unit, decimals)
        return dict(enumerate((*weight, *weight, status)))

    return Slave(address, {READ_INPUT_REGISTERS: words})


def dini_argeo_4(address: int, pans: Sequence[Pan], *, unit: str = "g", decimals: int = 1) -> Slave:
    """A DGT4 as four scales: status and gross of each from 40202 on, net of each from 40214 on."""

    def words() -> dict[int, int]:
        found: dict[int, int] = {}
        for number, pan in enumerate(pans):
            status = (0b100001 if pan.grams < 0 else 0) | (0b10 if pan.stable else 0)
            status |= {"underload": 0b100, "overload": 0b1000}.get(pan.trouble, 0)
            high, low = _magnitude(pan.grams, unit, decimals)
            at = 201 + 3 * number
            found |= {at: status, at + 1: high, at + 2: low, 213 + 2 * number: high, 214 + 2 * number: low}
        return found

    return Slave(address, {READ_HOLDING: words})


def _length(request: bytes) -> int:
    return IDENTIFICATION_REQUEST_BYTES if request[1] == TRANSPORT else REQUEST_BYTES


class ModbusLine:
    """Everything that hangs on one pair of wires. Requests are told apart by their length and CRC."""

    wake_s: float | None = None

    def __init__(self, slaves: Sequence[Slave], *, echoes: bool = False) -> None:
        self.slaves = {slave.address: slave for slave in slaves}
        # The adapter hears what it says.
        self.echoes = echoes
        self._pending = b""

    def feed(self, data: bytes) -> list[tuple[float, bytes]]:
        """Requests of the host."""
        said: list[tuple[float, bytes]] = [(0.0, data)] if self.echoes and data else []
        self._pending += data
        while len(self._pending) >= 2 and len(self._pending) >= (length := _length(self._pending)):
            request = self._pending[:length]
            if crc16(request[:-2]) != request[-2:]:
                self._pending = self._pending[1:]
                continue
            self._pending = self._pending[length:]
            slave = self.slaves.get(request[0])
            if slave is not None and not slave.dead and not (slave.ignores_names and request[1] == TRANSPORT):
                said.append((slave.lag_s, self._frame(slave, request)))
        return said

    def _frame(self, slave: Slave, request: bytes) -> bytes:
        if request[1] == TRANSPORT:
            answer = slave.identification()
        else:
            answer = slave.answer(request[1], int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big"))
        body = bytes([slave.address]) + answer
        frame = bytearray(body + crc16(body))
        if slave.hurt:
            slave.hurt -= 1
            frame[len(frame) // 2] ^= 0x04
        return bytes(frame)
