"""What can be wrong on a Modbus line, in words for a person. Pure."""

from readers.modbus.codec import ExceptionCode, Query
from readers.model import Fault

HINTS = {
    ExceptionCode.ILLEGAL_FUNCTION: "it is not of this profile, or its Modbus option is off",
    ExceptionCode.ILLEGAL_ADDRESS: "it is not of this profile, or address is not one of its registers",
    ExceptionCode.DEVICE_FAILURE: "see the device's own display",
}


def refused(query: Query, code: int) -> Fault:
    """The device answers that it will not."""
    name = ExceptionCode(code).name.lower() if code in set(ExceptionCode) else f"exception {code}"
    text = f"slave {query.slave} refuses to tell {query.count} from {query.address} ({query.function.name}): {name}"
    hint = HINTS.get(ExceptionCode(code), "see its manual") if code in set(ExceptionCode) else "see its manual"
    return Fault("refused", text, hint)


def slave_down(slave: int, silence_s: float) -> Fault:
    """One device says nothing; the others go on."""
    text = f"slave {slave} has not answered for {silence_s:g} s"
    return Fault("slave_down", text, "is it on, its address right, and both wires of the line at it?")


def noise(count: int) -> Fault:
    """Bytes that answer nothing."""
    text = f"{count} bytes that are no answer to what was asked"
    return Fault(
        "frame_error", text, "check baudrate and parity, the line's end resistors, and for two equal addresses"
    )


def not_modbus(address: str) -> Fault:
    """A stream without Modbus TCP's headers."""
    text = f"{address} does not speak Modbus TCP"
    return Fault("frame_error", text, "a device server that passes RTU frames through is socket://, not modbus://")
