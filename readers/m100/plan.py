"""What a module is asked and told before it reads, step by step, and how its answers are judged. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from readers.m100 import faults
from readers.m100.messages import (
    OUTPUT,
    REGION_CODES,
    SELECT_NEVER,
    SUCCESS,
    Command,
    GpioAction,
    InfoKind,
    query_parameters,
)
from readers.m100.settings import M100Settings, SwitchCoding
from readers.model import Fault

CDBM: Final = 100
"""Powers are told in 1/100 dBm."""

Judge = Callable[[bytes], str | None]
"""What is wrong with an answer, in words; None if nothing is."""


def _content(_answer: bytes) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Step:
    """One command and its answer.

    What `judge` finds, and a refusal, end the connection where the step is `vital`, and are noted where it is not;
    what `remark` finds is only noted. An answer repeats the first `echo` bytes of the payload.
    """

    name: str
    command: Command
    payload: bytes = b""
    judge: Judge = _content
    remark: Judge = _content
    vital: bool = False
    echo: int = 0
    also: frozenset[int] = frozenset()

    def fault(self, words: str) -> Fault:
        """What a refusal in these words means."""
        return faults.rejected(self.name, words) if self.vital else faults.refused_setting(self.name, words)

    def is_answered_by(self, command: int, answer: bytes) -> bool:
        """Not every answer is one to this; some firmware answers under the number of another command."""
        return command in {self.command, *self.also} and answer[: self.echo] == self.payload[: self.echo]


ASK_HARDWARE: Final = Step("the module's name", Command.INFO, bytes((InfoKind.HARDWARE,)), vital=True, echo=1)
ASK_SOFTWARE: Final = Step("its firmware's name", Command.INFO, bytes((InfoKind.SOFTWARE,)), echo=1)

STOP: Final = Step("the end of the inventory", Command.STOP_POLL)


def configuration(settings: M100Settings) -> tuple[Step, ...]:
    """Everything that a module forgets when it sleeps or restarts, each read back where it can be."""
    region = bytes((REGION_CODES[settings.region],))
    power = round(settings.power_dbm * CDBM).to_bytes(2, "big")
    query = query_parameters(settings.session, settings.q)
    return (
        Step("setting the region", Command.SET_REGION, region, _accepted, vital=True),
        Step("the region that it uses", Command.GET_REGION, b"", _equals(region), vital=True),
        Step("setting the power", Command.SET_POWER, power, _accepted),
        Step("the power that it uses", Command.GET_POWER, b"", *_powers(settings.power_dbm), vital=True),
        Step("hopping between channels", Command.AUTO_HOP, b"\xff", _accepted),
        Step("setting session and q", Command.SET_QUERY, query, _accepted),
        Step("session and q that it uses", Command.GET_QUERY, b"", _equals(query)),
        # A mask that another program has left in it would hide tags.
        Step("reading tags without a mask", Command.SELECT_MODE, SELECT_NEVER, _accepted, also=frozenset({0x0C})),
        *(_gpio(f"pin {pin} as an output", GpioAction.SET_DIRECTION, pin, OUTPUT) for pin in settings.switch_pins),
    )


def switching(settings: M100Settings, antenna: int) -> tuple[Step, ...]:
    """The pins that lead to `antenna`; none where there is no switch."""
    number = antenna - 1
    binary = settings.switch_coding is SwitchCoding.BINARY
    return tuple(
        _gpio(
            f"switching to antenna {antenna}",
            GpioAction.SET_LEVEL,
            pin,
            number >> place & 1 if binary else place == number,
        )
        for place, pin in enumerate(settings.switch_pins)
    )


def _gpio(name: str, action: GpioAction, pin: int, value: int) -> Step:
    return Step(name, Command.GPIO, bytes((action, pin, value)), vital=True, echo=2)


def _accepted(answer: bytes) -> str | None:
    return None if answer == SUCCESS else f"the module answers {answer.hex() or 'nothing'}"


def _equals(expected: bytes) -> Judge:
    return lambda answer: None if answer == expected else f"the module answers {answer.hex()}, not {expected.hex()}"


def _powers(power_dbm: float) -> tuple[Judge, Judge]:
    """More than was asked for may be against the law; less only reads less."""
    asked_cdbm = round(power_dbm * CDBM)

    def judge(answer: bytes) -> str | None:
        found_cdbm = int.from_bytes(answer, "big")
        if len(answer) == 2 and found_cdbm <= asked_cdbm:
            return None
        return f"the module answers {answer.hex()} ({found_cdbm / CDBM:g} dBm), not {power_dbm:g} dBm"

    def remark(answer: bytes) -> str | None:
        found_cdbm = int.from_bytes(answer, "big")
        return None if found_cdbm == asked_cdbm else f"{found_cdbm / CDBM:g} dBm is less than {power_dbm:g} dBm"

    return judge, remark
