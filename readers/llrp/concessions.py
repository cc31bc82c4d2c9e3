"""What to ask for instead when a reader refuses our inventory: as much of it as it takes. Pure.

What the reader names in its refusal is left out. Where it names nothing that can be, each optional group is left out
alone, the likeliest first; at last all of them. That it reads is what counts.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import replace
from enum import StrEnum
from typing import Final

from readers.llrp.control import AntennaPlan, RoSpec, Status
from readers.llrp.gpio import WHEN_TOLD


class Concession(StrEnum):
    """Settings that are left out together, by their keys; in this order they are the likeliest to be refused."""

    VENDOR = "search_mode, tag_focus, fast_id, rf_details"
    FILTERS = "epc_filters"
    MODE = "mode"
    SINGULATION = "session, population"
    TRANSMITTER = "power_dbm, channel"
    BOUNDARY = "start_gpi, stop_gpi, duty_percent"


NAMES: Final = {
    Concession.VENDOR: ("CustomParameter", "Custom"),
    Concession.FILTERS: ("C1G2Filter", "C1G2TagInventoryMask", "C1G2TagInventoryStateUnawareFilterAction", "TagMask"),
    Concession.MODE: ("C1G2RFControl", "ModeIndex", "Tari"),
    Concession.SINGULATION: ("C1G2SingulationControl", "TagPopulation"),
    Concession.TRANSMITTER: ("RFTransmitter", "TransmitPower", "ChannelIndex", "HopTableID"),
    Concession.BOUNDARY: (
        "ROBoundarySpec",
        "ROSpecStartTrigger",
        "ROSpecStopTrigger",
        "GPITriggerValue",
        "PeriodicTriggerValue",
    ),
}
"""What the standard calls what these settings become (LLRP 1.0.1 sections 16.2.4 and 16.3.1): parameters and fields."""

OF_NAME: Final = {name.lower(): concession for concession, names in NAMES.items() for name in names}

WHOLE: Final = "ROSpec"
"""A refusal that blames this innermost (no room for another one, say) is not about what is in it."""


def optional(rospec: RoSpec) -> tuple[Concession, ...]:
    """What of `rospec` could be left out."""
    plans = rospec.antennas
    present = {
        Concession.VENDOR: bool(rospec.vendor_content) or any(plan.search_type is not None for plan in plans),
        Concession.FILTERS: any(plan.filters for plan in plans),
        Concession.MODE: any(plan.mode is not None for plan in plans),
        Concession.SINGULATION: any(plan.session is not None for plan in plans),
        Concession.TRANSMITTER: any(plan.power_index is not None for plan in plans),
        Concession.BOUNDARY: rospec.boundary != WHEN_TOLD,
    }
    return tuple(concession for concession in Concession if present[concession])


def without(rospec: RoSpec, left_out: AbstractSet[Concession]) -> RoSpec:
    """The same inventory with `left_out` left to the device."""
    return replace(
        rospec,
        antennas=tuple(_plan_without(plan, left_out) for plan in rospec.antennas),
        boundary=WHEN_TOLD if Concession.BOUNDARY in left_out else rospec.boundary,
        vendor_content=() if Concession.VENDOR in left_out else rospec.vendor_content,
    )


def _plan_without(plan: AntennaPlan, left_out: AbstractSet[Concession]) -> AntennaPlan:
    if Concession.VENDOR in left_out:
        plan = replace(plan, search_type=None)
    if Concession.FILTERS in left_out:
        plan = replace(plan, filters=())
    if Concession.MODE in left_out:
        plan = replace(plan, mode=None)
    if Concession.SINGULATION in left_out:
        plan = replace(plan, session=None, population=None)
    if Concession.TRANSMITTER in left_out:
        plan = replace(plan, power_index=None)
    return plan


def blamed(status: Status) -> Concession | None:
    """What a refusal is about: by its parameter errors, the innermost first, else by what its words name."""
    said = (*reversed(status.blamed), *re.findall(r"\w+", status.text))
    return next((OF_NAME[name.lower()] for name in said if name.lower() in OF_NAME), None)


class Bargain:
    """One inventory, and what of it the reader has not been refusing so far."""

    def __init__(self, whole: RoSpec) -> None:
        self.left_out: frozenset[Concession] = frozenset()
        self._whole = whole
        self._optional = frozenset(optional(whole))
        self._alone = list(optional(whole))
        self._named: frozenset[Concession] = frozenset()
        self._tried = {self.left_out}

    @property
    def offer(self) -> RoSpec:
        """What to ask for now."""
        return without(self._whole, self.left_out)

    def concede(self, refusal: Status) -> bool:
        """Ask for less; False where there is nothing less to ask for. At most 2 n + 1 times for n groups."""
        if self.left_out == self._optional:
            return False
        self.left_out = self._next(refusal)
        self._tried.add(self.left_out)
        return True

    def _next(self, refusal: Status) -> frozenset[Concession]:
        if refusal.blamed[-1:] == (WHOLE,):
            return self._optional
        named = blamed(refusal)
        if named in self._optional and named not in self._named:
            self._named |= {named}
            if self._named not in self._tried:
                return self._named
        while self._alone:
            candidate = self._named | {self._alone.pop(0)}
            if candidate not in self._tried:
                return candidate
        return self._optional
