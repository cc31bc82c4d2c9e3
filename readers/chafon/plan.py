"""What a Chafon reader is told before it reads: only what differs, for it keeps all of it in flash. Pure."""

from dataclasses import dataclass

from readers.chafon import faults
from readers.chafon.messages import (
    BANDS,
    MIN_READER18_SCAN,
    POWER_UNTOLD,
    SCAN_UNIT_S,
    Command,
    Dialect,
    Info,
    region_payload,
)
from readers.chafon.settings import ChafonSettings
from readers.model import Fault


@dataclass(frozen=True, slots=True)
class Step:
    """One setting."""

    name: str
    command: Command
    data: bytes


def scan_time(settings: ChafonSettings, dialect: Dialect) -> int:
    """How long a look may take, in units of 0.1 s."""
    least = MIN_READER18_SCAN if dialect is Dialect.READER18 else 1
    return max(round(settings.scan_s / SCAN_UNIT_S), least)


def changes(settings: ChafonSettings, info: Info) -> tuple[Step, ...]:
    """The commands that make the reader of `info` what the settings ask for."""
    band = BANDS[settings.region]
    wanted_scan = scan_time(settings, info.dialect)
    steps = []
    if info.band != band.code:
        steps.append(Step("setting the region", Command.SET_REGION, region_payload(band)))
    if info.power_dbm != settings.power_dbm:
        steps.append(Step("setting the power", Command.SET_POWER, bytes((settings.power_dbm,))))
    if info.dialect is Dialect.READER18 and info.scan_time != wanted_scan:
        steps.append(Step("setting the scan time", Command.SET_SCAN_TIME, bytes((wanted_scan,))))
    return tuple(steps)


def verdict(settings: ChafonSettings, info: Info) -> Fault | None:
    """What is wrong with a reader that was told all of it; None if nothing is.

    More power than was asked for may be against the law; less only reads less.
    """
    if info.band != BANDS[settings.region].code:
        return faults.rejected("the region", f"the reader uses band {info.band}, not {BANDS[settings.region].code}")
    if settings.power_dbm < info.power_dbm != POWER_UNTOLD:
        return faults.rejected("the power", f"the reader uses {info.power_dbm} dBm, not {settings.power_dbm} dBm")
    return None


def remark(settings: ChafonSettings, info: Info) -> Fault | None:
    """What a person should know of a reader that is good enough."""
    if info.power_dbm == POWER_UNTOLD:
        return faults.refused_setting("the power", "it was set, and this reader does not tell it back")
    if info.power_dbm < settings.power_dbm:
        text = f"the reader uses {info.power_dbm} dBm, not {settings.power_dbm} dBm"
        return faults.refused_setting("the power", text)
    return None
