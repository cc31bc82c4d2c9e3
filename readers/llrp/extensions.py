"""What of a reader's settings is optional or a vendor's own, as far as a device can follow it. Pure.

Such a setting is never worth a reader: where a device lacks it or refuses it, reading goes on without, and it is said.
"""

from dataclasses import replace
from typing import Final

from readers.llrp.control import AntennaPlan, Capabilities, RoSpec, VendorContent
from readers.llrp.gpio import WHEN_TOLD, Boundary
from readers.llrp.impinj import VENDOR, SearchType
from readers.llrp.settings import AirSettings, LlrpSettings, SearchMode
from readers.model import Fault

MS_PER_S: Final = 1000
WHOLE_DUTY_PERCENT: Final = 100

RF_DETAILS: Final = (VendorContent.RF_PHASE_ANGLE, VendorContent.PEAK_RSSI, VendorContent.RF_DOPPLER_FREQUENCY)

SEARCH_TYPES: Final = {
    SearchMode.READER: SearchType.READER_SELECTED,
    SearchMode.DUAL: SearchType.DUAL_TARGET,
    SearchMode.SINGLE: SearchType.SINGLE_TARGET,
    SearchMode.SINGLE_RESET: SearchType.SINGLE_TARGET_B_TO_A,
}


def search_type(air: AirSettings) -> SearchType | None:
    """The search mode that `air` asks for; TagFocus is one of them."""
    if air.tag_focus:
        return SearchType.SINGLE_TARGET_WITH_SUPPRESSION
    return None if air.search_mode is None else SEARCH_TYPES[air.search_mode]


def has_extensions(device: Capabilities) -> bool:
    """It is one of the maker whose extensions we know."""
    return device.manufacturer == VENDOR


def wants_extensions(settings: LlrpSettings) -> bool:
    """Something of it only an Impinj reader can do."""
    air = (settings.air, *settings.per_antenna.values())
    return settings.fast_id or settings.rf_details or any(search_type(each) is not None for each in air)


def unsupported(settings: LlrpSettings, device: Capabilities) -> Fault | None:
    """What is said of settings that this device is known not to have."""
    if has_extensions(device) or not wants_extensions(settings):
        return None
    text = "search_mode, tag_focus, fast_id and rf_details are Impinj's, and this reader is none"
    return Fault("refused_setting", text, "reading goes on without them; remove them from its table")


def extend_antenna(plan: AntennaPlan, settings: LlrpSettings, air: AirSettings, device: Capabilities) -> AntennaPlan:
    """One antenna's plan with its filters and its search mode."""
    wanted = search_type(air) if has_extensions(device) else None
    return replace(plan, search_type=wanted, filters=settings.epc_filters)


def extend_rospec(rospec: RoSpec, settings: LlrpSettings, device: Capabilities) -> RoSpec:
    """The plan of a whole reader with its triggers and what its reports carry besides."""
    content: list[VendorContent] = []
    if has_extensions(device):
        content += [VendorContent.SERIALIZED_TID] if settings.fast_id else []
        content += RF_DETAILS if settings.rf_details else ()
    return replace(rospec, boundary=boundary_of(settings), vendor_content=tuple(content))


def boundary_of(settings: LlrpSettings) -> Boundary:
    """When the reader inventories by itself."""
    if settings.start_gpi is not None or settings.stop_gpi is not None:
        return Boundary(start=settings.start_gpi, stop=settings.stop_gpi)
    if settings.duty_percent < WHOLE_DUTY_PERCENT:
        period_ms = int(settings.duty_period_s * MS_PER_S)
        return Boundary(period_ms=period_ms, on_ms=max(1, period_ms * settings.duty_percent // WHOLE_DUTY_PERCENT))
    return WHEN_TOLD
