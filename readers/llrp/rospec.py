"""From what a technician set, and what the device can do, to the inventory we ask for. Pure."""

from typing import Final

from readers.driver import ReaderError
from readers.llrp.control import AntennaPlan, Capabilities, RoSpec
from readers.llrp.extensions import extend_antenna, extend_rospec
from readers.llrp.settings import AirSettings, LlrpSettings
from readers.model import Fault

ROSPEC_ID: Final = 1
"""The one ROSpec we own; a reader may hold no more than one (R420: MaxROSpecs = 1)."""

DEFAULT_SESSION: Final = 1
DEFAULT_POPULATION: Final = 32
"""C1G2SingulationControl carries both; where only one is set, the other is what readers ship with."""

FIRST_CHANNEL: Final = 1
HOPPING_CHANNEL: Final = 0
"""ChannelIndex counts from one; a hopping reader shows 0, and some refuse any other (LLRP 1.0.1 section 12.2.1.2)."""

KHZ_PER_MHZ: Final = 1000

UNSUITED: Final = "unsuited"
"""Fault kind: the settings ask for what this device cannot do."""

MAX_REPORT_EVERY_TAGS: Final = 0xFFFF
"""ROReportSpec carries N in 16 bits."""

MAX_ANTENNA: Final = 0xFFFF
"""AntennaID has 16 bits; for a reader that does not say how many antennas it has."""


def _unsuited(text: str, hint: str) -> ReaderError:
    return ReaderError(Fault(UNSUITED, text, hint))


def plan_rospec(settings: LlrpSettings, device: Capabilities) -> RoSpec:
    """The ROSpec for `settings` on `device`.

    Raises ReaderError (kind "unsuited") for an antenna, a power, a channel, a mode or a session that it has not.
    """
    if not settings.antennas:
        raise _unsuited("no antenna is configured", "list the antenna ports that are in use")
    if not 1 <= settings.report_every_tags <= MAX_REPORT_EVERY_TAGS:
        raise _unsuited(f"a report every {settings.report_every_tags} tags", f"choose 1 to {MAX_REPORT_EVERY_TAGS}")
    plans = tuple(_plan_antenna(port, settings, device) for port in sorted(set(settings.antennas)))
    return extend_rospec(RoSpec(ROSPEC_ID, plans, settings.report_every_tags), settings, device)


def merge_air(base: AirSettings, over: AirSettings | None) -> AirSettings:
    """`over` where it says something, else `base`."""
    if over is None:
        return base
    return AirSettings(
        power_dbm=base.power_dbm if over.power_dbm is None else over.power_dbm,
        session=base.session if over.session is None else over.session,
        mode=base.mode if over.mode is None else over.mode,
        population=base.population if over.population is None else over.population,
        search_mode=base.search_mode if over.search_mode is None else over.search_mode,
        tag_focus=base.tag_focus if over.tag_focus is None else over.tag_focus,
        channel=base.channel if over.channel is None else over.channel,
    )


def power_index(power_dbm: float, device: Capabilities) -> int:
    """The index of the device's strongest level that does not exceed `power_dbm`."""
    if not device.power_dbm:
        raise _unsuited(
            f"{power_dbm:g} dBm cannot be set: the reader lists no power levels",
            "set the reader's region, or leave power_dbm out",
        )
    allowed = {index: level for index, level in device.power_dbm.items() if level <= power_dbm}
    if not allowed:
        low, high = min(device.power_dbm.values()), max(device.power_dbm.values())
        raise _unsuited(
            f"{power_dbm:g} dBm is below the reader's lowest level, {low:g} dBm",
            f"choose {low:g} to {high:g} dBm",
        )
    return max(allowed, key=lambda index: (allowed[index], -index))


def channel_index(air: AirSettings, device: Capabilities) -> int:
    """Which frequency to stay on, or that of a device that hops."""
    if air.channel is None:
        return HOPPING_CHANNEL if device.hop_table_ids else FIRST_CHANNEL
    if device.hop_table_ids:
        raise _unsuited(f"channel {air.channel}: this reader hops, it stays on none", "leave channel out")
    if not device.fixed_channels_khz:
        raise _unsuited(
            f"channel {air.channel} cannot be set: the reader lists none",
            "set the reader's region, or leave channel out",
        )
    if not FIRST_CHANNEL <= air.channel <= len(device.fixed_channels_khz):
        listed = ", ".join(
            f"{number} ({khz / KHZ_PER_MHZ:g} MHz)"
            for number, khz in enumerate(device.fixed_channels_khz, FIRST_CHANNEL)
        )
        raise _unsuited(f"channel {air.channel} is none of this reader's", f"it lists: {listed}")
    if air.power_dbm is None:
        raise _unsuited("channel without power_dbm", "set power_dbm too: LLRP sends the two together")
    return air.channel


def _plan_antenna(port: int, settings: LlrpSettings, device: Capabilities) -> AntennaPlan:
    if not 1 <= port <= (device.max_antennas or MAX_ANTENNA):
        # Port 0 would mean all of them, known or not: which zone would its reads belong to?
        raise _unsuited(f"antenna {port} is none of this reader's", f"it has ports 1 to {device.max_antennas}")
    air = merge_air(settings.air, settings.per_antenna.get(port))
    if air.mode is not None and air.mode not in device.modes:
        modes = ", ".join(map(str, device.modes)) or "none"
        raise _unsuited(f"mode {air.mode} is none of this reader's", f"it lists: {modes}")
    if air.session is not None and not 0 <= air.session <= 3:
        raise _unsuited(f"session {air.session}", "Gen2 has sessions 0 to 3")
    if air.population is not None and not 0 <= air.population <= 0xFFFF:
        raise _unsuited(f"a population of {air.population} tags", "choose 0 to 65535")
    singulation = air.session is not None or air.population is not None
    plan = AntennaPlan(
        antenna=port,
        power_index=None if air.power_dbm is None else power_index(air.power_dbm, device),
        hop_table_id=device.hop_table_ids[0] if device.hop_table_ids else 0,
        channel_index=channel_index(air, device),
        mode=air.mode,
        session=_or_default(air.session, DEFAULT_SESSION) if singulation else None,
        population=_or_default(air.population, DEFAULT_POPULATION) if singulation else None,
    )
    return extend_antenna(plan, settings, air, device)


def _or_default(value: int | None, default: int) -> int:
    return default if value is None else value
