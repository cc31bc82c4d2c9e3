"""A reader's inputs and outputs: light barriers and doors that start and stop it, and signal lamps. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from readers.llrp.settings import InputTrigger, Level

MS_PER_S: Final = 1000


@dataclass(frozen=True, slots=True)
class Boundary:
    """When an inventory starts and stops by itself (ROBoundarySpec, LLRP 1.0.1 section 16.2.4.1.1).

    Inputs, or for `on_ms` in each `period_ms`; neither: from START_ROSPEC to STOP_ROSPEC.
    """

    start: InputTrigger | None = None
    stop: InputTrigger | None = None
    period_ms: int = 0
    on_ms: int = 0

    @property
    def starts_itself(self) -> bool:
        """START_ROSPEC would spoil it."""
        return self.start is not None or self.period_ms > 0

    @property
    def watched(self) -> bool:
        """Only the reader knows when it inventories: its ROSpec events have to tell."""
        return self.start is not None or self.stop is not None

    @property
    def inputs(self) -> tuple[int, ...]:
        """The ports it depends on: they have to be switched on."""
        return tuple(sorted({trigger.port for trigger in (self.start, self.stop) if trigger is not None}))


WHEN_TOLD: Final = Boundary()
"""From START_ROSPEC to STOP_ROSPEC."""


def boundary_fields(boundary: Boundary) -> dict[str, Any]:
    """The ROBoundarySpec in the codec's form."""
    start: dict[str, Any] = {"ROSpecStartTriggerType": "Null"}
    stop: dict[str, Any] = {"ROSpecStopTriggerType": "Null", "DurationTriggerValue": 0}
    if boundary.start is not None:
        start = {"ROSpecStartTriggerType": "GPI", "GPITriggerValue": _trigger_fields(boundary.start)}
    elif boundary.period_ms:
        period = {"Offset": 0, "Period": boundary.period_ms}
        start = {"ROSpecStartTriggerType": "Periodic", "PeriodicTriggerValue": period}
        stop = {"ROSpecStopTriggerType": "Duration", "DurationTriggerValue": boundary.on_ms}
    if boundary.stop is not None:
        stop = {
            "ROSpecStopTriggerType": "GPI with timeout",
            "DurationTriggerValue": 0,
            "GPITriggerValue": _trigger_fields(boundary.stop),
        }
    return {"ROSpecStartTrigger": start, "ROSpecStopTrigger": stop}


def output_fields(outputs: Mapping[int, bool]) -> list[dict[str, Any]]:
    """The GPOWriteData parameters in the codec's form."""
    return [{"GPOPortNumber": port, "GPOData": high} for port, high in sorted(outputs.items())]


def _trigger_fields(trigger: InputTrigger) -> dict[str, Any]:
    return {
        "GPIPortNum": trigger.port,
        "GPIEvent": trigger.level is Level.HIGH,
        "Timeout": int(trigger.timeout_s * MS_PER_S),
    }
