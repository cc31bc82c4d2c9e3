"""What can be wrong with an M100 module, in words for a person. Pure."""

from readers.model import Fault

NOT_M100 = Fault(
    "not_m100",
    "the device speaks another protocol (RED RCP, which begins its frames alike)",
    "its module is not of the M100 family: no driver here knows it",
)

JAMMED = Fault(
    "channels_busy",
    "the module finds all channels of its region in use",
    "another reader is too near, or the region is not the one this module is made for",
)


def silent(awaited: str, junk_bytes: int) -> Fault:
    """Nothing, or nothing that makes sense, came back."""
    if junk_bytes:
        text = f"{awaited} did not come; {junk_bytes} bytes came that are no frames of an M100"
        return Fault("timeout", text, "check the baudrate (115200 by default) and what is plugged in there")
    text = f"{awaited} did not come: the module is silent"
    return Fault("timeout", text, "check its power, its EN pin and whether TX and RX are crossed")


def rejected(name: str, words: str) -> Fault:
    """Something indispensable was refused, or is not what was set."""
    return Fault("rejected", f"{name}: {words}", "compare region and power_dbm with what this module is made for")


def refused_setting(name: str, words: str) -> Fault:
    """Something dispensable was refused."""
    return Fault("refused_setting", f"{name}: {words}", "reading goes on without it")


def another_device(known: str, found: str) -> Fault:
    """Somebody has changed plugs."""
    return Fault(
        "another_device",
        f"this port had {known!r} before, and now has {found!r}",
        "put the right module back; if it was replaced on purpose, restart the gateway",
    )


def noise(junk_bytes: int) -> Fault:
    """Bytes between the frames."""
    text = f"{junk_bytes} bytes that belong to no frame"
    return Fault("frame_error", text, "a loose plug, a long cable, a missing ground or too weak a power supply")


def bad_tag(evidence: bytes) -> Fault:
    """A frame that passed, with a tag in it that did not."""
    text = f"a tag's own checksum is wrong: it is not counted [{evidence[:64].hex()}]"
    return Fault("bad_tag", text, "rare ones are noise on the cable; many speak of a module that is worn out")


def stray(command: int, payload: bytes) -> Fault:
    """A frame that nobody has asked for."""
    text = f"frame {command:02X} answers nothing that was asked [{payload[:64].hex()}]"
    return Fault("stray_message", text, "harmless if it is rare")
