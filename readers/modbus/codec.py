"""Modbus messages, on a line or over TCP: the only door to pymodbus, which builds and reads them. Pure.

Sources: MODBUS Application Protocol 1.1b3, MODBUS over Serial Line 1.02, MODBUS Messaging on TCP/IP 1.0b.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import ReadDiscreteInputsRequest
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest, ReadDeviceInformationResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

MAX_REGISTERS: Final = 125
MAX_BITS: Final = 2000
"""What one answer can carry (6.2 to 6.4)."""

EXCEPTION_FLAG: Final = 0x80
EXCEPTION_BYTES: Final = 5
"""Slave, function with its flag, code, CRC."""

MAX_RTU_FRAME_BYTES: Final = 256
"""MODBUS over Serial Line 2.3."""

BASIC_OBJECTS: Final = (0, 1, 2)
"""Vendor, product code, revision: those that every device has that answers at all (6.21, table of objects)."""

MBAP_BYTES: Final = 7
MAX_TCP_FRAME_BYTES: Final = 260
"""Modbus over TCP/IP 4.1: seven bytes of header, and a PDU of 253."""


class Function(IntEnum):
    """What is read (section 6)."""

    READ_DISCRETE_INPUTS = 2
    READ_HOLDING_REGISTERS = 3
    READ_INPUT_REGISTERS = 4
    READ_DEVICE_IDENTIFICATION = 43
    """With sub-function 14 (6.21)."""


class ExceptionCode(IntEnum):
    """Why a device refuses (section 7)."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    BUSY = 6
    MEMORY_PARITY = 8
    GATEWAY_PATH = 10
    GATEWAY_TARGET = 11


REQUESTS: Final[dict[Function, type[ModbusPDU]]] = {
    Function.READ_DISCRETE_INPUTS: ReadDiscreteInputsRequest,
    Function.READ_HOLDING_REGISTERS: ReadHoldingRegistersRequest,
    Function.READ_INPUT_REGISTERS: ReadInputRegistersRequest,
}


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of one slave: `count` registers or inputs from `address` on, counted from 0.

    Of its identification neither means anything.
    """

    slave: int
    function: Function
    address: int = 0
    count: int = 0

    @property
    def data_bytes(self) -> int:
        """How many bytes of data its answer has, at most."""
        if self.function is Function.READ_DEVICE_IDENTIFICATION:
            return MAX_RTU_FRAME_BYTES - 5
        return (self.count + 7) // 8 if self.function is Function.READ_DISCRETE_INPUTS else 2 * self.count


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: registers, inputs, what it calls itself, or the `exception` with which the device refuses."""

    registers: tuple[int, ...] = ()
    inputs: tuple[bool, ...] = ()
    identification: str = ""
    exception: int | None = None


class RtuCodec:
    """Frames on a serial line. Silence between them cannot be seen behind an adapter: they are found by what was asked,
    by their length and by their CRC.
    """

    def __init__(self) -> None:
        self.junk_bytes = 0
        self._framer = FramerRTU(DecodePDU(is_server=False))
        self._pending = bytearray()

    def request(self, query: Query) -> bytes:
        """The frame to send; what came before it answers nothing any more."""
        self._drop(len(self._pending))
        return self._framer.buildFrame(_message(query, 0))

    def answer(self, data: bytes, query: Query | None) -> Answer | None:
        """The answer to `query`, once it is complete; nothing is awaited where it is None."""
        self._pending += data
        if query is None:
            self._drop(len(self._pending))
            return None
        start = self._pending.find(query.slave)
        while start >= 0:
            length = self._length(start, query)
            if length is not None and len(self._pending) >= start + length:
                found = _read(self._framer, bytes(self._pending[start : start + length]), query)
                if found is not None:
                    self._drop(start)
                    del self._pending[:length]
                    return found
            start = self._pending.find(query.slave, start + 1)
        # An answer that is still on its way is in the last bytes.
        self._drop(len(self._pending) - max(EXCEPTION_BYTES, 5 + query.data_bytes))
        return None

    def _length(self, start: int, query: Query) -> int | None:
        """The length of the frame that may begin at `start`; None where none does."""
        head = self._pending[start : start + 3]
        if len(head) < 2 or head[1] not in {query.function, query.function | EXCEPTION_FLAG}:
            return None
        if head[1] & EXCEPTION_FLAG:
            return EXCEPTION_BYTES
        if query.function is Function.READ_DEVICE_IDENTIFICATION:
            length = ReadDeviceInformationResponse.calculateRtuFrameSize(bytes(self._pending[start:]))
            return length if length <= MAX_RTU_FRAME_BYTES else None
        return 5 + query.data_bytes if len(head) == 3 and head[2] == query.data_bytes else None

    def _drop(self, count: int) -> None:
        if count > 0:
            self.junk_bytes += count
            del self._pending[:count]


class TcpCodec:
    """Frames over TCP: their header tells their length and whom they answer."""

    def __init__(self) -> None:
        self.junk_bytes = 0
        # The stream makes no sense any more.
        self.broken = False
        self._framer = FramerSocket(DecodePDU(is_server=False))
        self._pending = bytearray()
        self._transaction = 0

    def request(self, query: Query) -> bytes:
        """The frame to send."""
        self._transaction = self._transaction % 0xFFFF + 1
        return self._framer.buildFrame(_message(query, self._transaction))

    def answer(self, data: bytes, query: Query | None) -> Answer | None:
        """The answer to `query`; what answers an earlier one is counted as junk."""
        self._pending += data
        while len(self._pending) >= MBAP_BYTES:
            length = 6 + int.from_bytes(self._pending[4:6], "big")
            if self._pending[2:4] != b"\x00\x00" or not MBAP_BYTES < length <= MAX_TCP_FRAME_BYTES:
                self.broken = True
                return None
            if len(self._pending) < length:
                return None
            frame = bytes(self._pending[:length])
            del self._pending[:length]
            if query is not None and int.from_bytes(frame[:2], "big") == self._transaction:
                found = _read(self._framer, frame, query)
                if found is not None:
                    return found
            self.junk_bytes += length
        return None


def _message(query: Query, transaction: int) -> ModbusPDU:
    if query.function is Function.READ_DEVICE_IDENTIFICATION:
        return ReadDeviceInformationRequest(dev_id=query.slave, transaction_id=transaction)
    return REQUESTS[query.function](
        dev_id=query.slave, transaction_id=transaction, address=query.address, count=query.count
    )


def _read(framer: FramerRTU | FramerSocket, frame: bytes, query: Query) -> Answer | None:
    """The answer in one frame; None where it is none, or none to `query`."""
    try:
        used, message = framer.handleFrame(frame, 0, 0)
    except ModbusException:
        return None
    if message is None or used != len(frame) or message.function_code & ~EXCEPTION_FLAG != query.function:
        return None
    if message.isError():
        return Answer(exception=message.exception_code)
    if query.function is Function.READ_DISCRETE_INPUTS:
        inputs = tuple(bool(bit) for bit in message.bits[: query.count])
        return Answer(inputs=inputs) if len(inputs) == query.count else None
    if isinstance(message, ReadDeviceInformationResponse):
        said = (message.information.get(number, b"") for number in BASIC_OBJECTS)
        words = [part.decode("ascii", "replace").strip() for part in said if isinstance(part, bytes)]
        return Answer(identification=" ".join(filter(None, words)))
    registers = tuple(message.registers)
    return Answer(registers=registers) if len(registers) == query.count else None
